//! What an analysis is asked for, as a file: how a plugin or a farm hands it to the executable.

use crate::correction::Corrections;
use crate::error::{Error, Result};
use crate::roi::Roi;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One analysis to be made, as JSON. Relative paths are taken from the folder the executable is started in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFile {
    /// Folder, pattern or video.
    pub clip: PathBuf,
    /// The region, as a `roi.json` has it.
    pub roi: Roi,
    /// The `.rna` to write.
    pub output: PathBuf,
    /// Values as typed, by parameter id; what is missing takes its default.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The number the host gives frame 0 of the clip.
    #[serde(default)]
    pub first_frame: i64,
    /// What the user mends, and the analysis without it: made when it is not there, kept beside the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<Mend>,
}

/// The part of a job that comes after an analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mend {
    /// The analysis to be mended.
    pub analysis: PathBuf,
    /// How.
    pub corrections: Corrections,
}

impl JobFile {
    /// Reads one; fails with [`Error::Job`] when it is something else, and when it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        serde_json::from_str(&text).map_err(|e| Error::Job {
            path: path.to_path_buf(),
            reason: format!(
                "{e}; it should hold {{\"clip\": …, \"roi\": {{\"reference_frame\": 0, \"polygons\": …}}, \"output\": …}}"
            ),
        })
    }

    /// Writes it, over one that is there.
    pub fn write(&self, path: &Path) -> Result<()> {
        let reason = |e: serde_json::Error| Error::Job { path: path.to_path_buf(), reason: e.to_string() };
        std::fs::write(path, serde_json::to_vec_pretty(self).map_err(reason)?)
            .map_err(Error::io("write", path))
    }
}
