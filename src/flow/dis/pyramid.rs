//! The picture at halved sizes, so that a long displacement is short somewhere.
//!
//! Level k is 2ᵏ times smaller than the picture; a level's pixel is the mean of the 2×2 pixels it covers (an odd last
//! row or column counts twice), so that grids stay aligned as [`crate::frame::Scale`] has them.

use rayon::prelude::*;

use super::plane::Plane;
use crate::frame::Image;

/// Pixels repeated around every level: how far a patch may look past the edge.
pub(super) const PAD: usize = 16;

/// Levels 0 (the picture itself) to `coarsest`.
pub(super) fn build(image: &Image<f32>, coarsest: usize) -> Vec<Plane> {
    let mut levels = vec![Plane::from_image(image, PAD)];
    for _ in 0..coarsest {
        // The list starts with one element, so there is always a last one.
        if let Some(last) = levels.last() {
            levels.push(halve(last));
        }
    }
    levels
}

/// How many times a picture of this size can be halved before patches of `patch` pixels no longer fit well: the short
/// side must hold one, the long side about three. Below 8×24 pixels nothing is left of the picture for any patch.
pub(super) fn coarsest(width: usize, height: usize, patch: usize) -> usize {
    let patch = patch.max(8);
    let (mut short, mut long) = (width.min(height), width.max(height));
    let mut scale = 0;
    while short / 2 >= patch && long / 2 >= 3 * patch {
        (short, long, scale) = (short.div_ceil(2), long.div_ceil(2), scale + 1);
    }
    scale
}

/// The next coarser level.
fn halve(fine: &Plane) -> Plane {
    let mut coarse = Plane::new(fine.width.div_ceil(2), fine.height.div_ceil(2), PAD);
    let stride = coarse.stride;
    coarse.body_mut().par_chunks_mut(stride * 16).enumerate().for_each(|(band, rows)| {
        for (i, out) in rows.chunks_exact_mut(stride).enumerate() {
            let y = 2 * (band * 16 + i);
            // The margin supplies the missing row and column of an odd size.
            let (a, b) = (&fine.padded_row(y, 0)[PAD..], &fine.padded_row(y, 1)[PAD..]);
            let n = fine.width.div_ceil(2);
            let pairs = a.chunks_exact(2).zip(b.chunks_exact(2));
            for (o, (a, b)) in out[PAD..PAD + n].iter_mut().zip(pairs) {
                *o = 0.25 * ((a[0] + a[1]) + (b[0] + b[1]));
            }
        }
    });
    coarse.extend_edges();
    coarse
}

/// First derivatives along x and y, in levels per pixel, without margins: central differences smoothed across
/// (Sobel's operator, normalised so that a ramp of slope 1 gives 1).
pub(super) fn gradients(plane: &Plane) -> (Vec<f32>, Vec<f32>) {
    let (w, h) = (plane.width, plane.height);
    let (mut gx, mut gy) = (vec![0.0; w * h], vec![0.0; w * h]);
    gx.par_chunks_mut(w).zip(gy.par_chunks_mut(w)).enumerate().with_min_len(16).for_each(|(y, (gx, gy))| {
        let [a, b, c] = [-1, 0, 1].map(|s| &plane.padded_row(y, s)[PAD - 1..PAD + w + 1]);
        for x in 0..w {
            gx[x] = 0.125 * ((a[x + 2] - a[x]) + 2.0 * (b[x + 2] - b[x]) + (c[x + 2] - c[x]));
            gy[x] = 0.125 * ((c[x] - a[x]) + 2.0 * (c[x + 1] - a[x + 1]) + (c[x + 2] - a[x + 2]));
        }
    });
    (gx, gy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_halve_and_keep_the_mean() {
        let image = Image::from_fn(9, 6, |x, y| (x * 3 + y) as f32);
        let levels = build(&image, 1);
        assert_eq!((levels[1].width, levels[1].height), (5, 3));
        assert_eq!(levels[1].row(0)[0], 2.0);
        // The odd last column is its own neighbour.
        assert_eq!(levels[1].row(0)[4], 24.5);
    }

    #[test]
    fn gradient_of_a_ramp() {
        let image = Image::from_fn(12, 12, |x, y| 2.0 * x as f32 - 0.5 * y as f32);
        let (gx, gy) = gradients(&Plane::from_image(&image, PAD));
        assert_eq!((gx[5 * 12 + 5], gy[5 * 12 + 5]), (2.0, -0.5));
    }

    #[test]
    fn tiny_pictures_are_not_halved() {
        assert_eq!(coarsest(1, 1, 8), 0);
        assert_eq!(coarsest(768, 432, 8), 5);
    }
}
