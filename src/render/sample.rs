//! Reading an atlas picture where a frame pixel falls on it: sharp where the picture is magnified, filtered where it
//! is reduced.

use crate::frame::{Image, Pixel, Rgba, Vec2};
use std::sync::OnceLock;
use wide::f32x4;

/// Atlas pixels per frame pixel up to which one cubic sample is enough.
pub(super) const SHARP: f32 = 1.25;
/// More than cubic weights lose by rounding, and less than any file's code value.
pub(super) const ROUNDING: f32 = 1e-5;
/// Most samples along one side of a footprint; a longer one is read from a coarser level.
const MOST: f32 = 16.0;

/// How the position on the picture changes from one frame pixel to the next: `[∂u/∂x, ∂v/∂x, ∂u/∂y, ∂v/∂y]`.
pub(super) type Jacobian = [f32; 4];

/// Length of a pixel's footprint along the frame's x and y, in picture pixels.
#[inline(always)]
pub(super) fn footprint(j: Jacobian) -> [f32; 2] {
    // (The library's own is exact for numbers that do not occur here, and many times slower.)
    [(j[0] * j[0] + j[1] * j[1]).sqrt(), (j[2] * j[2] + j[3] * j[3]).sqrt()]
}

/// Halvings of a picture, made once something is reduced: level l + 1 has half the size of level l, each pixel the
/// mean of 2 × 2.
pub(super) type Halvings = OnceLock<Vec<Image<Rgba>>>;

/// A picture to sample, with the place where its halvings are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture<'a> {
    pub(super) full: &'a Image<Rgba>,
    pub(super) halvings: &'a Halvings,
}

impl Picture<'_> {
    /// Catmull–Rom sample at full size; outside, the edge's pixels go on for ever.
    #[inline(always)]
    pub(super) fn cubic(&self, p: Vec2) -> Rgba {
        cubic(self.full, p)
    }

    /// Mean over the footprint of a frame pixel.
    ///
    /// The level is chosen by the footprint's short side, so that a surface seen at a slant stays sharp across the
    /// slant; along each side up to [`MOST`] cubic samples are spread. Their spread grows from nothing at [`SHARP`],
    /// so that there is no step between the sharp and the filtered part of a picture.
    #[inline(always)]
    pub(super) fn filtered(&self, p: Vec2, j: Jacobian) -> Rgba {
        let [rx, ry] = footprint(j);
        if rx.max(ry) <= SHARP {
            return self.cubic(p);
        }
        let halved = self.halvings.get_or_init(|| halve(self.full));
        let wanted = whole_log2(rx.min(ry).max(rx.max(ry) / MOST).max(1.0));
        let level = wanted.min(halved.len());
        let size = (1u32 << level) as f32;
        let image = if level == 0 { self.full } else { &halved[level - 1] };
        let at = p.map(|v| (v + 0.5) / size - 0.5);
        let spread = |r: f32| {
            let width = if r < 2.0 { (2.0 * (r - SHARP) / (2.0 - SHARP)).max(0.0) } else { r };
            (width.ceil().clamp(1.0, MOST), width / r.max(1e-6))
        };
        let ((nx, wx), (ny, wy)) = (spread(rx / size), spread(ry / size));
        let mut sum = [0.0; 4];
        for b in 0..ny as usize {
            let fy = ((b as f32 + 0.5) / ny - 0.5) * wy / size;
            for a in 0..nx as usize {
                let fx = ((a as f32 + 0.5) / nx - 0.5) * wx / size;
                let q = [at[0] + fx * j[0] + fy * j[2], at[1] + fx * j[1] + fy * j[3]];
                sum = sum.add(cubic(image, q), 1.0 / (nx * ny));
            }
        }
        sum
    }
}

/// The whole number below log₂ `v`, `v` being 1 or more: its exponent.
#[inline(always)]
fn whole_log2(v: f32) -> usize {
    (v.to_bits() >> 23) as usize - 127
}

/// Same values as [`crate::frame::cubic`] but for rounding, four channels at a time. (Written with arrays, the compiler
/// takes the pixels apart and puts them together again.)
#[inline(always)]
fn cubic(image: &Image<Rgba>, [x, y]: Vec2) -> Rgba {
    let (w, h) = image.size();
    if !(x >= 1.0 && y >= 1.0 && x < w as f32 - 2.0 && y < h as f32 - 2.0) {
        return cubic_at_edge(image, [x, y]);
    }
    let (x0, y0) = (x as i32, y as i32);
    let (wx, wy) = (weights(x - x0 as f32), weights(y - y0 as f32));
    let start = (y0 as usize - 1) * w + x0 as usize - 1;
    let pixels = &image.pixels()[start..];
    let rows = (
        pixels.first_chunk::<4>(),
        pixels.get(w..).and_then(<[Rgba]>::first_chunk::<4>),
        pixels.get(2 * w..).and_then(<[Rgba]>::first_chunk::<4>),
        pixels.get(3 * w..).and_then(<[Rgba]>::first_chunk::<4>),
    );
    // The position was compared with the size above; this form only tells the compiler that no row can be too short.
    let (Some(r0), Some(r1), Some(r2), Some(r3)) = rows else { return [0.0; 4] };
    let line = |row: &[Rgba; 4]| {
        f32x4::new(row[0]) * wx[0]
            + f32x4::new(row[1]) * wx[1]
            + f32x4::new(row[2]) * wx[2]
            + f32x4::new(row[3]) * wx[3]
    };
    (line(r0) * wy[0] + line(r1) * wy[1] + line(r2) * wy[2] + line(r3) * wy[3]).to_array()
}

/// Rare, and kept out of line so that the frequent case stays small.
#[cold]
#[inline(never)]
fn cubic_at_edge(image: &Image<Rgba>, p: Vec2) -> Rgba {
    crate::frame::cubic(image, p)
}

/// [`crate::frame::cubic_weights`], all four side by side, each for all channels.
#[inline(always)]
fn weights(t: f32) -> [f32x4; 4] {
    const CUBE: f32x4 = f32x4::new([-0.5, 1.5, -1.5, 0.5]);
    const SQUARE: f32x4 = f32x4::new([1.0, -2.5, 2.0, -0.5]);
    const LINE: f32x4 = f32x4::new([-0.5, 0.0, 0.5, 0.0]);
    const CONSTANT: f32x4 = f32x4::new([0.0, 1.0, 0.0, 0.0]);
    let t = f32x4::splat(t);
    (((CUBE * t + SQUARE) * t + LINE) * t + CONSTANT).to_array().map(f32x4::splat)
}

/// Halvings down to a few pixels; an odd edge is repeated.
fn halve(full: &Image<Rgba>) -> Vec<Image<Rgba>> {
    let mut levels: Vec<Image<Rgba>> = Vec::new();
    loop {
        let above = levels.last().unwrap_or(full);
        let (w, h) = above.size();
        if w.min(h) <= 4 {
            return levels;
        }
        let half = Image::from_fn(w.div_ceil(2), h.div_ceil(2), |x, y| {
            let (x1, y1) = ((2 * x + 1).min(w - 1), (2 * y + 1).min(h - 1));
            [(2 * x, 2 * y), (x1, 2 * y), (2 * x, y1), (x1, y1)]
                .iter()
                .fold([0.0; 4], |sum: Rgba, &at| sum.add(above[at], 0.25))
        });
        levels.push(half);
    }
}

/// An alpha sampled with cubic weights as a share: these sum to one only up to rounding, and overshoot at edges.
#[inline(always)]
pub(super) fn share(alpha: f32) -> f32 {
    if alpha >= 1.0 - ROUNDING {
        1.0
    } else if alpha <= ROUNDING {
        0.0
    } else {
        alpha
    }
}

/// Bilinear sample in which equal neighbours give exactly their value; outside, the edge's pixels go on for ever.
#[inline(always)]
pub(super) fn bilinear_f32(image: &Image<f32>, [x, y]: Vec2) -> f32 {
    let (w, h) = image.size();
    let (x, y) = (x.clamp(0.0, (w - 1) as f32), y.clamp(0.0, (h - 1) as f32));
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let (top, bottom) = (&image.pixels()[y0 * w..y0 * w + w], &image.pixels()[y1 * w..y1 * w + w]);
    let a = top[x0] + fx * (top[x1] - top[x0]);
    let b = bottom[x0] + fx * (bottom[x1] - bottom[x0]);
    a + fy * (b - a)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pyramid(Image<Rgba>, Halvings);

    impl Pyramid {
        fn of(pixel: impl Fn(usize, usize) -> f32) -> Self {
            Self(Image::from_fn(256, 256, |x, y| [pixel(x, y), 0.0, 0.0, 1.0]), Halvings::new())
        }

        fn picture(&self) -> Picture<'_> {
            Picture { full: &self.0, halvings: &self.1 }
        }
    }

    #[test]
    fn reduced_checkers_are_grey() {
        let p = Pyramid::of(|x, y| ((x + y) % 2) as f32);
        for r in [2.0, 2.3, 3.0, 3.7, 5.0, 9.0] {
            for i in 0..200 {
                let at = [100.0 + 0.37 * i as f32, 90.0 + 0.23 * i as f32];
                let v = p.picture().filtered(at, [r, 0.0, 0.0, r])[0];
                assert!((v - 0.5).abs() < 0.03, "{v} at {at:?}, reduced {r} times");
            }
        }
    }

    #[test]
    fn filtering_begins_without_a_step() {
        let p = Pyramid::of(|x, y| ((x + y) % 2) as f32);
        let (p, at) = (p.picture(), [100.3, 90.1]);
        let (a, b) = (p.cubic(at), p.filtered(at, [SHARP + 1e-3, 0.0, 0.0, SHARP + 1e-3]));
        assert!((a[0] - b[0]).abs() < 0.01);
        assert_eq!(p.filtered(at, [1.0, 0.0, 0.0, 1.0]), a);
    }

    #[test]
    fn a_slant_stays_sharp_across() {
        // Stripes along u, reduced 6 times along u only: still stripes.
        let p = Pyramid::of(|_, y| (y / 4 % 2) as f32);
        let v = |y: f32| p.picture().filtered([100.0, y], [6.0, 0.0, 0.0, 1.0])[0];
        assert!(v(101.5) < 0.1 && v(105.5) > 0.9 || v(101.5) > 0.9 && v(105.5) < 0.1);
    }

    #[test]
    fn fast_cubic_is_the_frame_modules() {
        let p = Pyramid::of(|x, y| (x * y % 17) as f32);
        for at in [[0.0, 0.0], [1.0, 1.0], [3.3, 2.8], [253.0, 252.9], [254.2, 5.9], [-3.0, 700.0]] {
            let (got, want) = (p.picture().cubic(at), crate::frame::cubic(&p.0, at));
            assert!((0..4).all(|c| (got[c] - want[c]).abs() < 1e-5 * want[c].abs().max(1.0)), "{at:?}");
        }
    }
}
