//! The neural atlas: the paper's fit on burn, from nothing (`paper`) or from the direct solver (`neural`).
//!
//! Networks for the map, the atlas, the light and the mask are taught by the paper's losses on random points of the
//! clip, and end in the same [`crate::track::Solution`] the direct solver makes.

mod batch;
mod chain;
mod checkpoint;
mod config;
mod device;
mod encoding;
pub mod losses;
mod networks;
mod objective;
mod prior;
mod probe;
mod product;
mod samples;
mod space;
mod train;

pub use batch::{Batch, Known, Prior, Source};
pub use chain::{Learner, collect_flow};
pub use config::{Config, Goal, Grid, Layers, Phase, Rates, Weights};
pub use device::{Chosen, open};
pub use encoding::{Encoding, HashGrid, Traces};
pub use networks::Networks;
pub use objective::{Region, Scene, Term};
pub use prior::{Solved, collect};
pub use probe::Probe;
pub use product::Fitted;
pub use samples::{Index, Sample, Samples, SamplesWriter};
pub use space::{Space, Window};
pub use train::Trainer;
