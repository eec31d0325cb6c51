//! The work of a pixel: what a row of the output becomes, for the edit and for every view.

use super::edit::PAD;
use super::sample::{LANES, Picture, ROUNDING, Taps, of_lane, ramp, share, split};
use super::warp::{Lines, Part, Run, Spot, Warp};
use crate::atlas::Placement;
use crate::frame::{Image, Pixel, Rgba, Scale, Vec2};
use crate::param::View;
use wide::{f32x4, f32x16};

/// Alpha from which paint is opaque.
const OPAQUE: f32 = 1.0 - ROUNDING;

/// Moments of an exposure at which a moving picture is sampled, as shares of the time the shutter is open.
const MOMENTS: [f32; 4] = [-0.375, -0.125, 0.125, 0.375];

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
            |run| {
                let v = visible.along(run.x) * f32x16::splat(self.opacity);
                let v = v & part.holds_lanes(&run.at, self.warp.reach);
                if v.simd_le(f32x16::ZERO).all() {
                    return;
                }
                let columns = run.columns();
                let out = &mut out[columns.start - x0..columns.end - x0];
                let gain = light.along(run.at);
                let blend = Blend { paint, atlas: self.atlas, visible: v.to_array(), light: gain };
                blend.run(&run, out);
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
            |run| {
                run.spots().for_each(|spot| {
                    if !whole.holds(spot.at, 0.5) {
                        return;
                    }
                    let a = fetch(self.atlas, &spot, 0.0);
                    let coverage = share(a[3]);
                    if coverage <= 0.0 {
                        return;
                    }
                    let pixel = &mut out[spot.x - x0];
                    let l = light.along([f32x16::splat(spot.at[0]), f32x16::splat(spot.at[1])]).at(0);
                    let reference = self.placement.to_reference(spot.at);
                    for c in 0..3 {
                        pixel[c] = match self.view {
                            View::Atlas => pixel[c] + coverage * (l[c] * a[c] - pixel[c]),
                            View::Matte => pixel[c].max(visible.along(spot.x).as_array()[0] * coverage),
                            View::Light => pixel[c] + coverage * (0.5 * l[c] - pixel[c]),
                            View::Difference => {
                                pixel[c]
                                    + (source[spot.x - x0][c] - l[c] * a[c])
                                        * visible.along(spot.x).as_array()[0]
                                        * coverage
                            }
                            // A position fading to 0 would be a wrong position: inside or outside, nothing between.
                            View::Uv if coverage >= 0.5 => uv(reference, self.size)[c],
                            View::Uv | View::Result | View::Checker => pixel[c],
                        };
                    }
                })
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

/// What the pixels of a run are blended from.
struct Blend<'a> {
    paint: Picture<'a>,
    atlas: Picture<'a>,
    visible: [f32; LANES],
    light: LightRun<'a>,
}

impl Blend<'_> {
    /// Changes the pixels of a run.
    #[inline(always)]
    fn run(&self, run: &Run, out: &mut [Rgba]) {
        // Most runs are sharp, and their samples' places worked out side by side. The atlas is not padded as paint is.
        let pad = f32x16::splat(PAD as f32);
        let padded = [run.at[0] + pad, run.at[1] + pad];
        match run.motion {
            None if run.sharp() => self.sharp(run, out, [Taps::new(padded)]),
            Some([mx, my]) if run.sharp() => {
                let taps = |t: f32| {
                    let t = f32x16::splat(t);
                    Taps::new([padded[0] + mx * t, padded[1] + my * t])
                };
                let [a, b, c, d] = MOMENTS;
                self.sharp(run, out, [taps(a), taps(b), taps(c), taps(d)]);
            }
            _ => self.pixels(
                run,
                out,
                #[inline(always)]
                |lane| fetch(self.paint, &run.spot(lane), PAD as f32),
                #[inline(always)]
                |lane| fetch(self.atlas, &run.spot(lane), 0.0),
            ),
        }
    }

    /// Where one sample is enough at each of `N` moments.
    #[inline(always)]
    fn sharp<const N: usize>(&self, run: &Run, out: &mut [Rgba], taps: [Taps; N]) {
        self.pixels(
            run,
            out,
            #[inline(always)]
            |lane| mean(&taps, lane, self.paint, 0),
            #[inline(always)]
            |lane| mean(&taps, lane, self.atlas, PAD as i32),
        );
    }

    #[inline(always)]
    fn pixels(
        &self,
        run: &Run,
        out: &mut [Rgba],
        paint: impl Fn(usize) -> Rgba,
        atlas: impl Fn(usize) -> Rgba,
    ) {
        for (lane, pixel) in run.lanes.clone().zip(out) {
            let v = self.visible[lane];
            if v <= 0.0 {
                continue;
            }
            let p = paint(lane);
            if p[3] > 0.0 {
                let l = self.light.at(lane);
                *pixel = if v >= 1.0 && p[3] >= OPAQUE {
                    covered(*pixel, l, p)
                } else {
                    mixed(*pixel, v, l, p, atlas(lane))
                };
            }
        }
    }
}

/// A picture at `N` moments.
#[inline(always)]
fn mean<const N: usize>(taps: &[Taps; N], lane: usize, picture: Picture, shift: i32) -> Rgba {
    let mut sum = f32x4::ZERO;
    for taps in taps {
        sum += taps.sample(lane, picture.full, shift);
    }
    (sum * f32x4::splat(1.0 / N as f32)).to_array()
}

/// Opaque paint on a wholly visible surface: L · P.
#[inline(always)]
fn covered(c: Rgba, l: Rgba, paint: Rgba) -> Rgba {
    let over = 1.0 / paint[3];
    keeping_alpha(c, f32x4::new(l) * (f32x4::new(paint) * f32x4::splat(over)))
}

/// A pixel in another colour. (Put together as one vector: stored in parts, it would take several times as long.)
#[inline(always)]
fn keeping_alpha(pixel: Rgba, colour: f32x4) -> Rgba {
    const ALPHA: f32x4 = f32x4::new([0.0, 0.0, 0.0, f32::from_bits(u32::MAX)]);
    ALPHA.bitselect(f32x4::new(pixel), colour).to_array()
}

/// Eq. 13 for paint of any alpha: c + v · L · (αP − α·A).
#[inline(always)]
fn mixed(c: Rgba, v: f32, l: Rgba, paint: Rgba, atlas: Rgba) -> Rgba {
    // Alpha above 1 is a cubic kernel's overshoot, and colour has the same.
    let (over, alpha) = if paint[3] >= OPAQUE { (1.0 / paint[3], 1.0) } else { (1.0, paint[3]) };
    let change = f32x4::new(paint) * f32x4::splat(over) - f32x4::splat(alpha) * f32x4::new(atlas);
    keeping_alpha(c, f32x4::new(c) + f32x4::splat(v) * f32x4::new(l) * change)
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
    for k in MOMENTS {
        sum = sum.add(picture.filtered([at[0] + k * m[0], at[1] + k * m[1]], jacobian), 0.25);
    }
    sum
}

/// L between its nodes, by atlas position.
struct Light<'a> {
    grid: &'a Image<Rgba>,
    /// Nodes to an atlas pixel.
    nodes: Vec2,
    /// The last position between nodes.
    last: [f32; 2],
    /// To the next node's index, right and below.
    next: [usize; 2],
}

impl<'a> Light<'a> {
    fn new(job: &Job<'a>) -> Self {
        let grid = job.light;
        let (n, of) = (grid.size(), job.atlas.full.size());
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
    fn along(&self, at: [f32x16; 2]) -> LightRun<'_> {
        let ((x, fx), (y, fy)) = (self.place(0, at[0]), self.place(1, at[1]));
        LightRun { light: self, nodes: [x, y], past: [fx, fy] }
    }

    /// The node before a position along one axis, and the share of the way to the next.
    #[inline(always)]
    fn place(&self, axis: usize, at: f32x16) -> ([i32; LANES], f32x16) {
        let at = at * f32x16::splat(self.nodes[axis]);
        split(at.fast_max(f32x16::ZERO).fast_min(f32x16::splat(self.last[axis])))
    }
}

/// L along a run of pixels.
struct LightRun<'a> {
    light: &'a Light<'a>,
    nodes: [[i32; LANES]; 2],
    /// Share of the way to the next node.
    past: [f32x16; 2],
}

impl LightRun<'_> {
    #[inline(always)]
    fn at(&self, lane: usize) -> Rgba {
        let (x, y) = (self.nodes[0][lane] as u32 as usize, self.nodes[1][lane] as u32 as usize);
        let [fx, fy] = of_lane(&self.past, lane);
        let (fx, fy) = (f32x4::splat(fx), f32x4::splat(fy));
        let (grid, [right, below]) = (self.light.grid, self.light.next);
        let first = y * grid.width() + x;
        let pixels = &grid.pixels()[first..];
        let [a, b] = [f32x4::new(pixels[0]), f32x4::new(pixels[right])];
        let [c, d] = [f32x4::new(pixels[below]), f32x4::new(pixels[below + right])];
        let (top, bottom) = (a + fx * (b - a), c + fx * (d - c));
        (top + fy * (bottom - top)).to_array()
    }
}

/// M̂ along one row of full-size pixels. Equal neighbours give exactly their value, so that 0 and 1 stay what they are.
struct Visible<'a> {
    /// With the last value twice.
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
        line.push(line[w - 1]);
        Self { line, step: (1.0 / job.scale.factor[0]) as f32, start: start as f32, last: (w - 1) as f32 }
    }

    /// From column `x` on.
    #[inline(always)]
    fn along(&self, x: usize) -> f32x16 {
        let x = f32x16::splat(self.start) + ramp(x as f32, 1.0) * f32x16::splat(self.step);
        let (whole, past) = split(x.fast_max(f32x16::ZERO).fast_min(f32x16::splat(self.last)));
        let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            let first = whole[lane] as u32 as usize;
            (a[lane], b[lane]) = (self.line[first], self.line[first + 1]);
        }
        let (a, b) = (f32x16::new(a), f32x16::new(b));
        a + past * (b - a)
    }
}
