//! Smooth vector fields on the canvas: uniform cubic B-splines, and the least-squares problems that find them.
//!
//! Cubic splines rather than bilinear cells: a cloth's bend is followed to a hundredth of a pixel with knots 16 pixels
//! apart, and the field has no creases, which would show as creases in the inserted picture.

use crate::frame::{Image, Vec2};
use crate::linear::{Band, Factor};
use rayon::prelude::*;

/// Control points of a spline over a canvas, in canvas pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    width: usize,
    height: usize,
    nx: usize,
    ny: usize,
    /// Basis functions at each of the `SPACING` phases of a cell.
    basis: [[f32; 4]; SPACING],
}

/// Canvas pixels between control points.
pub(super) const SPACING: usize = 16;

/// Values of the four cubic B-spline pieces at `t` ∈ [0, 1).
fn basis_at(t: f32) -> [f32; 4] {
    let s = 1.0 - t;
    [
        s * s * s / 6.0,
        (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
        (3.0 * s * s * s - 6.0 * s * s + 4.0) / 6.0,
        t * t * t / 6.0,
    ]
}

/// From what a field's bending energy counts, besides what is affine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unbent<'a> {
    /// Nothing else.
    Affine,
    /// One field.
    Shape(&'a [Vec2]),
    /// The best mixture of fields, x and y of every control point in turn.
    Mixture(&'a [Vec<f64>]),
}

/// Evidence below which a field stays out of a [mixture](Unbent::Mixture).
const LEAST_TOLD: f64 = 30.0;

/// What one pixel says about the displacement there: `½ dᵀ S d − bᵀ d`, as `[S11, S12, S22, b1, b2]`.
pub type Quadric = [f32; 5];

impl Grid {
    /// For a canvas of this size.
    pub fn new(width: usize, height: usize) -> Self {
        let points = |n: usize| (n - 1) / SPACING + 4;
        let basis = std::array::from_fn(|k| basis_at(k as f32 / SPACING as f32));
        Self { width, height, nx: points(width), ny: points(height), basis }
    }

    /// Number of control points.
    pub fn count(&self) -> usize {
        self.nx * self.ny
    }

    /// Number of control point (i, j), counted along the shorter side first to keep the band narrow.
    #[inline]
    fn number(&self, i: usize, j: usize) -> usize {
        if self.ny <= self.nx { i * self.ny + j } else { j * self.nx + i }
    }

    /// Where each control point lies, in spacings from the first.
    pub(super) fn places(&self) -> Vec<[f64; 2]> {
        let place = |p: usize| {
            if self.ny <= self.nx { [p / self.ny, p % self.ny] } else { [p % self.nx, p / self.nx] }
        };
        (0..self.count()).map(|p| place(p).map(|v| v as f64)).collect()
    }

    /// Mean of an image around each control point, as far as it is felt most: `SPACING` pixels to each side.
    pub(super) fn around(&self, image: &Image<f32>) -> Vec<f32> {
        let span = |place: f64, n: usize| {
            let middle = ((place - 1.0) * SPACING as f64).clamp(0.0, (n - 1) as f64) as usize;
            middle.saturating_sub(SPACING)..(middle + SPACING + 1).min(n)
        };
        let mean = |[i, j]: [f64; 2]| {
            let (xs, ys) = (span(i, self.width), span(j, self.height));
            let count = (xs.len() * ys.len()) as f32;
            ys.map(|y| image.row(y)[xs.clone()].iter().sum::<f32>()).sum::<f32>() / count
        };
        self.places().into_iter().map(mean).collect()
    }

    /// Diagonals below the main one in a matrix of control points.
    fn band_width(&self) -> usize {
        3 * self.nx.min(self.ny) + 3
    }

    /// The field at every canvas pixel.
    pub fn evaluate(&self, coefficients: &[Vec2]) -> Image<Vec2> {
        let mut field = Image::new(self.width, self.height, [0.0; 2]);
        let mut line = vec![[0.0f32; 2]; self.nx];
        for y in 0..self.height {
            let (j, wy) = (y / SPACING, &self.basis[y % SPACING]);
            for (i, v) in line.iter_mut().enumerate() {
                *v = [0, 1].map(|c| (0..4).map(|k| wy[k] * coefficients[self.number(i, j + k)][c]).sum());
            }
            for (x, out) in field.row_mut(y).iter_mut().enumerate() {
                let (i, wx) = (x / SPACING, &self.basis[x % SPACING]);
                *out = [0, 1].map(|c| (0..4).map(|k| wx[k] * line[i + k][c]).sum());
            }
        }
        field
    }

    /// The field at any point; beyond the canvas it stays what it is at the border.
    pub fn at(&self, coefficients: &[Vec2], [x, y]: Vec2) -> Vec2 {
        let x = x.clamp(0.0, (self.width - 1) as f32) / SPACING as f32;
        let y = y.clamp(0.0, (self.height - 1) as f32) / SPACING as f32;
        let (i, j) = (x as usize, y as usize);
        let (wx, wy) = (basis_at(x - i as f32), basis_at(y - j as f32));
        let mut sum = [0.0; 2];
        for b in 0..4 {
            for a in 0..4 {
                let (w, c) = (wx[a] * wy[b], coefficients[self.number(i + a, j + b)]);
                sum = [sum[0] + w * c[0], sum[1] + w * c[1]];
            }
        }
        sum
    }

    /// Calls `add(number, number, value)` for the thin-plate energy of one component: squared second differences
    /// along x, along y, and twice the mixed ones.
    pub(crate) fn bending(&self, mut add: impl FnMut(usize, usize, f64)) {
        let mut stencil = |nodes: &[(usize, usize, f64)], weight: f64| {
            for &(i, j, a) in nodes {
                for &(k, l, b) in nodes {
                    let (p, q) = (self.number(i, j), self.number(k, l));
                    if q <= p {
                        add(p, q, weight * a * b);
                    }
                }
            }
        };
        for j in 0..self.ny {
            for i in 0..self.nx {
                if i + 2 < self.nx {
                    stencil(&[(i, j, 1.0), (i + 1, j, -2.0), (i + 2, j, 1.0)], 1.0);
                }
                if j + 2 < self.ny {
                    stencil(&[(i, j, 1.0), (i, j + 1, -2.0), (i, j + 2, 1.0)], 1.0);
                }
                if i + 1 < self.nx && j + 1 < self.ny {
                    stencil(&[(i, j, 1.0), (i + 1, j, -1.0), (i, j + 1, -1.0), (i + 1, j + 1, 1.0)], 2.0);
                }
            }
        }
    }

    /// The field that minimises the sum of all pixels' quadrics, plus `stiffness` times the bending energy of its
    /// difference to what counts as `unbent`, plus a trace of a pull to zero where nothing else decides.
    ///
    /// `None` when numbers blew up.
    pub(crate) fn solve(&self, data: &Image<Quadric>, stiffness: f64, unbent: Unbent) -> Option<Vec<Vec2>> {
        const RIDGE: f64 = 1e-3;
        let n = self.count();
        let mut matrix = Band::new(2 * n, 2 * self.band_width() + 1);
        let mut right = vec![0.0; 2 * n];
        for (cell, sums) in self.cells().zip(self.cell_sums(data)) {
            self.scatter(cell, &sums, &mut matrix, &mut right);
        }
        self.bending(|p, q, v| (0..2).for_each(|c| matrix.add(2 * p + c, 2 * q + c, stiffness * v)));
        (0..2 * n).for_each(|i| matrix.add(i, i, RIDGE));
        let factor = matrix.factor()?;
        match unbent {
            Unbent::Affine => factor.solve(&mut right),
            Unbent::Shape(shape) => {
                let shape: Vec<f64> = shape.iter().flatten().map(|v| f64::from(*v)).collect();
                let held = self.bent(&shape, stiffness);
                right.iter_mut().zip(&held).for_each(|(r, h)| *r += h);
                factor.solve(&mut right);
            }
            Unbent::Mixture(fields) => self.solve_mixed(&factor, &mut right, fields, stiffness)?,
        }
        let field: Vec<Vec2> = right.chunks_exact(2).map(|c| [c[0] as f32, c[1] as f32]).collect();
        field.iter().flatten().all(|v| v.is_finite()).then_some(field)
    }

    /// `stiffness` times the gradient of half the bending energy of a field, x and y of every control point in turn.
    fn bent(&self, field: &[f64], stiffness: f64) -> Vec<f64> {
        let mut bent = vec![0.0; field.len()];
        self.bending(|p, q, v| {
            for c in 0..2 {
                bent[2 * p + c] += stiffness * v * field[2 * q + c];
                if p != q {
                    bent[2 * q + c] += stiffness * v * field[2 * p + c];
                }
            }
        });
        bent
    }

    /// Solves for the field and for the mixture of `fields` from which its bend counts, together: the factored matrix A
    /// holds data and bending energy K, so that the field is A⁻¹(b + K·M·p), and what is left of the energy in p is a
    /// matrix as small as there are fields.
    fn solve_mixed(
        &self,
        factor: &Factor,
        right: &mut [f64],
        fields: &[Vec<f64>],
        stiffness: f64,
    ) -> Option<()> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        factor.solve(right);
        let held: Vec<Vec<f64>> = fields.iter().map(|m| self.bent(m, stiffness)).collect();
        let answers: Vec<Vec<f64>> = held
            .iter()
            .map(|h| {
                let mut answer = h.clone();
                factor.solve(&mut answer);
                answer
            })
            .collect();
        let k = fields.len();
        let mut small = Band::new(k, k);
        let mut shares: Vec<f64> = held.iter().map(|h| dot(h, right)).collect();
        for i in 0..k {
            for j in 0..=i {
                small.add(i, j, dot(&fields[i], &held[j]) - dot(&held[i], &answers[j]));
            }
            // Fields that do not bend, and those that nothing shows, are left out of the mixture.
            small.add(i, i, 1e-6 * dot(&fields[i], &held[i]) + LEAST_TOLD);
        }
        small.factor()?.solve(&mut shares);
        for (share, answer) in shares.iter().zip(&answers) {
            right.iter_mut().zip(answer).for_each(|(r, a)| *r += share * a);
        }
        Some(())
    }

    /// Prepares to fit fields to dense values, every pixel with the same weight.
    pub(crate) fn fitter(&self) -> Option<Factor> {
        let n = self.count();
        let mut matrix = Band::new(n, self.band_width());
        let ones = Image::new(self.width, self.height, [1.0, 0.0, 0.0, 0.0, 0.0]);
        for ((ci, cj), sums) in self.cells().zip(self.cell_sums(&ones)) {
            for (p, q, k) in pairs() {
                let (a, b) = (self.number(ci + p % 4, cj + p / 4), self.number(ci + q % 4, cj + q / 4));
                matrix.add(a, b, f64::from(sums.matrix[k][0]));
            }
        }
        // A trace of bending keeps control points that no pixel sees in line with their neighbours.
        self.bending(|p, q, v| matrix.add(p, q, 1e-3 * v));
        (0..n).for_each(|i| matrix.add(i, i, 1e-6));
        matrix.factor()
    }

    /// The field nearest to dense values, with a factor from [`Grid::fitter`].
    pub(crate) fn fit(&self, fitter: &Factor, values: &Image<Vec2>) -> Vec<Vec2> {
        let data = values.map(|v| [0.0, 0.0, 0.0, v[0], v[1]]);
        let mut right = [vec![0.0; self.count()], vec![0.0; self.count()]];
        for ((ci, cj), sums) in self.cells().zip(self.cell_sums(&data)) {
            for p in 0..16 {
                let a = self.number(ci + p % 4, cj + p / 4);
                right[0][a] += f64::from(sums.right[p][0]);
                right[1][a] += f64::from(sums.right[p][1]);
            }
        }
        let [mut x, mut y] = right;
        fitter.solve(&mut x);
        fitter.solve(&mut y);
        x.iter().zip(&y).map(|(&x, &y)| [x as f32, y as f32]).collect()
    }

    /// Cells of the grid by their first control point.
    fn cells(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (cx, cy) = (self.nx - 3, self.ny - 3);
        (0..cy).flat_map(move |j| (0..cx).map(move |i| (i, j)))
    }

    /// Sums of one cell's pixels, all cells, in the order of [`Grid::cells`]: computed apart from each other, so the
    /// result does not depend on the number of threads.
    fn cell_sums(&self, data: &Image<Quadric>) -> Vec<CellSums> {
        let cx = self.nx - 3;
        let all = (0..cx * (self.ny - 3)).into_par_iter();
        let arch = pulp::Arch::new();
        all.with_min_len(4)
            .map(|k| arch.dispatch(SumCell { grid: self, data, at: (k % cx, k / cx) }))
            .collect()
    }

    #[inline(always)]
    fn sum_cell(&self, data: &Image<Quadric>, (ci, cj): (usize, usize)) -> CellSums {
        let mut sums = CellSums { matrix: [[0.0; 4]; 136], right: [[0.0; 2]; 16] };
        let x0 = ci * SPACING;
        let x1 = (x0 + SPACING).min(self.width);
        for y in cj * SPACING..((cj + 1) * SPACING).min(self.height) {
            let wy = &self.basis[y % SPACING];
            // First along the row, then one outer product for the whole row: ten times fewer operations.
            // The three entries of S are padded to four, a vector register's worth.
            let mut products = [[[0.0f32; 4]; 4]; 4];
            let mut line = [[0.0f32; 2]; 4];
            for (q, wx) in data.row(y)[x0..x1].iter().zip(&self.basis) {
                let s = [q[0], q[1], q[2], 0.0];
                for a in 0..4 {
                    for b in 0..=a {
                        let w = wx[a] * wx[b];
                        (0..4).for_each(|c| products[a][b][c] += w * s[c]);
                    }
                    line[a] = [line[a][0] + wx[a] * q[3], line[a][1] + wx[a] * q[4]];
                }
            }
            for (p, q, k) in pairs() {
                let (a, b) = if p % 4 >= q % 4 { (p % 4, q % 4) } else { (q % 4, p % 4) };
                let w = wy[p / 4] * wy[q / 4];
                (0..4).for_each(|c| sums.matrix[k][c] += w * products[a][b][c]);
            }
            for (p, out) in sums.right.iter_mut().enumerate() {
                let (w, v) = (wy[p / 4], line[p % 4]);
                *out = [out[0] + w * v[0], out[1] + w * v[1]];
            }
        }
        sums
    }

    fn scatter(&self, (ci, cj): (usize, usize), sums: &CellSums, matrix: &mut Band, right: &mut [f64]) {
        let node = |p: usize| self.number(ci + p % 4, cj + p / 4);
        for (p, q, k) in pairs() {
            let (a, b) = (node(p), node(q));
            let [s11, s12, s22, _] = sums.matrix[k].map(f64::from);
            matrix.add(2 * a, 2 * b, s11);
            matrix.add(2 * a + 1, 2 * b + 1, s22);
            matrix.add(2 * a + 1, 2 * b, s12);
            if p != q {
                matrix.add(2 * a, 2 * b + 1, s12);
            }
        }
        for (p, b) in sums.right.iter().enumerate() {
            right[2 * node(p)] += f64::from(b[0]);
            right[2 * node(p) + 1] += f64::from(b[1]);
        }
    }
}

/// Normal equations of one cell's sixteen control points (lower triangle, see [`pairs`]).
struct CellSums {
    matrix: [[f32; 4]; 136],
    right: [[f32; 2]; 16],
}

/// One cell's sums, compiled once more for processors with wide vectors.
struct SumCell<'a> {
    grid: &'a Grid,
    data: &'a Image<Quadric>,
    at: (usize, usize),
}

impl pulp::NullaryFnOnce for SumCell<'_> {
    type Output = CellSums;

    #[inline(always)]
    fn call(self) -> CellSums {
        self.grid.sum_cell(self.data, self.at)
    }
}

/// The lower triangle of sixteen control points: (row, column, position).
fn pairs() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..16).flat_map(|p| (0..=p).map(move |q| (p, q, p * (p + 1) / 2 + q)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bend(x: f32, y: f32) -> Vec2 {
        [2.0 * (x / 40.0).sin() + 0.01 * y, (y / 55.0).cos() - 0.02 * x]
    }

    #[test]
    fn a_smooth_field_is_followed_and_point_and_dense_evaluation_agree() {
        for (w, h) in [(150, 90), (70, 131)] {
            let grid = Grid::new(w, h);
            let field = Image::from_fn(w, h, |x, y| bend(x as f32, y as f32));
            let c = grid.fit(&grid.fitter().unwrap(), &field);
            let back = grid.evaluate(&c);
            for y in 0..h {
                for x in 0..w {
                    let (a, b) = (back[(x, y)], field[(x, y)]);
                    assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 5e-3, "{a:?} {b:?}");
                    let p = grid.at(&c, [x as f32, y as f32]);
                    assert!((a[0] - p[0]).hypot(a[1] - p[1]) < 1e-4);
                }
            }
        }
    }

    #[test]
    fn bending_energy_ignores_affine_fields() {
        let grid = Grid::new(100, 60);
        let value = |p: usize| {
            // Number back to its place, by search: the numbering is the grid's own business.
            let (i, j) = (0..grid.nx)
                .flat_map(|i| (0..grid.ny).map(move |j| (i, j)))
                .find(|&(i, j)| grid.number(i, j) == p)
                .unwrap();
            3.0 + 0.5 * i as f64 - 0.25 * j as f64
        };
        let mut energy = 0.0;
        grid.bending(|p, q, v| energy += v * value(p) * value(q) * if p == q { 1.0 } else { 2.0 });
        assert!(energy.abs() < 1e-9, "{energy}");
    }

    #[test]
    fn solve_finds_the_field_its_quadrics_ask_for() {
        let (w, h) = (120, 80);
        let grid = Grid::new(w, h);
        // Coupled components: S = [[4, 1], [1, 2]], b = S·d.
        let data = Image::from_fn(w, h, |x, y| {
            let d = bend(x as f32, y as f32);
            [4.0, 1.0, 2.0, 4.0 * d[0] + d[1], d[0] + 2.0 * d[1]]
        });
        let field = grid.evaluate(&grid.solve(&data, 1e-3, Unbent::Affine).unwrap());
        let d = (field[(60, 40)], bend(60.0, 40.0));
        assert!((d.0[0] - d.1[0]).hypot(d.0[1] - d.1[1]) < 5e-3, "{d:?}");
        // Stiff beyond measure, it returns to the shape of rest.
        let rest: Vec<Vec2> = vec![[1.0, -2.0]; grid.count()];
        let none = Image::new(w, h, [1e-6, 0.0, 1e-6, 0.0, 0.0]);
        let held = grid.evaluate(&grid.solve(&none, 1e6, Unbent::Shape(&rest)).unwrap());
        assert!(held.pixels().iter().all(|d| d[0].is_finite()));
    }

    /// A third of the canvas tells how a plane tilts; the rest follows, however stiff, when tilts cost nothing.
    #[test]
    fn a_bend_among_those_that_cost_nothing_is_followed_where_nothing_shows() {
        let (w, h) = (160, 120);
        let grid = Grid::new(w, h);
        let tilt = |x: f64, y: f64| [1e-3 * x * x - 2e-3 * x * y, 2e-3 * x * y];
        let place = |p: [f64; 2]| p.map(|v| (v - 1.0) * SPACING as f64);
        let field = |f: &dyn Fn(f64, f64) -> [f64; 2]| -> Vec<f64> {
            grid.places().into_iter().flat_map(|p| f(place(p)[0], place(p)[1])).collect()
        };
        let free = [field(&tilt), field(&|x, y| [2e-3 * y * y, 1e-3 * x * x])];
        let data = Image::from_fn(w, h, |x, y| {
            let d = tilt(x as f64, y as f64).map(|v| v as f32);
            if x < 50 { [1.0, 0.0, 1.0, d[0], d[1]] } else { [0.0; 5] }
        });
        let off = |unbent: Unbent| {
            let d = grid.evaluate(&grid.solve(&data, 1e5, unbent).unwrap())[(150, 110)];
            let want = tilt(150.0, 110.0).map(|v| v as f32);
            (d[0] - want[0]).hypot(d[1] - want[1])
        };
        assert!(off(Unbent::Mixture(&free)) < 0.2, "{}", off(Unbent::Mixture(&free)));
        assert!(off(Unbent::Affine) > 5.0, "{}", off(Unbent::Affine));
    }
}
