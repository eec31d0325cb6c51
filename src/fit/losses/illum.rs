//! L_illum: what light need not explain, the atlas does.

use burn::tensor::Tensor;

/// Mean over points of ‖L − 1‖²; `gain` [n, 3].
pub fn illum(gain: Tensor<2>) -> Tensor<1> {
    (gain - 1.0).square().sum_dim(1).mean()
}
