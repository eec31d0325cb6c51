//! Memory that a plugin writes into, with guard bytes before and after.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

/// Bytes of guard on either side; a multiple of the alignment.
const GUARD: usize = 256;
const ALIGNMENT: usize = 64;
/// What guards hold: as a float a huge number, as a colour a conspicuous one.
pub(super) const PATTERN: u8 = 0xC7;

/// A block of memory. The plugin reads and writes it through a pointer while the host holds it, so that the host never
/// makes a reference into it: it copies in and out.
#[derive(Debug)]
pub(super) struct Memory {
    base: NonNull<u8>,
    layout: Layout,
    length: usize,
}

// SAFETY: the block is owned and only copied from and to; the standard has plugin and host take turns with it.
unsafe impl Send for Memory {}
// SAFETY: as above; a plugin that writes while the host reads gets what it deserves, as it would in any host.
unsafe impl Sync for Memory {}

impl Memory {
    /// A block filled with the guards' pattern, so that what was never written is seen; `None` when there is no memory.
    pub(super) fn new(length: usize) -> Option<Self> {
        let size = length.checked_add(2 * GUARD)?;
        let layout = Layout::from_size_align(size, ALIGNMENT).ok()?;
        // SAFETY: the size is not zero, as the guards are in it.
        let base = NonNull::new(unsafe { alloc(layout) })?;
        // SAFETY: `size` bytes were just allocated there.
        unsafe { base.as_ptr().write_bytes(PATTERN, size) };
        Some(Self { base, layout, length })
    }

    /// Bytes between the guards.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The first byte after the front guard.
    pub(super) fn data(&self) -> *mut u8 {
        // SAFETY: the front guard lies within the allocation.
        unsafe { self.base.as_ptr().add(GUARD) }
    }

    /// Copies `bytes` in; what does not fit is cut off.
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) {
        let count = bytes.len().min(self.length.saturating_sub(offset));
        // SAFETY: `offset + count` is at most the length; the caller's slice cannot lie in this block, as no reference
        // into it is ever made.
        unsafe { self.data().add(offset.min(self.length)).copy_from_nonoverlapping(bytes.as_ptr(), count) };
    }

    /// A copy of a part, cut off at the end.
    pub(super) fn read(&self, offset: usize, count: usize) -> Vec<u8> {
        let offset = offset.min(self.length);
        let count = count.min(self.length - offset);
        self.copy(GUARD + offset, count)
    }

    /// Whether both guards are as they were.
    pub(super) fn is_intact(&self) -> bool {
        let (front, back) = (self.copy(0, GUARD), self.copy(GUARD + self.length, GUARD));
        front.iter().chain(&back).all(|&b| b == PATTERN)
    }

    fn copy(&self, from: usize, count: usize) -> Vec<u8> {
        let mut out = vec![0; count];
        // SAFETY: the callers keep `from + count` within the allocation; `out` is fresh.
        unsafe { self.base.as_ptr().add(from).copy_to_nonoverlapping(out.as_mut_ptr(), count) };
        out
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_notice() {
        let memory = Memory::new(10).unwrap();
        memory.write(8, &[1, 2, 3, 4]);
        assert_eq!(memory.read(7, 9), [PATTERN, 1, 2]);
        assert!(memory.is_intact());
        // SAFETY: one byte past the data is still in the allocation.
        unsafe { *memory.data().add(10) = 0 };
        assert!(!memory.is_intact());
        assert!(Memory::new(usize::MAX).is_none());
    }
}
