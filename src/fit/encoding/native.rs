//! The hash grid point by point, on all cores.
//!
//! Reading is shared out by points, adding slopes by levels: a level's places belong to one thread, so that sums have one
//! order and no two threads meet.

use super::PRIMES;
use rayon::prelude::*;

/// Points one thread reads at a time.
const RUN: usize = 256;
/// Corners of a cell in the most dimensions there are.
const CORNERS: usize = 8;

/// Shape of a grid's levels.
pub(super) struct Levels {
    pub(super) cells: Vec<i64>,
    /// Levels with a place for each node; they come first.
    pub(super) dense: usize,
    /// Places in one level's table.
    pub(super) places: usize,
    pub(super) features: usize,
    pub(super) dimensions: usize,
}

/// The cell of a level a point lies in: where its corners' features begin in the level's table, their weights, and the
/// position within the cell.
struct Cell {
    first: [usize; CORNERS],
    weight: [f32; CORNERS],
    share: [f32; 3],
}

impl Levels {
    fn width(&self) -> usize {
        self.cells.len() * self.features
    }

    fn corners(&self) -> usize {
        1 << self.dimensions
    }

    /// Length of one level's table.
    fn table(&self) -> usize {
        self.places * self.features
    }

    #[inline(always)]
    fn cell(&self, level: usize, point: &[f32]) -> Cell {
        let cells = self.cells[level];
        let mut node = [0i64; 3];
        let mut cell = Cell { first: [0; CORNERS], weight: [1.0; CORNERS], share: [0.0; 3] };
        for (axis, p) in point.iter().enumerate() {
            let at = p.clamp(0.0, 1.0) * cells as f32;
            // The last node is reached from the cell before it.
            let low = (at as i64).min(cells - 1);
            node[axis] = low;
            cell.share[axis] = at - low as f32;
        }
        let (mask, dense) = (self.places as i64 - 1, level < self.dense);
        for corner in 0..self.corners() {
            let mut place = 0;
            let mut stride = 1;
            for axis in 0..point.len() {
                let bit = (corner >> axis & 1) as i64;
                let k = node[axis] + bit;
                if dense {
                    place += k * stride;
                    stride *= cells + 1;
                } else {
                    place ^= k * PRIMES[axis];
                }
                cell.weight[corner] *= if bit == 1 { cell.share[axis] } else { 1.0 - cell.share[axis] };
            }
            let place = if dense { place } else { place & mask };
            cell.first[corner] = place as usize * self.features;
        }
        cell
    }
}

/// Features of points, row by row.
pub(super) fn values(grid: &Levels, points: &[f32], table: &[f32]) -> Vec<f32> {
    let (d, width, k) = (grid.dimensions, grid.width(), grid.features);
    let mut out = vec![0.0; points.len() / d * width];
    out.par_chunks_mut(RUN * width).zip(points.par_chunks(RUN * d)).for_each(|(rows, points)| {
        for (row, point) in rows.chunks_exact_mut(width).zip(points.chunks_exact(d)) {
            for (level, out) in row.chunks_exact_mut(k).enumerate() {
                let cell = grid.cell(level, point);
                let table = &table[level * grid.table()..][..grid.table()];
                for corner in 0..grid.corners() {
                    let features = &table[cell.first[corner]..][..k];
                    out.iter_mut().zip(features).for_each(|(o, f)| *o += cell.weight[corner] * f);
                }
            }
        }
    });
    out
}

/// Change of the features with each coordinate of the point; one picture of rows an axis.
pub(super) fn slopes(grid: &Levels, points: &[f32], table: &[f32]) -> Vec<Vec<f32>> {
    (0..grid.dimensions).map(|axis| slope(grid, points, table, axis)).collect()
}

fn slope(grid: &Levels, points: &[f32], table: &[f32], axis: usize) -> Vec<f32> {
    let (d, width, k) = (grid.dimensions, grid.width(), grid.features);
    let mut out = vec![0.0; points.len() / d * width];
    out.par_chunks_mut(RUN * width).zip(points.par_chunks(RUN * d)).for_each(|(rows, points)| {
        for (row, point) in rows.chunks_exact_mut(width).zip(points.chunks_exact(d)) {
            // Beyond the cube nothing changes.
            if !(0.0..=1.0).contains(&point[axis]) {
                continue;
            }
            for (level, out) in row.chunks_exact_mut(k).enumerate() {
                let cell = grid.cell(level, point);
                let table = &table[level * grid.table()..][..grid.table()];
                for corner in 0..grid.corners() {
                    let mut weight = grid.cells[level] as f32;
                    for (a, share) in cell.share.iter().enumerate().take(d) {
                        let upper = corner >> a & 1 == 1;
                        weight *= match (a == axis, upper) {
                            (true, true) => 1.0,
                            (true, false) => -1.0,
                            (false, true) => *share,
                            (false, false) => 1.0 - share,
                        };
                    }
                    let features = &table[cell.first[corner]..][..k];
                    out.iter_mut().zip(features).for_each(|(o, f)| *o += weight * f);
                }
            }
        }
    });
    out
}

/// Adds to `sum`, of the table's length, its slopes from those of the features.
pub(super) fn add_slopes(grid: &Levels, points: &[f32], of_features: &[f32], sum: &mut [f32]) {
    let (d, width, k) = (grid.dimensions, grid.width(), grid.features);
    sum.par_chunks_mut(grid.table()).enumerate().for_each(|(level, sum)| {
        for (point, row) in points.chunks_exact(d).zip(of_features.chunks_exact(width)) {
            let cell = grid.cell(level, point);
            let row = &row[level * k..][..k];
            for corner in 0..grid.corners() {
                let places = &mut sum[cell.first[corner]..][..k];
                places.iter_mut().zip(row).for_each(|(s, r)| *s += cell.weight[corner] * r);
            }
        }
    });
}
