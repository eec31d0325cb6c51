//! What was painted, brought to each surface's atlas: premultiplied colour and alpha.
//!
//! Three ways lead here, as people work in three ways: changing a copy of the exported atlas, painting on a
//! transparent layer over it, or painting on the reference frame itself.

use super::export::{carry, union};
use super::sample::{Halvings, Picture, share};
use super::warp::Part;
use crate::atlas::{Analysis, Placement, Surface};
use crate::error::{Error, Result};
use crate::frame::{Depth, Encoding, Image, Rgba, Scale, dilate};

/// Transparent pixels kept around paint, so that filtered samples near its picture's edge find nothing beyond.
pub(super) const PAD: usize = 8;
/// Reference pixels beyond a region's edge up to which a picture painted on the reference frame shows.
const BLEED: f64 = 2.0;

/// Paint on the surfaces of one analysis, ready to render. Make it once, render many frames with it.
#[derive(Debug)]
pub struct Edit {
    pub(super) layers: Vec<Paint>,
}

/// Paint on one surface.
#[derive(Debug)]
pub(super) struct Paint {
    /// αP and α in atlas pixels, with [`PAD`] transparent pixels around.
    picture: Image<Rgba>,
    halvings: Halvings,
    /// Where α is above 0, in atlas pixels; `None` where nothing is painted.
    pub(super) bounds: Option<Part>,
    /// Size without the padding.
    size: (usize, usize),
}

impl Paint {
    fn new(paint: &Image<Rgba>) -> Self {
        let (w, h) = paint.size();
        let mut picture = Image::new(w + 2 * PAD, h + 2 * PAD, [0.0; 4]);
        let (mut least, mut largest) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for y in 0..h {
            for (x, pixel) in paint.row(y).iter().enumerate().filter(|(_, p)| p[3] > 0.0) {
                picture[(x + PAD, y + PAD)] = *pixel;
                let at = [x as f32, y as f32];
                least = [0, 1].map(|i| least[i].min(at[i]));
                largest = [0, 1].map(|i| largest[i].max(at[i]));
            }
        }
        let bounds = (least[0] <= largest[0]).then_some(Part { least, largest });
        Self { picture, halvings: Halvings::new(), bounds, size: (w, h) }
    }

    pub(super) fn picture(&self) -> Picture<'_> {
        Picture { full: &self.picture, halvings: &self.halvings }
    }
}

impl Edit {
    /// From a copy of the exported atlas ([`super::export_atlas`]: same size, same values, not premultiplied) that was
    /// changed.
    ///
    /// What differs from the atlas by more than one code value of `depth`, the depth the copy was read at, is paint,
    /// with the region's coverage as its alpha. Outside the region nothing counts, since paint programs discard or
    /// fill colours under transparent pixels. For 8- and 16-bit copies the comparison is between display-encoded values
    /// cut to 0…1, which is what such a file can hold.
    ///
    /// Fails with [`Error::Mismatch`] on another size and on values that are not finite.
    pub fn from_changed_copy(analysis: &dyn Analysis, copy: &Image<Rgba>, depth: Depth) -> Result<Edit> {
        check_finite(copy)?;
        let (exported, owner, placement) = union(analysis.surfaces());
        if copy.size() != exported.size() {
            return Err(Error::Mismatch(format!(
                "the edited atlas has {}×{} pixels, the exported one {}×{}; a changed copy must keep its size \
                 (a painting on a transparent layer may have another)",
                copy.width(),
                copy.height(),
                exported.width(),
                exported.height()
            )));
        }
        let encoding = analysis.header().encoding;
        let paint = exported.zip(copy, |a, b| {
            let changed = (0..3).any(|c| differs(a[c], b[c], depth, encoding));
            if changed { premultiplied([b[0], b[1], b[2], a[3]]) } else { [0.0; 4] }
        });
        Ok(Self::split(analysis.surfaces(), &paint, &owner, &placement))
    }

    /// From a transparent painting laid over the exported atlas, not premultiplied; its alpha says where and how much.
    /// Another size of the same shape is resampled.
    ///
    /// Fails with [`Error::Mismatch`] on another shape and on values that are not finite.
    pub fn from_painting(analysis: &dyn Analysis, painting: &Image<Rgba>) -> Result<Edit> {
        check_finite(painting)?;
        let (_, owner, placement) = union(analysis.surfaces());
        let [w, h] = placement.size;
        check_shape("painting on the atlas", painting.size(), (w, h))?;
        let mut paint = painting.map(|&p| premultiplied(p));
        if paint.size() != (w, h) {
            let scale = Scale::between(paint.size(), (w, h));
            let source = paint;
            let halvings = Halvings::new();
            let picture = Picture { full: &source, halvings: &halvings };
            let [fx, fy] = scale.factor.map(|f| f as f32);
            paint = Image::from_fn(w, h, |x, y| {
                let at = scale.to_fine([x as f64, y as f64]).map(|v| v as f32);
                valid(picture.filtered(at, [fx, 0.0, 0.0, fy]))
            });
        }
        Ok(Self::split(analysis.surfaces(), &paint, &owner, &placement))
    }

    /// From an RGBA picture laid over the whole reference frame, not premultiplied; another size of the same shape is
    /// resampled. It shows on the regions and two reference pixels around them.
    ///
    /// Fails with [`Error::Mismatch`] on another shape and on values that are not finite.
    pub fn from_reference_picture(analysis: &dyn Analysis, picture: &Image<Rgba>) -> Result<Edit> {
        check_finite(picture)?;
        let [width, height] = analysis.full_size();
        let size = (width, height);
        check_shape("picture painted on the reference frame", picture.size(), size)?;
        let paint = picture.map(|&p| premultiplied(p));
        let halvings = Halvings::new();
        let source = Picture { full: &paint, halvings: &halvings };
        let grids = Scale::between(paint.size(), size);
        let layers = analysis.surfaces().iter().map(|s| {
            let p = &s.placement;
            let coverage = s.picture.map(|c| share(c[3]));
            let shown = dilate(&coverage, (BLEED * p.scale).ceil() as usize);
            let [jx, jy] = grids.factor.map(|f| (f / p.scale) as f32);
            let (w, h) = (paint.width() as f64 - 0.5, paint.height() as f64 - 0.5);
            Paint::new(&Image::from_fn(p.size[0], p.size[1], |x, y| {
                let on = |i: usize, v: usize| p.origin[i] + v as f64 / p.scale;
                let at = grids.to_fine([on(0, x), on(1, y)]);
                let share = shown[(x, y)];
                if share == 0.0 || at[0] < -0.5 || at[1] < -0.5 || at[0] > w || at[1] > h {
                    return [0.0; 4];
                }
                valid(source.filtered(at.map(|v| v as f32), [jx, 0.0, 0.0, jy])).map(|v| v * share)
            }))
        });
        Ok(Edit { layers: layers.collect() })
    }

    /// Takes the picture for a changed copy when it has the exported atlas's size and is nowhere more transparent than
    /// it, else for a transparent painting. Fails as these do.
    pub fn auto(analysis: &dyn Analysis, picture: &Image<Rgba>, depth: Depth) -> Result<Edit> {
        let (exported, _, _) = union(analysis.surfaces());
        let opaque = |(a, b): (&Rgba, &Rgba)| b[3] >= a[3] - 1.5 / 255.0;
        if picture.size() == exported.size() && exported.pixels().iter().zip(picture.pixels()).all(opaque) {
            Self::from_changed_copy(analysis, picture, depth)
        } else {
            Self::from_painting(analysis, picture)
        }
    }

    /// Bytes its pictures take in memory, reduced copies included.
    pub fn bytes(&self) -> usize {
        let pixels: usize = self.layers.iter().map(|p| p.picture.pixels().len()).sum();
        // Halvings add up to a third.
        pixels * size_of::<Rgba>() * 4 / 3
    }

    /// Whether nothing is painted at all.
    pub fn is_empty(&self) -> bool {
        self.layers.iter().all(|p| p.bounds.is_none())
    }

    /// Whether it was made for surfaces of these sizes.
    pub(super) fn fits(&self, surfaces: &[Surface]) -> bool {
        self.layers.len() == surfaces.len()
            && self.layers.iter().zip(surfaces).all(|(p, s)| p.size == s.picture.size())
    }

    /// A checkerboard with squares of 16 reference pixels on every region.
    pub(super) fn checkerboard(surfaces: &[Surface], encoding: Encoding) -> Edit {
        let tones = [0.2, 0.8].map(|v| encoding.from_display(v));
        let layers = surfaces.iter().map(|s| {
            let p = &s.placement;
            let square = |i: usize, v: usize| ((p.origin[i] + v as f64 / p.scale) / 16.0).floor() as i64;
            Paint::new(&Image::from_fn(p.size[0], p.size[1], |x, y| {
                let tone = tones[(square(0, x) + square(1, y)).rem_euclid(2) as usize];
                premultiplied([tone, tone, tone, s.picture[(x, y)][3]])
            }))
        });
        Edit { layers: layers.collect() }
    }

    /// Hands each surface its part of a premultiplied picture laid over all of them: the pixels it owns in the export.
    fn split(surfaces: &[Surface], paint: &Image<Rgba>, owner: &Image<u16>, placement: &Placement) -> Edit {
        let halvings = Halvings::new();
        let picture = Picture { full: paint, halvings: &halvings };
        let layers = surfaces.iter().enumerate().map(|(k, s)| {
            let p = &s.placement;
            let ratio = (placement.scale / p.scale) as f32;
            Paint::new(&Image::from_fn(p.size[0], p.size[1], |x, y| {
                let at = [carry(p, placement, 0, x), carry(p, placement, 1, y)];
                let near = |i: usize| (at[i].round().max(0.0) as usize).min(placement.size[i] - 1);
                if owner[(near(0), near(1))] != k as u16 {
                    return [0.0; 4];
                }
                valid(picture.filtered(at.map(|v| v as f32), [ratio, 0.0, 0.0, ratio]))
            }))
        });
        Edit { layers: layers.collect() }
    }
}

fn premultiplied([r, g, b, a]: Rgba) -> Rgba {
    let a = a.clamp(0.0, 1.0);
    [r * a, g * a, b * a, a]
}

/// A cubic sample goes beyond its pixels; alpha is brought back to 0…1 and colour with it.
fn valid(p: Rgba) -> Rgba {
    if p[3] <= 0.0 {
        [0.0; 4]
    } else if p[3] > 1.0 {
        p.map(|v| v / p[3])
    } else {
        p
    }
}

/// Whether two channel values differ by more than one code value of a file of this depth.
fn differs(a: f32, b: f32, depth: Depth, encoding: Encoding) -> bool {
    // A hundredth more than one: the values themselves went through float arithmetic.
    let codes = |a: f32, b: f32, top: f32| {
        let shown = |v: f32| encoding.to_display(v).clamp(0.0, 1.0) * top;
        (shown(a) - shown(b)).abs() > 1.01
    };
    // A float's code value is the distance to its neighbour: a share of the value, or the least step around zero.
    // Floats may have come by way of a 16-bit file; within 0…1, what such a file cannot hold apart is no paint.
    let beyond = [a, b].iter().any(|v| !(0.0..=1.0).contains(&encoding.to_display(*v)));
    let floats = |share: f32, least: f32| {
        (a - b).abs() > (a.abs().max(b.abs()) * share).max(least) && (beyond || codes(a, b, 65535.0))
    };
    match depth {
        Depth::U8 => codes(a, b, 255.0),
        Depth::U16 => codes(a, b, 65535.0),
        Depth::F16 => floats(1.01 / 1024.0, 6.2e-8),
        Depth::F32 => floats(1.2e-7, f32::MIN_POSITIVE),
    }
}

fn check_finite(picture: &Image<Rgba>) -> Result<()> {
    if picture.pixels().iter().flatten().all(|v| v.is_finite()) {
        return Ok(());
    }
    Err(Error::Mismatch(
        "the painted picture holds values that are not finite numbers; save it again without them".into(),
    ))
}

/// Same proportions, to within a pixel of rounding.
fn check_shape(what: &str, (w, h): (usize, usize), (want_w, want_h): (usize, usize)) -> Result<()> {
    let off = (w as f64 * want_h as f64 - h as f64 * want_w as f64).abs();
    if w > 0 && h > 0 && off <= 0.5 * (want_w + want_h) as f64 {
        return Ok(());
    }
    Err(Error::Mismatch(format!(
        "the {what} has {w}×{h} pixels; it must have {want_w}×{want_h}, or a multiple of that in both directions"
    )))
}
