//! Where a session's clips take their frames from.

use crate::error::Result;
use crate::frame::{Encoding, Image, Rgba};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The frames of a clip, by time.
pub trait Frames: Send + Sync {
    /// Width and height in pixels.
    fn size(&self) -> (usize, usize);

    /// First and last time there is a frame at.
    fn range(&self) -> (f64, f64);

    /// How colours are meant.
    fn encoding(&self) -> Encoding {
        Encoding::Display
    }

    /// The frame at a time within the range.
    fn frame(&self, time: f64) -> Result<Image<Rgba>>;
}

/// The clips of a session by the names the plugin gave them, such as `Source`; one that is not here is unconnected.
pub type Clips = BTreeMap<String, Arc<dyn Frames>>;

/// Made-up frames in which every pixel says of which clip and time it is, so that a frame pulled wrongly is seen.
///
/// Red is the clip's number, green the time, blue and alpha a pattern of the position; all in steps of 1/255, so that
/// no pixel format loses any.
#[derive(Debug, Clone)]
pub struct Stamped {
    /// Told apart from other clips; 0…255.
    pub clip: u8,
    /// Width and height.
    pub size: (usize, usize),
    /// First and last time; whole numbers below 256 can be told apart.
    pub range: (f64, f64),
}

impl Frames for Stamped {
    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn range(&self) -> (f64, f64) {
        self.range
    }

    fn frame(&self, time: f64) -> Result<Image<Rgba>> {
        let level = |v: usize| (v % 256) as f32 / 255.0;
        let (clip, time) = (usize::from(self.clip), time.rem_euclid(256.0) as usize);
        Ok(Image::from_fn(self.size.0, self.size.1, |x, y| {
            [level(clip), level(time), level(7 * x + 13 * y), level(3 * x + 5 * y)]
        }))
    }
}

/// Clip and time of a stamped pixel.
pub fn stamp(pixel: Rgba) -> (u8, u8) {
    let level = |v: f32| (v * 255.0).round().clamp(0.0, 255.0) as u8;
    (level(pixel[0]), level(pixel[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_back() {
        let clip = Stamped { clip: 3, size: (4, 2), range: (0.0, 20.0) };
        assert_eq!(stamp(clip.frame(17.0).unwrap()[(3, 1)]), (3, 17));
    }
}
