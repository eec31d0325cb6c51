//! How the scene moves and how light falls on it, as smooth functions of time 0…1.
//!
//! Positions are *normalised*: the picture's centre is the origin, half of a 16:9 picture's width is 1. Everything is
//! relative to the reference time, at which the map is the identity and the light is 1.

use super::random::Random;
use std::f64::consts::TAU;

/// How much of the camera's move the landscape shows.
const PARALLAX: f64 = 0.55;

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

    /// The scene at a time; everything that does not depend on the pixel is worked out once.
    pub(super) fn at(&self, t: f64) -> Moment {
        let then = self.reference;
        let waves = self.waves.map(|[dx, dy, fx, fy, speed, phase]| {
            [dx, dy, fx, fy, TAU * speed * t + phase, TAU * speed * then + phase]
        });
        let lamps = self.lamps.map(|[all, along, down, phase]| {
            let at = |t: f64| {
                [
                    all * (TAU * 0.8 * t + phase).sin(),
                    along * (TAU * 0.55 * t + 2.0 * phase).sin(),
                    down * (TAU * 0.7 * t + 3.0 * phase).cos(),
                ]
            };
            let (now, then) = (at(t), at(then));
            [0, 1, 2].map(|i| now[i] - then[i])
        });
        let still = self.waves.iter().all(|w| w[0] == 0.0 && w[1] == 0.0);
        Moment {
            near: self.camera(t, 1.0),
            far: self.camera(t, PARALLAX),
            waves,
            still,
            lamps,
            light: self.light,
        }
    }

    /// The camera's move since the reference time, `share` of it.
    fn camera(&self, t: f64, share: f64) -> Camera {
        let since = |walk: &Walk| share * (walk.at(t) - walk.at(self.reference));
        let zoom = since(&self.zoom).exp();
        let (sin, cos) = since(&self.roll).sin_cos();
        Camera {
            turn: [zoom * cos, zoom * sin],
            pan: [since(&self.pan[0]), since(&self.pan[1])],
            tilt: [since(&self.tilt[0]), since(&self.tilt[1])],
        }
    }
}

#[derive(Debug, Clone)]
struct Camera {
    turn: [f64; 2],
    pan: [f64; 2],
    tilt: [f64; 2],
}

impl Camera {
    fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [cos, sin] = self.turn;
        let depth = 1.0 + self.tilt[0] * x + self.tilt[1] * y;
        [(cos * x - sin * y + self.pan[0]) / depth, (sin * x + cos * y + self.pan[1]) / depth]
    }
}

/// The scene's motion and light at one time.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    near: Camera,
    far: Camera,
    waves: [[f64; 6]; 3],
    still: bool,
    lamps: [[f64; 3]; 4],
    light: f64,
}

impl Moment {
    /// Where the point seen at `p` is seen at the reference time, if it lies on the surface.
    pub(super) fn to_reference(&self, p: [f64; 2]) -> [f64; 2] {
        let [x, y] = self.near.apply(p);
        let mut q = [x, y];
        if !self.still {
            for [dx, dy, fx, fy, now, then] in self.waves {
                let (u, v) = (fx * x + fy * y, fy * x - fx * y);
                q[0] += dx * ((u + now).sin() - (u + then).sin());
                q[1] += dy * ((v + 1.3 * now).sin() - (v + 1.3 * then).sin());
            }
        }
        q
    }

    /// The same for the landscape, which is farther away.
    pub(super) fn behind(&self, p: [f64; 2]) -> [f64; 2] {
        self.far.apply(p)
    }

    /// Gain of each channel at a point of the reference frame: between `exp(−light)` and `exp(light)`.
    pub(super) fn gain(&self, [x, y]: [f64; 2]) -> [f32; 3] {
        let lamp = |i: usize| self.lamps[i][0] + self.lamps[i][1] * x + self.lamps[i][2] * y;
        let common = lamp(0);
        [1, 2, 3].map(|c| (self.light * (common + lamp(c)).tanh()).exp() as f32)
    }
}
