//! The points of a fit from nothing: every pixel of the clip, with the paper's aggregated flow.

use super::samples::{Sample, SamplesWriter};
use crate::clip::Footage;
use crate::error::Result;
use crate::flow::OpticalFlow;
use crate::flow::aggregate::{Aggregation, Aggregator, Appearance, Pairs, Sequence, region_mask};
use crate::frame::{Image, Vec2};

/// A frame whose adjacent flows are not all there yet.
struct Pending {
    frame: usize,
    pairs: Pairs,
    next: Option<Image<Vec2>>,
    previous: Option<Image<Vec2>>,
}

impl Pending {
    fn toward(&mut self, neighbour: usize) -> &mut Option<Image<Vec2>> {
        if neighbour > self.frame { &mut self.next } else { &mut self.previous }
    }
}

/// Regions that learn from the same flow: each one's coverage of the reference frame and where its points are written.
pub struct Learner<'a> {
    /// 0…1, of the frames' size.
    pub coverage: Image<f32>,
    /// The points.
    pub writer: &'a mut SamplesWriter,
}

/// Measures flow and writes every pixel of every frame for each region. `step` is told how many frames are measured;
/// its error ends the work.
pub fn collect_flow(
    footage: &dyn Footage,
    reference: usize,
    (flow, appearance): (&dyn OpticalFlow, &dyn Appearance),
    learners: &mut [Learner],
    step: &(dyn Fn(usize) -> Result<()> + Sync),
    check: &(dyn Fn() -> Result<()> + Sync),
) -> Result<()> {
    let aggregator = Aggregator { flow, appearance, settings: Aggregation::default(), check };
    let levels = |t: usize| footage.levels(t);
    let clip = Sequence { frames: footage.len(), reference, levels: &levels };
    let mut pending: Vec<Pending> = Vec::new();
    let mut done = 0;
    aggregator.run(&clip, &mut |frame, mut pairs| {
        let mut new =
            Pending { frame, next: None, previous: None, pairs: Pairs { adjacent: None, ..pairs.clone() } };
        if let Some(adjacent) = pairs.adjacent.take() {
            *new.toward(adjacent.neighbour) = Some(adjacent.inward);
            let inner = pending.iter().position(|p| p.frame == adjacent.neighbour);
            if let Some(k) = inner {
                *pending[k].toward(frame) = Some(adjacent.outward);
                // The reference has another side still to come.
                if adjacent.neighbour != reference {
                    write(footage, &pending.remove(k), learners)?;
                }
            }
        }
        pending.push(new);
        done += 1;
        step(done)
    })?;
    pending.iter().try_for_each(|p| write(footage, p, learners))
}

fn write(footage: &dyn Footage, frame: &Pending, learners: &mut [Learner]) -> Result<()> {
    let picture = footage.levels(frame.frame)?;
    let known = |flow: &Image<Vec2>, at: (usize, usize)| Some(flow[at]).filter(|v| v[0].is_finite());
    for learner in learners {
        let initial = region_mask(&frame.pairs, &learner.coverage)?;
        let sample = |at: (usize, usize)| Sample {
            frame: frame.frame,
            at: [at.0 as u16, at.1 as u16],
            colour: picture[at],
            to: [
                known(&frame.pairs.to_reference, at),
                frame.next.as_ref().and_then(|f| known(f, at)),
                frame.previous.as_ref().and_then(|f| known(f, at)),
            ],
            initial: initial[at],
        };
        let (w, h) = picture.size();
        let all = (0..h).flat_map(|y| (0..w).map(move |x| (x, y)));
        learner.writer.push(frame.frame, all.map(sample))?;
    }
    Ok(())
}
