//! The render action: the host's own rows, changed where the edit shows and copied everywhere else.

mod content;

use super::fault::{Fault, Result};
use super::image::HostImage;
use super::instance::Instance;
use super::message::Grave;
use super::props::Props;
use super::show::{self, EditSource, Wish};
use crate::atlas::Analysis;
use crate::frame::{Depth, Encoding, Image, Rect, Rgba};
use crate::openfx::*;
use crate::param::{Group, RenderSettings, View};
use crate::render::{Edit, EditKind, Renderer, Scratch};
use crate::store::OpenAtlas;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows rendered between looks at whether the host still wants them.
const BAND: i32 = 32;

/// What is to be drawn on one frame.
pub(super) struct Shown {
    renderer: Arc<Renderer>,
    /// The same with the matte as its view, when that goes into alpha.
    alpha: Option<Arc<Renderer>>,
    index: usize,
}

/// Renders one window.
pub(super) fn render(instance: &Instance, arguments: &Props) -> Result<()> {
    let time = arguments.double(kOfxPropTime, 0)?;
    let [x1, y1, x2, y2] = arguments.ints(kOfxImageEffectPropRenderWindow)?;
    let output = instance.output.image(time)?.ok_or_else(|| gone("output"))?;
    let window = OfxRectI {
        x1: x1.max(output.bounds.x1),
        y1: y1.max(output.bounds.y1),
        x2: x2.min(output.bounds.x2),
        y2: y2.min(output.bounds.y2),
    };
    let Some(source) = instance.source.image(time)? else {
        // Out of range, or nothing plugged in: an empty picture, as other effects give.
        return bands(instance, &window, |y| clear(&output, &window, y));
    };
    if !source.alike(&output) {
        return Err(Fault::Plain("the host gives source and output in different kinds of pixels".into()));
    }
    super::capture::offer(instance, time, &source);
    let shown = match shown(instance, time, &source) {
        Ok(shown) => {
            instance.messages.clear();
            shown
        }
        // What cannot be shown must not cost the frame: it passes through, and a message says why.
        Err(fault) => {
            instance.messages.stand(Grave::Warning, &fault.to_string());
            None
        }
    };
    draw(instance, &source, &output, &window, shown.as_ref())
}

fn gone(what: &str) -> Fault {
    Fault::Plain(format!("the host gave no {what} image"))
}

/// What the parameters ask to be shown on the frame at `time`; `None` when it passes through as it is.
///
/// Fails when the analysis or the edit cannot be used here, for a reason the user can act on.
pub(super) fn shown(instance: &Instance, time: f64, source: &HostImage) -> Result<Option<Shown>> {
    let Some((wish, index)) = wish(instance, time, source.size())? else { return Ok(None) };
    content::check(&wish, index, source)?;
    let renderer = show::renderer(&wish)?;
    let into_alpha = instance.params.int("matte_alpha", time)? != 0;
    let alpha = into_alpha.then(|| {
        let settings = RenderSettings { view: View::Matte, ..wish.settings };
        show::renderer(&Wish { settings, edit: EditSource::Nothing, ..wish.clone() })
    });
    Ok(Some(Shown { renderer, alpha: alpha.transpose()?, index }))
}

/// Whether the frame at `time` passes through; told without fetching any image.
pub(super) fn is_identity(instance: &Instance, time: f64) -> Result<bool> {
    if super::capture::is_collecting(instance)? {
        return Ok(false);
    }
    let view = instance.params.word("view", time)?;
    let edited = instance.atlas.as_ref().is_some_and(super::image::Clip::is_connected)
        || !instance.params.text("edited")?.is_empty();
    let plain = view == "result" && (!edited || instance.params.double("opacity", time)? <= 0.0);
    let alpha = instance.params.int("matte_alpha", time)? != 0;
    Ok(instance.params.text("analysis")?.is_empty() || (plain && !alpha))
}

/// The wish the parameters make, and the frame's number in the analysis.
fn wish(instance: &Instance, time: f64, size: (usize, usize)) -> Result<Option<(Wish, usize)>> {
    let path = instance.params.text("analysis")?;
    if path.is_empty() {
        return Ok(None);
    }
    let analysis = show::analysis(Path::new(&path))?;
    let header = analysis.header();
    let number = (time.round() as i64).checked_sub(header.first_frame);
    let index = number.and_then(|n| usize::try_from(n).ok()).filter(|n| *n < header.frames);
    let Some(index) = index else {
        let last = header.first_frame + header.frames as i64 - 1;
        return Err(Fault::Plain(format!(
            "frame {time} was not analysed: the analysis holds {} to {last}; press Analyze for the longer clip",
            header.first_frame
        )));
    };
    check_size(header.size, size)?;
    let settings = RenderSettings::from_values(&instance.params.values(Group::Render, time)?)?;
    let edit = edit(instance, time, &analysis)?;
    Ok(Some((Wish { analysis, edit, settings, size }, index)))
}

/// The host's frame must be the analysed one, or a proxy of it.
fn check_size([w, h]: [usize; 2], (pw, ph): (usize, usize)) -> Result<()> {
    let scale = pw as f64 / w as f64;
    // A proxy's sides are rounded each in its own way.
    let fits = (pw, ph) == (w, h) || (scale < 1.0 && (scale * h as f64 - ph as f64).abs() <= 1.5);
    if fits {
        return Ok(());
    }
    Err(Fault::Plain(format!(
        "the frames have {pw}×{ph} pixels, the analysis was made from {w}×{h}; press Analyze for this clip"
    )))
}

fn edit(instance: &Instance, time: f64, analysis: &Arc<OpenAtlas>) -> Result<EditSource> {
    let kind = match instance.params.word("alpha", time)? {
        "copy" => EditKind::Copy,
        "painting" => EditKind::Painting,
        _ => EditKind::Auto,
    };
    if let Some(image) = instance.atlas.as_ref().and_then(|clip| clip.image(time).transpose()) {
        return picture(&image?, kind, analysis).map(EditSource::Picture);
    }
    let file = instance.params.text("edited")?;
    if file.is_empty() {
        return Ok(EditSource::Nothing);
    }
    let encoding = match instance.params.word("edit_colour", time)? {
        "display" => Some(Encoding::Display),
        "linear" => Some(Encoding::Linear),
        _ => None,
    };
    Ok(EditSource::File { path: PathBuf::from(file), kind, encoding })
}

/// The edit in an image another effect made; remembered as long as the host says it is the same.
fn picture(image: &HostImage, kind: EditKind, analysis: &Arc<OpenAtlas>) -> Result<Arc<Edit>> {
    let named = !image.identifier.is_empty();
    if let Some(known) = named.then(|| show::known_picture(&image.identifier, kind, analysis)).flatten() {
        return Ok(known);
    }
    let pixels = whole(image);
    let edit = Arc::new(match kind {
        EditKind::Copy => Edit::from_changed_copy(analysis.as_ref(), &pixels, image.depth)?,
        EditKind::Painting => Edit::from_painting(analysis.as_ref(), &pixels)?,
        _ => Edit::auto(analysis.as_ref(), &pixels, image.depth)?,
    });
    if named {
        show::keep_picture(&image.identifier, kind, analysis, &edit);
    }
    Ok(edit)
}

/// All pixels of an image, top row first.
pub(super) fn whole(image: &HostImage) -> Image<Rgba> {
    let (w, h) = image.size();
    let mut pixels = Image::new(w, h, [0.0; 4]);
    let from = image.bounds.x1.max(image.region.x1);
    for row in 0..h {
        let bytes = image.bytes(from, image.region.y2 - 1 - row as i32, w);
        let skipped = (from - image.region.x1) as usize;
        image.decode(bytes, &mut pixels.row_mut(row)[skipped.min(w)..]);
    }
    pixels
}

/// Draws the window: all rows at once over the threads there are, with looks at the host's abort between.
fn draw(
    instance: &Instance,
    source: &HostImage,
    output: &HostImage,
    window: &OfxRectI,
    shown: Option<&Shown>,
) -> Result<()> {
    let frame = shown.map(|s| s.renderer.prepare(s.index)).transpose()?;
    let alpha = shown.and_then(|s| s.alpha.as_ref().map(|a| a.prepare(s.index))).transpose()?;
    let wanted = source.in_frame(window);
    let reach = match (&frame, &alpha) {
        (Some(_), Some(_)) => wanted,
        (Some(frame), None) => frame.reach().intersect(&wanted),
        _ => Rect::new(0, 0, 0, 0),
    };
    bands(instance, window, |y| {
        copy(source, output, window, y);
        let row = source.region.y2 - 1 - y;
        if reach.is_empty() || row < reach.y0 || row >= reach.y1 || row < 0 {
            return;
        }
        let x = source.region.x1 + reach.x0;
        let bytes = source.bytes(x, y, reach.width());
        if bytes.len() != reach.width() * source.stride() {
            return;
        }
        LINES.with_borrow_mut(|lines| {
            lines.before.resize(reach.width(), [0.0; 4]);
            source.decode(bytes, &mut lines.before);
            lines.after.clone_from(&lines.before);
            if let Some(frame) = &frame {
                frame.row(row as usize, reach.x0 as usize, &mut lines.after, &mut lines.scratch);
            }
            if let Some(alpha) = &alpha {
                lines.matte.clone_from(&lines.before);
                alpha.row(row as usize, reach.x0 as usize, &mut lines.matte, &mut lines.scratch);
                lines.after.iter_mut().zip(&lines.matte).for_each(|(p, m)| p[3] = m[0]);
            }
            // SAFETY: this call alone renders this window, and each of its rows is drawn by one thread.
            let out = unsafe { output.bytes_mut(x, y, reach.width()) };
            let pairs = lines.before.iter().zip(&lines.after);
            for ((before, after), bytes) in pairs.zip(out.chunks_exact_mut(output.stride())) {
                // What did not change keeps the very bytes it came with.
                if before.map(f32::to_bits) != after.map(f32::to_bits) {
                    output.encode(*after, bytes);
                }
            }
        });
    })
}

/// A thread's lines, kept from tile to tile.
#[derive(Default)]
struct Lines {
    before: Vec<Rgba>,
    after: Vec<Rgba>,
    matte: Vec<Rgba>,
    scratch: Scratch,
}

thread_local! {
    static LINES: std::cell::RefCell<Lines> = std::cell::RefCell::default();
}

/// Does the rows of a window, several at once, until the host aborts.
fn bands(instance: &Instance, window: &OfxRectI, row: impl Fn(i32) + Sync) -> Result<()> {
    let mut from = window.y1;
    while from < window.y2 {
        if instance.aborted() {
            return Err(Fault::Aborted);
        }
        let to = (from + BAND).min(window.y2);
        (from..to).into_par_iter().for_each(&row);
        from = to;
    }
    Ok(())
}

/// Row `y` of the window as the source has it, transparent black where it has none.
fn copy(source: &HostImage, output: &HostImage, window: &OfxRectI, y: i32) {
    let inside = window.x1.max(source.bounds.x1);
    let bytes = source.bytes(inside, y, (window.x2 - inside).max(0) as usize);
    if inside == window.x1 && bytes.len() == (window.x2 - window.x1).max(0) as usize * source.stride() {
        // SAFETY: as in `draw`.
        unsafe { output.bytes_mut(window.x1, y, bytes.len() / source.stride()) }.copy_from_slice(bytes);
        return;
    }
    clear(output, window, y);
    // SAFETY: as in `draw`.
    let out = unsafe { output.bytes_mut(inside, y, bytes.len() / source.stride()) };
    let count = bytes.len().min(out.len());
    out[..count].copy_from_slice(&bytes[..count]);
}

fn clear(output: &HostImage, window: &OfxRectI, y: i32) {
    // SAFETY: as in `draw`.
    unsafe { output.bytes_mut(window.x1, y, (window.x2 - window.x1).max(0) as usize) }.fill(0);
}

/// Depth as files of that depth have it.
pub(super) fn channels(image: &HostImage) -> (Depth, crate::frame::Channels) {
    use super::image::Components;
    let channels = match image.components {
        Components::Rgba => crate::frame::Channels::Rgba,
        Components::Rgb => crate::frame::Channels::Rgb,
        Components::Alpha => crate::frame::Channels::Grey,
    };
    (image.depth, channels)
}
