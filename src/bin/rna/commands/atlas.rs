//! `rna atlas`: the atlas as a picture to paint on.

use super::{path, refuse_existing, unfinished};
use crate::console::Console;
use clap::ArgMatches;
use rna::Result;

/// Writes the picture and its sidecar.
pub(crate) fn run(matches: &ArgMatches, _console: &Console) -> Result<()> {
    let output = path(matches, "output");
    if !matches.get_flag("force") {
        refuse_existing(
            output,
            "name another with -o, or add --force to overwrite it and your painting in it",
        )?;
    }
    Err(unfinished("atlas"))
}
