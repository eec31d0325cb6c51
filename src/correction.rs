//! What the user knows better than the analysis: where the surface is in a frame, and what of it shows there.
//!
//! Corrections are kept apart from the region, because they come after: an analysis is made, looked at, and mended where
//! it is wrong. They are plain data; honouring them is the engine's work.

use crate::error::{Error, Result};
use crate::frame::{Image, Rect, Rgba, Scale, Vec2, io, resized};
use crate::roi::{Polygon, Roi, coverage, crossing};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Pixels within which a hand places a point, unless it is said to be surer.
const HAND: f64 = 3.0;

/// Pixels beyond which a position is a slip of the pen.
const FARTHEST: f64 = 1e5;

/// All that is to be mended in one analysis; positions are full-size pixels, centres at integers, y down.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrections {
    /// Width and height of the frames they were drawn on; scaled when the clip has another size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// Where the surface is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// What of it shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotos: Vec<Roto>,
}

/// Where one region is in one frame: its corners, or single points of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The frame, from 0.
    pub frame: usize,
    /// The region, from 0.
    #[serde(default)]
    pub region: usize,
    /// Where the region's corners are in that frame, in the order they were drawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corners: Vec<[f64; 2]>,
    /// Where single points are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Pin>,
    /// Pixels within which the positions are meant: the picture decides the rest. 0 takes them as they are.
    #[serde(default = "hand")]
    pub within: f64,
}

/// One point of the surface, found again in another frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Its position on the reference frame.
    pub on: [f64; 2],
    /// Its position in the key's frame.
    pub at: [f64; 2],
}

/// What shows of the surface in some frames, drawn or painted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roto {
    /// First and last frame it holds for.
    pub frames: [usize; 2],
    /// Shapes around what is in front: nothing of the surface shows there (a garbage matte).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Polygon>,
    /// Shapes in which nothing is in front.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<Polygon>,
    /// A painted matte of the frame's shape: white where the surface shows, black where something is in front; where it
    /// is transparent the analysis decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub painted: Option<PathBuf>,
}

fn hand() -> f64 {
    HAND
}

impl Corrections {
    /// Reads a file of corrections; pictures in it are looked for beside it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let mut read: Self = serde_json::from_str(&text).map_err(|e| {
            Error::Correction(format!(
                "{} is not a file of corrections ({e}); it should hold {{\"keys\": [{{\"frame\": 12, \"corners\": \
                 [[x, y], …]}}], \"rotos\": [{{\"frames\": [10, 14], \"hidden\": [[[x, y], …]]}}]}}",
                path.display()
            ))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for painted in read.rotos.iter_mut().filter_map(|r| r.painted.as_mut()) {
            *painted = folder.join(&*painted);
        }
        Ok(read)
    }

    /// Whether there is nothing to mend.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.rotos.is_empty()
    }

    /// Checks them against an analysis of a clip with `frames` frames of `size` pixels and brings them to its pixels.
    ///
    /// Fails on what is not there (frame, region, corner), on a key on the reference frame, on two keys for one region
    /// on one frame, and on shapes of less than three points.
    pub fn fitted_to(mut self, roi: &Roi, size: (usize, usize), frames: usize) -> Result<Self> {
        if let Some(drawn) = self.size {
            if drawn.contains(&0) {
                return Err(Error::Correction("they say they were drawn on a picture of no size".into()));
            }
            let scale = Scale::between(size, (drawn[0], drawn[1]));
            self.positions().for_each(|p| *p = scale.to_fine(*p));
        }
        self.size = Some([size.0, size.1]);
        if !self.positions().all(|p| p.iter().all(|v| v.is_finite())) {
            return Err(Error::Correction("a position in them is not a finite number".into()));
        }
        for (i, key) in self.keys.iter().enumerate() {
            let wrong = |reason| Error::Correction(format!("key {}: {reason}", i + 1));
            key.check(roi, frames).map_err(wrong)?;
            let again = |other: &Key| (other.frame, other.region) == (key.frame, key.region);
            if self.keys[..i].iter().any(again) {
                return Err(wrong(format!(
                    "frame {} has another for the same region; give all points in one",
                    key.frame
                )));
            }
        }
        for (i, roto) in self.rotos.iter().enumerate() {
            roto.check(frames).map_err(|reason| Error::Correction(format!("roto {}: {reason}", i + 1)))?;
        }
        Ok(self)
    }

    /// Every position in a frame or on the reference frame.
    fn positions(&mut self) -> impl Iterator<Item = &mut [f64; 2]> {
        let keys = self.keys.iter_mut().flat_map(|key| {
            key.corners.iter_mut().chain(key.points.iter_mut().flat_map(|p| [&mut p.on, &mut p.at]))
        });
        let shapes = self.rotos.iter_mut().flat_map(|r| r.hidden.iter_mut().chain(&mut r.shown)).flatten();
        keys.chain(shapes)
    }

    /// The frames that are drawn or painted on, in order.
    pub fn roto_frames(&self) -> Vec<usize> {
        let mut frames: Vec<usize> = self.rotos.iter().flat_map(|r| r.frames[0]..=r.frames[1]).collect();
        frames.sort_unstable();
        frames.dedup();
        frames
    }

    /// What is drawn and painted on a frame, at `working` size: share of the surface that shows, and how far that is
    /// said at all (0 leaves it to the analysis). `None` when nothing is.
    ///
    /// Fails when a painted matte cannot be read.
    pub fn roto(&self, frame: usize, working: (usize, usize)) -> Result<Option<Image<Vec2>>> {
        let full = self.size.map_or(working, |[w, h]| (w, h));
        let scale = Scale::between(full, working);
        let mut told: Option<Image<Vec2>> = None;
        for roto in self.rotos.iter().filter(|r| (r.frames[0]..=r.frames[1]).contains(&frame)) {
            let told = told.get_or_insert_with(|| Image::new(working.0, working.1, [0.0; 2]));
            if let Some(path) = &roto.painted {
                *told = painted(path, full, working)?;
            }
            for (shapes, value) in [(&roto.hidden, 0.0), (&roto.shown, 1.0)] {
                for shape in shapes {
                    let shape: Polygon = shape.iter().map(|p| scale.to_coarse(*p)).collect();
                    let inside = coverage(&shape, Rect::new(0, 0, working.0 as i32, working.1 as i32));
                    *told = told.zip(&inside, |[v, a], k| [v + k * (value - v), a + k * (1.0 - a)]);
                }
            }
        }
        Ok(told)
    }
}

/// A painted matte at working size.
fn painted(path: &Path, full: (usize, usize), working: (usize, usize)) -> Result<Image<Vec2>> {
    let pixels = io::read_picture(path)?.pixels;
    if pixels.size() != full {
        let ((w, h), (fw, fh)) = (pixels.size(), full);
        let reason = format!("it has {w}×{h} pixels, the clip's frames {fw}×{fh}; paint on one of those");
        return Err(Error::picture(path, reason));
    }
    // Transparent pixels have no colour to be mixed in.
    let premultiplied: Image<Rgba> = pixels.map(|p| {
        let v = 0.2126 * p[0] + 0.7152 * p[1] + 0.0722 * p[2];
        [v * p[3], 0.0, 0.0, p[3]]
    });
    let small = resized(&premultiplied, working)?;
    Ok(small
        .map(|p| if p[3] > 0.0 { [(p[0] / p[3]).clamp(0.0, 1.0), p[3].clamp(0.0, 1.0)] } else { [0.0; 2] }))
}

impl Key {
    /// What it says, as pairs of reference-frame and frame positions.
    pub fn pins(&self, polygon: &[[f64; 2]]) -> Vec<Pin> {
        let corners = polygon.iter().zip(&self.corners).map(|(on, at)| Pin { on: *on, at: *at });
        corners.chain(self.points.iter().copied()).collect()
    }

    fn check(&self, roi: &Roi, frames: usize) -> Result<(), String> {
        let Some(polygon) = roi.polygons.get(self.region) else {
            return Err(format!("there is no region {}; they count from 0", self.region));
        };
        if self.frame >= frames {
            return Err(format!(
                "there is no frame {}; the last is {}",
                self.frame,
                frames.saturating_sub(1)
            ));
        }
        if self.frame == roi.reference_frame {
            return Err("it is on the reference frame, where the region was drawn; draw it anew there".into());
        }
        if !self.corners.is_empty() && self.corners.len() != polygon.len() {
            let (given, drawn) = (self.corners.len(), polygon.len());
            return Err(format!("it has {given} corners, the region {drawn}; give all, or single points"));
        }
        if crossing(&self.corners).is_some() {
            return Err("its sides cross; give the corners in the order they were drawn".into());
        }
        let far = |p: &[f64; 2]| p.iter().any(|v| v.abs() > FARTHEST);
        if self.corners.iter().chain(self.points.iter().map(|p| &p.at)).any(far) {
            return Err(format!("a position in it is more than {FARTHEST} pixels off the picture"));
        }
        if self.corners.is_empty() && self.points.is_empty() {
            return Err("it has neither corners nor points".into());
        }
        if !(0.0..=1000.0).contains(&self.within) {
            return Err(format!("within is {}; it is a number of pixels, 0 to 1000", self.within));
        }
        Ok(())
    }
}

impl Roto {
    fn check(&self, frames: usize) -> Result<(), String> {
        let [first, last] = self.frames;
        if first > last || last >= frames {
            return Err(format!(
                "frames {first} to {last} are not frames of the clip, which has 0 to {}",
                frames.saturating_sub(1)
            ));
        }
        if self.hidden.is_empty() && self.shown.is_empty() && self.painted.is_none() {
            return Err("it has neither shapes nor a painted matte".into());
        }
        match self.hidden.iter().chain(&self.shown).find(|shape| shape.len() < 3) {
            Some(shape) => Err(format!("a shape has {} points; it needs three or more", shape.len())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> Roi {
        let square = vec![[10.0, 10.0], [50.0, 10.0], [50.0, 40.0], [10.0, 40.0]];
        Roi { reference_frame: 3, polygons: vec![square], size: Some([100, 80]) }
    }

    fn key(frame: usize) -> Key {
        let corners = region().polygons[0].clone();
        Key { frame, region: 0, corners, points: Vec::new(), within: HAND }
    }

    fn keys(keys: Vec<Key>) -> Corrections {
        Corrections { keys, ..Corrections::default() }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |c: Corrections| c.fitted_to(&region(), (100, 80), 20).unwrap_err().to_string();
        assert!(message(keys(vec![key(3)])).contains("key 1: it is on the reference frame"));
        assert!(message(keys(vec![key(4), key(20)])).contains("key 2: there is no frame 20; the last is 19"));
        assert!(message(keys(vec![key(4), key(4)])).contains("key 2: frame 4 has another"));
        assert!(message(keys(vec![Key { region: 1, ..key(4) }])).contains("no region 1"));
        assert!(message(keys(vec![Key { corners: vec![[0.0; 2]], ..key(4) }])).contains("the region 4"));
        assert!(message(keys(vec![Key { corners: vec![], ..key(4) }])).contains("neither"));
        let roto = |frames, hidden| Corrections {
            rotos: vec![Roto { frames, hidden, shown: vec![], painted: None }],
            ..Corrections::default()
        };
        assert!(message(roto([5, 4], vec![])).contains("roto 1: frames 5 to 4"));
        assert!(message(roto([5, 6], vec![])).contains("neither shapes"));
        assert!(message(roto([5, 6], vec![vec![[1.0, 2.0]]])).contains("1 points"));
    }

    #[test]
    fn drawn_on_another_size_they_are_scaled() {
        let drawn = Corrections { size: Some([50, 40]), ..keys(vec![key(4)]) };
        let fitted = drawn.fitted_to(&region(), (100, 80), 20).unwrap();
        assert_eq!(fitted.keys[0].corners[1], [100.5, 20.5]);
    }

    #[test]
    fn shapes_and_painted_mattes_say_what_shows() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("matte.png");
        // Left third black, middle third transparent, right third white.
        let paint = Image::from_fn(90, 60, |x, _| {
            let v = f32::from(x >= 60);
            [v, v, v, f32::from(!(30..60).contains(&x))]
        });
        io::write_picture(&file, &paint, crate::frame::Depth::U8, crate::frame::Channels::Rgba).unwrap();
        let square = |x: f64| vec![[x, 10.0], [x + 12.0, 10.0], [x + 12.0, 22.0], [x, 22.0]];
        let all = Corrections {
            size: Some([90, 60]),
            keys: vec![],
            rotos: vec![Roto {
                frames: [2, 4],
                hidden: vec![square(40.0)],
                shown: vec![square(10.0)],
                painted: Some(file),
            }],
        };
        assert!(all.roto(1, (45, 30)).unwrap().is_none() && all.roto_frames() == [2, 3, 4]);
        let told = all.roto(3, (45, 30)).unwrap().unwrap();
        assert_eq!(told[(3, 25)], [0.0, 1.0]);
        assert_eq!(told[(22, 25)][1], 0.0);
        assert_eq!(told[(40, 25)], [1.0, 1.0]);
        // Shapes lie over paint.
        assert_eq!((told[(22, 8)], told[(8, 8)]), ([0.0, 1.0], [1.0, 1.0]));
    }
}
