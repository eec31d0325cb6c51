//! The multi-thread suite.

use super::super::context::{complain, current, session, shared};
use super::super::handles::{Handle, find};
use super::super::report::Kind;
use super::{answer, raw};
use crate::openfx::*;
use parking_lot::{Condvar, Mutex};
use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Arc, Weak};
use std::thread::ThreadId;

pub(super) static SUITE: OfxMultiThreadSuiteV1 = OfxMultiThreadSuiteV1 {
    multiThread: Some(multi_thread),
    multiThreadNumCPUs: Some(processors),
    multiThreadIndex: Some(index),
    multiThreadIsSpawnedThread: Some(is_spawned),
    mutexCreate: Some(mutex_create),
    mutexDestroy: Some(mutex_destroy),
    mutexLock: Some(mutex_lock),
    mutexUnLock: Some(mutex_unlock),
    mutexTryLock: Some(mutex_try_lock),
};

/// The plugin's argument, which it has promised to share between threads by asking for them.
struct Shared(*mut c_void);

// SAFETY: the standard hands the same pointer to all threads; making that sound is the plugin's part.
unsafe impl Sync for Shared {}

impl Shared {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

extern "C" fn multi_thread(
    function: OfxThreadFunctionV1,
    threads: c_uint,
    argument: *mut c_void,
) -> OfxStatus {
    answer("multiThread", || {
        let function = function.ok_or(Status::FAILED)?;
        let scope = current();
        if scope.as_ref().is_some_and(|s| s.thread.is_some()) {
            complain(Kind::Threads, "threads were started from a thread of the suite");
            return Err(Status::ERR_EXISTS);
        }
        let count = if threads == 0 { available() } else { threads };
        let argument = Shared(argument);
        std::thread::scope(|spawner| {
            for index in 0..count {
                let (argument, scope) = (&argument, scope.clone());
                spawner.spawn(move || {
                    // SAFETY: the plugin's own function, called as the standard says, while its argument lives.
                    let work = || unsafe { function(index, count, argument.get()) };
                    match scope {
                        Some(mut scope) => {
                            scope.thread = Some(index);
                            scope.enter(work);
                        }
                        None => work(),
                    }
                });
            }
        });
        Ok(())
    })
}

fn available() -> c_uint {
    session().map_or(1, |s| s.profile.threads.max(1))
}

extern "C" fn processors(count: *mut c_uint) -> OfxStatus {
    answer("multiThreadNumCPUs", || raw::put(count, available()))
}

extern "C" fn index(out: *mut c_uint) -> OfxStatus {
    answer("multiThreadIndex", || {
        // A thread the suite did not start has index 0.
        raw::put(out, current().and_then(|s| s.thread).unwrap_or(0))
    })
}

extern "C" fn is_spawned() -> c_int {
    c_int::from(current().is_some_and(|s| s.thread.is_some()))
}

/// A mutex of the plugin's. Locking it twice on a thread would hang for ever in some hosts, and is refused here.
struct PluginMutex {
    handle: Handle,
    owner: Mutex<Option<ThreadId>>,
    freed: Condvar,
}

fn mutex(handle: OfxMutexHandle) -> Result<Arc<PluginMutex>, Status> {
    find(handle, "mutex")
}

extern "C" fn mutex_create(out: *mut OfxMutexHandle, locks: c_int) -> OfxStatus {
    answer("mutexCreate", || {
        let owner = (locks > 0).then(|| std::thread::current().id());
        let mutex = Arc::new_cyclic(|weak: &Weak<PluginMutex>| PluginMutex {
            handle: Handle::new(weak),
            owner: Mutex::new(owner),
            freed: Condvar::new(),
        });
        raw::put(out, mutex.handle.raw())?;
        shared()?.held.lock().insert(mutex.handle.number(), ("mutexes", mutex));
        Ok(())
    })
}

extern "C" fn mutex_destroy(handle: OfxMutexHandle) -> OfxStatus {
    answer("mutexDestroy", || {
        let mutex = mutex(handle)?;
        if mutex.owner.lock().is_some() {
            complain(Kind::Mutex, "a mutex was destroyed while it was locked");
        }
        shared()?.held.lock().remove(&mutex.handle.number());
        Ok(())
    })
}

fn lock(handle: OfxMutexHandle, wait: bool) -> Result<(), Status> {
    let (mutex, me) = (mutex(handle)?, std::thread::current().id());
    let mut owner = mutex.owner.lock();
    while let Some(other) = *owner {
        if other == me && wait {
            complain(Kind::Mutex, "a mutex was locked twice by one thread");
        }
        if other == me || !wait {
            return Err(Status::FAILED);
        }
        mutex.freed.wait(&mut owner);
    }
    *owner = Some(me);
    Ok(())
}

extern "C" fn mutex_lock(handle: OfxMutexHandle) -> OfxStatus {
    answer("mutexLock", || lock(handle, true))
}

extern "C" fn mutex_try_lock(handle: OfxMutexHandle) -> OfxStatus {
    answer("mutexTryLock", || lock(handle, false))
}

extern "C" fn mutex_unlock(handle: OfxMutexHandle) -> OfxStatus {
    answer("mutexUnLock", || {
        let mutex = mutex(handle)?;
        let mut owner = mutex.owner.lock();
        if *owner != Some(std::thread::current().id()) {
            complain(Kind::Mutex, "a mutex was unlocked by a thread that had not locked it");
            return Err(Status::FAILED);
        }
        *owner = None;
        mutex.freed.notify_one();
        Ok(())
    })
}
