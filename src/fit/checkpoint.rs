//! The state of a fit, and how it survives an interruption.

use super::config::{Config, Goal};
use super::networks::Networks;
use crate::error::{Error, Result};
use crate::frame::io::write_atomic;
use burn::module::Module;
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// Adam's ε: features of a hash grid move although their slopes are tiny.
const EPSILON: f32 = 1e-8;

/// Everything that changes while a fit runs.
#[derive(Clone)]
pub(super) struct State {
    /// The networks, with gradients.
    pub(super) networks: Networks,
    /// Optimiser of the layers.
    pub(super) layers: ModuleOptimizer,
    /// Optimiser of the hash grids.
    pub(super) grids: ModuleOptimizer,
    /// Phase of the schedule.
    pub(super) phase: usize,
    /// Step within it.
    pub(super) step: usize,
    /// PSNR of the best state seen, dB, and the state.
    pub(super) best: Option<(f64, Networks)>,
    /// Looks since it was seen.
    pub(super) idle: usize,
    /// The last state whose loss was a number.
    pub(super) good: Option<Networks>,
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().with_epsilon(EPSILON).init()
}

impl State {
    /// At the start of the schedule.
    pub(super) fn new(config: &Config, device: &Device) -> Self {
        Self {
            networks: Networks::new(config, device),
            layers: adam(),
            grids: adam(),
            phase: 0,
            step: 0,
            best: None,
            idle: 0,
            good: None,
        }
    }

    /// On to the next phase; the mask is refined from the best state seen.
    pub(super) fn finish_phase(&mut self, goal: Goal) {
        if goal == Goal::Estimate
            && let Some((_, best)) = self.best.take()
        {
            self.networks = best;
        }
        self.phase += 1;
        self.step = 0;
        self.idle = 0;
    }

    /// At the end of the phase with other networks, and optimisers that know nothing.
    pub(super) fn restarted(&self, networks: Networks, config: &Config) -> Self {
        let step = config.schedule.get(self.phase).map_or(0, |p| p.steps);
        Self { networks, layers: adam(), grids: adam(), step, ..self.clone() }
    }
}

/// A state as bytes.
#[derive(Serialize, Deserialize)]
struct Record {
    config: Config,
    networks: Vec<u8>,
    layers: Vec<u8>,
    grids: Vec<u8>,
    phase: usize,
    step: usize,
    best: Option<(f64, Vec<u8>)>,
    idle: usize,
}

/// The file a state is kept in.
pub(super) struct Checkpoint<'a> {
    /// Its path.
    pub(super) path: &'a Path,
    /// The fit it belongs to.
    pub(super) config: &'a Config,
    /// Where networks are loaded to.
    pub(super) device: &'a Device,
}

impl Checkpoint<'_> {
    /// Writes a state, by rename.
    pub(super) fn save(&self, state: &State) -> Result<()> {
        let failed = |e: String| Error::io("write", self.path)(std::io::Error::other(e));
        let networks = |n: &Networks| {
            let bytes = n.clone().into_record().into_bytes().map_err(|e| failed(e.to_string()))?;
            Ok::<_, Error>(bytes.to_vec())
        };
        let optimiser =
            |o: &ModuleOptimizer| o.into_bytes().map(|b| b.to_vec()).map_err(|e| failed(e.to_string()));
        let best = state.best.as_ref().map(|(psnr, n)| networks(n).map(|b| (*psnr, b))).transpose()?;
        let record = Record {
            config: self.config.clone(),
            networks: networks(&state.networks)?,
            layers: optimiser(&state.layers)?,
            grids: optimiser(&state.grids)?,
            phase: state.phase,
            step: state.step,
            best,
            idle: state.idle,
        };
        let bytes = postcard::to_stdvec(&record).map_err(|e| failed(e.to_string()))?;
        write_atomic(self.path, |file| file.write_all(&bytes).map_err(Error::io("write", self.path)))
    }

    /// The state kept, if there is one, whole and of this fit; anything else counts as none.
    pub(super) fn load(&self) -> Option<State> {
        let record: Record = postcard::from_bytes(&std::fs::read(self.path).ok()?).ok()?;
        if record.config != *self.config {
            return None;
        }
        let fresh = Networks::new(self.config, self.device);
        let networks = |bytes: Vec<u8>| {
            let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes)).ok()?;
            fresh.clone().try_load_record(record).ok()
        };
        let optimiser = |bytes: Vec<u8>| adam().from_bytes(Bytes::from_bytes_vec(bytes)).ok();
        Some(State {
            networks: networks(record.networks)?,
            layers: optimiser(record.layers)?,
            grids: optimiser(record.grids)?,
            phase: record.phase,
            step: record.step,
            best: match record.best {
                Some((psnr, bytes)) => Some((psnr, networks(bytes)?)),
                None => None,
            },
            idle: record.idle,
            good: None,
        })
    }
}
