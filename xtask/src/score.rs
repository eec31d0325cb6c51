//! `cargo xtask score`: how good the product is, in numbers, on clips that are kept beside the project.
//!
//! Two kinds of clips. Those under `truth` know their perfect answer, and `score.py` there holds a rendered edit, the
//! maps and the mattes against it. Those under `clips` are real footage: what counts there is how well light × atlas
//! explains the visible pixels, which the analysis itself records.

mod real;
mod truth;

use crate::measure::{Product, Run};
use crate::table::with_section;
use crate::{Failure, Result, system};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What was asked for on the command line.
pub(crate) struct Options {
    preset: String,
    only: Option<String>,
    write: bool,
}

impl Options {
    /// Reads the words after `score`; `None` when they are wrong.
    pub(crate) fn parse(words: &[&str]) -> Option<Self> {
        let mut options = Self { preset: "standard".into(), only: None, write: true };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--preset" => options.preset = (*words.next()?).to_string(),
                "--only" => options.only = Some((*words.next()?).to_string()),
                "--no-write" => options.write = false,
                _ => return None,
            }
        }
        Some(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    fn command(&self) -> String {
        let preset =
            if self.preset == "standard" { String::new() } else { format!(" --preset {}", self.preset) };
        format!("cargo xtask score{preset}")
    }
}

/// What every part of the scoring needs.
struct Bench<'a> {
    product: Product,
    shared: PathBuf,
    work: PathBuf,
    options: &'a Options,
}

/// One clip's outcome: a row of a table, and everything measured.
struct Scored {
    cells: Vec<String>,
    raw: Value,
}

/// Fits, renders and scores every clip, prints the tables and keeps them.
pub(crate) fn run(options: &Options) -> Result<()> {
    let machine = system::machine();
    let shared =
        std::env::var_os("RNA_SHARED").map_or_else(|| system::root().join("../shared"), PathBuf::from);
    if !shared.join("truth").is_dir() {
        return Err(Failure(format!(
            "{} does not hold the clips to score; put them there or set RNA_SHARED to their folder",
            shared.display()
        )));
    }
    let work = system::target()?.join("score").join(&options.preset);
    let bench = Bench { product: Product::new(system::build()?), shared, work, options };
    let python = truth::python()?;
    let (truth, real) = (truth::score(&bench, &python)?, real::score(&bench)?);
    if truth.is_empty() && real.is_empty() {
        return Err(Failure("no clip has such a name".into()));
    }
    let tables = format!("{}\n{}", truth::table(&truth), real::table(&real));
    println!("\n{tables}");
    let raw: Vec<&Value> = truth.iter().chain(&real).map(|s| &s.raw).collect();
    keep(&bench.work.join("scores.json"), &format!("{:#}\n", json!({ "machine": machine, "clips": raw })))?;
    if options.write && options.only.is_none() {
        let body = format!("`{}` on {machine}.\n\n{tables}", options.command());
        let page = system::root().join("docs/scores.md");
        let text = std::fs::read_to_string(&page).unwrap_or_else(|_| INTRODUCTION.to_string());
        keep(&page, &with_section(&text, &format!("Preset {}", options.preset), &body))?;
    }
    Ok(())
}

const INTRODUCTION: &str = "\
# Scores

Written by `cargo xtask score`; nothing here is typed by hand. `analyze` and `render` are wall seconds of the whole
program, start to exit; peak is the largest resident memory of `rna analyze`.
";

fn keep(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Failure::at(format!("create {}", folder.display())))?;
    }
    std::fs::write(path, text).map_err(Failure::at(format!("write {}", path.display())))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Folders below `of` in the order of their names, with those names.
fn folders(of: &Path) -> Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(of).map_err(Failure::at(format!("read {}", of.display())))?;
    let paths = entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_dir());
    let named = |p: PathBuf| (p.file_name().unwrap_or_default().to_string_lossy().into_owned(), p);
    let mut found: Vec<_> = paths.map(named).collect();
    found.sort();
    Ok(found)
}

/// Mebibytes of a peak, for a cell.
fn mebibytes(run: &Run) -> Option<f64> {
    run.peak.map(|bytes| bytes as f64 / f64::from(1 << 20))
}

/// Time of each stage and in all, for the record.
fn times(analyze: &Run) -> Value {
    json!({ "seconds": analyze.seconds, "peak_bytes": analyze.peak, "stages": analyze.result["stages"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let o = Options::parse(&["--preset", "draft", "--only", "tr", "--no-write"]).unwrap();
        assert!(o.wants("truck") && !o.wants("cars") && !o.write);
        assert_eq!(o.command(), "cargo xtask score --preset draft");
        assert!(Options::parse(&["--only"]).is_none() && Options::parse(&["all"]).is_none());
    }
}
