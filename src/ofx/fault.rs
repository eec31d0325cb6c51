//! What can go wrong inside the plugin, and where the user and the log hear of it.

use crate::error::Error;
use crate::openfx::Status;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Shorthand for results inside the plugin.
pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

/// Why an action could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// A call to the host failed.
    #[error("the host answered {} to {call}", .status.name())]
    Host {
        /// Function and what it was asked for.
        call: String,
        /// Its answer.
        status: Status,
    },
    /// The host lacks something there is no doing without.
    #[error("the host has no {0}")]
    Missing(&'static str),
    /// A part of the program failed, for a reason the user can act on.
    #[error(transparent)]
    Ours(#[from] Error),
    /// The plugin's own reason, for the user.
    #[error("{0}")]
    Plain(String),
    /// The host asked to stop.
    #[error("stopped by the host")]
    Aborted,
}

impl Fault {
    pub(super) fn host(call: impl Into<String>) -> impl FnOnce(Status) -> Fault {
        let call = call.into();
        move |status| Fault::Host { call, status }
    }

    /// What the host is told.
    pub(super) fn status(&self) -> Status {
        match self {
            Fault::Host { status, .. } if *status == Status::ERR_MEMORY => Status::ERR_MEMORY,
            Fault::Missing(_) => Status::ERR_MISSING_HOST_FEATURE,
            // An abandoned render is no failure; what it leaves behind is thrown away by whoever asked to stop.
            Fault::Aborted => Status::OK,
            Fault::Host { .. } | Fault::Ours(_) | Fault::Plain(_) => Status::FAILED,
        }
    }
}

/// This user's folder for what the plugin keeps: analyses and the log. Nothing is created by asking.
pub(super) fn home() -> &'static Path {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| {
        // The variable moves it for farms, whose users have no home, and for tests.
        match std::env::var_os("RNA_OFX_HOME") {
            Some(given) if !given.is_empty() => PathBuf::from(given),
            _ => dirs::data_local_dir().unwrap_or_else(std::env::temp_dir).join("rna-ofx"),
        }
    })
}

/// Where faults are written down.
pub(super) fn log_file() -> PathBuf {
    home().join("log.txt")
}

/// Largest size the log grows to before it starts anew.
const LOG_SIZE: u64 = 1 << 20;

/// Adds a line to the log. A log that cannot be written is nothing to trouble the host with.
pub(super) fn log(what: &str, text: &dyn std::fmt::Display) {
    let path = log_file();
    let full = std::fs::metadata(&path).is_ok_and(|m| m.len() > LOG_SIZE);
    let open = || {
        std::fs::create_dir_all(home())?;
        std::fs::OpenOptions::new().create(true).append(!full).write(true).truncate(full).open(&path)
    };
    if let Ok(mut file) = open() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let _ = writeln!(file, "{} {what}: {text}", now.map_or(0, |d| d.as_secs()));
    }
}
