//! The progress suites.

use super::super::context::{complain, shared};
use super::super::effect::Effect;
use super::super::handles::find;
use super::super::report::Kind;
use super::{answer, raw};
use crate::openfx::*;
use std::ffi::{c_char, c_void};
use std::sync::atomic::Ordering;

pub(super) static SUITE_1: OfxProgressSuiteV1 =
    OfxProgressSuiteV1 { progressStart: Some(start), progressUpdate: Some(update), progressEnd: Some(end) };
pub(super) static SUITE_2: OfxProgressSuiteV2 = OfxProgressSuiteV2 {
    progressStart: Some(start_with_message),
    progressUpdate: Some(update),
    progressEnd: Some(end),
};

fn begin(instance: *mut c_void, label: *const c_char) -> Result<(), Status> {
    let effect = find::<Effect, _>(instance, "effect")?;
    raw::text_or_none(label)?;
    if effect.in_progress.swap(true, Ordering::Relaxed) {
        complain(Kind::Progress, "progress was started while it was running");
    }
    effect.shared.report.lock().progress.push(0.0);
    Ok(())
}

extern "C" fn start(instance: *mut c_void, label: *const c_char) -> OfxStatus {
    answer("progressStart", || begin(instance, label))
}

extern "C" fn start_with_message(
    instance: *mut c_void,
    message: *const c_char,
    id: *const c_char,
) -> OfxStatus {
    answer("progressStart", || {
        raw::text_or_none(id)?;
        begin(instance, message)
    })
}

extern "C" fn update(instance: *mut c_void, progress: f64) -> OfxStatus {
    answer("progressUpdate", || {
        let effect = find::<Effect, _>(instance, "effect")?;
        if !effect.in_progress.load(Ordering::Relaxed) {
            complain(Kind::Progress, "progress was told and not started");
        }
        if !(0.0..=1.0).contains(&progress) {
            complain(Kind::Progress, format!("progress is {progress}, not 0 to 1"));
        }
        let shared = shared()?;
        shared.report.lock().progress.push(progress);
        let cancelled = shared.faults.cancel_at.is_some_and(|at| progress >= at);
        if cancelled { Err(Status::REPLY_NO) } else { Ok(()) }
    })
}

extern "C" fn end(instance: *mut c_void) -> OfxStatus {
    answer("progressEnd", || {
        let effect = find::<Effect, _>(instance, "effect")?;
        if !effect.in_progress.swap(false, Ordering::Relaxed) {
            complain(Kind::Progress, "progress was ended and not started");
        }
        Ok(())
    })
}
