//! The matting Laplacian (A. Levin, D. Lischinski, Y. Weiss, *A Closed-Form Solution to Natural Image Matting*, 2008):
//! in small windows the colours of two layers lie on lines, so a mask is there an affine function of the picture.
//!
//! Here it is what joins pixels that say little to those that say much; what each pixel says comes from the known layer.
//! The matrix is never written down: its product with a mask is, window by window, what a linear fit leaves over.

use crate::frame::{Image, Rgba};

/// Weight of the Laplacian against the evidence of pixels.
const WEIGHT: f32 = 150.0;
/// Variance of a window's colours, 0…1 squared, below which they tell nothing apart.
const LEAST_VARIANCE: f32 = 1e-5 / 9.0;
/// Most steps of the solver.
const STEPS: usize = 60;
/// Residual, against the first one, at which it has arrived.
const ARRIVED: f32 = 1e-3;
/// Pixels of a window.
const SIZE: usize = 9;

/// Masks are sought with the least of Σ weight · α² − 2 pull · α over pixels, and of the Laplacian's energy.
pub(super) struct Problem<'a> {
    /// The picture that is matted, levels.
    pub(super) picture: &'a Image<Rgba>,
    /// Whether a pixel is to be found; the others keep what they start with.
    pub(super) unknown: &'a Image<bool>,
    /// Evidence of a pixel: its weight, and its weight times its value.
    pub(super) evidence: &'a Image<[f32; 2]>,
}

/// One window: its pixels' colours from their mean, and what solves for a line through them.
struct Window {
    pixels: [u32; SIZE],
    colours: [[f32; 3]; SIZE],
    /// Inverse covariance: xx, xy, xz, yy, yz, zz.
    inverse: [f32; 6],
}

impl Problem<'_> {
    /// The mask, starting from `start`, by conjugate gradients with the diagonal as preconditioner.
    pub(super) fn solve(&self, start: Image<f32>) -> Image<f32> {
        let windows = self.windows();
        let mut mask = start.pixels().to_vec();
        let free: Vec<u32> = indices(self.unknown);
        let evidence = self.evidence.pixels();
        let mut product = vec![0.0f32; mask.len()];
        let diagonal = diagonal(&windows, mask.len());
        let scale: Vec<f32> = free
            .iter()
            .map(|&i| 1.0 / (evidence[i as usize][0] + WEIGHT * diagonal[i as usize]).max(1e-6))
            .collect();
        apply(&windows, &mask, &mut product);
        let mut rest: Vec<f32> = free
            .iter()
            .map(|&i| {
                let (i, [weight, pull]) = (i as usize, evidence[i as usize]);
                pull - weight * mask[i] - WEIGHT * product[i]
            })
            .collect();
        let mut way = vec![0.0f32; mask.len()];
        let (mut before, mut first) = (0.0f64, 0.0f64);
        for step in 0..STEPS {
            let now: f64 = rest.iter().zip(&scale).map(|(r, s)| f64::from(r * r * s)).sum();
            if step == 0 {
                first = now;
            }
            if now <= first * f64::from(ARRIVED * ARRIVED) {
                break;
            }
            let turn = if step == 0 { 0.0 } else { (now / before) as f32 };
            for ((&i, r), s) in free.iter().zip(&rest).zip(&scale) {
                way[i as usize] = r * s + turn * way[i as usize];
            }
            apply(&windows, &way, &mut product);
            let steep = |i: usize| evidence[i][0] * way[i] + WEIGHT * product[i];
            let along: f64 = free.iter().map(|&i| f64::from(way[i as usize] * steep(i as usize))).sum();
            if along <= 0.0 {
                break;
            }
            let far = (now / along) as f32;
            for (&i, r) in free.iter().zip(&mut rest) {
                let i = i as usize;
                mask[i] += far * way[i];
                *r -= far * steep(i);
            }
            before = now;
        }
        let (w, h) = self.unknown.size();
        Image::from_vec(w, h, mask)
    }

    /// The windows that hold a pixel to be found.
    fn windows(&self) -> Vec<Window> {
        let (w, h) = self.unknown.size();
        let mut windows = Vec::new();
        for y in 1..h.saturating_sub(1) {
            for x in 1..w.saturating_sub(1) {
                let near = || (0..SIZE).map(|k| (x + k % 3 - 1, y + k / 3 - 1));
                if near().any(|at| self.unknown[at]) {
                    let pixels = std::array::from_fn(|k| ((y + k / 3 - 1) * w + x + k % 3 - 1) as u32);
                    let colours = std::array::from_fn(|k| self.picture[(x + k % 3 - 1, y + k / 3 - 1)]);
                    windows.push(Window::new(pixels, &colours));
                }
            }
        }
        windows
    }
}

impl Window {
    fn new(pixels: [u32; SIZE], levels: &[Rgba; SIZE]) -> Self {
        let value = |p: &Rgba, c: usize| p[c].clamp(0.0, 255.0) / 255.0;
        let mean = [0, 1, 2].map(|c| levels.iter().map(|p| value(p, c)).sum::<f32>() / SIZE as f32);
        let colours = levels.each_ref().map(|p| [0, 1, 2].map(|c| value(p, c) - mean[c]));
        let of = |a: usize, b: usize| colours.iter().map(|p| p[a] * p[b]).sum::<f32>() / SIZE as f32;
        let (xx, yy, zz) = (of(0, 0) + LEAST_VARIANCE, of(1, 1) + LEAST_VARIANCE, of(2, 2) + LEAST_VARIANCE);
        Self { pixels, colours, inverse: inverse([xx, of(0, 1), of(0, 2), yy, of(1, 2), zz]) }
    }

    /// The slopes of the line through products `m` of colours and mask.
    #[inline]
    fn slopes(&self, m: [f32; 3]) -> [f32; 3] {
        let [xx, xy, xz, yy, yz, zz] = self.inverse;
        [
            xx * m[0] + xy * m[1] + xz * m[2],
            xy * m[0] + yy * m[1] + yz * m[2],
            xz * m[0] + yz * m[1] + zz * m[2],
        ]
    }
}

/// Inverse of a symmetric, positive definite matrix, both as xx, xy, xz, yy, yz, zz.
fn inverse(m: [f32; 6]) -> [f32; 6] {
    let [a, b, c, d, e, f] = m.map(f64::from);
    let (p, q, r) = (d * f - e * e, c * e - b * f, b * e - c * d);
    let determinant = a * p + b * q + c * r;
    [p, q, r, a * f - c * c, b * c - a * e, a * d - b * b].map(|v| (v / determinant) as f32)
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The Laplacian times a mask.
fn apply(windows: &[Window], mask: &[f32], product: &mut [f32]) {
    product.fill(0.0);
    for window in windows {
        let values = window.pixels.map(|i| mask[i as usize]);
        let mean = values.iter().sum::<f32>() / SIZE as f32;
        let mut m = [0.0; 3];
        for (p, v) in window.colours.iter().zip(&values) {
            (0..3).for_each(|c| m[c] += p[c] * (v - mean) / SIZE as f32);
        }
        let slopes = window.slopes(m);
        for ((i, p), v) in window.pixels.iter().zip(&window.colours).zip(&values) {
            product[*i as usize] += v - mean - dot(slopes, *p);
        }
    }
}

/// The Laplacian's diagonal.
fn diagonal(windows: &[Window], pixels: usize) -> Vec<f32> {
    let mut diagonal = vec![0.0; pixels];
    for window in windows {
        for (i, p) in window.pixels.iter().zip(&window.colours) {
            diagonal[*i as usize] += 1.0 - (1.0 + dot(*p, window.slopes(*p))) / SIZE as f32;
        }
    }
    diagonal
}

fn indices(chosen: &Image<bool>) -> Vec<u32> {
    (0u32..).zip(chosen.pixels()).filter(|(_, c)| **c).map(|(i, _)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mask that is an affine function of the picture costs nothing, so the ends decide what lies between.
    #[test]
    fn a_ramp_of_colours_is_a_ramp_of_shares() {
        let (w, h) = (40, 12);
        let share = |x: usize| ((x as f32 - 8.0) / 24.0).clamp(0.0, 1.0);
        let picture = Image::from_fn(w, h, |x, y| {
            let (a, grain) = (share(x), ((x * 7 + y * 13) % 5) as f32 * 0.2);
            [200.0 * a + 30.0 * (1.0 - a) + grain, 40.0 * a + 180.0 * (1.0 - a), 90.0, 0.0]
        });
        let unknown = Image::from_fn(w, h, |x, _| (8..32).contains(&x));
        let evidence = Image::new(w, h, [0.0; 2]);
        let start = Image::from_fn(w, h, |x, _| {
            if x < 8 {
                0.0
            } else if x >= 32 {
                1.0
            } else {
                0.5
            }
        });
        let found = Problem { picture: &picture, unknown: &unknown, evidence: &evidence }.solve(start);
        for x in 0..w {
            assert!((found[(x, 6)] - share(x)).abs() < 0.03, "{} at {x}", found[(x, 6)]);
        }
    }

    #[test]
    fn the_diagonal_is_that_of_the_product() {
        let picture =
            Image::from_fn(9, 7, |x, y| [(x * x * 3) as f32, (y * 29 % 90) as f32, (x * y * 5) as f32, 0.0]);
        let (unknown, evidence) = (Image::new(9, 7, true), Image::new(9, 7, [0.0; 2]));
        let windows = Problem { picture: &picture, unknown: &unknown, evidence: &evidence }.windows();
        let diagonal = diagonal(&windows, 63);
        for i in [0, 10, 31, 62] {
            let mut one = vec![0.0; 63];
            one[i] = 1.0;
            let mut product = vec![0.0; 63];
            apply(&windows, &one, &mut product);
            assert!((product[i] - diagonal[i]).abs() < 1e-4);
            let sum: f32 = product.iter().sum();
            assert!(sum.abs() < 1e-4, "a constant costs something: {sum}");
        }
    }
}
