//! `rna correct`: mending an analysis where the user knows better.

use super::{analyze, path, refuse_existing};
use crate::console::Console;
use clap::ArgMatches;
use rna::Result;
use rna::correction::Corrections;
use rna::engine::{self, Mending};

/// Reads the corrections and solves what they concern again.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let output = path(matches, "output").to_path_buf();
    refuse_existing(&output, "name another with -o, or delete it")?;
    let mending = Mending {
        analysis: path(matches, "analysis").to_path_buf(),
        clip: path(matches, "clip").to_path_buf(),
        corrections: Corrections::read(path(matches, "corrections"))?,
        output,
    };
    let report = engine::correct(&mending, &console.progress())?;
    console.result(&report, &analyze::summary(&report));
    Ok(())
}
