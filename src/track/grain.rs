//! How far what light × atlas does not explain of a frame is grain.
//!
//! Opaque paint covers the footage's grain, too, and looks pasted. What a frame shows beside light × atlas can be laid over
//! the paint instead, but only some of it is grain. The rest is what the fit misses, through which the surface would show. As
//! grain is everywhere and misses are not, the places that fit best tell how strong grain is, and every other one, by how
//! much more is left over there, how little of that is grain.

use super::aperture::{Pixel, slope};
use super::appearance::{Seen, Solution, Visible, at_share, in_order, square_mean};
use super::predict::Inverses;
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, bilinear_or};
use crate::light::finer;

/// Pixels of a frame that are looked at, at most.
const MOST_PIXELS: f32 = 20_000.0;
/// Share of the places, in all frames, that are taken to leave nothing but grain.
const BEST: f32 = 0.03;
/// Share of the pixels of the best seen place that one of those has at least: the fewer, the more chance says.
const WELL_SEEN: f32 = 0.5;
/// Pixels as the whole frame's mean that go into each place, so that one of which little shows is not judged by that alone.
const USUAL: f32 = 1.0;
/// Coverage from which a pixel counts as within the region.
const INSIDE: f32 = 0.99;

/// The grain of a region's footage.
#[derive(Debug, Clone)]
pub struct Grain {
    /// Standard deviation, levels.
    pub strength: f32,
    /// Per frame, on nodes over the canvas: the share, 0…1, of what light × atlas leaves of the frame that is grain.
    shares: Vec<Image<[f32; 1]>>,
}

/// Squared misfits of a frame, summed about each node, and the pixels they are of.
type Sums = Image<[f32; 2]>;

/// Size of the grid for a canvas of `size` pixels.
fn nodes((w, h): (usize, usize)) -> (usize, usize) {
    let along = |side: usize| ((Grain::NODES - 1) * side / w.max(h)).max(1) + 1;
    (along(w), along(h))
}

impl Grain {
    /// Nodes to the region's longer side.
    pub const NODES: usize = 16;

    /// One frame's shares on as many nodes as wanted, corner nodes on corner pixels.
    pub fn on(&self, frame: usize, nodes: (usize, usize)) -> Image<[f32; 1]> {
        finer(&self.shares[frame], nodes)
    }

    /// By what is left over about the nodes of every frame.
    fn of(left: &[Sums]) -> Self {
        let most = left.iter().flat_map(|f| f.pixels()).fold(1.0f32, |m, [_, n]| m.max(*n));
        let told = left.iter().flat_map(|f| f.pixels()).filter(|[_, n]| *n >= WELL_SEEN * most);
        let mut least: Vec<f32> = told.map(|[sum, n]| sum / n).collect();
        let grain = at_share(&mut least, BEST).unwrap_or(0.0);
        let shares = |frame: &Sums| {
            let all = frame.pixels().iter().fold([0.0; 2], |a, s| [a[0] + s[0], a[1] + s[1]]);
            let mean = if all[1] > 0.0 { all[0] / all[1] } else { f32::INFINITY };
            frame.map(|[sum, n]| {
                let left = (sum + USUAL * mean) / (n + USUAL);
                // Misses are where the surface has edges, and show more than as much noise would.
                [if left > grain { (grain / left).powi(2) } else { f32::from(left > 0.0) }]
            })
        };
        Self { strength: grain.sqrt(), shares: left.iter().map(shares).collect() }
    }
}

impl Solution {
    /// The grain of all frames by what they show of the surface, in whose pixels of a frame a square of side `aperture` is
    /// averaged.
    pub(crate) fn grain(&self, footage: &dyn Footage, visible: &Visible, aperture: f32) -> Result<Grain> {
        let inverses = Inverses::of(self, footage.size());
        let all: Vec<usize> = (0..footage.len()).collect();
        let mut left = Vec::with_capacity(all.len());
        in_order(
            &all,
            |t| self.left_over(&inverses, t, footage, visible, aperture),
            |_, sums| {
                left.push(sums);
                Ok(())
            },
        )?;
        Ok(Grain::of(&left))
    }

    fn left_over(
        &self,
        inverses: &Inverses,
        t: usize,
        footage: &dyn Footage,
        visible: &Visible,
        aperture: f32,
    ) -> Result<Sums> {
        let (w, h) = self.canvas.size();
        let (nx, ny) = nodes((w, h));
        let mut sums = Image::new(nx, ny, [0.0; 2]);
        let Some(inverse) = inverses.get(t) else { return Ok(sums) };
        let (frame, seen) = (footage.levels(t)?, Seen::of(Some(visible), t, footage.size())?);
        let part = inverse.reach(&self.canvas, footage.size());
        let stride = (part.area() as f32 / MOST_PIXELS).sqrt().ceil().max(1.0) as usize;
        for y in (part.y0..part.y1).step_by(stride) {
            for x in (part.x0..part.x1).step_by(stride) {
                let p = [x as f32, y as f32];
                let u = inverse.at(p);
                let colour = frame[(x as usize, y as usize)];
                let clipped = colour[..3].iter().any(|v| self.may_clip(*v));
                let inside = bilinear_or(&self.canvas.coverage, u, 0.0) > INSIDE;
                if clipped || !inside || seen.at(p) < 1.0 {
                    continue;
                }
                let pixel = Pixel { at: u, slope: slope(inverse, p), motion: inverses.motion(t, p) };
                let misfit = square_mean(colour, self.averaged(t, &pixel, aperture));
                // All four nodes around it, between which shares are read there.
                let before = |u: f32, n: usize, side: usize| {
                    ((u * (n - 1) as f32 / (side - 1).max(1) as f32) as usize).min(n.saturating_sub(2))
                };
                let (i, j) = (before(u[0], nx, w), before(u[1], ny, h));
                for node in [(i, j), (i + 1, j), (i, j + 1), (i + 1, j + 1)] {
                    let [sum, n] = sums[node];
                    sums[node] = [sum + misfit, n + 1.0];
                }
            }
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Canvas;
    use super::super::filmed::{Filmed, noise, texture};
    use super::*;

    /// The shares of grain of a still surface filmed with as much noise as `strength`; from column 90 on it looks otherwise
    /// from frame to frame.
    fn shares(strength: f32) -> (Canvas, Image<[f32; 1]>) {
        let size = (160, 120);
        let clean = |x: usize, y: usize| texture(x as f32, y as f32);
        let film = |t: usize| {
            Image::from_fn(size.0, size.1, |x, y| {
                let flicker = if x >= 90 { 12.0 * (0.8 * x as f32 + t as f32).sin() } else { 0.0 };
                clean(x, y).map(|v| v + strength * noise(x, y, t) + flicker)
            })
        };
        let footage = Filmed((0..8).map(film).collect());
        let canvas =
            Canvas::new(&[[20.0, 15.0], [140.0, 15.0], [140.0, 105.0], [20.0, 105.0]], size).unwrap();
        let mut solution = Solution::flat(&canvas, &footage, 0).unwrap();
        let (w, h) = canvas.size();
        solution.atlas = Image::from_fn(w, h, |x, y| {
            let [x, y] = canvas.to_reference([x as f32, y as f32]).map(|v| v as usize);
            clean(x, y)
        });
        let shown = |_: usize| Ok(Image::new(size.0, size.1, 1.0));
        let grain = solution.grain(&footage, &shown, 1.0).unwrap();
        (canvas, grain.on(3, (w, h)))
    }

    #[test]
    fn only_what_is_as_faint_as_in_the_best_places_is_grain() {
        let (canvas, shares) = shares(8.0);
        let at = |p: [f32; 2]| {
            let [x, y] = canvas.to_canvas(p).map(|v| v as usize);
            shares[(x, y)][0]
        };
        assert!(at([50.0, 60.0]) > 0.6, "{}", at([50.0, 60.0]));
        assert!(at([120.0, 60.0]) < 0.05, "{}", at([120.0, 60.0]));
    }

    #[test]
    fn clean_footage_has_none() {
        let (_, shares) = shares(0.0);
        assert!(shares.pixels().iter().all(|[s]| *s < 0.01));
    }
}
