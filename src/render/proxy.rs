//! Frames of another size than the analysed ones: a host's proxies.

use super::recent::Recent;
use crate::atlas::{Analysis, Header, Layer, Surface};
use crate::error::{Error, Result};
use crate::frame::{Image, Scale};
use std::sync::Arc;

/// Resampled layers kept per surface: a frame and its neighbours, for the few frames under way.
const KEPT: usize = 8;

/// An analysis, for frames scaled to another size.
///
/// Only the maps are made anew, and only when asked for; atlases, masks and light are those of the analysis. Edits made
/// for the one fit the other. Settings stay in full-size pixels: the matte grows and softens by the same share of the
/// picture at every scale.
pub struct Proxy {
    analysis: Arc<dyn Analysis>,
    header: Header,
    /// Frames as analysed over these.
    scale: Scale,
    layers: Recent<(usize, usize), Arc<Layer>>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("size", &self.header.size).finish_non_exhaustive()
    }
}

impl Proxy {
    /// For frames of `size` pixels that show the whole picture; the factor may differ between the axes.
    ///
    /// Fails with [`Error::Mismatch`] on a size without pixels.
    pub fn new(analysis: Arc<dyn Analysis>, size: [usize; 2]) -> Result<Self> {
        if size.contains(&0) {
            return Err(Error::Mismatch(format!(
                "frames of {}×{} pixels cannot be rendered; choose a larger proxy",
                size[0], size[1]
            )));
        }
        let own = analysis.header();
        let scale = Scale::between((own.size[0], own.size[1]), (size[0], size[1]));
        let map_step = [0, 1].map(|i| own.map_step[i] / scale.factor[i]);
        let header =
            Header { size, map_step, pixel_aperture: aperture(own.pixel_aperture, scale), ..own.clone() };
        let layers = Recent::new(KEPT * analysis.surfaces().len());
        Ok(Self { analysis, header, scale, layers })
    }

    /// A layer with its map at the proxy's nodes.
    fn resampled(&self, layer: &Layer) -> Layer {
        let Header { size, map_step: step, .. } = &self.header;
        let nodes = |i: usize| ((size[i].max(2) - 1) as f64 / step[i]).ceil() as usize + 1;
        let map = Image::from_fn(nodes(0), nodes(1), |i, j| {
            let at = self.scale.to_fine([i as f64 * step[0], j as f64 * step[1]]);
            layer.position(at.map(|v| v as f32), self.analysis.header().map_step)
        });
        Layer { map, mask: layer.mask.clone(), light: layer.light.clone() }
    }
}

/// Side of the square that a proxy's pixel averages of a frame whose pixels average one of side `own`, in their own pixels:
/// variances of averages add up, and a proxy pixel averages frame pixels over its own side.
fn aperture(own: f64, scale: Scale) -> f64 {
    let least = scale.factor[0].min(scale.factor[1]).max(1.0);
    (1.0 - (1.0 - own * own) / (least * least)).sqrt()
}

impl Analysis for Proxy {
    fn header(&self) -> &Header {
        &self.header
    }

    fn full_size(&self) -> [usize; 2] {
        self.analysis.full_size()
    }

    fn surfaces(&self) -> &[Surface] {
        self.analysis.surfaces()
    }

    fn layer(&self, surface: usize, frame: usize) -> Result<Arc<Layer>> {
        if self.scale == Scale::ONE {
            return self.analysis.layer(surface, frame);
        }
        self.layers.get((surface, frame), || {
            Ok(Arc::new(self.resampled(self.analysis.layer(surface, frame)?.as_ref())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the spread of the places that a pixel made of two by two others reads.
    #[test]
    fn a_proxy_pixel_averages_what_its_frame_pixels_do_and_their_distance() {
        let places: Vec<f64> = [-0.5, 0.5]
            .iter()
            .flat_map(|p| (0..1000).map(move |i| p + 0.5 * (f64::from(i) / 999.0 - 0.5)))
            .collect();
        let spread = places.iter().map(|p| p * p).sum::<f64>() / places.len() as f64;
        let side = 2.0 * aperture(0.5, Scale { factor: [2.0; 2] });
        assert!((side * side / 12.0 - spread).abs() < 1e-3, "{side}");
        assert_eq!(aperture(0.5, Scale::ONE), 0.5);
        assert_eq!(aperture(1.0, Scale { factor: [4.0; 2] }), 1.0);
    }
}
