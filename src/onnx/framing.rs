//! Pictures as networks take them: of a size they can hold in memory, padded, normalised, channel by channel.

use super::catalog::Model;
use super::network::Tensor;
use crate::error::Result;
use crate::frame::{Image, Rgba, resized};

/// How pictures of one size are brought to a size a network takes: reduced when they have too many pixels for it,
/// then padded on the right and at the bottom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Framing {
    /// Width and height of the pictures.
    pub picture: (usize, usize),
    /// The same, reduced; equal to the picture's where it is small enough.
    pub reduced: (usize, usize),
    /// With padding: what the network sees.
    pub padded: (usize, usize),
}

/// What stands beyond a picture's border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The border's pixels again.
    Border,
    /// The mean colour, which is 0 once normalised.
    Mean,
}

impl Framing {
    /// Of pictures of this size for a model, which shall see no more than about `most` pixels.
    pub fn new(picture: (usize, usize), model: &Model, most: usize) -> Self {
        let (w, h) = picture;
        let scale = (most as f64 / (w * h).max(1) as f64).sqrt().min(1.0);
        let side = |n: usize| ((n as f64 * scale).round() as usize).max(1);
        let reduced = if scale < 1.0 { (side(w), side(h)) } else { picture };
        let pad = |n: usize| n.max(model.smallest).next_multiple_of(model.multiple);
        Self { picture, reduced, padded: (pad(reduced.0), pad(reduced.1)) }
    }

    /// Network pixels to a picture's pixel, across and down.
    pub fn scale(&self) -> [f32; 2] {
        let ((w, h), (a, b)) = (self.picture, self.reduced);
        [a as f32 / w.max(1) as f32, b as f32 / h.max(1) as f32]
    }

    /// Where a picture's pixel lies on the network's, centre to centre.
    #[inline]
    pub fn place(&self, x: usize, y: usize) -> [f32; 2] {
        let [sx, sy] = self.scale();
        [(x as f32 + 0.5) * sx - 0.5, (y as f32 + 0.5) * sy - 0.5]
    }

    /// The colours of a picture (levels, 0…255; what is beyond is cut) reduced.
    ///
    /// # Errors
    /// Where the picture cannot be reduced.
    pub fn reduce(&self, picture: &Image<Rgba>) -> Result<Image<Rgba>> {
        if self.reduced == self.picture { Ok(picture.clone()) } else { resized(picture, self.reduced) }
    }

    /// Normalised colours of reduced pictures.
    pub fn colours(&self, pictures: &[&Image<Rgba>], model: &Model, padding: Padding) -> Tensor {
        let (w, h) = self.padded;
        let mut values = Vec::with_capacity(pictures.len() * 3 * w * h);
        for picture in pictures {
            for c in 0..3 {
                let (mean, deviation) = (model.mean[c], model.deviation[c]);
                let channel = |p: &Rgba| (p[c].clamp(0.0, 255.0) - mean) / deviation;
                for y in 0..h {
                    let row = picture.row(y.min(picture.height() - 1));
                    let beyond = match padding {
                        Padding::Border => row.last().map_or(0.0, channel),
                        Padding::Mean => 0.0,
                    };
                    let known = if y < picture.height() || padding == Padding::Border { row } else { &[] };
                    values.extend(known.iter().map(channel));
                    values.extend(std::iter::repeat_n(beyond, w - known.len()));
                }
            }
        }
        Tensor { shape: [pictures.len(), 3, h, w], values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::catalog;

    fn raft() -> &'static Model {
        catalog().iter().find(|m| m.id == "raft-small").unwrap()
    }

    #[test]
    fn small_pictures_are_padded_and_large_ones_reduced() {
        let f = Framing::new((100, 131), raft(), 600_000);
        assert_eq!((f.reduced, f.padded), ((100, 131), (128, 136)));
        let f = Framing::new((2000, 1000), raft(), 500_000);
        assert_eq!((f.reduced, f.padded, f.scale()), ((1000, 500), (1000, 504), [0.5, 0.5]));
        assert_eq!(f.place(0, 1999), [-0.25, 999.25]);
    }

    #[test]
    fn padding_repeats_the_border() {
        let picture = Image::from_fn(129, 128, |x, y| [x as f32, y as f32, 255.0, 0.0]);
        let f = Framing::new(picture.size(), raft(), 600_000);
        let t = f.colours(&[&picture, &picture], raft(), Padding::Border);
        assert_eq!(t.shape, [2, 3, 128, 136]);
        let red = t.plane(1, 0);
        assert_eq!((red[0], red[128], red[135], red[136]), (-1.0, 0.5 / 127.5, red[128], -1.0));
        let mean = f.colours(&[&picture], raft(), Padding::Mean);
        assert_eq!((mean.plane(0, 0)[128], mean.plane(0, 0)[129]), (red[128], 0.0));
        assert_eq!((t.plane(0, 1)[136 * 127], t.plane(0, 2)[5]), (-0.5 / 127.5, 1.0));
    }
}
