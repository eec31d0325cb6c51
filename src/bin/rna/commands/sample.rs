//! `rna sample`: a generated clip whose perfect answer is known.

use super::{path, refuse_existing};
use crate::console::Console;
use clap::ArgMatches;
use rna::Result;
use rna::clip::sample::{self, Scene, SceneOptions};

/// Writes the clip, its region, a picture to put on it and the answer.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let dir = path(matches, "dir");
    refuse_existing(&dir.join("frames"), "name another folder, or delete it")?;
    let defaults = SceneOptions::default();
    let options = SceneOptions {
        frames: matches.get_one::<u32>("frames").map_or(defaults.frames, |&n| n as usize),
        size: matches.get_one("size").copied().unwrap_or(defaults.size),
        seed: matches.get_one("seed").copied().unwrap_or(defaults.seed),
        ..defaults
    };
    let frames = options.frames;
    sample::write(dir, &Scene::new(options), &console.progress())?;
    let text =
        format!("wrote {frames} frames, their region, a picture and the known answer to {}", dir.display());
    console.result(&serde_json::json!({ "folder": dir, "frames": frames }), &text);
    Ok(())
}
