//! The multiresolution hash grid (Müller et al. 2022, "Instant neural graphics primitives"): features stored at the
//! nodes of ever finer grids and interpolated between them.
//!
//! Levels whose nodes fit the table have a place for each; finer ones share places by a hash.
//!
//! There are two ways to read it, which tests hold to the same numbers. On a GPU, tensor operations ([`gather`]). On the
//! processor these spend most of a step of the fit on moving memory, so there the grid is read point by point
//! ([`native`]), and what `backward` cannot know of is added to the slopes afterwards by [`Traces::slopes`].

mod gather;
mod native;

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// Multipliers of the hash, one a dimension. Only their low bits, those of a table's size, reach its result.
const PRIMES: [i64; 3] = [1, 2_654_435_761, 805_459_861];

/// Shape of a hash grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    /// Grids, from coarse to fine.
    pub levels: usize,
    /// Numbers kept at a node.
    pub features: usize,
    /// Binary logarithm of the places in one level's table.
    pub log2_table: u32,
    /// Cells along each side of the coarsest grid.
    pub base: f64,
    /// Cells of a grid against the next coarser one's.
    pub growth: f64,
}

impl Encoding {
    /// Length of the encoding of one point.
    pub fn width(&self) -> usize {
        self.levels * self.features
    }

    /// Numbers all levels hold.
    pub fn length(&self) -> usize {
        self.levels * self.places() as usize * self.features
    }

    /// Cells along each side of one level's grid.
    fn cells(&self, level: usize) -> i64 {
        (self.base * self.growth.powi(level as i32)).floor() as i64
    }

    /// Places in a level's table.
    fn places(&self) -> i64 {
        1 << self.log2_table
    }

    /// Levels that have a place for each of their nodes; they come first.
    fn dense(&self, dimensions: usize) -> usize {
        let fits = |l: &usize| (self.cells(*l) + 1).pow(dimensions as u32) <= self.places();
        (0..self.levels).take_while(fits).count()
    }
}

/// A hash grid over the cube [0, 1]^`dimensions`; beyond it a point takes the value at the border.
#[derive(Module, Debug)]
pub struct HashGrid {
    /// Level by level, place by place, feature by feature.
    pub table: Param<Tensor<1>>,
    levels: usize,
    features: usize,
    dense: usize,
    places: usize,
    dimensions: usize,
    #[module(skip)]
    cells: Vec<i64>,
    native: bool,
}

impl HashGrid {
    /// A grid that holds `table`, [`Encoding::length`] numbers: level by level, place by place.
    pub fn new(encoding: &Encoding, dimensions: usize, table: Vec<f32>, device: &Device) -> Self {
        let table = TensorData::new(table, [encoding.length()]);
        Self {
            table: Param::from_tensor(Tensor::from_data(table, device)),
            levels: encoding.levels,
            features: encoding.features,
            dense: encoding.dense(dimensions),
            places: encoding.places() as usize,
            dimensions,
            cells: (0..encoding.levels).map(|l| encoding.cells(l)).collect(),
            native: device.clone().inner() == Device::flex(),
        }
    }

    /// The same grid, read by tensor operations on every device, as GPUs read it.
    #[must_use]
    pub fn by_tensors(self) -> Self {
        Self { native: false, ..self }
    }

    /// Encodes points: [n, dimensions] in [0, 1] to [n, levels · features], level by level. What the slopes of the table
    /// need after `backward` goes to `traces`.
    pub fn forward(&self, points: Tensor<2>, traces: &Traces) -> Tensor<2> {
        if self.native { self.read(points, traces) } else { self.gather(points) }
    }

    /// Point by point, on the processor.
    ///
    /// The features are a leaf of their own; that they follow the points is told by their slopes J:
    /// `features + J · (points − points)`, the second of which `backward` takes for a constant.
    fn read(&self, points: Tensor<2>, traces: &Traces) -> Tensor<2> {
        let device = points.device();
        let [n, d] = points.dims();
        let still = points.clone().detach();
        let grid = self.levels();
        let (places, table) = (host(&still), host(&self.table.val().detach()));
        let width = self.levels * self.features;
        let tensor = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [n, width]), &device);
        let leaf = tensor(native::values(&grid, &places, &table));
        if !device.is_autodiff() || !self.table.is_require_grad() {
            return leaf;
        }
        let leaf = leaf.require_grad();
        let mut encoded = leaf.clone();
        if points.is_tracked() {
            let off = points - still;
            for (axis, slope) in native::slopes(&grid, &places, &table).into_iter().enumerate() {
                encoded =
                    encoded + tensor(slope) * off.clone().slice([0..n, axis..axis + 1]).expand([n, width]);
            }
        }
        debug_assert_eq!(d, self.dimensions);
        traces.0.borrow_mut().push(Trace {
            table: self.table.id,
            length: table.len(),
            grid,
            points: places,
            leaf,
        });
        encoded
    }

    fn levels(&self) -> native::Levels {
        native::Levels {
            cells: self.cells.clone(),
            dense: self.dense,
            places: self.places,
            features: self.features,
            dimensions: self.dimensions,
        }
    }
}

/// The numbers of a tensor.
fn host<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    // Tables and points are single-precision; nothing else is made here.
    tensor.clone().into_data().try_to_vec::<f32>().unwrap_or_default()
}

/// What was read from hash grids on the processor since the last step.
#[derive(Default)]
pub struct Traces(RefCell<Vec<Trace>>);

struct Trace {
    table: ParamId,
    length: usize,
    grid: native::Levels,
    points: Vec<f32>,
    leaf: Tensor<2>,
}

impl Traces {
    /// The slopes of the tables that were read, in the order they were read first.
    pub fn slopes(self, gradients: &Gradients) -> Vec<(ParamId, Tensor<1>)> {
        let mut sums: Vec<(ParamId, Vec<f32>, Device)> = Vec::new();
        for trace in self.0.into_inner() {
            let Some(of_leaf) = trace.leaf.grad(gradients) else { continue };
            let k = sums.iter().position(|s| s.0 == trace.table).unwrap_or_else(|| {
                sums.push((trace.table, vec![0.0; trace.length], of_leaf.device()));
                sums.len() - 1
            });
            native::add_slopes(&trace.grid, &trace.points, &host(&of_leaf), &mut sums[k].1);
        }
        let tensor = |v: Vec<f32>, device: &Device| {
            let n = v.len();
            Tensor::from_data(TensorData::new(v, [n]), device)
        };
        sums.into_iter().map(|(id, sum, device)| (id, tensor(sum, &device))).collect()
    }
}
