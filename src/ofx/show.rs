//! What is shown: analysis, edit and settings as a renderer, shared by all instances in the process.
//!
//! Some hosts make an instance for every frame, and editors keep many of one clip: everything costly is kept here,
//! keyed by file, the file's stamp and settings, within a budget.

use super::fault::{Fault, Result};
use crate::atlas::Analysis;
use crate::error::Error;
use crate::frame::Encoding;
use crate::param::RenderSettings;
use crate::render::{Edit, EditKind, Proxy, Renderer, read_edit};
use crate::store::{self, OpenAtlas};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Bytes of edits kept at most, but for the one in use.
const BUDGET: usize = 1 << 30;
/// Renderers kept; each holds little of its own.
const RENDERERS: usize = 16;

/// A file as it was at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stamp(PathBuf, SystemTime, u64);

impl Stamp {
    fn of(path: &Path) -> Result<Self> {
        let meta = path.metadata().map_err(Error::io("read", path))?;
        Ok(Self(path.to_path_buf(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len()))
    }
}

/// Where the edit comes from.
#[derive(Debug, Clone)]
pub(super) enum EditSource {
    /// None: views of the analysis alone.
    Nothing,
    /// A painted file.
    File { path: PathBuf, kind: EditKind, encoding: Option<Encoding> },
    /// A picture another effect made.
    Picture(Arc<Edit>),
}

/// Everything that decides what a frame looks like.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) analysis: Arc<OpenAtlas>,
    pub(super) edit: EditSource,
    pub(super) settings: RenderSettings,
    /// Pixels of the frames to be rendered, which may be a proxy's.
    pub(super) size: (usize, usize),
}

/// The last analyses used, newest last: the store forgets one when nobody holds it.
static OPEN: Mutex<Vec<Arc<OpenAtlas>>> = Mutex::new(Vec::new());

/// The analysis at a path, kept open for the process.
pub(super) fn analysis(path: &Path) -> Result<Arc<OpenAtlas>> {
    let open = store::shared(path)?;
    let mut kept = OPEN.lock();
    kept.retain(|k| !Arc::ptr_eq(k, &open));
    kept.push(Arc::clone(&open));
    if kept.len() > RENDERERS {
        kept.remove(0);
    }
    Ok(open)
}

/// Edit file, how it is read, and the analysis it was laid on.
type EditKey = (Stamp, EditKind, Option<Encoding>, Stamp);

/// An edit, or why there is none: what could not be read is remembered too, so that not every tile tries again.
type Read = std::result::Result<Arc<Edit>, String>;

/// Edits by key, newest last.
static EDITS: Mutex<Vec<(EditKey, Read)>> = Mutex::new(Vec::new());

fn edit(
    analysis: &Arc<OpenAtlas>,
    path: &Path,
    kind: EditKind,
    encoding: Option<Encoding>,
) -> Result<Arc<Edit>> {
    let key = (Stamp::of(path)?, kind, encoding, Stamp::of(analysis.path())?);
    // The lock is held while reading, so that many renders at once read the file once.
    let mut edits = EDITS.lock();
    if let Some(at) = edits.iter().position(|(k, _)| *k == key) {
        let found = edits.remove(at);
        let result = found.1.clone();
        edits.push(found);
        return result.map_err(Fault::Plain);
    }
    let read = read_edit(analysis.as_ref(), path, kind, encoding).map(Arc::new).map_err(|e| e.to_string());
    edits.push((key, read.clone()));
    let size =
        |(_, e): &(EditKey, std::result::Result<Arc<Edit>, String>)| e.as_ref().map_or(0, |e| e.bytes());
    while edits.len() > 1 && edits.iter().map(size).sum::<usize>() > BUDGET {
        drop(edits.remove(0));
    }
    read.map_err(Fault::Plain)
}

/// What tells renderers apart.
type Key = (usize, usize, [u32; 7], (usize, usize));

/// Renderers, and when each was used last.
type Rendered = HashMap<Key, (Arc<Renderer>, u64)>;

static RENDERED: Mutex<Option<Rendered>> = Mutex::new(None);

/// The renderer for a wish, made once for all who have the same.
pub(super) fn renderer(wish: &Wish) -> Result<Arc<Renderer>> {
    let edit = match &wish.edit {
        EditSource::Nothing => None,
        EditSource::File { path, kind, encoding } => Some(edit(&wish.analysis, path, *kind, *encoding)?),
        EditSource::Picture(edit) => Some(Arc::clone(edit)),
    };
    let s = &wish.settings;
    let numbers = [s.opacity, s.grain, s.grow, s.soften, s.edge, s.shutter.unwrap_or(-1.0)].map(f32::to_bits);
    let numbers = [s.view as u32, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]];
    // Both are alive as long as the renderer that holds them, so an address stands for one thing only.
    let at = |p: *const ()| p as usize;
    let key = (
        at(Arc::as_ptr(&wish.analysis).cast()),
        edit.as_ref().map_or(0, |e| at(Arc::as_ptr(e).cast())),
        numbers,
        wish.size,
    );
    let mut kept = RENDERED.lock();
    let kept = kept.get_or_insert_default();
    let now = kept.values().map(|(_, when)| *when).max().unwrap_or(0) + 1;
    if let Some((found, when)) = kept.get_mut(&key) {
        *when = now;
        return Ok(Arc::clone(found));
    }
    let full: Arc<dyn Analysis> = Arc::<OpenAtlas>::clone(&wish.analysis);
    let [w, h] = full.header().size;
    let shown =
        if (w, h) == wish.size { full } else { Arc::new(Proxy::new(full, [wish.size.0, wish.size.1])?) };
    let made = Arc::new(Renderer::new(shown, edit, wish.settings)?);
    if kept.len() >= RENDERERS {
        let oldest = kept.iter().min_by_key(|(_, (_, when))| *when).map(|(k, _)| *k);
        oldest.and_then(|k| kept.remove(&k));
    }
    kept.insert(key, (Arc::clone(&made), now));
    Ok(made)
}

/// Pictures of other effects by the host's name for them, newest last.
type PictureKey = (String, EditKind, Stamp);
static PICTURES: Mutex<Vec<(PictureKey, Arc<Edit>)>> = Mutex::new(Vec::new());
/// Pictures kept: an animated input has another one in every frame.
const PICTURES_KEPT: usize = 4;

/// The edit made of a picture before.
pub(super) fn known_picture(identifier: &str, kind: EditKind, on: &OpenAtlas) -> Option<Arc<Edit>> {
    let stamp = Stamp::of(on.path()).ok()?;
    let pictures = PICTURES.lock();
    let found = pictures.iter().find(|((i, k, s), _)| i == identifier && *k == kind && *s == stamp);
    found.map(|(_, edit)| Arc::clone(edit))
}

/// Remembers the edit made of a picture.
pub(super) fn keep_picture(identifier: &str, kind: EditKind, on: &OpenAtlas, edit: &Arc<Edit>) {
    let Ok(stamp) = Stamp::of(on.path()) else { return };
    let mut pictures = PICTURES.lock();
    pictures.push(((identifier.to_string(), kind, stamp), Arc::clone(edit)));
    if pictures.len() > PICTURES_KEPT {
        pictures.remove(0);
    }
}

/// Forgets everything not in use, when the host is short of memory.
pub(super) fn purge() {
    OPEN.lock().clear();
    EDITS.lock().clear();
    PICTURES.lock().clear();
    *RENDERED.lock() = None;
}
