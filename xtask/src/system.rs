//! The machine at hand: where things lie, which programs it has, how it would install others.

use crate::{Failure, Result};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root, whatever folder the command was run from.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where this run's build products lie: this very program is one of them, so cargo's many ways to move the folder
/// need not be repeated here.
pub(crate) fn target() -> Result<PathBuf> {
    let program = env::current_exe().map_err(Failure::at("find this program"))?;
    let folder = program.parent().and_then(Path::parent);
    folder
        .map(Path::to_path_buf)
        .ok_or_else(|| Failure("this program does not lie in a target folder".into()))
}

/// The cargo that runs this, called in the repository's root and building into the same folder.
pub(crate) fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()).env("CARGO_TARGET_DIR", target()?);
    Ok(command)
}

/// Builds the product and says where it is.
pub(crate) fn build() -> Result<PathBuf> {
    run(&mut cargo(&["build", "--release", "--bin", "rna"])?)?;
    Ok(target()?.join("release").join(format!("rna{}", env::consts::EXE_SUFFIX)))
}

/// Shows a command, runs it with its output passed through, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().map_err(Failure::at(format!("run {}", shown(command))))?;
    if status.success() { Ok(()) } else { Err(Failure(format!("`{}` failed ({status})", shown(command)))) }
}

/// A command as it would be typed in the repository's root.
pub(crate) fn shown(command: &Command) -> String {
    let root = format!("{}/", root().display());
    let word = |w: &std::ffi::OsStr| {
        let text = w.to_string_lossy().replace(&root, "");
        if text.contains(char::is_whitespace) { format!("'{text}'") } else { text }
    };
    let program = Path::new(command.get_program()).file_stem().map(word).unwrap_or_default();
    std::iter::once(program).chain(command.get_args().map(word)).collect::<Vec<_>>().join(" ")
}

/// Whether a program can be called by name.
pub(crate) fn has(program: &str) -> bool {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::var_os("PATH")
        .is_some_and(|paths| env::split_paths(&paths).any(|folder| folder.join(&name).is_file()))
}

/// Whether a command runs and ends well, its output unseen.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|o| o.status.success())
}

/// The command that installs a package on this system.
pub(crate) fn install_command(package: &str) -> String {
    let managers = [
        ("apt-get", "sudo apt-get install -y"),
        ("dnf", "sudo dnf install -y"),
        ("pacman", "sudo pacman -S --noconfirm"),
        ("zypper", "sudo zypper install -y"),
        ("apk", "sudo apk add"),
        ("brew", "brew install"),
        ("winget", "winget install"),
    ];
    match managers.iter().find(|(program, _)| has(program)) {
        Some((_, install)) => format!("{install} {package}"),
        None => format!("install {package} with the package manager of this system"),
    }
}

/// Processor, its cores, and how busy they were before we came: what a time is worth nothing without.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let load = if load.is_empty() { "unknown".to_string() } else { load };
    format!(
        "{}, {cores} cores, {}, load average {load}",
        model.unwrap_or("unknown processor"),
        env::consts::OS
    )
}

/// An empty folder, whatever an earlier run left there.
pub(crate) fn fresh_folder(path: &Path) -> Result<()> {
    if path.exists() {
        std::fs::remove_dir_all(path).map_err(Failure::at(format!("clear {}", path.display())))?;
    }
    std::fs::create_dir_all(path).map_err(Failure::at(format!("create {}", path.display())))
}
