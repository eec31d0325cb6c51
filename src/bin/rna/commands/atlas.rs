//! `rna atlas`: the atlas as a picture to paint on.

use super::{path, refuse_existing};
use crate::console::Console;
use clap::ArgMatches;
use rna::atlas::Analysis;
use rna::frame::io::{Kind, write_picture};
use rna::frame::{Channels, Depth, Encoding};
use rna::render::{Sidecar, convert, export_atlas};
use rna::{Error, Result, store};
use serde_json::json;

/// Writes the picture and the note of where it lies.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let output = path(matches, "output");
    let encoding = |of_clip| match Kind::of_name(output) {
        Some(Kind::Exr) => Ok(of_clip),
        Some(Kind::Png | Kind::Tiff) => Ok(Encoding::Display),
        _ => Err(Error::picture(output, "an atlas needs transparency and depth; name it .png or .exr")),
    };
    encoding(Encoding::Display)?;
    if !matches.get_flag("force") {
        refuse_existing(output, "name another with -o, or add --force to lose what is painted in it")?;
    }
    let analysis = store::open(path(matches, "analysis"))?;
    let own = analysis.header().encoding;
    let encoding = encoding(own)?;
    let (picture, placement) = export_atlas(&analysis);
    // 16 bits are the least that an 8-bit clip's atlas, a mean of many frames, loses nothing in.
    write_picture(output, &convert(&picture, own, encoding), Depth::U16, Channels::Rgba)?;
    let sidecar = Sidecar::new(&analysis, &placement, encoding);
    sidecar.write(output)?;
    let note = Sidecar::path_for(output);
    let (w, h) = picture.size();
    let text = format!("wrote {} ({w}×{h} pixels) and {}", output.display(), note.display());
    console.result(&json!({ "output": output, "sidecar": note, "atlas": sidecar }), &text);
    Ok(())
}
