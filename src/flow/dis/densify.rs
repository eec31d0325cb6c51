//! From displacements of patches to one per pixel (Kroeger et al. 2016, section 2.2, equation 3).
//!
//! A pixel takes the mean of the patches that cover it, each weighted by how well that patch's displacement explains
//! this very pixel; across a motion boundary the pixels thus choose their side.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::plane::{Field, Plane};
use super::pyramid::PAD;
use super::search::{Grid, Match, Window};

/// Rows a task fills; the result does not depend on it.
const BAND: usize = 24;

/// The dense field of a level from its patches.
pub(super) fn densify<const N: usize>(from: &Plane, to: &Plane, grid: &Grid, matches: &[Match]) -> Field {
    let mut field = Field::zero(from.width, from.height);
    let size = BAND * from.width;
    let bands = field.u.par_chunks_mut(size).zip(field.v.par_chunks_mut(size)).enumerate();
    bands.for_each(|(i, (u, v))| {
        Arch::new().dispatch(Band::<N> { from, to, grid, matches, first: i * BAND, u, v });
    });
    field
}

/// The rows of one task.
struct Band<'a, const N: usize> {
    from: &'a Plane,
    to: &'a Plane,
    grid: &'a Grid,
    matches: &'a [Match],
    /// Row the band starts at.
    first: usize,
    u: &'a mut [f32],
    v: &'a mut [f32],
}

impl<const N: usize> NullaryFnOnce for Band<'_, N> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.from.width;
        let mut weights = vec![0.0f32; self.u.len()];
        let end = self.first + self.u.len() / width;
        for (row, &y) in self.grid.ys.iter().enumerate().filter(|&(_, &y)| y < end && y + N > self.first) {
            let lines = y.max(self.first) - y..(y + N).min(end) - y;
            for (column, &x) in self.grid.xs.iter().enumerate() {
                let m = self.matches[row * self.grid.xs.len() + column];
                let window = Window::<N>::new(self.to, x as f32 + m.u, y as f32 + m.v);
                let mut upper = window.line(lines.start);
                for j in lines.clone() {
                    let lower = window.line(j + 1);
                    let at = (y + j - self.first) * width + x;
                    let pixels = &self.from.padded_row(y + j, 0)[PAD + x..][..N];
                    let weights = &mut weights[at..][..N];
                    let (u, v) = (&mut self.u[at..][..N], &mut self.v[at..][..N]);
                    for i in 0..N {
                        let d = upper[i] + window.fy * (lower[i] - upper[i]) - pixels[i];
                        let w = 1.0 / d.abs().max(1.0);
                        weights[i] += w;
                        u[i] += w * m.u;
                        v[i] += w * m.v;
                    }
                    upper = lower;
                }
            }
        }
        for ((u, v), w) in self.u.iter_mut().zip(self.v.iter_mut()).zip(&weights) {
            // Every pixel is covered, so the weights are positive unless the residual itself overflowed.
            let scale = if *w > 0.0 { 1.0 / *w } else { 0.0 };
            *u *= scale;
            *v *= scale;
        }
    }
}
