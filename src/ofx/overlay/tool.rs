//! What the pen changes: the region on its own frame, a key or shapes on the others.

use crate::ofx::corrections::{Drawn, found_corners};
use crate::ofx::fault::{Fault, Result};
use crate::ofx::instance::Instance;
use crate::ofx::region::{Shapes, polygons};

/// A thing the pen can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// The region's polygons.
    Region,
    /// Where the region's corners are on a frame.
    Key,
    /// Shapes around what is in front.
    Hidden,
    /// Shapes around what is not.
    Shown,
}

impl Tool {
    /// What the pen changes on a frame; `None` where there is nothing to be changed.
    pub(super) fn on(instance: &Instance, time: f64) -> Result<Option<Self>> {
        let reference = (time - f64::from(instance.params.int("reference", time)?)).abs() < 0.5;
        Ok(match instance.params.word("tool", time)? {
            "key" => (!reference && found_corners(instance, frame(time))?.is_some()).then_some(Tool::Key),
            "hidden" => Some(Tool::Hidden),
            "shown" => Some(Tool::Shown),
            _ => (reference && instance.params.word("shape", time)? == "polygons").then_some(Tool::Region),
        })
    }

    /// Whether points are added and removed; else they are only moved.
    pub(super) fn grows(self) -> bool {
        self != Tool::Key
    }

    /// The shapes it changes, on a frame.
    pub(super) fn shapes(self, instance: &Instance, time: f64) -> Result<Shapes> {
        let frame = frame(time);
        Ok(match self {
            Tool::Region => polygons(instance)?,
            Tool::Hidden | Tool::Shown => Drawn::of(instance)?.shapes_on(frame, self == Tool::Hidden),
            Tool::Key => {
                let drawn = Drawn::of(instance)?;
                let found = found_corners(instance, frame)?.map_or(Shapes::new(), |(found, _)| found);
                found.into_iter().enumerate().map(|(k, corners)| drawn.corners(frame, k, corners)).collect()
            }
        })
    }

    /// Keeps changed shapes; `touched` are the shape and the point that were.
    pub(super) fn store(
        self,
        instance: &Instance,
        time: f64,
        shapes: Shapes,
        (shape, point): (usize, usize),
    ) -> Result<()> {
        let frame = frame(time);
        match self {
            Tool::Region => {
                let text = serde_json::to_string(&shapes).map_err(|e| Fault::Plain(e.to_string()))?;
                instance.params.set_text("polygons", &text)
            }
            Tool::Hidden | Tool::Shown => {
                let hold = i64::from(instance.params.int("hold", time)?);
                let mut drawn = Drawn::of(instance)?;
                drawn.set_shapes(frame, self == Tool::Hidden, shapes, hold);
                drawn.store(instance)
            }
            Tool::Key => {
                let mut drawn = Drawn::of(instance)?;
                let corners = shapes.get(shape).map_or(&[][..], Vec::as_slice);
                drawn.set_corner(frame, shape, point, corners);
                drawn.store(instance)
            }
        }
    }
}

/// The host's number of the frame at a time.
pub(super) fn frame(time: f64) -> i64 {
    time.round() as i64
}
