//! Every parameter once: the command line, the plugin and the README are made from this table.
//!
//! The table speaks in strings and numbers with ranges; [`AnalysisSettings`] and [`RenderSettings`] are what the rest
//! of the program uses. A front collects `(id, value)` pairs and hands them to [`AnalysisSettings::from_values`] or
//! [`RenderSettings::from_values`], which check everything.

mod table;

pub use table::TABLE;

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which part of the work a parameter belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Read by the analysis.
    Analyze,
    /// Read whenever a frame is rendered.
    Render,
    /// Read by the plugin itself: files, shapes, buttons.
    Plugin,
}

/// The part of a host's panel a parameter stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// What is followed.
    Region,
    /// The fit.
    Analyze,
    /// What the user mends.
    Correct,
    /// The picture painted on.
    Atlas,
    /// What passes in front.
    Matte,
    /// What a frame shows.
    Output,
    /// Files for other programs.
    Export,
}

impl Page {
    /// All, in the order shown.
    pub const ALL: [Page; 7] =
        [Page::Region, Page::Analyze, Page::Correct, Page::Atlas, Page::Matte, Page::Output, Page::Export];

    /// Name shown to an artist.
    pub fn label(self) -> &'static str {
        match self {
            Page::Region => "Region",
            Page::Analyze => "Analyze",
            Page::Correct => "Correct",
            Page::Atlas => "Atlas",
            Page::Matte => "Matte",
            Page::Output => "Output",
            Page::Export => "Export",
        }
    }
}

/// What a text holds, which decides how a host lets it be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// A line written by the plugin and read by nobody but it.
    Line,
    /// A message to the user.
    Label,
    /// A file that is there.
    OpenFile,
    /// A file to be written.
    SaveFile,
    /// A folder.
    Folder,
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A whole number in a range.
    Int {
        /// Least value.
        min: i64,
        /// Largest value.
        max: i64,
        /// Value when not given.
        default: i64,
    },
    /// A number in a range.
    Double {
        /// Least value.
        min: f64,
        /// Largest value.
        max: f64,
        /// Value when not given.
        default: f64,
    },
    /// One of several words; the first is the default.
    Choice {
        /// Word as typed, and what it means.
        options: &'static [(&'static str, &'static str)],
    },
    /// Yes or no.
    Flag {
        /// Value when not given.
        default: bool,
    },
    /// A place on the frame, 0…1 along each axis from the bottom left.
    Point {
        /// Where it starts.
        default: [f64; 2],
    },
    /// Words; empty when not given.
    Text(Text),
    /// Something to press.
    Button,
}

/// One parameter as every front shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Param {
    /// Stable name: command-line option, parameter id in a host, key in a stored analysis.
    pub id: &'static str,
    /// Name shown to an artist.
    pub label: &'static str,
    /// What it does, in an artist's words.
    pub hint: &'static str,
    /// Who reads it.
    pub group: Group,
    /// Where it is shown.
    pub page: Page,
    /// Values.
    pub kind: Kind,
}

/// The parameter called `id`.
pub fn find(id: &str) -> Option<&'static Param> {
    TABLE.iter().find(|p| p.id == id)
}

impl Kind {
    /// The value taken when none is given, as it would be typed.
    pub fn default_text(&self) -> String {
        match self {
            Kind::Int { default, .. } => default.to_string(),
            Kind::Double { default, .. } => default.to_string(),
            Kind::Choice { options } => options[0].0.to_string(),
            Kind::Flag { default } => default.to_string(),
            Kind::Point { default: [x, y] } => format!("{x} {y}"),
            Kind::Text(_) | Kind::Button => String::new(),
        }
    }

    /// What may be typed, for help and messages.
    pub fn allowed(&self) -> String {
        match self {
            Kind::Int { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Double { min, max, .. } => format!("a number from {min} to {max}"),
            Kind::Choice { options } => options.iter().map(|o| o.0).collect::<Vec<_>>().join("|"),
            Kind::Flag { .. } => "true|false".into(),
            Kind::Point { .. } => "two numbers".into(),
            Kind::Text(_) => "any text".into(),
            Kind::Button => "nothing; it is pressed".into(),
        }
    }

    fn admits(&self, text: &str) -> bool {
        match self {
            Kind::Int { min, max, .. } => text.parse().is_ok_and(|v: i64| (*min..=*max).contains(&v)),
            Kind::Double { min, max, .. } => text.parse().is_ok_and(|v: f64| (*min..=*max).contains(&v)),
            Kind::Choice { options } => options.iter().any(|o| o.0 == text),
            Kind::Flag { .. } => text.parse::<bool>().is_ok(),
            Kind::Point { .. } => {
                text.split(' ').filter(|v| v.parse::<f64>().is_ok_and(f64::is_finite)).count() == 2
            }
            Kind::Text(_) => true,
            Kind::Button => text.is_empty(),
        }
    }
}

/// Values by parameter id, complete and within range.
struct Checked(BTreeMap<String, String>);

impl Checked {
    fn new(given: &BTreeMap<String, String>, group: Group) -> Result<Self> {
        let of_group = |id: &String| find(id).is_some_and(|p| p.group == group);
        if let Some(stray) = given.keys().find(|id| !of_group(id)) {
            let ids: Vec<_> = TABLE.iter().filter(|p| p.group == group).map(|p| p.id).collect();
            return Err(Error::setting(
                stray,
                format!("there is none of this name, only {}", ids.join(", ")),
            ));
        }
        let mut values = BTreeMap::new();
        for p in TABLE.iter().filter(|p| p.group == group) {
            let text = given.get(p.id).cloned().unwrap_or_else(|| p.kind.default_text());
            if !p.kind.admits(&text) {
                return Err(Error::setting(p.id, format!("'{text}' is not {}", p.kind.allowed())));
            }
            values.insert(p.id.to_string(), text);
        }
        Ok(Self(values))
    }

    fn text(&self, id: &str) -> &str {
        self.0.get(id).map_or("", String::as_str)
    }

    /// A number that was checked to be one.
    fn number<T: std::str::FromStr + Default>(&self, id: &str) -> T {
        self.text(id).parse().unwrap_or_default()
    }
}

/// How much work goes into the fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A quick look.
    Draft,
    /// The direct solver in full.
    Standard,
    /// The neural fit, started from the direct solver.
    Neural,
    /// The published method from nothing.
    Paper,
}

/// Which engine does a stage's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineChoice {
    /// The best that is there.
    Auto,
    /// The one that needs no model.
    Builtin,
    /// The one that needs a model, or an error without it.
    Model,
}

/// Where networks are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A GPU where there is one, else the processor.
    Auto,
    /// The processor.
    Cpu,
    /// A GPU.
    Gpu,
}

/// What the clip's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputColour {
    /// By kind of file.
    Auto,
    /// Display-encoded.
    Display,
    /// Scene-linear.
    Linear,
}

/// What the analysis needs to know, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysisSettings {
    /// How much work.
    pub preset: Preset,
    /// Where networks are computed.
    pub device: DeviceChoice,
    /// What measures motion between frames.
    pub flow: EngineChoice,
    /// What tells points apart by their looks.
    pub features: EngineChoice,
    /// What cuts out what passes in front.
    pub matting: EngineChoice,
    /// Folder with models, before all others.
    pub models: Option<PathBuf>,
    /// Long side of the working size.
    pub size: usize,
    /// What the values mean.
    pub colour: InputColour,
    /// Everything as typed, for the record in the `.rna`.
    pub record: BTreeMap<String, String>,
}

impl AnalysisSettings {
    /// Checks values by id; what is missing takes its default.
    pub fn from_values(given: &BTreeMap<String, String>) -> Result<Self> {
        let v = Checked::new(given, Group::Analyze)?;
        let engine = |id: &str| match v.text(id) {
            "auto" => EngineChoice::Auto,
            "builtin" => EngineChoice::Builtin,
            _ => EngineChoice::Model,
        };
        let (flow, features, matting) = (engine("flow"), engine("features"), engine("matting"));
        let models = Some(v.text("models")).filter(|t| !t.is_empty()).map(PathBuf::from);
        let preset = match v.text("preset") {
            "draft" => Preset::Draft,
            "neural" => Preset::Neural,
            "paper" => Preset::Paper,
            _ => Preset::Standard,
        };
        let device = match v.text("device") {
            "cpu" => DeviceChoice::Cpu,
            "gpu" => DeviceChoice::Gpu,
            _ => DeviceChoice::Auto,
        };
        let size = match v.number("size") {
            0 if preset == Preset::Draft => 480,
            0 => 768,
            n if n < 64 => {
                return Err(Error::setting(
                    "size",
                    format!("{n} pixels are too few to track; use 64 or more"),
                ));
            }
            n => n,
        };
        let colour = match v.text("colour") {
            "display" => InputColour::Display,
            "linear" => InputColour::Linear,
            _ => InputColour::Auto,
        };
        Ok(Self { preset, device, flow, features, matting, models, size, colour, record: v.0 })
    }
}

/// What a rendered frame shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The edited clip.
    Result,
    /// The fitted surface on the frame.
    Atlas,
    /// The soft mask.
    Matte,
    /// Atlas position as colour.
    Uv,
    /// Gain.
    Light,
    /// A checkerboard on the surface.
    Checker,
    /// Frame minus fitted surface.
    Difference,
}

/// What rendering needs to know, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RenderSettings {
    /// What a frame shows.
    pub view: View,
    /// 0…1.
    pub opacity: f32,
    /// How much of the footage's grain lies on opaque paint, 0…1.
    pub grain: f32,
    /// Pixels at full size, negative shrinks.
    pub grow: f32,
    /// Standard deviation of the matte's blur in full-size pixels.
    pub soften: f32,
    /// Contrast of the matte's soft edge, after growing and softening; 1 leaves it.
    pub edge: f32,
    /// Open share of the frame interval; `None` takes the footage's own. Frames that were exposed for a shorter time than
    /// the others take their share of either.
    pub shutter: Option<f32>,
}

impl RenderSettings {
    /// Checks values by id; what is missing takes its default.
    pub fn from_values(given: &BTreeMap<String, String>) -> Result<Self> {
        let v = Checked::new(given, Group::Render)?;
        let view = match v.text("view") {
            "atlas" => View::Atlas,
            "matte" => View::Matte,
            "uv" => View::Uv,
            "light" => View::Light,
            "checker" => View::Checker,
            "difference" => View::Difference,
            _ => View::Result,
        };
        let shutter: f32 = v.number("shutter");
        Ok(Self {
            view,
            opacity: v.number("opacity"),
            grain: v.number("grain"),
            grow: v.number("grow"),
            soften: v.number("soften"),
            edge: v.number("edge"),
            shutter: (shutter >= 0.0).then_some(shutter),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn ids_are_unique_and_defaults_are_allowed() {
        for (i, p) in TABLE.iter().enumerate() {
            assert!(p.kind.admits(&p.kind.default_text()), "{}", p.id);
            assert!(TABLE[i + 1..].iter().all(|q| q.id != p.id), "{} twice", p.id);
        }
    }

    #[test]
    fn defaults_and_presets() {
        let s = AnalysisSettings::from_values(&BTreeMap::new()).unwrap();
        assert_eq!((s.preset, s.size), (Preset::Standard, 768));
        let s = AnalysisSettings::from_values(&values(&[("preset", "draft")])).unwrap();
        assert_eq!((s.preset, s.size), (Preset::Draft, 480));
        let s = AnalysisSettings::from_values(&values(&[("flow", "raft"), ("matting", "builtin")])).unwrap();
        assert_eq!(
            (s.flow, s.features, s.matting),
            (EngineChoice::Model, EngineChoice::Auto, EngineChoice::Builtin)
        );
    }

    #[test]
    fn wrong_values_say_what_is_allowed() {
        let fails = |k, v| AnalysisSettings::from_values(&values(&[(k, v)])).unwrap_err().to_string();
        assert!(fails("preset", "best").contains("standard|draft"));
        assert!(fails("size", "9000").contains("from 0 to 4096"));
        assert!(fails("size", "20").contains("64 or more"));
        let e = RenderSettings::from_values(&values(&[("opacity", "nan")])).unwrap_err().to_string();
        assert!(e.contains("from 0 to 1"), "{e}");
    }
}
