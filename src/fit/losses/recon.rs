//! L_recon: what the networks paint is what was seen.

use burn::tensor::Tensor;

/// Mean over points of ‖ĉ − c‖² with ĉ = M·L·A + (1 − M)·c, which is M²·‖L·A − c‖².
///
/// `mask` [n, 1]; `gain`, `atlas` and `seen` [n, 3].
pub fn recon(mask: Tensor<2>, gain: Tensor<2>, atlas: Tensor<2>, seen: Tensor<2>) -> Tensor<1> {
    (mask * (gain * atlas - seen)).square().sum_dim(1).mean()
}
