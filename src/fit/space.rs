//! Normalised coordinates, which the networks see, against pixels, which everything else does.

use crate::frame::{Rect, Vec2};
use serde::{Deserialize, Serialize};

/// A clip's normalised coordinates: `x / (rez/2) − 1`, `y / (rez/2) − 1` with `rez` the longer side of a frame, and
/// `t / (frames/2) − 1` (method, "Symbols"). Atlas coordinates are those of the reference frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// Half the longer side of a frame, pixels.
    pub half: f32,
    /// Half the number of frames.
    half_time: f32,
    /// The part of the reference frame that A covers, and the part of frames that M covers.
    pub atlas: Window,
    /// See [`Space::atlas`].
    pub picture: Window,
}

/// A square of normalised coordinates that a hash grid spans.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Its middle.
    pub centre: [f32; 2],
    /// Half its side.
    pub half: f32,
}

impl Window {
    /// All of the normalised coordinates.
    pub const WHOLE: Window = Window { centre: [0.0; 2], half: 1.0 };
}

impl Space {
    /// Of a clip; grids span the whole frame.
    pub fn new(size: (usize, usize), frames: usize) -> Self {
        Self {
            half: size.0.max(size.1) as f32 / 2.0,
            half_time: frames as f32 / 2.0,
            atlas: Window::WHOLE,
            picture: Window::WHOLE,
        }
    }

    /// The smallest window around a rectangle of pixels.
    pub fn window(&self, part: Rect) -> Window {
        let low = self.place([part.x0 as f32, part.y0 as f32]);
        let high = self.place([part.x1 as f32, part.y1 as f32]);
        let half = (high[0] - low[0]).max(high[1] - low[1]) / 2.0;
        Window { centre: [0, 1].map(|i| (low[i] + high[i]) / 2.0), half: half.max(1e-3) }
    }

    /// Normalised position of a pixel.
    pub fn place(&self, p: Vec2) -> Vec2 {
        p.map(|v| v / self.half - 1.0)
    }

    /// Pixel of a normalised position.
    pub fn pixel(&self, u: Vec2) -> Vec2 {
        u.map(|v| (v + 1.0) * self.half)
    }

    /// Normalised time of a frame.
    pub fn time(&self, frame: usize) -> f32 {
        frame as f32 / self.half_time - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_back_as_the_method_has_it() {
        let space = Space::new((768, 432), 70);
        assert_eq!(space.place([0.0, 384.0]), [-1.0, 0.0]);
        assert_eq!((space.time(0), space.time(35)), (-1.0, 0.0));
        let p = space.pixel(space.place([123.0, 45.0]));
        assert!((p[0] - 123.0).abs() < 1e-3 && (p[1] - 45.0).abs() < 1e-3);
        let window = space.window(Rect::new(96, 96, 288, 192));
        assert_eq!((window.centre, window.half), ([-0.5, -0.625], 0.25));
    }
}
