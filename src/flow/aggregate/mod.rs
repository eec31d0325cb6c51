//! Aggregated correspondences: where every pixel of every frame lies on the reference frame, by flow alone.
//!
//! A flow measured straight from a far frame to the reference fails, and a chain of flows between neighbours adds up
//! their errors and breaks at the first occluder. So each frame *t*, outward from the reference frame *r*, asks several
//! nearer frames *t′*: the flow f(t→t′) followed by what is known of t′ already, F(t′→r). A candidate vector is
//! rejected where it does not return to its start or its two ends do not look alike; the mean of the survivors is
//! F(t→r), and a pixel without survivors has no correspondence. That is section S1 of the supplement of *RNA*, whose
//! authors tell looks by features of a vision transformer; see [`Appearance`].
//!
//! One test more than the paper's: a candidate must look alike at its end on the reference frame too
//! ([`Thresholds::landing`]).
//!
//! The built-in looks were chosen on clips whose answer is known, by the vectors they keep after the round trip, in %
//! of the right ones (to 2 px) and of the wrong: near frames, threshold 0.80: 99 and 92; 0.90: 97 and 83; 0.95: 93 and
//! 72; direct, 0.85: 96 and 82; 0.95: 70 and 52. Strict ones pay in holes that spread from frame to frame. The table:
//! `cargo bench --bench flow_aggregate`
//!
//! This teaches a fit where things are; it does not place paint. For that, `track` solves for a smooth map.

mod appearance;
mod candidate;
mod surroundings;

pub use appearance::{Appearance, Features, Lattice, Thresholds};
pub use surroundings::Surroundings;

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;

use super::OpticalFlow;
use crate::error::{Error, Result};
use crate::frame::{Image, Rgba, Vec2, bilinear_or};
use candidate::{Limits, Measured, composed, keep_alike, known, mean};

/// How candidates are chosen and rejected. What looks alike is said by [`Appearance::thresholds`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aggregation {
    /// Nearest frames toward the reference that are asked, t′ = t∓1 … t∓k (paper: k with at most 7 candidates in all;
    /// the authors' code: intervals 1 to 9). At least 1; time and memory are proportional to it.
    pub neighbours: usize,
    /// Whether a frame farther from the reference than `neighbours` also asks the reference directly (paper: yes).
    pub direct: bool,
    /// Largest forward-backward error of a candidate's vector, in pixels (paper: 5). With [`Dis`](super::Dis), 2 gives
    /// fewer outliers: where an occluder crosses, the 95th percentile of the error fell from 9 to 6 px.
    pub cycle: f32,
    /// Largest forward-backward error of the adjacent flows in [`Pairs::adjacent`], in pixels (the authors' code: 1).
    pub adjacent_cycle: f32,
}

impl Default for Aggregation {
    fn default() -> Self {
        Self { neighbours: 9, direct: true, cycle: 5.0, adjacent_cycle: 1.0 }
    }
}

/// The clip, as far as aggregation looks at it.
pub struct Sequence<'a> {
    /// Number of frames.
    pub frames: usize,
    /// The frame everything is led to, from 0.
    pub reference: usize,
    /// One frame in levels (0…255, display-encoded, alpha unused), all of one size. Each is asked for once.
    pub levels: &'a (dyn Fn(usize) -> Result<Image<Rgba>> + Sync),
}

/// What was found for one frame *t*: displacements in pixels, both coordinates NaN where there is no correspondence.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// F(t→r): the point at `p` in frame t is at `p + to_reference(p)` in the reference frame. Zero on the reference
    /// frame itself.
    pub to_reference: Image<Vec2>,
    /// The flows between t and its neighbour toward the reference; none on the reference frame itself. Over all frames
    /// of the sequence these are the adjacent flows of the clip, each once.
    pub adjacent: Option<Adjacent>,
}

/// Flow between frame t and the next frame toward the reference, valid where its round trip misses by no more than
/// [`Aggregation::adjacent_cycle`] and both ends look alike; NaN elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjacent {
    /// The neighbour's number: t−1 after the reference, t+1 before it.
    pub neighbour: usize,
    /// f(t→neighbour), on the pixels of t.
    pub inward: Image<Vec2>,
    /// f(neighbour→t), on the pixels of the neighbour.
    pub outward: Image<Vec2>,
}

impl Pairs {
    /// Position on the reference frame of the pixel in column x, row y, where it has one. Not necessarily on its
    /// picture's pixels: up to half a pixel outside.
    pub fn position(&self, x: usize, y: usize) -> Option<Vec2> {
        let v = self.to_reference[(x, y)];
        known(v).then(|| [x as f32 + v[0], y as f32 + v[1]])
    }

    /// Share of the frame's pixels that have a correspondence, 0…1; 0 for an empty picture.
    pub fn share(&self) -> f32 {
        let all = self.to_reference.pixels();
        all.iter().filter(|v| known(**v)).count() as f32 / all.len().max(1) as f32
    }
}

/// The initial mask of a frame: the region's coverage of the reference frame (0…1, of the frames' size) pulled back
/// through F(t→r), 0 where there is no correspondence.
///
/// # Errors
/// [`Error::Mismatch`] if the coverage is not of the frames' size.
pub fn region_mask(pairs: &Pairs, region_coverage: &Image<f32>) -> Result<Image<f32>> {
    let ((w, h), (a, b)) = (pairs.to_reference.size(), region_coverage.size());
    if (w, h) != (a, b) {
        return Err(Error::Mismatch(format!(
            "a region drawn on {a}×{b} pixels and correspondences of {w}×{h}: both must have the frames' size"
        )));
    }
    Ok(Image::from_rows(w, h, 0.0, |y, row| {
        for (x, out) in row.iter_mut().enumerate() {
            *out = pairs.position(x, y).map_or(0.0, |q| bilinear_or(region_coverage, q, 0.0));
        }
    }))
}

/// Measures aggregated correspondences.
pub struct Aggregator<'a> {
    /// The engine that measures flow.
    pub flow: &'a dyn OpticalFlow,
    /// What tells whether two points look alike.
    pub appearance: &'a dyn Appearance,
    /// Candidates and their limits.
    pub settings: Aggregation,
    /// Asked before each candidate; its error ends the work, which is how a caller cancels.
    pub check: &'a (dyn Fn() -> Result<()> + Sync),
}

/// What is kept of a frame for the frames beyond it.
struct Reached {
    index: usize,
    frame: Image<Rgba>,
    features: Features,
    to_reference: Image<Vec2>,
}

/// What one asked frame contributes.
struct Candidate {
    to_reference: Image<Vec2>,
    adjacent: Option<Adjacent>,
}

impl Aggregator<'_> {
    /// Every frame's correspondences, handed to `sink` as (frame, pairs) outward from the reference: the reference
    /// itself, the frames after it, then those before it. Only the last [`Aggregation::neighbours`] frames are kept.
    ///
    /// The same bytes come out whatever the number of threads, if the engine keeps to that.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting is out of its range or the reference is not a frame of the sequence,
    /// [`Error::Mismatch`] if frames, flows or features differ in size, and what frames, engine, appearance, `check`
    /// and `sink` return.
    pub fn run(&self, clip: &Sequence, sink: &mut dyn FnMut(usize, Pairs) -> Result<()>) -> Result<()> {
        self.check_settings(clip)?;
        let reference = clip.reference;
        let (frame, features) = self.look(clip, reference, None)?;
        let (w, h) = frame.size();
        let zero = Image::new(w, h, [0.0; 2]);
        sink(reference, Pairs { to_reference: zero.clone(), adjacent: None })?;
        let reached = Arc::new(Reached { index: reference, frame, features, to_reference: zero });
        let after: Vec<usize> = (reference + 1..clip.frames).collect();
        let before: Vec<usize> = (0..reference).rev().collect();
        for side in [after, before] {
            self.outward(clip, &reached, &side, sink)?;
        }
        Ok(())
    }

    /// The frames of one side, nearest first.
    fn outward(
        &self,
        clip: &Sequence,
        reference: &Arc<Reached>,
        side: &[usize],
        sink: &mut dyn FnMut(usize, Pairs) -> Result<()>,
    ) -> Result<()> {
        let mut near = VecDeque::from([Arc::clone(reference)]);
        for &index in side {
            let (frame, features) = self.look(clip, index, Some(reference.frame.size()))?;
            let mut asked: Vec<&Reached> = near.iter().map(|f| &**f).collect();
            if self.settings.direct && !asked.iter().any(|f| f.index == reference.index) {
                asked.push(&**reference);
            }
            let (to_reference, adjacent) = self.aggregated(&frame, &features, &asked, reference)?;
            near.push_front(Arc::new(Reached { index, frame, features, to_reference: to_reference.clone() }));
            near.truncate(self.settings.neighbours);
            sink(index, Pairs { to_reference, adjacent })?;
        }
        Ok(())
    }

    /// F(t→r) of a frame from the frames it asks, nearest first, and its flows to and from the nearest.
    fn aggregated(
        &self,
        frame: &Image<Rgba>,
        features: &Features,
        asked: &[&Reached],
        reference: &Reached,
    ) -> Result<(Image<Vec2>, Option<Adjacent>)> {
        let found: Result<Vec<Candidate>> = asked
            .par_iter()
            .enumerate()
            .map(|(i, other)| {
                (self.check)()?;
                // Only the reference is asked beyond the neighbours.
                let afar = i >= self.settings.neighbours;
                let mut candidate = self.candidate(frame, features, other, i == 0, afar)?;
                let landing = self.appearance.thresholds().landing;
                keep_alike(&mut candidate.to_reference, features, &reference.features, landing);
                Ok(candidate)
            })
            .collect();
        let mut adjacent = None;
        let led: Vec<Image<Vec2>> = found?
            .into_iter()
            .map(|c| {
                adjacent = adjacent.take().or(c.adjacent);
                c.to_reference
            })
            .collect();
        Ok((mean(frame.size(), &led), adjacent))
    }

    /// What one asked frame contributes; `nearest` gives the adjacent flows too, `afar` is the direct flow to the
    /// reference.
    fn candidate(
        &self,
        frame: &Image<Rgba>,
        features: &Features,
        other: &Reached,
        nearest: bool,
        afar: bool,
    ) -> Result<Candidate> {
        let (forward, backward) = &self.measure(frame, &other.frame)?;
        let measured = Measured { forward, backward, from: features, to: &other.features };
        let thresholds = self.appearance.thresholds();
        let similarity = if afar { thresholds.direct } else { thresholds.neighbour };
        let believed = measured.believed(Limits { cycle: self.settings.cycle, similarity })?;
        let limits = Limits { cycle: self.settings.adjacent_cycle, similarity: thresholds.neighbour };
        let adjacent = || -> Result<Adjacent> {
            Ok(Adjacent {
                neighbour: other.index,
                inward: measured.believed(limits)?,
                outward: measured.reversed().believed(limits)?,
            })
        };
        let adjacent = if nearest { Some(adjacent()?) } else { None };
        Ok(Candidate { to_reference: composed(&believed, &other.to_reference), adjacent })
    }

    /// The engine's flow both ways, of the pictures' size.
    fn measure(&self, a: &Image<Rgba>, b: &Image<Rgba>) -> Result<(Image<Vec2>, Image<Vec2>)> {
        let (there, back) = self.flow.both_ways(a, b)?;
        if let Some(flow) = [&there, &back].into_iter().find(|f| f.size() != a.size()) {
            let ((a, b), (w, h)) = (flow.size(), a.size());
            return Err(Error::Mismatch(format!(
                "the flow engine returned {a}×{b} vectors for pictures of {w}×{h} pixels"
            )));
        }
        Ok((there, back))
    }

    /// A frame and its features, its size checked.
    fn look(
        &self,
        clip: &Sequence,
        index: usize,
        size: Option<(usize, usize)>,
    ) -> Result<(Image<Rgba>, Features)> {
        (self.check)()?;
        let frame = (clip.levels)(index)?;
        let (a, b) = frame.size();
        if let Some((w, h)) = size.filter(|size| *size != (a, b)) {
            return Err(Error::Mismatch(format!(
                "frame {index} is {a}×{b} pixels and the reference frame {w}×{h}: all frames must have one size"
            )));
        }
        let features = self.appearance.features(&frame)?;
        Ok((frame, features))
    }

    /// Whether every setting has a usable value.
    fn check_settings(&self, clip: &Sequence) -> Result<()> {
        let s = &self.settings;
        if s.neighbours == 0 {
            return Err(Error::setting("neighbours", "must be at least 1"));
        }
        if !(s.cycle >= 0.0 && s.adjacent_cycle >= 0.0) {
            return Err(Error::setting("cycle", "this and adjacent_cycle must be 0 pixels or more"));
        }
        if clip.reference >= clip.frames {
            return Err(Error::setting(
                "reference_frame",
                format!("is {}, but there are {} frames, counted from 0", clip.reference, clip.frames),
            ));
        }
        Ok(())
    }
}
