//! Red-black successive over-relaxation of the linear system.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::Unknowns;
use super::checker::first;
use super::system::System;

/// Brings all pixels of one colour up to date from their neighbours of the other.
pub(super) fn relax(system: &System, unknowns: &mut Unknowns, colour: usize, omega: f32) {
    let (bands, other) = unknowns.colour_bands_mut(colour);
    bands.for_each(|(first, own)| {
        Arch::new().dispatch(Relax { system, other, own, colour, omega, first });
    });
}

/// One band of rows of one colour.
struct Relax<'a> {
    system: &'a System,
    /// The other colour of the unknowns, whole.
    other: &'a [f32],
    own: &'a mut [f32],
    colour: usize,
    omega: f32,
    first: usize,
}

impl NullaryFnOnce for Relax<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let stride = self.system.planes.stride;
        for (i, own) in self.own.chunks_exact_mut(2 * stride).enumerate() {
            relax_row(self.system, self.other, own, (self.colour, self.first + i), self.omega);
        }
    }
}

/// One row: u, then v with the new u.
#[inline(always)]
fn relax_row(system: &System, other: &[f32], own: &mut [f32], (colour, y): (usize, usize), omega: f32) {
    let (stride, shift) = (system.planes.stride, first(colour, y));
    let n = stride - 2;
    let neighbour = |row: usize, plane: usize, from: usize| &other[(row * 2 + plane) * stride + from..][..n];
    let [ul, ur, ua, ub] = [(1, shift), (1, shift + 1), (0, 1), (2, 1)].map(|(r, k)| neighbour(y + r, 0, k));
    let [vl, vr, va, vb] = [(1, shift), (1, shift + 1), (0, 1), (2, 1)].map(|(r, k)| neighbour(y + r, 1, k));
    let own_edge = |plane| &system.edges.padded_row(colour, y + 1, plane)[1..][..n];
    let (wr, wb) = (own_edge(0), own_edge(1));
    let wl = &system.edges.padded_row(1 - colour, y + 1, 0)[shift..][..n];
    let wa = &system.edges.padded_row(1 - colour, y, 1)[1..][..n];
    let [a12, b1, b2, d1, d2] =
        [0, 1, 2, 3, 4].map(|plane| &system.planes.padded_row(colour, y + 1, plane)[1..][..n]);
    let (u, v) = own.split_at_mut(stride);
    let (u, v) = (&mut u[1..][..n], &mut v[1..][..n]);
    let keep = 1.0 - omega;
    for k in 0..n {
        let su = (wl[k] * ul[k] + wr[k] * ur[k]) + (wa[k] * ua[k] + wb[k] * ub[k]);
        let sv = (wl[k] * vl[k] + wr[k] * vr[k]) + (wa[k] * va[k] + wb[k] * vb[k]);
        u[k] = keep * u[k] + omega * d1[k] * (b1[k] - a12[k] * v[k] + su);
        v[k] = keep * v[k] + omega * d2[k] * (b2[k] - a12[k] * u[k] + sv);
    }
}
