//! The soft mask as compositing wants it: as floats, grown and softened as asked.

use crate::frame::{Image, Scale, gaussian};

/// M̂ of one frame, 0…1 at working size, after `grow` and `soften` (full-size pixels). With both 0 the stored values
/// come through exactly, 255 as 1.0.
pub(super) fn prepare(mask: &Image<u8>, scale: Scale, grow: f32, soften: f32) -> Image<f32> {
    let pixels = (scale.factor[0] * scale.factor[1]).sqrt() as f32;
    let mut matte = mask.map(|&v| f32::from(v) / 255.0);
    if grow > 0.0 {
        matte = grown(&matte, grow / pixels);
    } else if grow < 0.0 {
        let behind = matte.map(|v| 1.0 - v);
        matte = grown(&behind, -grow / pixels).map(|v| 1.0 - v);
    }
    if soften > 0.0 {
        matte = gaussian(&matte, soften / pixels).map(|v| v.clamp(0.0, 1.0));
    }
    matte
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
        let matte = prepare(&mask, Scale::ONE, 0.0, 0.0);
        assert_eq!((matte[(0, 0)], matte[(15, 15)]), (0.0, 1.0));
        assert_eq!(super::super::sample::bilinear_f32(&Image::new(3, 3, 1.0), [0.3, 1.7]), 1.0);
    }

    #[test]
    fn growing_moves_the_edge_by_full_size_pixels() {
        let mask = Image::from_fn(64, 64, |x, y| {
            let d = (x as f32 - 32.0).hypot(y as f32 - 32.0);
            if d <= 12.0 { 255 } else { 0 }
        });
        let half = Scale { factor: [2.0, 2.0] };
        for (grow, more) in [(4.0, 4.0), (5.0, 5.0), (-4.0, -4.0), (-3.0, -3.0)] {
            let got = width(&prepare(&mask, half, grow, 0.0));
            // Two edges, half-size pixels.
            assert!((got - (25.0 + more)).abs() < 0.3, "{grow}: {got}");
        }
        let soft = prepare(&mask, half, 0.0, 6.0);
        // A blurred disc loses a little of its width to its own roundness.
        assert!((width(&soft) - 25.0).abs() < 3.0, "{}", width(&soft));
        assert!(soft[(44, 32)] > 0.3 && soft[(44, 32)] < 0.7, "{}", soft[(44, 32)]);
    }
}
