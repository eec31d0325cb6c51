//! Which models are known, and where their files are.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Motion between two frames.
    Flow,
    /// What tells points apart by their looks.
    Features,
    /// A soft mask from a trimap.
    Matting,
}

impl Purpose {
    /// For the user.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Flow => "optical flow",
            Purpose::Features => "features",
            Purpose::Matting => "matting",
        }
    }
}

/// A side of an input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Side {
    /// Always this long.
    Fixed(usize),
    /// As long as the input makes it.
    Free(String),
}

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name in the file.
    pub name: String,
    /// Batch, channels, rows, columns.
    pub shape: [Side; 4],
}

impl Port {
    /// Number of channels, where it is always the same.
    pub fn channels(&self) -> Option<usize> {
        match self.shape[1] {
            Side::Fixed(n) => Some(n),
            Side::Free(_) => None,
        }
    }
}

/// One model of `resources/models.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name here, for the record and the user.
    pub id: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Name of its file.
    pub file: String,
    /// What goes in: float32.
    pub inputs: Vec<Port>,
    /// What comes out: float32.
    pub outputs: Vec<Port>,
    /// Both sides of a picture must be a multiple of this.
    pub multiple: usize,
    /// Least side of a picture.
    pub smallest: usize,
    /// Level (0…255) per channel, red first, that becomes 0.
    pub mean: [f32; 3],
    /// Levels above it that become 1.
    pub deviation: [f32; 3],
    /// Input pixels to an output pixel.
    pub stride: usize,
    /// The official name of its weights.
    pub weights: String,
    /// Where they come from.
    pub source: String,
    /// Their licence.
    pub licence: String,
    /// The command that makes the file, from the project's root.
    pub obtain: String,
}

/// All models that are known; of those for one purpose the better comes later.
pub fn catalog() -> &'static [Model] {
    #[derive(Deserialize)]
    struct Catalog {
        models: Vec<Model>,
    }
    static CATALOG: LazyLock<Vec<Model>> = LazyLock::new(|| {
        let text = include_str!("../../resources/models.json");
        #[allow(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
        serde_json::from_str::<Catalog>(text).expect("the catalogue of models is sound").models
    });
    &CATALOG
}

/// Folders that may hold models, in the order they are searched.
#[derive(Debug, Clone)]
pub struct Shelf {
    folders: Vec<PathBuf>,
}

impl Shelf {
    /// The folder `given` by the user, `RNA_MODELS`, the bundle's `Resources/models` and the user's data folder.
    ///
    /// # Errors
    /// [`Error::Setting`] if the folder given is none.
    pub fn new(given: Option<&Path>) -> Result<Self> {
        if let Some(folder) = given.filter(|f| !f.is_dir()) {
            let reason =
                format!("{} is not a folder; name the one that holds the .onnx files", folder.display());
            return Err(Error::setting("models", reason));
        }
        let variable = std::env::var_os("RNA_MODELS").filter(|v| !v.is_empty()).map(PathBuf::from);
        // The worker lies in Contents/<system> of the bundle.
        let program = std::env::current_exe().ok();
        let bundle =
            program.as_deref().and_then(|p| Some(p.parent()?.parent()?.join("Resources").join("models")));
        let own = dirs::data_local_dir().map(|d| d.join("rna-ofx").join("models"));
        let folders = [given.map(Path::to_path_buf), variable, bundle, own].into_iter().flatten().collect();
        Ok(Self { folders })
    }

    /// Where it looks.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The file of a model, from the first folder that holds one.
    pub fn find(&self, model: &Model) -> Option<PathBuf> {
        self.folders.iter().map(|f| f.join(&model.file)).find(|p| p.is_file())
    }

    /// The best model for a purpose that is here.
    pub fn best(&self, purpose: Purpose) -> Option<(&'static Model, PathBuf)> {
        let of_kind = catalog().iter().rev().filter(|m| m.purpose == purpose);
        of_kind.filter_map(|m| Some((m, self.find(m)?))).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sound() {
        let all = catalog();
        for purpose in [Purpose::Flow, Purpose::Features, Purpose::Matting] {
            assert!(all.iter().any(|m| m.purpose == purpose));
        }
        for (i, m) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|n| n.id != m.id && n.file != m.file), "{} twice", m.id);
            assert!(m.multiple > 0 && m.smallest > 0 && m.stride > 0, "{}", m.id);
            assert!(m.deviation.iter().all(|d| *d > 0.0), "{}", m.id);
        }
    }

    #[test]
    fn the_first_folder_wins_and_the_better_model() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let shelf = Shelf { folders: vec![a.path().into(), b.path().into()] };
        assert!(shelf.best(Purpose::Flow).is_none());
        std::fs::write(b.path().join("raft-small.onnx"), "").unwrap();
        let (model, path) = shelf.best(Purpose::Flow).unwrap();
        assert_eq!((model.id.as_str(), path), ("raft-small", b.path().join("raft-small.onnx")));
        std::fs::write(a.path().join("raft-small.onnx"), "").unwrap();
        assert_eq!(shelf.best(Purpose::Flow).unwrap().1, a.path().join("raft-small.onnx"));
        std::fs::write(b.path().join("raft-large.onnx"), "").unwrap();
        assert_eq!(shelf.best(Purpose::Flow).unwrap().0.id, "raft-large");
    }

    #[test]
    fn a_folder_that_is_none_is_refused() {
        assert!(Shelf::new(Some(Path::new("/nowhere/at/all"))).is_err());
    }
}
