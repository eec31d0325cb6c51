//! JPEG through libjpeg.
//!
//! Decoders may round differently and most do; libjpeg is the one that editors and compositing programs agree with, so
//! a pixel that a render leaves alone is the pixel they show.

use super::raster::{from_bytes, to_bytes};
use super::{Header, Kind, Picture, check_size, one_line, write_atomic};
use crate::error::{Error, Result};
use crate::frame::{Channels, Depth, Image, Rgba};
use mozjpeg::{ColorSpace, Compress, Decompress};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Visually lossless, and the edit must not be the first thing the codec spoils.
const QUALITY: f32 = 96.0;

pub(super) fn read_header(path: &Path) -> Result<Header> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    guarded(path, || header_of(path, &open(path, BufReader::new(file))?))
}

pub(super) fn read(path: &Path) -> Result<Picture> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    guarded(path, || {
        let decoder = open(path, bytes.as_slice())?;
        let Header { size, depth, channels, .. } = header_of(path, &decoder)?;
        let started = if channels == Channels::Grey { decoder.grayscale() } else { decoder.rgb() };
        let mut started = started.map_err(|e| read_error(path, e))?;
        let raw = started.read_scanlines::<u8>().map_err(|e| read_error(path, e))?;
        let after = started.finish_into_inner().map_err(|e| read_error(path, e))?;
        // libjpeg takes the end of the data for the end of the picture and fills the rest with grey.
        if !bytes[..bytes.len() - after.len()].ends_with(&[0xff, 0xd9]) {
            return Err(cut_off(path));
        }
        Ok(Picture { pixels: from_bytes(raw, size, depth, channels), depth, channels })
    })
}

pub(super) fn write(path: &Path, pixels: &Image<Rgba>, channels: Channels) -> Result<()> {
    let (channels, space) = match channels {
        Channels::Grey | Channels::GreyAlpha => (Channels::Grey, ColorSpace::JCS_GRAYSCALE),
        Channels::Rgb | Channels::Rgba => (Channels::Rgb, ColorSpace::JCS_RGB),
    };
    let raw = to_bytes(pixels, Depth::U8, channels);
    let encoded = guarded(path, || {
        let mut encoder = Compress::new(space);
        encoder.set_size(pixels.width(), pixels.height());
        // The others search for the smallest file, which takes many times as long.
        encoder.set_fastest_defaults();
        encoder.set_quality(QUALITY);
        encoder.set_chroma_sampling_pixel_sizes((1, 1), (1, 1));
        let mut started = encoder.start_compress(Vec::new()).map_err(Error::io("write", path))?;
        started.write_scanlines(&raw).map_err(Error::io("write", path))?;
        started.finish().map_err(Error::io("write", path))
    })?;
    write_atomic(path, |out| out.write_all(&encoded).map_err(Error::io("write", path)))
}

fn open<R: BufRead>(path: &Path, reader: R) -> Result<Decompress<R>> {
    Decompress::new_reader(reader).map_err(|e| read_error(path, e))
}

fn header_of<R>(path: &Path, decoder: &Decompress<R>) -> Result<Header> {
    let (w, h) = decoder.size();
    check_size(path, w, h)?;
    let channels = match decoder.color_space() {
        ColorSpace::JCS_GRAYSCALE => Channels::Grey,
        ColorSpace::JCS_RGB | ColorSpace::JCS_YCbCr => Channels::Rgb,
        ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK => {
            return Err(Error::picture(path, "its colours are printing inks (CMYK); save it as RGB"));
        }
        _ => return Err(Error::picture(path, "its channels are neither grey nor colour; save it as RGB")),
    };
    Ok(Header { size: (w, h), depth: Depth::U8, channels, kind: Kind::Jpeg })
}

/// libjpeg leaves on a fatal error by unwinding, without the panic hook; here that becomes an error.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // Nothing outlives the unwinding but `path` and buffers that are only read.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let said = payload.downcast_ref::<String>().map_or("", String::as_str);
        let said = said.strip_prefix("libjpeg fatal error: ").unwrap_or(said);
        Err(Error::picture(path, format!("it is damaged ({})", one_line(said))))
    })
}

fn read_error(path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::WouldBlock => cut_off(path),
        ErrorKind::OutOfMemory => Error::picture(path, "it is larger than this machine's memory"),
        _ if error.raw_os_error().is_some() => Error::io("read", path)(error),
        _ => Error::picture(path, format!("it is damaged ({})", one_line(error))),
    }
}

fn cut_off(path: &Path) -> Error {
    Error::picture(path, "it is cut off before its end; copy or render it again")
}
