//! The order of the stages, and resuming after the last finished one.

mod bake;
mod correct;
mod engines;
mod frames;
mod masks;
#[cfg(feature = "neural")]
mod neural;
mod reopen;
mod work;

use crate::atlas::{Header, Quality};
use crate::clip::{self, Clip, Footage, Spool};
use crate::correction::Corrections;
use crate::error::{Error, Result};
use crate::flow::Dis;
use crate::frame::{Encoding, Scale, working_size};
use crate::mask::{Told, Visibility};
use crate::param::{AnalysisSettings, InputColour, Preset};
use crate::progress::Progress;
use crate::roi::Roi;
use crate::store;
use crate::track::{Canvas, Effort, Inverses, Solution, Tracked, Tracker, refine};
use bake::{Baked, map_step};
use engines::Engines;
use frames::{FullSize, Watched};
use masks::{Masks, Source};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;
use work::WorkFolder;

pub use correct::{Mending, correct};

/// One clip to analyse.
#[derive(Debug, Clone)]
pub struct Job {
    /// Folder, pattern or video; see [`crate::clip`].
    pub clip: PathBuf,
    /// The region as drawn.
    pub roi: Roi,
    /// The `.rna` to write. An existing file is not overwritten.
    pub output: PathBuf,
    /// Checked settings.
    pub settings: AnalysisSettings,
    /// The number a host's timeline gives frame 0; kept for it, not used.
    pub first_frame: i64,
}

/// Time one stage took.
#[derive(Debug, Clone, serde::Serialize)]
pub struct StageTime {
    /// Its name.
    pub name: &'static str,
    /// Wall seconds; next to nothing when its result was there from an earlier run.
    pub seconds: f64,
}

/// The stages of one piece of work, timed.
struct Stages<'a> {
    progress: &'a Progress,
    times: Mutex<Vec<StageTime>>,
}

impl<'a> Stages<'a> {
    fn new(progress: &'a Progress) -> Self {
        Self { progress, times: Mutex::default() }
    }

    /// Runs one stage of `total` steps and notes its time.
    fn run<T>(
        &self,
        name: &'static str,
        total: usize,
        work: impl FnOnce(&Progress) -> Result<T>,
    ) -> Result<T> {
        let start = Instant::now();
        self.progress.stage(name, total);
        let result = work(self.progress)?;
        self.times.lock().push(StageTime { name, seconds: start.elapsed().as_secs_f64() });
        Ok(result)
    }
}

/// What an analysis did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// The `.rna` written.
    pub output: PathBuf,
    /// Times, in order.
    pub stages: Vec<StageTime>,
    /// Frames whose fit the user should look at, from 0.
    pub doubtful: Vec<usize>,
}

/// Analyses a clip: from frames on disk to a finished `.rna`.
///
/// Unfinished work lies in a folder named after the output with `.work` appended, until the analysis is complete;
/// calling again with the same input goes on after the last finished stage, and clears away what a killed run left half
/// written.
///
/// Fails when the clip or the region cannot be used, when the output exists, cannot be written or is being written by
/// another analysis, and with [`Error::Cancelled`] when the user asked to stop.
pub fn analyze(job: &Job, progress: &Progress) -> Result<Report> {
    let clip = clip::open(&job.clip)?;
    Analysis::prepare(job, clip.as_ref(), progress)?.run()
}

/// What either solver ends in, for all regions.
struct Fit {
    solutions: Vec<Solution>,
    /// Per region and frame: whether it was bridged over rather than seen.
    bridged: Vec<Vec<bool>>,
    /// Per region: M of all frames, where networks were fitted.
    shown: Option<Vec<Masks>>,
}

/// One analysis under way.
struct Analysis<'a> {
    job: &'a Job,
    progress: &'a Progress,
    full: FullSize<'a>,
    /// In full-size pixels of this clip.
    roi: Roi,
    fingerprint: String,
    size: (usize, usize),
    effort: Effort,
    engines: Engines,
    work: WorkFolder,
    stages: Stages<'a>,
}

impl<'a> Analysis<'a> {
    fn prepare(job: &'a Job, clip: &'a dyn Clip, progress: &'a Progress) -> Result<Self> {
        if job.output.exists() {
            return Err(Error::store(
                &job.output,
                "it is there already, and is never overwritten; name another",
            ));
        }
        frames::check(clip)?;
        let info = clip.info();
        let roi = job.roi.clone().fitted_to(info.size, info.frames)?;
        let fingerprint = store::fingerprint(clip)?;
        let encoding = match job.settings.colour {
            InputColour::Auto => info.encoding,
            InputColour::Display => Encoding::Display,
            InputColour::Linear => Encoding::Linear,
        };
        let size = working_size(info.size, job.settings.size);
        let effort = match job.settings.preset {
            Preset::Draft => Effort { rounds: 1, sharpenings: 1 },
            Preset::Standard | Preset::Neural | Preset::Paper => Effort { rounds: 2, sharpenings: 2 },
        };
        let engines = Engines::choose(&job.settings, progress)?;
        let key = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"), "clip": fingerprint, "roi": roi, "settings": job.settings.record,
            "engines": engines.used(),
        });
        let work = WorkFolder::open(&job.output, &key.to_string())?;
        let full = FullSize { clip, encoding };
        Ok(Self {
            job,
            progress,
            full,
            roi,
            fingerprint,
            size,
            effort,
            engines,
            work,
            stages: Stages::new(progress),
        })
    }

    fn run(self) -> Result<Report> {
        let spool = self.frames()?;
        let mut fit = match self.job.settings.preset {
            Preset::Draft | Preset::Standard => self.direct(&spool)?,
            Preset::Neural => self.neural(&spool)?,
            Preset::Paper => self.paper(&spool)?,
        };
        let inverses = self.inverses(&fit);
        self.shadows(&spool, &mut fit.solutions, &inverses)?;
        let (masks, quality) = self.mattes("matte", &spool, &fit, &inverses)?;
        self.bake(&spool, &fit.solutions, &inverses, &masks, &quality)?;
        self.work.remove()?;
        let frames = 0..spool.len();
        let doubtful = frames.filter(|&t| quality.iter().any(|q| q[t].is_doubtful())).collect();
        Ok(Report { output: self.job.output.clone(), stages: self.stages.times.into_inner(), doubtful })
    }

    /// The direct solver.
    fn direct(&self, spool: &Spool) -> Result<Fit> {
        let regions = self.track(spool)?;
        let solutions = self.refine(spool, &regions)?;
        let bridged =
            regions.iter().map(|(_, tracked)| tracked.iter().map(|t| t.bridged).collect()).collect();
        Ok(Fit { solutions, bridged, shown: None })
    }

    fn inverses(&self, fit: &Fit) -> Vec<Inverses> {
        fit.solutions.iter().map(|s| Inverses::of(s, self.size)).collect()
    }

    /// What is said where the fit's networks were left out.
    #[cfg(not(feature = "neural"))]
    fn neural(&self, _: &Spool) -> Result<Fit> {
        Err(Error::setting("preset", "this build has no networks; use standard or draft"))
    }

    #[cfg(not(feature = "neural"))]
    fn paper(&self, spool: &Spool) -> Result<Fit> {
        self.neural(spool)
    }

    /// Runs one stage and notes its time.
    fn stage<T>(&self, name: &'static str, total: usize, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.stages.run(name, total, |_| work(self))
    }

    /// As [`Analysis::stage`], taking the result of an earlier run where there is one.
    fn kept_stage<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        name: &'static str,
        total: usize,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        self.stage(name, total, |analysis| {
            if let Some(kept) = analysis.work.load(name) {
                return Ok(kept);
            }
            let result = work(analysis)?;
            analysis.work.save(name, &result)?;
            Ok(result)
        })
    }

    fn frames(&self) -> Result<Spool> {
        self.stage("frames", self.full.len(), |a| {
            frames::spool(&a.full, a.size, &a.work.file("frames"), a.progress)
        })
    }

    fn track(&self, spool: &Spool) -> Result<Vec<(Canvas, Vec<Tracked>)>> {
        let scale = Scale::between(self.full.size(), self.size);
        let total = (spool.len() - 1) * self.roi.polygons.len();
        self.kept_stage("track", total, |a| {
            let done = AtomicUsize::new(0);
            let region = |polygon: &Vec<[f64; 2]>| {
                let outline: Vec<[f64; 2]> = polygon.iter().map(|p| scale.to_coarse(*p)).collect();
                let canvas = Canvas::new(&outline, a.size)?;
                let tracker = Tracker {
                    footage: spool,
                    canvas: &canvas,
                    reference: a.roi.reference_frame,
                    flow: &*a.engines.flow,
                    fine_flow: &Dis::fine(),
                };
                let tracked = tracker.run(a.progress, &done)?;
                Ok((canvas, tracked))
            };
            a.roi.polygons.iter().map(region).collect()
        })
    }

    fn refine(&self, spool: &Spool, regions: &[(Canvas, Vec<Tracked>)]) -> Result<Vec<Solution>> {
        self.kept_stage("refine", self.effort.steps() * regions.len(), |a| {
            let region = |(canvas, tracked): &(Canvas, Vec<Tracked>)| {
                refine(spool, canvas, a.roi.reference_frame, tracked, a.effort, a.progress)
            };
            regions.iter().map(region).collect()
        })
    }

    fn shadows(&self, spool: &Spool, solutions: &mut [Solution], inverses: &[Inverses]) -> Result<()> {
        let all: Vec<usize> = (0..spool.len()).collect();
        self.stage("shadows", solutions.len(), |a| {
            for (k, (solution, inverses)) in solutions.iter_mut().zip(inverses).enumerate() {
                solution.find_shadows(spool, inverses, &all, a.progress)?;
                a.progress.step(k + 1)?;
            }
            Ok(())
        })
    }

    fn mattes(
        &self,
        name: &'static str,
        spool: &Spool,
        fit: &Fit,
        inverses: &[Inverses],
    ) -> Result<(Vec<Masks>, Vec<Vec<Quality>>)> {
        let solutions = &fit.solutions;
        let path = |a: &Self, k: usize| a.work.file(&format!("{name}-{k}"));
        let all: Vec<usize> = (0..spool.len()).collect();
        let quality = self.kept_stage(name, spool.len() * solutions.len(), |a| {
            let region = |k: usize| {
                let visibility = Visibility::learn(spool, &solutions[k], &inverses[k])?;
                let network = fit.shown.as_ref().map(|all| &all[k]);
                let told =
                    |t: usize| Ok(Told { network: network.map(|m| m.read(t)).transpose()?, user: None });
                let source = Source {
                    footage: spool,
                    visibility: &visibility,
                    told: &told,
                    matting: &*a.engines.matting,
                };
                let (_, mut quality) = Masks::make(&path(a, k), &source, &all, a.progress, k * spool.len())?;
                bake::confidence(&mut quality, a.roi.reference_frame, &all, |t| fit.bridged[k][t]);
                Ok(quality)
            };
            (0..solutions.len()).map(region).collect::<Result<Vec<_>>>()
        })?;
        let gone =
            || Error::clip(&self.job.clip, "the masks kept from an earlier run are gone; run it again");
        let open = |k: usize| Masks::open(&path(self, k), self.size, spool.len()).ok_or_else(gone);
        Ok(((0..solutions.len()).map(open).collect::<Result<_>>()?, quality))
    }

    fn bake(
        &self,
        spool: &Spool,
        solutions: &[Solution],
        inverses: &[Inverses],
        masks: &[Masks],
        quality: &[Vec<Quality>],
    ) -> Result<()> {
        let passes = 1 + solutions.len() * Baked::passes(self.effort.sharpenings);
        self.stage("bake", passes * self.full.len(), |a| {
            let frames = Watched::new(&a.full, a.progress);
            let ceiling = frames::ceiling(&a.full, spool)?;
            let bake = |k: usize| {
                let painting = (a.roi.reference_frame, a.effort.sharpenings, ceiling);
                Baked::new(&frames, &solutions[k], &inverses[k], &masks[k], painting)
            };
            let baked: Vec<Baked> = (0..solutions.len()).map(bake).collect::<Result<_>>()?;
            let header = a.header(solutions, &baked, ceiling, quality);
            let surfaces: Vec<_> = baked.iter().map(|b| b.surface.clone()).collect();
            let full = a.full.size();
            let grids: Vec<_> = baked.iter().map(|b| b.layers.grids(full)).collect();
            let output = &a.job.output;
            let mut writer = store::Writer::create_in(a.work.path(), output, &header, &surfaces, &grids)?;
            for t in 0..a.full.len() {
                for (k, b) in baked.iter().enumerate() {
                    writer.layer(k, t, &b.layer(t, grids[k], masks[k].read(t)?))?;
                }
                frames.step()?;
            }
            writer.finish()
        })
    }

    fn header(
        &self,
        solutions: &[Solution],
        baked: &[Baked],
        ceiling: Option<f32>,
        quality: &[Vec<Quality>],
    ) -> Header {
        let full = self.full.size();
        // One camera filmed all regions: the one that tells most of its shutter speaks for all.
        let told = solutions.iter().max_by(|a, b| a.shutter.total_cmp(&b.shutter));
        let short = told.into_iter().flat_map(|s| &s.short_exposures);
        Header {
            made_by: concat!("rna-ofx ", env!("CARGO_PKG_VERSION")).into(),
            size: [full.0, full.1],
            working_size: [self.size.0, self.size.1],
            frames: self.full.len(),
            first_frame: self.job.first_frame,
            map_step: map_step(Scale::between(full, self.size)),
            shutter: told.map_or(0.0, |s| f64::from(s.shutter)),
            short_exposures: short.map(|(t, s)| (*t, f64::from(*s))).collect(),
            // Where regions tell different things, too soft shows less than aliased.
            pixel_aperture: baked
                .iter()
                .filter_map(|b| b.pixel_aperture)
                .reduce(f32::max)
                .map_or(1.0, f64::from),
            // One film, too: where regions differ, the fit of one leaves more than grain.
            grain: baked.iter().map(|b| f64::from(b.grain.strength) / 255.0).reduce(f64::min).unwrap_or(0.0),
            ceiling,
            encoding: self.full.encoding,
            roi: self.roi.clone(),
            fingerprint: self.fingerprint.clone(),
            settings: self.job.settings.record.clone(),
            engines: self.engines.used(),
            corrections: Corrections::default(),
            quality: quality.to_vec(),
        }
    }
}
