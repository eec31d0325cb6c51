//! `rna models`: which networks can be used, checked by running each once, and how to get the others.

use crate::args;
use crate::console::Console;
use clap::ArgMatches;
use rna::onnx::{Model, Network, Runtime, Shelf, Tensor, catalog};
use rna::{Error, Result};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What was found.
#[derive(Serialize)]
struct Found {
    /// The library: its file and version, or why there is none.
    runtime: Result<Library, String>,
    folders: Vec<PathBuf>,
    models: Vec<State>,
}

#[derive(Serialize)]
struct Library {
    path: PathBuf,
    version: String,
}

/// One model of the catalogue.
#[derive(Serialize)]
struct State {
    #[serde(flatten)]
    model: &'static Model,
    /// Its file, where there is one.
    path: Option<PathBuf>,
    /// What ran it, or what is wrong; nothing without a file.
    check: Option<Result<String, String>>,
}

/// Looks for everything and runs what is there; fails when a file is there and does not work.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let shelf = Shelf::new(args::models(matches).as_deref())?;
    let runtime = Runtime::open();
    let mut broken = None;
    let mut states = Vec::new();
    for model in catalog() {
        let path = shelf.find(model);
        let check = path.as_deref().and_then(|p| Some(check(runtime.as_ref().ok()?, model, p)));
        let check = check.map(|c| c.map_err(|e| said(e, &mut broken)));
        states.push(State { model, path, check });
    }
    let runtime = match runtime {
        Ok(r) => Ok(Library { path: r.path().to_path_buf(), version: r.version().to_string() }),
        Err(e) => Err(e.to_string()),
    };
    let found = Found { runtime, folders: shelf.folders().to_vec(), models: states };
    console.result(&found, &describe(&found));
    broken.map_or(Ok(()), Err)
}

/// The error's words, the first error kept.
fn said(error: Error, first: &mut Option<Error>) -> String {
    let text = error.to_string();
    first.get_or_insert(error);
    text
}

/// Runs a model once on the smallest picture it takes.
fn check(runtime: &Runtime, model: &'static Model, path: &Path) -> Result<String> {
    let network = Network::open(runtime, model, path, false)?;
    let side = model.smallest.next_multiple_of(model.multiple).max(2 * model.multiple);
    let input = |port: &rna::onnx::Port| {
        let shape = [1, port.channels().unwrap_or(3), side, side];
        // Any pattern does.
        let values = (0..shape.iter().product::<usize>()).map(|i| (i % 17) as f32 / 17.0).collect();
        Tensor { shape, values }
    };
    let began = Instant::now();
    network.run(model.inputs.iter().map(input).collect())?;
    Ok(format!("{}, {side}×{side} pixels in {:.2} s", network.account(), began.elapsed().as_secs_f64()))
}

fn describe(found: &Found) -> String {
    let mut text = match &found.runtime {
        Ok(library) => format!("runtime   ONNX Runtime {}, {}\n", library.version, library.path.display()),
        Err(reason) => format!("runtime   none: {reason}\n"),
    };
    for folder in &found.folders {
        let _ = writeln!(
            text,
            "folder    {}{}",
            folder.display(),
            if folder.is_dir() { "" } else { " (absent)" }
        );
    }
    for State { model, path, check } in &found.models {
        let _ = write!(text, "\n{:<15} {:<13}", model.id, model.purpose.name());
        let _ = match (path, check) {
            (None, _) => writeln!(
                text,
                "missing\n  to get {} ({}, {}): {}",
                model.file, model.source, model.licence, model.obtain
            ),
            (Some(p), None) => writeln!(text, "not run\n  {}", p.display()),
            (Some(p), Some(Ok(ran))) => writeln!(text, "works: {ran}\n  {}", p.display()),
            (Some(_), Some(Err(reason))) => writeln!(text, "does not work\n  {reason}"),
        };
    }
    text
}
