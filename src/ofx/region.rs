//! The region as the user gave it in the host: corners, drawn polygons, or an input's picture.
//!
//! Shapes are kept relative to the frame, 0…1 from its bottom left, so that proxies and other formats of the same clip
//! agree; corner handles are in the host's canonical coordinates, since hosts draw them themselves.

use super::fault::{Fault, Result};
use super::image::Components;
use super::instance::Instance;
use super::render::whole;
use crate::openfx::OfxRectD;
use crate::roi::{Polygon, Roi, grown, traced};

/// Parameters of the four corners, around the region.
pub(super) const CORNERS: [&str; 4] = ["corner1", "corner2", "corner3", "corner4"];

/// Shapes with points 0…1 from the frame's bottom left.
pub(super) type Shapes = Vec<Vec<[f64; 2]>>;

/// Between canonical coordinates and places on the frame, 0…1 from its bottom left.
#[derive(Debug, Clone, Copy)]
pub(super) struct FramePlace(OfxRectD);

impl FramePlace {
    pub(super) fn of(instance: &Instance, time: f64) -> Result<Self> {
        let r = instance.source.region(time)?;
        let empty = r.x2 <= r.x1 || r.y2 <= r.y1;
        if empty { Err(Fault::Plain("the clip has no extent on this frame".into())) } else { Ok(Self(r)) }
    }

    pub(super) fn relative(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let r = &self.0;
        [(x - r.x1) / (r.x2 - r.x1), (y - r.y1) / (r.y2 - r.y1)]
    }

    pub(super) fn canonical(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let r = &self.0;
        [r.x1 + x * (r.x2 - r.x1), r.y1 + y * (r.y2 - r.y1)]
    }
}

/// A place on the frame in its pixels: centres at integers, y down.
pub(super) fn to_pixels([x, y]: [f64; 2], (w, h): (usize, usize)) -> [f64; 2] {
    [x * w as f64 - 0.5, (1.0 - y) * h as f64 - 0.5]
}

/// The reverse of [`to_pixels`].
pub(super) fn from_pixels([x, y]: [f64; 2], (w, h): (usize, usize)) -> [f64; 2] {
    [(x + 0.5) / w as f64, 1.0 - (y + 0.5) / h as f64]
}

/// The shapes drawn or typed; the input's are not looked at here.
pub(super) fn shapes(instance: &Instance, time: f64) -> Result<Shapes> {
    if instance.params.word("shape", time)? == "polygons" {
        return polygons(instance);
    }
    let place = FramePlace::of(instance, time)?;
    let corner = |id: &'static str| Ok(place.relative(instance.params.point(id, time)?));
    Ok(vec![CORNERS.into_iter().map(corner).collect::<Result<_>>()?])
}

/// The polygons drawn in the viewer.
pub(super) fn polygons(instance: &Instance) -> Result<Shapes> {
    let text = instance.params.text("polygons")?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text)
        .map_err(|e| Fault::Plain(format!("the drawn polygons are damaged ({e}); draw them again")))
}

/// The region for frames of `size` pixels, the reference being frame `index` of the analysed range and the host's
/// frame `time`.
pub(super) fn region(instance: &Instance, time: f64, index: usize, size: (usize, usize)) -> Result<Roi> {
    let drawn: Vec<Polygon> = if instance.params.word("shape", time)? == "input" {
        from_input(instance, time, size)?
    } else {
        let shapes = shapes(instance, time)?;
        shapes.iter().map(|s| s.iter().map(|p| to_pixels(*p, size)).collect()).collect()
    };
    if drawn.iter().all(|p| p.len() < 3) {
        return Err(Fault::Plain(
            "no region is drawn: drag the corners, draw a polygon in the viewer, or plug in the ROI input"
                .into(),
        ));
    }
    let margin = instance.params.double("margin", time)?;
    let polygons = drawn.iter().filter(|p| p.len() >= 3).map(|p| grown(p, margin)).collect();
    Ok(Roi { reference_frame: index, polygons, size: Some([size.0, size.1]) })
}

/// Outlines of what is white or opaque in the ROI input, in pixels of the source's frame.
fn from_input(instance: &Instance, time: f64, (w, h): (usize, usize)) -> Result<Vec<Polygon>> {
    let missing = || {
        Fault::Plain("the shape is the ROI input, but nothing is plugged in or it has no image here".into())
    };
    let clip = instance.roi.as_ref().ok_or_else(missing)?;
    let image = clip.image(time)?.ok_or_else(missing)?;
    let pixels = whole(&image);
    // An opaque picture says nothing with its alpha; then brightness does.
    let opaque = image.components != Components::Alpha && pixels.pixels().iter().all(|p| p[3] >= 1.0);
    let mask = pixels.map(|p| if opaque { 0.2126 * p[0] + 0.7152 * p[1] + 0.0722 * p[2] } else { p[3] });
    let (mw, mh) = mask.size();
    let scale =
        |[x, y]: [f64; 2]| [(x + 0.5) * w as f64 / mw as f64 - 0.5, (y + 0.5) * h as f64 / mh as f64 - 0.5];
    Ok(traced(&mask).into_iter().map(|p| p.into_iter().map(scale).collect()).collect())
}
