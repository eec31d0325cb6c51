//! `rna export`: maps and mattes for other programs.

use super::path;
use crate::console::Console;
use clap::ArgMatches;
use rna::atlas::Analysis;
use rna::frame::io::{write_matte, write_npy, write_picture};
use rna::frame::{Channels, Depth};
use rna::{Error, Result, render, store};
use std::path::{Path, PathBuf};

/// Writes what was asked for, a file a frame.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let analysis = store::open(path(matches, "analysis"))?;
    let frames = analysis.header().frames;
    let progress = console.progress();
    let maps = matches.get_one::<PathBuf>("maps");
    if let Some(dir) = maps {
        let npy = matches.get_one::<String>("format").is_some_and(|f| f == "npy");
        create(dir)?;
        progress.stage("maps", frames);
        for t in 0..frames {
            if npy {
                write_npy(&dir.join(format!("{t:05}.npy")), &render::positions(&analysis, t)?)?;
            } else {
                let map = render::stmap(&analysis, None, t)?;
                write_picture(&dir.join(format!("{t:05}.exr")), &map, Depth::F32, Channels::Rgba)?;
            }
            progress.step(t + 1)?;
        }
    }
    let mattes = matches.get_one::<PathBuf>("mattes");
    if let Some(dir) = mattes {
        create(dir)?;
        progress.stage("mattes", frames);
        for t in 0..frames {
            write_matte(&dir.join(format!("{t:05}.png")), &render::matte(&analysis, t)?)?;
            progress.step(t + 1)?;
        }
    }
    let made: Vec<String> = [maps, mattes].into_iter().flatten().map(|d| d.display().to_string()).collect();
    let value = serde_json::json!({ "frames": frames, "maps": maps, "mattes": mattes });
    console.result(&value, &format!("wrote {frames} frames to {}", made.join(" and ")));
    Ok(())
}

fn create(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))
}
