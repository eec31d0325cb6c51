//! Coordinates: rectangles, and the conversions between pixel grids. Every conversion of the project is here.

use super::Vec2;

/// A half-open rectangle of pixels: `x0 ≤ x < x1`, `y0 ≤ y < y1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rect {
    /// First column.
    pub x0: i32,
    /// First row.
    pub y0: i32,
    /// Column after the last.
    pub x1: i32,
    /// Row after the last.
    pub y1: i32,
}

impl Rect {
    /// From its corners.
    pub fn new(x0: i32, y0: i32, x1: i32, y1: i32) -> Self {
        Self { x0, y0, x1, y1 }
    }

    /// Columns; 0 when empty.
    pub fn width(&self) -> usize {
        (self.x1 - self.x0).max(0) as usize
    }

    /// Rows; 0 when empty.
    pub fn height(&self) -> usize {
        (self.y1 - self.y0).max(0) as usize
    }

    /// Pixels; 0 when empty.
    pub fn area(&self) -> usize {
        self.width() * self.height()
    }

    /// Whether it holds no pixel.
    pub fn is_empty(&self) -> bool {
        self.area() == 0
    }

    /// The part common to both; may be empty.
    #[must_use]
    pub fn intersect(&self, other: &Rect) -> Rect {
        Rect::new(self.x0.max(other.x0), self.y0.max(other.y0), self.x1.min(other.x1), self.y1.min(other.y1))
    }

    /// The smallest rectangle that holds both.
    #[must_use]
    pub fn union(&self, other: &Rect) -> Rect {
        Rect::new(self.x0.min(other.x0), self.y0.min(other.y0), self.x1.max(other.x1), self.y1.max(other.y1))
    }

    /// Grown by `margin` pixels on every side.
    #[must_use]
    pub fn grow(&self, margin: i32) -> Rect {
        Rect::new(self.x0 - margin, self.y0 - margin, self.x1 + margin, self.y1 + margin)
    }

    /// The smallest rectangle around points, pixels touched included; `None` without a finite point.
    pub fn around(points: impl IntoIterator<Item = Vec2>) -> Option<Rect> {
        let mut bounds: Option<[f32; 4]> = None;
        for [x, y] in points {
            if x.is_finite() && y.is_finite() {
                let b = bounds.get_or_insert([x, y, x, y]);
                *b = [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)];
            }
        }
        // What lies so far out is out, and stays so with any margin.
        bounds.map(|b| b.map(|v| v.clamp(-1e6, 1e6))).map(|[x0, y0, x1, y1]| {
            Rect::new(x0.floor() as i32, y0.floor() as i32, x1.ceil() as i32 + 1, y1.ceil() as i32 + 1)
        })
    }
}

/// Two pixel grids laid over the same picture, one `factor` times finer than the other, pixel centres at integers.
///
/// `coarse = (fine + ½) / factor − ½`. Used between full size (fine) and working size (coarse), and between an atlas
/// picture (fine) and reference-frame pixels (coarse).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scale {
    /// Fine pixels to a coarse one, horizontally and vertically.
    pub factor: [f64; 2],
}

impl Scale {
    /// Grids that coincide.
    pub const ONE: Scale = Scale { factor: [1.0, 1.0] };

    /// From two sizes of the same picture.
    pub fn between(fine: (usize, usize), coarse: (usize, usize)) -> Self {
        Self { factor: [fine.0 as f64 / coarse.0 as f64, fine.1 as f64 / coarse.1 as f64] }
    }

    /// A position on the fine grid, given on the coarse one.
    pub fn to_fine(&self, p: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|i| (p[i] + 0.5) * self.factor[i] - 0.5)
    }

    /// A position on the coarse grid, given on the fine one.
    pub fn to_coarse(&self, p: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|i| (p[i] + 0.5) / self.factor[i] - 0.5)
    }
}

/// The size a clip is worked at: its own, or scaled down so that the long side is `long_side`, never up.
pub fn working_size(full: (usize, usize), long_side: usize) -> (usize, usize) {
    let long = full.0.max(full.1);
    if long <= long_side {
        return full;
    }
    let scale = long_side as f64 / long as f64;
    let side = |n: usize| ((n as f64 * scale).round() as usize).max(1);
    (side(full.0), side(full.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_there_and_back() {
        let s = Scale::between((1920, 1080), (768, 432));
        for p in [[0.0, 0.0], [767.0, 431.0], [12.3, -4.5]] {
            let q = s.to_coarse(s.to_fine(p));
            assert!((q[0] - p[0]).abs() < 1e-12 && (q[1] - p[1]).abs() < 1e-12);
        }
        // The picture's own edges coincide: half a pixel outside the first centre on both grids.
        assert_eq!(s.to_fine([-0.5, -0.5]), [-0.5, -0.5]);
    }

    #[test]
    fn working_size_never_enlarges() {
        assert_eq!(working_size((640, 360), 768), (640, 360));
        assert_eq!(working_size((1920, 1080), 768), (768, 432));
        assert_eq!(working_size((10_000, 3), 768), (768, 1));
    }

    #[test]
    fn rect_around_points() {
        let r = Rect::around([[1.2, 3.0], [4.0, 5.5], [f32::NAN, 0.0]]);
        assert_eq!(r, Some(Rect::new(1, 3, 5, 7)));
        assert_eq!(Rect::around([]), None);
    }
}
