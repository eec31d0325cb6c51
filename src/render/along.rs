//! What changes slowly along a row: the surface's light, and how much of it shows.

use super::sample::{LANES, of_lane, ramp, split};
use crate::frame::{Image, Rgba, Scale, Vec2};
use std::ops::Range;
use wide::{f32x4, f32x16};

/// L between its nodes, by atlas position.
pub(super) struct Light<'a> {
    grid: &'a Image<Rgba>,
    /// Nodes to an atlas pixel.
    nodes: Vec2,
    /// The last position between nodes.
    last: [f32; 2],
    /// To the next node's index, right and below.
    next: [usize; 2],
}

impl<'a> Light<'a> {
    /// Of an atlas of this size.
    pub(super) fn new(grid: &'a Image<Rgba>, of: (usize, usize)) -> Self {
        let n = grid.size();
        let ratio = |n: usize, of: usize| if of > 1 { (n - 1) as f32 / (of - 1) as f32 } else { 0.0 };
        Self {
            grid,
            nodes: [ratio(n.0, of.0), ratio(n.1, of.1)],
            // (Just short of the last node, so that there always is a next one.)
            last: [n.0, n.1].map(|n| (n as f32 - 1.0).next_down().max(0.0)),
            next: [usize::from(n.0 > 1), if n.1 > 1 { n.0 } else { 0 }],
        }
    }

    #[inline(always)]
    pub(super) fn along(&self, at: [f32x16; 2]) -> LightRun<'_> {
        let ((x, fx), (y, fy)) = (self.place(0, at[0]), self.place(1, at[1]));
        LightRun { light: self, nodes: [x, y], past: [fx, fy] }
    }

    /// At a single position.
    pub(super) fn at(&self, at: Vec2) -> Rgba {
        let run = self.along(at.map(f32x16::splat));
        run.at(0, &mut run.none())
    }

    /// The node before a position along one axis, and the share of the way to the next.
    #[inline(always)]
    fn place(&self, axis: usize, at: f32x16) -> ([i32; LANES], f32x16) {
        let at = at * f32x16::splat(self.nodes[axis]);
        split(at.fast_max(f32x16::ZERO).fast_min(f32x16::splat(self.last[axis])))
    }
}

/// L along a run of pixels.
pub(super) struct LightRun<'a> {
    light: &'a Light<'a>,
    nodes: [[i32; LANES]; 2],
    /// Share of the way to the next node.
    past: [f32x16; 2],
}

/// Four nodes around a pixel: neighbouring pixels mostly have the same.
pub(super) struct LightCell {
    /// Index of the first.
    first: usize,
    top: f32x4,
    bottom: f32x4,
    /// From left to right.
    slopes: [f32x4; 2],
}

impl LightRun<'_> {
    /// No cell yet.
    #[inline(always)]
    pub(super) fn none(&self) -> LightCell {
        LightCell { first: usize::MAX, top: f32x4::ZERO, bottom: f32x4::ZERO, slopes: [f32x4::ZERO; 2] }
    }

    /// L of one lane; `cell` is the last lane's.
    #[inline(always)]
    pub(super) fn at(&self, lane: usize, cell: &mut LightCell) -> Rgba {
        let (x, y) = (self.nodes[0][lane] as u32 as usize, self.nodes[1][lane] as u32 as usize);
        let first = y * self.light.grid.width() + x;
        if first != cell.first {
            *cell = self.light.cell(first);
        }
        let [fx, fy] = of_lane(&self.past, lane).map(f32x4::splat);
        let (top, bottom) = (cell.top + fx * cell.slopes[0], cell.bottom + fx * cell.slopes[1]);
        (top + fy * (bottom - top)).to_array()
    }
}

impl Light<'_> {
    #[inline(always)]
    fn cell(&self, first: usize) -> LightCell {
        let [right, below] = self.next;
        let pixels = &self.grid.pixels()[first..];
        let [a, b] = [f32x4::new(pixels[0]), f32x4::new(pixels[right])];
        let [c, d] = [f32x4::new(pixels[below]), f32x4::new(pixels[below + right])];
        LightCell { first, top: a, bottom: c, slopes: [b - a, d - c] }
    }
}

/// M̂ along one row of full-size pixels. Equal neighbours give exactly their value, so that 0 and 1 stay what they are.
pub(super) struct Visible<'a> {
    /// The part that is needed, from working column `first` on, with the last value twice.
    line: &'a [f32],
    first: usize,
    /// Working pixels to a full-size pixel, and the position of column 0.
    step: f32,
    start: f32,
    last: f32,
}

impl<'a> Visible<'a> {
    /// For some columns of row `y`, and a run's length before and after them; `scale` is full size over working size.
    pub(super) fn new(
        matte: &Image<f32>,
        scale: Scale,
        (y, columns): (usize, Range<usize>),
        line: &'a mut Vec<f32>,
    ) -> Self {
        let [start, y] = scale.to_coarse([0.0, y as f64]);
        let (w, h) = matte.size();
        let y = (y as f32).clamp(0.0, (h - 1) as f32);
        let y0 = y as usize;
        let fy = y - y0 as f32;
        let (step, start, last) = ((1.0 / scale.factor[0]) as f32, start as f32, (w - 1) as f32);
        let mut visible = Visible { line: &[], first: 0, step, start, last };
        let first = visible.place(columns.start.saturating_sub(LANES));
        let end = visible.place(columns.end + LANES) + 2;
        let [a, b] = [y0, (y0 + 1).min(h - 1)].map(|y| &matte.row(y)[first..end.min(w)]);
        line.clear();
        line.extend(a.iter().zip(b).map(|(a, b)| a + fy * (b - a)));
        line.extend(line.last().copied().filter(|_| end > w));
        visible.line = line;
        visible.first = first;
        visible
    }

    /// The working column at or before a column.
    #[inline(always)]
    fn place(&self, x: usize) -> usize {
        (self.start + x as f32 * self.step).max(0.0).min(self.last) as usize
    }

    /// At one column.
    pub(super) fn at(&self, x: usize) -> f32 {
        self.along(x).unwrap_or_else(|v| v.as_array()[0])
    }

    /// From column `x` on: one value for all, or a value for each.
    #[inline(always)]
    pub(super) fn along(&self, x: usize) -> Result<f32, f32x16> {
        let (from, to) = (self.place(x) - self.first, self.place(x + LANES - 1) + 1 - self.first);
        let around = &self.line[from..=to];
        if around.iter().all(|v| *v == around[0]) {
            return Ok(around[0]);
        }
        let x = f32x16::splat(self.start) + ramp(x as f32, 1.0) * f32x16::splat(self.step);
        let (whole, past) = split(x.fast_max(f32x16::ZERO).fast_min(f32x16::splat(self.last)));
        let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            let first = whole[lane] as u32 as usize - self.first;
            (a[lane], b[lane]) = (self.line[first], self.line[first + 1]);
        }
        let (a, b) = (f32x16::new(a), f32x16::new(b));
        Err(a + past * (b - a))
    }
}
