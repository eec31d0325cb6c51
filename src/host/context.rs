//! What the C functions know beside their arguments: whose session this is, and which action the plugin is in.
//!
//! A suite's function is told no more than a handle. The action in which it was called is therefore kept on the thread,
//! and handed on to the threads of the multi-thread suite.

use super::clip::Job;
use super::draw::Draw;
use super::image::Picture;
use super::memory::Memory;
use super::profile::{Faults, Profile, Settings};
use super::report::{Call, Kind, Report};
use crate::openfx::{OfxPropertySetHandle, Status};
use parking_lot::Mutex;
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// An entry point: of a plugin, or of an interact.
pub(super) type Entry = unsafe extern "C" fn(
    *const c_char,
    *const c_void,
    OfxPropertySetHandle,
    OfxPropertySetHandle,
) -> crate::openfx::OfxStatus;

/// The clip's range and the playhead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeline {
    pub(super) now: f64,
    pub(super) first: f64,
    pub(super) last: f64,
}

/// What all parts of one session share.
pub(super) struct Shared {
    pub(super) profile: Profile,
    pub(super) faults: Faults,
    pub(super) settings: Mutex<Settings>,
    pub(super) report: Mutex<Report>,
    pub(super) timeline: Mutex<Timeline>,
    /// Images the plugin holds, by the number of their handle.
    pub(super) images: Mutex<BTreeMap<usize, Arc<Picture>>>,
    /// Memory the plugin holds, by its address.
    pub(super) memory: Mutex<BTreeMap<usize, Memory>>,
    /// Mutexes and blocks of image memory the plugin holds, by the number of their handle, with their kind.
    pub(super) held: Mutex<BTreeMap<usize, (&'static str, Arc<dyn Any + Send + Sync>)>>,
    pub(super) drawing: Mutex<Vec<Draw>>,
    /// Allocations asked for so far.
    pub(super) allocations: AtomicU64,
}

impl Shared {
    pub(super) fn new(profile: Profile, faults: Faults, timeline: Timeline) -> Arc<Self> {
        let shared = Arc::new(Self {
            settings: Mutex::new(Settings::of(&profile)),
            profile,
            faults,
            report: Mutex::default(),
            timeline: Mutex::new(timeline),
            images: Mutex::default(),
            memory: Mutex::default(),
            held: Mutex::default(),
            drawing: Mutex::default(),
            allocations: AtomicU64::new(0),
        });
        *LATEST.lock() = Arc::downgrade(&shared);
        shared
    }

    /// Takes away what the plugin still holds; a text for each kind of thing.
    pub(super) fn take_what_is_left(&self) -> Vec<String> {
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for (kind, _) in std::mem::take(&mut *self.held.lock()).values() {
            *left.entry(kind).or_default() += 1;
        }
        let blocks = std::mem::take(&mut *self.memory.lock()).len();
        if blocks > 0 {
            left.insert("blocks of memory", blocks);
        }
        left.into_iter().map(|(kind, count)| format!("{count} {kind} were never given back")).collect()
    }

    /// Counts an allocation, and says whether it is the one that is to fail.
    pub(super) fn allocation_fails(&self) -> bool {
        let number = self.allocations.fetch_add(1, Ordering::Relaxed);
        self.faults.allocation_fails_at.is_some_and(|first| number >= first)
    }
}

/// An action the plugin is in.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) shared: Arc<Shared>,
    pub(super) action: &'static CStr,
    /// Told apart from other calls at the same time, to find what one of them left behind.
    pub(super) id: u64,
    /// Why an instance changed, when it did.
    pub(super) reason: Option<&'static str>,
    /// The frame that is rendered, when one is.
    pub(super) job: Option<Arc<Job>>,
    /// Index among the threads of the multi-thread suite.
    pub(super) thread: Option<u32>,
}

static LATEST: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
}

impl Scope {
    pub(super) fn new(shared: &Arc<Shared>, action: &'static CStr) -> Self {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(shared), action, id, reason: None, job: None, thread: None }
    }

    /// The name of the action, for messages.
    pub(super) fn name(&self) -> &'static str {
        self.action.to_str().unwrap_or_default()
    }

    /// Whether this is one of the standard's actions.
    pub(super) fn is(&self, action: &[u8]) -> bool {
        self.action.to_bytes_with_nul() == action
    }

    /// Does work as part of this action.
    pub(super) fn enter<R>(self, work: impl FnOnce() -> R) -> R {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                SCOPES.with_borrow_mut(Vec::pop);
            }
        }
        SCOPES.with_borrow_mut(|scopes| scopes.push(self));
        let _leave = Leave;
        work()
    }

    /// Calls the plugin, and reports what it left behind.
    pub(super) fn call(
        self,
        entry: Entry,
        handle: *const c_void,
        inputs: OfxPropertySetHandle,
        outputs: OfxPropertySetHandle,
    ) -> Status {
        let (shared, action, id) = (Arc::clone(&self.shared), self.action, self.id);
        let name = self.name();
        // SAFETY: the entry point came from a library that stays loaded as long as its session; the arguments are what
        // the standard asks for this action, and live until it returns.
        let status =
            Status(self.clone().enter(|| unsafe { entry(action.as_ptr(), handle, inputs, outputs) }));
        shared.report.lock().calls.push(Call { action: name.to_string(), status: status.name().to_string() });
        let left = {
            let mut images = shared.images.lock();
            let left: Vec<usize> = images.iter().filter(|(_, i)| i.scope == id).map(|(k, _)| *k).collect();
            left.into_iter().filter_map(|key| images.remove(&key)).collect::<Vec<_>>()
        };
        self.enter(|| {
            for image in left {
                image.check();
                complain(Kind::UnreleasedImage, format!("{} was fetched and never released", image.stamp));
            }
        });
        status
    }
}

/// The action this thread is in.
pub(super) fn current() -> Option<Scope> {
    SCOPES.with_borrow(|scopes| scopes.last().cloned())
}

/// The session this thread works for; on a thread of the plugin's own, the one that was made last.
pub(super) fn session() -> Option<Arc<Shared>> {
    current().map(|s| s.shared).or_else(|| LATEST.lock().upgrade())
}

/// The session, for C functions that cannot do without.
pub(super) fn shared() -> Result<Arc<Shared>, Status> {
    session().ok_or(Status::FAILED)
}

/// Puts something on record against the plugin.
pub(super) fn complain(kind: Kind, text: impl Into<String>) {
    let action = current().map_or("", |s| s.name());
    if let Some(shared) = session() {
        shared.report.lock().add(kind, action, text.into());
    }
}

/// Whether an action was done, or left to the host; complains when neither.
pub(super) fn accepted(status: Status, what: impl std::fmt::Display) -> bool {
    let is_accepted = [Status::OK, Status::REPLY_DEFAULT].contains(&status);
    if !is_accepted {
        complain(Kind::BadStatus, format!("{what} was answered with {}", status.name()));
    }
    is_accepted
}
