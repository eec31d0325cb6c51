//! Not of the paper: networks that start from an earlier solution first learn what it knew.

use super::mean_where;
use burn::tensor::Tensor;

/// Mean of ‖a − b‖² over points, weighted: `learnt` and `known` [n, k], `weight` [n, 1].
pub fn distil(learnt: Tensor<2>, known: Tensor<2>, weight: Tensor<2>) -> Tensor<1> {
    mean_where((learnt - known).square().sum_dim(1), weight)
}
