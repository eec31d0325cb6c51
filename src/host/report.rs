//! What a session has to tell: everything a strict host complains about, and what the plugin said and asked for.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a plugin did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A handle that is null, foreign, stale or of something else.
    BadHandle,
    /// A null pointer, or text that is not UTF-8.
    BadPointer,
    /// A property the object does not have.
    UnknownProperty,
    /// A property read or written as another type.
    WrongType,
    /// An index beyond a property's dimension, or a parameter's keys.
    BadIndex,
    /// A property that is not the plugin's to write.
    ReadOnly,
    /// A parameter or clip of that name does not exist, or exists already, or cannot do what was asked.
    BadName,
    /// An image still held when the action ended.
    UnreleasedImage,
    /// An image released more than once.
    ReleasedTwice,
    /// Bytes changed outside the image, the window or the allocation.
    GuardOverwritten,
    /// Pixels of an input image changed.
    SourceWritten,
    /// An image fetched where hosts give none.
    ForbiddenFetch,
    /// An image fetched of a time that was not asked for beforehand.
    UndeclaredFetch,
    /// A parameter written where hosts do not allow it.
    ForbiddenWrite,
    /// Memory not freed, or freed twice.
    Memory,
    /// A mutex left locked, locked twice by one thread, or unlocked by none.
    Mutex,
    /// Threads started from threads.
    Threads,
    /// Progress that was ended and not started, or never ended.
    Progress,
    /// An action that failed, or answered what it must not.
    BadStatus,
    /// A description that no host can use.
    BadDescription,
    /// A suite called outside any action of the host.
    OutsideAction,
    /// A fault of this host.
    HostPanic,
}

/// One complaint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// What kind of misdeed.
    pub kind: Kind,
    /// The action it happened in; empty outside any.
    pub action: String,
    /// What exactly.
    pub text: String,
    /// How often.
    pub count: usize,
}

/// Something the plugin said to the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The standard's type, such as `OfxMessageError`; empty for a persistent message that was cleared.
    pub kind: String,
    /// The plugin's own name for it.
    pub id: String,
    /// The words.
    pub text: String,
    /// Whether it stays until cleared.
    pub persistent: bool,
}

/// One image the plugin asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fetch {
    /// The action it was asked in.
    pub action: String,
    /// Of which clip.
    pub clip: String,
    /// At which time.
    pub time: f64,
    /// Whether it got one.
    pub given: bool,
}

/// One action and what the plugin answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The standard's name of the action.
    pub action: String,
    /// The standard's name of the answer.
    pub status: String,
}

/// Everything on record of one session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Complaints, first come first; equal ones are counted.
    pub issues: Vec<Issue>,
    /// What was said, in order.
    pub messages: Vec<Message>,
    /// The persistent message that stands now.
    pub standing: Option<Message>,
    /// Images asked for, in order.
    pub fetches: Vec<Fetch>,
    /// Progress told, in order; a start is 0.
    pub progress: Vec<f64>,
    /// Suites asked for: name, version, and whether they were given.
    pub suites: Vec<(String, i32, bool)>,
    /// Actions, in order.
    pub calls: Vec<Call>,
}

impl Report {
    /// Complaints of one kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.issues.iter().filter(|i| i.kind == kind).map(|i| i.count).sum()
    }

    /// Whether there is nothing to complain about.
    pub fn is_clean(&self) -> bool {
        self.issues.is_empty()
    }

    /// How often an action was called.
    pub fn called(&self, action: &str) -> usize {
        self.calls.iter().filter(|c| c.action == action).count()
    }

    pub(super) fn add(&mut self, kind: Kind, action: &str, text: String) {
        let known = self.issues.iter_mut().find(|i| i.kind == kind && i.action == action && i.text == text);
        match known {
            Some(issue) => issue.count += 1,
            None => self.issues.push(Issue { kind, action: action.to_string(), text, count: 1 }),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for issue in &self.issues {
            let place = if issue.action.is_empty() { "outside any action" } else { &issue.action };
            write!(f, "{:?} in {place}: {}", issue.kind, issue.text)?;
            if issue.count > 1 {
                write!(f, " ({} times)", issue.count)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
