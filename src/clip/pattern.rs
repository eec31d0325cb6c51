//! Numbered file names: `shot.%04d.exr`, `shot.####.exr`.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A file name with a place for the frame number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// What the user typed; for messages.
    pub(super) typed: PathBuf,
    /// Folder of the files.
    pub(super) folder: PathBuf,
    prefix: String,
    suffix: String,
    /// Least number of digits, filled with zeros.
    width: usize,
}

impl Pattern {
    /// Reads `%d`, `%04d` or a run of `#` in the last part of a path; `None` when there is no such place in it.
    ///
    /// Fails when there is more than one. `%%` stands for a percent sign.
    pub(super) fn parse(path: &Path) -> Result<Option<Pattern>> {
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { return Ok(None) };
        let mut parts = vec![String::new()];
        let mut width = 0;
        let mut rest = name;
        while let Some(c) = rest.chars().next() {
            let digits = rest.strip_prefix('%').map_or(0, |r| run(r, |b| b.is_ascii_digit()));
            if rest.starts_with("%%") {
                parts.last_mut().into_iter().for_each(|p| p.push('%'));
                rest = &rest[2..];
            } else if c == '%' && rest[1 + digits..].starts_with('d') {
                width = rest[1..1 + digits].parse().unwrap_or(0);
                parts.push(String::new());
                rest = &rest[2 + digits..];
            } else if c == '#' {
                width = run(rest, |b| b == b'#');
                parts.push(String::new());
                rest = &rest[width..];
            } else {
                parts.last_mut().into_iter().for_each(|p| p.push(c));
                rest = &rest[c.len_utf8()..];
            }
        }
        let folder = match path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
            _ => PathBuf::from("."),
        };
        match <[String; 2]>::try_from(parts) {
            Ok([prefix, suffix]) => {
                Ok(Some(Pattern { typed: path.to_path_buf(), folder, prefix, suffix, width: width.min(20) }))
            }
            Err(parts) if parts.len() > 2 => {
                Err(Error::clip(path, "the name has more than one place for the frame number; keep one"))
            }
            Err(_) => Ok(None),
        }
    }

    /// The file of frame number `number`.
    pub(super) fn file(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{}{number:0width$}{}", self.prefix, self.suffix, width = self.width))
    }

    /// The frame number of a file name, if it is exactly what the pattern makes of that number.
    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        let digits = name.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number: u64 = digits.parse().ok()?;
        (format!("{number:0width$}", width = self.width) == digits).then_some(number)
    }
}

/// Length of the leading run of bytes that satisfy a condition; only ever asked about ASCII.
fn run(text: &str, keep: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&b| keep(b)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Option<Pattern> {
        Pattern::parse(Path::new(text)).unwrap()
    }

    #[test]
    fn places_for_the_number() {
        for (typed, number, file) in [
            ("a/shot.%04d.exr", 7, "a/shot.0007.exr"),
            ("a/shot.####.exr", 7, "a/shot.0007.exr"),
            ("a/shot_%d.png", 12, "a/shot_12.png"),
            ("a/%05d.png", 123_456, "a/123456.png"),
            ("a/50%%_#é.png", 3, "a/50%_3é.png"),
        ] {
            let p = pattern(typed).unwrap();
            assert_eq!(p.file(number), PathBuf::from(file));
            let name = p.file(number).file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(p.number_of(&name), Some(number), "{typed}");
        }
        let p = pattern("%04d.png").unwrap();
        assert_eq!(p.folder, PathBuf::from("."));
        for foreign in ["1.png", "00001.png", "0001.exr", "000x.png", ".png", "x0001.png"] {
            assert_eq!(p.number_of(foreign), None, "{foreign}");
        }
        for plain in ["a/shot.png", "a/100%.png", "é%", "a/%s.png", "%d/shot.png"] {
            assert_eq!(pattern(plain), None, "{plain}");
        }
        assert!(Pattern::parse(Path::new("%02d_%02d.png")).is_err());
    }
}
