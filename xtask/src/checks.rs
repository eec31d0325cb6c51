//! What says whether a change may be taken, cheapest first, and the benchmarks.

use crate::Result;
use crate::system::{cargo, has, install_command, run, works};
use std::time::Instant;

/// Every test: of the library, the executable, this program and the documentation, in the one profile everything else
/// is built in.
pub(crate) fn test() -> Result<()> {
    let began = Instant::now();
    if !has("ffmpeg") {
        println!(
            "ffmpeg is not installed, so tests of video files skip; to run them: {}",
            install_command("ffmpeg")
        );
    }
    // Plugin behaviour is tested on what users install.
    let bundle = crate::bundle::make(false)?;
    let home = crate::system::target()?.join("plugin-home");
    let mut tests = cargo(&["test", "--workspace", "--release"])?;
    tests.env("RNA_BUNDLE", bundle).env("RNA_OFX_HOME", home);
    match crate::onnxruntime::fetch() {
        Ok(library) => drop(tests.env("RNA_ONNXRUNTIME", library.file)),
        Err(crate::Failure(reason)) => println!("!! tests of networks skip: {reason}"),
    }
    run(&mut tests)?;
    println!("all tests passed in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Format, lints, documentation, licences, tests. A tool that is missing is skipped loudly, so that a bare machine
/// can still run the rest.
pub(crate) fn check() -> Result<()> {
    let mut skipped = Vec::new();
    let mut step = |present: bool, advice: &str, arguments: &[&str]| -> Result<()> {
        if present {
            return run(cargo(arguments)?.env("RUSTDOCFLAGS", "-D warnings"));
        }
        println!("!! skipped: cargo {}; to run it: {advice}", arguments[0]);
        skipped.push(arguments[0].to_string());
        Ok(())
    };
    let tool = |name: &str| works("cargo", &[name, "--version"]);
    step(tool("fmt"), "rustup component add rustfmt", &["fmt", "--all", "--check"])?;
    let lints = ["clippy", "--workspace", "--all-targets", "--release", "--", "-D", "warnings"];
    step(tool("clippy"), "rustup component add clippy", &lints)?;
    step(true, "", &["doc", "--workspace", "--no-deps", "--release", "--document-private-items"])?;
    step(tool("deny"), "cargo install --locked cargo-deny", &["deny", "check"])?;
    test()?;
    if !skipped.is_empty() {
        println!("!! all that ran passed, but these were skipped: {}", skipped.join(", "));
    }
    Ok(())
}

/// The benchmarks.
pub(crate) fn bench() -> Result<()> {
    run(&mut cargo(&["bench"])?)
}
