//! Getting the clip's frames out of the host and onto disk, where the worker reads them.
//!
//! Two ways. *From the button*: Analyze asks for every frame in its own action, which most hosts allow; a probe first
//! makes sure that the host really serves other times and does not give the same frame again and again. *While
//! rendering*: where it does not, every frame the host renders is kept, in whatever order they come, until all are
//! there.

use super::fault::{Fault, Result};
use super::image::HostImage;
use super::instance::Instance;
use super::message::Grave;
use super::render::{channels, whole};
use super::wait::Bar;
use crate::error::Error;
use crate::frame::Depth;
use crate::frame::io::write_picture;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Frames collected for one analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Capture {
    /// Where they lie.
    pub(super) folder: PathBuf,
    /// The host's first and last frame.
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Capture {
    /// An empty folder of its own below `folder`.
    pub(super) fn new(folder: &Path, (first, last): (i64, i64)) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let made = tempfile::Builder::new().prefix("capture-").tempdir_in(folder);
        let kept = made.map_err(Error::io("create a folder in", folder))?.keep();
        Ok(Self { folder: kept, first, last })
    }

    /// Number of frames wanted.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.last - self.first + 1).unwrap_or(0)
    }

    /// The file of a frame, whichever kind it is written as.
    fn found(&self, frame: i64) -> bool {
        ["png", "exr"].iter().any(|ending| self.file(frame, ending).exists())
    }

    fn file(&self, frame: i64, ending: &str) -> PathBuf {
        self.folder.join(format!("{:06}.{ending}", frame - self.first))
    }

    /// Number of frames that are there.
    pub(super) fn captured(&self) -> usize {
        (self.first..=self.last).filter(|t| self.found(*t)).count()
    }

    /// Keeps a frame: integers as PNG, floats as EXR, both without loss.
    fn keep(&self, frame: i64, image: &HostImage) -> Result<()> {
        let (depth, channels) = channels(image);
        let ending = if matches!(depth, Depth::F16 | Depth::F32) { "exr" } else { "png" };
        Ok(write_picture(&self.file(frame, ending), &whole(image), depth, channels)?)
    }

    /// Removes it with all its frames; what cannot be removed is left for the system to clean.
    pub(super) fn remove(&self) {
        let ours = self.folder.file_name().is_some_and(|n| n.to_string_lossy().starts_with("capture-"));
        if ours && let Err(error) = std::fs::remove_dir_all(&self.folder) {
            super::fault::log("removing captured frames", &error);
        }
    }
}

/// The capture going on while the host renders, if there is one.
pub(super) fn standing(instance: &Instance) -> Result<Option<Capture>> {
    let text = instance.params.text("capture")?;
    // What cannot be read, or whose folder is gone, is no capture.
    let capture: Option<Capture> = serde_json::from_str(&text).ok();
    Ok(capture.filter(|c| c.folder.is_dir()))
}

/// Whether frames are still wanted from renders.
pub(super) fn is_collecting(instance: &Instance) -> Result<bool> {
    Ok(standing(instance)?.is_some_and(|c| c.captured() < c.len()))
}

/// Offers a frame that is being rendered; it is kept when one like it is wanted. Nothing that goes wrong here may cost
/// the render.
pub(super) fn offer(instance: &Instance, time: f64, image: &HostImage) {
    let keep = || -> Result<()> {
        let Some(capture) = standing(instance)? else { return Ok(()) };
        let frame = time.round() as i64;
        let wanted = (capture.first..=capture.last).contains(&frame) && !capture.found(frame);
        if !wanted || !is_whole(image) || (time - time.round()).abs() > 1e-3 {
            return Ok(());
        }
        capture.keep(frame, image)?;
        instance.messages.stand(Grave::Note, &progress(&capture));
        Ok(())
    };
    if let Err(fault) = keep() {
        super::fault::log("keeping a rendered frame", &fault);
    }
}

/// How far a capture is, and what to do.
pub(super) fn progress(capture: &Capture) -> String {
    let (have, all) = (capture.captured(), capture.len());
    if have < all {
        format!(
            "captured {have} of {all} frames: play or render frames {} to {}",
            capture.first, capture.last
        )
    } else {
        format!("captured all {all} frames: press Analyze")
    }
}

/// Whether an image holds its whole frame at full size.
fn is_whole(image: &HostImage) -> bool {
    let (b, r) = (&image.bounds, &image.region);
    let scale = image.props().and_then(|p| p.doubles::<2>(crate::openfx::kOfxImageEffectPropRenderScale));
    b.x1 <= r.x1 && b.y1 <= r.y1 && b.x2 >= r.x2 && b.y2 >= r.y2 && scale.is_ok_and(|s| s == [1.0, 1.0])
}

/// Whether the host serves other times than the current one: a far frame must be there and look different.
pub(super) fn probe(instance: &Instance, (first, last): (i64, i64), reference: i64) -> Result<bool> {
    let far = if reference - first > last - reference { first } else { last };
    let Some(here) = instance.source.image(reference as f64)? else { return Ok(false) };
    let Some(there) = instance.source.image(far as f64)? else { return Ok(false) };
    Ok(is_whole(&here) && is_whole(&there) && !same(&here, &there))
}

/// Whether two images hold the same bytes.
fn same(a: &HostImage, b: &HostImage) -> bool {
    let width = a.size().0;
    a.size() == b.size()
        && a.alike(b)
        && (0..a.size().1 as i32).all(|y| {
            a.bytes(a.region.x1, a.region.y1 + y, width) == b.bytes(b.region.x1, b.region.y1 + y, width)
        })
}

/// Fetches all frames in the button's own action.
///
/// Fails when the host has no image for one of them, and with [`Error::Cancelled`] when the user stops it.
pub(super) fn fetch(instance: &Instance, capture: &Capture, bar: &mut Bar) -> Result<()> {
    for (done, frame) in (capture.first..=capture.last).enumerate() {
        bar.stage("capture")?;
        bar.update(done as f64 / capture.len() as f64)?;
        let image = instance.source.image(frame as f64)?.filter(is_whole).ok_or_else(|| {
            Fault::Plain(format!(
                "the host gave no whole image for frame {frame}; check the clip's range, or analyse a part of it"
            ))
        })?;
        capture.keep(frame, &image)?;
    }
    Ok(())
}
