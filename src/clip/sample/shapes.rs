//! Drawing by distance: every shape is a function giving the distance to its edge, so that edges are smooth at any
//! size.

/// Light of three channels, display values 0…1.
pub(super) type Color = [f32; 3];

/// `a` to `b` by `t`.
pub(super) fn blend(a: Color, b: Color, t: f32) -> Color {
    [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * t)
}

/// Coverage 0…1 of a point `distance` outside (negative: inside) an edge `softness` wide.
pub(super) fn cover(distance: f32, softness: f32) -> f32 {
    let t = (0.5 - distance / softness).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Distance to a box of half sizes `half` around the origin; negative inside.
pub(super) fn boxed(p: [f32; 2], half: [f32; 2]) -> f32 {
    let q = [p[0].abs() - half[0], p[1].abs() - half[1]];
    q[0].max(0.0).hypot(q[1].max(0.0)) + q[0].max(q[1]).min(0.0)
}

/// Distance to the line from `a` to `b`.
pub(super) fn segment(p: [f32; 2], a: [f32; 2], b: [f32; 2]) -> f32 {
    let (d, e) = ([b[0] - a[0], b[1] - a[1]], [p[0] - a[0], p[1] - a[1]]);
    let t = ((d[0] * e[0] + d[1] * e[1]) / (d[0] * d[0] + d[1] * d[1]).max(1e-12)).clamp(0.0, 1.0);
    (e[0] - d[0] * t).hypot(e[1] - d[1] * t)
}

/// Strokes of a letter on a grid 4 wide and 6 high, y down; as `x0 y0 x1 y1` digits.
fn strokes(letter: char) -> &'static [&'static str] {
    match letter {
        'A' => &["0620", "2046", "1434"],
        'C' => &["4010", "1001", "0105", "0516", "1646"],
        'D' => &["0006", "0030", "3041", "4145", "4536", "3606"],
        'E' => &["4000", "0006", "0646", "0333"],
        'H' => &["0006", "4046", "0343"],
        'I' => &["2026"],
        'K' => &["0006", "4003", "1246"],
        'L' => &["0006", "0646"],
        'N' => &["0600", "0046", "4640"],
        'O' => &["1030", "3041", "4145", "4536", "3616", "1605", "0501", "0110"],
        'R' => &["0600", "0030", "3041", "4142", "4233", "3303", "2346"],
        'S' => &["4010", "1001", "0102", "0233", "3344", "4445", "4536", "3606"],
        'T' => &["0040", "2026"],
        _ => &[],
    }
}

/// Distance from `p` to the strokes of a line of text whose letters are 4 wide, 6 high, 5.6 apart, starting at the
/// origin.
pub(super) fn text(p: [f32; 2], line: &str) -> f32 {
    let mut nearest = f32::INFINITY;
    for (i, letter) in line.chars().enumerate() {
        let q = [p[0] - 5.6 * i as f32, p[1]];
        // Far letters cannot matter for strokes a unit wide.
        if q[0] < -3.0 || q[0] > 7.0 {
            continue;
        }
        for stroke in strokes(letter) {
            let mut v = [0.0; 4];
            for (v, digit) in v.iter_mut().zip(stroke.bytes()) {
                *v = f32::from(digit - b'0');
            }
            nearest = nearest.min(segment(q, [v[0], v[1]], [v[2], v[3]]));
        }
    }
    nearest
}

/// Width of a line of text in the units of [`text`].
pub(super) fn text_width(line: &str) -> f32 {
    5.6 * line.chars().count() as f32 - 1.6
}
