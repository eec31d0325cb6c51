//! How far a round trip misses its start: the validity of a flow, measured without any ground truth.
//!
//! Where a surface is hidden in the other picture, or leaves it, the forward and the backward flow see different
//! things and do not undo each other; where both saw the same surface they do.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::frame::{Image, Vec2, bilinear};

/// Round-trip error per pixel, in pixels: the length of `forward(p) + backward(p + forward(p))`.
///
/// `forward` goes from the first picture to the second, `backward` from the second to the first; both have one size,
/// which is also the result's. It is infinite where `p + forward(p)` lies outside the picture or is not a number:
/// nothing is known there, so any threshold rejects it. A point up to half a pixel outside is still on the border's
/// pixels, and is read there.
///
/// # Errors
/// [`Error::Mismatch`] if the two flows differ in size.
pub fn consistency(forward: &Image<Vec2>, backward: &Image<Vec2>) -> Result<Image<f32>> {
    if forward.size() != backward.size() {
        let ((a, b), (c, d)) = (forward.size(), backward.size());
        return Err(Error::Mismatch(format!(
            "the forward flow is {a}×{b} pixels and the backward flow {c}×{d}: both must come from the same two pictures"
        )));
    }
    let (w, h) = forward.size();
    let mut error = Image::new(w, h, f32::INFINITY);
    if w == 0 || h == 0 {
        return Ok(error);
    }
    error.pixels_mut().par_chunks_mut(w).enumerate().for_each(|(y, row)| {
        for (x, (out, &[u, v])) in row.iter_mut().zip(forward.row(y)).enumerate() {
            let q = [x as f32 + u, y as f32 + v];
            if inside(q, w, h) {
                let back = bilinear(backward, q);
                *out = (u + back[0]).hypot(v + back[1]);
            }
        }
    });
    Ok(error)
}

/// Whether a point lies on the area the pixels cover; false for what is not a number.
fn inside([x, y]: Vec2, w: usize, h: usize) -> bool {
    x >= -0.5 && y >= -0.5 && x <= w as f32 - 0.5 && y <= h as f32 - 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposite_flows_undo_each_other_and_others_do_not() {
        let forward = Image::new(6, 4, [1.0f32, -0.5]);
        let same = consistency(&forward, &Image::new(6, 4, [-1.0, 0.5])).unwrap();
        assert!(same[(2, 2)] < 1e-6);
        // Off the picture on the right: unknown.
        assert!(same[(5, 2)].is_infinite());
        let off = consistency(&forward, &Image::new(6, 4, [2.0, 4.5])).unwrap();
        assert!((off[(2, 2)] - 5.0).abs() < 1e-6);
    }

    #[test]
    fn unusable_vectors_and_sizes() {
        let nan = Image::new(3, 3, [f32::NAN, 0.0]);
        let zero = Image::new(3, 3, [0.0f32, 0.0]);
        assert!(consistency(&nan, &zero).unwrap().pixels().iter().all(|e| e.is_infinite()));
        assert!(matches!(consistency(&zero, &Image::new(3, 4, [0.0, 0.0])), Err(Error::Mismatch(_))));
        assert!(consistency(&Image::new(0, 0, [0.0; 2]), &Image::new(0, 0, [0.0; 2])).is_ok());
    }
}
