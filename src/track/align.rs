//! Photometric alignment: the map for which a frame, read through it, looks like the template.
//!
//! Gauss–Newton in atlas space on Σ w·|frame(P(u)) − template(u)|² + stiffness · bending, with robust weights that fade
//! out what does not look like the surface. It assumes that the start is within a few pixels.
//!
//! Light that the template lacks would pull smooth gradients along: a sky as far as tens of pixels. So only what differs
//! from the neighbourhood pulls, as if each had a brightness of its own; all slopes hold what is not pulled.

use super::canvas::{Canvas, Map};
use super::contrast::beyond_around;
use super::spline::{Quadric, Unbent};
use crate::frame::{Image, Rect, Rgba, Vec2, box_blur, cubic, gaussian, scharr};
use crate::light::Light;

/// Levels (of 255) from which a channel counts as clipped, and says nothing about position any more.
const CLIPPED: f32 = 252.0;
/// Mean move in pixels below which an alignment has arrived.
const ARRIVED: f32 = 2e-3;
/// Largest move of a point in one iteration, pixels.
const LONGEST_STEP: f32 = 3.0;

/// What the surface should look like in a frame: light × atlas, on the canvas, in levels.
#[derive(Debug, Clone)]
pub struct Template {
    /// Colour in levels.
    pub picture: Image<Rgba>,
    /// 0…1: how far each pixel is known.
    pub weight: Image<f32>,
}

impl Template {
    /// The same in the light of a frame, the only one of `light`.
    pub(super) fn lit(&self, light: &Light) -> Self {
        let lit = |a: Rgba, g: Rgba| [a[0] * g[0], a[1] * g[1], a[2] * g[2], a[3]];
        Self { picture: self.picture.zip(&light.field(0), lit), weight: self.weight.clone() }
    }
}

/// The part of a frame that an alignment reads.
pub struct Target {
    colour: Image<Rgba>,
    /// Frame position of the part's first pixel.
    origin: Vec2,
    /// Size of the whole frame.
    frame: (usize, usize),
}

impl Target {
    /// The part of `frame` that `positions` touch, with room to move, blurred by `blur` pixels.
    pub fn new(frame: &Image<Rgba>, positions: &Image<Vec2>, blur: f32) -> Self {
        let room = 16 + (3.0 * blur) as i32;
        let part = Rect::around(positions.pixels().iter().copied())
            .map_or(frame.bounds(), |r| r.grow(room).intersect(&frame.bounds()));
        let part = if part.is_empty() { frame.bounds() } else { part };
        let colour = gaussian(&frame.crop(part), blur);
        Self { colour, origin: [part.x0 as f32, part.y0 as f32], frame: frame.size() }
    }

    /// Whether a frame position lies on the picture.
    #[inline]
    pub fn holds(&self, [x, y]: Vec2) -> bool {
        x >= 0.0 && y >= 0.0 && x <= (self.frame.0 - 1) as f32 && y <= (self.frame.1 - 1) as f32
    }

    #[inline]
    fn local(&self, p: Vec2) -> Vec2 {
        [p[0] - self.origin[0], p[1] - self.origin[1]]
    }
}

/// What the bending energy counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// From a homography, which is found together with the bend: a plane costs nothing.
    Plane,
    /// From the home map: keeping its shape costs nothing.
    Home,
}

/// How an alignment weighs its evidence.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Weight of the bending energy.
    pub stiffness: f64,
    /// What counts as unbent.
    pub rest: Rest,
    /// Gauss–Newton steps.
    pub iterations: usize,
    /// Misfit in levels beyond which a pixel is taken for something else (doubled in the first step).
    pub sigma: f32,
    /// Weight of a pull to the home map at every pixel: holds what no evidence holds.
    pub pull: f32,
    /// Blur in canvas pixels on both sides before comparing, for a wider reach.
    pub blur: f32,
}

/// The outcome of an alignment.
#[derive(Debug, Clone)]
pub struct Alignment {
    /// The map found.
    pub map: Map,
    /// Its dense positions.
    pub positions: Image<Vec2>,
    /// Robust weight of each pixel, 0…1, before the last step.
    pub weight: Image<f32>,
    /// Squared misfit of each pixel (mean over 3×3 and channels, levels²), before the last step.
    pub misfit: Image<f32>,
}

impl Alignment {
    /// Robust mean misfit over the region, 0 (fits) … 1 (nothing fits); pixels outside the picture do not count.
    pub fn cost(&self, canvas: &Canvas, frame: (usize, usize)) -> f32 {
        let mut sum = [0.0f32; 2];
        for ((m, p), c) in
            self.misfit.pixels().iter().zip(self.positions.pixels()).zip(canvas.coverage.pixels())
        {
            let on =
                p[0] >= 0.0 && p[1] >= 0.0 && p[0] <= (frame.0 - 1) as f32 && p[1] <= (frame.1 - 1) as f32;
            if *c > 0.5 && on {
                sum = [sum[0] + m / (m + 64.0), sum[1] + 1.0];
            }
        }
        if sum[1] > 0.0 { sum[0] / sum[1] } else { 1.0 }
    }

    /// Mean robust weight over the region: the share of it that is seen and fits.
    pub fn seen(&self, canvas: &Canvas) -> f32 {
        let pairs = self.weight.pixels().iter().zip(canvas.coverage.pixels());
        let sum = pairs.fold([0.0, 0.0], |s, (w, c)| [s[0] + w * c, s[1] + c]);
        sum[0] / f32::max(sum[1], 1.0)
    }
}

/// A point of the surface whose place in the frame is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pin {
    /// On the canvas.
    pub on: Vec2,
    /// In the frame, working-size pixels.
    pub at: Vec2,
    /// Weight of its squared distance from where a map puts it, against the squared misfits.
    pub weight: f32,
}

/// Aligns `frame` with `template`, starting from `start`; `home` is what the pull and [`Rest::Home`] refer to.
pub fn align(
    canvas: &Canvas,
    frame: &Image<Rgba>,
    template: &Template,
    start: &Map,
    home: &Map,
    options: &Options,
) -> Alignment {
    align_pinned(canvas, frame, template, &[], (start, home), options)
}

/// As [`align`], with points that are held in place; `maps` are start and home.
pub(super) fn align_pinned(
    canvas: &Canvas,
    frame: &Image<Rgba>,
    template: &Template,
    pins: &[Pin],
    (start, home): (&Map, &Map),
    options: &Options,
) -> Alignment {
    let first = canvas.positions(start);
    let home = Home { positions: canvas.positions(home), map: home };
    let (template_picture, frame_blur) = matched(canvas, template, start, options.blur);
    let target = Target::new(frame, &first, frame_blur);
    let sought = Sought::new(template_picture, &template.weight);
    let mut found = Alignment {
        map: start.clone(),
        positions: first.clone(),
        weight: Image::new(first.width(), first.height(), 0.0),
        misfit: Image::new(first.width(), first.height(), 0.0),
    };
    for step in 0..options.iterations {
        let (rest, valid) = residuals(&target, &sought.picture, &found.positions);
        let square = rest.map(|r| (r[0] * r[0] + r[1] * r[1] + r[2] * r[2]) * (1.0 / 3.0));
        found.misfit = box_blur(&square, 1);
        let sigma = options.sigma * if step == 0 { 2.0 } else { 1.0 };
        found.weight = weights(&target, &template.weight, &found, sigma);
        let trusted = valid.zip(&found.weight, |v, k| v.map(|v| v * k));
        let quadrics = linearise(&sought, &found.positions, &beyond_around(&rest, &trusted), &valid);
        if !advance(canvas, &mut found, &quadrics, pins, &home, options) {
            break;
        }
    }
    found
}

/// The template as sharp as the frame shows it, and the blur the frame needs: the side with more detail is blurred to
/// the other's sampling, then both by the blur asked for.
fn matched(canvas: &Canvas, template: &Template, start: &Map, blur: f32) -> (Image<Rgba>, f32) {
    let zoom = canvas.magnification(start).clamp(0.1, 10.0);
    let detail = |ratio: f32| if ratio > 1.25 { 0.45 * (ratio * ratio - 1.0).sqrt() } else { 0.0 };
    let on_template = detail(1.0 / zoom).hypot(blur);
    let on_frame = detail(zoom).hypot(if blur > 0.0 { (blur * zoom.min(1.0)).max(0.3) } else { 0.0 });
    (gaussian(&template.picture, on_template), on_frame)
}

/// The template as it is compared, with its slopes along x and y.
///
/// The slopes are the template's, not the frame's: an atlas of many frames has little noise. A frame's noise would pass
/// for texture, and where there is little of that, hold back every step.
struct Sought {
    picture: Image<Rgba>,
    slopes: (Image<Rgba>, Image<Rgba>),
    /// The slopes less their mean around.
    fine: (Image<Rgba>, Image<Rgba>),
}

impl Sought {
    fn new(picture: Image<Rgba>, known: &Image<f32>) -> Self {
        let (x, y) = scharr(&picture);
        let known = known.map(|k| [*k; 4]);
        let fine = (beyond_around(&x, &known), beyond_around(&y, &known));
        Self { slopes: (x, y), fine, picture }
    }
}

/// Template less frame at the current positions, and 1 for each channel that neither has clipped.
fn residuals(target: &Target, picture: &Image<Rgba>, positions: &Image<Vec2>) -> (Image<Rgba>, Image<Rgba>) {
    let (w, h) = positions.size();
    let seen = Image::from_rows(w, h, [0.0; 4], |y, row| {
        for (out, p) in row.iter_mut().zip(positions.row(y)) {
            *out = cubic(&target.colour, target.local(*p));
        }
    });
    let rest = picture.zip(&seen, |want, seen| [0, 1, 2, 3].map(|c| want[c] - seen[c]));
    let valid = picture
        .zip(&seen, |want, seen| [0, 1, 2, 3].map(|c| f32::from(want[c] < CLIPPED && seen[c] < CLIPPED)));
    (rest, valid)
}

/// Derivatives at the current positions: unweighted quadrics of the move; `rest` is the residual beyond the one around.
fn linearise(
    sought: &Sought,
    positions: &Image<Vec2>,
    rest: &Image<Rgba>,
    valid: &Image<Rgba>,
) -> Image<Quadric> {
    let (w, h) = positions.size();
    Image::from_rows(w, h, [0.0f32; 5], |y, row| {
        let (above, below) = (y.saturating_sub(1), (y + 1).min(h - 1));
        let tall = 1.0 / (below - above).max(1) as f32;
        let (at, above, below) = (positions.row(y), positions.row(above), positions.row(below));
        for (x, out) in row.iter_mut().enumerate() {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(w - 1));
            let wide = 1.0 / (right - left).max(1) as f32;
            let jacobian =
                [0, 1].map(|i| [(at[right][i] - at[left][i]) * wide, (below[x][i] - above[x][i]) * tall]);
            let slopes = (&sought.slopes.0[(x, y)], &sought.slopes.1[(x, y)]);
            if let Some(turn) = gradient_turn(jacobian) {
                let fine = (&sought.fine.0[(x, y)], &sought.fine.1[(x, y)]);
                *out = quadric(&rest[(x, y)], &valid[(x, y)], slopes, fine, turn);
            }
        }
    })
}

/// The matrix that turns slopes on the canvas into slopes on the frame: the inverse transpose of the map's derivative;
/// `None` where the map folds or is lost.
#[inline]
fn gradient_turn([[a, b], [c, d]]: [[f32; 2]; 2]) -> Option<[[f32; 2]; 2]> {
    let det = a * d - b * c;
    (det.abs() > 1e-3 && det.is_finite()).then(|| [[d / det, -c / det], [-b / det, a / det]])
}

#[inline]
fn quadric(
    rest: &Rgba,
    valid: &Rgba,
    slopes: (&Rgba, &Rgba),
    fine: (&Rgba, &Rgba),
    turn: [[f32; 2]; 2],
) -> Quadric {
    let mut sums = [0.0f32; 5];
    for c in 0..3 {
        let [gx, gy] = turn.map(|t| t[0] * slopes.0[c] + t[1] * slopes.1[c]);
        let [fx, fy] = turn.map(|t| t[0] * fine.0[c] + t[1] * fine.1[c]);
        let (k, r) = (valid[c], rest[c]);
        sums[0] += k * gx * gx;
        sums[1] += k * gx * gy;
        sums[2] += k * gy * gy;
        sums[3] += k * fx * r;
        sums[4] += k * fy * r;
    }
    sums
}

/// Robust weight of each pixel (Geman–McClure on the misfit).
fn weights(target: &Target, known: &Image<f32>, found: &Alignment, sigma: f32) -> Image<f32> {
    let seen = found.positions.zip(known, |p, k| if target.holds(p) { k } else { 0.0 });
    seen.zip(&found.misfit, |k, m| k / (1.0 + m / (sigma * sigma)).powi(2))
}

/// The map an alignment refers to, with its dense positions.
struct Home<'a> {
    positions: Image<Vec2>,
    map: &'a Map,
}

/// One step: solves for plane and bend together, or for the bend on top of the home's. False when it cannot go on or has
/// arrived.
///
/// With the plane held while the bend is sought, and fitted to what was found afterwards, a plane that is seen in part
/// would turn towards its place by a small share of the way in each step.
fn advance(
    canvas: &Canvas,
    found: &mut Alignment,
    quadrics: &Image<Quadric>,
    pins: &[Pin],
    home: &Home,
    options: &Options,
) -> bool {
    let plane = match options.rest {
        Rest::Plane => canvas.homography(&found.positions),
        Rest::Home => Some(home.map.homography),
    };
    let Some(plane) = plane else { return false };
    let tilts = match options.rest {
        Rest::Plane => canvas.tilts(&plane),
        Rest::Home => None,
    };
    let unbent = match (options.rest, &tilts) {
        (Rest::Home, _) => Unbent::Shape(&home.map.bend),
        (Rest::Plane, Some(tilts)) => Unbent::Mixture(tilts),
        (Rest::Plane, None) => Unbent::Affine,
    };
    let scale = 1.0 / (options.sigma * options.sigma);
    let (w, h) = found.positions.size();
    let mut data = Image::from_rows(w, h, [0.0; 5], |y, row| {
        for (x, out) in row.iter_mut().enumerate() {
            let at = (x, y);
            let base = plane.apply32(canvas.to_reference([x as f32, y as f32]));
            let (p, q) = (found.positions[at], home.positions[at]);
            let bend = [p[0] - base[0], p[1] - base[1]];
            let back = [q[0] - base[0], q[1] - base[1]];
            let k = found.weight[at] * scale;
            let [s11, s12, s22, b1, b2] = quadrics[at].map(|v| v * k);
            let mu = options.pull;
            *out = [
                s11 + mu,
                s12,
                s22 + mu,
                b1 + s11 * bend[0] + s12 * bend[1] + mu * back[0],
                b2 + s12 * bend[0] + s22 * bend[1] + mu * back[1],
            ];
        }
    });
    for pin in pins {
        let cell =
            [(pin.on[0], w), (pin.on[1], h)].map(|(v, n)| v.round().clamp(0.0, (n - 1) as f32) as usize);
        let base = plane.apply32(canvas.to_reference(pin.on));
        let k = pin.weight;
        let held = [k, 0.0, k, k * (pin.at[0] - base[0]), k * (pin.at[1] - base[1])];
        let sum = &mut data[(cell[0], cell[1])];
        (0..5).for_each(|i| sum[i] += held[i]);
    }
    let Some(bend) = canvas.grid.solve(&data, options.stiffness, unbent) else { return false };
    let map = Map { homography: plane, bend };
    let wanted = canvas.positions(&map);
    let (mut cut, mut sum) = (false, 0.0f32);
    let moved = found.positions.zip(&wanted, |p, q| {
        [0, 1].map(|i| {
            let step = q[i] - p[i];
            cut |= step.abs() > LONGEST_STEP;
            sum += step.abs();
            p[i] + step.clamp(-LONGEST_STEP, LONGEST_STEP)
        })
    });
    if cut {
        let Some(map) = canvas.map_of(&moved) else { return false };
        found.positions = canvas.positions(&map);
        found.map = map;
    } else {
        (found.positions, found.map) = (wanted, map);
    }
    sum > ARRIVED * moved.pixels().len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::Homography;

    /// A band-limited texture, three channels apart.
    fn texture(x: f32, y: f32) -> Rgba {
        let v = |a: f32, b: f32, c: f32| {
            128.0
                + 40.0 * (x * a + c).sin() * (y * b - c).cos()
                + 30.0 * (x * b * 0.6 - y * a * 0.8 + c).sin()
        };
        [v(0.31, 0.23, 0.1), v(0.22, 0.35, 1.3), v(0.27, 0.19, 2.2), 0.0]
    }

    #[test]
    fn finds_a_bent_and_shifted_surface_under_an_occluder() {
        let size = (320, 240);
        let canvas =
            Canvas::new(&[[80.0, 60.0], [220.0, 55.0], [230.0, 170.0], [75.0, 175.0]], size).unwrap();
        let (w, h) = canvas.size();
        let true_map =
            |p: Vec2| [p[0] + 1.6 + 1.2 * (p[1] / 35.0).sin(), p[1] - 1.1 + 0.9 * (p[0] / 45.0).cos()];
        // The frame, pixel by pixel: invert the true map by iteration.
        let frame = Image::from_fn(size.0, size.1, |x, y| {
            let p = [x as f32, y as f32];
            if (x as f32 - 130.0).hypot(y as f32 - 110.0) < 22.0 {
                return [20.0, 220.0, 90.0, 0.0];
            }
            let mut q = p;
            for _ in 0..20 {
                let r = true_map(q);
                q = [q[0] + p[0] - r[0], q[1] + p[1] - r[1]];
            }
            texture(q[0], q[1])
        });
        let template = Template {
            picture: Image::from_fn(w, h, |x, y| {
                let p = canvas.to_reference([x as f32, y as f32]);
                texture(p[0], p[1])
            }),
            weight: Image::new(w, h, 1.0),
        };
        let options =
            Options { stiffness: 30.0, rest: Rest::Plane, iterations: 8, sigma: 4.0, pull: 1e-4, blur: 0.0 };
        let found = align(&canvas, &frame, &template, &canvas.identity(), &canvas.identity(), &options);
        let (mut sum, mut n, mut hidden) = (0.0, 0.0, 0.0f32);
        for y in 20..h - 20 {
            for x in 20..w - 20 {
                let (p, q) = (found.positions[(x, y)], true_map(canvas.to_reference([x as f32, y as f32])));
                let e = (p[0] - q[0]).hypot(p[1] - q[1]);
                if (q[0] - 130.0).hypot(q[1] - 110.0) < 24.0 {
                    hidden = hidden.max(e);
                } else {
                    (sum, n) = (sum + e, n + 1.0);
                }
            }
        }
        assert!(sum / n < 0.02, "visible error {}", sum / n);
        assert!(hidden < 0.3, "hidden error {hidden}");
        assert!(found.seen(&canvas) > 0.6 && found.seen(&canvas) < 0.95);
        assert!(found.cost(&canvas, size) < 0.25);
    }

    /// The right half is a sky that brightens downward, and the light on it changes; nothing moves.
    #[test]
    fn changing_light_does_not_pull_a_sky_along() {
        let size = (320, 240);
        let canvas =
            Canvas::new(&[[60.0, 60.0], [260.0, 60.0], [260.0, 180.0], [60.0, 180.0]], size).unwrap();
        let look = |x: f32, y: f32, light: f32| {
            let sky = 120.0 + 0.3 * y + light * (1.0 + 0.01 * (x - 160.0));
            if x > 160.0 { [sky, sky, sky, 0.0] } else { texture(x, y) }
        };
        let (w, h) = canvas.size();
        let template = Template {
            picture: Image::from_fn(w, h, |x, y| {
                let [x, y] = canvas.to_reference([x as f32, y as f32]);
                look(x, y, 0.0)
            }),
            weight: Image::new(w, h, 1.0),
        };
        let frame = Image::from_fn(size.0, size.1, |x, y| look(x as f32, y as f32, 4.0));
        let options =
            Options { stiffness: 17.0, rest: Rest::Plane, iterations: 3, sigma: 8.0, pull: 1e-2, blur: 0.0 };
        let mut map = canvas.identity();
        for _ in 0..5 {
            map = align(&canvas, &frame, &template, &map, &map, &options).map;
        }
        for u in [[180.0, 30.0], [200.0, 100.0], [150.0, 70.0]] {
            let (p, q) = (canvas.position(&map, u), canvas.to_reference(u));
            let off = (p[0] - q[0]).hypot(p[1] - q[1]);
            assert!(off < 1.0, "{off} at {u:?}");
        }
    }

    #[test]
    fn without_evidence_the_start_is_kept() {
        let size = (200, 160);
        let canvas =
            Canvas::new(&[[50.0, 40.0], [150.0, 40.0], [150.0, 120.0], [50.0, 120.0]], size).unwrap();
        let (w, h) = canvas.size();
        let template =
            Template { picture: Image::new(w, h, [100.0, 100.0, 100.0, 0.0]), weight: Image::new(w, h, 1.0) };
        let black = Image::new(size.0, size.1, [0.0f32; 4]);
        let mut start = canvas.identity();
        start.homography = Homography([[1.0, 0.0, 3.0], [0.0, 1.0, -2.0], [0.0, 0.0, 1.0]]);
        let options =
            Options { stiffness: 100.0, rest: Rest::Home, iterations: 3, sigma: 8.0, pull: 1e-2, blur: 0.0 };
        let found = align(&canvas, &black, &template, &start, &start, &options);
        let p = found.positions[(50, 50)];
        let q = canvas.position(&start, [50.0, 50.0]);
        assert!((p[0] - q[0]).hypot(p[1] - q[1]) < 1e-2);
        assert!(found.seen(&canvas) < 0.05 && found.cost(&canvas, size) > 0.9);
    }
}
