//! The executable as a user meets it: exit codes, one clear line for each mistake, and a README that tells the truth.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, helpers included")]

mod clips;
mod mistakes;
#[cfg(feature = "onnx")]
mod models;
#[cfg(feature = "neural")]
mod neural;
mod outputs;
mod readme;
mod whole;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the executable in a folder.
fn rna(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rna"));
    command.args(arguments).current_dir(folder).output().expect("the executable starts")
}

/// Runs it, expects failure with exit code 1 and one line on the error stream that holds every word, and no crash.
fn fails(folder: &Path, arguments: &[&str], words: &[&str]) {
    expect_failure(&rna(folder, arguments), &format!("rna {arguments:?}"), words);
}

/// The same of a run that is over.
fn expect_failure(output: &Output, what: &str, words: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{what}: {errors}");
    let complaints: Vec<_> = errors.lines().filter(|l| l.starts_with("rna: ")).collect();
    assert_eq!(complaints.len(), 1, "{what}: {errors}");
    for word in words {
        assert!(complaints[0].contains(word), "{what} should say '{word}': {errors}");
    }
    assert!(!errors.contains("panicked"), "{errors}");
}

/// Runs it, expects success, and returns what it printed as a result.
fn works(folder: &Path, arguments: &[&str]) -> String {
    let output = rna(folder, arguments);
    assert!(output.status.success(), "rna {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
