//! Optical flow: where every pixel of one picture went in another.
//!
//! Tracking predicts where a surface went and then measures what is left; both need dense, sub-pixel displacement
//! that costs milliseconds rather than a neural network. [`Dis`] is that engine, and [`consistency()`] tells its
//! callers which of its vectors to believe. [`aggregate`] leads every frame of a clip to its reference frame with them.

pub mod aggregate;
mod consistency;
mod dis;

pub use consistency::consistency;
pub use dis::{Dis, Refinement};

use crate::error::Result;
use crate::frame::{Image, Vec2};

/// An engine that measures dense flow.
pub trait OpticalFlow: Send + Sync {
    /// Displacement, in pixels, of every pixel of `from`: the point at `p` in `from` is at `p + flow(p)` in `to`.
    /// Both pictures are luminance in levels (0…255) and of one size.
    fn flow(&self, from: &Image<f32>, to: &Image<f32>) -> Result<Image<Vec2>>;
}
