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
/// Least scatter in levels: no footage is quieter than its rounding.
const LEAST: f32 = 0.5;

/// Standard deviation per canvas point along each axis of [`opponent`], levels, never below the clip's own noise.
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
    let deviation = Image::from_rows(w, h, [0.0f32; 4], |y, row| {
        let mut values = Vec::with_capacity(stack.len());
        for (x, out) in row.iter_mut().enumerate() {
            for c in 0..3 {
                values.clear();
                values.extend(stack.iter().map(|s| s[(x, y)]).filter(|s| s[3] > 0.99).map(|s| s[c]));
                // Points that no frame shows are left to the clip's own noise below.
                out[c] = median(&mut values).map_or(0.0, |m| MAD * m);
            }
        }
    });
    let noise: [f32; 3] = std::array::from_fn(|c| {
        let inside = deviation.pixels().iter().zip(solution.canvas.coverage.pixels());
        let mut values: Vec<f32> = inside.filter(|(_, k)| **k > 0.5).map(|(d, _)| d[c]).collect();
        median(&mut values).unwrap_or(LEAST).max(LEAST)
    });
    let smooth = box_blur(&deviation.map(|d| d.map(|v| v * v)), 1);
    Ok(smooth.map(|v| [0, 1, 2, 3].map(|c| if c < 3 { v[c].sqrt().max(noise[c]) } else { 0.0 })))
}
