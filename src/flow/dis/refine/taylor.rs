//! The data terms, linearised around the current field (Brox et al. 2004, section 3.2).
//!
//! The second picture is pulled back onto the first; the three residuals (brightness, and the two components of the
//! gradient) are then linear in the displacement. Each is stored as `g_x u + g_y v + c`, where u and v are whole
//! displacements rather than increments: the solver then needs no second field.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::checker::{Checker, first, split_row};
use crate::flow::dis::plane::{Field, Plane};
use crate::flow::dis::pyramid::PAD;
use crate::frame::cubic_weights;

/// Reach of the derivative's kernel.
const REACH: usize = 2;

/// ζ² of Zimmer et al. 2011, in squared levels per pixel: below this gradient a normalised residual fades out instead
/// of turning noise into displacement.
const NOISE: f32 = 0.1 * 0.1;

/// Rows a task works on.
const BAND: usize = 24;

/// Nine planes: `g_x, g_y, c` of brightness, of the gradient's x component, and of its y component.
pub(super) struct Taylor {
    pub(super) planes: Checker<9>,
    /// Mean of the first picture and the warped second one.
    mean: Plane,
    /// Warped second picture less the first.
    change: Plane,
    gx: Plane,
    gy: Plane,
}

impl Taylor {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let plane = || Plane::new(width, height, REACH);
        Self { planes: Checker::new(width, height), mean: plane(), change: plane(), gx: plane(), gy: plane() }
    }

    /// Warps `to` by `field` and brings all planes up to date.
    pub(super) fn linearise(&mut self, from: &Plane, to: &Plane, field: &Field) {
        let stride = self.mean.stride;
        let bands = self.mean.body_mut().par_chunks_mut(BAND * stride);
        let bands = bands.zip(self.change.body_mut().par_chunks_mut(BAND * stride)).enumerate();
        bands.for_each(|(i, (mean, change))| {
            Arch::new().dispatch(Warp { from, to, field, first: i * BAND, stride, mean, change });
        });
        self.mean.extend_edges();
        self.change.extend_edges();

        let mean = &self.mean;
        let bands = self.gx.body_mut().par_chunks_mut(BAND * stride);
        let bands = bands.zip(self.gy.body_mut().par_chunks_mut(BAND * stride)).enumerate();
        bands.for_each(|(i, (gx, gy))| {
            Arch::new().dispatch(Gradient { mean, first: i * BAND, gx, gy });
        });
        self.gx.extend_edges();
        self.gy.extend_edges();

        let (gx, gy, change) = (&self.gx, &self.gy, &self.change);
        let stride = self.planes.stride;
        self.planes.bands_mut().for_each(|(first, cells)| {
            Arch::new().dispatch(Terms { gx, gy, change, field, first, stride, cells });
        });
    }
}

/// First band: the second picture pulled back, combined with the first.
struct Warp<'a> {
    from: &'a Plane,
    to: &'a Plane,
    field: &'a Field,
    first: usize,
    stride: usize,
    mean: &'a mut [f32],
    change: &'a mut [f32],
}

impl NullaryFnOnce for Warp<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.field.width;
        let rows = self.mean.chunks_exact_mut(self.stride).zip(self.change.chunks_exact_mut(self.stride));
        for (i, (mean, change)) in rows.enumerate() {
            let y = self.first + i;
            let (mean, change) = (&mut mean[REACH..][..width], &mut change[REACH..][..width]);
            let from = self.from.row(y);
            let (u, v) = (&self.field.u[y * width..][..width], &self.field.v[y * width..][..width]);
            for x in 0..width {
                let warped = cubic(self.to, x as f32 + u[x], y as f32 + v[x]);
                mean[x] = 0.5 * (from[x] + warped);
                change[x] = warped - from[x];
            }
        }
    }
}

/// Catmull–Rom sample; the margin is wide enough for all sixteen pixels. Bilinear samples would blur by a varying
/// amount, which biases sub-pixel displacements.
#[inline(always)]
fn cubic(plane: &Plane, x: f32, y: f32) -> f32 {
    // `max` first: it takes NaN away. Two pixels outside, everything is the edge's repetition.
    let x = x.max(-2.0).min(plane.width as f32 + 1.0) + PAD as f32;
    let y = y.max(-2.0).min(plane.height as f32 + 1.0) + PAD as f32;
    let (ix, iy) = (x as usize, y as usize);
    let (wx, wy) = (cubic_weights(x - ix as f32), cubic_weights(y - iy as f32));
    let mut line = [0.0; 4];
    let rows = plane.data[(iy - 1) * plane.stride..].chunks(plane.stride);
    for (row, wy) in rows.zip(wy) {
        let pixels = &row[ix - 1..ix + 3];
        for (sum, p) in line.iter_mut().zip(pixels) {
            *sum += wy * p;
        }
    }
    (line[0] * wx[0] + line[1] * wx[1]) + (line[2] * wx[2] + line[3] * wx[3])
}

/// Second band: derivatives of the mean picture.
struct Gradient<'a> {
    mean: &'a Plane,
    first: usize,
    gx: &'a mut [f32],
    gy: &'a mut [f32],
}

impl NullaryFnOnce for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let stride = self.mean.stride;
        let rows = self.gx.chunks_exact_mut(stride).zip(self.gy.chunks_exact_mut(stride));
        for (i, (gx, gy)) in rows.enumerate() {
            along_x(self.mean, self.first + i, &mut gx[REACH..][..self.mean.width]);
            along_y(self.mean, self.first + i, &mut gy[REACH..][..self.mean.width]);
        }
    }
}

/// Derivative along x of row `y`: the fourth-order kernel (1, −8, 0, 8, −1) / 12 of Brox et al.
#[inline(always)]
fn along_x(plane: &Plane, y: usize, out: &mut [f32]) {
    let row = plane.padded_row(y, 0);
    let n = out.len();
    let (a, b, d, e) = (&row[..n], &row[1..][..n], &row[3..][..n], &row[4..][..n]);
    for x in 0..n {
        out[x] = (2.0 / 3.0) * (d[x] - b[x]) - (1.0 / 12.0) * (e[x] - a[x]);
    }
}

/// Derivative along y of row `y`.
#[inline(always)]
fn along_y(plane: &Plane, y: usize, out: &mut [f32]) {
    let n = out.len();
    let [a, b, d, e] = [-2, -1, 1, 2].map(|s| &plane.padded_row(y, s)[REACH..][..n]);
    for x in 0..n {
        out[x] = (2.0 / 3.0) * (d[x] - b[x]) - (1.0 / 12.0) * (e[x] - a[x]);
    }
}

/// Third band: the nine planes.
struct Terms<'a> {
    gx: &'a Plane,
    gy: &'a Plane,
    change: &'a Plane,
    field: &'a Field,
    first: usize,
    stride: usize,
    cells: [&'a mut [f32]; 2],
}

impl NullaryFnOnce for Terms<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (width, height) = (self.field.width, self.field.height);
        let mut derivatives = [0, 1, 2, 3, 4].map(|_| vec![0.0f32; width]);
        let mut rows = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|_| vec![0.0f32; width]);
        let [red, black] = self.cells;
        let size = 9 * self.stride;
        for (i, cells) in red.chunks_exact_mut(size).zip(black.chunks_exact_mut(size)).enumerate() {
            let y = self.first + i;
            let [xx, xy, yy, xt, yt] = &mut derivatives;
            along_x(self.gx, y, xx);
            along_y(self.gx, y, xy);
            along_y(self.gy, y, yy);
            along_x(self.change, y, xt);
            along_y(self.change, y, yt);
            let [gx, gy, gt] =
                [self.gx, self.gy, self.change].map(|plane| &plane.padded_row(y, 0)[REACH..][..width]);
            let flow = (&self.field.u[y * width..][..width], &self.field.v[y * width..][..width]);
            let size = (width as f32 - 1.0, height as f32 - 1.0);
            let [a, b, c, d, e, f, g, h, k] = &mut rows;
            let seen = Seen { flow, y: y as f32, size };
            seen.row([gx, gy, gt], [a, b, c]);
            seen.row([xx, xy, xt], [d, e, f]);
            seen.row([xy, yy, yt], [g, h, k]);
            let (red, black) = cells;
            for (plane, row) in rows.iter().enumerate() {
                let at = plane * self.stride;
                split_row(row, first(0, y), &mut red[at..at + self.stride]);
                split_row(row, first(1, y), &mut black[at..at + self.stride]);
            }
        }
    }
}

/// What every term of a row shares: the displacement it was linearised at, and the size of what can be seen.
struct Seen<'a> {
    flow: (&'a [f32], &'a [f32]),
    y: f32,
    /// Greatest coordinates inside the picture.
    size: (f32, f32),
}

impl Seen<'_> {
    /// Normalises `g_x, g_y, g_t` and moves the expansion's origin to zero displacement. A pixel whose counterpart
    /// lies outside the picture says nothing: all zero.
    #[inline(always)]
    fn row(&self, [gx, gy, gt]: [&[f32]; 3], out: [&mut Vec<f32>; 3]) {
        let n = gx.len();
        let (u, v) = (&self.flow.0[..n], &self.flow.1[..n]);
        let (gy, gt) = (&gy[..n], &gt[..n]);
        let [ox, oy, oc] = out.map(|o| &mut o[..n]);
        for x in 0..n {
            let (px, py) = (x as f32 + u[x], self.y + v[x]);
            let visible = (px >= 0.0) & (px <= self.size.0) & (py >= 0.0) & (py <= self.size.1);
            let scale = 1.0 / (gx[x] * gx[x] + gy[x] * gy[x] + NOISE).sqrt();
            let scale = if visible { scale } else { 0.0 };
            ox[x] = scale * gx[x];
            oy[x] = scale * gy[x];
            oc[x] = scale * (gt[x] - gx[x] * u[x] - gy[x] * v[x]);
        }
    }
}
