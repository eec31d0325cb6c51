//! The motion of a flat surface seen by a camera.

use crate::frame::Vec2;

/// A plane projective map, row by row; applied to `(x, y, 1)`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Homography(pub [[f64; 3]; 3]);

/// Depth, against that of the middle, from which a point counts as in front of the camera.
const NEAREST: f64 = 0.05;

impl Homography {
    /// The map that moves nothing.
    pub const IDENTITY: Homography = Homography([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);

    /// Where a point goes; infinite on the horizon.
    #[inline]
    pub fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let m = &self.0;
        let w = m[2][0] * x + m[2][1] * y + m[2][2];
        [(m[0][0] * x + m[0][1] * y + m[0][2]) / w, (m[1][0] * x + m[1][1] * y + m[1][2]) / w]
    }

    /// As [`Homography::apply`], in single precision.
    #[inline]
    pub fn apply32(&self, p: Vec2) -> Vec2 {
        self.apply(p.map(f64::from)).map(|v| v as f32)
    }

    /// The denominator at a point: positive in front of the camera for a map normalised by [`Homography::normalised`].
    #[inline]
    pub fn depth(&self, [x, y]: [f64; 2]) -> f64 {
        self.0[2][0] * x + self.0[2][1] * y + self.0[2][2]
    }

    /// `self` after `first`.
    #[must_use]
    pub fn after(&self, first: &Homography) -> Homography {
        let mut m = [[0.0; 3]; 3];
        for (i, row) in m.iter_mut().enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                *v = (0..3).map(|k| self.0[i][k] * first.0[k][j]).sum();
            }
        }
        Homography(m)
    }

    /// The map back; `None` when it squeezes the plane to a line.
    pub fn inverse(&self) -> Option<Homography> {
        let m = &self.0;
        let cofactor = |r: usize, c: usize| {
            let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
            m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
        };
        let det: f64 = (0..3).map(|c| m[0][c] * cofactor(0, c)).sum();
        if !det.is_finite() || det.abs() < 1e-12 {
            return None;
        }
        let mut inverse = [[0.0; 3]; 3];
        for (i, row) in inverse.iter_mut().enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                *v = cofactor(j, i) / det;
            }
        }
        Some(Homography(inverse))
    }

    /// Scaled so that the denominator at `p` is 1.
    #[must_use]
    pub fn normalised(&self, p: [f64; 2]) -> Homography {
        let w = self.depth(p);
        Homography(self.0.map(|row| row.map(|v| v / w)))
    }

    /// How every one of `points` moves with each of the eight numbers of the map, x and y of every point in turn; scaled
    /// so that moves are about as long as the points are apart. `None` when a point lies behind the camera.
    pub(super) fn tangents(&self, points: &[[f64; 2]]) -> Option<[Vec<f64>; 8]> {
        let mean = |i: usize| points.iter().map(|p| p[i]).sum::<f64>() / points.len() as f64;
        let centre = [mean(0), mean(1)];
        let map = self.normalised(centre);
        let middle = map.apply(centre);
        let size = points.iter().map(|p| (p[0] - centre[0]).hypot(p[1] - centre[1])).fold(1.0, f64::max);
        let mut tangents: [Vec<f64>; 8] = std::array::from_fn(|_| Vec::with_capacity(2 * points.len()));
        for p in points {
            let depth = map.depth(*p);
            if depth.is_nan() || depth < NEAREST {
                return None;
            }
            let from = [(p[0] - centre[0]) / size, (p[1] - centre[1]) / size, 1.0].map(|v| v / depth);
            let to = map.apply(*p);
            for (k, tangent) in tangents.iter_mut().enumerate() {
                tangent.extend(match k {
                    0..3 => [from[k], 0.0],
                    3..6 => [0.0, from[k - 3]],
                    _ => [0, 1].map(|c| -(to[c] - middle[c]) / size * from[k - 6]),
                });
            }
        }
        Some(tangents)
    }

    /// Weighted least squares over pairs `(from, to, weight)`; `None` with fewer than four, or when they lie on a line.
    ///
    /// The algebraic error, re-weighted by the denominators of the previous pass so that it becomes the geometric
    /// one; coordinates are centred and scaled first (Hartley's normalisation).
    pub fn fit(pairs: &[(Vec2, Vec2, f32)]) -> Option<Homography> {
        let from = Similarity::normalising(pairs.iter().map(|p| (p.0, p.2)))?;
        let to = Similarity::normalising(pairs.iter().map(|p| (p.1, p.2)))?;
        if pairs.len() < 4 {
            return None;
        }
        let mut h = [0.0f64; 8];
        for _ in 0..3 {
            let mut system = Normal8::default();
            for &(p, q, weight) in pairs.iter().filter(|p| p.2 > 0.0) {
                let ([x, y], [u, v]) = (from.apply(p), to.apply(q));
                let depth = h[6] * x + h[7] * y + 1.0;
                let weight = f64::from(weight) / (depth * depth).max(1e-6);
                system.add(&[x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y], u, weight);
                system.add(&[0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y], v, weight);
            }
            h = system.solve()?;
        }
        let unit = Homography([[h[0], h[1], h[2]], [h[3], h[4], h[5]], [h[6], h[7], 1.0]]);
        let map = to.inverse().after(&unit).after(&from.matrix());
        map.0.iter().flatten().all(|v| v.is_finite()).then_some(map)
    }

    /// The map most pairs agree with to within `tolerance` pixels, refined on them (RANSAC; deterministic).
    ///
    /// Tries stop when a better one has become unlikely (1 in 10,000), at 500 at most.
    pub fn ransac(pairs: &[(Vec2, Vec2)], tolerance: f32) -> Option<Homography> {
        if pairs.len() < 20 {
            return None;
        }
        let agrees = |h: &Homography, &(p, q): &(Vec2, Vec2)| {
            let r = h.apply32(p);
            (r[0] - q[0]).powi(2) + (r[1] - q[1]).powi(2) < tolerance * tolerance
        };
        // Counting on a regular share of the pairs is enough to rank the tries.
        let stride = pairs.len().div_ceil(1000);
        let mut random = SplitMix(0x5eed);
        let (mut best, mut best_count) = (None, 0usize);
        let (mut tries, mut needed) = (0, 500);
        while tries < needed {
            tries += 1;
            let sample: Vec<_> = (0..4)
                .map(|_| {
                    let (p, q) = pairs[random.below(pairs.len())];
                    (p, q, 1.0)
                })
                .collect();
            let Some(h) = Homography::fit(&sample) else { continue };
            let count = pairs.iter().step_by(stride).filter(|p| agrees(&h, p)).count();
            if count > best_count {
                (best, best_count) = (Some(h), count);
                let share = count as f64 / pairs.len().div_ceil(stride) as f64;
                let miss = (1.0 - share.powi(4)).max(1e-9);
                needed = needed.min((1e-4f64.ln() / miss.ln()).ceil().max(10.0) as usize);
            }
        }
        let mut h = best?;
        for _ in 0..3 {
            let inliers: Vec<_> = pairs.iter().filter(|p| agrees(&h, p)).map(|&(p, q)| (p, q, 1.0)).collect();
            h = Homography::fit(&inliers)?;
        }
        Some(h)
    }
}

/// A uniform scale and a shift.
struct Similarity {
    scale: f64,
    centre: [f64; 2],
}

impl Similarity {
    /// Brings weighted points to mean zero and a mean distance of about one.
    fn normalising(points: impl Iterator<Item = (Vec2, f32)> + Clone) -> Option<Self> {
        let mut sum = [0.0; 3];
        for (p, w) in points.clone() {
            let w = f64::from(w);
            sum = [sum[0] + w * f64::from(p[0]), sum[1] + w * f64::from(p[1]), sum[2] + w];
        }
        let centre = [sum[0] / sum[2], sum[1] / sum[2]];
        let spread = points
            .map(|(p, w)| f64::from(w) * (f64::from(p[0]) - centre[0]).hypot(f64::from(p[1]) - centre[1]))
            .sum::<f64>()
            / sum[2];
        (spread.is_finite() && spread > 1e-6).then(|| Self { scale: 1.0 / spread, centre })
    }

    fn apply(&self, p: Vec2) -> [f64; 2] {
        [0, 1].map(|i| (f64::from(p[i]) - self.centre[i]) * self.scale)
    }

    fn matrix(&self) -> Homography {
        let (s, [cx, cy]) = (self.scale, self.centre);
        Homography([[s, 0.0, -s * cx], [0.0, s, -s * cy], [0.0, 0.0, 1.0]])
    }

    fn inverse(&self) -> Homography {
        let (s, [cx, cy]) = (1.0 / self.scale, self.centre);
        Homography([[s, 0.0, cx], [0.0, s, cy], [0.0, 0.0, 1.0]])
    }
}

/// Normal equations of a linear least-squares problem in eight unknowns.
#[derive(Default)]
struct Normal8 {
    matrix: [[f64; 8]; 8],
    right: [f64; 8],
}

impl Normal8 {
    fn add(&mut self, row: &[f64; 8], value: f64, weight: f64) {
        for i in 0..8 {
            if row[i] != 0.0 {
                let wi = row[i] * weight;
                for (m, v) in self.matrix[i][..=i].iter_mut().zip(row) {
                    *m += wi * v;
                }
                self.right[i] += wi * value;
            }
        }
    }

    /// Cholesky; `None` when the unknowns are not determined.
    fn solve(mut self) -> Option<[f64; 8]> {
        let a = &mut self.matrix;
        let scale = (0..8).map(|i| a[i][i]).fold(0.0, f64::max);
        for i in 0..8 {
            for j in 0..=i {
                let s: f64 = (0..j).map(|k| a[i][k] * a[j][k]).sum();
                if i == j {
                    let pivot = a[i][i] - s;
                    if pivot.is_nan() || pivot <= 1e-13 * scale {
                        return None;
                    }
                    a[i][i] = pivot.sqrt();
                } else {
                    a[i][j] = (a[i][j] - s) / a[j][j];
                }
            }
        }
        let mut x = self.right;
        for i in 0..8 {
            let s: f64 = (0..i).map(|k| a[i][k] * x[k]).sum();
            x[i] = (x[i] - s) / a[i][i];
        }
        for i in (0..8).rev() {
            let s: f64 = (i + 1..8).map(|k| a[k][i] * x[k]).sum();
            x[i] = (x[i] - s) / a[i][i];
        }
        Some(x)
    }
}

/// A small deterministic generator (Steele, Lea and Flood's SplitMix64).
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: Homography = Homography([[1.1, 0.05, 20.0], [-0.04, 0.95, -8.0], [2e-4, -1e-4, 1.0]]);

    fn grid() -> Vec<Vec2> {
        (0..400).map(|i| [(i % 20) as f32 * 15.0, (i / 20) as f32 * 9.0]).collect()
    }

    fn close(a: &Homography, b: &Homography) -> f32 {
        let d = grid().into_iter().map(|p| {
            let (q, r) = (a.apply32(p), b.apply32(p));
            (q[0] - r[0]).hypot(q[1] - r[1])
        });
        d.fold(0.0, f32::max)
    }

    #[test]
    fn inverse_and_composition() {
        let id = H.after(&H.inverse().unwrap());
        assert!(close(&id, &Homography::IDENTITY) < 1e-3);
        assert!(Homography([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 1.0]]).inverse().is_none());
    }

    #[test]
    fn fit_finds_an_exact_map_and_refuses_a_line() {
        let pairs: Vec<_> = grid().into_iter().map(|p| (p, H.apply32(p), 1.0)).collect();
        assert!(close(&Homography::fit(&pairs).unwrap(), &H) < 1e-2);
        let line: Vec<_> = (0..50).map(|i| ([i as f32, 2.0 * i as f32], [i as f32, 1.0], 1.0)).collect();
        assert!(Homography::fit(&line).is_none());
    }

    #[test]
    fn ransac_ignores_forty_percent_of_nonsense() {
        let mut r = SplitMix(3);
        let pairs: Vec<_> = grid()
            .into_iter()
            .enumerate()
            .map(|(i, p)| {
                let q = H.apply32(p);
                if i % 5 < 2 { (p, [r.below(300) as f32, r.below(200) as f32]) } else { (p, q) }
            })
            .collect();
        assert!(close(&Homography::ransac(&pairs, 1.5).unwrap(), &H) < 0.05);
    }

    #[test]
    fn tangents_are_the_differences_between_maps() {
        let base = Homography([[1.1, 0.05, 4.0], [-0.03, 0.95, -7.0], [4e-4, -3e-4, 1.0]]);
        let points: Vec<[f64; 2]> = grid().iter().map(|p| p.map(f64::from)).collect();
        let tangents = base.tangents(&points).unwrap();
        for k in 0..9 {
            let mut other = base;
            let entry = &mut other.0[k / 3][k % 3];
            let step = if k < 6 { 1e-3 } else { 1e-7 } * if k % 3 == 2 { 100.0 } else { 1.0 };
            *entry += step;
            let moved = points.iter().flat_map(|p| {
                let (a, b) = (base.apply(*p), other.apply(*p));
                [b[0] - a[0], b[1] - a[1]]
            });
            let moved: Vec<f64> = moved.collect();
            // What of it the tangents do not make up: Gram–Schmidt.
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let mut basis: Vec<Vec<f64>> = Vec::new();
            let mut left = moved.clone();
            for tangent in &tangents {
                let mut v = tangent.clone();
                for b in &basis {
                    let share = dot(&v, b);
                    v.iter_mut().zip(b).for_each(|(v, b)| *v -= share * b);
                }
                let length = dot(&v, &v).sqrt();
                v.iter_mut().for_each(|x| *x /= length);
                let share = dot(&left, &v);
                left.iter_mut().zip(&v).for_each(|(l, v)| *l -= share * v);
                basis.push(v);
            }
            let (rest, whole) = (dot(&left, &left).sqrt(), dot(&moved, &moved).sqrt());
            assert!(rest < 2e-3 * whole, "{rest} of {whole} left of entry {k}");
        }
        let behind = Homography([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.02, 0.0, 1.0]]);
        assert!(behind.tangents(&points).is_none());
    }
}
