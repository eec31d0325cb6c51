//! What does the work of the stages that more than one engine can do.
//!
//! `auto` takes a model where there is one and the library to run it, and goes back to the built-in engine with a
//! warning when it fails; a choice that was made by name fails instead.
#![cfg_attr(
    not(all(feature = "onnx", feature = "neural")),
    allow(dead_code, reason = "a build without networks has one engine a stage")
)]

use crate::error::Result;
use crate::flow::aggregate::{Appearance, Surroundings};
use crate::flow::{Dis, OpticalFlow};
use crate::frame::{Image, Rgba, Vec2};
use crate::matte::{KnownSurface, Matting, Stretch};
use crate::param::{AnalysisSettings, EngineChoice, Preset};
use crate::progress::Progress;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an engine is called when no model does the work.
const BUILTIN: &str = "builtin";

/// The engines of one analysis.
pub(super) struct Engines {
    pub(super) flow: Box<dyn OpticalFlow>,
    pub(super) looks: Box<dyn Appearance>,
    pub(super) matting: Box<dyn Matting>,
    /// By parameter; changed when one gives up.
    used: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Engines {
    /// Chooses, opens and names them.
    ///
    /// # Errors
    /// What keeps an engine that was chosen by name from running.
    pub(super) fn choose(settings: &AnalysisSettings, progress: &Progress) -> Result<Self> {
        let choice = Choice::new(settings, progress)?;
        // A quick look stays quick.
        let unless_draft = |c: EngineChoice| match (c, settings.preset) {
            (EngineChoice::Auto, Preset::Draft) => EngineChoice::Builtin,
            _ => c,
        };
        let looks: Box<dyn Appearance> = match settings.preset {
            Preset::Paper => choice.looks(settings.features)?,
            // Nobody asks.
            _ => Box::new(Surroundings::default()),
        };
        let engines = Self {
            flow: choice.flow(unless_draft(settings.flow))?,
            looks,
            matting: choice.matting(unless_draft(settings.matting))?,
            used: choice.used,
        };
        for (stage, engine) in engines.used.lock().iter().filter(|(_, e)| *e != BUILTIN) {
            progress.note(format!("{stage}: {engine}"));
        }
        Ok(engines)
    }

    /// What does the work, by parameter.
    pub(super) fn used(&self) -> BTreeMap<String, String> {
        self.used.lock().clone()
    }
}

/// An engine that may fail for good, and the one that takes over.
struct Fallback<E: ?Sized> {
    first: Box<E>,
    second: Box<E>,
    stage: &'static str,
    failed: Mutex<bool>,
    used: Arc<Mutex<BTreeMap<String, String>>>,
    progress: Progress,
}

impl<E: ?Sized> Fallback<E> {
    fn run<T>(&self, work: impl Fn(&E) -> Result<T>) -> Result<T> {
        if *self.failed.lock() {
            return work(&self.second);
        }
        let error = match work(&self.first) {
            Err(error @ crate::Error::Model { .. }) => error,
            other => return other,
        };
        let mut failed = self.failed.lock();
        if !*failed {
            *failed = true;
            self.progress.warn(format!("{error}; the built-in {} goes on", self.stage));
            let mut used = self.used.lock();
            let before = used.get(self.stage).cloned().unwrap_or_default();
            used.insert(self.stage.into(), format!("{before} until it failed, then {BUILTIN}"));
        }
        drop(failed);
        work(&self.second)
    }
}

impl OpticalFlow for Fallback<dyn OpticalFlow> {
    fn flow(&self, from: &Image<Rgba>, to: &Image<Rgba>) -> Result<Image<Vec2>> {
        self.run(|engine| engine.flow(from, to))
    }

    fn both_ways(&self, a: &Image<Rgba>, b: &Image<Rgba>) -> Result<(Image<Vec2>, Image<Vec2>)> {
        self.run(|engine| engine.both_ways(a, b))
    }
}

impl Matting for Fallback<dyn Matting> {
    fn batch(&self) -> usize {
        self.first.batch()
    }

    fn mattes(&self, stretch: &Stretch, frames: &[usize]) -> Result<Vec<Image<f32>>> {
        self.run(|engine| engine.mattes(stretch, frames))
    }
}

/// The choice under way.
struct Choice<'a> {
    settings: &'a AnalysisSettings,
    progress: &'a Progress,
    #[cfg(feature = "onnx")]
    shelf: crate::onnx::Shelf,
    used: Arc<Mutex<BTreeMap<String, String>>>,
}

impl<'a> Choice<'a> {
    fn new(settings: &'a AnalysisSettings, progress: &'a Progress) -> Result<Self> {
        Ok(Self {
            settings,
            progress,
            #[cfg(feature = "onnx")]
            shelf: crate::onnx::Shelf::new(settings.models.as_deref())?,
            used: Arc::default(),
        })
    }

    fn note(&self, stage: &str, engine: &str) {
        self.used.lock().insert(stage.into(), engine.into());
    }

    fn fallback<E: ?Sized>(&self, stage: &'static str, first: Box<E>, second: Box<E>) -> Fallback<E> {
        let (used, progress) = (Arc::clone(&self.used), self.progress.clone());
        Fallback { first, second, stage, failed: Mutex::new(false), used, progress }
    }

    fn flow(&self, choice: EngineChoice) -> Result<Box<dyn OpticalFlow>> {
        let builtin: Box<dyn OpticalFlow> = Box::new(Dis::default());
        #[cfg(feature = "onnx")]
        if let Some(network) = self.network("flow", crate::onnx::Purpose::Flow, choice)? {
            let raft: Box<dyn OpticalFlow> = Box::new(crate::flow::Raft::new(network));
            return Ok(match choice {
                EngineChoice::Auto => Box::new(self.fallback("flow", raft, builtin)),
                _ => raft,
            });
        }
        self.without_model("flow", choice)?;
        Ok(builtin)
    }

    fn looks(&self, choice: EngineChoice) -> Result<Box<dyn Appearance>> {
        #[cfg(feature = "onnx")]
        if let Some(network) = self.network("features", crate::onnx::Purpose::Features, choice)? {
            return Ok(Box::new(crate::flow::Dino::new(network)));
        }
        self.without_model("features", choice)?;
        Ok(Box::new(Surroundings::default()))
    }

    fn matting(&self, choice: EngineChoice) -> Result<Box<dyn Matting>> {
        let builtin: Box<dyn Matting> = Box::new(KnownSurface);
        #[cfg(feature = "onnx")]
        if let Some(network) = self.network("matting", crate::onnx::Purpose::Matting, choice)? {
            let vitmatte: Box<dyn Matting> = Box::new(crate::matte::VitMatte::new(network));
            return Ok(match choice {
                EngineChoice::Auto => Box::new(self.fallback("matting", vitmatte, builtin)),
                _ => vitmatte,
            });
        }
        self.without_model("matting", choice)?;
        Ok(builtin)
    }

    #[cfg(feature = "onnx")]
    fn without_model(&self, stage: &'static str, _: EngineChoice) -> Result<()> {
        self.note(stage, BUILTIN);
        Ok(())
    }

    #[cfg(not(feature = "onnx"))]
    fn without_model(&self, stage: &'static str, choice: EngineChoice) -> Result<()> {
        if choice == EngineChoice::Model {
            return Err(crate::Error::setting(stage, "this build runs no models; use builtin"));
        }
        self.note(stage, BUILTIN);
        Ok(())
    }
}

#[cfg(feature = "onnx")]
mod models {
    use super::{Choice, EngineChoice};
    use crate::error::{Error, Result};
    use crate::onnx::{Network, Purpose, Runtime};
    use crate::param::DeviceChoice;

    impl Choice<'_> {
        /// The network for a stage; `None` where the built-in engine shall do it.
        pub(super) fn network(
            &self,
            stage: &'static str,
            purpose: Purpose,
            choice: EngineChoice,
        ) -> Result<Option<Network>> {
            if choice == EngineChoice::Builtin {
                return Ok(None);
            }
            match (self.opened(purpose), choice) {
                (Ok(Some(network)), _) => {
                    self.note(stage, &network.account());
                    Ok(Some(network))
                }
                (Ok(None), EngineChoice::Auto) => Ok(None),
                (Ok(None), _) => {
                    let reason = format!(
                        "no model for {} was found; `rna models` says where it belongs and how to get it",
                        purpose.name()
                    );
                    Err(Error::setting(stage, reason))
                }
                (Err(error), EngineChoice::Auto) => {
                    self.progress.warn(format!("{error}; the built-in {stage} is used instead"));
                    Ok(None)
                }
                (Err(error), _) => Err(error),
            }
        }

        fn opened(&self, purpose: Purpose) -> Result<Option<Network>> {
            let Some((model, path)) = self.shelf.best(purpose) else { return Ok(None) };
            let processor_only = self.settings.device == DeviceChoice::Cpu;
            Network::open(&*Runtime::open()?, model, &path, processor_only).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::progress::{Cancel, Message};

    /// Fails as a network does that finds no memory.
    struct Broken;

    impl OpticalFlow for Broken {
        fn flow(&self, _: &Image<Rgba>, _: &Image<Rgba>) -> Result<Image<Vec2>> {
            Err(Error::Model {
                path: "raft.onnx".into(),
                reason: "it failed while it ran (no memory)".into(),
            })
        }
    }

    struct Still;

    impl OpticalFlow for Still {
        fn flow(&self, from: &Image<Rgba>, _: &Image<Rgba>) -> Result<Image<Vec2>> {
            Ok(from.map(|_| [0.0; 2]))
        }
    }

    #[test]
    fn an_engine_that_gives_up_is_replaced_once_and_for_all() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&said);
        let listen = move |message| {
            if let Message::Warning { text } = message {
                hear.lock().push(text);
            }
        };
        let settings = AnalysisSettings::from_values(&BTreeMap::new()).unwrap();
        let progress = Progress::new(listen, Cancel::default());
        let choice = Choice::new(&settings, &progress).unwrap();
        choice.note("flow", "raft");
        let (first, second): (Box<dyn OpticalFlow>, Box<dyn OpticalFlow>) =
            (Box::new(Broken), Box::new(Still));
        let flow = choice.fallback("flow", first, second);
        let picture = Image::new(3, 2, [0.0; 4]);
        for _ in 0..3 {
            assert!(flow.both_ways(&picture, &picture).is_ok());
        }
        assert_eq!(said.lock().len(), 1);
        assert!(said.lock()[0].contains("raft.onnx") && said.lock()[0].contains("built-in flow goes on"));
        assert_eq!(choice.used.lock()["flow"], "raft until it failed, then builtin");
    }
}
