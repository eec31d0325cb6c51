//! The last few results of something costly, shared by threads that ask for the same at once.

use crate::error::Result;
use parking_lot::Mutex;
use std::sync::Arc;

/// A result, or the place where whoever comes first will put it.
type Slot<V> = Arc<Mutex<Option<V>>>;

/// Keeps the results of the last few keys asked for.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    most: usize,
    /// Latest last.
    slots: Mutex<Vec<(K, Slot<V>)>>,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, slots: Mutex::new(Vec::with_capacity(most + 1)) }
    }

    /// The result kept for `key`, or what `make` gives; a failure is not kept.
    ///
    /// Others who want the same wait instead of making it twice, so `make` must not hand work to the pool they may be
    /// running in.
    pub(super) fn get(&self, key: K, make: impl FnOnce() -> Result<V>) -> Result<V> {
        let slot = self.slot(key);
        let mut value = slot.lock();
        if let Some(kept) = &*value {
            return Ok(kept.clone());
        }
        let made = make()?;
        *value = Some(made.clone());
        Ok(made)
    }

    fn slot(&self, key: K) -> Slot<V> {
        let mut slots = self.slots.lock();
        let entry = match slots.iter().position(|(k, _)| *k == key) {
            Some(at) => slots.remove(at),
            None => (key, Slot::default()),
        };
        let slot = Arc::clone(&entry.1);
        slots.push(entry);
        if slots.len() > self.most {
            slots.remove(0);
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn the_last_few_are_kept_and_failures_are_not() {
        let recent = Recent::new(2);
        let get = |key: u32, value: &str| recent.get(key, || Ok(value.to_string())).unwrap();
        assert_eq!((get(1, "a"), get(2, "b"), get(1, "?")), ("a".into(), "b".into(), "a".into()));
        // 2 was asked for longest ago.
        assert_eq!((get(3, "c"), get(1, "?"), get(2, "new")), ("c".into(), "a".into(), "new".into()));
        assert!(recent.get(9, || Err(Error::Mismatch("no".into()))).is_err());
        assert_eq!(get(9, "made after all"), "made after all");
    }
}
