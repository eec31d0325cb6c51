//! Bad clips and regions, as `rna analyze` meets them.

use crate::{expect_failure, fails};
use rna::frame::io::write_picture;
use rna::frame::{Channels, Depth, Image};
use std::fs;
use std::path::Path;

const REGION: &str = r#"{"reference_frame": 0, "polygons": [[[10, 10], [50, 10], [50, 40], [10, 40]]]}"#;

/// A folder with `clip/` of textured 96×64 frames and `roi.json`.
fn folder(frames: usize, level: impl Fn(usize, usize, usize) -> f32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("clip")).unwrap();
    for t in 0..frames {
        frame(&folder.path().join(format!("clip/{t:05}.png")), (96, 64), |x, y| level(t, x, y));
    }
    fs::write(folder.path().join("roi.json"), REGION).unwrap();
    folder
}

fn frame(file: &Path, (w, h): (usize, usize), level: impl Fn(usize, usize) -> f32) {
    let pixels = Image::from_fn(w, h, |x, y| {
        let v = level(x, y);
        [v, v * 0.9, v * 0.8, 1.0]
    });
    write_picture(file, &pixels, Depth::F32, Channels::Rgb).unwrap();
}

fn textured(_: usize, x: usize, y: usize) -> f32 {
    0.5 + 0.3 * ((x * x + 3 * y) as f32 * 0.37).sin()
}

fn analyze(at: &Path, words: &[&str]) {
    fails(at, &["analyze", "clip", "--roi", "roi.json"], words);
    assert!(!at.join("clip.rna").exists(), "a failed analysis left a file");
    assert!(!at.join("clip.rna.work").exists(), "a failed analysis left a folder with nothing to go on from");
}

#[test]
fn clips_that_are_not_there() {
    let folder = folder(3, textured);
    let at = folder.path();
    fails(at, &["analyze", "none", "--roi", "roi.json"], &["none"]);
    fails(at, &["analyze", "none/%05d.png", "--roi", "roi.json"], &["none"]);
    fs::create_dir(at.join("empty")).unwrap();
    fails(at, &["analyze", "empty", "--roi", "roi.json"], &["empty"]);
    fs::write(at.join("notes.txt"), "no clip").unwrap();
    fails(at, &["analyze", "notes.txt", "--roi", "roi.json"], &["notes.txt"]);
}

/// Without the programs that read videos, what cannot be read is named all the same.
#[test]
#[cfg(not(target_os = "macos"))] // There they are looked for in folders beside the path, too.
fn a_video_without_ffmpeg_is_named() {
    let folder = folder(3, textured);
    fs::write(folder.path().join("take.mov"), "no clip").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rna"));
    command
        .args(["analyze", "take.mov", "--roi", "roi.json"])
        .current_dir(folder.path())
        .env("PATH", folder.path());
    let output = command.output().unwrap();
    expect_failure(&output, "a machine without ffmpeg", &["take.mov", "ffprobe", "not installed"]);
}

#[test]
fn frames_that_cannot_be_used() {
    let cut = folder(4, textured);
    let file = cut.path().join("clip/00002.png");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    analyze(cut.path(), &["00002.png"]);

    let other = folder(4, textured);
    frame(&other.path().join("clip/00003.png"), (80, 64), |x, y| textured(0, x, y));
    analyze(other.path(), &["80", "96"]);

    let gap = folder(5, textured);
    fs::remove_file(gap.path().join("clip/00002.png")).unwrap();
    fails(gap.path(), &["analyze", "clip/%05d.png", "--roi", "roi.json"], &["00002"]);

    for (bad, word) in [(f32::NAN, "not a number"), (f32::INFINITY, "infinite")] {
        let folder = folder(0, textured);
        for t in 0..3 {
            let level = |x: usize, y: usize| if (t, x, y) == (1, 30, 20) { bad } else { textured(t, x, y) };
            frame(&folder.path().join(format!("clip/{t:05}.exr")), (96, 64), level);
        }
        analyze(folder.path(), &["frame 1", "00001.exr", "(30, 20)", word]);
    }
}

#[test]
fn clips_with_nothing_to_fit() {
    analyze(folder(1, textured).path(), &["single frame"]);
    analyze(folder(4, |_, _, _| 0.0).path(), &["every frame is black", "nothing to follow"]);
}

#[test]
fn regions_that_do_not_fit_the_clip() {
    for (region, words) in [
        (r#"{"reference_frame": 9, "polygons": [[[10,10],[50,10],[50,40]]]}"#, &["frames 0 to 3"][..]),
        (r#"{"reference_frame": 0, "polygons": []}"#, &["no polygon"]),
        (r#"{"reference_frame": 0, "polygons": [[[10,10],[50,10]]]}"#, &["three or more"]),
        (r#"{"reference_frame": 0, "polygons": [[[200,10],[250,10],[250,60]]]}"#, &["covers 0 pixels"]),
        (r#"{"reference_frame": 0, "polygons": [[[10,10],[50,40],[50,10],[10,40]]]}"#, &["cross"]),
    ] {
        let folder = folder(4, textured);
        fs::write(folder.path().join("roi.json"), region).unwrap();
        analyze(folder.path(), words);
    }
}

#[test]
fn outputs_that_cannot_be_written() {
    let folder = folder(4, textured);
    let at = folder.path();
    fs::write(at.join("file"), "").unwrap();
    fails(at, &["analyze", "clip", "--roi", "roi.json", "-o", "file/shot.rna"], &["file"]);
    // Root may write anywhere, so the read-only folder is tried only where it really is one.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::create_dir(at.join("locked")).unwrap();
        fs::set_permissions(at.join("locked"), fs::Permissions::from_mode(0o555)).unwrap();
        if fs::write(at.join("locked/probe"), "").is_err() {
            fails(at, &["analyze", "clip", "--roi", "roi.json", "-o", "locked/shot.rna"], &["locked"]);
        } else {
            eprintln!("skipped: this user may write into a read-only folder");
        }
    }
}

/// A limit on the size of files fails writes as a full disk does.
#[cfg(unix)]
#[test]
fn disks_that_are_full() {
    let folder = folder(4, textured);
    // Blocks of 512 bytes: the frames alone take more.
    let script = r#"trap "" XFSZ; ulimit -f 64; exec "$0" analyze clip --roi roi.json"#;
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_rna")]).current_dir(folder.path());
    expect_failure(&shell.output().unwrap(), "analyze onto a full disk", &["cannot write", "clip.rna"]);
    assert!(!folder.path().join("clip.rna").exists() && !folder.path().join("clip.rna.work").exists());
}
