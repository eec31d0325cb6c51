//! Frames in which next to nothing of the surface is seen, mended from the frames on either side of them.
//!
//! What surrounds the surface tells how it moved from frame to frame, but errors of such steps add up. Counted from
//! before the gap and from after it, they drift apart by as much as the steps are wrong together, and each is right at
//! its own end.

use super::canvas::{Canvas, Map};
use super::homography::Homography;
use super::sequential::Tracked;
use crate::frame::{Image, Vec2};

/// Seen share from which a frame's own evidence places it well.
pub(super) const ANCHORS: f32 = 0.1;

/// Mends each run of hardly seen frames between two well seen ones; `maps` are those of `tracked`, or better ones, and
/// `seen` is how much of the surface each frame shows.
pub(super) fn reconcile(
    canvas: &Canvas,
    tracked: &[Tracked],
    seen: &[f32],
    reference: usize,
    maps: &mut [Map],
) {
    for order in outward(reference, maps.len()) {
        let anchors: Vec<usize> = (0..order.len()).filter(|&i| seen[order[i]] >= ANCHORS).collect();
        for gap in anchors.windows(2).map(|a| &order[a[0]..=a[1]]).filter(|gap| gap.len() > 2) {
            for (t, map) in mend(canvas, |t| tracked[t].step, maps, gap).into_iter().flatten() {
                maps[t] = map;
            }
        }
    }
}

/// The frames of a clip from the reference on, which comes first, to either end: those later, then those earlier.
pub(super) fn outward(reference: usize, frames: usize) -> [Vec<usize>; 2] {
    [(reference..frames).collect(), (0..=reference).rev().collect()]
}

/// New maps of the frames between the ends of `gap`, which are in the order that `step` tells the motion in: from the
/// frame before in that order to this one. `None` when a step is missing or leads nowhere.
pub(super) fn mend(
    canvas: &Canvas,
    step: impl Fn(usize) -> Option<Homography>,
    maps: &[Map],
    gap: &[usize],
) -> Option<Vec<(usize, Map)>> {
    let last = gap.len() - 1;
    let steps: Vec<Homography> = gap[1..].iter().map(|&t| step(t)).collect::<Option<_>>()?;
    let mut onward = vec![canvas.positions(&maps[gap[0]])];
    for step in &steps[..last - 1] {
        let moved = onward.last()?.map(|p| step.apply32(*p));
        onward.push(moved);
    }
    let mut back = canvas.positions(&maps[gap[last]]);
    let mut mended = Vec::new();
    for k in (1..last).rev() {
        let step = steps[k].inverse()?;
        back = back.map(|p| step.apply32(*p));
        let share = k as f32 / last as f32;
        mended.push((gap[k], canvas.map_of(&mixed(&onward[k], &back, share))?));
    }
    Some(mended)
}

/// Positions between two fields of them.
pub(super) fn mixed(a: &Image<Vec2>, b: &Image<Vec2>, share: f32) -> Image<Vec2> {
    a.zip(b, |p, q| [0, 1].map(|i| p[i] + share * (q[i] - p[i])))
}

/// Gives frames without evidence the maps between those of their neighbours, or the nearest at the clip's ends.
pub(super) fn bridge(canvas: &Canvas, found: Vec<Option<Tracked>>) -> Vec<Tracked> {
    let known: Vec<usize> = (0..found.len()).filter(|&t| found[t].is_some()).collect();
    let map_at = |t: usize| found[t].as_ref().map(|f| &f.map);
    let between = |t: usize| {
        let before = known.iter().rev().find(|&&k| k < t).copied();
        let after = known.iter().find(|&&k| k > t).copied();
        match (before, after) {
            (Some(a), Some(b)) => {
                let share = (t - a) as f32 / (b - a) as f32;
                let (p, q) = (canvas.positions(map_at(a)?), canvas.positions(map_at(b)?));
                canvas.map_of(&mixed(&p, &q, share))
            }
            (Some(k), None) | (None, Some(k)) => map_at(k).cloned(),
            (None, None) => None,
        }
    };
    let fill = |t: usize| {
        found[t].clone().unwrap_or_else(|| Tracked {
            map: between(t).unwrap_or_else(|| canvas.identity()),
            seen: 0.0,
            bridged: true,
            step: None,
        })
    };
    (0..found.len()).map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(tracked: &[Tracked]) -> Vec<f32> {
        tracked.iter().map(|t| t.seen).collect()
    }

    fn shift(x: f64, y: f64) -> Homography {
        Homography([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    }

    /// The surface moves 4 pixels a frame; steps through the gap each say 0.3 too much, and what was tracked there is far
    /// off. The ends are right.
    #[test]
    fn a_gap_is_mended_from_both_ends() {
        let canvas =
            Canvas::new(&[[60.0, 50.0], [200.0, 45.0], [210.0, 150.0], [55.0, 160.0]], (320, 240)).unwrap();
        let map = |x: f64| Map { homography: shift(x, 0.0), ..canvas.identity() };
        let hidden = |t: usize| (3..9).contains(&t);
        let tracked: Vec<Tracked> = (0..12)
            .map(|t| Tracked {
                map: map(4.0 * t as f64 + if hidden(t) { 15.0 } else { 0.0 }),
                seen: if hidden(t) { 0.02 } else { 0.8 },
                bridged: false,
                step: (t > 0).then(|| shift(4.3, 0.0)),
            })
            .collect();
        let mut maps: Vec<Map> = tracked.iter().map(|t| t.map.clone()).collect();
        reconcile(&canvas, &tracked, &seen(&tracked), 0, &mut maps);
        for (t, map) in maps.iter().enumerate() {
            let p = canvas.position(map, [80.0, 60.0]);
            let want = canvas.to_reference([80.0, 60.0])[0] + 4.0 * t as f32;
            let off = (p[0] - want).abs();
            assert!(off < if hidden(t) { 0.65 } else { 1e-3 }, "{off} in frame {t}");
        }
    }

    #[test]
    fn without_a_step_the_gap_stays_as_it_was_tracked() {
        let canvas = Canvas::new(&[[60.0, 50.0], [200.0, 45.0], [210.0, 150.0]], (320, 240)).unwrap();
        let of = |seen: f32| Tracked { map: canvas.identity(), seen, bridged: false, step: None };
        let tracked = vec![of(1.0), of(0.0), of(1.0)];
        let mut maps: Vec<Map> = tracked.iter().map(|t| t.map.clone()).collect();
        reconcile(&canvas, &tracked, &seen(&tracked), 0, &mut maps);
        assert!(maps.iter().all(|m| *m == canvas.identity()));
    }
}
