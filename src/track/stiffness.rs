//! How stiff the surface is: a truck's side does not bend, a cloth does, and the footage tells which.
//!
//! Hold-out: blocks of the canvas are left out of the alignment, and the stiffness that predicts them best is the
//! surface's own. Too soft follows noise, too stiff misses the bend; both show in what was left out.

use super::align::{Options, Rest, align};
use super::appearance::{Solution, spread};
use super::sequential::on_picture;
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, cubic};
use rayon::prelude::*;

/// Candidates, from soft cloth to rigid.
const CANDIDATES: [f64; 8] = [1.7, 5.6, 17.0, 56.0, 170.0, 560.0, 5600.0, 56_000.0];
/// The stiffest candidate wins whose cost is within this share of the least.
const TOLERANCE: f64 = 0.001;
/// Frames looked at.
const FRAMES: usize = 7;
/// Blocks of this many canvas pixels are left out …
const BLOCK: usize = 6;
/// … every so many.
const PERIOD: usize = 18;

/// Whether a canvas pixel is left out.
fn held(x: usize, y: usize) -> bool {
    x % PERIOD < BLOCK && y % PERIOD < BLOCK
}

/// Whether it is left out and not at the block's border, where neighbours inside would tell.
fn deep(x: usize, y: usize) -> bool {
    let inside = |v: usize| (1..BLOCK - 1).contains(&(v % PERIOD));
    inside(x) && inside(y)
}

impl Solution {
    /// Finds the stiffness that predicts best what it has not seen.
    pub(crate) fn find_stiffness(&mut self, footage: &dyn Footage) -> Result<()> {
        let all: Vec<usize> = (0..footage.len()).collect();
        let mut sums = [[0.0f64; 2]; CANDIDATES.len()];
        for t in spread(&all, FRAMES) {
            let frame = footage.levels(t)?;
            let mut template = self.template(t);
            let shown = template.weight.clone();
            template.weight =
                Image::from_fn(
                    shown.width(),
                    shown.height(),
                    |x, y| if held(x, y) { 0.0 } else { shown[(x, y)] },
                );
            let costs: Vec<[f64; 2]> = CANDIDATES
                .par_iter()
                .map(|&stiffness| {
                    let options = polish(stiffness);
                    let map = &self.maps[t];
                    let found = align(&self.canvas, &frame, &template, map, map, &options);
                    self.held_out_cost(&frame, &template.picture, &found.positions)
                })
                .collect();
            for (sum, cost) in sums.iter_mut().zip(costs) {
                *sum = [sum[0] + cost[0], sum[1] + cost[1]];
            }
        }
        let cost = sums.map(|s| s[0] / s[1].max(1.0));
        let least = cost.iter().copied().fold(f64::INFINITY, f64::min);
        let stiffest = (0..CANDIDATES.len()).rev().find(|&i| cost[i] <= least * (1.0 + TOLERANCE));
        self.stiffness = CANDIDATES[stiffest.unwrap_or(0)];
        eprintln!("STIFF {:?} -> {}", cost, self.stiffness);
        if let Ok(v) = std::env::var("RNA_STIFF") { self.stiffness = v.parse().unwrap(); }
        Ok(())
    }

    /// Robust misfit summed over what was left out, and the number of pixels.
    fn held_out_cost(
        &self,
        frame: &Image<crate::frame::Rgba>,
        want: &Image<crate::frame::Rgba>,
        positions: &Image<crate::frame::Vec2>,
    ) -> [f64; 2] {
        let (w, h) = self.canvas.size();
        let mut sum = [0.0; 2];
        for y in 0..h {
            for x in 0..w {
                let p = positions[(x, y)];
                if deep(x, y) && self.canvas.coverage[(x, y)] > 0.5 && on_picture(p, frame.size()) {
                    let misfit = super::appearance::square_mean(cubic(frame, p), want[(x, y)]) / 16.0;
                    sum = [sum[0] + f64::from(misfit / (1.0 + misfit)), sum[1] + 1.0];
                }
            }
        }
        sum
    }
}

/// The alignment used to polish maps once light and atlas are known.
pub(crate) fn polish(stiffness: f64) -> Options {
    Options { stiffness, rest: Rest::Plane, iterations: 4, sigma: std::env::var("RNA_SIG").map_or(4.0,|v|v.parse().unwrap()), pull: 1e-4, blur: 0.0 }
}
