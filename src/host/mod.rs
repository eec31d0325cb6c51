//! A host without a screen: it loads any OpenFX plugin, supplies the suites, and runs scripts on it.
//!
//! It is there to prove plugins. Where hosts forgive, it complains: names and types of properties are checked against
//! tables, handles are looked up and never dereferenced, images carry the clip and time they are of and lie between
//! guard bytes, and what is not given back is on record. Where hosts differ, it differs too: a [`Profile`] forbids and
//! breaks what one of them does, and [`Faults`] bring about what seldom happens by itself.
//!
//! ```no_run
//! use rna::host::{Bundle, Clips, Command, Faults, Profile, Session, Stamped};
//! use std::sync::Arc;
//!
//! let bundle = Bundle::load("Some.ofx.bundle".as_ref())?;
//! let source = Stamped { clip: 1, size: (64, 48), range: (0.0, 9.0) };
//! let mut clips = Clips::new();
//! clips.insert("Source".to_string(), Arc::new(source));
//! let mut session = Session::new(&bundle, Profile::RESOLVE, Faults::default(), clips)?;
//! let script = [
//!     Command::Create { instance: String::new() },
//!     Command::Set { param: "gain".to_string(), value: 0.5.into() },
//!     Command::Render { first: 0.0, last: Some(9.0), step: 1.0 },
//! ];
//! let outcomes = session.run(&script)?;
//! for frame in outcomes[2].frames() {
//!     assert!(frame.picture.is_some(), "{}", frame.status);
//! }
//! let report = session.finish();
//! assert!(report.is_clean(), "{report}");
//! # Ok::<(), rna::Error>(())
//! ```
//!
//! It knows nothing of our own plugin, and lives in the library only for the command `rna host` and for tests.

mod clip;
mod context;
mod draw;
mod effect;
mod frames;
mod handles;
mod image;
mod interact;
mod library;
mod memory;
mod param;
mod profile;
mod property;
mod render;
mod report;
mod script;
mod session;
mod stir;
mod suites;
mod tables;

pub use draw::Draw;
pub use effect::State;
pub use frames::{Clips, Frames, Stamped, stamp};
pub use image::{Components, Depth, Format};
pub use interact::Pen;
pub use library::Bundle;
pub use param::{Saved, Value};
pub use profile::{Beyond, Buttons, Faults, Fresh, Profile};
pub use render::Rendered;
pub use report::{Call, Fetch, Issue, Kind, Message, Report};
pub use script::{Command, Outcome, read};
pub use session::Session;
