//! Files that appear complete or not at all.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// How the names of files begin that are on their way to another name.
pub(crate) const TEMPORARY: &str = ".rna-";

/// Writes a file by filling a temporary one in the same folder and renaming it, so that a crash, a full disk or a
/// cancel never leaves half a file under `path`. An existing file is replaced.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let temporary = temporary_beside(path, ".part")?;
    // The buffer writes through a second handle; the first keeps the duty to remove the file.
    let mut buffer = BufWriter::new(temporary.reopen().map_err(Error::io("write", path))?);
    fill(&mut buffer)?;
    buffer.flush().map_err(Error::io("write", path))?;
    drop(buffer);
    temporary.persist(path).map_err(|e| Error::io("write", path)(e.error))?;
    Ok(())
}

/// A temporary file in the folder of `path`, removed unless it is persisted; `suffix` ends its name.
pub(crate) fn temporary_beside(path: &Path, suffix: &str) -> Result<tempfile::NamedTempFile> {
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY).suffix(suffix);
    // A temporary file is private by default; the finished one must be readable like any other.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(&folder).map_err(|e| {
        // The path of the temporary file itself would only confuse.
        let source = std::io::Error::new(e.kind(), format!("its folder takes no new files ({})", e.kind()));
        Error::Io { action: "write", path: path.to_path_buf(), source }
    })
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
