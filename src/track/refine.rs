//! The second pass: light, atlas and maps against each other, over all frames, until they agree.

use super::align::{Alignment, Options, Rest, Template, align};
use super::appearance::{Seen, Solution, Visible, in_order, square_mean};
use super::canvas::{Canvas, Map};
use super::gaps::{ANCHORS, reconcile};
use super::habits::{Observed, explain};
use super::predict::{Inverses, read_part};
use super::sequential::Tracked;
use super::stiffness::polish;
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, Rgba, box_blur, cubic};
use crate::progress::Progress;
use rayon::prelude::*;

/// How much work goes into the second pass.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Times all frames are realigned with a new atlas.
    pub rounds: usize,
    /// Times the atlas takes back what sampling blurred.
    pub sharpenings: usize,
}

impl Effort {
    /// Steps [`refine`] reports for one region.
    pub fn steps(&self) -> usize {
        3 * self.rounds + 5 + self.sharpenings
    }
}

/// How such a frame is aligned: as a whole, and not far from where the frames around it put it.
pub(super) const HELD_BACK: Options =
    Options { stiffness: 17_000.0, rest: Rest::Home, iterations: 4, sigma: 4.0, pull: 0.03, blur: 0.0 };
/// Share of the region that must show where a hardly seen frame's own map has it …
const TELLING: f32 = 0.03;
/// … and how many times as much as where the frames around put it, for its own map to stay.
const MORE: f32 = 1.2;
/// How much more firmly a map is held to the surface's usual bends than to a plane.
const HELD: f64 = 20.0;
/// Misfit in levels beyond which a pixel does not sharpen the atlas.
const SHARPEN_SIGMA: f32 = 6.0;
/// Share of the region a frame must have shown to be believed in full when the atlas is made.
const SEEN: f32 = 0.3;

/// How far a frame's map is believed by the share of the region that it shows.
pub(super) fn trust(seen: f32) -> f32 {
    (seen / SEEN).min(1.0).powi(2)
}

/// Refines one region's tracked maps into a full solution.
pub fn refine(
    footage: &dyn Footage,
    canvas: &Canvas,
    reference: usize,
    tracked: &[Tracked],
    effort: Effort,
    progress: &Progress,
) -> Result<Solution> {
    let mut seen: Vec<f32> = tracked.iter().map(|t| t.seen).collect();
    let mut solution = Solution {
        maps: tracked.iter().map(|t| t.map.clone()).collect(),
        trust: seen.iter().map(|s| trust(*s)).collect(),
        ..Solution::flat(canvas, footage, reference)?
    };
    let mut evidence = Vec::new();
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress.step(done)
    };
    for round in 0..=effort.rounds {
        solution.judge_clarity();
        let (light_rounds, sigma) = if round == 0 { (4, 6.0) } else { (2, 4.0) };
        let last = round == effort.rounds;
        for pass in 0..if last { 1 } else { 2 } {
            solution.fit_light(footage, reference, light_rounds, sigma)?;
            if round == 0 && pass == 0 {
                solution.median_atlas(footage)?;
            }
            solution.mean_atlas(footage, None, 0.0)?;
            step()?;
        }
        if last {
            break;
        }
        if round == 0 {
            solution.find_stiffness(footage)?;
            solution.hold_to_texture(footage, reference, progress)?;
            step()?;
        }
        solution.mend_gaps(footage, (tracked, &seen), reference)?;
        let usual = solution.usual_maps(&evidence);
        let shown = solution.realign(footage, usual.as_deref(), 0.0, progress, &mut evidence)?;
        // A frame that was lost while tracked may have been found since, if others on both sides vouch for it.
        let anchors = |t: &usize| tracked[*t].seen >= ANCHORS;
        let (first, last) = ((0..seen.len()).find(anchors), (0..seen.len()).rfind(anchors));
        for t in first.unwrap_or(reference)..=last.unwrap_or(reference) {
            seen[t] = seen[t].max(shown[t]);
            solution.trust[t] = trust(seen[t]);
        }
        solution.fix_gauge(reference);
        step()?;
    }
    solution.mend_gaps(footage, (tracked, &seen), reference)?;
    let shutter = solution.find_shutter(footage)?;
    step()?;
    if shutter > 0.0 {
        solution.settle_smeared(footage, shutter, reference, &mut evidence, progress)?;
    }
    step()?;
    solution.paint(footage, reference, None, effort.sharpenings, &mut step)?;
    solution.expose(shutter, footage.size(), reference);
    Ok(solution)
}

impl Solution {
    /// The atlas from all frames once maps and light are known, weighted by what is `visible`, and sharpened. `step` is
    /// called `1 + sharpenings` times.
    pub(crate) fn paint(
        &mut self,
        footage: &dyn Footage,
        reference: usize,
        visible: Option<&Visible>,
        sharpenings: usize,
        mut step: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let shutter = self.shutter;
        self.expose(0.0, footage.size(), reference);
        self.trust_reference(footage, reference)?;
        self.mean_atlas(footage, visible, 0.0)?;
        step()?;
        for _ in 0..sharpenings {
            self.sharpen(footage, visible, 0.0)?;
            step()?;
        }
        self.expose(shutter, footage.size(), reference);
        Ok(())
    }

    /// Mends the frames in which next to nothing was seen from those around them, unless a frame shows more of the surface
    /// where its own map has it.
    fn mend_gaps(
        &mut self,
        footage: &dyn Footage,
        (tracked, seen): (&[Tracked], &[f32]),
        reference: usize,
    ) -> Result<()> {
        let mut mended = self.maps.clone();
        reconcile(&self.canvas, tracked, seen, reference, &mut mended);
        let one = |(t, mended): (usize, Map)| -> Result<Map> {
            let own = &self.maps[t];
            if mended == *own {
                return Ok(mended);
            }
            let (frame, template) = (footage.levels(t)?, self.template(t));
            let look = Options { iterations: 1, ..HELD_BACK };
            let seen = |m: &Map| align(&self.canvas, &frame, &template, m, m, &look).seen(&self.canvas);
            let shown = seen(own);
            let stays = shown >= TELLING && shown > MORE * seen(&mended);
            Ok(if stays { own.clone() } else { mended })
        };
        self.maps = mended.into_par_iter().enumerate().map(one).collect::<Result<_>>()?;
        Ok(())
    }

    /// Aligns every frame once more, as its own exposure smears the surface, whose `shutter` was found: a sharp picture
    /// fits a smeared one hardly worse a little off. Then says which frames were exposed for a shorter time.
    fn settle_smeared(
        &mut self,
        footage: &dyn Footage,
        shutter: f32,
        reference: usize,
        evidence: &mut Vec<Vec<f32>>,
        progress: &Progress,
    ) -> Result<()> {
        // The mean of smeared frames is smeared, too.
        self.sharpen(footage, None, shutter)?;
        let usual = self.usual_maps(evidence);
        self.realign(footage, usual.as_deref(), shutter, progress, evidence)?;
        self.fix_gauge(reference);
        self.fit_light(footage, reference, 2, 4.0)?;
        self.short_exposures = self.find_short_exposures(footage, shutter, progress)?;
        self.settle_short(footage, shutter, usual.as_deref())
    }

    /// Aligns the frames exposed for a shorter time once more, as that smears them.
    pub(super) fn settle_short(
        &mut self,
        footage: &dyn Footage,
        shutter: f32,
        usual: Option<&[Map]>,
    ) -> Result<()> {
        let inverses = Inverses::of(self, footage.size());
        let one = |t: &usize| -> Result<(usize, Map)> {
            let template = self.template_through(Some(&inverses), *t, shutter);
            Ok((*t, self.aligned(*t, &footage.levels(*t)?, &template, usual).map))
        };
        let short: Vec<usize> = self.short_exposures.keys().copied().collect();
        let found: Vec<(usize, Map)> = short.par_iter().map(one).collect::<Result<_>>()?;
        found.into_iter().for_each(|(t, map)| self.maps[t] = map);
        Ok(())
    }

    /// Frame `t` aligned with a template; with `usual` maps, bends count from those the surface usually takes.
    fn aligned(
        &self,
        t: usize,
        frame: &Image<Rgba>,
        template: &Template,
        usual: Option<&[Map]>,
    ) -> Alignment {
        let map = &self.maps[t];
        match usual {
            None => align(&self.canvas, frame, template, map, map, &polish(self.stiffness)),
            Some(usual) => {
                let options = Options { rest: Rest::Home, ..polish(HELD * self.stiffness) };
                align(&self.canvas, frame, template, map, &usual[t], &options)
            }
        }
    }

    /// Aligns every frame with the atlas of all frames, smeared by a `shutter`; with `usual` maps, bends count from those
    /// the surface usually takes. Returns the share of the region that each frame shows; `evidence` becomes how much of
    /// it shows around each control point.
    fn realign(
        &mut self,
        footage: &dyn Footage,
        usual: Option<&[Map]>,
        shutter: f32,
        progress: &Progress,
        evidence: &mut Vec<Vec<f32>>,
    ) -> Result<Vec<f32>> {
        let texture = self.texture();
        let inverses = (shutter > 0.0).then(|| Inverses::of(self, footage.size()));
        let one = |t: usize| -> Result<(Map, (f32, Vec<f32>))> {
            progress.check()?;
            let (map, frame) = (&self.maps[t], footage.levels(t)?);
            let template = self.template_through(inverses.as_ref(), t, shutter);
            if self.trust[t] < trust(ANCHORS) {
                let found = align(&self.canvas, &frame, &template, map, map, &HELD_BACK);
                let shown = found.seen(&self.canvas);
                return Ok((found.map, (shown, vec![0.0; self.canvas.grid.count()])));
            }
            let found = self.aligned(t, &frame, &template, usual);
            let shown = (found.seen(&self.canvas), self.evidence(&texture, &found.weight));
            Ok((found.map, shown))
        };
        let found: Result<Vec<_>> = (0..self.maps.len()).into_par_iter().map(one).collect();
        let (maps, shown): (Vec<Map>, Vec<_>) = found?.into_iter().unzip();
        self.maps = maps;
        let shares;
        (shares, *evidence) = shown.into_iter().unzip();
        Ok(shares)
    }

    /// Every frame's map with the bend made of those that the surface takes in all frames; `None` without evidence,
    /// and for a surface that does not bend.
    fn usual_maps(&self, evidence: &[Vec<f32>]) -> Option<Vec<Map>> {
        let observe = |(map, seen): (&Map, &Vec<f32>)| {
            let field = self.canvas.displacement(map)?;
            Some(Observed { field, seen: seen.clone() })
        };
        let observed: Option<Vec<Observed>> =
            self.maps.par_iter().zip(evidence.par_iter()).map(observe).collect();
        let observed = observed.filter(|o| !o.is_empty())?;
        let fields = explain(&self.canvas.grid, &observed)?;
        self.maps.par_iter().zip(&fields).map(|(map, field)| self.canvas.displaced(map, field)).collect()
    }

    /// Makes the reference frame's map the identity again: all maps are read where the reference's inverse points
    /// (first order: what is undone is a small fraction of a pixel).
    fn fix_gauge(&mut self, reference: usize) {
        let canvas = &self.canvas;
        let drift = canvas.positions(&self.maps[reference]);
        let composed: Vec<Map> = (0..self.maps.len())
            .into_par_iter()
            .map(|t| {
                let map = &self.maps[t];
                let positions = Image::from_fn(drift.width(), drift.height(), |x, y| {
                    let (p, q) = (drift[(x, y)], canvas.to_reference([x as f32, y as f32]));
                    canvas.position(map, [x as f32 - (p[0] - q[0]), y as f32 - (p[1] - q[1])])
                });
                canvas.map_of(&positions).unwrap_or_else(|| map.clone())
            })
            .collect();
        self.maps = composed;
    }

    /// Iterative back-projection: what the re-rendered atlas misses in the frames, averaged over them, goes back into
    /// it. Undoes the blur of sampling twice, frame → atlas → frame, and what of its smear a `shutter` explains.
    pub(crate) fn sharpen(
        &mut self,
        footage: &dyn Footage,
        visible: Option<&Visible>,
        shutter: f32,
    ) -> Result<()> {
        let inverses = Inverses::of(self, footage.size());
        let (w, h) = self.canvas.size();
        let mut sum = Image::new(w, h, [0.0f32; 4]);
        let all: Vec<usize> = (0..footage.len()).collect();
        let missing = |t: usize| {
            let moments = self.around_middle(t, shutter);
            let predicted = self.predict_with(&inverses, t, footage.size(), moments, |v| v);
            let Some(p) = predicted else { return Ok(None) };
            let frame = footage.levels(t)?.crop(p.part);
            let misfit = box_blur(&frame.zip(&p.surface, square_mean), 1);
            let seen = Seen::of(visible, t, footage.size())?;
            let weight = Image::from_fn(misfit.width(), misfit.height(), |x, y| {
                let at = [(p.part.x0 + x as i32) as f32, (p.part.y0 + y as i32) as f32];
                seen.at(at) / (1.0 + misfit[(x, y)] / (SHARPEN_SIGMA * SHARPEN_SIGMA)).powi(2)
            });
            let rest = frame.zip(&p.surface, |c, b| [c[0] - b[0], c[1] - b[1], c[2] - b[2], 1.0]);
            let weighted = rest.zip(&weight, |r, k| r.map(|v| v * k));
            let positions = self.canvas.positions(&self.maps[t]);
            Ok(Some(Image::from_fn(w, h, |x, y| {
                let q = positions[(x, y)];
                if read_part(&weighted, p.part, q).is_none() {
                    return [0.0f32; 4];
                }
                let r = cubic(&weighted, [q[0] - p.part.x0 as f32, q[1] - p.part.y0 as f32]);
                let g = self.light.at(t, [x as f32, y as f32]);
                [r[0] / g[0], r[1] / g[1], r[2] / g[2], r[3].max(0.0)]
            })))
        };
        in_order(&all, missing, |_, part: Option<Image<Rgba>>| {
            for (s, p) in sum.pixels_mut().iter_mut().zip(part.iter().flat_map(|p| p.pixels())) {
                (0..4).for_each(|c| s[c] += p[c]);
            }
            Ok(())
        })?;
        self.atlas = self.atlas.zip(&sum, |a, s| {
            let k = 1.0 / s[3].max(0.5);
            [0, 1, 2, 3]
                .map(|c| if c < 3 { (a[c] + s[c] * k).clamp(0.0, self.ceiling.max(a[c])) } else { a[c] })
        });
        Ok(())
    }
}
