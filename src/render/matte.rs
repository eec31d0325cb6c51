//! The soft mask as compositing wants it: as floats, grown and softened as asked.

use crate::frame::{Image, Scale, gaussian};
use crate::param::RenderSettings;

/// What is done to a mask's edge, in this order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Full-size pixels by which it grows.
    pub(super) grow: f32,
    /// Full-size pixels by which it is blurred.
    pub(super) soften: f32,
    /// Contrast about one half.
    pub(super) edge: f32,
}

impl Shape {
    /// Nothing: stored values come through exactly, 255 as 1.0.
    pub(super) const AS_FOUND: Shape = Shape { grow: 0.0, soften: 0.0, edge: 1.0 };

    pub(super) fn of(settings: &RenderSettings) -> Self {
        Self { grow: settings.grow, soften: settings.soften, edge: settings.edge }
    }
}

/// M̂ of one frame, 0…1 at working size; `scale` is full size over working size.
pub(super) fn prepare(mask: &Image<u8>, scale: Scale, shape: Shape) -> Image<f32> {
    let pixels = (scale.factor[0] * scale.factor[1]).sqrt() as f32;
    let mut matte = mask.map(|&v| f32::from(v) / 255.0);
    if shape.grow > 0.0 {
        matte = grown(&matte, shape.grow / pixels);
    } else if shape.grow < 0.0 {
        let behind = matte.map(|v| 1.0 - v);
        matte = grown(&behind, -shape.grow / pixels).map(|v| 1.0 - v);
    }
    if shape.soften > 0.0 {
        matte = gaussian(&matte, shape.soften / pixels).map(|v| v.clamp(0.0, 1.0));
    }
    if shape.edge != 1.0 {
        matte = matte.map(|&v| contrast(v, shape.edge));
    }
    matte
}

/// A share with `edge` times the slope at one half. What is wholly hidden or visible stays so: below 1 a straight line
/// would let the paint shine through whatever passes in front, so the curve bends to meet both ends.
fn contrast(v: f32, edge: f32) -> f32 {
    if edge >= 1.0 {
        ((v - 0.5) * edge + 0.5).clamp(0.0, 1.0)
    } else if v < 0.5 {
        0.5 * (2.0 * v).powf(edge)
    } else {
        1.0 - 0.5 * (2.0 - 2.0 * v).powf(edge)
    }
}

/// Dilation by a disc; between whole radii the two results are blended, so that the edge moves evenly.
fn grown(matte: &Image<f32>, radius: f32) -> Image<f32> {
    let whole = radius.floor();
    let (inner, share) = (disc_dilate(matte, whole as isize), radius - whole);
    if share == 0.0 {
        return inner;
    }
    inner.zip(&disc_dilate(matte, whole as isize + 1), |a, b| a + share * (b - a))
}

/// Largest value within `radius` pixels.
fn disc_dilate(matte: &Image<f32>, radius: isize) -> Image<f32> {
    let (w, h) = matte.size();
    let mut result = matte.clone();
    for dy in -radius..=radius {
        let half = ((radius * radius - dy * dy) as f32).sqrt() as usize;
        for y in 0..h {
            let from = y as isize + dy;
            if from < 0 || from >= h as isize {
                continue;
            }
            let source = matte.row(from as usize);
            let row = result.row_mut(y);
            for dx in 0..=half.min(w - 1) {
                row[dx..].iter_mut().zip(source).for_each(|(out, v)| *out = out.max(*v));
                row.iter_mut().zip(&source[dx..]).for_each(|(out, v)| *out = out.max(*v));
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(matte: &Image<f32>) -> f32 {
        matte.row(32).iter().sum()
    }

    #[test]
    fn untouched_is_exact() {
        let mask = Image::from_fn(16, 16, |x, y| (x * 16 + y) as u8);
        let matte = prepare(&mask, Scale::ONE, Shape::AS_FOUND);
        assert_eq!((matte[(0, 0)], matte[(15, 15)]), (0.0, 1.0));
        assert_eq!(super::super::sample::bilinear_f32(&Image::new(3, 3, 1.0), [0.3, 1.7]), 1.0);
    }

    #[test]
    fn contrast_turns_about_one_half_and_keeps_the_ends() {
        let mask = Image::from_fn(256, 1, |x, _| x as u8);
        for edge in [0.1, 0.5, 1.0, 2.0, 10.0] {
            let matte = prepare(&mask, Scale::ONE, Shape { edge, ..Shape::AS_FOUND });
            assert_eq!((matte[(0, 0)], matte[(255, 0)]), (0.0, 1.0), "{edge}");
            assert!(matte.pixels().is_sorted());
            let slope = (matte[(128, 0)] - matte[(127, 0)]) * 255.0;
            assert!((slope / edge - 1.0).abs() < 0.01, "{slope} for {edge}");
        }
    }

    #[test]
    fn growing_moves_the_edge_by_full_size_pixels() {
        let mask = Image::from_fn(64, 64, |x, y| {
            let d = (x as f32 - 32.0).hypot(y as f32 - 32.0);
            if d <= 12.0 { 255 } else { 0 }
        });
        let half = Scale { factor: [2.0, 2.0] };
        for (grow, more) in [(4.0, 4.0), (5.0, 5.0), (-4.0, -4.0), (-3.0, -3.0)] {
            let got = width(&prepare(&mask, half, Shape { grow, ..Shape::AS_FOUND }));
            // Two edges, half-size pixels.
            assert!((got - (25.0 + more)).abs() < 0.3, "{grow}: {got}");
        }
        let soft = prepare(&mask, half, Shape { soften: 6.0, ..Shape::AS_FOUND });
        // A blurred disc loses a little of its width to its own roundness.
        assert!((width(&soft) - 25.0).abs() < 3.0, "{}", width(&soft));
        assert!(soft[(44, 32)] > 0.3 && soft[(44, 32)] < 0.7, "{}", soft[(44, 32)]);
    }
}
