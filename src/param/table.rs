//! The table itself.

use super::{Group, Kind, Page, Param, Text};

/// A parameter that only a host's panel shows.
const fn plugin(id: &'static str, label: &'static str, hint: &'static str, page: Page, kind: Kind) -> Param {
    Param { id, label, hint, group: Group::Plugin, page, kind }
}

const fn corner(x: f64, y: f64) -> Kind {
    Kind::Point { default: [x, y] }
}

/// All parameters, in the order shown.
pub const TABLE: &[Param] = &[
    plugin(
        "reference",
        "Reference frame",
        "The frame on which the region is drawn. Choose one that shows all of the surface, sharp and uncovered",
        Page::Region,
        Kind::Int { min: -1_000_000, max: 1_000_000, default: 0 },
    ),
    plugin(
        "use_current",
        "Use current frame",
        "Takes the frame the playhead is on as the reference frame",
        Page::Region,
        Kind::Button,
    ),
    plugin(
        "shape",
        "Shape",
        "How the region is drawn",
        Page::Region,
        Kind::Choice {
            options: &[
                ("corners", "four corners, dragged in the viewer or typed"),
                (
                    "polygons",
                    "any shape, drawn in the viewer: click to add a point, drag to move it, Delete removes it",
                ),
                ("input", "the Region input: white or opaque on the reference frame is the region"),
            ],
        },
    ),
    plugin(
        "corner1",
        "Corner 1",
        "The region's bottom left corner on the reference frame",
        Page::Region,
        corner(0.3, 0.3),
    ),
    plugin(
        "corner2",
        "Corner 2",
        "The region's bottom right corner on the reference frame",
        Page::Region,
        corner(0.7, 0.3),
    ),
    plugin(
        "corner3",
        "Corner 3",
        "The region's top right corner on the reference frame",
        Page::Region,
        corner(0.7, 0.7),
    ),
    plugin(
        "corner4",
        "Corner 4",
        "The region's top left corner on the reference frame",
        Page::Region,
        corner(0.3, 0.7),
    ),
    plugin("polygons", "Polygons", "The drawn shapes, kept as text", Page::Region, Kind::Text(Text::Line)),
    plugin(
        "margin",
        "Margin",
        "Pixels by which the region is made larger than drawn; negative makes it smaller",
        Page::Region,
        Kind::Double { min: -200.0, max: 200.0, default: 0.0 },
    ),
    plugin(
        "range",
        "Range",
        "Which frames are analysed",
        Page::Analyze,
        Kind::Choice { options: &[("clip", "the whole clip"), ("part", "First frame to Last frame")] },
    ),
    plugin(
        "first",
        "First frame",
        "First frame analysed when Range is a part",
        Page::Analyze,
        Kind::Int { min: -1_000_000, max: 1_000_000, default: 0 },
    ),
    plugin(
        "last",
        "Last frame",
        "Last frame analysed when Range is a part",
        Page::Analyze,
        Kind::Int { min: -1_000_000, max: 1_000_000, default: 0 },
    ),
    Param {
        id: "preset",
        label: "Preset",
        hint: "How much work goes into the fit",
        group: Group::Analyze,
        page: Page::Analyze,
        kind: Kind::Choice {
            options: &[
                ("standard", "the direct solver in full"),
                ("draft", "a quick look: smaller working size, fewer rounds"),
                ("neural", "networks for map, atlas, light and mask, started from the direct solver"),
                ("paper", "the published method from nothing: hours on a processor"),
            ],
        },
    },
    Param {
        id: "size",
        label: "Working size",
        hint: "Long side in pixels the clip is analysed at; 0 leaves it to the preset. Edits stay as sharp as the footage",
        group: Group::Analyze,
        page: Page::Analyze,
        kind: Kind::Int { min: 0, max: 4096, default: 0 },
    },
    Param {
        id: "flow",
        label: "Optical flow",
        hint: "Engine that measures motion between frames",
        group: Group::Analyze,
        page: Page::Analyze,
        kind: Kind::Choice {
            options: &[
                ("auto", "the best that is installed"),
                ("builtin", "dense inverse search, always there"),
                ("raft", "RAFT, where its model is"),
            ],
        },
    },
    Param {
        id: "features",
        label: "Features",
        hint: "What tells points apart by their looks, for the paper's preset",
        group: Group::Analyze,
        page: Page::Analyze,
        kind: Kind::Choice {
            options: &[
                ("auto", "the best that is installed"),
                ("builtin", "colour and texture around a point, always there"),
                ("dino", "DINO, where its model is"),
            ],
        },
    },
    Param {
        id: "matting",
        label: "Matting",
        hint: "Engine that cuts out what passes in front",
        group: Group::Analyze,
        page: Page::Analyze,
        kind: Kind::Choice {
            options: &[
                ("auto", "the best that is installed"),
                ("builtin", "against the known surface, always there"),
                ("vitmatte", "ViTMatte, where its model is"),
            ],
        },
    },
    Param {
        id: "models",
        label: "Models",
        hint: "Folder with models for flow, features and matting; `rna models` says what belongs there",
        group: Group::Analyze,
        page: Page::Analyze,
        kind: Kind::Text(Text::Folder),
    },
    Param {
        id: "device",
        label: "Device",
        hint: "Where networks are computed",
        group: Group::Analyze,
        page: Page::Analyze,
        kind: Kind::Choice {
            options: &[
                ("auto", "a GPU where there is one, else the processor"),
                ("cpu", "the processor"),
                ("gpu", "a GPU, or an error where there is none"),
            ],
        },
    },
    Param {
        id: "colour",
        label: "Input colour",
        hint: "What the clip's values mean",
        group: Group::Analyze,
        page: Page::Analyze,
        kind: Kind::Choice {
            options: &[
                ("auto", "by file kind: EXR is linear, all else is for display"),
                ("display", "sRGB or Rec.709, as shown"),
                ("linear", "scene-linear light"),
            ],
        },
    },
    plugin(
        "folder",
        "Folder",
        "Where analyses are kept; empty is a folder of this user's own",
        Page::Analyze,
        Kind::Text(Text::Folder),
    ),
    plugin(
        "analyze",
        "Analyze",
        "Reads the clip and fits the region over all its frames",
        Page::Analyze,
        Kind::Button,
    ),
    plugin(
        "cancel",
        "Cancel",
        "Stops a running analysis; what is finished of it is kept",
        Page::Analyze,
        Kind::Button,
    ),
    plugin(
        "status",
        "Status",
        "What the plugin is doing or waits for",
        Page::Analyze,
        Kind::Text(Text::Label),
    ),
    plugin(
        "analysis",
        "Analysis",
        "The fitted clip (.rna). Filled in by Analyze; an earlier one can be chosen again",
        Page::Analyze,
        Kind::Text(Text::OpenFile),
    ),
    plugin(
        "tool",
        "Pen draws",
        "What the pen changes in the viewer. Corrections are taken in by the next press of Analyze, which solves only the \
         frames they concern",
        Page::Correct,
        Kind::Choice {
            options: &[
                ("region", "the region, on the reference frame"),
                ("key", "a key: drag the region's corners to where they belong on this frame"),
                ("hidden", "shapes around what is in front on this frame: click to add points"),
                ("shown", "shapes around surface that was taken for something in front"),
            ],
        },
    ),
    plugin(
        "within",
        "Key tolerance",
        "Pixels within which the corners of keys are meant: where the picture tells better, it decides within that; 0 \
         takes them as they are",
        Page::Correct,
        Kind::Double { min: 0.0, max: 50.0, default: 3.0 },
    ),
    plugin(
        "hold",
        "Hold shapes",
        "Frames before and after the one drawn on for which what is drawn next holds, too",
        Page::Correct,
        Kind::Int { min: 0, max: 10_000, default: 0 },
    ),
    plugin(
        "clear_frame",
        "Clear this frame",
        "Takes away the key and the shapes drawn on the frame the playhead is on",
        Page::Correct,
        Kind::Button,
    ),
    plugin(
        "corrections",
        "Corrections",
        "Keys and shapes, kept as text",
        Page::Correct,
        Kind::Text(Text::Line),
    ),
    plugin(
        "capture",
        "Capture",
        "Frames being collected while the host renders",
        Page::Analyze,
        Kind::Text(Text::Line),
    ),
    plugin(
        "atlas_file",
        "Atlas to write",
        "The picture to paint on: .exr keeps every value, .png is 16-bit",
        Page::Atlas,
        Kind::Text(Text::SaveFile),
    ),
    plugin(
        "export_atlas",
        "Export atlas",
        "Writes the atlas to that file, with a .json beside it",
        Page::Atlas,
        Kind::Button,
    ),
    plugin(
        "edited",
        "Edited atlas",
        "The painted picture: a changed copy of the atlas, or a transparent painting",
        Page::Atlas,
        Kind::Text(Text::OpenFile),
    ),
    plugin("reload", "Reload", "Reads the painted picture again", Page::Atlas, Kind::Button),
    plugin(
        "revision",
        "Revision",
        "Counts reloads, so that the host renders anew",
        Page::Atlas,
        Kind::Text(Text::Line),
    ),
    plugin(
        "alpha",
        "Edit is",
        "How the painted picture is read",
        Page::Atlas,
        Kind::Choice {
            options: &[
                ("auto", "judged from its transparency"),
                ("copy", "a changed copy: what differs from the atlas is paint"),
                ("painting", "a painting: its alpha says where and how much"),
            ],
        },
    ),
    plugin(
        "edit_colour",
        "Colour of the edit",
        "What the painted picture's values mean",
        Page::Atlas,
        Kind::Choice {
            options: &[
                ("auto", "as the file beside the exported atlas says, else by kind of file"),
                ("display", "sRGB or Rec.709, as shown"),
                ("linear", "scene-linear light"),
            ],
        },
    ),
    Param {
        id: "opacity",
        label: "Opacity",
        hint: "How much of the edit shows",
        group: Group::Render,
        page: Page::Atlas,
        kind: Kind::Double { min: 0.0, max: 1.0, default: 1.0 },
    },
    Param {
        id: "grain",
        label: "Grain",
        hint: "How much of the footage's own grain lies on the edit",
        group: Group::Render,
        page: Page::Atlas,
        kind: Kind::Double { min: 0.0, max: 1.0, default: 1.0 },
    },
    Param {
        id: "grow",
        label: "Grow matte",
        hint: "Pixels by which the visible surface grows; negative shrinks",
        group: Group::Render,
        page: Page::Matte,
        kind: Kind::Double { min: -20.0, max: 20.0, default: 0.0 },
    },
    Param {
        id: "soften",
        label: "Soften matte",
        hint: "Pixels of blur on the matte",
        group: Group::Render,
        page: Page::Matte,
        kind: Kind::Double { min: 0.0, max: 50.0, default: 0.0 },
    },
    Param {
        id: "edge",
        label: "Edge",
        hint: "Contrast of the matte's soft edge: 1 as found, above harder, below softer",
        group: Group::Render,
        page: Page::Matte,
        kind: Kind::Double { min: 0.1, max: 10.0, default: 1.0 },
    },
    Param {
        id: "view",
        label: "View",
        hint: "What a rendered frame shows",
        group: Group::Render,
        page: Page::Output,
        kind: Kind::Choice {
            options: &[
                ("result", "the edited clip"),
                ("atlas", "the fitted surface put back on the frame"),
                ("matte", "white where the surface shows"),
                ("uv", "position on the reference frame as colour"),
                ("light", "gain against the reference frame, mid-grey is 1"),
                ("checker", "a checkerboard stuck to the surface"),
                ("difference", "frame minus fitted surface, mid-grey is 0"),
            ],
        },
    },
    Param {
        id: "shutter",
        label: "Shutter",
        hint: "Motion blur of the edit: open share of a frame, 0 to 1; −1 takes what the footage shows",
        group: Group::Render,
        page: Page::Output,
        kind: Kind::Double { min: -1.0, max: 1.0, default: -1.0 },
    },
    plugin(
        "matte_alpha",
        "Matte into alpha",
        "The output's alpha becomes the surface's matte",
        Page::Output,
        Kind::Flag { default: false },
    ),
    plugin(
        "maps_folder",
        "Maps folder",
        "Folder for one STMap (EXR) a frame",
        Page::Export,
        Kind::Text(Text::Folder),
    ),
    plugin(
        "export_maps",
        "Export maps",
        "Writes where each pixel lies on the reference frame, for other programs' STMap nodes",
        Page::Export,
        Kind::Button,
    ),
    plugin(
        "mattes_folder",
        "Mattes folder",
        "Folder for one 16-bit PNG a frame",
        Page::Export,
        Kind::Text(Text::Folder),
    ),
    plugin(
        "export_mattes",
        "Export mattes",
        "Writes what shows of the surface in each frame",
        Page::Export,
        Kind::Button,
    ),
];
