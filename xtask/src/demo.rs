//! `cargo xtask demo`: the main job from nothing, on a clip whose answer is known.

use crate::measure::{Folder, Product, text};
use crate::picture::{self, Difference};
use crate::{Failure, Result, system};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What `rna sample` leaves in its folder.
struct Sample {
    frames: PathBuf,
    roi: PathBuf,
    picture: PathBuf,
    perfect: PathBuf,
    visible: PathBuf,
}

impl Sample {
    fn at(folder: &Path) -> Self {
        Self {
            frames: folder.join("frames"),
            roi: folder.join("roi.json"),
            picture: folder.join("picture.png"),
            perfect: folder.join("truth/edited"),
            visible: folder.join("truth/visible"),
        }
    }
}

/// Makes the sample, fits it, paints on it, and compares.
pub(crate) fn run() -> Result<()> {
    let began = Instant::now();
    let product = Product::new(system::build()?);
    let built = began.elapsed().as_secs_f64();
    let folder = system::target()?.join("demo");
    let work = Folder::fresh(folder.clone())?;
    let sample = Sample::at(&folder.join("clip"));
    let [shot, atlas, out] = ["shot.rna", "atlas.png", "out/%05d.png"].map(|name| work.entry(name));
    let (frames, roi) = (text(&sample.frames), text(&sample.roi));

    let made = product.run(&["sample", &work.entry("clip")])?;
    let fitted = product.run(&["analyze", &frames, "--roi", &roi, "-o", &shot])?;
    let exported = product.run(&["atlas", &shot, "-o", &atlas])?;
    let rendered =
        product.run(&["render", &frames, "--atlas", &shot, "--paint", &text(&sample.picture), "-o", &out])?;
    let info = product.run(&["info", &shot])?;

    let (input, perfect, result) =
        (listed(&sample.frames)?, listed(&sample.perfect)?, listed(&folder.join("out"))?);
    let difference = compare(&input, &perfect, &result, &listed(&sample.visible)?)?;
    let strip = folder.join("strip.png");
    write_strip(&strip, &folder, &sample, &info.result, &input, &result)?;

    println!("\nmade, in {}:", folder.display());
    println!("  clip/        {} frames, their region, a picture for it, and the perfect answer", input.len());
    println!("  shot.rna     the fitted clip; atlas.png the surface to paint on; out/ the edited frames");
    println!("  strip.png    input, atlas, edited atlas and result side by side");
    println!("\ntime (seconds):");
    println!(
        "  build {built:.1}, sample {:.1}, analyze {:.1}, atlas {:.1}, render {:.1}",
        made.seconds, fitted.seconds, exported.seconds, rendered.seconds
    );
    for stage in fitted.result["stages"].as_array().into_iter().flatten() {
        println!(
            "    {:<10} {:>6.1}",
            stage["name"].as_str().unwrap_or("?"),
            stage["seconds"].as_f64().unwrap_or(0.0)
        );
    }
    println!("\nhow right it is:");
    println!(
        "  edited pixels against the perfect edit, what is in front included: {:.1} dB",
        difference.psnr()
    );
    println!("  largest change to a pixel in the open outside the edit: {:.0} of 255", difference.outside);
    Ok(())
}

/// Files of a folder in the order of their names.
fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Failure::at(format!("read {}", folder.display())))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.sort();
    Ok(files)
}

fn compare(
    input: &[PathBuf],
    perfect: &[PathBuf],
    result: &[PathBuf],
    visible: &[PathBuf],
) -> Result<Difference> {
    if input.len() != perfect.len() || input.len() != result.len() {
        let counts = (input.len(), perfect.len(), result.len());
        return Err(Failure(format!("the sample and the result differ in length: {counts:?} frames")));
    }
    let mut difference = Difference::default();
    for (((i, p), r), v) in input.iter().zip(perfect).zip(result).zip(visible) {
        let [i, p, r, v] = [i, p, r, v].map(|file| picture::read(file));
        difference.add(&i?, &p?, &r?, &v?)?;
    }
    Ok(difference)
}

/// Above: a frame with something thin in front, the atlas, the atlas with the picture on it, the result. Below: before
/// and after of two frames in which something large passes.
fn write_strip(
    path: &Path,
    folder: &Path,
    sample: &Sample,
    info: &Value,
    input: &[PathBuf],
    result: &[PathBuf],
) -> Result<()> {
    let atlas = picture::read(&folder.join("atlas.png"))?;
    let sidecar =
        std::fs::read_to_string(folder.join("atlas.json")).map_err(Failure::at("read atlas.json"))?;
    let sidecar: Value = serde_json::from_str(&sidecar).map_err(Failure::at("understand atlas.json"))?;
    let number = |v: &Value| v.as_f64().unwrap_or(0.0);
    let (x0, y0) = (number(&sidecar["origin"][0]), number(&sidecar["origin"][1]));
    let scale = number(&sidecar["scale"]).max(1e-6);
    let painting = picture::read(&sample.picture)?;
    let edited = picture::over(&atlas, &painting, |x, y| [x0 + x as f64 / scale, y0 + y as f64 / scale]);
    let [thin, half, crossed] = telling_frames(info, input.len());
    let pick = |files: &[PathBuf], i: usize| match files.get(i) {
        Some(file) => picture::read(file),
        None => Err(Failure(format!("frame {i} is missing"))),
    };
    let (before, after) = (pick(input, thin)?, pick(result, thin)?);
    let below = [pick(input, half)?, pick(result, half)?, pick(input, crossed)?, pick(result, crossed)?];
    let (atlas, edited) = (picture::trimmed(&atlas), picture::trimmed(&edited));
    let rows = [vec![&before, &atlas, &edited, &after], below.iter().collect()];
    picture::write(path, &picture::sheet(&rows, (312, 176)))
}

/// The frame of the clip's first quarter that shows least of the surface, where the chain swings; of all frames the
/// one that shows least, and the one nearest to half-way from there to the clear.
fn telling_frames(info: &Value, frames: usize) -> [usize; 3] {
    let quality = info["quality"][0].as_array().cloned().unwrap_or_default();
    let visible: Vec<f64> = quality.iter().map(|q| q["visible"].as_f64().unwrap_or(1.0)).collect();
    let nearest = |to: f64, of: usize| {
        let distance = |i: &usize| (visible[*i] - to).abs();
        (0..of.min(visible.len())).min_by(|a, b| distance(a).total_cmp(&distance(b)))
    };
    let least = visible.iter().copied().fold(1.0, f64::min);
    [
        nearest(0.0, frames / 4).unwrap_or(0),
        nearest((1.0 + least) / 2.0, frames).unwrap_or(frames / 4),
        nearest(least, frames).unwrap_or(frames / 2),
    ]
}
