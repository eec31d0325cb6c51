//! Reading a picture between its pixels.

use super::{Image, Pixel, Vec2};

/// Moments at which an exposure is sampled, as shares of the time the shutter is open, from the frame's own time: the
/// beginnings of the four quarters of an exposure that is half over then.
///
/// A convention: where the middle of a real exposure lies cannot be seen in its picture.
pub const EXPOSURE: [f32; 4] = [-0.5, -0.25, 0.0, 0.25];

/// Picture pixels to the side of what is read at once, up to which one cubic sample is enough.
pub const SHARP: f32 = 1.25;

/// Side of the square that is averaged where `side` picture pixels are read at once. It grows from nothing at [`SHARP`],
/// so that there is no step between the sharp and the filtered part of a picture.
#[inline(always)]
pub fn averaged(side: f32) -> f32 {
    if side < 2.0 { (2.0 * (side - SHARP) / (2.0 - SHARP)).max(0.0) } else { side }
}

/// Weights of the four neighbours at `-1, 0, 1, 2` for a point `t` ∈ [0,1) past pixel 0: Keys' cubic with a = −½
/// (Catmull–Rom), which reproduces quadratics exactly.
#[inline(always)]
pub fn cubic_weights(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [-0.5 * t3 + t2 - 0.5 * t, 1.5 * t3 - 2.5 * t2 + 1.0, -1.5 * t3 + 2.0 * t2 + 0.5 * t, 0.5 * t3 - 0.5 * t2]
}

/// As [`cubic_weights`], but Keys' cubic with a = −¾, for pictures that are shown: it keeps more of their detail. Read
/// between its pixels, a photograph and a film frame come out nearer to a perfect interpolation than with a = −½ (mean
/// squared error 0.48 against 0.59 and 1.15 against 1.68 levels²), a picture blurred by 0.9 pixels farther from it (0.48
/// against 0.21; `benches/reference/kernels.py`). It reproduces constants only, so positions are read with the other.
#[inline(always)]
pub fn sharp_weights(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        -0.75 * t3 + 1.5 * t2 - 0.75 * t,
        1.25 * t3 - 2.25 * t2 + 1.0,
        -1.25 * t3 + 1.5 * t2 + 0.75 * t,
        0.75 * t3 - 0.75 * t2,
    ]
}

/// The whole number below. (The library's is a function call on processors without SSE 4.1, our common denominator.)
#[inline(always)]
fn floor(v: f32) -> isize {
    let whole = v as i32;
    (whole - i32::from((whole as f32) > v)) as isize
}

/// Bilinear sample; outside, the edge's pixels go on for ever.
#[inline(always)]
pub fn bilinear<P: Pixel>(image: &Image<P>, [x, y]: Vec2) -> P {
    let (w, h) = image.size();
    let (x, y) = (x.clamp(0.0, (w - 1) as f32), y.clamp(0.0, (h - 1) as f32));
    let (x0, y0) = ((x as usize).min(w.saturating_sub(2)), (y as usize).min(h.saturating_sub(2)));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
    let (r0, r1) = (image.row(y0), image.row(y1));
    P::ZERO
        .add(r0[x0], (1.0 - fx) * (1.0 - fy))
        .add(r0[x1], fx * (1.0 - fy))
        .add(r1[x0], (1.0 - fx) * fy)
        .add(r1[x1], fx * fy)
}

/// Bilinear sample of a picture surrounded by `outside` (for masks: what lies outside is not there).
#[inline]
pub fn bilinear_or<P: Pixel>(image: &Image<P>, [x, y]: Vec2, outside: P) -> P {
    let (w, h) = (image.width() as f32, image.height() as f32);
    if !(x > -1.0 && y > -1.0 && x < w && y < h) {
        return outside;
    }
    if x >= 0.0 && y >= 0.0 && x <= w - 1.0 && y <= h - 1.0 {
        return bilinear(image, [x, y]);
    }
    let (x0, y0) = (floor(x) as f32, floor(y) as f32);
    let (fx, fy) = (x - x0, y - y0);
    let at = |x: f32, y: f32| {
        if x >= 0.0 && y >= 0.0 && x < w && y < h { image[(x as usize, y as usize)] } else { outside }
    };
    P::ZERO
        .add(at(x0, y0), (1.0 - fx) * (1.0 - fy))
        .add(at(x0 + 1.0, y0), fx * (1.0 - fy))
        .add(at(x0, y0 + 1.0), (1.0 - fx) * fy)
        .add(at(x0 + 1.0, y0 + 1.0), fx * fy)
}

/// Bicubic (Catmull–Rom) sample; outside, the edge's pixels go on for ever.
#[inline(always)]
pub fn cubic<P: Pixel>(image: &Image<P>, p: Vec2) -> P {
    weighted(image, p, cubic_weights)
}

/// As [`cubic`], by [`sharp_weights`].
#[inline(always)]
pub fn sharp<P: Pixel>(image: &Image<P>, p: Vec2) -> P {
    weighted(image, p, sharp_weights)
}

#[inline(always)]
fn weighted<P: Pixel>(image: &Image<P>, [x, y]: Vec2, weights: impl Fn(f32) -> [f32; 4]) -> P {
    let (w, h) = image.size();
    let (x, y) = (x.clamp(-1.0, w as f32), y.clamp(-1.0, h as f32));
    let (x0, y0) = (floor(x), floor(y));
    let (wx, wy) = (weights(x - x0 as f32), weights(y - y0 as f32));
    let (x0, y0) = (x0 - 1, y0 - 1);
    let mut sum = P::ZERO;
    if x0 >= 0 && y0 >= 0 && x0 + 4 <= w as isize && y0 + 4 <= h as isize {
        let x0 = x0 as usize;
        for (j, wy) in wy.into_iter().enumerate() {
            let row = &image.row(y0 as usize + j)[x0..x0 + 4];
            let line = P::ZERO.add(row[0], wx[0]).add(row[1], wx[1]).add(row[2], wx[2]).add(row[3], wx[3]);
            sum = sum.add(line, wy);
        }
        return sum;
    }
    let clamp = |v: isize, n: usize| v.clamp(0, n as isize - 1) as usize;
    for (j, wy) in wy.into_iter().enumerate() {
        let row = image.row(clamp(y0 + j as isize, h));
        for (i, wx) in wx.into_iter().enumerate() {
            sum = sum.add(row[clamp(x0 + i as isize, w)], wx * wy);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Image<f32> {
        Image::from_fn(7, 5, |x, y| 2.0 * x as f32 - 3.0 * y as f32 + 1.0)
    }

    #[test]
    fn linear_pictures_are_reproduced_by_both_kernels() {
        let im = ramp();
        for (x, y) in [(2.0, 2.0), (2.25, 1.5), (3.9, 2.75)] {
            let want = 2.0 * x - 3.0 * y + 1.0;
            assert!((bilinear(&im, [x, y]) - want).abs() < 1e-5);
            assert!((cubic(&im, [x, y]) - want).abs() < 1e-5);
        }
    }

    #[test]
    fn cubic_reproduces_quadratics_inside() {
        let im = Image::from_fn(8, 8, |x, _| (x * x) as f32);
        assert!((cubic(&im, [3.4, 4.0]) - 3.4f32 * 3.4).abs() < 1e-4);
    }

    #[test]
    fn outside_is_the_edge_or_what_was_asked() {
        let im = ramp();
        assert_eq!(bilinear(&im, [-9.0, -9.0]), 1.0);
        assert_eq!(cubic(&im, [-9.0, -9.0]), 1.0);
        assert_eq!(bilinear_or(&im, [-1.5, 2.0], 9.0), 9.0);
        assert_eq!(bilinear_or(&im, [f32::NAN, 2.0], 9.0), 9.0);
        assert!((bilinear_or(&im, [-0.5, 0.0], 9.0) - 5.0).abs() < 1e-6);
        let dot = Image::new(1, 1, 3.0f32);
        assert_eq!((bilinear(&dot, [0.0, 0.0]), cubic(&dot, [0.3, 0.0])), (3.0, 3.0));
    }
}
