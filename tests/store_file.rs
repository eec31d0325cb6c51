//! The `.rna` file: what was written is read, and nothing else is believed.
#![allow(clippy::unwrap_used)]

#[path = "render_support/mod.rs"]
mod render_support;

use render_support::*;
use rna::atlas::{Analysis, Header, Layer};
use rna::clip::{Clip, ClipInfo};
use rna::frame::{Channels, Depth, Encoding, Image, Rgba};
use rna::store::{self, Grid, Writer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn scene() -> Memory {
    let boxes = vec![[20.0, 20.0, 70.0, 70.0], [90.0, 30.0, 140.0, 80.0]];
    let mut scene = Scene { frames: 3, boxes, ..Scene::default() }.build();
    scene.header.short_exposures = [(1, 0.4)].into();
    scene
}

fn written(folder: &Path) -> (Memory, PathBuf) {
    let (scene, path) = (scene(), folder.join("shot.rna"));
    store::write(&path, &scene).unwrap();
    (scene, path)
}

/// Opens a file and reads everything in it.
fn read_all(path: &Path) -> rna::Result<()> {
    let atlas = store::open(path)?;
    for k in 0..atlas.surfaces().len() {
        for t in 0..atlas.header().frames {
            atlas.layer(k, t)?;
        }
    }
    Ok(())
}

fn message(path: &Path) -> String {
    read_all(path).unwrap_err().to_string()
}

fn grids(scene: &Memory) -> Vec<Grid> {
    let grid = |l: &Layer| Grid { map: l.map.size(), light: l.light.size() };
    scene.layers.iter().map(|l| grid(&l[0])).collect()
}

/// Nobody loses an analysis to an update: one by the version before grain was kept is read, and has none.
#[test]
fn an_analysis_of_version_1_is_read() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/version-1.rna"));
    read_all(path).unwrap();
    assert_eq!(store::open(path).unwrap().header().grain, 0.0);
    let layer = store::open(path).unwrap().layer(0, 1).unwrap();
    assert!(layer.light.pixels().iter().all(|l| l[..3].iter().all(|g| (g - 1.0).abs() < 0.1) && l[3] == 0.0));
}

#[test]
fn round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, path) = written(folder.path());
    // A budget of one byte: every layer but the latest is thrown out and read again.
    for atlas in [store::open(&path).unwrap(), store::open_with_budget(&path, 1).unwrap()] {
        assert_eq!(atlas.header(), &scene.header);
        assert_eq!(atlas.surfaces(), scene.surfaces);
        for _ in 0..2 {
            for (k, layers) in scene.layers.iter().enumerate() {
                for (t, layer) in layers.iter().enumerate() {
                    // The test's gains are exact in half floats.
                    assert_eq!(*atlas.layer(k, t).unwrap(), **layer);
                }
            }
        }
        assert!(atlas.layer(2, 0).is_err() && atlas.layer(0, 3).is_err());
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn same_analysis_same_bytes_whatever_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, path) = written(folder.path());
    let second = folder.path().join("second.rna");
    let mut writer = Writer::create(&second, &scene.header, &scene.surfaces, &grids(&scene)).unwrap();
    for (t, k) in [(2, 0), (0, 0), (0, 1), (1, 0), (2, 1), (1, 1)] {
        writer.layer(k, t, &scene.layers[k][t]).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&second).unwrap());
    // The reference reader of the format agrees that it is one.
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("1/mask").unwrap().shape(), [3, 50, 80]);
    assert_eq!(tensors.tensor("confidence").unwrap().data()[..4], 0.75f32.to_le_bytes());
}

#[test]
fn cut_short_anywhere_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = written(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    let head = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let cut = folder.path().join("cut.rna");
    let lengths = [0, 1, 7, 8, 9, 10, 11, 100, head - 1, head, head + 1, bytes.len() / 2, bytes.len() - 1];
    for n in lengths {
        std::fs::write(&cut, &bytes[..n]).unwrap();
        let m = message(&cut);
        assert!(m.contains("cut.rna"), "{n}: {m}");
        assert!(n < head || m.contains("copy it again"), "{n}: {m}");
    }
    std::fs::write(&cut, [&bytes[..], &[0]].concat()).unwrap();
    assert!(message(&cut).contains("copy it again"));
}

#[test]
fn a_flipped_bit_is_noticed_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = written(folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.rna");
    let head = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let few = (0..head).step_by(41).chain((head..bytes.len()).step_by(bytes.len() / 300)).collect::<Vec<_>>();
    for at in few.into_iter().chain([bytes.len() - 1]) {
        bytes[at] ^= 4;
        std::fs::write(&damaged, &bytes).unwrap();
        assert!(read_all(&damaged).is_err(), "a flip at byte {at} went unnoticed");
        bytes[at] ^= 4;
    }
    // Damage in one layer leaves the others readable, and is named.
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&damaged, &bytes).unwrap();
    let atlas = store::open(&damaged).unwrap();
    atlas.layer(0, 2).unwrap();
    assert!(atlas.layer(1, 2).unwrap_err().to_string().contains("mask of region 2 in frame 2"));
}

#[test]
fn cut_while_open_is_an_error_not_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = written(folder.path());
    let atlas = store::open(&path).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
    assert!(atlas.layer(1, 1).unwrap_err().to_string().contains("cut short"));
}

#[test]
fn foreign_files_are_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.rna");
    let with = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        message(&path)
    };
    for bytes in
        [&b""[..], b"hello", b"a text file that is long enough to have a header", &[0; 64], &[255; 64]]
    {
        assert!(with(bytes).contains("not an .rna file"), "{}", with(bytes));
    }
    let tensors = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    assert!(with(&tensors("{}")).contains("not one of this program's"));
    assert!(with(&tensors(r#"{"__metadata__":{"format":"pt"}}"#)).contains("not one of this program's"));
    assert!(with(&tensors(r#"{"__metadata__":{"format":"rna-atlas"}}"#)).contains("no version"));
    let version =
        |v: &str| with(&tensors(&format!(r#"{{"__metadata__":{{"format":"rna-atlas","version":"{v}"}}}}"#)));
    assert!(version("3").contains("update this program"));
    assert!(version("0").contains("analyse the clip again"));
    assert!(version("one").contains("damaged"));
    assert!(message(folder.path()).contains("folder"));
    assert!(message(&folder.path().join("none.rna")).contains("cannot read"));
}

#[test]
fn absurd_sizes_are_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = written(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + n]).unwrap();
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 6] = [
        ("0/map", |t| t["shape"] = serde_json::json!([3, 1u64 << 40, 1u64 << 30, 2])),
        ("0/mask", |t| t["shape"] = serde_json::json!([3, 50, 0])),
        ("1/light", |t| t["data_offsets"] = serde_json::json!([0, u64::MAX])),
        ("__metadata__", |t| {
            let placements = t["placements"].as_str().unwrap().replace("\"size\":[", "\"size\":[9000000000,");
            t["placements"] = placements.into();
        }),
        ("__metadata__", |t| {
            let header =
                t["header"].as_str().unwrap().replace("\"frames\":3", "\"frames\":4000000000000000000");
            t["header"] = header.into();
        }),
        ("__metadata__", |t| {
            let header = t["header"].as_str().unwrap().replace("{\"1\":0.4}", "{\"3\":0.4}");
            t["header"] = header.into();
        }),
    ];
    for (name, change) in changes {
        let mut json = json.clone();
        change(&mut json[name]);
        let json = serde_json::to_vec(&json).unwrap();
        let file = [&(json.len() as u64).to_le_bytes()[..], &json, &bytes[8 + n..]].concat();
        let path = folder.path().join("absurd.rna");
        std::fs::write(&path, file).unwrap();
        let m = message(&path);
        assert!(m.contains("header is damaged"), "{name}: {m}");
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_half_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, path) = written(folder.path());
    let before = std::fs::read(&path).unwrap();
    assert!(store::write(&path, &scene).unwrap_err().to_string().contains("never overwritten"));
    // Appearing while the writer is at work.
    let late = folder.path().join("late.rna");
    let mut writer = Writer::create(&late, &scene.header, &scene.surfaces, &grids(&scene)).unwrap();
    for (k, t) in (0..2).flat_map(|k| (0..3).map(move |t| (k, t))) {
        writer.layer(k, t, &scene.layers[k][t]).unwrap();
    }
    std::fs::write(&late, "mine").unwrap();
    assert!(writer.finish().unwrap_err().to_string().contains("never overwritten"));
    assert_eq!(std::fs::read(&late).unwrap(), b"mine");
    // Interrupted, or not complete.
    let half = folder.path().join("half.rna");
    let create = || Writer::create(&half, &scene.header, &scene.surfaces, &grids(&scene)).unwrap();
    let mut writer = create();
    writer.layer(0, 0, &scene.layers[0][0]).unwrap();
    assert!(writer.layer(0, 0, &scene.layers[0][0]).unwrap_err().to_string().contains("twice"));
    assert!(writer.layer(0, 3, &scene.layers[0][0]).is_err());
    let small = Layer { mask: Image::new(2, 2, 0), ..(*scene.layers[0][1]).clone() };
    assert!(writer.layer(0, 1, &small).is_err());
    assert!(writer.finish().unwrap_err().to_string().contains("never handed over"));
    drop(create());
    assert!(!half.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn folders_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let scene = scene();
    let missing = folder.path().join("no/such/shot.rna");
    assert!(store::write(&missing, &scene).unwrap_err().to_string().contains("cannot create a file in"));
    let mut locked = std::fs::metadata(folder.path()).unwrap().permissions();
    locked.set_readonly(true);
    std::fs::set_permissions(folder.path(), locked).unwrap();
    // Root writes anywhere; then there is nothing to see here.
    if std::fs::write(folder.path().join("probe"), "").is_err() {
        let path = folder.path().join("shot.rna");
        assert!(store::write(&path, &scene).unwrap_err().to_string().contains("cannot create a file in"));
    }
    #[cfg(unix)]
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn one_opened_file_for_all_until_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut scene, path) = written(folder.path());
    let (a, b) = (store::shared(&path).unwrap(), store::shared(&path).unwrap());
    assert!(Arc::ptr_eq(&a, &b));
    std::fs::remove_file(&path).unwrap();
    scene.header.made_by = "another program, with a longer name".into();
    store::write(&path, &scene).unwrap();
    let c = store::shared(&path).unwrap();
    assert_eq!(c.header().made_by, scene.header.made_by);
    // Whoever holds the old one keeps it.
    a.layer(0, 1).unwrap();
}

#[cfg(unix)]
#[test]
fn a_finished_file_follows_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = written(folder.path());
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
}

struct Footage {
    info: ClipInfo,
    offset: f32,
}

impl Clip for Footage {
    fn info(&self) -> &ClipInfo {
        &self.info
    }
    fn frame(&self, index: usize) -> rna::Result<Image<Rgba>> {
        let (w, h) = self.info.size;
        Ok(Image::from_fn(w, h, |x, y| [x as f32, y as f32, index as f32 + self.offset, 1.0]))
    }
}

fn clip(size: (usize, usize), frames: usize, offset: f32) -> Footage {
    let info = ClipInfo {
        path: "clip".into(),
        size,
        frames,
        depth: Depth::U8,
        channels: Channels::Rgb,
        encoding: Encoding::Display,
    };
    Footage { info, offset }
}

#[test]
fn a_clip_is_known_by_its_fingerprint() {
    let own = clip((160, 100), 40, 0.0);
    let header = Header { fingerprint: store::fingerprint(&own).unwrap(), frames: 40, ..scene().header };
    store::check_clip(&header, &own).unwrap();
    let fails = |c| store::check_clip(&header, &c).unwrap_err().to_string();
    assert!(fails(clip((100, 160), 40, 0.0)).contains("160×100"));
    assert!(fails(clip((160, 100), 41, 0.0)).contains("40 frames, this has 41"));
    assert!(fails(clip((160, 100), 40, 0.5)).contains("pictures differ"));
}
