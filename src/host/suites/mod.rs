//! The suites: C functions a plugin calls, one file a suite. They look handles up, and hand on to the objects.

mod draw;
mod effect;
mod interact;
mod memory;
mod message;
mod param;
mod progress;
mod property;
mod raw;
mod thread;
mod timeline;

use super::context::{complain, shared};
use super::report::Kind;
use super::tables::text_of;
use crate::openfx::*;
use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Answers the plugin's wish for a suite; null for one that is not there, or not in that version.
pub(super) extern "C" fn fetch_suite(
    _host: OfxPropertySetHandle,
    suite: *const c_char,
    version: c_int,
) -> *const c_void {
    let mut found = std::ptr::null();
    let _ = answer("fetchSuite", || {
        let (name, shared) = (raw::text(suite)?, shared()?);
        let is_missing = shared.faults.missing_suites.contains(&name)
            || (name == text_of(kOfxDrawSuite) && !shared.profile.draws);
        if !is_missing {
            found = find(&name, version);
        }
        shared.report.lock().suites.push((name, version, !found.is_null()));
        Ok(())
    });
    found
}

fn find(suite: &str, version: c_int) -> *const c_void {
    fn at<T>(suite: &'static T) -> *const c_void {
        std::ptr::from_ref(suite).cast()
    }
    type Entry = (&'static [u8], c_int, fn() -> *const c_void);
    let suites: [Entry; 12] = [
        (kOfxPropertySuite, 1, || at(&property::SUITE)),
        (kOfxParameterSuite, 1, || at(&param::SUITE)),
        (kOfxImageEffectSuite, 1, || at(&effect::SUITE)),
        (kOfxMemorySuite, 1, || at(&memory::SUITE)),
        (kOfxMultiThreadSuite, 1, || at(&thread::SUITE)),
        (kOfxMessageSuite, 1, || at(&message::SUITE_1)),
        (kOfxMessageSuite, 2, || at(&message::SUITE_2)),
        (kOfxProgressSuite, 1, || at(&progress::SUITE_1)),
        (kOfxProgressSuite, 2, || at(&progress::SUITE_2)),
        (kOfxTimeLineSuite, 1, || at(&timeline::SUITE)),
        (kOfxInteractSuite, 1, || at(&interact::SUITE)),
        (kOfxDrawSuite, 1, || at(&draw::SUITE)),
    ];
    let found = suites.iter().find(|(name, v, _)| text_of(name) == suite && *v == version);
    found.map_or(std::ptr::null(), |(_, _, suite)| suite())
}

/// Does a suite function's work. A panic of ours must not unwind into the plugin: it is put on record as our fault.
fn answer(function: &str, work: impl FnOnce() -> Result<(), Status>) -> OfxStatus {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => Status::OK.0,
        Ok(Err(status)) => status.0,
        Err(_) => {
            complain(Kind::HostPanic, format!("this host failed in {function}; please report it"));
            Status::ERR_FATAL.0
        }
    }
}
