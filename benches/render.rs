//! How fast an edited frame is rendered: 1920×1080, the region a quarter of it, on one core.
//!
//! Throughput counts the region's pixels in the frame; copying the rest of the frame is part of the time.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rna::atlas::{Analysis, Header, Layer, Placement, Quality, Surface};
use rna::frame::{Encoding, Image, Rgba};
use rna::param::{RenderSettings, View};
use rna::render::{Edit, Renderer};
use rna::roi::Roi;
use std::sync::Arc;

const SIZE: [usize; 2] = [1920, 1080];
const REGION: [usize; 2] = [960, 540];

/// The same layer in every frame but for a shift of the map, so that there is motion.
struct Moving {
    header: Header,
    surfaces: Vec<Surface>,
    layers: Vec<Arc<Layer>>,
}

impl Analysis for Moving {
    fn header(&self) -> &Header {
        &self.header
    }
    fn surfaces(&self) -> &[Surface] {
        &self.surfaces
    }
    fn layer(&self, _: usize, frame: usize) -> rna::Result<Arc<Layer>> {
        Ok(Arc::clone(&self.layers[frame]))
    }
}

/// A scene whose map shows `reduced` reference pixels to a frame pixel.
fn scene(reduced: f32) -> Moving {
    let size = REGION.map(|n| (n as f32 * reduced) as usize + 1);
    let placement = Placement { origin: [480.0, 270.0], scale: 1.0, size };
    let picture =
        Image::from_fn(size[0], size[1], |x, y| [(x % 64) as f32 / 64.0, (y % 32) as f32 / 32.0, 0.5, 1.0]);
    let layers = (0..3).map(|t| {
        let map = Image::from_fn(161, 91, |i, j| {
            let (x, y) = (i as f32 * 12.0, j as f32 * 12.0);
            let wave = (0.01 * x + 0.02 * y).sin();
            [480.0 + (x - 480.0) * reduced + wave + 8.0 * t as f32, 270.0 + (y - 270.0) * reduced + wave]
        });
        Arc::new(Layer { map, mask: Image::new(768, 432, 255), light: Image::new(30, 17, [0.9; 4]) })
    });
    let header = Header {
        made_by: "bench".into(),
        size: SIZE,
        working_size: [768, 432],
        frames: 3,
        first_frame: 0,
        map_step: [12.0; 2],
        shutter: 0.0,
        encoding: Encoding::Display,
        roi: Roi { reference_frame: 0, polygons: Vec::new(), size: Some(SIZE) },
        fingerprint: String::new(),
        settings: Default::default(),
        quality: vec![vec![Quality { confidence: 1.0, visible: 1.0, psnr: 40.0 }; 3]],
    };
    Moving { header, surfaces: vec![Surface { placement, picture }], layers: layers.collect() }
}

fn frames(c: &mut Criterion) {
    // The figure is for one core; frames are rendered side by side anyway.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap_or_else(|e| panic!("{e}"));
    let mut group = c.benchmark_group("frame of 1920x1080, region a quarter");
    group.throughput(Throughput::Elements((REGION[0] * REGION[1]) as u64)).sample_size(20);
    let input: Image<Rgba> =
        Image::from_fn(SIZE[0], SIZE[1], |x, y| [x as f32 / 1920.0, y as f32 / 1080.0, 0.5, 1.0]);
    for (name, alpha, reduced, shutter) in [
        ("opaque paint", 1.0, 1.0, 0.0),
        ("soft paint", 0.5, 1.0, 0.0),
        ("opaque paint, motion blur", 1.0, 1.0, 0.5),
        ("opaque paint, reduced twice", 1.0, 2.0, 0.0),
    ] {
        let scene = Arc::new(scene(reduced));
        let picture = scene.surfaces[0].picture.map(|&[r, g, b, _]| [b, r, g, alpha]);
        let edit = Edit::from_painting(&*scene, &picture).unwrap_or_else(|e| panic!("{e}"));
        let settings = RenderSettings {
            view: View::Result,
            opacity: 1.0,
            grow: 0.0,
            soften: 0.0,
            edge: 1.0,
            shutter: Some(shutter),
        };
        let renderer = Renderer::new(scene, Some(Arc::new(edit)), settings).unwrap_or_else(|e| panic!("{e}"));
        group.bench_function(name, |b| {
            b.iter_batched(
                || (),
                |()| pool.install(|| renderer.frame(1, &input, input.bounds())),
                BatchSize::PerIteration,
            );
        });
    }
    // What any effect pays: the copy of the frame, with nothing to do.
    let idle =
        RenderSettings { view: View::Result, opacity: 0.0, grow: 0.0, soften: 0.0, edge: 1.0, shutter: Some(0.0) };
    let renderer = Renderer::new(Arc::new(scene(1.0)), None, idle).unwrap_or_else(|e| panic!("{e}"));
    group.bench_function("nothing painted", |b| {
        b.iter_batched(|| (), |()| renderer.frame(1, &input, input.bounds()), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
