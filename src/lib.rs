//! RNA: edits that stick to a moving surface.
//!
//! A region drawn on one frame is fitted over the whole clip: a flat picture of it (the *atlas*), where every pixel of
//! every frame lies on that picture, how light changes on it, and how much of it shows behind whatever passes in front.
//! Painting on the atlas then paints on the clip.
//!
//! ```text
//! clip ─▶ flow ─▶ light ─▶ track ─▶ mask ─▶ matte ─▶ atlas ─▶ store ─▶ render
//!            └──────────────── engine runs them ────────────────┘
//! ```
//!
//! A module uses only those before it in this list; `tests/architecture.rs` holds the exact table.
#![deny(unsafe_code)]

pub mod error;
pub mod frame;
pub mod progress;

mod linear;
pub mod param;
pub mod roi;

pub mod correction;

pub mod clip;

#[cfg(feature = "onnx")]
pub mod onnx;

pub mod flow;

pub mod light;
pub mod track;

pub mod mask;
pub mod matte;

#[cfg(feature = "neural")]
pub mod fit;

pub mod atlas;
pub mod store;

pub mod render;

pub mod engine;

#[cfg(feature = "openfx")]
pub mod openfx;

#[cfg(feature = "openfx")]
pub mod ofx;

#[cfg(feature = "host")]
#[allow(unsafe_code, reason = "the host speaks C with its plugins")]
pub mod host;

pub use error::{Error, Result};
