//! Transfer curves between the host's values and the display-encoded values analysis works on.

use super::{Image, Rgba};

/// Colour along orthogonal axes of unit length: brightness, red against blue, green against both. Distances stay what
/// they are, but errors of sampling and texture, which are errors of brightness, stay on the first axis.
#[inline(always)]
pub fn opponent([r, g, b, a]: Rgba) -> Rgba {
    const THIRD: f32 = 0.577_350_26;
    const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
    const SIXTH: f32 = 0.408_248_3;
    [(r + g + b) * THIRD, (r - b) * HALF, (2.0 * g - r - b) * SIXTH, a]
}

/// Rec. 601 luma of display-encoded values, in their own unit; alpha is not looked at.
pub fn luminance(image: &Image<Rgba>) -> Image<f32> {
    image.map(|p| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2])
}

/// How a clip's colour values relate to what a display shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Already encoded for a display (sRGB, Rec.709): taken as it is.
    Display,
    /// Scene-linear light.
    Linear,
}

impl Encoding {
    /// A channel value as a display shows it (sRGB curve of IEC 61966-2-1), odd around zero, so that the negative
    /// values of wide-gamut footage stay ordered.
    #[inline]
    pub fn to_display(self, v: f32) -> f32 {
        match self {
            Encoding::Display => v,
            Encoding::Linear => {
                let a = v.abs();
                let e = if a <= 0.003_130_8 { a * 12.92 } else { 1.055 * a.powf(1.0 / 2.4) - 0.055 };
                e.copysign(v)
            }
        }
    }

    /// The inverse of [`Encoding::to_display`].
    #[inline]
    pub fn from_display(self, v: f32) -> f32 {
        match self {
            Encoding::Display => v,
            Encoding::Linear => {
                let a = v.abs();
                let l = if a <= 0.040_45 { a / 12.92 } else { ((a + 0.055) / 1.055).powf(2.4) };
                l.copysign(v)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opponent_axes_keep_distances_and_grey_lies_on_the_first() {
        let d = [12.0, -7.0, 31.0, 0.5];
        let square = |p: Rgba| p[0] * p[0] + p[1] * p[1] + p[2] * p[2];
        assert!((square(opponent(d)) - square(d)).abs() < 1e-3);
        let grey = opponent([10.0, 10.0, 10.0, 0.5]);
        assert!(grey[1].abs() < 1e-5 && grey[2].abs() < 1e-5 && grey[3] == 0.5);
    }

    #[test]
    fn curve_and_its_inverse() {
        for i in -200..400 {
            let v = i as f32 / 100.0;
            let back = Encoding::Linear.from_display(Encoding::Linear.to_display(v));
            assert!((back - v).abs() < 2e-6 * v.abs().max(1.0), "{v} came back as {back}");
        }
        // Known value of the standard: linear 0.5 is 0.735 357 encoded.
        assert!((Encoding::Linear.to_display(0.5) - 0.735_357).abs() < 1e-5);
    }
}
