//! Videos through the `ffmpeg` program; skipped, with a line saying so, where it is not installed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail and speak"
)]

use rna::clip::{self, Clip, FrameWriter};
use rna::frame::{Channels, Depth, Image, Rgba};
use std::path::Path;
use std::process::Command;

fn missing() -> bool {
    let found = ["ffmpeg", "ffprobe"].iter().all(|p| Command::new(p).arg("-version").output().is_ok());
    if !found {
        println!("skipped: ffmpeg is not installed");
    }
    !found
}

/// A frame that says its number by its brightness and the place of a bar.
fn numbered((w, h): (usize, usize), i: usize) -> Image<Rgba> {
    let level = 0.15 + 0.01 * i as f32;
    Image::from_fn(
        w,
        h,
        |x, _| if x / 2 == i % (w / 2) { [0.9, 0.5, 0.1, 1.0] } else { [level, level, level, 1.0] },
    )
}

fn write(path: &Path, size: (usize, usize), frames: usize) {
    let mut writer = FrameWriter::create(path, size, Depth::U8, Channels::Rgb, 24.0).unwrap();
    for i in 0..frames {
        writer.write(&numbered(size, i)).unwrap();
        assert!(!path.exists(), "a video appears only when it is finished");
    }
    writer.finish().unwrap();
}

fn mean_difference(a: &Image<Rgba>, b: &Image<Rgba>) -> f32 {
    let d = a.zip(b, |a, b| (0..3).map(|c| (a[c] - b[c]).abs()).sum::<f32>() / 3.0);
    d.pixels().iter().sum::<f32>() * 255.0 / d.pixels().len() as f32
}

/// Every frame, asked for in the worst orders, is the one decoded in order.
fn check_any_order(clip: &dyn Clip, same: &dyn Clip) {
    let n = clip.info().frames;
    let in_order: Vec<_> = (0..n).map(|i| clip.frame(i).unwrap()).collect();
    for i in (0..n).rev() {
        assert_eq!(same.frame(i).unwrap(), in_order[i], "backwards, frame {i}");
    }
    for i in (0..n).map(|i| i * 37 % n) {
        assert_eq!(clip.frame(i).unwrap(), in_order[i], "jumping, frame {i}");
    }
}

#[test]
fn written_videos_come_back_in_any_order() {
    if missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.mp4", "b.mov", "c -d:e.mkv"] {
        let path = dir.path().join(name);
        write(&path, (64, 48), 70);
        let clip = clip::open(&path).unwrap();
        let info = clip.info();
        assert_eq!(
            (info.size, info.frames, info.depth, info.channels),
            ((64, 48), 70, Depth::U8, Channels::Rgb)
        );
        for i in [0, 1, 35, 69] {
            let far = mean_difference(&clip.frame(i).unwrap(), &numbered((64, 48), i));
            assert!(far < 3.0, "{name} frame {i}: {far} levels");
        }
        check_any_order(&*clip, &*clip::open(&path).unwrap());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "no temporary file stays");
}

/// Containers made by ffmpeg itself: other codecs, depths, alpha, odd starts.
#[test]
fn other_kinds_of_video() {
    if missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (name, options, depth, channels) in [
        ("a.avi", "-c:v mjpeg -pix_fmt yuvj420p", Depth::U8, Channels::Rgb),
        ("b.mkv", "-c:v ffv1 -pix_fmt yuv422p10le", Depth::U16, Channels::Rgb),
        ("c.mov", "-c:v qtrle -pix_fmt argb", Depth::U8, Channels::Rgba),
        ("d.mxf", "-c:v mpeg2video -r 25 -bf 2", Depth::U8, Channels::Rgb),
        ("e.mp4", "-c:v libx264 -bf 3 -g 10 -output_ts_offset 5", Depth::U8, Channels::Rgb),
    ] {
        let path = dir.path().join(name);
        let made = Command::new("ffmpeg")
            .args("-v error -f lavfi -i testsrc2=s=96x64:r=25 -frames:v 30".split(' '))
            .args(options.split(' '))
            .arg(&path)
            .output()
            .unwrap();
        if !made.status.success() {
            println!("skipped {name}: {}", String::from_utf8_lossy(&made.stderr));
            continue;
        }
        let clip = clip::open(&path).unwrap();
        let info = clip.info();
        assert_eq!(
            (info.size, info.frames, info.depth, info.channels),
            ((96, 64), 30, depth, channels),
            "{name}"
        );
        check_any_order(&*clip, &*clip::open(&path).unwrap());
    }
}

#[test]
fn odd_sizes_are_made_even() {
    if missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.mp4");
    write(&path, (63, 47), 3);
    assert_eq!(clip::open(&path).unwrap().info().size, (64, 48));
}

#[test]
fn broken_videos_and_abandoned_ones() {
    if missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let rubbish = dir.path().join("rubbish.mp4");
    std::fs::write(&rubbish, b"this is no video at all").unwrap();
    let message = clip::open(&rubbish).err().expect("rubbish").to_string();
    assert!(message.contains("not a video") && message.contains("rubbish.mp4"), "{message}");

    // Cut in the middle: what the index announces is not there.
    let path = dir.path().join("cut.mkv");
    write(&path, (64, 48), 40);
    let clip = clip::open(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let failed = (0..40).find_map(|i| clip.frame(i).err()).expect("a cut video must fail").to_string();
    assert!(failed.contains("cut.mkv") && !failed.contains('\n'), "{failed}");

    let path = dir.path().join("abandoned.mp4");
    let mut writer = FrameWriter::create(&path, (64, 48), Depth::U8, Channels::Rgb, 24.0).unwrap();
    writer.write(&numbered((64, 48), 0)).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "an abandoned video leaves nothing");
    let refused = FrameWriter::create(&path, (64, 48), Depth::U8, Channels::Rgb, f64::NAN);
    assert!(refused.err().expect("rate").to_string().contains("frames a second"));
}

/// Run again by itself with an empty PATH, so that the program cannot be found.
#[test]
fn a_missing_program_is_explained() {
    let file = std::env::temp_dir();
    if std::env::var_os("RNA_TEST_WITHOUT_PROGRAMS").is_some() {
        let path = Path::new("Cargo.toml");
        let message = clip::open(path).err().expect("no program").to_string();
        for word in ["ffprobe", "apt install ffmpeg", "brew install", "winget install"] {
            assert!(message.contains(word), "{message}");
        }
        return;
    }
    if cfg!(target_os = "macos") {
        println!("skipped: on macOS the program is found without PATH");
        return;
    }
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_missing_program_is_explained"])
        .env("RNA_TEST_WITHOUT_PROGRAMS", "1")
        .env("PATH", file)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}
