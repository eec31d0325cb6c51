//! The neural presets: from points of the clip to networks to the same solution the direct solver ends in.

use super::masks::Masks;
use super::{Analysis, Fit};
use crate::clip::{Footage, Spool};
use crate::error::{Error, Result};
use crate::fit::{
    Chosen, Config, Fitted, Index, Learner, Networks, Prior, Probe, Region, Samples, SamplesWriter, Solved,
    Source, Space, Trainer, collect, collect_flow, open,
};
use crate::frame::{Image, Rect, Scale, bilinear_or};
use crate::track::{Canvas, Correspondences, Inverse, Inverses, Map, Solution};
use std::path::PathBuf;

/// Frame pixels around what shows the region that M is still asked about.
const AROUND: i32 = 2;

/// One region's fit: what it learns from and where it starts.
struct Lesson<'a> {
    canvas: &'a Canvas,
    space: Space,
    samples: Samples,
    prior: Option<&'a dyn Prior>,
    config: Config,
    /// Number of the region.
    region: usize,
}

impl Analysis<'_> {
    /// Fits networks that start from the direct solver's solution.
    pub(super) fn neural(&self, spool: &Spool) -> Result<Fit> {
        let chosen = self.device()?;
        let direct = self.direct(spool)?;
        let inverses = self.inverses(&direct);
        let (masks, _) = self.mattes("masks", spool, &direct, &inverses)?;
        let count = direct.solutions.len();
        let indices: Vec<Index> = self.kept_stage("points", spool.len() * count, |a| {
            let region = |k: usize| {
                let visible = |t: usize| masks[k].read(t).map(|m| m.map(|v| f32::from(*v) / 255.0));
                let found = Correspondences {
                    solution: &direct.solutions[k],
                    inverses: &inverses[k],
                    visible: &visible,
                    frame: a.size,
                    stride: 1,
                };
                let mut writer = SamplesWriter::create(&a.points(k))?;
                collect(spool, &found, &mut writer, |done| a.progress.step(k * spool.len() + done))?;
                writer.finish()
            };
            (0..count).map(region).collect()
        })?;
        let config = Config::neural();
        let solutions = self.kept_stage("fit", Trainer::steps(&config) * count, |a| {
            let region = |k: usize| {
                let base = &direct.solutions[k];
                let solved = Solved { solution: base, inverses: &inverses[k] };
                let mut space = Space::new(a.size, spool.len());
                space.atlas = space.window(base.canvas.bounds);
                space.picture = space.window(a.reach(&base.canvas, &inverses[k], spool.len()));
                let samples = Samples::open(&a.points(k), indices[k].clone())?;
                let prior: Option<&dyn Prior> = Some(&solved);
                let lesson =
                    Lesson { canvas: &base.canvas, space, samples, prior, config: config.clone(), region: k };
                let networks = a.train(spool, &lesson, &chosen)?;
                let fitted = a.fitted(&lesson, &networks, &chosen, spool);
                let maps = (0..spool.len()).map(|t| fitted.corrected(&base.canvas, &base.maps[t], t));
                let maps = maps.collect::<Result<Vec<Map>>>()?;
                // Not A's own picture: between the pixels of the few frames that see it, it is free to be anything.
                let (_, light) = fitted.appearance(&base.canvas, a.roi.reference_frame, Some(&base.light))?;
                let mut solution = Solution { maps, light, ..base.clone() };
                a.write_masks(&fitted, &solution, k)?;
                let shown = a.shown(k, spool.len())?;
                let visible = |t: usize| shown.read(t).map(|m| m.map(|v| f32::from(*v) / 255.0));
                let sharpenings = a.effort.sharpenings;
                solution.paint(spool, a.roi.reference_frame, Some(&visible), sharpenings, || {
                    a.progress.check()
                })?;
                Ok(solution)
            };
            (0..count).map(region).collect::<Result<Vec<_>>>()
        })?;
        let shown = (0..count).map(|k| self.shown(k, spool.len())).collect::<Result<_>>()?;
        Ok(Fit { solutions, bridged: direct.bridged.clone(), shown: Some(shown) })
    }

    /// Fits networks from nothing, as the paper does.
    pub(super) fn paper(&self, spool: &Spool) -> Result<Fit> {
        let chosen = self.device()?;
        let scale = Scale::between(self.full.size(), self.size);
        let outlines =
            self.roi.polygons.iter().map(|p| p.iter().map(|c| scale.to_coarse(*c)).collect::<Vec<_>>());
        let canvases = outlines.map(|o| Canvas::new(&o, self.size)).collect::<Result<Vec<Canvas>>>()?;
        let indices = self.flow(spool, &canvases)?;
        let config = Config::paper();
        let solutions = self.kept_stage("fit", Trainer::steps(&config) * canvases.len(), |a| {
            let region = |(k, canvas): (usize, &Canvas)| {
                let samples = Samples::open(&a.points(k), indices[k].clone())?;
                let space = Space::new(a.size, spool.len());
                let lesson =
                    Lesson { canvas, space, samples, prior: None, config: config.clone(), region: k };
                let networks = a.train(spool, &lesson, &chosen)?;
                let fitted = a.fitted(&lesson, &networks, &chosen, spool);
                let mut solution = Solution::flat(canvas, spool, a.roi.reference_frame)?;
                for t in 0..spool.len() {
                    match fitted.mapped(canvas, t)? {
                        Some(map) => solution.maps[t] = map,
                        None => solution.trust[t] = 0.0,
                    }
                }
                let (atlas, light) = fitted.appearance(canvas, a.roi.reference_frame, None)?;
                let solution = Solution { atlas, light, ..solution };
                a.write_masks(&fitted, &solution, k)?;
                Ok(solution)
            };
            canvases.iter().enumerate().map(region).collect::<Result<Vec<_>>>()
        })?;
        let bridged = solutions.iter().map(|s| s.trust.iter().map(|t| *t == 0.0).collect()).collect();
        let shown = (0..canvases.len()).map(|k| self.shown(k, spool.len())).collect::<Result<_>>()?;
        Ok(Fit { solutions, bridged, shown: Some(shown) })
    }

    /// Every pixel of the clip with the paper's aggregated flow, for each region.
    fn flow(&self, spool: &Spool, canvases: &[Canvas]) -> Result<Vec<Index>> {
        self.kept_stage("flow", spool.len(), |a| {
            let writers = (0..canvases.len()).map(|k| SamplesWriter::create(&a.points(k)));
            let mut writers = writers.collect::<Result<Vec<_>>>()?;
            let coverage = |canvas: &Canvas| {
                let Rect { x0, y0, .. } = canvas.bounds;
                let at = |x: usize, y: usize| [x as f32 - x0 as f32, y as f32 - y0 as f32];
                Image::from_fn(a.size.0, a.size.1, |x, y| bilinear_or(&canvas.coverage, at(x, y), 0.0))
            };
            let learner = |(canvas, writer)| Learner { coverage: coverage(canvas), writer };
            let mut learners: Vec<Learner> = canvases.iter().zip(&mut writers).map(learner).collect();
            let (step, check) = (|done| a.progress.step(done), || a.progress.check());
            let reference = a.roi.reference_frame;
            collect_flow(
                spool,
                reference,
                (&*a.engines.flow, &*a.engines.looks),
                &mut learners,
                &step,
                &check,
            )?;
            drop(learners);
            writers.into_iter().map(SamplesWriter::finish).collect()
        })
    }

    fn points(&self, region: usize) -> PathBuf {
        self.work.file(&format!("points-{region}"))
    }

    /// The device asked for, named to the user.
    fn device(&self) -> Result<Chosen> {
        let chosen = open(self.job.settings.device)?;
        self.progress.note(format!("device: {}", chosen.name));
        Ok(chosen)
    }

    /// The part of all frames that may see the canvas.
    fn reach(&self, canvas: &Canvas, inverses: &Inverses, frames: usize) -> Rect {
        let parts = (0..frames).filter_map(|t| inverses.get(t)).map(|i| i.reach(canvas, self.size));
        let parts = parts.filter(|r| !r.is_empty());
        parts.reduce(|a, b| a.union(&b)).unwrap_or(canvas.bounds)
    }

    fn train(&self, spool: &Spool, lesson: &Lesson, chosen: &Chosen) -> Result<Networks> {
        if lesson.samples.is_empty() {
            return Err(Error::Roi("no frame shows it; there is nothing to learn from".into()));
        }
        let Lesson { canvas, space, samples, prior, config, region } = lesson;
        let source = Source {
            samples,
            space: *space,
            reference: self.roi.reference_frame,
            coverage: &canvas.coverage,
            bounds: canvas.bounds,
            size: self.size,
            prior: *prior,
        };
        let frame = spool.levels(self.roi.reference_frame)?;
        let probe = Probe::new(&source, &frame, &chosen.plain);
        let on_atlas = Region::new(&canvas.coverage, canvas.bounds, &chosen.device);
        let trainer = Trainer {
            source,
            config,
            probe: &probe,
            region: &on_atlas,
            device: &chosen.device,
            checkpoint: &self.work.file(&format!("state-{region}")),
            progress: self.progress,
            done_before: region * Trainer::steps(config),
        };
        trainer.run()
    }

    fn fitted<'a>(
        &self,
        lesson: &Lesson,
        networks: &'a Networks,
        device: &'a Chosen,
        spool: &Spool,
    ) -> Fitted<'a> {
        Fitted { networks, space: lesson.space, device: &device.plain, size: self.size, frames: spool.len() }
    }

    /// M of all frames, over the part that may see the canvas.
    fn write_masks(&self, fitted: &Fitted, solution: &Solution, region: usize) -> Result<()> {
        let one = |t: usize| {
            let mut mask = Image::new(self.size.0, self.size.1, 0u8);
            let inverse = Inverse::of(&solution.canvas, &solution.maps[t], self.size);
            let part = inverse.map(|i| i.reach(&solution.canvas, self.size).grow(AROUND));
            let whole = Rect::new(0, 0, self.size.0 as i32, self.size.1 as i32);
            if let Some(part) = part.map(|p| p.intersect(&whole)).filter(|p| !p.is_empty()) {
                let m = fitted.mask(t, part)?;
                for y in 0..m.height() {
                    for (x, v) in m.row(y).iter().enumerate() {
                        mask[(x + part.x0 as usize, y + part.y0 as usize)] = (v * 255.0).round() as u8;
                    }
                }
            }
            Ok(mask)
        };
        Masks::write(&self.work.file(&format!("shown-{region}")), fitted.frames, one)
    }

    fn shown(&self, region: usize, frames: usize) -> Result<Masks> {
        let gone = || Error::clip(&self.job.clip, "what was kept from an earlier run is gone; run it again");
        Masks::open(&self.work.file(&format!("shown-{region}")), self.size, frames).ok_or_else(gone)
    }
}
