//! From the solution at working size to the product: atlas at full size, maps, masks and light in the host's values.

use super::frames::Watched;
use super::masks::Masks;
use crate::atlas::{Layer, Placement, Quality, Surface};
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Encoding, Image, Rgba, Scale};
use crate::store::Grid;
use crate::track::{Canvas, Grain, Inverse, Inverses, Solution};

/// Largest refinement of the atlas against the reference frame.
const LARGEST_SCALE: f64 = 4.0;
/// Most pixels an atlas may have.
const MOST_PIXELS: f64 = 64e6;
/// Frames seen this much larger than on the reference frame make the atlas finer.
const WORTH_REFINING: f64 = 1.1;

/// Weight that a pixel has at least that the masks say is visible.
const VOUCHED: f32 = 0.01;

/// How a solution at working size becomes layers at full size, in the host's values.
pub(super) struct Layers<'a> {
    pub(super) solution: &'a Solution,
    pub(super) inverses: &'a Inverses,
    /// Between full and working size.
    pub(super) scale: Scale,
    pub(super) encoding: Encoding,
}

/// One region ready to be stored.
pub(super) struct Baked<'a> {
    /// The part that changes with time.
    pub(super) layers: Layers<'a>,
    /// The part that does not.
    pub(super) surface: Surface,
    /// Side of the square that a frame's pixels average, where the region tells.
    pub(super) pixel_aperture: Option<f32>,
    pub(super) grain: Grain,
}

/// Atlas pixels to a reference pixel: as many as the sharpest view shows.
fn atlas_scale(solution: &Solution, scale: Scale) -> f64 {
    let zooms = solution.maps.iter().zip(&solution.clarity).filter(|(_, c)| **c > 0.3);
    let nearest = zooms.map(|(m, _)| f64::from(solution.canvas.magnification(m))).fold(1.0, f64::max);
    let area = solution.canvas.bounds.area() as f64 * scale.factor[0] * scale.factor[1];
    let wanted = if nearest > WORTH_REFINING { nearest } else { 1.0 };
    wanted.min(LARGEST_SCALE).min((MOST_PIXELS / area).sqrt().max(1.0))
}

impl<'a> Baked<'a> {
    /// Bakes the atlas from the clip's own frames, weighted by the finished masks; reads them as often as
    /// [`Baked::passes`] says.
    pub(super) fn new(
        frames: &Watched,
        solution: &'a Solution,
        inverses: &'a Inverses,
        masks: &Masks,
        (reference, sharpenings, ceiling): (usize, usize, Option<f32>),
    ) -> Result<Self> {
        let full = frames.full();
        let scale = Scale::between(full.size(), masks.size());
        let finer = atlas_scale(solution, scale);
        let on_canvas = Scale { factor: scale.factor.map(|f| f * finer) };
        let mut fine = solution.finer(on_canvas, scale, ceiling.map_or(f32::INFINITY, |c| c * 255.0))?;
        let visible = |t: usize| masks.read(t).map(|m| m.map(|v| f32::from(*v) / 255.0));
        // What frames show lies where their exposures' middles put it.
        fine.expose(0.0, full.size(), reference);
        fine.mean_atlas(frames, Some(&visible), VOUCHED)?;
        for _ in 0..sharpenings {
            fine.sharpen(frames, Some(&visible), 0.0)?;
        }
        fine.expose(solution.shutter, full.size(), reference);
        let pixel_aperture = fine.find_pixel_aperture(full, &visible)?;
        let grain = fine.grain(frames, &visible, pixel_aperture.unwrap_or(1.0))?;
        let first = [fine.canvas.bounds.x0, fine.canvas.bounds.y0].map(f64::from);
        let placement = Placement {
            // Fine canvas pixels are `finer` times finer than full-size reference pixels.
            origin: Scale { factor: [finer; 2] }.to_coarse(first),
            scale: finer,
            size: [fine.atlas.width(), fine.atlas.height()],
        };
        let decode = |v: f32| full.encoding.from_display(v / 255.0);
        let picture =
            fine.atlas.zip(&fine.canvas.coverage, |a, k| [decode(a[0]), decode(a[1]), decode(a[2]), k]);
        let layers = Layers { solution, inverses, scale, encoding: full.encoding };
        Ok(Self { layers, surface: Surface { placement, picture }, pixel_aperture, grain })
    }
}

impl Baked<'_> {
    /// How often a region's baking reads all frames.
    pub(super) fn passes(sharpenings: usize) -> usize {
        // Mean, sharpenings, grain.
        2 + sharpenings
    }

    /// One frame of the region, on `grid`.
    pub(super) fn layer(&self, t: usize, grid: Grid, mask: Image<u8>) -> Layer {
        self.layers.layer(t, grid, mask, &self.grain.on(t, grid.light))
    }
}

impl Layers<'_> {
    /// Sizes of the map's and the light's grids.
    pub(super) fn grids(&self, full: (usize, usize)) -> Grid {
        Grid { map: self.map_nodes(full), light: self.light_nodes() }
    }

    /// As many as the light needs, or so many more that grain, which is stored with it, has its own.
    fn light_nodes(&self) -> (usize, usize) {
        let (nx, ny) = self.solution.light.stored_grid();
        let times = (Grain::NODES - 1).div_ceil((nx.max(ny) - 1).max(1));
        ((nx - 1) * times + 1, (ny - 1) * times + 1)
    }

    fn map_nodes(&self, full: (usize, usize)) -> (usize, usize) {
        let [sx, sy] = map_step(self.scale);
        let nodes = |n: usize, step: f64| ((n - 1) as f64 / step).ceil() as usize + 1;
        (nodes(full.0, sx), nodes(full.1, sy))
    }

    /// One frame of the region, on `grid`, with its shares of `grain` on the light's nodes.
    pub(super) fn layer(&self, t: usize, grid: Grid, mask: Image<u8>, grain: &Image<[f32; 1]>) -> Layer {
        let (w, h) = grid.map;
        let step = map_step(self.scale);
        let far = [-1e4f32; 2];
        let map = match self.inverses.get(t) {
            None => Image::new(w, h, far),
            Some(inverse) => Image::from_fn(w, h, |i, j| {
                let p = self.scale.to_coarse([i as f64 * step[0], j as f64 * step[1]]);
                let u = self.solution.canvas.to_reference(inverse.at(p.map(|v| v as f32)));
                self.scale.to_fine(u.map(f64::from)).map(|v| v as f32)
            }),
        };
        let light = self.light(t, grid.light).zip(grain, |[r, g, b, _], [share]| [r, g, b, share]);
        Layer { map, mask, light }
    }

    fn light(&self, t: usize, nodes: (usize, usize)) -> Image<Rgba> {
        let gains = Gains::of(&self.solution.canvas, &self.solution.atlas, self.encoding);
        gains.stored(&self.solution.light.stored(t, nodes, gains.brightness()))
    }
}

/// Gains between display-encoded values, in which light is fitted, and the host's own, in which it is stored. A gain of
/// the one is no single gain of the other; it is turned as is right at the region's mean colour.
pub(super) struct Gains {
    mean: [f32; 3],
    encoding: Encoding,
}

impl Gains {
    /// For a region that looks like `atlas`, levels.
    pub(super) fn of(canvas: &Canvas, atlas: &Image<Rgba>, encoding: Encoding) -> Self {
        let mut sum = [0.0f32; 4];
        for (a, k) in atlas.pixels().iter().zip(canvas.coverage.pixels()) {
            (0..3).for_each(|c| sum[c] += a[c] / 255.0 * k);
            sum[3] += k;
        }
        Self { mean: [0, 1, 2].map(|c| (sum[c] / sum[3].max(1.0)).max(0.05)), encoding }
    }

    /// Mean of the channels, levels.
    fn brightness(&self) -> f32 {
        self.mean.iter().sum::<f32>() / 3.0 * 255.0
    }

    fn stored(&self, nodes: &Image<Rgba>) -> Image<Rgba> {
        self.turned(nodes, |mean, g| self.encoding.from_display(mean * g) / self.encoding.from_display(mean))
    }

    /// The reverse: stored gains as they were fitted.
    pub(super) fn fitted(&self, nodes: &Image<Rgba>) -> Image<Rgba> {
        self.turned(nodes, |mean, g| self.encoding.to_display(self.encoding.from_display(mean) * g) / mean)
    }

    fn turned(&self, nodes: &Image<Rgba>, turn: impl Fn(f32, f32) -> f32) -> Image<Rgba> {
        let linear = self.encoding == Encoding::Linear;
        nodes.map(|g| {
            let gain = |c: usize| if linear { turn(self.mean[c], g[c]) } else { g[c] };
            [gain(0), gain(1), gain(2), 1.0]
        })
    }
}

/// How much worse than the reference frame, in dB, the frames of a clip that is followed well fit at most in the middle:
/// light and compression differ.
const BEYOND_REFERENCE: f32 = 6.0;

/// Full-size pixels between nodes of the stored map.
pub(super) fn map_step(scale: Scale) -> [f64; 2] {
    scale.factor.map(|f| f * Inverse::STEP as f64)
}

/// Judges `frames` against the rest of the clip, on top of the confidence their own masks leave.
///
/// Confidence is low where little of the surface shows or what shows fits worse than in the rest of the clip, of which most
/// may be lost, or much worse than in the reference frame, which is not.
pub(super) fn confidence(
    quality: &mut [Quality],
    reference: usize,
    frames: &[usize],
    bridged: impl Fn(usize) -> bool,
) {
    let mut psnr: Vec<f32> = quality.iter().map(|q| q.psnr).filter(|p| *p > 0.0).collect();
    psnr.sort_by(f32::total_cmp);
    let median = psnr.get(psnr.len() / 2).copied().unwrap_or(0.0);
    let usual = median.max(quality.get(reference).map_or(0.0, |q| q.psnr) - BEYOND_REFERENCE);
    for &t in frames {
        let q = &mut quality[t];
        let shown = (q.visible / 0.25).min(1.0);
        let fits = 10f32.powf(-(usual - q.psnr - 1.0).max(0.0) / 10.0);
        q.confidence = if bridged(t) || q.psnr <= 0.0 { 0.0 } else { q.confidence * shown * fits };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::{Clip, ClipInfo};
    use crate::engine::frames::FullSize;
    use crate::error::Error;
    use crate::frame::{Channels, Depth};
    use crate::progress::{Cancel, Progress};

    /// A picture, filmed by a camera that does not move.
    struct Still(ClipInfo);

    impl Clip for Still {
        fn info(&self) -> &ClipInfo {
            &self.0
        }
        fn frame(&self, _: usize) -> Result<Image<Rgba>> {
            let wave = |a: f32, b: f32| 0.5 + 0.3 * a.sin() * b.cos();
            Ok(Image::from_fn(self.0.size.0, self.0.size.1, |x, y| {
                let (x, y) = (x as f32, y as f32);
                [wave(0.3 * x, 0.2 * y), wave(0.2 * x, 0.25 * y), 0.4, 1.0]
            }))
        }
    }

    /// Something of another blue rested on the surface while tracking looked; the masks know.
    #[test]
    fn the_atlas_is_what_the_masks_show() {
        let size = (96, 72);
        let info = ClipInfo {
            path: "clip".into(),
            size,
            frames: 6,
            depth: Depth::U8,
            channels: Channels::Rgb,
            encoding: Encoding::Display,
        };
        let full = FullSize { clip: &Still(info), encoding: Encoding::Display };
        let canvas = Canvas::new(&[[20.0, 15.0], [75.0, 15.0], [75.0, 55.0], [20.0, 55.0]], size).unwrap();
        let mut solution = Solution::flat(&canvas, &full, 0).unwrap();
        let right = solution.atlas.clone();
        for (x, y) in (30..40).flat_map(|y| (30..42).map(move |x| (x, y))) {
            solution.atlas[(x, y)][2] += 40.0;
        }
        let inverses = Inverses::of(&solution, size);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masks");
        std::fs::write(&path, vec![255u8; size.0 * size.1 * 6]).unwrap();
        let masks = Masks::open(&path, size, 6).unwrap();
        let progress = Progress::silent();
        let baked =
            Baked::new(&Watched::new(&full, &progress), &solution, &inverses, &masks, (0, 2, Some(1.0)))
                .unwrap();
        let (a, b) = (baked.surface.picture[(36, 35)], right[(36, 35)]);
        assert!((0..3).all(|c| (a[c] * 255.0 - b[c]).abs() < 1.0), "{a:?} for {b:?}");
        // Whoever asks to stop need not wait for all frames.
        let cancel = Cancel::default();
        cancel.cancel();
        let stopped = Progress::new(|_| (), cancel);
        let none =
            Baked::new(&Watched::new(&full, &stopped), &solution, &inverses, &masks, (0, 2, Some(1.0)));
        assert!(matches!(none, Err(Error::Cancelled)));
    }

    /// The surface is lost in most of the clip, which shows the reference frame alone.
    #[test]
    fn a_clip_that_is_mostly_lost_is_doubted() {
        let of = |psnr: f32| Quality { confidence: 1.0, visible: 1.0, psnr };
        let mut quality: Vec<Quality> = (0..20).map(|t| of(if t < 12 { 18.0 } else { 35.0 })).collect();
        let all: Vec<usize> = (0..20).collect();
        confidence(&mut quality, 15, &all, |t| t == 19);
        for (t, q) in quality.iter().enumerate() {
            assert_eq!(q.is_doubtful(), t < 12 || t == 19, "frame {t}: {q:?}");
        }
    }
}
