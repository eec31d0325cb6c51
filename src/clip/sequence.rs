//! A clip that is a folder of pictures or a numbered sequence of them.

use super::pattern::Pattern;
use super::{Clip, ClipInfo, check_finite};
use crate::error::{Error, Result};
use crate::frame::io::{self, Kind};
use crate::frame::{Encoding, Image, Rgba};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// Pictures on disk, in order; nothing is kept of them in memory.
#[derive(Debug)]
pub(super) struct Sequence {
    info: ClipInfo,
    files: Vec<PathBuf>,
}

impl Sequence {
    /// All pictures of a folder, by the numbers in their names; other files are passed over.
    pub(super) fn folder(path: &Path) -> Result<Sequence> {
        let mut files: Vec<(String, Kind)> = Vec::new();
        for name in file_names(path)? {
            if let Some(kind) = Kind::of_name(Path::new(&name)) {
                files.push((name, kind));
            }
        }
        files.sort_by(|a, b| natural_order(&a.0, &b.0));
        if let Some(other) = files.iter().find(|f| f.1 != files[0].1) {
            return Err(Error::clip(
                path,
                format!(
                    "it holds pictures of two kinds, {} ({}) and {} ({}); keep one kind, or name the frames by a \
                     pattern such as shot.%04d.exr",
                    files[0].1.name(),
                    files[0].0,
                    other.1.name(),
                    other.0
                ),
            ));
        }
        if files.is_empty() {
            return Err(Error::clip(path, "the folder holds no PNG, JPEG, TIFF or EXR pictures"));
        }
        Self::new(path, files.into_iter().map(|(name, _)| path.join(name)).collect())
    }

    /// The files of a pattern, from the least number found to the greatest, none missing.
    pub(super) fn pattern(pattern: &Pattern) -> Result<Sequence> {
        let path = &pattern.typed;
        if Kind::of_name(path).is_none() {
            return Err(Error::clip(path, "the pattern must name PNG, JPEG, TIFF or EXR pictures"));
        }
        let mut numbers: Vec<u64> =
            file_names(&pattern.folder)?.iter().filter_map(|name| pattern.number_of(name)).collect();
        numbers.sort_unstable();
        if let Some(gap) = numbers.windows(2).find(|n| n[1] != n[0] + 1) {
            let missing = pattern.file(gap[0] + 1);
            return Err(Error::clip(
                path,
                format!(
                    "frame {} is missing ({} is not there, though frames {} to {} are numbered around it); render it \
                     again or renumber the files",
                    gap[0] + 1,
                    missing.display(),
                    numbers[0],
                    numbers[numbers.len() - 1]
                ),
            ));
        }
        if numbers.is_empty() {
            return Err(Error::clip(
                path,
                format!("no file matches; the first would be {}", pattern.file(0).display()),
            ));
        }
        Self::new(path, numbers.into_iter().map(|n| pattern.file(n)).collect())
    }

    /// One picture as a clip of one frame.
    pub(super) fn single(path: &Path) -> Result<Sequence> {
        Self::new(path, vec![path.to_path_buf()])
    }

    /// `files` must not be empty.
    fn new(path: &Path, files: Vec<PathBuf>) -> Result<Sequence> {
        let header = io::read_header(&files[0]).map_err(|e| of_frame(e, &files[0], 0))?;
        let info = ClipInfo {
            path: path.to_path_buf(),
            size: header.size,
            frames: files.len(),
            depth: header.depth,
            channels: header.channels,
            encoding: if header.kind == Kind::Exr { Encoding::Linear } else { Encoding::Display },
        };
        Ok(Sequence { info, files })
    }
}

impl Clip for Sequence {
    fn info(&self) -> &ClipInfo {
        &self.info
    }

    fn frame(&self, index: usize) -> Result<Image<Rgba>> {
        let file = self.files.get(index).ok_or_else(|| super::no_such_frame(&self.info, index))?;
        let picture = io::read_picture(file).map_err(|e| of_frame(e, file, index))?;
        let (size, first) = (picture.pixels.size(), self.info.size);
        if size != first {
            return Err(Error::frame(
                file,
                index,
                format!("it is {}×{} pixels, but the first frame is {}×{}", size.0, size.1, first.0, first.1),
            ));
        }
        check_finite(&picture.pixels, file, index)?;
        Ok(picture.pixels)
    }
}

/// A picture's error told as that of a frame.
fn of_frame(error: Error, file: &Path, index: usize) -> Error {
    match error {
        Error::Picture { reason, .. } => Error::frame(file, index, reason),
        Error::Io { action, source, .. } => {
            Error::frame(file, index, format!("cannot {action} it: {source}"))
        }
        other => other,
    }
}

/// Names of the visible files of a folder, in no order; names that are not text cannot be pictures of ours.
fn file_names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        // A dot begins the companions macOS leaves beside every file on foreign disks: ._shot.0001.exr.
        let name = entry.file_name().into_string().ok().filter(|n| !n.starts_with('.'));
        if let Some(name) = name
            && !entry.path().is_dir()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Order in which runs of digits count as numbers: `f2` before `f10`; names that differ only in zeros by their text.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a, b);
    loop {
        let (run_x, number_x) = run(x);
        let (run_y, number_y) = run(y);
        let order = if number_x && number_y {
            let (p, q) = (run_x.trim_start_matches('0'), run_y.trim_start_matches('0'));
            p.len().cmp(&q.len()).then_with(|| p.cmp(q))
        } else {
            run_x.cmp(run_y)
        };
        if order != Ordering::Equal || run_x.is_empty() {
            return order.then_with(|| a.cmp(b));
        }
        (x, y) = (&x[run_x.len()..], &y[run_y.len()..]);
    }
}

/// The leading run of digits or of other characters, and whether it is digits.
fn run(text: &str) -> (&str, bool) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    (&text[..end], digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names =
            vec!["f10.png", "f2.png", "f1.png", "f002.png", "g1.png", "f1b3.png", "f1b20.png", "f.png"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names,
            ["f1.png", "f1b3.png", "f1b20.png", "f002.png", "f2.png", "f10.png", "f.png", "g1.png"]
        );
    }

    proptest! {
        /// Sorting needs a consistent order, or the standard library may panic.
        #[test]
        fn natural_order_is_an_order(a in "[a0-2é.]{0,6}", b in "[a0-2é.]{0,6}", c in "[a0-2é.]{0,6}") {
            prop_assert_eq!(natural_order(&a, &b), natural_order(&b, &a).reverse());
            if natural_order(&a, &b).is_le() && natural_order(&b, &c).is_le() {
                prop_assert!(natural_order(&a, &c).is_le());
            }
        }
    }
}
