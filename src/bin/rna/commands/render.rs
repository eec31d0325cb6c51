//! `rna render`: the edited clip.

use super::{path, unfinished};
use crate::args;
use crate::console::Console;
use clap::ArgMatches;
use rna::Result;
use rna::param::{Group, RenderSettings, View};

/// Renders every frame of the clip and writes it.
pub(crate) fn run(matches: &ArgMatches, _console: &Console) -> Result<()> {
    let settings = RenderSettings::from_values(&args::values(matches, Group::Render))?;
    let edited = matches.contains_id("edited") || matches.contains_id("paint");
    if !edited && settings.view == View::Result {
        args::wrong_usage(
            "render",
            "nothing to put on the clip: give --edited atlas.png or --paint picture.png, or another --view",
        );
    }
    let _ = path(matches, "output");
    Err(unfinished("render"))
}
