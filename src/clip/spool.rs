//! The clip at working size, on disk: decoded once, read in any order, never all in memory.
//!
//! Analysis looks at every frame a dozen times. Keeping the frames as plain 16-bit rows in a file costs a millisecond a
//! look, nothing of memory, and lets an interrupted analysis go on without decoding again.

use crate::error::{Error, Result};
use crate::frame::io::{read_at, temporary_beside};
use crate::frame::{Image, Rgba};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Working-size frames in levels (0…255, display-encoded, alpha unused and 0), read in any order from any thread.
pub trait Footage: Sync {
    /// Number of frames.
    fn len(&self) -> usize;
    /// Whether there is no frame.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Working size.
    fn size(&self) -> (usize, usize);
    /// Largest level a frame can hold: what is predicted above it shows as it. Infinite for footage in floats.
    fn ceiling(&self) -> f32 {
        255.0
    }
    /// One frame.
    fn levels(&self, frame: usize) -> Result<Image<Rgba>>;
}

/// Steps a level is stored in: the sixteen bits hold levels up to 255.99.
const STEPS: f32 = 256.0;

/// Frames on disk, as written by [`SpoolWriter`].
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: File,
    size: (usize, usize),
    frames: usize,
}

/// Writes a spool frame by frame.
#[derive(Debug)]
pub struct SpoolWriter {
    path: PathBuf,
    file: BufWriter<tempfile::NamedTempFile>,
    size: (usize, usize),
    frames: usize,
}

impl SpoolWriter {
    /// Starts the spool that will appear at `path` once it is finished.
    pub fn create(path: &Path, size: (usize, usize)) -> Result<Self> {
        let file = temporary_beside(path, ".part")?;
        Ok(Self { path: path.to_path_buf(), file: BufWriter::with_capacity(1 << 20, file), size, frames: 0 })
    }

    /// Adds a frame in levels.
    pub fn push(&mut self, frame: &Image<Rgba>) -> Result<()> {
        debug_assert_eq!(frame.size(), self.size);
        let mut bytes = Vec::with_capacity(frame.pixels().len() * 6);
        for p in frame.pixels() {
            for v in &p[..3] {
                let stored = (v * STEPS).round().clamp(0.0, 65535.0) as u16;
                bytes.extend_from_slice(&stored.to_le_bytes());
            }
        }
        self.file.write_all(&bytes).map_err(Error::io("write", &self.path))?;
        self.frames += 1;
        Ok(())
    }

    /// Makes the spool appear under its name.
    pub fn finish(self) -> Result<Spool> {
        let file = self.file.into_inner().map_err(|e| Error::io("write", &self.path)(e.into_error()))?;
        file.persist(&self.path).map_err(|e| Error::io("write", &self.path)(e.error))?;
        Spool::open(&self.path, self.size, self.frames)
    }
}

impl Spool {
    /// Opens a finished spool; fails when its length is not that of `frames` frames.
    pub fn open(path: &Path, size: (usize, usize), frames: usize) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let spool = Self { path: path.to_path_buf(), file, size, frames };
        if length != (spool.frame_bytes() * frames) as u64 {
            return Err(Error::clip(
                path,
                "the frames kept from an earlier run are incomplete; delete the file",
            ));
        }
        Ok(spool)
    }

    fn frame_bytes(&self) -> usize {
        self.size.0 * self.size.1 * 6
    }
}

impl Footage for Spool {
    fn len(&self) -> usize {
        self.frames
    }

    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn levels(&self, frame: usize) -> Result<Image<Rgba>> {
        let mut bytes = vec![0u8; self.frame_bytes()];
        read_at(&self.file, &mut bytes, (frame * self.frame_bytes()) as u64)
            .map_err(Error::io("read", &self.path))?;
        let value = |lo: u8, hi: u8| f32::from(u16::from_le_bytes([lo, hi])) * (1.0 / STEPS);
        let pixels =
            bytes.chunks_exact(6).map(|b| [value(b[0], b[1]), value(b[2], b[3]), value(b[4], b[5]), 0.0]);
        Ok(Image::from_vec(self.size.0, self.size.1, pixels.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_in_any_order_and_a_short_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("frames");
        let picture =
            |t: usize| Image::from_fn(5, 3, |x, y| [x as f32 * 50.0, y as f32 * 0.5, t as f32, 0.0]);
        let mut writer = SpoolWriter::create(&path, (5, 3)).unwrap();
        (0..4).for_each(|t| writer.push(&picture(t)).unwrap());
        assert!(!path.exists(), "it appears only when finished");
        let spool = writer.finish().unwrap();
        for t in [3, 0, 2] {
            assert_eq!(spool.levels(t).unwrap(), picture(t));
        }
        assert!(Spool::open(&path, (5, 3), 5).is_err());
    }
}
