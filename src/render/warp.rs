//! One surface's map in one frame, made ready to be walked row by row.
//!
//! The map's nodes are brought to atlas pixels once. Along a row the four rows of nodes around it are combined once,
//! and each cell of the combined line is a cubic polynomial: a position then costs three multiplications and additions
//! per coordinate. Cells that cannot reach the wanted part of the atlas are never walked at all.

use super::sample::{Jacobian, LANES, footprint, of_lane, ramp};
use crate::atlas::{Header, Layer, Placement};
use crate::frame::{Image, Pixel, Rect, SHARP, Vec2, cubic_weights};
use std::ops::Range;
use wide::f32x16;

/// What a cell of the grid asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// Lies off the wanted part of the atlas.
    Off,
    /// One sample per pixel is enough.
    Sharp,
    /// So it is, and all samples have all their neighbours.
    Inside,
    /// The atlas is reduced here; pixels need their footprint.
    Reduced,
}

/// A part of an atlas picture: least and largest x and y in atlas pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub(super) least: Vec2,
    pub(super) largest: Vec2,
}

impl Part {
    /// Whether it reaches the rectangle `least`…`largest`, grown by `margin`.
    fn meets(&self, least: Vec2, largest: Vec2, margin: f32) -> bool {
        (0..2).all(|i| least[i] - margin <= self.largest[i] && largest[i] + margin >= self.least[i])
    }

    /// Whether a point lies in it, grown by `margin`.
    #[inline(always)]
    pub(super) fn holds(&self, p: Vec2, margin: f32) -> bool {
        p[0] >= self.least[0] - margin
            && p[0] <= self.largest[0] + margin
            && p[1] >= self.least[1] - margin
            && p[1] <= self.largest[1] + margin
    }

    /// [`Part::holds`] of many, as masks.
    #[inline(always)]
    pub(super) fn holds_lanes(&self, p: &[f32x16; 2], margin: f32) -> f32x16 {
        let least = [f32x16::splat(self.least[0] - margin), f32x16::splat(self.least[1] - margin)];
        let largest = [f32x16::splat(self.largest[0] + margin), f32x16::splat(self.largest[1] + margin)];
        let [x, y] = p;
        x.simd_ge(least[0]) & x.simd_le(largest[0]) & y.simd_ge(least[1]) & y.simd_le(largest[1])
    }
}

/// T of one surface in one frame, in atlas pixels.
#[derive(Debug)]
pub(super) struct Warp {
    step: [f64; 2],
    /// Each cell's first column, and how far into the cell that lies, in cells.
    columns: Vec<(usize, f32)>,
    /// Nodes −1 … cells + 1 along both axes.
    nodes: Image<Vec2>,
    /// Movement over the whole shutter, at the same nodes; where there is any to speak of.
    motion: Option<Image<Vec2>>,
    /// At nodes 0 … cells.
    jacobian: Image<Jacobian>,
    cells: Image<Cell>,
    /// Farthest a pixel's samples reach from its position, in atlas pixels.
    pub(super) reach: f32,
}

/// Lines of nodes combined for one row of pixels; reused from row to row.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The two rows of the matte around the row of pixels, weighted; used by the shader.
    pub(super) matte: Vec<f32>,
    position: Vec<Vec2>,
    motion: Vec<Vec2>,
    jacobian: Vec<Jacobian>,
}

/// A pixel of the frame on the atlas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    /// Column in the frame.
    pub(super) x: usize,
    /// T, atlas pixels.
    pub(super) at: Vec2,
    /// Movement while the shutter is open, where it matters.
    pub(super) motion: Option<Vec2>,
    /// Footprint, where the atlas is reduced.
    pub(super) jacobian: Option<Jacobian>,
}

/// Neighbouring pixels of one row in one cell of the map.
#[derive(Debug)]
pub(super) struct Run {
    /// Column in the frame of lane 0; the same however a row is divided.
    pub(super) x: usize,
    /// Those that are asked for; the others hold what the cell would give there.
    pub(super) lanes: Range<usize>,
    /// T, atlas pixels.
    pub(super) at: [f32x16; 2],
    /// Movement while the shutter is open, where it matters in this cell; 0 where it does not.
    pub(super) motion: Option<[f32x16; 2]>,
    /// Whether all samples of those asked for are known to have all their neighbours, on the atlas too.
    pub(super) inside: bool,
    /// Footprint where the atlas is reduced: lane 0's, and what each lane adds.
    jacobian: Option<[Jacobian; 2]>,
}

impl Run {
    /// The columns asked for.
    #[inline(always)]
    pub(super) fn columns(&self) -> Range<usize> {
        self.x + self.lanes.start..self.x + self.lanes.end
    }

    /// Whether one cubic sample is enough, per moment.
    #[inline(always)]
    pub(super) fn sharp(&self) -> bool {
        self.jacobian.is_none()
    }

    /// The footprint in its middle, none where one sample is enough.
    #[inline(always)]
    pub(super) fn footprint(&self) -> Jacobian {
        const MIDDLE: f32 = 0.5 * (LANES - 1) as f32;
        self.jacobian.map_or([0.0; 4], |[a, d]| std::array::from_fn(|c| a[c] + MIDDLE * d[c]))
    }

    #[inline(always)]
    pub(super) fn spot(&self, lane: usize) -> Spot {
        Spot {
            x: self.x + lane,
            at: of_lane(&self.at, lane),
            motion: self.motion.as_ref().map(|m| of_lane(m, lane)).filter(|m| *m != [0.0; 2]),
            jacobian: self.jacobian.map(|[a, d]| std::array::from_fn(|c| a[c] + lane as f32 * d[c])),
        }
    }

    #[inline(always)]
    pub(super) fn spots(&self) -> impl Iterator<Item = Spot> {
        self.lanes.clone().map(|lane| self.spot(lane))
    }
}

/// The maps of the frames before and after, how many frames lie between them, and the shutter's open share.
pub(super) struct Exposure<'a> {
    pub(super) before: &'a Layer,
    pub(super) after: &'a Layer,
    pub(super) frames: f32,
    pub(super) shutter: f32,
}

impl Warp {
    /// Prepares a frame of an analysis. Only what may touch `part` of the atlas will be walked.
    pub(super) fn new(
        layer: &Layer,
        placement: &Placement,
        header: &Header,
        part: Part,
        exposure: Option<&Exposure>,
    ) -> Self {
        let Header { size, map_step: step, pixel_aperture: aperture, .. } = header;
        let [cw, ch] = [0, 1].map(|i| ((size[i].max(2) - 1) as f64 / step[i]).ceil().max(1.0) as usize);
        let padded = |f: &dyn Fn(isize, isize) -> Vec2| {
            Image::from_fn(cw + 3, ch + 3, |i, j| f(i as isize - 1, j as isize - 1))
        };
        let nodes = padded(&|i, j| placement.to_atlas(layer.node(i, j)));
        let motion = exposure.and_then(|e| {
            let factor = e.shutter / e.frames * placement.scale as f32;
            let moved = padded(&|i, j| {
                let (a, b) = (e.before.node(i, j), e.after.node(i, j));
                [0, 1].map(|c| (b[c] - a[c]) * factor)
            });
            let worth = moved.pixels().iter().any(|m| m[0] * m[0] + m[1] * m[1] > BLURRING);
            worth.then_some(moved)
        });
        let jacobian = Image::from_fn(cw + 1, ch + 1, |i, j| {
            let (l, r, t, b) =
                (nodes[(i, j + 1)], nodes[(i + 2, j + 1)], nodes[(i + 1, j)], nodes[(i + 1, j + 2)]);
            let slope = |a: Vec2, b: Vec2, c: usize, axis: usize| {
                (aperture * f64::from(b[c] - a[c]) / (2.0 * step[axis])) as f32
            };
            [slope(l, r, 0, 0), slope(l, r, 1, 0), slope(t, b, 0, 1), slope(t, b, 1, 1)]
        });
        let mut reach = 0.0f32;
        // Cubic samples take one pixel before their position and two after it; and there is rounding.
        let room = Part { least: [1.01; 2], largest: placement.size.map(|n| n as f32 - 3.01) };
        let cells = Image::from_fn(cw, ch, |i, j| {
            let (cell, far) = classify(&nodes, motion.as_ref(), &jacobian, (i, j), [part, room]);
            reach = reach.max(far);
            cell
        });
        let columns = (0..cw).map(|i| {
            let first = (i as f64 * step[0]).ceil();
            (first as usize, (first / step[0] - i as f64) as f32)
        });
        Self { step: *step, columns: columns.collect(), nodes, motion, jacobian, cells, reach }
    }

    /// The pixels of the frame, and perhaps a few beyond, that may touch the wanted part.
    pub(super) fn extent(&self) -> Rect {
        let wanted = (0..self.cells.height())
            .flat_map(|j| (0..self.cells.width()).map(move |i| (i, j)))
            .filter(|&at| self.cells[at] != Cell::Off);
        // The outermost cells go on to the frame's edge, and rounding may move a cell's by a pixel.
        let edge = |i: usize, axis: usize| (i as f64 * self.step[axis]).ceil() as i32;
        let cell = |(i, j)| Rect::new(edge(i, 0), edge(j, 1), edge(i + 1, 0), edge(j + 1, 1)).grow(1);
        wanted.map(cell).reduce(|a, b| a.union(&b)).unwrap_or(Rect::new(0, 0, 0, 0))
    }

    /// Calls `visit` for all pixels of row `y`, columns `x0..x1`, that may touch the wanted part, from left to right.
    #[inline(always)]
    pub(super) fn walk(
        &self,
        y: usize,
        (x0, x1): (usize, usize),
        lines: &mut Lines,
        mut visit: impl FnMut(Run),
    ) {
        let gy = y as f64 / self.step[1];
        let row = (gy as usize).min(self.cells.height() - 1);
        let cells = self.cells.row(row);
        if cells.iter().all(|c| *c == Cell::Off) {
            return;
        }
        let ty = (gy - row as f64) as f32;
        combine(&self.nodes, row, ty, &mut lines.position);
        if let Some(motion) = &self.motion {
            combine(motion, row, ty, &mut lines.motion);
        }
        if cells.contains(&Cell::Reduced) {
            let (a, b) = (self.jacobian.row(row), self.jacobian.row(row + 1));
            let mixed = a.iter().zip(b).map(|(a, b)| std::array::from_fn(|c| a[c] + ty * (b[c] - a[c])));
            lines.jacobian.clear();
            lines.jacobian.extend(mixed);
        }
        let inverse = (1.0 / self.step[0]) as f32;
        for (i, cell) in cells.iter().enumerate().filter(|(_, c)| **c != Cell::Off) {
            // From the cell's own first column, so that every division of a row gives the same positions.
            let (first, start) = self.columns[i];
            let to = self.columns.get(i + 1).map_or(x1, |(next, _)| x1.min(*next));
            if first.max(x0) >= to {
                continue;
            }
            let position = Cubic::new(&lines.position[i..i + 4]);
            let motion = self.motion.as_ref().map(|_| Cubic::new(&lines.motion[i..i + 4]));
            for x in (first..to).step_by(LANES) {
                let lanes = x0.saturating_sub(x)..(to - x).min(LANES);
                if lanes.is_empty() {
                    continue;
                }
                let t = ramp(start + (x - first) as f32 * inverse, inverse);
                let motion = motion.as_ref().and_then(|m| blurring(m.at(t)));
                let jacobian = (*cell == Cell::Reduced).then(|| {
                    let (a, b) = (lines.jacobian[i], lines.jacobian[i + 1]);
                    let t = t.as_array()[0];
                    let slope: Jacobian = std::array::from_fn(|c| b[c] - a[c]);
                    [std::array::from_fn(|c| a[c] + t * slope[c]), slope.map(|s| s * inverse)]
                });
                let inside = *cell == Cell::Inside;
                visit(Run { x, lanes, at: position.at(t), motion, inside, jacobian });
            }
        }
    }
}

/// Square of the movement over the open shutter that is long enough to be seen: half an atlas pixel.
const BLURRING: f32 = 0.25;

/// Movements with those left out that are too short; `None` when that is all.
#[inline(always)]
fn blurring(m: [f32x16; 2]) -> Option<[f32x16; 2]> {
    let long = (m[0] * m[0] + m[1] * m[1]).simd_gt(f32x16::splat(BLURRING));
    if long.any() { Some([m[0] & long, m[1] & long]) } else { None }
}

/// What cell (i, j) asks for, and how far its samples reach. In `room` a sample has all its neighbours.
fn classify(
    nodes: &Image<Vec2>,
    motion: Option<&Image<Vec2>>,
    jacobian: &Image<Jacobian>,
    (i, j): (usize, usize),
    [part, room]: [Part; 2],
) -> (Cell, f32) {
    let block = |image: &Image<Vec2>| {
        let (mut least, mut largest) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        let mut finite = true;
        for p in (j..j + 4).flat_map(|l| &image.row(l)[i..i + 4]) {
            finite &= p[0].is_finite() && p[1].is_finite();
            least = [0, 1].map(|c| least[c].min(p[c]));
            largest = [0, 1].map(|c| largest[c].max(p[c]));
        }
        finite.then_some((least, largest))
    };
    let Some((least, largest)) = block(nodes) else { return (Cell::Off, 0.0) };
    let corners = [(i, j), (i + 1, j), (i, j + 1), (i + 1, j + 1)];
    let size = corners.iter().flat_map(|&at| footprint(jacobian[at])).fold(0.0, f32::max);
    let moved = match motion.map(block) {
        None => 0.0,
        Some(None) => return (Cell::Off, 0.0),
        Some(Some((a, b))) => [a, b].iter().flatten().fold(0.0f32, |m, v| m.max(v.abs())),
    };
    // The kernel's two pixels, on a coarser level when reduced, and the way to the outermost moment of the exposure.
    // Beyond its nodes' own range a Catmull–Rom patch goes by less than a third of it.
    let reach = 2.0 + if size > SHARP { 3.0 * size } else { 0.0 } + moved;
    let bulge = 0.34 * (largest[0] - least[0]).max(largest[1] - least[1]);
    if !part.meets(least, largest, reach + bulge) {
        return (Cell::Off, 0.0);
    }
    let cell = if size > SHARP {
        Cell::Reduced
    } else if room.holds(least, -bulge - moved) && room.holds(largest, -bulge - moved) {
        Cell::Inside
    } else {
        Cell::Sharp
    };
    (cell, reach)
}

/// The four rows of nodes around a row of pixels, weighted.
fn combine(nodes: &Image<Vec2>, row: usize, t: f32, line: &mut Vec<Vec2>) {
    line.clear();
    line.resize(nodes.width(), [0.0; 2]);
    for (j, weight) in cubic_weights(t).into_iter().enumerate() {
        for (sum, node) in line.iter_mut().zip(nodes.row(row + j)) {
            *sum = sum.add(*node, weight);
        }
    }
}

/// Coefficients of the Catmull–Rom polynomial between the middle two of four nodes, for x and y.
struct Cubic([[f32; 4]; 2]);

impl Cubic {
    #[inline(always)]
    fn new(p: &[Vec2]) -> Self {
        let mut of = [[0.0; 4]; 2];
        for (c, of) in of.iter_mut().enumerate() {
            let mix = |w: [f32; 4]| w[0] * p[0][c] + w[1] * p[1][c] + w[2] * p[2][c] + w[3] * p[3][c];
            *of = [
                p[1][c],
                mix([-0.5, 0.0, 0.5, 0.0]),
                mix([1.0, -2.5, 2.0, -0.5]),
                mix([-0.5, 1.5, -1.5, 0.5]),
            ];
        }
        Self(of)
    }

    #[inline(always)]
    fn at(&self, t: f32x16) -> [f32x16; 2] {
        let mut at = [f32x16::ZERO; 2];
        for (at, &[a, b, c, d]) in at.iter_mut().zip(&self.0) {
            let n = f32x16::splat;
            *at = n(a) + t * (n(b) + t * (n(c) + t * n(d)));
        }
        at
    }
}
