//! The pixels about a cut that may be mixed, and what their shares are.

use super::edges::Edges;
use super::follow::{Asked, Neighbour, add_looks};
use super::foreground::{Foreground, Likelihood};
use super::laplacian::Problem;
use super::palette::Palette;
use super::profile::{self, Place, Profile};
use crate::frame::{Image, dilate, distance, gaussian};
use crate::mask::Cut;

/// Pixels from the occluder within which strands may lie that the cut took for the surface.
const STRAY: f32 = 30.0;
/// Half the width, in pixels, of the gaps and strands that a cut loses. What is wider it saw as a whole and decided on.
const THIN: f32 = 2.0;
/// Most weight of the cut's own edge against the colours of what it lost.
const LOST_WEIGHT: f32 = 15.0;
/// About as many pixels of a cut tell the clip's profile, evenly, however many there are.
const MOST_PIXELS: usize = 8192;

/// What is to be found of a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pixel {
    /// Nothing: it is what it was cut as.
    Pure,
    /// Its share, at a place where most cuts are right.
    AtEdge(Place),
    /// Its share, where the cut is likely to be wrong.
    Lost,
}

/// The pixels of a frame that may be mixed.
pub(super) struct Border<'a> {
    edges: Edges,
    cut: &'a Cut,
    /// Which pixels show more of the occluder.
    occluder: &'a Image<bool>,
    foreground: Foreground<'a>,
    pixels: Image<Pixel>,
}

impl<'a> Border<'a> {
    /// What may be mixed, given about where the edge runs.
    pub(super) fn new(
        edges: Edges,
        palette: Option<&'a Palette>,
        cut: &'a Cut,
        occluder: &'a Image<bool>,
    ) -> Self {
        let outside = distance(occluder, |o| o);
        let inside = distance(occluder, |o| !o);
        let near = outside.zip(&inside, |o, i| o <= edges.band && i <= edges.depth);
        let foreground = Foreground::around(cut, occluder, &inside, edges.core(), palette);
        let (w, h) = occluder.size();
        let suspect = Image::from_fn(w, h, |x, y| {
            let at = (x, y);
            let reached = outside[at] <= STRAY && inside[at].is_finite();
            reached
                && !near[at]
                && cut.predicted.coverage[at] > 0.5
                && foreground.is_mixed(cut, at, occluder[at])
        });
        let lost = thin(&suspect);
        let pixels = Image::from_fn(w, h, |x, y| {
            let at = (x, y);
            let depth = if occluder[at] { inside[at] } else { outside[at] };
            match (near[at], lost[at]) {
                (_, true) => Pixel::Lost,
                (true, _) => Pixel::AtEdge(Place::new(depth, occluder[at])),
                _ => Pixel::Pure,
            }
        });
        Self { edges, cut, occluder, foreground, pixels }
    }

    /// What some pixels at the edge say, where the surface is known.
    pub(super) fn told(&self) -> Vec<(Place, Likelihood)> {
        let (w, h) = self.pixels.size();
        let all = (0..h).flat_map(|y| (0..w).map(move |x| (x, y)));
        let at_edge = all.filter_map(|at| match self.pixels[at] {
            Pixel::AtEdge(place) if self.cut.predicted.coverage[at] > 0.5 => Some((at, place)),
            _ => None,
        });
        let at_edge: Vec<_> = at_edge.collect();
        let some = at_edge.iter().step_by(at_edge.len().div_ceil(MOST_PIXELS).max(1));
        some.map(|(at, place)| (*place, self.likelihood(&self.foreground.asked(self.cut, *at)))).collect()
    }

    fn likelihood(&self, asked: &Asked) -> Likelihood {
        self.foreground.likelihood(asked, self.cut.occluders[asked.at])
    }

    /// The occluder's share of every pixel: by its colour and by those of the same points in other frames, by its place
    /// where the clip's `profile` is known, and by the cut.
    pub(super) fn solve(&self, profile: Option<&Profile>, neighbours: &[Neighbour]) -> Image<f32> {
        let (w, h) = self.pixels.size();
        let prior = gaussian(&self.occluder.map(|&o| f32::from(o)), self.edges.blur);
        let all = (0..h).flat_map(|y| (0..w).map(move |x| (x, y)));
        let unknown = all.filter(|at| self.pixels[*at] != Pixel::Pure);
        let mut asked: Vec<Asked> = unknown.map(|at| self.foreground.asked(self.cut, at)).collect();
        neighbours.iter().for_each(|n| add_looks(&mut asked, self.cut.predicted.part, n));
        let mut evidence = Image::new(w, h, [0.0; 2]);
        for asked in &asked {
            let (at, likely) = (asked.at, self.likelihood(asked));
            let own = self.edges.weight;
            let ([weight, pull], own) = match (self.pixels[at], profile) {
                (Pixel::AtEdge(place), Some(profile)) => (profile.share(place, &likely), own),
                (Pixel::Lost, _) => (profile::alone(&likely), own.min(LOST_WEIGHT)),
                _ => (profile::alone(&likely), own),
            };
            evidence[at] = [weight + own, pull + own * prior[at]];
        }
        let start = evidence.zip(self.occluder, |[weight, pull], o| match weight > 0.0 {
            true => pull / weight,
            false => f32::from(o),
        });
        let unknown = self.pixels.map(|p| *p != Pixel::Pure);
        Problem { picture: &self.cut.frame, unknown: &unknown, evidence: &evidence }.solve(start)
    }
}

/// The parts of a mask that are at most twice [`THIN`] wide, a pixel wider.
fn thin(mask: &Image<bool>) -> Image<bool> {
    /// Pixels around a wide part that belong to it, its slopes.
    const SLOPES: f32 = 2.0;
    let depth = distance(mask, |m| !m);
    let wide = distance(&depth.map(|d| *d > THIN), |d| d);
    let kept = mask.zip(&wide, |m, d| f32::from(m && d > THIN + SLOPES));
    dilate(&kept, 1).map(|m| *m > 0.0)
}
