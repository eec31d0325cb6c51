//! The folder of unfinished work beside the output, from which an interrupted analysis goes on.
//!
//! Each finished stage leaves one file, written under another name and renamed. A key of everything the result depends
//! on guards the folder: a different clip, region or setting starts anew.

use crate::error::{Error, Result};
use crate::frame::io::write_atomic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder of one analysis.
#[derive(Debug)]
pub(super) struct WorkFolder {
    path: PathBuf,
}

impl WorkFolder {
    /// Opens `<output>.work`, or starts it anew when it belongs to other input.
    pub(super) fn open(output: &Path, key: &str) -> Result<Self> {
        let mut name = output.as_os_str().to_owned();
        name.push(".work");
        let folder = Self { path: PathBuf::from(name) };
        let key_file = folder.file("key");
        if std::fs::read_to_string(&key_file).is_ok_and(|k| k == key) {
            return Ok(folder);
        }
        if folder.path.exists() {
            folder.remove()?;
        }
        std::fs::create_dir_all(&folder.path).map_err(Error::io("create", &folder.path))?;
        write_atomic(&key_file, |file| {
            file.write_all(key.as_bytes()).map_err(Error::io("write", &key_file))
        })?;
        Ok(folder)
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What an earlier run left under `name`, if it is there and whole.
    pub(super) fn load<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = std::fs::read(self.file(name)).ok()?;
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        let whole = crc32fast::hash(body).to_le_bytes() == sum;
        if whole { postcard::from_bytes(body).ok() } else { None }
    }

    /// Keeps a finished stage.
    pub(super) fn save<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        let path = self.file(name);
        let mut bytes = postcard::to_stdvec(value)
            .map_err(|e| Error::io("write", &path)(std::io::Error::other(e.to_string())))?;
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        write_atomic(&path, |file| file.write_all(&bytes).map_err(Error::io("write", &path)))
    }

    /// Removes it with all it holds.
    pub(super) fn remove(&self) -> Result<()> {
        std::fs::remove_dir_all(&self.path).map_err(Error::io("remove", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_kept_for_the_same_key_and_dropped_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("shot.rna");
        let folder = WorkFolder::open(&output, "a").unwrap();
        folder.save("stage", &vec![1.5f32, 2.5]).unwrap();
        let again = WorkFolder::open(&output, "a").unwrap();
        assert_eq!(again.load::<Vec<f32>>("stage"), Some(vec![1.5, 2.5]));
        // A damaged file counts as not there.
        let mut bytes = std::fs::read(again.file("stage")).unwrap();
        bytes[1] ^= 1;
        std::fs::write(again.file("stage"), bytes).unwrap();
        assert_eq!(again.load::<Vec<f32>>("stage"), None);
        let other = WorkFolder::open(&output, "b").unwrap();
        assert_eq!(other.load::<Vec<f32>>("stage"), None);
        other.remove().unwrap();
        assert!(!output.with_extension("rna.work").exists());
    }
}
