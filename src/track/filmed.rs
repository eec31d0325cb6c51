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

/// Waves that differ from place to place and from colour to colour.
pub(super) fn texture(x: f32, y: f32) -> Rgba {
    let v = |a: f32, b: f32, c: f32| 125.0 + 60.0 * (a * x + c).sin() * (b * y - c).cos();
    [v(0.35, 0.27, 0.3), v(0.26, 0.42, 1.1), v(0.39, 0.31, 2.0), 0.0]
}

/// Noise in −0.5…0.5, every pixel of every frame its own.
pub(super) fn noise(x: usize, y: usize, t: usize) -> f32 {
    let mixed = [x, y, t].iter().fold(0x9e37_79b9u32, |h, v| {
        let h = (h ^ *v as u32).wrapping_mul(0x85eb_ca6b);
        (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35)
    });
    (mixed >> 16) as f32 / 65_535.0 - 0.5
}
