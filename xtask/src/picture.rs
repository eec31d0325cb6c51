//! The little arithmetic on pictures that `demo` needs: how far two are apart, one over another, a contact sheet.

use crate::{Failure, Result};
use rna::frame::{Image, Rect, Rgba};
use std::path::Path;

/// Reads a picture through the library.
pub(crate) fn read(path: &Path) -> Result<Image<Rgba>> {
    rna::frame::io::read_picture(path).map(|p| p.pixels).map_err(|e| Failure(e.to_string()))
}

/// Writes an 8-bit RGB picture.
pub(crate) fn write(path: &Path, picture: &Image<Rgba>) -> Result<()> {
    use rna::frame::{Channels, Depth};
    rna::frame::io::write_picture(path, picture, Depth::U8, Channels::Rgb).map_err(|e| Failure(e.to_string()))
}

/// Writes an 8-bit picture with its transparency.
pub(crate) fn write_layer(path: &Path, picture: &Image<Rgba>) -> Result<()> {
    use rna::frame::{Channels, Depth};
    rna::frame::io::write_picture(path, picture, Depth::U8, Channels::Rgba)
        .map_err(|e| Failure(e.to_string()))
}

/// A picture on another grid of `size`, `place` being the point of it under each pixel; transparent beyond.
pub(crate) fn placed(
    picture: &Image<Rgba>,
    size: (usize, usize),
    place: impl Fn(usize, usize) -> [f64; 2],
) -> Image<Rgba> {
    Image::from_fn(size.0, size.1, |x, y| {
        let [u, v] = place(x, y);
        rna::frame::bilinear_or(picture, [u as f32, v as f32], [0.0; 4])
    })
}

/// Squared error and changed pixels, gathered over frames.
#[derive(Default)]
pub(crate) struct Difference {
    squared: f64,
    values: usize,
    /// Largest change, in 8-bit levels, to a pixel in the open that the perfect edit leaves alone.
    pub(crate) outside: f64,
}

impl Difference {
    /// Adds a frame. What the perfect edit or the result changes is held against the perfect edit, what is in front
    /// of the surface included; where the surface shows (`visible`) but the perfect edit leaves the input alone, the
    /// result should too.
    pub(crate) fn add(
        &mut self,
        input: &Image<Rgba>,
        perfect: &Image<Rgba>,
        result: &Image<Rgba>,
        visible: &Image<Rgba>,
    ) -> Result<()> {
        if [perfect, result, visible].iter().any(|other| other.size() != input.size()) {
            return Err(Failure("the sample's frames and the rendered ones differ in size".into()));
        }
        let pairs = input.pixels().iter().zip(perfect.pixels());
        for (((i, p), r), v) in pairs.zip(result.pixels()).zip(visible.pixels()) {
            let apart =
                |a: &Rgba, b: &Rgba| (0..3).map(|c| f64::from(a[c] - b[c]) * 255.0).collect::<Vec<_>>();
            if i == p && v[0] == 1.0 {
                self.outside = apart(i, r).iter().fold(self.outside, |m, d| m.max(d.abs()));
            } else if i != p || i != r {
                self.squared += apart(p, r).iter().map(|d| d * d).sum::<f64>();
                self.values += 3;
            }
        }
        Ok(())
    }

    /// Peak signal-to-noise ratio in dB over the pixels that either edit changes.
    pub(crate) fn psnr(&self) -> f64 {
        10.0 * (255.0f64.powi(2) * self.values.max(1) as f64 / self.squared.max(1e-9)).log10()
    }
}

/// `top` over `bottom` by its alpha, `offset` being the pixel of `bottom` under each of its own pixels.
pub(crate) fn over(
    bottom: &Image<Rgba>,
    top: &Image<Rgba>,
    place: impl Fn(usize, usize) -> [f64; 2],
) -> Image<Rgba> {
    Image::from_fn(bottom.width(), bottom.height(), |x, y| {
        let (b, [u, v]) = (bottom[(x, y)], place(x, y));
        let t = rna::frame::bilinear_or(top, [u as f32, v as f32], [0.0; 4]);
        [0, 1, 2, 3].map(|c| if c == 3 { b[3] } else { b[c] + (t[c] - b[c]) * t[3] * b[3] })
    })
}

/// Pictures in rows, each scaled to fit a cell, on dark grey.
pub(crate) fn sheet(rows: &[Vec<&Image<Rgba>>], cell: (usize, usize)) -> Image<Rgba> {
    const GAP: usize = 6;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let size = |n: usize, side: usize| n * (side + GAP) + GAP;
    let mut sheet = Image::new(size(columns, cell.0), size(rows.len(), cell.1), [0.12, 0.12, 0.12, 1.0]);
    for (j, row) in rows.iter().enumerate() {
        for (i, picture) in row.iter().enumerate() {
            let fitted = fit(picture, cell);
            let x0 = size(i, cell.0) + (cell.0 - fitted.width()) / 2;
            let y0 = size(j, cell.1) + (cell.1 - fitted.height()) / 2;
            for y in 0..fitted.height() {
                for x in 0..fitted.width() {
                    let (under, pixel) = (sheet[(x0 + x, y0 + y)], fitted[(x, y)]);
                    sheet[(x0 + x, y0 + y)] = [0, 1, 2, 3]
                        .map(|c| if c == 3 { 1.0 } else { under[c] + (pixel[c] - under[c]) * pixel[3] });
                }
            }
        }
    }
    sheet
}

/// Without the transparent margin around it.
pub(crate) fn trimmed(picture: &Image<Rgba>) -> Image<Rgba> {
    let (w, h) = picture.size();
    let places = (0..h).flat_map(|y| (0..w).map(move |x| (x, y)));
    let seen = places.filter(|&at| picture[at][3] > 0.0).map(|(x, y)| [x as f32, y as f32]);
    Rect::around(seen).map_or_else(|| picture.clone(), |bounds| picture.crop(bounds))
}

/// Scaled to the largest size that fits, by the mean of what falls into each pixel.
fn fit(picture: &Image<Rgba>, cell: (usize, usize)) -> Image<Rgba> {
    let (w, h) = picture.size();
    let scale = (cell.0 as f64 / w as f64).min(cell.1 as f64 / h as f64);
    let side = |n: usize, most: usize| ((n as f64 * scale).round() as usize).clamp(1, most);
    let span = |i: usize, n: usize, of: usize| {
        let start = i * of / n;
        start..((i + 1) * of).div_ceil(n).clamp(start + 1, of)
    };
    let (cw, ch) = (side(w, cell.0), side(h, cell.1));
    Image::from_fn(cw, ch, |x, y| {
        let (mut sum, mut count) = ([0.0f32; 4], 0.0f32);
        for v in span(y, ch, h) {
            for u in span(x, cw, w) {
                let p = picture[(u, v)];
                sum = [0, 1, 2, 3].map(|c| sum[c] + p[c]);
                count += 1.0;
            }
        }
        sum.map(|s| s / count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(w: usize, h: usize, v: f32) -> Image<Rgba> {
        Image::new(w, h, [v, v, v, 1.0])
    }

    #[test]
    fn differences_inside_and_outside() {
        let grey = |values: [f32; 3]| Image::from_vec(3, 1, values.map(|v| [v, v, v, 1.0]).to_vec());
        let (input, visible) = (grey([0.0; 3]), grey([1.0, 1.0, 0.0]));
        let perfect = grey([1.0, 0.0, 0.0]);
        let mut d = Difference::default();
        d.add(&input, &perfect, &grey([0.9, 0.2, 0.0]), &visible).unwrap();
        assert!((d.psnr() - 20.0).abs() < 1e-4, "{}", d.psnr());
        assert!((d.outside - 51.0).abs() < 1e-4);
        // Paint on what is in front counts as error of the edit.
        d.add(&input, &perfect, &grey([1.0, 0.0, 0.3]), &visible).unwrap();
        let mean = (0.01 + 0.09) / 3.0f64;
        assert!((d.psnr() + 10.0 * mean.log10()).abs() < 1e-4, "{}", d.psnr());
        assert!(d.add(&input, &perfect, &flat(4, 1, 0.0), &visible).is_err());
    }

    #[test]
    fn sheets_keep_aspect_and_values() {
        let (a, b) = (flat(40, 20, 0.5), flat(10, 30, 1.0));
        let s = sheet(&[vec![&a, &b], vec![&a]], (20, 20));
        assert_eq!(s.size(), (58, 58));
        assert!((s[(16, 16)][0] - 0.5).abs() < 1e-6);
        assert_eq!(s[(32 + 10, 16)][0], 1.0);
    }
}
