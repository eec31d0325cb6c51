//! How much each point of the surface varies while it is seen: noise, texture that sampling cannot follow, glints.
//!
//! A point's own scatter, not one threshold for all, tells whether a pixel is still the surface: a flat wall shows an
//! occluder two levels off, the edge of a letter does not. And a letter's edge scatters in brightness, hardly in hue, so
//! each is measured on its own.

use super::beyond_white;
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, Rgba, box_blur, opponent};
use crate::track::{Inverses, MAD, Solution, in_order, median, on_picture, read_part, spread};

/// Frames the scatter is taken over at most; memory stays bounded.
const FRAMES: usize = 33;
/// Frames whose hue is looked at.
const LOOKED_AT: usize = 4;
/// Sharpness of hue, its squared differences over one pixel against those over two, up to which it is taken to be kept at
/// half the resolution, and from which on at full. Half a spectrum, evenly filled, has 0.36 and real ones less; the same
/// clips stored 4:2:0 and 4:4:4 have 0.29 to 0.33 and 0.38 to 0.41.
const HUE: [f64; 2] = [0.33, 0.355];
/// Factor on the scatter of hue that is kept at half the resolution.
const DOUBT: f32 = 4.0;
/// Standard deviations to the difference that a quarter of all, normally distributed, stay below: 1/0.3186.
const QUARTER: f32 = 3.138_3;
/// Ratio of the deviations by the middle and by the quarter from which a point was hidden in most frames.
const HIDDEN: f32 = 2.0;
/// Least scatter in levels: no footage is quieter than its rounding.
const LEAST: f32 = 0.5;

/// Standard deviation per canvas point along each axis of [`opponent`], levels, never below the clip's own noise; of hue
/// as much more as it is to be doubted.
pub(super) fn scatter(
    footage: &dyn Footage,
    solution: &Solution,
    inverses: &Inverses,
) -> Result<Image<Rgba>> {
    let all: Vec<usize> = (0..footage.len()).collect();
    let (w, h) = solution.canvas.size();
    let mut stack: Vec<Image<Rgba>> = Vec::new();
    let rest = |t: usize| {
        let Some(p) = solution.predict(inverses, t, footage.size()) else { return Ok(None) };
        let frame = footage.levels(t)?.crop(p.part);
        let p = beyond_white(p, &frame);
        let off = frame
            .zip(&p.surface, |c, b| opponent([c[0] - b[0], c[1] - b[1], c[2] - b[2], 1.0]).map(f32::abs));
        let positions = solution.canvas.positions(&solution.maps[t]);
        Ok(Some(positions.map(|q| {
            let seen = read_part(&off, p.part, *q).filter(|_| on_picture(*q, footage.size()));
            seen.unwrap_or([0.0; 4])
        })))
    };
    in_order(&spread(&all, FRAMES), rest, |_, picture| {
        stack.extend(picture);
        Ok(())
    })?;
    let scattered = Image::from_rows(w, h, [0.0f32; 4], |y, row| {
        let mut values = Vec::with_capacity(stack.len());
        for (x, out) in row.iter_mut().enumerate() {
            for c in 0..3 {
                values.clear();
                values.extend(stack.iter().map(|s| s[(x, y)]).filter(|s| s[3] > 0.99).map(|s| s[c]));
                // Points that no frame shows are left to the clip's own noise below.
                out[c] = deviation(&mut values);
            }
        }
    });
    let noise: [f32; 3] = std::array::from_fn(|c| {
        let inside = scattered.pixels().iter().zip(solution.canvas.coverage.pixels());
        let mut values: Vec<f32> = inside.filter(|(_, k)| **k > 0.5).map(|(d, _)| d[c]).collect();
        median(&mut values).unwrap_or(LEAST).max(LEAST)
    });
    let doubt = hue_doubt(footage)?;
    let smooth = box_blur(&scattered.map(|d| d.map(|v| v * v)), 1);
    let believed = [1.0, doubt, doubt];
    let doubted = |v: Rgba, c: usize| if c < 3 { believed[c] * v[c].sqrt().max(noise[c]) } else { 0.0 };
    Ok(smooth.map(|v| [0, 1, 2, 3].map(|c| doubted(*v, c))))
}

/// Standard deviation that differences speak of; 0 without any; reorders. What stands before a point in most frames is
/// not its scatter: the least of them, of frames that show the point, then differ by far less than the middle one.
fn deviation(differences: &mut [f32]) -> f32 {
    let Some(most) = median(differences).map(|m| MAD * m) else { return 0.0 };
    let quarter = differences.len() / 4;
    let least = QUARTER * *differences.select_nth_unstable_by(quarter, f32::total_cmp).1;
    if most > HIDDEN * least { least } else { most }
}

/// By how much hue is to be believed less than it scatters: most footage keeps it at half the resolution of brightness,
/// and beside an occluder's edge the surface then wears some of the occluder's hue.
fn hue_doubt(footage: &dyn Footage) -> Result<f32> {
    let all: Vec<usize> = (0..footage.len()).collect();
    // Squared differences of hue over one pixel and over two.
    let mut sum = [0.0f64; 2];
    for t in spread(&all, LOOKED_AT) {
        let hue = footage.levels(t)?.map(|p| opponent(*p));
        let (w, h) = hue.size();
        let off = |a: Rgba, b: Rgba| f64::from((a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2));
        let (w, h) = (w.saturating_sub(2), h.saturating_sub(2));
        for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
            let here = hue[(x, y)];
            sum[0] += off(here, hue[(x + 1, y)]) + off(here, hue[(x, y + 1)]);
            sum[1] += off(here, hue[(x + 2, y)]) + off(here, hue[(x, y + 2)]);
        }
    }
    let sharpness = if sum[1] > 0.0 { sum[0] / sum[1] } else { 1.0 };
    let blurred = ((HUE[1] - sharpness) / (HUE[1] - HUE[0])).clamp(0.0, 1.0) as f32;
    Ok(1.0 + (DOUBT - 1.0) * blurred)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Image;

    struct Still(Image<Rgba>);

    impl Footage for Still {
        fn len(&self) -> usize {
            1
        }
        fn size(&self) -> (usize, usize) {
            self.0.size()
        }
        fn levels(&self, _: usize) -> Result<Image<Rgba>> {
            Ok(self.0.clone())
        }
    }

    #[test]
    fn what_hides_a_point_in_most_frames_is_not_its_scatter() {
        // Differences at even steps through a normal distribution of deviation 3.
        let shown = [0.21, 0.63, 1.07, 1.53, 2.02, 2.58, 3.26, 4.15, 5.74];
        let all = deviation(&mut shown.to_vec());
        assert!((all - 3.0).abs() < 0.6, "{all}");
        let hidden: Vec<f32> = (0..13).map(|k| 30.0 + k as f32).chain(shown).collect();
        let found = deviation(&mut hidden.clone());
        assert!(found < 10.0 && found > 1.5, "{found}");
        assert_eq!(deviation(&mut []), 0.0);
    }

    /// Coloured tiles on a textured ground, with hue kept for every pixel and for every second one.
    #[test]
    fn hue_at_half_resolution_is_doubted() {
        let of = |x: usize, y: usize| (((x / 5) * 37 + (y / 7) * 53) % 91) as f32;
        let picture = |half: bool| {
            Image::from_fn(90, 70, |x, y| {
                let grey = 90.0 + ((x * 7 + y * 13) % 23) as f32;
                let hue = |x: usize, y: usize| of(x, y) - 45.0;
                let h = if half {
                    // Mean of four, spread again to every pixel between its neighbours.
                    let (i, j) = (x / 2 * 2, y / 2 * 2);
                    let cell = |i: usize, j: usize| {
                        0.25 * (hue(i, j) + hue(i + 1, j) + hue(i, j + 1) + hue(i + 1, j + 1))
                    };
                    let (k, l) = (
                        if x % 2 == 0 { i.saturating_sub(2) } else { i + 2 },
                        if y % 2 == 0 { j.saturating_sub(2) } else { j + 2 },
                    );
                    0.5625 * cell(i, j) + 0.1875 * (cell(k, j) + cell(i, l)) + 0.0625 * cell(k, l)
                } else {
                    hue(x, y)
                };
                [grey + h, grey, grey - h, 0.0]
            })
        };
        assert_eq!(hue_doubt(&Still(picture(false))).unwrap(), 1.0);
        assert_eq!(hue_doubt(&Still(picture(true))).unwrap(), DOUBT);
        // Without any hue there is nothing to doubt.
        assert_eq!(hue_doubt(&Still(Image::new(20, 20, [90.0; 4]))).unwrap(), 1.0);
        assert_eq!(hue_doubt(&Still(Image::new(2, 2, [90.0; 4]))).unwrap(), 1.0);
    }
}
