//! Frame *i* of a clip, decoded when asked for and never all at once.

mod spool;

pub use spool::{Footage, Spool, SpoolWriter};

use crate::error::Result;
use crate::frame::{Channels, Depth, Encoding, Image, Rgba};
use std::path::PathBuf;

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
