//! What may be typed: the tree of commands and options.
//!
//! Options of the analysis and of rendering are made from [`rna::param::TABLE`], so that a parameter is described once
//! for the command line, the plugin and the README. clap checks words and ranges; what depends on files is checked by
//! the commands.

use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rna::param::{Group, Kind, Param, TABLE};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole command line.
pub(crate) fn command() -> Command {
    let command = Command::new("rna")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Edits that stick: fit a flat picture to a moving surface, paint on it, and every frame shows the paint.")
        .after_help("CLIP is a folder of images, a printf pattern such as shot/%05d.png, or a video.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            flag("json", "Print progress and the result as JSON lines on the standard output").global(true),
        )
        .subcommands([analyze(), correct(), atlas(), render(), export(), info(), sample()]);
    #[cfg(feature = "onnx")]
    let command = command.subcommand(models_command());
    #[cfg(feature = "host")]
    let command = command.subcommand(host());
    command
}

fn analyze() -> Command {
    Command::new("analyze")
        .about("Fit the atlas of a region over a whole clip")
        .arg(
            path("clip", "CLIP")
                .help("Folder of images, printf pattern or video")
                .required(false)
                .required_unless_present("job"),
        )
        .arg(
            option("roi", "FILE", "Region drawn on the reference frame (roi.json)")
                .required_unless_present("job"),
        )
        .arg(
            option("job", "FILE", "All of this as one JSON file: clip, roi, output, settings, first_frame")
                .conflicts_with_all(["clip", "roi", "output"])
                .conflicts_with_all(ids(Group::Analyze)),
        )
        .arg(
            option("output", "FILE", "Analysis to write [default: the clip's name with .rna, here]")
                .short('o'),
        )
        .args(parameters(Group::Analyze))
}

fn correct() -> Command {
    Command::new("correct")
        .about("Mend an analysis where you know better, without fitting the whole clip again")
        .arg(path("analysis", "ANALYSIS").help("Analysis made by `rna analyze`; it stays as it is"))
        .arg(path("clip", "CLIP").help("The clip that was analysed"))
        .arg(
            option("corrections", "FILE", "Where the surface is in some frames, and what of it shows (JSON)")
                .required(true),
        )
        .arg(option("output", "FILE", "Analysis to write").short('o').required(true))
}

fn atlas() -> Command {
    Command::new("atlas")
        .about("Write the atlas as a picture to paint on, with a .json beside it that says where it lies")
        .arg(path("analysis", "ANALYSIS").help("Analysis made by `rna analyze`"))
        .arg(option("output", "PICTURE", "Picture to write: .png (16-bit) or .exr").short('o').required(true))
        .arg(flag("force", "Overwrite a picture that is there already"))
}

fn render() -> Command {
    Command::new("render")
        .about("Put the edited atlas back on the clip")
        .arg(path("clip", "CLIP").help("The clip that was analysed"))
        .arg(option("atlas", "ANALYSIS", "Analysis made by `rna analyze`").required(true))
        .arg(option("edited", "PICTURE", "Edited copy of the atlas, or a transparent painting of its size"))
        .arg(
            option("paint", "PICTURE", "Picture in reference-frame pixels to lay over the surface")
                .conflicts_with("edited"),
        )
        .arg(option("output", "FRAMES", "Frames to write: out/%05d.png or a video").short('o').required(true))
        .arg(flag("force", "Overwrite frames that are there already"))
        .args(parameters(Group::Render))
}

fn export() -> Command {
    Command::new("export")
        .about("Write the analysis as files other programs read")
        .arg(path("analysis", "ANALYSIS").help("Analysis made by `rna analyze`"))
        .arg(option(
            "maps",
            "DIR",
            "Folder for one map a frame: where each pixel lies on the reference frame",
        ))
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("KIND")
                .help("How maps are written")
                .value_parser(PossibleValuesParser::new([
                    PossibleValue::new("exr")
                        .help("STMap, 0…1 across the picture, y up, as compositors read it"),
                    PossibleValue::new("npy").help("float32 array of positions in reference-frame pixels"),
                ]))
                .default_value("exr"),
        )
        .arg(option("mattes", "DIR", "Folder for one 16-bit PNG a frame: white where the surface shows"))
        .arg(flag("force", "Overwrite files that are there already"))
        .group(clap::ArgGroup::new("what").args(["maps", "mattes"]).multiple(true).required(true))
}

fn info() -> Command {
    Command::new("info")
        .about("Say what an analysis holds, how well it fits and which frames to look at")
        .arg(path("analysis", "ANALYSIS").help("Analysis made by `rna analyze`"))
}

fn sample() -> Command {
    Command::new("sample")
        .about("Write a small generated clip with its region, a picture to put on it, and the known answer")
        .arg(path("dir", "DIR").help("Folder to write; created if absent"))
        .arg(number("frames", "N", "Number of frames [default: 40]", value_parser!(u64).range(2..=10_000)))
        .arg(number("size", "WxH", "Size in pixels [default: 640x360]", ValueParser::new(parse_size)))
        .arg(number("seed", "S", "Same seed, same clip [default: 7]", value_parser!(u64)))
}

#[cfg(feature = "onnx")]
fn models_command() -> Command {
    Command::new("models")
        .about("Say which networks can be used, run each once, and say how to get those that are missing")
        .args(TABLE.iter().filter(|p| p.id == "models").map(parameter))
}

/// The folder of models that was typed.
#[cfg(feature = "onnx")]
pub(crate) fn models(matches: &ArgMatches) -> Option<PathBuf> {
    matches.get_one::<String>("models").filter(|t| !t.is_empty()).map(PathBuf::from)
}

#[cfg(feature = "host")]
fn host() -> Command {
    let word = |id: &'static str, name, help| Arg::new(id).long(id).value_name(name).help(help);
    Command::new("host")
        .about("Run an OpenFX plugin in a host without a screen, and say what it does wrong")
        .arg(
            path("script", "SCRIPT")
                .required(false)
                .help("JSON list of commands [default: create an instance]"),
        )
        .arg(option("bundle", "BUNDLE", "Plugin: NAME.ofx.bundle, or a library").required(true))
        .arg(option("clip", "CLIP", "Clip to connect as Source"))
        .arg(word("set", "NAME=VALUE", "Set a parameter").action(ArgAction::Append))
        .arg(word("press", "NAME", "Press a button").action(ArgAction::Append))
        .arg(option(
            "render",
            "FRAMES",
            "Write what is rendered, by default the whole clip: out/%05d.png or a video",
        ))
        .arg(
            word("profile", "HOST", "Behave as this host [default: strict]")
                .value_parser(PossibleValuesParser::new(rna::host::Profile::EACH.map(|p| p.name))),
        )
        .arg(word("faults", "JSON", "Faults to bring about, such as {\"abort\": 1}"))
}

fn path(id: &'static str, name: &'static str) -> Arg {
    Arg::new(id).value_name(name).required(true).value_parser(value_parser!(PathBuf))
}

fn option(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).value_name(name).help(help).value_parser(value_parser!(PathBuf))
}

fn number(id: &'static str, name: &'static str, help: &'static str, parser: impl Into<ValueParser>) -> Arg {
    Arg::new(id).long(id).value_name(name).help(help).value_parser(parser.into())
}

fn flag(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).help(help).action(ArgAction::SetTrue)
}

fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let wrong = || format!("'{text}' is not a size such as 640x360, 64 to 8192 pixels a side");
    let (w, h) = text.split_once(['x', '×']).ok_or_else(wrong)?;
    match (w.parse(), h.parse()) {
        (Ok(w), Ok(h)) if (64..=8192).contains(&w) && (64..=8192).contains(&h) => Ok((w, h)),
        _ => Err(wrong()),
    }
}

/// The options of one group, as the table describes them.
fn parameters(group: Group) -> impl Iterator<Item = Arg> {
    TABLE.iter().filter(move |p| p.group == group).map(parameter)
}

fn ids(group: Group) -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter(move |p| p.group == group).map(|p| p.id)
}

fn parameter(p: &'static Param) -> Arg {
    let parser = match p.kind {
        Kind::Int { min, max, .. } => value_parser!(i64).range(min..=max).into(),
        Kind::Double { min, max, .. } => ValueParser::new(move |text: &str| match text.parse::<f64>() {
            Ok(v) if (min..=max).contains(&v) => Ok(v),
            _ => Err(format!("'{text}' is not a number from {min} to {max}")),
        }),
        Kind::Choice { options } => PossibleValuesParser::new(
            options.iter().map(|(word, help)| PossibleValue::new(*word).help(*help)),
        )
        .into(),
        // What only a host's panel shows is in a group of its own and does not come here.
        Kind::Flag { .. } | Kind::Point { .. } | Kind::Text(_) | Kind::Button => ValueParser::string(),
    };
    let name = match p.kind {
        Kind::Choice { .. } => "WORD",
        Kind::Text(_) => "FOLDER",
        _ => "NUMBER",
    };
    Arg::new(p.id)
        .long(p.id)
        .value_name(name)
        .help(match p.kind.default_text() {
            none if none.is_empty() => p.hint.to_string(),
            default => format!("{} [default: {default}]", p.hint),
        })
        .value_parser(parser)
        .allow_negative_numbers(true)
        .help_heading("Parameters")
}

/// What the user typed of one group, by parameter id; what was left out is left to the table's defaults.
pub(crate) fn values(matches: &ArgMatches, group: Group) -> BTreeMap<String, String> {
    let text = |p: &Param| Some(matches.get_raw(p.id)?.next_back()?.to_string_lossy().into_owned());
    let of_group = TABLE.iter().filter(|p| p.group == group);
    of_group.filter_map(|p| Some((p.id.to_string(), text(p)?))).collect()
}

/// Stops with exit code 2 for a mistake that only shows when several options are seen together.
pub(crate) fn wrong_usage(name: &str, message: &str) -> ! {
    let mut all = command();
    all.build();
    let command = all.find_subcommand_mut(name);
    let mut fallback = Command::new("rna");
    command.unwrap_or(&mut fallback).error(clap::error::ErrorKind::MissingRequiredArgument, message).exit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn typed_values_arrive_and_others_do_not() {
        let m = command()
            .try_get_matches_from([
                "rna", "render", "clip", "--atlas", "a.rna", "-o", "o.mp4", "--grow", "-2.5", "--view",
                "matte",
            ])
            .unwrap();
        let values = values(m.subcommand_matches("render").unwrap(), Group::Render);
        let expected = [("grow", "-2.5"), ("view", "matte")].map(|(k, v)| (k.to_string(), v.to_string()));
        assert_eq!(values, BTreeMap::from(expected));
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("640x360"), Ok((640, 360)));
        assert!(parse_size("640").is_err() && parse_size("1x9").is_err() && parse_size("x").is_err());
    }
}
