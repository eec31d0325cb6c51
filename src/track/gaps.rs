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

/// Mends each run of hardly seen frames between two well seen ones; `maps` are those of `tracked`, or better ones.
pub(super) fn reconcile(canvas: &Canvas, tracked: &[Tracked], reference: usize, maps: &mut [Map]) {
    let later: Vec<usize> = (reference..maps.len()).collect();
    let earlier: Vec<usize> = (0..=reference).rev().collect();
    for order in [earlier, later] {
        let anchors: Vec<usize> = (0..order.len()).filter(|&i| tracked[order[i]].seen >= ANCHORS).collect();
        for gap in anchors.windows(2).map(|a| &order[a[0]..=a[1]]).filter(|gap| gap.len() > 2) {
            for (t, map) in mend(canvas, tracked, maps, gap).into_iter().flatten() {
                maps[t] = map;
            }
        }
    }
}

/// New maps of the frames between the ends of `gap`, which are in tracking order; `None` when a step is missing or
/// leads nowhere.
fn mend(canvas: &Canvas, tracked: &[Tracked], maps: &[Map], gap: &[usize]) -> Option<Vec<(usize, Map)>> {
    let last = gap.len() - 1;
    let steps: Vec<Homography> = gap[1..].iter().map(|&t| tracked[t].step).collect::<Option<_>>()?;
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
fn mixed(a: &Image<Vec2>, b: &Image<Vec2>, share: f32) -> Image<Vec2> {
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
