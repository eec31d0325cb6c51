//! Random numbers that are the same on every machine and in every version.

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// A stream for a seed and a purpose; streams of different purposes are unrelated.
    pub(super) fn new(seed: u64, purpose: u64) -> Random {
        Random(mix(seed ^ mix(purpose.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform in `low`…`high`.
    pub(super) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, deviation 1: the sum of four uniform numbers, close to normal and cheap, since every pixel needs three.
    pub(super) fn normal(&mut self) -> f32 {
        let bits = self.bits();
        let sum: f32 = (0..4).map(|i| ((bits >> (16 * i)) & 0xffff) as f32 / 65536.0).sum();
        (sum - 2.0) * 3f32.sqrt()
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number 0…1 belonging to a grid point.
fn lattice(x: i64, y: i64, seed: u64) -> f32 {
    let key = (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    (mix(key ^ seed) >> 40) as f32 / (1u64 << 24) as f32
}

/// Smooth noise 0…1 with features about one unit wide.
pub(super) fn noise(x: f32, y: f32, seed: u64) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let fade = |t: f32| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
    let (u, v) = (fade(x - fx), fade(y - fy));
    let (ix, iy) = (fx as i64, fy as i64);
    let line = |j: i64| {
        let (a, b) = (lattice(ix, iy + j, seed), lattice(ix + 1, iy + j, seed));
        a + (b - a) * u
    };
    let (a, b) = (line(0), line(1));
    a + (b - a) * v
}

/// Noise of several octaves, each twice as fine and `gain` times as strong as the one before; mean about 0, range
/// about −1…1.
pub(super) fn octaves(x: f32, y: f32, count: u32, gain: f32, seed: u64) -> f32 {
    let (mut sum, mut weight, mut total, mut scale) = (0.0, 1.0, 0.0, 1.0);
    for i in 0..count {
        sum += weight
            * (2.0 * noise(x * scale + 17.3 * i as f32, y * scale, seed.wrapping_add(u64::from(i))) - 1.0);
        total += weight;
        weight *= gain;
        scale *= 2.03;
    }
    sum / total
}
