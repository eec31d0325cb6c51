//! The neural presets on a generated clip: a file like any other, and work that is not lost.

use crate::{rna, works};
use serde_json::Value;
use std::path::Path;

/// A folder with a small generated clip.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    works(folder.path(), &["sample", "clip", "--size", "128x72", "--frames", "4"]);
    folder
}

fn analyze(preset: &'static str) -> Vec<&'static str> {
    let job =
        ["analyze", "clip/frames", "--roi", "clip/roi.json", "-o", "shot.rna", "--json", "--device", "cpu"];
    [&job[..], &["--preset", preset]].concat()
}

#[test]
fn a_neural_fit_ends_in_a_file_like_any_other() {
    let folder = sample();
    let at = folder.path();
    let said = works(at, &analyze("neural"));
    assert!(said.contains("device: CPU") && said.contains("estimate 100/"), "{said}");
    assert!(!at.join("shot.rna.work").exists());
    let direct = sample();
    works(direct.path(), &analyze("standard"));
    // A picture overfitted to the reference frame explained that with 43 dB, another with 21, 4 less than the direct
    // solver does.
    let (fitted, solved) = (quality(at), quality(direct.path()));
    assert!(fitted.iter().zip(&solved).all(|(f, s)| *f > s - 1.0), "{fitted:?} against {solved:?}");
    works(at, &["atlas", "shot.rna", "-o", "atlas.png"]);
    works(
        at,
        &["render", "clip/frames", "--atlas", "shot.rna", "--edited", "atlas.png", "-o", "out/%05d.png"],
    );
    for t in 0..4 {
        let name = format!("{t:05}.png");
        let (before, after) = (at.join("clip/frames").join(&name), at.join("out").join(&name));
        assert!(picture(&before) == picture(&after), "an unedited atlas changed frame {t}");
    }
}

/// PSNR of every frame, dB.
fn quality(at: &Path) -> Vec<f64> {
    let info: Value = serde_json::from_str(&works(at, &["info", "shot.rna", "--json"])).unwrap();
    info["quality"][0].as_array().unwrap().iter().map(|q| q["psnr"].as_f64().unwrap()).collect()
}

fn picture(path: &Path) -> Vec<[u32; 4]> {
    let read = ::rna::frame::io::read_picture(path).unwrap().pixels;
    read.pixels().iter().map(|p| p.map(f32::to_bits)).collect()
}

/// The paper's schedule takes hours on a processor; it starts, and a run that is stopped goes on from the measured flow.
#[cfg(unix)]
#[test]
fn a_paper_fit_starts_and_resumes() {
    let folder = sample();
    let first = stages_until_steps(folder.path(), 2);
    assert_eq!(first, ["frames", "flow", "fit"]);
    let kept = |name: &str| folder.path().join("shot.rna.work").join(name).exists();
    assert!(kept("flow") && kept("points-0"));
    let written =
        || std::fs::metadata(folder.path().join("shot.rna.work/points-0")).unwrap().modified().unwrap();
    let before = written();
    assert_eq!(stages_until_steps(folder.path(), 1), ["frames", "flow", "fit"]);
    assert_eq!(before, written(), "flow was measured again");
}

/// Runs the paper's preset until its fit has made some steps, then asks it to stop; the stages it announced.
#[cfg(unix)]
fn stages_until_steps(at: &Path, steps: u64) -> Vec<String> {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_rna"));
    command.args(analyze("paper")).current_dir(at).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut run = command.spawn().unwrap();
    let mut stages = Vec::new();
    for line in BufReader::new(run.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if event["event"] == "stage" {
            stages.push(event["name"].as_str().unwrap().to_string());
        }
        let fitting = stages.last().is_some_and(|s| s == "fit");
        if fitting && event["event"] == "step" && event["done"].as_u64() >= Some(steps) {
            let stop = format!("kill -INT {}", run.id());
            Command::new("sh").args(["-c", &stop]).status().unwrap();
        }
    }
    assert_eq!(run.wait().unwrap().code(), Some(130), "it should say that it was cancelled");
    stages
}

#[test]
fn a_device_that_is_not_there_is_said_before_any_work() {
    if cfg!(feature = "gpu") {
        println!("skipped: this build may find a GPU");
        return;
    }
    let folder = sample();
    let job = ["analyze", "clip/frames", "--roi", "clip/roi.json", "--preset", "neural", "--device", "gpu"];
    let output = rna(folder.path(), &job);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("setting device") && !errors.contains("track"), "{errors}");
}
