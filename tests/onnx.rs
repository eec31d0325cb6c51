//! Networks through ONNX Runtime against PyTorch (`tests/reference/models.py`), and against graphs whose answer is
//! known in advance.
#![cfg(feature = "onnx")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

use rna::Error;
use rna::flow::aggregate::Appearance;
use rna::flow::{Dino, OpticalFlow, Raft};
use rna::frame::{Image, Rgba};
use rna::matte::VitMatte;
use rna::onnx::{Model, Network, Runtime, catalog};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The small models that are kept.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/models");

/// The library, where the machine has it; `cargo xtask test` fetches it.
fn runtime() -> Option<Arc<Runtime>> {
    match Runtime::open() {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

fn model(id: &str) -> &'static Model {
    catalog().iter().find(|m| m.id == id).unwrap()
}

fn open(runtime: &Runtime, id: &str, path: &Path) -> Network {
    Network::open(runtime, model(id), path, true).unwrap()
}

/// Folders with models and what PyTorch makes of them: the small ones, and those of full size where they were made
/// (`python tests/reference/models.py --full FOLDER`, the folder named in `RNA_REFERENCE_MODELS`).
fn folders() -> Vec<PathBuf> {
    let mut all = vec![PathBuf::from(KEPT)];
    match std::env::var_os("RNA_REFERENCE_MODELS") {
        Some(folder) => all.push(folder.into()),
        None => println!("skipped at full size: RNA_REFERENCE_MODELS names no folder of such models"),
    }
    all
}

/// Expected values of one folder.
struct Expected(Vec<u8>);

impl Expected {
    fn of(folder: &Path) -> Self {
        Self(std::fs::read(folder.join("expected.safetensors")).unwrap())
    }

    fn bytes(&self, name: &str) -> (Vec<usize>, Vec<u8>) {
        let all = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = all.tensor(name).unwrap();
        (tensor.shape().to_vec(), tensor.data().to_vec())
    }

    fn picture(&self, name: &str) -> Image<Rgba> {
        let (shape, bytes) = self.bytes(name);
        let pixel = |p: &[u8]| [p[0], p[1], p[2], 0].map(f32::from);
        Image::from_vec(shape[1], shape[0], bytes.chunks_exact(3).map(pixel).collect())
    }

    fn trimap(&self, name: &str) -> Image<f32> {
        let (shape, bytes) = self.bytes(name);
        let value = |v: &u8| [0.0, 0.5, 1.0][usize::from(*v) / 127];
        Image::from_vec(shape[1], shape[0], bytes.iter().map(value).collect())
    }

    /// Channels, rows, columns.
    fn numbers(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let (shape, bytes) = self.bytes(name);
        let number = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap());
        (shape, bytes.chunks_exact(4).map(number).collect())
    }
}

/// The folder's model of a kind.
fn in_folder(folder: &Path, ids: &[&'static str]) -> &'static str {
    ids.iter().copied().find(|id| folder.join(&model(id).file).is_file()).unwrap()
}

#[test]
fn raft_is_pytorchs() {
    let Some(runtime) = runtime() else { return };
    for folder in folders() {
        let expected = Expected::of(&folder);
        let raft = Raft::new(open(&runtime, "raft-small", &folder.join("raft-small.onnx")));
        for k in 0..2 {
            let picture = |name: &str| expected.picture(&format!("raft-small/{k}/{name}"));
            let (from, to) = (picture("from"), picture("to"));
            let flow = raft.flow(&from, &to).unwrap();
            let (both, _) = raft.both_ways(&from, &to).unwrap();
            let (shape, numbers) = expected.numbers(&format!("raft-small/{k}/flow-every-3"));
            let (rows, columns) = (shape[1], shape[2]);
            let largest = numbers.iter().fold(1.0f32, |m, v| m.max(v.abs()));
            let off = |flow: &Image<[f32; 2]>| {
                let at = |c: usize, y: usize, x: usize| numbers[(c * rows + y) * columns + x];
                let pixels = (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y)));
                let miss = |(x, y): (usize, usize)| {
                    let v = flow[(3 * x, 3 * y)];
                    (0..2).map(|c| (v[c] - at(c, y, x)).abs()).fold(0.0, f32::max)
                };
                pixels.map(miss).fold(0.0, f32::max) / largest
            };
            let worst = off(&flow).max(off(&both));
            println!("RAFT {:?}: {worst:.1e} of {largest:.1} px", from.size());
            assert!(worst < 1e-3, "picture {k} of {}: {worst}", folder.display());
        }
    }
}

#[test]
fn dino_is_pytorchs() {
    let Some(runtime) = runtime() else { return };
    for folder in folders() {
        let expected = Expected::of(&folder);
        let id = in_folder(&folder, &["dino-vits8", "dino-vits16"]);
        let dino = Dino::new(open(&runtime, id, &folder.join(&model(id).file)));
        for k in 0..2 {
            let features = dino.features(&expected.picture(&format!("{id}/{k}/image"))).unwrap();
            let (shape, numbers) = expected.numbers(&format!("{id}/{k}/features"));
            assert_eq!((features.size(), features.dims()), ((shape[2], shape[1]), shape[0]));
            let stride = model(id).stride as f32;
            let mut vector = vec![0.0; shape[0]];
            let mut worst = 0.0f32;
            for (y, x) in (0..shape[1]).flat_map(|y| (0..shape[2]).map(move |x| (y, x))) {
                // A cell's centre lies in the middle of its patch.
                let centre = |v: usize| (v as f32 + 0.5) * stride - 0.5;
                features.at([centre(x), centre(y)], &mut vector);
                for (c, v) in vector.iter().enumerate() {
                    worst = worst.max((v - numbers[(c * shape[1] + y) * shape[2] + x]).abs());
                }
            }
            println!("{id} {shape:?}: {worst:.1e}");
            assert!(worst < 1e-4, "picture {k} of {}: {worst}", folder.display());
        }
    }
}

#[test]
fn vitmatte_is_pytorchs() {
    let Some(runtime) = runtime() else { return };
    for folder in folders() {
        let expected = Expected::of(&folder);
        let vitmatte = VitMatte::new(open(&runtime, "vitmatte-small", &folder.join("vitmatte-small.onnx")));
        for k in 0..2 {
            let name = |what: &str| format!("vitmatte-small/{k}/{what}");
            let (picture, trimap) = (expected.picture(&name("image")), expected.trimap(&name("trimap")));
            let alpha = vitmatte.alphas(&[(&picture, &trimap)]).unwrap().remove(0);
            let (_, numbers) = expected.numbers(&name("alpha"));
            let worst = alpha.pixels().iter().zip(&numbers).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("ViTMatte {:?}: {worst:.1e}", picture.size());
            assert!(numbers.len() == alpha.pixels().len() && worst < 1e-4, "picture {k}: {worst}");
        }
    }
}

/// The graph gives the difference of its normalised inputs' red and green as the flow.
#[test]
fn flow_keeps_its_place_and_its_unit() {
    let Some(runtime) = runtime() else { return };
    let raft = Raft::new(open(&runtime, "raft-small", &Path::new(KEPT).join("echo-flow.onnx")));
    let ramp = |w: usize, h: usize| {
        Image::from_fn(w, h, |x, y| [x as f32 * 200.0 / w as f32, y as f32 / 9.0, 0.0, 0.0])
    };
    // Exactly, where nothing is reduced; padding is cut off again, and what is no level is cut to one.
    let (a, b) = (ramp(131, 97), Image::new(131, 97, [300.0, -5.0, 0.0, 0.0]));
    let flow = raft.flow(&a, &b).unwrap();
    assert_eq!(flow.size(), (131, 97));
    let expected = [(a[(77, 31)][0] - 255.0) / 127.5, a[(77, 31)][1] / 127.5];
    assert!(
        (0..2).all(|c| (flow[(77, 31)][c] - expected[c]).abs() < 1e-6),
        "{:?} {expected:?}",
        flow[(77, 31)]
    );
    // A picture too large is reduced: the answer comes back in the picture's own places and pixels.
    let (a, b) = (ramp(1600, 900), Image::new(1600, 900, [0.0; 4]));
    let flow = raft.flow(&a, &b).unwrap();
    assert_eq!(flow.size(), (1600, 900));
    let scale = (600_000.0f32 / (1600.0 * 900.0)).sqrt();
    for (x, y) in [(30, 30), (800, 450), (1500, 801)] {
        let expected = [a[(x, y)][0] / 127.5 / scale, a[(x, y)][1] / 127.5 / scale];
        let close = (0..2).all(|c| (flow[(x, y)][c] - expected[c]).abs() < 2e-3 * (1.0 + expected[c]));
        assert!(close, "at {x}, {y}: {:?} and not {expected:?}", flow[(x, y)]);
    }
    let (there, back) = raft.both_ways(&a, &b).unwrap();
    assert!(there == flow && back[(800, 450)] == flow[(800, 450)].map(|v| -v));
    assert!(matches!(raft.flow(&a, &ramp(64, 64)), Err(Error::Mismatch(_))));
}

/// The graph gives the trimap as alpha: a batch of several sizes comes back each in its own.
#[test]
fn mattes_of_a_batch_keep_their_sizes() {
    let Some(runtime) = runtime() else { return };
    let vitmatte = VitMatte::new(open(&runtime, "vitmatte-small", &Path::new(KEPT).join("echo-alpha.onnx")));
    let trimap = |w: usize, h: usize| Image::from_fn(w, h, |x, y| [0.0, 0.5, 1.0][(x / 7 + y / 5) % 3]);
    let all = [trimap(40, 70), trimap(33, 31), trimap(96, 64)];
    let pictures: Vec<Image<Rgba>> = all.iter().map(|t| t.map(|_| [90.0, 40.0, 10.0, 0.0])).collect();
    let asked: Vec<_> = pictures.iter().zip(&all).collect();
    assert!(vitmatte.alphas(&asked).unwrap() == all);
    // Reduced and enlarged again, its middle stays in the middle.
    let large = Image::from_fn(1600, 1400, |x, _| if x < 800 { 0.0 } else { 1.0 });
    let alpha = vitmatte.alphas(&[(&large.map(|_| [9.0; 4]), &large)]).unwrap().remove(0);
    assert_eq!(alpha.size(), large.size());
    assert!(alpha[(797, 5)] == 0.0 && alpha[(802, 1390)] == 1.0);
}

/// The graph gives means over squares of 8×8 pixels as features.
#[test]
fn features_lie_where_they_were_seen() {
    let Some(runtime) = runtime() else { return };
    let dino = Dino::new(open(&runtime, "dino-vits8", &Path::new(KEPT).join("echo-features.onnx")));
    // Columns are as bright as they are far to the right; a frame of 1000×500 is reduced.
    for (w, h, precise) in [(160, 90, 1e-3), (1000, 500, 0.5)] {
        let frame = Image::from_fn(w, h, |x, _| [x as f32 * 250.0 / w as f32, 0.0, 0.0, 0.0]);
        let features = dino.features(&frame).unwrap();
        let mut vector = [0.0; 3];
        for x in [w / 4, w / 2, 3 * w / 4] {
            features.at([x as f32, h as f32 / 2.0], &mut vector);
            let level = vector[0] * 58.395 + 123.675;
            let expected = x as f32 * 250.0 / w as f32;
            assert!((level - expected).abs() < precise, "{w}×{h}, column {x}: {level} and not {expected}");
        }
    }
}

#[test]
fn a_wrong_file_is_named_with_what_was_expected() {
    let Some(runtime) = runtime() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft-small.onnx");
    let refused = || match Network::open(&runtime, model("raft-small"), &path, true) {
        Err(error @ Error::Model { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was taken"),
    };
    std::fs::write(&path, "not a model").unwrap();
    let said = refused();
    assert!(said.contains("raft-small.onnx") && said.contains("export/raft.py"), "{said}");
    // Another network, half a network.
    std::fs::copy(Path::new(KEPT).join("vitmatte-small.onnx"), &path).unwrap();
    assert!(refused().contains("1 inputs (pixels)"), "{}", refused());
    let whole = std::fs::read(Path::new(KEPT).join("raft-small.onnx")).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(refused().contains("does not take it"), "{}", refused());
    // What is much too large is not even read.
    std::fs::File::create(&path).unwrap().set_len(3 << 30).unwrap();
    assert!(refused().contains("3072 MB"), "{}", refused());
}
