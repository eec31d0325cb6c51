//! Regions made from other regions and from masks.

use super::Polygon;
use crate::frame::Image;

/// Pixels a traced outline may stray from the mask's edge, so that it has few points.
const STRAY: f64 = 0.75;
/// Least area in pixels of an outline worth following.
const LEAST_AREA: f64 = 64.0;
/// Longest a corner may be drawn out when a polygon grows, against the margin: sharp corners are cut there.
const MITRE: f64 = 4.0;

/// Signed area: positive when the points run clockwise on the screen (y down).
fn area(polygon: &[[f64; 2]]) -> f64 {
    let next = polygon.iter().cycle().skip(1);
    0.5 * polygon.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>()
}

/// The polygon with every edge moved outward by `margin` pixels, inward when negative.
pub fn grown(polygon: &[[f64; 2]], margin: f64) -> Polygon {
    let n = polygon.len();
    if margin == 0.0 || n < 3 {
        return polygon.to_vec();
    }
    let outward = margin * area(polygon).signum();
    let normal = |a: [f64; 2], b: [f64; 2]| {
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        let length = dx.hypot(dy).max(1e-9);
        [dy / length, -dx / length]
    };
    let corner = |i: usize| {
        let (a, p, b) = (polygon[(i + n - 1) % n], polygon[i], polygon[(i + 1) % n]);
        let (m, k) = (normal(a, p), normal(p, b));
        // The meeting point of both moved edges lies along the sum of their normals.
        let share = (1.0 + m[0] * k[0] + m[1] * k[1]).max(2.0 / (MITRE * MITRE));
        [0, 1].map(|c| p[c] + outward * (m[c] + k[c]) / share)
    };
    (0..n).map(corner).collect()
}

/// Outlines of what lies above one half in a mask, largest first, pixel centres at integers. Holes are left out: what
/// shows through a region belongs to it or is cut out as something in front.
pub fn traced(mask: &Image<f32>) -> Vec<Polygon> {
    let (w, h) = mask.size();
    // A border of nothing closes outlines at the picture's edge.
    let padded = Image::from_fn(w + 2, h + 2, |x, y| {
        let inside = x > 0 && y > 0 && x <= w && y <= h;
        if inside { f64::from(mask[(x - 1, y - 1)]) } else { 0.0 }
    });
    let found = contour::ContourBuilder::new(w + 2, h + 2, true).contours(padded.pixels(), &[0.5]);
    let shapes = found.iter().flatten().flat_map(|c| c.geometry().iter());
    // The crate puts a pixel's centre half a pixel on; the border shifts by one.
    let outline = shapes.map(|s| {
        let points: Polygon = s.exterior().coords().map(|p| [p.x - 1.5, p.y - 1.5]).collect();
        simplified(&points)
    });
    let mut outlines: Vec<Polygon> = outline.collect();
    outlines.retain(|p| p.len() >= 3 && area(p).abs() >= LEAST_AREA);
    outlines.sort_by(|a, b| area(b).abs().total_cmp(&area(a).abs()));
    outlines
}

/// A closed outline with points left out that lie within [`STRAY`] of the line without them.
fn simplified(ring: &[[f64; 2]]) -> Polygon {
    let mut points = ring.to_vec();
    points.dedup();
    if points.len() > 1 && points.first() == points.last() {
        points.pop();
    }
    if points.len() < 4 {
        return points;
    }
    // Two halves between far points, since a closed line has no ends.
    let far = (0..points.len())
        .max_by(|&a, &b| distance(points[a], points[0]).total_cmp(&distance(points[b], points[0])))
        .unwrap_or(0);
    let mut kept = thinned(&points[..=far]);
    let mut second = points[far..].to_vec();
    second.push(points[0]);
    kept.pop();
    kept.extend(thinned(&second));
    kept.pop();
    kept
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Douglas–Peucker on an open line.
fn thinned(line: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let (Some(&a), Some(&b)) = (line.first(), line.last()) else { return Vec::new() };
    let length = distance(a, b);
    let off = |p: &[f64; 2]| {
        let cross = (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
        if length > 1e-9 { cross.abs() / length } else { distance(*p, a) }
    };
    let worst = (1..line.len().saturating_sub(1)).max_by(|&i, &j| off(&line[i]).total_cmp(&off(&line[j])));
    match worst {
        Some(i) if off(&line[i]) > STRAY => {
            let mut kept = thinned(&line[..=i]);
            kept.pop();
            kept.extend(thinned(&line[i..]));
            kept
        }
        _ => vec![a, b],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Rect;

    #[test]
    fn a_square_grows_on_all_sides_whichever_way_it_runs() {
        let square = vec![[10.0, 10.0], [30.0, 10.0], [30.0, 30.0], [10.0, 30.0]];
        let back: Polygon = square.iter().rev().copied().collect();
        for p in [square, back] {
            let g = grown(&p, 3.0);
            for (a, b) in p.iter().zip(&g) {
                for c in 0..2 {
                    let wanted = if a[c] < 20.0 { 7.0 } else { 33.0 };
                    assert!((b[c] - wanted).abs() < 1e-9, "{g:?}");
                }
            }
            assert!((area(&grown(&p, -3.0)).abs() - 14.0 * 14.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_traced_polygon_covers_what_the_polygon_does() {
        let polygon = vec![[12.0, 9.0], [70.5, 14.0], [60.0, 52.0], [40.0, 30.0], [9.0, 48.5]];
        let window = Rect::new(0, 0, 80, 60);
        let coverage = super::super::coverage(&polygon, window);
        let outlines = traced(&coverage);
        assert_eq!(outlines.len(), 1);
        assert!(outlines[0].len() <= 12, "{:?}", outlines[0]);
        let again = super::super::coverage(&outlines[0], window);
        let off: f32 = coverage.zip(&again, |a, b| (a - b).abs()).pixels().iter().sum();
        assert!(off < 60.0, "{off}");
    }

    #[test]
    fn specks_are_no_regions_and_the_edge_closes() {
        let mask = Image::from_fn(40, 30, |x, y| f32::from(u8::from(x < 20 || (x == 30 && y == 10))));
        let outlines = traced(&mask);
        assert_eq!(outlines.len(), 1);
        assert!((area(&outlines[0]).abs() - 20.0 * 30.0).abs() < 30.0);
    }
}
