//! Neighbourhood operations on pictures and masks; at the border the edge's pixels go on for ever.

use super::{Image, Pixel};

/// Gaussian blur of standard deviation `sigma` pixels, cut off at 3 σ. A `sigma` of 0 or less copies.
pub fn gaussian<P: Pixel>(image: &Image<P>, sigma: f32) -> Image<P> {
    if sigma <= 0.0 {
        return image.clone();
    }
    let radius = (3.0 * sigma).ceil() as isize;
    let mut kernel: Vec<f32> =
        (-radius..=radius).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let sum: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|k| *k /= sum);
    separable(image, &kernel)
}

/// Mean over a square of `2 radius + 1` pixels.
pub fn box_blur<P: Pixel>(image: &Image<P>, radius: usize) -> Image<P> {
    let n = 2 * radius + 1;
    separable(image, &vec![1.0 / n as f32; n])
}

/// Convolution with the same odd kernel along both axes.
fn separable<P: Pixel>(image: &Image<P>, kernel: &[f32]) -> Image<P> {
    let (w, h) = image.size();
    let radius = kernel.len() / 2;
    let mut lines = Image::new(w, h, P::ZERO);
    for y in 0..h {
        let src = image.row(y);
        let dst = lines.row_mut(y);
        for (x, out) in dst.iter_mut().enumerate() {
            let mut sum = P::ZERO;
            if x >= radius && x + radius < w {
                for (k, p) in kernel.iter().zip(&src[x - radius..]) {
                    sum = sum.add(*p, *k);
                }
            } else {
                for (i, k) in kernel.iter().enumerate() {
                    sum = sum.add(src[(x + i).saturating_sub(radius).min(w - 1)], *k);
                }
            }
            *out = sum;
        }
    }
    let mut result = Image::new(w, h, P::ZERO);
    for y in 0..h {
        for (i, k) in kernel.iter().enumerate() {
            let src = lines.row((y + i).saturating_sub(radius).min(h - 1));
            for (out, p) in result.row_mut(y).iter_mut().zip(src) {
                *out = out.add(*p, *k);
            }
        }
    }
    result
}

/// First derivatives along x and y per pixel, by Scharr's 3×3 operator (normalised: a ramp of slope 1 gives 1).
pub fn scharr<P: Pixel>(image: &Image<P>) -> (Image<P>, Image<P>) {
    let (w, h) = image.size();
    let (mut gx, mut gy) = (Image::new(w, h, P::ZERO), Image::new(w, h, P::ZERO));
    const SIDE: f32 = 3.0 / 32.0;
    const MIDDLE: f32 = 10.0 / 32.0;
    for y in 0..h {
        let rows = [image.row(y.saturating_sub(1)), image.row(y), image.row((y + 1).min(h - 1))];
        let (out_x, out_y) = (gx.row_mut(y), gy.row_mut(y));
        for x in 0..w {
            let (l, r) = (x.saturating_sub(1), (x + 1).min(w - 1));
            let [a, b, c] = rows;
            out_x[x] = P::ZERO
                .add(a[r], SIDE)
                .add(a[l], -SIDE)
                .add(b[r], MIDDLE)
                .add(b[l], -MIDDLE)
                .add(c[r], SIDE)
                .add(c[l], -SIDE);
            out_y[x] = P::ZERO
                .add(c[l], SIDE)
                .add(a[l], -SIDE)
                .add(c[x], MIDDLE)
                .add(a[x], -MIDDLE)
                .add(c[r], SIDE)
                .add(a[r], -SIDE);
        }
    }
    (gx, gy)
}

/// Largest value in a square of `2 radius + 1` pixels.
pub fn dilate(image: &Image<f32>, radius: usize) -> Image<f32> {
    let (w, h) = image.size();
    let mut lines = image.clone();
    for y in 0..h {
        let src = image.row(y);
        for (x, out) in lines.row_mut(y).iter_mut().enumerate() {
            let window = &src[x.saturating_sub(radius)..(x + radius + 1).min(w)];
            *out = window.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        }
    }
    let mut result = lines.clone();
    for y in 0..h {
        for j in y.saturating_sub(radius)..(y + radius + 1).min(h) {
            for (out, v) in result.row_mut(y).iter_mut().zip(lines.row(j)) {
                *out = out.max(*v);
            }
        }
    }
    result
}

/// Euclidean distance, in pixels, from every pixel to the nearest one where `inside` holds; infinite where there is
/// none. Exact, in two passes of lower envelopes (Felzenszwalb and Huttenlocher 2012).
pub fn distance<P: Copy>(image: &Image<P>, inside: impl Fn(P) -> bool) -> Image<f32> {
    let (w, h) = image.size();
    let mut squared = image.map(|&p| if inside(p) { 0.0 } else { f32::INFINITY });
    let mut scratch = Envelope::new(w.max(h));
    let mut column = vec![0.0; h];
    for x in 0..w {
        for (y, v) in column.iter_mut().enumerate() {
            *v = squared[(x, y)];
        }
        scratch.transform(&mut column);
        for (y, v) in column.iter().enumerate() {
            squared[(x, y)] = *v;
        }
    }
    for y in 0..h {
        scratch.transform(squared.row_mut(y));
    }
    squared.map(|v| v.sqrt())
}

/// Working memory of the one-dimensional distance transform.
struct Envelope {
    source: Vec<f32>,
    vertex: Vec<usize>,
    start: Vec<f32>,
}

impl Envelope {
    fn new(n: usize) -> Self {
        Self { source: vec![0.0; n], vertex: vec![0; n], start: vec![0.0; n + 1] }
    }

    /// Replaces `line[i]` by the least `line[j] + (i − j)²`.
    fn transform(&mut self, line: &mut [f32]) {
        let n = line.len();
        self.source[..n].copy_from_slice(line);
        let f = &self.source;
        let mut count = 0;
        for q in (0..n).filter(|&q| f[q].is_finite()) {
            let mut from = f32::NEG_INFINITY;
            while count > 0 {
                let p = self.vertex[count - 1];
                from = ((f[q] + (q * q) as f32) - (f[p] + (p * p) as f32)) / (2 * (q - p)) as f32;
                if from > self.start[count - 1] {
                    break;
                }
                count -= 1;
                from = f32::NEG_INFINITY;
            }
            self.vertex[count] = q;
            self.start[count] = from;
            count += 1;
        }
        if count == 0 {
            return;
        }
        let mut k = 0;
        for (i, out) in line.iter_mut().enumerate() {
            while k + 1 < count && self.start[k + 1] < i as f32 {
                k += 1;
            }
            let p = self.vertex[k];
            let d = i as f32 - p as f32;
            *out = d * d + f[p];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blurs_keep_constants_and_mass() {
        let im = Image::new(9, 6, 2.5f32);
        assert!(gaussian(&im, 1.3).pixels().iter().all(|v| (v - 2.5).abs() < 1e-5));
        assert!(box_blur(&im, 1).pixels().iter().all(|v| (v - 2.5).abs() < 1e-5));
        let mut dot = Image::new(21, 21, 0.0f32);
        dot[(10, 10)] = 1.0;
        let g = gaussian(&dot, 2.0);
        assert!((g.pixels().iter().sum::<f32>() - 1.0).abs() < 1e-4);
        // Second moment of the kernel is its variance (cut at 3 σ loses a little).
        let var: f32 = (0..21).map(|x| g.row(10)[x] * (x as f32 - 10.0).powi(2)).sum::<f32>()
            / g.row(10).iter().sum::<f32>();
        assert!((var - 4.0).abs() < 0.15, "{var}");
    }

    #[test]
    fn scharr_of_a_ramp() {
        let im = Image::from_fn(8, 8, |x, y| 2.0 * x as f32 - 0.5 * y as f32);
        let (gx, gy) = scharr(&im);
        assert!((gx[(4, 4)] - 2.0).abs() < 1e-5 && (gy[(4, 4)] + 0.5).abs() < 1e-5);
    }

    #[test]
    fn distance_agrees_with_brute_force() {
        let mut seed = 7u32;
        let im = Image::from_fn(23, 17, |_, _| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 28 == 0
        });
        let d = distance(&im, |p| p);
        for y in 0..17 {
            for x in 0..23 {
                let best = (0..17)
                    .flat_map(|v| (0..23).map(move |u| (u, v)))
                    .filter(|&p| im[p])
                    .map(|(u, v)| ((u as f32 - x as f32).powi(2) + (v as f32 - y as f32).powi(2)).sqrt())
                    .fold(f32::INFINITY, f32::min);
                assert!((d[(x, y)] - best).abs() < 1e-4, "({x},{y}): {} for {best}", d[(x, y)]);
            }
        }
        assert!(distance(&Image::new(3, 3, false), |p| p).pixels().iter().all(|v| v.is_infinite()));
    }

    #[test]
    fn dilation_spreads_by_its_radius() {
        let mut im = Image::new(9, 9, 0.0f32);
        im[(4, 4)] = 1.0;
        let d = dilate(&im, 2);
        assert_eq!(d.pixels().iter().filter(|&&v| v == 1.0).count(), 25);
    }
}
