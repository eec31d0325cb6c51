//! The `ffmpeg` and `ffprobe` programs: starting them, and turning what they say into errors.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// Most bytes kept of what a program says on its error channel.
const MOST_SAID: u64 = 64 << 10;

/// A running program, killed when dropped so that none is left behind.
pub(super) struct Process {
    program: &'static str,
    child: Child,
    said: Option<JoinHandle<String>>,
}

/// Which pipes of a program are ours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pipe {
    /// We read what it writes.
    FromIt,
    /// We write what it reads.
    ToIt,
}

impl Process {
    /// Starts a program with nothing connected to the terminal.
    pub(super) fn start(program: &'static str, arguments: &[OsString], pipe: Pipe) -> Result<Process> {
        let piped = |wanted| if pipe == wanted { Stdio::piped() } else { Stdio::null() };
        let mut child = Command::new(find(program))
            .args(arguments)
            .stdin(piped(Pipe::ToIt))
            .stdout(piped(Pipe::FromIt))
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| cannot_start(program, &e))?;
        // Read all the while: a full pipe would stop the program.
        let said = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut said = Vec::new();
                // What it says is only ever decoration of an error, so a broken pipe here is nothing to report.
                let _ = stderr.by_ref().take(MOST_SAID).read_to_end(&mut said);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
                String::from_utf8_lossy(&said).into_owned()
            })
        });
        Ok(Process { program, child, said })
    }

    /// The pipe it writes to; `None` once taken.
    pub(super) fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The pipe it reads from; `None` once taken.
    pub(super) fn take_input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for the end; fails with its own words, told as a failure to do `what`, unless it succeeded.
    pub(super) fn finish(mut self, what: &str) -> Result<()> {
        let status = self.child.wait().map_err(|e| cannot_start(self.program, &e))?;
        let said = self.said.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        let said =
            said.lines().map(str::trim).filter(|l| !l.is_empty()).take(4).collect::<Vec<_>>().join("; ");
        let reason = if said.is_empty() {
            format!("{what}: it ended with {status}")
        } else {
            format!("{what}: {said}")
        };
        Err(Error::Program { program: self.program, reason })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, and there is no one to tell if it cannot be stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file as an argument that cannot be taken for an option or a network address.
pub(super) fn file_argument(path: &Path) -> OsString {
    let mut argument = OsString::from("file:");
    argument.push(path);
    argument
}

/// Where a program is: found by the system, or in the folders of macOS package managers, which programs started from
/// the Finder do not search.
fn find(program: &str) -> OsString {
    let known = ["/opt/homebrew/bin", "/usr/local/bin", "/opt/local/bin"];
    let folders = if cfg!(target_os = "macos") { &known[..] } else { &[] };
    let found = folders.iter().map(|f| Path::new(f).join(program)).find(|p| p.is_file());
    found.map_or_else(|| OsString::from(program), OsString::from)
}

fn cannot_start(program: &'static str, error: &std::io::Error) -> Error {
    let reason = if error.kind() == std::io::ErrorKind::NotFound {
        "the program is not installed, and videos need it. Install it (Debian, Ubuntu: sudo apt install ffmpeg; \
         macOS: brew install ffmpeg; Windows: winget install Gyan.FFmpeg), or use numbered pictures instead of a video"
            .to_owned()
    } else {
        format!("it cannot be run: {error}")
    };
    Error::Program { program, reason }
}
