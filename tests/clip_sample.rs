//! The generated clip: its truth must explain its frames.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail and speak"
)]

use rna::clip::sample::{self, Occluder, Scene, SceneOptions};
use rna::clip::{self, Clip};
use rna::frame::io::read_picture;
use rna::frame::{Image, cubic};
use rna::progress::{Cancel, Progress};
use rna::roi::Roi;

fn small() -> SceneOptions {
    SceneOptions { size: (320, 180), frames: 12, ..SceneOptions::default() }
}

/// Mean absolute difference, in 8-bit levels, where `weight` is 1; and how many pixels that is.
fn difference(a: &Image<[f32; 4]>, b: &Image<[f32; 4]>, weight: &Image<f32>) -> (f32, usize) {
    let (mut sum, mut count) = (0.0, 0);
    for ((p, q), &w) in a.pixels().iter().zip(b.pixels()).zip(weight.pixels()) {
        if w >= 1.0 {
            sum += (0..3).map(|c| (p[c] - q[c]).abs()).sum::<f32>() * 255.0 / 3.0;
            count += 1;
        }
    }
    (sum / count.max(1) as f32, count)
}

/// The reference frame seen through map and light is the frame, where the surface shows; without the map or without
/// the light it is not, so the test can fail.
#[test]
fn truth_explains_every_frame() {
    let options = SceneOptions { noise: 0.0, cloth: 1.0, frames: 8, ..SceneOptions::default() };
    let start = std::time::Instant::now();
    let scene = Scene::new(options);
    println!("painted in {:.1?}", start.elapsed());
    let start = std::time::Instant::now();
    let reference = scene.frame(scene.roi().reference_frame);
    println!("rendered in {:.1?}", start.elapsed());
    let (mut still, mut unlit) = (0.0f32, 0.0f32);
    for i in 0..8 {
        let (frame, truth) = (scene.frame(i), scene.truth(i));
        let predict = |mapped: bool, lit: bool| {
            Image::from_fn(640, 360, |x, y| {
                let at = if mapped { truth.map[(x, y)] } else { [x as f32, y as f32] };
                let [r, g, b, _] = cubic(&reference, at);
                let l = if lit { truth.light[(x, y)] } else { [1.0; 3] };
                [r * l[0], g * l[1], b * l[2], 1.0]
            })
        };
        let shown = truth.inside.zip(&truth.visible, |a, b| if a >= 1.0 && b >= 1.0 { 1.0 } else { 0.0 });
        let (error, count) = difference(&predict(true, true), &frame, &shown);
        assert!(count > 20_000, "frame {i}: {count} pixels of the region show");
        assert!(error < 2.5, "frame {i}: {error} levels");
        println!("frame {i}: {error:.2} levels off, {count} pixels");
        still = still.max(difference(&predict(false, true), &frame, &shown).0);
        unlit = unlit.max(difference(&predict(true, false), &frame, &shown).0);
    }
    assert!(still > 12.0 && unlit > 5.0, "without map {still}, without light {unlit}");
}

#[test]
fn the_reference_frame_is_the_reference() {
    let scene = Scene::new(small());
    let roi = scene.roi().fitted_to((320, 180), 12).unwrap();
    let truth = scene.truth(roi.reference_frame);
    for (i, p) in truth.map.pixels().iter().enumerate() {
        assert!(
            (p[0] - (i % 320) as f32).abs() < 1e-3 && (p[1] - (i / 320) as f32).abs() < 1e-3,
            "{i}: {p:?}"
        );
    }
    assert!(truth.light.pixels().iter().flatten().all(|&v| v == 1.0));
    let hidden = truth.inside.zip(&truth.visible, |a, b| if a > 0.0 { 1.0 - b } else { 0.0 });
    assert!(hidden.pixels().iter().all(|&v| v < 0.01), "the region must be free on its own frame");
}

#[test]
fn a_perfect_edit_changes_only_the_region_where_it_shows() {
    let scene = Scene::new(small());
    let (mut most_hidden, mut brightest) = (0.0f32, 0.0f32);
    for i in 0..12 {
        let (frame, truth) = (scene.frame(i), scene.truth(i));
        let mut changed = 0;
        for (j, (a, b)) in frame.pixels().iter().zip(truth.edited.pixels()).enumerate() {
            let (inside, visible) = (truth.inside.pixels()[j], truth.visible.pixels()[j]);
            if inside == 0.0 || visible == 0.0 {
                assert_eq!(a, b, "frame {i}, pixel {j}");
            }
            changed += usize::from(a != b);
        }
        assert!(changed > 4000, "frame {i}: {changed}");
        let area: f32 = truth.inside.pixels().iter().sum();
        let hidden: f32 = truth.inside.zip(&truth.visible, |a, b| a * (1.0 - b)).pixels().iter().sum();
        most_hidden = most_hidden.max(hidden / area);
        brightest = truth.light.pixels().iter().flatten().fold(brightest, |m, v| m.max(v.ln().abs()));
    }
    assert!((0.15..0.5).contains(&most_hidden), "at most {most_hidden} of the region is hidden");
    assert!((0.06..=0.1401).contains(&brightest), "light changes by {brightest}");
}

#[test]
fn seeds_and_options_count() {
    let one = Scene::new(small());
    assert_eq!(one.frame(3), Scene::new(small()).frame(3), "the same options give the same pixels");
    assert_ne!(one.frame(3), Scene::new(SceneOptions { seed: 8, ..small() }).frame(3));
    let free = Scene::new(SceneOptions { occluder: Occluder::None, ..small() });
    assert!((0..12).all(|i| free.truth(i).visible.pixels().iter().all(|&v| v == 1.0)));
    let single = Scene::new(SceneOptions { frames: 1, size: (97, 61), ..small() });
    assert_eq!(single.frame(0).size(), (97, 61));
    assert!(Clip::frame(&single, 1).unwrap_err().to_string().contains("only 1 frames"));
}

#[test]
fn noise_is_as_strong_as_said() {
    let noisy = Scene::new(SceneOptions { noise: 4.0, ..small() }).frame(0);
    let clean = Scene::new(SceneOptions { noise: 0.0, ..small() }).frame(0);
    let squares = noisy.zip(&clean, |a, b| ((a[1] - b[1]) * 255.0).powi(2));
    let deviation = (squares.pixels().iter().sum::<f32>() / squares.pixels().len() as f32).sqrt();
    // Rounding both frames to 8 bits adds a little.
    assert!((deviation - 4.0).abs() < 0.15, "{deviation}");
}

#[test]
fn written_and_opened_it_is_the_same_clip() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(SceneOptions { frames: 3, size: (160, 90), ..small() });
    sample::write(dir.path(), &scene, &Progress::silent()).unwrap();
    let opened = clip::open(&dir.path().join("frames")).unwrap();
    assert_eq!(opened.info().frames, 3);
    assert_eq!(opened.info().size, (160, 90));
    for i in 0..3 {
        assert_eq!(opened.frame(i).unwrap(), scene.frame(i));
    }
    assert_eq!(Roi::read(&dir.path().join("roi.json")).unwrap(), scene.roi());
    let edited = read_picture(&dir.path().join("truth/edited/00002.png")).unwrap();
    assert_eq!(edited.pixels, scene.truth(2).edited);
    let picture = read_picture(&dir.path().join("picture.png")).unwrap().pixels;
    let far = picture.zip(&scene.picture(), |a, b| (0..4).map(|c| (a[c] - b[c]).abs()).fold(0.0, f32::max));
    assert!(far.pixels().iter().all(|&d| d <= 0.5 / 255.0 + 1e-6));

    let cancel = Cancel::default();
    cancel.cancel();
    let stopped = sample::write(dir.path(), &scene, &Progress::new(|_| (), cancel));
    assert!(matches!(stopped, Err(rna::Error::Cancelled)));
}
