//! ViTMatte: a soft mask from a picture and a trimap (J. Yao, X. Wang, S. Yang, B. Wang, *ViTMatte: Boosting Image
//! Matting with Pre-trained Plain Vision Transformers*, 2023), the paper's last step.

use super::{Matting, Stretch};
use crate::error::Result;
use crate::frame::{Image, Rgba, bilinear, dilate};
use crate::mask::Cut;
use crate::onnx::{Framing, Network, Padding, Tensor};

/// Most pixels of a part of a frame that are looked at as they are; larger parts are reduced. Memory grows with the
/// square of this.
const MOST_PIXELS: usize = 1024 * 1024;
/// Frames run at once.
const BATCH: usize = 4;
/// Pixels by which the occluder grows into what is uncertain, and shrinks (the authors' code: 3×3 pixels, twice and
/// once).
const GROWN: usize = 2;
const SHRUNK: usize = 1;

/// ViTMatte as exported by `resources/export/vitmatte.py`.
pub struct VitMatte {
    network: Network,
}

/// A cut's trimap: 1 where something is in front for certain, 0 where nothing is, ½ between.
fn trimap(cut: &Cut) -> Image<f32> {
    let front = cut.surface.map(|s| f32::from(!s));
    let behind = front.map(|v| 1.0 - v);
    dilate(&front, GROWN).zip(&dilate(&behind, SHRUNK), |grown, rest| 0.5 * (grown + 1.0 - rest))
}

impl VitMatte {
    /// Takes an opened network of the catalogue's matting models.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    /// The network's alpha, 0…1, for pictures (levels, 0…255) and their trimaps (0, ½ and 1, of the same size), run as
    /// one batch on the size of the largest.
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) if the network fails.
    pub fn alphas(&self, pictures: &[(&Image<Rgba>, &Image<f32>)]) -> Result<Vec<Image<f32>>> {
        let model = self.network.model();
        let sizes = || pictures.iter().map(|(p, _)| p.size());
        let largest = (sizes().map(|s| s.0).max().unwrap_or(0), sizes().map(|s| s.1).max().unwrap_or(0));
        let common = Framing::new(largest, model, MOST_PIXELS);
        let (w, h) = common.padded;
        let mut pixels = Tensor { shape: [pictures.len(), 4, h, w], values: Vec::new() };
        let mut framings = Vec::new();
        for (picture, trimap) in pictures {
            let own = Framing::new(picture.size(), model, MOST_PIXELS);
            let framing = Framing { padded: common.padded, ..own };
            let colours = framing.colours(&[&framing.reduce(picture)?], model, Padding::Mean);
            pixels.values.extend(colours.values);
            pixels.values.extend(padded(&nearest(trimap, &framing), common.padded));
            framings.push(framing);
        }
        let found = self.network.run(vec![pixels])?;
        Ok(framings.iter().enumerate().map(|(k, framing)| unframed(framing, found.plane(k, 0))).collect())
    }
}

/// A trimap on reduced pixels; it keeps its three values.
fn nearest(trimap: &Image<f32>, framing: &Framing) -> Image<f32> {
    let [sx, sy] = framing.scale();
    let (w, h) = trimap.size();
    let near = |v: usize, s: f32, n: usize| (((v as f32 + 0.5) / s) as usize).min(n - 1);
    Image::from_fn(framing.reduced.0, framing.reduced.1, |x, y| trimap[(near(x, sx, w), near(y, sy, h))])
}

/// Rows lengthened and rows added: nothing is in front there.
fn padded(picture: &Image<f32>, (w, h): (usize, usize)) -> Vec<f32> {
    let mut values = Vec::with_capacity(w * h);
    for y in 0..picture.height() {
        values.extend(picture.row(y));
        values.resize((y + 1) * w, 0.0);
    }
    values.resize(w * h, 0.0);
    values
}

/// What the network found, on a picture's own pixels.
fn unframed(framing: &Framing, plane: &[f32]) -> Image<f32> {
    let at = |x: usize, y: usize| plane[y * framing.padded.0 + x];
    let reduced = Image::from_fn(framing.reduced.0, framing.reduced.1, at);
    if framing.reduced == framing.picture {
        return reduced;
    }
    let (w, h) = framing.picture;
    Image::from_fn(w, h, |x, y| bilinear(&reduced, framing.place(x, y)))
}

impl Matting for VitMatte {
    fn batch(&self) -> usize {
        BATCH
    }

    /// # Errors
    /// [`Error::Model`](crate::Error::Model) if the network fails.
    fn mattes(&self, stretch: &Stretch, frames: &[usize]) -> Result<Vec<Image<f32>>> {
        let cuts: Vec<&Cut> = frames.iter().filter_map(|t| stretch.cut(*t)).collect();
        let trimaps: Vec<Image<f32>> = cuts.iter().map(|cut| trimap(cut)).collect();
        let uncertain = |t: &Image<f32>| t.pixels().contains(&0.5);
        let asked: Vec<(&Image<Rgba>, &Image<f32>)> =
            cuts.iter().map(|c| &c.frame).zip(&trimaps).filter(|(_, t)| uncertain(t)).collect();
        let mut alphas = if asked.is_empty() { Vec::new() } else { self.alphas(&asked)? }.into_iter();
        let share = |t: &Image<f32>| match uncertain(t).then(|| alphas.next()).flatten() {
            // What the trimap is certain of stays so.
            Some(alpha) => t.zip(&alpha, |t, a| 1.0 - if t == 0.5 { a.clamp(0.0, 1.0) } else { t }),
            None => t.map(|t| 1.0 - t),
        };
        Ok(trimaps.iter().map(share).collect())
    }
}
