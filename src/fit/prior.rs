//! The direct solver's solution as what a fit starts from, and its points as what a fit learns from.

use super::batch::{Known, Prior};
use super::samples::{Sample, SamplesWriter};
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, Rect, Vec2, bilinear, bilinear_or};
use crate::track::{Correspondence, Correspondences, Inverses, Solution};

/// Validity from which a correspondence is one.
const VALID: f32 = 0.5;

/// A finished solution.
pub struct Solved<'a> {
    /// The solution.
    pub solution: &'a Solution,
    /// The inverses of its maps.
    pub inverses: &'a Inverses,
}

impl Prior for Solved<'_> {
    fn place(&self, frame: usize, p: Vec2) -> Vec2 {
        let canvas = &self.solution.canvas;
        // Where the map cannot be inverted nothing is sampled; any place will do.
        canvas.to_reference(self.inverses.get(frame).map_or([0.0; 2], |i| i.at(p)))
    }

    fn known(&self, frame: usize, p: Vec2) -> Known {
        let Solution { canvas, atlas, known, light, .. } = self.solution;
        let u = canvas.to_canvas(self.place(frame, p));
        Known { colour: bilinear(atlas, u), gain: light.at(frame, u), weight: bilinear_or(known, u, 0.0) }
    }
}

/// Writes the points of all frames that a solution puts on the canvas, with its masks as the initial ones.
pub fn collect(
    footage: &dyn Footage,
    found: &Correspondences,
    writer: &mut SamplesWriter,
    mut step: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    for t in 0..footage.len() {
        if let Some(inverse) = found.inverses.get(t) {
            let canvas = &found.solution.canvas;
            let part = inverse.reach(canvas, footage.size());
            let frame = footage.levels(t)?;
            let mask = (found.visible)(t)?;
            let none: Image<Option<Vec2>> = Image::new(part.width(), part.height(), None);
            let placed = |pairs: Vec<Correspondence>| displacements(&none, part, &pairs);
            let beside = |k: Option<usize>| k.map_or(Ok(Vec::new()), |k| found.to_frame(t, k));
            let to = [
                placed(found.to_reference(t)?),
                placed(beside(Some(t + 1))?),
                placed(beside(t.checked_sub(1))?),
            ];
            let (w, h) = canvas.size();
            let sample = |(x, y): (usize, usize)| {
                let at = [x + part.x0 as usize, y + part.y0 as usize];
                let [u, v] = inverse.at(at.map(|k| k as f32));
                let within = u > -0.5 && v > -0.5 && u < w as f32 - 0.5 && v < h as f32 - 0.5;
                within.then(|| Sample {
                    frame: t,
                    at: at.map(|k| k as u16),
                    colour: frame[(at[0], at[1])],
                    to: [0, 1, 2].map(|k| to[k][(x, y)]),
                    initial: mask[(at[0], at[1])],
                })
            };
            let all = (0..part.height()).flat_map(|y| (0..part.width()).map(move |x| (x, y)));
            writer.push(t, all.filter_map(sample))?;
        }
        step(t + 1)?;
    }
    Ok(())
}

/// Correspondences as a picture over a part of the frame.
fn displacements(none: &Image<Option<Vec2>>, part: Rect, pairs: &[Correspondence]) -> Image<Option<Vec2>> {
    let mut picture = none.clone();
    for c in pairs.iter().filter(|c| c.validity > VALID) {
        let at = [c.from[0] as i32 - part.x0, c.from[1] as i32 - part.y0].map(|v| v as usize);
        picture[(at[0], at[1])] = Some([c.to[0] - c.from[0], c.to[1] - c.from[1]]);
    }
    picture
}
