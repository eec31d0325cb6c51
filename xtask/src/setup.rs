//! What building needs beside Rust, fetched where that is possible.

use crate::system::{has, install_command, run, works};
use crate::{Failure, Result};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes sure that libclang is there: the bindings to OpenFX are made from its C headers at build time.
///
/// Fails with the command to type where it cannot be installed without asking.
pub(crate) fn run_all() -> Result<()> {
    if !cfg!(target_os = "linux") || env::var_os("LIBCLANG_PATH").is_some() || has_libclang() {
        return Ok(());
    }
    println!("libclang is not installed; the bindings to OpenFX are made with it");
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0\n"));
    let sudo = !root && works("sudo", &["-n", "true"]);
    if !has("apt-get") || !(root || sudo) {
        return Err(Failure(format!("libclang is missing; to go on: {}", install_command(package()))));
    }
    let apt = |arguments: &[&str]| {
        let words = if sudo { vec!["sudo", "apt-get"] } else { vec!["apt-get"] };
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command)
    };
    // A machine fresh from its image has no package lists.
    apt(&["update", "-qq"])?;
    apt(&["install", "-y", "-qq", package()])
}

fn package() -> &'static str {
    if has("apt-get") { "libclang-dev" } else { "clang" }
}

/// Whether a libclang lies where the bindings' generator looks, with the headers that come with it: without them it
/// fails on `stdbool.h`.
fn has_libclang() -> bool {
    let mut folders: Vec<PathBuf> = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from).into();
    for parent in ["/usr/lib", "/usr/lib64"] {
        folders.extend(entries(Path::new(parent)).into_iter().filter(|p| p.is_dir()));
    }
    let llvm: Vec<PathBuf> = folders.iter().map(|f| f.join("lib")).filter(|f| f.is_dir()).collect();
    folders.extend(llvm);
    let named = |p: &PathBuf, start: &str| {
        p.file_name().is_some_and(|n| {
            let name = n.to_string_lossy();
            name.starts_with(start) && name.contains(".so")
        })
    };
    let library = |f: &PathBuf| entries(f).iter().any(|p| named(p, "libclang.so") || named(p, "libclang-"));
    let headers =
        |f: &PathBuf| entries(&f.join("clang")).iter().any(|v| v.join("include/stdbool.h").is_file());
    folders.iter().any(library) && folders.iter().any(headers)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let list = std::fs::read_dir(folder).into_iter().flatten();
    list.filter_map(|e| e.ok().map(|e| e.path())).collect()
}
