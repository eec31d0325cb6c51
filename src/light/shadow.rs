//! Shadows on the surface: what stands close in front of it takes light from part of it.
//!
//! The gain of a whole region is too coarse for that. A shadow is told from something dark in front by the surface itself,
//! which goes on under it, texture, hue and all, as much weaker as it is darker. Where gloss is lost, too, the surface loses
//! the same amount whatever its colour: what is left is g · A + v, with a gain g and a veil v up to 0.
//!
//! Gain and veil are fitted per frame on a fine grid, robustly and from coarse to fine: first by what is plainly the
//! surface, lit or in shadow, then by all that fits where the shadow is found to reach. Elsewhere nothing is changed.

use super::{CLIPPED, place};
use crate::frame::{Image, Rgba, Vec2, bilinear, opponent};
use crate::linear::Band;
use std::ops::Range;

/// Gain and veil (levels) on a grid of nodes over the canvas; corner nodes lie on its corner pixels.
pub type Shadow = Image<Vec2>;

/// What a node that lies in the light has.
pub(super) const LIT: Vec2 = [1.0, 0.0];

/// Canvas pixels between nodes, about.
const STEP: usize = 8;
/// Levels of veil that weigh as much as a gain of 1.
const VEIL: f64 = 100.0;
/// Weight of differences between neighbouring nodes …
const SMOOTH: f64 = 150.0;
/// … of all shadow, where one may be: a node that nothing is known of is in the light, …
const UNKNOWN: f64 = 4.0;
/// … and where none is.
const NONE: f64 = 1e9;
/// Darkest shadow, and most that gloss can lose, levels.
pub(super) const DARKEST: f32 = 0.3;
const MOST_VEIL: f32 = -40.0;
/// Times the noise beyond which a pixel is not what is expected, by round: at first no shadow is.
const SIGMAS: [f32; 9] = [10.0, 6.0, 4.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0];
/// Round from which on shadows are held to where they are certain.
const CERTAIN: usize = 5;
/// Times the noise up to which a pixel is what is expected.
const SAME: f32 = 3.0;
/// Share of the pixels about a cell that must fit where texture goes on (that fit to the noise count as 0.64), and how many
/// times their misfits the texture must be.
const TEXTURED: f32 = 0.35;
const TEXTURE: f32 = 4.0;
/// Share that must fit where there is no texture, and the darkest such shadow: something dark would fit, too.
const PLAIN: f32 = 0.55;
const DARKEST_PLAIN: f32 = 0.5;
/// Least loss of light that is a shadow, …
const LEAST: f32 = 0.06;
/// … what of the misfit it may leave, …
const LEFT: f32 = 0.25;
/// … and the change of hue against the loss up to which hue is kept: hair in front of the surface darkens it, too, but
/// has a colour.
const HUE: f32 = 0.15;
/// Fewest cells side by side that make a shadow, the share of them that must keep their hue, as light that is thrown back
/// may have any, and cells about them that the shadow may fade in.
const FEWEST: usize = 6;
const KEPT: f32 = 0.25;
const FADES: usize = 4;

/// A pixel of one frame, looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Where it lies on the canvas.
    pub at: Vec2,
    /// What the surface should look like there in the region's light, levels.
    pub surface: Rgba,
    /// What the frame shows, levels.
    pub seen: Rgba,
}

/// Size of the grid for a canvas of `size` pixels: about a node every [`STEP`], with those of the coarse light among them.
pub(super) fn grid(size: (usize, usize), coarse: (usize, usize)) -> (usize, usize) {
    let fine = |side: usize, nodes: usize| {
        let cells = nodes.max(2) - 1;
        cells * (side / (STEP * cells)).max(1) + 1
    };
    (fine(size.0, coarse.0), fine(size.1, coarse.1))
}

/// The shadows in one frame, where there are any, on a grid of `nodes` over a canvas of `size` pixels; `noise` is what
/// pixels are off by for no reason, levels.
pub(super) fn find(
    size: (usize, usize),
    nodes: (usize, usize),
    looks: &[Look],
    noise: f32,
) -> Option<Shadow> {
    let fit = Fit::new(size, nodes, looks, noise);
    let mut shadow = Image::new(nodes.0, nodes.1, LIT);
    let mut reach = fit.unlit()?;
    for (round, sigma) in SIGMAS.into_iter().enumerate() {
        shadow = fit.solve(&fit.weights(&shadow, sigma * noise), &reach)?;
        if round >= CERTAIN {
            reach = fit.reach(&shadow)?;
        }
    }
    Some(shadow.zip(&reach, |s, reached| if reached { s } else { LIT }))
}

/// A colour of the surface in a shadow.
#[inline(always)]
fn under(surface: Rgba, [gain, veil]: Vec2) -> Rgba {
    [0, 1, 2, 3].map(|c| if c < 3 { (surface[c] * gain + veil).max(0.0) } else { surface[c] })
}

/// Mean of the channels, levels.
pub(super) fn brightness(c: Rgba) -> f32 {
    (c[0] + c[1] + c[2]) / 3.0
}

/// Mean square of the difference, levels².
fn misfit(a: Rgba, b: Rgba) -> f32 {
    (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f32>() / 3.0
}

/// What one frame shows, and where it lies among the nodes.
struct Fit<'a> {
    nodes: (usize, usize),
    looks: &'a [Look],
    /// Per look: the cell of four nodes about it, and the way from the first to the next, right and down.
    places: Vec<((usize, usize), Vec2)>,
    noise: f32,
}

/// What a cell's pixels add up to.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Pixels, and weights of those that fit.
    count: f32,
    weight: f32,
    /// Weighted: misfits, brightness in the light, and the expected colours and their squares.
    left: f32,
    bright: f32,
    colours: [f32; 3],
    squares: [f32; 3],
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.weight += other.weight;
        self.left += other.left;
        self.bright += other.bright;
        (0..3).for_each(|c| self.colours[c] += other.colours[c]);
        (0..3).for_each(|c| self.squares[c] += other.squares[c]);
    }

    /// Whether this is plainly the surface: its texture goes on, or, where it has none, all of it fits.
    fn is_surface(&self) -> bool {
        let w = self.weight.max(1e-6);
        let variance = |c: usize| self.squares[c] / w - (self.colours[c] / w).powi(2);
        let texture = (0..3).map(variance).sum::<f32>() / 3.0;
        let textured = self.weight > TEXTURED * self.count && texture > TEXTURE * self.left / w;
        let dark = self.colours.iter().sum::<f32>() / 3.0;
        textured || (self.weight > PLAIN * self.count && dark > DARKEST_PLAIN * self.bright)
    }
}

impl<'a> Fit<'a> {
    fn new(size: (usize, usize), nodes: (usize, usize), looks: &'a [Look], noise: f32) -> Self {
        let among = |l: &Look| {
            let ((i, fx), (j, fy)) = (place(l.at[0], size.0, nodes.0), place(l.at[1], size.1, nodes.1));
            ((i, j), [fx, fy])
        };
        Self { nodes, looks, places: looks.iter().map(among).collect(), noise }
    }

    /// What a pixel should show in a shadow.
    fn expected(&self, shadow: &Shadow, k: usize) -> Rgba {
        let ((i, j), [fx, fy]) = self.places[k];
        under(self.looks[k].surface, bilinear(shadow, [i as f32 + fx, j as f32 + fy]))
    }

    fn cells(&self) -> (usize, usize) {
        (self.nodes.0 - 1, self.nodes.1 - 1)
    }

    /// Whether a misfit is but noise.
    fn is_noise(&self, misfit: f32) -> bool {
        misfit < (SAME * self.noise).powi(2)
    }

    /// How far each pixel is believed: it fits within `sigma` levels, and is either just as expected, in the light or in
    /// the shadow, or among what is plainly the surface.
    fn weights(&self, shadow: &Shadow, sigma: f32) -> Vec<f32> {
        let (w, h) = self.cells();
        let expected: Vec<Rgba> = (0..self.looks.len()).map(|k| self.expected(shadow, k)).collect();
        let weigh = |(l, e): (&Look, &Rgba)| 1.0 / (1.0 + misfit(l.seen, *e) / (sigma * sigma)).powi(2);
        let weights: Vec<f32> = self.looks.iter().zip(&expected).map(weigh).collect();
        let mut sums = vec![Sums::default(); w * h];
        for (k, (look, e)) in self.looks.iter().zip(&expected).enumerate() {
            let ((i, j), weight) = (self.places[k].0, weights[k]);
            sums[j * w + i].add(&Sums {
                count: 1.0,
                weight,
                left: weight * misfit(look.seen, *e),
                bright: weight * brightness(look.surface),
                colours: [0, 1, 2].map(|c| weight * e[c]),
                squares: [0, 1, 2].map(|c| weight * e[c] * e[c]),
            });
        }
        let plainly = Image::from_fn(w, h, |x, y| {
            let mut about = Sums::default();
            around((x, y), 1, (w, h)).for_each(|(u, v)| about.add(&sums[v * w + u]));
            about.is_surface()
        });
        let believed = |(k, weight): (usize, f32)| {
            let look = &self.looks[k];
            let same = |c: Rgba| self.is_noise(misfit(look.seen, c));
            let counts = plainly[self.places[k].0] || same(look.surface) || same(expected[k]);
            if counts { weight } else { 0.0 }
        };
        weights.into_iter().enumerate().map(believed).collect()
    }

    /// The nodes that shadows may reach at most; `None` where all is as in the light.
    fn unlit(&self) -> Option<Image<bool>> {
        let (w, h) = self.cells();
        let mut sums = Image::new(w, h, [0.0f32; 2]);
        for (look, (cell, _)) in self.looks.iter().zip(&self.places) {
            sums[*cell][0] += 1.0;
            sums[*cell][1] += misfit(look.seen, look.surface);
        }
        let off = sums.map(|[n, lit]| *n > 0.0 && !self.is_noise(lit / n));
        Some(self.about(&groups(&off, |cells| cells.len() >= FEWEST)?))
    }

    /// The nodes that shadows reach; `None` where there are none.
    fn reach(&self, shadow: &Shadow) -> Option<Image<bool>> {
        let (w, h) = self.cells();
        // Per cell: pixels, misfit in the light and in the shadow, brightness, loss, and what colours are off by.
        let mut sums = Image::new(w, h, [0.0f32; 8]);
        for (k, look) in self.looks.iter().enumerate() {
            let dark = self.expected(shadow, k);
            let bright = brightness(look.surface);
            let off = [0, 1, 2].map(|c| look.seen[c] - dark[c]);
            let misfits = [misfit(look.seen, look.surface), misfit(look.seen, dark)];
            let add =
                [1.0, misfits[0], misfits[1], bright, bright - brightness(dark), off[0], off[1], off[2]];
            let sum = &mut sums[self.places[k].0];
            (0..8).for_each(|i| sum[i] += add[i]);
        }
        let explained = sums.map(|[n, lit, left, bright, loss, ..]| {
            let noise = !self.is_noise(lit / n) && self.is_noise(left / n);
            *n > 0.0 && noise && *left < LEFT * lit && *loss > LEAST * bright
        });
        let kept = groups(&explained, |cells| {
            let keeps_hue = |[_, _, _, _, loss, r, g, b]: [f32; 8]| {
                let [_, p, q, _] = opponent([r, g, b, 0.0]);
                p.hypot(q) < HUE * loss
            };
            let kept = cells.iter().filter(|cell| keeps_hue(sums[**cell])).count();
            cells.len() >= FEWEST && kept as f32 >= KEPT * cells.len() as f32
        })?;
        Some(self.about(&kept))
    }

    /// The nodes up to [`FADES`] cells about some cells.
    fn about(&self, cells: &Image<bool>) -> Image<bool> {
        let (w, h) = cells.size();
        Image::from_fn(w + 1, h + 1, |i, j| {
            // A node lies between the cell of its own number and the one before.
            let along = |n: usize, cells: usize| n.saturating_sub(FADES + 1)..(n + FADES).min(cells);
            each(along(i, w), along(j, h)).any(|cell| cells[cell])
        })
    }

    /// Least squares of gain and veil at all nodes.
    fn solve(&self, weights: &[f32], reach: &Image<bool>) -> Option<Shadow> {
        let (nx, ny) = self.nodes;
        // Numbered along the shorter side: only near numbers are coupled.
        let number = |(i, j): (usize, usize)| if nx <= ny { j * nx + i } else { i * ny + j };
        let mut matrix = Band::new(2 * nx * ny, 2 * (nx.min(ny) + 2));
        let mut right = vec![0.0f64; 2 * nx * ny];
        for (k, weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            let ((i, j), [fx, fy]) = self.places[k];
            // Nodes that no shadow reaches stay what they are.
            if !each(i..i + 2, j..j + 2).any(|node| reach[node]) {
                continue;
            }
            let hats = [
                (number((i, j)), (1.0 - fx) * (1.0 - fy)),
                (number((i + 1, j)), fx * (1.0 - fy)),
                (number((i, j + 1)), (1.0 - fx) * fy),
                (number((i + 1, j + 1)), fx * fy),
            ];
            let [gg, gv, vv, g, v] = self.normal(k, *weight);
            for (p, hp) in hats.map(|(p, h)| (p, f64::from(h))) {
                right[2 * p] += hp * g;
                right[2 * p + 1] += hp * v;
                for (q, hq) in hats.map(|(q, h)| (q, f64::from(h))).into_iter().filter(|(q, _)| *q <= p) {
                    matrix.add(2 * p, 2 * q, hp * hq * gg);
                    matrix.add(2 * p + 1, 2 * q + 1, hp * hq * vv);
                    matrix.add(2 * p + 1, 2 * q, hp * hq * gv);
                    if q < p {
                        matrix.add(2 * p, 2 * q + 1, hp * hq * gv);
                    }
                }
            }
        }
        for (i, j) in each(0..nx, 0..ny) {
            let p = number((i, j));
            let nexts = [(i + 1, j), (i, j + 1)].into_iter().filter(|(i, j)| *i < nx && *j < ny);
            for (p, q) in
                nexts.map(|next| (2 * p, 2 * number(next))).flat_map(|(p, q)| [(p, q), (p + 1, q + 1)])
            {
                matrix.add(p, p, SMOOTH);
                matrix.add(q, q, SMOOTH);
                matrix.add(p, q, -SMOOTH);
            }
            let held = if reach[(i, j)] { UNKNOWN } else { NONE };
            matrix.add(2 * p, 2 * p, held);
            matrix.add(2 * p + 1, 2 * p + 1, held);
            right[2 * p] += held;
        }
        matrix.factor()?.solve(&mut right);
        right.iter().all(|v| v.is_finite()).then(|| {
            Image::from_fn(nx, ny, |i, j| {
                let p = 2 * number((i, j));
                let veil = ((VEIL * right[p + 1]) as f32).clamp(MOST_VEIL, 0.0);
                // Gloss is lost whatever the colour, but white at most stays white.
                [(right[p] as f32).clamp(DARKEST, 1.0 - veil / 255.0), veil]
            })
        })
    }

    /// What a pixel adds to the normal equations, all channels together: gain², gain·veil, veil², and the right side.
    fn normal(&self, k: usize, weight: f32) -> [f64; 5] {
        let look = &self.looks[k];
        let lit = self.is_noise(misfit(look.seen, look.surface));
        let told = |c: &usize| lit || (look.seen[*c] < CLIPPED && look.surface[*c] < CLIPPED);
        let w = f64::from(weight / (self.noise * self.noise));
        let mut sums = [0.0; 5];
        for c in (0..3).filter(told) {
            let (a, f) = (f64::from(look.surface[c]), f64::from(look.seen[c]));
            let add = [a * a, a * VEIL, VEIL * VEIL, a * f, VEIL * f];
            (0..5).for_each(|i| sums[i] += w * add[i]);
        }
        sums
    }
}

fn each(x: Range<usize>, y: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
    y.flat_map(move |y| x.clone().map(move |x| (x, y)))
}

/// A cell and those up to `reach` cells about it.
fn around(
    (x, y): (usize, usize),
    reach: usize,
    (w, h): (usize, usize),
) -> impl Iterator<Item = (usize, usize)> {
    each(x.saturating_sub(reach)..(x + reach + 1).min(w), y.saturating_sub(reach)..(y + reach + 1).min(h))
}

/// The cells of those groups that touch, corners included, which `counts` says are kept; `None` without any.
fn groups(cells: &Image<bool>, counts: impl Fn(&[(usize, usize)]) -> bool) -> Option<Image<bool>> {
    let size = cells.size();
    let mut seen = Image::new(size.0, size.1, false);
    let mut kept = Image::new(size.0, size.1, false);
    let mut any = false;
    for first in each(0..size.0, 0..size.1).filter(|cell| cells[*cell]) {
        let mut group = Vec::new();
        let mut open = vec![first];
        while let Some(cell) = open.pop() {
            if !std::mem::replace(&mut seen[cell], true) {
                group.push(cell);
                open.extend(around(cell, 1, size).filter(|next| cells[*next]));
            }
        }
        if counts(&group) {
            group.into_iter().for_each(|cell| kept[cell] = true);
            any = true;
        }
    }
    any.then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (240, 160);

    fn surface(x: usize, y: usize) -> Rgba {
        let v = 130.0 + 60.0 * (x as f32 * 0.35).sin() * (y as f32 * 0.27).cos();
        [v, 0.8 * v + 20.0, 0.6 * v + 10.0, 0.0]
    }

    /// 1 in the middle of a soft disc, 0 outside it.
    fn disc(x: usize, y: usize) -> f32 {
        ((50.0 - (x as f32 - 90.0).hypot(y as f32 - 80.0)) / 20.0).clamp(0.0, 1.0)
    }

    /// A frame that shows `seen` where the surface is of a colour, with some noise.
    fn frame(surface: impl Fn(usize, usize) -> Rgba, seen: impl Fn(usize, usize, Rgba) -> Rgba) -> Vec<Look> {
        let look = |(x, y): (usize, usize)| {
            let noise = ((x * 7919 + y * 104_729) % 41) as f32 / 10.0 - 2.0;
            let a = surface(x, y);
            Look { at: [x as f32, y as f32], surface: a, seen: seen(x, y, a).map(|v| v + noise) }
        };
        each(0..SIZE.0 / 2, 0..SIZE.1 / 2).map(|(x, y)| look((2 * x, 2 * y))).collect()
    }

    fn found(looks: &[Look]) -> Option<Shadow> {
        find(SIZE, grid(SIZE, (4, 3)), looks, 2.0)
    }

    /// The worst difference of what is expected in the shadow found from what `wanted` says, inside the disc and beside it.
    fn worst(shadow: &Shadow, looks: &[Look], wanted: impl Fn(usize, usize, Rgba) -> Rgba) -> f32 {
        let fit = Fit::new(SIZE, shadow.size(), looks, 2.0);
        let off = |k: usize| {
            let [x, y] = looks[k].at.map(|v| v as usize);
            misfit(fit.expected(shadow, k), wanted(x, y, looks[k].surface)).sqrt()
        };
        (0..looks.len()).map(off).fold(0.0, f32::max)
    }

    #[test]
    fn a_soft_shadow_is_found_and_nothing_beside_it() {
        let seen = |x: usize, y: usize, a: Rgba| a.map(|v| v * (1.0 - 0.45 * disc(x, y)));
        let looks = frame(surface, seen);
        let shadow = found(&looks).unwrap();
        assert!(worst(&shadow, &looks, seen) < 10.0, "{}", worst(&shadow, &looks, seen));
        assert!((0..shadow.height()).all(|j| shadow[(shadow.width() - 2, j)] == LIT));
        assert!(found(&frame(surface, |_, _, a| a)).is_none());
    }

    #[test]
    fn a_shadow_on_a_plain_wall_is_found() {
        let seen = |x: usize, y: usize, a: Rgba| a.map(|v| v * (1.0 - 0.4 * disc(x, y)));
        let looks = frame(|_, _| [190.0, 180.0, 170.0, 0.0], seen);
        let shadow = found(&looks).unwrap();
        assert!(worst(&shadow, &looks, seen) < 10.0, "{}", worst(&shadow, &looks, seen));
    }

    #[test]
    fn gloss_is_lost_alike_on_every_colour_but_white() {
        let seen = |x: usize, y: usize, a: Rgba| {
            let veil = 24.0 * disc(x, y);
            a.map(|v| v * (1.0 + veil / 255.0) - veil)
        };
        let looks = frame(surface, seen);
        let shadow = found(&looks).unwrap();
        assert!(worst(&shadow, &looks, seen) < 5.0, "{}", worst(&shadow, &looks, seen));
    }

    /// Something dark with a texture of its own, and a veil of hair through which the surface is seen.
    #[test]
    fn what_stands_in_front_is_no_shadow() {
        let dark = |x: usize, y: usize, a: Rgba| match disc(x, y) > 0.5 {
            true => [60.0, 58.0, 55.0, 0.0].map(|v| v + ((x * 13 + y * 29) % 47) as f32 - 23.0),
            false => a,
        };
        assert!(found(&frame(surface, dark)).is_none());
        let hair = |x: usize, y: usize, a: Rgba| {
            let (share, colour) = (0.5 * disc(x, y), [40.0, 90.0, 30.0, 0.0]);
            [0, 1, 2, 3].map(|c| a[c] + share * (colour[c] - a[c]))
        };
        assert!(found(&frame(surface, hair)).is_none());
    }

    #[test]
    fn small_groups_are_left_out() {
        let cells = Image::from_fn(12, 9, |x, y| (x < 3 && y < 2) || (x == 8 && y == 5));
        let kept = groups(&cells, |group| group.len() >= 6).unwrap();
        assert!(kept[(0, 0)] && kept[(2, 1)] && !kept[(8, 5)]);
        assert!(groups(&cells, |group| group.len() >= 7).is_none());
    }
}
