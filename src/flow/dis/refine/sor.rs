//! Red-black successive over-relaxation of the linear system.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::Unknowns;
use super::checker::{LANES, first, lanes, lanes_mut};
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
    let (stride, blocks, shift) = (system.planes.stride, system.planes.blocks(), first(colour, y));
    let near = |row: usize, plane: usize, from: usize| {
        lanes(&other[((y + row) * 2 + plane) * stride + from..], blocks)
    };
    let (ul, ur, ua, ub) = (near(1, 0, shift), near(1, 0, shift + 1), near(0, 0, 1), near(2, 0, 1));
    let (vl, vr, va, vb) = (near(1, 1, shift), near(1, 1, shift + 1), near(0, 1, 1), near(2, 1, 1));
    let edge = |colour: usize, y: usize, plane: usize, from: usize| {
        lanes(&system.edges.padded_row(colour, y, plane)[from..], blocks)
    };
    let (wr, wb) = (edge(colour, y + 1, 0, 1), edge(colour, y + 1, 1, 1));
    let (wl, wa) = (edge(1 - colour, y + 1, 0, shift), edge(1 - colour, y, 1, 1));
    let plane = |plane: usize| lanes(&system.planes.padded_row(colour, y + 1, plane)[1..], blocks);
    let (a12, b1, b2, d1, d2) = (plane(0), plane(1), plane(2), plane(3), plane(4));
    let (u, v) = own.split_at_mut(stride);
    let (u, v) = (lanes_mut(&mut u[1..], blocks), lanes_mut(&mut v[1..], blocks));
    let keep = 1.0 - omega;
    for k in 0..blocks {
        let (mut new_u, mut new_v) = (u[k], v[k]);
        for i in 0..LANES {
            let (wl, wr, wa, wb) = (wl[k][i], wr[k][i], wa[k][i], wb[k][i]);
            let su = (wl * ul[k][i] + wr * ur[k][i]) + (wa * ua[k][i] + wb * ub[k][i]);
            let sv = (wl * vl[k][i] + wr * vr[k][i]) + (wa * va[k][i] + wb * vb[k][i]);
            let x = keep * new_u[i] + omega * d1[k][i] * (b1[k][i] - a12[k][i] * new_v[i] + su);
            new_v[i] = keep * new_v[i] + omega * d2[k][i] * (b2[k][i] - a12[k][i] * x + sv);
            new_u[i] = x;
        }
        u[k] = new_u;
        v[k] = new_v;
    }
}
