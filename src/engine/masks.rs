//! Soft masks of one region, all frames, on disk: written once in frame order, read in any.

use crate::atlas::Quality;
use crate::clip::Footage;
use crate::error::{Error, Result};
use crate::frame::{Image, Rect, Vec2};
use crate::mask::{Cut, Told, Visibility};
use crate::matte::{Matting, REACH, Stretch};
use crate::progress::Progress;
use crate::track::{in_order, spread};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Masks at working size, one byte a pixel.
#[derive(Debug)]
pub(super) struct Masks {
    path: PathBuf,
    size: (usize, usize),
}

/// Doubt in a frame all of whose pixels are half surface, half occluder.
const MIXED: f64 = 4.0;
/// Frames by whose cuts matting is tuned.
const TUNED_ON: usize = 12;
/// Shares from which a pixel counts as purely the surface when the fit is judged.
const CLEAR: f32 = 0.99;

/// What masks are made from.
pub(super) struct Source<'a> {
    /// Working-size frames.
    pub(super) footage: &'a dyn Footage,
    /// What tells surface from occluder.
    pub(super) visibility: &'a Visibility<'a>,
    /// What is said of each frame besides.
    pub(super) told: &'a (dyn Fn(usize) -> Result<Told> + Sync),
    /// What makes edges soft.
    pub(super) matting: &'a dyn Matting,
}

impl Masks {
    /// Opens what an earlier run finished.
    pub(super) fn open(path: &Path, size: (usize, usize), frames: usize) -> Option<Self> {
        let length = std::fs::metadata(path).ok()?.len();
        (length == (size.0 * size.1 * frames) as u64).then(|| Self { path: path.to_path_buf(), size })
    }

    /// Writes a mask of each frame, of working size.
    #[cfg(feature = "neural")]
    pub(super) fn write(path: &Path, frames: usize, one: impl Fn(usize) -> Result<Image<u8>>) -> Result<()> {
        crate::frame::io::write_atomic(path, |file| {
            (0..frames).try_for_each(|t| file.write_all(one(t)?.pixels()).map_err(Error::io("write", path)))
        })
    }

    /// Cuts and mattes `frames`, which are kept in that order; also says how well each is explained; confidence is not
    /// yet judged against the rest of the clip.
    pub(super) fn make(
        path: &Path,
        source: &Source,
        frames: &[usize],
        progress: &Progress,
        done_before: usize,
    ) -> Result<(Self, Vec<Quality>)> {
        let Source { footage, visibility, matting, .. } = source;
        let size = footage.size();
        let all: Vec<usize> = (0..footage.len()).collect();
        let tuned = Self::tuned(*footage, visibility, *matting, &spread(&all, TUNED_ON))?;
        let matting = tuned.as_deref().unwrap_or(*matting);
        let mut quality = Vec::with_capacity(frames.len());
        let mut window = Window { source, stretch: Stretch::default() };
        crate::frame::io::write_atomic(path, |file| {
            for batch in frames.chunks(matting.batch().max(1)) {
                window.move_to(batch, progress)?;
                for (mask, q) in window.mattes(matting, batch)? {
                    file.write_all(mask.pixels()).map_err(Error::io("write", path))?;
                    quality.push(q);
                    progress.step(done_before + quality.len())?;
                }
            }
            Ok(())
        })?;
        Ok((Self { path: path.to_path_buf(), size }, quality))
    }

    /// The matting tuned to the clip, where it can be, by the cuts of some frames.
    fn tuned(
        footage: &dyn Footage,
        visibility: &Visibility,
        matting: &dyn Matting,
        frames: &[usize],
    ) -> Result<Option<Box<dyn Matting>>> {
        let mut cuts = Vec::with_capacity(frames.len());
        in_order(
            frames,
            |t| visibility.cut(footage, t, &Told::default()),
            |_, cut| {
                cuts.extend(cut);
                Ok(())
            },
        )?;
        Ok(matting.tuned(&cuts))
    }

    /// Working size.
    pub(super) fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The mask of the `t`th frame kept.
    pub(super) fn read(&self, t: usize) -> Result<Image<u8>> {
        use std::io::{Read, Seek, SeekFrom};
        let mut bytes = vec![0; self.size.0 * self.size.1];
        let mut file = std::fs::File::open(&self.path).map_err(Error::io("read", &self.path))?;
        file.seek(SeekFrom::Start((t * bytes.len()) as u64)).map_err(Error::io("read", &self.path))?;
        file.read_exact(&mut bytes).map_err(Error::io("read", &self.path))?;
        Ok(Image::from_vec(self.size.0, self.size.1, bytes))
    }
}

/// The cuts that are needed at one time: those of some frames and of the frames about them.
struct Window<'a> {
    source: &'a Source<'a>,
    /// Frames in which the surface can be seen at all.
    stretch: Stretch,
}

impl Window<'_> {
    /// Cuts what is within [`REACH`] of `frames` and was not yet, and forgets the rest; then cuts `frames` anew as the others
    /// show them.
    fn move_to(&mut self, frames: &[usize], progress: &Progress) -> Result<()> {
        let Source { footage, visibility, told, .. } = self.source;
        let about = |t: &usize| t.saturating_sub(REACH)..(t + REACH + 1).min(footage.len());
        let needed: BTreeSet<usize> = frames.iter().flat_map(about).collect();
        self.stretch.retain(|t| needed.contains(&t));
        let missing: Vec<usize> = needed.into_iter().filter(|t| self.stretch.cut(*t).is_none()).collect();
        let cut = |t: usize| {
            progress.check()?;
            visibility.cut(*footage, t, &told(t)?)
        };
        in_order(&missing, cut, |t, cut| {
            self.stretch.extend(cut.map(|cut| (t, cut)));
            Ok(())
        })?;
        self.stretch.follow();
        self.stretch.recall(frames);
        Ok(())
    }

    /// Mask and quality of each of `frames`, which the window was moved to.
    fn mattes(&self, matting: &dyn Matting, frames: &[usize]) -> Result<Vec<(Image<u8>, Quality)>> {
        let Source { footage, visibility, told, .. } = self.source;
        let seen: Vec<usize> = frames.iter().copied().filter(|t| self.stretch.cut(*t).is_some()).collect();
        let shares: BTreeMap<usize, Image<f32>> =
            seen.iter().copied().zip(matting.mattes(&self.stretch, &seen)?).collect();
        let (w, h) = footage.size();
        let one = |t: &usize| {
            let Some((cut, share)) = self.stretch.cut(*t).zip(shares.get(t)) else {
                return Ok((Image::new(w, h, 0), Quality { confidence: 0.0, visible: 0.0, psnr: 0.0 }));
            };
            let share = heeding(cut, share, told(*t)?.user.as_ref());
            Ok((placed(cut, &share, visibility, (w, h)), judged(cut, &share)))
        };
        frames.par_iter().map(one).collect()
    }
}

/// The share with the user's word over it.
fn heeding(cut: &Cut, share: &Image<f32>, word: Option<&Image<Vec2>>) -> Image<f32> {
    match word {
        None => share.clone(),
        Some(word) => share.zip(&word.crop(cut.predicted.part), |v, [shows, said]| v + said * (shows - v)),
    }
}

/// The share on the whole frame, 0 where the map does not reach.
fn placed(cut: &Cut, share: &Image<f32>, visibility: &Visibility, size: (usize, usize)) -> Image<u8> {
    let Rect { x0, y0, .. } = cut.predicted.part;
    let (w, h) = visibility.canvas_size();
    let mut mask = Image::new(size.0, size.1, 0u8);
    for y in 0..share.height() {
        for (x, v) in share.row(y).iter().enumerate() {
            let u = cut.predicted.at[(x, y)];
            if u[0] > -1.0 && u[1] > -1.0 && u[0] < w as f32 && u[1] < h as f32 {
                mask[(x + x0 as usize, y + y0 as usize)] = (v * 255.0).round() as u8;
            }
        }
    }
    mask
}

/// How much shows, how well light × atlas explains it, and how far the mixed pixels, which are the hardest to get right,
/// leave the frame believable.
fn judged(cut: &Cut, share: &Image<f32>) -> Quality {
    let (mut shown, mut mixed, mut area, mut error, mut clear) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for y in 0..share.height() {
        for x in 0..share.width() {
            let (v, k) = (share[(x, y)], cut.predicted.coverage[(x, y)]);
            if k < 0.5 {
                continue;
            }
            area += 1.0;
            shown += f64::from(v);
            mixed += f64::from(4.0 * v * (1.0 - v));
            if v >= CLEAR {
                let (c, b) = (cut.frame[(x, y)], cut.predicted.surface[(x, y)]);
                error += (0..3).map(|i| f64::from((c[i] - b[i]) / 255.0).powi(2)).sum::<f64>() / 3.0;
                clear += 1.0;
            }
        }
    }
    let psnr = if clear > 0.0 { (-10.0 * (error / clear).max(1e-10).log10()) as f32 } else { 0.0 };
    let area = area.max(1.0);
    let confidence = 1.0 / (1.0 + MIXED * mixed / area);
    Quality { confidence: confidence as f32, visible: (shown / area) as f32, psnr }
}
