//! The shadows that what passes in front casts on the surface, frame by frame.

use super::appearance::{Solution, in_order, median, spread, square_mean};
use super::predict::Inverses;
use crate::clip::Footage;
use crate::error::Result;
use crate::light::{Look, Shadow};
use crate::progress::Progress;

/// Frame pixels from one that is looked at to the next.
const STRIDE: usize = 2;
/// Standard deviations to the root mean square of three channels that a quarter of all, normally distributed, stay below:
/// 1/0.6357.
const QUARTER: f32 = 1.573;
/// Least and largest noise believed, levels.
const NOISE: [f32; 2] = [2.0, 6.0];
/// Frames that tell of the clip's noise.
const LOOKED_AT: usize = 12;
/// Fewest pixels that tell of shadows.
const FEWEST: usize = 500;

impl Solution {
    /// Finds the shadows in `frames`, once maps, light and atlas are solved; what was known of them before is forgotten.
    pub(crate) fn find_shadows(
        &mut self,
        footage: &dyn Footage,
        inverses: &Inverses,
        frames: &[usize],
        progress: &Progress,
    ) -> Result<()> {
        frames.iter().for_each(|t| self.light.set_shadow(*t, None));
        let usual = self.usual_noise(footage, inverses)?;
        let mut found: Vec<(usize, Option<Shadow>)> = Vec::with_capacity(frames.len());
        let one = |t: usize| {
            progress.check()?;
            let looks = self.looks(footage, inverses, t)?;
            if looks.len() < FEWEST {
                return Ok(None);
            }
            Ok(self.light.find_shadow(&looks, noise(&looks).min(usual).clamp(NOISE[0], NOISE[1])))
        };
        in_order(frames, one, |t, shadow| {
            found.push((t, shadow));
            Ok(())
        })?;
        found.into_iter().for_each(|(t, shadow)| self.light.set_shadow(t, shadow));
        Ok(())
    }

    /// The noise of the clip's frames: in a frame that is mostly hidden, its own cannot be told.
    fn usual_noise(&self, footage: &dyn Footage, inverses: &Inverses) -> Result<f32> {
        let all: Vec<usize> = (0..footage.len()).collect();
        let mut told = Vec::new();
        in_order(
            &spread(&all, LOOKED_AT),
            |t| self.looks(footage, inverses, t),
            |_, looks| {
                told.extend((looks.len() >= FEWEST).then(|| noise(&looks)));
                Ok(())
            },
        )?;
        Ok(median(&mut told).unwrap_or(NOISE[1]))
    }

    /// Some pixels of a frame within the region.
    fn looks(&self, footage: &dyn Footage, inverses: &Inverses, t: usize) -> Result<Vec<Look>> {
        let Some(predicted) = self.predict(inverses, t, footage.size()) else { return Ok(Vec::new()) };
        let frame = footage.levels(t)?.crop(predicted.part);
        let (w, h) = frame.size();
        let all = (0..h).step_by(STRIDE).flat_map(|y| (0..w).step_by(STRIDE).map(move |x| (x, y)));
        let inside = all.filter(|at| predicted.coverage[*at] > 0.99);
        let look = |at: (usize, usize)| Look {
            at: predicted.at[at],
            surface: predicted.surface[at],
            seen: frame[at],
        };
        Ok(inside.map(look).collect())
    }
}

/// What pixels are off by for no reason, levels: by the least of the differences, as nothing stands before those.
fn noise(looks: &[Look]) -> f32 {
    let mut all: Vec<f32> = looks.iter().map(|l| square_mean(l.seen, l.surface)).collect();
    let quarter = all.len() / 4;
    let least = *all.select_nth_unstable_by(quarter, f32::total_cmp).1;
    QUARTER * least.sqrt()
}
