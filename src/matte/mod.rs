//! From a hard cut to a soft mask.
//!
//! Matting is hard in general because neither layer is known. Here one is: the surface behind is light × atlas. Given
//! the occluder's colour nearby, its share of a mixed pixel follows in closed form.

mod foreground;
mod laplacian;
mod palette;
#[cfg(feature = "onnx")]
mod vitmatte;

#[cfg(feature = "onnx")]
pub use vitmatte::VitMatte;

use crate::error::Result;
use crate::frame::{Image, Rgba, dilate, distance, gaussian};
use crate::mask::Cut;
use foreground::Foreground;
use laplacian::Problem;
use palette::Palette;
use rayon::prelude::*;
use std::f64::consts::FRAC_PI_4;

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
#[derive(Debug, Clone, Copy)]
pub struct KnownSurface {
    /// Pixels on the surface's side of the cut that may be mixed.
    pub band: f32,
    /// Pixels on the occluder's side that may be: few for a hard edge, many for hair.
    pub depth: f32,
    /// Weight of the cut's own edge against the colours.
    pub edge_weight: f32,
    /// Blur of the cut's edge in pixels: how soft an edge is taken to be when colours say nothing.
    pub edge_blur: f32,
    /// Shares nearer to 0 or 1 than this become exactly 0 or 1, so that no trace of the old surface is kept.
    pub snap: f32,
}

impl Default for KnownSurface {
    fn default() -> Self {
        Self { band: 2.0, depth: HARD, edge_weight: 60.0, edge_blur: 0.5, snap: 0.04 }
    }
}

/// Depth of a hard edge in pixels.
const HARD: f32 = 3.0;
/// What suits the softest edges: hair mixes far on both sides of the cut, whose own edge says little there.
const SOFTEST: KnownSurface =
    KnownSurface { band: 8.0, depth: 20.0, edge_weight: 5.0, edge_blur: 0.5, snap: 0.04 };
/// How much of the surface's texture shows through just inside the cut up to which its edge is hard, and from which on it
/// is softest.
const THROUGH: [f64; 2] = [0.1, 0.3];
/// Squared differences of the surface's texture, levels, from which a frame tells it.
const LEAST_TOLD: f64 = 2e4;
/// Fewest frames that are believed.
const FEWEST: usize = 3;
/// Depths in pixels over which that is taken.
const RIM: [f32; 2] = [1.0, 4.0];
/// Weight of the cut's own edge while the width of edges is measured.
const MEASURING: f32 = 10.0;
/// Standard deviations, in pixels, of the profile across an edge: those of thin things that are as sharp as pixels can
/// be, and those from which an edge is as soft as a photographed outline's …
const PROFILE: [f64; 2] = [0.55, 0.65];
/// … and the blurs of the cut's edge that suit them.
const EDGE_BLUR: [f32; 2] = [0.3, 0.75];
/// Pixels of edge that tell its width.
const LEAST_EDGE: f64 = 200.0;
/// Times the edge is looked for.
const ROUNDS: usize = 2;
/// Share of its depth from which the colours of a soft edge are pure.
const PURE: f32 = 0.6;
/// Depth in pixels of a core from which edges are soft: pure pixels are far from many of them, and the clip's colours
/// help. A hard edge has its own beside it.
const SOFT: f32 = 5.0;
/// Pixels from the occluder within which strands may lie that the cut took for the surface.
const STRAY: f32 = 30.0;
/// Half the width, in pixels, of the gaps and strands that a cut loses. What is wider it saw as a whole and decided on.
const THIN: f32 = 2.0;
/// Most weight of the cut against the colours of what it lost.
const LOST_WEIGHT: f32 = 15.0;

impl Matting for KnownSurface {
    fn tuned(&self, cuts: &[Cut]) -> Option<Box<dyn Matting>> {
        let (soft, blur) = (softness(cuts), self.profile(cuts).map(edge_blur));
        (soft.is_some() || blur.is_some()).then(|| {
            let sharp = Self { edge_blur: blur.unwrap_or(self.edge_blur), ..*self };
            let edges = sharp.softened(soft.unwrap_or(0.0));
            let soft = edges.core() > SOFT;
            let palette = soft.then(|| Palette::learn(cuts, edges.core())).flatten();
            Box::new(Tuned { edges, palette }) as Box<dyn Matting>
        })
    }

    fn mattes(&self, cuts: &[Cut]) -> Result<Vec<Image<f32>>> {
        Ok(cuts.iter().map(|cut| self.matte(cut, None)).collect())
    }
}

/// Matting tuned to a clip: how wide its edges are, and its occluders' colours where they are soft.
struct Tuned {
    edges: KnownSurface,
    palette: Option<Palette>,
}

impl Matting for Tuned {
    fn mattes(&self, cuts: &[Cut]) -> Result<Vec<Image<f32>>> {
        Ok(cuts.iter().map(|cut| self.edges.matte(cut, self.palette.as_ref())).collect())
    }
}

/// How soft the occluders' edges are, 0 hard … 1 hair, by how much of the surface's texture shines through their rims. The
/// rim's own colours would not tell: a ball is shaded, too.
fn softness(cuts: &[Cut]) -> Option<f32> {
    let told = |cut: &Cut| Some(rim(cut)).filter(|[_, den]| *den > LEAST_TOLD).map(|[n, den]| (n / den, den));
    let seen: Vec<(f64, f64)> = cuts.iter().filter_map(told).collect();
    let through = middle(seen).filter(|(_, frames)| *frames >= FEWEST)?.0;
    Some(((through - THROUGH[0]) / (THROUGH[1] - THROUGH[0])).clamp(0.0, 1.0) as f32)
}

/// The blur of a cut's edge that suits a profile's standard deviation.
fn edge_blur(profile: f64) -> f32 {
    let soft = ((profile - PROFILE[0]) / (PROFILE[1] - PROFILE[0])).clamp(0.0, 1.0) as f32;
    EDGE_BLUR[0] + soft * (EDGE_BLUR[1] - EDGE_BLUR[0])
}

/// The weighted median of values, and their number: a frame in which the surface itself was taken for an occluder has no
/// soft edge, and one that hardly shows an occluder tells little.
fn middle(mut values: Vec<(f64, f64)>) -> Option<(f64, usize)> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = 0.5 * values.iter().map(|v| v.1).sum::<f64>();
    let mut below = 0.0;
    let found = values.iter().find(|v| {
        below += v.1;
        below >= half
    })?;
    Some((found.0, values.len()))
}

/// How much of the surface's texture shows in the rim of a cut: its differences from pixel to pixel times the frame's, and
/// times themselves, summed. What the occluder adds to the frame's is its own and sums to nothing.
fn rim(cut: &Cut) -> [f64; 2] {
    let occluder = cut.surface.map(|s| !s);
    let inside = distance(&occluder, |o| !o);
    let on_rim =
        |at: (usize, usize)| inside[at] > RIM[0] && inside[at] < RIM[1] && cut.predicted.coverage[at] > 0.5;
    let (w, h) = occluder.size();
    let mut sum = [0.0; 2];
    for (x, y) in (1..h).flat_map(|y| (1..w).map(move |x| (x, y))).filter(|at| on_rim(*at)) {
        for beside in [(x - 1, y), (x, y - 1)].into_iter().filter(|at| on_rim(*at)) {
            for c in 0..3 {
                let of = |p: &Image<Rgba>| f64::from(p[(x, y)][c] - p[beside][c]);
                let (surface, frame) = (of(&cut.predicted.surface), of(&cut.frame));
                sum = [sum[0] + surface * frame, sum[1] + surface * surface];
            }
        }
    }
    sum
}

impl KnownSurface {
    /// For edges that are this `soft`, from 0 (as it is) to 1.
    fn softened(self, soft: f32) -> Self {
        let mix = |a: f32, b: f32| a + soft * (b - a);
        Self {
            band: mix(self.band, SOFTEST.band),
            depth: mix(self.depth, SOFTEST.depth),
            edge_weight: mix(self.edge_weight, SOFTEST.edge_weight),
            edge_blur: mix(self.edge_blur, SOFTEST.edge_blur),
            snap: mix(self.snap, SOFTEST.snap),
        }
    }

    /// Standard deviation, in pixels, of the profile across the occluders' edges: what of their pixels is mixed, by the
    /// length of the edges.
    fn profile(&self, cuts: &[Cut]) -> Option<f64> {
        /// ∫ 4·Φ(x)·(1 − Φ(x)) dx over a normal distribution's Φ of deviation 1: 4/√π.
        const MIXED: f64 = 2.256_758;
        let measuring = Self { edge_weight: MEASURING, ..*self };
        let sums = cuts.par_iter().map(|cut| {
            let occluder = cut.surface.map(|s| !s);
            let share = measuring.solve(cut, &occluder, None).map(|a| a.clamp(0.0, 1.0));
            let (w, h) = share.size();
            let (mut mixed, mut steps) = (0.0f64, 0usize);
            for (x, y) in (1..h).flat_map(|y| (1..w).map(move |x| (x, y))) {
                if cut.predicted.coverage[(x, y)] > 0.5 {
                    let a = share[(x, y)];
                    mixed += f64::from(4.0 * a * (1.0 - a));
                    let parted = |q: (usize, usize)| usize::from((share[q] > 0.5) != (a > 0.5));
                    steps += parted((x - 1, y)) + parted((x, y - 1));
                }
            }
            // Steps along rows and columns are, over all directions, 4/π as long as the edge.
            (mixed, steps as f64 * FRAC_PI_4)
        });
        let (mixed, length) =
            sums.collect::<Vec<_>>().into_iter().fold((0.0, 0.0), |s, t| (s.0 + t.0, s.1 + t.1));
        (length > LEAST_EDGE).then(|| mixed / length / MIXED)
    }

    /// Depth in pixels from which the occluder's colours are pure.
    fn core(&self) -> f32 {
        if self.depth > HARD { PURE * self.depth } else { foreground::CORE }
    }

    fn matte(&self, cut: &Cut, palette: Option<&Palette>) -> Image<f32> {
        let mut occluder = cut.surface.map(|s| !s);
        let mut share = occluder.map(|&o| f32::from(o));
        // The second round knows the edge to a fraction of a pixel from the first.
        for _ in 0..ROUNDS {
            if !occluder.pixels().contains(&true) {
                break;
            }
            share = self.solve(cut, &occluder, palette);
            occluder = share.map(|a| *a > 0.5);
        }
        share.map(|a| 1.0 - ((a - self.snap) / (1.0 - 2.0 * self.snap)).clamp(0.0, 1.0))
    }

    /// The occluder's share of every pixel, given about where its edge runs.
    fn solve(&self, cut: &Cut, occluder: &Image<bool>, palette: Option<&Palette>) -> Image<f32> {
        let outside = distance(occluder, |o| o);
        let inside = distance(occluder, |o| !o);
        let edge = outside.zip(&inside, |o, i| o <= self.band && i <= self.depth);
        let foreground = Foreground::around(cut, occluder, &inside, self.core(), palette);
        let (w, h) = occluder.size();
        let suspect = Image::from_fn(w, h, |x, y| {
            let at = (x, y);
            let near = outside[at] <= STRAY && inside[at].is_finite();
            near && !edge[at]
                && cut.predicted.coverage[at] > 0.5
                && foreground.is_mixed(cut, at, occluder[at])
        });
        let lost = thin(&suspect);
        let unknown = edge.zip(&lost, |e, l| e || l);
        let prior = gaussian(&occluder.map(|&o| f32::from(o)), self.edge_blur);
        let evidence = Image::from_fn(w, h, |x, y| {
            if !unknown[(x, y)] {
                return [0.0; 2];
            }
            let [pull, weight] = foreground.share(cut, (x, y));
            let own = if lost[(x, y)] { self.edge_weight.min(LOST_WEIGHT) } else { self.edge_weight };
            [weight + own, pull + own * prior[(x, y)]]
        });
        let start = Image::from_fn(w, h, |x, y| match evidence[(x, y)] {
            [weight, pull] if weight > 0.0 => (pull / weight).clamp(0.0, 1.0),
            _ => f32::from(occluder[(x, y)]),
        });
        Problem { picture: &cut.frame, unknown: &unknown, evidence: &evidence }.solve(start)
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

    #[test]
    fn the_middle_value_is_found_by_weight() {
        assert_eq!(middle(vec![(0.95, 180.0), (0.77, 23.0), (0.79, 22.0)]), Some((0.95, 3)));
        assert_eq!(middle(vec![(0.6, 1.0), (0.9, 1.0), (0.7, 1.0)]), Some((0.7, 3)));
        assert_eq!(middle(Vec::new()), None);
    }

    fn mean_error(found: &Image<f32>, share: &Image<f32>) -> f32 {
        let sum: f32 = found.zip(share, |m, a| (m - (1.0 - a)).abs()).pixels().iter().sum();
        sum / share.pixels().len() as f32
    }

    #[test]
    fn a_hard_edge_is_found_within_the_cut() {
        let (cut, share) = disc(2.0);
        let matting = KnownSurface::default().tuned(&[disc(2.0).0, disc(2.0).0, disc(2.0).0]);
        let found = matting.unwrap().mattes(std::slice::from_ref(&cut)).unwrap();
        assert!(mean_error(&found[0], &share) < 0.003, "{}", mean_error(&found[0], &share));
        assert_eq!((found[0][(60, 50)], found[0][(3, 3)]), (0.0, 1.0));
    }

    #[test]
    fn the_width_of_edges_is_measured() {
        // A ramp as wide as w mixes ⅔·w pixels.
        for (soft, wanted) in [(1.2f32, 0.35), (2.0, 0.59), (3.0, 0.89)] {
            let found = KnownSurface::default().profile(&[disc(soft).0, disc(soft).0]).unwrap();
            assert!((found - wanted).abs() < 0.08, "{found} for {wanted}");
        }
        assert_eq!((edge_blur(0.5), edge_blur(0.9)), (EDGE_BLUR[0], EDGE_BLUR[1]));
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
        let [pull, weight] = foreground.share(&cut, (60, 50));
        assert!(pull > 0.5 * weight && weight > 2.0, "{pull} of {weight}");
        cut.frame[(60, 50)] = surface;
        let [pull, weight] = foreground.share(&cut, (60, 50));
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
        let matting = KnownSurface::default().tuned(&[disc(2.0).0, disc(2.0).0, disc(2.0).0]).unwrap();
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
        let palette = Palette::learn(&[disc(2.0).0], PURE * SOFTEST.depth).unwrap();
        let unseen = SOFTEST.matte(&cut, Some(&palette));
        cut.occluders = Image::from_fn(120, 100, |x, y| if in_eye(x as f32, y as f32) { 3e-4 } else { 0.0 });
        let seen = SOFTEST.matte(&cut, Some(&palette));
        assert!(seen[(42, 50)] < 0.3 && unseen[(42, 50)] > 0.7, "{}, {}", seen[(42, 50)], unseen[(42, 50)]);
    }

    /// Strands that nowhere hide the surface wholly, as hair that comes into the region: their own colours are mixed, and
    /// taken for pure would tell too large a share.
    #[test]
    fn the_clips_colours_tell_the_share_of_strands_without_a_core() {
        let strand = |x: usize| if x % 9 == 4 { 0.4 } else { 0.0 };
        let mut cut = marked(|x, _| strand(x as usize));
        cut.surface = Image::from_fn(120, 100, |x, _| strand(x) == 0.0);
        let palette = Palette::learn(&[disc(2.0).0], PURE * SOFTEST.depth).unwrap();
        let mean = |found: Image<f32>| (20..80).map(|y| 1.0 - found[(58, y)]).sum::<f32>() / 60.0;
        let (own, clips) = (mean(SOFTEST.matte(&cut, None)), mean(SOFTEST.matte(&cut, Some(&palette))));
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
        let matting = KnownSurface::default();
        let hard = mean_error(&matting.mattes(std::slice::from_ref(&cut)).unwrap()[0], &share);
        assert_eq!(softness(std::slice::from_ref(&cut)), None, "one frame may be wrong");
        let tuned = matting.tuned(&[disc(16.0).0, disc(16.0).0, disc(16.0).0]).unwrap();
        let soft = mean_error(&tuned.mattes(std::slice::from_ref(&cut)).unwrap()[0], &share);
        assert!(soft < 0.5 * hard, "{soft} against {hard}");
    }
}
