//! Whether two points look alike: features of a picture, and their cosine similarity.

use crate::error::{Error, Result};
use crate::frame::{Image, Rgba, Vec2};

/// What tells points apart by how their surroundings look. Flow that leads to a point of other looks is rejected
/// (the paper: DINO ViT-S features; [`Surroundings`](super::Surroundings) needs no model).
pub trait Appearance: Send + Sync {
    /// Features of one frame, in levels (0…255, display-encoded, alpha unused). Called once a frame; the result is
    /// kept while its neighbours are measured, so it should not be many times larger than the frame.
    fn features(&self, frame: &Image<Rgba>) -> Result<Features>;

    /// The similarities below which vectors are rejected, for these features.
    fn thresholds(&self) -> Thresholds;
}

/// Least cosine similarity, −1…1, of the two ends of a vector that is believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Of flow between near frames, adjacent ones included (paper: 0.5 for DINO features).
    pub neighbour: f32,
    /// Of the direct flow from afar to the reference frame (the authors' code: 0.6), which is the likeliest to err.
    pub direct: f32,
    /// Of a pixel and the point of the reference frame that a candidate leads it to in the end. Below any similarity
    /// (−1) this test, which the paper does not have, is left out.
    ///
    /// Pixels beside an occluder are measured to move with it. From one frame to the next that hardly shows, so they
    /// would ride along with it for as long as it passes; here their end no longer looks like their start.
    pub landing: f32,
}

/// Where the cells of a feature grid lie on the frame, in frame pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lattice {
    /// Position of the first cell's centre.
    pub first: Vec2,
    /// Pixels from one cell to the next, across and down; above 0.
    pub cell: Vec2,
}

impl Lattice {
    /// Square cells of `side` pixels that tile the frame from its corner, as a vision transformer's patches do.
    pub fn tiles(side: f32) -> Self {
        Self { first: [0.5 * (side - 1.0); 2], cell: [side; 2] }
    }
}

/// Features of a picture on a grid that may be coarser than its pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    size: (usize, usize),
    dims: usize,
    lattice: Lattice,
    values: Vec<f32>,
}

impl Features {
    /// From the vectors of all cells: `dims` numbers a cell, row by row from the top left of a grid of `size` columns
    /// and rows. They need not be of unit length.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is no cell or no number in one, if `values` does not hold
    /// `columns × rows × dims` numbers, or if the cells have no extent.
    pub fn new(size: (usize, usize), dims: usize, lattice: Lattice, values: Vec<f32>) -> Result<Self> {
        let (w, h) = size;
        if w == 0 || h == 0 || dims == 0 || values.len() != w * h * dims {
            return Err(Error::Mismatch(format!(
                "{} feature values for a grid of {w}×{h} cells of {dims}: there must be one vector a cell",
                values.len()
            )));
        }
        if !lattice.cell.iter().all(|c| *c > 0.0 && c.is_finite())
            || !lattice.first.iter().all(|v| v.is_finite())
        {
            return Err(Error::Mismatch(format!(
                "feature cells of {:?} pixels cannot be placed",
                lattice.cell
            )));
        }
        Ok(Self { size, dims, lattice, values })
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Numbers in a vector.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// The vector at frame position `p`, bilinear between cell centres; beyond the outer ones theirs goes on.
    ///
    /// # Panics
    /// If `vector` does not hold [`dims`](Self::dims) numbers: a programming error.
    #[inline]
    pub fn at(&self, p: Vec2, vector: &mut [f32]) {
        let (x0, x1, fx) = self.span(p[0], 0, self.size.0);
        let (y0, y1, fy) = self.span(p[1], 1, self.size.1);
        let cell = |x: usize, y: usize| &self.values[(y * self.size.0 + x) * self.dims..][..self.dims];
        let (a, b, c, d) = (cell(x0, y0), cell(x1, y0), cell(x0, y1), cell(x1, y1));
        let (wa, wb, wc, wd) = ((1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy);
        let vector = &mut vector[..self.dims];
        for i in 0..self.dims {
            vector[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
        }
    }

    /// Cosine similarity, −1…1, of this frame's point `p` and another frame's point `q`; 0 where one of them has no
    /// features, or features of another kind.
    pub fn similarity(&self, p: Vec2, other: &Features, q: Vec2) -> f32 {
        if self.dims != other.dims {
            return 0.0;
        }
        let (mut a, mut b) = (vec![0.0; self.dims], vec![0.0; self.dims]);
        self.at(p, &mut a);
        other.at(q, &mut b);
        cosine(&a, &b)
    }

    /// The two cells around a coordinate along one axis of `n` cells, and the share of the second.
    #[inline]
    fn span(&self, v: f32, axis: usize, n: usize) -> (usize, usize, f32) {
        let at = ((v - self.lattice.first[axis]) / self.lattice.cell[axis]).clamp(0.0, (n - 1) as f32);
        let low = (at as usize).min(n.saturating_sub(2));
        (low, (low + 1).min(n - 1), at - low as f32)
    }
}

/// Cosine of the angle between two vectors; 0 where one of them has no length, since nothing is known there.
#[inline]
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let (mut ab, mut aa, mut bb) = (0.0f32, 0.0f32, 0.0f32);
    for (&a, &b) in a.iter().zip(b) {
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let length = (aa * bb).sqrt();
    if length > 0.0 { ab / length } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_between_cell_centres() {
        // Two cells of 8 pixels: their centres are at 3.5 and 11.5.
        let f = Features::new((2, 1), 2, Lattice::tiles(8.0), vec![1.0, 0.0, 0.0, 1.0]).unwrap();
        let mut v = [0.0; 2];
        for (x, want) in [(3.5, [1.0, 0.0]), (7.5, [0.5, 0.5]), (11.5, [0.0, 1.0]), (99.0, [0.0, 1.0])] {
            f.at([x, 0.0], &mut v);
            assert_eq!(v, want, "at {x}");
        }
    }

    #[test]
    fn angle_and_not_length_counts() {
        assert!((cosine(&[1.0, 2.0], &[3.0, 6.0]) - 1.0).abs() < 1e-6);
        assert!((cosine(&[1.0, 0.0], &[1.0, 1.0]) - 0.5f32.sqrt()).abs() < 1e-6);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 1.0]), 0.0);
    }

    #[test]
    fn unusable_grids() {
        let at = Lattice::tiles(4.0);
        for (size, dims, n) in [((0, 2), 1, 0), ((2, 2), 0, 0), ((2, 2), 3, 11)] {
            assert!(matches!(Features::new(size, dims, at, vec![0.0; n]), Err(Error::Mismatch(_))));
        }
        let flat = Lattice { cell: [0.0, 4.0], ..at };
        assert!(Features::new((1, 1), 1, flat, vec![0.0]).is_err());
    }
}
