//! The whole job on a generated clip, uninterrupted and interrupted.

use crate::{fails, rna, works};
use rna::frame::io::{read_picture, write_picture};
use rna::frame::{Channels, Depth, Image, Rgba};
use serde_json::Value;
use std::fs;
use std::path::Path;

const FRAMES: usize = 6;
const ANALYZE: &[&str] =
    &["analyze", "clip/frames", "--roi", "clip/roi.json", "-o", "shot.rna", "--preset", "draft", "--json"];

/// A folder with a small generated clip.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    works(folder.path(), &["sample", "clip", "--size", "160x90", "--frames", &FRAMES.to_string()]);
    folder
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn read(path: &Path) -> Image<Rgba> {
    read_picture(path).unwrap().pixels
}

/// Renders an edit into a folder; says for every frame how many pixels changed, and how many of those did so far
/// from where `marked` says the edit lies.
fn changes(at: &Path, edit: &[&str], out: &str, marked: impl Fn([usize; 2]) -> bool) -> Vec<[usize; 2]> {
    let pattern = format!("{out}/%05d.png");
    works(at, &[&["render", "clip/frames", "--atlas", "shot.rna", "-o", &pattern], edit].concat());
    let frame = |t: usize| {
        let name = format!("{t:05}.png");
        let (before, after) = (read(&at.join("clip/frames").join(&name)), read(&at.join(out).join(&name)));
        let mut count = [0, 0];
        for y in 0..before.height() {
            for x in 0..before.width() {
                if before[(x, y)] != after[(x, y)] {
                    count[0] += 1;
                    count[1] += usize::from(!marked([x, y]));
                }
            }
        }
        count
    };
    (0..FRAMES).map(frame).collect()
}

#[test]
fn edits_show_and_nothing_else_changes() {
    let folder = sample();
    let at = folder.path();
    works(at, ANALYZE);
    assert!(!at.join("shot.rna.work").exists(), "the work folder stays behind");
    works(at, &["atlas", "shot.rna", "-o", "atlas.png"]);
    let atlas = read(&at.join("atlas.png"));
    let note: Value = serde_json::from_slice(&fs::read(at.join("atlas.json")).unwrap()).unwrap();

    let everywhere = |_: [usize; 2]| true;
    let untouched = changes(at, &["--edited", "atlas.png"], "untouched", everywhere);
    assert_eq!(untouched, [[0, 0]; FRAMES], "an atlas that was not edited changed the clip");

    // Nor does one that a paint program saved with 8 bits.
    write_picture(&at.join("shallow.png"), &atlas, Depth::U8, Channels::Rgba).unwrap();
    let untouched = changes(at, &["--edited", "shallow.png"], "shallow", everywhere);
    assert_eq!(untouched, [[0, 0]; FRAMES], "an atlas saved with fewer bits changed the clip");

    // A square of 16 reference pixels a side in the middle of the surface; the camera moves by less than 24 more.
    let scale = note["scale"].as_f64().unwrap();
    let (w, h) = atlas.size();
    let side = (8.0 * scale) as usize;
    let inside = |x: usize, y: usize| x.abs_diff(w / 2) < side && y.abs_diff(h / 2) < side;
    let origin = |i: usize| note["origin"][i].as_f64().unwrap();
    let centre = [origin(0) + w as f64 / 2.0 / scale, origin(1) + h as f64 / 2.0 / scale];
    let near = |p: [usize; 2]| (0..2).all(|i| (p[i] as f64 - centre[i]).abs() < 32.0);
    let green = [0.0, 0.9, 0.1, 1.0];
    let copy = Image::from_fn(w, h, |x, y| if inside(x, y) { green } else { atlas[(x, y)] });
    write_picture(&at.join("copy.png"), &copy, Depth::U16, Channels::Rgba).unwrap();
    let painting = Image::from_fn(w, h, |x, y| if inside(x, y) { green } else { [0.0; 4] });
    write_picture(&at.join("painting.png"), &painting, Depth::U8, Channels::Rgba).unwrap();
    for edit in ["copy", "painting"] {
        let counts = changes(at, &["--edited", &format!("{edit}.png")], edit, near);
        // What passes in front may hide the square in some frames, not in most.
        let shown = counts.iter().filter(|c| c[0] > 100).count();
        assert!(shown > FRAMES / 2 && counts.iter().all(|c| c[1] == 0), "{edit}: {counts:?}");
    }
}

#[test]
fn a_job_file_asks_for_the_same() {
    let folder = sample();
    let at = folder.path();
    works(at, ANALYZE);
    let roi: Value = serde_json::from_slice(&fs::read(at.join("clip/roi.json")).unwrap()).unwrap();
    let mut job = serde_json::json!({
        "clip": "clip/frames", "roi": roi, "output": "job.rna", "settings": { "preset": "draft" }, "first_frame": 1001,
    });
    let write = |job: &Value| fs::write(at.join("job.json"), job.to_string()).unwrap();
    write(&job);
    works(at, &["analyze", "--job", "job.json"]);
    let info = |name: &str| -> Value { serde_json::from_str(&works(at, &["info", name, "--json"])).unwrap() };
    let (mut typed, asked) = (info("shot.rna"), info("job.rna"));
    assert_eq!((&typed["first_frame"], &asked["first_frame"]), (&0.into(), &1001.into()));
    typed["first_frame"] = 1001.into();
    assert_eq!(typed, asked);
    assert!(works(at, &["info", "job.rna"]).contains("the first numbered 1001"));

    let refused = |words: &[&str]| fails(at, &["analyze", "--job", "job.json"], words);
    refused(&["job.rna", "there already"]);
    job["settings"] = serde_json::json!({ "quality": "best" });
    write(&job);
    refused(&["quality", "preset, size"]);
    fs::write(at.join("job.json"), "{\"clip\": 1}").unwrap();
    refused(&["job.json", "as a job", "polygons"]);
    fails(at, &["analyze", "--job", "none.json"], &["cannot read none.json"]);
}

#[test]
fn an_analysis_is_corrected_by_command_and_by_job() {
    let folder = sample();
    let at = folder.path();
    works(at, ANALYZE);
    let shape = serde_json::json!([[70, 40], [90, 40], [90, 60], [70, 60]]);
    let wish = serde_json::json!({ "rotos": [{ "frames": [1, 2], "hidden": [shape] }] });
    fs::write(at.join("fixes.json"), wish.to_string()).unwrap();
    let correct = ["correct", "shot.rna", "clip/frames", "--corrections", "fixes.json", "-o", "mended.rna"];
    assert!(works(at, &correct).starts_with("wrote mended.rna in"));
    assert!(works(at, &["info", "mended.rna"]).contains("corrected drawn on frames 1 to 2"));
    fails(at, &correct, &["mended.rna", "there already"]);

    // A job that mends makes the analysis where it is not there yet.
    let roi: Value = serde_json::from_slice(&fs::read(at.join("clip/roi.json")).unwrap()).unwrap();
    let job = serde_json::json!({
        "clip": "clip/frames", "roi": roi, "output": "job.rna", "settings": { "preset": "draft" },
        "mend": { "analysis": "base.rna", "corrections": wish },
    });
    fs::write(at.join("job.json"), job.to_string()).unwrap();
    works(at, &["analyze", "--job", "job.json"]);
    assert!(fs::read(at.join("base.rna")).unwrap() == fs::read(at.join("shot.rna")).unwrap());
    assert!(fs::read(at.join("job.rna")).unwrap() == fs::read(at.join("mended.rna")).unwrap());

    let refused = |text: &str, words: &[&str]| {
        fs::write(at.join("bad.json"), text).unwrap();
        let given = ["correct", "shot.rna", "clip/frames", "--corrections", "bad.json", "-o", "no.rna"];
        fails(at, &given, words);
    };
    refused("{\"key\": []}", &["bad.json", "is not a file of corrections", "keys"]);
    refused("{\"keys\": [{\"frame\": 99, \"corners\": []}]}", &["key 1", "no frame 99"]);
    refused("{\"rotos\": [{\"frames\": [0, 1], \"painted\": \"none.png\"}]}", &["none.png"]);
    assert!(!at.join("no.rna").exists());
}

/// Starts an analysis and calls `at_stage` with its number, and the process's, as soon as a stage begins, from 1.
#[cfg(unix)]
fn analyze_watched(at: &Path, mut at_stage: impl FnMut(usize, u32)) -> std::process::Output {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_rna"));
    command.args(ANALYZE).current_dir(at).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = command.spawn().unwrap();
    let mut stages = 0;
    for line in BufReader::new(run.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if event["event"] == "stage" {
            stages += 1;
            at_stage(stages, run.id());
        }
    }
    run.wait_with_output().unwrap()
}

#[cfg(unix)]
fn signal(process: u32, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

#[cfg(unix)]
#[test]
fn killed_work_leaves_no_litter() {
    let folder = sample();
    let at = folder.path();
    let names = || -> Vec<_> {
        let mut names: Vec<_> = fs::read_dir(at).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let output = analyze_watched(at, |stage, process| match stage {
        // While one works, another keeps away.
        2 => fails(at, ANALYZE.split_last().unwrap().1, &["shot.rna", "another analysis is writing it"]),
        3 => signal(process, "-KILL"),
        _ => (),
    });
    assert_eq!(output.status.code(), None, "it was killed");
    assert_eq!(names(), ["clip", "shot.rna.work"]);
    fs::write(at.join("shot.rna.work/.rna-half.part"), "half").unwrap();
    works(at, ANALYZE);
    assert_eq!(names(), ["clip", "shot.rna"]);
}

#[cfg(unix)]
#[test]
fn interrupted_work_goes_on() {
    let folder = sample();
    let at = folder.path();
    // Ctrl-C as soon as the second stage begins.
    let output = analyze_watched(at, |stage, process| {
        if stage == 2 {
            signal(process, "-INT");
        }
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), errors.trim()), (Some(130), "rna: cancelled"));
    assert!(!at.join("shot.rna").exists(), "half a file was left");
    assert!(at.join("shot.rna.work").is_dir(), "the finished stage is gone");

    let second = rna(at, ANALYZE);
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    let events = events(&String::from_utf8(second.stdout).unwrap());
    // The first stage is announced but takes no step: its frames were there.
    let kinds: Vec<_> = events.iter().take(2).map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["stage", "stage"]);
    assert!(at.join("shot.rna").exists() && !at.join("shot.rna.work").exists());
    // Interrupted or not, the same comes out.
    let resumed = fs::read(at.join("shot.rna")).unwrap();
    fs::remove_file(at.join("shot.rna")).unwrap();
    works(at, ANALYZE);
    assert!(resumed == fs::read(at.join("shot.rna")).unwrap(), "the resumed analysis differs");
}
