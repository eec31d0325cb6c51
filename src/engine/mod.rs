//! The order of the stages, and resuming after the last finished one.

use crate::error::Result;
use crate::param::AnalysisSettings;
use crate::progress::Progress;
use crate::roi::Roi;
use std::path::PathBuf;

/// One clip to analyse.
#[derive(Debug, Clone)]
pub struct Job {
    /// Folder, pattern or video; see [`crate::clip`].
    pub clip: PathBuf,
    /// The region as drawn.
    pub roi: Roi,
    /// The `.rna` to write. An existing file is not overwritten.
    pub output: PathBuf,
    /// Checked settings.
    pub settings: AnalysisSettings,
}

/// Time one stage took.
#[derive(Debug, Clone, serde::Serialize)]
pub struct StageTime {
    /// Its name.
    pub name: &'static str,
    /// Wall seconds; 0 when its result was there from an earlier run.
    pub seconds: f64,
}

/// What an analysis did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// The `.rna` written.
    pub output: PathBuf,
    /// Times, in order.
    pub stages: Vec<StageTime>,
    /// Frames whose fit the user should look at, from 0.
    pub doubtful: Vec<usize>,
}

/// Analyses a clip: from frames on disk to a finished `.rna`.
pub fn analyze(_job: &Job, _progress: &Progress) -> Result<Report> {
    Err(crate::Error::Cancelled)
}
