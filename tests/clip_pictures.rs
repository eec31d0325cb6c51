//! Picture files: bit-exact round trips for every depth and format, and one clear line for every broken file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail and speak"
)]

use proptest::prelude::*;
use rna::frame::io::{held_depth, read_header, read_picture, write_matte, write_npy, write_picture};
use rna::frame::{Channels, Depth, Image, Rgba};
use std::path::{Path, PathBuf};

const ALL_CHANNELS: [Channels; 4] = [Channels::Grey, Channels::GreyAlpha, Channels::Rgb, Channels::Rgba];
const ALL_DEPTHS: [Depth; 4] = [Depth::U8, Depth::U16, Depth::F16, Depth::F32];

/// A picture of values `depth` holds exactly, every 8-bit level among them, with the channels a file of `channels` has.
fn picture(depth: Depth, channels: Channels) -> Image<Rgba> {
    let mut state = 12_345u32;
    let mut value = |i: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match depth {
            Depth::U8 => (i % 256) as f32 / 255.0,
            Depth::U16 => (state >> 16) as f32 / 65535.0,
            Depth::F16 => half::f16::from_f32((state >> 8) as f32 / 2e6 - 3.0).to_f32(),
            Depth::F32 => (state >> 8) as f32 / 1e5 - 70.0,
        }
    };
    Image::from_fn(37, 23, |x, y| {
        let i = 37 * y + x;
        let p = [value(i), value(i + 85), value(i + 170), value(i + 33)];
        match channels {
            Channels::Grey => [p[0], p[0], p[0], 1.0],
            Channels::GreyAlpha => [p[0], p[0], p[0], p[3]],
            Channels::Rgb => [p[0], p[1], p[2], 1.0],
            Channels::Rgba => p,
        }
    })
}

fn bits(image: &Image<Rgba>) -> Vec<u32> {
    image.pixels().iter().flatten().map(|v| v.to_bits()).collect()
}

#[test]
fn every_depth_and_format_comes_back_bit_exact() {
    let dir = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for ending in ["png", "tif", "TIFF", "exr"] {
        for depth in ALL_DEPTHS {
            let path = dir.path().join(format!("a.{ending}"));
            if held_depth(&path, depth).unwrap() != depth {
                continue;
            }
            for channels in ALL_CHANNELS {
                let written = picture(depth, channels);
                write_picture(&path, &written, depth, channels).unwrap();
                let read = read_picture(&path).unwrap();
                let name = format!("{ending} {depth:?} {channels:?}");
                assert_eq!(bits(&read.pixels), bits(&written), "{name}");
                assert_eq!(read.depth, depth, "{name}");
                let header = read_header(&path).unwrap();
                assert_eq!(
                    (header.size, header.depth, header.channels),
                    ((37, 23), read.depth, read.channels)
                );
                // TIFF alone lacks two kinds, and stores them as colour.
                let as_colour = ending.to_lowercase().starts_with("tif")
                    && (channels == Channels::GreyAlpha || (channels, depth) == (Channels::Grey, Depth::F32));
                if !as_colour {
                    assert_eq!(read.channels, channels, "{name}");
                }
                // And once more: what was read is written the same.
                write_picture(&path, &read.pixels, read.depth, read.channels).unwrap();
                assert_eq!(bits(&read_picture(&path).unwrap().pixels), bits(&written), "{name}, again");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 4 * (2 + 3 + 3 + 2));
}

#[test]
fn floats_keep_what_is_not_a_number_and_integers_clamp() {
    let dir = tempfile::tempdir().unwrap();
    let odd = Image::from_vec(
        2,
        1,
        vec![[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0], [-0.5, 1.5, 1e-9, 0.0]],
    );
    for (name, depth) in [("a.exr", Depth::F16), ("a.exr", Depth::F32), ("a.tif", Depth::F32)] {
        let path = dir.path().join(name);
        write_picture(&path, &odd, depth, Channels::Rgba).unwrap();
        let read = read_picture(&path).unwrap().pixels;
        assert!(
            read[(0, 0)][0].is_nan()
                && read[(0, 0)][1] == f32::INFINITY
                && read[(0, 0)][2] == f32::NEG_INFINITY
        );
        assert_eq!(read[(1, 0)][..2], [-0.5, 1.5]);
    }
    for depth in [Depth::U8, Depth::U16] {
        let path = dir.path().join("a.png");
        write_picture(&path, &odd, depth, Channels::Rgba).unwrap();
        let read = read_picture(&path).unwrap().pixels;
        assert_eq!(read.pixels(), [[0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0]]);
    }
}

#[test]
fn depths_a_format_lacks_take_the_documented_one() {
    let dir = tempfile::tempdir().unwrap();
    for (name, asked, got) in [
        ("a.png", Depth::F32, Depth::U16),
        ("a.png", Depth::F16, Depth::U16),
        ("a.jpg", Depth::U16, Depth::U8),
        ("a.tif", Depth::F16, Depth::F32),
        ("a.exr", Depth::U8, Depth::F16),
        ("a.exr", Depth::U16, Depth::F32),
    ] {
        let path = dir.path().join(name);
        assert_eq!(held_depth(&path, asked).unwrap(), got);
        write_picture(&path, &picture(Depth::U8, Channels::Rgb), asked, Channels::Rgb).unwrap();
        assert_eq!(read_picture(&path).unwrap().depth, got, "{name} {asked:?}");
    }
}

#[test]
fn jpeg_is_close_and_keeps_colour_sharp() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jpeg");
    // Thin lines of pure colour: with subsampled colour they would bleed by more than 60 levels.
    let lines =
        Image::from_fn(64, 64, |x, _| if x % 2 == 0 { [0.9, 0.2, 0.2, 1.0] } else { [0.2, 0.2, 0.9, 1.0] });
    write_picture(&path, &lines, Depth::U8, Channels::Rgba).unwrap();
    let read = read_picture(&path).unwrap();
    assert_eq!((read.depth, read.channels), (Depth::U8, Channels::Rgb));
    let far = read.pixels.zip(&lines, |a, b| (0..3).map(|c| (a[c] - b[c]).abs()).fold(0.0, f32::max));
    let worst = far.pixels().iter().copied().fold(0.0, f32::max) * 255.0;
    assert!(worst < 16.0, "{worst}");
}

/// A file kept beside `tests/reference/jpeg.py`, which made it.
fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

#[test]
fn jpeg_is_decoded_as_libjpeg_does() {
    for (name, channels) in
        [("colour-420", Channels::Rgb), ("colour-progressive", Channels::Rgb), ("grey", Channels::Grey)]
    {
        let file = reference(&format!("{name}.jpg"));
        let (read, header) = (read_picture(&file).unwrap(), read_header(&file).unwrap());
        assert_eq!((header.size, header.channels), ((53, 39), channels), "{name}");
        let expected = read_picture(&reference(&format!("{name}.png"))).unwrap();
        assert_eq!((read.depth, read.channels), (expected.depth, channels), "{name}");
        assert_eq!(bits(&read.pixels), bits(&expected.pixels), "{name}");
    }
}

#[test]
fn jpeg_that_cannot_be_trusted_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(reference("colour-420.jpg")).unwrap();
    let refusal = |bytes: &[u8]| {
        let path = dir.path().join("a.jpg");
        std::fs::write(&path, bytes).unwrap();
        read_picture(&path).map(|_| ()).map_err(|e| e.to_string())
    };
    // Notes after the end are the camera's business.
    assert_eq!(refusal(&[&whole, b"notes".as_slice()].concat()), Ok(()));
    // An end mark counts only where the picture ends: here one lies in a preview, and the picture is cut off.
    let preview = [&whole[..2], &[0xff, 0xe1, 0, 6, 0xff, 0xd9, 0, 0], &whole[2..]].concat();
    assert_eq!(refusal(&preview), Ok(()));
    assert!(refusal(&preview[..preview.len() - 60]).unwrap_err().contains("cut off"));
    for length in [whole.len() - 1, whole.len() - 2, whole.len() / 2] {
        assert!(refusal(&whole[..length]).unwrap_err().contains("cut off"), "{length}");
    }
    // A header that claims 40 000 × 40 000 pixels; it lies four bytes into the frame header.
    let frame = whole.windows(2).position(|b| b == [0xff, 0xc0]).unwrap();
    let mut huge = whole.clone();
    huge[frame + 5..frame + 9].copy_from_slice(&[0x9c, 0x40, 0x9c, 0x40]);
    assert!(refusal(&huge).unwrap_err().contains("40000×40000"));
    // Fatal to libjpeg: twelve bits a channel.
    let mut deep = whole.clone();
    deep[frame + 4] = 12;
    assert!(refusal(&deep).unwrap_err().contains("12"));
    // Four channels: the inks of print. Header and start of scan are all it takes to tell.
    let mut inks = vec![0xff, 0xd8, 0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4];
    inks.extend((1..=4).flat_map(|id| [id, 0x11, 0]));
    inks.extend([0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0, 0xff, 0xd9]);
    let message = refusal(&inks).unwrap_err();
    assert!(message.contains("CMYK") && message.contains("RGB"), "{message}");
}

#[test]
fn mattes_and_arrays() {
    let dir = tempfile::tempdir().unwrap();
    let matte = Image::from_fn(5, 3, |x, y| (x + 5 * y) as f32 / 14.0);
    let path = dir.path().join("matte.png");
    write_matte(&path, &matte).unwrap();
    let read = read_picture(&path).unwrap();
    assert_eq!((read.depth, read.channels), (Depth::U16, Channels::Grey));
    assert!(
        read.pixels.zip(&matte, |a, b| (a[0] - b).abs()).pixels().iter().all(|&d| d <= 0.5 / 65535.0 + 1e-7)
    );

    let path = dir.path().join("map.npy");
    let field = Image::from_fn(5, 3, |x, y| [x as f32 + 0.25, -(y as f32)]);
    write_npy(&path, &field).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((10 + header) % 64, 0);
    let text = std::str::from_utf8(&bytes[10..10 + header]).unwrap();
    assert!(text.contains("'shape': (3, 5, 2)") && text.contains("'<f4'") && text.ends_with('\n'), "{text}");
    let values: Vec<f32> =
        bytes[10 + header..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(values, field.pixels().concat());
}

/// A PNG of one row that claims another size, checksums and all.
fn absurd_png(w: u32, h: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut body = b"IHDR".to_vec();
    body.extend([w.to_be_bytes(), h.to_be_bytes()].concat());
    body.extend([8, 2, 0, 0, 0]);
    bytes.extend(13u32.to_be_bytes());
    bytes.extend(&body);
    bytes.extend(crc32fast::hash(&body).to_be_bytes());
    bytes.extend([0, 0, 0, 0]);
    bytes.extend(b"IDAT");
    bytes.extend(crc32fast::hash(b"IDAT").to_be_bytes());
    bytes
}

/// Broken files and a word each message must hold.
fn broken(dir: &Path) -> Vec<(PathBuf, &'static str)> {
    let whole = picture(Depth::U8, Channels::Rgb);
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut table = vec![
        (dir.join("nowhere.png"), "cannot read"),
        (put("empty.png", b""), "empty"),
        (put("text.png", b"hello, I am not a picture"), "not a PNG, JPEG, TIFF or EXR"),
        (put("wide.png", &absurd_png(40_000, 10)), "40000×10"),
        (put("large.png", &absurd_png(32_768, 32_768)), "32768×32768"),
        (put("huge.png", &absurd_png(0x7fff_ffff, 0x7fff_ffff)), "no picture has"),
    ];
    for ending in ["png", "jpg", "tif", "exr"] {
        let path = dir.join(format!("cut.{ending}"));
        write_picture(&path, &whole, Depth::U8, Channels::Rgb).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
        table.push((path, "cannot use the picture"));
        table.push((put(&format!("stub.{ending}"), &bytes[..12.min(bytes.len())]), "cannot use the picture"));
    }
    // An EXR whose display window was enlarged: the header is read before any pixel.
    let path = dir.join("window.exr");
    write_picture(&path, &whole, Depth::F16, Channels::Rgb).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    for key in [b"displayWindow\0box2i\0".as_slice(), b"dataWindow\0box2i\0"] {
        let at = bytes.windows(key.len()).position(|w| w == key).unwrap() + key.len() + 4 + 8;
        bytes[at..at + 8].copy_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0]);
    }
    std::fs::write(&path, bytes).unwrap();
    table.push((path, "65537×65537"));
    table
}

#[test]
fn broken_files_give_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    for (path, word) in broken(dir.path()) {
        let message = read_picture(&path).expect_err(&path.display().to_string()).to_string();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(message.contains(word), "{name}: {message}");
        assert!(message.contains(name) && !message.contains('\n'), "{name}: {message}");
    }
}

#[test]
fn what_cannot_be_written_is_an_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let whole = picture(Depth::U8, Channels::Rgb);
    let write = |path: &Path, image: &Image<Rgba>| {
        write_picture(path, image, Depth::U8, Channels::Rgb).unwrap_err().to_string()
    };
    assert!(write(&dir.path().join("a.bmp"), &whole).contains(".png, .jpg, .tif or .exr"));
    assert!(write(&dir.path().join("no/such/a.png"), &whole).contains("cannot write"));
    assert!(write(&dir.path().join("a.png"), &Image::new(0, 5, [0.0; 4])).contains("no pixels"));
    // The rename fails onto a folder: no temporary file may stay behind.
    std::fs::create_dir(dir.path().join("folder.png")).unwrap();
    assert!(write(&dir.path().join("folder.png"), &whole).contains("folder.png"));
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["folder.png"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Damage anywhere gives a picture or an error, never a panic.
    #[test]
    fn damage_never_panics(
        ending in prop::sample::select(vec!["png", "jpg", "tif", "exr"]),
        damage in prop::collection::vec((0.0f64..1.0, any::<u8>()), 1..6),
        keep in 0.3f64..1.3,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("a.{ending}"));
        let small = picture(Depth::U8, Channels::Rgb).crop(rna::frame::Rect::new(0, 0, 9, 7));
        write_picture(&path, &small, Depth::U8, Channels::Rgb).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, value) in damage {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = value;
        }
        bytes.truncate((bytes.len() as f64 * keep) as usize);
        std::fs::write(&path, bytes).unwrap();
        let _ = read_picture(&path);
    }

    /// Every 8-bit value survives, whatever neighbours it has.
    #[test]
    fn integers_round_trip(values in prop::collection::vec(any::<u16>(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        let image = Image::from_vec(values.len(), 1, values.iter().map(|&v| [f32::from(v) / 65535.0; 3]).map(|[r, g, b]| [r, g, b, 1.0]).collect());
        write_picture(&path, &image, Depth::U16, Channels::Rgb).unwrap();
        let read = read_picture(&path).unwrap().pixels;
        let back: Vec<u16> = read.pixels().iter().map(|p| (p[0] * 65535.0).round() as u16).collect();
        prop_assert_eq!(back, values);
    }
}
