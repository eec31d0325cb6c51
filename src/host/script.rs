//! Scripts: what is done with a plugin, as data. A script file is a JSON list of commands, a test a slice of them, and
//! the command line makes some from its options.

use super::image::{Components, Depth};
use super::interact::Pen;
use super::{Draw, Rendered, State};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One step. In JSON `{"do": "set", "param": "gain", "value": 0.5}`.
///
/// Commands that follow concern the instance that was created or selected last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Makes an instance, and selects it.
    Create {
        /// Told apart from others by this; an earlier one of the same name is destroyed.
        #[serde(default)]
        instance: String,
    },
    /// Goes on with another instance.
    Select {
        /// The name it was created with.
        instance: String,
    },
    /// The user sets a parameter.
    Set {
        /// Its name.
        param: String,
        /// A number, truth, text, label of a choice, or list.
        value: serde_json::Value,
    },
    /// The user sets a key.
    Key {
        /// The parameter's name.
        param: String,
        /// The key's time.
        time: f64,
        /// As for `set`.
        value: serde_json::Value,
    },
    /// The user presses a button.
    Press {
        /// The parameter's name.
        param: String,
    },
    /// The playhead moves.
    Time {
        /// To where.
        time: f64,
    },
    /// A clip is connected with the source of that name among the session's, or disconnected.
    Connect {
        /// The plugin's clip.
        clip: String,
        /// A name among the session's clips; without one the clip is disconnected.
        #[serde(default)]
        source: Option<String>,
    },
    /// Frames are cut into tiles from here on.
    Tiles {
        /// Side by side.
        columns: usize,
        /// One above the other.
        rows: usize,
    },
    /// So many threads render at once from here on, where the plugin allows it.
    Threads {
        /// At least 1.
        count: u32,
    },
    /// Proxies of this scale are rendered from here on.
    Scale {
        /// Horizontally, above 0.
        x: f64,
        /// Vertically, above 0.
        y: f64,
    },
    /// Images have this format from here on, where the plugin supports it.
    Depth {
        /// How a channel is stored.
        depth: Depth,
        /// Which channels there are.
        #[serde(default = "rgba")]
        components: Components,
    },
    /// Rows of images are stored like this from here on.
    Rows {
        /// Top row first, with a negative stride.
        #[serde(default)]
        negative: bool,
        /// Bytes after each row; a multiple of 16 keeps pixels aligned.
        #[serde(default)]
        padding: usize,
    },
    /// While ranges are rendered from here on, the parameter takes these values in turn, from another thread; without
    /// values it rests again.
    Stir {
        /// Its name.
        param: String,
        /// As for `Set`.
        values: Vec<serde_json::Value>,
    },
    /// Renders a range.
    Render {
        /// First time.
        first: f64,
        /// Last time; the first when left out.
        #[serde(default)]
        last: Option<f64>,
        /// From one frame to the next.
        #[serde(default = "one")]
        step: f64,
    },
    /// Draws the overlay.
    Draw,
    /// Uses the pen on the overlay.
    Pen {
        /// What it does.
        pen: Pen,
        /// Where, in canonical coordinates: pixels of the full frame, y up.
        at: [f64; 2],
    },
    /// Strikes a key over the overlay.
    Strike {
        /// The standard's number of the key, such as 65535 for delete.
        symbol: i32,
        /// What it types.
        #[serde(default)]
        text: String,
    },
    /// Asks the plugin to give back memory it can do without.
    Purge,
    /// Saves the project, in memory and in a file when one is named.
    Save {
        /// JSON to write.
        #[serde(default)]
        file: Option<PathBuf>,
    },
    /// Opens the project again: the instance is destroyed and made anew from what was saved.
    Restore {
        /// JSON to read; what was saved last when left out.
        #[serde(default)]
        file: Option<PathBuf>,
    },
    /// Destroys the instance.
    Destroy,
}

fn rgba() -> Components {
    Components::Rgba
}

fn one() -> f64 {
    1.0
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is done, and there is nothing to show.
    Done,
    /// The plugin's answer to a change, by its name in the standard.
    Answered(String),
    /// Frames, in the order they were asked for.
    Frames(Vec<Rendered>),
    /// What the overlay drew.
    Drawing(Vec<Draw>),
    /// Whether the overlay took the pen or key.
    Taken(bool),
    /// What was saved.
    Saved(State),
}

impl Outcome {
    /// The frames, when it is some.
    pub fn frames(&self) -> &[Rendered] {
        if let Outcome::Frames(frames) = self { frames } else { &[] }
    }
}

/// Reads a script file.
pub fn read(path: &Path) -> Result<Vec<Command>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    serde_json::from_str(&text)
        .map_err(|e| Error::setting("script", format!("{} is not a list of commands: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_read() {
        let text = r#"[{"do": "create"}, {"do": "set", "param": "gain", "value": [1, 2]},
            {"do": "render", "first": 0, "last": 3}, {"do": "pen", "pen": "down", "at": [1, 2]}]"#;
        let script: Vec<Command> = serde_json::from_str(text).unwrap();
        assert_eq!(script[0], Command::Create { instance: String::new() });
        assert_eq!(script[2], Command::Render { first: 0.0, last: Some(3.0), step: 1.0 });
        let again: Vec<Command> = serde_json::from_str(&serde_json::to_string(&script).unwrap()).unwrap();
        assert_eq!(script, again);
        assert!(serde_json::from_str::<Command>(r#"{"do": "explode"}"#).is_err());
    }
}
