//! Everything a developer runs, in one place: `cargo xtask setup`, `demo`, `test`, `check`, `bench`, `score`,
//! `bundle`.
//!
//! Written in Rust, so that a machine with nothing but Rust can run it. What is missing is fetched where that is
//! possible; where it is not, the exact command for the system at hand is printed.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod bundle;
mod checks;
mod demo;
mod measure;
mod onnxruntime;
mod picture;
mod score;
mod setup;
mod system;
mod table;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  setup    install what building needs beside Rust (the other commands do this too)
  demo     make a sample clip, fit it, put a picture on it, and say how right the result is
  test     run every test
  check    what is checked before a change is taken: format, lints, documentation, licences, tests
  bench    run the benchmarks
  bundle   build the OpenFX plugin and pack target/bundle/RNA.ofx.bundle
             --with-onnxruntime   with the library that runs RAFT, DINO and ViTMatte, fetched from PyPI
  score    fit the clips of ../shared (or $RNA_SHARED) and write the table docs/scores.md
             --preset WORD   preset of the analysis (default: standard)
             --only NAME     clips whose name holds NAME; prints and writes nothing
             --no-write      print the table only";

/// One line for whoever ran the command.
#[derive(Debug)]
struct Failure(String);

type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// Says what was tried before what went wrong; made for `map_err(Failure::at("read x"))`.
    fn at<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> Failure {
        move |error| Failure(format!("cannot {what}: {error}"))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["setup"] => setup::run_all(),
        ["demo"] => setup::run_all().and_then(|()| demo::run()),
        ["test"] => setup::run_all().and_then(|()| checks::test()),
        ["check"] => setup::run_all().and_then(|()| checks::check()),
        ["bench"] => setup::run_all().and_then(|()| checks::bench()),
        ["bundle"] => setup::run_all().and_then(|()| bundle::make(false).map(drop)),
        ["bundle", "--with-onnxruntime"] => setup::run_all().and_then(|()| bundle::make(true).map(drop)),
        ["score", options @ ..] => match score::Options::parse(options) {
            Some(options) => score::run(&options),
            None => return usage(),
        },
        _ => return usage(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(line)) => {
            eprintln!("xtask: {line}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
