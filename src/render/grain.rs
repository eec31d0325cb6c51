//! The footage's grain on opaque paint.
//!
//! Paint that covers the surface covers its grain, and what lies clean in grainy footage looks pasted. So the share of the
//! frame's difference from light × atlas that the analysis took for grain is laid over the paint: every frame's own, in
//! its place. Scene-linear footage has the more grain the brighter it is, as its square root, which is how photons scatter;
//! encoded for a display it is about equally strong. What differs by much more than grain does is something else that the
//! mask missed, or a frame that was graded since, and none of it may show through the paint.

use crate::atlas::Header;
use crate::frame::{Encoding, Rgba};
use wide::f32x4;

/// Times as strong as it was filmed that grain becomes at most: what is nearly black tells little of it.
const STRONGEST: f32 = 2.0;
/// Brightness in scene-linear light below which a surface counts as that bright.
const DARKEST: f32 = 1e-4;
/// Standard deviations of the grain from which on a difference is none, and towards which it fades.
const LARGEST: f32 = 6.0;
/// Scene-linear light by a display's value, about: slope at 1, and towards black as the square root of the light.
const SLOPE: f32 = 2.2;

/// How grain is laid over paint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grain {
    /// How much of it, 0…1.
    amount: f32,
    /// Differences from this on are none, in the frame's values; in scene-linear light, for a surface as bright as 1.
    largest: f32,
    linear: bool,
}

impl Grain {
    /// `amount` of the grain of a clip.
    pub(super) fn new(amount: f32, clip: &Header) -> Self {
        let linear = clip.encoding == Encoding::Linear;
        let largest = LARGEST * clip.grain as f32 * if linear { SLOPE } else { 1.0 };
        Self { amount: if largest > 0.0 { amount } else { 0.0 }, largest, linear }
    }

    /// Whether there is any where the light is `light`, whose alpha says so.
    #[inline(always)]
    pub(super) fn lies(self, light: Rgba) -> bool {
        self.amount * light[3] > 0.0
    }

    /// `paint` with the grain of a pixel that is `seen` where light × atlas would be `surface`.
    #[inline(always)]
    pub(super) fn over(self, paint: f32x4, seen: Rgba, surface: f32x4, light: Rgba) -> f32x4 {
        let (amount, largest) = (f32x4::splat(self.amount * light[3]), f32x4::splat(self.largest));
        let left = f32x4::new(seen) - surface;
        if !self.linear {
            return paint + amount * faded(left, largest);
        }
        let bright = surface.fast_max(f32x4::splat(DARKEST)).sqrt();
        let ratio = paint.fast_max(f32x4::ZERO).sqrt() / bright;
        paint + amount * faded(left, largest * bright) * ratio.fast_min(f32x4::splat(STRONGEST))
    }
}

/// What is left of a difference the nearer it comes to the `largest` (Tukey's biweight): nothing beyond, and of what is no
/// number.
#[inline(always)]
fn faded(left: f32x4, largest: f32x4) -> f32x4 {
    let share = left / largest;
    let stays = f32x4::ONE - share * share;
    // (True of numbers alone.)
    left.abs().simd_lt(largest) & (left * stays * stays)
}
