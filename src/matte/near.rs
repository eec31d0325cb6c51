//! Sums over what is near a pixel: close by if there is something, farther off if not.

use crate::frame::{Image, Pixel, bilinear, gaussian};

/// Reaches, in pixels, over which is looked, with their weights: near if possible.
const REACHES: [(f32, f32); 3] = [(2.5, 1.0), (7.5, 1e-3), (30.0, 1e-6)];

/// A picture's pixels blurred over several reaches.
pub(super) struct Near<P> {
    /// Pixels to a cell, and the sums on the cells; the nearest first.
    levels: Vec<(usize, Image<P>)>,
}

impl<P: Pixel> Near<P> {
    pub(super) fn of(picture: &Image<P>) -> Self {
        let level = |&(reach, weight): &(f32, f32)| {
            // A cell of a third of the reach loses nothing and makes wide blurs as cheap as narrow ones.
            let cell = ((reach / 3.0) as usize).max(1);
            let sums = gaussian(&cells(picture, cell), reach / cell as f32);
            let scale = weight / (cell * cell) as f32;
            (cell, sums.map(|v| P::ZERO.add(*v, scale)))
        };
        Self { levels: REACHES.iter().map(level).collect() }
    }

    /// At a pixel.
    pub(super) fn at(&self, at: (usize, usize)) -> P {
        self.sum_of(0, at)
    }

    /// At a pixel, whatever lies closest to it left out as far as something farther off is there.
    pub(super) fn beyond(&self, at: (usize, usize)) -> P {
        self.sum_of(1, at)
    }

    fn sum_of(&self, first: usize, (x, y): (usize, usize)) -> P {
        let sum = |sum: P, (cell, sums): &(usize, Image<P>)| {
            let place = |v: usize| (v as f32 + 0.5) / *cell as f32 - 0.5;
            sum.add(bilinear(sums, [place(x), place(y)]), 1.0)
        };
        self.levels[first..].iter().fold(P::ZERO, sum)
    }
}

/// Sums over square cells of pixels.
pub(super) fn cells<P: Pixel>(picture: &Image<P>, cell: usize) -> Image<P> {
    if cell == 1 {
        return picture.clone();
    }
    let (w, h) = picture.size();
    let mut sums = Image::new(w.div_ceil(cell), h.div_ceil(cell), P::ZERO);
    for y in 0..h {
        for (x, p) in picture.row(y).iter().enumerate() {
            let sum = &mut sums[(x / cell, y / cell)];
            *sum = sum.add(*p, 1.0);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_close_counts_before_what_is_farther_off() {
        let picture = Image::from_fn(100, 20, |x, y| match (x, y) {
            (10, 10) => [5.0, 1.0],
            (16, 10) => [9.0, 1.0],
            _ => [0.0; 2],
        });
        let near = Near::of(&picture);
        let mean = |[sum, weight]: [f32; 2]| sum / weight;
        assert!((mean(near.at((9, 10))) - 5.0).abs() < 0.2 && (mean(near.at((17, 10))) - 9.0).abs() < 0.2);
        // Far from both, either counts.
        assert!((mean(near.at((60, 10))) - 7.0).abs() < 0.5, "{}", mean(near.at((60, 10))));
        assert!((mean(near.beyond((9, 10))) - 6.8).abs() < 0.5, "{}", mean(near.beyond((9, 10))));
    }

    #[test]
    fn cells_add_up_to_the_whole() {
        let picture = Image::from_fn(11, 7, |x, y| (x + 3 * y) as f32);
        let sums = cells(&picture, 4);
        assert_eq!(sums.size(), (3, 2));
        assert_eq!(sums.pixels().iter().sum::<f32>(), picture.pixels().iter().sum::<f32>());
        assert_eq!(sums[(2, 1)], (4..7).flat_map(|y| (8..11).map(move |x| (x + 3 * y) as f32)).sum::<f32>());
    }
}
