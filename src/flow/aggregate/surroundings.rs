//! Features that need no model: the colour about a point, and the pattern of brightness around it.

use rayon::prelude::*;
use std::array;

use super::appearance::{Appearance, Features, Lattice, Thresholds};
use crate::error::Result;
use crate::frame::{Image, Rgba, gaussian, luminance};

/// Pixels from one feature cell to the next. What is described is blurred by [`COLOUR_BLUR`] and more, so that little
/// lies between cells.
const CELL: usize = 4;
/// Blur in pixels under which colour is read: a point's own colour is noise and texture.
const COLOUR_BLUR: f32 = 3.0;
/// Periods of the colour's phases, in levels over 2π. The short one tells colours apart; the long one keeps those from
/// looking alike that lie a short period, 126 levels, apart.
const PHASES: [f32; 2] = [20.0, 50.0];
/// Pixels between the samples of the brightness pattern, which is blurred by half of that.
const SPACING: usize = 8;
/// Contrast in levels below which a pattern is taken for none: two plain places look alike, and a plain one and a
/// structured one do not.
const CONTRAST: f32 = 6.0;
/// Numbers in a vector: sine and cosine of two phases of three channels, nine samples, one for the lack of contrast.
const DIMS: usize = 12 + 9 + 1;

/// Colour about a point and normalised pattern of brightness around it, at two scales, half and half: the mean of
/// their two cosines is the similarity.
///
/// - **Colour**: each channel, blurred by 3 pixels, as phases on two circles, so that the cosine of two vectors falls
///   with the difference of colour and not with the angle between colours.
/// - **Pattern**: 3×3 samples 8 pixels apart of the luminance blurred by 4 pixels, less their mean, brought to unit
///   length; a change of gain or offset leaves it alone.
///
/// Made for frames of working size (768 pixels wide), whose levels it clamps to 0…255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surroundings {
    /// Similarities below which vectors are rejected.
    pub thresholds: Thresholds,
}

impl Default for Surroundings {
    /// The thresholds measured; see the [module's page](super).
    fn default() -> Self {
        Self { thresholds: Thresholds { neighbour: 0.8, direct: 0.85, landing: 0.85 } }
    }
}

impl Appearance for Surroundings {
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) for an empty picture.
    fn features(&self, frame: &Image<Rgba>) -> Result<Features> {
        let levels = frame.map(|p| p.map(|v| v.clamp(0.0, 255.0)));
        let grey = gaussian(&luminance(&levels), 0.5 * SPACING as f32);
        let colour = gaussian(&levels, COLOUR_BLUR);
        let (w, h) = frame.size();
        let size = (w.div_ceil(CELL), h.div_ceil(CELL));
        let mut values = vec![0.0; size.0 * size.1 * DIMS];
        if !values.is_empty() {
            values.par_chunks_mut(size.0 * DIMS).enumerate().for_each(|(j, row)| {
                for (i, vector) in row.chunks_exact_mut(DIMS).enumerate() {
                    let (a, b) = vector.split_at_mut(12);
                    a.copy_from_slice(&phases(colour[(i * CELL, j * CELL)]));
                    b.copy_from_slice(&pattern(&grey, i * CELL, j * CELL));
                }
            });
        }
        Features::new(size, DIMS, Lattice { first: [0.0; 2], cell: [CELL as f32; 2] }, values)
    }

    fn thresholds(&self) -> Thresholds {
        self.thresholds
    }
}

/// Colour as a vector of unit length.
fn phases(colour: Rgba) -> [f32; 12] {
    let length = 1.0 / 6f32.sqrt();
    array::from_fn(|i| {
        let phase = colour[i / 4] / PHASES[i / 2 % 2];
        length * if i % 2 == 0 { phase.cos() } else { phase.sin() }
    })
}

/// The pattern about a pixel as a vector of unit length. At the border the edge's pixels go on for ever.
fn pattern(grey: &Image<f32>, x: usize, y: usize) -> [f32; 10] {
    let at = |v: usize, step: usize, n: usize| (v + step * SPACING).saturating_sub(SPACING).min(n - 1);
    let samples: [f32; 9] =
        array::from_fn(|i| grey[(at(x, i % 3, grey.width()), at(y, i / 3, grey.height()))]);
    let mean = samples.iter().sum::<f32>() / 9.0;
    let mut vector = [CONTRAST * 3.0; 10];
    for (v, s) in vector.iter_mut().zip(samples) {
        *v = s - mean;
    }
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    vector.map(|v| v / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A soft chequer of this contrast and mean colour.
    fn chequer(contrast: f32, colour: [f32; 3]) -> Image<Rgba> {
        Image::from_fn(96, 64, |x, y| {
            let v = contrast * (x as f32 / 9.0).sin() * (y as f32 / 7.0).cos();
            [colour[0] + v, colour[1] + v, colour[2] + v, 0.0]
        })
    }

    fn alike(a: &Image<Rgba>, b: &Image<Rgba>) -> f32 {
        let [a, b] = [a, b].map(|p| Surroundings::default().features(p).unwrap());
        a.similarity([41.5, 30.25], &b, [41.5, 30.25])
    }

    #[test]
    fn the_same_is_alike_and_light_hardly_matters() {
        let a = chequer(40.0, [120.0, 90.0, 60.0]);
        assert!(alike(&a, &a) > 0.9999);
        assert!(alike(&a, &a.map(|p| p.map(|v| 1.04 * v))) > 0.97);
    }

    #[test]
    fn other_colours_and_other_patterns_are_not() {
        let least = Surroundings::default().thresholds.neighbour;
        let a = chequer(40.0, [120.0, 90.0, 60.0]);
        for other in [
            chequer(40.0, [60.0, 90.0, 120.0]),
            chequer(-40.0, [120.0, 90.0, 60.0]),
            chequer(0.0, [120.0, 90.0, 60.0]),
            // A period of the short phase away.
            chequer(40.0, [120.0 + 125.7, 90.0 + 125.7, 60.0 + 125.7]),
        ] {
            assert!(alike(&a, &other) < least, "{}", alike(&a, &other));
        }
        // Two plain places of one colour, whatever their noise.
        assert!(alike(&chequer(0.5, [90.0; 3]), &chequer(-0.5, [90.0; 3])) > 0.98);
    }

    #[test]
    fn any_size_of_picture() {
        let f = Surroundings::default().features(&Image::new(1, 1, [9.0, 9.0, 300.0, 0.0])).unwrap();
        assert_eq!((f.size(), f.dims()), ((1, 1), DIMS));
        assert!(Surroundings::default().features(&Image::new(0, 4, [0.0; 4])).is_err());
    }
}
