//! Flow of pictures whose motion is known exactly, and the promises flow makes about any pictures at all.

// A test fails by panicking, and prints the figures it measured.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use proptest::prelude::*;
use rna::Error;
use rna::flow::{Dis, Refinement, consistency};
use rna::frame::{Image, Vec2};

/// A band-limited random texture that can be read anywhere: sixty plane waves of 6 to 30 pixels.
struct Texture(Vec<[f32; 4]>);

impl Texture {
    fn new(mut seed: u32) -> Self {
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1u32 << 24) as f32
        };
        let tau = std::f32::consts::TAU;
        let waves = (0..60).map(|_| {
            let (angle, length) = (tau * random(), 6.0 * 5f32.powf(random()));
            [tau / length * angle.cos(), tau / length * angle.sin(), tau * random(), 4.0 + 6.0 * random()]
        });
        Self(waves.collect())
    }

    fn at(&self, [x, y]: Vec2) -> f32 {
        128.0
            + self.0.iter().map(|&[kx, ky, phase, size]| size * (kx * x + ky * y + phase).sin()).sum::<f32>()
    }
}

/// An affine motion: `p ↦ m p + t`.
#[derive(Clone, Copy)]
struct Affine {
    m: [f32; 4],
    t: Vec2,
}

impl Affine {
    /// Rotation and zoom about a centre, then a shift.
    fn about(centre: Vec2, degrees: f32, zoom: f32, shift: Vec2) -> Self {
        let (s, c) = degrees.to_radians().sin_cos();
        let m = [zoom * c, -zoom * s, zoom * s, zoom * c];
        let [x, y] = [m[0] * centre[0] + m[1] * centre[1], m[2] * centre[0] + m[3] * centre[1]];
        Self { m, t: [centre[0] - x + shift[0], centre[1] - y + shift[1]] }
    }

    fn apply(&self, [x, y]: Vec2) -> Vec2 {
        let [a, b, c, d] = self.m;
        [a * x + b * y + self.t[0], c * x + d * y + self.t[1]]
    }

    fn inverse(&self) -> Self {
        let [a, b, c, d] = self.m;
        let det = a * d - b * c;
        let m = [d / det, -b / det, -c / det, a / det];
        let [x, y] = self.t;
        Self { m, t: [-(m[0] * x + m[1] * y), -(m[2] * x + m[3] * y)] }
    }
}

const SIZE: (usize, usize) = (192, 144);

/// Two pictures of a texture, the second one moved.
fn pictures(motion: Affine, seed: u32) -> (Image<f32>, Image<f32>) {
    let texture = Texture::new(seed);
    let back = motion.inverse();
    let from = Image::from_fn(SIZE.0, SIZE.1, |x, y| texture.at([x as f32, y as f32]));
    let to = Image::from_fn(SIZE.0, SIZE.1, |x, y| texture.at(back.apply([x as f32, y as f32])));
    (from, to)
}

/// Mean end-point error, less a border whose counterpart may lie outside.
fn mean_error(flow: &Image<Vec2>, motion: Affine) -> f32 {
    const BORDER: usize = 12;
    let (mut sum, mut n) = (0.0, 0);
    for y in BORDER..SIZE.1 - BORDER {
        for x in BORDER..SIZE.0 - BORDER {
            let p = [x as f32, y as f32];
            let (q, f) = (motion.apply(p), flow[(x, y)]);
            sum += (f[0] - (q[0] - p[0])).hypot(f[1] - (q[1] - p[1]));
            n += 1;
        }
    }
    sum / n as f32
}

/// Motions a surface makes between frames.
fn motions() -> [(&'static str, Affine); 4] {
    let centre = [96.0, 72.0];
    let still = [0.0, 0.0];
    [
        ("shift", Affine { m: [1.0, 0.0, 0.0, 1.0], t: [5.37, -3.81] }),
        ("rotation", Affine::about(centre, 3.0, 1.0, still)),
        ("zoom", Affine::about(centre, 0.0, 1.04, [0.6, 0.3])),
        ("affine", Affine { m: [1.02, 0.015, -0.02, 0.99], t: [-0.4, 1.7] }),
    ]
}

#[test]
fn known_motions_are_measured() {
    for (i, (name, motion)) in motions().into_iter().enumerate() {
        let (from, to) = pictures(motion, 11 + i as u32);
        for (preset, dis, limit) in [("default", Dis::default(), 0.1), ("fine", Dis::fine(), 0.05)] {
            let error = mean_error(&dis.between(&from, &to).unwrap(), motion);
            println!("{name}, {preset}: {error:.4} px");
            assert!(error < limit, "{name}, {preset}: mean error {error} px, allowed {limit}");
        }
    }
}

#[test]
fn forth_and_back_is_nothing_where_both_pictures_show_it() {
    for (name, motion) in motions() {
        let (from, to) = pictures(motion, 5);
        let dis = Dis::default();
        let error =
            consistency(&dis.between(&from, &to).unwrap(), &dis.between(&to, &from).unwrap()).unwrap();
        let mut inner: Vec<f32> =
            (16..SIZE.1 - 16).flat_map(|y| error.row(y)[16..SIZE.0 - 16].to_vec()).collect();
        inner.sort_by(f32::total_cmp);
        let p95 = inner[inner.len() * 95 / 100];
        assert!(p95 < 0.15, "{name}: 95 % of round trips should miss by less than 0.15 px, not {p95}");
    }
}

#[test]
fn refinement_is_worth_its_time() {
    let (_, motion) = motions()[1];
    let (from, to) = pictures(motion, 3);
    let off = Dis { refinement: Refinement { warps: 0, ..Dis::default().refinement }, ..Dis::default() };
    let coarse = mean_error(&off.between(&from, &to).unwrap(), motion);
    let fine = mean_error(&Dis::default().between(&from, &to).unwrap(), motion);
    assert!(fine < 0.7 * coarse, "{fine} px with refinement, {coarse} px without");
}

#[test]
fn brightness_may_change() {
    let (_, motion) = motions()[0];
    let (from, to) = pictures(motion, 17);
    let to = to.map(|v| 0.95 * v + 12.0);
    let error = mean_error(&Dis::default().between(&from, &to).unwrap(), motion);
    assert!(error < 0.15, "{error}");
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let (_, motion) = motions()[3];
    let (from, to) = pictures(motion, 23);
    for dis in [Dis::default(), Dis::fine()] {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let flow = pool.install(|| dis.between(&from, &to)).unwrap();
            flow.into_pixels().into_iter().flatten().map(f32::to_bits).collect::<Vec<_>>()
        };
        let one = with(1);
        assert!(one == with(4) && one == with(3), "the number of threads changed the result");
    }
}

#[test]
fn nothing_to_see_means_no_motion() {
    for (w, h) in [(0, 0), (0, 5), (1, 1), (1, 40), (7, 100), (8, 8), (9, 31), (64, 48)] {
        let flat = Image::new(w, h, 90.0f32);
        for dis in [Dis::default(), Dis::fine()] {
            let flow = dis.between(&flat, &flat).unwrap();
            assert_eq!(flow.size(), (w, h));
            assert!(flow.pixels().iter().all(|f| *f == [0.0, 0.0]), "{w}×{h}");
            // A uniform change of brightness is no motion either.
            let flow = dis.between(&flat, &Image::new(w, h, 120.0)).unwrap();
            assert!(flow.pixels().iter().all(|f| *f == [0.0, 0.0]), "{w}×{h}, brighter");
        }
    }
}

#[test]
fn a_picture_smaller_than_a_patch_is_still() {
    let picture = Image::from_fn(7, 30, |x, y| (x * y) as f32);
    let flow = Dis::default().between(&picture, &picture.map(|v| 2.0 * v)).unwrap();
    assert!(flow.pixels().iter().all(|f| *f == [0.0, 0.0]));
}

#[test]
fn what_cannot_be_used_is_said() {
    let (a, b) = (Image::new(20, 20, 0.0f32), Image::new(20, 21, 0.0f32));
    assert!(matches!(Dis::default().between(&a, &b), Err(Error::Mismatch(_))));
    let refined = |change: fn(&mut Refinement)| {
        let mut dis = Dis::default();
        change(&mut dis.refinement);
        dis
    };
    let unusable = [
        Dis { patch_size: 7, ..Dis::default() },
        Dis { patch_stride: 0, ..Dis::default() },
        Dis { patch_stride: 9, ..Dis::default() },
        refined(|r| r.omega = 2.0),
        refined(|r| r.alpha = f32::NAN),
        refined(|r| r.delta = -1.0),
    ];
    for dis in unusable {
        assert!(matches!(dis.between(&a, &a), Err(Error::Setting { .. })), "{dis:?}");
    }
}

#[test]
fn every_patch_size_measures_a_shift() {
    let (_, motion) = motions()[0];
    let (from, to) = pictures(motion, 29);
    for patch_size in [4, 8, 12, 16] {
        let dis = Dis { patch_size, ..Dis::default() };
        let error = mean_error(&dis.between(&from, &to).unwrap(), motion);
        assert!(error < 0.15, "patches of {patch_size} pixels: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Unrelated pictures of any size, of any finite values, some not even numbers: no panic, the right size.
    #[test]
    fn any_pictures_at_all(
        w in 1usize..70, h in 1usize..50, seed in any::<u32>(), scale in prop::sample::select(vec![1.0f32, 1e4, 1e12]),
        hole in any::<bool>(), fine in any::<bool>(),
    ) {
        let mut state = seed;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            scale * (state >> 16) as f32 / 257.0
        };
        let from = Image::from_fn(w, h, |_, _| noise());
        let mut to = Image::from_fn(w, h, |_, _| noise());
        if hole {
            to[(w / 2, h / 2)] = f32::NAN;
        }
        let dis = if fine { Dis::fine() } else { Dis::default() };
        let flow = dis.between(&from, &to).unwrap();
        prop_assert_eq!(flow.size(), (w, h));
        if !hole {
            prop_assert!(flow.pixels().iter().flatten().all(|v| v.is_finite()));
        }
    }
}
