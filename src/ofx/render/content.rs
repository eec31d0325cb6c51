//! Does this frame still look like the one that was analysed? A clip exchanged for another of the same size and length
//! would have the edit put anywhere.

use crate::atlas::Analysis;
use crate::frame::Rgba;
use crate::ofx::fault::{Fault, Result};
use crate::ofx::image::{Components, HostImage};
use crate::ofx::show::{self, EditSource, Wish};
use crate::param::{RenderSettings, View};
use crate::render::Scratch;
use crate::store::OpenAtlas;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// Rows of the region looked at.
const ROWS: usize = 12;
/// Visible pixels below which nothing is said.
const LEAST_PIXELS: f64 = 200.0;
/// Mean squared error, against the fit's own, from which a frame is another one …
const WORSE: f64 = 16.0;
/// … where it is also above this, display values 0…1: grades that change a little are no other clip.
const LEAST_ERROR: f64 = 0.1 * 0.1;

/// An image that was looked at.
struct Looked {
    /// Held weakly: that keeps its address from being given to another, and nothing of what it holds.
    analysis: Weak<OpenAtlas>,
    frame: usize,
    /// The host's name for the image.
    image: String,
    fits: bool,
}

/// The last answers: tiles of one frame need not be looked at each.
static LOOKED: Mutex<Vec<Looked>> = Mutex::new(Vec::new());
const KEPT: usize = 64;

/// Fails when what shows of the surface is far from what the analysis says it looks like.
pub(super) fn check(wish: &Wish, index: usize, source: &HostImage) -> Result<()> {
    if source.components == Components::Alpha {
        return Ok(());
    }
    let image = &source.identifier;
    let same = |l: &Looked| {
        std::ptr::eq(l.analysis.as_ptr(), Arc::as_ptr(&wish.analysis))
            && l.frame == index
            && l.image == *image
    };
    let known = LOOKED.lock().iter().find(|l| !image.is_empty() && same(l)).map(|l| l.fits);
    let fits = match known {
        Some(fits) => fits,
        None => {
            let fits = look(wish, index, source)?;
            let analysis = Arc::downgrade(&wish.analysis);
            let mut looked = LOOKED.lock();
            looked.push(Looked { analysis, frame: index, image: image.clone(), fits });
            if looked.len() > KEPT {
                looked.remove(0);
            }
            fits
        }
    };
    if fits {
        return Ok(());
    }
    Err(Fault::Plain(
        "this frame does not look like the one that was analysed: the clip was exchanged or graded; press Analyze \
         again, or choose the analysis that belongs to it"
            .into(),
    ))
}

fn look(wish: &Wish, index: usize, source: &HostImage) -> Result<bool> {
    let neutral = RenderSettings::from_values(&std::collections::BTreeMap::new())?;
    let settings = RenderSettings { view: View::Difference, ..neutral };
    let renderer = show::renderer(&Wish { settings, edit: EditSource::Nothing, ..wish.clone() })?;
    let frame = renderer.prepare(index)?;
    let (header, (width, height)) = (wish.analysis.header(), source.size());
    let encoding = header.encoding;
    let (mut sum, mut pixels) = (0.0f64, 0.0f64);
    let mut scratch = Scratch::default();
    let (mut before, mut after) = (vec![[0.0f32; 4]; width], Vec::<Rgba>::new());
    for k in 0..ROWS {
        let row = (2 * k + 1) * height / (2 * ROWS);
        let bytes = source.bytes(source.region.x1, source.region.y2 - 1 - row as i32, width);
        if bytes.len() != width * source.stride() {
            continue;
        }
        source.decode(bytes, &mut before);
        after.clone_from(&before);
        frame.row(row, 0, &mut after, &mut scratch);
        for (seen, off) in before.iter().zip(&after) {
            // Mid-grey is no difference, or no surface.
            let away = |c: usize| off[c] - 0.5;
            if (0..3).all(|c| away(c) == 0.0) {
                continue;
            }
            let error = |c: usize| {
                let shown = encoding.to_display(seen[c].clamp(0.0, 1.0));
                let fitted = encoding.to_display((seen[c] - away(c)).clamp(0.0, 1.0));
                f64::from(shown - fitted).powi(2)
            };
            sum += (0..3).map(error).sum::<f64>() / 3.0;
            pixels += 1.0;
        }
    }
    let psnr =
        header.quality.iter().filter_map(|q| q.get(index)).map(|q| q.psnr).fold(f32::INFINITY, f32::min);
    let usual = if psnr.is_finite() && psnr > 0.0 { 10f64.powf(-f64::from(psnr) / 10.0) } else { 1.0 };
    Ok(pixels < LEAST_PIXELS || sum / pixels < (WORSE * usual).max(LEAST_ERROR))
}
