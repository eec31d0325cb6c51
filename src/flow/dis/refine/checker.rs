//! Planes split into the two colours of a checkerboard.
//!
//! Successive over-relaxation uses each value as soon as it is known, which is sequential. A pixel's four neighbours
//! all have the other colour, so all pixels of one colour can be brought up to date at once: in any order, on any
//! number of threads, eight to a register, with the same result. Each colour lies contiguous in memory for that.

use rayon::prelude::*;

/// Rows a task works on; the result does not depend on it.
const BAND: usize = 24;

/// `P` planes split by colour; pixel (x, y) has colour `(x + y) mod 2`.
///
/// Each colour holds, row by row, the `P` planes' cells one after another. Cell k of a row is the k-th pixel of that
/// colour, x = 2 k + [`first`]. A margin of one zero cell on every side stands for what lies outside, and rows are filled
/// up with zero cells to whole registers.
#[derive(Debug, Clone)]
pub(super) struct Checker<const P: usize> {
    width: usize,
    height: usize,
    /// Floats of one plane's row, margin included.
    pub(super) stride: usize,
    /// The two colours.
    pub(super) colours: [Vec<f32>; 2],
}

/// Floats worked on at a time: a register's worth with AVX2.
pub(super) const LANES: usize = 8;

/// A register's worth of floats.
pub(super) type Lanes = [f32; LANES];

/// `blocks` registers of a slice. Loads whole blocks before anything is stored, which is what lets the compiler keep
/// loops over many planes in registers: it need not prove that no two of them overlap.
#[inline(always)]
pub(super) fn lanes(cells: &[f32], blocks: usize) -> &[Lanes] {
    &cells.as_chunks().0[..blocks]
}

/// [`lanes`], to be changed.
#[inline(always)]
pub(super) fn lanes_mut(cells: &mut [f32], blocks: usize) -> &mut [Lanes] {
    &mut cells.as_chunks_mut().0[..blocks]
}

/// Column of the first pixel of a colour in row `y`.
#[inline(always)]
pub(super) fn first(colour: usize, y: usize) -> usize {
    (colour + y) & 1
}

impl<const P: usize> Checker<P> {
    /// All zero.
    pub(super) fn new(width: usize, height: usize) -> Self {
        let stride = width.div_ceil(2).next_multiple_of(LANES) + 2;
        let cells = P * stride * (height + 2);
        Self { width, height, stride, colours: [vec![0.0; cells], vec![0.0; cells]] }
    }

    /// Registers in a row, margin excluded.
    pub(super) fn blocks(&self) -> usize {
        self.stride / LANES
    }

    /// Pixels in a row of the picture.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Rows of the picture.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// The cells of one colour and plane in row `y − 1`: 0 and `height + 1` are the margin.
    #[inline(always)]
    pub(super) fn padded_row(&self, colour: usize, y: usize, plane: usize) -> &[f32] {
        let start = (y * P + plane) * self.stride;
        &self.colours[colour][start..start + self.stride]
    }

    /// Both colours cut into the same bands of rows: first row, cells of colour 0, cells of colour 1.
    pub(super) fn bands_mut(&mut self) -> impl IndexedParallelIterator<Item = (usize, [&mut [f32]; 2])> {
        let (row, height) = (P * self.stride, self.height);
        let [a, b] = &mut self.colours;
        let [a, b] = [a, b].map(|c| c[row..row * (height + 1)].par_chunks_mut(row * BAND));
        a.zip(b).enumerate().map(|(i, (a, b))| (i * BAND, [a, b]))
    }

    /// One colour cut into bands of rows, and the other colour as a whole.
    pub(super) fn colour_bands_mut(
        &mut self,
        colour: usize,
    ) -> (impl IndexedParallelIterator<Item = (usize, &mut [f32])>, &[f32]) {
        let (row, height) = (P * self.stride, self.height);
        let [a, b] = &mut self.colours;
        let (own, other) = if colour == 0 { (a, b) } else { (b, a) };
        let bands = own[row..row * (height + 1)].par_chunks_mut(row * BAND);
        (bands.enumerate().map(|(i, cells)| (i * BAND, cells)), other)
    }

    /// Takes a plane in, given row by row.
    pub(super) fn split(&mut self, plane: usize, pixels: &[f32]) {
        for y in 0..self.height {
            let row = &pixels[y * self.width..(y + 1) * self.width];
            let start = ((y + 1) * P + plane) * self.stride;
            for (colour, cells) in self.colours.iter_mut().enumerate() {
                split_row(row, first(colour, y), &mut cells[start..start + self.stride]);
            }
        }
    }

    /// Gives a plane back, row by row.
    pub(super) fn join(&self, plane: usize, pixels: &mut [f32]) {
        for (y, row) in pixels.chunks_exact_mut(self.width).enumerate() {
            let even = &self.padded_row(first(0, y), y + 1, plane)[1..];
            let odd = &self.padded_row(1 - first(0, y), y + 1, plane)[1..];
            for (pair, (e, o)) in row.chunks_mut(2).zip(even.iter().zip(odd)) {
                pair[0] = *e;
                if let Some(second) = pair.get_mut(1) {
                    *second = *o;
                }
            }
        }
    }
}

/// Copies every second pixel of a row, starting with `first`, into a row of cells with its margin.
#[inline(always)]
pub(super) fn split_row(row: &[f32], first: usize, cells: &mut [f32]) {
    // A row of one pixel has none of the second colour.
    let pixels = row.get(first..).unwrap_or(&[]);
    let pairs = pixels.chunks_exact(2);
    let rest = pairs.remainder().first();
    let n = pairs.len();
    for (cell, pair) in cells[1..].iter_mut().zip(pairs) {
        *cell = pair[0];
    }
    if let Some(last) = rest {
        cells[1 + n] = *last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_and_joined_again() {
        for (w, h) in [(1, 1), (2, 3), (7, 4), (8, 5)] {
            let pixels: Vec<f32> = (0..w * h).map(|i| 1.0 + i as f32).collect();
            let mut checker = Checker::<2>::new(w, h);
            checker.split(1, &pixels);
            let mut back = vec![0.0; w * h];
            checker.join(1, &mut back);
            assert_eq!(back, pixels);
            let total: f32 = checker.colours.iter().flatten().sum();
            assert_eq!(total, pixels.iter().sum::<f32>(), "margins and the other plane stay zero");
        }
    }
}
