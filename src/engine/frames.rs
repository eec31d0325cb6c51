//! The first stage: every frame once, checked, display-encoded and reduced to working size.

use crate::clip::{Clip, Footage, Spool, SpoolWriter};
use crate::error::{Error, Result};
use crate::frame::{Channels, Depth, Encoding, Image, Rgba};
use crate::progress::Progress;
use crate::track::in_order;
use fast_image_resize as resize;
use std::path::Path;

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
    let reduce = |t: usize| reduced(&full.levels(t)?, size);
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

/// Reduced to `size` by a filter that keeps detail and lets none fold back (Lanczos, 3 lobes).
fn reduced(frame: &Image<Rgba>, size: (usize, usize)) -> Result<Image<Rgba>> {
    if frame.size() == size {
        return Ok(frame.clone());
    }
    let failed = |e: String| Error::Mismatch(format!("cannot reduce a frame to {}×{}: {e}", size.0, size.1));
    let source: Vec<resize::pixels::F32x4> =
        frame.pixels().iter().map(|p| resize::pixels::Pixel::new(*p)).collect();
    let from = resize::images::TypedImageRef::new(frame.width() as u32, frame.height() as u32, &source)
        .map_err(|e| failed(e.to_string()))?;
    let mut to = resize::images::TypedImage::<resize::pixels::F32x4>::new(size.0 as u32, size.1 as u32);
    let options = resize::ResizeOptions::new()
        .resize_alg(resize::ResizeAlg::Convolution(resize::FilterType::Lanczos3))
        .use_alpha(false);
    resize::Resizer::new().resize_typed(&from, &mut to, &options).map_err(|e| failed(e.to_string()))?;
    Ok(Image::from_vec(size.0, size.1, to.pixels().iter().map(|p| p.0.map(|v| v.max(0.0))).collect()))
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

    #[test]
    fn reduction_keeps_pictures_in_place() {
        let ramp = Image::from_fn(96, 64, |x, y| [x as f32, 2.0 * y as f32, 50.0, 0.0]);
        let half = reduced(&ramp, (48, 32)).unwrap();
        // Coarse pixel (10, 7) is centred on fine position (20.5, 14.5).
        let p = half[(10, 7)];
        assert!(
            (p[0] - 20.5).abs() < 1e-3 && (p[1] - 29.0).abs() < 1e-3 && (p[2] - 50.0).abs() < 1e-3,
            "{p:?}"
        );
    }
}
