//! The executable as a user meets it: exit codes, one clear line for each mistake, and a README that tells the truth.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, helpers included")]

mod mistakes;
mod outputs;
mod readme;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the executable in a folder.
fn rna(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rna"));
    command.args(arguments).current_dir(folder).output().expect("the executable starts")
}

/// Runs it, expects failure with exit code 1 and one line on the error stream that holds every word, and no crash.
fn fails(folder: &Path, arguments: &[&str], words: &[&str]) {
    let output = rna(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "rna {arguments:?}: {errors}");
    let complaints: Vec<_> = errors.lines().filter(|l| l.starts_with("rna: ")).collect();
    assert_eq!(complaints.len(), 1, "rna {arguments:?}: {errors}");
    for word in words {
        assert!(complaints[0].contains(word), "rna {arguments:?} should say '{word}': {errors}");
    }
    assert!(!errors.contains("panicked"), "{errors}");
}
