//! Variational refinement: the dense field that explains brightness and gradients best while staying smooth.
//!
//! Patches give displacements that are right on average but blocky. Minimising the energy of Brox et al. 2004
//! (equation 4) from there,
//!
//! ```text
//! E(u, v) = ∫ δ Ψ(brightness residual²) + γ Ψ(gradient residual²) + α Ψ(|∇u|² + |∇v|²),   Ψ(s²) = √(s² + ε²)
//! ```
//!
//! makes them sub-pixel and sharp. Data terms are normalised by the picture's own derivatives (Zimmer et al. 2011,
//! section 2.1), so that every residual is about a distance in pixels. Warping and linearisation are in [`taylor`],
//! the robust weights in [`system`], the solver in [`sor`], and [`checker`] is the layout all of them share.

mod checker;
mod sor;
mod system;
mod taylor;

use checker::Checker;

use super::plane::{Field, Plane};

/// Weights and effort of the variational refinement (Brox et al. 2004), the same at every level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refinement {
    /// Times the second picture is warped by the current field and the data terms are linearised anew
    /// (outer fixed-point iterations of section 3.2). 0 switches refinement off.
    pub warps: usize,
    /// Times the robust weights are brought up to date per warp (inner fixed-point iterations of section 3.3).
    pub iterations: usize,
    /// Sweeps of successive over-relaxation per update of the weights, each over both colours of the checkerboard.
    pub sweeps: usize,
    /// Weight α of smoothness.
    pub alpha: f32,
    /// Weight γ of gradient constancy.
    pub gamma: f32,
    /// Weight δ of brightness constancy.
    pub delta: f32,
    /// Over-relaxation factor ω, above 0 and below 2.
    pub omega: f32,
}

/// Displacements being solved for: planes u and v.
type Unknowns = Checker<2>;

/// Refines a level's field in place.
pub(super) fn refine(from: &Plane, to: &Plane, field: &mut Field, config: &Refinement) {
    if config.warps == 0 || config.iterations == 0 || config.sweeps == 0 {
        return;
    }
    let (width, height) = (field.width, field.height);
    let mut unknowns = Unknowns::new(width, height);
    let mut terms = taylor::Taylor::new(width, height);
    let mut system = system::System::new(width, height);
    unknowns.split(0, &field.u);
    unknowns.split(1, &field.v);
    for _ in 0..config.warps {
        terms.linearise(from, to, field);
        for _ in 0..config.iterations {
            system.assemble(&terms, &unknowns, config);
            for _ in 0..config.sweeps {
                sor::relax(&system, &mut unknowns, 0, config.omega);
                sor::relax(&system, &mut unknowns, 1, config.omega);
            }
        }
        unknowns.join(0, &mut field.u);
        unknowns.join(1, &mut field.v);
    }
}
