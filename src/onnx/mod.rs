//! Networks that others trained, run by ONNX Runtime: optical flow, features, matting.
//!
//! Neither the runtime nor a model comes with this program: the runtime is a library found at run time, models are
//! files in a folder of the user's. What is missing is named, with how to get it, and the built-in engines take over.
//! Only the worker comes here; the plugin never loads the runtime into its host.
//!
//! What a network computes is in the module that needs it ([`crate::flow::Raft`], [`crate::flow::Dino`],
//! [`crate::matte::VitMatte`]); here is what they share.

mod catalog;
mod framing;
mod library;
mod network;
mod runtime;

pub use catalog::{Model, Port, Purpose, Shelf, Side, catalog};
pub use framing::{Framing, Padding};
pub use network::{Network, Tensor};
pub use runtime::Runtime;
