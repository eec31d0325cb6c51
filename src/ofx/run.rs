//! The worker: the `rna` program beside the plugin, run on captured frames.
//!
//! It is another process, so that whatever happens in it (a driver's fault, no memory, a kill) never takes the host
//! down. It speaks JSON lines; what it says is read by a thread of its own, and nonsense is skipped.

use super::fault::{Fault, Result};
use crate::error::Error;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// Longest line taken from the worker, in bytes.
const LONGEST_LINE: u64 = 1 << 20;
/// Stages of an analysis and the share of its time each takes, for one bar over all.
const STAGES: [(&str, f64); 6] =
    [("frames", 0.03), ("track", 0.30), ("refine", 0.40), ("shadows", 0.03), ("matte", 0.14), ("bake", 0.10)];

/// What is known of a worker.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The stage under way.
    pub(super) stage: String,
    /// Share of the whole that was done before it.
    before: f64,
    done: usize,
    total: usize,
    /// Its last word on why it failed.
    error: Option<String>,
    /// Whether it ended, and well.
    pub(super) ended: Option<bool>,
}

impl State {
    /// Share of the whole analysis that is done, 0…1.
    pub(super) fn fraction(&self) -> f64 {
        let share = STAGES.iter().find(|(name, _)| *name == self.stage).map_or(0.0, |s| s.1);
        self.before + share * (self.done as f64 / self.total.max(1) as f64).min(1.0)
    }

    /// Takes in one line; what is no message of the worker's is skipped.
    fn hear(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { return };
        let number = |key: &str| message[key].as_u64().and_then(|v| usize::try_from(v).ok()).unwrap_or(0);
        match message["event"].as_str() {
            Some("stage") => {
                let reached = self.fraction();
                self.stage = message["name"].as_str().unwrap_or_default().chars().take(40).collect();
                let at = STAGES.iter().position(|(name, _)| *name == self.stage);
                // A stage that only some presets have does not set the bar back.
                self.before = at.map_or(reached, |at| STAGES[..at].iter().map(|s| s.1).sum());
                (self.done, self.total) = (0, number("total"));
            }
            Some("step") => self.done = number("done"),
            Some("error") => self.error = message["message"].as_str().map(str::to_string),
            _ => {}
        }
    }
}

/// A worker at work, shared by all who ask after it.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) output: PathBuf,
    log: PathBuf,
    child: Arc<Mutex<Child>>,
    state: Arc<Mutex<State>>,
}

/// Workers of this process by the analysis they make: hosts recreate instances while one runs.
static WORKERS: Mutex<Option<HashMap<PathBuf, Running>>> = Mutex::new(None);

impl Running {
    /// The worker that makes this analysis, if one does.
    pub(super) fn on(output: &Path) -> Option<Running> {
        WORKERS.lock().as_ref()?.get(output).cloned()
    }

    /// Starts a worker on a job file; it writes the analysis `output`, and what it complains about to `log`.
    pub(super) fn start(program: &Path, job: &Path, output: &Path, log: &Path) -> Result<Running> {
        let complaints = std::fs::File::create(log).map_err(Error::io("write", log))?;
        let mut command = Command::new(program);
        command.arg("analyze").arg("--job").arg(job).arg("--json");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints);
        #[cfg(windows)]
        {
            use std::os::windows::process::CommandExt;
            const CREATE_NO_WINDOW: u32 = 0x0800_0000;
            command.creation_flags(CREATE_NO_WINDOW);
        }
        let mut child = command.spawn().map_err(|e| {
            Fault::Plain(format!(
                "cannot start the worker {}: {e}; install the whole bundle again",
                program.display()
            ))
        })?;
        let speech = child.stdout.take();
        let running = Running {
            output: output.to_path_buf(),
            log: log.to_path_buf(),
            child: Arc::new(Mutex::new(child)),
            state: Arc::default(),
        };
        WORKERS.lock().get_or_insert_default().insert(output.to_path_buf(), running.clone());
        let listener = running.clone();
        let listening =
            std::thread::Builder::new().name("rna worker".into()).spawn(move || listener.listen(speech));
        if let Err(error) = listening {
            running.kill();
            WORKERS.lock().as_mut().map(|w| w.remove(output));
            return Err(Fault::Plain(format!("cannot listen to the worker: {error}; try again")));
        }
        Ok(running)
    }

    /// Reads all it says until it ends.
    fn listen(&self, speech: Option<ChildStdout>) {
        if let Some(speech) = speech {
            let mut reader = BufReader::new(speech);
            let mut line = Vec::new();
            loop {
                line.clear();
                match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => self.state.lock().hear(&String::from_utf8_lossy(&line)),
                }
            }
        }
        // Its words are over; it may take a moment to go, or never go: then it is told to.
        let mut well = None;
        for _ in 0..100 {
            well = self.child.lock().try_wait().ok().flatten().map(|status| status.success());
            if well.is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        if well.is_none() {
            self.kill();
        }
        WORKERS.lock().as_mut().map(|w| w.remove(&self.output));
        self.state.lock().ended = Some(well.unwrap_or(false));
    }

    /// How it stands.
    pub(super) fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Stops it at once; what it had finished is on disk.
    pub(super) fn kill(&self) {
        let mut child = self.child.lock();
        // It may have ended by itself, which is as good.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Why it failed, for the user.
    pub(super) fn complaint(&self) -> Fault {
        let log = self.log.display();
        Fault::Plain(match self.state().error {
            Some(error) => format!("the analysis failed: {error} (log: {log})"),
            None => {
                format!("the analysis stopped before it was through; press Analyze to go on (log: {log})")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_move_the_bar_and_nonsense_does_not() {
        let mut state = State::default();
        state.hear(r#"{"event":"stage","name":"track","total":10}"#);
        state.hear(r#"{"event":"step","done":5}"#);
        let half = state.fraction();
        assert!((half - 0.18).abs() < 1e-9, "{half}");
        for nonsense in ["", "}{", "\u{0}\u{1}", "[1,2]", r#"{"event":7}"#, r#"{"event":"step","done":"x"}"#]
        {
            state.hear(nonsense);
        }
        assert!(state.fraction() <= half);
        // Other presets have other stages, too.
        state.hear(r#"{"event":"step","done":10}"#);
        state.hear(r#"{"event":"stage","name":"fit","total":10}"#);
        assert!((state.fraction() - 0.33).abs() < 1e-9, "{}", state.fraction());
        state.hear(r#"{"event":"stage","name":"shadows","total":1}"#);
        assert!((state.fraction() - 0.73).abs() < 1e-9, "{}", state.fraction());
        state.hear(r#"{"event":"error","message":"no memory"}"#);
        assert_eq!(state.error.as_deref(), Some("no memory"));
    }
}
