//! An analysis in memory, made from formulas, to compare rendering and storing against.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use rna::atlas::{Analysis, Header, Layer, Placement, Quality, Surface};
use rna::frame::{Encoding, Image, Rgba, Vec2};
use rna::param::{RenderSettings, View};
use rna::roi::Roi;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A homography, row by row.
pub type Homography = [[f64; 3]; 3];

pub fn apply(h: &Homography, x: f64, y: f64) -> [f64; 2] {
    let row = |r: &[f64; 3]| r[0] * x + r[1] * y + r[2];
    let w = row(&h[2]);
    [row(&h[0]) / w, row(&h[1]) / w]
}

/// Everything in memory.
#[derive(Clone)]
pub struct Memory {
    pub header: Header,
    pub surfaces: Vec<Surface>,
    /// Surface, then frame.
    pub layers: Vec<Vec<Arc<Layer>>>,
}

impl Analysis for Memory {
    fn header(&self) -> &Header {
        &self.header
    }
    fn surfaces(&self) -> &[Surface] {
        &self.surfaces
    }
    fn layer(&self, surface: usize, frame: usize) -> rna::Result<Arc<Layer>> {
        Ok(Arc::clone(&self.layers[surface][frame]))
    }
}

/// What a scene is made of.
pub struct Scene {
    pub size: [usize; 2],
    pub working: [usize; 2],
    pub frames: usize,
    pub scale: f64,
    pub shutter: f64,
    pub pixel_aperture: f64,
    pub ceiling: Option<f32>,
    /// Frame → map to the reference frame.
    pub map: fn(usize) -> Homography,
    /// Regions as boxes on the reference frame.
    pub boxes: Vec<[f64; 4]>,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            size: [160, 100],
            working: [80, 50],
            frames: 4,
            scale: 1.0,
            shutter: 0.0,
            pixel_aperture: 1.0,
            ceiling: None,
            map: |t| {
                let t = t as f64;
                [
                    [1.0 - 0.01 * t, 0.05 * t, -2.3 * t],
                    [-0.03 * t, 1.0 + 0.01 * t, 1.7 * t],
                    [0.0002 * t, -0.0001 * t, 1.0],
                ]
            },
            boxes: vec![[40.0, 25.0, 110.0, 75.0]],
        }
    }
}

const MARGIN: f64 = 6.0;
pub const STEP: [f64; 2] = [8.0, 7.5];

impl Scene {
    pub fn build(&self) -> Memory {
        let [w, h] = self.size;
        let surfaces: Vec<Surface> = self.boxes.iter().map(|b| surface(b, self.scale)).collect();
        let layers = surfaces
            .iter()
            .map(|_| (0..self.frames).map(|t| Arc::new(self.layer(t))).collect())
            .collect::<Vec<Vec<_>>>();
        let corners = |b: &[f64; 4]| vec![[b[0], b[1]], [b[2], b[1]], [b[2], b[3]], [b[0], b[3]]];
        let quality = Quality { confidence: 0.75, visible: 0.5, psnr: 33.25 };
        let header = Header {
            made_by: "test".into(),
            size: [w, h],
            working_size: self.working,
            frames: self.frames,
            first_frame: 0,
            map_step: STEP,
            shutter: self.shutter,
            short_exposures: Default::default(),
            pixel_aperture: self.pixel_aperture,
            grain: 0.1,
            ceiling: self.ceiling,
            encoding: Encoding::Display,
            roi: Roi {
                reference_frame: 0,
                polygons: self.boxes.iter().map(corners).collect(),
                size: Some([w, h]),
            },
            fingerprint: "none".into(),
            engines: Default::default(),
            corrections: Default::default(),
            settings: BTreeMap::from([("size".into(), "80".into())]),
            quality: vec![vec![quality; self.frames]; self.boxes.len()],
        };
        Memory { header, surfaces, layers }
    }

    fn layer(&self, t: usize) -> Layer {
        let nodes = |i: usize| ((self.size[i] - 1) as f64 / STEP[i]).ceil() as usize + 1;
        let map = Image::from_fn(nodes(0), nodes(1), |i, j| {
            apply(&(self.map)(t), i as f64 * STEP[0], j as f64 * STEP[1]).map(|v| v as f32)
        });
        let [mw, mh] = self.working;
        // A disc with a soft edge, wholly visible inside and wholly hidden outside.
        let mask = Image::from_fn(mw, mh, |x, y| {
            let d = (x as f64 - 0.5 * mw as f64).hypot(y as f64 - 0.5 * mh as f64);
            ((0.42 * mh as f64 - d) / 6.0 + 0.5).clamp(0.0, 1.0).mul_add(255.0, 0.5) as u8
        });
        let light = Image::from_fn(5, 4, |x, y| {
            let v = 0.75 + 0.125 * x as f32 - 0.0625 * y as f32 + 0.03125 * t as f32;
            [v, v + 0.125, v - 0.125, 0.25 * x as f32]
        });
        Layer { map, mask, light }
    }
}

fn surface(b: &[f64; 4], scale: f64) -> Surface {
    let origin = [(b[0] - MARGIN).floor(), (b[1] - MARGIN).floor()];
    let size = [0, 1].map(|i| ((b[i + 2] + MARGIN - origin[i]) * scale).ceil() as usize + 1);
    let placement = Placement { origin, scale, size };
    let picture = Image::from_fn(size[0], size[1], |x, y| {
        let r = placement.to_reference([x as f32, y as f32]).map(f64::from);
        let covered = |v: f64, lo: f64, hi: f64| ((v - lo + 0.5).min(hi - v + 0.5)).clamp(0.0, 1.0);
        let check = if ((r[0] / 9.0).floor() + (r[1] / 9.0).floor()) as i64 % 2 == 0 { 0.25 } else { 0.75 };
        let alpha = covered(r[0], b[0], b[2]) * covered(r[1], b[1], b[3]);
        [check, 0.5 + 0.25 * (r[0] / 7.0).sin() as f32, 0.5, alpha as f32]
    });
    Surface { placement, picture }
}

/// Some footage: no value alike.
pub fn footage(size: [usize; 2]) -> Image<Rgba> {
    Image::from_fn(size[0], size[1], |x, y| {
        let v = ((x * 7919 + y * 104_729) % 1013) as f32 / 1013.0;
        [v, 1.1 - v, 0.3 + 0.5 * v, if (x + y) % 3 == 0 { 0.5 } else { 1.0 }]
    })
}

/// A painting on the exported atlas: a disc, opaque inside, soft at the edge.
pub fn painting(size: (usize, usize)) -> Image<Rgba> {
    let (cx, cy) = (0.5 * size.0 as f32, 0.5 * size.1 as f32);
    Image::from_fn(size.0, size.1, |x, y| {
        let d = (x as f32 - cx).hypot(y as f32 - cy);
        let alpha = ((0.35 * size.1 as f32 - d) / 5.0).clamp(0.0, 1.0);
        [0.9, 0.1 + 0.3 * (x as f32 / 4.0).sin(), 0.2, alpha]
    })
}

pub fn settings(view: View) -> RenderSettings {
    RenderSettings { view, opacity: 1.0, grain: 0.0, grow: 0.0, soften: 0.0, edge: 1.0, shutter: None }
}

pub fn largest_difference(a: &Image<Rgba>, b: &Image<Rgba>) -> f32 {
    assert_eq!(a.size(), b.size());
    a.pixels()
        .iter()
        .flatten()
        .zip(b.pixels().iter().flatten())
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |m, d| if d.is_nan() { f32::INFINITY } else { m.max(d) })
}

/// Reads a picture at a position as plainly as can be, in double precision.
pub mod plain {
    use super::{Image, Vec2};

    /// Keys' cubic of steepness `a`.
    fn weight(d: f64, a: f64) -> f64 {
        let d = d.abs();
        if d < 1.0 {
            (a + 2.0) * d * d * d - (a + 3.0) * d * d + 1.0
        } else if d < 2.0 {
            a * d * d * d - 5.0 * a * d * d + 8.0 * a * d - 4.0 * a
        } else {
            0.0
        }
    }

    /// A field of positions; those outside are read through `at`.
    pub fn field<const N: usize>(p: [f64; 2], at: impl Fn(i64, i64) -> [f64; N]) -> [f64; N] {
        cubic(p, -0.5, at)
    }

    /// A picture; pixels outside are read through `at`.
    pub fn picture<const N: usize>(p: [f64; 2], at: impl Fn(i64, i64) -> [f64; N]) -> [f64; N] {
        cubic(p, -0.75, at)
    }

    /// Sum over all pixels that count.
    fn cubic<const N: usize>([x, y]: [f64; 2], a: f64, at: impl Fn(i64, i64) -> [f64; N]) -> [f64; N] {
        let mut sum = [0.0; N];
        for j in y.floor() as i64 - 2..=y.floor() as i64 + 3 {
            for i in x.floor() as i64 - 2..=x.floor() as i64 + 3 {
                let (v, k) = (at(i, j), weight(x - i as f64, a) * weight(y - j as f64, a));
                (0..N).for_each(|c| sum[c] += k * v[c]);
            }
        }
        sum
    }

    pub fn linear<const N: usize>([x, y]: [f64; 2], at: impl Fn(i64, i64) -> [f64; N]) -> [f64; N] {
        let mut sum = [0.0; N];
        for j in y.floor() as i64..=y.floor() as i64 + 1 {
            for i in x.floor() as i64..=x.floor() as i64 + 1 {
                let k = (1.0 - (x - i as f64).abs()).max(0.0) * (1.0 - (y - j as f64).abs()).max(0.0);
                let v = at(i, j);
                (0..N).for_each(|c| sum[c] += k * v[c]);
            }
        }
        sum
    }

    /// The edge's pixels go on for ever.
    pub fn clamped<const N: usize>(image: &Image<[f32; N]>) -> impl Fn(i64, i64) -> [f64; N] {
        |x, y| {
            let (w, h) = (image.width() as i64, image.height() as i64);
            image[(x.clamp(0, w - 1) as usize, y.clamp(0, h - 1) as usize)].map(f64::from)
        }
    }

    /// Zero beyond the edge.
    pub fn alone<const N: usize>(image: &Image<[f32; N]>) -> impl Fn(i64, i64) -> [f64; N] {
        |x, y| {
            let inside = x >= 0 && y >= 0 && x < image.width() as i64 && y < image.height() as i64;
            if inside { image[(x as usize, y as usize)].map(f64::from) } else { [0.0; N] }
        }
    }

    /// A map's nodes, beyond its border on a straight line through the last two.
    pub fn extended(map: &Image<Vec2>) -> impl Fn(i64, i64) -> [f64; 2] {
        move |i, j| {
            let line = |i: i64, j: usize| {
                let n = map.width() as i64;
                let get = |i: i64| map[(i as usize, j)].map(f64::from);
                extend(i, n, get)
            };
            extend(j, map.height() as i64, |j| line(i, j as usize))
        }
    }

    fn extend(i: i64, n: i64, get: impl Fn(i64) -> [f64; 2]) -> [f64; 2] {
        let go = |a: [f64; 2], b: [f64; 2], t: f64| [0, 1].map(|c| a[c] + t * (a[c] - b[c]));
        if i < 0 {
            go(get(0), get(1), -i as f64)
        } else if i >= n {
            go(get(n - 1), get(n - 2), (i - n + 1) as f64)
        } else {
            get(i)
        }
    }
}
