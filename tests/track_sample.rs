//! Tracking on the generated clip, whose maps are known: how far off is it, where the surface shows and where it is
//! hidden?
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may fail and speak"
)]

use rna::Result;
use rna::atlas::Analysis;
use rna::clip::sample::{self, Occluder, Scene, SceneOptions, Truth};
use rna::clip::{Clip, Footage};
use rna::engine::{Job, analyze};
use rna::flow::Dis;
use rna::frame::io::write_picture;
use rna::frame::{Channels, Depth, Image, Rect, Rgba, Vec2, bilinear_or};
use rna::param::AnalysisSettings;
use rna::progress::Progress;
use rna::roi::{Roi, coverage};
use rna::store::{self, OpenAtlas};
use rna::track::{Canvas, Effort, Inverses, Solution, Tracker, refine};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

/// A part of a scene's pictures, as footage.
struct Window<'a> {
    scene: &'a Scene,
    part: Rect,
    frames: Vec<Image<Rgba>>,
}

impl Footage for Window<'_> {
    fn len(&self) -> usize {
        self.frames.len()
    }

    fn size(&self) -> (usize, usize) {
        (self.part.width(), self.part.height())
    }

    fn levels(&self, frame: usize) -> Result<Image<Rgba>> {
        Ok(self.frames[frame].clone())
    }
}

impl<'a> Window<'a> {
    /// All that lies right of column `x0`.
    fn from_column(scene: &'a Scene, x0: usize) -> Self {
        let (w, h) = scene.info().size;
        let part = Rect::new(x0 as i32, 0, w as i32, h as i32);
        let levels = |p: &Rgba| [p[0] * 255.0, p[1] * 255.0, p[2] * 255.0, 0.0];
        let frames = (0..scene.info().frames).map(|t| scene.frame(t).crop(part).map(levels)).collect();
        Self { scene, part, frames }
    }

    /// The scene's region in this window's pixels.
    fn region(&self) -> Vec<[f64; 2]> {
        let origin = [self.part.x0, self.part.y0].map(f64::from);
        self.scene.roi().polygons[0].iter().map(|p| [p[0] - origin[0], p[1] - origin[1]]).collect()
    }

    /// Tracks and refines as the draft preset does.
    fn solve(&self) -> (Solution, Inverses) {
        let canvas = Canvas::new(&self.region(), self.size()).unwrap();
        let reference = self.scene.roi().reference_frame;
        let (flow, fine_flow) = (Dis::default(), Dis::fine());
        let tracker =
            Tracker { footage: self, canvas: &canvas, reference, flow: &flow, fine_flow: &fine_flow };
        let progress = Progress::silent();
        let tracked = tracker.run(&progress, &AtomicUsize::new(0)).unwrap();
        let effort = Effort { rounds: 1, sharpenings: 1 };
        let solution = refine(self, &canvas, reference, &tracked, effort, &progress).unwrap();
        let inverses = Inverses::of(&solution, self.size());
        (solution, inverses)
    }

    /// How far the maps are from the truth in every frame.
    fn errors(&self, (solution, inverses): &(Solution, Inverses)) -> Vec<Errors> {
        let origin = [self.part.x0, self.part.y0].map(|v| v as f32);
        let frame = |t: usize| {
            let (inverse, truth) = (inverses.get(t).unwrap(), self.scene.truth(t));
            let region = coverage(&self.scene.roi().polygons[0], truth.map.bounds());
            Errors::of(&truth, &region, self.part, |p| {
                let u = solution.canvas.to_reference(inverse.at([p[0] - origin[0], p[1] - origin[1]]));
                [u[0] + origin[0], u[1] + origin[1]]
            })
        };
        (0..self.len()).map(frame).collect()
    }
}

/// Distances in pixels of a map from the truth.
#[derive(Default)]
struct Errors {
    /// Where the region shows.
    shown: Vec<f32>,
    /// Where something is in front of it.
    hidden: Vec<f32>,
}

impl Errors {
    /// Over the pixels of `part` that lie in the region; `region` is its coverage of the reference frame.
    fn of(truth: &Truth, region: &Image<f32>, part: Rect, map: impl Fn(Vec2) -> Vec2) -> Self {
        let mut errors = Self::default();
        for y in part.y0 as usize..part.y1 as usize {
            for x in part.x0 as usize..part.x1 as usize {
                let (want, got) = (truth.map[(x, y)], map([x as f32, y as f32]));
                if bilinear_or(region, want, 0.0) > 0.999 {
                    let shows = truth.visible[(x, y)] > 0.5;
                    let list = if shows { &mut errors.shown } else { &mut errors.hidden };
                    list.push((got[0] - want[0]).hypot(got[1] - want[1]));
                }
            }
        }
        errors
    }
}

/// Mean and 95th percentile.
fn mean_and_p95(errors: impl IntoIterator<Item = f32>) -> [f32; 2] {
    let mut errors: Vec<f32> = errors.into_iter().collect();
    assert!(errors.len() > 100, "only {} pixels", errors.len());
    errors.sort_by(f32::total_cmp);
    [errors.iter().sum::<f32>() / errors.len() as f32, errors[errors.len() * 95 / 100]]
}

/// Follows a surface that bends by `cloth`; at most this mean and 95th percentile of the error where it shows and where
/// it is hidden.
fn follow(cloth: f32, most_shown: [f32; 2], most_hidden: [f32; 2]) {
    let options = SceneOptions { size: (320, 180), frames: 12, cloth, ..SceneOptions::default() };
    let scene = Scene::new(options);
    let window = Window::from_column(&scene, 0);
    let errors = window.errors(&window.solve());
    let shown = mean_and_p95(errors.iter().flat_map(|e| e.shown.iter().copied()));
    let hidden = mean_and_p95(errors.iter().flat_map(|e| e.hidden.iter().copied()));
    println!("mean and p95 {shown:.3?} where it shows, {hidden:.3?} where it is hidden");
    for i in 0..2 {
        assert!(shown[i] < most_shown[i] && hidden[i] < most_hidden[i], "{shown:?} {hidden:?}");
    }
}

#[test]
fn a_board_is_followed_where_it_shows_and_where_it_is_hidden() {
    follow(0.0, [0.03, 0.06], [0.04, 0.08]);
}

#[test]
fn a_cloth_is_followed_where_it_shows_and_where_it_is_hidden() {
    follow(1.0, [0.07, 0.15], [0.25, 0.5]);
}

/// The picture ends beside the region, so that the camera moves part of it out, or cuts it on every frame.
#[test]
fn a_region_partly_out_of_the_picture_is_followed() {
    let options = SceneOptions { size: (320, 180), frames: 8, camera: 1.5, ..SceneOptions::default() };
    let scene = Scene::new(SceneOptions { occluder: Occluder::None, ..options });
    for (x0, most) in [(80, 0.9), (150, 0.6)] {
        let window = Window::from_column(&scene, x0);
        let errors = window.errors(&window.solve());
        let area = |t: usize| scene.truth(t).inside.pixels().iter().sum::<f32>();
        let shares: Vec<f32> = (0..window.len()).map(|t| errors[t].shown.len() as f32 / area(t)).collect();
        let least = shares.iter().copied().fold(1.0, f32::min);
        let each: Vec<_> = errors.into_iter().map(|e| mean_and_p95(e.shown)).collect();
        println!("from column {x0}: {shares:.2?} of the region in the picture, mean and p95 {each:.3?}");
        assert!(least < most, "the region stays in the picture: {shares:?}");
        assert!(each.iter().all(|e| e[0] < 0.05 && e[1] < 0.12), "{each:?}");
    }
}

/// A clip of the sample on disk, some of its frames replaced, analysed whole.
fn analysed(scene: &Scene, roi: &Roi, black: &[usize]) -> OpenAtlas {
    let folder = tempfile::tempdir().unwrap();
    sample::write(folder.path(), scene, &Progress::silent()).unwrap();
    let (w, h) = scene.info().size;
    for t in black {
        let file = folder.path().join(format!("frames/{t:05}.png"));
        write_picture(&file, &Image::new(w, h, [0.0, 0.0, 0.0, 1.0]), Depth::U8, Channels::Rgb).unwrap();
    }
    let draft = BTreeMap::from([("preset".into(), "draft".into())]);
    let job = Job {
        clip: folder.path().join("frames"),
        roi: roi.clone(),
        output: folder.path().join("shot.rna"),
        first_frame: 0,
        settings: AnalysisSettings::from_values(&draft).unwrap(),
    };
    analyze(&job, &Progress::silent()).unwrap();
    store::open(&job.output).unwrap()
}

/// How far the stored map of one region is from the truth.
fn stored(analysis: &OpenAtlas, k: usize, truth: &Truth, t: usize) -> Errors {
    let header = analysis.header();
    let layer = analysis.layer(k, t).unwrap();
    let region = coverage(&header.roi.polygons[k], truth.map.bounds());
    Errors::of(truth, &region, truth.map.bounds(), |p| layer.position(p, header.map_step))
}

fn small() -> SceneOptions {
    SceneOptions { size: (240, 136), frames: 10, ..SceneOptions::default() }
}

#[test]
fn a_black_frame_is_bridged_and_doubted() {
    let scene = Scene::new(small());
    let black = 8;
    let analysis = analysed(&scene, &scene.roi(), &[black]);
    for (t, quality) in analysis.header().quality[0].iter().enumerate() {
        let truth = scene.truth(t);
        let [mean, p95] = mean_and_p95(stored(&analysis, 0, &truth, t).shown);
        println!("frame {t}: confidence {:.2}, mean {mean:.3}, p95 {p95:.3}", quality.confidence);
        assert_eq!(quality.is_doubtful(), t == black, "frame {t}: {quality:?}");
        if t == black {
            // What is asked of a bridge is to be much nearer than the frame before it.
            let [moved, _] = mean_and_p95(stored(&analysis, 0, &truth, t - 1).shown);
            println!("the frame before is {moved:.3} off");
            assert!(mean < 0.3 * moved && p95 < 2.0, "frame {t}: {mean}, {p95}; moved by {moved}");
        } else {
            assert!(mean < 0.06 && p95 < 0.12, "frame {t}: {mean}, {p95}");
        }
    }
}

#[test]
fn two_regions_are_followed_at_once() {
    let scene = Scene::new(small());
    let mut roi = scene.roi();
    let [a, b, c, d] = roi.polygons[0][..] else { panic!("four corners") };
    let between = |p: [f64; 2], q: [f64; 2], s: f64| [p[0] + s * (q[0] - p[0]), p[1] + s * (q[1] - p[1])];
    let (top, bottom) = ([between(a, b, 0.4), between(a, b, 0.5)], [between(d, c, 0.4), between(d, c, 0.5)]);
    roi.polygons = vec![vec![a, top[0], bottom[0], d], vec![top[1], b, c, bottom[1]]];
    let analysis = analysed(&scene, &roi, &[]);
    assert_eq!(analysis.surfaces().len(), 2);
    for k in 0..2 {
        let each = (0..small().frames).map(|t| stored(&analysis, k, &scene.truth(t), t).shown);
        let [mean, p95] = mean_and_p95(each.flatten());
        println!("region {k}: mean {mean:.3}, p95 {p95:.3}");
        assert!(mean < 0.08 && p95 < 0.2, "region {k}: {mean}, {p95}");
    }
}
