//! Progress as a stream of messages, and the one way to cancel.
//!
//! Work reports to a [`Progress`]; who listens (a terminal bar, JSON lines, a host's dialog) is not its business.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One thing worth telling the user.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Message {
    /// A stage began. `total` counts its steps (usually frames); 0 where it is not known.
    Stage {
        /// Short name shown to the user: "frames", "track", …
        name: &'static str,
        /// Steps the stage will report.
        total: usize,
    },
    /// Steps of the current stage that are done.
    Step {
        /// How many so far.
        done: usize,
    },
    /// How the current stage stands, for those who want to follow it.
    Note {
        /// One line.
        text: String,
    },
    /// Something the user should know that did not stop the work.
    Warning {
        /// One line: what, where, what to do.
        text: String,
    },
}

/// A flag shared by the work and whoever may stop it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the work to stop at its next check.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where work reports to, and where it learns that it should stop.
#[derive(Clone)]
pub struct Progress {
    sink: Arc<dyn Fn(Message) + Send + Sync>,
    cancel: Cancel,
}

impl Progress {
    /// Reports to `sink`, stops when `cancel` says so.
    pub fn new(sink: impl Fn(Message) + Send + Sync + 'static, cancel: Cancel) -> Self {
        Self { sink: Arc::new(sink), cancel }
    }

    /// Listens to nothing and never stops; for tests and small jobs.
    pub fn silent() -> Self {
        Self::new(|_| (), Cancel::default())
    }

    /// Announces a stage of `total` steps.
    pub fn stage(&self, name: &'static str, total: usize) {
        (self.sink)(Message::Stage { name, total });
    }

    /// Reports that `done` steps of the current stage are finished; fails with [`Error::Cancelled`] if the user asked
    /// to stop, which is why it belongs at the end of every unit of work.
    pub fn step(&self, done: usize) -> Result<()> {
        (self.sink)(Message::Step { done });
        self.check()
    }

    /// Says how the current stage stands.
    pub fn note(&self, text: impl Into<String>) {
        (self.sink)(Message::Note { text: text.into() });
    }

    /// Tells the user something that did not stop the work.
    pub fn warn(&self, text: impl Into<String>) {
        (self.sink)(Message::Warning { text: text.into() });
    }

    /// Fails with [`Error::Cancelled`] if the user asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}
