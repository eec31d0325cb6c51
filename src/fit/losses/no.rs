//! The refinement's own loss: where the surface is seen unhindered, M is 1 (method, section 3).

use super::mean_where;
use burn::tensor::Tensor;

/// Mean of |1 − M|² over the points P_no that [`unhindered`] names; both [n, 1].
pub fn no(mask: Tensor<2>, unhindered: Tensor<2>) -> Tensor<1> {
    mean_where((mask - 1.0).square(), unhindered)
}

/// P_no, [n, 1] of 0 and 1: points that may show the region (`potential`, P_pot) and look like light × atlas, to less
/// than `threshold` (τ) in the mean over the channels.
pub fn unhindered(
    potential: Tensor<2>,
    gain: Tensor<2>,
    atlas: Tensor<2>,
    seen: Tensor<2>,
    threshold: f64,
) -> Tensor<2> {
    let off = (gain * atlas - seen).abs().mean_dim(1);
    potential * off.lower_elem(threshold).float()
}
