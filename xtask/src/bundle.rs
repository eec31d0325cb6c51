//! `cargo xtask bundle`: the plugin as a host takes it.

use crate::onnxruntime;
use crate::system::{cargo, fresh_folder, root, run, target};
use crate::{Failure, Result};
use object::{Object, ObjectSymbol};
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};

// Host and packer ask the same table; the library itself is not asked, so that packing needs no plugin module in it.
#[path = "../../src/openfx/bundle.rs"]
#[allow(unreachable_pub, reason = "public in the library, a private module here")]
mod layout;

/// The plugin's identifier, by which hosts look for its icon.
const IDENTIFIER: &str = "org.rna-ofx.RNA";

/// What a host looks up, and so all that a plugin may show: any other name could be taken for another plugin's.
const EXPORTS: [&str; 3] = ["OfxGetNumberOfPlugins", "OfxGetPlugin", "OfxSetHost"];

/// Traces of learning frameworks, which run in the executable and never in the host's process.
const FOREIGN: [&str; 2] = ["onnxruntime", "burn_"];

/// Builds plugin and executable, packs them, verifies the plugin, and says where the bundle is and where to put it.
///
/// `with_onnxruntime` adds the library that runs networks, and its licences.
pub(crate) fn make(with_onnxruntime: bool) -> Result<PathBuf> {
    // What can fail for want of a network comes before what takes long.
    let library = with_onnxruntime.then(onnxruntime::fetch).transpose()?;
    let plugin = build_plugin()?;
    run(&mut cargo(&["rustc", "--release", "--bin", "rna", "--", "-C", "strip=symbols"])?)?;
    let bytes = fs::read(&plugin).map_err(Failure::at(format!("read {}", plugin.display())))?;
    verify(&exports(&bytes)?, &bytes)?;
    let bundle = target()?.join("bundle").join("RNA.ofx.bundle");
    pack(&bundle, &plugin, &target()?.join("release").join(format!("rna{EXE_SUFFIX}")))?;
    if let Some(library) = library {
        add(&bundle, &library)?;
    }
    println!("packed {}", bundle.display());
    println!("copy it, the folder whole, to");
    for (system, folder) in [
        ("linux", "/usr/OFX/Plugins"),
        ("macos", "/Library/OFX/Plugins"),
        ("windows", r"C:\Program Files\Common Files\OFX\Plugins"),
    ] {
        let here = if system == std::env::consts::OS { "  (this system)" } else { "" };
        println!("  {system:8} {folder}{here}");
    }
    println!("or name the folder it lies in in OFX_PLUGIN_PATH");
    Ok(bundle)
}

fn build_plugin() -> Result<PathBuf> {
    let mut arguments = vec![
        "rustc",
        "--release",
        "--lib",
        "--crate-type",
        "cdylib",
        "--no-default-features",
        "--features",
        "openfx",
    ];
    arguments.extend(["--", "-C", "strip=symbols"]);
    if cfg!(target_os = "linux") {
        // Worker threads of the library may still run when a host closes it: its code has to stay.
        arguments.extend(["-C", "link-arg=-Wl,-z,nodelete"]);
    }
    run(&mut cargo(&arguments)?)?;
    Ok(target()?.join("release").join(format!("{DLL_PREFIX}rna{DLL_SUFFIX}")))
}

/// Lays the bundle out anew.
fn pack(bundle: &Path, plugin: &Path, worker: &Path) -> Result<()> {
    let library = layout::library_in(bundle);
    let contents = bundle.join("Contents");
    let (binaries, resources) = (contents.join(layout::ARCHITECTURE), contents.join("Resources"));
    let sources = root().join("ofx-bundle");
    fresh_folder(bundle)?;
    for folder in [&binaries, &resources] {
        fs::create_dir_all(folder).map_err(Failure::at(format!("create {}", folder.display())))?;
    }
    copy(plugin, &library)?;
    copy(worker, &binaries.join(format!("rna{EXE_SUFFIX}")))?;
    copy(&sources.join("icon.png"), &resources.join(format!("{IDENTIFIER}.png")))?;
    let template = sources.join("Info.plist.in");
    let text = fs::read_to_string(&template).map_err(Failure::at(format!("read {}", template.display())))?;
    let list = contents.join("Info.plist");
    fs::write(&list, filled(&text)).map_err(Failure::at(format!("write {}", list.display())))
}

/// Puts ONNX Runtime beside the worker.
fn add(bundle: &Path, library: &onnxruntime::Library) -> Result<()> {
    let contents = bundle.join("Contents");
    let name = library.file.file_name().unwrap_or_default();
    copy(&library.file, &contents.join(layout::ARCHITECTURE).join(name))?;
    let notices = contents.join("Resources").join("onnxruntime");
    fs::create_dir_all(&notices).map_err(Failure::at(format!("create {}", notices.display())))?;
    for licence in &library.licences {
        copy(licence, &notices.join(licence.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(Failure::at(format!("copy {} to {}", from.display(), to.display())))
}

/// The property list of this version (all packages share one).
fn filled(template: &str) -> String {
    template.replace("@VERSION@", env!("CARGO_PKG_VERSION")).replace("@IDENTIFIER@", IDENTIFIER)
}

/// Names that a library shows to whoever loads it, sorted.
fn exports(bytes: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(bytes).map_err(Failure::at("read the plugin's symbols"))?;
    let unreadable = |e: object::Error| Failure(format!("cannot read the plugin's symbols: {e}"));
    let mut names = Vec::new();
    if file.format() == object::BinaryFormat::Elf {
        for symbol in file.dynamic_symbols().filter(|s| s.is_definition() && s.is_global()) {
            names.push(symbol.name().map_err(unreadable)?.to_string());
        }
    } else {
        for export in file.exports().map_err(unreadable)? {
            let export = export.map_err(unreadable)?;
            // C names begin with an underscore on macOS.
            let name = export.name().into_name().map(String::from_utf8_lossy).unwrap_or_default();
            names.push(name.trim_start_matches('_').to_string());
        }
    }
    names.sort();
    Ok(names)
}

/// Fails unless the plugin shows what a host looks for and nothing else, and holds no learning framework.
fn verify(exports: &[String], bytes: &[u8]) -> Result<()> {
    let missing: Vec<_> = EXPORTS.iter().filter(|e| !exports.iter().any(|n| n == *e)).copied().collect();
    if !missing.is_empty() {
        return Err(Failure(format!("no host can load the plugin: it lacks {}", missing.join(", "))));
    }
    let stray: Vec<_> = exports.iter().map(String::as_str).filter(|n| !EXPORTS.contains(n)).collect();
    if !stray.is_empty() {
        return Err(Failure(format!(
            "the plugin shows {} more names than a host looks for: {}",
            stray.len(),
            stray[..stray.len().min(5)].join(", ")
        )));
    }
    let holds = |word: &&&str| bytes.windows(word.len()).any(|w| w == word.as_bytes());
    match FOREIGN.iter().find(holds) {
        Some(word) => {
            Err(Failure(format!("the plugin holds '{word}', which belongs in the executable alone")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|n| n.to_string()).collect()
    }

    #[test]
    fn what_a_plugin_may_show_and_hold() {
        let says = |exports: &[&str], bytes: &[u8]| verify(&names(exports), bytes).err().map(|f| f.0);
        assert_eq!(says(&EXPORTS, b"plain"), None);
        assert!(says(&EXPORTS[..2], b"").is_some_and(|t| t.contains("lacks OfxSetHost")));
        let more = [&EXPORTS[..], &["rust_panic"]].concat();
        assert!(says(&more, b"").is_some_and(|t| t.contains("1 more names") && t.contains("rust_panic")));
        assert!(says(&EXPORTS, b"..libonnxruntime.so..").is_some_and(|t| t.contains("onnxruntime")));
    }

    #[test]
    fn symbols_are_read() {
        // This very program is an object file of the system at hand, and no plugin.
        let bytes = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(verify(&exports(&bytes).unwrap(), &bytes).is_err());
        assert!(exports(b"no object file").is_err());
    }

    #[test]
    fn a_bundle_is_laid_out() {
        let folder = std::env::temp_dir().join(format!("rna-bundle-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("binary");
        fs::write(&file, "binary").unwrap();
        let bundle = folder.join("RNA.ofx.bundle");
        pack(&bundle, &file, &file).unwrap();
        assert_eq!(fs::read(layout::library_in(&bundle)).unwrap(), b"binary");
        let contents = bundle.join("Contents");
        assert!(contents.join(layout::ARCHITECTURE).join(format!("rna{EXE_SUFFIX}")).is_file());
        assert!(contents.join("Resources/org.rna-ofx.RNA.png").is_file());
        let list = fs::read_to_string(contents.join("Info.plist")).unwrap();
        assert!(list.contains(env!("CARGO_PKG_VERSION")) && list.contains("<string>RNA.ofx</string>"));
        assert!(!list.contains('@'), "{list}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
