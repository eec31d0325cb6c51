//! A rectangular array of pixels of any kind.

use super::Rect;
use rayon::prelude::*;

/// Red, green, blue, alpha.
pub type Rgba = [f32; 4];
/// A position or displacement, x then y.
pub type Vec2 = [f32; 2];

/// A pixel that can be averaged: what sampling and filtering need.
pub trait Pixel: Copy + Send + Sync + 'static {
    /// The pixel that adds nothing.
    const ZERO: Self;
    /// `self + other * weight`, channel by channel.
    #[must_use]
    fn add(self, other: Self, weight: f32) -> Self;
}

impl Pixel for f32 {
    const ZERO: f32 = 0.0;
    #[inline(always)]
    fn add(self, other: f32, weight: f32) -> f32 {
        self + other * weight
    }
}

impl<const N: usize> Pixel for [f32; N] {
    const ZERO: Self = [0.0; N];
    #[inline(always)]
    fn add(mut self, other: Self, weight: f32) -> Self {
        for c in 0..N {
            self[c] += other[c] * weight;
        }
        self
    }
}

/// A picture, field or mask: `width × height` pixels, row by row from the top.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Image<P> {
    width: usize,
    height: usize,
    pixels: Vec<P>,
}

/// One row's work, compiled once more for processors with wide vectors.
struct Row<'a, P, F> {
    work: &'a F,
    y: usize,
    pixels: &'a mut [P],
}

impl<P, F: Fn(usize, &mut [P])> pulp::NullaryFnOnce for Row<'_, P, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        (self.work)(self.y, self.pixels);
    }
}

impl<P: Copy> Image<P> {
    /// A picture filled with one value.
    pub fn new(width: usize, height: usize, fill: P) -> Self {
        Self { width, height, pixels: vec![fill; width * height] }
    }

    /// Takes pixels as they are.
    ///
    /// # Panics
    /// If there are not `width * height` of them: a programming error, never the user's.
    pub fn from_vec(width: usize, height: usize, pixels: Vec<P>) -> Self {
        assert_eq!(pixels.len(), width * height, "pixel count does not match the size");
        Self { width, height, pixels }
    }

    /// Computes every pixel from its position.
    pub fn from_fn(width: usize, height: usize, mut pixel: impl FnMut(usize, usize) -> P) -> Self {
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            pixels.extend((0..width).map(|x| pixel(x, y)));
        }
        Self { width, height, pixels }
    }

    /// Fills row after row on all threads; `row(y, pixels)` must set every pixel it is given.
    pub fn from_rows(width: usize, height: usize, fill: P, row: impl Fn(usize, &mut [P]) + Sync) -> Self
    where
        P: Send + Sync,
    {
        let mut image = Self::new(width, height, fill);
        if width > 0 {
            let arch = pulp::Arch::new();
            let rows = image.pixels.par_chunks_mut(width).enumerate();
            rows.with_min_len(8).for_each(|(y, pixels)| arch.dispatch(Row { work: &row, y, pixels }));
        }
        image
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width and height.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The whole picture as a rectangle.
    pub fn bounds(&self) -> Rect {
        Rect::new(0, 0, self.width as i32, self.height as i32)
    }

    /// All pixels, row by row.
    pub fn pixels(&self) -> &[P] {
        &self.pixels
    }

    /// All pixels, to be changed.
    pub fn pixels_mut(&mut self) -> &mut [P] {
        &mut self.pixels
    }

    /// Gives the pixels away.
    pub fn into_pixels(self) -> Vec<P> {
        self.pixels
    }

    /// One row.
    #[inline]
    pub fn row(&self, y: usize) -> &[P] {
        &self.pixels[y * self.width..(y + 1) * self.width]
    }

    /// One row, to be changed.
    #[inline]
    pub fn row_mut(&mut self, y: usize) -> &mut [P] {
        &mut self.pixels[y * self.width..(y + 1) * self.width]
    }

    /// Every pixel turned into another.
    pub fn map<Q: Copy>(&self, f: impl FnMut(&P) -> Q) -> Image<Q> {
        Image { width: self.width, height: self.height, pixels: self.pixels.iter().map(f).collect() }
    }

    /// Two pictures of one size joined pixel by pixel.
    ///
    /// # Panics
    /// If the sizes differ: a programming error.
    pub fn zip<Q: Copy, R: Copy>(&self, other: &Image<Q>, mut f: impl FnMut(P, Q) -> R) -> Image<R> {
        assert_eq!(self.size(), other.size(), "pictures of different sizes joined");
        let pixels = self.pixels.iter().zip(&other.pixels).map(|(&a, &b)| f(a, b)).collect();
        Image { width: self.width, height: self.height, pixels }
    }

    /// A copy of a part; `rect` must lie inside.
    pub fn crop(&self, rect: Rect) -> Self {
        let (x0, x1) = (rect.x0 as usize, rect.x1 as usize);
        let mut pixels = Vec::with_capacity(rect.area());
        for y in rect.y0 as usize..rect.y1 as usize {
            pixels.extend_from_slice(&self.row(y)[x0..x1]);
        }
        Self { width: rect.width(), height: rect.height(), pixels }
    }
}

impl<P> std::ops::Index<(usize, usize)> for Image<P> {
    type Output = P;
    /// The pixel at column x, row y.
    #[inline]
    fn index(&self, (x, y): (usize, usize)) -> &P {
        debug_assert!(x < self.width);
        &self.pixels[y * self.width + x]
    }
}

impl<P> std::ops::IndexMut<(usize, usize)> for Image<P> {
    #[inline]
    fn index_mut(&mut self, (x, y): (usize, usize)) -> &mut P {
        debug_assert!(x < self.width);
        &mut self.pixels[y * self.width + x]
    }
}
