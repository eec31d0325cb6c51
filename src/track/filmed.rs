//! Footage for tests: frames that are all there.

use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, Rgba};

/// Frames of one size.
pub(super) struct Filmed(pub(super) Vec<Image<Rgba>>);

impl Footage for Filmed {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn size(&self) -> (usize, usize) {
        self.0[0].size()
    }
    fn levels(&self, t: usize) -> Result<Image<Rgba>> {
        Ok(self.0[t].clone())
    }
}
