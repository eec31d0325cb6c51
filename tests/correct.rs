//! Corrections, on clips of the generated sample: what the user says holds, what it concerns is found again, and nothing
//! else changes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, helpers included")]

use rna::atlas::{Analysis, Layer};
use rna::clip::sample::{Occluder, Scene, SceneOptions};
use rna::correction::{Corrections, Key, Roto};
use rna::engine::{Job, Mending, analyze, correct};
use rna::frame::io::write_picture;
use rna::frame::{Channels, Depth, Image, Vec2};
use rna::param::AnalysisSettings;
use rna::progress::Progress;
use rna::roi::{Roi, coverage};
use rna::store::{self, OpenAtlas};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A clip made of frames of a scene, black where there is none.
struct Shot {
    folder: TempDir,
    scene: Scene,
    order: Vec<Option<usize>>,
}

impl Shot {
    fn new(options: SceneOptions, order: Vec<Option<usize>>) -> Self {
        let (folder, scene) = (tempfile::tempdir().unwrap(), Scene::new(options));
        let (w, h) = scene.truth(0).map.size();
        std::fs::create_dir(folder.path().join("frames")).unwrap();
        for (t, index) in order.iter().enumerate() {
            let frame = index.map_or(Image::new(w, h, [0.0, 0.0, 0.0, 1.0]), |i| scene.frame(i));
            let file = folder.path().join(format!("frames/{t:05}.png"));
            write_picture(&file, &frame, Depth::U8, Channels::Rgb).unwrap();
        }
        Self { folder, scene, order }
    }

    /// Ten frames with nothing in front.
    fn plain() -> Self {
        let options = SceneOptions {
            size: (240, 136),
            frames: 10,
            occluder: Occluder::None,
            ..SceneOptions::default()
        };
        Self::new(options, (0..10).map(Some).collect())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The scene's region, on the frame of the clip that shows it.
    fn roi(&self) -> Roi {
        let roi = self.scene.roi();
        let reference_frame = self.order.iter().position(|t| *t == Some(roi.reference_frame)).unwrap();
        Roi { reference_frame, ..roi }
    }

    fn analysed(&self) -> OpenAtlas {
        let draft = BTreeMap::from([("preset".into(), "draft".into())]);
        let job = Job {
            clip: self.file("frames"),
            roi: self.roi(),
            output: self.file("shot.rna"),
            settings: AnalysisSettings::from_values(&draft).unwrap(),
            first_frame: 0,
        };
        analyze(&job, &Progress::silent()).unwrap();
        store::open(&job.output).unwrap()
    }

    fn corrected(&self, from: &Path, name: &str, corrections: Corrections) -> rna::Result<OpenAtlas> {
        let mending = Mending {
            analysis: from.to_path_buf(),
            clip: self.file("frames"),
            corrections,
            output: self.file(name),
        };
        correct(&mending, &Progress::silent())?;
        store::open(&mending.output)
    }

    /// Where the region's corners truly are in a frame.
    fn corners(&self, t: usize) -> Vec<[f64; 2]> {
        let map = self.scene.truth(self.order[t].unwrap()).map;
        let step = [1.0, 1.0];
        let layer = Layer { map, mask: Image::new(1, 1, 255), light: Image::new(1, 1, [1.0; 4]) };
        let find = |p: &[f64; 2]| layer.locate(p.map(|v| v as f32), step).unwrap().map(f64::from);
        self.scene.roi().polygons[0].iter().map(find).collect()
    }

    /// Mean distance of the stored map from the truth over the region.
    fn error(&self, analysis: &OpenAtlas, t: usize) -> f32 {
        let truth = self.scene.truth(self.order[t].unwrap());
        let (layer, step) = (analysis.layer(0, t).unwrap(), analysis.header().map_step);
        let region = coverage(&self.scene.roi().polygons[0], truth.map.bounds());
        let mut sum = [0.0f32; 2];
        for y in 0..truth.map.height() {
            for x in 0..truth.map.width() {
                let on: Vec2 = truth.map[(x, y)];
                let inside = region
                    .pixels()
                    .get(on[1].round() as usize * region.width() + on[0].round() as usize)
                    .is_some_and(|k| *k > 0.5 && on[0] > 0.0 && on[1] > 0.0 && on[0] < region.width() as f32);
                if inside {
                    let p = layer.position([x as f32, y as f32], step);
                    sum = [sum[0] + (p[0] - on[0]).hypot(p[1] - on[1]), sum[1] + 1.0];
                }
            }
        }
        sum[0] / sum[1]
    }
}

fn keys(keys: Vec<Key>) -> Corrections {
    Corrections { keys, ..Corrections::default() }
}

fn key(frame: usize, corners: Vec<[f64; 2]>, within: f64) -> Key {
    Key { frame, region: 0, corners, points: Vec::new(), within }
}

fn same(a: &OpenAtlas, b: &OpenAtlas, t: usize) -> bool {
    let (p, q): (Arc<Layer>, Arc<Layer>) = (a.layer(0, t).unwrap(), b.layer(0, t).unwrap());
    p == q
}

#[test]
fn a_key_near_the_truth_changes_no_other_frame() {
    let shot = Shot::plain();
    let before = shot.analysed();
    let near: Vec<[f64; 2]> = shot.corners(7).iter().map(|p| [p[0] + 1.5, p[1] + 1.0]).collect();
    let after = shot.corrected(before.path(), "near.rna", keys(vec![key(7, near, 3.0)])).unwrap();
    for t in 0..10 {
        assert_eq!(same(&before, &after, t), t != 7, "frame {t}");
    }
    assert_eq!(before.surfaces(), after.surfaces());
    assert_eq!(after.header().corrections.keys.len(), 1);
    // The picture is surer than a hand.
    let [was, is] = [&before, &after].map(|a| shot.error(a, 7));
    println!("frame 7 was {was:.3} pixels off, and is {is:.3}");
    assert!(is < 0.1, "{was} {is}");
}

#[test]
fn an_exact_key_is_met_even_where_it_is_wrong_and_another_mends_it() {
    let shot = Shot::plain();
    let before = shot.analysed();
    let wrong: Vec<[f64; 2]> = shot.corners(7).iter().map(|p| [p[0] + 6.0, p[1] - 4.0]).collect();
    let after = shot.corrected(before.path(), "wrong.rna", keys(vec![key(7, wrong.clone(), 0.0)])).unwrap();
    let (layer, step) = (after.layer(0, 7).unwrap(), after.header().map_step);
    for (on, at) in shot.scene.roi().polygons[0].iter().zip(&wrong) {
        let found = layer.locate(on.map(|v| v as f32), step).unwrap();
        let off = (found[0] - at[0] as f32).hypot(found[1] - at[1] as f32);
        assert!(off < 0.25, "the user's corner {at:?} was put {off} pixels away");
    }
    let right = keys(vec![key(7, shot.corners(7), 3.0)]);
    let mended = shot.corrected(after.path(), "right.rna", right).unwrap();
    for t in 0..10 {
        let [first, spoilt, last] = [&before, &after, &mended].map(|a| shot.error(a, t));
        println!("frame {t} was {first:.3} pixels off, then {spoilt:.2} by a wrong key, {last:.3} mended");
        assert!(last < 0.3, "frame {t}: {last}");
        assert!(t != 7 || spoilt > 5.0, "frame {t}: {spoilt}");
    }
    assert!(!mended.header().quality[0][7].is_doubtful());
}

/// After two black frames the camera is somewhere else: nothing leads there but the user.
#[test]
fn a_lost_surface_is_found_again_from_one_key() {
    let options = SceneOptions { size: (320, 180), frames: 40, camera: 12.0, ..SceneOptions::default() };
    let order = (18..24).map(Some).chain([None, None]).chain((34..40).map(Some)).collect();
    let shot = Shot::new(SceneOptions { occluder: Occluder::None, ..options }, order);
    let before = shot.analysed();
    let loose: Vec<[f64; 2]> = shot.corners(10).iter().map(|p| [p[0] - 1.0, p[1] + 1.5]).collect();
    let after = shot.corrected(before.path(), "found.rna", keys(vec![key(10, loose, 3.0)])).unwrap();
    for t in 8..14 {
        let [was, is] = [&before, &after].map(|a| shot.error(a, t));
        println!("frame {t}: {was:.2} pixels off, now {is:.3}");
        assert!(was > 3.0, "frame {t} was not lost: {was}");
        assert!(is < 0.3, "frame {t}: {is}");
    }
    assert!((0..6).all(|t| same(&before, &after, t)));
}

#[test]
fn a_drawn_shape_has_the_last_word_on_what_shows() {
    let shot = Shot::plain();
    let before = shot.analysed();
    let middle = |t: usize| {
        let corners = shot.corners(t);
        let sum = corners.iter().fold([0.0; 2], |s, p| [s[0] + p[0], s[1] + p[1]]);
        sum.map(|v| v / corners.len() as f64)
    };
    let square = |[x, y]: [f64; 2]| {
        vec![[x - 9.0, y - 9.0], [x + 9.0, y - 9.0], [x + 9.0, y + 9.0], [x - 9.0, y + 9.0]]
    };
    let roto = |frames, hidden, shown| Corrections {
        rotos: vec![Roto { frames, hidden, shown, painted: None }],
        ..Corrections::default()
    };
    let hidden = roto([4, 5], vec![square(middle(4))], vec![]);
    let after = shot.corrected(before.path(), "hidden.rna", hidden).unwrap();
    let shows = |a: &OpenAtlas, t: usize| {
        let [x, y] = middle(4).map(|v| v.round() as usize);
        let mask = &a.layer(0, t).unwrap().mask;
        [-5isize, 0, 5].map(|d| mask[(x.strict_add_signed(d), y)])
    };
    assert_eq!([shows(&before, 4), shows(&after, 4), shows(&after, 5)], [[255; 3], [0; 3], [0; 3]]);
    assert!((0..10).all(|t| same(&before, &after, t) != (4..6).contains(&t)));
    assert!(shot.error(&after, 4) < 0.1, "{}", shot.error(&after, 4));
    // Drawn on the reference frame, it is a matte there and moves nothing.
    let r = before.header().roi.reference_frame;
    let there = roto([r, r], vec![square(middle(r))], vec![]);
    let kept = shot.corrected(before.path(), "reference.rna", there).unwrap();
    let (was, is) = (before.layer(0, r).unwrap(), kept.layer(0, r).unwrap());
    assert!(was.light == is.light && was.mask != is.mask);
    let off = was.map.zip(&is.map, |p, q| (p[0] - q[0]).hypot(p[1] - q[1]));
    let [w, h] = before.header().size.map(|n| n as f32);
    let inside = was.map.pixels().iter().zip(off.pixels());
    let worst = inside.filter(|(p, _)| p[0] > 0.0 && p[1] > 0.0 && p[0] < w && p[1] < h);
    let worst = worst.map(|(_, d)| *d).fold(0.0, f32::max);
    assert!(worst < 0.02, "the reference frame moved by {worst}");
    // And back again, on the mended analysis.
    let shown = roto([5, 5], vec![], vec![square(middle(4))]);
    let again = shot.corrected(after.path(), "shown.rna", shown).unwrap();
    assert_eq!([shows(&again, 4), shows(&again, 5)], [[0; 3], [255; 3]]);
    assert_eq!(again.header().corrections.rotos.len(), 2);
}

#[test]
fn nonsense_is_refused_or_survived_and_nothing_is_overwritten() {
    let shot = Shot::plain();
    let before = shot.analysed();
    let wild = vec![[-636.0, -772.0], [-2395.0, -5960.0], [-1461.0, -1995.0], [1e7, -1254.0]];
    let refused = shot.corrected(before.path(), "a.rna", keys(vec![key(7, wild, 3.0)]));
    assert!(refused.unwrap_err().to_string().contains("key 1"));
    let far: Vec<[f64; 2]> = shot.corners(7).iter().map(|p| [p[0] * 3.0 - 500.0, p[1] * 0.2]).collect();
    shot.corrected(before.path(), "b.rna", keys(vec![key(7, far, 3.0)])).unwrap();
    let nothing = shot.corrected(before.path(), "c.rna", Corrections::default()).unwrap_err().to_string();
    assert!(nothing.contains("there are none"), "{nothing}");
    let right = keys(vec![key(7, shot.corners(7), 3.0)]);
    let taken = shot.corrected(before.path(), "shot.rna", right.clone()).unwrap_err().to_string();
    assert!(taken.contains("never overwritten"), "{taken}");
    let other = Shot::new(SceneOptions { seed: 3, ..small() }, (0..10).map(Some).collect());
    let mixed = Mending {
        analysis: before.path().to_path_buf(),
        clip: other.file("frames"),
        corrections: right,
        output: shot.file("d.rna"),
    };
    let foreign = correct(&mixed, &Progress::silent()).unwrap_err().to_string();
    assert!(foreign.contains("does not belong"), "{foreign}");
}

fn small() -> SceneOptions {
    SceneOptions { size: (240, 136), frames: 10, ..SceneOptions::default() }
}
