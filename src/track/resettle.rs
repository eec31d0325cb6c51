//! Solving some frames anew against an atlas that stays: their light and their maps, while all others are left alone.

use super::align::{Pin, Template, align_pinned};
use super::appearance::Solution;
use super::canvas::Map;
use super::gaps::ANCHORS;
use super::keys::{Key, Retracked};
use super::predict::{Inverses, MID_EXPOSURE};
use super::refine::{HELD_BACK, trust};
use super::stiffness::polish;
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, bilinear};
use crate::light::{Frames, Light, Samples};
use crate::progress::Progress;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Frames on either side of those solved anew whose light holds theirs in place.
const AROUND: usize = 6;
/// Times light is fitted and frames are aligned in it.
const ROUNDS: usize = 2;

/// Share of each working-size pixel of a frame that the user says is not the surface; `None` where nothing is said.
pub type Hidden<'a> = dyn Fn(usize) -> Result<Option<Image<f32>>> + Sync + 'a;

impl Solution {
    /// Takes over the maps found from keys and fits those frames, light and map in turn, to the atlas as it is.
    ///
    /// Frames of `retracked` count as seen as it says; what is `hidden` says nothing about where the surface is.
    pub fn resettle(
        &mut self,
        footage: &dyn Footage,
        retracked: &Retracked,
        keys: &[Key],
        hidden: &Hidden,
        reference: usize,
        progress: &Progress,
    ) -> Result<()> {
        // The reference frame's map and light are what all others count from.
        let frames: Vec<usize> = retracked.maps.keys().copied().filter(|t| *t != reference).collect();
        for (t, map) in retracked.maps.iter().filter(|(t, _)| **t != reference) {
            self.maps[*t] = map.clone();
            self.trust[*t] = trust(retracked.seen.get(t).copied().unwrap_or(0.0));
        }
        if frames.is_empty() {
            return Ok(());
        }
        self.find_stiffness(footage)?;
        for round in 0..ROUNDS {
            self.relight(footage, &frames)?;
            let inverses = (self.shutter > 0.0).then(|| Inverses::of(self, footage.size()));
            let aligned: Vec<Map> = frames
                .par_iter()
                .map(|&t| {
                    progress.check()?;
                    let template = self.template_through(inverses.as_ref(), t, self.shutter);
                    self.settled(footage, (t, template), retracked, keys, hidden)
                })
                .collect::<Result<_>>()?;
            frames.iter().zip(aligned).for_each(|(&t, map)| self.maps[t] = map);
            if round + 1 == ROUNDS {
                self.relight(footage, &frames)?;
            }
        }
        let seen = |t: &usize| retracked.seen.get(t).is_some_and(|s| *s >= ANCHORS);
        let placed: Vec<usize> = frames.into_iter().filter(seen).collect();
        self.exposed(footage.size(), &placed, keys);
        Ok(())
    }

    /// One frame's map, aligned with the atlas and with what the user said of it.
    fn settled(
        &self,
        footage: &dyn Footage,
        (t, mut template): (usize, Template),
        retracked: &Retracked,
        keys: &[Key],
        hidden: &Hidden,
    ) -> Result<Map> {
        let map = &self.maps[t];
        if let Some(hidden) = hidden(t)? {
            let positions = self.canvas.positions(map);
            template.weight = template.weight.zip(&positions, |k, p| k * (1.0 - bilinear(&hidden, p)));
        }
        let well_seen = retracked.seen.get(&t).is_some_and(|s| *s >= ANCHORS);
        let options = if well_seen { polish(self.stiffness) } else { HELD_BACK };
        let frame = footage.levels(t)?;
        let with = |pins: &[Pin]| align_pinned(&self.canvas, &frame, &template, pins, (map, map), &options);
        let found = match keys.iter().find(|k| k.frame == t) {
            Some(key) => key.aligned(&self.canvas, with),
            None => with(&[]),
        };
        Ok(found.map)
    }

    /// Fits the light of `frames` (in order), held by that of the frames around them.
    fn relight(&mut self, footage: &dyn Footage, frames: &[usize]) -> Result<()> {
        for run in runs(frames, AROUND) {
            let first = run[0].saturating_sub(AROUND);
            let last = (run[run.len() - 1] + AROUND).min(self.maps.len() - 1);
            let window: Vec<usize> = (first..=last).collect();
            let (points, atlas) = self.sampled();
            let read = |&t: &usize| match run.binary_search(&t) {
                Ok(_) => self.see(footage, t, &points),
                // What the light found there makes of the atlas, believed by what the frame showed of it.
                Err(_) => Ok(points
                    .iter()
                    .zip(&atlas)
                    .map(|(p, a)| {
                        let g = self.light.at(t, *p);
                        [a[0] * g[0], a[1] * g[1], a[2] * g[2], self.trust[t]]
                    })
                    .collect()),
            };
            let seen = window.par_iter().map(read).collect::<Result<Vec<_>>>()?;
            let nodes = window.iter().map(|&t| self.light.nodes(t).clone()).collect();
            let mut light = Light::from_nodes(self.canvas.size(), nodes);
            light.solve(&Samples { points, atlas, frames: seen }, Frames::Vouched, 4, 6.0);
            for &t in &run {
                self.light.set_nodes(t, light.nodes(t - first).clone());
            }
        }
        Ok(())
    }

    /// From the middles of the exposures of `frames`, which alignment finds, to the frames' own times. Frames that show
    /// too little to be aligned are not among them, nor are exact keys moved.
    fn exposed(&mut self, frame: (usize, usize), frames: &[usize], keys: &[Key]) {
        let exact = |t: usize| keys.iter().any(|k| k.frame == t && k.within == 0.0);
        if self.shutter == 0.0 {
            return;
        }
        let inverses = Inverses::of(self, frame);
        let late = MID_EXPOSURE * self.shutter;
        let one = |&t: &usize| -> Option<(usize, Map)> {
            if exact(t) {
                return None;
            }
            let off = |p| inverses.motion(t, p).map(|v| -late * self.exposure(t) * v);
            Some((t, self.canvas.moved(&self.maps[t], off)?))
        };
        let moved: BTreeMap<usize, Map> = frames.par_iter().filter_map(one).collect();
        moved.into_iter().for_each(|(t, map)| self.maps[t] = map);
    }
}

/// Frames in order, parted where more than `gap` lie between two.
fn runs(frames: &[usize], gap: usize) -> Vec<Vec<usize>> {
    frames.chunk_by(|a, b| b - a <= gap).map(<[usize]>::to_vec).collect()
}
