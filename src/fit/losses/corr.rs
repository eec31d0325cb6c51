//! L_corr: points that flow says are the same lie at the same place of the atlas.

use super::{length, mean_where};
use burn::tensor::Tensor;

/// Mean of M(p)·‖T(p) − T(partner)‖ over the points that have a partner, in units of `1 / scale` normalised ones.
///
/// `mask` and `has` [n, 1]; `uv` and `partner` [n, 2].
pub fn corr(mask: Tensor<2>, uv: Tensor<2>, partner: Tensor<2>, has: Tensor<2>, scale: f64) -> Tensor<1> {
    mean_where(mask * length(uv - partner), has) * scale
}
