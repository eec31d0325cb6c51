//! Speed of RAFT on a pair of 768×432, one way and both, with its pictures' preparation; skips without the library
//! (`RNA_ONNXRUNTIME`) or a model (`RNA_MODELS`). `benches/reference/raft_onnx.py` times the bare graph in Python.
#![allow(clippy::print_stdout, reason = "a benchmark for the terminal")]

use rna::flow::{OpticalFlow, Raft};
use rna::frame::{Image, Rgba};
use rna::onnx::{Network, Purpose, Runtime, Shelf};
use std::time::Instant;

const SIZE: (usize, usize) = (768, 432);
const RUNS: usize = 7;

fn main() {
    match raft() {
        Ok(Some(raft)) => measure(&raft),
        Ok(None) => println!("skipped: no model for flow was found; RNA_MODELS names a folder"),
        Err(error) => println!("skipped: {error}"),
    }
}

fn raft() -> rna::Result<Option<Raft>> {
    let Some((model, path)) = Shelf::new(None)?.best(Purpose::Flow) else { return Ok(None) };
    let network = Network::open(&*Runtime::open()?, model, &path, true)?;
    println!("{}", network.account());
    Ok(Some(Raft::new(network)))
}

fn measure(raft: &Raft) {
    let wave =
        |x: f32, y: f32| 128.0 + 50.0 * (0.31 * x + 0.07 * y).sin() + 50.0 * (0.23 * y - 0.11 * x).sin();
    let moved = |d: f32| -> Image<Rgba> {
        Image::from_fn(SIZE.0, SIZE.1, |x, y| [0.0, 0.3, 0.6, 0.0].map(|c| wave(x as f32 - d, y as f32 + c)))
    };
    let (from, to) = (moved(0.0), moved(3.3));
    time("one way", || raft.flow(&from, &to).is_ok());
    println!("  peak so far {}", peak());
    time("both ways", || raft.both_ways(&from, &to).is_ok());
    println!("  peak so far {}", peak());
}

fn time(name: &str, work: impl Fn() -> bool) {
    let one = || {
        let began = Instant::now();
        assert!(work(), "RAFT failed");
        began.elapsed().as_secs_f64() * 1e3
    };
    one();
    let mut times: Vec<f64> = (0..RUNS).map(|_| one()).collect();
    times.sort_by(f64::total_cmp);
    println!("{name}: median {:.0} ms, fastest {:.0} ms of {RUNS}", times[RUNS / 2], times[0]);
}

/// Largest memory this process held, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("unknown");
    line.trim().to_string()
}
