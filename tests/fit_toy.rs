//! The neural fit on a toy clip whose answer is known: a textured plane that drifts, grows and brightens, and a disc that
//! passes before it. From nothing, by the paper's losses.
#![cfg(feature = "neural")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, helpers included")]

use rna::fit::{
    Chosen, Config, Encoding, Fitted, Goal, Grid, Layers, Networks, Phase, Probe, Rates, Region, Sample,
    Samples, SamplesWriter, Source, Space, Trainer,
};
use rna::frame::{Image, Rect, Rgba, Vec2};
use rna::progress::{Cancel, Message, Progress};
use rna::track::Canvas;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The program's own, without which each step takes twice as long.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZE: (usize, usize) = (96, 72);
const FRAMES: usize = 8;
const REFERENCE: usize = 0;

fn zoom(t: usize) -> f32 {
    1.0 + 0.02 * t as f32
}

fn pan(t: usize) -> Vec2 {
    [1.5 * t as f32, -0.75 * t as f32]
}

/// Reference position of a frame position.
fn truth(t: usize, [x, y]: Vec2) -> Vec2 {
    let d = pan(t);
    [(x - d[0]) / zoom(t), (y - d[1]) / zoom(t)]
}

fn frame_position(t: usize, [u, v]: Vec2) -> Vec2 {
    let d = pan(t);
    [u * zoom(t) + d[0], v * zoom(t) + d[1]]
}

/// The disc comes in from the right, and is gone on the reference frame.
fn hidden(t: usize, [x, y]: Vec2) -> bool {
    t > 0 && (x - (92.0 - 7.0 * t as f32)).hypot(y - 36.0) < 11.0
}

fn gain(t: usize) -> [f32; 3] {
    [1.0 + 0.02 * t as f32, 1.0, 1.0 - 0.015 * t as f32]
}

fn colour(t: usize, p: Vec2) -> Rgba {
    if hidden(t, p) {
        return [20.0, 200.0, 60.0, 0.0];
    }
    let ([u, v], g) = (truth(t, p), gain(t));
    let wave = |a: f32, b: f32, c: f32| 120.0 + 50.0 * (u * a + v * b + c).sin();
    [wave(0.31, 0.12, 0.0) * g[0], wave(-0.15, 0.27, 1.0) * g[1], wave(0.22, -0.2, 2.0) * g[2], 0.0]
}

fn on_picture([x, y]: Vec2) -> bool {
    x >= 0.0 && y >= 0.0 && x <= (SIZE.0 - 1) as f32 && y <= (SIZE.1 - 1) as f32
}

fn samples(path: &Path) -> Samples {
    let mut writer = SamplesWriter::create(path).unwrap();
    for t in 0..FRAMES {
        let all = (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| [x as u16, y as u16]));
        let sample = |at: [u16; 2]| {
            let p = at.map(f32::from);
            let to = |k: Option<usize>| {
                let q = frame_position(k?, truth(t, p));
                let both = k? < FRAMES && !hidden(t, p) && !hidden(k?, q) && on_picture(q);
                both.then_some([q[0] - p[0], q[1] - p[1]])
            };
            let u = truth(t, p);
            let to = [to(Some(REFERENCE)), to(Some(t + 1)), to(t.checked_sub(1))];
            let initial = if inside(u) && to[0].is_some() { 1.0 } else { 0.0 };
            Sample { frame: t, at, colour: colour(t, p), to, initial }
        };
        writer.push(t, all.map(sample)).unwrap();
    }
    let index = writer.finish().unwrap();
    Samples::open(path, index).unwrap()
}

/// The region.
const CORNERS: [[f64; 2]; 4] = [[24.0, 18.0], [72.0, 18.0], [72.0, 54.0], [24.0, 54.0]];

fn inside([u, v]: Vec2) -> bool {
    (24.0..72.0).contains(&u) && (18.0..54.0).contains(&v)
}

fn config(schedule: Vec<Phase>) -> Config {
    let grid = |levels, base| Grid {
        encoding: Encoding { levels, features: 2, log2_table: 12, base, growth: 1.5 },
        layers: Layers { depth: 3, width: 32 },
    };
    Config {
        batch: 1_024,
        mapping: Layers { depth: 4, width: 96 },
        atlas: grid(6, 8.0),
        lighting: Layers { depth: 3, width: 32 },
        mask: grid(6, 6.0),
        rates: Rates { layers: 2e-3, grids: 2e-2 },
        look: 500,
        schedule,
        ..Config::paper()
    }
}

fn phase(goal: Goal, steps: usize, decay: f64) -> Phase {
    Phase { goal, steps, decay }
}

/// Everything a fit needs.
struct Toy {
    folder: tempfile::TempDir,
    samples: Samples,
    canvas: Canvas,
    chosen: Chosen,
    space: Space,
}

impl Toy {
    fn new() -> Self {
        Self::on(Chosen::processor())
    }

    fn on(chosen: Chosen) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(&folder.path().join("points"));
        let canvas = Canvas::new(&CORNERS, SIZE).unwrap();
        Self { folder, samples, canvas, chosen, space: Space::new(SIZE, FRAMES) }
    }

    fn train(&self, config: &Config, name: &str, progress: &Progress) -> rna::Result<Networks> {
        let source = Source {
            samples: &self.samples,
            space: self.space,
            reference: REFERENCE,
            coverage: &self.canvas.coverage,
            bounds: self.canvas.bounds,
            size: SIZE,
            prior: None,
        };
        let reference = Image::from_fn(SIZE.0, SIZE.1, |x, y| colour(REFERENCE, [x as f32, y as f32]));
        let probe = Probe::new(&source, &reference, &self.chosen.plain);
        let region = Region::new(&self.canvas.coverage, self.canvas.bounds, &self.chosen.device);
        let checkpoint = self.folder.path().join(name);
        let trainer = Trainer {
            source,
            config,
            probe: &probe,
            region: &region,
            device: &self.chosen.device,
            checkpoint: &checkpoint,
            progress,
            done_before: 0,
        };
        trainer.run()
    }

    fn fitted<'a>(&'a self, networks: &'a Networks) -> Fitted<'a> {
        Fitted { networks, space: self.space, device: &self.chosen.plain, size: SIZE, frames: FRAMES }
    }
}

#[test]
fn the_toy_clip_is_understood() {
    let toy = Toy::new();
    let config = config(vec![
        phase(Goal::Identity, 200, 1.0),
        phase(Goal::Bootstrap, 200, 1.0),
        phase(Goal::Estimate, 4_000, 0.01),
        phase(Goal::Refine, 100, 0.2),
    ]);
    let networks = toy.train(&config, "state", &Progress::silent()).unwrap();
    let fitted = toy.fitted(&networks);
    let (_, light) = fitted.appearance(&toy.canvas, REFERENCE, None).unwrap();
    let (mut off, mut mapped, mut lit, mut both, mut either, mut count) =
        (0.0f64, 0.0f64, 0.0f64, 0.0, 0.0f64, 0.0);
    for t in 0..FRAMES {
        let map = fitted.mapped(&toy.canvas, t).unwrap().expect("the frame shows the region");
        let all: Vec<Vec2> =
            (0..SIZE.0 * SIZE.1).map(|k| [(k % SIZE.0) as f32, (k / SIZE.0) as f32]).collect();
        let places = fitted.places(t, &all).unwrap();
        let mask = fitted.mask(t, Rect::new(0, 0, SIZE.0 as i32, SIZE.1 as i32)).unwrap();
        for y in 0..SIZE.1 {
            for x in 0..SIZE.0 {
                let p = [x as f32, y as f32];
                let shows = inside(truth(t, p)) && !hidden(t, p);
                let found = mask[(x, y)] > 0.5;
                both += f64::from(u8::from(shows && found));
                either += f64::from(u8::from(shows || found));
                if shows {
                    let u = toy.canvas.to_canvas(truth(t, p));
                    let q = toy.canvas.position(&map, u);
                    mapped += f64::from((q[0] - p[0]).hypot(q[1] - p[1]));
                    let (v, w) = (places[y * SIZE.0 + x], truth(t, p));
                    off += f64::from((v[0] - w[0]).hypot(v[1] - w[1]));
                    let (g, k) = (gain(t), light.at(t, u));
                    lit += (0..3).map(|c| f64::from((k[c] / g[c] - 1.0).abs()) / 3.0).sum::<f64>();
                    count += 1.0;
                }
            }
        }
    }
    let (off, mapped, lit, iou) = (off / count, mapped / count, lit / count, both / either);
    println!("T {off:.3} px, the map made of it {mapped:.3} px, L {:.2} %, M's IoU {iou:.3}", 100.0 * lit);
    assert!(off < 0.1, "T is {off} px off");
    assert!(mapped < 0.15, "the map made of T is {mapped} px off");
    assert!(lit < 0.02, "L is {lit} off");
    assert!(iou > 0.97, "M's IoU is {iou}");
}

/// What the networks say of a few points, to the bit.
fn fingerprint(toy: &Toy, networks: &Networks) -> Vec<u32> {
    let fitted = toy.fitted(networks);
    let mask = fitted.mask(3, Rect::new(10, 10, 50, 40)).unwrap();
    let (atlas, light) = fitted.appearance(&toy.canvas, REFERENCE, None).unwrap();
    let colours = atlas.pixels().iter().chain(light.nodes(5).pixels()).flatten();
    mask.pixels().iter().chain(colours).map(|v| v.to_bits()).collect()
}

fn short() -> Config {
    let config = config(vec![phase(Goal::Bootstrap, 25, 0.5), phase(Goal::Refine, 15, 1.0)]);
    Config { batch: 512, look: 10, ..config }
}

#[test]
fn the_same_input_gives_the_same_networks() {
    let toy = Toy::new();
    let run = |name| fingerprint(&toy, &toy.train(&short(), name, &Progress::silent()).unwrap());
    assert!(run("one") == run("two"));
}

#[test]
fn a_cancelled_fit_goes_on_where_it_was() {
    let toy = Toy::new();
    let whole = fingerprint(&toy, &toy.train(&short(), "whole", &Progress::silent()).unwrap());
    let cancel = Cancel::default();
    let stop = cancel.clone();
    let seen = Arc::new(AtomicUsize::new(0));
    let steps = seen.clone();
    let listen = move |message| {
        if let Message::Step { done } = message {
            steps.store(done, Ordering::Relaxed);
            if done == 17 {
                stop.cancel();
            }
        }
    };
    let stopped = toy.train(&short(), "cut", &Progress::new(listen, cancel));
    assert!(matches!(stopped, Err(rna::Error::Cancelled)));
    assert_eq!(seen.load(Ordering::Relaxed), 17);
    let first = Arc::new(AtomicUsize::new(usize::MAX));
    let earliest = first.clone();
    let listen = move |message| {
        if let Message::Step { done } = message {
            earliest.fetch_min(done, Ordering::Relaxed);
        }
    };
    let resumed = toy.train(&short(), "cut", &Progress::new(listen, Cancel::default())).unwrap();
    assert_eq!(first.load(Ordering::Relaxed), 18);
    assert!(fingerprint(&toy, &resumed) == whole, "it came to something else");
}

#[test]
fn a_fit_that_diverges_says_so_and_ends_in_numbers() {
    let toy = Toy::new();
    let wild = Config { rates: Rates { layers: 1e30, grids: 1e30 }, ..short() };
    let said = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let hear = said.clone();
    let listen = move |message| {
        if let Message::Warning { text } = message {
            hear.lock().push(text);
        }
    };
    let networks = toy.train(&wild, "wild", &Progress::new(listen, Cancel::default())).unwrap();
    let said = said.lock();
    assert!(
        said.first().is_some_and(|t| t.contains("diverged in step") && t.contains("of bootstrap")),
        "{said:?}"
    );
    assert!(fingerprint(&toy, &networks).iter().all(|b| f32::from_bits(*b).is_finite()));
}

/// A few steps on a GPU come to what they come to on the processor: the networks start alike on both.
#[cfg(feature = "gpu")]
#[test]
fn a_gpu_comes_to_the_same() {
    let Ok(chosen) = rna::fit::open(rna::param::DeviceChoice::Gpu) else {
        println!("skipped: no GPU, nor a driver that plays one");
        return;
    };
    println!("on {}", chosen.name);
    let config =
        Config { batch: 256, ..config(vec![phase(Goal::Bootstrap, 4, 1.0), phase(Goal::Refine, 2, 1.0)]) };
    let numbers = |toy: Toy| -> Vec<f32> {
        let networks = toy.train(&config, "state", &Progress::silent()).unwrap();
        fingerprint(&toy, &networks).into_iter().map(f32::from_bits).collect()
    };
    let (found, expected) = (numbers(Toy::on(chosen)), numbers(Toy::new()));
    let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f32::max);
    assert!(worst < 0.01, "a GPU differs from the processor by {worst}");
}
