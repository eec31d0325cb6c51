//! Frames at another size than the analysed ones.
#![allow(clippy::unwrap_used)]

mod render_support;

use render_support::*;
use rna::atlas::Analysis;
use rna::frame::{Image, Rgba};
use rna::param::{RenderSettings, View};
use rna::render::{Edit, Proxy, Renderer, export_atlas};
use std::sync::Arc;

/// Paint without detail that a reduced frame would lose, nowhere opaque: opaque paint also covers what the atlas does
/// not explain, which is much in this footage, and so has an edge.
fn smooth(scene: &Memory) -> Arc<Edit> {
    let (w, h) = export_atlas(scene).0.size();
    let (cx, cy) = (0.5 * w as f32, 0.5 * h as f32);
    let picture = Image::from_fn(w, h, |x, y| {
        let d = (x as f32 - cx).hypot(y as f32 - cy);
        let alpha = ((0.45 * h as f32 - d) / 16.0).clamp(0.0, 0.9);
        [0.9, 0.4 + 0.2 * (x as f32 / 12.0).sin(), 0.2, alpha]
    });
    Arc::new(Edit::from_painting(scene, &picture).unwrap())
}

fn soft_footage(w: usize, h: usize) -> Image<Rgba> {
    let at = |v: usize, n: usize| (v as f32 + 0.5) / n as f32;
    Image::from_fn(w, h, |x, y| [at(x, w), 0.5 * at(y, h), 0.4, 1.0])
}

/// Mean over blocks of `n` × `n` pixels.
fn reduced(image: &Image<Rgba>, n: usize) -> Image<Rgba> {
    Image::from_fn(image.width() / n, image.height() / n, |x, y| {
        let mut sum = [0.0; 4];
        for p in (0..n * n).map(|k| image[(x * n + k % n, y * n + k / n)]) {
            (0..4).for_each(|c| sum[c] += p[c] / (n * n) as f32);
        }
        sum
    })
}

#[test]
fn a_smaller_frame_is_the_full_one_reduced() {
    // Whole multiples, so that blocks of pixels can be averaged.
    let mut scene = Scene { size: [160, 100], shutter: 0.3, ..Scene::default() }.build();
    // The matte's edge times detail, averaged, is not the product of the averages.
    scene.surfaces[0].picture = scene.surfaces[0].picture.map(|p| [0.5, 0.4, 0.3, p[3]]);
    let scene = Arc::new(scene);
    for view in [View::Result, View::Atlas, View::Uv, View::Matte] {
        let s = RenderSettings { grow: 2.0, soften: 3.0, ..settings(view) };
        for (n, limit) in [(2, 0.02), (5, 0.05)] {
            let input = soft_footage(160, 100);
            let full = Renderer::new(scene.clone(), Some(smooth(&scene)), s).unwrap();
            let want = reduced(&full.frame(2, &input, input.bounds()).unwrap(), n);
            let input = soft_footage(160 / n, 100 / n);
            let proxy = Arc::new(Proxy::new(scene.clone(), [160 / n, 100 / n]).unwrap());
            assert_eq!(proxy.full_size(), [160, 100]);
            let small = Renderer::new(proxy, Some(smooth(&scene)), s).unwrap();
            let got = small.frame(2, &input, input.bounds()).unwrap();
            let off = |(a, b): (&Rgba, &Rgba)| (0..3).map(|c| (a[c] - b[c]).abs()).fold(0.0, f32::max);
            let mut differences: Vec<f32> = got.pixels().iter().zip(want.pixels()).map(off).collect();
            differences.sort_by(f32::total_cmp);
            // What is hard-edged in the views themselves differs where the edge runs through a block.
            let most = differences[differences.len() * 4 / 5];
            assert!(most < limit, "{view:?} reduced {n} times: {most}");
            if view == View::Result {
                let most = differences[differences.len() - 1];
                assert!(most < 2.0 * limit, "reduced {n} times: {most}");
            }
        }
    }
}

#[test]
fn at_full_size_nothing_changes() {
    let scene = Arc::new(Scene { shutter: 0.3, ..Scene::default() }.build());
    let input = footage(scene.header.size);
    let s = RenderSettings { grow: -1.0, soften: 2.0, ..settings(View::Result) };
    let render = |analysis: Arc<dyn Analysis>| {
        let renderer = Renderer::new(analysis, Some(smooth(&scene)), s).unwrap();
        renderer.frame(3, &input, input.bounds()).unwrap()
    };
    let proxy = Proxy::new(scene.clone(), scene.header.size).unwrap();
    assert_eq!(render(Arc::new(proxy)), render(scene.clone()));
}

#[test]
fn scales_of_the_axes_may_differ_and_be_odd() {
    let scene = Arc::new(Scene::default().build());
    for size in [[53, 33], [160, 50], [8, 5], [320, 200]] {
        let proxy = Arc::new(Proxy::new(scene.clone(), size).unwrap());
        let input = soft_footage(size[0], size[1]);
        let renderer = Renderer::new(proxy.clone(), Some(smooth(&scene)), settings(View::Uv)).unwrap();
        let got = renderer.frame(0, &input, input.bounds()).unwrap();
        // Frame 0 is the reference: the middle lies in the middle.
        let (x, y) = (size[0] / 2, size[1] / 2);
        let want = [(x as f32 + 0.5) / size[0] as f32, 1.0 - (y as f32 + 0.5) / size[1] as f32];
        assert!((0..2).all(|c| (got[(x, y)][c] - want[c]).abs() < 1e-5), "{size:?}: {:?}", got[(x, y)]);
        let again = |t| proxy.layer(0, t).unwrap();
        assert!(Arc::ptr_eq(&again(1), &again(1)));
    }
    assert!(Proxy::new(scene, [0, 10]).is_err());
}
