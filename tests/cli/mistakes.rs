//! Wrong usage and wrong files that are found before any frame is decoded.

use crate::{fails, rna};
use std::fs;

const REGION: &str = r#"{"reference_frame": 0, "polygons": [[[10, 10], [50, 10], [50, 40], [10, 40]]]}"#;

#[test]
fn wrong_usage_is_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &[] as &[&str],
        &["paint"],
        &["analyze"],
        &["analyze", "clip"],
        &["analyze", "clip", "--roi", "r.json", "--preset", "best"],
        &["analyze", "clip", "--roi", "r.json", "--size", "9999"],
        &["analyze", "clip", "--job", "j.json"],
        &["analyze", "--job", "j.json", "--preset", "draft"],
        &["render", "clip", "--atlas", "a.rna", "-o", "o.mp4"],
        &["render", "clip", "--atlas", "a.rna", "-o", "o.mp4", "--edited", "a.png", "--paint", "b.png"],
        &["render", "clip", "--atlas", "a.rna", "-o", "o.mp4", "--paint", "b.png", "--opacity", "2"],
        &["export", "a.rna"],
        &["sample", "dir", "--size", "12"],
    ] {
        let output = rna(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "rna {arguments:?}");
        assert!(output.stdout.is_empty(), "rna {arguments:?}");
    }
}

#[test]
fn help_and_version_are_0() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["--help"] as &[&str], &["--version"], &["analyze", "--help"], &["render", "-h"]] {
        assert_eq!(rna(folder.path(), arguments).status.code(), Some(0), "rna {arguments:?}");
    }
    let help = rna(folder.path(), &["analyze", "--help"]).stdout;
    let help = String::from_utf8_lossy(&help);
    for p in rna::param::TABLE.iter().filter(|p| p.group == rna::param::Group::Analyze) {
        assert!(help.contains(&format!("--{}", p.id)), "{} is missing in the help", p.id);
    }
}

#[test]
fn region_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fails(at, &["analyze", "clip", "--roi", "none.json"], &["cannot read none.json"]);
    for (name, text) in [("empty.json", ""), ("list.json", "[1, 2]"), ("cut.json", &REGION[..40])] {
        fs::write(at.join(name), text).unwrap();
        fails(at, &["analyze", "clip", "--roi", name], &[name, "not a region file", "polygons"]);
    }
    fs::create_dir(at.join("folder.json")).unwrap();
    fails(at, &["analyze", "clip", "--roi", "folder.json"], &["cannot read folder.json"]);
}

#[test]
fn outputs_are_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("roi.json"), REGION).unwrap();
    fs::write(at.join("shot.rna"), "keep me").unwrap();
    fs::write(at.join("atlas.png"), "keep me").unwrap();
    fails(at, &["analyze", "shot", "--roi", "roi.json"], &["shot.rna", "there already", "-o"]);
    fails(at, &["analyze", "clip", "--roi", "roi.json", "-o", "shot.rna"], &["there already"]);
    fails(at, &["atlas", "shot.rna", "-o", "atlas.png"], &["atlas.png", "there already", "--force"]);
    for name in ["shot.rna", "atlas.png"] {
        assert_eq!(fs::read_to_string(at.join(name)).unwrap(), "keep me");
    }
}

#[test]
fn failures_are_objects_with_json() {
    let folder = tempfile::tempdir().unwrap();
    let output = rna(folder.path(), &["analyze", "clip", "--roi", "none.json", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "error");
    assert!(last["message"].as_str().unwrap().contains("none.json"));
}
