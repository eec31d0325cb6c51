//! Picture files: PNG, JPEG, TIFF and OpenEXR in and out, NumPy arrays out.
//!
//! One place decides what a file's numbers mean (integers 0…1, floats as they are), refuses absurd files before memory
//! is taken for them, and writes so that nothing half-written ever appears. A picture written at the depth it was read
//! at is bit-exact, except through JPEG.
//!
//! | kind | read | written |
//! |---|---|---|
//! | PNG  | 1 to 16 bits, palettes expanded | 8, 16 |
//! | JPEG | 8, grey or colour, the same values as libjpeg | 8, quality 96, colour not subsampled |
//! | TIFF | 8, 16, single float | 8, 16, single float |
//! | EXR  | half, single float | half, single float, ZIP |

mod atomic;
mod jpeg;
mod npy;
mod openexr;
mod positioned;
mod raster;

pub use atomic::write_atomic;
pub(crate) use atomic::{TEMPORARY, temporary_beside};
pub use npy::write_npy;
pub(crate) use positioned::read_at;

use super::{Channels, Depth, Image, Rgba};
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// Longest side of a picture, pixels.
pub const LONGEST_SIDE: usize = 32_768;
/// Most pixels of a picture.
pub const MOST_PIXELS: usize = 1 << 28;

/// A picture as it was read, with what is needed to write it back the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// RGBA; integers scaled to 0…1, floats kept. Alpha is 1 where the file has none.
    pub pixels: Image<Rgba>,
    /// How the file stores a channel.
    pub depth: Depth,
    /// Which channels the file has.
    pub channels: Channels,
}

/// What a picture file says of itself, known before any pixel is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Width and height in pixels; of an EXR, its display window.
    pub size: (usize, usize),
    /// How the file stores a channel.
    pub depth: Depth,
    /// Which channels the file has.
    pub channels: Channels,
    /// The file's format.
    pub kind: Kind,
}

/// The formats of picture files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Portable Network Graphics.
    Png,
    /// JPEG: 8 bits, lossy.
    Jpeg,
    /// TIFF.
    Tiff,
    /// OpenEXR.
    Exr,
}

impl Kind {
    /// The format a file's name announces, by its ending in any case; `None` when it is not a picture we know.
    pub fn of_name(path: &Path) -> Option<Kind> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "png" => Some(Kind::Png),
            "jpg" | "jpeg" => Some(Kind::Jpeg),
            "tif" | "tiff" => Some(Kind::Tiff),
            "exr" => Some(Kind::Exr),
            _ => None,
        }
    }

    /// What users call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Png => "PNG",
            Kind::Jpeg => "JPEG",
            Kind::Tiff => "TIFF",
            Kind::Exr => "EXR",
        }
    }

    /// The format's closest depth to `depth`: itself where the format has it, else the next that loses least.
    pub fn holds(self, depth: Depth) -> Depth {
        match (self, depth) {
            (Kind::Jpeg, _) => Depth::U8,
            (Kind::Png, Depth::U8) => Depth::U8,
            (Kind::Png, _) => Depth::U16,
            (Kind::Tiff, Depth::F16) => Depth::F32,
            (Kind::Tiff, depth) => depth,
            // A half holds all 256 levels of an 8-bit file apart, not the 65 536 of a 16-bit one.
            (Kind::Exr, Depth::U8 | Depth::F16) => Depth::F16,
            (Kind::Exr, Depth::U16 | Depth::F32) => Depth::F32,
        }
    }

    /// By the file's first bytes, since names lie.
    fn of_content(start: &[u8]) -> Option<Kind> {
        match start {
            [0x89, b'P', b'N', b'G', ..] => Some(Kind::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Kind::Jpeg),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Kind::Tiff),
            [0x76, 0x2f, 0x31, 0x01, ..] => Some(Kind::Exr),
            _ => None,
        }
    }
}

/// Size, depth and channels of a picture file, without decoding it.
///
/// Fails as [`read_picture`] does, as far as the header tells.
pub fn read_header(path: &Path) -> Result<Header> {
    match kind_of_file(path)? {
        Kind::Exr => openexr::read_header(path),
        Kind::Jpeg => jpeg::read_header(path),
        kind => raster::read_header(path, kind),
    }
}

/// Reads a picture file; the format is told by its content, not its name.
///
/// Fails with one clear line on files that are missing, empty, cut off, damaged, of an unknown kind, or that claim more
/// than [`LONGEST_SIDE`] or [`MOST_PIXELS`] (checked before memory is taken). The transparent border that an EXR's
/// data window leaves inside its display window is filled with zeros; what lies outside the display window is cut.
pub fn read_picture(path: &Path) -> Result<Picture> {
    match kind_of_file(path)? {
        Kind::Exr => openexr::read(path),
        Kind::Jpeg => jpeg::read(path),
        kind => raster::read(path, kind),
    }
}

/// Writes a picture file; the format is told by the name's ending.
///
/// `depth` and `channels` are what is wanted; [`held_depth`] tells which depth the format then holds. Integers are
/// rounded to the nearest and clamped to their range (a NaN becomes 0), floats are kept, NaN and infinities included.
/// Grey takes the red channel; JPEG drops alpha; TIFF stores grey with alpha, and float grey, as colour. The file
/// appears by rename, complete or not at all.
pub fn write_picture(path: &Path, pixels: &Image<Rgba>, depth: Depth, channels: Channels) -> Result<()> {
    let kind = kind_of_name(path)?;
    check_size(path, pixels.width(), pixels.height())?;
    match kind {
        Kind::Exr => openexr::write(path, pixels, kind.holds(depth), channels),
        Kind::Jpeg => jpeg::write(path, pixels, channels),
        _ => raster::write(path, pixels, kind, kind.holds(depth), channels),
    }
}

/// Writes a matte, 0…1, as one grey channel: 16 bits into PNG and TIFF, half floats into EXR, 8 bits into JPEG.
pub fn write_matte(path: &Path, matte: &Image<f32>) -> Result<()> {
    let depth = if kind_of_name(path)? == Kind::Exr { Depth::F16 } else { Depth::U16 };
    write_picture(path, &matte.map(|&v| [v, v, v, 1.0]), depth, Channels::Grey)
}

/// The depth a file of this name would really be written at when `depth` is asked for: PNG has no floats (16 bits
/// then), JPEG has 8 bits only, TIFF no halves (single floats then), EXR no integers (half for 8 bits, single for 16).
pub fn held_depth(path: &Path, depth: Depth) -> Result<Depth> {
    Ok(kind_of_name(path)?.holds(depth))
}

fn kind_of_name(path: &Path) -> Result<Kind> {
    Kind::of_name(path).ok_or_else(|| {
        Error::picture(path, "its name does not end in .png, .jpg, .tif or .exr, so its format is not known")
    })
}

fn kind_of_file(path: &Path) -> Result<Kind> {
    let mut start = Vec::with_capacity(8);
    let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    file.take(8).read_to_end(&mut start).map_err(Error::io("read", path))?;
    if start.is_empty() {
        return Err(Error::picture(path, "the file is empty"));
    }
    Kind::of_content(&start).ok_or_else(|| {
        Error::picture(path, "it is not a PNG, JPEG, TIFF or EXR picture; convert it to one of these")
    })
}

/// Refuses pictures without pixels, and those no camera made.
fn check_size(path: &Path, w: usize, h: usize) -> Result<()> {
    if w == 0 || h == 0 {
        return Err(Error::picture(path, format!("its size is {w}×{h}; it has no pixels")));
    }
    if w > LONGEST_SIDE || h > LONGEST_SIDE || w.saturating_mul(h) > MOST_PIXELS {
        let most = MOST_PIXELS >> 20;
        return Err(Error::picture(
            path,
            format!(
                "its size is {w}×{h}; at most {LONGEST_SIDE} pixels a side and {most} million in all are read"
            ),
        ));
    }
    Ok(())
}

/// A codec's message brought to one line.
fn one_line(error: impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
