//! What a map has missed, measured by optical flow on the canvas.
//!
//! Photometric alignment sees a pixel or two far and gives up on what does not fit; dense flow between the template
//! and the frame read through the map reaches further, and follows leaves and folds one by one.

use super::align::Template;
use super::appearance::unwarp;
use super::canvas::{Canvas, Map};
use super::evidence::same_texture;
use super::sequential::on_picture;
use super::spline::{Quadric, Unbent};
use crate::error::Result;
use crate::flow::Dis;
use crate::frame::{Image, Rgba, Vec2, bilinear, luminance};

/// Largest forward-backward error in canvas pixels of flow that is believed.
const CYCLE: f32 = 1.5;
/// Difference in levels after the move over which trust fades.
const ALIKE: f32 = 25.0;
/// Trust in pixels of the margin, against 1 + this in the region.
const IN_MARGIN: f32 = 0.2;
/// Weight of what shows no texture of the surface, as something that stays where it was predicted.
const STILL: f32 = 0.01;
/// Mean trust over the region below which flow says nothing.
const LEAST_TRUST: f32 = 0.12;

/// The map corrected by the flow between `template` (already lit) and `frame` read through `map`; `None` when too
/// little of the flow can be believed.
pub(super) fn follow_flow(
    canvas: &Canvas,
    flow: &Dis,
    frame: &Image<Rgba>,
    template: &Template,
    map: &Map,
    stiffness: f64,
) -> Result<Option<Map>> {
    let positions = canvas.positions(map);
    let grey = |picture: &Image<Rgba>| luminance(picture).map(|v| v.clamp(0.0, 255.0));
    let (want, read) = (grey(&template.picture), grey(&unwarp(frame, &positions)));
    let (there, back) = flow.between_both_ways(&want, &read)?;
    let pair = Pair { want, read, there, back };
    let moves = pair.believable(canvas, &positions, &template.weight, frame.size());
    let inside = moves.pixels().iter().zip(canvas.coverage.pixels()).filter(|(_, c)| **c > 0.5);
    let (sum, n) = inside.fold((0.0, 0.0), |(s, n), (m, _)| (s + m[0], n + 1.0));
    if sum < LEAST_TRUST * n {
        return Ok(None);
    }
    let led_to = |moves: &Image<Quadric>| {
        let bend = canvas.grid.evaluate(&smooth(canvas, moves, stiffness)?);
        Some(positions.zip(&bend, |p, d| [p[0] + d[0], p[1] + d[1]]))
    };
    let Some(there) = led_to(&moves) else { return Ok(None) };
    let same = same_texture(&pair.want, &grey(&unwarp(frame, &there)), &moves.map(|m| m[0]));
    Ok(led_to(&heard(&moves, &same)).and_then(|moved| canvas.map_of(&moved)))
}

/// Two pictures on the canvas and the flow between them, both ways.
struct Pair {
    want: Image<f32>,
    read: Image<f32>,
    there: Image<Vec2>,
    back: Image<Vec2>,
}

impl Pair {
    /// Per canvas pixel: trust in the flow and the move of the frame position it asks for, as a quadric.
    fn believable(
        &self,
        canvas: &Canvas,
        positions: &Image<Vec2>,
        known: &Image<f32>,
        frame: (usize, usize),
    ) -> Image<Quadric> {
        let (w, h) = canvas.size();
        Image::from_rows(w, h, [0.0; 5], |y, row| {
            for (x, out) in row.iter_mut().enumerate() {
                let f = self.there[(x, y)];
                let u = [x as f32 + f[0], y as f32 + f[1]];
                let b = bilinear(&self.back, u);
                let (p, q) = (positions[(x, y)], bilinear(positions, u));
                let cycle = (f[0] + b[0]).hypot(f[1] + b[1]);
                if cycle < CYCLE && on_picture(p, frame) && on_picture(q, frame) {
                    let alike = (-(bilinear(&self.read, u) - self.want[(x, y)]).abs() / ALIKE).exp();
                    let k = known[(x, y)] * alike * (IN_MARGIN + canvas.coverage[(x, y)]);
                    *out = [k, 0.0, k, k * (q[0] - p[0]), k * (q[1] - p[1])];
                }
            }
        })
    }
}

/// The moves as far as what they lead to has the surface's texture; the rest is held a little.
fn heard(moves: &Image<Quadric>, same: &Image<f32>) -> Image<Quadric> {
    moves.zip(same, |m, t| {
        let hold = (1.0 - t) * STILL * m[0];
        [t * m[0] + hold, 0.0, t * m[0] + hold, t * m[3], t * m[4]]
    })
}

/// A smooth field through the moves, re-weighted against outliers.
fn smooth(canvas: &Canvas, moves: &Image<Quadric>, stiffness: f64) -> Option<Vec<Vec2>> {
    let mut weighted = moves.clone();
    let mut bend = None;
    for _ in 0..3 {
        let solved = canvas.grid.solve(&weighted, stiffness, Unbent::Affine)?;
        let field = canvas.grid.evaluate(&solved);
        weighted = moves.zip(&field, |m, d| {
            if m[0] <= 0.0 {
                return m;
            }
            let off = (m[3] / m[0] - d[0]).powi(2) + (m[4] / m[0] - d[1]).powi(2);
            m.map(|v| v / (1.0 + off))
        });
        bend = Some(solved);
    }
    bend
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::filmed::noise;

    /// Half of the region is a sky that has become brighter to one side; the other half has moved by two pixels.
    #[test]
    fn light_on_a_plain_half_is_not_followed() {
        let wall = |x: f32, y: f32| {
            110.0 + 30.0 * (0.31 * x).sin() * (0.23 * y).cos() + 25.0 * (0.27 * x - 0.4 * y).sin()
        };
        let film = |shift: f32, light: f32| {
            Image::from_fn(320, 200, |x, y| {
                let (u, y) = (x as f32 - shift, y as f32);
                let v = if u < 150.0 { wall(u, y) } else { 160.0 + 0.15 * u + 0.1 * y };
                let v = v * (1.0 + light * (x as f32 - 150.0) / 150.0)
                    + 2.0 * noise(x, y as usize, shift as usize);
                [v, v, v, 1.0]
            })
        };
        let canvas =
            Canvas::new(&[[60.0, 40.0], [260.0, 40.0], [260.0, 150.0], [60.0, 150.0]], (320, 200)).unwrap();
        let (reference, frame) = (film(0.0, 0.0), film(2.0, 0.1));
        let (w, h) = canvas.size();
        let picture =
            Image::from_fn(w, h, |x, y| bilinear(&reference, canvas.to_reference([x as f32, y as f32])));
        let template = Template { picture, weight: Image::new(w, h, 1.0) };
        let flow = Dis::default();
        let found =
            follow_flow(&canvas, &flow, &frame, &template, &canvas.identity(), 34.0).unwrap().unwrap();
        for (x, y) in [(40, 40), (60, 90), (w - 60, 40), (w - 25, 90)] {
            let at = [x as f32, y as f32];
            let (p, q) = (canvas.position(&found, at), canvas.to_reference(at));
            let off = [p[0] - q[0] - 2.0, p[1] - q[1]];
            println!("({x}, {y}): off by {off:.2?}");
            let allowed = if x < 90 { 0.2 } else { 5.0 };
            assert!(off[0].hypot(off[1]) < allowed, "off by {off:?} at ({x}, {y})");
        }
    }
}
