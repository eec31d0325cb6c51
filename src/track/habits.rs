//! Which bends this surface takes: what one frame hides, others have shown.
//!
//! The bends of a cloth are mixtures of a few. They are found from all frames' bends together, by low-rank
//! factorisation with missing entries (alternating least squares): a corner behind a chain then goes where it went
//! whenever the rest of the cloth lay like that, instead of straight on. The mean of all frames is one of them: bends
//! count from the reference frame, and what that shows badly would be wrong by the same in every frame.

use super::spline::Grid;
use crate::frame::Vec2;
use crate::linear::Band;
use rayon::prelude::*;

/// Most bends a mixture is made of.
const MOST_HABITS: usize = 8;
/// Frames needed for each of them.
const FRAMES_EACH: usize = 4;
/// Root-mean-square bend, in pixels, below which nothing more is explained.
const LEAST_BEND: f64 = 0.05;
/// Least weight of a mixture's own size against its errors: holds back mixtures that little evidence asks for.
const RIDGE: f64 = 1e-3;
/// Root-mean-square error of what is seen of a bend, pixels; chosen on clips with a known answer.
const NOISE: f64 = 0.03;
/// Alternations after each new bend, and when all are there.
const SWEEPS: [usize; 2] = [2, 8];

/// A field of displacements over the surface, and how far each of its control points was seen, 0…1.
pub(super) struct Observed {
    /// Control points of the displacement, in canvas pixels.
    pub field: Vec<Vec2>,
    /// Evidence at each.
    pub seen: Vec<f32>,
}

/// Every frame's field as a mixture of what all frames show, up to an affine motion of its own; `None` when the surface
/// does not bend, or the frames are too few to tell how.
pub(super) fn explain(grid: &Grid, frames: &[Observed]) -> Option<Vec<Vec<Vec2>>> {
    let mut model = Model::affine(grid, frames);
    let most = MOST_HABITS.min(frames.len() / FRAMES_EACH);
    for _ in 0..most {
        if !model.add_habit() {
            break;
        }
        model.settle(SWEEPS[0]);
    }
    if model.habits() == 0 {
        return None;
    }
    model.settle(SWEEPS[1]);
    Some((0..frames.len()).into_par_iter().map(|t| model.mixture(t)).collect())
}

/// Modes 0 to 5 are the affine motions, the others learnt; a mode holds x and y of every control point in turn.
struct Model {
    modes: Vec<Vec<f64>>,
    /// Per frame, a factor per mode.
    factors: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
    weights: Vec<Vec<f64>>,
}

/// Number of affine modes.
const AFFINE: usize = 6;
/// The mean of all frames, whose factor is 1 in each.
const MEAN: usize = AFFINE;
/// First of the modes with factors of their own that are learnt.
const LEARNT: usize = MEAN + 1;

impl Model {
    fn affine(grid: &Grid, frames: &[Observed]) -> Self {
        let places = grid.places();
        let centre = |i: usize| places.iter().map(|p| p[i]).sum::<f64>() / places.len() as f64;
        let (cx, cy) = (centre(0), centre(1));
        let mode = |m: usize| {
            let value = |p: &[f64; 2]| [1.0, p[0] - cx, p[1] - cy][m / 2];
            let mode = places.iter().flat_map(|p| {
                let mut both = [0.0; 2];
                both[m % 2] = value(p);
                both
            });
            normalised(mode.collect())
        };
        let twice = |w: &f32| [f64::from(*w); 2];
        let mut model = Self {
            modes: (0..AFFINE).map(mode).chain([vec![0.0; 2 * places.len()]]).collect(),
            factors: vec![[[0.0; AFFINE].as_slice(), &[1.0]].concat(); frames.len()],
            values: frames
                .iter()
                .map(|f| f.field.iter().flatten().map(|v| f64::from(*v)).collect())
                .collect(),
            weights: frames.iter().map(|f| f.seen.iter().flat_map(twice).collect()).collect(),
        };
        model.fit_factors();
        model
    }

    fn habits(&self) -> usize {
        self.modes.len() - LEARNT
    }

    /// What the mixture of frame `t` leaves unexplained of entry `e`, with the modes from `first` on taken as absent.
    fn rest(&self, t: usize, e: usize, first: usize) -> f64 {
        let mixed: f64 = (0..first).map(|m| self.factors[t][m] * self.modes[m][e]).sum();
        self.values[t][e] - mixed
    }

    /// Takes up the largest bend not yet explained; `false` when none is worth it.
    fn add_habit(&mut self) -> bool {
        let count = self.modes.len();
        let left = |t: usize| -> Vec<f64> {
            self.weights[t].iter().enumerate().map(|(e, w)| w * self.rest(t, e, count)).collect()
        };
        let power = |v: &[f64]| v.iter().map(|r| r * r).sum::<f64>() / v.len() as f64;
        let lefts: Vec<Vec<f64>> = (0..self.values.len()).into_par_iter().map(left).collect();
        let Some(most) = lefts.into_iter().max_by(|a, b| power(a).total_cmp(&power(b))) else { return false };
        if power(&most).sqrt() < LEAST_BEND {
            return false;
        }
        self.modes.push(normalised(most));
        self.factors.iter_mut().for_each(|f| f.push(0.0));
        self.fit_factors();
        true
    }

    fn settle(&mut self, sweeps: usize) {
        for _ in 0..sweeps {
            self.fit_modes();
            self.fit_factors();
        }
    }

    /// Each frame's factors, modes given. Frames do not ask for each other, so the threads change no sum.
    fn fit_factors(&mut self) {
        let ridges: Vec<f64> = (LEARNT..self.modes.len()).map(|m| self.ridge(m)).collect();
        let fitted: Vec<_> =
            (0..self.values.len()).into_par_iter().map(|t| self.factors_of(t, &ridges)).collect();
        for (old, new) in self.factors.iter_mut().zip(fitted) {
            new.into_iter().for_each(|new| *old = new);
        }
    }

    /// How strongly the factors of mode `m` are drawn to 0: a bend that is small in most frames is not likely to be large
    /// in one that hardly shows it.
    fn ridge(&self, m: usize) -> f64 {
        let usual = self.factors.iter().map(|f| f[m] * f[m]).sum::<f64>() / self.factors.len() as f64;
        if usual > 0.0 { (NOISE * NOISE / usual).max(RIDGE) } else { RIDGE }
    }

    /// The factors that fit frame `t` best; `None` when there is no telling.
    fn factors_of(&self, t: usize, ridges: &[f64]) -> Option<Vec<f64>> {
        let free: Vec<&Vec<f64>> = self.modes[..MEAN].iter().chain(&self.modes[LEARNT..]).collect();
        let n = free.len();
        let (values, weights) = (&self.values[t], &self.weights[t]);
        let off: Vec<f64> = values.iter().zip(&self.modes[MEAN]).map(|(v, m)| v - m).collect();
        let mut matrix = Band::new(n, n);
        let mut right = vec![0.0; n];
        for (i, mode) in free.iter().enumerate() {
            let product = |other: &[f64]| -> f64 {
                weights.iter().zip(*mode).zip(other).map(|((w, a), b)| w * a * b).sum()
            };
            right[i] = product(&off);
            for (j, other) in free[..=i].iter().enumerate() {
                matrix.add(i, j, product(other));
            }
            let ridge = if i < AFFINE { 1e-3 * RIDGE } else { ridges[i - AFFINE] };
            matrix.add(i, i, ridge * values.len() as f64);
        }
        matrix.factor().map(|factor| {
            factor.solve(&mut right);
            right.insert(MEAN, 1.0);
            right
        })
    }

    /// The learnt modes, factors given: entry by entry, and no entry asks for another.
    fn fit_modes(&mut self) {
        let entries = 0..self.modes[0].len();
        let fitted: Vec<_> = entries.into_par_iter().with_min_len(16).map(|e| self.entry(e)).collect();
        for (e, values) in fitted.iter().enumerate() {
            for (mode, value) in self.modes[AFFINE..].iter_mut().zip(values.iter().flatten()) {
                mode[e] = *value;
            }
        }
        self.modes[LEARNT..].par_iter_mut().for_each(|mode| *mode = normalised(std::mem::take(mode)));
    }

    /// Entry `e` of the learnt modes that fits all frames best; `None` when there is no telling.
    fn entry(&self, e: usize) -> Option<Vec<f64>> {
        let n = self.modes.len() - AFFINE;
        let mut matrix = Band::new(n, n);
        let mut right = vec![0.0; n];
        let mut trace = 0.0;
        for t in 0..self.values.len() {
            let (w, rest) = (self.weights[t][e], self.rest(t, e, AFFINE));
            let factors = &self.factors[t][AFFINE..];
            for i in 0..n {
                right[i] += w * factors[i] * rest;
                (0..=i).for_each(|j| matrix.add(i, j, w * factors[i] * factors[j]));
                trace += factors[i] * factors[i];
            }
        }
        // Towards what it was: an entry that no frame shows keeps its value.
        let ridge = RIDGE * trace / n as f64 + f64::MIN_POSITIVE;
        for (i, (r, mode)) in right.iter_mut().zip(&self.modes[AFFINE..]).enumerate() {
            matrix.add(i, i, ridge);
            *r += ridge * mode[e];
        }
        matrix.factor().map(|factor| {
            factor.solve(&mut right);
            right
        })
    }

    fn mixture(&self, t: usize) -> Vec<Vec2> {
        let at = |e: usize| (self.values[t][e] - self.rest(t, e, self.modes.len())) as f32;
        (0..self.values[t].len() / 2).map(|p| [at(2 * p), at(2 * p + 1)]).collect()
    }
}

/// Scaled to a root mean square of 1.
fn normalised(mut mode: Vec<f64>) -> Vec<f64> {
    let power = mode.iter().map(|v| v * v).sum::<f64>() / mode.len() as f64;
    let scale = 1.0 / power.sqrt().max(1e-9);
    mode.iter_mut().for_each(|v| *v *= scale);
    mode
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A travelling wave on a drifting cloth.
    fn wave(place: [f64; 2], t: usize) -> Vec2 {
        let (x, y, phase) = (place[0], place[1], 0.37 * t as f64);
        let bend = [8.0 * (0.5 * x + 0.3 * y + phase).sin(), 5.0 * (0.4 * x - 0.2 * y + 1.3 * phase).cos()];
        [bend[0] + 0.5 * phase + 0.1 * x, bend[1] - 0.3 * y * phase / 10.0].map(|v| v as f32)
    }

    #[test]
    fn a_hidden_corner_goes_where_it_went_when_the_rest_lay_so() {
        let grid = Grid::new(180, 120);
        let places = grid.places();
        let hidden = |place: &[f64; 2], t: usize| (20..26).contains(&t) && place[0] < 4.0 && place[1] > 4.0;
        let observe = |t: usize| Observed {
            // Where nothing was seen, what stands there is far off.
            field: places.iter().map(|p| if hidden(p, t) { [30.0, -20.0] } else { wave(*p, t) }).collect(),
            seen: places.iter().map(|p| if hidden(p, t) { 0.0 } else { 1.0 }).collect(),
        };
        let frames: Vec<Observed> = (0..48).map(observe).collect();
        let fields = explain(&grid, &frames).unwrap();
        for (t, field) in fields.iter().enumerate().take(28).skip(18) {
            for (p, found) in places.iter().zip(field) {
                let truth = wave(*p, t);
                let off = (found[0] - truth[0]).hypot(found[1] - truth[1]);
                assert!(off < 0.3, "{off} at {p:?} in frame {t}");
            }
        }
    }

    /// Where the reference frame shows next to no texture, all frames lie wrong by the same, against it: the mean of all
    /// is believed rather than the one.
    #[test]
    fn what_one_frame_hardly_shows_is_told_by_the_mean_of_all() {
        let grid = Grid::new(180, 120);
        let places = grid.places();
        let faint = |place: &[f64; 2]| place[0] < 4.0 && place[1] > 4.0;
        let observe = |t: usize| Observed {
            field: places
                .iter()
                .map(|p| {
                    let (a, b) = (wave(*p, t), wave(*p, 0));
                    let off = if faint(p) && t > 0 { [0.3, -0.2] } else { [0.0; 2] };
                    [0, 1].map(|c| a[c] - b[c] + off[c])
                })
                .collect(),
            seen: places.iter().map(|p| if faint(p) { 0.02 } else { 1.0 }).collect(),
        };
        let frames: Vec<Observed> = (0..48).map(observe).collect();
        let fields = explain(&grid, &frames).unwrap();
        for (p, found) in places.iter().zip(&fields[0]) {
            let wanted = if faint(p) { [0.3, -0.2] } else { [0.0; 2] };
            let off = (found[0] - wanted[0]).hypot(found[1] - wanted[1]);
            assert!(off < 0.12, "{off} at {p:?}");
        }
    }

    #[test]
    fn what_does_not_bend_has_no_habits() {
        let grid = Grid::new(100, 80);
        let places = grid.places();
        let observe = |t: usize| Observed {
            field: places.iter().map(|p| [(0.1 * p[0] * t as f64) as f32, p[1] as f32]).collect(),
            seen: vec![1.0; places.len()],
        };
        assert!(explain(&grid, &(0..20).map(observe).collect::<Vec<_>>()).is_none());
    }
}
