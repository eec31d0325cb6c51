//! Mending a finished analysis where the user knows better: only the frames concerned are solved again.

use super::bake::{self, Layers};
use super::engines::Engines;
use super::frames::{self, FullSize};
use super::masks::{Masks, Source};
use super::work::WorkFolder;
use super::{Report, Stages, reopen};
use crate::atlas::{Analysis, Header, Layer, Quality};
use crate::clip::{self, Footage, Spool};
use crate::correction::{self, Corrections};
use crate::error::{Error, Result};
use crate::flow::Dis;
use crate::frame::{Image, Scale};
use crate::light::finer;
use crate::mask::{Told, Visibility};
use crate::param::AnalysisSettings;
use crate::progress::Progress;
use crate::store::{self, Grid, OpenAtlas};
use crate::track::{Inverses, Key, Retracked, Solution, Tracker, median};
use std::path::PathBuf;

/// Confidence that a frame has at least in which the user said where the surface is.
const TOLD: f32 = 0.5;

/// An analysis to be mended.
#[derive(Debug, Clone)]
pub struct Mending {
    /// The analysis; it stays as it is.
    pub analysis: PathBuf,
    /// The clip it was made from.
    pub clip: PathBuf,
    /// What is to be mended.
    pub corrections: Corrections,
    /// The `.rna` to write. An existing file is not overwritten.
    pub output: PathBuf,
}

/// Honours the user's corrections: follows the surface anew from each key until it is where it was found before, and
/// cuts those frames and all drawn or painted ones again. Everything else is taken over as it is, atlas included.
///
/// Fails when the analysis or the clip cannot be read or do not belong together, on corrections that cannot be (see
/// [`Corrections::fitted_to`]), when the output exists or cannot be written, and with [`Error::Cancelled`].
pub fn correct(mending: &Mending, progress: &Progress) -> Result<Report> {
    if mending.output.exists() {
        return Err(Error::store(
            &mending.output,
            "it is there already, and is never overwritten; name another",
        ));
    }
    let analysis = store::open(&mending.analysis)?;
    let clip = clip::open(&mending.clip)?;
    store::check_clip(analysis.header(), clip.as_ref())?;
    let header = analysis.header();
    let size = (header.size[0], header.size[1]);
    let corrections = mending.corrections.clone().fitted_to(&header.roi, size, header.frames)?;
    if corrections.is_empty() {
        return Err(Error::Correction("there are none; nothing would change".into()));
    }
    let settings = AnalysisSettings::from_values(&header.settings)?;
    let engines = Engines::choose(&settings, progress)?;
    let key = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"), "clip": header.fingerprint, "corrects": mending.analysis,
    });
    let work = WorkFolder::open(&mending.output, &key.to_string())?;
    let full = FullSize { clip: clip.as_ref(), encoding: header.encoding };
    let stages = Stages::new(progress);
    Workshop { mending, analysis: &analysis, corrections, full, engines, work, stages }.run()
}

/// One mending under way.
struct Workshop<'a> {
    mending: &'a Mending,
    analysis: &'a OpenAtlas,
    /// In the clip's own pixels.
    corrections: Corrections,
    full: FullSize<'a>,
    engines: Engines,
    work: WorkFolder,
    stages: Stages<'a>,
}

/// One region solved anew.
struct Mended {
    solution: Solution,
    inverses: Inverses,
    /// Frames with another map, another mask or both, in order.
    frames: Vec<usize>,
    /// Those with another map.
    moved: Vec<usize>,
    masks: Masks,
    quality: Vec<Quality>,
}

impl Workshop<'_> {
    fn run(self) -> Result<Report> {
        let header = self.analysis.header();
        let working = (header.working_size[0], header.working_size[1]);
        let spool = self.stages.run("frames", self.full.len(), |progress| {
            frames::spool(&self.full, working, &self.work.file("frames"), progress)
        })?;
        let mut mended = Vec::new();
        for region in 0..self.analysis.surfaces().len() {
            mended.push(self.mend(region, &spool)?);
        }
        let header = self.header(&mended);
        self.write(&header, &mended)?;
        let quality = header.quality;
        let doubtful = (0..header.frames).filter(|&t| quality.iter().any(|q| q[t].is_doubtful())).collect();
        self.work.remove()?;
        Ok(Report { output: self.mending.output.clone(), stages: self.stages.times.into_inner(), doubtful })
    }

    /// `None` where nothing is said of the region.
    fn mend(&self, region: usize, spool: &Spool) -> Result<Option<Mended>> {
        let of_region = self.corrections.keys.iter().filter(|k| k.region == region);
        if of_region.clone().count() == 0 && self.corrections.rotos.is_empty() {
            return Ok(None);
        }
        let (mut solution, retracked, moved) =
            self.stages.run("track", of_region.clone().count(), |progress| {
                let mut solution = reopen::solution(self.analysis, region, spool)?;
                let keys: Vec<Key> = of_region.clone().map(|key| self.on_canvas(key, &solution)).collect();
                let retracked = self.retracked(&solution, &keys, spool, progress)?;
                retracked.maps.keys().for_each(|t| solution.light.set_shadow(*t, None));
                let other = retracked.maps.iter().filter(|(t, map)| **map != solution.maps[**t]);
                let moved: Vec<usize> = other.map(|(t, _)| *t).collect();
                let hidden = |t: usize| {
                    let told = self.corrections.roto(t, spool.size())?;
                    Ok(told.map(|told| told.map(|[shows, said]| said * (1.0 - shows))))
                };
                let reference = self.analysis.header().roi.reference_frame;
                solution.resettle(spool, &retracked, &keys, &hidden, reference, progress)?;
                Ok((solution, retracked, moved))
            })?;
        let inverses = Inverses::of(&solution, spool.size());
        let frames: Vec<usize> = retracked.maps.keys().copied().collect();
        self.stages
            .run("shadows", 1, |progress| solution.find_shadows(spool, &inverses, &frames, progress))?;
        let path = self.work.file(&format!("matte-{region}"));
        let mut quality = self.analysis.header().quality[region].clone();
        let masks = self.stages.run("matte", frames.len(), |progress| {
            let told = |t: usize| Ok(Told { network: None, user: self.corrections.roto(t, spool.size())? });
            let source = Source {
                footage: spool,
                visibility: &Visibility::learn(spool, &solution, &inverses)?,
                told: &told,
                matting: &*self.engines.matting,
            };
            let (masks, anew) = Masks::make(&path, &source, &frames, progress, 0)?;
            frames.iter().zip(anew).for_each(|(&t, q)| quality[t] = q);
            Ok(masks)
        })?;
        bake::confidence(&mut quality, self.analysis.header().roi.reference_frame, &frames, |_| false);
        for t in of_region.map(|k| k.frame).chain(self.corrections.roto_frames()) {
            quality[t].confidence = quality[t].confidence.max(TOLD);
        }
        Ok(Some(Mended { solution, inverses, frames, moved, masks, quality }))
    }

    /// A key in the canvas's and the working size's pixels.
    fn on_canvas(&self, key: &correction::Key, solution: &Solution) -> Key {
        let header = self.analysis.header();
        let full = (header.size[0], header.size[1]);
        let scale = Scale::between(full, (header.working_size[0], header.working_size[1]));
        let coarse = |p: [f64; 2]| scale.to_coarse(p).map(|v| v as f32);
        let pins = key.pins(&header.roi.polygons[key.region]);
        let pins =
            pins.iter().map(|pin| (solution.canvas.to_canvas(coarse(pin.on)), coarse(pin.at))).collect();
        Key { frame: key.frame, pins, within: (key.within / scale.factor[0]) as f32 }
    }

    /// The frames to be solved anew: those that keys change, and those drawn on.
    fn retracked(
        &self,
        solution: &Solution,
        keys: &[Key],
        spool: &Spool,
        progress: &Progress,
    ) -> Result<Retracked> {
        let tracker = Tracker {
            footage: spool,
            canvas: &solution.canvas,
            reference: self.analysis.header().roi.reference_frame,
            flow: &*self.engines.flow,
            fine_flow: &Dis::fine(),
        };
        let mut retracked = tracker.retrack(solution, keys, progress)?;
        for t in self.corrections.roto_frames() {
            retracked.maps.entry(t).or_insert_with(|| solution.maps[t].clone());
            retracked.seen.entry(t).or_insert(solution.trust[t]);
        }
        Ok(retracked)
    }

    fn header(&self, mended: &[Option<Mended>]) -> Header {
        let mut header = self.analysis.header().clone();
        header.made_by = concat!("rna-ofx ", env!("CARGO_PKG_VERSION")).into();
        for (quality, mended) in header.quality.iter_mut().zip(mended) {
            if let Some(mended) = mended {
                quality.clone_from(&mended.quality);
            }
        }
        header.corrections.keys.extend(self.corrections.keys.iter().cloned());
        header.corrections.rotos.extend(self.corrections.rotos.iter().cloned());
        header.corrections.size = self.corrections.size;
        header
    }

    /// As in the analysis, but for light on finer grids where there are shadows now.
    fn grids(&self, mended: &[Option<Mended>]) -> Vec<Grid> {
        let one = |(grid, mended): (&Grid, &Option<Mended>)| {
            let light = mended.as_ref().map_or(grid.light, |m| m.solution.light.stored_grid());
            Grid { light: (grid.light.0.max(light.0), grid.light.1.max(light.1)), ..*grid }
        };
        self.analysis.grids().iter().zip(mended).map(one).collect()
    }

    /// The shares of grain that a frame of a region had.
    fn grain(&self, region: usize, t: usize, nodes: (usize, usize)) -> Result<Image<[f32; 1]>> {
        Ok(finer(&self.analysis.layer(region, t)?.light.map(|l| [l[3]]), nodes))
    }

    /// The shares of grain that a region had in the middle of its frames, for those that were not where they belong.
    fn usual_grain(&self, region: usize, nodes: (usize, usize)) -> Result<Image<[f32; 1]>> {
        let frames = 0..self.analysis.header().frames;
        let shares: Vec<Image<[f32; 1]>> =
            frames.map(|t| self.grain(region, t, nodes)).collect::<Result<_>>()?;
        Ok(Image::from_fn(nodes.0, nodes.1, |x, y| {
            let mut all: Vec<f32> = shares.iter().map(|s| s[(x, y)][0]).collect();
            [median(&mut all).unwrap_or(0.0)]
        }))
    }

    fn write(&self, header: &Header, mended: &[Option<Mended>]) -> Result<()> {
        self.stages.run("bake", header.frames, |progress| {
            let surfaces = self.analysis.surfaces();
            let full = self.full.size();
            let grids = self.grids(mended);
            let usual = |(k, m): (usize, &Option<Mended>)| -> Result<Option<Image<[f32; 1]>>> {
                let moved = m.as_ref().is_some_and(|m| !m.moved.is_empty());
                moved.then(|| self.usual_grain(k, grids[k].light)).transpose()
            };
            let usual: Vec<_> = mended.iter().enumerate().map(usual).collect::<Result<_>>()?;
            let anew = |m: &Mended, k: usize, i: usize, t: usize| -> Result<Layer> {
                let layers = Layers {
                    solution: &m.solution,
                    inverses: &m.inverses,
                    scale: Scale::between(full, m.masks.size()),
                    encoding: header.encoding,
                };
                let grain = match &usual[k] {
                    Some(usual) if m.moved.contains(&t) => usual.clone(),
                    _ => self.grain(k, t, grids[k].light)?,
                };
                Ok(layers.layer(t, grids[k], m.masks.read(i)?, &grain))
            };
            let output = &self.mending.output;
            let mut writer = store::Writer::create_in(self.work.path(), output, header, surfaces, &grids)?;
            for t in 0..header.frames {
                for (k, m) in mended.iter().enumerate() {
                    let found = m.as_ref().and_then(|m| Some((m, m.frames.binary_search(&t).ok()?)));
                    match found {
                        Some((m, i)) => writer.layer(k, t, &anew(m, k, i, t)?)?,
                        None => {
                            let kept = self.analysis.layer(k, t)?;
                            let light = finer(&kept.light, grids[k].light);
                            writer.layer(k, t, &Layer { light, ..(*kept).clone() })?;
                        }
                    }
                }
                progress.step(t + 1)?;
            }
            writer.finish()
        })
    }
}
