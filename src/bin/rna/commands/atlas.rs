//! `rna atlas`: the atlas as a picture to paint on.

use super::{path, refuse_existing};
use crate::console::Console;
use clap::ArgMatches;
use rna::Result;
use rna::atlas::Analysis;
use rna::frame::io::{Kind, held_depth, write_picture};
use rna::frame::{Channels, Depth, Encoding};
use rna::render::{Sidecar, convert, export_atlas};
use rna::store;

/// Writes the picture and its sidecar.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let output = path(matches, "output");
    if !matches.get_flag("force") {
        refuse_existing(
            output,
            "name another with -o, or add --force to overwrite it and your painting in it",
        )?;
    }
    let depth = held_depth(output, Depth::F32)?;
    let analysis = store::open(path(matches, "analysis"))?;
    let (picture, placement) = export_atlas(&analysis);
    // Floats keep the host's own values; integer formats are for display, and say so in the sidecar.
    let encoding = match Kind::of_name(output) {
        Some(Kind::Exr) => analysis.header().encoding,
        _ => Encoding::Display,
    };
    let picture = convert(&picture, analysis.header().encoding, encoding);
    write_picture(output, &picture, depth, Channels::Rgba)?;
    let note = Sidecar::new(&analysis, &placement, encoding);
    note.write(output)?;
    let [w, h] = placement.size;
    let text = format!("wrote {} ({w}×{h}) and {}", output.display(), Sidecar::path_for(output).display());
    console.result(&note, &text);
    Ok(())
}
