//! `rna render`: the edited clip.

use super::path;
use crate::args;
use crate::console::Console;
use clap::ArgMatches;
use rna::atlas::Analysis;
use rna::clip::{self, Clip, FrameWriter};
use rna::frame::io::Kind;
use rna::frame::{Depth, Encoding, Image, Rgba};
use rna::param::{Group, RenderSettings, View};
use rna::progress::Progress;
use rna::render::{Edit, EditKind, Renderer, convert, read_edit};
use rna::{Error, Result, store};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Frames a second of a video made from pictures, which do not say.
const RATE: f64 = 25.0;

/// Renders every frame of the clip and writes it.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let settings = RenderSettings::from_values(&args::values(matches, Group::Render))?;
    let edited = matches.contains_id("edited") || matches.contains_id("paint");
    if !edited && settings.view == View::Result {
        args::wrong_usage(
            "render",
            "nothing to put on the clip: give --edited atlas.png or --paint picture.png, or another --view",
        );
    }
    let (source, output) = (path(matches, "clip"), path(matches, "output"));
    protect(source, output, matches.get_flag("force"))?;
    let analysis: Arc<dyn Analysis> = Arc::new(store::open(path(matches, "atlas"))?);
    let clip = clip::open(source)?;
    store::check_clip(analysis.header(), clip.as_ref())?;
    let edit = edit(matches, analysis.as_ref())?.map(Arc::new);
    let job = Job {
        renderer: Renderer::new(Arc::clone(&analysis), edit, settings)?,
        clip: clip.as_ref(),
        output: Output::of(output, analysis.header().encoding, settings.view),
    };
    let frames = clip.info().frames;
    job.run(output, frames, &console.progress())?;
    let text = format!("wrote {} ({frames} frames)", output.display());
    console.result(&json!({ "output": output, "frames": frames }), &text);
    Ok(())
}

/// The edit that was named, in the clip's own values.
fn edit(matches: &ArgMatches, analysis: &dyn Analysis) -> Result<Option<Edit>> {
    let (file, kind) = if matches.contains_id("paint") {
        (path(matches, "paint"), EditKind::OnReference)
    } else if matches.contains_id("edited") {
        (path(matches, "edited"), EditKind::Auto)
    } else {
        return Ok(None);
    };
    read_edit(analysis, file, kind, None).map(Some)
}

/// What is rendered, from what, in which form.
struct Job<'a> {
    renderer: Renderer,
    clip: &'a dyn Clip,
    output: Output,
}

impl Job<'_> {
    fn frame(&self, index: usize) -> Result<Image<Rgba>> {
        let input = self.clip.frame(index)?;
        let frame = self.renderer.frame(index, &input, input.bounds())?;
        Ok(convert(&frame, self.output.from, self.output.to))
    }

    /// One frame is rendered while the one before is encoded; more at a time would only take more memory, since
    /// rendering itself uses all cores.
    fn run(&self, output: &Path, frames: usize, progress: &Progress) -> Result<()> {
        let info = self.clip.info();
        let depth = self.output.least_depth.map_or(info.depth, |least| deeper(info.depth, least));
        let mut writer = FrameWriter::create(output, info.size, depth, info.channels, RATE)?;
        progress.stage("render", frames);
        let mut waiting = self.frame(0)?;
        for index in 0..frames {
            let next = || (index + 1 < frames).then(|| self.frame(index + 1)).transpose();
            let (written, next) = rayon::join(|| writer.write(&waiting), next);
            written?;
            progress.step(index + 1)?;
            if let Some(frame) = next? {
                waiting = frame;
            }
        }
        writer.finish()
    }
}

/// How rendered values become a file's.
struct Output {
    from: Encoding,
    to: Encoding,
    /// Views that are measurements need more than the clip's 8 bits.
    least_depth: Option<Depth>,
}

impl Output {
    fn of(output: &Path, clip: Encoding, view: View) -> Self {
        let shows_colour = matches!(view, View::Result | View::Atlas | View::Checker);
        let keeps = !shows_colour || Kind::of_name(output) == Some(Kind::Exr);
        let least_depth = matches!(view, View::Uv | View::Matte | View::Light).then_some(Depth::U16);
        Self { from: clip, to: if keeps { clip } else { Encoding::Display }, least_depth }
    }
}

fn deeper(a: Depth, least: Depth) -> Depth {
    if a == Depth::U8 { least } else { a }
}

/// Fails when frames that are there would be lost without `force`, or the clip itself in any case.
fn protect(source: &Path, output: &Path, force: bool) -> Result<()> {
    if !taken(output) {
        return Ok(());
    }
    let folder =
        |p: &Path| std::fs::canonicalize(if p.as_os_str().is_empty() { Path::new(".") } else { p }).ok();
    let beside = |p: &Path| folder(p.parent().unwrap_or(Path::new("")));
    let own = if source.is_dir() { folder(source) } else { beside(source) };
    let advice = match (own == beside(output), force) {
        (true, _) => "frames of this name lie beside the clip's own; choose another folder",
        (false, false) => "it is there already; name another with -o, or add --force to overwrite it",
        (false, true) => return Ok(()),
    };
    let source = std::io::Error::new(std::io::ErrorKind::AlreadyExists, advice);
    Err(Error::Io { action: "write", path: output.to_path_buf(), source })
}

/// Whether a video, or some frame of a pattern, is there already.
fn taken(output: &Path) -> bool {
    let name = output.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(number) = name.find(['%', '#']) else { return output.exists() };
    let (prefix, ending) = (&name[..number], output.extension().unwrap_or_default());
    let folder = output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let entry = entry.path();
        let stem = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let rest = stem.strip_prefix(prefix);
        rest.is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())) && entry.extension() == Some(ending)
    })
}
