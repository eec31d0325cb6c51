//! The timeline suite.

use super::super::context::{complain, shared};
use super::super::effect::Effect;
use super::super::handles::find;
use super::super::report::Kind;
use super::{answer, raw};
use crate::openfx::*;
use std::ffi::c_void;

pub(super) static SUITE: OfxTimeLineSuiteV1 =
    OfxTimeLineSuiteV1 { getTime: Some(time), gotoTime: Some(go_to), getTimeBounds: Some(bounds) };

fn check(instance: *mut c_void) -> Result<(), Status> {
    find::<Effect, _>(instance, "effect").map(|_| ())
}

extern "C" fn time(instance: *mut c_void, out: *mut f64) -> OfxStatus {
    answer("getTime", || {
        check(instance)?;
        raw::put(out, shared()?.timeline.lock().now)
    })
}

extern "C" fn go_to(instance: *mut c_void, to: f64) -> OfxStatus {
    answer("gotoTime", || {
        check(instance)?;
        if super::super::context::current().is_some_and(|s| s.job.is_some()) {
            complain(Kind::ForbiddenWrite, "the playhead was moved while rendering");
            return Err(Status::FAILED);
        }
        shared()?.timeline.lock().now = to;
        Ok(())
    })
}

extern "C" fn bounds(instance: *mut c_void, first: *mut f64, last: *mut f64) -> OfxStatus {
    answer("getTimeBounds", || {
        check(instance)?;
        let timeline = *shared()?.timeline.lock();
        raw::put(first, timeline.first)?;
        raw::put(last, timeline.last)
    })
}
