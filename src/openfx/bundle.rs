//! Where a bundle keeps its library. The packer includes this file too: one table for all who ask.

use std::path::{Path, PathBuf};

/// The folder below `Contents` for this system, as the standard's chapter on packaging names it.
pub const ARCHITECTURE: &str = if cfg!(target_os = "macos") {
    "MacOS"
} else if cfg!(target_os = "windows") {
    "Win64"
} else if cfg!(target_arch = "aarch64") {
    "Linux-arm64"
} else {
    "Linux-x86-64"
};

/// Path of the library in `NAME.ofx.bundle`: the file called as the bundle without its last ending.
pub fn library_in(bundle: &Path) -> PathBuf {
    let file = bundle.file_stem().unwrap_or_default();
    bundle.join("Contents").join(ARCHITECTURE).join(file)
}
