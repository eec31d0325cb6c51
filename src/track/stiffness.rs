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
const CANDIDATES: [f64; 6] = [1.7, 5.6, 17.0, 170.0, 1700.0, 17_000.0];
/// Ratio of costs, rigid against the best, from which a surface certainly bends.
const CERTAIN: f64 = 1.05;
/// Ratio of costs against the best candidate up to which a stiffer one counts as good …
const TOLERANCE: f64 = 1.025;
/// … and up to which it does on a surface that bends.
const TOLERANCE_BENT: f64 = 1.0004;
/// Frames looked at.
const FRAMES: usize = 6;
/// Blocks of this many canvas pixels, as many as lie between control points, are left out …
const BLOCK: usize = 16;
/// … every so many.
const PERIOD: usize = 40;

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
    /// Finds the stiffness that predicts best what it has not seen, from frames that show most of the surface: where
    /// little is seen, what stands before it is what bends.
    pub(crate) fn find_stiffness(&mut self, footage: &dyn Footage) -> Result<()> {
        let seen: Vec<usize> = (0..footage.len()).filter(|&t| self.trust[t] > 0.9).collect();
        let mut costs = Vec::with_capacity(FRAMES);
        for t in spread(&seen, FRAMES) {
            let frame = footage.levels(t)?;
            let mut template = self.template(t);
            let shown = template.weight.clone();
            template.weight =
                Image::from_fn(
                    shown.width(),
                    shown.height(),
                    |x, y| if held(x, y) { 0.0 } else { shown[(x, y)] },
                );
            let of: Vec<f64> = CANDIDATES
                .par_iter()
                .map(|&stiffness| {
                    let map = &self.maps[t];
                    let found = align(&self.canvas, &frame, &template, map, map, &polish(stiffness));
                    self.held_out_cost(&frame, &template.picture, &found.positions)
                })
                .collect();
            costs.push(of);
        }
        self.stiffness = CANDIDATES[stiffest_as_good(&costs)];
        Ok(())
    }

    /// Robust misfit summed over what was left out, and the number of pixels.
    fn held_out_cost(
        &self,
        frame: &Image<crate::frame::Rgba>,
        want: &Image<crate::frame::Rgba>,
        positions: &Image<crate::frame::Vec2>,
    ) -> f64 {
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
        sum[0] / f64::max(sum[1], 1.0)
    }
}

/// The stiffest candidate that predicts as well as the best one. `costs` holds a row of candidates per frame.
fn stiffest_as_good(costs: &[Vec<f64>]) -> usize {
    let count = costs.first().map_or(0, Vec::len);
    let sum: Vec<f64> = (0..count).map(|i| costs.iter().map(|c| c[i]).sum()).collect();
    let least = sum.iter().copied().fold(f64::INFINITY, f64::min);
    let bends = sum.last().is_some_and(|rigid| *rigid > least * CERTAIN);
    let tolerance = if bends { TOLERANCE_BENT } else { TOLERANCE };
    let stiffest = (0..count).rev().find(|&i| sum[i] <= least * tolerance).unwrap_or(0);
    // What is left out lies inside the region, and does not show how stiffness spoils a bend's continuation at the
    // border: a surface that certainly bends gets two steps less.
    if bends { stiffest.saturating_sub(2) } else { stiffest }
}

/// The alignment used to polish maps once light and atlas are known, with steps enough for a cloth to settle.
pub(crate) fn polish(stiffness: f64) -> Options {
    Options { stiffness, rest: Rest::Plane, iterations: 12, sigma: 4.0, pull: 1e-4, blur: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{Options, polish, stiffest_as_good};
    use crate::frame::{Image, cubic};
    use crate::track::{Canvas, Map, Template, align};

    /// A rigid surface half of which is hidden, and there was tracked as bent.
    #[test]
    fn a_bend_that_nothing_shows_is_given_up() {
        let size = (320, 240);
        let canvas =
            Canvas::new(&[[60.0, 50.0], [250.0, 45.0], [255.0, 180.0], [55.0, 190.0]], size).unwrap();
        let texture = |x: f32, y: f32| {
            let v =
                |a: f32, b: f32| 128.0 + 40.0 * (a * x).sin() * (b * y).cos() + 30.0 * (b * x - a * y).sin();
            [v(0.31, 0.23), v(0.22, 0.35), v(0.27, 0.19), 0.0]
        };
        let whole = Image::from_fn(size.0, size.1, |x, y| texture(x as f32, y as f32));
        let frame =
            Image::from_fn(size.0, size.1, |x, y| if x + y > 260 { [20.0; 4] } else { whole[(x, y)] });
        let (w, h) = canvas.size();
        let at = |x: usize, y: usize| canvas.to_reference([x as f32, y as f32]);
        let template = Template {
            picture: Image::from_fn(w, h, |x, y| cubic(&whole, at(x, y))),
            weight: Image::new(w, h, 1.0),
        };
        let bent = Image::from_fn(w, h, |x, y| {
            let [u, v] = at(x, y);
            let far = 0.01 * (u + v - 260.0).max(0.0);
            [u + far, v + 1.5 * far]
        });
        let start: Map = canvas.map_of(&bent).unwrap();
        let few = Options { iterations: 5, ..polish(17_000.0) };
        let found = align(&canvas, &frame, &template, &start, &start, &few);
        for (x, y) in [(40, 40), (100, 80), (170, 120), (200, 140)] {
            let (p, q) = (found.positions[(x, y)], at(x, y));
            let off = (p[0] - q[0]).hypot(p[1] - q[1]);
            println!("({x}, {y}): {off:.3}");
            assert!(off < 0.1, "off by {off} at ({x}, {y})");
        }
    }

    #[test]
    fn stiffness_is_given_up_only_for_a_better_prediction() {
        let row = |last: f64| vec![0.303, 0.302, 0.301, 0.300, 0.302, last];
        assert_eq!(stiffest_as_good(&[row(0.31), row(0.31)]), 4);
        assert_eq!(stiffest_as_good(&[row(0.301), row(0.302)]), 5);
        // A cloth: the stiffer half loses, and two steps less than the best are taken.
        let cloth = vec![0.301, 0.3001, 0.300, 0.31, 0.35, 0.4];
        assert_eq!(stiffest_as_good(&[cloth]), 0);
    }
}
