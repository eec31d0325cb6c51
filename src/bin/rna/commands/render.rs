//! `rna render`: the edited clip.

use super::path;
use crate::args;
use crate::console::Console;
use clap::ArgMatches;
use rna::atlas::Analysis;
use rna::clip::{self, FrameWriter};
use rna::frame::Encoding;
use rna::frame::io::{Kind, Picture, read_picture};
use rna::param::{Group, RenderSettings, View};
use rna::render::{Edit, Renderer, Sidecar, convert};
use rna::{Error, Result, store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Frames a second of a rendered video: the clip's own rate is not known to a sequence of pictures.
const FRAME_RATE: f64 = 24.0;

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
    let analysis: Arc<dyn Analysis> = store::shared(path(matches, "atlas"))?;
    let edit = edit(matches, analysis.as_ref())?.map(Arc::new);
    let clip = clip::open(path(matches, "clip"))?;
    store::check_clip(analysis.header(), clip.as_ref())?;
    let info = clip.info();
    let output = path(matches, "output");
    if !matches.get_flag("force") {
        clip::refuse_existing(output, info.frames)?;
    }
    let renderer = Renderer::new(Arc::clone(&analysis), edit, settings)?;
    let mut writer = FrameWriter::create(output, info.size, info.depth, info.channels, FRAME_RATE)?;
    let progress = console.progress();
    progress.stage("render", info.frames);
    for t in 0..info.frames {
        let frame = clip.frame(t)?;
        writer.write(&renderer.frame(t, &frame, frame.bounds())?)?;
        progress.step(t + 1)?;
    }
    writer.finish()?;
    let value = serde_json::json!({ "output": output, "frames": info.frames });
    console.result(&value, &format!("wrote {} frames to {}", info.frames, output.display()));
    Ok(())
}

/// The edit the user named, if any.
fn edit(matches: &ArgMatches, analysis: &dyn Analysis) -> Result<Option<Edit>> {
    let named = |error: Error, file: &Path| match error {
        Error::Mismatch(reason) => Error::picture(file, reason),
        other => other,
    };
    if let Some(file) = matches.get_one::<PathBuf>("edited") {
        let note = Sidecar::read(file)?;
        if let Some(note) = &note {
            note.check(analysis)?;
        }
        let picture = in_host_values(read_picture(file)?, file, note.map(|n| n.encoding), analysis);
        return Edit::auto(analysis, &picture.pixels, picture.depth).map(Some).map_err(|e| named(e, file));
    }
    if let Some(file) = matches.get_one::<PathBuf>("paint") {
        let picture = in_host_values(read_picture(file)?, file, None, analysis);
        return Edit::from_reference_picture(analysis, &picture.pixels).map(Some).map_err(|e| named(e, file));
    }
    Ok(None)
}

/// A picture's values brought to those of the clip. What they mean its note says, else the kind of file: EXR is in the
/// clip's own values, all else is for display.
fn in_host_values(
    picture: Picture,
    file: &Path,
    noted: Option<Encoding>,
    analysis: &dyn Analysis,
) -> Picture {
    let host = analysis.header().encoding;
    let own = noted.unwrap_or(match Kind::of_name(file) {
        Some(Kind::Exr) => host,
        _ => Encoding::Display,
    });
    Picture { pixels: convert(&picture.pixels, own, host), ..picture }
}
