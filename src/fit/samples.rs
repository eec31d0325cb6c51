//! The points a fit learns from, on disk: memory stays the same however long the clip is.
//!
//! A record is one pixel: where it is, its colour, where flow leads from it and the initial mask there. Batches read
//! records at random; the system's cache of the file is what makes that fast, and it is given back when others need it.

use crate::error::{Error, Result};
use crate::frame::io::{read_at, temporary_beside};
use crate::frame::{Rgba, Vec2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes of a record.
const BYTES: usize = 24;
/// Steps a pixel of displacement is stored in.
const STEPS: f32 = 32.0;
/// Steps a level is stored in.
const LEVEL_STEPS: f32 = 256.0;
/// Stands for no displacement.
const NONE: i16 = i16::MIN;

/// One pixel of one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Its frame.
    pub frame: usize,
    /// Its place, pixels.
    pub at: [u16; 2],
    /// Its colour, levels; alpha unused.
    pub colour: Rgba,
    /// Displacement to the same surface point on the reference frame, the next frame, and the frame before, pixels;
    /// `None` where there is none to be relied on.
    pub to: [Option<Vec2>; 3],
    /// The initial mask there, 0…1.
    pub initial: f32,
}

/// Where each frame's records are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Frame, and the number of records before and up to the end of its own.
    frames: Vec<(usize, u64)>,
}

/// Writes samples frame by frame, in any order of frames.
pub struct SamplesWriter {
    path: PathBuf,
    file: BufWriter<tempfile::NamedTempFile>,
    index: Index,
}

impl SamplesWriter {
    /// Starts the file that will appear at `path` once it is finished.
    pub fn create(path: &Path) -> Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, temporary_beside(path, ".part")?);
        Ok(Self { path: path.to_path_buf(), file, index: Index { frames: Vec::new() } })
    }

    /// Adds a frame's samples.
    pub fn push(&mut self, frame: usize, samples: impl Iterator<Item = Sample>) -> Result<()> {
        let mut count = self.index.frames.last().map_or(0, |f| f.1);
        for sample in samples {
            self.file.write_all(&encode(&sample)).map_err(Error::io("write", &self.path))?;
            count += 1;
        }
        self.index.frames.push((frame, count));
        Ok(())
    }

    /// Makes the file appear under its name, and says what it holds.
    pub fn finish(self) -> Result<Index> {
        let file = self.file.into_inner().map_err(|e| Error::io("write", &self.path)(e.into_error()))?;
        file.persist(&self.path).map_err(|e| Error::io("write", &self.path)(e.error))?;
        Ok(self.index)
    }
}

/// Samples on disk.
#[derive(Debug)]
pub struct Samples {
    path: PathBuf,
    file: File,
    index: Index,
}

impl Samples {
    /// Opens what [`SamplesWriter::finish`] described.
    pub fn open(path: &Path, index: Index) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let samples = Self { path: path.to_path_buf(), file, index };
        if length != samples.len() * BYTES as u64 {
            return Err(Error::io("read", path)(std::io::Error::other("it is cut short; delete it")));
        }
        Ok(samples)
    }

    /// Number of samples.
    pub fn len(&self) -> u64 {
        self.index.frames.last().map_or(0, |f| f.1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the samples of these numbers, in their order.
    pub fn read(&self, numbers: &[u64]) -> Result<Vec<Sample>> {
        let one = |&n: &u64| {
            let mut bytes = [0u8; BYTES];
            read_at(&self.file, &mut bytes, n * BYTES as u64).map_err(Error::io("read", &self.path))?;
            let k = self.index.frames.partition_point(|f| f.1 <= n);
            Ok(decode(&bytes, self.index.frames[k].0))
        };
        numbers.par_iter().with_min_len(512).map(one).collect()
    }
}

fn encode(sample: &Sample) -> [u8; BYTES] {
    let mut bytes = [0u8; BYTES];
    let mut put = |i: usize, v: u16| bytes[2 * i..2 * i + 2].copy_from_slice(&v.to_le_bytes());
    put(0, sample.at[0]);
    put(1, sample.at[1]);
    for c in 0..3 {
        put(2 + c, (sample.colour[c] * LEVEL_STEPS).round().clamp(0.0, 65535.0) as u16);
    }
    for (k, to) in sample.to.iter().enumerate() {
        // Farther than can be stored is farther than is known.
        let steps =
            to.map(|d| d.map(|v| (v * STEPS).round())).filter(|d| d.iter().all(|v| v.abs() < 32767.0));
        let steps = steps.map_or([NONE; 2], |d| d.map(|v| v as i16));
        put(5 + 2 * k, steps[0] as u16);
        put(6 + 2 * k, steps[1] as u16);
    }
    put(11, (sample.initial * 65535.0).round() as u16);
    bytes
}

fn decode(bytes: &[u8; BYTES], frame: usize) -> Sample {
    let get = |i: usize| u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]);
    let level = |i: usize| f32::from(get(i)) / LEVEL_STEPS;
    let to = |k: usize| {
        let d = [get(5 + 2 * k) as i16, get(6 + 2 * k) as i16];
        (d[0] != NONE).then(|| d.map(|v| f32::from(v) / STEPS))
    };
    Sample {
        frame,
        at: [get(0), get(1)],
        colour: [level(2), level(3), level(4), 0.0],
        to: [to(0), to(1), to(2)],
        initial: f32::from(get(11)) / 65535.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_in_any_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("samples");
        let sample = |frame: usize, x: u16| Sample {
            frame,
            at: [x, 7],
            colour: [f32::from(x), 0.5, 255.0, 0.0],
            to: [Some([1.5, -0.25]), None, Some([-1000.0, 900.0])],
            initial: 1.0,
        };
        let mut writer = SamplesWriter::create(&path).unwrap();
        writer.push(4, (0..3).map(|x| sample(4, x))).unwrap();
        writer.push(5, std::iter::empty()).unwrap();
        writer
            .push(3, (0..2).map(|x| Sample { to: [Some([2000.0, 0.0]), None, None], ..sample(3, x) }))
            .unwrap();
        let index = writer.finish().unwrap();
        let samples = Samples::open(&path, index.clone()).unwrap();
        assert_eq!(samples.len(), 5);
        let read = samples.read(&[4, 0, 2]).unwrap();
        // Out of the range that can be stored: not known.
        assert_eq!(read[0], Sample { to: [None; 3], ..sample(3, 1) });
        assert_eq!(&read[1..], &[sample(4, 0), sample(4, 2)]);
        std::fs::write(&path, [0; 30]).unwrap();
        assert!(Samples::open(&path, index).unwrap_err().to_string().contains("cut short"));
    }
}
