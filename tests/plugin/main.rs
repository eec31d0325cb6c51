//! The plugin through a host, on the packed bundle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail and speak"
)]
#![cfg(feature = "host")]

mod inputs;
mod job;
mod overlay;
mod pictures;
mod profiles;
mod support;
mod troubles;
