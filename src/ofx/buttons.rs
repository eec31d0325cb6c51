//! What happens when the user presses something.

use super::capture::{self, Capture};
use super::corrections::Drawn;
use super::fault::{Fault, Result, home};
use super::instance::Instance;
use super::message::Grave;
use super::region::region;
use super::run::Running;
use super::show;
use super::wait::Bar;
use crate::atlas::Analysis;
use crate::correction::Corrections;
use crate::error::Error;
use crate::frame::Depth;
use crate::frame::io::write_atomic;
use crate::param::{AnalysisSettings, Group};
use crate::render::{PerFrame, check_atlas_name, write_atlas};
use crate::roi::Roi;
use crate::store::{JobFile, Mend};
use crate::{clip, store};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time between looks at a worker.
const BEAT: Duration = Duration::from_millis(50);

/// Does what the button `id` says; what fails is told in a message and on the status line.
pub(super) fn press(instance: &Instance, id: &str, time: f64) -> Result<()> {
    let done = match id {
        "use_current" => instance.params.set_int("reference", current(instance, time)),
        "clear_frame" => clear_frame(instance, time),
        "analyze" => analyze(instance),
        "cancel" => cancel(instance),
        "export_atlas" => export_atlas(instance),
        "reload" => reload(instance),
        "export_maps" => export_frames(instance, "maps_folder", PerFrame::StMap),
        "export_mattes" => export_frames(instance, "mattes_folder", PerFrame::Matte),
        _ => return Ok(()),
    };
    match done {
        Ok(()) => Ok(()),
        Err(Fault::Ours(Error::Cancelled)) => say(instance, "cancelled; press again to go on"),
        Err(fault) => {
            let text = fault.to_string();
            instance.messages.once(Grave::Error, &text);
            say(instance, &text)
        }
    }
}

/// Puts a line on the status line.
fn say(instance: &Instance, text: &str) -> Result<()> {
    instance.params.set_text("status", text)
}

/// The frame the playhead is on.
fn current(instance: &Instance, time: f64) -> i32 {
    let mut now = time;
    if let Some(suite) = &instance.suites.timeline {
        // SAFETY: the effect is the host's, the result goes to a local, which stays as it is when the call fails.
        let status = unsafe { (suite.time)(instance.effect.cast(), &raw mut now) };
        if status != crate::openfx::Status::OK.0 {
            now = time;
        }
    }
    now.round() as i32
}

fn clear_frame(instance: &Instance, time: f64) -> Result<()> {
    let frame = i64::from(current(instance, time));
    let mut drawn = Drawn::of(instance)?;
    if !drawn.clear(frame) {
        return say(instance, &format!("nothing is drawn on frame {frame}"));
    }
    drawn.store(instance)?;
    say(instance, &format!("cleared frame {frame}; press Analyze to solve without it"))
}

/// Where analyses are kept.
fn folder(instance: &Instance) -> Result<PathBuf> {
    let given = instance.params.text("folder")?;
    Ok(if given.is_empty() { home().join("analyses") } else { PathBuf::from(given) })
}

/// The host's first and last frame to be analysed, and the reference among them.
fn range(instance: &Instance) -> Result<((i64, i64), i64)> {
    let [first, last] = instance.source.range()?;
    let whole = (first.ceil() as i64, last.floor() as i64);
    let part = instance.params.word("range", 0.0)? == "part";
    let wanted = if part {
        let end = |id| instance.params.int(id, 0.0).map(i64::from);
        (end("first")?, end("last")?)
    } else {
        whole
    };
    let (first, last) = wanted;
    if first < whole.0 || last > whole.1 || last <= first {
        return Err(Fault::Plain(format!(
            "frames {first} to {last} cannot be analysed: the clip has {} to {}, and at least two are needed",
            whole.0, whole.1
        )));
    }
    let reference = i64::from(instance.params.int("reference", 0.0)?);
    if reference < first || reference > last {
        return Err(Fault::Plain(format!(
            "the reference frame {reference} is not among frames {first} to {last}: go to a frame that shows the \
             surface and press Use current frame"
        )));
    }
    Ok((wanted, reference))
}

fn analyze(instance: &Instance) -> Result<()> {
    let background = instance.running.lock().take();
    if let Some(work) = background {
        let state = work.running.state();
        if state.ended.is_some() {
            let done = finish(instance, &work.job, &work.running);
            return done.inspect_err(|_| discard(instance, &work.job.capture));
        }
        *instance.running.lock() = Some(work);
        let percent = 100.0 * state.fraction();
        return say(instance, &format!("already analysing ({percent:.0} %); Cancel stops it"));
    }
    let (frames, reference) = range(instance)?;
    // Everything that can be wrong with the wish is told before frames are read.
    AnalysisSettings::from_values(&instance.params.values(Group::Analyze, 0.0)?)?;
    check_region(instance, frames, reference)?;
    let mut bar = Bar::new(instance);
    if let Some(capture) = capture::standing(instance)? {
        if (capture.first, capture.last) == frames {
            if capture.captured() < capture.len() {
                return say(instance, &capture::progress(&capture));
            }
            return fit(instance, capture, reference, bar);
        }
        capture.remove();
        instance.params.set_text("capture", "")?;
    }
    let fresh = Capture::new(&folder(instance)?, frames)?;
    if !capture::probe(instance, frames, reference)? {
        return collect(instance, &fresh);
    }
    // Frames that the host gives at a press are got again at the next; only collected ones are precious.
    let gone = fresh.clone();
    capture::fetch(instance, &fresh, &mut bar)
        .and_then(|()| fit(instance, fresh, reference, bar))
        .inspect_err(|_| gone.remove())
}

/// Tells what is wrong with the region and the corrections before frames are read, where the host shows the reference
/// frame.
fn check_region(instance: &Instance, frames: (i64, i64), reference: i64) -> Result<()> {
    let Some(image) = instance.source.image(reference as f64)? else { return Ok(()) };
    let size = image.size();
    drop(image);
    let index = usize::try_from(reference - frames.0).unwrap_or(0);
    let roi = region(instance, reference as f64, index, size)?.fitted_to(size, index + 1)?;
    corrections(instance, &roi, frames, size)?;
    Ok(())
}

/// What the user mended, checked against a region on frames `first` to `last`; empty without any.
fn corrections(
    instance: &Instance,
    roi: &Roi,
    (first, last): (i64, i64),
    size: (usize, usize),
) -> Result<Corrections> {
    let within = instance.params.double("within", 0.0)?;
    let drawn = Drawn::of(instance)?.corrections(roi, within, (first, last), size)?;
    let count = usize::try_from(last - first + 1).unwrap_or(0);
    Ok(if drawn.is_empty() { drawn } else { drawn.fitted_to(roi, size, count)? })
}

/// Clears frames away that can be got again; those collected while rendering stay.
fn discard(instance: &Instance, capture: &Capture) {
    let collected = capture::standing(instance).ok().flatten();
    if collected.as_ref() != Some(capture) {
        capture.remove();
    }
}

/// Runs the worker on captured frames and takes what it makes.
fn fit(instance: &Instance, capture: Capture, reference: i64, mut bar: Bar) -> Result<()> {
    let job = Job::prepare(instance, capture, reference)?;
    if store::open(&job.output).is_ok() {
        // The same clip, region and settings were fitted before: there is nothing to do anew.
        return job.adopt(instance);
    }
    let running = job.start(instance)?;
    if !Bar::exists(instance) {
        *instance.running.lock() = Some(Work { job, running });
        return say(instance, "analysing; press Analyze again to see how far it is, Cancel to stop it");
    }
    wait(&running, &mut bar)?;
    drop(bar);
    finish(instance, &job, &running)
}

/// The host gives no other frames in a button's action: they are kept as it renders them.
fn collect(instance: &Instance, capture: &Capture) -> Result<()> {
    let text = serde_json::to_string(capture).map_err(|e| Fault::Plain(e.to_string()))?;
    instance.params.together("RNA capture", || {
        instance.params.set_text("capture", &text)?;
        say(instance, &capture::progress(capture))
    })
}

/// Shows the worker's progress until it ends.
fn wait(running: &Running, bar: &mut Bar) -> Result<()> {
    loop {
        let state = running.state();
        if state.ended.is_some() {
            return Ok(());
        }
        let stage = if state.stage.is_empty() { "starting" } else { &state.stage };
        let shown = bar.stage(stage).and_then(|()| bar.update(state.fraction()));
        if let Err(fault) = shown {
            running.kill();
            return Err(fault);
        }
        std::thread::sleep(BEAT);
    }
}

fn finish(instance: &Instance, job: &Job, running: &Running) -> Result<()> {
    match running.state().ended {
        Some(true) if job.output.exists() => job.adopt(instance),
        _ => Err(running.complaint()),
    }
}

/// An analysis going on behind the host's back, where it has no bar to show.
pub(super) struct Work {
    job: Job,
    running: Running,
}

/// One analysis to be made.
struct Job {
    capture: Capture,
    output: PathBuf,
    file: JobFile,
}

impl Job {
    /// Describes the work. The output is named after everything it depends on: the same work has the same name and is
    /// found again, other work never overwrites it.
    fn prepare(instance: &Instance, capture: Capture, reference: i64) -> Result<Self> {
        let clip = clip::open(&capture.folder)?;
        let info = clip.info();
        if info.frames != capture.len() {
            return Err(Fault::Plain(format!(
                "{} of {} captured frames are there; press Analyze again",
                info.frames,
                capture.len()
            )));
        }
        let index = usize::try_from(reference - capture.first).unwrap_or(0);
        let roi = region(instance, reference as f64, index, info.size)?;
        roi.clone().fitted_to(info.size, info.frames)?;
        let mut settings = instance.params.values(Group::Analyze, 0.0)?;
        if settings.get("colour").is_some_and(|c| c == "auto") {
            settings.insert("colour".into(), host_colour(instance, info.depth).into());
        }
        let mut file = JobFile {
            clip: capture.folder.clone(),
            roi,
            output: PathBuf::new(),
            settings,
            first_frame: capture.first,
            mend: None,
        };
        let text = |v: &JobFile| serde_json::to_string(v).map_err(|e| Fault::Plain(e.to_string()));
        let folder = folder(instance)?;
        let content = (&file.roi, &file.settings, file.first_frame, store::fingerprint(clip.as_ref())?);
        let plain = folder.join(named_after(&content)?);
        let corrections = corrections(instance, &file.roi, (capture.first, capture.last), info.size)?;
        let output = if corrections.is_empty() {
            plain
        } else {
            let name = named_after(&(content, &corrections))?;
            file.mend = Some(Mend { analysis: plain, corrections });
            folder.join(name)
        };
        file.output.clone_from(&output);
        let job = Self { capture, output, file };
        let body = text(&job.file)?;
        write_atomic(&job.path(), |out| {
            out.write_all(body.as_bytes()).map_err(Error::io("write", job.path()))
        })?;
        Ok(job)
    }

    fn path(&self) -> PathBuf {
        self.output.with_extension("job.json")
    }

    fn start(&self, instance: &Instance) -> Result<Running> {
        if let Some(running) = Running::on(&self.output) {
            return Ok(running);
        }
        let log = self.output.with_extension("log");
        let running = Running::start(&worker(instance)?, &self.path(), &self.output, &log)?;
        instance.messages.clear();
        Ok(running)
    }

    /// Makes the finished analysis the instance's own, and clears away what led to it.
    fn adopt(&self, instance: &Instance) -> Result<()> {
        let open = show::analysis(&self.output)?;
        let header = open.header();
        let doubtful: Vec<usize> =
            (0..header.frames).filter(|&t| header.quality.iter().any(|q| q[t].is_doubtful())).collect();
        let engines: Vec<String> = header.engines.iter().map(|(k, v)| format!("{k} {v}")).collect();
        let mut status = format!("analysed {} frames ({})", header.frames, engines.join(", "));
        let mended = header.corrections.keys.len() + header.corrections.rotos.len();
        if mended > 0 {
            status += &format!(", {mended} corrections taken in");
        }
        if !doubtful.is_empty() {
            let shown: Vec<String> =
                doubtful.iter().map(|f| (self.capture.first + *f as i64).to_string()).collect();
            status += &format!("; look at frames {}: their fit is in doubt", shown.join(", "));
        }
        instance.params.together("RNA analysis", || {
            instance.params.set_text("analysis", &self.output.to_string_lossy())?;
            instance.params.set_text("capture", "")?;
            say(instance, &status)
        })?;
        self.capture.remove();
        for left in [self.path(), self.output.with_extension("log")] {
            // A note that stays behind harms nobody.
            let _ = std::fs::remove_file(left);
        }
        Ok(())
    }
}

/// The file name of an analysis made from this.
fn named_after(content: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string(content).map_err(|e| Fault::Plain(e.to_string()))?;
    Ok(format!("shot-{:016x}.rna", xxhash_rust::xxh3::xxh3_64(text.as_bytes())))
}

/// What a host's values mean when the user does not say: integers are for display everywhere; floats too in editors
/// that hand over the timeline's own values, and scene-linear in compositors.
fn host_colour(instance: &Instance, depth: Depth) -> &'static str {
    let host = super::props::Props::new(&instance.suites, instance.suites.host)
        .and_then(|p| p.string(crate::openfx::kOfxPropName, 0).ok())
        .unwrap_or_default()
        .to_lowercase();
    let editor = ["resolve", "vegas", "premiere", "catalyst"].iter().any(|e| host.contains(e));
    if editor || matches!(depth, Depth::U8 | Depth::U16) { "display" } else { "linear" }
}

/// The worker program, beside the plugin in its bundle.
fn worker(instance: &Instance) -> Result<PathBuf> {
    let props = super::describe::effect_props(&instance.suites, instance.effect)?;
    let bundle = PathBuf::from(props.string(crate::openfx::kOfxPluginPropFilePath, 0)?);
    let library = crate::openfx::library_in(&bundle);
    let program = library.with_file_name(format!("rna{}", std::env::consts::EXE_SUFFIX));
    if program.is_file() {
        return Ok(program);
    }
    Err(Fault::Plain(format!("the worker {} is missing; install the whole bundle again", program.display())))
}

fn cancel(instance: &Instance) -> Result<()> {
    if let Some(work) = instance.running.lock().take() {
        work.running.kill();
        discard(instance, &work.job.capture);
        return say(instance, "cancelled; press Analyze to go on");
    }
    if let Some(capture) = capture::standing(instance)? {
        instance.params.set_text("capture", "")?;
        capture.remove();
        return say(instance, "capture cancelled");
    }
    say(instance, "nothing is running")
}

/// The path of the analysis in use.
fn analysis_path(instance: &Instance) -> Result<PathBuf> {
    let path = instance.params.text("analysis")?;
    if path.is_empty() {
        return Err(Fault::Plain("there is no analysis yet: press Analyze first".into()));
    }
    Ok(PathBuf::from(path))
}

fn export_atlas(instance: &Instance) -> Result<()> {
    let analysis = show::analysis(&analysis_path(instance)?)?;
    let given = instance.params.text("atlas_file")?;
    if given.is_empty() {
        return Err(Fault::Plain("say where: choose a file in Atlas to write, .exr or .png".into()));
    }
    let file = Path::new(&given);
    check_atlas_name(file)?;
    refuse_existing(file)?;
    write_atlas(analysis.as_ref(), file)?;
    say(instance, &format!("wrote {given}: paint on a copy and choose it as Edited atlas"))
}

/// Nothing the user made is overwritten.
fn refuse_existing(file: &Path) -> Result<()> {
    if file.exists() {
        return Err(Fault::Plain(format!(
            "{} is there already, and may hold your work; choose another name",
            file.display()
        )));
    }
    Ok(())
}

/// Hosts keep what they rendered; a parameter that changes makes them render anew.
fn reload(instance: &Instance) -> Result<()> {
    let count: u64 = instance.params.text("revision")?.parse().unwrap_or(0);
    show::purge();
    instance.params.set_text("revision", &(count + 1).to_string())
}

fn export_frames(instance: &Instance, folder: &'static str, kind: PerFrame) -> Result<()> {
    let analysis = show::analysis(&analysis_path(instance)?)?;
    let given = instance.params.text(folder)?;
    if given.is_empty() {
        return Err(Fault::Plain("say where: choose a folder first".into()));
    }
    let folder = Path::new(&given);
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let frames = analysis.header().frames;
    (0..frames).try_for_each(|i| refuse_existing(&kind.file(folder, i)))?;
    let mut bar = Bar::new(instance);
    bar.stage("export")?;
    for index in 0..frames {
        bar.update(index as f64 / frames as f64)?;
        kind.write(analysis.as_ref(), folder, index)?;
    }
    say(instance, &format!("wrote {frames} files into {given}"))
}
