//! `rna export`: maps and mattes for other programs, a file a frame.

use super::{path, refuse_existing};
use crate::console::Console;
use clap::ArgMatches;
use rayon::prelude::*;
use rna::atlas::Analysis;
use rna::progress::Progress;
use rna::render::PerFrame;
use rna::{Error, Result, store};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Writes what was asked for.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let analysis = store::open(path(matches, "analysis"))?;
    let force = matches.get_flag("force");
    let progress = console.progress();
    let mut made = Vec::new();
    if matches.contains_id("maps") {
        let folder = path(matches, "maps");
        let npy = matches.get_one::<String>("format").is_some_and(|f| f == "npy");
        let kind = if npy { PerFrame::Positions } else { PerFrame::StMap };
        each(&progress, "maps", &analysis, (folder, kind), force)?;
        made.push(folder);
    }
    if matches.contains_id("mattes") {
        let folder = path(matches, "mattes");
        each(&progress, "mattes", &analysis, (folder, PerFrame::Matte), force)?;
        made.push(folder);
    }
    let frames = analysis.header().frames;
    let folders: Vec<_> = made.iter().map(|f| f.display().to_string()).collect();
    let text = format!("wrote {frames} files each into {}", folders.join(" and "));
    console.result(&json!({ "folders": folders, "frames": frames }), &text);
    Ok(())
}

/// Makes one file for each frame, several at a time.
fn each(
    progress: &Progress,
    stage: &'static str,
    analysis: &dyn Analysis,
    (folder, kind): (&Path, PerFrame),
    force: bool,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let frames = analysis.header().frames;
    progress.stage(stage, frames);
    let done = AtomicUsize::new(0);
    (0..frames).into_par_iter().try_for_each(|frame| {
        if !force {
            let file = kind.file(folder, frame);
            refuse_existing(&file, "choose another folder, or add --force to overwrite it")?;
        }
        kind.write(analysis, folder, frame)?;
        progress.step(done.fetch_add(1, Ordering::Relaxed) + 1)
    })
}
