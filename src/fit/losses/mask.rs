//! L_mask: M is the region on the reference frame, and stays the same along flow.

use super::{cross_entropy, mean_where};
use burn::tensor::Tensor;

/// Mean cross-entropy of M at points of the reference frame against the region there; both [n, 1].
pub fn mask_reference(mask: Tensor<2>, in_region: Tensor<2>) -> Tensor<1> {
    cross_entropy(mask, in_region).mean()
}

/// Mean of |M(p) − M(partner)| over the points that have a partner; all [n, 1].
pub fn mask_flow(mask: Tensor<2>, partner: Tensor<2>, has: Tensor<2>) -> Tensor<1> {
    mean_where((mask - partner).abs(), has)
}
