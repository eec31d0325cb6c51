//! A step of the paper's fit on the processor, as the program runs it: drawn batch, losses, slopes, optimiser.
//!
//! `cargo bench --bench fit`; beside it `python benches/reference/paper_step.py`, the same step in PyTorch.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]

use parking_lot::Mutex;
use rna::fit::{
    Chosen, Config, Goal, Phase, Probe, Region, Sample, Samples, SamplesWriter, Source, Space, Trainer,
};
use rna::frame::Image;
use rna::progress::{Cancel, Message, Progress};
use rna::track::Canvas;
use std::sync::Arc;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZE: (usize, usize) = (768, 432);
const FRAMES: usize = 8;
const STEPS: usize = 12;
const WARM_UP: usize = 2;

fn samples(path: &std::path::Path) -> Samples {
    let mut random = fastrand::Rng::with_seed(1);
    let mut writer = SamplesWriter::create(path).unwrap();
    for frame in 0..FRAMES {
        let all = (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| [x as u16, y as u16]));
        let mut sample = |at: [u16; 2]| Sample {
            frame,
            at,
            colour: [random.f32() * 255.0, random.f32() * 255.0, random.f32() * 255.0, 0.0],
            to: [0, 1, 2].map(|_| random.bool().then(|| [random.f32(), random.f32()])),
            initial: f32::from(u8::from(random.bool())),
        };
        let drawn: Vec<Sample> = all.map(&mut sample).collect();
        writer.push(frame, drawn.into_iter()).unwrap();
    }
    let index = writer.finish().unwrap();
    Samples::open(path, index).unwrap()
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let samples = samples(&folder.path().join("points"));
    let canvas = Canvas::new(&[[344.0, 80.0], [524.0, 80.0], [524.0, 300.0], [344.0, 300.0]], SIZE).unwrap();
    let chosen = Chosen::processor();
    let source = Source {
        samples: &samples,
        space: Space::new(SIZE, FRAMES),
        reference: 0,
        coverage: &canvas.coverage,
        bounds: canvas.bounds,
        size: SIZE,
        prior: None,
    };
    let probe = Probe::new(&source, &Image::new(SIZE.0, SIZE.1, [90.0; 4]), &chosen.plain);
    let region = Region::new(&canvas.coverage, canvas.bounds, &chosen.device);
    let schedule = vec![Phase { goal: Goal::Bootstrap, steps: STEPS, decay: 1.0 }];
    let config = Config { schedule, look: usize::MAX, ..Config::paper() };
    let times = Arc::new(Mutex::new(vec![Instant::now()]));
    let heard = times.clone();
    let listen = move |message| {
        if matches!(message, Message::Step { .. }) {
            heard.lock().push(Instant::now());
        }
    };
    let trainer = Trainer {
        source,
        config: &config,
        probe: &probe,
        region: &region,
        device: &chosen.device,
        checkpoint: &folder.path().join("state"),
        progress: &Progress::new(listen, Cancel::default()),
        done_before: 0,
    };
    trainer.run().unwrap();
    let times = times.lock();
    let mut steps: Vec<f64> =
        times.windows(2).map(|w| (w[1] - w[0]).as_secs_f64() * 1e3).skip(WARM_UP).collect();
    steps.sort_by(f64::total_cmp);
    println!(
        "{} threads: median {:.0} ms, fastest {:.0} ms of {} steps",
        rayon::current_num_threads(),
        steps[steps.len() / 2],
        steps[0],
        steps.len()
    );
}
