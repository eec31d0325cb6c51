//! The scene as files, laid out as a user's own clip would be.

use super::Scene;
use crate::clip::Clip;
use crate::error::{Error, Result};
use crate::frame::io::{write_atomic, write_picture};
use crate::frame::{Channels, Depth};
use crate::progress::Progress;
use rayon::prelude::*;
use std::io::Write;
use std::path::Path;

/// Writes the scene into a folder, made if need be:
///
/// ```text
/// frames/00000.png …          the clip
/// roi.json                    the region
/// picture.png                 the picture to put on it, reference-frame pixels
/// truth/edited/00000.png …    perfect edits
/// truth/visible/00000.png …   how much of the surface shows, 8-bit grey
/// ```
///
/// Reports one step a frame; stops when cancelled.
pub fn write(dir: &Path, scene: &Scene, progress: &Progress) -> Result<()> {
    let folders = ["frames", "truth/edited", "truth/visible"].map(|name| dir.join(name));
    for folder in &folders {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let [frames, edited, visible] = &folders;
    let roi = serde_json::to_vec_pretty(&scene.roi()).map_err(|e| Error::Roi(e.to_string()))?;
    let path = dir.join("roi.json");
    write_atomic(&path, |out| out.write_all(&roi).map_err(Error::io("write", &path)))?;
    write_picture(&dir.join("picture.png"), &scene.picture(), Depth::U8, Channels::Rgba)?;
    let count = scene.info().frames;
    progress.stage("sample", count);
    let frame = |i: usize| -> Result<()> {
        let name = format!("{i:05}.png");
        let shot = scene.shot(i);
        write_picture(&frames.join(&name), &shot.frame, Depth::U8, Channels::Rgb)?;
        write_picture(&edited.join(&name), &shot.edited, Depth::U8, Channels::Rgb)?;
        let shown = shot.visible.map(|&v| [v, v, v, 1.0]);
        write_picture(&visible.join(&name), &shown, Depth::U8, Channels::Grey)
    };
    // As many frames at a time as there are cores, so that memory does not grow with the clip.
    let side_by_side = rayon::current_num_threads();
    for start in (0..count).step_by(side_by_side) {
        let end = count.min(start + side_by_side);
        (start..end).into_par_iter().try_for_each(frame)?;
        (start..end).try_for_each(|i| progress.step(i + 1))?;
    }
    Ok(())
}
