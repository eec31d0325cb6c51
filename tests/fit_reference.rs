//! The neural fit's losses and encoding against PyTorch (`tests/reference/fit.py`) and against central differences.
#![cfg(feature = "neural")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rna::fit::{Encoding, HashGrid, Traces, losses};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Reference {
    losses: Vec<Record>,
    encodings: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    name: String,
    inputs: BTreeMap<String, Input>,
    value: Vec<f64>,
    slopes: BTreeMap<String, Vec<f64>>,
    shape: Option<Encoding>,
}

#[derive(Deserialize, Clone)]
struct Input {
    shape: Vec<usize>,
    data: Vec<f64>,
}

fn reference() -> Reference {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/fit.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The processor, and a GPU where the build and the machine have one.
fn devices() -> Vec<Device> {
    let mut all = vec![Device::flex().autodiff()];
    if cfg!(feature = "gpu") {
        match rna::fit::open(rna::param::DeviceChoice::Gpu) {
            Ok(gpu) => all.push(gpu.device),
            Err(_) => println!("skipped on a GPU: there is none"),
        }
    }
    all
}

fn tensor(input: &Input, device: &Device) -> Tensor<2> {
    let data: Vec<f32> = input.data.iter().map(|v| *v as f32).collect();
    Tensor::from_data(TensorData::new(data, [input.shape[0], input.shape[1]]), device)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().try_to_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
}

/// Worst difference against the largest of what was expected.
fn worst(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-6f64, |m, v| m.max(v.abs()));
    found.iter().zip(expected).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

/// A loss by its name on named inputs.
fn loss(name: &str, of: &BTreeMap<String, Tensor<2>>) -> Tensor<1> {
    let t = |k: &str| of[k].clone();
    match name {
        "recon" => losses::recon(t("mask"), t("gain"), t("atlas"), t("seen")),
        "rigid" => losses::rigid(t("uv"), t("right"), t("below"), 0.01),
        "pos" => losses::pos(t("uv"), t("at"), t("in_region")),
        "corr" => losses::corr(t("mask"), t("uv"), t("partner"), t("has"), 384.0),
        "mask_reference" => losses::mask_reference(t("mask"), t("in_region")),
        "bootstrap" => losses::bootstrap(t("mask"), t("initial")),
        "mask_flow" => losses::mask_flow(t("mask"), t("partner"), t("has")),
        "illum" => losses::illum(t("gain")),
        "no" => {
            let free = losses::unhindered(t("potential"), t("gain"), t("atlas"), t("seen"), 0.01);
            losses::no(t("mask"), free)
        }
        "distil" => losses::distil(t("learnt"), t("known"), t("weight")),
        other => panic!("no loss is called {other}"),
    }
}

#[test]
fn losses_and_their_slopes_are_those_of_pytorch() {
    for (device, record) in devices().iter().flat_map(|d| reference().losses.into_iter().map(move |r| (d, r)))
    {
        let leaf = |(k, v): (&String, &Input)| {
            let t = tensor(v, device);
            (k.clone(), if record.slopes.contains_key(k) { t.require_grad() } else { t })
        };
        let of: BTreeMap<String, Tensor<2>> = record.inputs.iter().map(leaf).collect();
        let value = loss(&record.name, &of);
        assert!(worst(&numbers(value.clone()), &record.value) < 1e-4, "{}", record.name);
        let gradients = value.backward();
        for (k, expected) in &record.slopes {
            let found = numbers(of[k].grad(&gradients).unwrap());
            let off = worst(&found, expected);
            assert!(off < 2e-3, "{}: slope of {k} is off by {off}", record.name);
        }
    }
}

#[test]
fn slopes_are_what_small_changes_make() {
    const STEP: f64 = 1e-3;
    let device = Device::flex().autodiff();
    for record in reference().losses.iter().filter(|r| r.name != "rigid") {
        for (k, slopes) in &record.slopes {
            let moved = |i: usize, by: f64| {
                let mut inputs = record.inputs.clone();
                inputs.get_mut(k).unwrap().data[i] += by;
                let of = inputs.iter().map(|(k, v)| (k.clone(), tensor(v, &device))).collect();
                numbers(loss(&record.name, &of))[0]
            };
            let found: Vec<f64> =
                (0..slopes.len()).map(|i| (moved(i, STEP) - moved(i, -STEP)) / (2.0 * STEP)).collect();
            let off = worst(&found, slopes);
            assert!(off < 0.02, "{}: {k} is off by {off}", record.name);
        }
    }
}

fn weighted_sum(encoded: Tensor<2>) -> Tensor<1> {
    let [n, k] = encoded.dims();
    let weights: Vec<f32> = (1..=n * k).map(|i| i as f32).collect();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [n, k]), &encoded.device());
    (encoded * weights).sum()
}

/// Slopes of a grid's table, whichever way it was read.
fn table_slopes(grid: &HashGrid, traces: Traces, gradients: &Gradients) -> Vec<f64> {
    match grid.table.val().grad(gradients) {
        Some(slopes) => numbers(slopes),
        None => numbers(traces.slopes(gradients).remove(0).1),
    }
}

fn both_ways(grid: HashGrid) -> [(&'static str, HashGrid); 2] {
    [("native", grid.clone()), ("tensors", grid.by_tensors())]
}

#[test]
fn the_hash_grid_is_the_published_one() {
    for (device, record) in
        devices().iter().flat_map(|d| reference().encodings.into_iter().map(move |r| (d, r)))
    {
        let shape = record.shape.unwrap();
        let table = record.inputs["table"].data.iter().map(|v| *v as f32).collect();
        let dimensions = record.inputs["points"].shape[1];
        for (way, grid) in both_ways(HashGrid::new(&shape, dimensions, table, device)) {
            let points = tensor(&record.inputs["points"], device).require_grad();
            let traces = Traces::default();
            let encoded = grid.forward(points.clone(), &traces);
            let off = worst(&numbers(encoded.clone()), &record.value);
            assert!(off < 1e-5, "{} by {way}: values off by {off}", record.name);
            let gradients = weighted_sum(encoded).backward();
            let of_points = worst(&numbers(points.grad(&gradients).unwrap()), &record.slopes["points"]);
            let of_table = worst(&table_slopes(&grid, traces, &gradients), &record.slopes["table"]);
            assert!(of_points < 1e-4 && of_table < 1e-4, "{} by {way}: {of_points}, {of_table}", record.name);
        }
    }
}

/// Millions of additions to one place: none may be lost, whatever the threads do.
#[test]
fn a_place_hit_often_sums_exactly() {
    const POINTS: usize = 500_000;
    let shape = Encoding { levels: 2, features: 2, log2_table: 6, base: 4.0, growth: 4.0 };
    let grid = |d: &Device| HashGrid::new(&shape, 2, vec![0.5; shape.length()], d);
    for (device, (way, grid)) in devices().iter().flat_map(|d| both_ways(grid(d)).map(|g| (d, g))) {
        // At the first node: its weight is 1, that of all others 0.
        let points = Tensor::<2>::zeros([POINTS, 2], device);
        let traces = Traces::default();
        let gradients = grid.forward(points, &traces).sum().backward();
        for (i, slope) in table_slopes(&grid, traces, &gradients).iter().enumerate() {
            let first = i % (64 * 2) < 2;
            assert_eq!(*slope, if first { POINTS as f64 } else { 0.0 }, "{way}, place {i}");
        }
    }
}
