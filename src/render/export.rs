//! The atlas as one picture for a paint program, with a note of where it lies.

use crate::atlas::{Analysis, Placement, Surface};
use crate::error::{Error, Result};
use crate::frame::{Encoding, Image, Rgba, cubic};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// No surface owns the pixel.
pub(super) const NOBODY: u16 = u16::MAX;

/// All surfaces' atlases laid into one picture over their common box, at the largest scale among them.
///
/// Colours are the host's own values, not premultiplied; alpha is the coverage of the regions. Where boxes overlap,
/// the surface whose region covers more of the pixel shows, the first of them when they are equal.
pub fn export_atlas(analysis: &dyn Analysis) -> (Image<Rgba>, Placement) {
    let (picture, _, placement) = union(analysis.surfaces());
    (picture, placement)
}

/// The exported picture, which surface each of its pixels came from ([`NOBODY`]: none), and where it lies.
pub(super) fn union(surfaces: &[Surface]) -> (Image<Rgba>, Image<u16>, Placement) {
    let placement = union_placement(surfaces);
    let [w, h] = placement.size;
    let mut picture = Image::new(w, h, [0.0; 4]);
    let mut owner = Image::new(w, h, NOBODY);
    for (k, s) in surfaces.iter().enumerate() {
        let columns: Vec<f64> = (0..w).map(|x| carry(&placement, &s.placement, 0, x)).collect();
        let inside = |v: f64, n: usize| v >= -0.5 && v < n as f64 - 0.5;
        for y in 0..h {
            let v = carry(&placement, &s.placement, 1, y);
            if !inside(v, s.placement.size[1]) {
                continue;
            }
            for (x, &u) in columns.iter().enumerate().filter(|&(_, &u)| inside(u, s.placement.size[0])) {
                let mut pixel = cubic(&s.picture, [u as f32, v as f32]);
                pixel[3] = pixel[3].clamp(0.0, 1.0);
                if owner[(x, y)] == NOBODY || pixel[3] > picture[(x, y)][3] {
                    picture[(x, y)] = pixel;
                    owner[(x, y)] = k as u16;
                }
            }
        }
    }
    (picture, owner, placement)
}

/// The common box, on the pixel grid of the first of the finest surfaces.
fn union_placement(surfaces: &[Surface]) -> Placement {
    let finest =
        surfaces.iter().fold(&surfaces[0], |a, b| if b.placement.scale > a.placement.scale { b } else { a });
    let (grid, scale) = (finest.placement.origin, finest.placement.scale);
    let mut origin = [0.0; 2];
    let mut size = [0; 2];
    for i in 0..2 {
        let starts = surfaces.iter().map(|s| (s.placement.origin[i] - grid[i]) * scale);
        let ends = surfaces.iter().map(|s| {
            let p = &s.placement;
            (p.origin[i] - grid[i] + (p.size[i] - 1) as f64 / p.scale) * scale
        });
        // A hair of slack, so that rounding does not add a column to a box that already lies on the grid.
        let first = starts.fold(f64::INFINITY, f64::min) + 1e-6;
        let last = ends.fold(f64::NEG_INFINITY, f64::max) - 1e-6;
        origin[i] = grid[i] + first.floor() / scale;
        size[i] = (last.ceil() - first.floor()) as usize + 1;
    }
    Placement { origin, scale, size }
}

/// Pixel `index` of one atlas, along one axis, on another. Positions a hair off a pixel are put on it, so that pictures
/// on one grid are carried over exactly.
pub(super) fn carry(from: &Placement, to: &Placement, axis: usize, index: usize) -> f64 {
    let reference = from.origin[axis] + index as f64 / from.scale;
    let at = (reference - to.origin[axis]) * to.scale;
    if (at - at.round()).abs() < 1e-4 { at.round() } else { at }
}

/// A picture's colours from one encoding to another; alpha as it is.
pub fn convert(picture: &Image<Rgba>, from: Encoding, to: Encoding) -> Image<Rgba> {
    if from == to {
        return picture.clone();
    }
    picture.map(|&[r, g, b, a]| {
        let [r, g, b] = [r, g, b].map(|v| to.from_display(from.to_display(v)));
        [r, g, b, a]
    })
}

/// The note beside an exported atlas (`atlas.png` has `atlas.json`): reference pixel = origin + atlas pixel / scale,
/// pixel centres at integers, y down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Reference-frame position of the centre of the picture's first pixel.
    pub origin: [f64; 2],
    /// Picture pixels to a reference pixel.
    pub scale: f64,
    /// Width and height of the picture.
    pub size: [usize; 2],
    /// The frame whose pixels these are, from 0.
    pub reference_frame: usize,
    /// How the picture's values are meant.
    pub encoding: Encoding,
}

impl Sidecar {
    /// For an atlas as [`export_atlas`] gives it, written with values of `encoding`.
    pub fn new(analysis: &dyn Analysis, placement: &Placement, encoding: Encoding) -> Self {
        let Placement { origin, scale, size } = *placement;
        Self { origin, scale, size, reference_frame: analysis.header().roi.reference_frame, encoding }
    }

    /// Where the note to a picture lies: the same name ending in `.json`.
    pub fn path_for(picture: &Path) -> PathBuf {
        picture.with_extension("json")
    }

    /// Writes the note to a picture; fails when that file cannot be written.
    pub fn write(&self, picture: &Path) -> Result<()> {
        let path = Self::path_for(picture);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::picture(&path, format!("its numbers cannot be written ({e})")))?;
        std::fs::write(&path, text + "\n").map_err(Error::io("write", &path))
    }

    /// Reads the note to a picture; `None` when there is none. Fails when it cannot be read or is not such a note.
    pub fn read(picture: &Path) -> Result<Option<Self>> {
        let path = Self::path_for(picture);
        let text = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(Error::io("read", &path))?,
        };
        let note = serde_json::from_str(&text).map_err(|e| {
            Error::picture(
                &path,
                format!("it is not the note of an exported atlas ({e}); export the atlas again"),
            )
        })?;
        Ok(Some(note))
    }

    /// Checks that the picture was exported from this analysis; fails with [`Error::Mismatch`].
    pub fn check(&self, analysis: &dyn Analysis) -> Result<()> {
        let p = union_placement(analysis.surfaces());
        let near = |a: f64, b: f64| (a - b).abs() < 1e-3;
        let same = self.size == p.size
            && near(self.scale, p.scale)
            && near(self.origin[0], p.origin[0])
            && near(self.origin[1], p.origin[1])
            && self.reference_frame == analysis.header().roi.reference_frame;
        if same {
            return Ok(());
        }
        Err(Error::Mismatch(
            "the edited atlas was exported from another analysis; export it again from this one and paint on that".into(),
        ))
    }
}
