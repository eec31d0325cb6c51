//! Frame *i* of a clip, decoded when asked for and never all at once.
//!
//! A clip is a folder of pictures, a numbered sequence, or a video (decoded by the `ffmpeg` program, so that no codec
//! is linked here). [`sample`] generates one whose perfect answer is known.

mod ffmpeg;
mod pattern;
mod sequence;
mod spool;
mod video;

pub mod sample;
pub mod write;

use crate::error::{Error, Result};
use crate::frame::io::Kind;
use crate::frame::{Channels, Depth, Encoding, Image, Rgba};
use std::path::{Path, PathBuf};

pub use spool::{Footage, Spool, SpoolWriter};
pub use write::FrameWriter;

/// What is known of a clip before any pixel is decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipInfo {
    /// The folder, pattern or video the user named; for messages and fingerprints.
    pub path: PathBuf,
    /// Full size in pixels.
    pub size: (usize, usize),
    /// Number of frames; they are numbered from 0 here whatever their files are called.
    pub frames: usize,
    /// How the files store a channel.
    pub depth: Depth,
    /// Which channels the files have.
    pub channels: Channels,
    /// How colours are meant when the user does not say: EXR is linear, all else is for display.
    pub encoding: Encoding,
}

/// A clip: random access to its frames, from any thread. Asking in order is fastest (a video decodes forward).
pub trait Clip: Send + Sync {
    /// What is known without decoding.
    fn info(&self) -> &ClipInfo;

    /// Frame `index`, at full size, in the file's own values. Fails when it cannot be read, has another size than the
    /// first, or holds values that are not finite.
    fn frame(&self, index: usize) -> Result<Image<Rgba>>;
}

/// Opens a clip: a folder of pictures of one kind (natural order, other files ignored), a pattern (`shot.%04d.exr`,
/// `shot.####.exr`; no number may be missing), one picture, or a video.
///
/// Reads no more than the first picture's header, or a video's index.
pub fn open(path: &Path) -> Result<Box<dyn Clip>> {
    if path.is_dir() {
        return Ok(Box::new(sequence::Sequence::folder(path)?));
    }
    if !path.exists() {
        if let Some(pattern) = pattern::Pattern::parse(path)? {
            return Ok(Box::new(sequence::Sequence::pattern(&pattern)?));
        }
        return Err(Error::clip(
            path,
            "there is no such file or folder; give a folder of pictures, a pattern such as shot.%04d.exr, or a video",
        ));
    }
    if Kind::of_name(path).is_some() {
        return Ok(Box::new(sequence::Sequence::single(path)?));
    }
    Ok(Box::new(video::Video::open(path)?))
}

/// Fails on the first value that is not a finite number, naming its pixel.
fn check_finite(image: &Image<Rgba>, path: &Path, index: usize) -> Result<()> {
    let Some(at) = image.pixels().iter().position(|p| !p.iter().all(|v| v.is_finite())) else {
        return Ok(());
    };
    let (x, y) = (at % image.width(), at / image.width());
    let what = if image[(x, y)].iter().any(|v| v.is_nan()) { "is not a number" } else { "is infinite" };
    Err(Error::frame(path, index, format!("pixel ({x}, {y}) {what}; repair the frame or render it again")))
}

/// A frame asked for that is not there: always a mistake of the caller, but a clear one.
fn no_such_frame(info: &ClipInfo, index: usize) -> Error {
    Error::frame(&info.path, index, format!("the clip has only {} frames, counted from 0", info.frames))
}
