//! L_bootstrap: at first, M is where flow led the region.

use super::cross_entropy;
use burn::tensor::Tensor;

/// Mean cross-entropy of M against the initial masks; both [n, 1].
pub fn bootstrap(mask: Tensor<2>, initial: Tensor<2>) -> Tensor<1> {
    cross_entropy(mask, initial).mean()
}
