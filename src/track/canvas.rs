//! The canvas: where one region's surface is laid out flat while it is tracked, in working-size reference pixels.

use super::homography::Homography;
use super::spline::{Grid, SPACING};
use crate::error::{Error, Result};
use crate::frame::{Image, Rect, Scale, Vec2};
use crate::linear::Factor;
use crate::roi::{self, Polygon};

/// Reference-frame pixels around the region that are tracked with it, so that its edge lies inside the solution.
pub const MARGIN: i32 = 16;

/// A rectangle of the reference frame around one region.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Outline", into = "Outline")]
pub struct Canvas {
    outline: Outline,
    /// Its place on the reference frame, working-size pixels.
    pub bounds: Rect,
    /// Share of each pixel inside the region.
    pub coverage: Image<f32>,
    /// Control points of bends.
    pub grid: Grid,
    fitter: Factor,
}

/// What a canvas is made from, and kept as.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Outline {
    polygon: Polygon,
    frame: (usize, usize),
    margin: i32,
}

impl TryFrom<Outline> for Canvas {
    type Error = Error;
    fn try_from(outline: Outline) -> Result<Self> {
        Canvas::from_outline(outline)
    }
}

impl From<Canvas> for Outline {
    fn from(canvas: Canvas) -> Self {
        canvas.outline
    }
}

/// A map from canvas to a frame: a camera's view of a plane, bent.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Map {
    /// Reference-frame position to frame position, working-size pixels.
    pub homography: Homography,
    /// Control points of what is added to it, in frame pixels.
    pub bend: Vec<Vec2>,
}

impl Canvas {
    /// Around a polygon given in working-size pixels of a reference frame of size `frame`.
    pub fn new(polygon: &[[f64; 2]], frame: (usize, usize)) -> Result<Self> {
        Self::from_outline(Outline { polygon: polygon.to_vec(), frame, margin: MARGIN })
    }

    /// The same region on a finer grid: `scale` canvas pixels to one of this canvas, in each direction.
    pub fn finer(&self, scale: Scale) -> Result<Self> {
        let Outline { polygon, frame, margin } = &self.outline;
        let side = |n: usize, i: usize| (n as f64 * scale.factor[i]).ceil() as usize;
        Self::from_outline(Outline {
            polygon: polygon.iter().map(|p| scale.to_fine(*p)).collect(),
            frame: (side(frame.0, 0), side(frame.1, 1)),
            margin: (f64::from(*margin) * scale.factor[0].max(scale.factor[1])).ceil() as i32,
        })
    }

    fn from_outline(outline: Outline) -> Result<Self> {
        let Outline { polygon, frame, margin } = &outline;
        let points = polygon.iter().map(|p| p.map(|v| v as f32));
        let picture = Rect::new(0, 0, frame.0 as i32, frame.1 as i32);
        let bounds = Rect::around(points)
            .map(|r| r.intersect(&picture).grow(*margin))
            .ok_or_else(|| Error::Roi("it holds no corner".into()))?;
        let (w, h) = (bounds.width(), bounds.height());
        let grid = Grid::new(w, h);
        // Unit weights and a positive ridge make the matrix positive definite for every size.
        let fitter = grid.fitter().ok_or_else(|| Error::Roi(format!("cannot lay out {w}×{h} pixels")))?;
        Ok(Self { bounds, coverage: roi::coverage(polygon, bounds), grid, fitter, outline })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.bounds.width(), self.bounds.height())
    }

    /// Reference-frame position of a canvas position.
    #[inline]
    pub fn to_reference(&self, [x, y]: Vec2) -> Vec2 {
        [x + self.bounds.x0 as f32, y + self.bounds.y0 as f32]
    }

    /// Canvas position of a reference-frame position.
    #[inline]
    pub fn to_canvas(&self, [x, y]: Vec2) -> Vec2 {
        [x - self.bounds.x0 as f32, y - self.bounds.y0 as f32]
    }

    /// The map of the reference frame: where everything is where it was drawn.
    pub fn identity(&self) -> Map {
        Map { homography: Homography::IDENTITY, bend: vec![[0.0; 2]; self.grid.count()] }
    }

    /// Frame position of every canvas pixel.
    pub fn positions(&self, map: &Map) -> Image<Vec2> {
        let bend = self.grid.evaluate(&map.bend);
        Image::from_rows(bend.width(), bend.height(), [0.0; 2], |y, row| {
            for (x, (p, d)) in row.iter_mut().zip(bend.row(y)).enumerate() {
                let q = map.homography.apply32(self.to_reference([x as f32, y as f32]));
                *p = [q[0] + d[0], q[1] + d[1]];
            }
        })
    }

    /// Frame position of one canvas position.
    pub fn position(&self, map: &Map, p: Vec2) -> Vec2 {
        let (q, d) = (map.homography.apply32(self.to_reference(p)), self.grid.at(&map.bend, p));
        [q[0] + d[0], q[1] + d[1]]
    }

    /// The homography nearest to dense positions, over the region's pixels.
    pub fn homography(&self, positions: &Image<Vec2>) -> Option<Homography> {
        let stride = ((self.bounds.area() / 2500) as f64).sqrt().ceil().max(1.0) as usize;
        let mut pairs = Vec::new();
        for y in (stride / 2..positions.height()).step_by(stride) {
            for x in (stride / 2..positions.width()).step_by(stride) {
                if self.coverage[(x, y)] > 0.5 {
                    pairs.push((self.to_reference([x as f32, y as f32]), positions[(x, y)], 1.0));
                }
            }
        }
        Homography::fit(&pairs)
    }

    /// The bends by which a plane seen through `plane` comes to be seen through another near it, as control points of
    /// the grid; `None` when part of the canvas lies behind the camera.
    pub(super) fn tilts(&self, plane: &Homography) -> Option<[Vec<f64>; 8]> {
        let on_canvas = |v: f64| ((v - 1.0) * SPACING as f64) as f32;
        let places =
            self.grid.places().into_iter().map(|p| self.to_reference(p.map(on_canvas)).map(f64::from));
        plane.tangents(&places.collect::<Vec<_>>())
    }

    /// The map nearest to dense positions; `None` when they are no picture of a surface.
    pub fn map_of(&self, positions: &Image<Vec2>) -> Option<Map> {
        let homography = self.homography(positions)?;
        let (w, h) = self.size();
        let rest = Image::from_fn(w, h, |x, y| {
            let (p, q) = (positions[(x, y)], homography.apply32(self.to_reference([x as f32, y as f32])));
            [p[0] - q[0], p[1] - q[1]]
        });
        let bend = self.grid.fit(&self.fitter, &rest);
        bend.iter().flatten().all(|v| v.is_finite()).then_some(Map { homography, bend })
    }

    /// What a map bends, measured on the surface: control points of how far each canvas point lies from where a camera's
    /// view of a plane alone would have it.
    pub(super) fn displacement(&self, map: &Map) -> Option<Vec<Vec2>> {
        let back = map.homography.inverse()?;
        let positions = self.positions(map);
        let off = Image::from_fn(positions.width(), positions.height(), |x, y| {
            let (p, q) = (back.apply32(positions[(x, y)]), self.to_reference([x as f32, y as f32]));
            [p[0] - q[0], p[1] - q[1]]
        });
        off.pixels().iter().flatten().all(|v| v.is_finite()).then(|| self.grid.fit(&self.fitter, &off))
    }

    /// The map that shows the surface displaced like this through the camera of `map`.
    pub(super) fn displaced(&self, map: &Map, displacement: &[Vec2]) -> Option<Map> {
        let off = self.grid.evaluate(displacement);
        let positions = Image::from_fn(off.width(), off.height(), |x, y| {
            let (q, d) = (self.to_reference([x as f32, y as f32]), off[(x, y)]);
            map.homography.apply32([q[0] + d[0], q[1] + d[1]])
        });
        self.map_of(&positions)
    }

    /// The map that puts the frame position p on the canvas `off(p)` reference pixels from where `map` does; `None` when
    /// that is no picture of a surface.
    pub fn moved(&self, map: &Map, off: impl Fn(Vec2) -> Vec2 + Sync) -> Option<Map> {
        let (w, h) = self.size();
        let positions = Image::from_rows(w, h, [0.0; 2], |y, row| {
            for (x, out) in row.iter_mut().enumerate() {
                let u = [x as f32, y as f32];
                let mut p = self.position(map, u);
                // Such differences are smooth and small against the surface, so each round gains digits.
                for _ in 0..4 {
                    let d = off(p);
                    p = self.position(map, [u[0] - d[0], u[1] - d[1]]);
                }
                *out = p;
            }
        });
        self.map_of(&positions)
    }

    /// The map whose reverse is known: `canvas_at` says where a frame position of a frame of size `frame` lies on the
    /// canvas. `None` when it lies nowhere near.
    pub fn map_back(&self, frame: (usize, usize), canvas_at: impl Fn(Vec2) -> Vec2 + Sync) -> Option<Map> {
        /// Canvas pixels between places that are looked up; bends are smoother than that.
        const SPARSE: usize = 4;
        let (w, h) = self.size();
        let step = Inverse::STEP;
        let places = (0..frame.1).step_by(step).flat_map(|y| (0..frame.0).step_by(step).map(move |x| (x, y)));
        let pairs: Vec<(Vec2, Vec2, f32)> = places
            .map(|(x, y)| [x as f32, y as f32])
            .map(|p| (canvas_at(p), p))
            .filter(|(u, _)| u[0] >= 0.0 && u[1] >= 0.0 && u[0] < w as f32 && u[1] < h as f32)
            .map(|(u, p)| (self.to_reference(u), p, 1.0))
            .collect();
        let homography = Homography::fit(&pairs)?;
        let bend = Image::from_rows(w.div_ceil(SPARSE) + 1, h.div_ceil(SPARSE) + 1, [0.0; 2], |j, row| {
            for (i, bend) in row.iter_mut().enumerate() {
                let u = [i, j].map(|k| (k * SPARSE) as f32);
                let start = homography.apply32(self.to_reference(u));
                // As in [`Inverse::of`], the other way round.
                let p = reaching(start, |p| homography.apply32(self.to_reference(canvas_at(p))));
                *bend = [p[0] - start[0], p[1] - start[1]];
            }
        });
        let dense = Image::from_fn(w, h, |x, y| {
            let (p, d) = (
                homography.apply32(self.to_reference([x as f32, y as f32])),
                crate::frame::cubic(&bend, [x as f32 / SPARSE as f32, y as f32 / SPARSE as f32]),
            );
            [p[0] + d[0], p[1] + d[1]]
        });
        self.map_of(&dense)
    }

    /// Area of frame pixels to a canvas pixel in the middle of the region, as a length: 2 means twice as large.
    pub fn magnification(&self, map: &Map) -> f32 {
        let (w, h) = self.size();
        let (cx, cy) = (w as f32 / 2.0, h as f32 / 2.0);
        let d = |a: Vec2, b: Vec2| {
            let (p, q) = (self.position(map, a), self.position(map, b));
            [(p[0] - q[0]) / 8.0, (p[1] - q[1]) / 8.0]
        };
        let (dx, dy) = (d([cx + 4.0, cy], [cx - 4.0, cy]), d([cx, cy + 4.0], [cx, cy - 4.0]));
        (dx[0] * dy[1] - dx[1] * dy[0]).abs().sqrt()
    }
}

/// The position for which `there` gives `goal`, near which it lies. Newton's method: going on by what is missing, without
/// asking for slopes, runs away where a bend stretches the surface to twice its size, as a cloth's corner may be.
fn reaching(goal: Vec2, there: impl Fn(Vec2) -> Vec2) -> Vec2 {
    /// Step of the slopes' differences, pixels.
    const APART: f32 = 0.5;
    /// Least determinant of the slopes; where the surface folds, what is missing is the step.
    const FOLDED: f32 = 0.05;
    let minus = |a: Vec2, b: Vec2| [a[0] - b[0], a[1] - b[1]];
    let mut q = goal;
    for _ in 0..12 {
        let reached = there(q);
        let missing = minus(goal, reached);
        if missing[0].abs() + missing[1].abs() < 1e-4 {
            break;
        }
        let [a, c] = minus(there([q[0] + APART, q[1]]), reached).map(|v| v / APART);
        let [b, d] = minus(there([q[0], q[1] + APART]), reached).map(|v| v / APART);
        let det = a * d - b * c;
        let step = match det > FOLDED {
            true => [(d * missing[0] - b * missing[1]) / det, (a * missing[1] - c * missing[0]) / det],
            false => missing,
        };
        q = [0, 1].map(|k| q[k] + step[k].clamp(-20.0, 20.0));
    }
    q
}

/// Where a frame's pixels lie on the canvas, on a coarse grid over the frame.
///
/// Node (i, j) is the frame pixel `((i − 1) · step, (j − 1) · step)`; between nodes the field is Catmull–Rom, and the
/// ring of nodes outside the frame lets it be so up to the frame's edge.
#[derive(Debug, Clone)]
pub struct Inverse {
    /// Canvas positions.
    pub nodes: Image<Vec2>,
}

impl Inverse {
    /// Frame pixels (working size) between nodes.
    pub const STEP: usize = 8;

    /// Inverts a map by Newton's method, from where its homography alone would lead back to.
    pub fn of(canvas: &Canvas, map: &Map, frame: (usize, usize)) -> Option<Self> {
        let back = map.homography.inverse()?;
        let centre = [
            f64::from(canvas.bounds.x0 + canvas.bounds.x1) / 2.0,
            f64::from(canvas.bounds.y0 + canvas.bounds.y1) / 2.0,
        ];
        let back = back.normalised(map.homography.apply(centre));
        let (w, h) = canvas.size();
        let far = [2.0 * w as f32, 2.0 * h as f32];
        // Far from the canvas, and beyond the horizon, only "far" matters.
        let limit = |q: Vec2| [0, 1].map(|i| q[i].clamp(-far[i], 1.5 * far[i]));
        let node = |i: usize, j: usize| {
            let p = [i, j].map(|k| (k as f32 - 1.0) * Self::STEP as f32);
            if back.depth(p.map(f64::from)) < 0.05 {
                return far.map(|v| -v);
            }
            let start = canvas.to_canvas(back.apply32(p));
            let q = match limit(start) == start {
                true => reaching(start, |q| canvas.to_canvas(back.apply32(canvas.position(map, q)))),
                false => start,
            };
            if q[0].is_finite() && q[1].is_finite() { limit(q) } else { far.map(|v| -v) }
        };
        let nodes = |n: usize| (n - 1).div_ceil(Self::STEP) + 3;
        Some(Self { nodes: Image::from_fn(nodes(frame.0), nodes(frame.1), node) })
    }

    /// Canvas position of a frame position, working-size pixels.
    #[inline(always)]
    pub fn at(&self, [x, y]: Vec2) -> Vec2 {
        let step = Self::STEP as f32;
        crate::frame::cubic(&self.nodes, [x / step + 1.0, y / step + 1.0])
    }

    /// Frame pixels that may see the canvas: the rectangle around them, within the frame; may be empty.
    pub fn reach(&self, canvas: &Canvas, frame: (usize, usize)) -> Rect {
        let (w, h) = (canvas.bounds.width() as f32, canvas.bounds.height() as f32);
        let slack = 2.0 * Self::STEP as f32;
        let mut points = Vec::new();
        for j in 0..self.nodes.height() {
            for (i, q) in self.nodes.row(j).iter().enumerate() {
                if q[0] > -slack && q[1] > -slack && q[0] < w + slack && q[1] < h + slack {
                    points.push([i, j].map(|k| (k as f32 - 1.0) * Self::STEP as f32));
                }
            }
        }
        let picture = Rect::new(0, 0, frame.0 as i32, frame.1 as i32);
        Rect::around(points).map_or(Rect::new(0, 0, 0, 0), |r| r.grow(Self::STEP as i32).intersect(&picture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bent() -> (Canvas, Map) {
        let canvas =
            Canvas::new(&[[60.0, 50.0], [200.0, 45.0], [210.0, 150.0], [55.0, 160.0]], (320, 240)).unwrap();
        let h = Homography([[1.05, 0.03, 6.0], [-0.02, 0.97, 3.0], [1e-4, -5e-5, 1.0]]);
        let (w, ht) = canvas.size();
        let positions = Image::from_fn(w, ht, |x, y| {
            let p = h.apply32(canvas.to_reference([x as f32, y as f32]));
            [p[0] + 2.0 * (y as f32 / 30.0).sin(), p[1] + 1.5 * (x as f32 / 40.0).cos()]
        });
        let map = canvas.map_of(&positions).unwrap();
        let back = canvas.positions(&map);
        let worst = back.zip(&positions, |a, b| (a[0] - b[0]).hypot(a[1] - b[1]));
        assert!(worst.pixels().iter().copied().fold(0.0, f32::max) < 0.02);
        (canvas, map)
    }

    #[test]
    fn inverse_leads_back() {
        let (canvas, map) = bent();
        let inverse = Inverse::of(&canvas, &map, (320, 240)).unwrap();
        for (x, y) in [(40.0, 40.0), (80.3, 99.9), (150.0, 60.7), (140.2, 120.1)] {
            let p = canvas.position(&map, [x, y]);
            let q = inverse.at(p);
            assert!((q[0] - x).hypot(q[1] - y) < 0.01, "{q:?} for {x},{y}");
        }
        let again = canvas.map_back((320, 240), |p| inverse.at(p)).unwrap();
        for (x, y) in [(40.0, 40.0), (80.3, 99.9), (150.0, 60.7)] {
            let (p, q) = (canvas.position(&map, [x, y]), canvas.position(&again, [x, y]));
            assert!((q[0] - p[0]).hypot(q[1] - p[1]) < 0.02, "{q:?} for {p:?}");
        }
        let reach = inverse.reach(&canvas, (320, 240));
        let corner = canvas.position(&map, [16.0, 16.0]);
        assert!(f64::from(reach.x0) < f64::from(corner[0]) && reach.x1 > 200);
    }

    /// A cloth's corner, stretched to more than twice its size without a fold.
    #[test]
    fn inverse_leads_back_where_the_surface_is_stretched() {
        let (canvas, _) = bent();
        let (w, h) = canvas.size();
        let positions = Image::from_fn(w, h, |x, y| {
            let p = canvas.to_reference([x as f32, y as f32]);
            let past = (x as f32 - (w as f32 - 70.0)).max(0.0) * (1.0 - y as f32 / h as f32);
            [p[0] + past * past / 50.0, p[1]]
        });
        let map = canvas.map_of(&positions).unwrap();
        let inverse = Inverse::of(&canvas, &map, (360, 240)).unwrap();
        for (x, y) in [(5, 2), (12, 8), (20, 14)].map(|(x, y)| ((w - x) as f32, y as f32)) {
            let p = canvas.position(&map, [x, y]);
            let q = inverse.at(p);
            assert!((q[0] - x).hypot(q[1] - y) < 0.2, "{q:?} for {x},{y}");
        }
    }

    #[test]
    fn magnification_of_a_zoom() {
        let (canvas, mut map) = bent();
        map.bend.fill([0.0; 2]);
        map.homography = Homography([[2.5, 0.0, 0.0], [0.0, 2.5, 0.0], [0.0, 0.0, 1.0]]);
        assert!((canvas.magnification(&map) - 2.5).abs() < 1e-3);
    }
}
