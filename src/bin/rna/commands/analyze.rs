//! `rna analyze`: from a clip and a region to a fitted atlas.

use super::{path, refuse_existing};
use crate::args;
use crate::console::Console;
use clap::ArgMatches;
use rna::engine::{self, Job, Mending, Report};
use rna::param::{AnalysisSettings, Group};
use rna::roi::Roi;
use rna::store::{JobFile, Mend};
use rna::{Error, Result};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Checks the request as far as it can be without decoding, then runs it.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let (job, mending) = if matches.contains_id("job") {
        from_file(path(matches, "job"))?
    } else {
        (Some(typed(matches)?), None)
    };
    let analysed = job.map(|job| engine::analyze(&job, &console.progress())).transpose()?;
    let mended = mending.map(|mending| engine::correct(&mending, &console.progress())).transpose()?;
    let Some(report) = mended.or(analysed) else { return Ok(()) };
    console.result(&report, &summary(&report));
    Ok(())
}

/// What was typed.
fn typed(matches: &ArgMatches) -> Result<Job> {
    let clip = path(matches, "clip");
    let settings = AnalysisSettings::from_values(&args::values(matches, Group::Analyze))?;
    let output = match matches.get_one::<PathBuf>("output") {
        Some(given) => given.clone(),
        None => default_output(clip)?,
    };
    refuse_existing(&output, "name another with -o, or delete it")?;
    let roi = Roi::read(path(matches, "roi"))?;
    Ok(Job { clip: clip.to_path_buf(), roi, output, settings, first_frame: 0 })
}

/// What a file asks for: an analysis where it is not there yet, and what is to be mended in it.
fn from_file(file: &Path) -> Result<(Option<Job>, Option<Mending>)> {
    let JobFile { clip, roi, output, settings, first_frame, mend } = JobFile::read(file)?;
    let settings = AnalysisSettings::from_values(&settings)?;
    refuse_existing(&output, "name another in the job, or delete it")?;
    let Some(Mend { analysis, corrections }) = mend else {
        return Ok((Some(Job { clip, roi, output, settings, first_frame }), None));
    };
    let mending = Mending { analysis: analysis.clone(), clip: clip.clone(), corrections, output };
    let job = Job { clip, roi, output: analysis, settings, first_frame };
    Ok(((!job.output.exists()).then_some(job), Some(mending)))
}

/// The clip's name with `.rna`, in the current folder: `shots/goat/%05d.png`, `shots/goat/` and `goat.mov` all give
/// `goat.rna`.
fn default_output(clip: &Path) -> Result<PathBuf> {
    let name = clip.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = match name.split_once('%') {
        Some((before, _)) => before.trim_end_matches(['.', '_', '-']).to_string(),
        None if clip.is_dir() => name,
        None => clip.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default(),
    };
    let stem = match (stem.is_empty(), clip.parent().and_then(Path::file_name)) {
        (true, Some(folder)) => folder.to_string_lossy().into_owned(),
        _ => stem,
    };
    if stem.is_empty() {
        return Err(Error::clip(
            clip,
            "it has no name to call the analysis by; name the output with -o shot.rna",
        ));
    }
    Ok(PathBuf::from(format!("{stem}.rna")))
}

pub(super) fn summary(report: &Report) -> String {
    let total: f64 = report.stages.iter().map(|s| s.seconds).sum();
    let mut text = format!("wrote {} in {total:.1} s", report.output.display());
    if !report.doubtful.is_empty() {
        let frames: Vec<_> = report.doubtful.iter().map(usize::to_string).collect();
        let _ = write!(text, "\nlook at these frames, their fit is in doubt: {}", frames.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_after_the_clip() {
        let name = |clip: &str| default_output(Path::new(clip)).map(|p| p.display().to_string()).ok();
        assert_eq!(name("shots/goat.mov").as_deref(), Some("goat.rna"));
        assert_eq!(name("shots/goat/%05d.png").as_deref(), Some("goat.rna"));
        assert_eq!(name("shots/goat_%05d.png").as_deref(), Some("goat.rna"));
        assert_eq!(name("src/").as_deref(), Some("src.rna"));
        assert_eq!(name("/"), None);
    }
}
