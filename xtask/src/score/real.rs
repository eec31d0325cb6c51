//! Real footage: how well light × atlas explains what is seen, and a sheet of frames to look at.

use super::{Bench, Scored, folders, mebibytes, times};
use crate::measure::{Folder, text};
use crate::table::{markdown, number};
use crate::{Failure, Result, picture};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Below this share of the surface a frame says little, and its PSNR is left out of the mean.
const LEAST_VISIBLE: f64 = 0.02;

/// Rows and columns of the sheet of frames.
const SHEET: (usize, usize) = (6, 4);
/// Pixels of a frame on it.
const CELL: (usize, usize) = (480, 270);

/// Scores every region of every clip that is wanted.
pub(super) fn score(bench: &Bench) -> Result<Vec<Scored>> {
    let mut scored = Vec::new();
    for (clip, folder) in folders(&bench.shared.join("clips"))? {
        for (roi, file) in regions(&folder)? {
            let name = if roi == "roi" { clip.clone() } else { format!("{clip} ({roi})") };
            if bench.options.wants(&name) {
                scored.push(one(bench, &name, &format!("{clip}-{roi}"), &folder, &file)?);
            }
        }
    }
    Ok(scored)
}

/// The region files of a clip: `roi.json` and its kin.
fn regions(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(folder).map_err(Failure::at(format!("read {}", folder.display())))?;
    let stem = |p: &Path| p.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let files = entries.filter_map(|e| e.ok().map(|e| e.path()));
    let regions = files.filter(|p| stem(p).starts_with("roi") && p.extension().is_some_and(|e| e == "json"));
    let mut found: Vec<_> = regions.map(|p| (stem(&p), p)).collect();
    found.sort();
    Ok(found)
}

fn one(bench: &Bench, name: &str, key: &str, clip: &Path, roi: &Path) -> Result<Scored> {
    let work = Folder::fresh(bench.work.join("clips").join(key))?;
    let (frames, roi, shot) = (text(&clip.join("frames")), text(roi), work.entry("shot.rna"));
    let preset = bench.options.preset.as_str();
    let analyze = bench.product.run(&["analyze", &frames, "--roi", &roi, "--preset", preset, "-o", &shot])?;
    let info = bench.product.run(&["info", &shot])?.result;
    let (at_reference, overall) = psnr(&info);
    strip(bench, &work, &frames, &shot)?;
    let doubtful = analyze.result["doubtful"].as_array().map(|d| d.len() as f64);
    let cells = vec![
        name.to_string(),
        number(at_reference, 2),
        number(overall, 2),
        number(info["frames"].as_f64(), 0),
        number(doubtful, 0),
        number(Some(analyze.seconds), 1),
        number(mebibytes(&analyze), 0),
    ];
    let raw = json!({
        "clip": format!("clips/{key}"), "preset": preset, "psnr_reference": at_reference, "psnr_all": overall,
        "quality": info["quality"], "analyze": times(&analyze),
    });
    Ok(Scored { cells, raw })
}

/// Renders the clip with a checkerboard on the surface and puts frames from all over it on one sheet, `strip.png`: the
/// footage is not ours to keep beside the project, so whoever reads the table makes the pictures, too.
fn strip(bench: &Bench, work: &Folder, frames: &str, shot: &str) -> Result<()> {
    let pattern = work.entry("checker/%05d.png");
    bench.product.run(&["render", frames, "--atlas", shot, "--view", "checker", "-o", &pattern])?;
    let mut rendered: Vec<PathBuf> = std::fs::read_dir(work.entry("checker"))
        .map_err(Failure::at("read the rendered frames"))?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .collect();
    rendered.sort();
    let (rows, columns) = SHEET;
    let count = (rows * columns).min(rendered.len());
    let spread = (0..count).map(|i| &rendered[i * (rendered.len() - 1) / count.saturating_sub(1).max(1)]);
    let shown = spread.map(|file| picture::read(file)).collect::<Result<Vec<_>>>()?;
    let rows: Vec<Vec<_>> = shown.chunks(columns).map(|row| row.iter().collect()).collect();
    picture::write(Path::new(&work.entry("strip.png")), &picture::sheet(&rows, CELL))
}

/// PSNR of light × atlas: on the reference frame, and over the visible pixels of all frames. Errors are averaged, not
/// decibels, each frame weighted with the share of the surface that it shows.
fn psnr(info: &Value) -> (Option<f64>, Option<f64>) {
    let reference = info["roi"]["reference_frame"].as_u64().map(|r| r as usize);
    let (mut first, mut all) = (Pooled::default(), Pooled::default());
    for surface in info["quality"].as_array().into_iter().flatten() {
        for (frame, quality) in surface.as_array().into_iter().flatten().enumerate() {
            let value = |key: &str| quality[key].as_f64().unwrap_or(0.0);
            if value("visible") >= LEAST_VISIBLE && value("psnr") > 0.0 {
                all.add(value("psnr"), value("visible"));
                if Some(frame) == reference {
                    first.add(value("psnr"), value("visible"));
                }
            }
        }
    }
    (first.decibels(), all.decibels())
}

/// Mean squared error from PSNRs.
#[derive(Default)]
struct Pooled {
    error: f64,
    weight: f64,
}

impl Pooled {
    fn add(&mut self, decibels: f64, weight: f64) {
        self.error += weight * 10f64.powf(-decibels / 10.0);
        self.weight += weight;
    }

    fn decibels(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| -10.0 * (self.error / self.weight).log10())
    }
}

/// The table of these clips.
pub(super) fn table(scored: &[Scored]) -> String {
    let heads = ["clips", "psnr reference", "psnr all frames", "frames", "doubtful", "analyze s", "peak MB"];
    let rows: Vec<_> = scored.iter().map(|s| s.cells.clone()).collect();
    markdown(&heads, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_pooled_not_decibels() {
        let quality =
            |psnr: f64, visible: f64| json!({ "psnr": psnr, "visible": visible, "confidence": 1.0 });
        let info = json!({
            "roi": { "reference_frame": 0 },
            "quality": [[quality(40.0, 1.0), quality(20.0, 1.0), quality(0.0, 0.0)]],
        });
        let (first, all) = psnr(&info);
        assert!((first.unwrap() - 40.0).abs() < 1e-9);
        assert!((all.unwrap() - 22.967).abs() < 1e-3, "{all:?}");
        assert_eq!(psnr(&Value::Null), (None, None));
    }
}
