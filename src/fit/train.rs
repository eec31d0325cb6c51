//! The schedule, run: batches, losses, the optimiser, the best state, and going on after an interruption.

use super::batch::Source;
use super::checkpoint::{Checkpoint, State};
use super::config::{Config, Goal, Phase};
use super::networks::Networks;
use super::objective::{Region, Scene, Term};
use super::probe::Probe;
use crate::error::{Error, Result};
use crate::progress::Progress;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use std::path::Path;
use std::time::{Duration, Instant};

/// Steps between two checks that the loss is a number: reading it back makes a GPU wait.
const CHECK: usize = 20;
/// Time between two checkpoints.
const SAVE: Duration = Duration::from_secs(30);
/// Gain in dB that counts when a phase is watched for having settled.
const GAIN: f64 = 0.02;

/// One region's fit.
pub struct Trainer<'a> {
    /// Where batches come from.
    pub source: Source<'a>,
    /// What is done.
    pub config: &'a Config,
    /// The reference frame, to see how well it is explained.
    pub probe: &'a Probe,
    /// The region on the atlas.
    pub region: &'a Region,
    /// The device, with gradients.
    pub device: &'a Device,
    /// Where the state is kept while the fit lasts.
    pub checkpoint: &'a Path,
    /// Who is told.
    pub progress: &'a Progress,
    /// Steps the stage had reported before this fit.
    pub done_before: usize,
}

/// How a phase went on after a look at the reference frame.
enum Watch {
    GoOn,
    Settled,
}

impl Trainer<'_> {
    /// Runs the schedule, from its last checkpoint where there is one; the networks without gradients.
    pub fn run(&self) -> Result<Networks> {
        let checkpoint = Checkpoint { path: self.checkpoint, config: self.config, device: self.device };
        let mut state = match checkpoint.load() {
            Some(state) => state,
            None => State::new(self.config, self.device),
        };
        let mut saved = Instant::now();
        while let Some(phase) = self.config.schedule.get(state.phase) {
            let done = self.run_phase(&mut state, phase, |state| {
                if saved.elapsed() > SAVE {
                    checkpoint.save(state)?;
                    saved = Instant::now();
                }
                Ok(())
            });
            if matches!(done, Err(Error::Cancelled)) {
                checkpoint.save(&state)?;
            }
            done?;
            state.finish_phase(phase.goal);
        }
        Ok(state.networks.valid())
    }

    /// Steps of the whole schedule.
    pub fn steps(config: &Config) -> usize {
        config.schedule.iter().map(|p| p.steps).sum()
    }

    fn run_phase(
        &self,
        state: &mut State,
        phase: &Phase,
        mut keep: impl FnMut(&State) -> Result<()>,
    ) -> Result<()> {
        let tables = state.networks.tables();
        let before: usize = self.config.schedule[..state.phase].iter().map(|p| p.steps).sum();
        let (start, first) = (Instant::now(), state.step);
        while state.step < phase.steps {
            let number = before + state.step;
            let seed = self.config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number as u64;
            let batch = self.source.draw(self.config.batch, seed, self.device)?;
            let scene = Scene::new(&state.networks, &self.source.space);
            let terms = scene.terms(phase.goal, &batch, self.region, self.config);
            let total = sum(&terms);
            let due = |every: usize| state.step % every == every - 1 || state.step + 1 == phase.steps;
            let (check, look) = (due(CHECK), due(self.config.look));
            if check && !value(&total).is_finite() {
                return self.diverged(state, phase, &terms);
            }
            let mut gradients = total.backward();
            let read = scene.traces.slopes(&gradients);
            let mut of_grids = GradientsParams::from_params(&mut gradients, &state.networks, &tables);
            read.into_iter().for_each(|(id, slopes)| of_grids.register(id, slopes));
            let of_layers = GradientsParams::from_grads(gradients, &state.networks);
            let share = phase.decay.powf(state.step as f64 / phase.steps as f64);
            let rates = self.config.rates;
            let networks = state.layers.step(rates.layers * share, state.networks.clone(), of_layers);
            state.networks = state.grids.step(rates.grids * share, networks, of_grids);
            state.step += 1;
            if check {
                state.good = Some(state.networks.clone());
            }
            if look {
                let each = start.elapsed().as_secs_f64() / (state.step - first) as f64;
                let left = each * (Self::steps(self.config) - number - 1) as f64;
                if let Watch::Settled = self.look(state, phase, &terms, left) {
                    break;
                }
            }
            self.progress.step(self.done_before + number + 1)?;
            keep(state)?;
        }
        Ok(())
    }

    /// Judges the state on the reference frame, keeps it if it is the best, and says how things stand.
    fn look(&self, state: &mut State, phase: &Phase, terms: &[Term], left: f64) -> Watch {
        let psnr = self.probe.psnr(&state.networks.valid(), &self.source.space);
        let listed: Vec<String> =
            terms.iter().map(|t| format!("{} {:.5}", t.name, value(&t.value) * t.weight)).collect();
        self.progress.note(format!(
            "{} {}/{}: reference {psnr:.2} dB; {}; {} left",
            phase.goal,
            state.step,
            phase.steps,
            listed.join(", "),
            minutes(left)
        ));
        if !matches!(phase.goal, Goal::Bootstrap | Goal::Estimate) {
            return Watch::GoOn;
        }
        if psnr.is_finite() && state.best.as_ref().is_none_or(|b| psnr > b.0 + GAIN) {
            state.best = Some((psnr, state.networks.clone()));
            state.idle = 0;
        } else {
            state.idle += 1;
        }
        let settled = self.config.patience > 0 && state.idle >= self.config.patience;
        if settled { Watch::Settled } else { Watch::GoOn }
    }

    /// Goes back to the last state whose loss was a number and ends the phase: the same batches would lead to the same.
    fn diverged(&self, state: &mut State, phase: &Phase, terms: &[Term]) -> Result<()> {
        let odd = terms.iter().find(|t| !value(&t.value).is_finite());
        let name = odd.map_or("their sum", |t| t.name);
        self.progress.warn(format!(
            "the fit diverged in step {} of {} ({name} is not a number); it goes on from its last good state",
            state.step + 1,
            phase.goal
        ));
        match state.best.clone().map(|b| b.1).or_else(|| state.good.clone()) {
            Some(networks) => *state = state.restarted(networks, self.config),
            None => *state = state.restarted(State::new(self.config, self.device).networks, self.config),
        }
        self.progress.check()
    }
}

/// Σ λ · loss.
fn sum(terms: &[Term]) -> Tensor<1> {
    let weighted: Vec<Tensor<1>> = terms.iter().map(|t| t.value.clone() * t.weight).collect();
    Tensor::cat(weighted, 0).sum()
}

/// The number a tensor of one number holds; NaN when it cannot be read.
pub(super) fn value(tensor: &Tensor<1>) -> f64 {
    let read = tensor.clone().into_data().try_to_vec::<f32>();
    read.ok().and_then(|v| v.first().copied()).map_or(f64::NAN, f64::from)
}

fn minutes(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}
