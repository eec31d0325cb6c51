//! What an overlay draws, as data.

use super::handles::Handle;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Weak};

/// One call of the draw suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draw {
    /// What follows is in this colour.
    Colour([f32; 4]),
    /// What follows has lines of this width.
    LineWidth(f32),
    /// What follows has lines of this pattern, by the standard's number.
    Stipple(u32),
    /// Points joined as the standard's number says: 0 lines, 1 strip, 2 loop, 3 rectangle, 4 polygon, 5 ellipse.
    Shape {
        /// How they are joined.
        primitive: u32,
        /// In canonical coordinates, y up.
        points: Vec<[f64; 2]>,
    },
    /// Words at a place.
    Text {
        /// The words.
        text: String,
        /// Where, in canonical coordinates, y up.
        at: [f64; 2],
        /// The standard's flags.
        alignment: i32,
    },
}

/// What a draw action's context handle stands for.
pub(super) struct DrawContext {
    pub(super) handle: Handle,
}

impl DrawContext {
    pub(super) fn new() -> Arc<Self> {
        Arc::new_cyclic(|weak: &Weak<Self>| Self { handle: Handle::new(weak) })
    }
}
