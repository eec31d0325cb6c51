//! Lines on the viewer, however the host lets them be drawn.

use super::gl::Gl;
use crate::ofx::props::Props;
use crate::ofx::suites::{DrawSuite, Suites};
use crate::openfx::*;

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// As drawn, on the reference frame.
    Drawn,
    /// Where the analysis found it.
    Followed,
    /// Where the analysis thinks it found it: have a look.
    Doubtful,
    /// Where the user put it.
    Key,
    /// Around what is in front.
    Hidden,
    /// Around what is not.
    Shown,
    /// As drawn, on a frame nothing is known about.
    Unknown,
}

impl Colour {
    /// A shape's, drawn around what is in front or is not.
    pub(super) fn shape(hidden: bool) -> Self {
        if hidden { Colour::Hidden } else { Colour::Shown }
    }

    fn rgba(self) -> [f32; 4] {
        match self {
            Colour::Drawn => [1.0, 0.75, 0.1, 1.0],
            Colour::Followed => [0.2, 0.9, 0.4, 1.0],
            Colour::Doubtful => [1.0, 0.35, 0.25, 1.0],
            Colour::Key => [0.3, 0.75, 1.0, 1.0],
            Colour::Hidden => [0.95, 0.3, 0.9, 1.0],
            Colour::Shown => [1.0, 1.0, 1.0, 1.0],
            Colour::Unknown => [0.6, 0.6, 0.6, 0.6],
        }
    }
}

/// A way to draw.
pub(super) enum Brush {
    Suite(DrawSuite, OfxDrawContextHandle),
    Gl(&'static Gl),
}

impl Brush {
    /// The host's suite with the context of this draw action; else OpenGL, where its functions are found.
    pub(super) fn of(suites: &Suites, arguments: &Props) -> Option<Self> {
        if let (Some(suite), Ok(context)) = (suites.draw, arguments.pointer(kOfxInteractPropDrawContext))
            && !context.is_null()
        {
            return Some(Brush::Suite(suite, context.cast()));
        }
        Gl::get().map(Brush::Gl)
    }

    /// A closed line, dark beneath and coloured above, so that it shows on any picture.
    pub(super) fn outline(&self, points: &[[f64; 2]], colour: Colour) {
        self.closed(points, [0.0, 0.0, 0.0, 0.6], 3.0);
        self.closed(points, colour.rgba(), 1.0);
    }

    /// A square around a point.
    pub(super) fn handle(&self, [x, y]: [f64; 2], half: f64, colour: Colour) {
        let square = [[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half]];
        self.outline(&square, colour);
    }

    fn closed(&self, points: &[[f64; 2]], [r, g, b, a]: [f32; 4], width: f32) {
        match self {
            Brush::Gl(gl) => gl.closed(points, [r, g, b, a], width),
            Brush::Suite(suite, context) => {
                let points: Vec<OfxPointD> = points.iter().map(|&[x, y]| OfxPointD { x, y }).collect();
                let count = i32::try_from(points.len()).unwrap_or(0);
                let colour = OfxRGBAColourF { r, g, b, a };
                let primitive = OfxDrawPrimitive_kOfxDrawPrimitiveLineLoop;
                // SAFETY: the context is this draw action's, colour and points outlive the calls. A line that could not
                // be drawn is missing, which is all the answer there is to give.
                unsafe {
                    (suite.set_colour)(*context, &raw const colour);
                    (suite.set_width)(*context, width);
                    (suite.draw)(*context, primitive, points.as_ptr(), count);
                }
            }
        }
    }
}
