//! Pictures at another size.

use super::{Image, Rgba};
use crate::error::{Error, Result};
use fast_image_resize as resize;

/// A picture of another size, by a filter that keeps detail and lets none fold back (Lanczos, 3 lobes).
///
/// # Errors
/// [`Error::Mismatch`] for a picture or size without pixels.
pub fn resized(frame: &Image<Rgba>, size: (usize, usize)) -> Result<Image<Rgba>> {
    if frame.size() == size {
        return Ok(frame.clone());
    }
    let failed = |e: String| Error::Mismatch(format!("cannot bring a picture to {}×{}: {e}", size.0, size.1));
    let source: Vec<resize::pixels::F32x4> =
        frame.pixels().iter().map(|p| resize::pixels::Pixel::new(*p)).collect();
    let from = resize::images::TypedImageRef::new(frame.width() as u32, frame.height() as u32, &source)
        .map_err(|e| failed(e.to_string()))?;
    let mut to = resize::images::TypedImage::<resize::pixels::F32x4>::new(size.0 as u32, size.1 as u32);
    let options = resize::ResizeOptions::new()
        .resize_alg(resize::ResizeAlg::Convolution(resize::FilterType::Lanczos3))
        .use_alpha(false);
    resize::Resizer::new().resize_typed(&from, &mut to, &options).map_err(|e| failed(e.to_string()))?;
    Ok(Image::from_vec(size.0, size.1, to.pixels().iter().map(|p| p.0.map(|v| v.max(0.0))).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reduction_keeps_pictures_in_place() {
        let ramp = Image::from_fn(96, 64, |x, y| [x as f32, 2.0 * y as f32, 50.0, 0.0]);
        let half = resized(&ramp, (48, 32)).unwrap();
        // Coarse pixel (10, 7) is centred on fine position (20.5, 14.5).
        let p = half[(10, 7)];
        assert!(
            (p[0] - 20.5).abs() < 1e-3 && (p[1] - 29.0).abs() < 1e-3 && (p[2] - 50.0).abs() < 1e-3,
            "{p:?}"
        );
    }
}
