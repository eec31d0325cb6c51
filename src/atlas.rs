//! The product of analysis: plain data, whichever fit made it.
//!
//! One [`Surface`] per region. The atlas lives in **reference-frame coordinates**: a position on it is a full-size
//! pixel of the reference frame, and `origin` and `scale` say which atlas pixel that is. Everything that changes with
//! time is in a [`Layer`], one per surface and frame, so that it can be read a frame at a time.

use crate::correction::Corrections;
use crate::frame::{Encoding, Image, Pixel, Rgba, Vec2, cubic_weights};
use crate::roi::Roi;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where an atlas picture lies on the reference frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// Full-size reference-frame position of the centre of atlas pixel (0, 0).
    pub origin: [f64; 2],
    /// Atlas pixels to a reference pixel; above 1 when some frame shows the surface larger than the reference does.
    pub scale: f64,
    /// Width and height in atlas pixels.
    pub size: [usize; 2],
}

impl Placement {
    /// Atlas pixel of a reference-frame position: `(reference − origin) · scale`.
    #[inline]
    pub fn to_atlas(&self, reference: Vec2) -> Vec2 {
        [0, 1].map(|i| ((f64::from(reference[i]) - self.origin[i]) * self.scale) as f32)
    }

    /// Reference-frame position of an atlas pixel: `origin + atlas / scale`.
    #[inline]
    pub fn to_reference(&self, atlas: Vec2) -> Vec2 {
        [0, 1].map(|i| (self.origin[i] + f64::from(atlas[i]) / self.scale) as f32)
    }
}

/// One region's part that does not change with time.
#[derive(Debug, Clone, PartialEq)]
pub struct Surface {
    /// Where its pictures lie.
    pub placement: Placement,
    /// The atlas: the surface in the light of the reference frame, in the host's own values; alpha is the coverage of
    /// the region (1 inside, 0 in the margin around it).
    pub picture: Image<Rgba>,
}

/// One region in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// T: reference-frame position (full-size pixels) of frame pixels on a coarse grid. Node (i, j) is the full-size
    /// frame pixel `(i, j) · map_step`; between nodes the map is Catmull–Rom, beyond the border it goes on linearly
    /// (see [`Layer::node`]).
    pub map: Image<Vec2>,
    /// M̂: share of the surface visible, 0…1, at working size, over the whole frame. Holds beyond the region's edge
    /// where the map does; the region's coverage is not multiplied in.
    pub mask: Image<u8>,
    /// L: gain per channel against the reference frame on a coarse grid laid over the atlas picture, corner nodes on its
    /// corner pixels, bilinear between. Alpha is the share, 0…1, of what L · A leaves of the frame that is grain.
    pub light: Image<Rgba>,
}

impl Layer {
    /// Node (i, j) of the map, also beyond the grid's border, where the map goes on linearly. (Repeating the border's
    /// nodes instead would bend even the identity by half a pixel in the outermost cells.)
    pub fn node(&self, i: isize, j: isize) -> Vec2 {
        let (w, h) = self.map.size();
        let (i, fx) = inward(i, w);
        let (j, fy) = inward(j, h);
        let at = |k: usize, l: usize| self.map[(k, l)];
        let along = |l: usize| mix(at(i.0, l), at(i.1, l), fx);
        mix(along(j.0), along(j.1), fy)
    }

    /// T at a frame position in full-size pixels: reference-frame pixels. `step` is the header's `map_step`. For many
    /// pixels of one frame the renderer has a faster way to the same values.
    pub fn position(&self, p: Vec2, step: [f64; 2]) -> Vec2 {
        let [gx, gy] = [0, 1].map(|i| f64::from(p[i]) / step[i]);
        let (wx, wy) = (cubic_weights((gx - gx.floor()) as f32), cubic_weights((gy - gy.floor()) as f32));
        let mut sum = [0.0; 2];
        for (j, wy) in wy.into_iter().enumerate() {
            for (i, wx) in wx.into_iter().enumerate() {
                let node =
                    self.node(gx.floor() as isize + i as isize - 1, gy.floor() as isize + j as isize - 1);
                sum = sum.add(node, wx * wy);
            }
        }
        sum
    }

    /// The frame position, full-size pixels, that shows reference-frame position `p`: the reverse of
    /// [`Layer::position`]. `None` when it lies far off the frame or the map folds there.
    pub fn locate(&self, p: Vec2, step: [f64; 2]) -> Option<Vec2> {
        let off = |q: Vec2| [q[0] - p[0], q[1] - p[1]];
        let far = |q: Vec2| off(q)[0].hypot(off(q)[1]);
        let (w, h) = self.map.size();
        let nodes = (0..h).flat_map(|j| (0..w).map(move |i| (i, j)));
        let nearest = nodes.min_by(|&a, &b| far(self.map[a]).total_cmp(&far(self.map[b])))?;
        let mut at = [nearest.0 as f64 * step[0], nearest.1 as f64 * step[1]].map(|v| v as f32);
        let reach = [step[0] as f32, step[1] as f32];
        for _ in 0..20 {
            let [dx, dy] = off(self.position(at, step));
            if dx.hypot(dy) < 1e-2 {
                return Some(at);
            }
            let slope = |axis: usize| {
                let (mut a, mut b) = (at, at);
                a[axis] -= 1.0;
                b[axis] += 1.0;
                let (a, b) = (self.position(a, step), self.position(b, step));
                [(b[0] - a[0]) * 0.5, (b[1] - a[1]) * 0.5]
            };
            let ([a, c], [b, d]) = (slope(0), slope(1));
            let det = a * d - b * c;
            if det.abs() < 1e-6 || !det.is_finite() {
                return None;
            }
            let move_by = [(d * dx - b * dy) / det, (a * dy - c * dx) / det];
            at = [0, 1].map(|i| at[i] - move_by[i].clamp(-4.0 * reach[i], 4.0 * reach[i]));
        }
        None
    }
}

/// The pair of indices a line through which gives index `i` of `n`, and the position on it: 0 the first, 1 the second.
fn inward(i: isize, n: usize) -> ((usize, usize), f32) {
    let last = n as isize - 1;
    if i < 0 {
        ((0, 1.min(n - 1)), i as f32)
    } else if i > last {
        ((last as usize, (last - 1).max(0) as usize), (last - i) as f32)
    } else {
        ((i as usize, i as usize), 0.0)
    }
}

/// `a` at 0, `b` at 1.
fn mix(a: Vec2, b: Vec2, t: f32) -> Vec2 {
    if t == 0.0 { a } else { [0, 1].map(|i| a[i] + t * (b[i] - a[i])) }
}

/// How well one frame was fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// 0 (bridged from its neighbours, look at it) … 1 (as sure as the reference).
    pub confidence: f32,
    /// Share of the region's surface that shows, of what lies inside the picture.
    pub visible: f32,
    /// PSNR in dB of light × atlas against the visible pixels; 0 where none are.
    pub psnr: f32,
}

/// Everything about an analysis that is not a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// What made it: version of this program.
    pub made_by: String,
    /// Full size of the clip's frames.
    pub size: [usize; 2],
    /// Size the mask is stored at.
    pub working_size: [usize; 2],
    /// Number of frames.
    pub frames: usize,
    /// The number a host's timeline gives frame 0.
    #[serde(default)]
    pub first_frame: i64,
    /// Full-size pixels between nodes of the map's grid, along x and y.
    pub map_step: [f64; 2],
    /// Open share of the frame interval, 0 (no motion blur) … 1, as found in the footage.
    pub shutter: f64,
    /// Frames exposed for a shorter time than the others, with the share of that time, 0…1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub short_exposures: BTreeMap<usize, f64>,
    /// Side of the square that a frame's pixels average, in pixels, 0…1, as found in the footage: 1 for most cameras.
    #[serde(default = "whole_pixel", skip_serializing_if = "is_whole_pixel")]
    pub pixel_aperture: f64,
    /// Standard deviation of the footage's grain, display-encoded, 0…1, as found where the fit leaves least; 0 where unknown.
    #[serde(default)]
    pub grain: f64,
    /// Largest value that the clip's frames can hold; `None` for frames in floats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<f32>,
    /// How the clip's values were taken.
    pub encoding: Encoding,
    /// The region, in full-size pixels.
    pub roi: Roi,
    /// Identifies the clip: see [`crate::store`].
    pub fingerprint: String,
    /// Settings that led here, by parameter id.
    pub settings: BTreeMap<String, String>,
    /// What did the work of a stage, by the stage's parameter, where there is a choice.
    #[serde(default)]
    pub engines: BTreeMap<String, String>,
    /// What the user mended, in full-size pixels.
    #[serde(default, skip_serializing_if = "Corrections::is_empty")]
    pub corrections: Corrections,
    /// Per surface, then per frame.
    pub quality: Vec<Vec<Quality>>,
}

fn whole_pixel() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_whole_pixel(aperture: &f64) -> bool {
    *aperture == whole_pixel()
}

impl Header {
    /// How long a frame was exposed, as a share of the others' time, 0…1.
    pub fn exposure(&self, frame: usize) -> f64 {
        self.short_exposures.get(&frame).copied().unwrap_or(1.0)
    }
}

impl Quality {
    /// Confidence below which a frame is worth a look.
    pub const DOUBTFUL: f32 = 0.3;

    /// Whether the user should look at the frame.
    pub fn is_doubtful(&self) -> bool {
        self.confidence < Self::DOUBTFUL
    }
}

/// A fitted atlas whose layers can be read a frame at a time, from any thread.
pub trait Analysis: Send + Sync {
    /// What is known without reading pictures.
    fn header(&self) -> &Header;
    /// Size in pixels of the frames that were analysed: what reference-frame coordinates count in. The header's size is
    /// another where frames are shown at another scale ([`crate::render::Proxy`]).
    fn full_size(&self) -> [usize; 2] {
        self.header().size
    }
    /// The regions' atlases.
    fn surfaces(&self) -> &[Surface];
    /// Region `surface` in frame `frame`; both must exist.
    fn layer(&self, surface: usize, frame: usize) -> crate::error::Result<std::sync::Arc<Layer>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locate_is_the_reverse_of_position() {
        let step = [8.0, 8.0];
        let bent =
            |x: f32, y: f32| [0.9 * x + 4.0 * (y / 20.0).sin() + 5.0, 1.1 * y + 3.0 * (x / 25.0).cos()];
        let layer = Layer {
            map: Image::from_fn(13, 9, |i, j| bent(i as f32 * 8.0, j as f32 * 8.0)),
            mask: Image::new(1, 1, 255),
            light: Image::new(1, 1, [1.0; 4]),
        };
        for q in [[0.0, 0.0], [50.5, 33.3], [95.0, 63.0], [-5.0, 70.0]] {
            let found = layer.locate(layer.position(q, step), step).unwrap();
            assert!((found[0] - q[0]).hypot(found[1] - q[1]) < 0.05, "{found:?} for {q:?}");
        }
    }

    #[test]
    fn a_linear_map_is_reproduced_everywhere() {
        let step = [8.0, 6.0];
        let truth = |x: f32, y: f32| [1.5 * x - 0.25 * y + 3.0, 0.5 * x + y - 7.0];
        let layer = Layer {
            map: Image::from_fn(5, 4, |i, j| truth(i as f32 * 8.0, j as f32 * 6.0)),
            mask: Image::new(1, 1, 255),
            light: Image::new(1, 1, [1.0; 4]),
        };
        for p in [[0.0, 0.0], [3.3, 1.7], [31.9, 17.9], [-11.0, 25.0], [47.0, -13.5]] {
            let (got, want) = (layer.position(p, step), truth(p[0], p[1]));
            assert!(
                (got[0] - want[0]).abs() < 1e-3 && (got[1] - want[1]).abs() < 1e-3,
                "{p:?}: {got:?} {want:?}"
            );
        }
    }
}
