//! L_rigid: the map neither stretches nor shears.

use super::length;
use burn::tensor::Tensor;

/// Added to the diagonal of JᵀJ before it is inverted (the authors' code).
const RIDGE: f64 = 0.001;

/// Mean over points of ‖JᵀJ‖_F + ‖(JᵀJ)⁻¹‖_F, J the change of T over one pixel to the right and down, each [n, 2] in
/// normalised units, divided by that pixel, `step`, in the same units.
pub fn rigid(uv: Tensor<2>, right: Tensor<2>, below: Tensor<2>, step: f64) -> Tensor<1> {
    let jx = (right - uv.clone()) / step;
    let jy = (below - uv) / step;
    let a = jx.clone().square().sum_dim(1);
    let b = (jx * jy.clone()).sum_dim(1);
    let d = jy.square().sum_dim(1);
    let frobenius = |a: Tensor<2>, d: Tensor<2>| length(Tensor::cat(vec![a, b.clone(), b.clone(), d], 1));
    let forward = frobenius(a.clone(), d.clone());
    let (a, d) = (a + RIDGE, d + RIDGE);
    // The inverse of a symmetric 2×2 matrix has its entries, swapped and negated, over its determinant.
    let determinant = a.clone() * d.clone() - b.clone().square();
    (forward + frobenius(a, d) / determinant).mean()
}
