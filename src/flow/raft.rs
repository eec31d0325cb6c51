//! RAFT: flow by a recurrent network (Z. Teed, J. Deng, *RAFT: Recurrent All-Pairs Field Transforms for Optical Flow*,
//! ECCV 2020), the engine the paper names.

use super::OpticalFlow;
use crate::error::{Error, Result};
use crate::frame::{Image, Rgba, Vec2, bilinear};
use crate::onnx::{Framing, Network, Padding, Tensor};

/// Most pixels it is given. It compares every 8×8 cell with every other at four scales, which grows with the square: 0.47 GB
/// a direction for this many pixels, 5.6 GB for 1920×1080, beside what the layers take.
const MOST_PIXELS: usize = 600_000;

/// RAFT as exported by `resources/export/raft.py`.
pub struct Raft {
    network: Network,
}

impl Raft {
    /// Takes an opened network of the catalogue's flow models.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    /// The flows of pairs of pictures of one size, all at once.
    fn flows(&self, pairs: &[[&Image<Rgba>; 2]]) -> Result<Vec<Image<Vec2>>> {
        let size = pairs.first().map_or((0, 0), |p| p[0].size());
        let (w, h) = size;
        if let Some((a, b)) = pairs.iter().flatten().map(|p| p.size()).find(|s| *s != size) {
            return Err(Error::Mismatch(format!(
                "flow between a picture of {w}×{h} pixels and one of {a}×{b}: both must have one size"
            )));
        }
        if w == 0 || h == 0 {
            return Ok(pairs.iter().map(|_| Image::new(w, h, [0.0; 2])).collect());
        }
        let model = self.network.model();
        let framing = Framing::new(size, model, MOST_PIXELS);
        let side = |i: usize| -> Result<Tensor> {
            let pictures: Vec<Image<Rgba>> =
                pairs.iter().map(|p| framing.reduce(p[i])).collect::<Result<_>>()?;
            Ok(framing.colours(&pictures.iter().collect::<Vec<_>>(), model, Padding::Border))
        };
        let found = self.network.run(vec![side(0)?, side(1)?])?;
        Ok((0..pairs.len()).map(|k| unframed(&framing, &found, k)).collect())
    }
}

/// One of the network's flows on the picture's own pixels and in them.
fn unframed(framing: &Framing, found: &Tensor, k: usize) -> Image<Vec2> {
    let (w, h) = framing.picture;
    let (a, b) = framing.reduced;
    let (across, down) = (found.plane(k, 0), found.plane(k, 1));
    let at = |x: usize, y: usize| [across[y * framing.padded.0 + x], down[y * framing.padded.0 + x]];
    let flow = Image::from_fn(a, b, at);
    if framing.reduced == framing.picture {
        return flow;
    }
    let [sx, sy] = framing.scale();
    Image::from_fn(w, h, |x, y| {
        let [u, v] = bilinear(&flow, framing.place(x, y));
        [u / sx, v / sy]
    })
}

impl OpticalFlow for Raft {
    /// # Errors
    /// [`Error::Mismatch`] if the pictures differ in size, [`Error::Model`] if the network fails.
    fn flow(&self, from: &Image<Rgba>, to: &Image<Rgba>) -> Result<Image<Vec2>> {
        let mut found = self.flows(&[[from, to]])?;
        Ok(found.swap_remove(0))
    }

    /// Both in one batch.
    fn both_ways(&self, a: &Image<Rgba>, b: &Image<Rgba>) -> Result<(Image<Vec2>, Image<Vec2>)> {
        let mut found = self.flows(&[[a, b], [b, a]])?;
        let back = found.swap_remove(1);
        Ok((found.swap_remove(0), back))
    }
}
