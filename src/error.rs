//! One error type for the whole library: what failed, on which file or frame, and what to do about it.
//!
//! Every message is one line an artist can act on. It is printed once, by whoever faces the user (the command line,
//! the plugin's status line); nothing below prints.

use std::path::{Path, PathBuf};

/// Shorthand for results of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, in the user's words.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read, written or created.
    #[error("cannot {action} {path}: {source}{}", advice(source))]
    Io {
        /// What was tried: "read", "write", "create", …
        action: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// The system's own word.
        source: std::io::Error,
    },
    /// A picture is damaged, of an unknown kind, or claims something absurd.
    #[error("cannot use the picture {path}: {reason}")]
    Picture {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The clip as a whole cannot be used.
    #[error("cannot use the clip {path}: {reason}")]
    Clip {
        /// Folder, pattern or video the user gave.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// One frame of the clip cannot be used.
    #[error("frame {frame} of {path}: {reason}")]
    Frame {
        /// Index from 0.
        frame: usize,
        /// Clip or file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The region of interest is not usable.
    #[error("region: {0}")]
    Roi(String),
    /// What the user says of some frames cannot be.
    #[error("corrections: {0}")]
    Correction(String),
    /// A setting has no such value, or the combination makes no sense.
    #[error("setting {name}: {reason}")]
    Setting {
        /// The parameter's id, as typed by the user.
        name: String,
        /// What is allowed.
        reason: String,
    },
    /// A file that says what to analyse is damaged or something else.
    #[error("cannot use {path} as a job: {reason}")]
    Job {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A `.rna` file is damaged, foreign, or from another version.
    #[error("cannot use {path} as an analysis: {reason}")]
    Store {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// An analysis and a clip, or an analysis and an edited picture, do not belong together.
    #[error("{0}")]
    Mismatch(String),
    /// A network's file is missing, damaged or another one, or it fails.
    #[error("cannot use the model {path}: {reason}")]
    Model {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A plugin cannot be loaded or did not do what it must.
    #[error("cannot use the plugin {path}: {reason}")]
    Plugin {
        /// The bundle or library concerned.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A program this one relies on is missing or failed.
    #[error("{program}: {reason}")]
    Program {
        /// Its name, such as `ffmpeg`.
        program: &'static str,
        /// What happened and how to install or mend it.
        reason: String,
    },
    /// The user cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// What to do about a system error that a user can mend.
fn advice(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => "; make room there, or write elsewhere, and run it again",
        _ => "",
    }
}

impl Error {
    /// Wraps a system error with what was tried on which path; made for `map_err(Error::io("read", path))`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// A damaged or unusable picture.
    pub fn picture(path: impl AsRef<Path>, reason: impl Into<String>) -> Error {
        Error::Picture { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }

    /// A clip that cannot be used.
    pub fn clip(path: impl AsRef<Path>, reason: impl Into<String>) -> Error {
        Error::Clip { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }

    /// A single frame that cannot be used.
    pub fn frame(path: impl AsRef<Path>, frame: usize, reason: impl Into<String>) -> Error {
        Error::Frame { path: path.as_ref().to_path_buf(), frame, reason: reason.into() }
    }

    /// A damaged or foreign analysis file.
    pub fn store(path: impl AsRef<Path>, reason: impl Into<String>) -> Error {
        Error::Store { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }

    /// A setting with a value that is not allowed.
    pub fn setting(name: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Setting { name: name.into(), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_what_to_do() {
        let full = Error::io("write", "shot.rna")(std::io::ErrorKind::StorageFull.into()).to_string();
        assert!(full.starts_with("cannot write shot.rna: ") && full.contains("make room"), "{full}");
        let other = Error::io("read", "shot.rna")(std::io::ErrorKind::NotFound.into()).to_string();
        assert!(!other.contains("make room"), "{other}");
    }
}
