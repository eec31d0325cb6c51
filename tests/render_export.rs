//! Atlas export and re-import, maps and mattes.
#![allow(clippy::unwrap_used)]

mod render_support;

use render_support::*;
use rna::frame::{Depth, Encoding, Image, Rgba};
use rna::param::View;
use rna::render::{Edit, Renderer, Sidecar, convert, export_atlas, matte, positions, stmap};
use std::sync::Arc;

fn two_regions() -> Scene {
    Scene { boxes: vec![[20.0, 20.0, 70.0, 70.0], [90.5, 30.25, 140.0, 80.0]], ..Scene::default() }
}

fn frame(scene: &Memory, edit: Edit, t: usize) -> Image<Rgba> {
    let input = footage(scene.header.size);
    let renderer =
        Renderer::new(Arc::new(scene.clone()), Some(Arc::new(edit)), settings(View::Result)).unwrap();
    renderer.frame(t, &input, input.bounds()).unwrap()
}

#[test]
fn one_region_is_exported_as_it_is() {
    let scene = Scene { scale: 1.7, ..Scene::default() }.build();
    let (picture, placement) = export_atlas(&scene);
    assert_eq!(placement, scene.surfaces[0].placement);
    assert_eq!(picture, scene.surfaces[0].picture);
}

#[test]
fn two_regions_share_a_picture_in_reference_coordinates() {
    let mut scene = two_regions().build();
    // Another scale for the second: the picture takes the larger.
    let finer = Scene { scale: 1.5, ..two_regions() }.build();
    scene.surfaces[1] = finer.surfaces[1].clone();
    let (picture, placement) = export_atlas(&scene);
    assert_eq!(placement.scale, 1.5);
    for (reference, want) in [([45.0, 45.0], 1.0), ([120.0, 60.0], 1.0), ([80.5, 50.0], 0.0)] {
        let at = placement.to_atlas(reference);
        let got = picture[(at[0].round() as usize, at[1].round() as usize)];
        assert!((got[3] - want).abs() < 0.01, "{reference:?}: {got:?}");
    }
    // Paint on one region stays off the other.
    let mut copy = picture.clone();
    let at = placement.to_atlas([120.0, 60.0]).map(|v| v as usize);
    (0..6).for_each(|i| copy[(at[0] + i, at[1])] = [1.0, 0.0, 1.0, 1.0]);
    let edit = Edit::from_changed_copy(&scene, &copy, Depth::F32).unwrap();
    let got = frame(&scene, edit, 0);
    let input = footage(scene.header.size);
    assert_eq!(
        got.crop(rna::frame::Rect::new(0, 0, 100, 100)),
        input.crop(rna::frame::Rect::new(0, 0, 100, 100))
    );
    assert_ne!(got, input);
}

#[test]
fn a_code_value_of_difference_is_no_edit() {
    let scene = Scene::default().build();
    let picture = export_atlas(&scene).0;
    let shifted = |by: f32| picture.map(|&[r, g, b, a]| [r + by, g, b, a]);
    for (depth, code) in [(Depth::U8, 1.0 / 255.0), (Depth::U16, 1.0 / 65535.0)] {
        let quantised = picture.map(|p| p.map(|v| (v / code).round() * code));
        assert!(Edit::from_changed_copy(&scene, &quantised, depth).unwrap().is_empty());
        assert!(Edit::from_changed_copy(&scene, &shifted(0.9 * code), depth).unwrap().is_empty());
        assert!(!Edit::from_changed_copy(&scene, &shifted(2.2 * code), depth).unwrap().is_empty());
    }
    let halves = picture.map(|p| p.map(|v| half::f16::from_f32(v).to_f32()));
    assert!(Edit::from_changed_copy(&scene, &halves, Depth::F16).unwrap().is_empty());
    // Colours lost under transparent pixels are no edit either.
    let flattened = picture.map(|&[r, g, b, a]| if a > 0.0 { [r, g, b, a] } else { [0.0; 4] });
    assert!(Edit::from_changed_copy(&scene, &flattened, Depth::U8).unwrap().is_empty());
}

#[test]
fn highlights_cut_by_an_integer_file_are_no_edit() {
    let mut scene = Scene::default().build();
    scene.header.encoding = Encoding::Linear;
    scene.surfaces[0].picture.pixels_mut().iter_mut().for_each(|p| p[0] *= 6.0);
    let file = convert(&export_atlas(&scene).0, Encoding::Linear, Encoding::Display);
    let file = file.map(|p| p.map(|v| (v.clamp(0.0, 1.0) * 65535.0).round() / 65535.0));
    let read = convert(&file, Encoding::Display, Encoding::Linear);
    assert!(Edit::from_changed_copy(&scene, &read, Depth::U16).unwrap().is_empty());
}

#[test]
fn auto_tells_a_copy_from_a_painting() {
    let scene = Scene::default().build();
    let picture = export_atlas(&scene).0;
    assert!(Edit::auto(&scene, &picture, Depth::U8).unwrap().is_empty());
    let paint = painting(picture.size());
    let (a, b) =
        (Edit::auto(&scene, &paint, Depth::U8).unwrap(), Edit::from_painting(&scene, &paint).unwrap());
    assert_eq!(frame(&scene, a, 1), frame(&scene, b, 1));
}

#[test]
fn sizes_and_values_are_checked() {
    let scene = Scene::default().build();
    let (w, h) = export_atlas(&scene).0.size();
    let blank = |w, h| Image::new(w, h, [0.5; 4]);
    let e = Edit::from_changed_copy(&scene, &blank(2 * w, 2 * h), Depth::U8).unwrap_err().to_string();
    assert!(e.contains("must keep its size"), "{e}");
    let e = Edit::from_painting(&scene, &blank(w, 2 * h)).unwrap_err().to_string();
    assert!(e.contains("it must have"), "{e}");
    assert!(Edit::from_reference_picture(&scene, &blank(100, 100)).is_err());
    assert!(Edit::from_painting(&scene, &Image::new(w, h, [f32::NAN; 4])).is_err());
}

#[test]
fn a_painting_of_twice_the_size_shows_the_same() {
    let scene = Scene::default().build();
    let (w, h) = export_atlas(&scene).0.size();
    let smooth = |n: usize| {
        Image::from_fn(n * w, n * h, move |x, y| {
            let (x, y) = ((x as f32 + 0.5) / n as f32 - 0.5, (y as f32 + 0.5) / n as f32 - 0.5);
            [0.5 + 0.4 * (x / 9.0).sin(), 0.2, 0.8, 0.5 + 0.4 * (y / 9.0).sin()]
        })
    };
    let [a, b] = [1, 2].map(|n| frame(&scene, Edit::from_painting(&scene, &smooth(n)).unwrap(), 2));
    assert!(largest_difference(&a, &b) < 0.02, "{}", largest_difference(&a, &b));
}

#[test]
fn paint_on_the_reference_frame_stays_where_it_was_painted() {
    let scene = Scene { scale: 2.0, ..Scene::default() }.build();
    let [w, h] = scene.header.size;
    for n in [1, 2] {
        let picture = Image::from_fn(n * w, n * h, |_, _| [0.125, 0.5, 0.75, 1.0]);
        let got = frame(&scene, Edit::from_reference_picture(&scene, &picture).unwrap(), 0);
        let input = footage(scene.header.size);
        // Frame 0 is the reference; the region is 40…110 by 25…75, and paint shows on it, times light.
        let light = scene.layers[0][0].light[(0, 0)];
        assert!(light[0] > 0.0 && got[(75, 50)] != input[(75, 50)]);
        assert_eq!(got[(35, 50)], input[(35, 50)]);
        assert_eq!(got[(115, 50)], input[(115, 50)]);
        let ratio = got[(75, 50)][2] / got[(75, 50)][0];
        assert!(ratio > 3.0, "{ratio}");
    }
}

#[test]
fn the_note_beside_an_atlas() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("atlas.png");
    let scene = two_regions().build();
    let (_, placement) = export_atlas(&scene);
    let note = Sidecar::new(&scene, &placement, Encoding::Display);
    assert_eq!(Sidecar::read(&picture).unwrap(), None);
    note.write(&picture).unwrap();
    let text = std::fs::read_to_string(folder.path().join("atlas.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["encoding"], "display");
    assert_eq!(json["origin"], serde_json::json!([14.0, 14.0]));
    let back = Sidecar::read(&picture).unwrap().unwrap();
    assert_eq!(back, note);
    back.check(&scene).unwrap();
    assert!(back.check(&Scene::default().build()).unwrap_err().to_string().contains("another analysis"));
    std::fs::write(folder.path().join("atlas.json"), "[]").unwrap();
    assert!(Sidecar::read(&picture).unwrap_err().to_string().contains("export the atlas again"));
}

#[test]
fn positions_are_the_map() {
    let s = two_regions();
    let scene = s.build();
    for t in 0..4 {
        let got = positions(&scene, t).unwrap();
        let map = stmap(&scene, None, t).unwrap();
        for y in 0..100 {
            for x in 0..160 {
                let want = apply(&(s.map)(t), x as f64, y as f64);
                let p = got[(x, y)];
                // Beyond the last nodes the map goes on linearly, so the outermost cells may differ a little.
                let near = (f64::from(p[0]) - want[0]).hypot(f64::from(p[1]) - want[1]);
                assert!(near < 0.02, "frame {t}, {x},{y}: {p:?} for {want:?}");
                let m = map[(x, y)];
                assert!((m[0] - (p[0] + 0.5) / 160.0).abs() < 1e-6);
                assert!((m[1] - (1.0 - (p[1] + 0.5) / 100.0)).abs() < 1e-6);
            }
        }
    }
    assert_eq!(stmap(&scene, Some(0), 0).unwrap()[(120, 60)][3], 0.0);
    assert_eq!(stmap(&scene, Some(1), 0).unwrap()[(120, 60)][3], 1.0);
    assert!(stmap(&scene, Some(2), 0).is_err() && positions(&scene, 4).is_err());
}

#[test]
fn matte_is_mask_within_the_region() {
    let scene = Scene::default().build();
    let m = matte(&scene, 0).unwrap();
    assert_eq!((m[(75, 50)], m[(2, 2)], m[(30, 50)]), (1.0, 0.0, 0.0));
    assert!(m.pixels().iter().all(|v| (0.0..=1.0).contains(v)));
}
