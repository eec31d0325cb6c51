//! How the scene moves and how light falls on it, as smooth functions of time 0…1.
//!
//! Positions are *normalised*: the picture's centre is the origin, half of a 16:9 picture's width is 1. Everything is
//! relative to the reference time, at which the map is the identity and the light is 1.

use super::random::Random;
use std::f64::consts::TAU;

/// A sum of a few slow waves.
#[derive(Debug, Clone)]
struct Walk([[f64; 3]; 3]);

impl Walk {
    fn new(random: &mut Random, size: f64) -> Walk {
        // Two waves carry the move, a third, faster and weak, is the hand.
        Walk([(1.0, 0.35, 0.8), (0.6, 0.9, 1.5), (0.035, 4.0, 7.0)].map(|(share, low, high)| {
            [share * size * random.uniform(0.7, 1.2), random.uniform(low, high), random.uniform(0.0, TAU)]
        }))
    }

    fn at(&self, t: f64) -> f64 {
        self.0.iter().map(|[size, speed, phase]| size * (TAU * speed * t + phase).sin()).sum()
    }
}

/// The camera's path, the bend of the surface and the light.
#[derive(Debug, Clone)]
pub(super) struct Motion {
    pan: [Walk; 2],
    zoom: Walk,
    roll: Walk,
    tilt: [Walk; 2],
    waves: [[f64; 6]; 3],
    lamps: [[f64; 4]; 4],
    light: f64,
    /// Time of the reference frame.
    pub(super) reference: f64,
}

impl Motion {
    /// `camera` and `cloth` scale the move and the bend (1 is lively, 0 still); `light` is the largest change of gain.
    pub(super) fn new(seed: u64, camera: f64, cloth: f64, light: f64) -> Motion {
        let random = &mut Random::new(seed, 1);
        let walk = |random: &mut Random, size: f64| Walk::new(random, size * camera);
        let pan = [walk(random, 0.085), walk(random, 0.045)];
        let (zoom, roll) = (walk(random, 0.06), walk(random, 0.04));
        let tilt = [walk(random, 0.05), walk(random, 0.04)];
        let random = &mut Random::new(seed, 2);
        let waves = [0, 1, 2].map(|_| {
            let size = 0.006 * cloth;
            [
                size * random.uniform(0.6, 1.2),
                size * random.uniform(0.6, 1.2),
                random.uniform(-5.0, 5.0),
                random.uniform(-5.0, 5.0),
                random.uniform(0.6, 1.8),
                random.uniform(0.0, TAU),
            ]
        });
        let random = &mut Random::new(seed, 3);
        let lamps = [1.0, 0.35, 0.35, 0.35].map(|size| {
            [
                size * random.uniform(0.7, 1.0),
                size * random.uniform(-0.9, 0.9),
                size * random.uniform(-0.9, 0.9),
                random.uniform(0.0, TAU),
            ]
        });
        Motion { pan, zoom, roll, tilt, waves, lamps, light, reference: 0.0 }
    }

    /// Where the point seen at `p` at time `t` is seen at the reference time, if it lies on the surface.
    pub(super) fn to_reference(&self, p: [f64; 2], t: f64) -> [f64; 2] {
        let q = self.camera(p, t, 1.0);
        let (now, then) = (self.bend(q, t), self.bend(q, self.reference));
        [q[0] + now[0] - then[0], q[1] + now[1] - then[1]]
    }

    /// The camera's move alone; `share` below 1 for what is farther away.
    pub(super) fn camera(&self, [x, y]: [f64; 2], t: f64, share: f64) -> [f64; 2] {
        let since = |walk: &Walk| share * (walk.at(t) - walk.at(self.reference));
        let zoom = since(&self.zoom).exp();
        let (sin, cos) = since(&self.roll).sin_cos();
        let depth = 1.0 + since(&self.tilt[0]) * x + since(&self.tilt[1]) * y;
        let turned = [cos * x - sin * y, sin * x + cos * y];
        [0, 1].map(|i| (zoom * turned[i] + since(&self.pan[i])) / depth)
    }

    fn bend(&self, [x, y]: [f64; 2], t: f64) -> [f64; 2] {
        let mut d = [0.0; 2];
        for [dx, dy, fx, fy, speed, phase] in self.waves {
            let at = TAU * speed * t + phase;
            d[0] += dx * (fx * x + fy * y + at).sin();
            d[1] += dy * (fy * x - fx * y + 1.3 * at).sin();
        }
        d
    }

    /// Gain of each channel at a point of the reference frame at time `t`: between `exp(−light)` and `exp(light)`.
    pub(super) fn gain(&self, p: [f64; 2], t: f64) -> [f32; 3] {
        let common = self.lamp(0, p, t);
        [1, 2, 3].map(|c| (self.light * (common + self.lamp(c, p, t)).tanh()).exp() as f32)
    }

    fn lamp(&self, i: usize, [x, y]: [f64; 2], t: f64) -> f64 {
        let [all, along, down, phase] = self.lamps[i];
        let at = |t: f64| {
            all * (TAU * 0.8 * t + phase).sin()
                + along * x * (TAU * 0.55 * t + 2.0 * phase).sin()
                + down * y * (TAU * 0.7 * t + 3.0 * phase).cos()
        };
        at(t) - at(self.reference)
    }
}
