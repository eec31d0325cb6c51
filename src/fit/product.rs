//! From networks to what the rest of the program knows: maps, atlas, light and masks.

use super::networks::Networks;
use super::objective::Scene;
use super::space::Space;
use crate::error::{Error, Result};
use crate::frame::{Image, Rect, Rgba, Vec2, cubic};
use crate::light::Light;
use crate::track::{Canvas, Homography, Inverse, Map};
use burn::tensor::{Device, Tensor, TensorData};

/// Points evaluated at once.
const CHUNK: usize = 1 << 16;
/// Rings of nodes around the frame: where a region leaves it, its map goes on as T does.
const AROUND: usize = 8;
/// Nodes of the light along the canvas's longer and shorter side.
const LIGHT_NODES: (usize, usize) = (16, 12);
/// Share of the surface from which a point tells where it is.
const SHOWS: f32 = 0.5;

/// Finished networks, ready to be asked.
pub struct Fitted<'a> {
    /// The networks, without gradients.
    pub networks: &'a Networks,
    /// Their coordinates.
    pub space: Space,
    /// Where they are, without gradients.
    pub device: &'a Device,
    /// Frame size.
    pub size: (usize, usize),
    /// Frames of the clip.
    pub frames: usize,
}

impl Fitted<'_> {
    /// `ask`, which gives rows of `N` numbers, of any number of points.
    fn each<const N: usize>(
        &self,
        points: &[[f32; 3]],
        ask: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Result<Vec<[f32; N]>> {
        let mut all = Vec::with_capacity(points.len());
        for chunk in points.chunks(CHUNK) {
            let data = TensorData::new(chunk.iter().flatten().copied().collect(), [chunk.len(), 3]);
            let answer = ask(Tensor::from_data(data, self.device)).into_data();
            let values = answer
                .try_to_vec::<f32>()
                .map_err(|e| Error::Mismatch(format!("the fit's device: {e:?}")))?;
            all.extend(values.as_chunks::<N>().0);
        }
        Ok(all)
    }

    fn point(&self, frame: usize, p: Vec2) -> [f32; 3] {
        let [x, y] = self.space.place(p);
        [x, y, self.space.time(frame)]
    }

    /// T at positions of one frame: where they lie on the reference frame, pixels. Of a T that was learnt from nothing.
    pub fn places(&self, frame: usize, positions: &[Vec2]) -> Result<Vec<Vec2>> {
        let points: Vec<_> = positions.iter().map(|p| self.point(frame, *p)).collect();
        let uv = self.each::<2>(&points, |p| {
            let none = Tensor::zeros([p.dims()[0], 2], self.device);
            self.networks.place(p, none)
        })?;
        Ok(uv.into_iter().map(|u| self.space.pixel(u)).collect())
    }

    /// What T adds to where an earlier solution puts the nodes of one frame, reference pixels; all of T without one.
    fn added(&self, frame: usize) -> Result<Image<Vec2>> {
        let nodes = |n: usize| (n - 1).div_ceil(Inverse::STEP) + 1 + 2 * AROUND;
        let (w, h) = (nodes(self.size.0), nodes(self.size.1));
        let points: Vec<_> = (0..w * h).map(|k| self.point(frame, node([k % w, k / w]))).collect();
        let none = |p: &Tensor<2>| Tensor::zeros([p.dims()[0], 2], self.device);
        let added = self.each::<2>(&points, |p| self.networks.place(p.clone(), none(&p)))?;
        Ok(Image::from_vec(w, h, added.into_iter().map(|d| d.map(|v| v * self.space.half)).collect()))
    }

    /// One frame's map: an earlier one with the residual T learnt, where T is a residual.
    pub fn corrected(&self, canvas: &Canvas, map: &Map, frame: usize) -> Result<Map> {
        let added = self.added(frame)?;
        let corrected = canvas.moved(map, |p| at_nodes(&added, p));
        Ok(corrected.unwrap_or_else(|| map.clone()))
    }

    /// One frame's map where T was learnt from nothing: the camera's view of a plane nearest to it, and the rest as a
    /// bend. `None` where T puts too little of what shows of the frame on the canvas.
    pub fn mapped(&self, canvas: &Canvas, frame: usize) -> Result<Option<Map>> {
        let places = self.added(frame)?.map(|u| self.space.pixel(u.map(|v| v / self.space.half)));
        let (w, h) = places.size();
        let nodes: Vec<Vec2> = (0..w * h).map(|k| node([k % w, k / w])).collect();
        let points: Vec<_> = nodes.iter().map(|p| self.point(frame, *p)).collect();
        let shows = self.shows(&points)?;
        let bounds = canvas.bounds;
        let held = |u: &Vec2| {
            u[0] >= bounds.x0 as f32
                && u[1] >= bounds.y0 as f32
                && u[0] < bounds.x1 as f32
                && u[1] < bounds.y1 as f32
        };
        let seen =
            places.pixels().iter().zip(&nodes).zip(&shows).filter(|((u, _), m)| held(u) && **m > SHOWS);
        let pairs: Vec<(Vec2, Vec2, f32)> = seen.map(|((u, p), _)| (*u, *p, 1.0)).collect();
        let Some((plane, back)) = Homography::fit(&pairs).and_then(|h| h.inverse().map(|b| (h, b))) else {
            return Ok(None);
        };
        let flat = Map { homography: plane, ..canvas.identity() };
        let off = Image::from_fn(w, h, |x, y| {
            let (u, v) = (places[(x, y)], back.apply32(node([x, y])));
            [u[0] - v[0], u[1] - v[1]]
        });
        Ok(canvas.moved(&flat, |p| at_nodes(&off, p)))
    }

    fn shows(&self, points: &[[f32; 3]]) -> Result<Vec<f32>> {
        let scene = Scene::new(self.networks, &self.space);
        Ok(self.each::<1>(points, |p| scene.mask(p))?.into_iter().map(|m| m[0]).collect())
    }

    /// M over a part of a frame.
    pub fn mask(&self, frame: usize, part: Rect) -> Result<Image<f32>> {
        let (w, h) = (part.width(), part.height());
        let place = |k: usize| [(part.x0 + (k % w) as i32) as f32, (part.y0 + (k / w) as i32) as f32];
        let points: Vec<_> = (0..w * h).map(|k| self.point(frame, place(k))).collect();
        Ok(Image::from_vec(w, h, self.shows(&points)?))
    }

    /// A and L at canvas positions of one frame.
    fn lit(&self, canvas: &Canvas, frame: usize, at: &[Vec2]) -> Result<Vec<[f32; 6]>> {
        let points: Vec<_> = at.iter().map(|u| self.point(frame, canvas.to_reference(*u))).collect();
        let scene = Scene::new(self.networks, &self.space);
        self.each(&points, |p| {
            let n = p.dims()[0];
            let (colour, gain) = scene.lit(p.clone().slice([0..n, 0..2]), &p);
            Tensor::cat(vec![colour, gain], 1)
        })
    }

    /// The atlas on the canvas, levels, in the light of the reference frame, and the gains of all frames against it, on
    /// top of those of an earlier solution.
    pub fn appearance(
        &self,
        canvas: &Canvas,
        reference: usize,
        earlier: Option<&Light>,
    ) -> Result<(Image<Rgba>, Light)> {
        let (w, h) = canvas.size();
        let (nx, ny) = if w >= h { LIGHT_NODES } else { (LIGHT_NODES.1, LIGHT_NODES.0) };
        let along = |i: usize, n: usize, side: usize| i as f32 * (side - 1) as f32 / (n - 1) as f32;
        let nodes: Vec<Vec2> = (0..nx * ny).map(|k| [along(k % nx, nx, w), along(k / nx, ny, h)]).collect();
        let gains = (0..self.frames).map(|t| {
            let lit = self.lit(canvas, t, &nodes)?;
            let gain = |(v, u): ([f32; 6], &Vec2)| {
                let before = earlier.map_or([1.0; 4], |l| l.at(t, *u));
                [v[3] * before[0], v[4] * before[1], v[5] * before[2], 1.0]
            };
            Ok(Image::from_vec(nx, ny, lit.into_iter().zip(&nodes).map(gain).collect()))
        });
        let mut light = Light::from_nodes((w, h), gains.collect::<Result<_>>()?);
        let taken = light.anchor(reference);
        let all: Vec<Vec2> = (0..w * h).map(|k| [(k % w) as f32, (k / w) as f32]).collect();
        let colours = self.lit(canvas, reference, &all)?;
        let colours = Image::from_vec(w, h, colours.into_iter().map(|v| [v[0], v[1], v[2], 0.0]).collect());
        let atlas =
            colours.zip(&taken, |c, g| [c[0] * g[0], c[1] * g[1], c[2] * g[2], 0.0].map(|v| v * 255.0));
        Ok((atlas, light))
    }
}

/// Frame position of a node.
fn node(k: [usize; 2]) -> Vec2 {
    k.map(|k| (k as f32 - AROUND as f32) * Inverse::STEP as f32)
}

/// Between nodes; beyond them as at the border.
fn at_nodes(nodes: &Image<Vec2>, p: Vec2) -> Vec2 {
    cubic(nodes, p.map(|v| v / Inverse::STEP as f32 + AROUND as f32))
}
