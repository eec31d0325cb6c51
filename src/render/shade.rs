//! The work of a pixel: what a row of the output becomes, for the edit and for every view.

use super::along::{Light, LightRun, Visible};
use super::edit::PAD;
use super::gather::{Taps, gather};
use super::grain::Grain;
use super::kernel::Kernel;
use super::sample::{LANES, Picture, ROUNDING, Rows, share};
use super::warp::{Lines, Part, Run, Spot, Warp};
use crate::atlas::Placement;
use crate::frame::{EXPOSURE, Image, Pixel, Rgba, Scale, Vec2};
use crate::param::View;
use wide::{f32x4, f32x16};

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
    pub(super) grain: Grain,
    /// Largest value that the frames can hold.
    pub(super) ceiling: f32,
    /// Frame size over working size.
    pub(super) scale: Scale,
    /// Of the reference frame.
    pub(super) size: [usize; 2],
}

impl Job<'_> {
    /// Changes the part of row `y` from column `x0` on that `out` holds. `source` is the frame's own row there, for
    /// [`View::Difference`].
    #[inline(always)]
    pub(super) fn row(
        &self,
        kernel: impl Kernel,
        (y, x0): (usize, usize),
        source: &[Rgba],
        out: &mut [Rgba],
        lines: &mut Lines,
    ) {
        match self.view {
            View::Result | View::Checker => self.edit_row(kernel, (y, x0), out, lines),
            _ => self.view_row(kernel, (y, x0), source, out, lines),
        }
    }

    #[inline(always)]
    fn edit_row(&self, kernel: impl Kernel, (y, x0): (usize, usize), out: &mut [Rgba], lines: &mut Lines) {
        let Some((paint, part)) = self.paint else { return };
        let light = Light::new(self.light, self.atlas.full.size());
        let mut line = std::mem::take(&mut lines.matte);
        let visible = Visible::new(self.matte, self.scale, (y, x0..x0 + out.len()), &mut line);
        let rows = [paint, self.atlas].map(|p| Rows::new(p.full));
        let blend =
            Blend { kernel, paint, atlas: self.atlas, rows, ceiling: self.ceiling, grain: self.grain };
        self.warp.walk(
            y,
            (x0, x0 + out.len()),
            lines,
            #[inline(always)]
            |run| {
                let v = match visible.along(run.x) {
                    // Most runs are wholly visible or wholly hidden.
                    Ok(v) if v * self.opacity <= 0.0 => return,
                    Ok(v) => f32x16::splat(v * self.opacity),
                    Err(v) => v * f32x16::splat(self.opacity),
                };
                let v = if run.inside { v } else { v & part.holds_lanes(&run.at, self.warp.reach) };
                if !run.inside && v.simd_le(f32x16::ZERO).all() {
                    return;
                }
                let columns = run.columns();
                let out = &mut out[columns.start - x0..columns.end - x0];
                blend.run(&run, (&v.to_array(), &light.along(run.at)), out);
            },
        );
        lines.matte = line;
    }

    #[inline(always)]
    fn view_row(
        &self,
        kernel: impl Kernel,
        (y, x0): (usize, usize),
        source: &[Rgba],
        out: &mut [Rgba],
        lines: &mut Lines,
    ) {
        let light = Light::new(self.light, self.atlas.full.size());
        let mut line = std::mem::take(&mut lines.matte);
        let visible = Visible::new(self.matte, self.scale, (y, x0..x0 + out.len()), &mut line);
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
                    let a = fetch(kernel, self.atlas, &spot, 0.0);
                    let coverage = share(a[3]);
                    if coverage <= 0.0 {
                        return;
                    }
                    let pixel = &mut out[spot.x - x0];
                    let l = light.at(spot.at);
                    let v = visible.at(spot.x);
                    let reference = self.placement.to_reference(spot.at);
                    for c in 0..3 {
                        let lit = (l[c] * a[c]).min(self.ceiling);
                        pixel[c] = match self.view {
                            View::Atlas => pixel[c] + coverage * (lit - pixel[c]),
                            View::Matte => pixel[c].max(v * coverage),
                            View::Light => pixel[c] + coverage * (0.5 * l[c] - pixel[c]),
                            View::Difference => pixel[c] + (source[spot.x - x0][c] - lit) * v * coverage,
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

/// What the pixels of a row are blended from.
#[derive(Clone, Copy)]
struct Blend<'a, K> {
    kernel: K,
    paint: Picture<'a>,
    atlas: Picture<'a>,
    /// Of the paint and of the atlas; made once a row.
    rows: [Rows<'a>; 2],
    ceiling: f32,
    grain: Grain,
}

/// How far the surface shows at each pixel of a run, and its light.
type Shown<'a> = (&'a [f32; LANES], &'a LightRun<'a>);

impl<K: Kernel> Blend<'_, K> {
    /// Changes the pixels of a run.
    #[inline(always)]
    fn run(&self, run: &Run, shown: Shown, out: &mut [Rgba]) {
        if !run.sharp() {
            return self.reduced(run, shown, out);
        }
        // Most runs are sharp, and a pixel is then finished before the next is begun.
        let pad = f32x16::splat(PAD as f32);
        let padded = [run.at[0] + pad, run.at[1] + pad];
        let Some([mx, my]) = run.motion else { return self.sharp(run, shown, out, [Taps::new(padded)]) };
        let taps = |t: f32| {
            let t = f32x16::splat(t);
            Taps::new([padded[0] + mx * t, padded[1] + my * t])
        };
        let [a, b, c, d] = EXPOSURE;
        self.sharp(run, shown, out, [taps(a), taps(b), taps(c), taps(d)]);
    }

    /// Where one sample is enough at each of `N` moments.
    #[inline(always)]
    fn sharp<const N: usize>(&self, run: &Run, shown: Shown, out: &mut [Rgba], taps: [Taps; N]) {
        let [paint, atlas] = &self.rows;
        let white = f32x4::splat(self.ceiling);
        pixels(
            run,
            shown,
            (out, self.grain),
            #[inline(always)]
            |lane, light| {
                // What is painted brighter than white stays so.
                let limit = |p: f32x4| within((white * alpha(p)).fast_max(p), light, p);
                mean(self.kernel, &taps, lane, paint, (0, run.inside), limit)
            },
            // The atlas is not padded as paint is.
            #[inline(always)]
            |lane, light| {
                mean(self.kernel, &taps, lane, atlas, (PAD as i32, run.inside), |a| within(white, light, a))
            },
        );
    }

    /// Where a pixel has a footprint: all pixels of the run take a sample of it before the next is taken.
    #[inline(always)]
    fn reduced(&self, run: &Run, shown: Shown, out: &mut [Rgba]) {
        let visible = shown.0;
        let shows = visible.map(|v| v > 0.0);
        let mut cell = shown.1.none();
        let shares: [Rgba; LANES] = std::array::from_fn(|lane| shown.1.at(lane, &mut cell));
        let light = shares.map(gains);
        let white = f32x4::splat(self.ceiling);
        // What is painted brighter than white stays so.
        let limit = |lane: usize, p: f32x4| within((white * alpha(p)).fast_max(p), light[lane], p);
        let paint = gather(self.kernel, self.paint, PAD as f32, run, (&shows, limit)).map(f32x4::to_array);
        // (What was not sampled has no alpha.)
        let mixes = std::array::from_fn(|lane| {
            let covered = visible[lane] >= 1.0 && paint[lane][3] >= OPAQUE;
            paint[lane][3] > 0.0 && (!covered || self.grain.lies(shares[lane]))
        });
        let atlas = if mixes.contains(&true) {
            let limit = |lane: usize, a: f32x4| within(white, light[lane], a);
            gather(self.kernel, self.atlas, 0.0, run, (&mixes, limit)).map(f32x4::to_array)
        } else {
            [[0.0; 4]; LANES]
        };
        pixels(
            run,
            shown,
            (out, self.grain),
            #[inline(always)]
            |lane, _| paint[lane],
            #[inline(always)]
            |lane, _| atlas[lane],
        );
    }
}

/// A sample of a picture, reduced to what under its `light` is just `white`: a frame holds nothing brighter, and what
/// cannot be shown must not outshine what it is mixed with.
#[inline(always)]
fn within(white: f32x4, light: f32x4, sample: f32x4) -> f32x4 {
    sample.fast_min(white / light)
}

/// The alpha of a sample, four times.
#[inline(always)]
fn alpha(sample: f32x4) -> f32x4 {
    f32x4::splat(sample.to_array()[3])
}

/// A picture at `N` moments.
#[inline(always)]
fn mean<const N: usize>(
    kernel: impl Kernel,
    taps: &[Taps; N],
    lane: usize,
    rows: &Rows,
    how: (i32, bool),
    limit: impl Fn(f32x4) -> f32x4,
) -> Rgba {
    let mut sum = limit(taps[0].sample(kernel, lane, rows, how));
    for taps in &taps[1..] {
        sum += limit(taps.sample(kernel, lane, rows, how));
    }
    if N > 1 { (sum * f32x4::splat(1.0 / N as f32)).to_array() } else { sum.to_array() }
}

/// Changes the pixels of a run, given what the paint and the atlas are at each, and under its light.
#[inline(always)]
fn pixels(
    run: &Run,
    (visible, light): Shown,
    (out, grain): (&mut [Rgba], Grain),
    paint: impl Fn(usize, f32x4) -> Rgba,
    atlas: impl Fn(usize, f32x4) -> Rgba,
) {
    let mut cell = light.none();
    for (lane, pixel) in run.lanes.clone().zip(out) {
        let v = visible[lane];
        if v <= 0.0 {
            continue;
        }
        let shares = light.at(lane, &mut cell);
        let l = gains(shares);
        let p = paint(lane, l);
        if p[3] > 0.0 {
            *pixel = if v < 1.0 || p[3] < OPAQUE {
                mixed(*pixel, v, l, p, atlas(lane, l))
            } else if grain.lies(shares) {
                keeping_alpha(
                    *pixel,
                    grain.over(covered(l, p), *pixel, l * f32x4::new(atlas(lane, l)), shares),
                )
            } else {
                keeping_alpha(*pixel, covered(l, p))
            };
        }
    }
}

/// Opaque paint on a wholly visible surface: L · P.
#[inline(always)]
fn covered(l: f32x4, paint: Rgba) -> f32x4 {
    let over = 1.0 / paint[3];
    l * (f32x4::new(paint) * f32x4::splat(over))
}

/// L of the colours, and 1 for what is no colour.
#[inline(always)]
fn gains([r, g, b, _]: Rgba) -> f32x4 {
    f32x4::new([r, g, b, 1.0])
}

/// A pixel in another colour. (Put together as one vector: stored in parts, it would take several times as long.)
#[inline(always)]
fn keeping_alpha(pixel: Rgba, colour: f32x4) -> Rgba {
    const ALPHA: f32x4 = f32x4::new([0.0, 0.0, 0.0, f32::from_bits(u32::MAX)]);
    ALPHA.bitselect(f32x4::new(pixel), colour).to_array()
}

/// Eq. 13 for paint of any alpha: c + v · L · (αP − α·A).
#[inline(always)]
fn mixed(c: Rgba, v: f32, l: f32x4, paint: Rgba, atlas: Rgba) -> Rgba {
    // Alpha above 1 is a cubic kernel's overshoot, and colour has the same.
    let (over, alpha) = if paint[3] >= OPAQUE { (1.0 / paint[3], 1.0) } else { (1.0, paint[3]) };
    let change = f32x4::new(paint) * f32x4::splat(over) - f32x4::splat(alpha) * f32x4::new(atlas);
    keeping_alpha(c, f32x4::new(c) + f32x4::splat(v) * l * change)
}

/// A picture at a pixel's position: its mean over the footprint, and over four moments while the shutter is open.
#[inline(always)]
fn fetch(kernel: impl Kernel, picture: Picture, spot: &Spot, shift: f32) -> Rgba {
    let at = [spot.at[0] + shift, spot.at[1] + shift];
    let Some(m) = spot.motion else {
        return match spot.jacobian {
            None => picture.cubic(kernel, at),
            Some(j) => picture.filtered_by(kernel, at, j),
        };
    };
    // Filtered without a footprint is cubic: one loop for both.
    let jacobian = spot.jacobian.unwrap_or_default();
    let mut sum = [0.0; 4];
    for k in EXPOSURE {
        let moment = [at[0] + k * m[0], at[1] + k * m[1]];
        sum = sum.add(picture.filtered_by(kernel, moment, jacobian), 0.25);
    }
    sum
}
