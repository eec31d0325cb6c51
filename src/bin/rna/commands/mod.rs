//! One file a command: it turns arguments into calls of the library, and what comes back into words.

mod analyze;
mod atlas;
mod correct;
mod export;
#[cfg(feature = "host")]
mod host;
mod info;
#[cfg(feature = "onnx")]
mod models;
mod render;
mod sample;

use crate::console::Console;
use clap::ArgMatches;
use rna::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Runs the command that was asked for.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    match matches.subcommand() {
        Some(("analyze", m)) => analyze::run(m, console),
        Some(("correct", m)) => correct::run(m, console),
        Some(("atlas", m)) => atlas::run(m, console),
        Some(("render", m)) => render::run(m, console),
        Some(("export", m)) => export::run(m, console),
        Some(("info", m)) => info::run(m, console),
        #[cfg(feature = "onnx")]
        Some(("models", m)) => models::run(m, console),
        #[cfg(feature = "host")]
        Some(("host", m)) => host::run(m, console),
        Some(("sample", m)) => sample::run(m, console),
        // clap requires one of the commands above.
        _ => Ok(()),
    }
}

/// A path the user gave; clap has seen to it that a required one is there.
fn path<'a>(matches: &'a ArgMatches, id: &str) -> &'a Path {
    matches.get_one::<PathBuf>(id).map_or(Path::new(""), PathBuf::as_path)
}

/// Fails when something would be overwritten that the user did not ask to lose.
fn refuse_existing(path: &Path, advice: &str) -> Result<()> {
    if path.exists() {
        let reason = std::io::Error::new(ErrorKind::AlreadyExists, format!("it is there already; {advice}"));
        return Err(Error::Io { action: "write", path: path.to_path_buf(), source: reason });
    }
    Ok(())
}
