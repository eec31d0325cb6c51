//! One candidate: a measured flow, which of its vectors are believed, and where they lead to on the reference frame.

use rayon::prelude::*;

use super::appearance::{Features, cosine};
use crate::error::{Error, Result};
use crate::flow::consistency;
use crate::frame::{Image, Vec2};

/// A pixel without correspondence.
pub(super) const NONE: Vec2 = [f32::NAN; 2];

/// Whether a vector is known.
#[inline]
pub(super) fn known(v: Vec2) -> bool {
    v[0].is_finite() && v[1].is_finite()
}

/// When a vector is believed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Largest forward-backward error, in pixels.
    pub(super) cycle: f32,
    /// Least cosine similarity of the two ends.
    pub(super) similarity: f32,
}

/// Two frames' features and the flow between them, both ways.
pub(super) struct Measured<'a> {
    pub(super) forward: &'a Image<Vec2>,
    pub(super) backward: &'a Image<Vec2>,
    pub(super) from: &'a Features,
    pub(super) to: &'a Features,
}

impl Measured<'_> {
    /// Its forward vectors that are believed, [`NONE`] elsewhere.
    pub(super) fn believed(&self, limits: Limits) -> Result<Image<Vec2>> {
        let (a, b) = (self.from.dims(), self.to.dims());
        if a != b {
            return Err(Error::Mismatch(format!(
                "features of {a} and of {b} numbers cannot be compared: both frames must be described alike"
            )));
        }
        let error = consistency(self.forward, self.backward)?;
        let mut kept = self.forward.zip(&error, |v, e| if e <= limits.cycle { v } else { NONE });
        keep_alike(&mut kept, self.from, self.to, limits.similarity);
        Ok(kept)
    }

    /// The same flow seen from the other frame.
    pub(super) fn reversed(&self) -> Self {
        Self { forward: self.backward, backward: self.forward, from: self.to, to: self.from }
    }
}

/// `first` followed by `then`, known where `first` is and where `then` is known all around the point it leads to.
pub(super) fn composed(first: &Image<Vec2>, then: &Image<Vec2>) -> Image<Vec2> {
    let (w, h) = first.size();
    Image::from_rows(w, h, NONE, |y, row| {
        for (x, (out, &v)) in row.iter_mut().zip(first.row(y)).enumerate() {
            if let Some(on) = known(v).then(|| surely(then, [x as f32 + v[0], y as f32 + v[1]])).flatten() {
                *out = [v[0] + on[0], v[1] + on[1]];
            }
        }
    })
}

/// Makes those vectors [`NONE`] whose ends look less alike than `least`; `from` and `to` have vectors of one length.
pub(super) fn keep_alike(field: &mut Image<Vec2>, from: &Features, to: &Features, least: f32) {
    let w = field.width().max(1);
    field.pixels_mut().par_chunks_mut(w).enumerate().for_each(|(y, row)| {
        let (mut a, mut b) = (vec![0.0; from.dims()], vec![0.0; to.dims()]);
        for (x, v) in row.iter_mut().enumerate().filter(|(_, v)| known(**v)) {
            let p = [x as f32, y as f32];
            from.at(p, &mut a);
            to.at([p[0] + v[0], p[1] + v[1]], &mut b);
            // What is not a number is not alike.
            let alike = cosine(&a, &b) >= least;
            if !alike {
                *v = NONE;
            }
        }
    });
}

/// Bilinear sample, none if a neighbour that has weight is unknown. A neighbour without weight does not count: a
/// camera at rest would otherwise lose a row and a column around every hole from frame to frame.
fn surely(field: &Image<Vec2>, [x, y]: Vec2) -> Option<Vec2> {
    let (w, h) = field.size();
    if w == 0 || h == 0 {
        return None;
    }
    let (x, y) = (x.clamp(0.0, (w - 1) as f32), y.clamp(0.0, (h - 1) as f32));
    let (x0, y0) = (x as usize, y as usize);
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let mut sum = [0.0f32; 2];
    for (dx, dy, weight) in
        [(0, 0, (1.0 - fx) * (1.0 - fy)), (1, 0, fx * (1.0 - fy)), (0, 1, (1.0 - fx) * fy), (1, 1, fx * fy)]
    {
        // Beyond the last row or column the weight is 0: the point was clamped.
        if weight > 0.0 {
            let v = field[(x0 + dx, y0 + dy)];
            sum = [sum[0] + weight * v[0], sum[1] + weight * v[1]];
        }
    }
    known(sum).then_some(sum)
}

/// The mean of the candidates that are known at a pixel, always summed in their order; [`NONE`] where none is.
/// All have the size given.
pub(super) fn mean((w, h): (usize, usize), candidates: &[Image<Vec2>]) -> Image<Vec2> {
    Image::from_rows(w, h, NONE, |y, row| {
        for (x, out) in row.iter_mut().enumerate() {
            let (mut sum, mut n) = ([0.0f32; 2], 0.0f32);
            for v in candidates.iter().map(|c| c[(x, y)]).filter(|v| known(*v)) {
                sum = [sum[0] + v[0], sum[1] + v[1]];
                n += 1.0;
            }
            if n > 0.0 {
                *out = sum.map(|s| s / n);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::appearance::Lattice;
    use super::*;

    fn features(values: Vec<f32>) -> Features {
        let size = (values.len() / 2, 1);
        Features::new(size, 2, Lattice { first: [0.0; 2], cell: [1.0; 2] }, values).unwrap()
    }

    #[test]
    fn vectors_are_averaged_where_known() {
        let a = Image::from_vec(3, 1, vec![[1.0, 2.0], [1.0, 1.0], NONE]);
        let b = Image::from_vec(3, 1, vec![[3.0, 4.0], NONE, NONE]);
        let m = mean((3, 1), &[a, b]);
        assert_eq!((m[(0, 0)], m[(1, 0)], known(m[(2, 0)])), ([2.0, 3.0], [1.0, 1.0], false));
        assert!(mean((3, 1), &[]).pixels().iter().all(|v| !known(*v)));
    }

    #[test]
    fn composition_needs_every_neighbour_that_has_weight() {
        let then = Image::from_vec(4, 1, vec![[10.0, 0.0], [20.0, 0.0], NONE, [30.0, 1.0]]);
        let first = Image::from_vec(4, 1, vec![[0.5, 0.0], [0.0, 0.0], [0.5, 0.0], [0.4, 0.3]]);
        let led = composed(&first, &then);
        assert_eq!((led[(0, 0)], led[(1, 0)]), ([15.5, 0.0], [20.0, 0.0]));
        assert!(!known(led[(2, 0)]));
        // Half a pixel beyond the border the border's own pixel is read.
        assert_eq!(led[(3, 0)], [30.4, 1.3]);
        assert!(!known(composed(&Image::new(1, 1, NONE), &then)[(0, 0)]));
    }

    #[test]
    fn a_vector_must_return_and_look_alike() {
        let zero = Image::new(3, 1, [0.0f32, 0.0]);
        let back = Image::from_vec(3, 1, vec![[0.0, 0.0], [0.0, 6.0], [0.0, 0.0]]);
        let (from, to) =
            (features(vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0]), features(vec![1.0, 0.1, 1.0, 0.0, 0.0, 1.0]));
        let measured = Measured { forward: &zero, backward: &back, from: &from, to: &to };
        let found = measured.believed(Limits { cycle: 5.0, similarity: 0.5 }).unwrap();
        assert_eq!(found.map(|v| known(*v)).into_pixels(), [true, false, false]);
        let other = Features::new((1, 1), 3, Lattice::tiles(4.0), vec![1.0; 3]).unwrap();
        let unlike = Measured { to: &other, ..measured };
        assert!(matches!(unlike.believed(Limits { cycle: 5.0, similarity: 0.5 }), Err(Error::Mismatch(_))));
    }
}
