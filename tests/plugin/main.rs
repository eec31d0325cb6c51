//! The plugin through a host, on the packed bundle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail and speak"
)]
#![cfg(feature = "host")]

mod job;
mod pictures;
mod support;
