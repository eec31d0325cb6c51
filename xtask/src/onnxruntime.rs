//! ONNX Runtime's library, out of the official Python package: pinned, checked against its hash, cached.
//!
//! It is 20 MB and changes rarely, so it is neither built nor kept here; who wants it in the bundle asks for it.

use crate::system::{fresh_folder, run, target};
use crate::{Failure, Result};
use library::LIBRARY;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

// Who packs and who looks call it alike; the library itself is built here without networks.
#[path = "../../src/onnx/library.rs"]
mod library;

const VERSION: &str = "1.31.1";

/// A package: of which system (as Rust names it), its tag, its SHA-256.
const PACKAGES: &[(&str, &str, &str, &str)] = &[
    (
        "linux",
        "x86_64",
        "manylinux_2_28_x86_64",
        "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
    ),
    (
        "linux",
        "aarch64",
        "manylinux_2_28_aarch64",
        "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
    ),
    ("windows", "x86_64", "win_amd64", "ae8a9a351efda685cc59a66226cdefaa37a126c1d66872ca23a2de9425326130"),
    (
        "macos",
        "aarch64",
        "macosx_14_0_arm64",
        "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c",
    ),
];

/// The library and its licences: files to put beside the worker and among the bundle's resources.
pub(crate) struct Library {
    pub(crate) file: PathBuf,
    pub(crate) licences: Vec<PathBuf>,
}

/// Fetches the library for this system, or takes it as an earlier call left it.
pub(crate) fn fetch() -> Result<Library> {
    let folder = target()?.join(format!("onnxruntime-{VERSION}"));
    let package = folder.join("package").join("onnxruntime");
    let library = Library {
        file: folder.join(LIBRARY),
        licences: ["LICENSE", "ThirdPartyNotices.txt"].map(|n| package.join(n)).into(),
    };
    if library.file.is_file() {
        return Ok(library);
    }
    let wheel = download(&folder)?;
    let python = python()?;
    let package_folder = folder.join("package");
    run(Command::new(python).args(["-m", "zipfile", "-e"]).arg(wheel).arg(&package_folder))?;
    let found = shared_library(&package.join("capi"))?;
    // By rename, so that a run that was stopped leaves no half of it.
    let whole = folder.join("library.tmp");
    fs::copy(&found, &whole).map_err(Failure::at(format!("copy {}", found.display())))?;
    fs::rename(&whole, &library.file).map_err(Failure::at(format!("write {}", library.file.display())))?;
    Ok(library)
}

/// The package, checked by pip against its hash.
fn download(folder: &Path) -> Result<PathBuf> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let Some((_, _, tag, hash)) = PACKAGES.iter().find(|p| p.0 == os && p.1 == arch) else {
        return Err(Failure(format!(
            "ONNX Runtime {VERSION} has no package for {os} on {arch}; build it and name it in RNA_ONNXRUNTIME"
        )));
    };
    fresh_folder(folder)?;
    let wanted = folder.join("requirements.txt");
    fs::write(&wanted, format!("onnxruntime=={VERSION} --hash=sha256:{hash}\n"))
        .map_err(Failure::at(format!("write {}", wanted.display())))?;
    let mut pip = Command::new(python()?);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--only-binary=:all:", "--require-hashes", "--python-version", "3.12", "--platform", tag]);
    run(pip.arg("-r").arg(&wanted).arg("-d").arg(folder))?;
    let mut wheels = files(folder)?.into_iter().filter(|p| p.extension().is_some_and(|e| e == "whl"));
    wheels.next().ok_or_else(|| Failure("pip brought no package".into()))
}

/// The library among a package's files, whatever version its name carries.
fn shared_library(folder: &Path) -> Result<PathBuf> {
    let named = |p: &PathBuf| {
        let name = p.file_name().unwrap_or_default().to_string_lossy();
        match std::env::consts::OS {
            "windows" => name == "onnxruntime.dll",
            "macos" => name.starts_with("libonnxruntime.") && name.ends_with(".dylib"),
            _ => name.starts_with("libonnxruntime.so"),
        }
    };
    let found = files(folder)?.into_iter().find(named);
    found.ok_or_else(|| Failure(format!("{} holds no {LIBRARY}", folder.display())))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = fs::read_dir(folder).map_err(Failure::at(format!("read {}", folder.display())))?;
    Ok(list.filter_map(|e| e.ok().map(|e| e.path())).collect())
}

/// A Python with pip.
pub(crate) fn python() -> Result<&'static str> {
    let with_pip = |p: &&str| crate::system::works(p, &["-m", "pip", "--version"]);
    ["python3", "python"].into_iter().find(with_pip).ok_or_else(|| {
        let install = crate::system::install_command("python3-pip");
        Failure(format!("ONNX Runtime is fetched with pip, which is not installed; to go on: {install}"))
    })
}
