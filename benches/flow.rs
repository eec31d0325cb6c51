//! Speed of flow on a pair of 768×432, a frame's usual working size, on one thread and on all.
//!
//! The pair is the lucia clip where it is at hand, otherwise a texture that moves alike: see the benchmark's name.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use image::imageops::FilterType;
use rna::flow::{Dis, consistency};
use rna::frame::Image;

const SIZE: (usize, usize) = (768, 432);

/// Luminance of a file at the working size.
fn frame(path: &Path) -> Option<Image<f32>> {
    let picture =
        image::open(path).ok()?.resize_exact(SIZE.0 as u32, SIZE.1 as u32, FilterType::Triangle).to_rgb8();
    Some(Image::from_fn(SIZE.0, SIZE.1, |x, y| {
        let [r, g, b] = picture.get_pixel(x as u32, y as u32).0.map(f32::from);
        0.299 * r + 0.587 * g + 0.114 * b
    }))
}

/// The pictures to measure, and what they are.
fn pair() -> (&'static str, Image<f32>, Image<f32>) {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/clips/lucia/frames");
    if let (Some(a), Some(b)) = (frame(&clip.join("00010.jpg")), frame(&clip.join("00011.jpg"))) {
        return ("lucia", a, b);
    }
    let wave =
        |x: f32, y: f32| 128.0 + 50.0 * (0.31 * x + 0.07 * y).sin() + 50.0 * (0.23 * y - 0.11 * x).sin();
    let moved = |dx, dy| Image::from_fn(SIZE.0, SIZE.1, |x, y| wave(x as f32 - dx, y as f32 - dy));
    ("texture", moved(0.0, 0.0), moved(3.3, -1.4))
}

fn flow(c: &mut Criterion) {
    let (name, from, to) = pair();
    let mut group = c.benchmark_group(format!("flow/{name}"));
    group.sample_size(20);
    for threads in [1, 0] {
        let pool = match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
            Ok(pool) => pool,
            Err(error) => panic!("no thread pool: {error}"),
        };
        let threads = pool.current_num_threads();
        for (preset, dis) in [("default", Dis::default()), ("fine", Dis::fine())] {
            group.bench_function(format!("{preset}/threads {threads}"), |b| {
                pool.install(|| b.iter(|| dis.between(black_box(&from), black_box(&to))));
            });
        }
    }
    group.finish();
    let field = Image::from_fn(SIZE.0, SIZE.1, |x, y| [(x % 7) as f32, (y % 5) as f32]);
    c.bench_function("flow/consistency", |b| b.iter(|| consistency(black_box(&field), black_box(&field))));
}

criterion_group!(benches, flow);
criterion_main!(benches);
