//! Where an occluder's points go from one frame to the next.
//!
//! Flow between two frames follows the surface as well, and most of all where it matters here, at the occluder's edge,
//! where both show. So the surface is taken out of the pictures first: what lies beyond the cut gets the occluder's
//! colour nearby, and a step in brightness by which outlines are followed where the occluder has no texture. What the
//! flow then says well inside is carried on across the edge.

use super::near::{Near, cells};
use crate::flow::{Dis, OpticalFlow, consistency};
use crate::frame::{Image, Rect, Vec2, bilinear, bilinear_or, gaussian};
use crate::linear::Band;
use crate::mask::Cut;

/// Step in brightness at the cut, levels, and its softness in pixels.
const STEP: f32 = 40.0;
const STEP_BLUR: f32 = 0.7;
/// Round-trip error of a flow, pixels, and difference in brightness, levels, up to which it is about right.
const ROUND_TRIP: f32 = 0.5;
const UNLIKE: f32 = 20.0;
/// Side in pixels of the cells that flow is kept for.
const CELL: usize = 4;
/// Fewest pixels of believed flow that tell a motion.
const LEAST: f32 = 100.0;
/// Pixels over which motion is alike but for what is common to the whole occluder, …
const ALIKE: f32 = 15.0;
/// … and the share of believed pixels within them from which they are heard rather than the whole.
const HEARD: f32 = 0.1;
/// Rounds of fitting the common motion, and the misfit in pixels from which a cell counts for little in it.
const ROUNDS: usize = 8;
const MISFIT: f32 = 0.5;
/// Resistance of the common motion to scale and turn, in pixels of belief (weak: against flat places only).
const STIFF: [f64; 3] = [1e-3, 10.0, 10.0];
/// Pixels to one unit of its coordinates.
const UNIT: f32 = 100.0;

/// A cut's occluder without the surface, over the cut's part of the frame.
pub(super) struct Layer {
    part: Rect,
    /// Brightness, levels, carried on beyond the occluder.
    picture: Image<f32>,
    /// Share of a pixel's surroundings that the occluder does not show in.
    beyond: Image<f32>,
    /// Which pixels show the occluder.
    occluder: Image<bool>,
    /// Mean brightness of the occluder.
    mean: f32,
}

/// Displacements, in pixels, of an occluder's points to another frame.
#[derive(Debug, Clone)]
pub(super) struct Motion {
    part: Rect,
    common: Affine,
    /// What cells move besides.
    rest: Image<Vec2>,
}

impl Layer {
    /// `None` where nothing stands before the surface.
    pub(super) fn of(cut: &Cut) -> Option<Self> {
        let occluder = cut.surface.map(|s| !s);
        let shown = occluder.pixels().iter().filter(|o| **o).count();
        if shown == 0 {
            return None;
        }
        let brightness = cut.frame.map(|c| (c[0] + c[1] + c[2]) / 3.0);
        let all = brightness.pixels().iter().zip(occluder.pixels());
        let mean = all.map(|(v, o)| if *o { f64::from(*v) } else { 0.0 }).sum::<f64>() / shown as f64;
        let mean = mean as f32;
        let soft = gaussian(&occluder.map(|o| f32::from(*o)), STEP_BLUR);
        // A pixel at the very edge is mixed.
        let pure = soft.map(|s| (2.0 * s - 1.0).max(0.0));
        let near = Near::of(&brightness.zip(&pure, |v, p| [v * p, p]));
        let (w, h) = occluder.size();
        let picture = Image::from_fn(w, h, |x, y| {
            let at = (x, y);
            let filled = || match near.at(at) {
                [_, weight] if weight < 1e-12 => mean,
                [sum, weight] => sum / weight,
            };
            if occluder[at] { brightness[at] } else { filled() }
        });
        let beyond = soft.map(|s| 1.0 - s);
        Some(Self { part: cut.predicted.part, picture, beyond, occluder, mean })
    }

    /// The picture over a larger part of the frame, with a step in brightness where the occluder ends, and where it shows
    /// the occluder.
    fn over(&self, part: Rect, step: f32) -> (Image<f32>, Image<f32>) {
        let mut picture = Image::new(part.width(), part.height(), self.mean + step);
        let mut shown = Image::new(part.width(), part.height(), 0.0);
        let (x0, y0) = ((self.part.x0 - part.x0) as usize, (self.part.y0 - part.y0) as usize);
        for y in 0..self.picture.height() {
            for (x, v) in self.picture.row(y).iter().enumerate() {
                picture[(x + x0, y + y0)] = v + step * self.beyond[(x, y)];
                shown[(x + x0, y + y0)] = f32::from(self.occluder[(x, y)]);
            }
        }
        (picture, shown)
    }
}

impl Motion {
    /// From one frame's occluder to another's, and back; `None` where too little of it is found again.
    pub(super) fn both_ways(a: &Layer, b: &Layer) -> [Option<Self>; 2] {
        let part = a.part.union(&b.part);
        // The same for both pictures, whatever light falls on either, and away from black and white.
        let step = if a.mean + b.mean > 255.0 { -STEP } else { STEP };
        let (seen_a, seen_b) = (a.over(part, step), b.over(part, step));
        let [grey_a, grey_b] = [&seen_a.0, &seen_b.0].map(|p| p.map(|v| [*v, *v, *v, 0.0]));
        let engine = Dis::fine();
        // Pictures too small for the engine tell nothing.
        let Ok((there, back)) = engine.both_ways(&grey_a, &grey_b) else { return [None, None] };
        let one = |from: &Layer, seen: [&(Image<f32>, Image<f32>); 2], [flow, back]: [&Image<Vec2>; 2]| {
            let believed = believed(seen, [flow, back])?;
            Self::of(
                &believed.crop(Rect::new(
                    from.part.x0 - part.x0,
                    from.part.y0 - part.y0,
                    from.part.x1 - part.x0,
                    from.part.y1 - part.y0,
                )),
                from.part,
            )
        };
        [one(a, [&seen_a, &seen_b], [&there, &back]), one(b, [&seen_b, &seen_a], [&back, &there])]
    }

    /// From each pixel's displacement times belief, and belief.
    fn of(believed: &Image<[f32; 3]>, part: Rect) -> Option<Self> {
        let sums = cells(believed, CELL);
        if sums.pixels().iter().map(|s| s[2]).sum::<f32>() < LEAST {
            return None;
        }
        let common = Affine::fit(&sums, part)?;
        let (w, h) = sums.size();
        let full = (CELL * CELL) as f32;
        let off = Image::from_fn(w, h, |x, y| {
            let (s, whole) = (sums[(x, y)], common.at(centre(part, x, y)));
            [(s[0] - s[2] * whole[0]) / full, (s[1] - s[2] * whole[1]) / full, s[2] / full]
        });
        let rest = gaussian(&off, ALIKE / CELL as f32).map(|s| [0, 1].map(|k| s[k] / (s[2] + HEARD)));
        Some(Self { part, common, rest })
    }

    /// Of the point at a frame position.
    pub(super) fn at(&self, p: Vec2) -> Vec2 {
        let place = |k: usize| {
            let corner = [self.part.x0, self.part.y0][k] as f32;
            (p[k] - corner + 0.5) / CELL as f32 - 0.5
        };
        let (whole, rest) = (self.common.at(p), bilinear(&self.rest, [place(0), place(1)]));
        [whole[0] + rest[0], whole[1] + rest[1]]
    }
}

/// Displacement of each pixel times how far it is believed, and that: it shows the occluder in both pictures, alike, and
/// the way back leads to where it came from.
fn believed(
    [from, to]: [&(Image<f32>, Image<f32>); 2],
    [flow, back]: [&Image<Vec2>; 2],
) -> Option<Image<[f32; 3]>> {
    let trip = consistency(flow, back).ok()?;
    let (w, h) = flow.size();
    Some(Image::from_fn(w, h, |x, y| {
        let at = (x, y);
        if from.1[at] == 0.0 || !trip[at].is_finite() {
            return [0.0; 3];
        }
        let [u, v] = flow[at];
        let there = [x as f32 + u, y as f32 + v];
        let unlike = bilinear(&to.0, there) - from.0[at];
        let misfit = (trip[at] / ROUND_TRIP).powi(2) + (unlike / UNLIKE).powi(2);
        let belief = bilinear_or(&to.1, there, 0.0) * (-0.5 * misfit).exp();
        [belief * u, belief * v, belief]
    }))
}

/// Frame position of a cell's centre.
fn centre(part: Rect, x: usize, y: usize) -> Vec2 {
    let mid = |v: usize, corner: i32| corner as f32 + (v * CELL) as f32 + 0.5 * (CELL as f32 - 1.0);
    [mid(x, part.x0), mid(y, part.y0)]
}

/// A motion that is linear in the position.
#[derive(Debug, Clone, Copy)]
struct Affine {
    origin: Vec2,
    /// Of x and of y: shift, and change along x and y.
    rows: [[f32; 3]; 2],
}

impl Affine {
    fn basis(&self, p: Vec2) -> [f32; 3] {
        [1.0, (p[0] - self.origin[0]) / UNIT, (p[1] - self.origin[1]) / UNIT]
    }

    fn at(&self, p: Vec2) -> Vec2 {
        let basis = self.basis(p);
        self.rows.map(|row| (0..3).map(|k| row[k] * basis[k]).sum())
    }

    /// That of most cells' believed displacements.
    fn fit(sums: &Image<[f32; 3]>, part: Rect) -> Option<Self> {
        let (w, h) = sums.size();
        let all = (0..h).flat_map(|y| (0..w).map(move |x| (x, y))).filter(|at| sums[*at][2] > 0.0);
        let told: Vec<(Vec2, Vec2, f32)> = all
            .map(|at| {
                let [u, v, belief] = sums[at];
                (centre(part, at.0, at.1), [u / belief, v / belief], belief)
            })
            .collect();
        let whole: f64 = told.iter().map(|t| f64::from(t.2)).sum();
        let mean = |k: usize| (told.iter().map(|t| f64::from(t.0[k] * t.2)).sum::<f64>() / whole) as f32;
        let mut found = Self { origin: [mean(0), mean(1)], rows: [[0.0; 3]; 2] };
        for round in 0..ROUNDS {
            let mut normal = Band::new(3, 2);
            (0..3).for_each(|k| normal.add(k, k, STIFF[k]));
            let mut right = [[0.0f64; 3]; 2];
            for (p, moved, belief) in &told {
                let (basis, now) = (found.basis(*p), found.at(*p));
                let misfit = ((moved[0] - now[0]).powi(2) + (moved[1] - now[1]).powi(2)) / (MISFIT * MISFIT);
                let weight = f64::from(if round == 0 { *belief } else { belief / (1.0 + misfit) });
                for i in 0..3 {
                    (0..=i).for_each(|j| normal.add(i, j, weight * f64::from(basis[i] * basis[j])));
                    (0..2).for_each(|c| right[c][i] += weight * f64::from(basis[i] * moved[c]));
                }
            }
            let factor = normal.factor()?;
            right.iter_mut().for_each(|r| factor.solve(r));
            found.rows = right.map(|r| r.map(|v| v as f32));
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matte::tests::before_a_surface;

    /// A disc of some brightness in each frame that turns and moves before a surface that moves the other way.
    fn moved(texture: f32, brightness: [f32; 2]) -> [Layer; 2] {
        let grain =
            |p: Vec2| texture * ((0.55 * p[0]).sin() * (0.4 * p[1]).cos() + (0.31 * (p[0] + p[1])).sin());
        let at = |(turn, brightness): (Turn, f32)| {
            before_a_surface(turn.shift[0] * -0.5, |x, y| {
                let p = turn.back([x, y]);
                let share = (30.5 - (p[0] - 60.0).hypot(1.3 * (p[1] - 50.0))).clamp(0.0, 1.0);
                (share, [brightness + grain(p), brightness, brightness, 0.0])
            })
        };
        [at((Turn::NONE, brightness[0])), at((TURN, brightness[1]))].map(|cut| Layer::of(&cut).unwrap())
    }

    /// A small turn about the middle and a shift.
    struct Turn {
        angle: f32,
        shift: Vec2,
    }

    const TURN: Turn = Turn { angle: 0.03, shift: [7.3, -4.2] };

    impl Turn {
        const NONE: Self = Self { angle: 0.0, shift: [0.0; 2] };

        fn on(&self, p: Vec2) -> Vec2 {
            let (s, c) = self.angle.sin_cos();
            let (x, y) = (p[0] - 60.0, p[1] - 50.0);
            [60.0 + c * x - s * y + self.shift[0], 50.0 + s * x + c * y + self.shift[1]]
        }

        fn back(&self, p: Vec2) -> Vec2 {
            let (s, c) = self.angle.sin_cos();
            let (x, y) = (p[0] - 60.0 - self.shift[0], p[1] - 50.0 - self.shift[1]);
            [60.0 + c * x + s * y, 50.0 - s * x + c * y]
        }
    }

    /// Largest error about the disc's rim, pixels.
    fn off(texture: f32, brightness: [f32; 2]) -> f32 {
        let [a, b] = moved(texture, brightness);
        let [on, back] = Motion::both_ways(&a, &b);
        let (on, back) = (on.unwrap(), back.unwrap());
        (0..24).fold(0.0f32, |most, k| {
            let (s, c) = (k as f32 / 24.0 * std::f32::consts::TAU).sin_cos();
            let p = [60.0 + 29.0 * c, 50.0 + 22.0 * s];
            let q = TURN.on(p);
            let miss = |found: Vec2, from: Vec2, to: Vec2| {
                (from[0] + found[0] - to[0]).hypot(from[1] + found[1] - to[1])
            };
            most.max(miss(on.at(p), p, q)).max(miss(back.at(q), q, p))
        })
    }

    #[test]
    fn an_occluders_rim_goes_where_its_texture_goes() {
        let off = off(20.0, [100.0; 2]);
        assert!(off < 0.25, "{off}");
    }

    #[test]
    fn an_occluder_without_texture_is_followed_by_its_outline() {
        let off = off(0.0, [100.0; 2]);
        assert!(off < 1.2, "{off}");
    }

    /// In the middle between black and white, with a little more light from one frame to the next.
    #[test]
    fn an_outline_is_followed_whatever_the_occluders_brightness() {
        let off = off(0.0, [125.0, 130.0]);
        assert!(off < 1.2, "{off}");
    }

    #[test]
    fn nothing_before_the_surface_has_no_layer() {
        assert!(Layer::of(&before_a_surface(0.0, |_, _| (0.0, [0.0; 4]))).is_none());
    }
}
