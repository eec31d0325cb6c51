//! L_pos: on the reference frame's region the atlas is the frame.

use super::{length, mean_where};
use burn::tensor::Tensor;

/// Mean of ‖T(q) − (x, y)‖ over the points of the region on the reference frame; all in normalised units: `uv` and
/// `at` [n, 2], `in_region` [n, 1] of 0 and 1.
pub fn pos(uv: Tensor<2>, at: Tensor<2>, in_region: Tensor<2>) -> Tensor<1> {
    mean_where(length(uv - at), in_region)
}
