//! The first stage: every frame once, checked, display-encoded and reduced to working size.

use crate::clip::{Clip, Footage, Spool, SpoolWriter};
use crate::error::{Error, Result};
use crate::frame::{Channels, Depth, Encoding, Image, Rgba, resized};
use crate::progress::Progress;
use crate::track::in_order;
use parking_lot::Mutex;
use std::path::Path;

/// White, as the spool may have rounded it, levels.
const JUST_WHITE: f32 = 255.01;

/// A clip's own frames as footage: full size, levels.
pub(super) struct FullSize<'a> {
    /// The clip.
    pub(super) clip: &'a dyn Clip,
    /// What its values mean.
    pub(super) encoding: Encoding,
}

impl Footage for FullSize<'_> {
    fn len(&self) -> usize {
        self.clip.info().frames
    }

    fn size(&self) -> (usize, usize) {
        self.clip.info().size
    }

    fn ceiling(&self) -> f32 {
        match self.clip.info().depth {
            Depth::U8 | Depth::U16 => 255.0,
            Depth::F16 | Depth::F32 => f32::INFINITY,
        }
    }

    fn levels(&self, frame: usize) -> Result<Image<Rgba>> {
        let encode = |v: f32| self.encoding.to_display(v) * 255.0;
        Ok(self.clip.frame(frame)?.map(|p| [encode(p[0]), encode(p[1]), encode(p[2]), 0.0]))
    }
}

/// A clip's own frames whose reading is progress, and stops when the user asks.
pub(super) struct Watched<'a> {
    full: &'a FullSize<'a>,
    progress: &'a Progress,
    /// Steps done.
    done: Mutex<usize>,
}

impl<'a> Watched<'a> {
    /// At the beginning of a stage.
    pub(super) fn new(full: &'a FullSize<'a>, progress: &'a Progress) -> Self {
        Self { full, progress, done: Mutex::new(0) }
    }

    /// The frames without.
    pub(super) fn full(&self) -> &'a FullSize<'a> {
        self.full
    }

    /// One step more.
    pub(super) fn step(&self) -> Result<()> {
        let mut done = self.done.lock();
        *done += 1;
        self.progress.step(*done)
    }
}

impl Footage for Watched<'_> {
    fn len(&self) -> usize {
        self.full.len()
    }

    fn size(&self) -> (usize, usize) {
        self.full.size()
    }

    fn ceiling(&self) -> f32 {
        self.full.ceiling()
    }

    fn levels(&self, frame: usize) -> Result<Image<Rgba>> {
        self.step()?;
        self.full.levels(frame)
    }
}

/// Writes all frames to the spool at `path`, or takes it as an earlier run left it.
pub(super) fn spool(
    full: &FullSize,
    size: (usize, usize),
    path: &Path,
    progress: &Progress,
) -> Result<Spool> {
    if let Ok(spool) = Spool::open(path, size, full.len()) {
        return Ok(spool);
    }
    let mut writer = SpoolWriter::create(path, size)?;
    let all: Vec<usize> = (0..full.len()).collect();
    let mut brightest = 0.0f32;
    let reduce = |t: usize| resized(&full.levels(t)?, size);
    in_order(&all, reduce, |t, frame| {
        let colours = frame.pixels().iter().flat_map(|p| &p[..3]);
        brightest = colours.fold(brightest, |m, v| m.max(*v));
        writer.push(&frame)?;
        progress.step(t + 1)
    })?;
    if brightest < 4.0 {
        let reason =
            "every frame is black; there is nothing to follow. Check the clip's path and its input colour";
        return Err(Error::clip(&full.clip.info().path, reason));
    }
    writer.finish()
}

/// Largest value that frames can hold, as a host counts: white for integers, and for floats that never exceed it, as those
/// a host made of integers. `None` where brighter things than white were filmed.
pub(super) fn ceiling(full: &FullSize, spool: &Spool) -> Result<Option<f32>> {
    if full.ceiling().is_finite() {
        return Ok(Some(1.0));
    }
    let above = |t: usize| -> Result<bool> {
        Ok(spool.levels(t)?.pixels().iter().flat_map(|p| &p[..3]).any(|v| *v > JUST_WHITE))
    };
    let exceeds = full.encoding == Encoding::Linear
        || (0..spool.len()).try_fold(false, |any, t| above(t).map(|a| any || a))?;
    Ok((!exceeds).then_some(1.0))
}

/// A clip nothing can be tracked in, named before any work is done.
pub(super) fn check(clip: &dyn Clip) -> Result<()> {
    let info = clip.info();
    if info.frames < 2 {
        return Err(Error::clip(
            &info.path,
            "it has a single frame; there is no motion to follow. Give two or more",
        ));
    }
    if info.size.0 < 32 || info.size.1 < 32 {
        let (w, h) = info.size;
        return Err(Error::clip(
            &info.path,
            format!("its frames are {w}×{h} pixels; tracking needs 32×32 or more"),
        ));
    }
    debug_assert!(matches!(
        info.channels,
        Channels::Grey | Channels::GreyAlpha | Channels::Rgb | Channels::Rgba
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::ClipInfo;

    struct Still(ClipInfo, f32);

    impl Clip for Still {
        fn info(&self) -> &ClipInfo {
            &self.0
        }
        fn frame(&self, _: usize) -> Result<Image<Rgba>> {
            Ok(Image::from_fn(40, 32, |x, _| [self.1 * x as f32 / 39.0, 0.2, 0.3, 1.0]))
        }
    }

    fn found(depth: Depth, encoding: Encoding, brightest: f32) -> Option<f32> {
        let folder = tempfile::tempdir().unwrap();
        let info = ClipInfo {
            path: "clip".into(),
            size: (40, 32),
            frames: 2,
            depth,
            channels: Channels::Rgb,
            encoding,
        };
        let full = FullSize { clip: &Still(info, brightest), encoding };
        let spool = spool(&full, (40, 32), &folder.path().join("frames"), &Progress::silent()).unwrap();
        ceiling(&full, &spool).unwrap()
    }

    #[test]
    fn white_is_the_most_where_nothing_brighter_was_filmed() {
        assert_eq!(found(Depth::U8, Encoding::Display, 1.0), Some(1.0));
        assert_eq!(found(Depth::F32, Encoding::Display, 1.0), Some(1.0));
        assert_eq!(found(Depth::F32, Encoding::Display, 1.02), None);
        assert_eq!(found(Depth::F16, Encoding::Linear, 1.0), None);
    }
}
