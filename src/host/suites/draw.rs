//! The draw suite: drawings are kept as data.

use super::super::context::shared;
use super::super::draw::{Draw, DrawContext};
use super::super::handles::find;
use super::{answer, raw};
use crate::openfx::*;
use std::ffi::{c_char, c_int};

pub(super) static SUITE: OfxDrawSuiteV1 = OfxDrawSuiteV1 {
    getColour: Some(colour),
    setColour: Some(set_colour),
    setLineWidth: Some(set_line_width),
    setLineStipple: Some(set_line_stipple),
    draw: Some(draw),
    drawText: Some(draw_text),
};

fn keep(context: OfxDrawContextHandle, what: Draw) -> Result<(), Status> {
    find::<DrawContext, _>(context, "draw context")?;
    shared()?.drawing.lock().push(what);
    Ok(())
}

extern "C" fn colour(
    context: OfxDrawContextHandle,
    which: OfxStandardColour,
    out: *mut OfxRGBAColourF,
) -> OfxStatus {
    answer("getColour", || {
        find::<DrawContext, _>(context, "draw context")?;
        if which > OfxStandardColour_kOfxStandardColourOverlayText {
            return Err(Status::ERR_VALUE);
        }
        // One grey a colour, so that a test can tell them apart.
        let grey = (which as f32 + 1.0) / 8.0;
        raw::put(out, OfxRGBAColourF { r: grey, g: grey, b: grey, a: 1.0 })
    })
}

extern "C" fn set_colour(context: OfxDrawContextHandle, colour: *const OfxRGBAColourF) -> OfxStatus {
    answer("setColour", || {
        let c = raw::get(colour)?;
        keep(context, Draw::Colour([c.r, c.g, c.b, c.a]))
    })
}

extern "C" fn set_line_width(context: OfxDrawContextHandle, width: f32) -> OfxStatus {
    answer("setLineWidth", || keep(context, Draw::LineWidth(width)))
}

extern "C" fn set_line_stipple(
    context: OfxDrawContextHandle,
    pattern: OfxDrawLineStipplePattern,
) -> OfxStatus {
    answer("setLineStipple", || keep(context, Draw::Stipple(pattern)))
}

extern "C" fn draw(
    context: OfxDrawContextHandle,
    primitive: OfxDrawPrimitive,
    points: *const OfxPointD,
    count: c_int,
) -> OfxStatus {
    answer("draw", || {
        if primitive > OfxDrawPrimitive_kOfxDrawPrimitiveEllipse {
            return Err(Status::ERR_VALUE);
        }
        let points = raw::all(points, count)?.into_iter().map(|p| [p.x, p.y]).collect();
        keep(context, Draw::Shape { primitive, points })
    })
}

extern "C" fn draw_text(
    context: OfxDrawContextHandle,
    text: *const c_char,
    at: *const OfxPointD,
    alignment: c_int,
) -> OfxStatus {
    answer("drawText", || {
        let at = raw::get(at)?;
        keep(context, Draw::Text { text: raw::text(text)?, at: [at.x, at.y], alignment })
    })
}
