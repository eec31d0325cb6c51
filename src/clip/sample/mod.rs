//! A generated clip whose perfect answer is known: for trying the program without footage, and for tests.
//!
//! An old poster on a board stands in a landscape; a hand-held camera moves, light changes, a chain and a balloon pass
//! in front. Every frame is computed, so for every pixel it is known where it lies on the reference frame, how much of
//! the surface shows there, how it is lit, and what a perfect edit looks like. The same options give the same pixels
//! on every machine up to the last bit of its arithmetic.

mod motion;
mod occluder;
mod paint;
mod plane;
mod random;
mod shapes;
mod store;

pub use occluder::Occluder;
pub use store::write;

use super::{Clip, ClipInfo, no_such_frame};
use crate::error::Result;
use crate::frame::{Channels, Depth, Encoding, Image, Rgba, Vec2, bilinear_or, cubic};
use crate::roi::{Roi, coverage};
use motion::{Moment, Motion};
use occluder::Front;
use plane::Plane;
use random::Random;
use rayon::prelude::*;
use shapes::{Color, blend};

/// Texels to a reference pixel, a side: fine enough that the resampling of the texture is not seen.
const FINE: usize = 2;

/// What the scene is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneOptions {
    /// Width and height in pixels; the scene is laid out for 16:9 and fills other shapes with landscape.
    pub size: (usize, usize),
    /// Number of frames, at least 1.
    pub frames: usize,
    /// Chooses the camera's path, the light and all textures.
    pub seed: u64,
    /// Strength of the camera's move: 1 is hand-held, 0 a tripod.
    pub camera: f32,
    /// Strength of a cloth-like bend of the surface: 0 is a rigid board, 1 a flag in a breeze (some 4 pixels).
    pub cloth: f32,
    /// Largest change of the light's logarithm against the reference frame: 0.14 is about ±15 %.
    pub light: f32,
    /// Deviation of the sensor's noise in 8-bit levels.
    pub noise: f32,
    /// What passes in front.
    pub occluder: Occluder,
}

impl Default for SceneOptions {
    fn default() -> Self {
        Self {
            size: (640, 360),
            frames: 40,
            seed: 7,
            camera: 1.0,
            cloth: 0.0,
            light: 0.14,
            noise: 2.0,
            occluder: Occluder::Both,
        }
    }
}

/// What is known of a frame.
#[derive(Debug, Clone)]
pub struct Truth {
    /// For every pixel the position on the reference frame of the surface point it shows, in pixels; continued
    /// smoothly outside the surface.
    pub map: Image<Vec2>,
    /// How much of the surface shows, 0…1: 1 where nothing is in front.
    pub visible: Image<f32>,
    /// How the surface is lit against the reference frame, per channel; multiplies display values.
    pub light: Image<[f32; 3]>,
    /// Coverage 0…1 of the region, as if nothing were in front.
    pub inside: Image<f32>,
    /// The frame as a perfect edit with [`Scene::picture`] makes it, 8-bit display values 0…1.
    pub edited: Image<Rgba>,
}

/// A pixel before the sensor.
#[derive(Debug, Clone, Copy)]
struct Shade {
    plain: Color,
    edited: Color,
    visible: f32,
}

/// What the files of a frame hold.
struct Shot {
    frame: Image<Rgba>,
    edited: Image<Rgba>,
    visible: Image<f32>,
}

/// A scene ready to be rendered; also a [`Clip`], so that tests need no files.
#[derive(Debug)]
pub struct Scene {
    options: SceneOptions,
    info: ClipInfo,
    roi: Roi,
    plane: Plane,
    motion: Motion,
    front: Front,
    /// The board, with its coverage as alpha.
    board: Image<Rgba>,
    /// Position of the board's first texel on the reference frame.
    board_at: [f64; 2],
    landscape: Image<Color>,
    picture: Image<Rgba>,
}

impl Scene {
    /// Paints the scene; frames are rendered when asked for.
    ///
    /// # Panics
    /// If the size or the number of frames is 0: a programming error.
    pub fn new(options: SceneOptions) -> Scene {
        assert!(options.frames > 0 && options.size.0 > 0 && options.size.1 > 0, "a scene without pixels");
        let plane = Plane::new(options.size);
        let front = Front::new(options.occluder, options.seed);
        let reference = clearest_frame(&options, &plane, &front);
        let mut motion = Motion::new(
            options.seed,
            f64::from(options.camera),
            f64::from(options.cloth),
            f64::from(options.light),
        );
        motion.reference = time(&options, reference);
        let (board, board_at) = plane.bake_board(options.seed);
        let landscape = plane.bake_landscape(options.seed);
        let roi = Roi {
            reference_frame: reference,
            polygons: vec![plane.region().to_vec()],
            size: Some([options.size.0, options.size.1]),
        };
        let picture = plane.bake_picture();
        let info = ClipInfo {
            path: "sample".into(),
            size: options.size,
            frames: options.frames,
            depth: Depth::U8,
            channels: Channels::Rgb,
            encoding: Encoding::Display,
        };
        Scene { options, info, roi, plane, motion, front, board, board_at, landscape, picture }
    }

    /// The region on the reference frame, where nothing is in front of it.
    pub fn roi(&self) -> Roi {
        self.roi.clone()
    }

    /// The picture to put on the surface, in reference-frame pixels: opaque in the region, transparent outside, without
    /// detail finer than resampling keeps.
    pub fn picture(&self) -> Image<Rgba> {
        self.picture.clone()
    }

    /// Frame `index` as a camera stores it: 8-bit display values 0…1, alpha 1.
    ///
    /// # Panics
    /// If the scene has no such frame; through [`Clip::frame`] that is an error instead.
    pub fn frame(&self, index: usize) -> Image<Rgba> {
        self.expose(&self.shades(index), index, |s| s.plain)
    }

    /// All that is known of frame `index`.
    ///
    /// # Panics
    /// If the scene has no such frame.
    pub fn truth(&self, index: usize) -> Truth {
        let t = self.time(index);
        let moment = self.motion.at(t);
        let map = self.image(|x, y| self.map(x, y, &moment).map(|v| v as f32));
        let light = self.image(|x, y| moment.gain(self.plane.normalised(self.map(x, y, &moment))));
        let inside = self.image(|x, y| self.inside(self.map(x, y, &moment)));
        let Shot { visible, edited, .. } = self.shot(index);
        Truth { map, visible, light, inside, edited }
    }

    /// Frame `index`, the perfect edit of it and the surface's visibility: what goes into files.
    fn shot(&self, index: usize) -> Shot {
        let shades = self.shades(index);
        Shot {
            frame: self.expose(&shades, index, |s| s.plain),
            edited: self.expose(&shades, index, |s| s.edited),
            visible: shades.map(|s| s.visible),
        }
    }

    fn time(&self, index: usize) -> f64 {
        assert!(index < self.options.frames, "the scene has {} frames", self.options.frames);
        time(&self.options, index)
    }

    /// A picture of the frame's size, its rows computed side by side.
    fn image<P: Copy + Send>(&self, pixel: impl Fn(f64, f64) -> P + Sync) -> Image<P> {
        let (w, h) = self.options.size;
        let pixels = (0..w * h).into_par_iter().map(|i| pixel((i % w) as f64, (i / w) as f64)).collect();
        Image::from_vec(w, h, pixels)
    }

    /// Frame pixel to reference pixel.
    fn map(&self, x: f64, y: f64, moment: &Moment) -> [f64; 2] {
        self.plane.pixels(moment.to_reference(self.plane.normalised([x, y])))
    }

    /// Coverage of the region at a position on the reference frame.
    fn inside(&self, at: [f64; 2]) -> f32 {
        bilinear_or(&self.picture, at.map(|v| v as f32), [0.0; 4])[3]
    }

    fn front(&self, x: f64, y: f64, t: f64) -> (Color, f32) {
        let p = self.plane.design([x, y]).map(|v| v as f32);
        self.front.at(p, t as f32, self.plane.design_pixel())
    }

    /// Light and visibility of every pixel, as it is and as it is edited, before the sensor.
    fn shades(&self, index: usize) -> Image<Shade> {
        let t = self.time(index);
        let moment = self.motion.at(t);
        self.image(|x, y| {
            let at = self.map(x, y, &moment);
            let gain = moment.gain(self.plane.normalised(at));
            let lit = |color: Color| [0, 1, 2].map(|c| color[c] * gain[c]);
            let plain = lit(self.surface(x, y, &moment));
            let inside = self.inside(at);
            let edited = if inside > 0.0 {
                let [r, g, b, _] = cubic(&self.picture, at.map(|v| v as f32));
                blend(plain, lit([r, g, b]), inside)
            } else {
                plain
            };
            let (front, alpha) = self.front(x, y, t);
            let behind = |color| blend(color, front, alpha);
            Shade { plain: behind(plain), edited: behind(edited), visible: 1.0 - alpha }
        })
    }

    /// The board and what is behind it, unlit, averaged over a pixel.
    fn surface(&self, x: f64, y: f64, moment: &Moment) -> Color {
        let mut sum = [0.0; 3];
        for (dx, dy) in [(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)] {
            let at = self.map(x + dx, y + dy, moment);
            let texel = [0, 1].map(|i| ((at[i] - self.board_at[i]) * FINE as f64) as f32);
            let [r, g, b, a] = board_texel(&self.board, texel);
            let color = if a < 1.0 {
                let far = moment.behind(self.plane.normalised([x + dx, y + dy]));
                blend(self.plane.landscape_at(&self.landscape, far), [r, g, b], a)
            } else {
                [r, g, b]
            };
            sum = [0, 1, 2].map(|c| sum[c] + 0.25 * color[c]);
        }
        sum
    }

    /// Noise and 8 bits; the noise of a frame is the same whether it is edited or not.
    fn expose(&self, shades: &Image<Shade>, index: usize, choose: impl Fn(&Shade) -> Color) -> Image<Rgba> {
        let random = &mut Random::new(self.options.seed, 1000 + index as u64);
        shades.map(|shade| {
            let [r, g, b] = choose(shade).map(|v| {
                let level = v * 255.0 + self.options.noise * random.normal();
                level.round().clamp(0.0, 255.0) / 255.0
            });
            [r, g, b, 1.0]
        })
    }
}

impl Clip for Scene {
    fn info(&self) -> &ClipInfo {
        &self.info
    }

    fn frame(&self, index: usize) -> Result<Image<Rgba>> {
        if index < self.options.frames {
            Ok(Scene::frame(self, index))
        } else {
            Err(no_such_frame(&self.info, index))
        }
    }
}

/// The board by cubic sampling; nothing outside it.
fn board_texel(board: &Image<Rgba>, [x, y]: Vec2) -> Rgba {
    let (w, h) = board.size();
    if x > 0.0 && y > 0.0 && x < (w - 1) as f32 && y < (h - 1) as f32 {
        let mut p = cubic(board, [x, y]);
        p[3] = p[3].clamp(0.0, 1.0);
        p
    } else {
        [0.0; 4]
    }
}

/// Time 0…1 of a frame.
fn time(options: &SceneOptions, index: usize) -> f64 {
    if options.frames > 1 { index as f64 / (options.frames - 1) as f64 } else { 0.4 }
}

/// The frame in which least of the region is covered; of equals, the one nearest the middle.
fn clearest_frame(options: &SceneOptions, plane: &Plane, front: &Front) -> usize {
    /// Every how many pixels is looked, both ways.
    const STEP: usize = 3;
    let inside = coverage(plane.region(), Image::new(options.size.0, options.size.1, ()).bounds());
    let covered = |index: usize| -> f32 {
        let t = time(options, index) as f32;
        let mut sum = 0.0;
        for y in (0..options.size.1).step_by(STEP) {
            for x in (0..options.size.0).step_by(STEP) {
                if inside[(x, y)] > 0.0 {
                    let p = plane.design([x as f64, y as f64]).map(|v| v as f32);
                    sum += front.at(p, t, plane.design_pixel()).1;
                }
            }
        }
        sum
    };
    let sums: Vec<f32> = (0..options.frames).into_par_iter().map(covered).collect();
    let least = sums.iter().copied().fold(f32::INFINITY, f32::min);
    let middle = options.frames / 2;
    (0..options.frames).filter(|&i| sums[i] <= least + 0.5).min_by_key(|&i| i.abs_diff(middle)).unwrap_or(0)
}
