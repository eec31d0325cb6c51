//! Aggregated correspondences on clips whose answer is known: the tables by which descriptor and thresholds were chosen,
//! and what aggregation gains over flow measured straight to the reference. Skipped where the clips are absent.
//!
//! `cargo bench --bench flow_aggregate`, some minutes

// A measurement that cannot go on panics; these print tables.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::Read;
use std::path::Path;

use rna::flow::aggregate::{Aggregation, Aggregator, Appearance, Pairs, Sequence, Surroundings, region_mask};
use rna::flow::{Dis, consistency};
use rna::frame::{Image, Rgba, Vec2, bilinear, luminance};
use rna::roi::{Roi, coverage};

const CLIPS: [&str; 4] = ["truck", "cars", "groceries", "two-rois"];

/// Pixels from one known position to the next.
const STEP: usize = 4;

/// A clip and its answer.
struct Truth {
    frames: Vec<Image<Rgba>>,
    reference: usize,
    region: Image<f32>,
    /// Displacement to the reference frame, every [`STEP`] pixels.
    offset: Vec<Image<Vec2>>,
    /// 255 where nothing stands before the surface.
    visible: Vec<Image<f32>>,
    /// 255 in the region.
    inside: Vec<Image<f32>>,
}

impl Truth {
    fn open(name: &str) -> Option<Truth> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/truth").join(name);
        if !folder.is_dir() {
            println!("skipped: no clip with a known answer at {}", folder.display());
            return None;
        }
        let clip = rna::clip::open(&folder.join("frames")).unwrap();
        let (info, roi) = (clip.info().clone(), Roi::read(&folder.join("roi.json")).unwrap());
        let (w, h) = info.size;
        let levels = |t| clip.frame(t).unwrap().map(|p| p.map(|v| 255.0 * v));
        let mut region = Image::new(w, h, 0.0f32);
        for polygon in &roi.polygons {
            region = region.zip(&coverage(polygon, region.bounds()), f32::max);
        }
        let bytes = |name: &str| -> Vec<Image<f32>> {
            let all = member(&folder.join("truth.npz"), name);
            let picture = |c: &[u8]| Image::from_vec(w, h, c.iter().map(|v| f32::from(*v)).collect());
            all.chunks_exact(w * h).map(picture).collect()
        };
        Some(Truth {
            frames: (0..info.frames).map(levels).collect(),
            reference: roi.reference_frame,
            region,
            offset: offsets(&folder.join("truth.npz"), w.div_ceil(STEP), h.div_ceil(STEP)),
            visible: bytes("visible.npy"),
            inside: bytes("inside.npy"),
        })
    }

    /// True position on the reference frame of a point of frame `t`'s surface.
    fn position(&self, t: usize, p: Vec2) -> Vec2 {
        let d = bilinear(&self.offset[t], [p[0] / STEP as f32, p[1] / STEP as f32]);
        [p[0] + d[0], p[1] + d[1]]
    }

    /// The pixels whose position is known without interpolation.
    fn grid(&self) -> Vec<(usize, usize)> {
        let (w, h) = self.offset[0].size();
        (0..w * h).map(|i| (i % w * STEP, i / w * STEP)).collect()
    }
}

fn apart(a: Vec2, b: Vec2) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn offsets(path: &Path, w: usize, h: usize) -> Vec<Image<Vec2>> {
    let raw = member(path, "uv.npy");
    let number = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap());
    let values: Vec<Vec2> = raw.chunks_exact(8).map(|b| [number(&b[..4]), number(&b[4..])]).collect();
    values.chunks_exact(w * h).map(|c| Image::from_vec(w, h, c.to_vec())).collect()
}

/// The numbers of one array of an `.npz`: a zip archive of deflated `.npy` files.
fn member(path: &Path, name: &str) -> Vec<u8> {
    let zip = std::fs::read(path).unwrap();
    let short = |at: usize| usize::from(u16::from_le_bytes(zip[at..at + 2].try_into().unwrap()));
    let long = |at: usize| u32::from_le_bytes(zip[at..at + 4].try_into().unwrap()) as usize;
    let mut at = long(zip.windows(4).rposition(|w| w == b"PK\x05\x06").unwrap() + 16);
    while &zip[at + 46..at + 46 + short(at + 28)] != name.as_bytes() {
        at += 46 + short(at + 28) + short(at + 30) + short(at + 32);
    }
    let (packed, local) = (long(at + 20), long(at + 42));
    let start = local + 30 + short(local + 26) + short(local + 28);
    let mut npy = Vec::new();
    flate2::read::DeflateDecoder::new(&zip[start..start + packed]).read_to_end(&mut npy).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes(npy[8..10].try_into().unwrap()));
    npy.split_off(header)
}

/// A vector that returns to its start: how alike its ends look, and whether it is right.
struct Judged {
    similarity: f32,
    right: bool,
    direct: bool,
}

/// Vectors from frame `t` to frame `u`, known to be right or wrong. Right: both ends show the surface, and the same
/// point of it to two pixels. Wrong: another point, or one end is hidden. Where both ends are hidden nothing is known.
fn judge(truth: &Truth, appearance: &dyn Appearance, (t, u): (usize, usize), direct: bool) -> Vec<Judged> {
    let [a, b] = [t, u].map(|i| luminance(&truth.frames[i]));
    let (there, back) = (Dis::default().between(&a, &b).unwrap(), Dis::default().between(&b, &a).unwrap());
    let error = consistency(&there, &back).unwrap();
    let [from, to] = [t, u].map(|i| appearance.features(&truth.frames[i]).unwrap());
    let mut judged = Vec::new();
    for (x, y) in truth.grid() {
        if error[(x, y)] > Aggregation::default().cycle {
            continue;
        }
        let (p, v) = ([x as f32, y as f32], there[(x, y)]);
        let q = [p[0] + v[0], p[1] + v[1]];
        let shown = [truth.visible[t][(x, y)] > 128.0, bilinear(&truth.visible[u], q) > 128.0];
        if shown != [false, false] {
            let same = apart(truth.position(t, p), truth.position(u, q)) <= 2.0;
            judged.push(Judged {
                similarity: from.similarity(p, &to, q),
                right: same && shown == [true, true],
                direct,
            });
        }
    }
    judged
}

/// Share of right and wrong vectors that a threshold keeps, at several thresholds.
fn print_kept(name: &str, judged: &[&Judged]) {
    let (right, wrong): (Vec<&Judged>, Vec<&Judged>) = judged.iter().partition(|j| j.right);
    print!(
        "{name} ({} right, {} wrong): threshold, % of right kept, % of wrong kept:",
        right.len(),
        wrong.len()
    );
    for least in [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99] {
        let kept = |set: &[&Judged]| {
            100.0 * set.iter().filter(|j| j.similarity >= least).count() as f32 / set.len().max(1) as f32
        };
        print!("  {least}: {:.0} {:.0}", kept(&right), kept(&wrong));
    }
    println!();
}

/// What thresholds on the likeness of both ends keep.
fn thresholds() {
    let appearance = Surroundings::default();
    let mut all = Vec::new();
    for name in CLIPS {
        let Some(truth) = Truth::open(name) else { return };
        let mut of_clip = Vec::new();
        for t in (2..truth.frames.len()).step_by(9) {
            let gap = truth.reference.abs_diff(t);
            for interval in [1, 4, 9].into_iter().filter(|i| *i <= gap) {
                let u = if t < truth.reference { t + interval } else { t - interval };
                of_clip.extend(judge(&truth, &appearance, (t, u), false));
            }
            if gap > 9 {
                of_clip.extend(judge(&truth, &appearance, (t, truth.reference), true));
            }
        }
        print_kept(name, &of_clip.iter().collect::<Vec<_>>());
        all.extend(of_clip);
    }
    for (name, direct) in [("near", false), ("direct", true)] {
        print_kept(name, &all.iter().filter(|j| j.direct == direct).collect::<Vec<_>>());
    }
}

/// What is gathered over a clip: errors of the region's visible pixels that have a correspondence, how many pixels
/// there are, and how many hidden pixels are led into the region although they do not show it.
#[derive(Default)]
struct Tally {
    errors: Vec<f32>,
    visible: usize,
    hidden: usize,
    led: usize,
}

impl Tally {
    /// `to` gives the position on the reference frame, where there is one.
    fn add(&mut self, truth: &Truth, t: usize, to: impl Fn(usize, usize) -> Option<Vec2>) {
        for (x, y) in truth.grid() {
            if truth.inside[t][(x, y)] > 250.0 && truth.visible[t][(x, y)] > 250.0 {
                self.visible += 1;
                let want = truth.position(t, [x as f32, y as f32]);
                self.errors.extend(to(x, y).map(|q| apart(q, want)));
            } else if truth.inside[t][(x, y)] > 250.0 && truth.visible[t][(x, y)] < 5.0 {
                self.hidden += 1;
                self.led += usize::from(to(x, y).is_some_and(|q| bilinear(&truth.region, q) > 0.5));
            }
        }
    }

    fn print(&mut self, name: &str) {
        self.errors.sort_by(f32::total_cmp);
        let at = |share: f32| {
            let last = self.errors.len().saturating_sub(1);
            self.errors.get((share * last as f32) as usize).copied().unwrap_or(f32::NAN)
        };
        let percent = |n: usize, of: usize| 100.0 * n as f32 / of.max(1) as f32;
        println!(
            "  {name:22} median {:7.2} px, 95th percentile {:7.2} px, within 2 px {:5.1} %, valid {:5.1} % of the \
             visible region; hidden pixels led into the region {:5.1} %",
            at(0.5),
            at(0.95),
            percent(self.errors.iter().filter(|e| **e <= 2.0).count(), self.visible),
            percent(self.errors.len(), self.visible),
            percent(self.led, self.hidden)
        );
    }
}

/// Share of the pixels on which the initial mask and the truth agree, over those inside either: intersection over union.
fn overlap(truth: &Truth, t: usize, pairs: &Pairs) -> [f32; 2] {
    let mask = region_mask(pairs, &truth.region).unwrap();
    let want = truth.inside[t].zip(&truth.visible[t], |i, v| i > 128.0 && v > 128.0);
    let both = mask.zip(&want, |m, w| [f32::from(m > 0.5 && w), f32::from(m > 0.5 || w)]);
    both.pixels().iter().fold([0.0; 2], |s, p| [s[0] + p[0], s[1] + p[1]])
}

/// Aggregated correspondences of a clip, and how much of its surface the initial masks get right.
fn print_aggregated(truth: &Truth, settings: Aggregation) {
    let (mut tally, mut both) = (Tally::default(), [0.0f32; 2]);
    let mut sink = |t: usize, pairs: Pairs| {
        if t != truth.reference {
            tally.add(truth, t, |x, y| pairs.position(x, y));
            let [i, u] = overlap(truth, t, &pairs);
            both = [both[0] + i, both[1] + u];
        }
        Ok(())
    };
    let levels = |t: usize| Ok(truth.frames[t].clone());
    let clip = Sequence { frames: truth.frames.len(), reference: truth.reference, levels: &levels };
    let (flow, appearance) = (Dis::default(), Surroundings::default());
    let aggregator = Aggregator { flow: &flow, appearance: &appearance, settings, check: &|| Ok(()) };
    aggregator.run(&clip, &mut sink).unwrap();
    tally.print(&format!("aggregated, {} px cycle", settings.cycle));
    println!("    initial masks overlap the truth by {:.3}", both[0] / both[1]);
}

/// Flow measured straight to the reference, with and without a check of its round trip.
fn print_direct(truth: &Truth) {
    let (mut plain, mut checked) = (Tally::default(), Tally::default());
    let grey: Vec<Image<f32>> = truth.frames.iter().map(luminance).collect();
    let (flow, to) = (Dis::default(), &grey[truth.reference]);
    for (t, from) in grey.iter().enumerate().filter(|(t, _)| *t != truth.reference) {
        let there = flow.between(from, to).unwrap();
        let error = consistency(&there, &flow.between(to, from).unwrap()).unwrap();
        let on = |x: usize, y: usize| [x as f32 + there[(x, y)][0], y as f32 + there[(x, y)][1]];
        plain.add(truth, t, |x, y| Some(on(x, y)));
        checked.add(truth, t, |x, y| (error[(x, y)] <= 5.0).then(|| on(x, y)));
    }
    checked.print("direct, 5 px cycle");
    plain.print("direct");
}

/// What aggregation gains over flow measured straight to the reference.
fn aggregated_against_direct() {
    for name in CLIPS {
        let Some(truth) = Truth::open(name) else { return };
        println!("{name}");
        for cycle in [5.0, 2.0] {
            print_aggregated(&truth, Aggregation { cycle, ..Aggregation::default() });
        }
        print_direct(&truth);
    }
}

fn main() {
    thresholds();
    aggregated_against_direct();
}
