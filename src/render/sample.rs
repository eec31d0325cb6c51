//! Reading an atlas picture where a frame pixel falls on it: sharp where the picture is magnified, filtered where it
//! is reduced.

use super::kernel::{Block, Kernel, Plain};
use crate::frame::{Image, Pixel, Rgba, SHARP, Vec2, averaged};
use std::sync::OnceLock;
use wide::{f32x4, f32x16};

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
    /// Cubic sample at full size; outside, the edge's pixels go on for ever.
    #[inline(always)]
    pub(super) fn cubic(&self, kernel: impl Kernel, p: Vec2) -> Rgba {
        Rows::new(self.full).cubic(kernel, p).to_array()
    }

    /// [`Picture::filtered_by`] where speed is no concern.
    pub(super) fn filtered(&self, p: Vec2, j: Jacobian) -> Rgba {
        self.filtered_by(Plain, p, j)
    }

    /// Mean over the footprint of a frame pixel.
    #[inline(always)]
    pub(super) fn filtered_by(&self, kernel: impl Kernel, p: Vec2, j: Jacobian) -> Rgba {
        let spread = self.spread(j);
        let image = Rows::new(spread.image);
        let mut sum = f32x4::ZERO;
        for offset in spread.offsets() {
            sum += image.cubic(kernel, [0, 1].map(|c| p[c] * spread.share + offset[c]));
        }
        (sum * f32x4::splat(spread.weight)).to_array()
    }

    /// The samples that make up the mean over a footprint.
    ///
    /// The level is chosen by the footprint's short side, so that a surface seen at a slant stays sharp across the
    /// slant; along each side up to [`MOST`] cubic samples are spread over what is [`averaged`] there.
    #[inline(always)]
    pub(super) fn spread(&self, j: Jacobian) -> Spread<'_> {
        let [rx, ry] = footprint(j);
        if rx.max(ry) <= SHARP {
            return Spread {
                image: self.full,
                share: 1.0,
                counts: [1; 2],
                steps: [[0.0; 2]; 2],
                weight: 1.0,
            };
        }
        let halved = self.halvings.get_or_init(|| halve(self.full));
        let wanted = whole_log2(rx.min(ry).max(rx.max(ry) / MOST).max(1.0));
        let level = wanted.min(halved.len());
        let image = if level == 0 { self.full } else { &halved[level - 1] };
        let share = 1.0 / (1u32 << level) as f32;
        let side = |r: f32, x: f32, y: f32| {
            let width = averaged(r);
            let count = width.ceil().clamp(1.0, MOST);
            let step = width / (r.max(1e-6) * count) * share;
            (count, [x * step, y * step])
        };
        let ((nx, dx), (ny, dy)) = (side(rx * share, j[0], j[1]), side(ry * share, j[2], j[3]));
        Spread { image, share, counts: [nx as usize, ny as usize], steps: [dx, dy], weight: 1.0 / (nx * ny) }
    }
}

/// Where the samples lie that make up the mean over a pixel's footprint.
pub(super) struct Spread<'a> {
    /// What is sampled.
    pub(super) image: &'a Image<Rgba>,
    /// Its pixels to a full-size pixel.
    pub(super) share: f32,
    /// Samples along the frame's x and y, and from one to the next.
    counts: [usize; 2],
    steps: [Vec2; 2],
    /// Of each sample.
    pub(super) weight: f32,
}

impl Spread<'_> {
    /// Per sample, what is to be added to a full-size position times `share`.
    #[inline(always)]
    pub(super) fn offsets(&self) -> impl Iterator<Item = Vec2> {
        let ([nx, ny], [dx, dy]) = (self.counts, self.steps);
        let centre = 0.5 * self.share - 0.5;
        let from = |n: usize| -0.5 * (n as f32 - 1.0);
        let first = [0, 1].map(|c| centre + from(nx) * dx[c] + from(ny) * dy[c]);
        (0..ny).flat_map(move |b| {
            (0..nx).map(move |a| [0, 1].map(|c| first[c] + a as f32 * dx[c] + b as f32 * dy[c]))
        })
    }
}

/// The whole number below log₂ `v`, `v` being 1 or more: its exponent.
#[inline(always)]
fn whole_log2(v: f32) -> usize {
    (v.to_bits() >> 23) as usize - 127
}

/// Pixels worked on side by side.
pub(super) const LANES: usize = 16;

/// `start`, `start + step`, `start + 2 step`, …
#[inline(always)]
pub(super) fn ramp(start: f32, step: f32) -> f32x16 {
    const LANE: f32x16 = f32x16::new([0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.]);
    f32x16::splat(start) + LANE * f32x16::splat(step)
}

/// Whole parts, toward 0, and the rest.
#[inline(always)]
pub(super) fn split(v: f32x16) -> ([i32; LANES], f32x16) {
    // (The language's own conversion takes care of numbers too large for an integer, in many instructions.)
    let whole = v.fast_trunc_int();
    (whole.to_array(), v - f32x16::from_i32x16(whole))
}

/// One lane of several numbers.
#[inline(always)]
pub(super) fn of_lane<const N: usize>(v: &[f32x16; N], lane: usize) -> [f32; N] {
    let mut one = [0.0; N];
    for (one, v) in one.iter_mut().zip(v) {
        *one = v.as_array()[lane];
    }
    one
}

/// A picture as four, each beginning a row below the one before: the rows of a block then lie at one index, which
/// needs to be checked only once.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) image: &'a Image<Rgba>,
    rows: [&'a [Rgba]; 4],
    size: [usize; 2],
}

impl<'a> Rows<'a> {
    #[inline(always)]
    pub(super) fn new(image: &'a Image<Rgba>) -> Self {
        let (w, h) = image.size();
        let length = h.saturating_sub(3) * w;
        let rows = [0, 1, 2, 3].map(|j| image.pixels().get(j * w..j * w + length).unwrap_or(&[]));
        Self { image, rows, size: [w, h] }
    }

    /// The 4 × 4 pixels around a position whose whole parts are `x` and `y`; `None` where they are not all in the
    /// picture. (`inside` leaves out a check against wrong pixels, not one against memory.)
    #[inline(always)]
    pub(super) fn block(&self, (x, y): (i32, i32), inside: bool) -> Option<Block<'a>> {
        // What is negative becomes very large.
        let (left, top) = (x.wrapping_sub(1) as u32 as usize, y.wrapping_sub(1) as u32 as usize);
        if !inside && (left + 3 >= self.size[0] || top + 3 >= self.size[1]) {
            return None;
        }
        let first = top * self.size[0] + left;
        let [a, b, c, d] = self.rows;
        Some([four(a, first)?, four(b, first)?, four(c, first)?, four(d, first)?])
    }

    /// Same values as [`crate::frame::sharp`] but for rounding.
    #[inline(always)]
    fn cubic(&self, kernel: impl Kernel, [x, y]: Vec2) -> f32x4 {
        // (The language's own conversion takes care of numbers too large for an integer, in many instructions.)
        let at = f32x4::new([x, y, 0.0, 0.0]);
        let whole = at.fast_trunc_int();
        let past = (at - f32x4::from_i32x4(whole)).to_array();
        let whole = whole.to_array();
        match self.block((whole[0], whole[1]), false) {
            Some(block) => kernel.cubic(block, [past[0], past[1]]),
            None => cubic_at_edge(self.image, [x, y]).into(),
        }
    }
}

/// Four pixels of a row.
#[inline(always)]
fn four(row: &[Rgba], first: usize) -> Option<&[Rgba; 4]> {
    row.get(first..first + 4)?.first_chunk()
}

/// Rare, and kept out of line so that the frequent case stays small.
#[cold]
#[inline(never)]
pub(super) fn cubic_at_edge(image: &Image<Rgba>, p: Vec2) -> Rgba {
    crate::frame::sharp(image, p)
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
        let (a, b) = (p.cubic(Plain, at), p.filtered(at, [SHARP + 1e-3, 0.0, 0.0, SHARP + 1e-3]));
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
            let (got, want) = (p.picture().cubic(Plain, at), crate::frame::sharp(&p.0, at));
            assert!((0..4).all(|c| (got[c] - want[c]).abs() < 1e-5 * want[c].abs().max(1.0)), "{at:?}");
        }
    }
}
