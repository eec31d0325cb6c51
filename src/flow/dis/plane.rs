//! Flat storage for the hot loops: one plane of floats with a margin, and a displacement field as two planes.
//!
//! [`Image`] keeps a vector per pixel and no margin. Here every quantity has its own plane, so that eight neighbours
//! fill one register, and a margin of repeated edge pixels takes the place of bounds tests in the inner loops.

use crate::frame::Image;

/// One plane of floats surrounded by `pad` pixels on every side.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pad: usize,
    /// Floats from one row to the next.
    pub(super) stride: usize,
    pub(super) data: Vec<f32>,
}

impl Plane {
    /// All zero, margin included.
    pub(super) fn new(width: usize, height: usize, pad: usize) -> Self {
        let stride = width + 2 * pad;
        Self { width, height, pad, stride, data: vec![0.0; stride * (height + 2 * pad)] }
    }

    /// A copy of a picture, its margin filled.
    pub(super) fn from_image(image: &Image<f32>, pad: usize) -> Self {
        let mut plane = Self::new(image.width(), image.height(), pad);
        for y in 0..plane.height {
            plane.row_mut(y).copy_from_slice(image.row(y));
        }
        plane.extend_edges();
        plane
    }

    /// Row `y` without its margin.
    pub(super) fn row(&self, y: usize) -> &[f32] {
        let start = (y + self.pad) * self.stride + self.pad;
        &self.data[start..start + self.width]
    }

    /// Row `y` without its margin, to be changed.
    pub(super) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let start = (y + self.pad) * self.stride + self.pad;
        &mut self.data[start..start + self.width]
    }

    /// Row `y + shift` with its margin; `shift` may reach into the margin.
    #[inline(always)]
    pub(super) fn padded_row(&self, y: usize, shift: isize) -> &[f32] {
        let row = (y + self.pad).wrapping_add_signed(shift);
        &self.data[row * self.stride..(row + 1) * self.stride]
    }

    /// The rows without the margin above and below, but with the margins left and right: what bands are cut from.
    pub(super) fn body_mut(&mut self) -> &mut [f32] {
        let range = self.pad * self.stride..(self.pad + self.height) * self.stride;
        &mut self.data[range]
    }

    /// Repeats the edge pixels over the margin.
    pub(super) fn extend_edges(&mut self) {
        let (pad, stride, width) = (self.pad, self.stride, self.width);
        for row in self.body_mut().chunks_exact_mut(stride) {
            let (first, last) = (row[pad], row[pad + width - 1]);
            row[..pad].fill(first);
            row[pad + width..].fill(last);
        }
        let last = pad + self.height - 1;
        for y in 0..pad {
            self.data.copy_within(pad * stride..(pad + 1) * stride, y * stride);
            self.data.copy_within(last * stride..(last + 1) * stride, (last + 1 + y) * stride);
        }
    }
}

/// A dense displacement field, in pixels of its own level.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Horizontal part, row by row.
    pub(super) u: Vec<f32>,
    /// Vertical part, row by row.
    pub(super) v: Vec<f32>,
}

impl Field {
    /// No motion.
    pub(super) fn zero(width: usize, height: usize) -> Self {
        Self { width, height, u: vec![0.0; width * height], v: vec![0.0; width * height] }
    }

    /// The same field on a grid twice as fine, `width × height` of its pixels: bilinear, and twice as long.
    pub(super) fn doubled(&self, width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            u: double_plane(&self.u, (self.width, self.height), (width, height)),
            v: double_plane(&self.v, (self.width, self.height), (width, height)),
        }
    }

    /// As a picture of vectors.
    pub(super) fn into_image(self) -> Image<[f32; 2]> {
        let pixels = self.u.iter().zip(&self.v).map(|(&u, &v)| [u, v]).collect();
        Image::from_vec(self.width, self.height, pixels)
    }
}

/// Bilinear doubling with pixel centres at `2 x + ½`: every fine pixel is ¾ of the nearer and ¼ of the farther coarse
/// one; values are doubled too, being lengths.
fn double_plane(coarse: &[f32], (cw, ch): (usize, usize), (w, h): (usize, usize)) -> Vec<f32> {
    let mut fine = vec![0.0; w * h];
    let mut mixed = vec![0.0f32; cw + 2];
    for (y, out) in fine.chunks_exact_mut(w).enumerate() {
        let near = (y / 2).min(ch - 1);
        let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(ch - 1) };
        let (near, far) = (&coarse[near * cw..(near + 1) * cw], &coarse[far * cw..(far + 1) * cw]);
        for ((m, n), f) in mixed[1..=cw].iter_mut().zip(near).zip(far) {
            *m = 1.5 * n + 0.5 * f;
        }
        mixed[0] = mixed[1];
        mixed[cw + 1] = mixed[cw];
        for (pair, m) in out.chunks_mut(2).zip(mixed.windows(3)) {
            pair[0] = 0.75 * m[1] + 0.25 * m[0];
            if let Some(right) = pair.get_mut(1) {
                *right = 0.75 * m[1] + 0.25 * m[2];
            }
        }
    }
    fine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_go_on() {
        let image = Image::from_fn(3, 2, |x, y| (x + 10 * y) as f32);
        let plane = Plane::from_image(&image, 2);
        assert_eq!(plane.padded_row(0, -2), [0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 2.0]);
        assert_eq!(plane.padded_row(1, 2), [10.0, 10.0, 10.0, 11.0, 12.0, 12.0, 12.0]);
    }

    #[test]
    fn doubling_keeps_a_ramp_a_ramp() {
        let (cw, ch) = (6, 5);
        let mut coarse = Field::zero(cw, ch);
        for y in 0..ch {
            for x in 0..cw {
                coarse.u[y * cw + x] = x as f32;
                coarse.v[y * cw + x] = y as f32;
            }
        }
        for (w, h) in [(12, 10), (11, 9)] {
            let fine = coarse.doubled(w, h);
            // Inside, u = 2 (x_coarse) = 2 ((x + ½)/2 − ½) = x − ½.
            assert!((fine.u[4 * w + 5] - 4.5).abs() < 1e-6);
            assert!((fine.v[4 * w + 5] - 3.5).abs() < 1e-6);
        }
    }
}
