//! The innermost arithmetic: sixteen neighbouring pixels weighted into one.
//!
//! Once for processors with 256-bit vectors, two pixels at a time, and once for all others. Both do the same roundings
//! in the same order (nothing is fused, which only some processors can), so that every machine gives the same picture;
//! a test holds them together.

use crate::frame::Rgba;
use wide::f32x4;

/// Four neighbouring pixels of each of four rows, top to bottom.
pub(super) type Block<'a> = [&'a [Rgba; 4]; 4];

/// [`crate::frame::sharp_weights`] of four neighbours as polynomials of the place between the middle two, highest power
/// first.
const WEIGHTS: [[f32; 4]; 4] =
    [[-0.75, 1.25, -1.25, 0.75], [1.5, -2.25, 1.5, -0.75], [-0.75, 0.0, 0.75, 0.0], [0.0, 1.0, 0.0, 0.0]];

/// A way to weigh pixels that the processor has.
pub(super) trait Kernel: Copy {
    /// The cubic sample at `x` and `y`, 0…1, between the block's middle pixels.
    fn cubic(self, block: Block, at: [f32; 2]) -> f32x4;
}

/// Vectors of four, which every processor has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain;

impl Kernel for Plain {
    #[inline(always)]
    fn cubic(self, block: Block, at: [f32; 2]) -> f32x4 {
        let [wx, wy] = at.map(|t| {
            let ([a, b, c, d], t) = (WEIGHTS.map(f32x4::new), f32x4::splat(t));
            (((a * t + b) * t + c) * t + d).to_array().map(f32x4::splat)
        });
        let column = |i: usize| {
            let [a, b, c, d] = block.map(|row| f32x4::new(row[i]));
            (a * wy[0] + b * wy[1]) + (c * wy[2] + d * wy[3])
        };
        let two = |i: usize| column(i) * wx[i] + column(i + 2) * wx[i + 2];
        two(0) + two(1)
    }
}

#[cfg(target_arch = "x86_64")]
impl Kernel for pulp::x86::V3 {
    #[inline(always)]
    fn cubic(self, block: Block, [x, y]: [f32; 2]) -> f32x4 {
        use core::arch::x86_64::{__m256, __m256i};
        let (avx, avx2) = (self.avx, self.avx2);
        let mul = |a: __m256, b: __m256| avx._mm256_mul_ps(a, b);
        let add = |a: __m256, b: __m256| avx._mm256_add_ps(a, b);
        // The weights along x, then along y.
        let t = avx._mm256_setr_m128(self.sse._mm_set1_ps(x), self.sse._mm_set1_ps(y));
        let [a, b, c, d] = WEIGHTS.map(|of| pulp::cast::<[[f32; 4]; 2], __m256>([of, of]));
        let weights = add(mul(add(mul(add(mul(a, t), b), t), c), t), d);
        let pick = |low: i32, high: i32| {
            let index = pulp::cast::<[[i32; 4]; 2], __m256i>([[low; 4], [high; 4]]);
            avx2._mm256_permutevar8x32_ps(weights, index)
        };
        let wy = [pick(4, 4), pick(5, 5), pick(6, 6), pick(7, 7)];
        let rows = block.map(|row| pulp::cast::<[Rgba; 4], [__m256; 2]>(*row));
        let columns = |i: usize| {
            let [a, b, c, d] = [rows[0][i], rows[1][i], rows[2][i], rows[3][i]];
            add(add(mul(a, wy[0]), mul(b, wy[1])), add(mul(c, wy[2]), mul(d, wy[3])))
        };
        let two = add(mul(columns(0), pick(0, 1)), mul(columns(1), pick(2, 3)));
        let [low, high] = pulp::cast::<__m256, [[f32; 4]; 2]>(two);
        f32x4::new(low) + f32x4::new(high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(seed: u32) -> [[Rgba; 4]; 4] {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0 * 1.7 - 0.2
        };
        std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| next())))
    }

    #[test]
    fn every_processor_gives_the_same_bits() {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            for seed in 0..2000u32 {
                let block = block(seed);
                let at = [seed as f32 / 2000.0, (seed * 7 % 2000) as f32 / 2000.0];
                let [a, b, c, d] = &block;
                let rows = [a, b, c, d];
                assert_eq!(Plain.cubic(rows, at).to_array(), simd.cubic(rows, at).to_array(), "{at:?}");
            }
        }
    }

    #[test]
    fn on_a_pixel_it_is_that_pixel() {
        let block = block(5);
        let [a, b, c, d] = &block;
        assert_eq!(Plain.cubic([a, b, c, d], [0.0, 0.0]).to_array(), block[1][1]);
    }
}
