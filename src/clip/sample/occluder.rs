//! What passes in front: a balloon with a soft edge, and a thin chain.

use super::random::{Random, noise, octaves};
use super::shapes::{Color, blend, boxed, cover, segment};
use std::f32::consts::TAU;

/// What passes in front of the surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occluder {
    /// Nothing.
    None,
    /// A balloon, covering up to about a third of the region.
    Balloon,
    /// A thin swinging chain with holes in its links.
    Chain,
    /// First the chain, then the balloon.
    Both,
}

/// The things in front and how they move. Positions are pixels of a 640×360 picture.
#[derive(Debug, Clone)]
pub(super) struct Front {
    kind: Occluder,
    seed: u64,
    phase: [f32; 3],
}

impl Front {
    pub(super) fn new(kind: Occluder, seed: u64) -> Front {
        let random = &mut Random::new(seed, 4);
        let phase = [0; 3].map(|_| random.uniform(0.0, f64::from(TAU)) as f32);
        Front { kind, seed, phase }
    }

    /// Colour and coverage 0…1 at a position and time 0…1. `pixel` is the size of a pixel here: edges are that soft at
    /// least.
    pub(super) fn at(&self, p: [f32; 2], t: f32, pixel: f32) -> (Color, f32) {
        let (mut color, mut alpha) = ([0.0; 3], 0.0);
        if matches!(self.kind, Occluder::Chain | Occluder::Both) {
            (color, alpha) = self.chain(p, t, pixel);
        }
        if matches!(self.kind, Occluder::Balloon | Occluder::Both) {
            let (c, a) = self.balloon(p, t, pixel);
            color = blend(color, c, if a > 0.0 { a / (a + alpha * (1.0 - a)) } else { 0.0 });
            alpha = a + alpha * (1.0 - a);
        }
        (color, alpha)
    }

    fn balloon(&self, p: [f32; 2], t: f32, pixel: f32) -> (Color, f32) {
        const RADIUS: [f32; 2] = [62.0, 68.0];
        let centre = [548.0 - 590.0 * (t - 0.45), 150.0 + 14.0 * (TAU * 0.9 * t + self.phase[0]).sin()];
        let lean = 0.10 * (TAU * 1.1 * t + self.phase[1]).sin();
        let d = [p[0] - centre[0], p[1] - centre[1]];
        let q = [d[0] * lean.cos() + d[1] * lean.sin(), d[1] * lean.cos() - d[0] * lean.sin()];
        if d[0].abs() > 80.0 || d[1].abs() > 125.0 {
            return ([0.0; 3], 0.0);
        }
        // The envelope narrows towards its mouth.
        let low = (q[1] / RADIUS[1]).max(0.0);
        let width = RADIUS[0] * (1.0 - 0.30 * low * low * low);
        let r = (q[0] / width).hypot(q[1] / RADIUS[1]);
        let soft = 3.0f32.max(1.5 * pixel);
        let body = cover((r - 1.0) * RADIUS[0], soft);
        let basket = cover(boxed([q[0], q[1] - 100.0], [11.0, 9.0]) - 1.5, soft);
        let rope = [-1.0f32, 1.0]
            .map(|side| segment(q, [side * 21.0, 62.0], [side * 10.5, 92.0]))
            .into_iter()
            .fold(f32::INFINITY, f32::min);
        let rope = cover(rope - 0.7, 2.0f32.max(1.5 * pixel));
        let cloth = octaves(q[0] * 0.11, q[1] * 0.11, 4, 0.65, self.seed ^ 7);
        let gore =
            (q[0] / (width * (1.0 - (q[1] / RADIUS[1]).powi(2)).max(0.02).sqrt())).clamp(-1.0, 1.0).asin();
        let stripe = cover((gore * 2.9).sin() * 0.5, 0.12);
        let mut color = blend([0.80, 0.22, 0.16], [0.90, 0.84, 0.70], stripe);
        color = blend(color, [0.16, 0.26, 0.44], cover((q[1] + 8.0).abs() - 9.0, 2.0));
        let lit = (0.98 - 0.34 * (q[0] * 0.8 + q[1] * 0.5) / RADIUS[0] - 0.22 * r * r) * (1.0 + 0.10 * cloth);
        color = color.map(|c| (c * lit).clamp(0.03, 0.95));
        let wicker = 0.30 + 0.10 * noise(q[0] * 0.5, q[1] * 0.9, self.seed ^ 8);
        let below = [wicker * 1.1, wicker * 0.8, wicker * 0.5];
        (blend(below, color, if body > 0.0 { 1.0 } else { 0.0 }), body.max(basket).max(rope))
    }

    fn chain(&self, p: [f32; 2], t: f32, pixel: f32) -> (Color, f32) {
        const PITCH: f32 = 14.0;
        let swing = 26.0 * (TAU * 1.3 * t + self.phase[2]).sin();
        let across = 372.0 - 800.0 * t + swing * (0.2 + 0.8 * p[1] / 360.0);
        let link = (p[1] / PITCH).floor();
        let x = p[0] - across;
        let soft = 1.2f32.max(1.2 * pixel);
        if x.abs() > 6.5 + soft {
            return ([0.0; 3], 0.0);
        }
        // Neighbouring links overlap: the point may lie on its own or on either neighbour.
        let mut distance = f32::INFINITY;
        for near in [link - 1.0, link, link + 1.0] {
            let y = p[1] - (near + 0.5) * PITCH;
            let ring = if near as i64 % 2 == 0 {
                (segment([x, y], [0.0, -5.0], [0.0, 5.0]) - 4.6).abs() - 1.5
            } else {
                segment([x, y], [0.0, -7.5], [0.0, 7.5]) - 1.7
            };
            distance = distance.min(ring);
        }
        let shine = 0.20 + 0.30 * cover(x + 1.5 - 2.5 * noise(p[1] * 0.3, t * 9.0, self.seed), 3.0);
        let rust = octaves(x * 0.4, p[1] * 0.4, 3, 0.6, self.seed ^ 6);
        let color = [shine + 0.08 + 0.05 * rust, shine + 0.04, shine].map(|c| c.clamp(0.03, 0.9));
        (color, cover(distance, soft))
    }
}
