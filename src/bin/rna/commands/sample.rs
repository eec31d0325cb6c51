//! `rna sample`: a generated clip whose perfect answer is known.

use super::{path, refuse_existing};
use crate::console::Console;
use clap::ArgMatches;
use rna::Result;
use rna::clip::sample::{Scene, SceneOptions, write};
use serde_json::json;

/// Writes the clip, its region, a picture to put on it and the answer.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let folder = path(matches, "dir");
    refuse_existing(&folder.join("frames"), "name another folder, or delete it")?;
    let usual = SceneOptions::default();
    let options = SceneOptions {
        size: matches.get_one("size").copied().unwrap_or(usual.size),
        frames: matches.get_one::<u64>("frames").map_or(usual.frames, |&n| n as usize),
        seed: matches.get_one("seed").copied().unwrap_or(usual.seed),
        ..usual
    };
    let frames = options.frames;
    write(folder, &Scene::new(options), &console.progress())?;
    let at = folder.display();
    let text = format!(
        "wrote {at}: {frames} frames in frames/, roi.json, picture.png, truth/\n\
         next: rna analyze {at}/frames --roi {at}/roi.json -o sample.rna"
    );
    console.result(&json!({ "output": folder, "frames": frames }), &text);
    Ok(())
}
