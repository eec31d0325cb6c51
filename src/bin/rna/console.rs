//! The one place that prints: progress, results, errors; and the one that hears Ctrl-C.
//!
//! Progress and errors go to the error stream, so that the standard output holds results alone. With `--json` the
//! standard output is a stream of objects, one a line: those of [`rna::progress::Message`], then one whose `event` is
//! `result` or `error`.

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use rna::Error;
use rna::progress::{Cancel, Message, Progress};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// What a shell expects of a program stopped with Ctrl-C: 128 + SIGINT.
const CANCELLED: u8 = 130;

/// How to talk to the user.
pub(crate) struct Console {
    json: bool,
    cancel: Cancel,
    stages: Arc<Mutex<Stages>>,
}

impl Console {
    /// Prints for people, or with `json` for programs. From here on Ctrl-C cancels, and a second one exits at once.
    pub(crate) fn new(json: bool) -> Self {
        let cancel = Cancel::default();
        let flag = cancel.clone();
        let handler = ctrlc::set_handler(move || {
            if flag.is_cancelled() {
                std::process::exit(i32::from(CANCELLED));
            }
            flag.cancel();
        });
        if let Err(error) = handler {
            complain(&format!("warning: Ctrl-C will stop at once instead of tidying up ({error})"));
        }
        Self { json, cancel, stages: Arc::default() }
    }

    /// Where the library reports to.
    pub(crate) fn progress(&self) -> Progress {
        let (json, stages) = (self.json, Arc::clone(&self.stages));
        let sink = move |message: Message| {
            if json {
                print_line(&serde_json::to_string(&message).unwrap_or_default());
            } else {
                stages.lock().show(message);
            }
        };
        Progress::new(sink, self.cancel.clone())
    }

    /// Prints what came out: `text` for people, `value` for programs.
    pub(crate) fn result(&self, value: &impl Serialize, text: &str) {
        self.stages.lock().finish();
        if !self.json {
            return print_line(text.trim_end());
        }
        let mut line = match serde_json::to_value(value) {
            Ok(Value::Object(fields)) => Value::Object(fields),
            Ok(other) => json!({ "value": other }),
            Err(error) => json!({ "value": error.to_string() }),
        };
        line["event"] = "result".into();
        print_line(&line.to_string());
    }

    /// Prints what went wrong, once, and says how the program ends.
    pub(crate) fn failure(&self, error: &Error) -> ExitCode {
        self.stages.lock().finish();
        let cancelled = matches!(error, Error::Cancelled);
        if self.json {
            print_line(
                &json!({ "event": "error", "message": error.to_string(), "cancelled": cancelled })
                    .to_string(),
            );
        }
        complain(&error.to_string());
        if cancelled { ExitCode::from(CANCELLED) } else { ExitCode::FAILURE }
    }
}

/// One line on the error stream. A stream that is gone is nothing to fail over.
fn complain(text: &str) {
    // An error may quote a path or another program's words; it stays one line whatever they hold.
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr().lock(), "rna: {line}");
}

/// One line on the standard output, at once, so that a reader at the other end of a pipe follows. A reader that left
/// (`rna info x.rna | head`) is no failure.
fn print_line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Stages as a person sees them: a bar each on a terminal, a line each elsewhere.
#[derive(Default)]
struct Stages {
    current: Option<(&'static str, ProgressBar, Instant)>,
}

impl Stages {
    fn show(&mut self, message: Message) {
        match message {
            Message::Stage { name, total } => {
                self.finish();
                self.current = Some((name, bar(name, total), Instant::now()));
                if !std::io::stderr().is_terminal() {
                    let steps = if total > 0 { format!(" ({total} steps)") } else { String::new() };
                    let _ = writeln!(std::io::stderr().lock(), "{name}{steps}");
                }
            }
            Message::Step { done } => {
                if let Some((_, bar, _)) = &self.current {
                    bar.set_position(done as u64);
                }
            }
            Message::Note { text } => match &self.current {
                Some((_, bar, _)) if std::io::stderr().is_terminal() => bar.set_message(text),
                _ => {
                    let _ = writeln!(std::io::stderr().lock(), "  {text}");
                }
            },
            Message::Warning { text } => match &self.current {
                Some((_, bar, _)) => bar.suspend(|| complain(&format!("warning: {text}"))),
                None => complain(&format!("warning: {text}")),
            },
        }
    }

    /// Replaces the running bar by a line with the time its stage took.
    fn finish(&mut self) {
        if let Some((name, bar, began)) = self.current.take() {
            bar.finish_and_clear();
            if std::io::stderr().is_terminal() {
                let _ =
                    writeln!(std::io::stderr().lock(), "{name:<10} {:.1} s", began.elapsed().as_secs_f64());
            }
        }
    }
}

/// A bar on the error stream; indicatif hides it by itself where that is no terminal.
fn bar(name: &'static str, total: usize) -> ProgressBar {
    let (bar, template) = match total {
        0 => (ProgressBar::new_spinner(), "{prefix:<10} {spinner} {elapsed}"),
        n => (ProgressBar::new(n as u64), "{prefix:<10} {wide_bar} {pos}/{len}, {eta} left {msg}"),
    };
    // A template that does not parse would cost the looks of the bar, not the work.
    let bar = bar
        .with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(name);
    bar.enable_steady_tick(std::time::Duration::from_millis(250));
    bar
}
