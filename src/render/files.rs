//! Atlas, edit, maps and mattes as files: the same for every front.

use super::{Edit, Sidecar, convert, export_atlas, maps};
use crate::atlas::Analysis;
use crate::error::{Error, Result};
use crate::frame::io::{Kind, read_picture, write_matte, write_npy, write_picture};
use crate::frame::{Channels, Depth, Encoding};
use std::path::{Path, PathBuf};

/// How a painted picture is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EditKind {
    /// Judged from its size and transparency, see [`Edit::auto`].
    Auto,
    /// [`Edit::from_changed_copy`].
    Copy,
    /// [`Edit::from_painting`].
    Painting,
    /// [`Edit::from_reference_picture`].
    OnReference,
}

/// Whether an atlas can be written under this name; fails with what to name it instead.
pub fn check_atlas_name(output: &Path) -> Result<()> {
    match Kind::of_name(output) {
        Some(Kind::Exr | Kind::Png | Kind::Tiff) => Ok(()),
        _ => Err(Error::picture(output, "an atlas needs transparency and depth; name it .png or .exr")),
    }
}

/// Writes the atlas as a picture to paint on, and the note of where it lies: EXR in the clip's own values, all else
/// display-encoded. Overwrites; whoever calls has asked.
pub fn write_atlas(analysis: &dyn Analysis, output: &Path) -> Result<Sidecar> {
    check_atlas_name(output)?;
    let own = analysis.header().encoding;
    let encoding = if Kind::of_name(output) == Some(Kind::Exr) { own } else { Encoding::Display };
    let (picture, placement) = export_atlas(analysis);
    // 16 bits are the least that an 8-bit clip's atlas, a mean of many frames, loses nothing in.
    write_picture(output, &convert(&picture, own, encoding), Depth::U16, Channels::Rgba)?;
    let sidecar = Sidecar::new(analysis, &placement, encoding);
    sidecar.write(output)?;
    Ok(sidecar)
}

/// Reads a painted picture. Its values are what `encoding` says; else what the note beside it says; else by its kind:
/// floats are the clip's own, integers for display.
///
/// Fails when it cannot be read, was exported from another analysis, or does not fit.
pub fn read_edit(
    analysis: &dyn Analysis,
    file: &Path,
    kind: EditKind,
    encoding: Option<Encoding>,
) -> Result<Edit> {
    let own = analysis.header().encoding;
    let note = if kind == EditKind::OnReference { None } else { Sidecar::read(file)? };
    if let Some(note) = &note {
        note.check(analysis)?;
    }
    let picture = read_picture(file)?;
    let by_kind = if matches!(picture.depth, Depth::F16 | Depth::F32) { own } else { Encoding::Display };
    let from = encoding.or(note.map(|n| n.encoding)).unwrap_or(by_kind);
    let pixels = convert(&picture.pixels, from, own);
    match kind {
        EditKind::Auto => Edit::auto(analysis, &pixels, picture.depth),
        EditKind::Copy => Edit::from_changed_copy(analysis, &pixels, picture.depth),
        EditKind::Painting => Edit::from_painting(analysis, &pixels),
        EditKind::OnReference => Edit::from_reference_picture(analysis, &pixels),
    }
}

/// A kind of file written once a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerFrame {
    /// STMap for other compositors, EXR.
    StMap,
    /// Positions as an array, npy.
    Positions,
    /// The matte, 16-bit PNG.
    Matte,
}

impl PerFrame {
    /// The file of frame `index` in `folder`.
    pub fn file(self, folder: &Path, index: usize) -> PathBuf {
        let ending = match self {
            PerFrame::StMap => "exr",
            PerFrame::Positions => "npy",
            PerFrame::Matte => "png",
        };
        folder.join(format!("{index:05}.{ending}"))
    }

    /// Writes frame `index` into `folder`; fails when the layers cannot be read or the file not be written.
    pub fn write(self, analysis: &dyn Analysis, folder: &Path, index: usize) -> Result<()> {
        let file = self.file(folder, index);
        match self {
            PerFrame::StMap => {
                write_picture(&file, &maps::stmap(analysis, None, index)?, Depth::F32, Channels::Rgba)
            }
            PerFrame::Positions => write_npy(&file, &maps::positions(analysis, index)?),
            PerFrame::Matte => write_matte(&file, &maps::matte(analysis, index)?),
        }
    }
}
