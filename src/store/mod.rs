//! The `.rna` file: an analysis on disk, written once, read a frame at a time, from any number of threads.
//!
//! The file is in the safetensors format, so that other programs can look inside. `__metadata__` holds `format`
//! (`rna-atlas`), `version`, `header` ([`crate::atlas::Header`] as JSON) and `placements` (one
//! [`crate::atlas::Placement`] per surface). Tensors, little-endian, k being the surface from 0:
//!
//! | tensor | shape | kind | holds |
//! |---|---|---|---|
//! | `k/atlas` | h, w, 4 | f32 | the atlas, the host's own values, alpha = coverage of the region |
//! | `k/map` | frames, gh, gw, 2 | f32 | T on its grid, reference-frame pixels |
//! | `k/light` | frames, lh, lw, 4 | f16 | gain against the reference frame, share of grain (not in version 1); fine where any frame has shadows |
//! | `k/mask` | frames, H, W | u8 | soft mask at working size, 255 = visible |
//! | `confidence` | frames | f32 | least confidence of any surface, 0…1 |
//! | `checksums` | blocks | u32 | CRC-32 of the header, of every atlas, of every frame of every tensor, and of itself |
//!
//! Why it is made this way:
//! - **Writing** ([`Writer`]) knows every tensor's place beforehand, so a frame goes to disk as soon as it is finished
//!   and memory does not grow with the clip. The file appears under its name by a rename, whole or not at all, and
//!   never replaces one that is there.
//! - **Reading** ([`open`]) believes nothing: sizes are compared with the file's length before any memory is taken, and
//!   each block's checksum when the block is read. Blocks are read at their position and **not memory-mapped**: a file
//!   on a network drive that somebody truncates while it is mapped ends the process with SIGBUS, and the process may be
//!   an editor with unsaved work.
//! - A host makes many instances of one effect, some per frame. [`shared`] gives all of them one opened file.

mod fingerprint;
mod format;
mod job;
mod read;
mod write;

pub use fingerprint::{check_clip, fingerprint};
pub use format::Grid;
pub use job::{JobFile, Mend};
pub use read::{OpenAtlas, open, open_with_budget, shared};
pub use write::{Writer, write};
