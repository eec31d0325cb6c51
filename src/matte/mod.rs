//! From a hard cut to a soft mask.
//!
//! Matting is hard in general because neither layer is known. Here one is: the surface behind is light × atlas. Given
//! the occluder's colour nearby, its share of a mixed pixel follows in closed form.

mod edges;
mod foreground;
mod laplacian;
mod palette;
mod profile;
#[cfg(feature = "onnx")]
mod vitmatte;

#[cfg(feature = "onnx")]
pub use vitmatte::VitMatte;

use crate::error::Result;
use crate::frame::{Image, dilate, distance, gaussian};
use crate::mask::Cut;
use edges::Edges;
use foreground::{Foreground, Likelihood};
use laplacian::Problem;
use palette::Palette;
use profile::{Place, Profile};
use rayon::prelude::*;

/// Turns cuts into soft masks.
pub trait Matting: Send + Sync {
    /// Frames it is best given at once, at least 1.
    fn batch(&self) -> usize {
        1
    }

    /// The same, tuned to a clip from some of its cuts; `None` where there is nothing to tune.
    fn tuned(&self, _cuts: &[Cut]) -> Option<Box<dyn Matting>> {
        None
    }

    /// Of each cut, the share of the surface that shows, 0…1, over its part of the frame; exactly 0 and 1 where that is
    /// certain.
    fn mattes(&self, cuts: &[Cut]) -> Result<Vec<Image<f32>>>;
}

/// Matting against the known surface; no model needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct KnownSurface;

impl Matting for KnownSurface {
    fn tuned(&self, cuts: &[Cut]) -> Option<Box<dyn Matting>> {
        (!cuts.is_empty()).then(|| Box::new(Tuned::learn(cuts)) as Box<dyn Matting>)
    }

    /// Tuned to these cuts alone.
    fn mattes(&self, cuts: &[Cut]) -> Result<Vec<Image<f32>>> {
        Tuned::learn(cuts).mattes(cuts)
    }
}

/// Times the edge is looked for: the second time, it is known to a fraction of a pixel from the first.
const ROUNDS: usize = 2;
/// Shares nearer to 0 or 1 than this become exactly 0 or 1, so that no trace of the old surface is kept.
const SNAP: f32 = 0.04;
/// Depth in pixels of a core from which edges are soft: pure pixels are far from many of them, and the clip's colours
/// help. A hard edge has its own beside it.
const SOFT: f32 = 5.0;
/// Pixels from the occluder within which strands may lie that the cut took for the surface.
const STRAY: f32 = 30.0;
/// Half the width, in pixels, of the gaps and strands that a cut loses. What is wider it saw as a whole and decided on.
const THIN: f32 = 2.0;
/// Most weight of the cut's own edge against the colours of what it lost.
const LOST_WEIGHT: f32 = 15.0;
/// About as many pixels of a cut tell the clip's profile, evenly, however many there are.
const MOST_PIXELS: usize = 8192;

/// Matting tuned to a clip.
#[derive(Debug, Clone)]
struct Tuned {
    /// How wide its edges are.
    edges: Edges,
    /// Its occluders' colours, where edges are soft.
    palette: Option<Palette>,
    /// How much of an occluder shows at each depth about the edge, as each round knows it.
    profiles: Vec<Profile>,
}

impl Matting for Tuned {
    fn mattes(&self, cuts: &[Cut]) -> Result<Vec<Image<f32>>> {
        Ok(cuts.iter().map(|cut| self.matte(cut)).collect())
    }
}

impl Tuned {
    fn learn(cuts: &[Cut]) -> Self {
        Self::with_edges(Edges::of(cuts), cuts)
    }

    fn with_edges(edges: Edges, cuts: &[Cut]) -> Self {
        let palette = (edges.core() > SOFT).then(|| Palette::learn(cuts, edges.core())).flatten();
        let mut tuned = Self { edges, palette, profiles: Vec::new() };
        let mut occluders: Vec<Image<bool>> = cuts.iter().map(|cut| cut.surface.map(|s| !s)).collect();
        for round in 0..ROUNDS {
            let of = |(cut, occluder): (&Cut, &Image<bool>)| tuned.border(cut, occluder).told();
            let pixels: Vec<Vec<_>> = cuts.par_iter().zip(&occluders).map(of).collect();
            let profile = Profile::learn(&pixels.concat(), edges.trust);
            if round + 1 < ROUNDS {
                let found = |(cut, occluder): (&Cut, Image<bool>)| {
                    tuned.border(cut, &occluder).solve(Some(&profile)).map(|a| *a > 0.5)
                };
                occluders = cuts.par_iter().zip(occluders).map(found).collect();
            }
            tuned.profiles.push(profile);
        }
        tuned
    }

    fn matte(&self, cut: &Cut) -> Image<f32> {
        let mut occluder = cut.surface.map(|s| !s);
        let mut share = occluder.map(|&o| f32::from(o));
        for profile in &self.profiles {
            if !occluder.pixels().contains(&true) {
                break;
            }
            share = self.border(cut, &occluder).solve(Some(profile));
            occluder = share.map(|a| *a > 0.5);
        }
        share.map(|a| 1.0 - ((a - SNAP) / (1.0 - 2.0 * SNAP)).clamp(0.0, 1.0))
    }

    /// What may be mixed, given about where the edge runs.
    fn border<'a>(&'a self, cut: &'a Cut, occluder: &'a Image<bool>) -> Border<'a> {
        let outside = distance(occluder, |o| o);
        let inside = distance(occluder, |o| !o);
        let near = outside.zip(&inside, |o, i| o <= self.edges.band && i <= self.edges.depth);
        let foreground = Foreground::around(cut, occluder, &inside, self.edges.core(), self.palette.as_ref());
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
        Border { edges: self.edges, cut, occluder, foreground, pixels }
    }
}

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
struct Border<'a> {
    edges: Edges,
    cut: &'a Cut,
    /// Which pixels show more of the occluder.
    occluder: &'a Image<bool>,
    foreground: Foreground<'a>,
    pixels: Image<Pixel>,
}

impl Border<'_> {
    /// What some pixels at the edge say, where the surface is known.
    fn told(&self) -> Vec<(Place, Likelihood)> {
        let (w, h) = self.pixels.size();
        let all = (0..h).flat_map(|y| (0..w).map(move |x| (x, y)));
        let at_edge = all.filter_map(|at| match self.pixels[at] {
            Pixel::AtEdge(place) if self.cut.predicted.coverage[at] > 0.5 => Some((at, place)),
            _ => None,
        });
        let at_edge: Vec<_> = at_edge.collect();
        let some = at_edge.iter().step_by(at_edge.len().div_ceil(MOST_PIXELS).max(1));
        some.map(|(at, place)| (*place, self.foreground.likelihood(self.cut, *at))).collect()
    }

    /// The occluder's share of every pixel, by its colour, its place where the clip's `profile` is known, and the cut.
    fn solve(&self, profile: Option<&Profile>) -> Image<f32> {
        let (w, h) = self.pixels.size();
        let prior = gaussian(&self.occluder.map(|&o| f32::from(o)), self.edges.blur);
        let evidence = Image::from_fn(w, h, |x, y| {
            let at = (x, y);
            let likely = || self.foreground.likelihood(self.cut, at);
            let ([weight, pull], own) = match (self.pixels[at], profile) {
                (Pixel::Pure, _) => return [0.0; 2],
                (Pixel::AtEdge(place), Some(profile)) => (profile.share(place, &likely()), self.edges.weight),
                (Pixel::AtEdge(_), None) => (profile::alone(&likely()), self.edges.weight),
                (Pixel::Lost, _) => (profile::alone(&likely()), self.edges.weight.min(LOST_WEIGHT)),
            };
            [weight + own, pull + own * prior[at]]
        });
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

#[cfg(test)]
mod tests {
    use super::edges::{EDGE_BLUR, SOFTEST, blur_of, softness, width};
    use super::*;
    use crate::frame::Rect;
    use crate::track::Predicted;

    /// A disc before a striped surface, its edge as soft as `soft` pixels, and what its mask should be.
    fn disc(soft: f32) -> (Cut, Image<f32>) {
        let (w, h) = (120, 100);
        let share = Image::from_fn(w, h, |x, y| {
            ((30.0 - (x as f32 - 60.0).hypot(y as f32 - 50.0)) / soft + 0.5).clamp(0.0, 1.0)
        });
        let surface =
            Image::from_fn(w, h, |x, y| [90.0 + 40.0 * ((x / 6 + y / 9) % 2) as f32, 120.0, 70.0, 0.0]);
        let grain = |x: usize, y: usize| ((x * 31 + y * 17) % 7) as f32 - 3.0;
        let frame = Image::from_fn(w, h, |x, y| {
            let (a, b) = (share[(x, y)], surface[(x, y)]);
            let f = [200.0 + grain(x, y), 60.0, 160.0 - grain(x, y), 0.0];
            [0, 1, 2, 3].map(|c| a * f[c] + (1.0 - a) * b[c])
        });
        let still = Image::new(w, h, [0.0; 2]);
        let predicted = Predicted {
            part: Rect::new(0, 0, w as i32, h as i32),
            at: still.clone(),
            motion: still,
            surface,
            gain: Image::new(w, h, [1.0; 4]),
            coverage: Image::new(w, h, 1.0),
        };
        let scatter = Image::new(w, h, [2.0, 2.0, 2.0, 0.0]);
        let occluders = Image::new(w, h, 0.0);
        let cut = Cut { predicted, frame, scatter, occluders, surface: share.map(|a| *a < 0.2) };
        (cut, share)
    }

    fn mean_error(found: &Image<f32>, share: &Image<f32>) -> f32 {
        let sum: f32 = found.zip(share, |m, a| (m - (1.0 - a)).abs()).pixels().iter().sum();
        sum / share.pixels().len() as f32
    }

    #[test]
    fn a_hard_edge_is_found_within_the_cut() {
        let (cut, share) = disc(2.0);
        let matting = KnownSurface.tuned(&[disc(2.0).0, disc(2.0).0, disc(2.0).0]);
        let found = matting.unwrap().mattes(std::slice::from_ref(&cut)).unwrap();
        assert!(mean_error(&found[0], &share) < 0.003, "{}", mean_error(&found[0], &share));
        assert_eq!((found[0][(60, 50)], found[0][(3, 3)]), (0.0, 1.0));
    }

    #[test]
    fn the_width_of_edges_is_measured() {
        // A ramp as wide as w mixes ⅔·w pixels.
        for (soft, wanted) in [(1.2f32, 0.35), (2.0, 0.59), (3.0, 0.89)] {
            let found = width(&[disc(soft).0, disc(soft).0]).unwrap();
            assert!((found - wanted).abs() < 0.08, "{found} for {wanted}");
        }
        assert_eq!((blur_of(0.5), blur_of(0.9)), (EDGE_BLUR[0], EDGE_BLUR[1]));
    }

    /// Occluder and surface of the same mean colour: what lies far from the surface's own scatter shows the occluder, as
    /// certainly as it lies far; what lies within says little.
    #[test]
    fn grain_tells_an_occluder_from_a_surface_of_its_colour() {
        let (mut cut, share) = disc(1.0);
        let surface = [120.0, 120.0, 120.0, 0.0];
        let grain = |x: usize, y: usize| [-30.0, 25.0, 30.0, -25.0][(x * 7 + y * 3 + x * y) % 4];
        for (y, x) in (0..100).flat_map(|y| (0..120).map(move |x| (y, x))) {
            let g = share[(x, y)] * grain(x, y);
            cut.predicted.surface[(x, y)] = surface;
            cut.frame[(x, y)] = surface.map(|v| v + g);
        }
        let occluder = share.map(|a| *a > 0.5);
        let inside = distance(&occluder, |o| !o);
        let foreground = Foreground::around(&cut, &occluder, &inside, foreground::CORE, None);
        let [weight, pull] = profile::alone(&foreground.likelihood(&cut, (60, 50)));
        assert!(pull > 0.5 * weight && weight > 2.0, "{pull} of {weight}");
        cut.frame[(60, 50)] = surface;
        let [weight, pull] = profile::alone(&foreground.likelihood(&cut, (60, 50)));
        assert!(pull < 0.3 * weight, "{pull} of {weight}");
    }

    /// Paints a mark over the disc's frame, with a share of the occluder of 1 where `mark` says 1; the cut does not see it.
    fn marked(mark: impl Fn(f32, f32) -> f32) -> Cut {
        let (mut cut, _) = disc(2.0);
        for (y, x) in (0..100).flat_map(|y| (0..120).map(move |x| (y, x))) {
            let a = mark(x as f32, y as f32);
            if a >= 0.0 {
                let b = cut.predicted.surface[(x, y)];
                let f = [200.0, 60.0, 160.0, 0.0];
                cut.frame[(x, y)] = [0, 1, 2, 3].map(|c| a * f[c] + (1.0 - a) * b[c]);
            }
        }
        cut
    }

    fn tuned_matte(cut: Cut) -> Image<f32> {
        let matting = KnownSurface.tuned(&[disc(2.0).0, disc(2.0).0, disc(2.0).0]).unwrap();
        matting.mattes(&[cut]).unwrap().remove(0)
    }

    #[test]
    fn a_slit_and_a_strand_that_the_cut_lost_are_found() {
        let line = |off: f32| (2.0 - off.abs()).clamp(0.0, 1.0);
        let slit = tuned_matte(marked(|x, y| {
            if (35.0..60.0).contains(&y) && (x - 60.0).abs() < 2.0 { 1.0 - line(x - 60.0) } else { -1.0 }
        }));
        assert!((40..55).all(|y| slit[(60, y)] > 0.8 && slit[(50, y)] == 0.0), "{}", slit[(60, 45)]);
        let strand = tuned_matte(marked(|x, y| {
            if (30.0..70.0).contains(&y) && (x - 105.0).abs() < 2.0 { line(x - 105.0) } else { -1.0 }
        }));
        assert!((35..65).all(|y| strand[(105, y)] < 0.2 && strand[(98, y)] == 1.0), "{}", strand[(105, 45)]);
    }

    /// An eye of the surface's colour is no hole: the cut saw all of it and closed it.
    #[test]
    fn a_wide_patch_is_left_as_it_was_cut() {
        let eye = tuned_matte(marked(|x, y| if (x - 60.0).hypot(y - 50.0) < 7.0 { 0.0 } else { -1.0 }));
        assert_eq!(eye[(60, 50)], 0.0);
    }

    /// The same within a soft edge, where each pixel is asked: it may show the surface or an occluder that looks like it.
    #[test]
    fn a_patch_in_a_colour_that_occluders_were_seen_in_is_no_hole() {
        let in_eye = |x: f32, y: f32| (x - 42.0).hypot(y - 50.0) < 5.0;
        let mut cut = marked(|x, y| if in_eye(x, y) { 0.0 } else { -1.0 });
        cut.scatter = Image::new(120, 100, [8.0, 8.0, 8.0, 0.0]);
        let matting = Tuned::with_edges(SOFTEST, &[disc(2.0).0]);
        let unseen = matting.matte(&cut);
        cut.occluders = Image::from_fn(120, 100, |x, y| if in_eye(x as f32, y as f32) { 3e-4 } else { 0.0 });
        let seen = matting.matte(&cut);
        assert!(seen[(42, 50)] < 0.3 && unseen[(42, 50)] > 0.7, "{}, {}", seen[(42, 50)], unseen[(42, 50)]);
    }

    /// Strands that nowhere hide the surface wholly, as hair that comes into the region: their own colours are mixed, and
    /// taken for pure would tell too large a share.
    #[test]
    fn the_clips_colours_tell_the_share_of_strands_without_a_core() {
        let strand = |x: usize| if x % 9 == 4 { 0.4 } else { 0.0 };
        let mut cut = marked(|x, _| strand(x as usize));
        cut.surface = Image::from_fn(120, 100, |x, _| strand(x) == 0.0);
        let with_palette = Tuned::with_edges(SOFTEST, &[disc(2.0).0]);
        let without = Tuned { palette: None, ..with_palette.clone() };
        let mean = |found: Image<f32>| (20..80).map(|y| 1.0 - found[(58, y)]).sum::<f32>() / 60.0;
        let (own, clips) = (mean(without.matte(&cut)), mean(with_palette.matte(&cut)));
        assert!((clips - 0.4).abs() < 0.08 && (own - 0.4).abs() > 0.2, "{own}, {clips}");
    }

    /// A ball's shade is not the surface that shines through: nothing is softened for it.
    #[test]
    fn a_shaded_ball_is_not_taken_for_hair() {
        let ball = || {
            let (mut cut, share) = disc(2.0);
            for (y, x) in (0..100).flat_map(|y| (0..120).map(move |x| (y, x))) {
                let shade = 0.6 * (0.04 * (x as f32 - 60.0).hypot(y as f32 - 50.0)).powi(2).min(1.0);
                let (f, surface) = (cut.frame[(x, y)], [110.0, 120.0, 70.0, 0.0]);
                if share[(x, y)] == 1.0 {
                    cut.frame[(x, y)] = [0, 1, 2, 3].map(|c| f[c] + shade * (surface[c] - f[c]));
                }
            }
            cut
        };
        assert_eq!(softness(&[ball(), ball(), ball()]), Some(0.0));
    }

    /// Where the surface shines through a wide rim, the rim is sought as wide.
    #[test]
    fn a_soft_edge_is_noticed_and_followed() {
        let (cut, share) = disc(16.0);
        let matting = KnownSurface;
        let hard = mean_error(&matting.mattes(std::slice::from_ref(&cut)).unwrap()[0], &share);
        assert_eq!(softness(std::slice::from_ref(&cut)), None, "one frame may be wrong");
        let tuned = matting.tuned(&[disc(16.0).0, disc(16.0).0, disc(16.0).0]).unwrap();
        let soft = mean_error(&tuned.mattes(std::slice::from_ref(&cut)).unwrap()[0], &share);
        assert!(soft < 0.5 * hard, "{soft} against {hard}");
    }
}
