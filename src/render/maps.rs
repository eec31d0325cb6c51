//! Maps and mattes of whole frames, for other programs.

use super::matte::{Shape, prepare};
use super::sample::{bilinear_f32, share};
use super::shade::{uv, whole};
use super::warp::{Lines, Part, Warp};
use crate::atlas::{Analysis, Layer};
use crate::error::{Error, Result};
use crate::frame::{Image, Rgba, Scale, Vec2, cubic};

/// Everywhere on the atlas and off it.
const ANYWHERE: Part = Part { least: [f32::NEG_INFINITY; 2], largest: [f32::INFINITY; 2] };

/// The map of frame `frame` in the form of Nuke's and Flame's STMap, one pixel per frame pixel: red (x + ½) / W and
/// green 1 − (y + ½) / H of its position (x, y) on the reference frame, green counting from the bottom; alpha is the
/// region's coverage there.
///
/// `surface` picks a region; `None` gives each pixel to one as [`positions`] does. Fails when there is no such region
/// or frame, or its layer cannot be read.
pub fn stmap(analysis: &dyn Analysis, surface: Option<usize>, frame: usize) -> Result<Image<Rgba>> {
    let size = analysis.full_size();
    let traced = trace(analysis, surface, frame)?;
    Ok(traced.map(|p| {
        let [r, g, b] = uv(p.reference, size);
        [r, g, b, p.coverage]
    }))
}

/// The position on the reference frame, full-size pixels, of every pixel of frame `frame`.
///
/// With several regions a pixel belongs to the one whose region covers it most, else to the first whose atlas holds it,
/// else to the first. Fails when there is no such frame or its layers cannot be read.
pub fn positions(analysis: &dyn Analysis, frame: usize) -> Result<Image<Vec2>> {
    Ok(trace(analysis, None, frame)?.map(|p| p.reference))
}

/// 1 where a region's surface shows in frame `frame`, 0 elsewhere, soft between: M̂ · coverage, full size. Fails as
/// [`positions`] does.
pub fn matte(analysis: &dyn Analysis, frame: usize) -> Result<Image<f32>> {
    let header = analysis.header();
    let scale =
        Scale::between((header.size[0], header.size[1]), (header.working_size[0], header.working_size[1]));
    let mut result = Image::new(header.size[0], header.size[1], 0.0f32);
    for k in 0..analysis.surfaces().len() {
        let mask = prepare(&layer(analysis, k, frame)?.mask, scale, Shape::AS_FOUND);
        let traced = trace(analysis, Some(k), frame)?;
        for y in 0..traced.height() {
            for (x, out) in result.row_mut(y).iter_mut().enumerate() {
                let at = scale.to_coarse([x as f64, y as f64]).map(|v| v as f32);
                *out = out.max(traced[(x, y)].coverage * bilinear_f32(&mask, at));
            }
        }
    }
    Ok(result)
}

/// Where a pixel lies.
#[derive(Debug, Clone, Copy)]
struct Traced {
    /// Reference-frame pixels.
    reference: Vec2,
    /// Of the region, 0…1.
    coverage: f32,
    /// By which a later surface must be better: in a region, on its atlas, or neither.
    claim: f32,
}

fn trace(analysis: &dyn Analysis, surface: Option<usize>, frame: usize) -> Result<Image<Traced>> {
    let (header, surfaces) = (analysis.header(), analysis.surfaces());
    let chosen = match surface {
        None => 0..surfaces.len(),
        Some(k) => k..k + 1,
    };
    let [w, h] = header.size;
    // Stays only where a map is not finite.
    let nowhere = Traced { reference: [f32::NAN; 2], coverage: 0.0, claim: -1.0 };
    let mut result = Image::new(w, h, nowhere);
    for k in chosen {
        let layer = layer(analysis, k, frame)?;
        let surface = &surfaces[k];
        let warp = Warp::new(&layer, &surface.placement, header, ANYWHERE, None);
        let picture = whole(&surface.picture);
        let mut lines = Lines::default();
        for y in 0..h {
            let row = result.row_mut(y);
            warp.walk(y, (0, w), &mut lines, |run| {
                run.spots().for_each(|spot| {
                    let on = picture.holds(spot.at, 0.5);
                    let coverage = if on { share(cubic(&surface.picture, spot.at)[3]) } else { 0.0 };
                    let claim = f32::from(u8::from(on)) + coverage;
                    if claim > row[spot.x].claim {
                        row[spot.x] =
                            Traced { reference: surface.placement.to_reference(spot.at), coverage, claim };
                    }
                })
            });
        }
    }
    Ok(result)
}

/// A layer, or a message when there is none.
fn layer(analysis: &dyn Analysis, surface: usize, frame: usize) -> Result<std::sync::Arc<Layer>> {
    let (regions, frames) = (analysis.surfaces().len(), analysis.header().frames);
    if surface >= regions || frame >= frames {
        return Err(Error::Mismatch(format!(
            "there is no region {} in frame {frame}: the analysis has {regions} regions and frames 0 to {}",
            surface + 1,
            frames.saturating_sub(1)
        )));
    }
    analysis.layer(surface, frame)
}
