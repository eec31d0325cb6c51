//! `cargo xtask demo`: the main job from nothing, on a clip whose answer is known.

use crate::measure::{Folder, Product, Run, text};
use crate::picture::{self, Difference};
use crate::{Failure, Result, system};
use rna::frame::{Image, Rgba};
use serde_json::{Value, json};
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

/// Packs the plugin, makes the sample, does the whole job in the headless host, and compares: with the sample's own
/// answer, and with what the command line makes of the same painting.
pub(crate) fn run() -> Result<()> {
    let began = Instant::now();
    let bundle = crate::bundle::make(false)?;
    let product = Product::new(system::build()?);
    let built = began.elapsed().as_secs_f64();
    let folder = system::target()?.join("demo");
    let work = Folder::fresh(folder.clone())?;
    let sample = Sample::at(&folder.join("clip"));
    let made = product.run(&["sample", &work.entry("clip")])?;
    let frames = text(&sample.frames);
    let host = Host { product: &product, bundle: text(&bundle), frames: frames.clone(), work: &work };

    let fitted = host.run("analyze", &analyze_script(&sample, &work)?, &[])?;
    let shot = text(&only_analysis(&folder.join("analyses"))?);
    let painting = folder.join("painting.png");
    picture::write_layer(&painting, &lay(&sample, &folder)?)?;
    let edit = [set("analysis", json!(shot)), set("edited", json!(text(&painting)))];
    let script = [&[json!({"do": "depth", "depth": "byte"}), json!({"do": "create"})], &edit[..]].concat();
    let rendered = host.run("render", &script, &["--render", &work.entry("out/%05d.png")])?;
    let twin = work.entry("command-line/%05d.png");
    product.run(&["render", &frames, "--atlas", &shot, "--edited", &text(&painting), "-o", &twin])?;
    let info = product.run(&["info", &shot])?;

    let (input, perfect, result) =
        (listed(&sample.frames)?, listed(&sample.perfect)?, listed(&folder.join("out"))?);
    same_pictures(&result, &listed(&folder.join("command-line"))?)?;
    let difference = compare(&input, &perfect, &result, &listed(&sample.visible)?)?;
    let strip = folder.join("strip.png");
    write_strip(&strip, &folder, &sample, &info.result, &input, &result)?;

    println!("\nmade, in {}:", folder.display());
    println!(
        "  clip/         {} frames, their region, a picture for it, and the perfect answer",
        input.len()
    );
    println!(
        "  analyses/     the fitted clip; atlas.png the surface to paint on; painting.png what is put on it"
    );
    println!(
        "  out/          the edited frames, from the plugin in a host; command-line/ has the same, bit for bit"
    );
    println!("  strip.png     input, atlas, edited atlas and result side by side");
    println!("\ntime (seconds):");
    println!(
        "  build {built:.1}, sample {:.1}, capture, Analyze and export {:.1}, render {:.1}",
        made.seconds, fitted.seconds, rendered.seconds
    );
    println!("\nhow right it is:");
    println!(
        "  edited pixels against the perfect edit, what is in front included: {:.1} dB",
        difference.psnr()
    );
    println!("  largest change to a pixel in the open outside the edit: {:.0} of 255", difference.outside);
    Ok(())
}

/// The headless host with the packed plugin in it.
struct Host<'a> {
    product: &'a Product,
    bundle: String,
    frames: String,
    work: &'a Folder,
}

impl Host<'_> {
    /// Runs a script, kept under `name`; fails when the plugin did anything wrong.
    fn run(&self, name: &str, script: &[Value], more: &[&str]) -> Result<Run> {
        let file = self.work.entry(&format!("{name}.json"));
        let text = serde_json::to_string_pretty(script).map_err(Failure::at("write a script"))?;
        std::fs::write(&file, text).map_err(Failure::at(format!("write {file}")))?;
        let base = ["host", &file, "--bundle", &self.bundle, "--clip", &self.frames];
        self.product.run(&[&base, more].concat())
    }
}

fn set(param: &str, value: Value) -> Value {
    json!({"do": "set", "param": param, "value": value})
}

/// What a user would do: draw the corners, press Analyze, export the atlas.
fn analyze_script(sample: &Sample, work: &Folder) -> Result<Vec<Value>> {
    let roi = std::fs::read_to_string(&sample.roi).map_err(Failure::at("read the sample's region"))?;
    let roi: Value = serde_json::from_str(&roi).map_err(Failure::at("understand the sample's region"))?;
    let first = listed(&sample.frames)?.into_iter().next();
    let first = first.ok_or_else(|| Failure("the sample has no frames".into()))?;
    let height = picture::read(&first)?.height() as f64;
    let mut script = vec![
        json!({"do": "depth", "depth": "byte"}),
        json!({"do": "create"}),
        json!({"do": "time", "time": roi["reference_frame"]}),
        json!({"do": "press", "param": "use_current"}),
        set("folder", json!(work.entry("analyses"))),
    ];
    let corners = roi["polygons"][0].as_array().cloned().unwrap_or_default();
    for (i, p) in corners.iter().enumerate() {
        // The host counts from the bottom left corner of the picture, y up.
        let at = |c: usize| p[c].as_f64().unwrap_or(0.0) + 0.5;
        script.push(set(&format!("corner{}", i + 1), json!([at(0), height - at(1)])));
    }
    script.push(json!({"do": "press", "param": "analyze"}));
    script.push(set("atlas_file", json!(work.entry("atlas.png"))));
    script.push(json!({"do": "press", "param": "export_atlas"}));
    Ok(script)
}

/// The one analysis in a folder.
fn only_analysis(folder: &Path) -> Result<PathBuf> {
    let found = listed(folder)?.into_iter().find(|p| p.extension().is_some_and(|e| e == "rna"));
    found.ok_or_else(|| Failure(format!("the plugin left no analysis in {}", folder.display())))
}

/// The sample's picture as a transparent layer over the atlas.
fn lay(sample: &Sample, folder: &Path) -> Result<Image<Rgba>> {
    let exported = Exported::read(folder)?;
    let picture = picture::read(&sample.picture)?;
    Ok(picture::placed(&picture, exported.atlas.size(), |x, y| exported.place(x, y)))
}

/// The exported atlas, and where it lies on the reference frame.
struct Exported {
    atlas: Image<Rgba>,
    origin: [f64; 2],
    scale: f64,
}

impl Exported {
    fn read(folder: &Path) -> Result<Self> {
        let atlas = picture::read(&folder.join("atlas.png"))?;
        let note =
            std::fs::read_to_string(folder.join("atlas.json")).map_err(Failure::at("read atlas.json"))?;
        let note: Value = serde_json::from_str(&note).map_err(Failure::at("understand atlas.json"))?;
        let number = |v: &Value| v.as_f64().unwrap_or(0.0);
        let origin = [0, 1].map(|i| number(&note["origin"][i]));
        Ok(Self { atlas, origin, scale: number(&note["scale"]).max(1e-6) })
    }

    /// The reference-frame position of one of its pixels.
    fn place(&self, x: usize, y: usize) -> [f64; 2] {
        [self.origin[0] + x as f64 / self.scale, self.origin[1] + y as f64 / self.scale]
    }
}

/// Fails when two lists of pictures differ in a single bit.
fn same_pictures(a: &[PathBuf], b: &[PathBuf]) -> Result<()> {
    if a.len() != b.len() {
        return Err(Failure(format!("the host rendered {} frames, the command line {}", a.len(), b.len())));
    }
    for (a, b) in a.iter().zip(b) {
        let (x, y) = (picture::read(a)?, picture::read(b)?);
        let differs = x.size() != y.size()
            || x.pixels()
                .iter()
                .zip(y.pixels())
                .any(|(p, q)| (0..3).any(|c| p[c].to_bits() != q[c].to_bits()));
        if differs {
            return Err(Failure(format!("{} differs from {}", a.display(), b.display())));
        }
    }
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
    let exported = Exported::read(folder)?;
    let atlas = &exported.atlas;
    let edited = picture::over(atlas, &picture::read(&sample.picture)?, |x, y| exported.place(x, y));
    let [thin, half, crossed] = telling_frames(info, input.len());
    let pick = |files: &[PathBuf], i: usize| match files.get(i) {
        Some(file) => picture::read(file),
        None => Err(Failure(format!("frame {i} is missing"))),
    };
    let (before, after) = (pick(input, thin)?, pick(result, thin)?);
    let below = [pick(input, half)?, pick(result, half)?, pick(input, crossed)?, pick(result, crossed)?];
    let (atlas, edited) = (picture::trimmed(atlas), picture::trimmed(&edited));
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
