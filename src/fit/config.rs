//! Everything that can be set about a neural fit, in one value; the presets are two of them.

use super::encoding::Encoding;
use serde::{Deserialize, Serialize};

/// Fully connected layers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Layers {
    /// Layers, the last one included.
    pub depth: usize,
    /// Width of all but the last.
    pub width: usize,
}

/// A hash grid and the layers that read it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// The grid.
    pub encoding: Encoding,
    /// The layers.
    pub layers: Layers,
}

/// Adam's step sizes at the start of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Of layers.
    pub layers: f64,
    /// Of hash grids.
    pub grids: f64,
}

/// Weights of the losses, with the paper's symbols.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// λ_recon: squared colour difference of ĉ and c.
    pub recon: f64,
    /// λ_rigid: how far T is from an isometry.
    pub rigid: f64,
    /// λ_pos: T is the identity on the reference frame's region.
    pub pos: f64,
    /// λ_corr, reference: pairs with the reference frame, in pixels.
    pub corr_reference: f64,
    /// λ_corr, adjacent: pairs with the frames before and after.
    pub corr_adjacent: f64,
    /// λ_mask, reference: M is the region on the reference frame.
    pub mask_reference: f64,
    /// λ_mask, flow to the reference: M agrees along it.
    pub mask_flow_reference: f64,
    /// λ_mask, flow to adjacent frames: M agrees along it.
    pub mask_flow_adjacent: f64,
    /// λ_illum: L is 1.
    pub illum: f64,
    /// λ_bootstrap: M is the initial mask.
    pub bootstrap: f64,
    /// λ_no: M is 1 where the refinement finds nothing in front.
    pub no: f64,
    /// M agrees along adjacent flow while it is refined.
    pub refine_flow: f64,
}

/// What a phase of the schedule fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// T to the identity (or to no residual).
    Identity,
    /// A and M to an earlier solution's atlas and mask; T and L start as no change of its map and light.
    Distil,
    /// All networks, M also to the initial masks.
    Bootstrap,
    /// All networks.
    Estimate,
    /// M alone (method, section 3).
    Refine,
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Goal::Identity => "identity",
            Goal::Distil => "distil",
            Goal::Bootstrap => "bootstrap",
            Goal::Estimate => "estimate",
            Goal::Refine => "refine",
        })
    }
}

/// One phase of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// What it fits.
    pub goal: Goal,
    /// Steps of the optimiser.
    pub steps: usize,
    /// Step size at its end, as a share of that at its start; between them it falls evenly in its logarithm.
    pub decay: f64,
}

/// A neural fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Seed of the networks and of the batches.
    pub seed: u64,
    /// Points in a batch.
    pub batch: usize,
    /// T, the mapping.
    pub mapping: Layers,
    /// With an earlier solution, how far T may leave it, in normalised units; `None` starts from nothing.
    pub residual: Option<f64>,
    /// A, the atlas.
    pub atlas: Grid,
    /// L, the lighting.
    pub lighting: Layers,
    /// M, the mask.
    pub mask: Grid,
    /// Step sizes.
    pub rates: Rates,
    /// Weights of the losses.
    pub weights: Weights,
    /// τ: mean difference over the channels, 0…1, up to which a pixel shows the surface when M is refined.
    pub visible: f64,
    /// Steps between two looks at how well the reference frame is explained; the best state seen is kept.
    pub look: usize,
    /// Looks without gain after which a phase has settled and ends; 0 for never.
    pub patience: usize,
    /// Phases, in order.
    pub schedule: Vec<Phase>,
}

/// The paper's grid: 16 levels of 2 features, 2^15 places, 16 cells growing by 1.25.
const PAPER_GRID: Encoding = Encoding { levels: 16, features: 2, log2_table: 15, base: 16.0, growth: 1.25 };

impl Config {
    /// The published method from nothing: sizes, weights and schedule of the paper; weights it does not state (of the
    /// bootstrap, and λ_illum of its refinement) are its authors' code's.
    pub fn paper() -> Self {
        let weights = Weights {
            recon: 1.0,
            rigid: 0.002,
            pos: 0.6,
            corr_reference: 0.02,
            corr_adjacent: 0.1,
            mask_reference: 0.4,
            mask_flow_reference: 0.6,
            mask_flow_adjacent: 0.4,
            illum: 0.1,
            bootstrap: 0.6,
            no: 0.01,
            refine_flow: 0.1,
        };
        let phase = |goal, steps| Phase { goal, steps, decay: 1.0 };
        Self {
            seed: 1,
            batch: 10_000,
            mapping: Layers { depth: 4, width: 256 },
            residual: None,
            atlas: Grid { encoding: PAPER_GRID, layers: Layers { depth: 4, width: 64 } },
            lighting: Layers { depth: 4, width: 64 },
            mask: Grid { encoding: PAPER_GRID, layers: Layers { depth: 4, width: 32 } },
            rates: Rates { layers: 5e-4, grids: 5e-2 },
            weights,
            visible: 0.025,
            look: 500,
            patience: 0,
            schedule: vec![
                phase(Goal::Identity, 7_000),
                phase(Goal::Bootstrap, 10_000),
                phase(Goal::Estimate, 50_000),
                phase(Goal::Refine, 20_000),
            ],
        }
    }

    /// The same networks and losses from an earlier solution: a small residual of T, less of everything.
    pub fn neural() -> Self {
        let grid = |base, levels| Encoding { levels, features: 2, log2_table: 15, base, growth: 1.5 };
        let phase = |goal, steps, decay| Phase { goal, steps, decay };
        Self {
            batch: 4_096,
            mapping: Layers { depth: 3, width: 64 },
            residual: Some(0.01),
            atlas: Grid { encoding: grid(16.0, 8), layers: Layers { depth: 3, width: 32 } },
            lighting: Layers { depth: 3, width: 32 },
            mask: Grid { encoding: grid(12.0, 8), layers: Layers { depth: 3, width: 32 } },
            rates: Rates { layers: 2e-3, grids: 2e-2 },
            look: 100,
            patience: 6,
            schedule: vec![
                phase(Goal::Distil, 400, 1.0),
                phase(Goal::Estimate, 900, 0.05),
                phase(Goal::Refine, 200, 0.2),
            ],
            ..Self::paper()
        }
    }
}
