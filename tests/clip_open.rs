//! Opening clips: what is accepted, in which order, and what each refusal says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail and speak"
)]

use rna::clip::{self, FrameWriter};
use rna::frame::io::write_picture;
use rna::frame::{Channels, Depth, Encoding, Image, Rgba};
use std::path::Path;

fn flat(size: (usize, usize), value: f32) -> Image<Rgba> {
    Image::new(size.0, size.1, [value, 0.25, 0.5, 1.0])
}

fn put(dir: &Path, name: &str, size: (usize, usize), value: f32) {
    write_picture(&dir.join(name), &flat(size, value), Depth::F32, Channels::Rgb).unwrap();
}

fn refusal(path: &Path) -> String {
    let message = clip::open(path).err().expect("must be refused").to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn a_folder_in_natural_order_with_junk_in_it() {
    let dir = tempfile::tempdir().unwrap();
    for (i, name) in ["f1.exr", "f2.exr", "f10.EXR"].iter().enumerate() {
        put(dir.path(), name, (8, 6), i as f32);
    }
    for junk in ["roi.json", ".DS_Store", "._f1.exr", "notes.txt"] {
        std::fs::write(dir.path().join(junk), b"junk").unwrap();
    }
    std::fs::create_dir(dir.path().join("old.exr")).unwrap();
    let clip = clip::open(dir.path()).unwrap();
    let info = clip.info();
    assert_eq!((info.size, info.frames, info.depth, info.channels), ((8, 6), 3, Depth::F32, Channels::Rgb));
    assert_eq!(info.encoding, Encoding::Linear);
    for i in [2, 0, 1] {
        assert_eq!(clip.frame(i).unwrap(), flat((8, 6), i as f32));
    }
    assert!(clip.frame(3).unwrap_err().to_string().contains("only 3 frames"));
}

#[test]
fn patterns_and_single_pictures() {
    let dir = tempfile::tempdir().unwrap();
    for n in 8..=11 {
        put(dir.path(), &format!("shot.{n:04}.tif"), (8, 6), n as f32);
        put(dir.path(), &format!("other.{n}.tif"), (4, 4), 0.0);
    }
    for typed in ["shot.%04d.tif", "shot.####.tif"] {
        let clip = clip::open(&dir.path().join(typed)).unwrap();
        assert_eq!((clip.info().frames, clip.info().encoding), (4, Encoding::Display));
        assert_eq!(clip.frame(2).unwrap(), flat((8, 6), 10.0));
    }
    assert_eq!(clip::open(&dir.path().join("other.%d.tif")).unwrap().info().frames, 4);
    let single = clip::open(&dir.path().join("shot.0009.tif")).unwrap();
    assert_eq!(single.info().frames, 1);
    assert_eq!(single.frame(0).unwrap(), flat((8, 6), 9.0));

    std::fs::remove_file(dir.path().join("shot.0010.tif")).unwrap();
    let message = refusal(&dir.path().join("shot.%04d.tif"));
    assert!(message.contains("frame 10 is missing") && message.contains("shot.0010.tif"), "{message}");
    assert!(refusal(&dir.path().join("none.%04d.tif")).contains("no file matches"));
    assert!(refusal(&dir.path().join("shot.%04d.dpx")).contains("PNG, JPEG, TIFF or EXR"));
}

#[test]
fn refusals_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    assert!(refusal(dir.path()).contains("holds no PNG"));
    assert!(refusal(&dir.path().join("nowhere")).contains("no such file or folder"));
    put(dir.path(), "a.exr", (8, 6), 1.0);
    write_picture(&dir.path().join("b.png"), &flat((8, 6), 0.5), Depth::U8, Channels::Rgb).unwrap();
    let message = refusal(dir.path());
    assert!(message.contains("EXR (a.exr)") && message.contains("PNG (b.png)"), "{message}");
}

#[test]
fn frames_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "f0.exr", (8, 6), 0.0);
    put(dir.path(), "f1.exr", (9, 6), 0.0);
    std::fs::write(dir.path().join("f2.exr"), b"rubbish").unwrap();
    for (name, value) in [("f3.exr", f32::NAN), ("f4.exr", f32::INFINITY)] {
        let mut image = flat((8, 6), 0.5);
        image[(5, 2)][1] = value;
        write_picture(&dir.path().join(name), &image, Depth::F16, Channels::Rgb).unwrap();
    }
    let clip = clip::open(dir.path()).unwrap();
    let message = |i: usize| clip.frame(i).unwrap_err().to_string();
    assert!(message(1).contains("frame 1") && message(1).contains("9×6 pixels, but the first frame is 8×6"));
    assert!(message(2).contains("frame 2") && message(2).contains("f2.exr"), "{}", message(2));
    assert!(
        message(3).contains("frame 3") && message(3).contains("pixel (5, 2) is not a number"),
        "{}",
        message(3)
    );
    assert!(message(4).contains("pixel (5, 2) is infinite"), "{}", message(4));
    std::fs::remove_file(dir.path().join("f1.exr")).unwrap();
    assert!(message(1).contains("cannot read"), "{}", message(1));
    std::fs::write(dir.path().join("f0.exr"), b"rubbish").unwrap();
    assert!(refusal(dir.path()).contains("frame 0"));
}

#[test]
fn written_frames_open_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/here/%05d.exr");
    let mut writer = FrameWriter::create(&path, (8, 6), Depth::F16, Channels::Rgba, 25.0).unwrap();
    for i in 0..3 {
        writer.write(&flat((8, 6), i as f32)).unwrap();
    }
    assert!(writer.write(&flat((4, 4), 0.0)).unwrap_err().to_string().contains("8×6 was announced"));
    writer.finish().unwrap();
    assert!(dir.path().join("made/here/00000.exr").exists());
    let clip = clip::open(&path).unwrap();
    assert_eq!(
        (clip.info().frames, clip.info().depth, clip.info().channels),
        (3, Depth::F16, Channels::Rgba)
    );
    assert_eq!(clip.frame(2).unwrap(), flat((8, 6), 2.0));
    for wrong in ["out.png", "out", "out.gif", "%05d.mp3"] {
        let refused = FrameWriter::create(&dir.path().join(wrong), (8, 6), Depth::U8, Channels::Rgb, 25.0);
        assert!(refused.err().expect(wrong).to_string().contains("out/%05d.png"));
    }
}
