//! The message suites. Their functions take as many arguments as the text has places, which Rust cannot define:
//! `variadic.c` puts the text together and calls back here.

use super::super::context::{complain, shared};
use super::super::effect::Effect;
use super::super::handles::find;
use super::super::report::{Kind, Message};
use super::super::tables::text_of;
use super::{answer, raw};
use crate::openfx::*;
use std::ffi::{c_char, c_int, c_void};

// SAFETY: defined in `variadic.c` with these types.
unsafe extern "C" {
    fn rna_host_message(
        handle: *mut c_void,
        kind: *const c_char,
        id: *const c_char,
        format: *const c_char,
        ...
    ) -> OfxStatus;
    fn rna_host_persistent_message(
        handle: *mut c_void,
        kind: *const c_char,
        id: *const c_char,
        format: *const c_char,
        ...
    ) -> OfxStatus;
}

pub(super) static SUITE_1: OfxMessageSuiteV1 = OfxMessageSuiteV1 { message: Some(rna_host_message) };
pub(super) static SUITE_2: OfxMessageSuiteV2 = OfxMessageSuiteV2 {
    message: Some(rna_host_message),
    setPersistentMessage: Some(rna_host_persistent_message),
    clearPersistentMessage: Some(clear),
};

fn check(handle: *mut c_void) -> Result<(), Status> {
    // A message may concern no effect at all, while the plugin is loaded.
    if handle.is_null() { Ok(()) } else { find::<Effect, _>(handle, "effect").map(|_| ()) }
}

/// What `variadic.c` calls with the whole text.
///
/// Keeps it on record, and as a user would, says yes to questions.
// SAFETY: nothing else in the program has this name.
#[unsafe(no_mangle)]
extern "C" fn rna_host_told(
    handle: *mut c_void,
    kind: *const c_char,
    id: *const c_char,
    text: *const c_char,
    persistent: c_int,
) -> OfxStatus {
    answer("message", || {
        check(handle)?;
        let persistent = persistent != 0;
        let message = Message {
            kind: raw::text(kind)?,
            id: raw::text_or_none(id)?,
            text: raw::text(text)?,
            persistent,
        };
        let kinds: [&'static [u8]; 6] = [
            kOfxMessageFatal,
            kOfxMessageError,
            kOfxMessageWarning,
            kOfxMessageMessage,
            kOfxMessageLog,
            kOfxMessageQuestion,
        ];
        if !kinds.iter().any(|k| text_of(k) == message.kind) {
            complain(Kind::BadName, format!("there are no messages of kind {}", message.kind));
            return Err(Status::ERR_VALUE);
        }
        let is_question = message.kind == text_of(kOfxMessageQuestion);
        let shared = shared()?;
        let mut report = shared.report.lock();
        if persistent {
            report.standing = Some(message.clone());
        }
        report.messages.push(message);
        if is_question { Err(Status::REPLY_YES) } else { Ok(()) }
    })
}

extern "C" fn clear(handle: *mut c_void) -> OfxStatus {
    answer("clearPersistentMessage", || {
        check(handle)?;
        let shared = shared()?;
        let mut report = shared.report.lock();
        if report.standing.take().is_some() {
            let (kind, id, text) = (String::new(), String::new(), String::new());
            report.messages.push(Message { kind, id, text, persistent: true });
        }
        Ok(())
    })
}
