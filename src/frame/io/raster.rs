//! PNG and TIFF through the `image` crate.

use super::{Header, Kind, Picture, check_size, one_line, write_atomic};
use crate::error::{Error, Result};
use crate::frame::{Channels, Depth, Image, Rgba};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::tiff::TiffEncoder;
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

pub(super) fn read_header(path: &Path, kind: Kind) -> Result<Header> {
    let decoder = open(path, kind)?;
    header_of(path, kind, &decoder)
}

pub(super) fn read(path: &Path, kind: Kind) -> Result<Picture> {
    let decoder = open(path, kind)?;
    let header = header_of(path, kind, &decoder)?;
    let bytes = usize::try_from(decoder.total_bytes())
        .map_err(|_| Error::picture(path, "it is larger than this machine's memory"))?;
    let mut raw = vec![0u8; bytes];
    decoder.read_image(&mut raw).map_err(|e| read_error(path, e))?;
    let pixels = from_bytes(raw, header.size, header.depth, header.channels);
    Ok(Picture { pixels, depth: header.depth, channels: header.channels })
}

fn open(path: &Path, kind: Kind) -> Result<impl ImageDecoder> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let format = match kind {
        Kind::Png => ImageFormat::Png,
        // JPEG and EXR have their own readers and never come here.
        Kind::Tiff | Kind::Jpeg | Kind::Exr => ImageFormat::Tiff,
    };
    // Sizes are checked by `header_of`, with a message of ours; the codec's own limit would refuse large frames.
    let mut reader = ImageReader::with_format(BufReader::new(file), format);
    reader.no_limits();
    reader.into_decoder().map_err(|e| read_error(path, e))
}

fn header_of(path: &Path, kind: Kind, decoder: &impl ImageDecoder) -> Result<Header> {
    let (w, h) = decoder.dimensions();
    check_size(path, w as usize, h as usize)?;
    let (depth, channels) = match decoder.color_type() {
        ColorType::L8 => (Depth::U8, Channels::Grey),
        ColorType::La8 => (Depth::U8, Channels::GreyAlpha),
        ColorType::Rgb8 => (Depth::U8, Channels::Rgb),
        ColorType::Rgba8 => (Depth::U8, Channels::Rgba),
        ColorType::L16 => (Depth::U16, Channels::Grey),
        ColorType::La16 => (Depth::U16, Channels::GreyAlpha),
        ColorType::Rgb16 => (Depth::U16, Channels::Rgb),
        ColorType::Rgba16 => (Depth::U16, Channels::Rgba),
        ColorType::Rgb32F => (Depth::F32, Channels::Rgb),
        ColorType::Rgba32F => (Depth::F32, Channels::Rgba),
        other => return Err(Error::picture(path, format!("its pixels ({other:?}) are not understood"))),
    };
    Ok(Header { size: (w as usize, h as usize), depth, channels, kind })
}

fn read_error(path: &Path, error: ImageError) -> Error {
    match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::picture(path, "it is cut off before its end; copy or render it again")
        }
        ImageError::IoError(e) if e.raw_os_error().is_some() => Error::io("read", path)(e),
        ImageError::Limits(_) => {
            Error::picture(path, "it claims a size that no picture has; it is damaged, render it again")
        }
        ImageError::Unsupported(e) => Error::picture(
            path,
            format!("{}; save it with 8, 16 or 32 bits a channel, as colour", one_line(e)),
        ),
        e => Error::picture(path, format!("it is damaged ({})", one_line(e))),
    }
}

pub(super) fn write(
    path: &Path,
    pixels: &Image<Rgba>,
    kind: Kind,
    depth: Depth,
    channels: Channels,
) -> Result<()> {
    let channels = match (kind, channels) {
        (Kind::Tiff, Channels::GreyAlpha) => Channels::Rgba,
        (Kind::Tiff, Channels::Grey) if depth == Depth::F32 => Channels::Rgb,
        (_, channels) => channels,
    };
    let color = match (depth, channels) {
        (Depth::U8, Channels::Grey) => ExtendedColorType::L8,
        (Depth::U8, Channels::GreyAlpha) => ExtendedColorType::La8,
        (Depth::U8, Channels::Rgb) => ExtendedColorType::Rgb8,
        (Depth::U8, Channels::Rgba) => ExtendedColorType::Rgba8,
        (Depth::U16, Channels::Grey) => ExtendedColorType::L16,
        (Depth::U16, Channels::GreyAlpha) => ExtendedColorType::La16,
        (Depth::U16, Channels::Rgb) => ExtendedColorType::Rgb16,
        (Depth::U16, Channels::Rgba) => ExtendedColorType::Rgba16,
        (_, Channels::Grey | Channels::Rgb) => ExtendedColorType::Rgb32F,
        (_, Channels::GreyAlpha | Channels::Rgba) => ExtendedColorType::Rgba32F,
    };
    let raw = to_bytes(pixels, depth, channels);
    // Sides are at most LONGEST_SIDE, so they fit.
    let (w, h) = (pixels.width() as u32, pixels.height() as u32);
    write_atomic(path, |out: &mut BufWriter<File>| {
        let written = match kind {
            Kind::Png => PngEncoder::new_with_quality(out, CompressionType::Fast, FilterType::Adaptive)
                .write_image(&raw, w, h, color),
            Kind::Tiff | Kind::Jpeg | Kind::Exr => TiffEncoder::new(out).write_image(&raw, w, h, color),
        };
        written.map_err(|e| match e {
            ImageError::IoError(e) => Error::io("write", path)(e),
            e => Error::picture(path, format!("it cannot be written ({})", one_line(e))),
        })
    })
}

/// The opposite of [`to_bytes`].
pub(super) fn from_bytes(
    raw: Vec<u8>,
    (w, h): (usize, usize),
    depth: Depth,
    channels: Channels,
) -> Image<Rgba> {
    let values: Vec<f32> = match depth {
        Depth::U8 => raw.iter().map(|&v| f32::from(v) / 255.0).collect(),
        Depth::U16 => {
            raw.chunks_exact(2).map(|b| f32::from(u16::from_ne_bytes([b[0], b[1]])) / 65535.0).collect()
        }
        Depth::F16 | Depth::F32 => {
            raw.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
    };
    drop(raw);
    let pixels: Vec<Rgba> = match channels {
        Channels::Grey => values.iter().map(|&v| [v, v, v, 1.0]).collect(),
        Channels::GreyAlpha => values.chunks_exact(2).map(|p| [p[0], p[0], p[0], p[1]]).collect(),
        Channels::Rgb => values.chunks_exact(3).map(|p| [p[0], p[1], p[2], 1.0]).collect(),
        Channels::Rgba => values.chunks_exact(4).map(|p| [p[0], p[1], p[2], p[3]]).collect(),
    };
    Image::from_vec(w, h, pixels)
}

/// The picture as a file of integers stores it, channels interleaved, native byte order.
pub(crate) fn to_bytes(pixels: &Image<Rgba>, depth: Depth, channels: Channels) -> Vec<u8> {
    let chosen: &[usize] = match channels {
        Channels::Grey => &[0],
        Channels::GreyAlpha => &[0, 3],
        Channels::Rgb => &[0, 1, 2],
        Channels::Rgba => &[0, 1, 2, 3],
    };
    let size = match depth {
        Depth::U8 => 1,
        Depth::U16 => 2,
        Depth::F16 | Depth::F32 => 4,
    };
    let mut raw = Vec::with_capacity(pixels.pixels().len() * chosen.len() * size);
    for p in pixels.pixels() {
        for &c in chosen {
            // `as` takes NaN to 0, which is what the interface promises.
            match depth {
                Depth::U8 => raw.push((p[c].clamp(0.0, 1.0) * 255.0).round() as u8),
                Depth::U16 => {
                    raw.extend_from_slice(&((p[c].clamp(0.0, 1.0) * 65535.0).round() as u16).to_ne_bytes());
                }
                Depth::F16 | Depth::F32 => raw.extend_from_slice(&p[c].to_ne_bytes()),
            }
        }
    }
    raw
}
