//! Clips whose perfect answer is known.

use super::{Bench, Scored, folders, mebibytes, times};
use crate::measure::{Folder, text};
use crate::system::{self, install_command, run, works};
use crate::table::{markdown, number};
use crate::{Failure, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Measures of `score.py` that make the table, with their digits.
const MEASURES: &[(&str, usize)] = &[
    ("edit_psnr", 2),
    ("edge_psnr", 2),
    ("worst_psnr", 2),
    ("flicker", 2),
    ("outside_max", 0),
    ("uv_mean", 3),
    ("uv_p95", 3),
    ("uv_hidden", 3),
    ("matte_mad", 1),
];

/// A Python that can run `score.py`: the system's, or one of our own with what is needed.
pub(super) fn python() -> Result<String> {
    let probe = ["-c", "import cv2, numpy"];
    let own = system::target()?.join("score-venv");
    let own_python = text(&own.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" }));
    for candidate in ["python3", own_python.as_str()] {
        if works(candidate, &probe) {
            return Ok(candidate.to_string());
        }
    }
    if !works("python3", &["--version"]) {
        return Err(Failure(format!("python3 is needed to score; {}", install_command("python3"))));
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&own)).map_err(|Failure(why)| {
        Failure(format!("{why}; to make virtual environments: {}", install_command("python3-venv")))
    })?;
    let packages = ["-m", "pip", "install", "--quiet", "numpy", "opencv-python-headless"];
    run(Command::new(&own_python).args(packages))?;
    Ok(own_python)
}

/// Scores every clip that is wanted.
pub(super) fn score(bench: &Bench, python: &str) -> Result<Vec<Scored>> {
    let clips = folders(&bench.shared.join("truth"))?;
    let wanted =
        clips.iter().filter(|(name, clip)| bench.options.wants(name) && clip.join("truth.npz").exists());
    wanted.map(|(name, clip)| one(bench, python, name, clip)).collect()
}

fn one(bench: &Bench, python: &str, name: &str, clip: &Path) -> Result<Scored> {
    let work = Folder::fresh(bench.work.join("truth").join(name))?;
    let entry = |inner: &str| text(&clip.join(inner));
    let (frames, roi, paint) = (entry("frames"), entry("roi.json"), entry("edit/picture.png"));
    let [shot, edited, maps, mattes] = ["shot.rna", "edited", "maps", "mattes"].map(|n| work.entry(n));
    let pattern = format!("{edited}/%05d.png");

    let product = &bench.product;
    let preset = bench.options.preset.as_str();
    let analyze = product.run(&["analyze", &frames, "--roi", &roi, "--preset", preset, "-o", &shot])?;
    let render = product.run(&["render", &frames, "--atlas", &shot, "--paint", &paint, "-o", &pattern])?;
    product.run(&["export", &shot, "--maps", &maps, "--format", "npy", "--mattes", &mattes])?;

    let mut command = Command::new(python);
    command.arg(bench.shared.join("truth/score.py")).arg(clip).args(["--edited", &edited]);
    command.args(["--stmap", &maps, "--stmap-kind", "position", "--matte", &mattes, "--json"]);
    let measured = ask(&mut command)?;

    let mut cells = vec![name.to_string()];
    cells.extend(MEASURES.iter().map(|(measure, digits)| number(measured[measure].as_f64(), *digits)));
    cells.push(number(Some(analyze.seconds), 1));
    cells.push(number(mebibytes(&analyze), 0));
    cells.push(number(Some(render.seconds), 1));
    let raw = json!({
        "clip": format!("truth/{name}"), "preset": preset, "measures": measured,
        "analyze": times(&analyze), "render_seconds": render.seconds,
    });
    Ok(Scored { cells, raw })
}

/// Runs a command that prints one JSON object.
fn ask(command: &mut Command) -> Result<Value> {
    let shown = system::shown(command);
    println!("$ {shown}");
    let output = command.output().map_err(Failure::at(format!("run `{shown}`")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_string();
        return Err(Failure(format!("`{shown}` failed: {words}")));
    }
    serde_json::from_slice(&output.stdout).map_err(Failure::at(format!("understand what `{shown}` printed")))
}

/// The table of these clips.
pub(super) fn table(scored: &[Scored]) -> String {
    let mut heads = vec!["truth"];
    heads.extend(MEASURES.iter().map(|m| m.0));
    heads.extend(["analyze s", "peak MB", "render s"]);
    let rows: Vec<_> = scored.iter().map(|s| s.cells.clone()).collect();
    markdown(&heads, &rows)
}
