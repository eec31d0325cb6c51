//! What is made from an analysis: atlas, frames, maps; and files that do not belong to it.

use crate::{fails, works};
use rna::atlas::{Analysis, Header, Layer, Placement, Quality, Surface};
use rna::clip;
use rna::frame::io::{read_picture, write_picture};
use rna::frame::{Channels, Depth, Encoding, Image, Rgba};
use rna::roi::Roi;
use rna::store;
use std::fs;
use std::sync::Arc;

const SIZE: (usize, usize) = (64, 48);
const FRAMES: usize = 3;

/// A surface that fills the frame and does not move.
struct Still {
    header: Header,
    surfaces: Vec<Surface>,
}

impl Analysis for Still {
    fn header(&self) -> &Header {
        &self.header
    }

    fn surfaces(&self) -> &[Surface] {
        &self.surfaces
    }

    fn layer(&self, _: usize, _: usize) -> rna::Result<Arc<Layer>> {
        let map = Image::from_fn(9, 7, |i, j| [i as f32 * 8.0, j as f32 * 8.0]);
        let light = Image::new(2, 2, [1.0; 4]);
        Ok(Arc::new(Layer { map, mask: Image::new(SIZE.0, SIZE.1, 255), light }))
    }
}

fn picture() -> Image<Rgba> {
    Image::from_fn(SIZE.0, SIZE.1, |x, y| [x as f32 / 100.0, y as f32 / 100.0, 0.4, 1.0])
}

/// A folder with `clip/` and the analysis `shot.rna` of it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("clip");
    fs::create_dir(&frames).unwrap();
    for t in 0..FRAMES {
        write_picture(&frames.join(format!("{t:05}.png")), &picture(), Depth::U8, Channels::Rgb).unwrap();
    }
    let size = [SIZE.0, SIZE.1];
    let header = Header {
        made_by: "test".into(),
        size,
        working_size: size,
        frames: FRAMES,
        first_frame: 0,
        map_step: [8.0, 8.0],
        shutter: 0.0,
        pixel_aperture: 0.5,
        grain: 0.008,
        ceiling: Some(1.0),
        short_exposures: Default::default(),
        encoding: Encoding::Display,
        roi: Roi {
            reference_frame: 0,
            polygons: vec![vec![[8.0, 8.0], [55.0, 8.0], [55.0, 39.0], [8.0, 39.0]]],
            size: Some(size),
        },
        fingerprint: store::fingerprint(clip::open(&frames).unwrap().as_ref()).unwrap(),
        settings: Default::default(),
        engines: Default::default(),
        corrections: Default::default(),
        quality: vec![vec![Quality { confidence: 1.0, visible: 1.0, psnr: 40.0 }; FRAMES]],
    };
    let placement = Placement { origin: [0.0, 0.0], scale: 1.0, size };
    let surfaces = vec![Surface { placement, picture: picture() }];
    store::write(&folder.path().join("shot.rna"), &Still { header, surfaces }).unwrap();
    folder
}

#[test]
fn atlas_there_and_back() {
    let folder = folder();
    let at = folder.path();
    works(at, &["atlas", "shot.rna", "-o", "atlas.png"]);
    assert!(at.join("atlas.json").exists());
    fails(at, &["atlas", "shot.rna", "-o", "atlas.png"], &["there already"]);
    works(at, &["atlas", "shot.rna", "-o", "atlas.png", "--force"]);
    fails(at, &["atlas", "shot.rna", "-o", "atlas.jpg"], &["atlas.jpg", ".png or .exr"]);

    // What was not edited comes back as it was.
    let render = |o| ["render", "clip", "--atlas", "shot.rna", "--edited", "atlas.png", "-o", o];
    works(at, &render("out/%05d.png"));
    for t in 0..FRAMES {
        let name = format!("{t:05}.png");
        let [a, b] = ["clip", "out"].map(|f| read_picture(&at.join(f).join(&name)).unwrap());
        assert!(a == b, "frame {t} changed");
    }
    fails(at, &render("out/%05d.png"), &["there already", "--force"]);
    let own =
        ["render", "clip", "--atlas", "shot.rna", "--edited", "atlas.png", "-o", "clip/%05d.png", "--force"];
    fails(at, &own, &["the clip's own"]);
    fails(at, &render("frames"), &["%05d"]);
}

#[test]
fn views_and_exports() {
    let folder = folder();
    let at = folder.path();
    for view in ["atlas", "matte", "uv", "light", "checker", "difference"] {
        let pattern = format!("{view}/%03d.png");
        works(at, &["render", "clip", "--atlas", "shot.rna", "--view", view, "-o", &pattern]);
        assert!(at.join(view).join("002.png").exists());
    }
    works(at, &["export", "shot.rna", "--maps", "maps", "--format", "npy", "--mattes", "mattes"]);
    works(at, &["export", "shot.rna", "--maps", "maps"]);
    for name in ["maps/00002.npy", "maps/00002.exr", "mattes/00002.png"] {
        assert!(at.join(name).exists(), "{name}");
    }
    fails(at, &["export", "shot.rna", "--mattes", "mattes"], &["there already"]);
    let info: serde_json::Value = serde_json::from_str(&works(at, &["info", "shot.rna", "--json"])).unwrap();
    assert_eq!((info["event"].as_str(), info["frames"].as_u64()), (Some("result"), Some(FRAMES as u64)));
    let text = works(at, &["info", "shot.rna"]);
    assert!(
        text.contains("40.0 dB")
            && text.contains("no motion blur; pixels average 0.50 of their side; grain of 2.0 levels of 255; nothing brighter than 1"),
        "{text}"
    );
}

#[test]
fn files_that_do_not_belong() {
    let folder = folder();
    let at = folder.path();
    let edit = |file| ["render", "clip", "--atlas", "shot.rna", "--edited", file, "-o", "out/%05d.png"];
    let paint = |file| ["render", "clip", "--atlas", "shot.rna", "--paint", file, "-o", "out/%05d.png"];
    fails(at, &edit("none.png"), &["none.png"]);
    write_picture(&at.join("wide.png"), &Image::new(90, 30, [0.5; 4]), Depth::U16, Channels::Rgba).unwrap();
    fails(at, &edit("wide.png"), &["90×30"]);
    fails(at, &paint("wide.png"), &["90×30"]);
    fs::write(at.join("text.png"), "no picture").unwrap();
    fails(at, &paint("text.png"), &["text.png"]);

    // A PNG that claims 100 000 × 100 000 pixels: believed by nobody, no memory taken.
    let mut bytes = fs::read(at.join("wide.png")).unwrap();
    bytes[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
    let sum = crc32fast::hash(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    fs::write(at.join("huge.png"), bytes).unwrap();
    fails(at, &paint("huge.png"), &["huge.png", "100000"]);

    // Analyses that are cut, foreign or missing.
    let whole = fs::read(at.join("shot.rna")).unwrap();
    for (name, bytes) in [
        ("cut.rna", &whole[..whole.len() - 100]),
        ("head.rna", &whole[..60]),
        ("zip.rna", b"PK\x03\x04 something"),
    ] {
        fs::write(at.join(name), bytes).unwrap();
        fails(at, &["info", name], &[name]);
    }
    fails(at, &["info", "none.rna"], &["none.rna"]);
    fails(at, &["info", "clip"], &["folder"]);

    // Another clip than the analysed one.
    fs::remove_file(at.join("clip/00002.png")).unwrap();
    let view = ["render", "clip", "--atlas", "shot.rna", "--view", "matte", "-o", "m/%05d.png"];
    fails(at, &view, &["3 frames", "this has 2", "the clip it was made from"]);
    assert!(!at.join("m").exists(), "frames of a clip that does not belong were written");
}

#[test]
fn outputs_that_cannot_be_written() {
    let folder = folder();
    let at = folder.path();
    let tried = |place: &str| {
        let frames = format!("{place}/out/%05d.png");
        let maps = format!("{place}/maps");
        let picture = format!("{place}/atlas.png");
        fails(at, &["atlas", "shot.rna", "-o", &picture], &[place]);
        fails(
            at,
            &["render", "clip", "--atlas", "shot.rna", "--view", "matte", "-o", &frames],
            &[place, "cannot"],
        );
        fails(at, &["export", "shot.rna", "--maps", &maps], &[place, "cannot"]);
        fails(at, &["sample", place, "--frames", "2", "--size", "64x64"], &[place, "cannot"]);
    };
    fs::write(at.join("file"), "").unwrap();
    tried("file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::create_dir(at.join("locked")).unwrap();
        fs::set_permissions(at.join("locked"), fs::Permissions::from_mode(0o555)).unwrap();
        // Root may write anywhere.
        if fs::write(at.join("locked/probe"), "").is_err() {
            tried("locked");
        }
    }
}
