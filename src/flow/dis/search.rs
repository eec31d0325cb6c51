//! Inverse search: the displacement of each patch of a coarse grid (Kroeger et al. 2016, section 2.1).
//!
//! The roles of the pictures are swapped as in Baker and Matthews' inverse compositional method: the gradient and the
//! Gauss–Newton matrix belong to the patch, not to where it currently looks, and are computed once. Good
//! displacements spread to neighbours (as in PatchMatch): a forward sweep offers each patch those of its left and upper
//! neighbours, a backward sweep those of its right and lower ones.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::plane::{Field, Plane};
use super::pyramid::PAD;

/// Patch rows a task sweeps. Spreading stops at a band's edge within one sweep, so this constant, not the number of
/// threads, decides the result.
const BAND: usize = 12;

/// A step shorter than this many pixels ends the descent: refinement moves further than that anyway.
const SHORT_STEP: f32 = 0.02;

/// Neighbours that agree this closely, in pixels, are not worth trying.
const SAME: f32 = 0.05;

/// A level of the first picture with its gradients, and the same level of the second one.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) from: &'a Plane,
    pub(super) to: &'a Plane,
    /// Derivatives of `from`, without margins.
    pub(super) gx: &'a [f32],
    pub(super) gy: &'a [f32],
}

/// Upper left corners of the patches: every `stride` pixels, the last ones flush with the picture's edge.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) xs: Vec<usize>,
    pub(super) ys: Vec<usize>,
}

impl Grid {
    /// Patches of `patch` pixels; the picture must hold at least one.
    pub(super) fn new(width: usize, height: usize, patch: usize, stride: usize) -> Self {
        let corners = |n: usize| {
            let last = n - patch;
            (0..=last.div_ceil(stride)).map(|i| (i * stride).min(last)).collect()
        };
        Self { xs: corners(width), ys: corners(height) }
    }
}

/// A patch's displacement, in pixels, and the squared residual it leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    pub(super) u: f32,
    pub(super) v: f32,
    cost: f32,
}

/// Displacements of all patches of `grid`, row by row, starting from `init` at each patch's centre.
pub(super) fn search<const N: usize>(pair: Pair, grid: &Grid, init: &Field, iterations: usize) -> Vec<Match> {
    let columns = grid.xs.len();
    let mut start = Vec::with_capacity(columns * grid.ys.len());
    for y in &grid.ys {
        let row = (y + N / 2) * init.width + N / 2;
        let at = |x: &usize| Match { u: init.u[row + x], v: init.v[row + x], cost: f32::INFINITY };
        start.extend(grid.xs.iter().map(at));
    }
    let forward = sweep::<N, true>(pair, grid, &start, iterations);
    sweep::<N, false>(pair, grid, &forward, iterations)
}

/// One sweep over all bands; what lies beyond a band's edge is taken from the sweep before.
fn sweep<const N: usize, const FORWARD: bool>(
    pair: Pair,
    grid: &Grid,
    before: &[Match],
    iterations: usize,
) -> Vec<Match> {
    let mut found = before.to_vec();
    let band = BAND * grid.xs.len();
    found.par_chunks_mut(band).enumerate().for_each(|(i, found)| {
        let task = Sweep::<N, FORWARD> { pair, grid, before, found, first: i * BAND, iterations };
        Arch::new().dispatch(task);
    });
    found
}

/// The sweep of one band.
struct Sweep<'a, const N: usize, const FORWARD: bool> {
    pair: Pair<'a>,
    grid: &'a Grid,
    before: &'a [Match],
    found: &'a mut [Match],
    /// Patch row the band starts at.
    first: usize,
    iterations: usize,
}

impl<const N: usize, const FORWARD: bool> NullaryFnOnce for Sweep<'_, N, FORWARD> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let columns = self.grid.xs.len();
        let count = self.found.len();
        for n in 0..count {
            let k = if FORWARD { n } else { count - 1 - n };
            let (row, column) = (self.first + k / columns, k % columns);
            let beside = match FORWARD {
                true => (column > 0).then(|| self.found[k - 1]),
                false => (column + 1 < columns).then(|| self.found[k + 1]),
            };
            let global = self.first * columns + k;
            let across = match FORWARD {
                true if k >= columns => Some(self.found[k - columns]),
                true => global.checked_sub(columns).map(|g| self.before[g]),
                false if k + columns < count => Some(self.found[k + columns]),
                false => self.before.get(global + columns).copied(),
            };
            let patch = Patch::<N> { pair: self.pair, x: self.grid.xs[column], y: self.grid.ys[row] };
            self.found[k] = patch.improve(self.found[k], [beside, across], self.iterations);
        }
    }
}

/// A patch of the first picture.
struct Patch<'a, const N: usize> {
    pair: Pair<'a>,
    x: usize,
    y: usize,
}

/// What the descent of a patch needs, made only for patches that descend.
struct Slopes<const N: usize> {
    gx: [[f32; N]; N],
    gy: [[f32; N]; N],
    /// Means of the two gradients.
    mean: [f32; 2],
    /// Inverse of the Gauss–Newton matrix: xx, xy, yy.
    inverse: [f32; 3],
}

/// How a patch compares with where it looks: squared residual, and its inner products with the gradients.
#[derive(Clone, Copy)]
struct Residual {
    cost: f32,
    bx: f32,
    by: f32,
}

impl<const N: usize> Patch<'_, N> {
    const COUNT: f32 = (N * N) as f32;

    /// The best of `own` and its neighbours' displacements, then improved by descent.
    #[inline(always)]
    fn improve(&self, own: Match, offers: [Option<Match>; 2], iterations: usize) -> Match {
        let new = own.cost == f32::INFINITY;
        let differs = |offer: &Match, from: &Match| {
            (offer.u - from.u).abs() >= SAME || (offer.v - from.v).abs() >= SAME
        };
        // Without a new displacement the last sweep's descent ended here already.
        if !new && !offers.iter().flatten().any(|offer| differs(offer, &own)) {
            return own;
        }
        let values = self.values();
        let mut best = own;
        let mut changed = new;
        if new {
            best.cost = self.cost(&values, own.u, own.v);
        }
        for offer in offers.into_iter().flatten() {
            if differs(&offer, &best) {
                let cost = self.cost(&values, offer.u, offer.v);
                if cost < best.cost {
                    best = Match { cost, ..offer };
                    changed = true;
                }
            }
        }
        if changed { self.descend(&values, best, iterations) } else { best }
    }

    /// Gauss–Newton steps as long as they lower the residual.
    #[inline(always)]
    fn descend(&self, values: &[[f32; N]; N], start: Match, iterations: usize) -> Match {
        let slopes = self.slopes();
        let mut best = start;
        let mut r = self.residual(values, Some(&slopes), start.u, start.v);
        for _ in 0..iterations {
            let [xx, xy, yy] = slopes.inverse;
            let (du, dv) = (xx * r.bx + xy * r.by, xy * r.bx + yy * r.by);
            if du * du + dv * dv < SHORT_STEP * SHORT_STEP {
                break;
            }
            let (u, v) = (best.u - du, best.v - dv);
            r = self.residual(values, Some(&slopes), u, v);
            // A patch that left its own neighbourhood has lost its surface (Kroeger et al., section 2.1).
            let far = (u - start.u).abs().max((v - start.v).abs()) > N as f32;
            // Written so that what is not a number ends the descent too.
            let better = r.cost < best.cost;
            if far || !better || !self.sees_picture(u, v) {
                break;
            }
            best = Match { u, v, cost: r.cost };
        }
        best
    }

    /// Whether the patch still overlaps the other picture: the margin's even grey can resemble it better than the
    /// picture does, and would draw it out for good.
    #[inline(always)]
    fn sees_picture(&self, u: f32, v: f32) -> bool {
        let (x, y, n) = (self.x as f32 + u, self.y as f32 + v, N as f32);
        x > -n && y > -n && x < self.pair.to.width as f32 && y < self.pair.to.height as f32
    }

    /// The patch's own pixels.
    #[inline(always)]
    fn values(&self) -> [[f32; N]; N] {
        let mut values = [[0.0; N]; N];
        for (j, line) in values.iter_mut().enumerate() {
            line.copy_from_slice(&self.pair.from.padded_row(self.y + j, 0)[PAD + self.x..][..N]);
        }
        values
    }

    #[inline(always)]
    fn slopes(&self) -> Slopes<N> {
        let (mut gx, mut gy) = ([[0.0; N]; N], [[0.0; N]; N]);
        let (mut sx, mut sy) = ([0.0; N], [0.0; N]);
        let (mut xx, mut xy, mut yy) = ([0.0; N], [0.0; N], [0.0; N]);
        for j in 0..N {
            let start = (self.y + j) * self.pair.from.width + self.x;
            gx[j].copy_from_slice(&self.pair.gx[start..start + N]);
            gy[j].copy_from_slice(&self.pair.gy[start..start + N]);
            for i in 0..N {
                let (a, b) = (gx[j][i], gy[j][i]);
                sx[i] += a;
                sy[i] += b;
                xx[i] += a * a;
                xy[i] += a * b;
                yy[i] += b * b;
            }
        }
        let mean = [sum(sx) / Self::COUNT, sum(sy) / Self::COUNT];
        // Centred like the residual, since only the brightness-free part of a patch is matched.
        let xx = sum(xx) - Self::COUNT * mean[0] * mean[0];
        let xy = sum(xy) - Self::COUNT * mean[0] * mean[1];
        let yy = sum(yy) - Self::COUNT * mean[1] * mean[1];
        Slopes { gx, gy, mean, inverse: inverse(xx, xy, yy, Self::COUNT) }
    }

    /// Squared residual at a displacement, mean brightness removed on both sides.
    #[inline(always)]
    fn cost(&self, values: &[[f32; N]; N], u: f32, v: f32) -> f32 {
        self.residual(values, None, u, v).cost
    }

    /// [`Patch::cost`] with, given the slopes, what a Gauss–Newton step needs.
    #[inline(always)]
    fn residual(&self, values: &[[f32; N]; N], slopes: Option<&Slopes<N>>, u: f32, v: f32) -> Residual {
        let window = Window::<N>::new(self.pair.to, self.x as f32 + u, self.y as f32 + v);
        let (mut s, mut ss, mut bx, mut by) = ([0.0; N], [0.0; N], [0.0; N], [0.0; N]);
        let mut upper = window.line(0);
        for (j, values) in values.iter().enumerate() {
            let lower = window.line(j + 1);
            for i in 0..N {
                let d = upper[i] + window.fy * (lower[i] - upper[i]) - values[i];
                s[i] += d;
                ss[i] += d * d;
                if let Some(slopes) = slopes {
                    bx[i] += d * slopes.gx[j][i];
                    by[i] += d * slopes.gy[j][i];
                }
            }
            upper = lower;
        }
        let s = sum(s);
        let mean = slopes.map_or([0.0; 2], |s| s.mean);
        Residual { cost: sum(ss) - s * s / Self::COUNT, bx: sum(bx) - s * mean[0], by: sum(by) - s * mean[1] }
    }
}

/// Where a patch looks in the other picture: rows of pixels and the bilinear weights all of them share.
pub(super) struct Window<'a, const N: usize> {
    pixels: &'a [f32],
    stride: usize,
    fx: f32,
    pub(super) fy: f32,
}

impl<'a, const N: usize> Window<'a, N> {
    /// With its upper left corner at (x, y), moved back where it would look past the margin.
    #[inline(always)]
    pub(super) fn new(to: &'a Plane, x: f32, y: f32) -> Self {
        let pad = PAD as f32;
        // One pixel is left for the right and lower neighbours of bilinear weights. `max` first: it takes NaN away.
        let x = (x + pad).max(0.0).min((to.width + 2 * PAD - N - 2) as f32);
        let y = (y + pad).max(0.0).min((to.height + 2 * PAD - N - 2) as f32);
        let (ix, iy) = (x as usize, y as usize);
        Self {
            pixels: &to.data[iy * to.stride + ix..],
            stride: to.stride,
            fx: x - ix as f32,
            fy: y - iy as f32,
        }
    }

    /// Row `j`, interpolated along x only.
    #[inline(always)]
    pub(super) fn line(&self, j: usize) -> [f32; N] {
        let row = &self.pixels[j * self.stride..][..N + 1];
        let mut line = [0.0; N];
        for i in 0..N {
            line[i] = row[i] + self.fx * (row[i + 1] - row[i]);
        }
        line
    }
}

/// Inverse of a symmetric 2×2 matrix; zero where the patch has no texture, damped where it has only an edge.
#[inline(always)]
fn inverse(xx: f32, xy: f32, yy: f32, count: f32) -> [f32; 3] {
    // A gradient of a twentieth of a level is noise: along such a direction the patch does not move.
    let damping = 0.0025 * count;
    let (xx, yy) = (xx + damping, yy + damping);
    let det = xx * yy - xy * xy;
    if det.is_finite() && det > 0.0 { [yy / det, -xy / det, xx / det] } else { [0.0; 3] }
}

/// Sum in a fixed order that halves the array, so that it is the same on every machine.
#[inline(always)]
fn sum<const N: usize>(mut a: [f32; N]) -> f32 {
    let mut n = N;
    while n > 1 {
        let half = n / 2;
        for i in 0..half {
            a[i] += a[n - half + i];
        }
        n -= half;
    }
    a[0]
}
