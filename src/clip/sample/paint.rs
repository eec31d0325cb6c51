//! What is painted: the poster on its board, the picture that is put on it, and the landscape behind.
//!
//! Artwork coordinates: the poster is 1 wide and 0.6 high, its centre is the origin, y down.

use super::random::{noise, octaves};
use super::shapes::{Color, blend, boxed, cover, text, text_width};

/// Half the poster's size.
pub(super) const POSTER: [f32; 2] = [0.5, 0.3];
/// Half the board's size, frame included.
pub(super) const BOARD: [f32; 2] = [0.60, 0.40];

/// A line of text as coverage; `height` of its letters, `bold` stroke width in letter units.
fn lettering(p: [f32; 2], line: &str, centre: [f32; 2], height: f32, bold: f32) -> f32 {
    let unit = height / 6.0;
    let q = [(p[0] - centre[0]) / unit + text_width(line) / 2.0, (p[1] - centre[1]) / unit + 3.0];
    cover(text(q, line) - bold / 2.0, 0.3)
}

/// The board with the old poster: colour, and coverage of the board.
pub(super) fn board(p: [f32; 2], seed: u64) -> (Color, f32) {
    let edge = boxed(p, BOARD);
    let inner = boxed(p, POSTER);
    let ragged = inner + 0.004 * octaves(p[0] * 60.0, p[1] * 60.0, 3, 0.6, seed ^ 5);
    let mut color = blend(planks(p, seed), poster(p, seed), cover(ragged, 0.004));
    // The rim throws a soft shadow inwards, the poster a hard one on the planks.
    let shadow = cover(-(inner - 0.001), 0.03) * cover(inner - 0.012, 0.02);
    color = color.map(|v| v * (1.0 - 0.35 * shadow));
    let rim = cover(-(edge + 0.028), 0.004);
    let wood = 0.36 + 0.10 * octaves(p[0] * 90.0, p[1] * 90.0, 3, 0.6, seed ^ 9);
    color = blend(color, [wood * 0.95, wood * 0.82, wood * 0.70], rim);
    (color, cover(edge, 0.003))
}

fn planks(p: [f32; 2], seed: u64) -> Color {
    let row = (p[1] * 14.0).floor();
    let across = (p[1] * 14.0 - row - 0.5).abs();
    let tone = 0.42 + 0.10 * (noise(row * 7.7, 0.5, seed ^ 21) - 0.5);
    let grain = octaves(p[0] * 9.0 + row * 31.0, p[1] * 160.0, 4, 0.6, seed ^ 22);
    let v = (tone + 0.11 * grain) * (1.0 - 0.55 * cover(0.46 - across, 0.05));
    [v * 1.06, v * 0.88, v * 0.70]
}

/// A travel poster, weathered.
fn poster(p: [f32; 2], seed: u64) -> Color {
    let [x, y] = p;
    // Sky with a sun and its rays.
    let mut c = blend([0.80, 0.72, 0.52], [0.86, 0.52, 0.34], ((y + 0.3) * 2.2).clamp(0.0, 1.0));
    let sun = [x - 0.19, y + 0.06];
    let (r, angle) = (sun[0].hypot(sun[1]), sun[1].atan2(sun[0]));
    c = blend(
        c,
        [0.88, 0.78, 0.56],
        0.6 * cover((angle * 12.0).sin() * r * 0.08, 0.006) * cover(r - 0.6, 0.3),
    );
    c = blend(c, [0.80, 0.30, 0.20], cover(r - 0.115, 0.003));
    // Three ridges, each nearer, darker and rougher.
    let ridges = [
        (0.02, 0.10, 3.1, [0.52, 0.47, 0.50]),
        (0.08, 0.09, 5.3, [0.31, 0.38, 0.42]),
        (0.15, 0.06, 8.7, [0.16, 0.26, 0.28]),
    ];
    for (i, (height, rough, scale, color)) in ridges.into_iter().enumerate() {
        let line = height - rough * octaves(x * scale, i as f32 * 9.1, 5, 0.5, seed ^ (40 + i as u64));
        let snow = cover(y - line - 0.02 * noise(x * 80.0, i as f32, seed), 0.004);
        let lit = blend(color, [0.84, 0.82, 0.78], if i == 0 { 0.7 * snow } else { 0.18 * snow });
        c = blend(c, lit, cover(line - y, 0.003));
    }
    // The band with the name, and small print below.
    c = blend(c, [0.15, 0.20, 0.24], cover(boxed([x, y - 0.245], [0.5, 0.055]), 0.003));
    c = blend(c, [0.86, 0.80, 0.66], lettering(p, "ATLAS", [-0.21, -0.185], 0.115, 1.15));
    c = blend(c, [0.80, 0.36, 0.24], lettering(p, "COAST TO COAST", [-0.14, 0.245], 0.042, 0.9));
    let print = noise((x * 130.0).floor() * 0.77, (y * 75.0).floor() * 1.31, seed ^ 60);
    let lines = cover((y * 75.0 - (y * 75.0).floor() - 0.5).abs() - 0.28, 0.2);
    let block = cover(boxed([x - 0.36, y - 0.245], [0.1, 0.035]), 0.002);
    c = blend(c, [0.78, 0.74, 0.62], block * lines * cover(0.42 - print, 0.05));
    // A pale margin, as on any printed sheet.
    c = blend(c, [0.84, 0.79, 0.68], cover(-boxed(p, [0.482, 0.282]), 0.003));
    weather(c, p, seed)
}

/// Age: stains, faded patches, creases, scratches and the grain of paper, which is what tracking lives on.
fn weather(c: Color, [x, y]: [f32; 2], seed: u64) -> Color {
    let stain = octaves(x * 6.0, y * 6.0, 5, 0.62, seed ^ 70);
    let grain = octaves(x * 95.0, y * 95.0, 3, 0.8, seed ^ 71);
    let mut v = c.map(|c| c * (1.0 + 0.17 * stain) + 0.075 * grain);
    let flake = cover(0.34 - octaves(x * 16.0, y * 16.0, 5, 0.7, seed ^ 72), 0.03);
    v = blend(v, [0.66, 0.62, 0.54].map(|c| c + 0.06 * grain), 0.8 * flake);
    for (i, at) in [-0.167, 0.171].into_iter().enumerate() {
        let crease = x - at - 0.003 * octaves(y * 9.0, i as f32, 3, 0.5, seed ^ 73);
        v = v.map(|c| {
            c + 0.10 * cover(crease.abs() - 0.0012, 0.003)
                - 0.07 * cover((crease - 0.005).abs() - 0.002, 0.006)
        });
    }
    v.map(|c| (0.06 + 0.80 * c).clamp(0.05, 0.86))
}

/// The picture put on the surface.
pub(super) fn artwork([x, y]: [f32; 2]) -> Color {
    let p = [x, y];
    let mut c: Color = [0.05, 0.34, 0.42];
    // Slanted stripes of three colours.
    let slant = (x * 0.9 + y * 0.55) * 9.0;
    let stripe = (slant - slant.floor() - 0.5).abs() - 0.25;
    c = blend(c, [0.07, 0.44, 0.50], cover(stripe, 0.03));
    for (i, color) in [[0.98, 0.76, 0.20], [0.95, 0.46, 0.20], [0.85, 0.20, 0.30]].into_iter().enumerate() {
        let r = (x + 0.30).hypot(y - 0.02) - 0.165 + 0.045 * i as f32;
        c = blend(c, color, cover(r, 0.004));
    }
    c = blend(c, [0.97, 0.95, 0.88], cover((x + 0.30).hypot(y - 0.02) - 0.03, 0.004));
    c = blend(c, [0.97, 0.95, 0.88], lettering(p, "EDITS", [0.17, -0.15], 0.11, 1.3));
    c = blend(c, [0.98, 0.76, 0.20], lettering(p, "THAT", [0.17, 0.005], 0.11, 1.3));
    c = blend(c, [0.97, 0.95, 0.88], lettering(p, "STICK", [0.17, 0.16], 0.11, 1.3));
    blend(c, [0.97, 0.95, 0.88], cover(boxed(p, [0.478, 0.278]).abs() - 0.006, 0.004))
}

/// The landscape behind: x and y in frame widths from the centre.
pub(super) fn landscape([x, y]: [f32; 2], seed: u64) -> Color {
    let mut c = blend([0.45, 0.58, 0.72], [0.82, 0.78, 0.70], ((y + 0.45) * 1.8).clamp(0.0, 1.0));
    let cloud = octaves(x * 3.0, y * 8.0, 6, 0.6, seed ^ 80);
    c = blend(c, [0.88, 0.87, 0.86], cover(0.05 - cloud, 0.35));
    let hills = [
        (0.02, 0.10, 2.0, [0.46, 0.54, 0.58]),
        (0.09, 0.07, 3.7, [0.36, 0.45, 0.38]),
        (0.16, 0.05, 7.0, [0.24, 0.34, 0.20]),
    ];
    for (i, (height, rough, scale, color)) in hills.into_iter().enumerate() {
        let line = height - rough * octaves(x * scale, 3.3 * i as f32, 6, 0.55, seed ^ (90 + i as u64));
        let wood = octaves(x * 30.0, y * 40.0, 4, 0.7, seed ^ (95 + i as u64));
        c = blend(c, color.map(|c| c * (1.0 + 0.10 * (i + 1) as f32 * wood)), cover(line - y, 0.004));
    }
    // A field of dry grass in front.
    let blades =
        octaves(x * 90.0, y * 22.0, 4, 0.7, seed ^ 101) + octaves(x * 7.0, y * 20.0, 3, 0.6, seed ^ 102);
    let field = [0.55 + 0.14 * blades, 0.50 + 0.12 * blades, 0.28 + 0.07 * blades];
    blend(c, field, cover(0.20 - y + 0.012 * octaves(x * 40.0, 0.0, 4, 0.6, seed ^ 103), 0.02))
}
