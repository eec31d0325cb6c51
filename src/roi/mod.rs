//! The region of interest: polygons drawn on the reference frame, and their coverage of pixels.

#[cfg(feature = "openfx")]
mod outline;

#[cfg(feature = "openfx")]
pub use outline::{grown, traced};

use crate::error::{Error, Result};
use crate::frame::{Image, Rect};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A closed polygon, full-size reference-frame pixels, pixel centres at integers.
pub type Polygon = Vec<[f64; 2]>;

/// What the user drew: one region per polygon, all on one frame where the surface is unobstructed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Roi {
    /// The frame it was drawn on, from 0.
    pub reference_frame: usize,
    /// The regions; each is tracked on its own.
    pub polygons: Vec<Polygon>,
    /// Width and height of the frame it was drawn on; the polygons are scaled when the clip has another size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
}

/// Least area of a region in pixels: below it nothing can be tracked.
const LEAST_AREA: f64 = 64.0;

impl Roi {
    /// Reads `roi.json`.
    pub fn read(path: &Path) -> Result<Roi> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        serde_json::from_str(&text).map_err(|e| {
            Error::Roi(format!(
                "{} is not a region file ({e}); it should hold {{\"reference_frame\": 0, \"polygons\": [[[x, y], …]]}}",
                path.display()
            ))
        })
    }

    /// Checks the region against the clip and brings it to the clip's own pixels.
    ///
    /// Fails on a reference frame outside the clip and on polygons that are empty, outside the picture, or cross
    /// themselves.
    pub fn fitted_to(mut self, size: (usize, usize), frames: usize) -> Result<Roi> {
        if self.reference_frame >= frames {
            return Err(Error::Roi(format!(
                "the reference frame is {}, but the clip has frames 0 to {}",
                self.reference_frame,
                frames.saturating_sub(1)
            )));
        }
        if let Some([w, h]) = self.size {
            if w == 0 || h == 0 {
                return Err(Error::Roi(format!("it says it was drawn on a picture of {w}×{h} pixels")));
            }
            let (sx, sy) = (size.0 as f64 / w as f64, size.1 as f64 / h as f64);
            for p in self.polygons.iter_mut().flatten() {
                *p = [(p[0] + 0.5) * sx - 0.5, (p[1] + 0.5) * sy - 0.5];
            }
        }
        self.size = Some([size.0, size.1]);
        if self.polygons.is_empty() {
            return Err(Error::Roi("it holds no polygon; draw at least one".into()));
        }
        for (i, polygon) in self.polygons.iter().enumerate() {
            check_polygon(polygon, size)
                .map_err(|reason| Error::Roi(format!("polygon {}: {reason}", i + 1)))?;
        }
        Ok(self)
    }
}

fn check_polygon(polygon: &[[f64; 2]], (w, h): (usize, usize)) -> Result<(), String> {
    if polygon.len() < 3 {
        return Err(format!("it has {} corners; it needs three or more", polygon.len()));
    }
    if !polygon.iter().flatten().all(|v| v.is_finite()) {
        return Err("a corner is not a finite number".into());
    }
    if let Some((a, b)) = crossing(polygon) {
        return Err(format!(
            "its sides {} and {} cross; reorder or move its corners so that it does not cross itself",
            a + 1,
            b + 1
        ));
    }
    let clipped = clip_to_frame(polygon, w as f64, h as f64);
    if area(&clipped) < LEAST_AREA {
        return Err(format!(
            "it covers {:.0} pixels of the {w}×{h} picture; it needs {LEAST_AREA} or more",
            area(&clipped)
        ));
    }
    Ok(())
}

/// Unsigned area by the shoelace formula.
fn area(polygon: &[[f64; 2]]) -> f64 {
    let sides = polygon.iter().zip(polygon.iter().cycle().skip(1));
    0.5 * sides.map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>().abs()
}

/// The part inside the picture (Sutherland–Hodgman against its four edges).
fn clip_to_frame(polygon: &[[f64; 2]], w: f64, h: f64) -> Polygon {
    let edges: [(usize, f64, f64); 4] =
        [(0, 1.0, -0.5), (0, -1.0, w - 0.5), (1, 1.0, -0.5), (1, -1.0, h - 0.5)];
    let mut points = polygon.to_vec();
    for (axis, sign, at) in edges {
        let inside = |p: &[f64; 2]| sign * (p[axis] - at) >= 0.0;
        let mut kept = Vec::with_capacity(points.len() + 4);
        for (i, a) in points.iter().enumerate() {
            let b = &points[(i + 1) % points.len()];
            if inside(a) {
                kept.push(*a);
            }
            if inside(a) != inside(b) {
                let t = (at - a[axis]) / (b[axis] - a[axis]);
                kept.push([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]);
            }
        }
        points = kept;
    }
    points
}

/// The first pair of sides that properly cross.
pub(crate) fn crossing(polygon: &[[f64; 2]]) -> Option<(usize, usize)> {
    let n = polygon.len();
    let side = |i: usize| (polygon[i], polygon[(i + 1) % n]);
    let turn = |a: [f64; 2], b: [f64; 2], c: [f64; 2]| {
        ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).partial_cmp(&0.0)
    };
    let opposite = |s: Option<std::cmp::Ordering>, t: Option<std::cmp::Ordering>| matches!((s, t), (Some(s), Some(t)) if s != std::cmp::Ordering::Equal && s == t.reverse());
    for i in 0..n {
        for j in i + 2..n {
            let ((a, b), (c, d)) = (side(i), side(j));
            if opposite(turn(a, b, c), turn(a, b, d)) && opposite(turn(c, d, a), turn(c, d, b)) {
                return Some((i, j));
            }
        }
    }
    None
}

/// Share of each pixel of `window` that lies inside `polygon`, 0…1, by 8×8 sub-samples.
///
/// `polygon` and `window` are in the same pixels; a polygon in other pixels is brought there by the caller with
/// [`crate::frame::Scale`].
pub fn coverage(polygon: &[[f64; 2]], window: Rect) -> Image<f32> {
    const SUB: usize = 8;
    let (w, h) = (window.width(), window.height());
    let mut mask = Image::new(w, h, 0.0f32);
    let mut crossings = Vec::new();
    for y in 0..h {
        for k in 0..SUB {
            let line = f64::from(window.y0) + y as f64 + (k as f64 + 0.5) / SUB as f64 - 0.5;
            crossings.clear();
            for (a, b) in polygon.iter().zip(polygon.iter().cycle().skip(1)) {
                if (a[1] <= line) != (b[1] <= line) {
                    crossings.push(a[0] + (line - a[1]) / (b[1] - a[1]) * (b[0] - a[0]));
                }
            }
            crossings.sort_by(f64::total_cmp);
            for span in crossings.chunks_exact(2) {
                let left = span[0] - f64::from(window.x0) + 0.5;
                let right = span[1] - f64::from(window.x0) + 0.5;
                fill_span(mask.row_mut(y), left, right, 1.0 / SUB as f32);
            }
        }
    }
    mask.pixels_mut().iter_mut().for_each(|v| *v = v.min(1.0));
    mask
}

/// Adds `weight` times the share of each pixel between `left` and `right`, pixel i reaching from i to i + 1.
fn fill_span(row: &mut [f32], left: f64, right: f64, weight: f32) {
    let (left, right) = (left.clamp(0.0, row.len() as f64), right.clamp(0.0, row.len() as f64));
    for (x, v) in row.iter_mut().enumerate().take(right.ceil() as usize).skip(left.floor() as usize) {
        let share = (right.min(x as f64 + 1.0) - left.max(x as f64)).max(0.0);
        *v += weight * share as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x0: f64, y0: f64, x1: f64, y1: f64) -> Polygon {
        vec![[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    }

    fn roi(polygon: Polygon) -> Roi {
        Roi { reference_frame: 0, polygons: vec![polygon], size: None }
    }

    #[test]
    fn bad_regions_are_named() {
        let message = |p: Polygon| roi(p).fitted_to((100, 80), 5).unwrap_err().to_string();
        assert!(message(vec![[1.0, 1.0], [5.0, 5.0]]).contains("three or more"));
        assert!(message(square(200.0, 10.0, 260.0, 60.0)).contains("covers 0 pixels"));
        assert!(message(square(10.0, 10.0, 12.0, 12.0)).contains("needs 64"));
        assert!(message(vec![[10.0, 10.0], [60.0, 60.0], [60.0, 10.0], [10.0, 60.0]]).contains("cross"));
        assert!(message(square(f64::NAN, 1.0, 50.0, 50.0)).contains("finite"));
        let none = Roi { reference_frame: 0, polygons: vec![], size: None };
        assert!(none.fitted_to((100, 80), 5).unwrap_err().to_string().contains("no polygon"));
        let late = Roi { reference_frame: 5, ..roi(square(10.0, 10.0, 50.0, 50.0)) };
        assert!(late.fitted_to((100, 80), 5).unwrap_err().to_string().contains("frames 0 to 4"));
    }

    #[test]
    fn drawn_on_another_size_it_is_scaled() {
        let drawn = Roi { size: Some([50, 40]), ..roi(square(-0.5, -0.5, 24.5, 19.5)) };
        let fitted = drawn.fitted_to((100, 80), 5).unwrap();
        assert_eq!(fitted.polygons[0], square(-0.5, -0.5, 49.5, 39.5));
    }

    #[test]
    fn coverage_is_the_area() {
        let p = vec![[3.2, 2.1], [15.7, 4.4], [12.0, 13.9], [2.5, 11.0]];
        let mask = coverage(&p, Rect::new(0, 0, 20, 18));
        let sum: f32 = mask.pixels().iter().sum();
        assert!((f64::from(sum) - area(&p)).abs() < 0.5, "{sum} for {}", area(&p));
        assert_eq!(mask[(8, 8)], 1.0);
        // Pixel centres at integers: the square around pixel (5,5) covers just that pixel.
        let dot = coverage(&square(4.5, 4.5, 5.5, 5.5), Rect::new(3, 3, 8, 8));
        assert_eq!(dot[(2, 2)], 1.0);
        assert_eq!(dot.pixels().iter().sum::<f32>(), 1.0);
    }
}
