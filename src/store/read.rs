//! Reading an analysis: verified when opened, then block by block when asked for.

use super::format::{Block, Grid, Layout, MAX_HEADER, parse};
use crate::atlas::{Analysis, Header, Layer, Surface};
use crate::error::{Error, Result};
use crate::frame::Image;
use crate::frame::io::read_at;
use half::f16;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};
use std::time::SystemTime;

/// Bytes of layers kept decoded per opened file: a few hundred frames of HD, little beside a host's own caches.
const BUDGET: usize = 256 << 20;

/// An opened `.rna` file. Its atlases are in memory, its layers are read when asked for and kept for a while.
#[derive(Debug)]
pub struct OpenAtlas {
    path: PathBuf,
    file: File,
    header: Header,
    surfaces: Vec<Surface>,
    grids: Vec<Grid>,
    layout: Layout,
    /// Where the payload begins.
    start: u64,
    checksums: Vec<u32>,
    cache: Mutex<Cache>,
}

/// Opens an analysis and verifies all of it but the layers, which are verified when read.
///
/// Fails with [`Error::Store`] on a file that is foreign, damaged, cut short, or of another version (saying which, and
/// what to do), and with [`Error::Io`] when it cannot be read.
pub fn open(path: &Path) -> Result<OpenAtlas> {
    open_with_budget(path, BUDGET)
}

/// [`open`], keeping at most `budget` bytes of layers in memory (and at least the latest one).
pub fn open_with_budget(path: &Path, budget: usize) -> Result<OpenAtlas> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let meta = file.metadata().map_err(Error::io("read", path))?;
    if meta.is_dir() {
        return Err(Error::store(path, "it is a folder; give the .rna file"));
    }
    let foreign = || Error::store(path, "it is not an .rna file; give the file that `rna analyze` wrote");
    let short = || Error::store(path, "it ends in the middle of its header; copy it again");
    let mut eight = [0u8; 8];
    if meta.len() < 10 {
        return Err(foreign());
    }
    read_at(&file, &mut eight, 0).map_err(Error::io("read", path))?;
    let length = u64::from_le_bytes(eight);
    // Any other file's first bytes, read as a number, are absurd; so nothing is allocated for it.
    if !(2..=MAX_HEADER).contains(&length) {
        return Err(foreign());
    }
    if 8 + length > meta.len() {
        return Err(short());
    }
    let mut head = vec![0u8; 8 + length as usize];
    read_at(&file, &mut head, 0).map_err(Error::io("read", path))?;
    if head[8] != b'{' {
        return Err(foreign());
    }
    let start = head.len() as u64;
    let parsed = parse(path, &head[8..], meta.len() - start)?;
    let mut opened = OpenAtlas {
        path: path.to_path_buf(),
        file,
        header: parsed.header,
        surfaces: Vec::new(),
        grids: parsed.grids,
        layout: parsed.layout,
        start,
        checksums: Vec::new(),
        cache: Mutex::new(Cache { budget, ..Cache::default() }),
    };
    opened.read_checksums(&head)?;
    opened.block(Block::Confidence)?;
    for (k, placement) in parsed.placements.into_iter().enumerate() {
        let pixels = floats::<4>(&opened.block(Block::Atlas(k))?);
        let picture = Image::from_vec(placement.size[0], placement.size[1], pixels);
        opened.surfaces.push(Surface { placement, picture });
    }
    Ok(opened)
}

impl OpenAtlas {
    /// The file it was opened from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sizes of the surfaces' grids.
    pub fn grids(&self) -> &[Grid] {
        &self.grids
    }

    fn read_checksums(&mut self, head: &[u8]) -> Result<()> {
        let (offset, length) = self.layout.checksums();
        let bytes = self.bytes(offset, length)?;
        let table: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
        let own = crc32fast::hash(&bytes[..length - 4]);
        if table.last() != Some(&own) || table[0] != crc32fast::hash(head) {
            return Err(self.damaged("its header"));
        }
        self.checksums = table;
        Ok(())
    }

    /// Bytes at an offset of the payload.
    fn bytes(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        read_at(&self.file, &mut bytes, self.start + offset).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Error::store(&self.path, "it was cut short while it was in use; copy it again")
            }
            _ => Error::io("read", &self.path)(e),
        })?;
        Ok(bytes)
    }

    /// A block, its checksum compared.
    fn block(&self, block: Block) -> Result<Vec<u8>> {
        let (offset, length) = self.layout.range(block);
        let bytes = self.bytes(offset, length)?;
        if crc32fast::hash(&bytes) != self.checksums[self.layout.checksum_index(block)] {
            return Err(self.damaged(&block.to_string()));
        }
        Ok(bytes)
    }

    fn damaged(&self, what: &str) -> Error {
        let reason = format!(
            "{what} is damaged (wrong checksum); copy the file again from where it was written, or analyse again"
        );
        Error::store(&self.path, reason)
    }

    fn read_layer(&self, surface: usize, frame: usize) -> Result<Layer> {
        let grid = self.grids[surface];
        let map = floats::<2>(&self.block(Block::Map(surface, frame))?);
        let light = self.block(Block::Light(surface, frame))?;
        let values = self.layout.light_values;
        let gains = light.chunks_exact(2 * values).map(|b| {
            let value = |c: usize| f16::from_le_bytes([b[2 * c], b[2 * c + 1]]).to_f32();
            [value(0), value(1), value(2), if values > 3 { value(3) } else { 0.0 }]
        });
        let [w, h] = self.header.working_size;
        Ok(Layer {
            map: Image::from_vec(grid.map.0, grid.map.1, map),
            light: Image::from_vec(grid.light.0, grid.light.1, gains.collect()),
            mask: Image::from_vec(w, h, self.block(Block::Mask(surface, frame))?),
        })
    }
}

impl Analysis for OpenAtlas {
    fn header(&self) -> &Header {
        &self.header
    }

    fn surfaces(&self) -> &[Surface] {
        &self.surfaces
    }

    fn layer(&self, surface: usize, frame: usize) -> Result<Arc<Layer>> {
        if surface >= self.surfaces.len() || frame >= self.header.frames {
            let last = self.header.frames - 1;
            return Err(Error::frame(&self.path, frame, format!("the analysis has frames 0 to {last}")));
        }
        if let Some(layer) = self.cache.lock().get((surface, frame)) {
            return Ok(layer);
        }
        // Read outside the lock: two threads may read the same layer, which costs less than all waiting for the disk.
        let layer = Arc::new(self.read_layer(surface, frame)?);
        self.cache.lock().insert((surface, frame), Arc::clone(&layer));
        Ok(layer)
    }
}

/// Layers lately used, least lately used thrown out first.
#[derive(Debug, Default)]
struct Cache {
    budget: usize,
    used: usize,
    clock: u64,
    layers: HashMap<(usize, usize), (Arc<Layer>, u64)>,
}

impl Cache {
    fn get(&mut self, key: (usize, usize)) -> Option<Arc<Layer>> {
        self.clock += 1;
        let (layer, when) = self.layers.get_mut(&key)?;
        *when = self.clock;
        Some(Arc::clone(layer))
    }

    fn insert(&mut self, key: (usize, usize), layer: Arc<Layer>) {
        self.clock += 1;
        self.used += weight(&layer);
        if let Some((old, _)) = self.layers.insert(key, (layer, self.clock)) {
            self.used -= weight(&old);
        }
        while self.used > self.budget && self.layers.len() > 1 {
            let oldest = self.layers.iter().min_by_key(|(_, (_, when))| *when).map(|(key, _)| *key);
            let Some((old, _)) = oldest.and_then(|key| self.layers.remove(&key)) else { break };
            self.used -= weight(&old);
        }
    }
}

/// Bytes a layer takes in memory.
fn weight(layer: &Layer) -> usize {
    layer.map.pixels().len() * 8 + layer.light.pixels().len() * 16 + layer.mask.pixels().len()
}

/// Identifies a file's content without reading it.
type Stamp = (PathBuf, SystemTime, u64);

static OPENED: LazyLock<Mutex<HashMap<Stamp, Weak<OpenAtlas>>>> = LazyLock::new(Mutex::default);

/// The analysis at `path`, opened once for the whole process as long as anybody uses it; opened anew when the file has
/// another length or time of change than before. Fails as [`open`] does.
pub fn shared(path: &Path) -> Result<Arc<OpenAtlas>> {
    let full = path.canonicalize().map_err(Error::io("read", path))?;
    let meta = full.metadata().map_err(Error::io("read", path))?;
    let stamp = (full, meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len());
    // The lock is held while opening, so that many instances made at once read the file once.
    let mut opened = OPENED.lock();
    opened.retain(|_, weak| weak.strong_count() > 0);
    if let Some(atlas) = opened.get(&stamp).and_then(Weak::upgrade) {
        return Ok(atlas);
    }
    let atlas = Arc::new(open(path)?);
    opened.insert(stamp, Arc::downgrade(&atlas));
    Ok(atlas)
}

/// Little-endian floats, `N` to a pixel.
fn floats<const N: usize>(bytes: &[u8]) -> Vec<[f32; N]> {
    let values = bytes.as_chunks::<4>().0;
    let pixel = |chunk: &[[u8; 4]]| std::array::from_fn(|i| f32::from_le_bytes(chunk[i]));
    values.chunks_exact(N).map(pixel).collect()
}
