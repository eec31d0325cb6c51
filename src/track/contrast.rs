//! What differs from its neighbourhood.
//!
//! The light of a neighbourhood is not known to the level while maps are sought, but it is the same for all of it: what
//! is left when the mean is taken away tells of position alone.

use crate::frame::{Image, Rgba, bilinear, box_blur};

/// Neighbourhoods: pixels to a cell's side, and cells on each side of one's own. Much smaller ones lose texture.
const CELL: usize = 5;
const AROUND: usize = 4;

/// Values less their weighted mean around each pixel, channel by channel; the fourth is 0.
pub(super) fn beyond_around(values: &Image<Rgba>, weights: &Image<Rgba>) -> Image<Rgba> {
    let (w, h) = values.size();
    let mut sums = Image::new(w.div_ceil(CELL), h.div_ceil(CELL), [0.0f32; 8]);
    for y in 0..h {
        for (x, (v, k)) in values.row(y).iter().zip(weights.row(y)).enumerate() {
            let sum = &mut sums[(x / CELL, y / CELL)];
            (0..3).for_each(|c| {
                sum[c] += k[c] * v[c];
                sum[4 + c] += k[c];
            });
        }
    }
    let sums = box_blur(&sums, AROUND);
    let cell = |v: usize| (v as f32 + 0.5) / CELL as f32 - 0.5;
    Image::from_rows(w, h, [0.0; 4], |y, row| {
        for (x, out) in row.iter_mut().enumerate() {
            let (v, sum) = (values[(x, y)], bilinear(&sums, [cell(x), cell(y)]));
            *out = [0, 1, 2, 3].map(|c| if c < 3 { v[c] - sum[c] / sum[4 + c].max(1e-6) } else { 0.0 });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_believed_makes_the_mean() {
        let values = Image::from_fn(100, 80, |x, _| if x < 50 { [7.0, 8.0, 9.0, 1.0] } else { [200.0; 4] });
        let weights = Image::from_fn(100, 80, |x, _| if x < 50 { [0.3; 4] } else { [0.0; 4] });
        let found = beyond_around(&values, &weights);
        for at in [(3, 3), (30, 40), (49, 79)] {
            assert!(found[at].iter().all(|v| v.abs() < 1e-4), "{:?}", found[at]);
        }
        assert!((found[(60, 40)][0] - 193.0).abs() < 1e-3);
    }
}
