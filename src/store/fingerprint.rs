//! Does this analysis belong to that clip? Answered from a few frames, so that it costs nothing on a long one.

use crate::atlas::Header;
use crate::clip::Clip;
use crate::error::{Error, Result};
use xxhash_rust::xxh3::Xxh3;

/// Frames looked at: first, last and evenly between.
const SAMPLED: usize = 5;

/// Identifies a clip: its size, number of frames, and the xxh3 hash of up to five frames' values.
///
/// Equal values give equal fingerprints however they are stored. Fails when a sampled frame cannot be read.
pub fn fingerprint(clip: &dyn Clip) -> Result<String> {
    let info = clip.info();
    let mut hash = Xxh3::new();
    let mut row_bytes = Vec::new();
    for index in sampled(info.frames) {
        let frame = clip.frame(index)?;
        for y in 0..frame.height() {
            row_bytes.clear();
            row_bytes.extend(frame.row(y).iter().flatten().flat_map(|v| v.to_bits().to_le_bytes()));
            hash.update(&row_bytes);
        }
    }
    Ok(format!("{}x{} {} {:016x}", info.size.0, info.size.1, info.frames, hash.digest()))
}

/// Checks that an analysis was made from this clip.
///
/// Fails with [`Error::Mismatch`] naming what differs: size, number of frames, or content; or when a sampled frame
/// cannot be read.
pub fn check_clip(header: &Header, clip: &dyn Clip) -> Result<()> {
    let info = clip.info();
    let ([w, h], (cw, ch)) = (header.size, info.size);
    let path = info.path.display();
    let differs = |what: String| {
        Error::Mismatch(format!(
            "the analysis does not belong to {path}: {what}; give the clip it was made from"
        ))
    };
    if (w, h) != (cw, ch) {
        return Err(differs(format!("it was made from frames of {w}×{h} pixels, these have {cw}×{ch}")));
    }
    if header.frames != info.frames {
        return Err(differs(format!("it was made from {} frames, this has {}", header.frames, info.frames)));
    }
    if header.fingerprint != fingerprint(clip)? {
        return Err(differs("size and length agree, but the pictures differ".into()));
    }
    Ok(())
}

/// Which of `frames` frames are looked at.
fn sampled(frames: usize) -> impl Iterator<Item = usize> {
    let count = frames.min(SAMPLED);
    (0..count).map(move |i| if count < 2 { 0 } else { i * (frames - 1) / (count - 1) })
}

#[cfg(test)]
mod tests {
    use super::sampled;

    #[test]
    fn first_last_and_between() {
        let list = |n| sampled(n).collect::<Vec<_>>();
        assert_eq!(list(0), [0usize; 0]);
        assert_eq!(list(1), [0]);
        assert_eq!(list(3), [0, 1, 2]);
        assert_eq!(list(70), [0, 17, 34, 51, 69]);
    }
}
