//! OpenEXR through the `exr` crate.

use super::{Header, Kind, Picture, check_size, one_line, write_atomic};
use crate::error::{Error, Result};
use crate::frame::{Channels, Depth, Image, Rgba};
use exr::meta::MetaData;
use exr::meta::attribute::SampleType;
use exr::meta::header::Header as LayerHeader;
use exr::prelude as x;
use exr::prelude::{ReadChannels, ReadLayers, ReadSpecificChannel, WritableImage};
use half::f16;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// What the header says: size and kind of the picture, and where the stored pixels lie on it.
struct Layout {
    header: Header,
    /// Top left of the stored pixels, relative to the picture's.
    origin: [i64; 2],
}

pub(super) fn read_header(path: &Path) -> Result<Header> {
    Ok(layout(path)?.header)
}

/// Reads only the header, and judges it before pixels are asked for.
fn layout(path: &Path) -> Result<Layout> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let meta = MetaData::read_from_buffered(BufReader::new(file), false).map_err(|e| read_error(path, e))?;
    let names =
        |h: &LayerHeader| -> Vec<String> { h.channels.list.iter().map(|c| c.name.to_string()).collect() };
    let usable = |h: &&LayerHeader| {
        let names = names(h);
        let has = |n: &str| names.iter().any(|m| m == n);
        !h.deep && (has("R") || (has("Y") && !has("RY")))
    };
    let Some(header) = meta.headers.iter().find(usable) else {
        let all: Vec<String> = meta.headers.iter().flat_map(names).take(12).collect();
        return Err(Error::picture(
            path,
            format!("none of its layers has the channels R, G, B or Y (it has {})", all.join(", ")),
        ));
    };
    let names = names(header);
    let has = |n: &str| names.iter().any(|m| m == n);
    let channels = match (has("R"), has("A")) {
        (true, true) => Channels::Rgba,
        (true, false) => Channels::Rgb,
        (false, true) => Channels::GreyAlpha,
        (false, false) => Channels::Grey,
    };
    let mut depth = Depth::F16;
    let ours: &[&str] = if has("R") { &["R", "G", "B", "A"] } else { &["Y", "A"] };
    for c in header.channels.list.iter().filter(|c| ours.iter().any(|n| c.name == **n)) {
        if c.sampling != x::Vec2(1, 1) {
            return Err(Error::picture(
                path,
                format!("its channel {} is subsampled; save it at full size", c.name),
            ));
        }
        match c.sample_type {
            SampleType::F16 => (),
            SampleType::F32 => depth = Depth::F32,
            SampleType::U32 => {
                return Err(Error::picture(
                    path,
                    format!("its channel {} holds integers; save it as float", c.name),
                ));
            }
        }
    }
    let window = header.shared_attributes.display_window;
    let at = header.own_attributes.layer_position;
    check_size(path, header.layer_size.0, header.layer_size.1)?;
    check_size(path, window.size.0, window.size.1)?;
    let origin =
        [i64::from(at.0) - i64::from(window.position.0), i64::from(at.1) - i64::from(window.position.1)];
    let size = (window.size.0, window.size.1);
    Ok(Layout { header: Header { size, depth, channels, kind: Kind::Exr }, origin })
}

pub(super) fn read(path: &Path) -> Result<Picture> {
    let Layout { header, origin } = layout(path)?;
    let file = BufReader::new(File::open(path).map_err(Error::io("read", path))?);
    let grey = matches!(header.channels, Channels::Grey | Channels::GreyAlpha);
    let opaque = matches!(header.channels, Channels::Grey | Channels::Rgb);
    let (w, h) = header.size;
    let empty = move || Image::new(w, h, [0.0, 0.0, 0.0, if opaque { 1.0 } else { 0.0 }]);
    let put = move |image: &mut Image<Rgba>, at: x::Vec2<usize>, value: Rgba| {
        let (px, py) = (at.0 as i64 + origin[0], at.1 as i64 + origin[1]);
        if px >= 0 && py >= 0 && px < w as i64 && py < h as i64 {
            image[(px as usize, py as usize)] = value;
        }
    };
    let reader = x::read().no_deep_data().largest_resolution_level().specific_channels();
    let pixels = if grey {
        reader
            .required("Y")
            .optional("A", 1.0f32)
            .collect_pixels(move |_, _| empty(), move |im, at, (y, a): (f32, f32)| put(im, at, [y, y, y, a]))
            .first_valid_layer()
            .all_attributes()
            .from_buffered(file)
            .map(|image| image.layer_data.channel_data.pixels)
    } else {
        reader
            .required("R")
            .optional("G", 0.0f32)
            .optional("B", 0.0f32)
            .optional("A", 1.0f32)
            .collect_pixels(
                move |_, _| empty(),
                move |im, at, (r, g, b, a): (f32, f32, f32, f32)| put(im, at, [r, g, b, a]),
            )
            .first_valid_layer()
            .all_attributes()
            .from_buffered(file)
            .map(|image| image.layer_data.channel_data.pixels)
    }
    .map_err(|e| read_error(path, e))?;
    Ok(Picture { pixels, depth: header.depth, channels: header.channels })
}

fn read_error(path: &Path, error: exr::error::Error) -> Error {
    match error {
        exr::error::Error::Io(e) if e.raw_os_error().is_some() => Error::io("read", path)(e),
        exr::error::Error::Io(_) => {
            Error::picture(path, "it is cut off before its end; copy or render it again")
        }
        exr::error::Error::NotSupported(e) => {
            Error::picture(path, format!("it uses {e}, which is not supported"))
        }
        e => Error::picture(path, format!("it is damaged ({})", one_line(e))),
    }
}

/// Writes one layer, losslessly compressed; `depth` is [`Depth::F16`] or [`Depth::F32`].
pub(super) fn write(path: &Path, pixels: &Image<Rgba>, depth: Depth, channels: Channels) -> Result<()> {
    let stored: &[(&str, usize)] = match channels {
        Channels::Grey => &[("Y", 0)],
        Channels::GreyAlpha => &[("Y", 0), ("A", 3)],
        Channels::Rgb => &[("R", 0), ("G", 1), ("B", 2)],
        Channels::Rgba => &[("R", 0), ("G", 1), ("B", 2), ("A", 3)],
    };
    let samples = |c: usize| {
        let values = pixels.pixels().iter().map(|p| p[c]);
        match depth {
            Depth::F32 => x::FlatSamples::F32(values.collect()),
            _ => x::FlatSamples::F16(values.map(f16::from_f32).collect()),
        }
    };
    let list = stored.iter().map(|&(name, c)| x::AnyChannel::new(name, samples(c))).collect();
    let encoding = x::Encoding { compression: x::Compression::ZIP16, ..x::Encoding::FAST_LOSSLESS };
    let layer =
        x::Layer::new(pixels.size(), x::LayerAttributes::default(), encoding, x::AnyChannels::sort(list));
    let image = x::Image::from_layer(layer);
    write_atomic(path, |out| {
        image.write().to_buffered(out).map_err(|e| match e {
            exr::error::Error::Io(e) => Error::io("write", path)(e),
            e => Error::picture(path, format!("it cannot be written ({})", one_line(e))),
        })
    })
}
