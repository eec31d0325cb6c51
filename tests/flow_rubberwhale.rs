//! Accuracy against a picture pair with measured flow (Middlebury, Baker et al. 2011). Skipped where it is absent.

// A test fails by panicking, and says on standard output what it skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};

use rna::flow::Dis;
use rna::frame::{Image, Vec2};

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/gt/RubberWhale");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no RubberWhale at {}", folder.display());
    None
}

fn luminance(path: &Path) -> Image<f32> {
    let picture = image::open(path).unwrap().to_rgb8();
    let (w, h) = picture.dimensions();
    Image::from_fn(w as usize, h as usize, |x, y| {
        let [r, g, b] = picture.get_pixel(x as u32, y as u32).0.map(f32::from);
        0.299 * r + 0.587 * g + 0.114 * b
    })
}

/// Middlebury's format: a tag, width, height, then u and v of each pixel, all of four bytes, little endian.
fn read_flo(path: &Path) -> Image<Vec2> {
    let bytes = std::fs::read(path).unwrap();
    let word = |i: usize| <[u8; 4]>::try_from(&bytes[4 * i..4 * i + 4]).unwrap();
    assert_eq!(f32::from_le_bytes(word(0)), 202_021.25, "not a .flo file");
    let (w, h) = (u32::from_le_bytes(word(1)) as usize, u32::from_le_bytes(word(2)) as usize);
    let number = |i: usize| f32::from_le_bytes(word(3 + i));
    Image::from_fn(w, h, |x, y| [number(2 * (y * w + x)), number(2 * (y * w + x) + 1)])
}

/// Mean end-point error over the pixels whose flow is known.
fn mean_error(flow: &Image<Vec2>, truth: &Image<Vec2>) -> f64 {
    let known =
        flow.pixels().iter().zip(truth.pixels()).filter(|(_, t)| t[0].abs() < 1e9 && t[1].abs() < 1e9);
    let (sum, n) = known.fold((0.0, 0usize), |(sum, n), (f, t)| {
        (sum + f64::from(f[0] - t[0]).hypot(f64::from(f[1] - t[1])), n + 1)
    });
    sum / n as f64
}

fn error_of(dis: &Dis, folder: &Path) -> f64 {
    let (a, b) = (luminance(&folder.join("frame10.png")), luminance(&folder.join("frame11.png")));
    mean_error(&dis.between(&a, &b).unwrap(), &read_flo(&folder.join("flow10.flo")))
}

#[test]
fn whole_frames() {
    let Some(folder) = folder() else { return };
    let error = error_of(&Dis::default(), &folder);
    println!("default: mean end-point error {error:.4} px");
    assert!(error < 0.22, "{error}");
}

#[test]
fn full_resolution() {
    let Some(folder) = folder() else { return };
    let error = error_of(&Dis::fine(), &folder);
    println!("fine: mean end-point error {error:.4} px");
    assert!(error < 0.125, "{error}");
}
