//! What the user mends in the viewer: corners put right, shapes drawn around what is in front or is not.
//!
//! Kept as the region is: relative to the frame, 0…1 from its bottom left, and under the host's own frame numbers, so
//! that neither proxies nor another range of frames moves it.

use super::fault::{Fault, Result};
use super::instance::Instance;
use super::region::{Shapes, from_pixels, to_pixels};
use super::show;
use crate::atlas::Analysis;
use crate::correction::{Corrections, Key, Pin, Roto};
use crate::roi::Roi;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Corners of a region that are all put down with a key; of one with more, only those that were dragged.
const FEW: usize = 8;

/// Everything mended, in no particular order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Drawn {
    #[serde(default)]
    pub(super) keys: Vec<DrawnKey>,
    #[serde(default)]
    pub(super) shapes: Vec<DrawnShape>,
}

/// Corners of one region on one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DrawnKey {
    /// The host's number.
    pub(super) frame: i64,
    pub(super) region: usize,
    /// Which corners, and where.
    pub(super) corners: Vec<(usize, [f64; 2])>,
}

/// A shape on one frame and those around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DrawnShape {
    /// The host's number.
    pub(super) frame: i64,
    /// Frames before and after for which it holds, too.
    pub(super) hold: i64,
    /// Whether it surrounds what is in front; else what is not.
    pub(super) hidden: bool,
    pub(super) points: Vec<[f64; 2]>,
}

impl DrawnShape {
    /// Whether it holds on a frame.
    pub(super) fn holds(&self, frame: i64) -> bool {
        (self.frame - frame).abs() <= self.hold
    }
}

impl Drawn {
    pub(super) fn of(instance: &Instance) -> Result<Self> {
        let text = instance.params.text("corrections")?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(&text)
            .map_err(|e| Fault::Plain(format!("the corrections are damaged ({e}); draw them again")))
    }

    pub(super) fn store(&self, instance: &Instance) -> Result<()> {
        let text = match self == &Self::default() {
            true => String::new(),
            false => serde_json::to_string(self).map_err(|e| Fault::Plain(e.to_string()))?,
        };
        instance.params.set_text("corrections", &text)
    }

    /// Takes away what was put on one frame; says whether there was anything.
    pub(super) fn clear(&mut self, frame: i64) -> bool {
        let before = self.keys.len() + self.shapes.len();
        self.keys.retain(|k| k.frame != frame);
        self.shapes.retain(|s| s.frame != frame);
        before != self.keys.len() + self.shapes.len()
    }

    /// The shapes of one kind drawn on a frame itself.
    pub(super) fn shapes_on(&self, frame: i64, hidden: bool) -> Shapes {
        let own = self.shapes.iter().filter(|s| s.frame == frame && s.hidden == hidden);
        own.map(|s| s.points.clone()).collect()
    }

    /// Puts other shapes of one kind on a frame.
    pub(super) fn set_shapes(&mut self, frame: i64, hidden: bool, shapes: Shapes, hold: i64) {
        self.shapes.retain(|s| s.frame != frame || s.hidden != hidden);
        self.shapes.extend(shapes.into_iter().map(|points| DrawnShape { frame, hold, hidden, points }));
    }

    /// The corners of a region on a frame: where a key puts them, else where they were found.
    pub(super) fn corners(&self, frame: i64, region: usize, mut found: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
        let key = self.keys.iter().find(|k| k.frame == frame && k.region == region);
        for (corner, at) in key.into_iter().flat_map(|k| &k.corners) {
            if let Some(place) = found.get_mut(*corner) {
                *place = *at;
            }
        }
        found
    }

    /// Puts one corner down, and with it all others where they are, unless there are many.
    pub(super) fn set_corner(&mut self, frame: i64, region: usize, corner: usize, corners: &[[f64; 2]]) {
        let i = match self.keys.iter().position(|k| k.frame == frame && k.region == region) {
            Some(i) => i,
            None => {
                self.keys.push(DrawnKey { frame, region, corners: Vec::new() });
                self.keys.len() - 1
            }
        };
        let key = &mut self.keys[i];
        if corners.len() <= FEW {
            key.corners = corners.iter().copied().enumerate().collect();
        } else {
            key.corners.retain(|(c, _)| *c != corner);
            key.corners.extend(corners.get(corner).map(|at| (corner, *at)));
        }
    }

    /// What the worker is told, for frames of `size` pixels numbered from `first` to `last` by the host.
    pub(super) fn corrections(
        &self,
        roi: &Roi,
        within: f64,
        (first, last): (i64, i64),
        size: (usize, usize),
    ) -> Result<Corrections> {
        let index = |frame: i64| usize::try_from(frame - first).unwrap_or(0);
        let mut all = Corrections { size: Some([size.0, size.1]), ..Corrections::default() };
        for key in &self.keys {
            let wrong = |what: &str| {
                Fault::Plain(format!(
                    "the key on frame {} {what}: go there and press Clear this frame",
                    key.frame
                ))
            };
            if !(first..=last).contains(&key.frame) {
                return Err(wrong("is not among the frames to be analysed"));
            }
            let polygon =
                roi.polygons.get(key.region).ok_or_else(|| wrong("is for a region that is gone"))?;
            let pin = |(corner, at): &(usize, [f64; 2])| {
                Some(Pin { on: *polygon.get(*corner)?, at: to_pixels(*at, size) })
            };
            let points: Option<Vec<Pin>> = key.corners.iter().map(pin).collect();
            let points = points.ok_or_else(|| wrong("has corners that the region has no more"))?;
            let frame = index(key.frame);
            all.keys.push(Key { frame, region: key.region, corners: Vec::new(), points, within });
        }
        for shape in self.shapes.iter().filter(|s| s.points.len() >= 3) {
            let frames = [shape.frame - shape.hold, shape.frame + shape.hold];
            if frames[1] < first || frames[0] > last {
                continue;
            }
            let points = vec![shape.points.iter().map(|p| to_pixels(*p, size)).collect()];
            let (hidden, shown) = if shape.hidden { (points, vec![]) } else { (vec![], points) };
            let frames = frames.map(|f| index(f.clamp(first, last)));
            all.rotos.push(Roto { frames, hidden, shown, painted: None });
        }
        Ok(all)
    }
}

/// Where the analysis in use found the regions' corners on a frame, and whether it is sure; `None` where it knows
/// nothing of the frame.
pub(super) fn found_corners(instance: &Instance, frame: i64) -> Result<Option<(Shapes, bool)>> {
    located(instance, frame, 1)
}

/// As [`found_corners`], with `per_edge` points along each edge, so that a bent surface's region is bent.
pub(super) fn located(instance: &Instance, frame: i64, per_edge: usize) -> Result<Option<(Shapes, bool)>> {
    let path = instance.params.text("analysis")?;
    if path.is_empty() {
        return Ok(None);
    }
    let Ok(analysis) = show::analysis(Path::new(&path)) else { return Ok(None) };
    let header = analysis.header();
    let index = frame.checked_sub(header.first_frame).and_then(|i| usize::try_from(i).ok());
    let Some(index) = index.filter(|i| *i < header.frames) else { return Ok(None) };
    let size = (header.size[0], header.size[1]);
    let mut found = Shapes::new();
    for (k, polygon) in header.roi.polygons.iter().enumerate() {
        let layer = analysis.layer(k, index)?;
        let next = polygon.iter().cycle().skip(1);
        let edges = polygon.iter().zip(next).flat_map(|(a, b)| {
            (0..per_edge).map(move |i| {
                let t = i as f64 / per_edge as f64;
                [0, 1].map(|c| (a[c] + t * (b[c] - a[c])) as f32)
            })
        });
        // A corner that cannot be found stays in its place in the order, far off.
        let place = |p| layer.locate(p, header.map_step).map(|q| from_pixels(q.map(f64::from), size));
        found.push(match per_edge {
            1 => edges.map(|p| place(p).unwrap_or([-1.0; 2])).collect(),
            _ => edges.filter_map(place).collect(),
        });
    }
    let sure = !header.quality.iter().any(|q| q[index].is_doubtful());
    Ok(Some((found, sure)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roi() -> Roi {
        let square = vec![[20.0, 20.0], [60.0, 20.0], [60.0, 50.0], [20.0, 50.0]];
        Roi { reference_frame: 0, polygons: vec![square], size: None }
    }

    #[test]
    fn dragging_a_corner_keeps_the_others_where_they_are() {
        let mut drawn = Drawn::default();
        let found = vec![[0.2, 0.2], [0.6, 0.2], [0.6, 0.5], [0.2, 0.5]];
        let mut corners = drawn.corners(1005, 0, found.clone());
        corners[2] = [0.7, 0.6];
        drawn.set_corner(1005, 0, 2, &corners);
        assert_eq!(drawn.corners(1005, 0, found.clone())[2], [0.7, 0.6]);
        assert_eq!(drawn.corners(1006, 0, found.clone()), found);
        let told = drawn.corrections(&roi(), 3.0, (1001, 1010), (100, 80)).unwrap();
        assert_eq!((told.keys[0].frame, told.keys[0].points.len()), (4, 4));
        assert_eq!(told.keys[0].points[2].on, [60.0, 50.0]);
        assert_eq!(told.keys[0].points[2].at, to_pixels([0.7, 0.6], (100, 80)));
        let late = drawn.corrections(&roi(), 3.0, (1006, 1010), (100, 80)).unwrap_err().to_string();
        assert!(late.contains("key on frame 1005"), "{late}");
        assert!(drawn.clear(1005) && drawn == Drawn::default());
    }

    #[test]
    fn shapes_hold_around_their_frame_within_the_clip() {
        let mut drawn = Drawn::default();
        let triangle = vec![[0.1, 0.1], [0.3, 0.1], [0.2, 0.4]];
        drawn.set_shapes(1002, true, vec![triangle.clone(), vec![[0.5, 0.5]]], 3);
        assert!(drawn.shapes[0].holds(1005) && !drawn.shapes[0].holds(1006));
        let told = drawn.corrections(&roi(), 3.0, (1001, 1010), (100, 80)).unwrap();
        // What has no three points yet is no shape.
        assert_eq!((told.rotos.len(), told.rotos[0].frames), (1, [0, 4]));
        assert_eq!(drawn.shapes_on(1002, true).len(), 2);
        drawn.set_shapes(1002, true, vec![], 3);
        assert!(drawn.shapes.is_empty());
    }
}
