//! Where the surface is in every frame, solved directly in atlas space.
//!
//! Two passes. *Sequential*: outward from the reference frame, each frame is first brought close to the reference by
//! the motion since the last one, and only the rest is measured; after a gap, also back to it. *Refinement*: light, atlas
//! and maps of all frames against each other. A map is a homography plus a smooth bend, as stiff as the footage shows the
//! surface to be.

mod align;
mod aperture;
mod appearance;
mod canvas;
mod context;
mod contrast;
mod correlate;
mod correspond;
mod evidence;
mod exposure;
#[cfg(test)]
mod filmed;
mod gaps;
mod grain;
mod habits;
mod highlights;
mod homography;
mod keys;
mod lighting;
mod predict;
mod refind;
mod refine;
mod resettle;
mod residual;
mod retrace;
mod sequential;
mod shadows;
mod spline;
mod stiffness;
mod witness;

pub use align::{Alignment, Options, Rest, Target, Template, align};
pub(crate) use appearance::{MAD, in_order, median, spread};
pub use appearance::{Solution, Visible};
pub use canvas::{Canvas, Inverse, MARGIN, Map};
pub use correspond::{Correspondence, Correspondences};
pub use grain::Grain;
pub use homography::Homography;
pub use keys::{Key, Retracked};
pub(crate) use predict::read_part;
pub use predict::{Inverses, Predicted};
pub use refine::{Effort, refine};
pub use resettle::Hidden;
pub(crate) use sequential::on_picture;
pub use sequential::{Tracked, Tracker};
pub use spline::{Grid, Quadric};
