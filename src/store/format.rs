//! Which tensor lies where: the one place that knows the file's layout, for writing and reading alike.

use crate::atlas::{Header, Placement};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};

/// Value of the metadata's `format`.
pub(super) const FORMAT: &str = "rna-atlas";
/// Version of the layout written here.
pub(super) const VERSION: u32 = 2;
/// Oldest version read here; it knows nothing of grain.
const OLDEST: u32 = 1;
/// Largest JSON header believed; an honest one is a few hundred bytes per frame.
pub(super) const MAX_HEADER: u64 = 100_000_000;

/// Sizes of one surface's grids, the same in every frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Columns and rows of the map's nodes.
    pub map: (usize, usize),
    /// Columns and rows of the light's nodes.
    pub light: (usize, usize),
}

/// A stretch of the payload that is written at once, read at once, and has its own checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// `confidence`.
    Confidence,
    /// `k/atlas`.
    Atlas(usize),
    /// One frame of `k/map`: surface, frame.
    Map(usize, usize),
    /// One frame of `k/light`.
    Light(usize, usize),
    /// One frame of `k/mask`.
    Mask(usize, usize),
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Block::Confidence => write!(f, "its table of confidences"),
            Block::Atlas(k) => write!(f, "the atlas of region {}", k + 1),
            Block::Map(k, t) => write!(f, "the map of region {} in frame {t}", k + 1),
            Block::Light(k, t) => write!(f, "the light of region {} in frame {t}", k + 1),
            Block::Mask(k, t) => write!(f, "the mask of region {} in frame {t}", k + 1),
        }
    }
}

/// Sizes and offsets of every tensor.
#[derive(Debug)]
pub(super) struct Layout {
    frames: usize,
    surfaces: usize,
    tensors: BTreeMap<String, TensorInfo>,
    /// Numbers to a node of the light.
    pub(super) light_values: usize,
    /// Bytes of all tensors together.
    pub(super) payload: usize,
}

impl Layout {
    /// Lays out the tensors of an analysis in a file of some `version`. `Err` says what overflows, without naming a file.
    pub(super) fn new(
        version: u32,
        header: &Header,
        placements: &[Placement],
        grids: &[Grid],
    ) -> Result<Self, String> {
        let light_values = if version == OLDEST { 3 } else { 4 };
        let (n, [mw, mh]) = (header.frames, header.working_size);
        // The widest elements come first, so that every tensor is aligned to its element, as the format recommends.
        let mut list: Vec<(String, Dtype, Vec<usize>)> = Vec::new();
        for (k, (p, g)) in placements.iter().zip(grids).enumerate() {
            list.push((format!("{k}/atlas"), Dtype::F32, vec![p.size[1], p.size[0], 4]));
            list.push((format!("{k}/map"), Dtype::F32, vec![n, g.map.1, g.map.0, 2]));
        }
        list.push(("confidence".into(), Dtype::F32, vec![n]));
        // Cannot overflow: the header lists a quality for each of these frames.
        let blocks = 3 + placements.len() * (1 + 3 * n);
        list.push(("checksums".into(), Dtype::U32, vec![blocks]));
        for (k, g) in grids.iter().enumerate() {
            list.push((format!("{k}/light"), Dtype::F16, vec![n, g.light.1, g.light.0, light_values]));
        }
        for k in 0..placements.len() {
            list.push((format!("{k}/mask"), Dtype::U8, vec![n, mh, mw]));
        }
        let mut tensors = BTreeMap::new();
        let mut end = 0usize;
        for (name, dtype, shape) in list {
            let size = shape.iter().try_fold(dtype.bitsize() / 8, |a, &b| a.checked_mul(b));
            let next = size.and_then(|s| end.checked_add(s));
            let (Some(next), false) = (next, shape.contains(&0)) else {
                return Err(format!("its {name} would be of size {shape:?}"));
            };
            tensors.insert(name, TensorInfo { dtype, shape, data_offsets: (end, next) });
            end = next;
        }
        Ok(Self { frames: n, surfaces: placements.len(), tensors, light_values, payload: end })
    }

    /// Offset in the payload and length of a block.
    pub(super) fn range(&self, block: Block) -> (u64, usize) {
        let (name, frame) = match block {
            Block::Confidence => ("confidence".to_owned(), None),
            Block::Atlas(k) => (format!("{k}/atlas"), None),
            Block::Map(k, t) => (format!("{k}/map"), Some(t)),
            Block::Light(k, t) => (format!("{k}/light"), Some(t)),
            Block::Mask(k, t) => (format!("{k}/mask"), Some(t)),
        };
        let (start, end) = self.tensors[&name].data_offsets;
        match frame {
            None => (start as u64, end - start),
            Some(t) => {
                let len = (end - start) / self.frames;
                ((start + t * len) as u64, len)
            }
        }
    }

    /// Offset in the payload and length of the table of checksums.
    pub(super) fn checksums(&self) -> (u64, usize) {
        let (start, end) = self.tensors["checksums"].data_offsets;
        (start as u64, end - start)
    }

    /// Which checksum is the block's; 0 is the header's, the last is that of all checksums before it.
    pub(super) fn checksum_index(&self, block: Block) -> usize {
        let surface = |k: usize| 2 + k * (1 + 3 * self.frames);
        match block {
            Block::Confidence => 1,
            Block::Atlas(k) => surface(k),
            Block::Map(k, t) => surface(k) + 1 + 3 * t,
            Block::Light(k, t) => surface(k) + 2 + 3 * t,
            Block::Mask(k, t) => surface(k) + 3 + 3 * t,
        }
    }

    /// Number of checksums.
    pub(super) fn checksum_count(&self) -> usize {
        3 + self.surfaces * (1 + 3 * self.frames)
    }

    /// The file's first bytes: length of the JSON header and the header, padded so that the payload is aligned.
    pub(super) fn head(&self, header: &Header, placements: &[Placement]) -> serde_json::Result<Vec<u8>> {
        let metadata = BTreeMap::from([
            ("format", FORMAT.to_owned()),
            ("version", VERSION.to_string()),
            ("header", serde_json::to_string(header)?),
            ("placements", serde_json::to_string(placements)?),
        ]);
        // Through sorted maps, so that the same analysis gives the same bytes.
        let mut all = serde_json::Map::new();
        all.insert("__metadata__".into(), serde_json::to_value(metadata)?);
        for (name, info) in &self.tensors {
            all.insert(name.clone(), serde_json::to_value(info)?);
        }
        let mut json = serde_json::to_vec(&all)?;
        json.resize(json.len().next_multiple_of(8), b' ');
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.append(&mut json);
        Ok(bytes)
    }
}

/// What a header says, checked against itself but not yet against the payload.
pub(super) struct Parsed {
    pub(super) header: Header,
    pub(super) placements: Vec<Placement>,
    pub(super) grids: Vec<Grid>,
    pub(super) layout: Layout,
}

/// Reads the JSON header of a file whose payload has `payload` bytes. Takes no memory beyond the header's own size.
pub(super) fn parse(path: &Path, json: &[u8], payload: u64) -> Result<Parsed> {
    let fail = |reason: String| Error::store(path, reason);
    let damaged = |what: &dyn std::fmt::Display| {
        fail(format!("its header is damaged ({what}); copy the file again or analyse the clip again"))
    };
    let metadata: Metadata = serde_json::from_slice(json).map_err(|e| damaged(&e))?;
    let foreign = || fail("it is a safetensors file, but not one of this program's".into());
    let texts = metadata.metadata().as_ref().ok_or_else(foreign)?;
    let text = |key: &str| texts.get(key).ok_or_else(|| damaged(&format!("no {key}")));
    if texts.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(foreign());
    }
    let version: u32 = text("version")?.parse().map_err(|e| damaged(&e))?;
    if version > VERSION {
        let reason = format!(
            "it was written by a newer version (file version {version}, this program reads {VERSION}); update this program"
        );
        return Err(fail(reason));
    }
    if version < OLDEST {
        let reason = format!("it is of the old file version {version}; analyse the clip again");
        return Err(fail(reason));
    }
    let header: Header = serde_json::from_str(text("header")?).map_err(|e| damaged(&e))?;
    let placements: Vec<Placement> = serde_json::from_str(text("placements")?).map_err(|e| damaged(&e))?;
    check_header(&header, &placements).map_err(|e| damaged(&e))?;
    let grids = (0..placements.len())
        .map(|k| {
            let pair = |name: String| match metadata.info(&name).map(|i| i.shape.as_slice()) {
                Some(&[_, h, w, _]) => Ok((w, h)),
                _ => Err(damaged(&format!("no {name}"))),
            };
            Ok(Grid { map: pair(format!("{k}/map"))?, light: pair(format!("{k}/light"))? })
        })
        .collect::<Result<Vec<_>>>()?;
    let layout = Layout::new(version, &header, &placements, &grids).map_err(|e| damaged(&e))?;
    let found = metadata.tensors();
    let same = |(name, want): (&String, &TensorInfo)| {
        found.get(name).is_some_and(|i| {
            i.dtype == want.dtype && i.shape == want.shape && i.data_offsets == want.data_offsets
        })
    };
    if let Some((name, _)) = layout.tensors.iter().find(|&pair| !same(pair)) {
        return Err(damaged(&format!("{name} is not of the announced size")));
    }
    if found.len() != layout.tensors.len() {
        return Err(damaged(&"it holds tensors that do not belong there"));
    }
    if layout.payload as u64 != payload {
        let reason = format!(
            "it should hold {} bytes of pictures and holds {payload}; it was not copied whole, copy it again",
            layout.payload
        );
        return Err(fail(reason));
    }
    Ok(Parsed { header, placements, grids, layout })
}

/// What reading and rendering rely on in a header; also asked of a header about to be written.
pub(super) fn check_header(header: &Header, placements: &[Placement]) -> Result<(), String> {
    let positive = |v: &f64| v.is_finite() && *v > 0.0;
    let in_clip_and_short = |(t, s): (&usize, &f64)| *t < header.frames && (0.0..=1.0).contains(s);
    let checks = [
        (header.frames > 0, "no frames"),
        (header.size.iter().chain(&header.working_size).all(|&v| v > 0), "a frame size of 0"),
        (header.map_step.iter().all(positive), "an impossible map step"),
        (header.shutter.is_finite(), "an impossible shutter"),
        ((0.0..=1.0).contains(&header.pixel_aperture), "an impossible pixel aperture"),
        (header.grain.is_finite() && header.grain >= 0.0, "impossible grain"),
        (header.ceiling.is_none_or(|c| c.is_finite() && c > 0.0), "an impossible ceiling"),
        (header.short_exposures.iter().all(in_clip_and_short), "an impossible exposure"),
        (header.roi.reference_frame < header.frames, "a reference frame outside the clip"),
        (!placements.is_empty(), "no surfaces"),
        (header.quality.len() == placements.len(), "quality for another number of surfaces"),
        (header.quality.iter().all(|q| q.len() == header.frames), "quality for another number of frames"),
        (placements.iter().all(|p| positive(&p.scale)), "an impossible scale"),
        (placements.iter().all(|p| p.origin.iter().all(|v| v.is_finite())), "an impossible origin"),
    ];
    checks.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, what)| Err((*what).to_owned()))
}
