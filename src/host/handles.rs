//! Handles: what a plugin holds instead of our objects. They are looked up, never dereferenced.
//!
//! A handle is a number that is never used twice and lies where no address can be, so a plugin that invents one, mixes
//! two up, or keeps one too long is told so, and one that reads through it stops at once instead of reading rubbish.

use super::context::complain;
use super::report::Kind;
use crate::openfx::Status;
use parking_lot::RwLock;
use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// Not canonical on 64-bit processors: reading through such a pointer always faults.
const FIRST: usize = 0x0FE0_0000_0000_0000;
const STEP: usize = 16;

type Object = Weak<dyn Any + Send + Sync>;

static NEXT: AtomicUsize = AtomicUsize::new(FIRST);
static TABLE: RwLock<BTreeMap<usize, Object>> = RwLock::new(BTreeMap::new());

/// The entry of one object; it goes with the object.
#[derive(Debug)]
pub(super) struct Handle(usize);

impl Handle {
    /// Enters an object that is being made; see [`Arc::new_cyclic`].
    pub(super) fn new<T: Any + Send + Sync>(object: &Weak<T>) -> Self {
        let number = NEXT.fetch_add(STEP, Ordering::Relaxed);
        TABLE.write().insert(number, object.clone());
        Self(number)
    }

    /// What the plugin gets.
    pub(super) fn raw<T>(&self) -> *mut T {
        std::ptr::without_provenance_mut(self.0)
    }

    /// Its number, as key of tables.
    pub(super) fn number(&self) -> usize {
        self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        TABLE.write().remove(&self.0);
    }
}

/// The object behind a handle; complains when there is none, or one of another kind.
pub(super) fn find<T: Any + Send + Sync, H>(handle: *mut H, what: &str) -> Result<Arc<T>, Status> {
    let number = handle.cast::<c_void>().addr();
    let entry = TABLE.read().get(&number).cloned();
    let problem = match entry.and_then(|weak| weak.upgrade()) {
        Some(object) => match object.downcast::<T>() {
            Ok(object) => return Ok(object),
            Err(_) => "belongs to something else",
        },
        None if number == 0 => "is null",
        None if was_given(number) => "is stale: what it stood for is gone",
        None => "was never given out by this host",
    };
    complain(Kind::BadHandle, format!("a handle of a {what} was expected; this one {problem}"));
    Err(Status::ERR_BAD_HANDLE)
}

/// Whether this number has been a handle at some time.
pub(super) fn was_given(number: usize) -> bool {
    (FIRST..NEXT.load(Ordering::Relaxed)).contains(&number) && number.is_multiple_of(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(Handle);

    fn thing() -> Arc<Thing> {
        Arc::new_cyclic(|weak: &Weak<Thing>| Thing(Handle::new(weak)))
    }

    #[test]
    fn found_while_it_lives() {
        let object = thing();
        let raw: *mut c_void = object.0.raw();
        assert!(find::<Thing, _>(raw, "thing").is_ok());
        assert!(find::<String, _>(raw, "text").is_err());
        drop(object);
        assert!(find::<Thing, _>(raw, "thing").is_err());
        assert!(was_given(raw.addr()));
        assert!(find::<Thing, c_void>(std::ptr::null_mut(), "thing").is_err());
        assert!(!was_given(0x1000));
    }

    #[test]
    fn never_used_twice() {
        let first: *mut c_void = thing().0.raw();
        assert_ne!(first, thing().0.raw());
    }
}
