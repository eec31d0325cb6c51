//! `rna host`: an OpenFX plugin in a host without a screen.

use super::path;
use crate::console::Console;
use clap::ArgMatches;
use rna::clip::{self, Clip, FrameWriter};
use rna::frame::{Encoding, Image, Rgba};
use rna::host::{Bundle, Clips, Command, Faults, Frames, Outcome, Profile, Rendered, Session};
use rna::{Error, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Frames a second of a video made from pictures, which do not say.
const RATE: f64 = 25.0;
/// The clip every filter has.
const SOURCE: &str = "Source";

/// A clip of ours as a host's source: frame 0 is at time 0.
struct Footage(Box<dyn Clip>);

impl Frames for Footage {
    fn size(&self) -> (usize, usize) {
        self.0.info().size
    }

    fn range(&self) -> (f64, f64) {
        (0.0, self.0.info().frames.saturating_sub(1) as f64)
    }

    fn encoding(&self) -> Encoding {
        self.0.info().encoding
    }

    fn frame(&self, time: f64) -> Result<Image<Rgba>> {
        self.0.frame(time.round().max(0.0) as usize)
    }
}

/// Runs the script, then what the options say, and fails when the plugin did anything wrong.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let bundle = Bundle::load(path(matches, "bundle"))?;
    let source = matches.get_one::<PathBuf>("clip").map(|p| clip::open(p)).transpose()?;
    let info = source.as_ref().map(|s| s.info().clone());
    let mut clips = Clips::new();
    if let Some(source) = source {
        clips.insert(SOURCE.to_string(), Arc::new(Footage(source)));
    }
    let profile = matches.get_one::<String>("profile").map_or("strict", String::as_str);
    let faults = match matches.get_one::<String>("faults") {
        Some(text) => serde_json::from_str(text).map_err(|e| Error::setting("faults", e.to_string()))?,
        None => Faults::default(),
    };
    let mut session = Session::new(&bundle, Profile::named(profile)?, faults, clips)?;
    let mut script = match matches.get_one::<PathBuf>("script") {
        Some(file) => rna::host::read(file)?,
        None => vec![Command::Create { instance: String::new() }],
    };
    script.extend(options(matches)?);
    let output = matches.get_one::<PathBuf>("render");
    if output.is_some() {
        let frames = info.as_ref().map_or(1, |i| i.frames);
        script.push(Command::Render { first: 0.0, last: Some(frames.saturating_sub(1) as f64), step: 1.0 });
    }
    let progress = console.progress();
    progress.stage("host", script.len());
    let mut writer = output.map(|file| Writer { file, info: info.as_ref(), open: None });
    for (index, command) in script.iter().enumerate() {
        let outcome = session.run_one(command, |frame| {
            progress.check()?;
            writer.as_mut().map_or(Ok(()), |w| w.write(&frame))
        })?;
        if let Outcome::Answered(status) = outcome
            && !["kOfxStatOK", "kOfxStatReplyDefault"].contains(&status.as_str())
        {
            progress.warn(format!("the plugin answered {command:?} with {status}"));
        }
        progress.step(index + 1)?;
    }
    let frames = writer.map_or(Ok(0), Writer::finish)?;
    let report = session.finish();
    let text = format!("{report}{} commands, {frames} frames written", script.len());
    console.result(&json!({ "frames": frames, "report": report }), &text);
    if report.is_clean() {
        return Ok(());
    }
    let reason = format!("it did {} things no plugin may; they are listed above", report.issues.len());
    Err(Error::Plugin { path: bundle.path().to_path_buf(), reason })
}

/// The commands that `--set` and `--press` stand for: all values first, then the buttons.
fn options(matches: &ArgMatches) -> Result<Vec<Command>> {
    let all = |id: &str| matches.get_many::<String>(id).into_iter().flatten().cloned().collect::<Vec<_>>();
    let mut commands = Vec::new();
    for setting in all("set") {
        let Some((param, value)) = setting.split_once('=') else {
            return Err(Error::setting("set", format!("'{setting}' is not of the form name=value")));
        };
        // What is no number, truth or list is a text.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        commands.push(Command::Set { param: param.to_string(), value });
    }
    commands.extend(all("press").into_iter().map(|param| Command::Press { param }));
    Ok(commands)
}

/// Writes what is rendered; made with the first frame, which has the size.
struct Writer<'a> {
    file: &'a Path,
    info: Option<&'a clip::ClipInfo>,
    open: Option<(FrameWriter, usize)>,
}

impl Writer<'_> {
    fn write(&mut self, frame: &Rendered) -> Result<()> {
        let Some(picture) = &frame.picture else {
            let reason = format!("the plugin answered with {}", frame.status);
            return Err(Error::frame(self.file, frame.time.max(0.0) as usize, reason));
        };
        if self.open.is_none() {
            let depth = self.info.map_or(rna::frame::Depth::U16, |i| i.depth);
            let channels = self.info.map_or(rna::frame::Channels::Rgba, |i| i.channels);
            self.open = Some((FrameWriter::create(self.file, picture.size(), depth, channels, RATE)?, 0));
        }
        if let Some((writer, count)) = &mut self.open {
            writer.write(picture)?;
            *count += 1;
        }
        Ok(())
    }

    fn finish(self) -> Result<usize> {
        match self.open {
            Some((writer, count)) => writer.finish().map(|()| count),
            None => Ok(0),
        }
    }
}
