//! Whom to believe where frames do not agree what the surface looks like.
//!
//! Most frames are right about most points. But something may rest on a point for most of a clip, and leaves before a meadow
//! look the same in no two frames. The user chose the reference as a frame that shows the surface, so it is believed there,
//! if others bear it out.

use super::appearance::{MEDIAN_FRAMES, Solution, in_order, median, spread, square_mean};
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, Rgba, box_blur};

/// Deviation, against the region's usual one, from which frames are taken to disagree about a point.
const DISAGREE: f32 = 2.0;
/// The same for a reference that differs from what most frames agree on.
const CONTRADICTS: f32 = 6.0;
/// Frames before and after the reference asked whether it shows the surface: close enough that the surface has hardly
/// changed, far enough that what passes in front has moved on.
const WITNESSES: [isize; 4] = [-5, -4, 4, 5];
/// Squared distance of a frame from one view of the surface, against that from the other, up to which it confirms the one.
const CONFIRMED: f32 = 0.5;
/// Least share of the frames that confirm either view for the reference to be believed against a majority.
const MINORITY: f32 = 0.35;
/// Least usual deviation in levels.
const LEAST_DEVIATION: f32 = 1.0;

/// A view of the surface beside another.
struct Views<'a> {
    /// The reference frame's, in its own light.
    own: &'a Image<Rgba>,
    /// What most of the clear frames agree on.
    common: &'a Image<Rgba>,
}

impl Solution {
    /// Gives the atlas the reference frame's own picture where the frames do not agree on any, and where they agree on
    /// another, but enough of them bear the reference out. A chain that hangs before the reference is told from the surface
    /// by the frames just before and after it: the chain has moved on, the surface hardly.
    pub(crate) fn trust_reference(&mut self, footage: &dyn Footage, reference: usize) -> Result<()> {
        let medians = self.medians(footage, &self.clear_frames())?;
        let inside = medians.pixels().iter().zip(self.canvas.coverage.pixels()).filter(|(_, k)| **k > 0.5);
        let mut deviations: Vec<f32> = inside.map(|(m, _)| m[3]).collect();
        let usual = median(&mut deviations).unwrap_or(0.0).max(LEAST_DEVIATION);
        let deviation = box_blur(&medians.map(|m| m[3]), 1);
        let trusted = |t: &usize| self.trust[*t] > 0.5;
        let beside = WITNESSES.iter().filter_map(|&k| reference.checked_add_signed(k));
        let witnesses: Vec<usize> = beside.filter(|t| *t < footage.len() && trusted(t)).collect();
        let near = self.medians(footage, &witnesses)?;
        let own = self.unlit(footage, reference)?;
        let (far, near) = (distance(&own, &medians), distance(&own, &near));
        let confirmed = |at: (usize, usize)| near[at] < CONFIRMED * far[at] && own[at][3] > 0.0;
        let (w, h) = self.canvas.size();
        let contradicts = Image::from_fn(w, h, |x, y| {
            far[(x, y)] > (CONTRADICTS * usual).powi(2)
                && confirmed((x, y))
                && self.canvas.coverage[(x, y)] > 0.5
        });
        let borne_out = if contradicts.pixels().contains(&true) {
            let others: Vec<usize> = (0..footage.len()).filter(|t| trusted(t) && *t != reference).collect();
            self.votes(footage, &spread(&others, MEDIAN_FRAMES), &Views { own: &own, common: &medians })?
        } else {
            Image::new(w, h, 0.0)
        };
        let disputed = |at: (usize, usize)| {
            (confirmed(at) && deviation[at] > DISAGREE * usual)
                || (contradicts[at] && borne_out[at] > MINORITY)
        };
        self.atlas = Image::from_fn(w, h, |x, y| {
            let (a, o) = (self.atlas[(x, y)], own[(x, y)]);
            if disputed((x, y)) { [o[0], o[1], o[2], a[3]] } else { a }
        });
        Ok(())
    }

    /// The share, of the frames that confirm either view, that confirms the reference's.
    fn votes(&self, footage: &dyn Footage, frames: &[usize], views: &Views) -> Result<Image<f32>> {
        let (w, h) = self.canvas.size();
        let mut votes = Image::new(w, h, [0.0f32; 2]);
        let vote = |t: usize| {
            let seen = self.unlit(footage, t)?;
            let (own, common) = (distance(&seen, views.own), distance(&seen, views.common));
            Ok(Image::from_fn(w, h, |x, y| {
                let (own, common) = (own[(x, y)], common[(x, y)]);
                let on = seen[(x, y)][3] > 0.0;
                [f32::from(on && own < CONFIRMED * common), f32::from(on && common < CONFIRMED * own)]
            }))
        };
        in_order(frames, vote, |_, one: Image<[f32; 2]>| {
            votes.pixels_mut().iter_mut().zip(one.pixels()).for_each(|(s, v)| {
                s[0] += v[0];
                s[1] += v[1];
            });
            Ok(())
        })?;
        Ok(votes.map(|v| v[0] / (v[0] + v[1]).max(1.0)))
    }
}

/// Squared distance of two views in levels, around each pixel.
fn distance(a: &Image<Rgba>, b: &Image<Rgba>) -> Image<f32> {
    box_blur(&a.zip(b, square_mean), 2)
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Canvas;
    use super::super::filmed::Filmed;
    use super::*;

    const SIZE: (usize, usize) = (160, 120);
    const FRAMES: usize = 30;
    const REFERENCE: usize = 20;

    fn texture(x: usize, y: usize) -> Rgba {
        let grey = 120.0 + 50.0 * ((x as f32) * 0.4).sin() * ((y as f32) * 0.3).cos();
        [grey, 0.8 * grey, 0.6 * grey, 0.0]
    }

    /// The atlas of a still surface, part of which something even hides in some frames, and the surface, there.
    fn atlas_and_surface(hidden: impl Fn(usize) -> bool) -> (Rgba, Rgba) {
        let film = |t: usize| {
            Image::from_fn(SIZE.0, SIZE.1, |x, y| {
                let resting = hidden(t) && (70..100).contains(&x) && (50..80).contains(&y);
                if resting { [210.0, 60.0, 200.0, 0.0] } else { texture(x, y) }
            })
        };
        let footage = Filmed((0..FRAMES).map(film).collect());
        let corners = [[20.0, 20.0], [140.0, 20.0], [140.0, 100.0], [20.0, 100.0]];
        let canvas = Canvas::new(&corners, SIZE).unwrap();
        let mut solution = Solution::flat(&canvas, &footage, REFERENCE).unwrap();
        solution.median_atlas(&footage).unwrap();
        solution.trust_reference(&footage, REFERENCE).unwrap();
        solution.mean_atlas(&footage, None, 0.0).unwrap();
        let [i, j] = canvas.to_canvas([85.0, 65.0]).map(|v| v as usize);
        let [x, y] = canvas.to_reference([i as f32, j as f32]).map(|v| v as usize);
        (solution.atlas[(i, j)], texture(x, y))
    }

    #[test]
    fn the_reference_is_believed_against_what_rests_on_the_surface_in_most_frames() {
        let (atlas, surface) = atlas_and_surface(|t| t < 17);
        assert!(square_mean(atlas, surface) < 4.0, "{atlas:?} for {surface:?}");
    }

    /// The user overlooked it.
    #[test]
    fn what_few_frames_bear_out_is_not_believed_of_the_reference() {
        let (atlas, surface) = atlas_and_surface(|t| t.abs_diff(REFERENCE) < 4);
        assert!(square_mean(atlas, surface) < 4.0, "{atlas:?} for {surface:?}");
        let (atlas, surface) = atlas_and_surface(|t| t.abs_diff(REFERENCE - 2) < 4);
        assert!(square_mean(atlas, surface) < 4.0, "{atlas:?} for {surface:?}");
    }
}
