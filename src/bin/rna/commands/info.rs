//! `rna info`: what an analysis holds and how well it fits.

use super::unfinished;
use crate::console::Console;
use clap::ArgMatches;
use rna::Result;

/// Prints the header in words, or whole with `--json`.
pub(crate) fn run(_matches: &ArgMatches, _console: &Console) -> Result<()> {
    Err(unfinished("info"))
}
