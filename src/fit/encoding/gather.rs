//! The hash grid by tensor operations. The table is one flat row, read by `gather`: its backward pass is an exact
//! scatter-add on every device, where that of `select` is not.

use super::{HashGrid, PRIMES};
use burn::tensor::{Device, Int, Tensor, TensorData};

impl HashGrid {
    /// As [`HashGrid::forward`].
    pub(super) fn gather(&self, points: Tensor<2>) -> Tensor<2> {
        let (device, [n, d]) = (points.device(), points.dims());
        let cells: Vec<f32> = self.cells.iter().map(|c| *c as f32).collect();
        let cells = Tensor::<1>::from_data(TensorData::new(cells, [self.levels]), &device);
        // [n, d, levels]: position in cells; the last node is reached from the cell before it.
        let scale = cells.reshape([1, 1, self.levels as i32]);
        let at = points.clamp(0.0, 1.0).reshape([n as i32, d as i32, 1]) * scale.clone();
        let node = at.clone().detach().floor().min_pair((scale - 1.0).expand([n, d, self.levels]));
        let share = at - node.clone();
        let place = self.places_of(node.int());
        let weight = corner_weights(share);
        // One feature after the other: [n, levels, corners] each.
        let [_, levels, corners] = place.dims();
        let table = self.table.val().reshape([1, -1]);
        let columns = (0..self.features).map(|f| {
            let index = (place.clone() + f as i64).reshape([1, -1]);
            let values: Tensor<2> = table.clone().gather(1, index);
            (values.reshape([n, levels, corners]) * weight.clone()).sum_dim(2)
        });
        Tensor::<3>::cat(columns.collect(), 2).reshape([n, levels * self.features])
    }

    /// Index into the table of the first feature of the 2^d nodes around each point: [n, levels, corners] from the
    /// lowest node [n, d, levels].
    fn places_of(&self, node: Tensor<3, Int>) -> Tensor<3, Int> {
        let device = node.device();
        let d = self.dimensions;
        let offset: Vec<i64> = (0..self.levels).map(|l| (l * self.places) as i64).collect();
        let offset = ints(offset, [1, self.levels as i32, 1], &device);
        let part = |levels: std::ops::Range<usize>, hashed: bool| {
            let n = node.dims()[0];
            let count = levels.len();
            // Both neighbours along each axis, already multiplied: [n, levels] each.
            let axes: Vec<[Tensor<2, Int>; 2]> = (0..d)
                .map(|axis| {
                    let factor: Vec<i64> = levels
                        .clone()
                        .map(|l| match hashed {
                            true => PRIMES[axis] % self.places as i64,
                            false => (self.cells[l] + 1).pow(axis as u32),
                        })
                        .collect();
                    let factor = ints(factor, [1, count as i32], &device);
                    let low = node
                        .clone()
                        .slice([0..n, axis..axis + 1, levels.clone()])
                        .reshape([n as i32, count as i32]);
                    let low = low * factor.clone().expand([n, count]);
                    [low.clone(), low + factor.expand([n, count])]
                })
                .collect();
            let corner = |k: usize| {
                let mut place = axes[0][k & 1].clone();
                for (axis, both) in axes.iter().enumerate().skip(1) {
                    let next = both[k >> axis & 1].clone();
                    place = if hashed { place.bitwise_xor(next) } else { place + next };
                }
                if hashed {
                    place = place.bitwise_and_scalar(self.places as i64 - 1);
                }
                place.reshape([n as i32, count as i32, 1])
            };
            Tensor::cat((0..1 << d).map(corner).collect(), 2)
        };
        let parts = [(0..self.dense, false), (self.dense..self.levels, true)];
        let parts = parts.into_iter().filter(|(levels, _)| !levels.is_empty());
        let local = Tensor::cat(parts.map(|(levels, hashed)| part(levels, hashed)).collect(), 1);
        let shape = local.dims();
        (local + offset.expand(shape)) * self.features as i64
    }
}

fn ints<const D: usize>(values: Vec<i64>, shape: [i32; D], device: &Device) -> Tensor<D, Int> {
    let n = values.len();
    Tensor::<1, Int>::from_data(TensorData::new(values, [n]), device).reshape(shape)
}

/// Weights of the 2^d corners, [n, levels, corners], from the position within a cell, [n, d, levels].
fn corner_weights(share: Tensor<3>) -> Tensor<3> {
    let [n, d, levels] = share.dims();
    let axis = |a: usize| share.clone().slice([0..n, a..a + 1, 0..levels]).reshape([n, levels, 1]);
    let mut weight = Tensor::<3>::ones([n, levels, 1], &share.device());
    // Corner k takes the upper node along axis a where bit a of k is set.
    for a in 0..d {
        let upper = axis(a);
        let lower = upper.clone().neg() + 1.0;
        weight = Tensor::cat(vec![weight.clone() * lower, weight * upper], 2);
    }
    weight
}
