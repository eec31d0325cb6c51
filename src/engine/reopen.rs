//! From a finished analysis back to a solution that can be worked on.
//!
//! What is stored is the product: positions of frame pixels on the reference frame, gains in the host's values, an atlas
//! at full size. Solving needs the reverse maps and display-encoded pictures at working size.

use super::bake::Gains;
use crate::atlas::{Analysis, Layer, Surface};
use crate::clip::Footage;
use crate::error::{Error, Result};
use crate::frame::{Encoding, Image, Rgba, Scale, Vec2, cubic, gaussian};
use crate::light::Light;
use crate::track::{Canvas, Map, Solution, on_picture};
use std::sync::Arc;

/// One region of `analysis` as it was solved, but for the stiffness, which nobody kept.
pub(super) fn solution(analysis: &dyn Analysis, region: usize, footage: &dyn Footage) -> Result<Solution> {
    let (header, surface) = (analysis.header(), &analysis.surfaces()[region]);
    let working = footage.size();
    let scale = Scale::between((header.size[0], header.size[1]), working);
    let outline: Vec<[f64; 2]> = header.roi.polygons[region].iter().map(|p| scale.to_coarse(*p)).collect();
    let canvas = Canvas::new(&outline, working)?;
    let atlas = at_working_size(surface, &canvas, scale, header.encoding);
    let gains = Gains::of(&canvas, &atlas, header.encoding);
    let mut maps: Vec<Option<Map>> = Vec::with_capacity(header.frames);
    let mut lights = Vec::with_capacity(header.frames);
    for t in 0..header.frames {
        let layer: Arc<Layer> = analysis.layer(region, t)?;
        lights.push(gains.fitted(&layer.light));
        maps.push(canvas.map_back(working, |p| {
            let reference =
                layer.position(scale.to_fine(p.map(f64::from)).map(|v| v as f32), header.map_step);
            canvas.to_canvas(scale.to_coarse(reference.map(f64::from)).map(|v| v as f32))
        }));
    }
    let (w, h) = canvas.size();
    let known = Image::from_fn(w, h, |x, y| {
        f32::from(on_picture(canvas.to_reference([x as f32, y as f32]), working))
    });
    let mut solution = Solution {
        maps: nearest(maps, header.roi.reference_frame, &canvas)?,
        light: Light::from_stored(canvas.size(), lights),
        atlas,
        known,
        clarity: vec![1.0; header.frames],
        trust: header.quality[region].iter().map(|q| q.visible).collect(),
        shutter: header.shutter as f32,
        short_exposures: header.short_exposures.iter().map(|(t, s)| (*t, *s as f32)).collect(),
        stiffness: 0.0,
        ceiling: footage.ceiling(),
        canvas,
    };
    solution.judge_clarity();
    Ok(solution)
}

/// The atlas on the canvas, in levels.
fn at_working_size(surface: &Surface, canvas: &Canvas, scale: Scale, encoding: Encoding) -> Image<Rgba> {
    /// Blur that makes room for one pixel where there were several, a pixel of the larger.
    const BLUR: f32 = 0.45;
    let placement = surface.placement;
    let encode = |v: f32| encoding.to_display(v) * 255.0;
    let levels = surface.picture.map(|p| [encode(p[0]), encode(p[1]), encode(p[2]), 0.0]);
    let ratio = (scale.factor[0] * placement.scale) as f32;
    let detail = if ratio > 1.0 { BLUR * (ratio * ratio - 1.0).sqrt() } else { 0.0 };
    let levels = gaussian(&levels, detail);
    let (w, h) = canvas.size();
    Image::from_rows(w, h, [0.0; 4], |y, row| {
        for (x, out) in row.iter_mut().enumerate() {
            let reference = scale.to_fine(canvas.to_reference([x as f32, y as f32]).map(f64::from));
            let at: Vec2 = placement.to_atlas(reference.map(|v| v as f32));
            *out = cubic(&levels, at);
        }
    })
}

/// A map for every frame: where the surface lies off the picture, that of the nearest frame towards the reference.
fn nearest(maps: Vec<Option<Map>>, reference: usize, canvas: &Canvas) -> Result<Vec<Map>> {
    let found: Vec<usize> = (0..maps.len()).filter(|&t| maps[t].is_some()).collect();
    let one = |t: usize| {
        let near = found.iter().copied().min_by_key(|&k| (k.abs_diff(t), k.abs_diff(reference)));
        near.and_then(|k| maps[k].clone())
    };
    if found.is_empty() {
        let reason = "its maps lead nowhere; analyse the clip again";
        return Err(Error::Roi(format!("{reason} ({} pixels wide)", canvas.size().0)));
    }
    Ok((0..maps.len()).filter_map(one).collect())
}
