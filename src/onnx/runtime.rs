//! The library that runs the networks: found, checked, and loaded once a process.

use super::library::LIBRARY;
use crate::error::{Error, Result};
use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider, ExecutionProviderDispatch};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The oldest library that will do: 1.x.
const OLDEST: u32 = ort::MINOR_VERSION;

/// ONNX Runtime, loaded.
#[derive(Debug)]
pub struct Runtime {
    pub(super) environment: Environment,
    path: PathBuf,
    version: String,
}

/// The library stays loaded for the life of the process, whatever is asked for later.
static LOADED: Mutex<Option<Arc<Runtime>>> = Mutex::new(None);

impl Runtime {
    /// Loads the library: what `RNA_ONNXRUNTIME` names, else the one beside the program (the bundle's), what
    /// `ORT_DYLIB_PATH` names, or the system's.
    ///
    /// # Errors
    /// [`Error::Program`] where none is found, the one named cannot be loaded, or it is too old.
    pub fn open() -> Result<Arc<Self>> {
        let mut loaded = LOADED.lock();
        if let Some(runtime) = &*loaded {
            return Ok(Arc::clone(runtime));
        }
        let mut refused = Vec::new();
        for (path, named) in candidates() {
            if !named && !path.is_file() {
                continue;
            }
            match Self::load(&path) {
                Ok(runtime) => {
                    let runtime = Arc::new(runtime);
                    *loaded = Some(Arc::clone(&runtime));
                    return Ok(runtime);
                }
                Err(reason) if named => return Err(unusable(reason)),
                Err(reason) => refused.push(reason),
            }
        }
        Err(unusable(match refused.is_empty() {
            true => format!("no {LIBRARY} was found"),
            false => refused.join("; "),
        }))
    }

    fn load(path: &Path) -> Result<Self, String> {
        use ort::LoadDynamicError as Failed;
        // By its whole path: a bare name would be looked for wherever the system pleases.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let at = whole.display();
        let builder = ort::init_from(&whole).map_err(|failed| match failed {
            Failed::Dlopen { error, .. } => format!("{at} cannot be loaded ({error})"),
            Failed::BadVersion { version_str, .. } => format!("{at} is version {version_str}"),
            _ => format!("{at} is not ONNX Runtime"),
        })?;
        let environment =
            builder.with_telemetry(false).build().map_err(|e| format!("{at} does not start ({e})"))?;
        environment.set_log_level(ort::logging::LogLevel::Fatal);
        Ok(Self { environment, path: whole, version: version(ort::info()) })
    }

    /// The library's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version as it gives it: 1.22.0, or the commit it was built of.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What can compute here, fastest first; the processor, which is always there, is not among them.
    pub(super) fn accelerators(&self) -> Vec<(&'static str, ExecutionProviderDispatch)> {
        // A library says what it was built with; whether that works here shows when a model is opened.
        let mut all = Vec::new();
        let mut offer = |name, there: ort::Result<bool>, provider: ExecutionProviderDispatch| {
            if there.unwrap_or(false) {
                all.push((name, provider.error_on_failure()));
            }
        };
        offer("CUDA", ep::CUDA::is_available(), ep::CUDA::default().build());
        offer("TensorRT", ep::TensorRT::is_available(), ep::TensorRT::default().build());
        offer("DirectML", ep::DirectML::is_available(), ep::DirectML::default().build());
        offer("CoreML", ep::CoreML::is_available(), ep::CoreML::default().build());
        offer("ROCm", ep::ROCm::is_available(), ep::ROCm::default().build());
        // Its successor on AMD cards.
        offer("MIGraphX", ep::MIGraphX::is_available(), ep::MIGraphX::default().build());
        all
    }
}

fn unusable(reason: String) -> Error {
    let reason = format!(
        "{reason}; version 1.{OLDEST} or later is needed: name its {LIBRARY} in RNA_ONNXRUNTIME, or pack it into the \
         bundle with `cargo xtask bundle --with-onnxruntime`"
    );
    Error::Program { program: "ONNX Runtime", reason }
}

/// Where to look, and whether the user named it.
fn candidates() -> Vec<(PathBuf, bool)> {
    let named = |variable: &str| std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
    let beside = std::env::current_exe().ok().and_then(|p| Some(p.parent()?.join(LIBRARY)));
    let mut all = Vec::new();
    all.extend(named("RNA_ONNXRUNTIME").map(|p| (p, true)));
    all.extend(beside.map(|p| (p, false)));
    all.extend(named("ORT_DYLIB_PATH").map(|p| (p, true)));
    all.extend(system_folders().into_iter().map(|f| (f.join(LIBRARY), false)));
    all
}

/// Folders a system looks for libraries in.
fn system_folders() -> Vec<PathBuf> {
    let variable = if cfg!(target_os = "windows") {
        "PATH"
    } else if cfg!(target_os = "macos") {
        "DYLD_LIBRARY_PATH"
    } else {
        "LD_LIBRARY_PATH"
    };
    let listed = std::env::var_os(variable).unwrap_or_default();
    let mut all: Vec<PathBuf> = std::env::split_paths(&listed).filter(|p| p.is_absolute()).collect();
    let usual: &[&str] = if cfg!(target_os = "windows") {
        &[]
    } else if cfg!(target_os = "macos") {
        &["/usr/local/lib", "/opt/homebrew/lib"]
    } else {
        &[
            "/usr/local/lib",
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/usr/lib64",
            "/usr/lib",
        ]
    };
    all.extend(usual.iter().map(PathBuf::from));
    all
}

/// The version in the library's account of its build (`git-branch=rel-1.22.0, git-commit-id=…`), or the commit where it
/// tells no version.
fn version(build: &str) -> String {
    let after = |mark: &str| {
        let rest = build.split_once(mark)?.1;
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len());
        Some(&rest[..end]).filter(|word| !word.is_empty())
    };
    match (after("git-branch=rel-"), after("git-commit-id=")) {
        (Some(version), _) => version.to_string(),
        (None, Some(commit)) => format!("build {commit}"),
        (None, None) => "of unknown version".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_in_the_account_of_a_build() {
        assert_eq!(version("ORT Build Info: git-branch=rel-1.31.1, git-commit-id=26250ae"), "1.31.1");
        assert_eq!(version("ORT Build Info: git-branch=HEAD, git-commit-id=6af1a93, b"), "build 6af1a93");
        assert_eq!(version(""), "of unknown version");
    }

    #[test]
    fn what_is_no_library_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reason = Runtime::load(file.path()).unwrap_err();
        assert!(reason.contains("cannot be loaded") && reason.contains("tmp"), "{reason}");
    }
}
