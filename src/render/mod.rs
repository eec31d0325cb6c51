//! From an analysis, an edit and a frame to a window of the output; and from an analysis to pictures and maps for
//! other programs.
//!
//! It runs once per frame inside an editor, on whatever thread the host chooses, so it takes whole frames or windows
//! of them, keeps no state a call could spoil for another, and leaves every pixel it has no reason to change exactly
//! as it came. It needs no more than an [`Analysis`](crate::atlas::Analysis): where that is stored is not its business.
//!
//! Composite, per surface in their order (Eq. 13 of the paper, made good for soft paint): with c the frame's pixel, p
//! its position, αP and α the paint, premultiplied, A the atlas, L the light, all three at T(p), and v = M̂(p) · opacity:
//!
//! - v·α = 0: the pixel as it came;
//! - v·α = 1: L · P, the paint in the frame's light, and the frame's grain on it (`grain.rs`);
//! - between: c + v · L · (αP − α·A): the paint takes the place of the surface, and what the atlas does not explain
//!   (grain, what lies in front) stays.
//!
//! An occluder's edge is thus kept by M̂, and shadows and highlights by L.

mod along;
mod edit;
mod export;
mod files;
mod frame;
mod gather;
mod grain;
mod kernel;
mod maps;
mod matte;
mod proxy;
mod recent;
mod renderer;
mod sample;
mod shade;
mod warp;

pub use edit::Edit;
pub use export::{Sidecar, convert, export_atlas};
pub use files::{EditKind, PerFrame, check_atlas_name, read_edit, write_atlas};
pub use frame::{Frame, Scratch};
pub use maps::{matte, positions, stmap};
pub use proxy::Proxy;
pub use renderer::Renderer;
