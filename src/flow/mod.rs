//! Optical flow: where every pixel of one picture went in another.
//!
//! Tracking predicts where a surface went and then measures what is left; both need dense, sub-pixel displacement
//! that costs milliseconds rather than a neural network. [`Dis`] is that engine, and [`consistency()`] tells its
//! callers which of its vectors to believe; where the user has its model, `Raft` stands in. [`aggregate`] leads every frame of a clip to its reference frame with them.

pub mod aggregate;
mod consistency;
#[cfg(feature = "onnx")]
mod dino;
mod dis;
#[cfg(feature = "onnx")]
mod raft;

pub use consistency::consistency;
#[cfg(feature = "onnx")]
pub use dino::Dino;
pub use dis::{Dis, Refinement};
#[cfg(feature = "onnx")]
pub use raft::Raft;

use crate::error::Result;
use crate::frame::{Image, Rgba, Vec2};

/// An engine that measures dense flow between frames.
pub trait OpticalFlow: Send + Sync {
    /// Displacement, in pixels, of every pixel of `from`: the point at `p` in `from` is at `p + flow(p)` in `to`.
    /// Both pictures are in levels (0…255, display-encoded; float footage may go beyond) and of one size.
    fn flow(&self, from: &Image<Rgba>, to: &Image<Rgba>) -> Result<Image<Vec2>>;

    /// The flow from `a` to `b` and the flow back, which an engine may measure together.
    fn both_ways(&self, a: &Image<Rgba>, b: &Image<Rgba>) -> Result<(Image<Vec2>, Image<Vec2>)> {
        let (there, back) = rayon::join(|| self.flow(a, b), || self.flow(b, a));
        Ok((there?, back?))
    }
}
