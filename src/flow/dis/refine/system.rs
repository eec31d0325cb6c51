//! The linear system of one fixed-point iteration: robust weights frozen at the current unknowns
//! (Brox et al. 2004, section 3.3).

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::checker::{Checker, LANES, first, lanes, lanes_mut};
use super::taylor::Taylor;
use super::{Refinement, Unknowns};

/// ε² of Ψ(s²) = √(s² + ε²), in squared pixels: a thousandth of a pixel, as in Brox et al.
const EPSILON: f32 = 1e-6;

/// Per pixel `[a₁₁ + Σw, a₁₂; a₁₂, a₂₂ + Σw] [u, v]ᵀ = [b₁, b₂]ᵀ + Σ w [u, v]ᵀ of the neighbour`.
pub(super) struct System {
    /// Weights of the edges to the right and to the lower neighbour; 0 where there is none.
    pub(super) edges: Checker<2>,
    /// Planes a₁₂, b₁, b₂, 1/(a₁₁ + Σw), 1/(a₂₂ + Σw).
    pub(super) planes: Checker<5>,
}

impl System {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { edges: Checker::new(width, height), planes: Checker::new(width, height) }
    }

    /// Brings everything up to date with the unknowns.
    pub(super) fn assemble(&mut self, terms: &Taylor, unknowns: &Unknowns, config: &Refinement) {
        let alpha = config.alpha;
        self.edges.bands_mut().for_each(|(first, cells)| {
            Arch::new().dispatch(Smoothness { unknowns, alpha, first, cells });
        });
        let edges = &self.edges;
        self.planes.bands_mut().for_each(|(first, cells)| {
            Arch::new().dispatch(Data { terms, unknowns, edges, config, first, cells });
        });
    }
}

/// First band: edge weights α Ψ′ from forward differences.
struct Smoothness<'a> {
    unknowns: &'a Unknowns,
    alpha: f32,
    first: usize,
    cells: [&'a mut [f32]; 2],
}

impl NullaryFnOnce for Smoothness<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (stride, height) = (self.unknowns.stride, self.unknowns.height());
        for (colour, cells) in self.cells.into_iter().enumerate() {
            for (i, cells) in cells.chunks_exact_mut(2 * stride).enumerate() {
                let y = self.first + i;
                let (right, below) = cells.split_at_mut(stride);
                self::edges(self.unknowns, self.alpha, (colour, y), right, below);
                if y + 1 == height {
                    below.fill(0.0);
                }
            }
        }
    }
}

/// Edge weights of one row and colour.
#[inline(always)]
fn edges(unknowns: &Unknowns, alpha: f32, (colour, y): (usize, usize), right: &mut [f32], below: &mut [f32]) {
    let (n, shift) = (unknowns.stride - 2, first(colour, y));
    let own = |plane| &unknowns.padded_row(colour, y + 1, plane)[1..][..n];
    let beside = |plane| &unknowns.padded_row(1 - colour, y + 1, plane)[shift + 1..][..n];
    // Below the last row there is only the margin; its edges are cut afterwards.
    let lower = (y + 2).min(unknowns.height());
    let lower_colour = if lower == y + 2 { 1 - colour } else { colour };
    let under = |plane| &unknowns.padded_row(lower_colour, lower, plane)[1..][..n];
    let (u, v, ur, vr, ud, vd) = (own(0), own(1), beside(0), beside(1), under(0), under(1));
    // Pixels in the row that have a right neighbour; the last one sees a margin instead.
    let linked = (unknowns.width() - shift.min(unknowns.width())) / 2;
    let (right, below) = (&mut right[1..][..n], &mut below[1..][..n]);
    for k in 0..n {
        let (dx, dy) = (ur[k] - u[k], ud[k] - u[k]);
        let (ex, ey) = (vr[k] - v[k], vd[k] - v[k]);
        let linked = if k < linked { 1.0 } else { 0.0 };
        let across = linked * (dx * dx + ex * ex);
        let weight = alpha / (across + (dy * dy + ey * ey) + EPSILON).sqrt();
        right[k] = linked * weight;
        below[k] = weight;
    }
    // The cells that only fill the row up.
    let pixels = (unknowns.width() + 1 - shift) / 2;
    below[pixels..].fill(0.0);
}

/// Second band: weighted data terms and the diagonal.
struct Data<'a> {
    terms: &'a Taylor,
    unknowns: &'a Unknowns,
    edges: &'a Checker<2>,
    config: &'a Refinement,
    first: usize,
    cells: [&'a mut [f32]; 2],
}

impl NullaryFnOnce for Data<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let stride = self.unknowns.stride;
        for (colour, cells) in self.cells.into_iter().enumerate() {
            for (i, cells) in cells.chunks_exact_mut(5 * stride).enumerate() {
                let at = (colour, self.first + i);
                data(
                    self.terms,
                    self.unknowns,
                    self.edges,
                    (self.config.delta, self.config.gamma),
                    at,
                    cells,
                );
            }
        }
    }
}

/// The system of one row and colour.
#[inline(always)]
fn data(
    terms: &Taylor,
    unknowns: &Unknowns,
    edges: &Checker<2>,
    (delta, gamma): (f32, f32),
    (colour, y): (usize, usize),
    cells: &mut [f32],
) {
    let (stride, blocks, shift) = (unknowns.stride, unknowns.blocks(), first(colour, y));
    let unknown = |plane| lanes(&unknowns.padded_row(colour, y + 1, plane)[1..], blocks);
    let (u, v) = (unknown(0), unknown(1));
    let term = |plane| lanes(&terms.planes.padded_row(colour, y + 1, plane)[1..], blocks);
    let (ix, iy, ic) = (term(0), term(1), term(2));
    let (xx, xy, xc) = (term(3), term(4), term(5));
    let (yx, yy, yc) = (term(6), term(7), term(8));
    let edge = |colour, y, plane, from: usize| lanes(&edges.padded_row(colour, y, plane)[from..], blocks);
    let (right, below) = (edge(colour, y + 1, 0, 1), edge(colour, y + 1, 1, 1));
    let (left, above) = (edge(1 - colour, y + 1, 0, shift), edge(1 - colour, y, 1, 1));

    let mut planes = cells.chunks_exact_mut(stride);
    let mut next = || planes.next().map_or(&mut [][..], |plane| lanes_mut(&mut plane[1..], blocks));
    let (a12, b1, b2, d1, d2) = (next(), next(), next(), next(), next());
    for k in 0..blocks {
        let mut out = [[0.0; LANES]; 5];
        for i in 0..LANES {
            let (u, v) = (u[k][i], v[k][i]);
            let (ix, iy, ic) = (ix[k][i], iy[k][i], ic[k][i]);
            let (xx, xy, xc) = (xx[k][i], xy[k][i], xc[k][i]);
            let (yx, yy, yc) = (yx[k][i], yy[k][i], yc[k][i]);
            let r = ix * u + iy * v + ic;
            let w = delta / (r * r + EPSILON).sqrt();
            let (rx, ry) = (xx * u + xy * v + xc, yx * u + yy * v + yc);
            let g = gamma / (rx * rx + ry * ry + EPSILON).sqrt();
            let sum = (right[k][i] + left[k][i]) + (below[k][i] + above[k][i]);
            let (wx, wy) = (w * ix, w * iy);
            out[0][i] = wx * iy + g * (xx * xy + yx * yy);
            out[1][i] = -(wx * ic + g * (xx * xc + yx * yc));
            out[2][i] = -(wy * ic + g * (xy * xc + yy * yc));
            // A cell without a pixel, or a picture of one pixel, has no equation: it stays at 0.
            out[3][i] = 1.0 / (wx * ix + g * (xx * xx + yx * yx) + sum).max(1e-9);
            out[4][i] = 1.0 / (wy * iy + g * (xy * xy + yy * yy) + sum).max(1e-9);
        }
        [a12[k], b1[k], b2[k], d1[k], d2[k]] = out;
    }
}
