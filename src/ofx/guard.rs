//! The one body of everything a host calls: nothing but a status gets out.

use super::fault::{Result, log};
use crate::openfx::{OfxStatus, Status};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs an action. Panics become a failure, faults a status; both are written to the log.
pub(super) fn guard(what: &str, body: impl FnOnce() -> Result<Status>) -> OfxStatus {
    // A panic leaves no broken state behind that anybody sees: shared state is behind locks that do not poison, and
    // replaced as a whole.
    let status = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status,
        Ok(Err(fault)) => {
            log(what, &fault);
            fault.status()
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
            log(what, &format_args!("panicked: {text}"));
            // Dropping what was thrown may throw again.
            std::mem::forget(panic);
            Status::FAILED
        }
    };
    status.0
}

/// Keeps a panic's text off the host's terminal; the log has it. The hook is this library's own, not the host's.
pub(super) fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| log("panic", &info)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ofx::fault::Fault;

    #[test]
    fn only_statuses_get_out() {
        assert_eq!(guard("test", || Ok(Status::REPLY_DEFAULT)), Status::REPLY_DEFAULT.0);
        assert_eq!(guard("test", || Err(Fault::Missing("x"))), Status::ERR_MISSING_HOST_FEATURE.0);
        assert_eq!(guard("test", || panic!("thrown by a test")), Status::FAILED.0);
    }
}
