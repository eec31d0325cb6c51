//! The light of a frame while it is followed, before that of the whole clip is solved.
//!
//! One gain for a frame is not enough: where light falls off over the surface, half of it would look like something
//! else, and what looks like something else does not hold the map in place.

use super::align::Template;
use super::canvas::Map;
use super::sequential::{Tracker, on_picture};
use crate::frame::{Image, Rgba, Vec2, bilinear};
use crate::light::{Frames, Light, Samples};

/// Canvas pixels between the points that are looked at.
const STRIDE: usize = 3;
/// Misfits in levels up to which a point tells how the frame as a whole has become brighter, first and then.
const TOLERANCES: [f32; 2] = [25.0, 15.0];
/// Times the median misfit up to which it tells in any case: light may jump.
const TYPICAL: f32 = 1.5;
/// Fewest points that tell of light.
const FEWEST: usize = 20;
/// Largest change of a gain from one frame to the next: in no light at all anything would be found in a black frame.
const JUMP: f32 = 2.5;
/// Misfit in levels, and rounds, of the light that varies over the surface.
const SIGMA: f32 = 8.0;
const ROUNDS: usize = 3;

/// What a frame shows at points of the canvas, beside what the template shows there.
struct Look {
    points: Vec<Vec2>,
    want: Vec<Rgba>,
    seen: Vec<Rgba>,
    /// Whether the surface was seen there in the frame before.
    before: Vec<bool>,
}

impl Tracker<'_> {
    /// The light of a frame in which the surface lies at `map`, near that of the frame `before`, in which `visible` of it
    /// was seen.
    pub(super) fn light(
        &self,
        frame: &Image<Rgba>,
        template: &Template,
        map: &Map,
        before: &Light,
        visible: &Image<f32>,
    ) -> Light {
        let look = self.look(frame, template, map, visible);
        let mut nodes = before.nodes(0).clone();
        for tolerance in TOLERANCES {
            let light = Light::from_nodes(self.canvas.size(), vec![nodes.clone()]);
            let Some(ratio) = look.brighter(&light, tolerance) else { break };
            nodes = nodes.map(|g| [g[0] * ratio[0], g[1] * ratio[1], g[2] * ratio[2], 1.0]);
        }
        let found = look.varying(Light::from_nodes(self.canvas.size(), vec![nodes.clone(), nodes]));
        let within = |g: Rgba, b: Rgba| [0, 1, 2, 3].map(|c| g[c].clamp(b[c] / JUMP, b[c] * JUMP));
        Light::from_nodes(self.canvas.size(), vec![found.nodes(0).zip(before.nodes(0), within)])
    }

    fn look(&self, frame: &Image<Rgba>, template: &Template, map: &Map, visible: &Image<f32>) -> Look {
        let (w, h) = self.canvas.size();
        let mut look = Look { points: vec![], want: vec![], seen: vec![], before: vec![] };
        let all = (0..h).step_by(STRIDE).flat_map(|y| (0..w).step_by(STRIDE).map(move |x| (x, y)));
        for at in all.filter(|at| self.canvas.coverage[*at] > 0.5 && template.weight[*at] > 0.5) {
            let point = [at.0 as f32, at.1 as f32];
            let p = self.canvas.position(map, point);
            if on_picture(p, frame.size()) {
                let [r, g, b, _] = bilinear(frame, p);
                look.points.push(point);
                look.want.push(template.picture[at]);
                look.seen.push([r, g, b, 1.0]);
                look.before.push(visible[at] > 0.5);
            }
        }
        look
    }
}

impl Look {
    /// By how much the frame as a whole is brighter than under `light`, from what fits to `tolerance` levels; `None` where
    /// too little does.
    fn brighter(&self, light: &Light, tolerance: f32) -> Option<[f32; 3]> {
        let lit = |i: usize| {
            let (g, a) = (light.at(0, self.points[i]), self.want[i]);
            [0, 1, 2].map(|c| g[c] * a[c])
        };
        let misfit = |i: usize| {
            let (want, seen) = (lit(i), self.seen[i]);
            (0..3).map(|c| (seen[c] - want[c]).abs()).sum::<f32>() / 3.0
        };
        // What stood in front of the surface before would, as the typical point, make anything fit.
        let told: Vec<usize> = (0..self.points.len()).filter(|&i| self.before[i]).collect();
        let mut misfits: Vec<f32> = told.iter().map(|&i| misfit(i)).collect();
        if misfits.len() < FEWEST {
            return None;
        }
        let middle = misfits.len() / 2;
        let typical = *misfits.select_nth_unstable_by(middle, f32::total_cmp).1;
        let limit = tolerance.max(TYPICAL * typical);
        let fitting: Vec<usize> = told.into_iter().filter(|&i| misfit(i) < limit).collect();
        let mut sums = [[0.0f32; 2]; 3];
        for &i in &fitting {
            let (want, seen) = (lit(i), self.seen[i]);
            (0..3).for_each(|c| sums[c] = [sums[c][0] + seen[c] * want[c], sums[c][1] + want[c] * want[c]]);
        }
        (fitting.len() >= FEWEST).then(|| sums.map(|[n, d]| (n / d.max(1.0)).clamp(1.0 / JUMP, JUMP)))
    }

    /// The light as it varies over the surface, near the first frame's of `light`; where nothing is seen, like that.
    fn varying(self, mut light: Light) -> Light {
        let like = |(p, a): (&Vec2, &Rgba)| {
            let g = light.at(0, *p);
            [a[0] * g[0], a[1] * g[1], a[2] * g[2], 1.0]
        };
        let before = self.points.iter().zip(&self.want).map(like).collect();
        let samples = Samples { points: self.points, atlas: self.want, frames: vec![before, self.seen] };
        light.solve(&samples, Frames::Doubted, ROUNDS, SIGMA);
        light.only(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Dis;
    use crate::track::Canvas;
    use crate::track::filmed::Filmed;

    /// The light on `frame` of a surface in front of which something of another colour stands from column `hidden` on; the
    /// frame before was lit evenly and showed all left of `seen_before`.
    fn found(gain: impl Fn(f32, f32) -> Rgba, hidden: usize, seen_before: usize) -> (Canvas, Light) {
        let canvas =
            Canvas::new(&[[60.0, 50.0], [250.0, 50.0], [250.0, 190.0], [60.0, 190.0]], (320, 240)).unwrap();
        let wall = |x: f32, y: f32| 110.0 + 50.0 * (0.2 * x).sin() * (0.3 * y).cos();
        let frame = Image::from_fn(320, 240, |x, y| {
            let (v, g) = (wall(x as f32, y as f32), gain(x as f32, y as f32));
            if x < hidden { [v * g[0], v * g[1], v * g[2], 0.0] } else { [200.0, 30.0, 60.0, 0.0] }
        });
        let (w, h) = canvas.size();
        let picture = Image::from_fn(w, h, |x, y| {
            let [u, v] = canvas.to_reference([x as f32, y as f32]);
            [wall(u, v); 4]
        });
        let template = Template { picture, weight: Image::new(w, h, 1.0) };
        let visible = Image::from_fn(w, h, |x, _| {
            f32::from(canvas.to_reference([x as f32, 0.0])[0] < seen_before as f32)
        });
        let (flow, fine_flow) = (Dis::default(), Dis::fine());
        let footage = Filmed(vec![frame.clone()]);
        let tracker =
            Tracker { footage: &footage, canvas: &canvas, reference: 0, flow: &flow, fine_flow: &fine_flow };
        let before = Light::unit((w, h), 1);
        let light = tracker.light(&frame, &template, &canvas.identity(), &before, &visible);
        (canvas, light)
    }

    #[test]
    fn light_that_falls_off_over_the_surface_is_found() {
        let gain = |x: f32, y: f32| [1.0 + 0.002 * (x - 150.0), 1.1, 1.0 - 0.002 * (y - 120.0), 1.0];
        let (canvas, light) = found(gain, 400, 400);
        for at in [[30.0, 30.0], [100.0, 80.0], [180.0, 140.0]] {
            let ([x, y], g) = (canvas.to_reference(at), light.at(0, at));
            let want = gain(x, y);
            assert!((0..3).all(|c| (g[c] - want[c]).abs() < 0.02), "{g:?} for {want:?}");
        }
    }

    #[test]
    fn a_black_frame_is_no_surface_in_the_dark() {
        let (_, light) = found(|_, _| [0.0; 4], 400, 400);
        assert!((0..3).all(|c| light.at(0, [60.0, 60.0])[c] > 0.35), "{:?}", light.at(0, [60.0, 60.0]));
    }

    /// Most of the surface is hidden now; what hides it must not pass for surface in another light.
    #[test]
    fn what_stands_in_front_is_no_light() {
        let (_, light) = found(|_, _| [1.1, 1.1, 1.1, 1.0], 120, 130);
        for at in [[20.0, 80.0], [60.0, 40.0], [180.0, 120.0]] {
            let g = light.at(0, at);
            assert!((0..3).all(|c| (g[c] - 1.1).abs() < 0.05), "{g:?} at {at:?}");
        }
    }
}
