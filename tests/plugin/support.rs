//! A sample clip, the packed bundle and a host for the tests.

use rna::Result;
use rna::clip::sample::{Scene, SceneOptions};
use rna::frame::io::write_picture;
use rna::frame::{Channels, Depth, Image, Rgba};
use rna::host::{Bundle, Clips, Command, Faults, Frames, Outcome, Profile, Rendered, Session};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// Frames of the sample, as 8-bit files have them.
pub(crate) struct Sample {
    pub(crate) scene: Scene,
    frames: Vec<Image<Rgba>>,
    /// The host's number of the first frame.
    pub(crate) first: f64,
}

impl Sample {
    pub(crate) fn new(size: (usize, usize), count: usize, first: f64) -> Self {
        let scene = Scene::new(SceneOptions { size, frames: count, ..SceneOptions::default() });
        let eight_bits = |p: &Rgba| p.map(|v| (v.clamp(0.0, 1.0) * 255.0).round() / 255.0);
        let frames = (0..count).map(|t| scene.frame(t).map(|p| eight_bits(&[p[0], p[1], p[2], 1.0])));
        Self { frames: frames.collect(), scene, first }
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn picture(&self, index: usize) -> &Image<Rgba> {
        &self.frames[index]
    }

    pub(crate) fn last(&self) -> f64 {
        self.first + self.len() as f64 - 1.0
    }

    /// The reference frame by the host's number.
    pub(crate) fn reference(&self) -> f64 {
        self.first + self.scene.roi().reference_frame as f64
    }

    /// The region's corners in the host's coordinates: pixels, y up, edges of pixels at whole numbers.
    pub(crate) fn corners(&self) -> Vec<[f64; 2]> {
        let height = self.frames[0].height() as f64;
        let polygon = &self.scene.roi().polygons[0];
        assert_eq!(polygon.len(), 4, "the sample's region has four corners");
        polygon.iter().map(|p| [p[0] + 0.5, height - (p[1] + 0.5)]).collect()
    }

    /// The frames as files.
    pub(crate) fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for (i, frame) in self.frames.iter().enumerate() {
            write_picture(&folder.join(format!("{i:05}.png")), frame, Depth::U8, Channels::Rgba).unwrap();
        }
    }
}

impl Frames for Sample {
    fn size(&self) -> (usize, usize) {
        self.frames[0].size()
    }

    fn range(&self) -> (f64, f64) {
        (self.first, self.last())
    }

    fn frame(&self, time: f64) -> Result<Image<Rgba>> {
        Ok(self.frames[(time - self.first).round() as usize].clone())
    }
}

/// The clip most tests use: small, and numbered as in a real shot.
pub(crate) static SAMPLE: LazyLock<Arc<Sample>> =
    LazyLock::new(|| Arc::new(Sample::new((256, 144), 12, 1001.0)));

/// The packed bundle that `cargo xtask test` made; without one, tests of the plugin have nothing to test.
pub(crate) static BUNDLE: LazyLock<Option<Bundle>> = LazyLock::new(|| {
    let path = std::env::var_os("RNA_BUNDLE").map(PathBuf::from)?;
    Some(Bundle::load(&path).expect("the bundle loads"))
});

/// The bundle, or a line that says why nothing is tested.
macro_rules! bundle {
    () => {
        match crate::support::BUNDLE.as_ref() {
            Some(bundle) => bundle,
            None => {
                println!("skipped: no packed bundle; `cargo xtask test` packs one and runs this");
                return;
            }
        }
    };
}
pub(crate) use bundle;

pub(crate) fn session(bundle: &Bundle, profile: Profile, faults: Faults, sample: &Arc<Sample>) -> Session {
    let source: Arc<dyn Frames> = Arc::<Sample>::clone(sample);
    let mut clips = Clips::new();
    clips.insert("Source".into(), source);
    Session::new(bundle, profile, faults, clips).unwrap()
}

pub(crate) fn set(param: &str, value: impl Into<serde_json::Value>) -> Command {
    Command::Set { param: param.into(), value: value.into() }
}

pub(crate) fn press(param: &str) -> Command {
    Command::Press { param: param.into() }
}

pub(crate) fn create() -> Command {
    Command::Create { instance: String::new() }
}

pub(crate) fn render(first: f64, last: f64) -> Command {
    Command::Render { first, last: Some(last), step: 1.0 }
}

/// Draws the region and says where the analysis goes; draft, to be quick.
pub(crate) fn drawn(sample: &Sample, folder: &Path) -> Vec<Command> {
    let mut script = vec![
        set("reference", sample.reference() as i64),
        set("preset", 1),
        set("folder", folder.to_str().unwrap()),
    ];
    for (i, p) in sample.corners().into_iter().enumerate() {
        script.push(set(&format!("corner{}", i + 1), p.to_vec()));
    }
    script
}

/// Does what must be done.
pub(crate) fn run(session: &mut Session, script: &[Command]) -> Vec<Outcome> {
    session.run(script).unwrap()
}

/// The frames of the last outcome.
pub(crate) fn frames(outcomes: &[Outcome]) -> &[Rendered] {
    outcomes.last().map_or(&[], Outcome::frames)
}

pub(crate) fn text(session: &Session, param: &str) -> String {
    match session.value(param, 0.0).unwrap() {
        rna::host::Value::Text(text) => text,
        other => panic!("{param} is {other:?}"),
    }
}

/// An analysis of the sample, made once by the command's own engine.
pub(crate) struct Analysed {
    _dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) edited: PathBuf,
}

pub(crate) static ANALYSED: LazyLock<Analysed> = LazyLock::new(|| {
    use rna::engine::{Job, analyze};
    let dir = tempfile::tempdir().unwrap();
    SAMPLE.write(&dir.path().join("frames"));
    let path = dir.path().join("shot.rna");
    let settings = [("preset".to_string(), "draft".to_string())].into();
    let job = Job {
        clip: dir.path().join("frames"),
        roi: SAMPLE.scene.roi(),
        output: path.clone(),
        settings: rna::param::AnalysisSettings::from_values(&settings).unwrap(),
        first_frame: SAMPLE.first as i64,
    };
    analyze(&job, &rna::progress::Progress::silent()).unwrap();
    let edited = dir.path().join("edited.png");
    paint(&path, &edited);
    Analysed { _dir: dir, path, edited }
});

/// A copy of the atlas with a bright square on it.
pub(crate) fn paint(analysis: &Path, edited: &Path) {
    let open = rna::store::open(analysis).unwrap();
    rna::render::write_atlas(&open, edited).unwrap();
    let mut picture = rna::frame::io::read_picture(edited).unwrap().pixels;
    let (w, h) = picture.size();
    for y in h / 4..3 * h / 4 {
        for p in &mut picture.row_mut(y)[w / 4..3 * w / 4] {
            *p = [1.0, 0.25, 0.1, p[3]];
        }
    }
    write_picture(edited, &picture, Depth::U16, Channels::Rgba).unwrap();
}
