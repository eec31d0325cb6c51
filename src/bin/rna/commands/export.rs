//! `rna export`: maps and mattes for other programs.

use super::unfinished;
use crate::console::Console;
use clap::ArgMatches;
use rna::Result;

/// Writes what was asked for, a file a frame.
pub(crate) fn run(_matches: &ArgMatches, _console: &Console) -> Result<()> {
    Err(unfinished("export"))
}
