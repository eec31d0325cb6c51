//! Writing an analysis: every block goes straight to its place; the file gets its name when all are there.

use super::format::{Block, Grid, Layout, VERSION, check_header};
use crate::atlas::{Analysis, Header, Layer, Placement, Surface};
use crate::error::{Error, Result};
use crate::frame::io::TEMPORARY;
use half::f16;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// An analysis on its way to disk. Dropped before [`Writer::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: NamedTempFile,
    layout: Layout,
    grids: Vec<Grid>,
    frames: usize,
    mask_size: (usize, usize),
    /// Where the payload begins.
    start: u64,
    checksums: Vec<u32>,
    /// Per surface and frame: whether its layer has come.
    written: Vec<bool>,
    buffer: Vec<u8>,
}

impl Writer {
    /// Begins the file `path`: header, atlases and confidences are written now. `grids` gives one pair of grid sizes
    /// per surface.
    ///
    /// Fails when the file exists already, when its folder cannot be written to, and when the header contradicts the
    /// surfaces.
    pub fn create(path: &Path, header: &Header, surfaces: &[Surface], grids: &[Grid]) -> Result<Self> {
        let folder = match path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        Self::create_in(folder, path, header, surfaces, grids)
    }

    /// As [`Writer::create`], but what is written lies in `folder`, on the same disk, until it is complete: whoever
    /// owns the folder can clear away what a killed process left there.
    pub fn create_in(
        folder: &Path,
        path: &Path,
        header: &Header,
        surfaces: &[Surface],
        grids: &[Grid],
    ) -> Result<Self> {
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(taken(path));
        }
        let placements: Vec<Placement> = surfaces.iter().map(|s| s.placement).collect();
        check_header(header, &placements)
            .map_err(|e| Error::store(path, format!("the analysis to be written has {e}")))?;
        let fits = |s: &Surface| s.picture.size() == (s.placement.size[0], s.placement.size[1]);
        if grids.len() != surfaces.len() || !surfaces.iter().all(fits) {
            return Err(Error::store(path, "the atlases to be written are not of their announced sizes"));
        }
        let layout = Layout::new(VERSION, header, &placements, grids).map_err(|e| Error::store(path, e))?;
        let head = layout
            .head(header, &placements)
            .map_err(|e| Error::store(path, format!("its header cannot be written ({e})")))?;
        let mut file = temporary(folder).map_err(Error::io("create a file in", folder))?;
        let start = head.len() as u64;
        file.write_all(&head).map_err(Error::io("write", path))?;
        file.as_file().set_len(start + layout.payload as u64).map_err(Error::io("write", path))?;
        let mut writer = Self {
            path: path.to_path_buf(),
            file,
            start,
            grids: grids.to_vec(),
            frames: header.frames,
            mask_size: (header.working_size[0], header.working_size[1]),
            checksums: vec![0; layout.checksum_count()],
            written: vec![false; header.frames * surfaces.len()],
            layout,
            buffer: Vec::new(),
        };
        writer.checksums[0] = crc32fast::hash(&head);
        let least = |t: usize| header.quality.iter().map(|q| q[t].confidence).fold(f32::INFINITY, f32::min);
        writer.block(Block::Confidence, |b| (0..header.frames).for_each(|t| put(b, &[least(t)])))?;
        for (k, surface) in surfaces.iter().enumerate() {
            writer.block(Block::Atlas(k), |b| surface.picture.pixels().iter().for_each(|p| put(b, p)))?;
        }
        Ok(writer)
    }

    /// Writes region `surface` of frame `frame`; layers may come in any order, each once.
    ///
    /// Fails when the disk does, when there is no such layer or it was written before, and when its pictures are not
    /// of the sizes announced to [`Writer::create`].
    pub fn layer(&mut self, surface: usize, frame: usize, layer: &Layer) -> Result<()> {
        let slot = surface * self.frames + frame;
        let expected = self.grids.get(surface).map(|g| (g.map, g.light, self.mask_size));
        let given = (layer.map.size(), layer.light.size(), layer.mask.size());
        if frame >= self.frames || expected != Some(given) || self.written[slot] {
            let reason = format!(
                "region {} in frame {frame} was handed over twice, or with pictures of other sizes than announced",
                surface + 1
            );
            return Err(Error::store(&self.path, reason));
        }
        self.block(Block::Map(surface, frame), |b| layer.map.pixels().iter().for_each(|p| put(b, p)))?;
        self.block(Block::Light(surface, frame), |b| {
            for p in layer.light.pixels() {
                p.iter().for_each(|&v| b.extend(f16::from_f32(v).to_le_bytes()));
            }
        })?;
        self.block(Block::Mask(surface, frame), |b| b.extend_from_slice(layer.mask.pixels()))?;
        self.written[slot] = true;
        Ok(())
    }

    /// Gives the file its name, once everything is safely on the disk.
    ///
    /// Fails when a layer is missing, when the disk does, and when a file of that name appeared meanwhile.
    pub fn finish(mut self) -> Result<()> {
        if let Some(slot) = self.written.iter().position(|w| !w) {
            let (k, t) = (slot / self.frames + 1, slot % self.frames);
            return Err(Error::store(&self.path, format!("region {k} in frame {t} was never handed over")));
        }
        let mut table: Vec<u8> = self.checksums.iter().flat_map(|c| c.to_le_bytes()).collect();
        let last = table.len() - 4;
        let own = crc32fast::hash(&table[..last]);
        table[last..].copy_from_slice(&own.to_le_bytes());
        let (offset, _) = self.layout.checksums();
        self.put_at(offset, &table)?;
        self.file.as_file().sync_all().map_err(Error::io("write", &self.path))?;
        let path = self.path;
        self.file.persist_noclobber(&path).map_err(|e| match e.error.kind() {
            std::io::ErrorKind::AlreadyExists => taken(&path),
            _ => Error::io("write", &path)(e.error),
        })?;
        // The name itself is on disk only once the folder is; where folders cannot be opened this is left to the system.
        #[cfg(unix)]
        if let Some(folder) = path.parent().and_then(|p| std::fs::File::open(p).ok()) {
            folder.sync_all().ok();
        }
        Ok(())
    }

    /// Writes one block that `fill` puts into an empty buffer, and notes its checksum.
    fn block(&mut self, block: Block, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let (offset, len) = self.layout.range(block);
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.clear();
        fill(&mut bytes);
        debug_assert_eq!(bytes.len(), len);
        let index = self.layout.checksum_index(block);
        self.checksums[index] = crc32fast::hash(&bytes);
        let done = self.put_at(offset, &bytes);
        self.buffer = bytes;
        done
    }

    fn put_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let file = self.file.as_file_mut();
        file.seek(SeekFrom::Start(self.start + offset))
            .and_then(|_| file.write_all(bytes))
            .map_err(Error::io("write", &self.path))
    }
}

/// Writes any analysis to `path`, a layer at a time; fails as [`Writer`] does, or when a layer cannot be read.
pub fn write(path: &Path, analysis: &dyn Analysis) -> Result<()> {
    let (header, surfaces) = (analysis.header(), analysis.surfaces());
    let grids = (0..surfaces.len())
        .map(|k| analysis.layer(k, 0).map(|l| Grid { map: l.map.size(), light: l.light.size() }))
        .collect::<Result<Vec<_>>>()?;
    let mut writer = Writer::create(path, header, surfaces, &grids)?;
    for k in 0..surfaces.len() {
        for t in 0..header.frames {
            writer.layer(k, t, &*analysis.layer(k, t)?)?;
        }
    }
    writer.finish()
}

/// A file of no matter what name, on the target's own disk so that it can be renamed to it.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY).suffix(".part");
    // A temporary file is private by default; a finished analysis follows the user's umask like any other file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn taken(path: &Path) -> Error {
    Error::store(
        path,
        "a file of that name exists and is never overwritten; choose another name or remove it",
    )
}

fn put(bytes: &mut Vec<u8>, values: &[f32]) {
    values.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
}
