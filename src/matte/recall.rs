//! A cut looked at again in the light of the frames about it.
//!
//! An occluder that looks like the surface behind it has a hole in the cut: nothing in the frame tells it from the surface.
//! But it moves on, and where the same point of it is before another part of the surface, it stands out. So each pixel in
//! doubt is followed as the occluder moves, and heard is whether the frames there show it in front of a surface that
//! should look otherwise. A change that stays with the surface instead is its own, and no occluder.

use super::follow::Neighbour;
use super::point::ELSEWHERE;
use crate::frame::{Image, Rgba, Vec2, bilinear, distance, opponent};
use crate::mask::{ANY, Cut, SPECKS, UNIFORM};

/// Pixels from what is known of an occluder over which its motion is drawn on.
const REACHES: f32 = 30.0;
/// Pixels between those that are followed: holes are larger.
const STEP: usize = 2;
/// Share of an occluder's points that are covered, or no longer cover, a few frames on.
const CHANGES: f32 = 0.1;
/// Share of the ways that lead to another point of an occluder.
const ASTRAY: f32 = 0.1;
/// How much what another frame says counts: the frames about a frame repeat each other.
const HEARD: f32 = 0.3;
/// How much more it counts that a colour stays with the surface: it then stays in most frames.
const STAYS: f32 = 2.0;
/// The most all of them can say, natural log-odds.
const MOST: f32 = 8.0;
/// (2π)^(3/2): normalises the Gaussian of three channels.
const NORMAL: f32 = 15.75;

/// Which pixels of a cut show the surface, judged with its neighbours; `None` where they add nothing.
pub(super) fn anew(cut: &Cut, neighbours: &[Neighbour]) -> Option<Image<bool>> {
    if neighbours.is_empty() || !cut.surface.pixels().contains(&false) {
        return None;
    }
    let away = distance(&cut.surface, |surface| !surface);
    let (w, h) = cut.surface.size();
    let said = Image::from_fn(w.div_ceil(STEP), h.div_ceil(STEP), |i, j| {
        let at = (i * STEP, j * STEP);
        let doubted = cut.evidence[at].abs() <= MOST && cut.predicted.coverage[at] > 0.01;
        if doubted && away[at] <= REACHES { heard(cut, at, neighbours) } else { 0.0 }
    });
    if said.pixels().iter().all(|s| *s == 0.0) {
        return None;
    }
    Some(cut.heeding(&Image::from_fn(w, h, |x, y| said[(x / STEP, y / STEP)])))
}

/// What the neighbours say of a pixel: log-odds that it shows the surface, at most 0. That an occluder's point is not seen
/// to be one there says nothing: it may look like the surface there, too.
fn heard(cut: &Cut, at: (usize, usize), neighbours: &[Neighbour]) -> f32 {
    let colour = opponent(cut.frame[at]);
    let part = cut.predicted.part;
    let p = [(at.0 as i32 + part.x0) as f32, (at.1 as i32 + part.y0) as f32];
    let against = |neighbour: &Neighbour| {
        let with_occluder = neighbour.follow(p);
        let with_surface = neighbour.cut.predicted.find(cut.predicted.at[at], with_occluder);
        let told = |q: Vec2| told(neighbour.cut, q, colour).unwrap_or(0.0).min(0.0);
        told(with_occluder) - STAYS * with_surface.map_or(0.0, told)
    };
    let sum: f32 = neighbours.iter().map(against).sum();
    (HEARD * sum).clamp(-MOST, 0.0)
}

/// Log-odds of what a cut's frame shows at a position: the surface there, against what showed a `colour` (along the axes
/// of [`opponent`]) elsewhere. `None` where the surface is not known.
fn told(cut: &Cut, p: Vec2, colour: Rgba) -> Option<f32> {
    let (part, (w, h)) = (cut.predicted.part, cut.frame.size());
    let q = [p[0] - part.x0 as f32, p[1] - part.y0 as f32];
    let within = |v: f32, n: usize| v >= 0.0 && v <= n as f32 - 1.0;
    if !within(q[0], w) || !within(q[1], h) || bilinear(&cut.predicted.coverage, q) < 0.99 {
        return None;
    }
    let shown = opponent(bilinear(&cut.frame, q));
    let surface = opponent(bilinear(&cut.predicted.surface, q));
    let variance = bilinear(&cut.scatter, q).map(|s| s * s);
    let fits = density(shown, surface, variance) + SPECKS * ANY;
    let occluder = UNIFORM * ANY + bilinear(&cut.occluders, q);
    let alike = density(shown, colour, variance.map(|v| v + ELSEWHERE * ELSEWHERE));
    let same = (1.0 - ASTRAY) * alike + ASTRAY * occluder;
    let mix = |a: f32, b: f32| (1.0 - CHANGES) * a + CHANGES * b;
    Some((mix(fits, occluder) / mix(same, fits)).ln())
}

/// Density of a normal distribution of colours, per level³.
fn density(colour: Rgba, mean: Rgba, variance: Rgba) -> f32 {
    let square: f32 = (0..3).map(|k| (colour[k] - mean[k]).powi(2) / variance[k]).sum();
    (-0.5 * square).exp() / (NORMAL * (variance[0] * variance[1] * variance[2]).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matte::Stretch;
    use crate::matte::tests::before_a_surface;

    /// The frame that is looked at.
    const MIDDLE: usize = 3;
    /// What is said there for the surface of what is not known to be an occluder, log-odds.
    const FOR: f32 = 3.0;

    /// Frames of a disc that moves so many pixels a frame before a surface at rest; `other` says what a pixel shows
    /// instead of the disc's own colour or the surface, by its position and where that was on the disc in the middle frame;
    /// cuts take it for the surface.
    fn frames(speed: f32, other: impl Fn(Vec2, Vec2) -> Option<(f32, Rgba)>) -> Stretch {
        let at = |t: usize| {
            let on_disc = |x: f32, y: f32| [x - speed * (t as f32 - MIDDLE as f32), y];
            let own = |[x, y]: Vec2| {
                let texture = 20.0 * (0.7 * x).sin() * (0.6 * y).cos();
                let inside = f32::from((x - 60.0).hypot(y - 50.0) < 25.0);
                (inside, [210.0 + texture, 60.0, 160.0 - texture, 0.0])
            };
            let shown = |x: f32, y: f32| other([x, y], on_disc(x, y)).unwrap_or_else(|| own(on_disc(x, y)));
            let mut cut = before_a_surface(0.0, shown);
            cut.predicted.at = Image::from_fn(120, 100, |x, y| [x as f32, y as f32]);
            cut.surface = Image::from_fn(120, 100, |x, y| {
                let p = [x as f32, y as f32];
                other(p, on_disc(p[0], p[1])).is_some() || own(on_disc(p[0], p[1])).0 == 0.0
            });
            cut.evidence = cut.surface.map(|s| if *s { FOR } else { -10.0 });
            (t, cut)
        };
        let mut stretch = Stretch::default();
        stretch.extend((0..7).map(at));
        stretch.follow();
        stretch
    }

    /// Share of what `other` shows in the middle frame that is taken for the surface once the frames about it were heard.
    fn open(speed: f32, other: impl Fn(Vec2, Vec2) -> Option<(f32, Rgba)>) -> f32 {
        let mut stretch = frames(speed, &other);
        stretch.recall(&[MIDDLE]);
        let surface = &stretch.cut(MIDDLE).unwrap().surface;
        let all = (0..100).flat_map(|y| (0..120).map(move |x| (x, y)));
        let asked: Vec<_> =
            all.filter(|(x, y)| other([*x as f32, *y as f32], [*x as f32, *y as f32]).is_some()).collect();
        asked.iter().filter(|at| surface[**at]).count() as f32 / asked.len() as f32
    }

    fn on_patch([x, y]: Vec2) -> bool {
        (61.0..66.0).contains(&x) && (46.0..53.0).contains(&y)
    }

    /// A patch of the disc is coloured as the stripe that it is before in the middle frame, and before others in others.
    #[test]
    fn a_patch_that_looks_like_the_surface_is_known_from_where_it_does_not() {
        let stripe = before_a_surface(0.0, |_, _| (0.0, [0.0; 4])).frame[(63, 49)];
        let open = open(4.0, |_, disc| on_patch(disc).then_some((1.0, stripe)));
        assert!(open < 0.1, "{open}");
    }

    /// Frames come in batches as large as there are threads, and those of one were cut anew before the next is.
    #[test]
    fn frames_cut_anew_before_do_not_change_what_comes_after() {
        let stripe = before_a_surface(0.0, |_, _| (0.0, [0.0; 4])).frame[(63, 49)];
        let patched = |_: Vec2, disc: Vec2| on_patch(disc).then_some((1.0, stripe));
        let surface = |batches: &[&[usize]]| {
            let mut stretch = frames(4.0, patched);
            batches.iter().for_each(|batch| stretch.recall(batch));
            stretch.cut(MIDDLE).unwrap().surface.pixels().to_vec()
        };
        assert_eq!(surface(&[&[MIDDLE]]), surface(&[&[1], &[2], &[MIDDLE]]));
    }

    #[test]
    fn a_hole_stays_open() {
        let open = open(4.0, |_, disc| on_patch(disc).then_some((0.0, [0.0; 4])));
        assert!(open > 0.99, "{open}");
    }

    /// A stain beside the disc that the atlas does not have: wherever it is followed to, it is there, too.
    #[test]
    fn a_stain_that_stays_with_the_surface_is_its_own() {
        let stain = |[x, y]: Vec2| (92.0..118.0).contains(&x) && (30.0..70.0).contains(&y);
        let open = open(1.0, |p, _| stain(p).then_some((1.0, [40.0, 40.0, 40.0, 0.0])));
        assert!(open > 0.99, "{open}");
    }
}
