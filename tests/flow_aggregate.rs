//! Aggregated correspondences of made-up clips: what is averaged, rejected, refused, and in which order it comes.

// A test fails by panicking, and prints the figures it measured.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rna::flow::aggregate::{
    Aggregation, Aggregator, Appearance, Features, Lattice, Pairs, Sequence, Surroundings, Thresholds,
    region_mask,
};
use rna::flow::{Dis, OpticalFlow};
use rna::frame::{Image, Rgba, Vec2};
use rna::{Error, Result};

/// Whether a vector is known.
fn known(v: Vec2) -> bool {
    v[0].is_finite() && v[1].is_finite()
}

/// A surface that moves by this much a frame.
const STEP: Vec2 = [1.5, -1.0];

/// Frame `t` holds the level `t` everywhere, so that [`Exact`] can tell which it is given.
fn numbered(t: usize) -> Result<Image<Rgba>> {
    Ok(Image::new(40, 30, [t as f32, t as f32, t as f32, 0.0]))
}

/// An engine that knows the answer for [`numbered`] frames; off by `error` times the square of the interval.
struct Exact {
    error: f32,
}

impl OpticalFlow for Exact {
    fn flow(&self, from: &Image<Rgba>, to: &Image<Rgba>) -> Result<Image<Vec2>> {
        let gap = (to[(0, 0)][0] - from[(0, 0)][0]).round();
        let off = self.error * gap * gap.abs();
        Ok(Image::new(from.width(), from.height(), [gap * STEP[0] + off, gap * STEP[1]]))
    }
}

/// Everything looks alike, or nothing does.
struct Alike(bool);

impl Appearance for Alike {
    fn features(&self, _: &Image<Rgba>) -> Result<Features> {
        Features::new((1, 1), 1, Lattice::tiles(40.0), vec![1.0])
    }
    fn thresholds(&self) -> Thresholds {
        let least = if self.0 { 0.5 } else { 2.0 };
        Thresholds { neighbour: least, direct: least, landing: -1.0 }
    }
}

fn always() -> Result<()> {
    Ok(())
}

fn settings(neighbours: usize, direct: bool) -> Aggregation {
    Aggregation { neighbours, direct, ..Aggregation::default() }
}

/// All frames' pairs in the order they came.
fn collect(aggregator: &Aggregator, clip: &Sequence) -> Vec<(usize, Pairs)> {
    let mut all = Vec::new();
    let mut sink = |t: usize, pairs: Pairs| {
        all.push((t, pairs));
        Ok(())
    };
    aggregator.run(clip, &mut sink).unwrap();
    all
}

fn aggregator<'a>(flow: &'a Exact, appearance: &'a Alike, settings: Aggregation) -> Aggregator<'a> {
    Aggregator { flow, appearance, settings, check: &always }
}

#[test]
fn a_translation_is_led_to_the_reference() {
    let clip = Sequence { frames: 16, reference: 6, levels: &numbered };
    let all = collect(&aggregator(&Exact { error: 0.0 }, &Alike(true), settings(3, true)), &clip);
    let order: Vec<usize> = all.iter().map(|(t, _)| *t).collect();
    assert_eq!(order, (6..16).chain((0..6).rev()).collect::<Vec<_>>());
    for (t, pairs) in &all {
        let gap = 6.0 - *t as f32;
        let want = [gap * STEP[0], gap * STEP[1]];
        for (i, v) in pairs.to_reference.pixels().iter().enumerate() {
            let q = [(i % 40) as f32 + want[0], (i / 40) as f32 + want[1]];
            // Half a pixel of grace at the border, once a step.
            if q[0] >= 0.0 && q[1] >= 0.0 && q[0] <= 39.0 && q[1] <= 29.0 {
                assert!((v[0] - want[0]).abs() < 1e-4 && (v[1] - want[1]).abs() < 1e-4, "{t}: {v:?}");
            }
            if q[0] < -0.6 || q[1] < -0.6 || q[0] > 39.6 || q[1] > 29.6 {
                assert!(!known(*v), "frame {t} leads off the picture: {v:?}");
            }
        }
    }
}

#[test]
fn the_reference_lies_on_itself() {
    let clip = Sequence { frames: 3, reference: 1, levels: &numbered };
    let all = collect(&aggregator(&Exact { error: 0.0 }, &Alike(false), settings(9, true)), &clip);
    let (t, pairs) = &all[0];
    assert_eq!((*t, pairs.share(), &pairs.adjacent), (1, 1.0, &None));
    assert!(pairs.to_reference.pixels().iter().all(|v| *v == [0.0, 0.0]));
    assert_eq!(pairs.position(7, 5), Some([7.0, 5.0]));
}

#[test]
fn candidates_are_averaged() {
    // Errors grow with the square of the interval and undo themselves on the way back, so that none is rejected:
    // frame 1 has error e; frame 2 asks 1 (e + e) and 0 (4 e); frame 3 asks 2 (e + 3 e) and 1 (4 e + e).
    let clip = Sequence { frames: 4, reference: 0, levels: &numbered };
    let e = 0.125;
    let all = collect(&aggregator(&Exact { error: e }, &Alike(true), settings(2, false)), &clip);
    for (t, pairs) in &all[1..] {
        let times = [0.0, 1.0, 3.0, 4.5][*t];
        let want = -(*t as f32) * STEP[0] - times * e;
        assert!((pairs.to_reference[(20, 10)][0] - want).abs() < 1e-5, "{t}");
    }
    // And with the reference asked directly (9 e): (4 + 5 + 9) / 3.
    let all = collect(&aggregator(&Exact { error: e }, &Alike(true), settings(2, true)), &clip);
    assert!((all[3].1.to_reference[(20, 10)][0] + 3.0 * STEP[0] + 6.0 * e).abs() < 1e-5);
}

#[test]
fn adjacent_flows_come_once_each() {
    let clip = Sequence { frames: 5, reference: 2, levels: &numbered };
    let all = collect(&aggregator(&Exact { error: 0.0 }, &Alike(true), settings(2, true)), &clip);
    let mut seen: Vec<[usize; 2]> = Vec::new();
    for (t, pairs) in &all[1..] {
        let adjacent = pairs.adjacent.as_ref().unwrap();
        let gap = adjacent.neighbour as f32 - *t as f32;
        assert_eq!(gap.abs(), 1.0);
        assert_eq!(adjacent.inward[(20, 10)], [gap * STEP[0], gap * STEP[1]]);
        assert_eq!(adjacent.outward[(20, 10)], [-gap * STEP[0], -gap * STEP[1]]);
        seen.push([*t.min(&adjacent.neighbour), *t.max(&adjacent.neighbour)]);
    }
    seen.sort_unstable();
    assert_eq!(seen, [[0, 1], [1, 2], [2, 3], [3, 4]]);
}

#[test]
fn without_survivors_nothing_corresponds() {
    let clip = Sequence { frames: 3, reference: 0, levels: &numbered };
    let all = collect(&aggregator(&Exact { error: 0.0 }, &Alike(false), settings(9, true)), &clip);
    let region = Image::new(40, 30, 1.0f32);
    for (_, pairs) in &all[1..] {
        assert_eq!((pairs.share(), pairs.position(3, 3)), (0.0, None));
        assert!(region_mask(pairs, &region).unwrap().pixels().iter().all(|m| *m == 0.0));
        let adjacent = pairs.adjacent.as_ref().unwrap();
        assert!(adjacent.inward.pixels().iter().chain(adjacent.outward.pixels()).all(|v| !known(*v)));
    }
}

#[test]
fn the_region_is_pulled_back() {
    let clip = Sequence { frames: 3, reference: 0, levels: &numbered };
    let all = collect(&aggregator(&Exact { error: 0.0 }, &Alike(true), settings(9, true)), &clip);
    let region = Image::from_fn(40, 30, |x, _| f32::from((10..20).contains(&x)));
    let mask = region_mask(&all[2].1, &region).unwrap();
    // Two frames on, the surface is 3 pixels farther right.
    assert_eq!((mask[(12, 10)], mask[(13, 10)], mask[(22, 10)], mask[(23, 10)]), (0.0, 1.0, 1.0, 0.0));
    assert!(matches!(region_mask(&all[2].1, &Image::new(40, 29, 1.0)), Err(Error::Mismatch(_))));
}

#[test]
fn what_does_not_fit_is_refused() {
    let run = |flow: &dyn OpticalFlow, settings: Aggregation, reference: usize, levels| {
        let aggregator = Aggregator { flow, appearance: &Alike(true), settings, check: &always };
        aggregator.run(&Sequence { frames: 3, reference, levels }, &mut |_, _| Ok(()))
    };
    struct Small;
    impl OpticalFlow for Small {
        fn flow(&self, _: &Image<Rgba>, _: &Image<Rgba>) -> Result<Image<Vec2>> {
            Ok(Image::new(2, 2, [0.0; 2]))
        }
    }
    let (exact, usual) = (Exact { error: 0.0 }, Aggregation::default());
    let growing = |t: usize| Ok(Image::new(40 + t, 30, [0.0; 4]));
    assert!(matches!(run(&exact, usual, 0, &growing), Err(Error::Mismatch(_))));
    assert!(matches!(run(&Small, usual, 0, &numbered), Err(Error::Mismatch(_))));
    assert!(matches!(run(&exact, usual, 3, &numbered), Err(Error::Setting { .. })));
    assert!(matches!(run(&exact, settings(0, true), 0, &numbered), Err(Error::Setting { .. })));
    let unknown = Aggregation { cycle: f32::NAN, ..usual };
    assert!(matches!(run(&exact, unknown, 0, &numbered), Err(Error::Setting { .. })));
}

#[test]
fn stops_when_told_and_reads_each_frame_once() {
    let reads = Mutex::new(vec![0; 6]);
    let levels = |t: usize| {
        reads.lock().unwrap()[t] += 1;
        numbered(t)
    };
    let (exact, alike) = (Exact { error: 0.0 }, Alike(true));
    let clip = Sequence { frames: 6, reference: 2, levels: &levels };
    collect(&aggregator(&exact, &alike, settings(2, true)), &clip);
    assert_eq!(*reads.lock().unwrap(), vec![1; 6]);
    let mut given = 0;
    let mut sink = |_, _| {
        given += 1;
        if given == 3 { Err(Error::Cancelled) } else { Ok(()) }
    };
    let stopped = aggregator(&exact, &alike, settings(2, true)).run(&clip, &mut sink);
    assert!(matches!(stopped, Err(Error::Cancelled)) && given == 3);
    let asked = AtomicUsize::new(0);
    let check = || if asked.fetch_add(1, Ordering::Relaxed) < 5 { Ok(()) } else { Err(Error::Cancelled) };
    let checked = Aggregator { check: &check, ..aggregator(&exact, &alike, settings(2, true)) };
    assert!(matches!(checked.run(&clip, &mut |_, _| Ok(())), Err(Error::Cancelled)));
}

const SIZE: (usize, usize) = (160, 120);

/// A band-limited random texture in levels that can be read anywhere: sixty plane waves of 6 to 30 pixels.
struct Texture(Vec<[f32; 4]>);

impl Texture {
    fn new(mut seed: u32) -> Self {
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1u32 << 24) as f32
        };
        let tau = std::f32::consts::TAU;
        let waves = (0..60).map(|_| {
            let (angle, length) = (tau * random(), 6.0 * 5f32.powf(random()));
            [tau / length * angle.cos(), tau / length * angle.sin(), tau * random(), 3.0 + 4.0 * random()]
        });
        Self(waves.collect())
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        128.0
            + self.0.iter().map(|&[kx, ky, phase, size]| size * (kx * x + ky * y + phase).sin()).sum::<f32>()
    }
}

/// Whether the occluder, a block that crosses against the surface's motion, covers a pixel of frame `t`.
fn hidden(t: usize, x: f32, y: f32) -> bool {
    let left = 118.0 - 7.0 * t as f32;
    (left..left + 32.0).contains(&x) && (38.0..86.0).contains(&y)
}

/// A textured surface that drifts by [`STEP`] a frame, and something bluish before it.
fn crossed(t: usize) -> Result<Image<Rgba>> {
    let (surface, block, s) = (Texture::new(1), Texture::new(2), t as f32);
    Ok(Image::from_fn(SIZE.0, SIZE.1, |x, y| {
        let (x, y) = (x as f32, y as f32);
        if hidden(t, x, y) {
            let v = block.at(x + 7.0 * s, y);
            [0.4 * v, 0.5 * v, 0.9 * v, 0.0]
        } else {
            let v = surface.at(x - s * STEP[0], y - s * STEP[1]);
            [v, v, 0.8 * v, 0.0]
        }
    }))
}

/// Share of known vectors, and of those right to half a pixel, over the pixels of frame `t` for which `over` holds.
fn shares(t: usize, pairs: &Pairs, over: impl Fn(f32, f32) -> bool) -> (f32, f32) {
    let (mut all, mut found, mut right) = (0.0f32, 0.0f32, 0.0f32);
    for y in 12..SIZE.1 - 24 {
        for x in 30..SIZE.0 - 12 {
            if over(x as f32, y as f32) {
                all += 1.0;
                let v = pairs.to_reference[(x, y)];
                found += f32::from(known(v));
                let s = t as f32;
                right += f32::from((v[0] + s * STEP[0]).hypot(v[1] + s * STEP[1]) < 0.5);
            }
        }
    }
    (found / all.max(1.0), right / found.max(1.0))
}

#[test]
fn an_occluder_has_no_correspondence() {
    // On the reference frame the block stands at the right edge; from frame to frame it goes left.
    let (flow, appearance) = (Dis::default(), Surroundings::default());
    let settings = Aggregation::default();
    let aggregator = Aggregator { flow: &flow, appearance: &appearance, settings, check: &always };
    // Frame 10, the first beyond the neighbours' reach of the reference, is known to be worse: 84 % right.
    let clip = Sequence { frames: 10, reference: 0, levels: &crossed };
    for (t, pairs) in &collect(&aggregator, &clip)[1..] {
        // The block led to where it stood on the reference is a correspondence too, of the block.
        let block = (0..SIZE.0 * SIZE.1).map(|i| (i % SIZE.0, i / SIZE.0));
        let block: Vec<_> = block.filter(|&(x, y)| hidden(*t, x as f32, y as f32)).collect();
        let astray = |p: &&(usize, usize)| pairs.position(p.0, p.1).is_some_and(|q| !hidden(0, q[0], q[1]));
        let wrong = block.iter().filter(astray).count() as f32 / block.len() as f32;
        let s = *t as f32;
        let shown = |x: f32, y: f32| !hidden(*t, x, y) && !hidden(0, x - s * STEP[0], y - s * STEP[1]);
        let (seen, right) = shares(*t, pairs, shown);
        println!("frame {t}: surface {seen:.3} known, {right:.3} right; block led onto surface {wrong:.3}");
        assert!(wrong < 0.05, "frame {t}: {wrong} of the occluder is led onto the surface");
        assert!(seen > 0.55 && right > 0.9, "frame {t}: {seen} known, {right} of them right");
    }
}

#[test]
fn threads_do_not_show() {
    let bytes = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (flow, appearance) = (Dis::default(), Surroundings::default());
        let settings = Aggregation { neighbours: 2, ..Aggregation::default() };
        let aggregator = Aggregator { flow: &flow, appearance: &appearance, settings, check: &always };
        let clip = Sequence { frames: 5, reference: 1, levels: &crossed };
        pool.install(|| collect(&aggregator, &clip))
            .iter()
            .map(|(t, p)| (*t, p.to_reference.map(|v| v.map(f32::to_bits)).into_pixels()))
            .collect::<Vec<_>>()
    };
    assert!(bytes(1) == bytes(2));
}
