//! Which pixels show the surface and which show something in front of it.
//!
//! Each pixel is tried against two stories: the surface, known here to its colour *and its scatter*, and an occluder,
//! known by the colours it showed where it stood out. A least-cost cut decides, with borders where the picture has
//! them.

mod colours;
mod cut;
mod scatter;

pub use cut::GridCut;

use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, Rgba, Vec2, bilinear, box_blur, opponent};
use crate::track::{Inverses, Predicted, Solution, in_order};
pub(crate) use colours::{ANY, UNIFORM};
use colours::{Colours, Counts};

/// Levels from which a channel of the atlas counts as clipped: the surface may be brighter than that.
const CLIPPED: f32 = 250.0;
/// Share of the surface's story that allows any colour: specks, misfits, glints.
pub(crate) const SPECKS: f32 = 0.01;
/// Largest evidence a single pixel may give, natural log-odds.
const STRONGEST: f32 = 12.0;
/// Evidence in the user's word, beyond all that pixels say.
const SETTLED: f32 = 100.0;
/// Weight of a network's mask, whose edges are softer than a picture's, against the colours of a pixel.
const OPINION: f32 = 0.5;
/// Pixels from the region's border in which a network's mask does not count.
const BORDER: usize = 3;
/// Scatter of the surface in a shadow, against what the shadow takes, and the most it may be, levels: shadows are known
/// less well than the light of the whole region.
const SHADOW: f32 = 0.5;
const MOST_DOUBT: f32 = 7.0;
/// Price of parting two neighbours that look alike.
const PRICE: f32 = 4.0;
/// Share of the price that remains where they do not.
const PRICE_AT_EDGES: f32 = 0.15;
/// Squared difference of two neighbours' misfits, in scatters, over which the price fades.
const EDGE: f32 = 30.0;

/// What is needed to judge any frame of one region.
pub struct Visibility<'a> {
    solution: &'a Solution,
    inverses: &'a Inverses,
    scatter: Image<Rgba>,
    colours: Colours,
}

/// A frame's prediction, its own pixels there, and the surface's scatter there.
type Look = (Predicted, Image<Rgba>, Image<Rgba>);

/// What is said of a frame from outside, over the whole frame at working size.
#[derive(Debug, Default)]
pub struct Told {
    /// A network's mask, 255 where the surface shows.
    pub network: Option<Image<u8>>,
    /// The user's word: share of the surface that shows, and how far that is said at all.
    pub user: Option<Image<Vec2>>,
}

/// One frame cut in two, over the part of it that can show the surface.
pub struct Cut {
    /// The surface as it should look.
    pub predicted: Predicted,
    /// The frame's own pixels there, levels.
    pub frame: Image<Rgba>,
    /// The surface's scatter there along the axes of [`opponent`], levels.
    pub scatter: Image<Rgba>,
    /// Density of the frame's colour among those the clip's occluders were seen in, per level³: 0 for what none showed.
    pub occluders: Image<f32>,
    /// Log-odds of surface against occluder, by the frame alone and what was told of it.
    pub evidence: Image<f32>,
    /// Whether a pixel shows the surface.
    pub surface: Image<bool>,
}

impl Cut {
    /// The cut anew, with more evidence.
    #[must_use]
    pub fn heeding(&self, more: &Image<f32>) -> Image<bool> {
        let misfit = misfits(&self.frame, &self.predicted.surface, &self.scatter);
        cheapest(&self.evidence.zip(more, |e, m| e + m), &misfit)
    }
}

impl<'a> Visibility<'a> {
    /// Learns the surface's scatter and the occluders' colours from the whole clip.
    pub fn learn(footage: &dyn Footage, solution: &'a Solution, inverses: &'a Inverses) -> Result<Self> {
        let scatter = scatter::scatter(footage, solution, inverses)?;
        let mut visibility = Self { solution, inverses, scatter, colours: Colours::unknown() };
        let all: Vec<usize> = (0..footage.len()).collect();
        let mut counts = Counts::new();
        in_order(
            &all,
            |t| visibility.occluder_colours(footage, t),
            |_, part| {
                counts.add(&part);
                Ok(())
            },
        )?;
        visibility.colours = counts.into_colours();
        Ok(visibility)
    }

    /// Colours of one frame's pixels that, with their neighbours, are certainly not the surface.
    fn occluder_colours(&self, footage: &dyn Footage, t: usize) -> Result<Counts> {
        let mut counts = Counts::new();
        if let Some((predicted, frame, scatter)) = self.look(footage, t)? {
            let evidence = evidence(&frame, &predicted.surface, &scatter, &self.colours);
            let around = box_blur(&evidence.map(|e| e.min(4.0)), 1);
            let sure = around.pixels().iter().zip(predicted.coverage.pixels()).zip(frame.pixels());
            sure.filter(|((e, k), _)| **e < -3.0 && **k > 0.9).for_each(|(_, c)| counts.count(*c));
        }
        Ok(counts)
    }

    fn look(&self, footage: &dyn Footage, t: usize) -> Result<Option<Look>> {
        let Some(predicted) = self.solution.predict(self.inverses, t, footage.size()) else {
            return Ok(None);
        };
        let frame = footage.levels(t)?.crop(predicted.part);
        let predicted = beyond_white(predicted, &frame);
        let scatter = predicted.at.zip(&predicted.surface, |u, dark| {
            let doubt = (SHADOW * self.solution.light.lost(t, u, dark)).min(MOST_DOUBT);
            let [x, y, z, _] = bilinear(&self.scatter, u);
            [x.hypot(doubt), y.hypot(doubt), z.hypot(doubt), 0.0]
        });
        Ok(Some((predicted, frame, scatter)))
    }

    /// Width and height of the region's canvas.
    pub(crate) fn canvas_size(&self) -> (usize, usize) {
        self.solution.canvas.size()
    }

    /// Cuts one frame; `None` where the surface cannot be seen at all. What is told of the frame is evidence too, and the
    /// user's word the last.
    pub fn cut(&self, footage: &dyn Footage, t: usize, told: &Told) -> Result<Option<Cut>> {
        let Some((predicted, frame, scatter)) = self.look(footage, t)? else { return Ok(None) };
        let evidence = evidence(&frame, &predicted.surface, &scatter, &self.colours);
        // Outside the region nothing is claimed; such pixels follow their neighbours.
        let mut claimed = evidence
            .zip(&predicted.coverage, |e, k| if k > 0.01 { e.clamp(-STRONGEST, STRONGEST) } else { 0.0 });
        if let Some(network) = &told.network {
            claimed = opined(&claimed, &network.crop(predicted.part), &predicted.coverage);
        }
        if let Some(user) = &told.user {
            let said = |e: f32, [shows, said]: Vec2| match said > 0.5 {
                true => SETTLED * (2.0 * shows - 1.0),
                false => e,
            };
            claimed = claimed.zip(&user.crop(predicted.part), said);
        }
        let misfit = misfits(&frame, &predicted.surface, &scatter);
        let surface = cheapest(&claimed, &misfit);
        let occluders = frame.map(|c| self.colours.seen(*c));
        Ok(Some(Cut { predicted, frame, scatter, occluders, evidence: claimed, surface }))
    }
}

/// The surface where it is clipped on the atlas: at least as bright as that, and as bright as the frame shows it.
fn beyond_white(mut predicted: Predicted, frame: &Image<Rgba>) -> Predicted {
    let all = predicted.surface.pixels_mut().iter_mut().zip(predicted.gain.pixels()).zip(frame.pixels());
    for ((surface, gain), shown) in all {
        for c in 0..3 {
            if surface[c] >= CLIPPED * gain[c].min(1.0) {
                surface[c] = surface[c].max(shown[c]);
            }
        }
    }
    predicted
}

/// Evidence with a network's mask added, but for the region's border: a network has learnt that nothing shows outside, and
/// is in doubt on either side.
fn opined(evidence: &Image<f32>, network: &Image<u8>, coverage: &Image<f32>) -> Image<f32> {
    let inner = box_blur(coverage, BORDER);
    let counted = network.zip(&inner, |m, k| if k > 0.99 { opinion(m) } else { 0.0 });
    evidence.zip(&counted, |e, o| e + o)
}

/// Evidence in a network's mask of a pixel.
fn opinion(mask: u8) -> f32 {
    let m = (f32::from(mask) / 255.0).clamp(0.01, 0.99);
    OPINION * (m / (1.0 - m)).ln()
}

/// Difference to the surface along the axes of [`opponent`], in units of its scatter.
fn misfits(frame: &Image<Rgba>, surface: &Image<Rgba>, scatter: &Image<Rgba>) -> Image<Rgba> {
    let off = frame.zip(surface, |c, b| opponent([c[0] - b[0], c[1] - b[1], c[2] - b[2], 0.0]));
    off.zip(scatter, |d, s| [d[0] / s[0], d[1] / s[1], d[2] / s[2], 0.0])
}

/// Log-odds of surface against occluder.
fn evidence(
    frame: &Image<Rgba>,
    surface: &Image<Rgba>,
    scatter: &Image<Rgba>,
    colours: &Colours,
) -> Image<f32> {
    /// ln((2π)^(3/2)): normalises the Gaussian of three channels.
    const NORMAL: f32 = 2.756_816;
    let misfit = misfits(frame, surface, scatter);
    let fits = misfit.zip(scatter, |r, s| {
        let log = -0.5 * (r[0] * r[0] + r[1] * r[1] + r[2] * r[2]) - (s[0] * s[1] * s[2]).ln() - NORMAL;
        (log.exp() + SPECKS * ANY).ln()
    });
    fits.zip(frame, |f, c| f - colours.density(c).ln())
}

/// The cut of least cost: evidence against the price of borders, which is lower where the misfit jumps.
fn cheapest(evidence: &Image<f32>, misfit: &Image<Rgba>) -> Image<bool> {
    let (w, h) = evidence.size();
    let mut cut = GridCut::new(w, h);
    let price = |a: Rgba, b: Rgba| {
        let d = (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2);
        PRICE * (PRICE_AT_EDGES + (1.0 - PRICE_AT_EDGES) * (-d / EDGE).exp())
    };
    for y in 0..h {
        for x in 0..w {
            cut.set_pull(x, y, evidence[(x, y)]);
            if x + 1 < w {
                cut.set_price(x, y, false, price(misfit[(x, y)], misfit[(x + 1, y)]));
            }
            if y + 1 < h {
                cut.set_price(x, y, true, price(misfit[(x, y)], misfit[(x, y + 1)]));
            }
        }
    }
    Image::from_vec(w, h, cut.solve())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Rect;

    /// A row of pixels of a surface under a gain, and of the frame.
    fn seen(surface: &[Rgba], gain: Rgba, frame: &[Rgba]) -> (Predicted, Image<Rgba>) {
        let n = surface.len();
        let predicted = Predicted {
            part: Rect::new(0, 0, n as i32, 1),
            at: Image::new(n, 1, [0.0; 2]),
            motion: Image::new(n, 1, [0.0; 2]),
            surface: Image::from_vec(n, 1, surface.to_vec()),
            gain: Image::new(n, 1, gain),
            coverage: Image::new(n, 1, 1.0),
        };
        (predicted, Image::from_vec(n, 1, frame.to_vec()))
    }

    #[test]
    fn a_surface_beyond_white_may_be_brighter_than_the_atlas_but_not_darker() {
        // In three quarters of the light, white is 191: clipped, not clipped, clipped but darker than that.
        let (predicted, frame) = seen(
            &[[191.0, 150.0, 191.0, 0.0], [180.0; 4], [191.0; 4]],
            [0.75; 4],
            &[[230.0, 170.0, 200.0, 0.0], [230.0; 4], [100.0; 4]],
        );
        let surface = beyond_white(predicted, &frame).surface;
        assert_eq!(surface[(0, 0)], [230.0, 150.0, 200.0, 0.0]);
        assert_eq!((surface[(1, 0)][0], surface[(2, 0)][0]), (180.0, 191.0));
    }

    #[test]
    fn a_network_has_no_say_at_the_regions_border() {
        let coverage = Image::from_fn(40, 30, |x, _| f32::from(x >= 10));
        // It fades over the border, and has seen something within.
        let network = Image::from_fn(40, 30, |x, _| match x {
            0..12 => 20,
            25..30 => 5,
            _ => 250,
        });
        let found = opined(&Image::new(40, 30, 1.0), &network, &coverage);
        assert!((0..13).all(|x| found[(x, 15)] == 1.0), "{:?}", found.row(15));
        assert!(found[(27, 15)] < 0.0 && found[(20, 15)] > 1.5, "{:?}", found.row(15));
    }

    /// Brightness scatters by thirty levels, hue by two: a pixel of the same brightness and another hue is no surface.
    #[test]
    fn hue_tells_an_occluder_where_brightness_cannot() {
        let (predicted, frame) = seen(
            &[[120.0, 110.0, 95.0, 0.0]; 2],
            [1.0; 4],
            &[[150.0, 140.0, 125.0, 0.0], [140.0, 100.0, 85.0, 0.0]],
        );
        let scatter = Image::new(2, 1, [30.0, 2.0, 2.0, 0.0]);
        let found = evidence(&frame, &predicted.surface, &scatter, &Colours::unknown());
        assert!(found[(0, 0)] > 0.0 && found[(1, 0)] < 0.0, "{:?}", found.pixels());
    }
}
