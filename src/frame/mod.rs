//! Pixels: the vocabulary every other module speaks.
//!
//! Conventions that hold everywhere: x right, y down, **pixel centres at integers**; colours are RGBA `f32`;
//! a file's 8- and 16-bit values are scaled to 0…1, floats are kept as they are. Analysis works on display-encoded
//! values in *levels*, 0…255, because its noise constants are stated in 8-bit levels.

mod color;
mod coord;
mod filter;
mod image;
pub mod io;
mod resize;
mod sample;

pub use color::{Encoding, luminance, opponent};
pub use coord::{Rect, Scale, working_size};
pub use filter::{box_blur, dilate, distance, gaussian, scharr};
pub use image::{Image, Pixel, Rgba, Vec2};
pub use resize::resized;
pub use sample::{
    EXPOSURE, SHARP, averaged, bilinear, bilinear_or, cubic, cubic_weights, sharp, sharp_weights,
};

/// How a file stores one channel of a pixel; what is read at one depth is written at the same depth, bit-exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// 8-bit integers, 0…255 ↔ 0…1.
    U8,
    /// 16-bit integers, 0…65535 ↔ 0…1.
    U16,
    /// Half floats.
    F16,
    /// Single floats.
    F32,
}

/// Which channels a file has; in memory a picture is always RGBA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// One luminance channel, held as R = G = B, alpha 1.
    Grey,
    /// Luminance and alpha.
    GreyAlpha,
    /// Colour, alpha 1.
    Rgb,
    /// Colour and alpha, not premultiplied unless the container says so.
    Rgba,
}
