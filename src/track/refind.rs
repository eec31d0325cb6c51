//! Finding a surface again that was lost: hidden wholly, it may come back elsewhere and of another size.
//!
//! What it looked like when it was last seen is looked for in the lost frames. Chance finds something in every frame;
//! places of successive frames on one path are tried, and believed when the surface can be followed from there.

use super::align::{Alignment, Options, Rest, Template};
use super::canvas::{Canvas, Inverse, Map};
use super::correlate::{Piece, Place};
use super::gaps::{ANCHORS, outward};
use super::homography::Homography;
use super::sequential::{FROM_FLOW, FROM_PREDICTION, State, Tracked, Tracker, on_picture};
use crate::error::Result;
use crate::frame::{Image, Rgba, Vec2, bilinear, bilinear_or, cubic, gaussian};
use crate::light::Light;
use crate::progress::Progress;
use rayon::prelude::*;

/// Fewest lost frames in a row, and places on a path, that are worth a search.
const FEWEST: usize = 3;
/// Farthest a piece moves from one frame to the next, against its side, and largest change of its size.
const FARTHEST: f32 = 0.5;
const GROWTH: f32 = 1.35;
/// Correlation that chance finds nearly everywhere.
const CHANCE: f32 = 0.35;
/// By how much more the best path must look like the piece, at its best, than the next: where much looks alike, nothing is
/// found rather than something wrong.
const UNMISTAKABLE: f32 = 0.1;
/// Places of the path tried.
const PLACES: usize = 2;
/// Correlation over the whole region, once aligned, from which it is found, and down to which it is followed from there;
/// at least [`FEWEST`] frames far. A thing that turned shows little that fits to the level, and yet is not mistaken: where
/// nothing of it is, a hundredth of the frames has 0.4.
const FOUND: f32 = 0.6;
const FOLLOWED: f32 = 0.35;
/// Blur in pixels before that is compared.
const BLUR: f32 = 1.5;

/// Distance, against the piece's side, up to which steps through a gap are taken to have led to its end.
const LED: f32 = 0.2;

/// Found places are rough: wide first, and hardly held to where they were found.
const FROM_AFAR: [Options; 2] = [
    Options { stiffness: 17_000.0, rest: Rest::Home, iterations: 6, sigma: 20.0, pull: 1e-4, blur: 5.0 },
    Options { stiffness: 17_000.0, rest: Rest::Home, iterations: 4, sigma: 12.0, pull: 1e-4, blur: 2.5 },
];

/// A place in the frame that many frames after the first of a run.
type Step = (usize, Place);

impl Tracker<'_> {
    /// Looks for the surface where it was lost towards either end of the clip, and gives the frames it is found in to
    /// `found`, which are all frames of the clip; lost frames before that are left without evidence.
    pub(super) fn refind(
        &self,
        template: &Template,
        found: &mut [Option<Tracked>],
        progress: &Progress,
    ) -> Result<()> {
        for order in outward(self.reference, found.len()) {
            let Some(run) = lost(&order, found) else { continue };
            let Some(last) = found[order[run.start - 1]].as_ref().map(|f| f.map.clone()) else { continue };
            self.refind_run(template, &last, &order[run], found, progress)?;
        }
        Ok(())
    }

    /// The frames of `run` were lost after one in which the surface lay at `last`.
    fn refind_run(
        &self,
        template: &Template,
        last: &Map,
        run: &[usize],
        found: &mut [Option<Tracked>],
        progress: &Progress,
    ) -> Result<()> {
        let Some((piece, centre)) = self.piece(template, last)? else { return Ok(()) };
        let look = |&t: &usize| {
            progress.check()?;
            piece.places(&self.footage.levels(t)?)
        };
        let places: Vec<Vec<Place>> = run.par_iter().map(look).collect::<Result<_>>()?;
        let mut path = unmistakable(places, piece.side);
        path.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
        for (i, place) in path.into_iter().take(PLACES) {
            progress.check()?;
            let start = moved(self.canvas, last, centre, &place);
            let again = self.followed(template, &start, (run, i), progress)?;
            if again.len() >= FEWEST {
                self.take_over(last, piece.side, run, again, found);
                break;
            }
        }
        Ok(())
    }

    /// What the surface looks like where it lies at `map`, and the middle of that.
    fn piece(&self, template: &Template, map: &Map) -> Result<Option<(Piece, Vec2)>> {
        let size = self.footage.size();
        let Some(inverse) = Inverse::of(self.canvas, map, size) else { return Ok(None) };
        let part = inverse.reach(self.canvas, size);
        if part.width() < 4 || part.height() < 4 {
            return Ok(None);
        }
        let picture = Image::from_fn(part.width(), part.height(), |x, y| -> Rgba {
            let u = inverse.at([(part.x0 + x as i32) as f32, (part.y0 + y as i32) as f32]);
            let [r, g, b, _] = cubic(&template.picture, u);
            [r, g, b, bilinear_or(&self.canvas.coverage, u, 0.0)]
        });
        let middle = |a: i32, b: i32| 0.5 * (a + b - 1) as f32;
        let centre = [middle(part.x0, part.x1), middle(part.y0, part.y1)];
        Ok(Piece::new(&picture)?.map(|piece| (piece, centre)))
    }

    /// The surface followed both ways through `run` from its `i`th frame, where it lies about at `start`.
    fn followed(
        &self,
        template: &Template,
        start: &Map,
        (run, i): (&[usize], usize),
        progress: &Progress,
    ) -> Result<Vec<(usize, Tracked)>> {
        let frame = self.footage.levels(run[i])?;
        let (found, light) = self.found_at(&frame, template, start);
        if self.likeness(&frame, template, &found.map) < FOUND {
            return Ok(Vec::new());
        }
        let seen = found.seen(self.canvas).max(ANCHORS);
        let state = self.state(frame, found.map.clone(), &found, light);
        let (onward, back): (Vec<usize>, Vec<usize>) =
            (run[i + 1..].to_vec(), run[..i].iter().rev().copied().collect());
        let walk = |order: &[usize]| self.walk_on(template, state.clone(), order, progress);
        let (onward, back) = rayon::join(|| walk(&onward), || walk(&back));
        // Steps on the way back lead from the other side.
        let back = back?.into_iter().map(|(t, f)| (t, Tracked { step: None, ..f }));
        let own = Tracked { map: found.map.clone(), seen, bridged: false, step: None };
        Ok(back.chain([(run[i], own)]).chain(onward?).collect())
    }

    /// As far as the surface is found.
    fn walk_on(
        &self,
        template: &Template,
        mut state: State,
        order: &[usize],
        progress: &Progress,
    ) -> Result<Vec<(usize, Tracked)>> {
        let mut found = Vec::new();
        for &t in order {
            progress.check()?;
            let frame = self.footage.levels(t)?;
            let Some(f) = self.step(&mut state, frame.clone(), template)? else { break };
            if self.likeness(&frame, template, &f.map) < FOLLOWED {
                break;
            }
            found.push((t, Tracked { seen: f.seen.max(ANCHORS), ..f }));
        }
        Ok(found)
    }

    /// Puts what was found `again` in a run of lost frames in place of what was not. What led through the run from where
    /// the surface lay at `last` is kept when it leads to where it was found.
    fn take_over(
        &self,
        last: &Map,
        side: f32,
        run: &[usize],
        mut again: Vec<(usize, Tracked)>,
        found: &mut [Option<Tracked>],
    ) {
        again.sort_by_key(|(t, _)| run.iter().position(|r| r == t));
        let Some((first, entry)) = again.first_mut() else { return };
        let way = run.iter().take_while(|t| *t != first).chain([&*first]);
        let steps: Option<Vec<Homography>> = way.map(|&t| found[t].as_ref()?.step).collect();
        let led = steps.filter(|steps| {
            let whole = steps.iter().fold(Homography::IDENTITY, |h, step| step.after(&h));
            let (p, q) = (self.canvas.positions(last), self.canvas.positions(&entry.map));
            let off = |(p, q): (&Vec2, &Vec2)| {
                let p = whole.apply32(*p);
                (p[0] - q[0]).hypot(p[1] - q[1])
            };
            let sum: f32 = p.pixels().iter().zip(q.pixels()).map(off).sum();
            sum < LED * side * p.pixels().len() as f32
        });
        match led {
            Some(steps) => entry.step = steps.last().copied(),
            None => run.iter().for_each(|&t| found[t] = None),
        }
        for (t, tracked) in again {
            found[t] = Some(tracked);
        }
    }

    /// Correlation of all colours between the template and what a frame shows of the region at `map`.
    fn likeness(&self, frame: &Image<Rgba>, template: &Template, map: &Map) -> f32 {
        let (frame, picture) = (gaussian(frame, BLUR), gaussian(&template.picture, BLUR));
        let positions = self.canvas.positions(map);
        let all = positions.pixels().iter().zip(picture.pixels()).zip(self.canvas.coverage.pixels());
        let there = all.filter(|((p, _), k)| **k > 0.5 && on_picture(**p, frame.size()));
        let pairs: Vec<(Rgba, Rgba)> = there.map(|((p, want), _)| (bilinear(&frame, *p), *want)).collect();
        let n = pairs.len().max(1) as f32;
        let (mut cross, mut own, mut other) = (0.0, 0.0, 0.0);
        for c in 0..3 {
            let mean = pairs.iter().fold([0.0f32; 2], |m, (a, b)| [m[0] + a[c] / n, m[1] + b[c] / n]);
            for (a, b) in &pairs {
                let (a, b) = (a[c] - mean[0], b[c] - mean[1]);
                (cross, own, other) = (cross + a * b, own + a * a, other + b * b);
            }
        }
        cross / f32::max((own * other).sqrt(), 1.0)
    }

    /// Aligns a frame in which the surface lies about at `start`, in a light that is not known.
    fn found_at(&self, frame: &Image<Rgba>, template: &Template, start: &Map) -> (Alignment, Light) {
        let (w, h) = self.canvas.size();
        let all = Image::new(w, h, 1.0);
        let mut light = Light::unit((w, h), 1);
        let mut map = start.clone();
        for levels in [&FROM_AFAR[..], &FROM_PREDICTION[..]] {
            light = self.light(frame, template, &map, &light, &all);
            map = self.coarse_to_fine(frame, &template.lit(&light), &map, levels).map;
        }
        light = self.light(frame, template, &map, &light, &all);
        (self.coarse_to_fine(frame, &template.lit(&light), &map, &FROM_FLOW), light)
    }
}

/// The lost frames at the end of `order`, as places in it, if they are worth a search: where the surface was seen again
/// after a gap, it was found without one.
fn lost(order: &[usize], found: &[Option<Tracked>]) -> Option<std::ops::Range<usize>> {
    let is_lost = |t: &usize| found[*t].as_ref().is_none_or(|f| f.seen < ANCHORS);
    let start = order.len() - order.iter().rev().take_while(|t| is_lost(t)).count();
    (start > 0 && order.len() - start >= FEWEST).then_some(start..order.len())
}

/// The map that shows at `place` what `map` shows around `centre`.
fn moved(canvas: &Canvas, map: &Map, centre: Vec2, place: &Place) -> Map {
    let s = f64::from(place.scale);
    let shift = [0, 1].map(|i| f64::from(place.centre[i]) - s * f64::from(centre[i]));
    let motion = Homography([[s, 0.0, shift[0]], [0.0, s, shift[1]], [0.0, 0.0, 1.0]]);
    let positions = canvas.positions(map).map(|p| motion.apply32(*p));
    canvas.map_of(&positions).unwrap_or_else(|| map.clone())
}

/// The best path through the places of successive frames, if none beside it looks nearly as much like the piece.
fn unmistakable(mut places: Vec<Vec<Place>>, side: f32) -> Vec<Step> {
    let best = best_path(&places, side);
    for (t, place) in &best {
        places[*t].retain(|p| p != place);
    }
    let highest = |path: &[Step]| path.iter().map(|(_, p)| p.score).fold(0.0, f32::max);
    let next = best_path(&places, side);
    let clear = best.len() >= FEWEST && highest(&best) > highest(&next) + UNMISTAKABLE;
    if clear { best } else { Vec::new() }
}

/// The path with most correlation beyond chance; empty without places.
fn best_path(places: &[Vec<Place>], side: f32) -> Vec<Step> {
    // Per place: what the best path that ends there is worth, and where it comes from in the frame before.
    let mut worth: Vec<Vec<(f32, Option<usize>)>> = Vec::with_capacity(places.len());
    for (t, here) in places.iter().enumerate() {
        let before = t.checked_sub(1);
        let ends = here.iter().map(|place| {
            let from = before.into_iter().flat_map(|b| places[b].iter().zip(&worth[b]).enumerate());
            let linked = from.filter(|(_, (other, _))| linked(other, place, side));
            let best = linked.map(|(k, (_, w))| (w.0, k)).max_by(|a, b| a.0.total_cmp(&b.0));
            let best = best.filter(|(w, _)| *w > 0.0);
            (place.score - CHANCE + best.map_or(0.0, |b| b.0), best.map(|b| b.1))
        });
        worth.push(ends.collect());
    }
    let all = worth.iter().enumerate().flat_map(|(t, w)| w.iter().enumerate().map(move |(k, w)| (w.0, t, k)));
    let Some((_, mut t, mut k)) = all.max_by(|a, b| a.0.total_cmp(&b.0)) else { return Vec::new() };
    let mut path = vec![(t, places[t][k])];
    while let Some(from) = worth[t][k].1 {
        (t, k) = (t - 1, from);
        path.push((t, places[t][k]));
    }
    path.reverse();
    path
}

/// Whether the surface may move from one place to the other in one frame.
fn linked(a: &Place, b: &Place, side: f32) -> bool {
    let far = (a.centre[0] - b.centre[0]).hypot(a.centre[1] - b.centre[1]);
    far < FARTHEST * side * a.scale.max(b.scale) && (a.scale / b.scale).ln().abs() < GROWTH.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Dis;
    use crate::track::filmed::{Filmed, texture};
    use std::sync::atomic::AtomicUsize;

    fn place(score: f32, x: f32, scale: f32) -> Place {
        Place { score, centre: [x, 50.0], scale }
    }

    #[test]
    fn a_path_that_holds_is_better_than_higher_places_that_do_not() {
        let places = |chance: f32| -> Vec<Vec<Place>> {
            let two = |t: usize| {
                let jumps = place(chance, 300.0 - 120.0 * (t % 2) as f32, 0.6);
                vec![jumps, place(0.52, 40.0 + 9.0 * t as f32, 1.3)]
            };
            (0..6).map(two).collect()
        };
        let held = (0..6).map(|t| (t, 1.3));
        assert!(best_path(&places(0.56), 40.0).iter().map(|(t, p)| (*t, p.scale)).eq(held));
        // It is believed only where nothing else looks nearly as right.
        assert!(unmistakable(places(0.56), 40.0).is_empty());
        assert!(unmistakable(places(0.45), 40.0).is_empty());
        assert_eq!(unmistakable(places(0.4), 40.0).len(), 6);
    }

    /// A board drives behind a wall and comes out of it nearer to the camera, while the camera stands still.
    #[test]
    fn a_surface_that_was_hidden_wholly_is_found_again() {
        let size = (420, 200);
        // Middle and size of the board.
        let board = |t: usize| ([60.0 + 20.0 * t as f32, 100.0], 1.0 + 0.04 * t as f32);
        let film = |t: usize| {
            let (at, scale) = board(t);
            Image::from_fn(size.0, size.1, |x, y| {
                let u = [(x as f32 - at[0]) / scale, (y as f32 - at[1]) / scale];
                let ground = 90.0 + 50.0 * (0.2 * x as f32).sin() * (0.23 * y as f32 + 0.1 * x as f32).cos();
                if (130..250).contains(&x) {
                    let v = 60.0 + ((x * 31 + y * 17) % 23) as f32;
                    [v, v, v + 20.0, 0.0]
                } else if u[0].abs() < 28.0 && u[1].abs() < 24.0 {
                    texture(u[0], u[1])
                } else {
                    [ground, 0.9 * ground, 0.6 * ground, 0.0]
                }
            })
        };
        let footage = Filmed((0..16).map(film).collect());
        let canvas = Canvas::new(&[[36.0, 80.0], [84.0, 80.0], [84.0, 120.0], [36.0, 120.0]], size).unwrap();
        let (flow, fine_flow) = (Dis::default(), Dis::fine());
        let tracker =
            Tracker { footage: &footage, canvas: &canvas, reference: 0, flow: &flow, fine_flow: &fine_flow };
        let found = tracker.run(&Progress::silent(), &AtomicUsize::new(0)).unwrap();
        for (t, f) in found.iter().enumerate() {
            let (at, _) = board(t);
            let p = canvas.position(&f.map, canvas.to_canvas(board(0).0));
            let off = (p[0] - at[0]).hypot(p[1] - at[1]);
            println!("frame {t}: off by {off:.2}, seen {:.2}", f.seen);
            // Hidden wholly from frame 5 to 8.
            assert!((3..12).contains(&t) || off < 0.6, "frame {t} is off by {off}");
        }
        assert!(found[15].seen > 0.5);
    }
}
