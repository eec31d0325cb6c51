//! The folder of unfinished work beside the output, from which an interrupted analysis goes on.
//!
//! Each finished stage leaves one file, written under another name and renamed. A key of everything the result depends
//! on guards the folder: a different clip, region or setting starts anew.

use crate::error::{Error, Result};
use crate::frame::io::{TEMPORARY, write_atomic};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Names of the two files that are there before any stage is finished.
const KEY: &str = "key";
const LOCK: &str = "lock";

/// The folder of one analysis. Dropped before a stage is finished, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct WorkFolder {
    path: PathBuf,
    /// Locked while this process works here, so that no other takes its files for leftovers; the system unlocks it
    /// when the process ends in whatever way. `None` on disks that have no locks.
    lock: Option<File>,
}

impl WorkFolder {
    /// Opens `<output>.work`, or starts it anew when it belongs to other input. What a killed process left half written
    /// is removed. Fails while another process works there.
    pub(super) fn open(output: &Path, key: &str) -> Result<Self> {
        let mut name = output.as_os_str().to_owned();
        name.push(".work");
        let path = PathBuf::from(name);
        std::fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
        let lock = lock(&path.join(LOCK), output)?;
        let folder = Self { path, lock };
        let key_file = folder.file(KEY);
        if std::fs::read_to_string(&key_file).is_ok_and(|k| k == key) {
            folder.clear(|name| name.starts_with(TEMPORARY))?;
            return Ok(folder);
        }
        folder.clear(|name| name != LOCK)?;
        write_atomic(&key_file, |file| {
            file.write_all(key.as_bytes()).map_err(Error::io("write", &key_file))
        })?;
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes the files whose name is chosen.
    fn clear(&self, chosen: impl Fn(&str) -> bool) -> Result<()> {
        for name in self.names()? {
            if chosen(&name.to_string_lossy()) {
                let file = self.path.join(name);
                std::fs::remove_file(&file).map_err(Error::io("remove", &file))?;
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<OsString>> {
        let entries = std::fs::read_dir(&self.path).map_err(Error::io("read", &self.path))?;
        entries.map(|e| e.map(|e| e.file_name()).map_err(Error::io("read", &self.path))).collect()
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
    pub(super) fn remove(mut self) -> Result<()> {
        // Some systems remove no file that is open.
        self.lock = None;
        std::fs::remove_dir_all(&self.path).map_err(Error::io("remove", &self.path))
    }
}

impl Drop for WorkFolder {
    /// After a failure before the first stage was finished there is nothing to go on from.
    fn drop(&mut self) {
        let finished =
            |name: &OsString| name != KEY && name != LOCK && !name.to_string_lossy().starts_with(TEMPORARY);
        if self.names().is_ok_and(|names| !names.iter().any(finished)) {
            self.lock = None;
            std::fs::remove_dir_all(&self.path).ok();
        }
    }
}

/// Locks a file for this process; fails when another holds it.
fn lock(path: &Path, output: &Path) -> Result<Option<File>> {
    let opened = File::options().write(true).create(true).truncate(false).open(path);
    let file = opened.map_err(Error::io("create", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::Error(_)) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let advice = "another analysis is writing it; wait until it has ended, or name another output";
            Err(Error::io("write", output)(std::io::Error::other(advice)))
        }
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
        drop(folder);
        let again = WorkFolder::open(&output, "a").unwrap();
        assert_eq!(again.load::<Vec<f32>>("stage"), Some(vec![1.5, 2.5]));
        // A damaged file counts as not there.
        let mut bytes = std::fs::read(again.file("stage")).unwrap();
        bytes[1] ^= 1;
        std::fs::write(again.file("stage"), bytes).unwrap();
        assert_eq!(again.load::<Vec<f32>>("stage"), None);
        drop(again);
        let other = WorkFolder::open(&output, "b").unwrap();
        assert_eq!(other.load::<Vec<f32>>("stage"), None);
        other.save("stage", &0u8).unwrap();
        other.remove().unwrap();
        assert!(!output.with_extension("rna.work").exists());
    }

    #[test]
    fn half_written_files_are_cleared_away_but_not_those_of_a_living_process() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("shot.rna");
        let living = WorkFolder::open(&output, "a").unwrap();
        living.save("stage", &7u8).unwrap();
        std::fs::write(living.file(".rna-x.part"), "half").unwrap();
        for key in ["a", "b"] {
            let refused = WorkFolder::open(&output, key).unwrap_err().to_string();
            assert!(refused.contains("shot.rna: another analysis is writing it"), "{refused}");
        }
        assert!(living.file(".rna-x.part").exists() && living.load("stage") == Some(7u8));
        drop(living);
        let next = WorkFolder::open(&output, "a").unwrap();
        assert!(!next.file(".rna-x.part").exists() && next.load("stage") == Some(7u8));
    }

    #[test]
    fn a_folder_without_a_finished_stage_does_not_stay() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("shot.rna");
        let folder = WorkFolder::open(&output, "a").unwrap();
        std::fs::write(folder.file(".rna-x.part"), "half").unwrap();
        drop(folder);
        assert!(!output.with_extension("rna.work").exists());
    }
}
