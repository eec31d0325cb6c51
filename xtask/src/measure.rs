//! Runs the product and measures it: wall time, peak memory, and what it said as JSON lines.

use crate::system::{fresh_folder, shown};
use crate::{Failure, Result};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The product's executable.
pub(crate) struct Product {
    program: PathBuf,
}

/// What one run took and said.
pub(crate) struct Run {
    /// Wall seconds from start to exit.
    pub(crate) seconds: f64,
    /// Largest resident size in bytes, where the system tells.
    pub(crate) peak: Option<u64>,
    /// The final object of its JSON lines.
    pub(crate) result: Value,
}

impl Product {
    /// Takes the executable that was built.
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// Runs it with `--json` and waits. Its error stream passes through, so that warnings are seen.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Run> {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        println!("$ {}", shown(&command));
        command.arg("--json").stdin(Stdio::null()).stdout(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().map_err(Failure::at(format!("start {}", self.program.display())))?;
        let out = child.stdout.take();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            out.map(|mut pipe| pipe.read_to_string(&mut text)).transpose().map(|_| text)
        });
        let (status, peak) =
            watch(&mut child).map_err(Failure::at(format!("wait for `{}`", shown(&command))))?;
        let seconds = began.elapsed().as_secs_f64();
        let text = reader.join().map_err(|_| Failure("the reader of a pipe panicked".into()))?;
        let text = text.map_err(Failure::at(format!("read the output of `{}`", shown(&command))))?;
        if !status.success() {
            return Err(Failure(format!("`{}` failed ({status})", shown(&command))));
        }
        let result =
            text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
        Ok(Run { seconds, peak, result })
    }
}

/// Waits for a child and notes its peak memory on the way. The system keeps the high-water mark itself, so looking
/// now and then misses only what is taken and given back in the last moment before the end.
fn watch(child: &mut Child) -> std::io::Result<(std::process::ExitStatus, Option<u64>)> {
    let mut peak = None;
    loop {
        peak = high_water_mark(child.id()).max(peak);
        if let Some(status) = child.try_wait()? {
            return Ok((status, peak));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Peak resident bytes of a running process; `None` where `/proc` is not.
fn high_water_mark(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// A working folder whose entries are handed out as arguments.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Made empty.
    pub(crate) fn fresh(path: PathBuf) -> Result<Self> {
        fresh_folder(&path)?;
        Ok(Self(path))
    }

    /// An entry of it, as an argument.
    pub(crate) fn entry(&self, name: &str) -> String {
        text(&self.0.join(name))
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
