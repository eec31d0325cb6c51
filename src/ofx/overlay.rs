//! The region in the viewer: drawn where the surface lies on each frame, dragged and added to where it was drawn, and
//! mended on the frames where it was found wrong.
//!
//! Drawn with the host's draw suite where there is one, with plain OpenGL, looked up at run time, where not, and not at
//! all where neither is: the same shapes can be typed as numbers.
#![allow(non_upper_case_globals, reason = "keys are matched by the standard's names")]

mod gl;
mod paint;
mod tool;

use super::corrections::{Drawn, located};
use super::fault::{Fault, Result};
use super::guard::guard;
use super::instance::{self, Instance};
use super::props::Props;
use super::region::{FramePlace, Shapes, shapes};
use super::suites::{Suites, suites};
use crate::openfx::*;
use paint::{Brush, Colour};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use tool::{Tool, frame};

/// Screen pixels within which the pen takes hold of a point.
const GRIP: f64 = 8.0;
/// Points drawn along an edge, so that a bent surface's region is drawn bent.
const PER_EDGE: usize = 12;

/// A point being dragged: shape and point.
type Held = (usize, usize);

/// What each overlay has hold of; the last point touched is the one that Delete removes.
#[derive(Debug, Clone, Copy, Default)]
struct Hand {
    dragging: Option<Held>,
    touched: Option<Held>,
}

static HANDS: Mutex<Option<HashMap<usize, Hand>>> = Mutex::new(None);

/// Tells the host about the overlay, in the form that it can draw.
pub(super) fn announce(suites: &Suites, props: &Props) {
    let entry = interact_main as unsafe extern "C" fn(_, _, _, _) -> _;
    if suites.draw.is_some() {
        super::describe::soft(
            props.set_pointer(kOfxImageEffectPluginPropOverlayInteractV2, entry as *mut c_void),
        );
    }
    if suites.interact.is_some() {
        super::describe::soft(
            props.set_pointer(kOfxImageEffectPluginPropOverlayInteractV1, entry as *mut c_void),
        );
    }
}

/// What the host calls for the overlay.
unsafe extern "C" fn interact_main(
    action: *const c_char,
    handle: *const c_void,
    arguments: OfxPropertySetHandle,
    _results: OfxPropertySetHandle,
) -> OfxStatus {
    guard("overlay", || {
        if action.is_null() {
            return Err(Fault::Missing("name of the action"));
        }
        // SAFETY: not null, and the host gives a C string.
        let action = unsafe { CStr::from_ptr(action) };
        let suites = suites()?;
        let interact = handle.cast_mut().cast();
        let is = |n: &'static [u8]| action == name(n);
        if is(kOfxActionDescribeInteract) || is(kOfxActionCreateInstanceInteract) {
            return Ok(Status::OK);
        }
        if is(kOfxActionDestroyInstanceInteract) {
            HANDS.lock().as_mut().map(|h| h.remove(&(handle as usize)));
            return Ok(Status::OK);
        }
        let Some(arguments) = Props::new(&suites, arguments) else { return Ok(Status::REPLY_DEFAULT) };
        let event = Event { interact, suites: &suites, arguments };
        if is(kOfxInteractActionDraw) {
            event.with(|e, instance| e.draw(instance))
        } else if is(kOfxInteractActionPenDown) {
            event.with(|e, instance| e.pen_down(instance))
        } else if is(kOfxInteractActionPenMotion) {
            event.with(|e, instance| e.pen_moved(instance))
        } else if is(kOfxInteractActionPenUp) {
            event.with(|e, _| Ok(e.hand(|hand| hand.dragging.take()).is_some()))
        } else if is(kOfxInteractActionKeyDown) {
            event.with(|e, instance| e.key(instance))
        } else {
            Ok(Status::REPLY_DEFAULT)
        }
    })
}

/// One thing that happens to an overlay.
struct Event<'a> {
    interact: OfxInteractHandle,
    suites: &'a Suites,
    arguments: Props<'a>,
}

impl Event<'_> {
    /// Answers the event with the instance it concerns; what is not ours is left to the host.
    fn with(&self, work: impl FnOnce(&Self, &Instance) -> Result<bool>) -> Result<Status> {
        let effect = self.arguments.pointer(kOfxPropEffectInstance)?.cast();
        let ours = instance::with(effect, |instance| work(self, instance))?;
        Ok(if ours { Status::OK } else { Status::REPLY_DEFAULT })
    }

    fn hand<T>(&self, work: impl FnOnce(&mut Hand) -> T) -> T {
        let mut hands = HANDS.lock();
        work(hands.get_or_insert_default().entry(self.interact as usize).or_default())
    }

    fn time(&self) -> Result<f64> {
        self.arguments.double(kOfxPropTime, 0)
    }

    /// Canonical units to a screen pixel.
    fn pixel(&self) -> f64 {
        let scale = self.arguments.doubles::<2>(kOfxInteractPropPixelScale).unwrap_or([1.0; 2]);
        if scale[0].is_finite() && scale[0] > 0.0 { scale[0] } else { 1.0 }
    }

    fn pen(&self) -> Result<[f64; 2]> {
        self.arguments.doubles(kOfxInteractPropPenPosition)
    }

    fn redraw(&self) {
        if let Some(suite) = &self.suites.interact {
            // SAFETY: the interact is the host's.
            let status = unsafe { (suite.redraw)(self.interact) };
            if status != Status::OK.0 {
                super::fault::log("interactRedraw", &Status(status).name());
            }
        }
    }

    fn draw(&self, instance: &Instance) -> Result<bool> {
        let time = self.time()?;
        let place = FramePlace::of(instance, time)?;
        let Some(brush) = Brush::of(self.suites, &self.arguments) else { return Ok(false) };
        let canonical =
            |shape: &Vec<[f64; 2]>| -> Vec<[f64; 2]> { shape.iter().map(|p| place.canonical(*p)).collect() };
        let (regions, colour) = self.regions(instance, time)?;
        regions.iter().for_each(|shape| brush.outline(&canonical(shape), colour));
        for shape in Drawn::of(instance)?.shapes.iter().filter(|s| s.holds(frame(time))) {
            brush.outline(&canonical(&shape.points), Colour::shape(shape.hidden));
        }
        if let Some(tool) = Tool::on(instance, time)? {
            let colour = match tool {
                Tool::Region => colour,
                Tool::Key => Colour::Key,
                Tool::Hidden | Tool::Shown => Colour::shape(tool == Tool::Hidden),
            };
            let points = tool.shapes(instance, time)?.into_iter().flatten();
            points.for_each(|p| brush.handle(place.canonical(p), 0.5 * GRIP * self.pixel(), colour));
        }
        Ok(true)
    }

    /// The regions' outlines on a frame, and what they mean there: as drawn, as the user keyed them, as found.
    fn regions(&self, instance: &Instance, time: f64) -> Result<(Shapes, Colour)> {
        if (time - f64::from(instance.params.int("reference", time)?)).abs() < 0.5 {
            return Ok((shapes(instance, time)?, Colour::Drawn));
        }
        if Drawn::of(instance)?.keys.iter().any(|k| k.frame == frame(time)) {
            return Ok((Tool::Key.shapes(instance, time)?, Colour::Key));
        }
        Ok(match located(instance, frame(time), PER_EDGE)? {
            Some((found, true)) => (found, Colour::Followed),
            Some((found, false)) => (found, Colour::Doubtful),
            None => (shapes(instance, time)?, Colour::Unknown),
        })
    }

    /// Takes hold of the point under the pen, or adds one where that is what the tool does.
    fn pen_down(&self, instance: &Instance) -> Result<bool> {
        let Some((tool, place, pen)) = self.editable(instance)? else { return Ok(false) };
        let mut all = tool.shapes(instance, self.time()?)?;
        let near = |p: &[f64; 2]| {
            let q = place.canonical(*p);
            (q[0] - pen[0]).hypot(q[1] - pen[1]) <= GRIP * self.pixel()
        };
        let found = all.iter().enumerate().find_map(|(s, shape)| shape.iter().position(near).map(|p| (s, p)));
        let held = match found {
            Some(held) => held,
            None if !tool.grows() => return Ok(false),
            None => {
                let held = add_point(&mut all, place.relative(pen));
                tool.store(instance, self.time()?, all, held)?;
                held
            }
        };
        self.hand(|hand| *hand = Hand { dragging: Some(held), touched: Some(held) });
        self.redraw();
        Ok(true)
    }

    fn pen_moved(&self, instance: &Instance) -> Result<bool> {
        let Some((shape, point)) = self.hand(|hand| hand.dragging) else { return Ok(false) };
        let Some((tool, place, pen)) = self.editable(instance)? else { return Ok(false) };
        let mut all = tool.shapes(instance, self.time()?)?;
        let Some(p) = all.get_mut(shape).and_then(|s| s.get_mut(point)) else { return Ok(false) };
        *p = place.relative(pen);
        tool.store(instance, self.time()?, all, (shape, point))?;
        self.redraw();
        Ok(true)
    }

    /// Delete and Backspace remove the point touched last; N starts another shape.
    fn key(&self, instance: &Instance) -> Result<bool> {
        let key = u32::try_from(self.arguments.int(kOfxPropKeySym, 0)?).unwrap_or(0);
        let time = self.time()?;
        let Some(tool) = Tool::on(instance, time)?.filter(|tool| tool.grows()) else { return Ok(false) };
        let mut all = tool.shapes(instance, time)?;
        match key {
            kOfxKey_Delete | kOfxKey_BackSpace => {
                let Some((shape, point)) = self.hand(|hand| hand.touched.take()) else { return Ok(false) };
                if all.get(shape).is_none_or(|s| point >= s.len()) {
                    return Ok(false);
                }
                all[shape].remove(point);
                all.retain(|s| !s.is_empty());
            }
            kOfxKey_n | kOfxKey_N if all.last().is_some_and(|s| s.len() >= 3) => {
                all.push(Vec::new());
            }
            _ => return Ok(false),
        }
        tool.store(instance, time, all, (0, 0))?;
        self.redraw();
        Ok(true)
    }

    /// Where the pen is, and what it changes there.
    fn editable(&self, instance: &Instance) -> Result<Option<(Tool, FramePlace, [f64; 2])>> {
        let time = self.time()?;
        let Some(tool) = Tool::on(instance, time)? else { return Ok(None) };
        Ok(Some((tool, FramePlace::of(instance, time)?, self.pen()?)))
    }
}

/// Adds a point to the last polygon, between the two it lies nearest to; says which it is.
fn add_point(all: &mut Shapes, p: [f64; 2]) -> Held {
    if all.is_empty() {
        all.push(Vec::new());
    }
    let shape = all.len() - 1;
    let points = &mut all[shape];
    let n = points.len();
    let detour = |i: usize| {
        let (a, b) = (points[i], points[(i + 1) % n]);
        let d = |u: [f64; 2], v: [f64; 2]| (u[0] - v[0]).hypot(u[1] - v[1]);
        d(a, p) + d(p, b) - d(a, b)
    };
    // The first three points are put down in the order they come.
    let after =
        if n < 3 { n } else { (0..n).min_by(|&a, &b| detour(a).total_cmp(&detour(b))).unwrap_or(0) + 1 };
    points.insert(after, p);
    (shape, after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ofx::region::{CORNERS, from_pixels, to_pixels};

    #[test]
    fn points_go_where_the_outline_passes() {
        let mut all = Shapes::new();
        for p in [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]] {
            add_point(&mut all, p);
        }
        assert_eq!(all[0].len(), 4);
        assert_eq!(add_point(&mut all, [0.5, 0.02]), (0, 1));
        assert_eq!(all[0][1], [0.5, 0.02]);
        let (w, h) = (64, 36);
        let back = from_pixels(to_pixels([0.3, 0.8], (w, h)), (w, h));
        assert!((back[0] - 0.3).abs() < 1e-12 && (back[1] - 0.8).abs() < 1e-12);
    }

    #[test]
    fn corners_are_parameters() {
        assert!(CORNERS.iter().all(|c| crate::param::find(c).is_some()));
    }
}
