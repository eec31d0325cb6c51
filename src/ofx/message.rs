//! What the user is told: one persistent message that clears itself, and messages shown once.

use super::fault::log;
use super::props::forever;
use super::suites::Suites;
use crate::openfx::*;
use parking_lot::Mutex;
use std::ffi::c_void;
use std::sync::Arc;

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grave {
    Error,
    Warning,
    Note,
}

impl Grave {
    fn name(self) -> &'static std::ffi::CStr {
        name(match self {
            Grave::Error => kOfxMessageError,
            Grave::Warning => kOfxMessageWarning,
            Grave::Note => kOfxMessageMessage,
        })
    }
}

/// The messages of one instance.
pub(super) struct Messages {
    suites: Arc<Suites>,
    effect: OfxImageEffectHandle,
    /// The persistent message that stands now: hosts print each posting, so the same is not posted again.
    standing: Mutex<Option<String>>,
}

// SAFETY: the handle is the host's, which takes messages in any action.
unsafe impl Send for Messages {}
// SAFETY: as above.
unsafe impl Sync for Messages {}

impl Messages {
    pub(super) fn new(suites: &Arc<Suites>, effect: OfxImageEffectHandle) -> Self {
        Self { suites: Arc::clone(suites), effect, standing: Mutex::new(None) }
    }

    /// Shows a message until [`Messages::clear`]; where the host has none that stay, the log alone has it.
    pub(super) fn stand(&self, grave: Grave, text: &str) {
        let mut standing = self.standing.lock();
        if standing.as_deref() == Some(text) {
            return;
        }
        log("message", &text);
        if let Some(suite) = &self.suites.message2 {
            // SAFETY: the effect is the host's; all strings live forever, and "%s" takes the one that follows.
            let status = unsafe {
                (suite.set_persistent)(
                    self.effect.cast::<c_void>(),
                    grave.name().as_ptr(),
                    c"rna".as_ptr(),
                    c"%s".as_ptr(),
                    forever(text).as_ptr(),
                )
            };
            note(Status(status), "setPersistentMessage");
        }
        *standing = Some(text.to_string());
    }

    /// Takes the persistent message away, if there is one.
    pub(super) fn clear(&self) {
        if self.standing.lock().take().is_none() {
            return;
        }
        if let Some(suite) = &self.suites.message2 {
            // SAFETY: the effect is the host's.
            let status = unsafe { (suite.clear_persistent)(self.effect.cast::<c_void>()) };
            note(Status(status), "clearPersistentMessage");
        }
    }

    /// Shows a message once, in answer to something the user pressed.
    pub(super) fn once(&self, grave: Grave, text: &str) {
        log("message", &text);
        let message = self.suites.message2.map(|s| s.message).or(self.suites.message1.map(|s| s.message));
        let Some(message) = message else { return };
        // SAFETY: as in `stand`.
        let status = unsafe {
            message(
                self.effect.cast::<c_void>(),
                grave.name().as_ptr(),
                c"rna".as_ptr(),
                c"%s".as_ptr(),
                forever(text).as_ptr(),
            )
        };
        note(Status(status), "message");
    }
}

/// A message that could not be shown is in the log at least.
fn note(status: Status, call: &str) {
    if !matches!(status, Status::OK | Status::REPLY_DEFAULT | Status::REPLY_YES | Status::REPLY_NO) {
        log(call, &status.name());
    }
}
