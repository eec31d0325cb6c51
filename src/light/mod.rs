//! How the light on a surface changes: a gain per channel, smooth over the surface and in time.
//!
//! The gain is coarse on purpose: a few nodes over the region cannot imitate texture, nor follow an occluder. It is first
//! solved free for every frame and then divided by the reference frame's own gain, whose light the atlas takes over. So
//! the reference frame's gain is 1, and what is painted on the atlas looks on that frame as painted.
//!
//! What it is too coarse for are shadows of what passes in front; [`Light::find_shadow`] finds them frame by frame.

mod shadow;

pub use shadow::{Look, Shadow};

use crate::frame::{Image, Rgba, Vec2, bilinear};
use crate::linear::Band;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Levels from which a channel counts as clipped and says nothing about light.
const CLIPPED: f32 = 250.0;
/// Levels of a surface that tells half as much of the light as its noise would let it: noise is clipped at black.
const DARK: f32 = 10.0;
/// Weight of bends of the gain over the surface.
const SMOOTH_SPACE: f64 = 3e3;
/// Weight of bends of the gain in time.
const SMOOTH_TIME: f64 = 3e3;
/// Weight of changes of the gain from frame to frame.
const STEADY: f64 = 100.0;

/// Share of a frame's samples that fit by chance, and from which on the frame is believed in full: among the many colours
/// of an occluder some always lie on the surface's under a gain of its own.
const FITTING: [f32; 2] = [0.1, 0.4];

/// Most nodes that a light has without shadows.
const MOST_NODES: usize = 16 * 12;
/// Difference from 1 from which a stored gain of a shadow is more than rounding.
const STORED: f32 = 0.003;

/// Whether frames may turn out not to show the surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// The surface is where the samples were taken: a user says so.
    Vouched,
    /// A frame of which little fits is believed little.
    Doubted,
}

/// Gains of all frames on a grid of nodes over the canvas; corner nodes lie on its corner pixels.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Light {
    size: (usize, usize),
    /// Per frame.
    frames: Vec<Image<Rgba>>,
    /// Of the frames with shadows, what these leave.
    shadows: BTreeMap<usize, Shadow>,
}

/// Colours of the surface at a fixed set of canvas points, in every frame.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// Canvas positions.
    pub points: Vec<Vec2>,
    /// Atlas colour at each point, levels.
    pub atlas: Vec<Rgba>,
    /// Per frame: colour seen at each point; alpha is the weight of the evidence, 0 where the point is not seen.
    pub frames: Vec<Vec<Rgba>>,
}

impl Light {
    /// Gain 1 everywhere, for a canvas of `size` pixels.
    pub fn unit(size: (usize, usize), frames: usize) -> Self {
        let nodes = coarse_grid(size);
        Self::from_nodes(size, vec![Image::new(nodes.0, nodes.1, [1.0; 4]); frames])
    }

    /// Given gains: one picture of nodes a frame, all of one size, for a canvas of `size` pixels.
    pub fn from_nodes(size: (usize, usize), frames: Vec<Image<Rgba>>) -> Self {
        Self { size, frames, shadows: BTreeMap::new() }
    }

    /// From nodes as [`Light::stored`] gave them: what is finer than this light's own nodes are shadows.
    pub fn from_stored(size: (usize, usize), frames: Vec<Image<Rgba>>) -> Self {
        let coarse = coarse_grid(size);
        let among = |fine: usize, coarse: usize| fine >= coarse && (fine - 1).is_multiple_of(coarse - 1);
        let coarse = |f: &Image<Rgba>| {
            let (w, h) = f.size();
            // (Networks have a grid of their own.)
            let finer_than_light = (among(w, coarse.0) && among(h, coarse.1)) || w * h > MOST_NODES;
            if finer_than_light { finer(f, coarse) } else { f.clone() }
        };
        let mut light = Self::from_nodes(size, frames.iter().map(coarse).collect());
        for (t, stored) in frames.iter().enumerate() {
            let left = stored.zip(&finer(&light.frames[t], stored.size()), |s, g| {
                [shadow::brightness(s) / shadow::brightness(g).max(1e-3), 0.0]
            });
            if left.pixels().iter().any(|[gain, _]| (gain - 1.0).abs() > STORED) {
                light.shadows.insert(t, left);
            }
        }
        light
    }

    /// The same light on a canvas of another size.
    #[must_use]
    pub fn resized(&self, size: (usize, usize)) -> Self {
        Self { size, ..self.clone() }
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// One frame's nodes, which know nothing of shadows.
    pub fn nodes(&self, frame: usize) -> &Image<Rgba> {
        &self.frames[frame]
    }

    /// The light of one frame alone, without shadows, which is then frame 0.
    #[must_use]
    pub fn only(&self, frame: usize) -> Self {
        Self::from_nodes(self.size, vec![self.frames[frame].clone()])
    }

    /// The shadows in a frame by its pixels, which are off by `noise` levels for no reason; `None` where there are none.
    pub fn find_shadow(&self, looks: &[Look], noise: f32) -> Option<Shadow> {
        shadow::find(self.size, self.fine_grid(), looks, noise)
    }

    /// Gives one frame other shadows.
    pub fn set_shadow(&mut self, frame: usize, shadow: Option<Shadow>) {
        match shadow {
            Some(shadow) => self.shadows.insert(frame, shadow),
            None => self.shadows.remove(&frame),
        };
    }

    /// Levels of brightness that a shadow takes from the surface at a canvas position where it looks like `dark`.
    pub fn lost(&self, frame: usize, p: Vec2, dark: Rgba) -> f32 {
        let Some(shadow) = self.shadows.get(&frame) else { return 0.0 };
        let ([gain, veil], dark) = (self.read(shadow, p), shadow::brightness(dark));
        ((dark - veil) / gain - dark).max(0.0)
    }

    /// Size of the grid of [`Light::stored`]: fine where any frame has shadows.
    pub fn stored_grid(&self) -> (usize, usize) {
        if self.shadows.is_empty() { self.frames[0].size() } else { self.fine_grid() }
    }

    /// One frame's gains with its shadows, on a grid of `nodes`; where gloss is lost, as is right for a colour of that
    /// `brightness`, levels.
    pub fn stored(&self, frame: usize, nodes: (usize, usize), brightness: f32) -> Image<Rgba> {
        let lit = finer(&self.frames[frame], nodes);
        let Some(shadow) = self.shadows.get(&frame) else { return lit };
        lit.zip(&finer(shadow, nodes), |g, [gain, veil]| {
            let left = (gain + veil / brightness.max(1.0)).max(shadow::DARKEST);
            [g[0] * left, g[1] * left, g[2] * left, 1.0]
        })
    }

    fn fine_grid(&self) -> (usize, usize) {
        shadow::grid(self.size, self.frames[0].size())
    }

    /// Gives one frame other nodes, as many as it has.
    pub fn set_nodes(&mut self, frame: usize, nodes: Image<Rgba>) {
        debug_assert_eq!(nodes.size(), self.frames[frame].size());
        self.frames[frame] = nodes;
    }

    /// Gain at a canvas position, and as alpha the veil, in levels, that a shadow adds to gain × atlas; beyond the canvas
    /// they stay what they are at the border.
    #[inline(always)]
    pub fn at(&self, frame: usize, p: Vec2) -> Rgba {
        let [r, g, b, _] = self.read(&self.frames[frame], p);
        match self.shadows.get(&frame) {
            None => [r, g, b, 0.0],
            Some(shadow) => {
                let [gain, veil] = self.read(shadow, p);
                [r * gain, g * gain, b * gain, veil]
            }
        }
    }

    #[inline(always)]
    fn read<const N: usize>(&self, nodes: &Image<[f32; N]>, [x, y]: Vec2) -> [f32; N] {
        let scale = |n: usize, side: usize| (n - 1) as f32 / (side - 1).max(1) as f32;
        bilinear(nodes, [x * scale(nodes.width(), self.size.0), y * scale(nodes.height(), self.size.1)])
    }

    /// As [`Light::at`], at every canvas pixel.
    pub fn field(&self, frame: usize) -> Image<Rgba> {
        Image::from_rows(self.size.0, self.size.1, [1.0; 4], |y, row| {
            for (x, gain) in row.iter_mut().enumerate() {
                *gain = self.at(frame, [x as f32, y as f32]);
            }
        })
    }

    /// Fits the gains to samples, robustly: misfits beyond `sigma` levels fade out over `rounds` re-weightings,
    /// the first two of which look wider.
    pub fn solve(&mut self, samples: &Samples, frames: Frames, rounds: usize, sigma: f32) {
        let hats = self.hats(&samples.points);
        for round in 0..rounds {
            let widen = match round {
                0 => 3.0,
                1 => 1.5,
                _ => 1.0,
            };
            let weights = self.weights(samples, frames, sigma * widen);
            let solved: Vec<_> = (0..3)
                .into_par_iter()
                .map(|c| self.solve_channel(samples, &hats, &weights, c, sigma * widen))
                .collect();
            for (c, gains) in solved.into_iter().enumerate() {
                let Some(gains) = gains else { continue };
                let nodes = self.frames.iter_mut().flat_map(|f| f.pixels_mut());
                nodes.zip(gains).for_each(|(n, g)| n[c] = (g as f32).clamp(0.02, 50.0));
            }
        }
    }

    /// Divides all gains by the reference frame's; returns what the atlas is to be multiplied with.
    pub fn anchor(&mut self, reference: usize) -> Image<Rgba> {
        let taken = self.field(reference);
        let nodes = self.frames[reference].clone();
        for frame in &mut self.frames {
            *frame = frame.zip(&nodes, |g, r| [g[0] / r[0], g[1] / r[1], g[2] / r[2], 1.0]);
        }
        taken
    }

    /// Nodes and weights of each point.
    fn hats(&self, points: &[Vec2]) -> Vec<[(usize, f32); 4]> {
        let (nx, ny) = self.frames[0].size();
        let hat = |p: &Vec2| {
            let ((i, fx), (j, fy)) = (place(p[0], self.size.0, nx), place(p[1], self.size.1, ny));
            let k = j * nx + i;
            [
                (k, (1.0 - fx) * (1.0 - fy)),
                (k + 1, fx * (1.0 - fy)),
                (k + nx, (1.0 - fx) * fy),
                (k + nx + 1, fx * fy),
            ]
        };
        points.iter().map(hat).collect()
    }

    fn weights(&self, samples: &Samples, frames: Frames, sigma: f32) -> Vec<Vec<f32>> {
        let frame = |(t, seen): (usize, &Vec<Rgba>)| {
            let weight = |((s, a), p): ((&Rgba, &Rgba), &Vec2)| {
                let g = self.at(t, *p);
                let misfit: f32 = (0..3).map(|c| (s[c] - g[c] * a[c]).powi(2)).sum::<f32>() / 3.0;
                s[3] / (1.0 + misfit / (sigma * sigma)).powi(2)
            };
            let weights: Vec<f32> =
                seen.iter().zip(&samples.atlas).zip(&samples.points).map(weight).collect();
            let belief = if frames == Frames::Doubted { belief(seen, &weights) } else { 1.0 };
            weights.into_iter().map(|w| w * belief).collect()
        };
        samples.frames.par_iter().enumerate().map(frame).collect()
    }

    /// Least squares of one channel over all frames at once: nodes couple within a frame and with two frames around.
    fn solve_channel(
        &self,
        samples: &Samples,
        hats: &[[(usize, f32); 4]],
        weights: &[Vec<f32>],
        channel: usize,
        sigma: f32,
    ) -> Option<Vec<f64>> {
        let (nx, ny) = self.frames[0].size();
        let (n, k) = (self.len(), nx * ny);
        let mut matrix = Band::new(n * k, 2 * k);
        let mut right = vec![0.0f64; n * k];
        for (t, seen) in samples.frames.iter().enumerate() {
            let mut gram = vec![[0.0f64; 16]; k];
            for (((s, a), hat), w) in seen.iter().zip(&samples.atlas).zip(hats).zip(&weights[t]) {
                if *w <= 0.0 || s[channel] >= CLIPPED || a[channel] >= CLIPPED {
                    continue;
                }
                let a = a[channel];
                let w = w / (sigma * sigma) * a * a / (a * a + DARK * DARK);
                for (i, &(p, wp)) in hat.iter().enumerate() {
                    right[t * k + p] += f64::from(w * wp * a * s[channel]);
                    for (j, &(_, wq)) in hat.iter().enumerate() {
                        gram[hat[0].0][i * 4 + j] += f64::from(w * wp * wq * a * a);
                    }
                }
            }
            for (first, block) in gram.iter().enumerate() {
                let node = |i: usize| t * k + first + (i % 2) + (i / 2) * nx;
                for (ij, v) in block.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                    let (p, q) = (node(ij / 4), node(ij % 4));
                    if p >= q {
                        matrix.add(p, q, *v);
                    }
                }
            }
        }
        smoothness(&mut matrix, (nx, ny), n);
        // A trace of a pull to gain 1, where nothing at all is known.
        for (i, r) in right.iter_mut().enumerate() {
            matrix.add(i, i, 1e-3);
            *r += 1e-3;
        }
        matrix.factor()?.solve(&mut right);
        right.iter().all(|v| v.is_finite()).then_some(right)
    }
}

/// The node before a position along a side of the canvas, and the share of the way to the next.
fn place(v: f32, side: usize, nodes: usize) -> (usize, f32) {
    let v = (v * (nodes - 1) as f32 / (side - 1).max(1) as f32).clamp(0.0, nodes as f32 - 1.001);
    (v as usize, v - v.floor())
}

/// Nodes of the light of a canvas: four along the long side; regions are a few hundred pixels, light varies over the whole
/// scene.
fn coarse_grid(size: (usize, usize)) -> (usize, usize) {
    if size.0 >= size.1 { (4, 3) } else { (3, 4) }
}

/// The same on a grid of another size, corner nodes on corner nodes: as it was where the one's nodes are among the other's.
pub(crate) fn finer<const N: usize>(nodes: &Image<[f32; N]>, size: (usize, usize)) -> Image<[f32; N]> {
    if nodes.size() == size {
        return nodes.clone();
    }
    let ratio = |n: usize, fine: usize| (n - 1) as f32 / (fine - 1).max(1) as f32;
    let (rx, ry) = (ratio(nodes.width(), size.0), ratio(nodes.height(), size.1));
    Image::from_fn(size.0, size.1, |x, y| bilinear(nodes, [x as f32 * rx, y as f32 * ry]))
}

/// How far a frame's samples are believed as a whole, by the share of them that fits.
fn belief(seen: &[Rgba], weights: &[f32]) -> f32 {
    let there: f32 = seen.iter().map(|s| s[3]).sum();
    let fitting = weights.iter().sum::<f32>() / there.max(1.0);
    ((fitting - FITTING[0]) / (FITTING[1] - FITTING[0])).clamp(0.0, 1.0).powi(2)
}

/// Adds the energies of bends in space and time and of changes in time.
fn smoothness(matrix: &mut Band, (nx, ny): (usize, usize), frames: usize) {
    let k = nx * ny;
    let mut stencil = |nodes: &[(usize, f64)], weight: f64| {
        for &(p, a) in nodes {
            for &(q, b) in nodes.iter().filter(|&&(q, _)| q <= p) {
                matrix.add(p, q, weight * a * b);
            }
        }
    };
    for t in 0..frames {
        let at = |i: usize, j: usize| t * k + j * nx + i;
        for j in 0..ny {
            for i in 0..nx {
                if i + 2 < nx {
                    stencil(&[(at(i, j), 1.0), (at(i + 1, j), -2.0), (at(i + 2, j), 1.0)], SMOOTH_SPACE);
                }
                if j + 2 < ny {
                    stencil(&[(at(i, j), 1.0), (at(i, j + 1), -2.0), (at(i, j + 2), 1.0)], SMOOTH_SPACE);
                }
                if i + 1 < nx && j + 1 < ny {
                    let cross = [
                        (at(i, j), 1.0),
                        (at(i + 1, j), -1.0),
                        (at(i, j + 1), -1.0),
                        (at(i + 1, j + 1), 1.0),
                    ];
                    stencil(&cross, 2.0 * SMOOTH_SPACE);
                }
            }
        }
        for node in 0..k {
            let at = |t: usize| t * k + node;
            if t + 2 < frames {
                stencil(&[(at(t), 1.0), (at(t + 1), -2.0), (at(t + 2), 1.0)], SMOOTH_TIME);
            }
            if t + 1 < frames {
                stencil(&[(at(t), -1.0), (at(t + 1), 1.0)], STEADY);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A textured surface under a gain linear in space, with a fifth of the samples covered by something bright.
    #[test]
    fn recovers_gains_under_an_occluder_and_anchors_them() {
        let size = (200, 120);
        let gain = |p: Vec2, t: usize, c: usize| {
            1.0 + 0.1 * (t as f32 * 0.3 + c as f32).sin() + 0.0006 * (p[0] - 100.0) * (t as f32 * 0.2).cos()
        };
        let points: Vec<Vec2> = (0..1500).map(|i| [(i % 50) as f32 * 4.0, (i / 50) as f32 * 4.0]).collect();
        let atlas: Vec<Rgba> = (0..1500)
            .map(|i| [60.0 + (i * 37 % 100) as f32, 80.0 + (i * 11 % 90) as f32, 100.0, 0.0])
            .collect();
        let frames = (0..12)
            .map(|t| {
                let see = |(i, (p, a)): (usize, (&Vec2, &Rgba))| {
                    if i % 5 == t % 5 {
                        return [240.0, 240.0, 240.0, 1.0];
                    }
                    [a[0] * gain(*p, t, 0), a[1] * gain(*p, t, 1), a[2] * gain(*p, t, 2), 1.0]
                };
                points.iter().zip(&atlas).enumerate().map(see).collect()
            })
            .collect();
        let samples = Samples { points, atlas, frames };
        let mut light = Light::unit(size, 12);
        light.solve(&samples, Frames::Doubted, 6, 4.0);
        for t in 0..12 {
            for p in [[20.0, 20.0], [100.0, 60.0], [180.0, 100.0]] {
                for c in 0..3 {
                    let (got, want) = (light.at(t, p)[c], gain(p, t, c));
                    assert!((got / want - 1.0).abs() < 0.01, "frame {t} at {p:?}: {got} for {want}");
                }
            }
        }
        let before = light.at(7, [50.0, 50.0])[1] / light.at(3, [50.0, 50.0])[1];
        let taken = light.anchor(3);
        assert!((taken[(50, 50)][1] - gain([50.0, 50.0], 3, 1)).abs() < 0.01);
        assert!((light.at(3, [50.0, 50.0])[1] - 1.0).abs() < 1e-6);
        assert!((light.at(7, [50.0, 50.0])[1] - before).abs() < 0.01);
    }
    /// Hair of many colours hides all but a corner in the middle of a clip whose light changes steadily: what of it looks
    /// like the surface in another light must not be taken for that.
    #[test]
    fn an_occluder_of_many_colours_is_not_followed() {
        let gain = |t: usize| 1.0 + 0.01 * t as f32;
        let points: Vec<Vec2> = (0..1500).map(|i| [(i % 50) as f32 * 4.0, (i / 50) as f32 * 4.0]).collect();
        let atlas = vec![[120.0, 100.0, 90.0, 0.0]; 1500];
        let frames = (0..24)
            .map(|t| {
                let hidden = (8..16).contains(&t);
                let see = |(i, a): (usize, &Rgba)| {
                    let hair = [150.0, 75.0, 95.0].map(|v| v + ((i * 7919 + t * 31) % 61) as f32 - 30.0);
                    let [r, g, b] =
                        if hidden && i % 50 > 3 { hair } else { [a[0], a[1], a[2]].map(|v| v * gain(t)) };
                    [r, g, b, 1.0]
                };
                atlas.iter().enumerate().map(see).collect()
            })
            .collect();
        let samples = Samples { points, atlas, frames };
        let mut light = Light::unit((200, 120), 24);
        light.solve(&samples, Frames::Doubted, 4, 6.0);
        for (t, c) in (8..16).flat_map(|t| [(t, 0), (t, 1), (t, 2)]) {
            let got = light.at(t, [150.0, 60.0])[c];
            assert!((got / gain(t) - 1.0).abs() < 0.03, "frame {t}, channel {c}: {got} for {}", gain(t));
        }
    }

    #[test]
    fn stored_light_comes_back_with_its_shadows() {
        let size = (200, 120);
        let mut light = Light::from_nodes(
            size,
            vec![Image::from_fn(4, 3, |x, y| [1.0 + 0.1 * x as f32, 1.0, 0.9 + 0.05 * y as f32, 1.0]); 2],
        );
        let grid = light.fine_grid();
        assert_eq!(light.stored_grid(), (4, 3));
        let shadow = Image::from_fn(grid.0, grid.1, |x, y| {
            if (3..9).contains(&x) && y > 4 { [0.7, -10.0] } else { shadow::LIT }
        });
        light.set_shadow(1, Some(shadow));
        assert_eq!(light.stored_grid(), grid);
        let stored: Vec<_> = (0..2).map(|t| light.stored(t, grid, 100.0)).collect();
        // A veil of 10 levels at a brightness of 100 is a tenth.
        assert!((stored[1][(5, 8)][1] - 0.6).abs() < 1e-6 && stored[0][(5, 8)][1] == 1.0);
        let back = Light::from_stored(size, stored.clone());
        assert!(!back.shadows.contains_key(&0));
        for (t, stored) in stored.iter().enumerate() {
            let again = back.stored(t, grid, 100.0);
            let off = again.zip(stored, |a, b| (0..3).map(|c| (a[c] - b[c]).abs()).fold(0.0, f32::max));
            assert!(off.pixels().iter().all(|d| *d < 0.01), "frame {t}");
        }
        // The networks' light has more nodes, at other places.
        let net = Image::from_fn(31, 23, |x, y| [0.9 + 0.01 * ((x * y) % 7) as f32; 4]);
        let back = Light::from_stored(size, vec![net.clone(), Image::new(31, 23, [1.0; 4])]);
        assert_eq!(back.nodes(0).size(), (4, 3));
        let off = back.stored(0, (31, 23), 100.0).zip(&net, |a, b| (a[1] - b[1]).abs());
        assert!(off.pixels().iter().all(|d| *d < 1e-4));
        let own = vec![Image::new(16, 12, [1.1; 4])];
        assert_eq!(Light::from_stored(size, own.clone()).nodes(0), &own[0]);
        // A veil is what is added to gain x atlas, and what is lost is both.
        let p = [5.0 * 199.0 / (grid.0 - 1) as f32, 8.0 * 119.0 / (grid.1 - 1) as f32];
        assert_eq!(light.at(1, p)[3], -10.0);
        assert!((light.lost(1, p, [60.0; 4]) - 40.0).abs() < 1e-3 && light.lost(0, p, [60.0; 4]) == 0.0);
    }
}
