//! How fast an edited frame is rendered: 1920×1080 float RGBA, the region a quarter of it, on one core.
//!
//! `copy` is what any effect pays, `frame` the copy and the edit, `region` the edit alone. Throughput of `region` counts
//! the region's pixels, of the others the frame's.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rna::atlas::{Analysis, Header, Layer, Placement, Quality, Surface};
use rna::frame::{Encoding, Image, Rgba};
use rna::param::{RenderSettings, View};
use rna::render::{Edit, Renderer, Scratch};
use rna::roi::Roi;
use std::sync::Arc;
use std::time::Duration;

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

/// A scene whose map shows `reduced` reference pixels to a frame pixel, and whose mask is `mask` everywhere.
fn scene(reduced: f32, mask: u8) -> Moving {
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
        Arc::new(Layer { map, mask: Image::new(768, 432, mask), light: Image::new(30, 17, [0.9; 4]) })
    });
    let header = Header {
        made_by: "bench".into(),
        size: SIZE,
        working_size: [768, 432],
        frames: 3,
        first_frame: 0,
        map_step: [12.0; 2],
        shutter: 0.0,
        pixel_aperture: 1.0,
        grain: 0.1,
        ceiling: None,
        short_exposures: Default::default(),
        encoding: Encoding::Display,
        roi: Roi { reference_frame: 0, polygons: Vec::new(), size: Some(SIZE) },
        fingerprint: String::new(),
        settings: Default::default(),
        engines: Default::default(),
        corrections: Default::default(),
        quality: vec![vec![Quality { confidence: 1.0, visible: 1.0, psnr: 40.0 }; 3]],
    };
    Moving { header, surfaces: vec![Surface { placement, picture }], layers: layers.collect() }
}

/// A renderer of a case; `shutter` is the open share of the frame, `grain` how much lies on the paint.
fn renderer(alpha: f32, mask: u8, reduced: f32, shutter: f32, grain: f32) -> rna::Result<Renderer> {
    let scene = Arc::new(scene(reduced, mask));
    let picture = scene.surfaces[0].picture.map(|&[r, g, b, _]| [b, r, g, alpha]);
    let edit = Edit::from_painting(&*scene, &picture)?;
    let settings = RenderSettings {
        view: View::Result,
        opacity: 1.0,
        grain,
        grow: 0.0,
        soften: 0.0,
        edge: 1.0,
        shutter: Some(shutter),
    };
    Renderer::new(scene, Some(Arc::new(edit)), settings)
}

/// Draws the part of the frame that may change, in place.
fn draw(renderer: &Renderer, out: &mut Image<Rgba>, scratch: &mut Scratch) -> rna::Result<()> {
    let frame = renderer.prepare(1)?;
    let reach = frame.reach();
    let (x0, x1) = (reach.x0 as usize, reach.x1 as usize);
    for y in reach.y0 as usize..reach.y1 as usize {
        frame.row(y, x0, &mut out.row_mut(y)[x0..x1], scratch);
    }
    Ok(())
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("1920x1080, a quarter of it edited");
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    let [frame, region] = [SIZE, REGION].map(|[w, h]| Throughput::Elements((w * h) as u64));
    let input: Image<Rgba> =
        Image::from_fn(SIZE[0], SIZE[1], |x, y| [x as f32 / 1920.0, y as f32 / 1080.0, 0.5, 1.0]);
    let mut out = input.clone();
    let mut scratch = Scratch::default();
    group.throughput(frame.clone());
    group.bench_function("copy", |b| b.iter(|| out.pixels_mut().copy_from_slice(input.pixels())));
    for (name, alpha, mask, reduced, shutter, grain) in [
        ("opaque", 1.0, 255, 1.0, 0.0, 0.0),
        ("opaque with grain", 1.0, 255, 1.0, 0.0, 1.0),
        ("soft paint", 0.5, 255, 1.0, 0.0, 0.0),
        ("soft matte", 1.0, 128, 1.0, 0.0, 0.0),
        ("reduced 2 times", 1.0, 255, 2.0, 0.0, 0.0),
        ("motion blur", 1.0, 255, 1.0, 0.5, 0.0),
    ] {
        let renderer = renderer(alpha, mask, reduced, shutter, grain).unwrap_or_else(|e| panic!("{e}"));
        group.throughput(frame.clone());
        group.bench_function(format!("{name}: frame"), |b| {
            b.iter(|| {
                out.pixels_mut().copy_from_slice(input.pixels());
                draw(&renderer, &mut out, &mut scratch)
            });
        });
        group.throughput(region.clone());
        group.bench_function(format!("{name}: region"), |b| {
            b.iter(|| draw(&renderer, &mut out, &mut scratch));
        });
    }
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
