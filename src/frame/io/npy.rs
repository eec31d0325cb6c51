//! NumPy arrays: the plainest way to hand position maps to scripts.

use super::write_atomic;
use crate::error::{Error, Result};
use crate::frame::{Image, Vec2};
use std::io::Write;
use std::path::Path;

/// Writes a field as a NumPy `.npy` file, format 1.0: shape (height, width, 2), little-endian `f32`, C order; NaN and
/// infinities are kept. It appears by rename.
pub fn write_npy(path: &Path, field: &Image<Vec2>) -> Result<()> {
    let dict = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}, 2), }}",
        field.height(),
        field.width()
    );
    // Magic (6), version (2), length (2), text, newline: together a multiple of 64, as the format asks.
    let length = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&(length as u16).to_le_bytes());
    header.extend_from_slice(format!("{dict:<width$}\n", width = length - 1).as_bytes());
    write_atomic(path, |out| {
        out.write_all(&header).map_err(Error::io("write", path))?;
        let mut bytes = Vec::with_capacity(field.width() * 8);
        for y in 0..field.height() {
            bytes.clear();
            bytes.extend(field.row(y).iter().flatten().flat_map(|v| v.to_le_bytes()));
            out.write_all(&bytes).map_err(Error::io("write", path))?;
        }
        Ok(())
    })
}
