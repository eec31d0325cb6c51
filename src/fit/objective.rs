//! What one step minimises: the networks evaluated on a batch, and the losses of a phase.

use super::batch::Batch;
use super::config::{Config, Goal};
use super::encoding::Traces;
use super::losses;
use super::networks::Networks;
use super::space::{Space, Window};
use crate::frame::{Image, Rect};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// One loss: its name, its weight, its value.
pub struct Term {
    /// As in [`super::config::Weights`].
    pub name: &'static str,
    /// λ.
    pub weight: f64,
    /// The loss itself.
    pub value: Tensor<1>,
}

/// The region drawn on the atlas (M_roi^w), readable on the device. The atlas lies in reference-frame coordinates, so
/// that the region on it is the region as drawn.
pub struct Region {
    inside: Tensor<2>,
    bounds: Rect,
}

impl Region {
    /// From the region's coverage of the reference frame's pixels.
    pub fn new(coverage: &Image<f32>, bounds: Rect, device: &Device) -> Self {
        let inside: Vec<f32> = coverage.pixels().iter().map(|c| f32::from(u8::from(*c > 0.5))).collect();
        let shape = [1, inside.len()];
        Self { inside: Tensor::from_data(TensorData::new(inside, shape), device), bounds }
    }

    /// 1 where an atlas position, normalised, [n, 2], lies in the region: [n, 1].
    fn holds(&self, uv: Tensor<2>, space: &Space) -> Tensor<2> {
        let n = uv.dims()[0];
        let (w, h) = (self.bounds.width() as f64, self.bounds.height() as f64);
        let pixel = (uv + 1.0) * space.half;
        let axis = |a: usize, first: i32, side: f64| {
            let v = pixel.clone().slice([0..n, a..a + 1]) - f64::from(first);
            let within =
                v.clone().greater_equal_elem(-0.5).float() * v.clone().lower_elem(side - 0.5).float();
            (v.round().clamp(0.0, side - 1.0), within)
        };
        let (x, inside_x) = axis(0, self.bounds.x0, w);
        let (y, inside_y) = axis(1, self.bounds.y0, h);
        let index: Tensor<2, Int> = (y * w + x).int().reshape([1, n]);
        self.inside.clone().gather(1, index).reshape([n, 1]) * inside_x * inside_y
    }
}

/// Rows `k·n..(k+1)·n`.
fn slot(all: &Tensor<2>, k: usize, n: usize) -> Tensor<2> {
    let width = all.dims()[1];
    all.clone().slice([k * n..(k + 1) * n, 0..width])
}

/// Columns `from..to`.
fn columns(all: &Tensor<2>, from: usize, to: usize) -> Tensor<2> {
    let n = all.dims()[0];
    all.clone().slice([0..n, from..to])
}

/// Normalised coordinates relative to a window.
pub(super) fn within(at: Tensor<2>, window: &Window) -> Tensor<2> {
    if *window == Window::WHOLE {
        return at;
    }
    let centre = TensorData::new(window.centre.to_vec(), [1, 2]);
    let centre = Tensor::<2>::from_data(centre, &at.device());
    (at.clone() - centre.expand(at.dims())) / window.half
}

/// The networks on points of a clip.
pub struct Scene<'a> {
    /// What is evaluated.
    pub networks: &'a Networks,
    /// Coordinates.
    pub space: &'a Space,
    /// What was read from hash grids, for the slopes of their tables.
    pub traces: Traces,
}

impl<'a> Scene<'a> {
    /// Nothing read yet.
    pub fn new(networks: &'a Networks, space: &'a Space) -> Self {
        Self { networks, space, traces: Traces::default() }
    }

    /// A at T(p), [n, 3], and L there at p's time, [n, 3], which does not move T. With an earlier solution, L is what
    /// its gain is multiplied with.
    pub fn lit(&self, uv: Tensor<2>, points: &Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let at = within(uv.clone().detach(), &self.space.atlas);
        (self.colour(uv), self.networks.gain(at, columns(points, 2, 3)))
    }

    /// A at T(p), [n, 3].
    fn colour(&self, uv: Tensor<2>) -> Tensor<2> {
        self.networks.colour(within(uv, &self.space.atlas), &self.traces)
    }

    /// M at points [n, 3].
    pub fn mask(&self, points: Tensor<2>) -> Tensor<2> {
        let at = within(columns(&points, 0, 2), &self.space.picture);
        self.networks.mask(Tensor::cat(vec![at, columns(&points, 2, 3)], 1), &self.traces)
    }

    /// The losses of a phase on a batch.
    pub fn terms(&self, goal: Goal, batch: &Batch, region: &Region, config: &Config) -> Vec<Term> {
        match goal {
            Goal::Identity => self.identity(batch),
            Goal::Distil => self.distil(batch),
            Goal::Bootstrap => {
                let (mut terms, mask) = self.estimate(batch, config);
                let value = losses::bootstrap(mask, batch.initial.clone());
                terms.push(Term { name: "bootstrap", weight: config.weights.bootstrap, value });
                terms
            }
            Goal::Estimate => self.estimate(batch, config).0,
            Goal::Refine => self.refine(batch, region, config),
        }
    }

    fn identity(&self, batch: &Batch) -> Vec<Term> {
        let n = batch.colour.dims()[0];
        let points = slot(&batch.points, 0, n);
        let uv = self.networks.place(points.clone(), slot(&batch.base, 0, n));
        let value = (uv - columns(&points, 0, 2)).square().sum_dim(1).mean();
        vec![Term { name: "identity", weight: 1.0, value }]
    }

    fn distil(&self, batch: &Batch) -> Vec<Term> {
        let n = batch.colour.dims()[0];
        let points = slot(&batch.points, 0, n);
        // What `backward` is not led through stays in memory; so only what is taught is evaluated.
        let colour = self.colour(slot(&batch.base, 0, n));
        let (known, weight) = (batch.known.clone(), batch.known_weight.clone());
        let everywhere = Tensor::ones_like(&weight);
        let term = |name, value| Term { name, weight: 1.0, value };
        vec![
            term("atlas", losses::distil(colour, known, weight)),
            term("mask", losses::distil(self.mask(points), batch.initial.clone(), everywhere)),
        ]
    }

    /// The losses of the atlas estimation (method, section 2), and M at p.
    fn estimate(&self, batch: &Batch, config: &Config) -> (Vec<Term>, Tensor<2>) {
        let n = batch.colour.dims()[0];
        // All five evaluations of T in one pass, and all three of M.
        let uv = self.networks.place(batch.points.clone(), batch.base.clone());
        let [p, q, a, right, below] = [0, 1, 2, 3, 4].map(|k| slot(&uv, k, n));
        let masks = self.mask(batch.points.clone().slice([0..3 * n, 0..3]));
        let [m, mq, ma] = [0, 1, 2].map(|k| slot(&masks, k, n));
        let (colour, change) = self.lit(p.clone(), &slot(&batch.points, 0, n));
        let gain = change.clone() * batch.gain.clone();
        let at_q = columns(&slot(&batch.points, 1, n), 0, 2);
        let (reference, adjacent) = (batch.has_reference.clone(), batch.has_adjacent.clone());
        let half = f64::from(self.space.half);
        let w = &config.weights;
        let term = |name, weight, value| Term { name, weight, value };
        let terms = vec![
            term("recon", w.recon, losses::recon(m.clone(), gain, colour, batch.colour.clone())),
            term("rigid", w.rigid, losses::rigid(p.clone(), right, below, 1.0 / half)),
            term("pos", w.pos, losses::pos(q.clone(), at_q, batch.in_region.clone())),
            term(
                "corr_reference",
                w.corr_reference,
                losses::corr(m.clone(), p.clone(), q, reference.clone(), half),
            ),
            term("corr_adjacent", w.corr_adjacent, losses::corr(m.clone(), p, a, adjacent.clone(), 1.0)),
            term(
                "mask_reference",
                w.mask_reference,
                losses::mask_reference(mq.clone(), batch.in_region.clone()),
            ),
            term("mask_flow_reference", w.mask_flow_reference, losses::mask_flow(m.clone(), mq, reference)),
            term("mask_flow_adjacent", w.mask_flow_adjacent, losses::mask_flow(m.clone(), ma, adjacent)),
            term("illum", w.illum, losses::illum(change)),
        ];
        (terms, m)
    }

    /// The losses of the mask's refinement (method, section 3); T, A and L stay as they are.
    fn refine(&self, batch: &Batch, region: &Region, config: &Config) -> Vec<Term> {
        let n = batch.colour.dims()[0];
        let p = slot(&batch.points, 0, n);
        // Without gradients throughout, as no `backward` would release what these leave behind.
        let still = self.networks.valid();
        let frozen = Scene::new(&still, self.space);
        let uv = still.place(p.clone().inner(), slot(&batch.base, 0, n).inner());
        let (colour, gain) = frozen.lit(uv.clone(), &p.clone().inner());
        let (uv, colour) = (Tensor::from_inner(uv), Tensor::from_inner(colour));
        let gain = Tensor::from_inner(gain) * batch.gain.clone();
        let masks = self.mask(Tensor::cat(vec![p, slot(&batch.points, 2, n)], 0));
        let (m, ma) = (slot(&masks, 0, n), slot(&masks, 1, n));
        let seen = batch.colour.clone();
        let unhindered = losses::unhindered(
            region.holds(uv, self.space),
            gain.clone(),
            colour.clone(),
            seen.clone(),
            config.visible,
        );
        let w = &config.weights;
        let term = |name, weight, value| Term { name, weight, value };
        vec![
            term("recon", w.recon, losses::recon(m.clone(), gain, colour, seen)),
            term("no", w.no, losses::no(m.clone(), unhindered)),
            term("refine_flow", w.refine_flow, losses::mask_flow(m, ma, batch.has_adjacent.clone())),
        ]
    }
}
