//! Dense inverse search: fast dense flow, coarse to fine.
//!
//! Per level of a pyramid: displacements of overlapping patches by inverse search ([`search`]), a dense field from
//! them ([`densify`]), and its variational refinement ([`refine`]). After T. Kroeger, R. Timofte, D. Dai, L. Van Gool,
//! *Fast Optical Flow using Dense Inverse Search*, ECCV 2016; the refinement after T. Brox, A. Bruhn, N. Papenberg,
//! J. Weickert, *High Accuracy Optical Flow Estimation Based on a Theory for Warping*, ECCV 2004.
//!
//! The same bytes come out whatever the number of threads: work is cut by rows, never by threads, and every sum has a
//! fixed order.

mod densify;
mod plane;
mod pyramid;
mod refine;
mod search;

pub use refine::Refinement;

use plane::{Field, Plane};
use search::{Grid, Pair};

use super::OpticalFlow;
use crate::error::{Error, Result};
use crate::frame::{Image, Rgba, Vec2, luminance};

/// Dense inverse search with variational refinement (Kroeger et al. 2016), and its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dis {
    /// Finest level computed, level k being 2ᵏ times smaller than the picture; what lies below is interpolated.
    /// Every level less costs a quarter of the one before.
    pub finest_scale: usize,
    /// Side of a patch, in pixels: 4, 8, 12 or 16.
    pub patch_size: usize,
    /// Pixels from one patch to the next, at least 1 and at most the patch's side.
    pub patch_stride: usize,
    /// Most Gauss–Newton steps of a patch per sweep (section 2.1); few patches need them all.
    pub descent_iterations: usize,
    /// The variational refinement after each level (section 2.3).
    pub refinement: Refinement,
}

impl Default for Dis {
    /// For whole frames.
    fn default() -> Self {
        Self {
            finest_scale: 1,
            patch_size: 8,
            patch_stride: 3,
            descent_iterations: 12,
            refinement: Refinement {
                warps: 1,
                iterations: 5,
                sweeps: 5,
                alpha: 20.0,
                gamma: 10.0,
                delta: 5.0,
                omega: 1.6,
            },
        }
    }
}

impl Dis {
    /// For small crops that are nearly aligned already, where sub-pixel accuracy counts: down to full resolution, with
    /// fewer patches and sweeps, since little is left to be found.
    pub fn fine() -> Self {
        let whole = Self::default();
        let refinement = Refinement { warps: 1, iterations: 3, sweeps: 3, ..whole.refinement };
        Self { finest_scale: 0, patch_stride: 4, refinement, ..whole }
    }

    /// Whether every setting has a usable value.
    fn check(&self) -> Result<()> {
        if ![4, 8, 12, 16].contains(&self.patch_size) {
            return Err(Error::setting("patch_size", "must be 4, 8, 12 or 16 pixels"));
        }
        if self.patch_stride == 0 || self.patch_stride > self.patch_size {
            return Err(Error::setting("patch_stride", "must be at least 1 and at most the patch size"));
        }
        let r = &self.refinement;
        if [r.alpha, r.gamma, r.delta].iter().any(|w| !w.is_finite() || *w < 0.0) {
            return Err(Error::setting(
                "refinement",
                "alpha, gamma and delta must be finite and not negative",
            ));
        }
        if !(r.omega > 0.0 && r.omega < 2.0) {
            return Err(Error::setting("omega", "must lie between 0 and 2"));
        }
        Ok(())
    }

    /// The flow between two pictures of one size, not smaller than a patch.
    fn measure(&self, from: &Image<f32>, to: &Image<f32>) -> Image<Vec2> {
        let coarsest = pyramid::coarsest(from.width(), from.height(), self.patch_size);
        let finest = self.finest_scale.min(coarsest);
        let (from, to) = rayon::join(|| pyramid::build(from, coarsest), || pyramid::build(to, coarsest));
        let mut field = self.coarse_to_fine(&from, &to, finest);
        for scale in (0..finest).rev() {
            field = field.doubled(from[scale].width, from[scale].height);
        }
        field.into_image()
    }

    /// The field from all levels, finest last.
    fn coarse_to_fine(&self, from: &[Plane], to: &[Plane], finest: usize) -> Field {
        let mut field = Field::zero(1, 1);
        for scale in (finest..from.len()).rev() {
            let (from, to) = (&from[scale], &to[scale]);
            field = field.doubled(from.width, from.height);
            field = match self.patch_size {
                4 => self.patches::<4>(from, to, &field),
                12 => self.patches::<12>(from, to, &field),
                16 => self.patches::<16>(from, to, &field),
                _ => self.patches::<8>(from, to, &field),
            };
            refine::refine(from, to, &mut field, &self.refinement);
        }
        field
    }

    /// Patch search and densification of one level, for patches of `N` pixels.
    fn patches<const N: usize>(&self, from: &Plane, to: &Plane, init: &Field) -> Field {
        let (gx, gy) = pyramid::gradients(from);
        let grid = Grid::new(from.width, from.height, N, self.patch_stride);
        let pair = Pair { from, to, gx: &gx, gy: &gy };
        let matches = search::search::<N>(pair, &grid, init, self.descent_iterations);
        densify::densify::<N>(from, to, &grid, &matches)
    }
}

impl Dis {
    /// Flow between two luminances in levels (0…255). Zero where the picture is smaller than a patch: nothing can be
    /// measured there.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the pictures differ in size, [`Error::Setting`] if a setting is out of its range.
    pub fn between(&self, from: &Image<f32>, to: &Image<f32>) -> Result<Image<Vec2>> {
        self.check()?;
        let (w, h) = from.size();
        if from.size() != to.size() {
            let (a, b) = to.size();
            return Err(Error::Mismatch(format!(
                "flow between a picture of {w}×{h} pixels and one of {a}×{b}: both must have one size"
            )));
        }
        if w.min(h) < self.patch_size {
            return Ok(Image::new(w, h, [0.0; 2]));
        }
        // Entering the pool once, rather than at each of some hundred parallel loops, saves a fifth of the time.
        Ok(rayon::scope(|_| self.measure(from, to)))
    }

    /// [`Dis::between`] both ways.
    pub fn between_both_ways(&self, a: &Image<f32>, b: &Image<f32>) -> Result<(Image<Vec2>, Image<Vec2>)> {
        let (there, back) = rayon::join(|| self.between(a, b), || self.between(b, a));
        Ok((there?, back?))
    }
}

impl OpticalFlow for Dis {
    /// As [`Dis::between`], of the frames' luminance.
    fn flow(&self, from: &Image<Rgba>, to: &Image<Rgba>) -> Result<Image<Vec2>> {
        self.between(&grey(from), &grey(to))
    }

    fn both_ways(&self, a: &Image<Rgba>, b: &Image<Rgba>) -> Result<(Image<Vec2>, Image<Vec2>)> {
        self.between_both_ways(&grey(a), &grey(b))
    }
}

/// Luminance in levels; float footage goes beyond them in highlights.
fn grey(frame: &Image<Rgba>) -> Image<f32> {
    luminance(frame).map(|v| v.clamp(0.0, 255.0))
}
