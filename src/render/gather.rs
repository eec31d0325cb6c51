//! A picture at the pixels of a run.

use super::kernel::Kernel;
use super::sample::{LANES, Picture, Rows, cubic_at_edge, of_lane, split};
use super::warp::Run;
use crate::frame::EXPOSURE;
use wide::{f32x4, f32x16};

/// Where the cubic samples of a run of pixels lie, worked out side by side.
pub(super) struct Taps {
    at: [f32x16; 2],
    whole: [[i32; LANES]; 2],
    past: [f32x16; 2],
}

impl Taps {
    #[inline(always)]
    pub(super) fn new(at: [f32x16; 2]) -> Self {
        let ((x, fx), (y, fy)) = (split(at[0]), split(at[1]));
        Self { at, whole: [x, y], past: [fx, fy] }
    }

    /// The sample of one lane, `shift` pixels up and left of its position; with `inside`, this is known to have all
    /// its neighbours.
    #[inline(always)]
    pub(super) fn sample(
        &self,
        kernel: impl Kernel,
        lane: usize,
        rows: &Rows,
        (shift, inside): (i32, bool),
    ) -> f32x4 {
        let (x, y) = (self.whole[0][lane].wrapping_sub(shift), self.whole[1][lane].wrapping_sub(shift));
        match rows.block((x, y), inside) {
            Some(block) => kernel.cubic(block, of_lane(&self.past, lane)),
            None => {
                let at = of_lane(&self.at, lane).map(|v| v - shift as f32);
                cubic_at_edge(rows.image, at).into()
            }
        }
    }
}

/// A reduced picture at those pixels of a run that are `wanted`: its mean over the footprint in the run's middle, and
/// over four moments where it moves while the shutter is open, of what `limit` leaves of each sample of a lane. `shift`
/// is what the picture is padded with.
#[inline(always)]
pub(super) fn gather(
    kernel: impl Kernel,
    picture: Picture,
    shift: f32,
    run: &Run,
    (wanted, limit): (&[bool; LANES], impl Fn(usize, f32x4) -> f32x4),
) -> [f32x4; LANES] {
    let at = run.at.map(|at| at + f32x16::splat(shift));
    let spread = picture.spread(run.footprint());
    let (rows, share) = (Rows::new(spread.image), f32x16::splat(spread.share));
    let moments = if run.motion.is_some() { &EXPOSURE[..] } else { &[0.0] };
    let motion = run.motion.unwrap_or([f32x16::ZERO; 2]);
    let mut sums = [f32x4::ZERO; LANES];
    for moment in moments {
        for offset in spread.offsets() {
            let place =
                |c: usize| (at[c] + motion[c] * f32x16::splat(*moment)) * share + f32x16::splat(offset[c]);
            let taps = Taps::new([place(0), place(1)]);
            for lane in run.lanes.clone().filter(|lane| wanted[*lane]) {
                sums[lane] += limit(lane, taps.sample(kernel, lane, &rows, (0, false)));
            }
        }
    }
    let weight = f32x4::splat(spread.weight / moments.len() as f32);
    sums.map(|sum| sum * weight)
}
