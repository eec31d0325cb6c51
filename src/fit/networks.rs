//! The four networks: mapping T, atlas A, lighting L and mask M (method, section 2).

use super::config::{Config, Grid, Layers};
use super::encoding::{HashGrid, Traces};
use burn::module::{Module, Param, ParamId};
use burn::nn::Linear;
use burn::tensor::activation::{relu, softplus, tanh};
use burn::tensor::{Device, Tensor, TensorData};

/// M keeps this far from 0 and 1, so that its cross-entropy stays finite.
const MASK_MARGIN: f64 = 1e-5;
/// Largest feature a fresh hash grid holds.
const FRESH_FEATURE: f32 = 1e-4;
/// Softplus of this is 1.
const UNIT_GAIN: f64 = 0.541_324_854_612_918_1;

/// Fully connected layers with ReLU between them.
#[derive(Module, Debug)]
pub(super) struct Mlp {
    layers: Vec<Linear>,
}

/// Where fresh parameters come from. Not the device's generator, which all fits of a process share: the same seed gives
/// the same networks, on every device.
struct Fresh<'a> {
    random: fastrand::Rng,
    device: &'a Device,
}

impl Fresh<'_> {
    /// Numbers within `reach` of 0.
    fn numbers(&mut self, n: usize, reach: f32) -> Vec<f32> {
        (0..n).map(|_| (2.0 * self.random.f32() - 1.0) * reach).collect()
    }

    /// One layer; all 0 with `silent`, else within 1/√inputs, as is usual.
    fn layer(&mut self, inputs: usize, outputs: usize, silent: bool) -> Linear {
        let reach = if silent { 0.0 } else { (inputs as f32).sqrt().recip() };
        let weight = TensorData::new(self.numbers(inputs * outputs, reach), [inputs, outputs]);
        let bias = TensorData::new(self.numbers(outputs, reach), [outputs]);
        Linear {
            weight: Param::from_tensor(Tensor::from_data(weight, self.device)),
            bias: Some(Param::from_tensor(Tensor::from_data(bias, self.device))),
        }
    }

    /// Layers from `inputs` to `outputs` numbers; with `silent`, the last starts at 0.
    fn layers(&mut self, inputs: usize, shape: &Layers, outputs: usize, silent: bool) -> Mlp {
        let mut sizes = vec![inputs];
        sizes.extend(std::iter::repeat_n(shape.width, shape.depth.saturating_sub(1)));
        sizes.push(outputs);
        let last = sizes.len() - 2;
        let layer = |(i, pair): (usize, &[usize])| self.layer(pair[0], pair[1], silent && i == last);
        Mlp { layers: sizes.windows(2).enumerate().map(layer).collect() }
    }

    fn grid(&mut self, dimensions: usize, shape: &Grid, outputs: usize) -> GridNetwork {
        let table = self.numbers(shape.encoding.length(), FRESH_FEATURE);
        GridNetwork {
            grid: HashGrid::new(&shape.encoding, dimensions, table, self.device),
            layers: self.layers(shape.encoding.width(), &shape.layers, outputs, false),
        }
    }
}

impl Mlp {
    /// [n, inputs] to [n, outputs].
    pub(super) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let mut x = input;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(if i > 0 { relu(x) } else { x });
        }
        x
    }
}

/// A hash grid read by fully connected layers.
#[derive(Module, Debug)]
pub(super) struct GridNetwork {
    grid: HashGrid,
    layers: Mlp,
}

impl GridNetwork {
    /// [n, dimensions] in [−1, 1] to [n, outputs] in [0, 1].
    fn forward(&self, points: Tensor<2>, traces: &Traces) -> Tensor<2> {
        let encoded = self.grid.forward(points * 0.5 + 0.5, traces);
        tanh(self.layers.forward(encoded)) * 0.5 + 0.5
    }
}

/// All that is fitted.
#[derive(Module, Debug)]
pub struct Networks {
    mapping: Mlp,
    atlas: GridNetwork,
    lighting: Mlp,
    mask: GridNetwork,
    reach: f64,
}

impl Networks {
    /// Fresh networks, drawn by the configuration's seed. The mapping starts with no residual where it is one
    /// (`Config::residual`), and the gain at about 1.
    pub fn new(config: &Config, device: &Device) -> Self {
        let residual = config.residual.is_some();
        let mut fresh = Fresh { random: fastrand::Rng::with_seed(config.seed), device };
        Self {
            mapping: fresh.layers(3, &config.mapping, 2, residual),
            atlas: fresh.grid(2, &config.atlas, 3),
            lighting: fresh.layers(3, &config.lighting, 3, residual),
            mask: fresh.grid(3, &config.mask, 1),
            reach: config.residual.unwrap_or(1.0),
        }
    }

    /// The parameters that are hash tables; they learn faster than the layers.
    pub fn tables(&self) -> [ParamId; 2] {
        [self.atlas.grid.table.id, self.mask.grid.table.id]
    }

    /// T: [n, 3] (x, y, t) to [n, 2] (u, v), all in [−1, 1]. `base` is where an earlier solution puts the points, 0
    /// without one; the network adds what is within its reach of it.
    pub fn place(&self, points: Tensor<2>, base: Tensor<2>) -> Tensor<2> {
        base + tanh(self.mapping.forward(points)) * self.reach
    }

    /// A: [n, 2] on the atlas to [n, 3] colours in [0, 1].
    pub fn colour(&self, at: Tensor<2>, traces: &Traces) -> Tensor<2> {
        self.atlas.forward(at, traces)
    }

    /// L: [n, 2] on the atlas and [n, 1] time to [n, 3] gains above 0.
    pub fn gain(&self, at: Tensor<2>, time: Tensor<2>) -> Tensor<2> {
        softplus(self.lighting.forward(Tensor::cat(vec![at, time], 1)) + UNIT_GAIN, 1.0)
    }

    /// M: [n, 3] (x, y, t) to [n, 1], 1 where the surface shows.
    pub fn mask(&self, points: Tensor<2>, traces: &Traces) -> Tensor<2> {
        self.mask.forward(points, traces).clamp(MASK_MARGIN, 1.0 - MASK_MARGIN)
    }
}
