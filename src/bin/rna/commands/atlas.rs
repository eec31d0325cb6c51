//! `rna atlas`: the atlas as a picture to paint on.

use super::{path, refuse_existing};
use crate::console::Console;
use clap::ArgMatches;
use rna::render::{Sidecar, check_atlas_name, write_atlas};
use rna::{Result, store};
use serde_json::json;

/// Writes the picture and the note of where it lies.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let output = path(matches, "output");
    check_atlas_name(output)?;
    if !matches.get_flag("force") {
        refuse_existing(output, "name another with -o, or add --force to lose what is painted in it")?;
    }
    let analysis = store::open(path(matches, "analysis"))?;
    let sidecar = write_atlas(&analysis, output)?;
    let note = Sidecar::path_for(output);
    let [w, h] = sidecar.size;
    let text = format!("wrote {} ({w}×{h} pixels) and {}", output.display(), note.display());
    console.result(&json!({ "output": output, "sidecar": note, "atlas": sidecar }), &text);
    Ok(())
}
