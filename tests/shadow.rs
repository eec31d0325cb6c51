//! A shadow that passes over the surface belongs to the light: nothing is cut out there, the edit darkens with it, and
//! corrections of other frames leave it alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, helpers included")]

use rna::atlas::{Analysis, Layer};
use rna::clip::sample::{Occluder, Scene, SceneOptions};
use rna::correction::{Corrections, Roto};
use rna::engine::{Job, Mending, analyze, correct};
use rna::frame::io::write_picture;
use rna::frame::{Channels, Depth, Vec2, bilinear};
use rna::param::AnalysisSettings;
use rna::progress::Progress;
use rna::store::{self, OpenAtlas};
use std::collections::BTreeMap;
use std::path::Path;

const FRAMES: usize = 10;
/// Frames in the shadow.
const SHADED: std::ops::Range<usize> = 6..9;

fn scene() -> Scene {
    let options = SceneOptions {
        size: (320, 180),
        frames: FRAMES,
        occluder: Occluder::None,
        ..SceneOptions::default()
    };
    Scene::new(options)
}

/// What the shadow leaves of the light at a frame's pixel.
fn left(t: usize, x: f32, y: f32) -> f32 {
    if !SHADED.contains(&t) {
        return 1.0;
    }
    let away = (x - 130.0 - 10.0 * (t - SHADED.start) as f32).hypot(y - 90.0);
    1.0 - 0.4 * ((40.0 - away) / 16.0).clamp(0.0, 1.0)
}

fn filmed(folder: &Path, scene: &Scene) {
    std::fs::create_dir(folder.join("frames")).unwrap();
    for t in 0..FRAMES {
        let mut frame = scene.frame(t);
        let width = frame.width();
        for (i, p) in frame.pixels_mut().iter_mut().enumerate() {
            let shade = left(t, (i % width) as f32, (i / width) as f32);
            (0..3).for_each(|c| p[c] *= shade);
        }
        let file = folder.join(format!("frames/{t:05}.png"));
        write_picture(&file, &frame, Depth::U8, Channels::Rgb).unwrap();
    }
}

/// The gain and the mask that are stored for a frame's pixel.
fn stored(atlas: &OpenAtlas, layer: &Layer, at: Vec2) -> (f32, f32) {
    let surface = &atlas.surfaces()[0];
    let on = surface.placement.to_atlas(layer.position(at, atlas.header().map_step));
    let ((w, h), size) = (layer.light.size(), surface.placement.size);
    let node = [on[0] * (w - 1) as f32 / (size[0] - 1) as f32, on[1] * (h - 1) as f32 / (size[1] - 1) as f32];
    (bilinear(&layer.light, node)[1], f32::from(layer.mask[(at[0] as usize, at[1] as usize)]) / 255.0)
}

/// Every frame's pixels within the region, some pixels apart, against what is true.
fn check(atlas: &OpenAtlas, scene: &Scene, hidden: Option<usize>) {
    for t in (0..FRAMES).filter(|t| Some(*t) != hidden) {
        let (truth, layer) = (scene.truth(t), atlas.layer(0, t).unwrap());
        let (mut seen, mut dark) = (0, 0);
        for (x, y) in (4..176).step_by(4).flat_map(|y| (4..316).step_by(4).map(move |x| (x, y))) {
            // (At the border of the region a mask fades.)
            let inside =
                [(x - 3, y), (x + 3, y), (x, y - 3), (x, y + 3)].iter().all(|p| truth.inside[*p] > 0.99);
            if !inside {
                continue;
            }
            let (gain, mask) = stored(atlas, &layer, [x as f32, y as f32]);
            let shade = left(t, x as f32, y as f32);
            let want = truth.light[(x, y)][1] * shade;
            assert!((gain / want - 1.0).abs() < 0.12, "frame {t} at {x}, {y}: gain {gain} for {want}");
            assert!(mask > 0.9, "frame {t} at {x}, {y}: {mask}");
            seen += 1;
            dark += usize::from(shade < 0.65);
        }
        assert!(seen > 200 && (dark > 20) == SHADED.contains(&t), "frame {t}: {seen}, {dark}");
    }
}

#[test]
fn a_shadow_is_light_and_no_occluder() {
    let (folder, scene) = (tempfile::tempdir().unwrap(), scene());
    filmed(folder.path(), &scene);
    let [clip, output, mended] = ["frames", "s.rna", "c.rna"].map(|name| folder.path().join(name));
    let settings = AnalysisSettings::from_values(&BTreeMap::new()).unwrap();
    let job = Job { clip: clip.clone(), roi: scene.roi(), output: output.clone(), settings, first_frame: 0 };
    analyze(&job, &Progress::silent()).unwrap();
    let first = store::open(&output).unwrap();
    check(&first, &scene, None);

    // A frame beside those in the shadow, and one of them, are drawn on.
    let hidden = vec![vec![[0.0, 0.0], [30.0, 0.0], [0.0, 30.0]]];
    let roto = |t: usize| Roto { frames: [t, t], hidden: hidden.clone(), shown: vec![], painted: None };
    let corrections = Corrections { rotos: vec![roto(5), roto(7)], ..Corrections::default() };
    let mending = Mending { analysis: output, clip, corrections, output: mended.clone() };
    correct(&mending, &Progress::silent()).unwrap();
    let second = store::open(&mended).unwrap();
    check(&second, &scene, None);
    for t in [0, 6, 8, 9] {
        assert_eq!(first.layer(0, t).unwrap(), second.layer(0, t).unwrap(), "frame {t}");
    }
}
