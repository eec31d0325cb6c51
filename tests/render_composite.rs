//! The renderer against a plain, slow implementation of the same formulas, and its promises.
#![allow(clippy::unwrap_used)]

mod render_support;

use render_support::*;
use rna::atlas::{Analysis, Layer, Surface};
use rna::frame::{Encoding, Image, Rect, Rgba};
use rna::param::{RenderSettings, View};
use rna::render::{Edit, Renderer, Scratch, export_atlas};
use std::sync::Arc;

fn render(
    scene: &Memory,
    edit: Option<Edit>,
    s: RenderSettings,
    frame: usize,
    input: &Image<Rgba>,
) -> Image<Rgba> {
    let renderer = Renderer::new(Arc::new(scene.clone()), edit.map(Arc::new), s).unwrap();
    renderer.frame(frame, input, input.bounds()).unwrap()
}

fn painted(scene: &Memory) -> (Edit, Image<Rgba>) {
    let picture = painting(export_atlas(scene).0.size());
    (Edit::from_painting(scene, &picture).unwrap(), picture)
}

/// T in atlas pixels, by the definition.
fn locate(scene: &Memory, layer: &Layer, surface: &Surface, x: f64, y: f64) -> [f64; 2] {
    let step = scene.header.map_step;
    let r = plain::field([x / step[0], y / step[1]], plain::extended(&layer.map));
    [0, 1].map(|i| (r[i] - surface.placement.origin[i]) * surface.placement.scale)
}

/// Eq. 13 for a single surface, pixel by pixel.
fn reference(
    scene: &Memory,
    picture: &Image<Rgba>,
    s: &RenderSettings,
    t: usize,
    input: &Image<Rgba>,
) -> Image<Rgba> {
    let (surface, layer) = (&scene.surfaces[0], &scene.layers[0][t]);
    let paint = picture.map(|&[r, g, b, a]| [r * a, g * a, b * a, a]);
    let mask = layer.mask.map(|&v| [f32::from(v) / 255.0]);
    let shutter = f64::from(s.shutter.unwrap_or(scene.header.shutter as f32));
    let (before, after) = (t.saturating_sub(1), (t + 1).min(scene.header.frames - 1));
    Image::from_fn(input.width(), input.height(), |px, py| {
        let (x, y) = (px as f64, py as f64);
        let at = locate(scene, layer, surface, x, y);
        let [a, b] = [before, after].map(|u| locate(scene, &scene.layers[0][u], surface, x, y));
        let motion = [0, 1].map(|i| shutter * (b[i] - a[i]) / (after - before).max(1) as f64);
        let blurred = motion[0].hypot(motion[1]) > 0.5;
        let moments: &[f64] = if blurred { &[-0.5, -0.25, 0.0, 0.25] } else { &[0.0] };
        let size = surface.placement.size;
        let grid = layer.light.size();
        let l = [
            at[0] * (grid.0 - 1) as f64 / (size[0] - 1) as f64,
            at[1] * (grid.1 - 1) as f64 / (size[1] - 1) as f64,
        ];
        let l = plain::linear(
            [l[0].clamp(0.0, (grid.0 - 1) as f64), l[1].clamp(0.0, (grid.1 - 1) as f64)],
            plain::clamped(&layer.light),
        );
        // Lit, nothing is brighter than the ceiling (or than it was painted).
        let ceiling = scene.header.ceiling.map_or(f64::INFINITY, f64::from);
        let mean = |f: &dyn Fn([f64; 2]) -> [f64; 4], paint: bool| {
            let mut sum = [0.0; 4];
            for k in moments {
                let v = f([at[0] + k * motion[0], at[1] + k * motion[1]]);
                let lit = |v: f64, alpha: f64, l: f64| {
                    let white = if paint { (ceiling * alpha).max(v) } else { ceiling };
                    (v * l).min(white) / l
                };
                let alpha = v[3];
                let v = if ceiling.is_finite() {
                    [lit(v[0], alpha, l[0]), lit(v[1], alpha, l[1]), lit(v[2], alpha, l[2]), v[3]]
                } else {
                    v
                };
                (0..4).for_each(|c| sum[c] += v[c] / moments.len() as f64);
            }
            sum
        };
        let p = mean(&|q| plain::picture(q, plain::alone(&paint)), true);
        let atlas = mean(&|q| plain::picture(q, plain::clamped(&surface.picture)), false);
        let m = [0, 1].map(|i| {
            let ratio = scene.header.working_size[i] as f64 / scene.header.size[i] as f64;
            ([x, y][i] + 0.5) * ratio - 0.5
        });
        let v = plain::linear(m, plain::clamped(&mask))[0] * f64::from(s.opacity);
        let c = input[(px, py)];
        if v < 1e-9 || p[3] <= 0.0 {
            return c;
        }
        let opaque = p[3] > 1.0 - 1e-5;
        let (over, alpha) = if opaque { (1.0 / p[3], 1.0) } else { (1.0, p[3]) };
        let mut out = c;
        for i in 0..3 {
            let covered = l[i] * p[i] * over;
            out[i] = if opaque && v > 1.0 - 1e-9 {
                let bright = (l[i] * atlas[i]).max(1e-4).sqrt();
                let (ratio, largest) = match scene.header.encoding {
                    Encoding::Display => (1.0, 6.0 * scene.header.grain),
                    Encoding::Linear => {
                        ((covered.max(0.0).sqrt() / bright).min(2.0), 6.0 * 2.2 * bright * scene.header.grain)
                    }
                };
                let left = f64::from(c[i]) - l[i] * atlas[i];
                let faded = left * (1.0 - (left / largest).powi(2)).max(0.0).powi(2);
                covered + f64::from(s.grain) * l[3] * ratio * faded
            } else {
                f64::from(c[i]) + v * l[i] * (p[i] * over - alpha * atlas[i])
            } as f32;
        }
        out
    })
}

#[test]
fn agrees_with_the_plain_implementation() {
    let scene = Scene::default().build();
    let input = footage(scene.header.size);
    for opacity in [1.0, 0.6] {
        for t in 0..4 {
            let (edit, picture) = painted(&scene);
            let s = RenderSettings { opacity, ..settings(View::Result) };
            let want = reference(&scene, &picture, &s, t, &input);
            let got = render(&scene, Some(edit), s, t, &input);
            let changed = got.pixels().iter().zip(input.pixels()).filter(|(a, b)| a != b).count();
            assert!(changed > 500, "only {changed} pixels changed");
            assert!(largest_difference(&got, &want) < 1e-3, "frame {t}: {}", largest_difference(&got, &want));
        }
    }
}

/// What the frame shows beside the atlas in its light lies on opaque paint, as far as it is grain.
#[test]
fn grain_lies_on_opaque_paint() {
    for (encoding, shutter) in [(Encoding::Display, 0.0), (Encoding::Linear, 0.0), (Encoding::Display, 0.5)] {
        let mut scene = Scene { shutter, ..Scene::default() }.build();
        scene.header.encoding = encoding;
        let input = footage(scene.header.size);
        let (edit, picture) = painted(&scene);
        let s = RenderSettings { grain: 0.8, ..settings(View::Result) };
        let got = render(&scene, Some(edit), s, 1, &input);
        let want = reference(&scene, &picture, &s, 1, &input);
        assert!(largest_difference(&got, &want) < 1e-3, "{encoding:?}: {}", largest_difference(&got, &want));
        let (edit, _) = painted(&scene);
        let clean = render(&scene, Some(edit), settings(View::Result), 1, &input);
        assert!(largest_difference(&got, &clean) > 0.05, "{encoding:?}: there is no grain");
    }
}

/// Broken pixels of the footage have no grain: opaque paint covers them.
#[test]
fn what_is_no_number_stays_under_opaque_paint() {
    for encoding in [Encoding::Display, Encoding::Linear] {
        let mut scene = Scene::default().build();
        scene.header.encoding = encoding;
        let s = RenderSettings { grain: 1.0, ..settings(View::Result) };
        let clean =
            render(&scene, Some(painted(&scene).0), settings(View::Result), 1, &footage(scene.header.size));
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let input = Image::new(scene.header.size[0], scene.header.size[1], [broken, broken, broken, 1.0]);
            let got = render(&scene, Some(painted(&scene).0), s, 1, &input);
            let covered = got.pixels().iter().zip(clean.pixels()).filter(|(g, c)| g[..3] == c[..3]).count();
            assert!(covered > 100, "{encoding:?}, {broken}: only {covered} pixels are the paint's");
        }
    }
}

/// A frame holds nothing brighter than white: paint that the light makes brighter is cut off there, before it is mixed.
#[test]
fn what_the_light_makes_brighter_than_white_is_white() {
    for shutter in [0.0, 0.5] {
        let free = Scene { shutter, ..Scene::default() }.build();
        let scene = Scene { shutter, ceiling: Some(1.0), ..Scene::default() }.build();
        let input = footage(scene.header.size);
        let s = RenderSettings { opacity: 0.6, ..settings(View::Result) };
        for t in 0..4 {
            let picture = painting(export_atlas(&scene).0.size()).map(|p| [0.95, 0.99, p[2], p[3]]);
            let paint = |scene: &Memory| Some(Edit::from_painting(scene, &picture).unwrap());
            let want = reference(&scene, &picture, &s, t, &input);
            let got = render(&scene, paint(&scene), s, t, &input);
            assert!(largest_difference(&got, &want) < 1e-3, "frame {t}: {}", largest_difference(&got, &want));
            let brighter = render(&free, paint(&free), s, t, &input);
            assert!(largest_difference(&got, &brighter) > 0.02, "frame {t} holds nothing as bright");
        }
    }
}

/// Paint brighter than white, of a picture in floats, is meant so.
#[test]
fn paint_brighter_than_white_stays() {
    let scene = Scene { ceiling: Some(1.0), ..Scene::default() }.build();
    let input = footage(scene.header.size);
    let picture = painting(export_atlas(&scene).0.size()).map(|p| [3.0, p[1], p[2], p[3]]);
    let edit = Edit::from_painting(&scene, &picture).unwrap();
    let got = render(&scene, Some(edit), settings(View::Result), 0, &input);
    let brightest = got.pixels().iter().fold(0.0f32, |m, p| m.max(p[0]));
    assert!(brightest > 2.9, "{brightest}");
}

/// Pixels that average half their side need no filter where the atlas is reduced twice.
#[test]
fn pixels_that_average_less_keep_the_paint_sharp() {
    let usual = Scene { scale: 2.0, ..Scene::default() }.build();
    let scene = Scene { scale: 2.0, pixel_aperture: 0.5, ..Scene::default() }.build();
    let input = footage(scene.header.size);
    let s = settings(View::Result);
    let (edit, picture) = painted(&scene);
    let want = reference(&scene, &picture, &s, 1, &input);
    let got = render(&scene, Some(edit), s, 1, &input);
    assert!(largest_difference(&got, &want) < 1e-3, "{}", largest_difference(&got, &want));
    let (edit, _) = painted(&usual);
    let softer = render(&usual, Some(edit), s, 1, &input);
    assert!(largest_difference(&got, &softer) > 0.05);
}

#[test]
fn motion_blur_agrees_with_the_plain_implementation() {
    let scene = Scene { shutter: 0.5, ..Scene::default() }.build();
    let input = footage(scene.header.size);
    for t in 0..4 {
        let (edit, picture) = painted(&scene);
        let s = settings(View::Result);
        let want = reference(&scene, &picture, &s, t, &input);
        let got = render(&scene, Some(edit), s, t, &input);
        assert!(largest_difference(&got, &want) < 1e-3, "frame {t}: {}", largest_difference(&got, &want));
        let (edit, _) = painted(&scene);
        let sharp = render(&scene, Some(edit), RenderSettings { shutter: Some(0.0), ..s }, t, &input);
        assert!(largest_difference(&got, &sharp) > 0.01, "frame {t} is not blurred");
    }
}

#[test]
fn a_frame_exposed_for_a_shorter_time_is_blurred_less() {
    let mut scene = Scene { shutter: 0.5, ..Scene::default() }.build();
    scene.header.short_exposures = [(1, 0.4)].into();
    let input = footage(scene.header.size);
    for (t, shutter) in [(1, 0.2), (2, 0.5)] {
        let same = Scene { shutter, ..Scene::default() }.build();
        let [got, want] =
            [&scene, &same].map(|s| render(s, Some(painted(&scene).0), settings(View::Result), t, &input));
        assert!(largest_difference(&got, &want) < 1e-6, "frame {t}: {}", largest_difference(&got, &want));
    }
}

#[test]
fn nothing_painted_or_nothing_showing_is_bit_exact() {
    let scene = Scene::default().build();
    let input = footage(scene.header.size);
    let copy = export_atlas(&scene).0;
    let unchanged = Edit::from_changed_copy(&scene, &copy, rna::frame::Depth::U8).unwrap();
    assert!(unchanged.is_empty());
    for edit in [None, Some(unchanged)] {
        assert_eq!(render(&scene, edit, settings(View::Result), 2, &input), input);
    }
    let s = RenderSettings { opacity: 0.0, ..settings(View::Result) };
    assert_eq!(render(&scene, Some(painted(&scene).0), s, 2, &input), input);
}

#[test]
fn outside_the_paint_is_bit_exact() {
    let scene = Scene::default().build();
    let input = footage(scene.header.size);
    let (edit, picture) = painted(&scene);
    let got = render(&scene, Some(edit), settings(View::Result), 3, &input);
    let (surface, layer) = (&scene.surfaces[0], &scene.layers[0][3]);
    let mut outside = 0;
    for y in 0..input.height() {
        for x in 0..input.width() {
            assert_eq!(got[(x, y)][3], input[(x, y)][3]);
            let at = locate(&scene, layer, surface, x as f64, y as f64);
            let alpha = plain::picture(at, plain::alone(&picture))[3];
            let near = (0..4).any(|k| {
                let q = [at[0] + [2.5, -2.5, 0.0, 0.0][k], at[1] + [0.0, 0.0, 2.5, -2.5][k]];
                plain::picture(q, plain::alone(&picture))[3] > 0.0
            });
            if alpha <= 0.0 && !near {
                outside += 1;
                assert_eq!(got[(x, y)], input[(x, y)]);
            }
        }
    }
    assert!(outside > 5000);
}

#[test]
fn tiles_make_up_the_whole_frame() {
    let scene = Scene { shutter: 0.4, ..Scene::default() }.build();
    let input = footage(scene.header.size);
    let [w, h] = scene.header.size.map(|v| v as i32);
    for view in [View::Result, View::Atlas, View::Uv, View::Difference, View::Checker] {
        let s = RenderSettings { grow: 1.5, soften: 2.0, ..settings(view) };
        let renderer = Renderer::new(Arc::new(scene.clone()), Some(Arc::new(painted(&scene).0)), s).unwrap();
        let whole = renderer.frame(1, &input, input.bounds()).unwrap();
        for (x0, x1) in [(0, 61), (61, 62), (62, w)] {
            for (y0, y1) in [(0, 33), (33, h)] {
                let window = Rect::new(x0, y0, x1, y1);
                assert_eq!(renderer.frame(1, &input, window).unwrap(), whole.crop(window), "{view:?}");
            }
        }
        assert_eq!(renderer.frame(1, &input, Rect::new(5, 5, 5, 9)).unwrap().pixels().len(), 0);
        assert!(renderer.frame(1, &input, Rect::new(-1, 0, 5, 5)).is_err());
        assert!(renderer.frame(4, &input, input.bounds()).is_err());
        assert!(renderer.frame(1, &Image::new(8, 8, [0.0; 4]), Rect::new(0, 0, 8, 8)).is_err());
    }
}

#[test]
fn rows_make_up_the_frame_in_any_division() {
    let scene = Scene { shutter: 0.4, ..Scene::default() }.build();
    let input = footage(scene.header.size);
    let [w, h] = scene.header.size;
    for view in [View::Result, View::Atlas, View::Matte, View::Difference] {
        let edit = Some(Arc::new(painted(&scene).0));
        let renderer = Renderer::new(Arc::new(scene.clone()), edit, settings(view)).unwrap();
        let whole = renderer.frame(2, &input, input.bounds()).unwrap();
        let (frame, mut scratch) = (renderer.prepare(2).unwrap(), Scratch::default());
        let (mut out, reach) = (input.clone(), frame.reach());
        assert!(!reach.is_empty() && reach == reach.intersect(&input.bounds()));
        for y in (0..h).rev() {
            let mut x = 0;
            for part in [1, 40, 0, 7, w] {
                let end = (x + part).min(w);
                frame.row(y, x, &mut out.row_mut(y)[x..end], &mut scratch);
                x = end;
            }
        }
        assert_eq!(out, whole, "{view:?}");
        for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
            let inside =
                Rect::new(x as i32, y as i32, x as i32 + 1, y as i32 + 1).intersect(&reach).area() == 1;
            assert!(inside || out[(x, y)] == input[(x, y)]);
        }
        // A host may ask for more than there is.
        let mut beyond = vec![[0.25; 4]; 30];
        frame.row(h, 0, &mut beyond, &mut scratch);
        frame.row(h - 1, w, &mut beyond, &mut scratch);
        assert_eq!(beyond, [[0.25; 4]; 30]);
    }
}

#[test]
fn a_reduced_atlas_is_the_same_in_any_division() {
    // Reduced in part of the frame, by more and more, and moving.
    let far = |t: usize| [[1.1, 0.1, -20.0 + 2.0 * t as f64], [0.0, 1.2, -10.0], [0.004, 0.001, 0.6]];
    for shutter in [0.0, 0.5] {
        let scene = Scene { map: far, shutter, ..Scene::default() }.build();
        let input = footage(scene.header.size);
        let [w, h] = scene.header.size;
        let edit = Some(Arc::new(painted(&scene).0));
        let renderer = Renderer::new(Arc::new(scene.clone()), edit, settings(View::Result)).unwrap();
        let whole = renderer.frame(1, &input, input.bounds()).unwrap();
        assert!(whole.pixels().iter().zip(input.pixels()).filter(|(a, b)| a != b).count() > 500);
        let (frame, mut scratch) = (renderer.prepare(1).unwrap(), Scratch::default());
        for step in [1, 5, 17, 64] {
            let mut out = input.clone();
            for (y, x) in (0..h).flat_map(|y| (0..w).step_by(step).map(move |x| (y, x))) {
                frame.row(y, x, &mut out.row_mut(y)[x..(x + step).min(w)], &mut scratch);
            }
            assert_eq!(out, whole, "parts of {step}");
        }
    }
}

#[test]
fn frames_that_stay_are_known() {
    let away = |t: usize| [[1.0, 0.0, 1000.0 * (t as f64 - 1.0)], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let scene = Scene { map: away, ..Scene::default() }.build();
    let stays = |edit: Option<Edit>, s: RenderSettings, frame: usize| {
        Renderer::new(Arc::new(scene.clone()), edit.map(Arc::new), s).unwrap().is_identity(frame)
    };
    let edit = || Some(painted(&scene).0);
    let s = settings(View::Result);
    assert!(stays(None, s, 1).unwrap());
    assert!(stays(edit(), RenderSettings { opacity: 0.0, ..s }, 1).unwrap());
    assert!(stays(edit(), s, 0).unwrap() && !stays(edit(), s, 1).unwrap());
    assert!(!stays(None, settings(View::Uv), 0).unwrap());
    assert!(stays(None, s, 4).is_err());
}

#[test]
fn a_fine_checkerboard_far_away_is_grey() {
    let far = |_: usize| [[3.0, 0.0, -110.0], [0.0, 3.0, -80.0], [0.0, 0.0, 1.0]];
    let mut scene = Scene { map: far, boxes: vec![[0.0, 0.0, 150.0, 90.0]], ..Scene::default() }.build();
    scene.layers[0][0] = Arc::new(Layer {
        mask: Image::new(80, 50, 255),
        light: Image::new(2, 2, [1.0; 4]),
        map: scene.layers[0][0].map.clone(),
    });
    let size = export_atlas(&scene).0.size();
    let picture = Image::from_fn(size.0, size.1, |x, y| {
        let v = ((x + y) % 2) as f32;
        [v, v, v, 1.0]
    });
    let edit = Edit::from_painting(&scene, &picture).unwrap();
    let got = render(&scene, Some(edit), settings(View::Result), 0, &footage(scene.header.size));
    // The atlas of 160 by 100 falls on columns 35 to 87 and rows 25 to 57; well inside it all is grey.
    for y in 32..50 {
        for x in 42..80 {
            let v = got[(x, y)][0];
            assert!((v - 0.5).abs() < 0.03, "{v} at {x},{y}");
        }
    }
}

#[test]
fn views_show_what_they_say() {
    let scene = Scene::default().build();
    let input = footage(scene.header.size);
    let view = |v| render(&scene, None, settings(v), 0, &input);
    let [w, h] = scene.header.size;
    // Frame 0 is the reference: T is the identity; (75, 50) is inside the region and visible, (2, 2) is neither.
    let (inside, outside) = ((75, 50), (2, 2));
    let uv = view(View::Uv);
    assert!(
        (uv[inside][0] - 75.5 / w as f32).abs() < 1e-5
            && (uv[inside][1] - (1.0 - 50.5 / h as f32)).abs() < 1e-5
    );
    assert_eq!(uv[outside][..3], [0.0; 3]);
    let matte = view(View::Matte);
    assert_eq!((matte[inside][0], matte[outside][0]), (1.0, 0.0));
    let (atlas, light, difference) = (view(View::Atlas), view(View::Light), view(View::Difference));
    assert_eq!(atlas[outside], input[outside]);
    assert_eq!(light[outside][..3], [0.5; 3]);
    assert_eq!(difference[outside][..3], [0.5; 3]);
    for c in 0..3 {
        let fitted = atlas[inside][c];
        assert!((difference[inside][c] - (0.5 + input[inside][c] - fitted)).abs() < 1e-5);
        let a = scene.surfaces[0].picture[(75 - 34, 50 - 19)][c];
        assert!((light[inside][c] * 2.0 * a - fitted).abs() < 1e-5);
    }
    let checker = view(View::Checker);
    assert_ne!(checker[inside], input[inside]);
    assert_eq!(checker[outside], input[outside]);
    for picture in [uv, matte, atlas, light, difference, checker] {
        assert!(picture.pixels().iter().zip(input.pixels()).all(|(a, b)| a[3] == b[3]));
    }
}

#[test]
fn an_edit_of_another_analysis_is_refused() {
    let (a, b) = (Scene::default(), Scene { scale: 1.5, ..Scene::default() });
    let edit = painted(&a.build()).0;
    let e = Renderer::new(Arc::new(b.build()), Some(Arc::new(edit)), settings(View::Result)).unwrap_err();
    assert!(e.to_string().contains("another analysis"), "{e}");
    assert_eq!(a.build().surfaces().len(), 1);
}
