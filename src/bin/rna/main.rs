//! The command line: arguments in, the library does the work, one place prints.
//!
//! Exit codes: 0 done, 1 failed (one line on the error stream), 2 wrong usage, 130 cancelled.

mod args;
mod commands;
mod console;

use std::process::ExitCode;

/// The system's allocator gives freed pictures back slowly and contends between threads; measured, this one does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = args::command().get_matches();
    let console = console::Console::new(matches.get_flag("json"));
    match commands::run(&matches, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => console.failure(&error),
    }
}
