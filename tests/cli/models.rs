//! Networks on the command line: found, checked, chosen, and done without.

#![allow(clippy::print_stdout, reason = "a test says what it skips")]

use crate::{rna, works};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Small models with random weights: what they find is nonsense.
const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/models");

/// Whether ONNX Runtime is here; `cargo xtask test` fetches it.
fn has_runtime() -> bool {
    let there = std::env::var_os("RNA_ONNXRUNTIME").is_some();
    if !there {
        println!("skipped: RNA_ONNXRUNTIME names no library");
    }
    there
}

/// A folder with a small generated clip.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    works(folder.path(), &["sample", "clip", "--size", "192x128", "--frames", "5"]);
    folder
}

fn analyze<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["analyze", "clip/frames", "--roi", "clip/roi.json", "-o", "shot.rna", "--json"], more].concat()
}

fn without_runtime(at: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rna"));
    command.args(arguments).current_dir(at).env("RNA_ONNXRUNTIME", at.join("no-such-library.so"));
    command.output().unwrap()
}

fn info(at: &Path) -> Value {
    serde_json::from_str(&works(at, &["info", "shot.rna", "--json"])).unwrap()
}

#[test]
fn every_model_that_is_there_is_run_and_every_other_explained() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let said = works(folder.path(), &["models", "--models", MODELS]);
    for id in ["raft-small", "dino-vits8", "vitmatte-small"] {
        assert!(said.lines().any(|l| l.starts_with(id) && l.contains("works")), "{id}: {said}");
    }
    assert!(said.contains("raft-large") && said.contains("resources/export/raft.py --model large"), "{said}");
    let json = works(folder.path(), &["models", "--models", MODELS, "--json"]);
    let value: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert!(value["runtime"]["Ok"]["version"].is_string(), "{value}");
    // One that does not work is named, and the program fails.
    std::fs::write(folder.path().join("raft-small.onnx"), "no model").unwrap();
    let failed = rna(folder.path(), &["models", "--models", "."]);
    let text = String::from_utf8_lossy(&failed.stdout);
    assert!(failed.status.code() == Some(1) && text.contains("does not work"), "{text}");
}

/// Random networks: everything runs, and the file says what made it.
#[test]
fn the_whole_work_with_networks() {
    if !has_runtime() {
        return;
    }
    let folder = sample();
    let at = folder.path();
    let said = works(at, &analyze(&["--models", MODELS, "--flow", "raft", "--matting", "vitmatte"]));
    assert!(
        said.contains("flow: raft-small on CPU") && said.contains("matting: vitmatte-small on CPU"),
        "{said}"
    );
    let header = info(at);
    assert!(header["engines"]["flow"].as_str().unwrap().starts_with("raft-small on CPU (ONNX Runtime "));
    assert!(header["engines"]["matting"].as_str().unwrap().starts_with("vitmatte-small"));
    works(
        at,
        &["render", "clip/frames", "--atlas", "shot.rna", "--paint", "clip/picture.png", "-o", "o/%05d.png"],
    );
}

#[test]
fn auto_takes_what_is_there_and_does_without() {
    let folder = sample();
    let at = folder.path();
    let runs = |output: Output| {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
        said
    };
    // A model without the library to run it: a warning, and the built-in engines.
    let said = runs(without_runtime(at, &analyze(&["--models", MODELS])));
    assert!(said.contains("warning") && said.contains("no-such-library.so cannot be loaded"), "{said}");
    assert_eq!(info(at)["engines"]["flow"], "builtin");
    std::fs::remove_file(at.join("shot.rna")).unwrap();
    if !has_runtime() {
        return;
    }
    let said = runs(rna(at, &analyze(&["--models", MODELS])));
    assert!(said.contains("flow: raft-small"), "{said}");
    std::fs::remove_file(at.join("shot.rna")).unwrap();
    // A quick look stays quick.
    let said = runs(rna(at, &analyze(&["--models", MODELS, "--preset", "draft"])));
    assert!(!said.contains("flow: raft-small"), "{said}");
    std::fs::remove_file(at.join("shot.rna")).unwrap();
    // A file that is no model: a warning that names it.
    std::fs::write(at.join("vitmatte-small.onnx"), "no model").unwrap();
    let said = runs(rna(at, &analyze(&["--models", "."])));
    assert!(said.contains("vitmatte-small.onnx") && said.contains("built-in matting"), "{said}");
}

#[test]
fn a_choice_by_name_fails_where_it_cannot_be_had() {
    let folder = sample();
    let at = folder.path();
    let fails = |output: Output| {
        assert_eq!(output.status.code(), Some(1));
        assert!(!at.join("shot.rna.work").exists(), "work was begun");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = fails(without_runtime(at, &analyze(&["--models", MODELS, "--flow", "raft"])));
    assert!(said.contains("ONNX Runtime") && said.contains("--with-onnxruntime"), "{said}");
    let said = fails(rna(at, &analyze(&["--models", "clip", "--matting", "vitmatte"])));
    assert!(said.contains("setting matting") && said.contains("rna models"), "{said}");
    let said = fails(rna(at, &analyze(&["--models", "nowhere"])));
    assert!(said.contains("setting models") && said.contains("nowhere is not a folder"), "{said}");
}
