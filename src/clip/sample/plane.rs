//! The layout of the scene on the reference frame, and its textures painted there.

use super::FINE;
use super::paint;
use super::shapes::Color;
use crate::frame::{Image, Rect, Rgba, bilinear, gaussian};
use crate::roi::coverage;
use rayon::prelude::*;

/// Size the scene is designed for; other sizes scale it.
const DESIGN: [f64; 2] = [640.0, 360.0];
/// The region's corners in design pixels, from the top left, clockwise: the poster seen a little from its side.
const REGION: [[f64; 2]; 4] = [[170.0, 93.0], [470.0, 80.0], [476.0, 274.0], [166.0, 262.0]];
/// Half the part of the poster inside the region, artwork coordinates.
const SHOWN: [f64; 2] = [0.49, 0.29];
/// Side of the landscape's texture against the frame, so that the camera never sees its end.
const WIDER: f64 = 1.6;

/// Conversions between pixels, design pixels, normalised and artwork coordinates.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    size: (usize, usize),
    /// Pixels to a design pixel.
    scale: f64,
    region: [[f64; 2]; 4],
    to_art: [[f64; 3]; 3],
    from_art: [[f64; 3]; 3],
}

impl Plane {
    pub(super) fn new(size: (usize, usize)) -> Plane {
        let scale = (size.0 as f64 / DESIGN[0]).min(size.1 as f64 / DESIGN[1]);
        let mut plane = Plane {
            size,
            scale,
            region: REGION,
            to_art: square_to_quad(&REGION),
            from_art: square_to_quad(&REGION),
        };
        plane.region = REGION.map(|p| plane.undesign(p));
        // Artwork to the unit square to the quadrilateral, and the inverse.
        let square = [[0.5 / SHOWN[0], 0.0, 0.5], [0.0, 0.5 / SHOWN[1], 0.5], [0.0, 0.0, 1.0]];
        plane.from_art = product(&square_to_quad(&plane.region), &square);
        plane.to_art = adjugate(&plane.from_art);
        plane
    }

    /// The region's corners, pixels of the reference frame.
    pub(super) fn region(&self) -> &[[f64; 2]] {
        &self.region
    }

    /// Pixels to normalised coordinates.
    pub(super) fn normalised(&self, p: [f64; 2]) -> [f64; 2] {
        let d = self.design(p);
        [0, 1].map(|i| (d[i] + 0.5 - DESIGN[i] / 2.0) / (DESIGN[0] / 2.0))
    }

    /// Normalised coordinates to pixels.
    pub(super) fn pixels(&self, n: [f64; 2]) -> [f64; 2] {
        self.undesign([0, 1].map(|i| n[i] * DESIGN[0] / 2.0 + DESIGN[i] / 2.0 - 0.5))
    }

    /// Pixels to pixels of the designed size, centres on centres.
    pub(super) fn design(&self, p: [f64; 2]) -> [f64; 2] {
        let size = [self.size.0 as f64, self.size.1 as f64];
        [0, 1].map(|i| (p[i] + 0.5 - size[i] / 2.0) / self.scale + DESIGN[i] / 2.0 - 0.5)
    }

    fn undesign(&self, d: [f64; 2]) -> [f64; 2] {
        let size = [self.size.0 as f64, self.size.1 as f64];
        [0, 1].map(|i| (d[i] + 0.5 - DESIGN[i] / 2.0) * self.scale + size[i] / 2.0 - 0.5)
    }

    /// Side of a pixel in design pixels.
    pub(super) fn design_pixel(&self) -> f32 {
        (1.0 / self.scale) as f32
    }

    fn art(&self, p: [f64; 2]) -> [f32; 2] {
        apply(&self.to_art, p).map(|v| v as f32)
    }

    /// The board at `FINE` texels a pixel, coverage as alpha, and where its first texel lies on the reference frame.
    pub(super) fn bake_board(&self, seed: u64) -> (Image<Rgba>, [f64; 2]) {
        let half = paint::BOARD.map(|v| f64::from(v) * 1.02);
        let corners = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
            .map(|[x, y]| apply(&self.from_art, [x * half[0], y * half[1]]).map(|v| v as f32));
        let bounds = Rect::around(corners).unwrap_or(Rect::new(0, 0, 1, 1)).grow(2);
        let at = [f64::from(bounds.x0), f64::from(bounds.y0)];
        let fine = FINE as f64;
        let board = image(bounds.width() * FINE, bounds.height() * FINE, |x, y| {
            // Edges are painted about a pixel wide, so one sample a texel is enough.
            let ([r, g, b], a) = paint::board(self.art([at[0] + x / fine, at[1] + y / fine]), seed);
            [r, g, b, a]
        });
        // A lens is never sharper than this; without it fine grain would flicker from frame to frame.
        (gaussian(&board, 0.45 * FINE as f32), at)
    }

    /// The landscape at half the frame's resolution, out of focus.
    pub(super) fn bake_landscape(&self, seed: u64) -> Image<Color> {
        let (w, h) = self.landscape_size();
        let picture = image(w, h, |x, y| {
            let p = [x / w as f64 - 0.5, (y - h as f64 / 2.0) / w as f64].map(|v| (v * WIDER) as f32);
            paint::landscape(p, seed)
        });
        gaussian(&picture, (1.3 * self.scale) as f32)
    }

    fn landscape_size(&self) -> (usize, usize) {
        let side = |n: usize| ((n as f64 * WIDER / 2.0) as usize).max(8);
        (side(self.size.0), side(self.size.1))
    }

    /// The landscape at normalised coordinates.
    pub(super) fn landscape_at(&self, landscape: &Image<Color>, n: [f64; 2]) -> Color {
        let (w, h) = landscape.size();
        let size = [self.size.0 as f64, self.size.1 as f64];
        let p = self.pixels(n);
        let share = [0, 1].map(|i| ((p[i] + 0.5) / size[i] - 0.5) / WIDER + 0.5);
        bilinear(landscape, [(share[0] * w as f64 - 0.5) as f32, (share[1] * h as f64 - 0.5) as f32])
    }

    /// The picture put on the surface, in pixels of the reference frame.
    pub(super) fn bake_picture(&self) -> Image<Rgba> {
        let (w, h) = self.size;
        let color = image(w, h, |x, y| {
            let mut sum = [0.0; 3];
            for i in 0..9 {
                let p = [x + f64::from(i % 3 - 1) / 3.0, y + f64::from(i / 3 - 1) / 3.0];
                let c = paint::artwork(self.art(p));
                // Bright light must not clip it, or the perfect edit could not be told from a good one.
                sum = [0, 1, 2].map(|k| sum[k] + 0.86 / 9.0 * c[k]);
            }
            sum
        });
        let alpha = coverage(&self.region, color.bounds());
        gaussian(&color, 0.7).zip(&alpha, |[r, g, b], a| [r, g, b, a])
    }
}

/// A picture whose rows are computed side by side.
fn image<P: Copy + Send>(w: usize, h: usize, pixel: impl Fn(f64, f64) -> P + Sync) -> Image<P> {
    let pixels = (0..w * h).into_par_iter().map(|i| pixel((i % w) as f64, (i / w) as f64)).collect();
    Image::from_vec(w, h, pixels)
}

type Matrix = [[f64; 3]; 3];

fn apply(m: &Matrix, [x, y]: [f64; 2]) -> [f64; 2] {
    let [u, v, w] = [0, 1, 2].map(|i| m[i][0] * x + m[i][1] * y + m[i][2]);
    [u / w, v / w]
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    [0, 1, 2].map(|i| [0, 1, 2].map(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The inverse up to a factor, which a projective map does not have.
fn adjugate(m: &Matrix) -> Matrix {
    [0, 1, 2].map(|i| {
        [0, 1, 2].map(|j| {
            let (a, b, c, d) = ((j + 1) % 3, (j + 2) % 3, (i + 1) % 3, (i + 2) % 3);
            m[a][c] * m[b][d] - m[a][d] * m[b][c]
        })
    })
}

/// The projective map of the unit square to a quadrilateral (Heckbert 1989).
fn square_to_quad(q: &[[f64; 2]; 4]) -> Matrix {
    let [p0, p1, p2, p3] = *q;
    let s = [0, 1].map(|i| p0[i] - p1[i] + p2[i] - p3[i]);
    let d1 = [p1[0] - p2[0], p1[1] - p2[1]];
    let d2 = [p3[0] - p2[0], p3[1] - p2[1]];
    let det = d1[0] * d2[1] - d2[0] * d1[1];
    let g = (s[0] * d2[1] - d2[0] * s[1]) / det;
    let h = (d1[0] * s[1] - s[0] * d1[1]) / det;
    [
        [p1[0] - p0[0] + g * p1[0], p3[0] - p0[0] + h * p3[0], p0[0]],
        [p1[1] - p0[1] + g * p1[1], p3[1] - p0[1] + h * p3[1], p0[1]],
        [g, h, 1.0],
    ]
}
