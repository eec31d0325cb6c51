//! Images as a plugin gets them: pixels in some format and order of rows, between guards.

use super::context::complain;
use super::memory::{Memory, PATTERN};
use super::property::PropertySet;
use super::report::Kind;
use super::tables;
use crate::frame::{Encoding, Image, Rect, Rgba};
use crate::openfx::*;
use half::f16;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a channel is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// 8-bit integers.
    Byte,
    /// 16-bit integers.
    Short,
    /// Half floats.
    Half,
    /// Single floats.
    Float,
}

/// Which channels a pixel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Components {
    /// Colour and alpha.
    Rgba,
    /// Colour.
    Rgb,
    /// Alpha.
    Alpha,
}

/// A pixel format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// How a channel is stored.
    pub depth: Depth,
    /// Which channels there are.
    pub components: Components,
}

impl Depth {
    /// Its name in the standard.
    pub fn name(self) -> &'static str {
        tables::text_of(match self {
            Depth::Byte => kOfxBitDepthByte,
            Depth::Short => kOfxBitDepthShort,
            Depth::Half => kOfxBitDepthHalf,
            Depth::Float => kOfxBitDepthFloat,
        })
    }

    /// The depth of that name.
    pub(super) fn named(name: &str) -> Option<Depth> {
        [Depth::Byte, Depth::Short, Depth::Half, Depth::Float].into_iter().find(|d| d.name() == name)
    }

    fn bytes(self) -> usize {
        match self {
            Depth::Byte => 1,
            Depth::Short | Depth::Half => 2,
            Depth::Float => 4,
        }
    }

    fn encode(self, v: f32, out: &mut Vec<u8>) {
        let level = |top: f32| (v.clamp(0.0, 1.0) * top).round();
        match self {
            Depth::Byte => out.push(level(255.0) as u8),
            Depth::Short => out.extend((level(65535.0) as u16).to_ne_bytes()),
            Depth::Half => out.extend(f16::from_f32(v).to_ne_bytes()),
            Depth::Float => out.extend(v.to_ne_bytes()),
        }
    }

    fn decode(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Depth::Byte, &[a]) => f32::from(a) / 255.0,
            (Depth::Short, &[a, b]) => f32::from(u16::from_ne_bytes([a, b])) / 65535.0,
            (Depth::Half, &[a, b]) => f16::from_ne_bytes([a, b]).to_f32(),
            (Depth::Float, &[a, b, c, d]) => f32::from_ne_bytes([a, b, c, d]),
            // `chunks_exact` gives no other lengths.
            _ => 0.0,
        }
    }
}

impl Components {
    /// Its name in the standard.
    pub fn name(self) -> &'static str {
        tables::text_of(match self {
            Components::Rgba => kOfxImageComponentRGBA,
            Components::Rgb => kOfxImageComponentRGB,
            Components::Alpha => kOfxImageComponentAlpha,
        })
    }

    /// The components of that name.
    pub(super) fn named(name: &str) -> Option<Components> {
        [Components::Rgba, Components::Rgb, Components::Alpha].into_iter().find(|c| c.name() == name)
    }

    /// Places in RGBA of the channels there are.
    fn channels(self) -> &'static [usize] {
        match self {
            Components::Rgba => &[0, 1, 2, 3],
            Components::Rgb => &[0, 1, 2],
            Components::Alpha => &[3],
        }
    }
}

impl Format {
    /// Bytes of one pixel.
    pub fn bytes(self) -> usize {
        self.depth.bytes() * self.components.channels().len()
    }

    fn encode(self, pixel: Rgba, out: &mut Vec<u8>) {
        self.components.channels().iter().for_each(|&c| self.depth.encode(pixel[c], out));
    }

    /// A pixel; colours that are not stored are black, alpha that is not is 1.
    fn decode(self, bytes: &[u8]) -> Rgba {
        let mut pixel = [0.0, 0.0, 0.0, 1.0];
        let values = bytes.chunks_exact(self.depth.bytes());
        for (&channel, bytes) in self.components.channels().iter().zip(values) {
            pixel[channel] = self.depth.decode(bytes);
        }
        pixel
    }
}

/// Where pixels lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) format: Format,
    /// Pixels there are, **y up** as everywhere in the interface.
    pub(super) bounds: Rect,
    /// Top row first, so that the stride between rows is negative.
    pub(super) negative: bool,
    /// Bytes after each row.
    pub(super) padding: usize,
}

impl Shape {
    fn row_length(&self) -> usize {
        self.bounds.width() * self.format.bytes()
    }

    fn stride(&self) -> usize {
        self.row_length() + self.padding
    }

    /// Where row `y` begins.
    fn row(&self, y: i32) -> usize {
        let up = (y - self.bounds.y0) as usize;
        let row = if self.negative { self.bounds.height() - 1 - up } else { up };
        row * self.stride()
    }
}

/// An image a plugin was given.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) properties: Arc<PropertySet>,
    /// Clip and time, for messages and as the image's identifier.
    pub(super) stamp: String,
    /// The call it was fetched in.
    pub(super) scope: u64,
    shape: Shape,
    memory: Memory,
    /// What an input held, to notice that it was written.
    content: Option<u64>,
}

/// What is needed to make a picture beside its pixels.
pub(super) struct Maker<'a> {
    pub(super) shape: Shape,
    pub(super) stamp: String,
    pub(super) scope: u64,
    pub(super) scale: [f64; 2],
    /// Pixels the whole frame has at this scale, y up.
    pub(super) whole: Rect,
    /// The whole frame, y down; `None` for an output, which holds rubbish.
    pub(super) pixels: Option<&'a Image<Rgba>>,
}

impl Maker<'_> {
    /// `None` when there is no memory.
    pub(super) fn make(self) -> Option<Arc<Picture>> {
        let (shape, bounds) = (self.shape, self.shape.bounds);
        let memory = Memory::new(shape.stride() * bounds.height())?;
        if let Some(pixels) = self.pixels {
            for y in bounds.y0..bounds.y1 {
                let mut row = Vec::with_capacity(shape.row_length());
                for x in bounds.x0..bounds.x1 {
                    shape.format.encode(at(pixels, self.whole, x, y), &mut row);
                }
                memory.write(shape.row(y), &row);
            }
        }
        let stride = shape.stride() as i32;
        let properties = PropertySet::new(format!("the image {}", self.stamp), &[tables::IMAGE]);
        properties
            .put(kOfxImageEffectPropPixelDepth, shape.format.depth.name())
            .put(kOfxImageEffectPropComponents, shape.format.components.name())
            .put(kOfxImageEffectPropRenderScale, self.scale)
            .put(kOfxImagePropBounds, corners(bounds))
            .put(kOfxImagePropRegionOfDefinition, corners(self.whole))
            .put(kOfxImagePropRowBytes, if shape.negative { -stride } else { stride })
            .put(kOfxImagePropUniqueIdentifier, self.stamp.as_str())
            .put(kOfxImagePropData, memory.data().addr() + shape.row(bounds.y0));
        // The plugin turns that address back into a pointer.
        memory.data().expose_provenance();
        let mut picture =
            Picture { properties, stamp: self.stamp, scope: self.scope, shape, memory, content: None };
        picture.content = self.pixels.map(|_| picture.hash());
        Some(Arc::new(picture))
    }
}

/// A rectangle as the standard's four ints.
pub(super) fn corners(rect: Rect) -> [i32; 4] {
    [rect.x0, rect.y0, rect.x1, rect.y1]
}

/// A pixel of a frame that covers `whole`; transparent black beyond.
fn at(pixels: &Image<Rgba>, whole: Rect, x: i32, y: i32) -> Rgba {
    if x < whole.x0 || y < whole.y0 || x >= whole.x1 || y >= whole.y1 {
        return [0.0; 4];
    }
    pixels[((x - whole.x0) as usize, (whole.y1 - 1 - y) as usize)]
}

impl Picture {
    fn hash(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.memory.read(0, self.memory.len()))
    }

    /// Complains about what was written where it must not be.
    pub(super) fn check(&self) {
        let padding_intact = || {
            let shape = &self.shape;
            let padding = |y| self.memory.read(shape.row(y) + shape.row_length(), shape.padding);
            (shape.bounds.y0..shape.bounds.y1).flat_map(padding).all(|b| b == PATTERN)
        };
        if !self.memory.is_intact() || !padding_intact() {
            complain(Kind::GuardOverwritten, format!("bytes beside the image {} were written", self.stamp));
        }
        if self.content.is_some_and(|before| before != self.hash()) {
            complain(Kind::SourceWritten, format!("the input {} was written", self.stamp));
        }
    }

    /// Complains about pixels written outside the window that was to be rendered.
    pub(super) fn check_window(&self, window: Rect) {
        let (shape, bytes) = (&self.shape, self.shape.format.bytes());
        let outside = |x: i32, y: i32| x < window.x0 || x >= window.x1 || y < window.y0 || y >= window.y1;
        for y in shape.bounds.y0..shape.bounds.y1 {
            let row = self.memory.read(shape.row(y), shape.row_length());
            for (x, pixel) in (shape.bounds.x0..).zip(row.chunks_exact(bytes)) {
                if outside(x, y) && pixel.iter().any(|&b| b != PATTERN) {
                    let text = format!("{} was written at ({x}, {y}), outside the render window", self.stamp);
                    complain(Kind::GuardOverwritten, text);
                    return;
                }
            }
        }
    }

    /// The bytes of a row of `window`, from left to right.
    pub(super) fn row(&self, y: i32, window: Rect) -> Vec<u8> {
        let bytes = self.shape.format.bytes();
        let from = self.shape.row(y) + (window.x0 - self.shape.bounds.x0) as usize * bytes;
        self.memory.read(from, window.width() * bytes)
    }
}

/// Rows of packed bytes, top down, as a picture.
pub(super) fn unpack(size: (usize, usize), format: Format, bytes: &[u8]) -> Image<Rgba> {
    let pixels = bytes.chunks_exact(format.bytes()).map(|b| format.decode(b)).collect();
    Image::from_vec(size.0, size.1, pixels)
}

/// A frame in other values and at another scale, as a host with proxies hands it over: each pixel is the mean of those
/// it covers.
pub(super) fn convert(
    frame: &Image<Rgba>,
    from: Encoding,
    to: Encoding,
    size: (usize, usize),
) -> Image<Rgba> {
    let curve = |v: f32| if from == to { v } else { to.from_display(from.to_display(v)) };
    let span = |i: usize, full: usize, small: usize| {
        let begin = i * full / small.max(1);
        begin..((i + 1) * full).div_ceil(small.max(1)).max(begin + 1).min(full)
    };
    Image::from_fn(size.0, size.1, |x, y| {
        let (columns, rows) = (span(x, frame.width(), size.0), span(y, frame.height(), size.1));
        let count = (columns.len() * rows.len()) as f32;
        let mut sum = [0.0; 4];
        for (y, x) in rows.flat_map(|y| columns.clone().map(move |x| (y, x))) {
            (0..4).for_each(|c| sum[c] += frame[(x, y)][c]);
        }
        let [r, g, b, a] = sum.map(|v| v / count);
        [curve(r), curve(g), curve(b), a]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_keeps_steps_of_a_byte() {
        for depth in [Depth::Byte, Depth::Short, Depth::Half, Depth::Float] {
            for components in [Components::Rgba, Components::Rgb, Components::Alpha] {
                let format = Format { depth, components };
                let mut bytes = Vec::new();
                format.encode([0.2, 0.4, 0.6, 0.8], &mut bytes);
                assert_eq!(bytes.len(), format.bytes());
                let back = format.decode(&bytes);
                let expected = [[0.2, 0.4, 0.6, 0.8], [0.2, 0.4, 0.6, 1.0], [0.0, 0.0, 0.0, 0.8]];
                let expected = expected[components as usize];
                assert!((0..4).all(|c| (back[c] - expected[c]).abs() < 3e-4), "{format:?} {back:?}");
            }
        }
    }

    #[test]
    fn rows_lie_either_way() {
        let format = Format { depth: Depth::Byte, components: Components::Alpha };
        let pixels = Image::from_fn(2, 3, |x, y| [0.0, 0.0, 0.0, (10 * y + x) as f32 / 255.0]);
        let whole = Rect::new(0, 0, 2, 3);
        for negative in [false, true] {
            let shape = Shape { format, bounds: whole, negative, padding: 5 };
            let maker =
                Maker { shape, stamp: "a".into(), scope: 0, scale: [1.0; 2], whole, pixels: Some(&pixels) };
            let picture = maker.make().unwrap();
            assert_eq!(picture.row(0, whole), [20, 21]);
            assert_eq!(picture.row(2, Rect::new(1, 0, 2, 3)), [1]);
            assert_eq!(picture.properties.first::<i32>(kOfxImagePropRowBytes), if negative { -7 } else { 7 });
        }
    }

    #[test]
    fn halved() {
        let frame = Image::from_fn(4, 2, |x, _| [x as f32; 4]);
        let half = convert(&frame, Encoding::Display, Encoding::Display, (2, 1));
        assert_eq!(half.pixels(), [[0.5; 4], [2.5; 4]]);
    }
}
