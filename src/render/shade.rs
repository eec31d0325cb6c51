//! The work of a pixel: what a row of the output becomes, for the edit and for every view.

use super::edit::PAD;
use super::sample::{Picture, ROUNDING, share};
use super::warp::{Lines, Part, Spot, Warp};
use crate::atlas::Placement;
use crate::frame::{Image, Pixel, Rgba, Scale, Vec2};
use crate::param::View;
use wide::f32x4;

/// Alpha from which paint is opaque.
const OPAQUE: f32 = 1.0 - ROUNDING;

/// One surface in one frame, with all that its pixels need.
pub(super) struct Job<'a> {
    pub(super) view: View,
    pub(super) warp: &'a Warp,
    pub(super) light: &'a Image<Rgba>,
    pub(super) matte: &'a Image<f32>,
    pub(super) atlas: Picture<'a>,
    pub(super) placement: Placement,
    /// Paint, and where there is any.
    pub(super) paint: Option<(Picture<'a>, Part)>,
    pub(super) opacity: f32,
    /// Frame size over working size.
    pub(super) scale: Scale,
    /// Of the reference frame.
    pub(super) size: [usize; 2],
}

impl Job<'_> {
    /// Changes the part of row `y` from column `x0` on that `out` holds. `source` is the frame's own row there, for
    /// [`View::Difference`].
    #[inline(always)]
    pub(super) fn row(&self, y: usize, x0: usize, source: &[Rgba], out: &mut [Rgba], lines: &mut Lines) {
        match self.view {
            View::Result | View::Checker => self.edit_row(y, x0, out, lines),
            _ => self.view_row(y, x0, source, out, lines),
        }
    }

    #[inline(always)]
    fn edit_row(&self, y: usize, x0: usize, out: &mut [Rgba], lines: &mut Lines) {
        let Some((paint, part)) = self.paint else { return };
        let light = Light::new(self);
        let mut line = std::mem::take(&mut lines.matte);
        let visible = Visible::new(self, y, &mut line);
        self.warp.walk(
            y,
            (x0, x0 + out.len()),
            lines,
            #[inline(always)]
            |spot| {
                if !part.holds(spot.at, self.warp.reach) {
                    return;
                }
                let v = visible.at(spot.x) * self.opacity;
                if v <= 0.0 {
                    return;
                }
                let p = fetch(paint, &spot, PAD as f32);
                if p[3] > 0.0 {
                    let pixel = &mut out[spot.x - x0];
                    let l = light.at(spot.at);
                    *pixel = if v >= 1.0 && p[3] >= OPAQUE {
                        covered(*pixel, l, p)
                    } else {
                        mixed(*pixel, v, l, p, fetch(self.atlas, &spot, 0.0))
                    };
                }
            },
        );
        lines.matte = line;
    }

    #[inline(always)]
    fn view_row(&self, y: usize, x0: usize, source: &[Rgba], out: &mut [Rgba], lines: &mut Lines) {
        let light = Light::new(self);
        let mut line = std::mem::take(&mut lines.matte);
        let visible = Visible::new(self, y, &mut line);
        let whole = whole(self.atlas.full);
        self.warp.walk(
            y,
            (x0, x0 + out.len()),
            lines,
            #[inline(always)]
            |spot| {
                if !whole.holds(spot.at, 0.5) {
                    return;
                }
                let a = fetch(self.atlas, &spot, 0.0);
                let coverage = share(a[3]);
                if coverage <= 0.0 {
                    return;
                }
                let pixel = &mut out[spot.x - x0];
                let l = light.at(spot.at);
                let reference = self.placement.to_reference(spot.at);
                for c in 0..3 {
                    pixel[c] = match self.view {
                        View::Atlas => pixel[c] + coverage * (l[c] * a[c] - pixel[c]),
                        View::Matte => pixel[c].max(visible.at(spot.x) * coverage),
                        View::Light => pixel[c] + coverage * (0.5 * l[c] - pixel[c]),
                        View::Difference => {
                            pixel[c] + (source[spot.x - x0][c] - l[c] * a[c]) * visible.at(spot.x) * coverage
                        }
                        // A position fading to 0 would be a wrong position: inside or outside, nothing between.
                        View::Uv if coverage >= 0.5 => uv(reference, self.size)[c],
                        View::Uv | View::Result | View::Checker => pixel[c],
                    };
                }
            },
        );
        lines.matte = line;
    }
}

/// Whether a view shows something else than the frame where no surface is.
pub(super) fn replaces(view: View) -> bool {
    matches!(view, View::Matte | View::Uv | View::Light | View::Difference)
}

/// What a view shows where no surface is.
pub(super) fn background(view: View, [r, g, b, a]: Rgba) -> Rgba {
    match view {
        View::Result | View::Checker | View::Atlas => [r, g, b, a],
        View::Matte | View::Uv => [0.0, 0.0, 0.0, a],
        View::Light | View::Difference => [0.5, 0.5, 0.5, a],
    }
}

/// A reference-frame position as STMap colour: red from the left edge, green from the **bottom** edge, 0…1 over the
/// frame.
pub(super) fn uv(reference: Vec2, size: [usize; 2]) -> [f32; 3] {
    [(reference[0] + 0.5) / size[0] as f32, 1.0 - (reference[1] + 0.5) / size[1] as f32, 0.0]
}

/// The area of a picture.
pub(super) fn whole(picture: &Image<Rgba>) -> Part {
    Part { least: [0.0; 2], largest: [picture.width() as f32 - 1.0, picture.height() as f32 - 1.0] }
}

/// Opaque paint on a wholly visible surface: L · P.
#[inline(always)]
fn covered(c: Rgba, l: Rgba, paint: Rgba) -> Rgba {
    let over = 1.0 / paint[3];
    let mut out = (f32x4::new(l) * (f32x4::new(paint) * f32x4::splat(over))).to_array();
    out[3] = c[3];
    out
}

/// Eq. 13 for paint of any alpha: c + v · L · (αP − α·A).
#[inline(always)]
fn mixed(c: Rgba, v: f32, l: Rgba, paint: Rgba, atlas: Rgba) -> Rgba {
    // Alpha above 1 is a cubic kernel's overshoot, and colour has the same.
    let (over, alpha) = if paint[3] >= OPAQUE { (1.0 / paint[3], 1.0) } else { (1.0, paint[3]) };
    let change = f32x4::new(paint) * f32x4::splat(over) - f32x4::splat(alpha) * f32x4::new(atlas);
    let mut out = (f32x4::new(c) + f32x4::splat(v) * f32x4::new(l) * change).to_array();
    out[3] = c[3];
    out
}

/// A picture at a pixel's position: its mean over the footprint, and over four moments while the shutter is open.
#[inline(always)]
fn fetch(picture: Picture, spot: &Spot, shift: f32) -> Rgba {
    let at = [spot.at[0] + shift, spot.at[1] + shift];
    let Some(m) = spot.motion else {
        return match spot.jacobian {
            None => picture.cubic(at),
            Some(j) => picture.filtered(at, j),
        };
    };
    // Filtered without a footprint is cubic: one loop for both.
    let jacobian = spot.jacobian.unwrap_or_default();
    let mut sum = [0.0; 4];
    for k in [-0.375, -0.125, 0.125, 0.375] {
        sum = sum.add(picture.filtered([at[0] + k * m[0], at[1] + k * m[1]], jacobian), 0.25);
    }
    sum
}

/// L between its nodes, by atlas position.
struct Light<'a> {
    grid: &'a Image<Rgba>,
    /// Nodes to an atlas pixel.
    nodes: Vec2,
}

impl<'a> Light<'a> {
    fn new(job: &Job<'a>) -> Self {
        let grid = job.light;
        let (n, of) = (grid.size(), job.atlas.full.size());
        let ratio = |n: usize, of: usize| if of > 1 { (n - 1) as f32 / (of - 1) as f32 } else { 0.0 };
        Self { grid, nodes: [ratio(n.0, of.0), ratio(n.1, of.1)] }
    }

    #[inline(always)]
    fn at(&self, p: Vec2) -> Rgba {
        let (w, h) = self.grid.size();
        let x = (p[0] * self.nodes[0]).clamp(0.0, (w - 1) as f32);
        let y = (p[1] * self.nodes[1]).clamp(0.0, (h - 1) as f32);
        let (x0, y0) = (x as usize, y as usize);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let (right, below) = (usize::from(x0 + 1 < w), if y0 + 1 < h { w } else { 0 });
        let (pixels, at) = (self.grid.pixels(), y0 * w + x0);
        let (a, b) = (pixels[at], pixels[at + right]);
        let (c, d) = (pixels[at + below], pixels[at + below + right]);
        let [a, b, c, d] = [a, b, c, d].map(f32x4::new);
        let (fx, fy) = (f32x4::splat(fx), f32x4::splat(fy));
        let (top, bottom) = (a + fx * (b - a), c + fx * (d - c));
        (top + fy * (bottom - top)).to_array()
    }
}

/// M̂ along one row of full-size pixels. Equal neighbours give exactly their value, so that 0 and 1 stay what they are.
struct Visible<'a> {
    line: &'a [f32],
    /// Working pixels to a full-size pixel, and the position of column 0.
    step: f32,
    start: f32,
    last: f32,
}

impl<'a> Visible<'a> {
    fn new(job: &Job, y: usize, line: &'a mut Vec<f32>) -> Self {
        let [start, y] = job.scale.to_coarse([0.0, y as f64]);
        let (w, h) = job.matte.size();
        let y = (y as f32).clamp(0.0, (h - 1) as f32);
        let y0 = y as usize;
        let fy = y - y0 as f32;
        let rows = job.matte.row(y0).iter().zip(job.matte.row((y0 + 1).min(h - 1)));
        line.clear();
        line.extend(rows.map(|(a, b)| a + fy * (b - a)));
        Self { line, step: (1.0 / job.scale.factor[0]) as f32, start: start as f32, last: (w - 1) as f32 }
    }

    #[inline(always)]
    fn at(&self, x: usize) -> f32 {
        let x = (self.start + x as f32 * self.step).clamp(0.0, self.last);
        let x0 = x as i32 as usize;
        let (a, b) = (self.line[x0], self.line[(x0 + 1).min(self.line.len() - 1)]);
        a + (x - x0 as f32) * (b - a)
    }
}
