//! Where a piece of surface may lie in a frame, anywhere and at any size: normalised cross-correlation of its colours.
//!
//! All colours are correlated at once, so that an orange tank before green trees counts as what it is. The piece is
//! looked for at a few hundred pixels; that is enough to tell where to look closer.

use crate::error::Result;
use crate::frame::{Image, Rgba, Vec2, resized};

/// Pixels of the piece when it is looked for.
const PIXELS: f32 = 400.0;
/// Sizes looked for, against the piece's own: the smallest, the ratio from one to the next, and how many.
const SMALLEST: f32 = 0.5;
const RATIO: f32 = 1.15;
const SIZES: i32 = 14;
/// Least correlation worth a look.
const LEAST: f32 = 0.3;
/// Places kept of a frame.
const KEPT: usize = 6;
/// Two places are one when nearer than this share of the piece's side …
const SAME: f32 = 0.3;
/// Mean square in levels below which a place has no structure to correlate.
const FLAT: f32 = 9.0;

/// Where a frame looks like the piece.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// Correlation, up to 1.
    pub score: f32,
    /// Where the piece's middle is, in the frame's pixels.
    pub centre: Vec2,
    /// Its size against the piece's own.
    pub scale: f32,
}

/// A piece of surface to be looked for.
pub(super) struct Piece {
    /// Weighted colours less their weighted mean, and the weight as alpha.
    pattern: Image<Rgba>,
    /// Root of the pattern's weighted square sum.
    norm: f32,
    /// Sum of weights.
    total: f32,
    /// Frame pixels to a pattern pixel, at the piece's own size.
    step: f32,
    /// Side of the piece in frame pixels, at its own size.
    pub side: f32,
}

impl Piece {
    /// From colours in levels, alpha the share that belongs to the piece; `None` where it has no structure.
    pub(super) fn new(picture: &Image<Rgba>) -> Result<Option<Self>> {
        let (w, h) = picture.size();
        let side = ((w * h) as f32).sqrt();
        let step = (side / PIXELS.sqrt()).max(1.0);
        let small = |n: usize| ((n as f32 / step).round() as usize).max(2);
        let picture = resized(picture, (small(w), small(h)))?;
        let sum = picture.pixels().iter().fold([0.0f32; 4], |s, p| {
            let k = p[3].clamp(0.0, 1.0);
            [s[0] + k * p[0], s[1] + k * p[1], s[2] + k * p[2], s[3] + k]
        });
        if sum[3] < 0.1 * picture.pixels().len() as f32 {
            return Ok(None);
        }
        let mut square = 0.0;
        let pattern = picture.map(|p| {
            let k = p[3].clamp(0.0, 1.0);
            let off = [0, 1, 2].map(|c| p[c] - sum[c] / sum[3]);
            square += k * off.iter().map(|d| d * d).sum::<f32>();
            [k * off[0], k * off[1], k * off[2], k]
        });
        let told = square > FLAT * sum[3];
        Ok(told.then(|| Self { pattern, norm: square.sqrt(), total: sum[3], step, side }))
    }

    /// The places that look most like the piece, best first.
    pub(super) fn places(&self, frame: &Image<Rgba>) -> Result<Vec<Place>> {
        let mut found = Vec::new();
        for k in 0..SIZES {
            let scale = SMALLEST * RATIO.powi(k);
            let step = self.step * scale;
            let small = |n: usize| (n as f32 / step).round() as usize;
            let (w, h) = (small(frame.width()), small(frame.height()));
            if w > self.pattern.width() && h > self.pattern.height() {
                let scores = self.scores(&resized(frame, (w, h))?);
                found.extend(peaks(&scores).map(|(at, score)| {
                    let middle = |v: usize, n: usize| (v as f32 + 0.5 * n as f32) * step - 0.5;
                    let centre = [middle(at.0, self.pattern.width()), middle(at.1, self.pattern.height())];
                    Place { score, centre, scale }
                }));
            }
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut kept: Vec<Place> = Vec::with_capacity(KEPT);
        for place in found {
            let same = |k: &Place| {
                let off = (k.centre[0] - place.centre[0]).hypot(k.centre[1] - place.centre[1]);
                off < SAME * self.side * place.scale.min(k.scale)
            };
            if kept.len() < KEPT && !kept.iter().any(same) {
                kept.push(place);
            }
        }
        Ok(kept)
    }

    /// Correlation with the piece laid with its first pixel on each pixel of a reduced frame.
    fn scores(&self, frame: &Image<Rgba>) -> Image<f32> {
        let (w, h) = self.pattern.size();
        let size = (frame.width() - w + 1, frame.height() - h + 1);
        Image::from_rows(size.0, size.1, 0.0, |y, row| {
            for (x, out) in row.iter_mut().enumerate() {
                let (mut with, mut sum, mut square) = ([0.0f32; 4], [0.0f32; 4], [0.0f32; 4]);
                for j in 0..h {
                    let under = &frame.row(y + j)[x..x + w];
                    for (t, f) in self.pattern.row(j).iter().zip(under) {
                        for c in 0..4 {
                            with[c] += t[c] * f[c];
                            sum[c] += t[3] * f[c];
                            square[c] += t[3] * f[c] * f[c];
                        }
                    }
                }
                let spread: f32 = (0..3).map(|c| square[c] - sum[c] * sum[c] / self.total).sum();
                let spread = spread.max(FLAT * self.total);
                *out = (with[0] + with[1] + with[2]) / (self.norm * spread.sqrt());
            }
        })
    }
}

/// The pixels that are higher than all around them and worth a look.
fn peaks(scores: &Image<f32>) -> impl Iterator<Item = ((usize, usize), f32)> + '_ {
    let (w, h) = scores.size();
    let all = (0..h).flat_map(move |y| (0..w).map(move |x| (x, y)));
    let around = move |(x, y): (usize, usize)| {
        let (xs, ys) = (x.saturating_sub(1)..(x + 2).min(w), y.saturating_sub(1)..(y + 2).min(h));
        ys.flat_map(move |v| xs.clone().map(move |u| (u, v)))
    };
    all.map(|at| (at, scores[at]))
        .filter(move |(at, s)| *s > LEAST && around(*at).all(|near| scores[near] <= *s))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texture(x: f32, y: f32) -> Rgba {
        let v = |a: f32, b: f32, c: f32| 120.0 + 60.0 * (a * x + c).sin() * (b * y - c).cos();
        [v(0.11, 0.07, 0.3), v(0.06, 0.12, 1.1), v(0.09, 0.05, 2.0), 1.0]
    }

    /// The piece comes back half as large again, elsewhere, in another light and before a picture of its own kind.
    #[test]
    fn a_piece_is_found_where_it_is_and_as_large_as_it_is() {
        let piece = Image::from_fn(60, 48, |x, y| texture(x as f32, y as f32));
        let (at, scale) = ([190.0, 110.0], 1.5);
        let frame = Image::from_fn(400, 240, |x, y| {
            let u = [(x as f32 - at[0]) / scale + 29.5, (y as f32 - at[1]) / scale + 23.5];
            let on = u[0] > -0.5 && u[1] > -0.5 && u[0] < 59.5 && u[1] < 47.5;
            let p = if on { texture(u[0], u[1]) } else { texture(0.7 * y as f32 + 40.0, 0.9 * x as f32) };
            [0.8 * p[0], 0.7 * p[1], 0.9 * p[2], 0.0]
        });
        let piece = Piece::new(&piece).unwrap().unwrap();
        let best = piece.places(&frame).unwrap()[0];
        assert!(best.score > 0.8, "{best:?}");
        assert!((best.scale / scale).ln().abs() < 0.15, "{best:?}");
        assert!((best.centre[0] - at[0]).hypot(best.centre[1] - at[1]) < 6.0, "{best:?}");
    }

    #[test]
    fn what_has_no_structure_is_not_looked_for() {
        assert!(Piece::new(&Image::new(40, 40, [90.0, 80.0, 70.0, 1.0])).unwrap().is_none());
        assert!(
            Piece::new(&Image::from_fn(40, 40, |x, y| [(x * y) as f32, 0.0, 0.0, 0.0])).unwrap().is_none()
        );
    }
}
