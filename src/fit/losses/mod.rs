//! The losses of the paper, each by its name (method, sections 2 and 3). Sums are read as means over the batch, so that
//! weights do not depend on its size.

mod bootstrap;
mod corr;
mod distil;
mod illum;
mod mask;
mod no;
mod pos;
mod recon;
mod rigid;

pub use bootstrap::bootstrap;
pub use corr::corr;
pub use distil::distil;
pub use illum::illum;
pub use mask::{mask_flow, mask_reference};
pub use no::{no, unhindered};
pub use pos::pos;
pub use recon::recon;
pub use rigid::rigid;

use burn::tensor::Tensor;

/// Keeps the slope of a length finite at 0.
const ROUND: f64 = 1e-12;

/// Length of each row: [n, k] to [n, 1].
fn length(rows: Tensor<2>) -> Tensor<2> {
    (rows.square().sum_dim(1) + ROUND).sqrt()
}

/// Mean of `values` weighted by `weight`, both [n, 1]; 0 where nothing has weight.
fn mean_where(values: Tensor<2>, weight: Tensor<2>) -> Tensor<1> {
    let total = weight.clone().sum().clamp_min(1.0);
    (values * weight).sum() / total
}

/// Cross-entropy of each `p`, within (0, 1), against `target`.
fn cross_entropy(p: Tensor<2>, target: Tensor<2>) -> Tensor<2> {
    let no = (p.clone().neg() + 1.0).log() * (target.clone().neg() + 1.0);
    (p.log() * target + no).neg()
}
