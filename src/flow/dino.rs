//! Looks by the features of a vision transformer (M. Caron et al., *Emerging Properties in Self-Supervised Vision
//! Transformers*, ICCV 2021), by which the paper rejects flow that leads to something else.

use super::aggregate::{Appearance, Features, Lattice, Thresholds};
use crate::error::{Error, Result};
use crate::frame::{Image, Rgba};
use crate::onnx::{Framing, Network, Padding};

/// Most cells it is given. Each attends to every other in each of six heads: this many take 120 MB a layer.
const MOST_CELLS: usize = 2304;

/// DINO as exported by `resources/export/dino.py`.
pub struct Dino {
    network: Network,
}

impl Dino {
    /// Takes an opened network of the catalogue's feature models.
    pub fn new(network: Network) -> Self {
        Self { network }
    }
}

impl Appearance for Dino {
    /// # Errors
    /// [`Error::Model`] if the network fails.
    fn features(&self, frame: &Image<Rgba>) -> Result<Features> {
        let model = self.network.model();
        let framing = Framing::new(frame.size(), model, MOST_CELLS * model.stride * model.stride);
        if frame.pixels().is_empty() {
            return Err(Error::Mismatch("features of a picture without pixels were asked for".into()));
        }
        let found =
            self.network.run(vec![framing.colours(&[&framing.reduce(frame)?], model, Padding::Border)])?;
        let [_, dims, rows, columns] = found.shape;
        let mut values = vec![0.0; dims * rows * columns];
        for channel in 0..dims {
            for (cell, v) in found.plane(0, channel).iter().enumerate() {
                values[cell * dims + channel] = *v;
            }
        }
        // Cells are tiles of the reduced picture.
        let cell = framing.scale().map(|s| model.stride as f32 / s);
        let lattice = Lattice { first: cell.map(|c| 0.5 * (c - 1.0)), cell };
        Features::new((columns, rows), dims, lattice, values)
    }

    /// The paper's for neighbours, its authors' code's for the direct flow. What a candidate leads to in the end is
    /// held to the first.
    fn thresholds(&self) -> Thresholds {
        Thresholds { neighbour: 0.5, direct: 0.6, landing: 0.5 }
    }
}
