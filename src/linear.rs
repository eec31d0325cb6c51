//! Symmetric positive definite systems whose non-zeros lie near the diagonal.
//!
//! A spline grid numbered along its shorter side couples only near numbers, so a banded Cholesky factor solves for a
//! thousand control points in milliseconds, exactly, where a sparse solver would spend its time on bookkeeping.

/// Lower band of a symmetric matrix: row i holds columns `i − width ..= i`.
#[derive(Debug, Clone)]
pub(crate) struct Band {
    n: usize,
    width: usize,
    rows: Vec<f64>,
}

impl Band {
    /// A zero matrix of `n` rows and `width` diagonals below the main one.
    pub(crate) fn new(n: usize, width: usize) -> Self {
        let width = width.min(n.saturating_sub(1));
        Self { n, width, rows: vec![0.0; n * (width + 1)] }
    }

    /// Adds to entry (i, j) of the symmetric matrix; `|i − j|` must be within the band.
    #[inline]
    pub(crate) fn add(&mut self, i: usize, j: usize, value: f64) {
        let (i, j) = if i >= j { (i, j) } else { (j, i) };
        debug_assert!(i - j <= self.width);
        self.rows[i * (self.width + 1) + self.width - (i - j)] += value;
    }

    /// Cholesky factor L with L·Lᵀ = self; `None` when the matrix is not positive definite.
    pub(crate) fn factor(self) -> Option<Factor> {
        pulp::Arch::new().dispatch(Factorise(self))
    }

    #[inline(always)]
    fn cholesky(mut self) -> Option<Factor> {
        let (n, w) = (self.n, self.width);
        let stride = w + 1;
        for i in 0..n {
            let first = i.saturating_sub(w);
            let (above, current) = self.rows.split_at_mut(i * stride);
            let row = &mut current[..stride];
            for j in first..i {
                let from = first.max(j.saturating_sub(w));
                let other = &above[j * stride..(j + 1) * stride];
                let a = &row[w - (i - from)..w - (i - j)];
                let b = &other[w - (j - from)..w];
                row[w - (i - j)] = (row[w - (i - j)] - dot(a, b)) / other[w];
            }
            let a = &row[w - (i - first)..w];
            let pivot = row[w] - dot(a, a);
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            row[w] = pivot.sqrt();
        }
        Some(Factor(self))
    }
}

/// A factorisation, compiled once more for processors with wide vectors.
struct Factorise(Band);

impl pulp::NullaryFnOnce for Factorise {
    type Output = Option<Factor>;

    #[inline(always)]
    fn call(self) -> Option<Factor> {
        self.0.cholesky()
    }
}

/// A factored system, ready to solve for any number of right-hand sides.
#[derive(Debug, Clone)]
pub(crate) struct Factor(Band);

impl Factor {
    /// Replaces the right-hand side by the solution.
    pub(crate) fn solve(&self, b: &mut [f64]) {
        let Band { n, width: w, ref rows } = self.0;
        let stride = w + 1;
        for i in 0..n {
            let first = i.saturating_sub(w);
            let row = &rows[i * stride..(i + 1) * stride];
            b[i] = (b[i] - dot(&row[w - (i - first)..w], &b[first..i])) / row[w];
        }
        for i in (0..n).rev() {
            let first = i.saturating_sub(w);
            let row = &rows[i * stride..(i + 1) * stride];
            b[i] /= row[w];
            let x = b[i];
            for (v, l) in b[first..i].iter_mut().zip(&row[w - (i - first)..w]) {
                *v -= l * x;
            }
        }
    }
}

/// Inner product in eight independent sums, so that the compiler may use vector registers.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0f64; 8];
    let (ca, cb) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f64 = ca.remainder().iter().zip(cb.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in ca.zip(cb) {
        for k in 0..8 {
            lanes[k] += x[k] * y[k];
        }
    }
    tail + lanes.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_what_it_multiplied() {
        let (n, w) = (37, 6);
        let entry = |i: usize, j: usize| {
            if i == j { 20.0 + i as f64 } else { ((i * 7 + j * 13) % 11) as f64 / 11.0 - 0.5 }
        };
        let mut m = Band::new(n, w);
        for i in 0..n {
            for j in i.saturating_sub(w)..=i {
                m.add(i, j, entry(i, j));
            }
        }
        let x: Vec<f64> = (0..n).map(|i| (i as f64 * 0.7).sin()).collect();
        let mut b: Vec<f64> = (0..n)
            .map(|i| {
                let near =
                    (i.saturating_sub(w)..(i + w + 1).min(n)).map(|j| entry(i.max(j), i.min(j)) * x[j]);
                near.sum()
            })
            .collect();
        m.factor().unwrap().solve(&mut b);
        assert!(b.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-10));
    }

    #[test]
    fn refuses_what_is_not_positive_definite() {
        let mut m = Band::new(2, 1);
        m.add(0, 0, 1.0);
        m.add(1, 0, 2.0);
        m.add(1, 1, 1.0);
        assert!(m.factor().is_none());
    }
}
