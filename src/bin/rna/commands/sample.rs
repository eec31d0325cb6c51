//! `rna sample`: a generated clip whose perfect answer is known.

use super::unfinished;
use crate::console::Console;
use clap::ArgMatches;
use rna::Result;

/// Writes the clip, its region, a picture to put on it and the answer.
pub(crate) fn run(_matches: &ArgMatches, _console: &Console) -> Result<()> {
    Err(unfinished("sample"))
}
