//! From a hard cut to a soft mask.
//!
//! Matting is hard in general because neither layer is known. Here one is: the surface behind is light × atlas. And the
//! other moves before it: what a frame leaves open of an occluder's point, the frames about it, which show the same point
//! before other parts of the surface, tell.

mod border;
mod edges;
mod follow;
mod foreground;
mod laplacian;
mod motion;
mod near;
mod palette;
mod point;
mod profile;
mod recall;
#[cfg(feature = "onnx")]
mod vitmatte;

pub use follow::Stretch;
#[cfg(feature = "onnx")]
pub use vitmatte::VitMatte;

use crate::error::Result;
use crate::frame::Image;
use crate::mask::Cut;
use border::Border;
use edges::Edges;
use follow::Neighbour;
pub use follow::REACH;
use palette::Palette;
use profile::Profile;
use rayon::prelude::*;
use std::borrow::Borrow;

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

    /// Of the cuts of `frames`, the share of the surface that shows, 0…1, over their parts of the frame; exactly 0 and 1
    /// where that is certain. `stretch` holds these cuts, and those within [`REACH`] where there are any. Frames that it does
    /// not hold are left out.
    fn mattes(&self, stretch: &Stretch, frames: &[usize]) -> Result<Vec<Image<f32>>>;
}

/// Matting against the known surface; no model needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct KnownSurface;

impl Matting for KnownSurface {
    fn tuned(&self, cuts: &[Cut]) -> Option<Box<dyn Matting>> {
        (!cuts.is_empty()).then(|| Box::new(Tuned::learn(cuts)) as Box<dyn Matting>)
    }

    /// Tuned to these cuts alone.
    fn mattes(&self, stretch: &Stretch, frames: &[usize]) -> Result<Vec<Image<f32>>> {
        Tuned::learn(&stretch.cuts().collect::<Vec<_>>()).mattes(stretch, frames)
    }
}

/// Times the edge is looked for: the second time, it is known to a fraction of a pixel from the first.
const ROUNDS: usize = 2;
/// Shares nearer to 0 or 1 than this become exactly 0 or 1, so that no trace of the old surface is kept.
const SNAP: f32 = 0.04;
/// Depth in pixels of a core from which edges are soft: pure pixels are far from many of them, and the clip's colours
/// help. A hard edge has its own beside it.
const SOFT: f32 = 5.0;
/// Fewest frames matted at once.
const BATCH: usize = 4;

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
    fn batch(&self) -> usize {
        rayon::current_num_threads().max(BATCH)
    }

    fn mattes(&self, stretch: &Stretch, frames: &[usize]) -> Result<Vec<Image<f32>>> {
        let matte = |t: &usize| Some(self.matte(stretch.cut(*t)?, &stretch.neighbours(*t)));
        Ok(frames.par_iter().filter_map(matte).collect())
    }
}

impl Tuned {
    fn learn<C: Borrow<Cut> + Sync>(cuts: &[C]) -> Self {
        Self::with_edges(Edges::of(cuts), cuts)
    }

    fn with_edges<C: Borrow<Cut> + Sync>(edges: Edges, cuts: &[C]) -> Self {
        let palette = (edges.core() > SOFT).then(|| Palette::learn(cuts, edges.core())).flatten();
        let mut tuned = Self { edges, palette, profiles: Vec::new() };
        let mut occluders: Vec<Image<bool>> =
            cuts.iter().map(|cut| cut.borrow().surface.map(|s| !s)).collect();
        for round in 0..ROUNDS {
            let of = |(cut, occluder): (&C, &Image<bool>)| tuned.border(cut.borrow(), occluder).told();
            let pixels: Vec<Vec<_>> = cuts.par_iter().zip(&occluders).map(of).collect();
            let profile = Profile::learn(&pixels.concat(), edges.trust);
            if round + 1 < ROUNDS {
                let found = |(cut, occluder): (&C, Image<bool>)| {
                    tuned.border(cut.borrow(), &occluder).solve(Some(&profile), &[]).map(|a| *a > 0.5)
                };
                occluders = cuts.par_iter().zip(occluders).map(found).collect();
            }
            tuned.profiles.push(profile);
        }
        tuned
    }

    fn matte(&self, cut: &Cut, neighbours: &[Neighbour]) -> Image<f32> {
        let mut occluder = cut.surface.map(|s| !s);
        let mut share = occluder.map(|&o| f32::from(o));
        for profile in &self.profiles {
            if !occluder.pixels().contains(&true) {
                break;
            }
            share = self.border(cut, &occluder).solve(Some(profile), neighbours);
            occluder = share.map(|a| *a > 0.5);
        }
        share.map(|a| 1.0 - ((a - SNAP) / (1.0 - 2.0 * SNAP)).clamp(0.0, 1.0))
    }

    fn border<'a>(&'a self, cut: &'a Cut, occluder: &'a Image<bool>) -> Border<'a> {
        Border::new(self.edges, self.palette.as_ref(), cut, occluder)
    }
}

#[cfg(test)]
mod tests {
    use super::edges::{EDGE_BLUR, SOFTEST, blur_of, softness, width};
    use super::foreground::Foreground;
    use super::*;
    use crate::frame::{Rect, Rgba, distance};
    use crate::track::Predicted;

    /// A disc before a striped surface, its edge as soft as `soft` pixels, and what its mask should be.
    fn disc(soft: f32) -> (Cut, Image<f32>) {
        let share = |x: f32, y: f32| ((30.0 - (x - 60.0).hypot(y - 50.0)) / soft + 0.5).clamp(0.0, 1.0);
        let grain = |x: f32, y: f32| ((x as usize * 31 + y as usize * 17) % 7) as f32 - 3.0;
        let cut = before_a_surface(0.0, |x, y| {
            (share(x, y), [200.0 + grain(x, y), 60.0, 160.0 - grain(x, y), 0.0])
        });
        (cut, Image::from_fn(120, 100, |x, y| share(x as f32, y as f32)))
    }

    /// An occluder, share and colour by position, before a surface of stripes that are shifted by so many pixels.
    pub(super) fn before_a_surface(shift: f32, occluder: impl Fn(f32, f32) -> (f32, Rgba)) -> Cut {
        let (w, h) = (120, 100);
        let share = Image::from_fn(w, h, |x, y| occluder(x as f32, y as f32).0);
        let surface = Image::from_fn(w, h, |x, y| {
            let stripe = ((x as f32 - shift + 240.0) as usize / 6 + y / 9) % 2;
            [90.0 + 40.0 * stripe as f32, 120.0, 70.0, 0.0]
        });
        let frame = Image::from_fn(w, h, |x, y| {
            let ((a, f), b) = (occluder(x as f32, y as f32), surface[(x, y)]);
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
        let evidence = Image::new(w, h, 0.0);
        Cut { predicted, frame, scatter, occluders, evidence, surface: share.map(|a| *a < 0.2) }
    }

    fn alone(cut: Cut) -> Stretch {
        let mut stretch = Stretch::default();
        stretch.extend([(0, cut)]);
        stretch
    }

    fn mean_error(found: &Image<f32>, share: &Image<f32>) -> f32 {
        let sum: f32 = found.zip(share, |m, a| (m - (1.0 - a)).abs()).pixels().iter().sum();
        sum / share.pixels().len() as f32
    }

    #[test]
    fn a_hard_edge_is_found_within_the_cut() {
        let (cut, share) = disc(2.0);
        let matting = KnownSurface.tuned(&[disc(2.0).0, disc(2.0).0, disc(2.0).0]);
        let found = matting.unwrap().mattes(&alone(cut), &[0]).unwrap();
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
        let [weight, pull] = profile::alone(&foreground.likelihood(&foreground.asked(&cut, (60, 50)), 0.0));
        assert!(pull > 0.5 * weight && weight > 2.0, "{pull} of {weight}");
        cut.frame[(60, 50)] = surface;
        let [weight, pull] = profile::alone(&foreground.likelihood(&foreground.asked(&cut, (60, 50)), 0.0));
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
        matting.mattes(&alone(cut), &[0]).unwrap().remove(0)
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
        let unseen = matting.matte(&cut, &[]);
        cut.occluders = Image::from_fn(120, 100, |x, y| if in_eye(x as f32, y as f32) { 3e-4 } else { 0.0 });
        let seen = matting.matte(&cut, &[]);
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
        let (own, clips) = (mean(without.matte(&cut, &[])), mean(with_palette.matte(&cut, &[])));
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
        assert_eq!(softness(std::slice::from_ref(&cut)), None, "one frame may be wrong");
        let cut = alone(cut);
        let hard = mean_error(&matting.mattes(&cut, &[0]).unwrap()[0], &share);
        let tuned = matting.tuned(&[disc(16.0).0, disc(16.0).0, disc(16.0).0]).unwrap();
        let soft = mean_error(&tuned.mattes(&cut, &[0]).unwrap()[0], &share);
        assert!(soft < 0.5 * hard, "{soft} against {hard}");
    }

    /// A rim of two colours between which the surface's own lies: a frame alone cannot tell which it is that shines
    /// through.
    #[test]
    fn what_one_frame_leaves_open_the_frames_about_it_tell() {
        let share = |x: f32, y: f32| ((30.0 - (x - 60.0).hypot(y - 50.0)) / 12.0 + 0.5).clamp(0.0, 1.0);
        let moves = |t: usize| 4.0 * t as f32 - 12.0;
        let at = |t: usize| {
            before_a_surface(-moves(t), |x, y| {
                let x = x - moves(t);
                let angle = (y - 50.0).atan2(x - 60.0);
                let f = 100.0 + 50.0 * (9.0 * angle).sin() + 8.0 * (0.7 * x).sin() * (0.6 * y).cos();
                (share(x, y), [f, 120.0, 70.0, 0.0])
            })
        };
        let error = |times: std::ops::Range<usize>| {
            let mut cuts = Stretch::default();
            cuts.extend(times.map(|t| (t, at(t))));
            cuts.follow();
            let tuned = Tuned::with_edges(SOFTEST, &[at(3)]);
            let found = tuned.mattes(&cuts, &[3]).unwrap();
            mean_error(&found[0], &Image::from_fn(120, 100, |x, y| share(x as f32, y as f32)))
        };
        let (alone, among) = (error(3..4), error(0..7));
        assert!(among < 0.6 * alone, "{among} against {alone}");
    }
}
