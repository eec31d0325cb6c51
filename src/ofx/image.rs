//! Clips and their images: fetched, read and written row by row, given back when dropped.

use super::fault::{Fault, Result};
use super::props::Props;
use super::suites::Suites;
use crate::frame::{Depth, Rect, Rgba};
use crate::openfx::*;
use half::f16;
use std::ffi::CStr;
use std::sync::Arc;

/// Which channels an image of the host's has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Components {
    Rgba,
    Rgb,
    Alpha,
}

impl Components {
    fn count(self) -> usize {
        match self {
            Components::Rgba => 4,
            Components::Rgb => 3,
            Components::Alpha => 1,
        }
    }
}

/// One of an instance's clips.
#[derive(Clone)]
pub(super) struct Clip {
    suites: Arc<Suites>,
    handle: OfxImageClipHandle,
    properties: OfxPropertySetHandle,
}

// SAFETY: the handles belong to the host, which serves clips to its render threads; nothing of ours is behind them.
unsafe impl Send for Clip {}
// SAFETY: as above.
unsafe impl Sync for Clip {}

impl Clip {
    pub(super) fn of(suites: &Arc<Suites>, effect: OfxImageEffectHandle, clip: &CStr) -> Result<Self> {
        let (mut handle, mut properties) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the effect is the host's, the name a C string, results go to locals.
        let status =
            unsafe { (suites.effect.clip)(effect, clip.as_ptr(), &raw mut handle, &raw mut properties) };
        Status(status).ok().map_err(Fault::host(format!("clipGetHandle {}", clip.to_string_lossy())))?;
        Ok(Self { suites: Arc::clone(suites), handle, properties })
    }

    pub(super) fn props(&self) -> Result<Props<'_>> {
        Props::new(&self.suites, self.properties).ok_or(Fault::Missing("properties of a clip"))
    }

    /// Whether something is plugged in. Some hosts say yes always and give no images then.
    pub(super) fn is_connected(&self) -> bool {
        self.props().and_then(|p| p.int(kOfxImageClipPropConnected, 0)).is_ok_and(|v| v != 0)
    }

    /// First and last frame there is.
    pub(super) fn range(&self) -> Result<[f64; 2]> {
        self.props()?.doubles(kOfxImageEffectPropFrameRange)
    }

    /// Where the clip is defined, canonical coordinates.
    pub(super) fn region(&self, time: f64) -> Result<OfxRectD> {
        let mut bounds = OfxRectD { x1: 0.0, y1: 0.0, x2: 0.0, y2: 0.0 };
        // SAFETY: the clip is the host's, the result goes to a local.
        let status = unsafe { (self.suites.effect.region)(self.handle, time, &raw mut bounds) };
        Status(status).ok().map_err(Fault::host("clipGetRegionOfDefinition"))?;
        Ok(bounds)
    }

    /// The clip's image at a time, as much of it as the host sees fit; `None` where it has none.
    pub(super) fn image(&self, time: f64) -> Result<Option<HostImage>> {
        let mut handle = std::ptr::null_mut();
        // SAFETY: as in `region`; a null region asks for all of it.
        let status =
            unsafe { (self.suites.effect.image)(self.handle, time, std::ptr::null(), &raw mut handle) };
        match Status(status) {
            Status::OK if !handle.is_null() => HostImage::new(&self.suites, handle).map(Some),
            // A host out of memory must hear of it; all other refusals mean that there is no image.
            Status::ERR_MEMORY => {
                Err(Fault::Host { call: "clipGetImage".into(), status: Status::ERR_MEMORY })
            }
            _ => Ok(None),
        }
    }
}

/// Gives an image back when the call that got it is over, whatever happens in between.
struct Loan {
    suites: Arc<Suites>,
    handle: OfxPropertySetHandle,
}

impl Drop for Loan {
    fn drop(&mut self) {
        // SAFETY: the handle came from `clipGetImage` and is released once, here.
        let status = unsafe { (self.suites.effect.release)(self.handle) };
        if Status(status) != Status::OK {
            super::fault::log("clipReleaseImage", &Status(status).name());
        }
    }
}

/// An image of the host's. Coordinates are pixels, y up, as the host counts them.
pub(super) struct HostImage {
    loan: Loan,
    data: *mut u8,
    row_bytes: isize,
    pub(super) bounds: OfxRectI,
    /// The whole frame that this is a part of.
    pub(super) region: OfxRectI,
    pub(super) depth: Depth,
    pub(super) components: Components,
    pub(super) premultiplied: bool,
    /// Changes when the picture does; empty where the host does not say.
    pub(super) identifier: String,
}

// SAFETY: the memory is the host's and stays until release; rows are read through `&self` and written through disjoint
// windows, one render call each.
unsafe impl Send for HostImage {}
// SAFETY: as above.
unsafe impl Sync for HostImage {}

impl HostImage {
    fn new(suites: &Arc<Suites>, handle: OfxPropertySetHandle) -> Result<Self> {
        let loan = Loan { suites: Arc::clone(suites), handle };
        let props = Props::required(suites, handle)?;
        let rect = |[x1, y1, x2, y2]: [i32; 4]| OfxRectI { x1, y1, x2, y2 };
        let bounds = rect(props.ints(kOfxImagePropBounds)?);
        let depth = match props.string(kOfxImageEffectPropPixelDepth, 0)?.as_bytes() {
            d if d == text(kOfxBitDepthByte) => Depth::U8,
            d if d == text(kOfxBitDepthShort) => Depth::U16,
            d if d == text(kOfxBitDepthHalf) => Depth::F16,
            d if d == text(kOfxBitDepthFloat) => Depth::F32,
            _ => {
                return Err(Fault::Plain(
                    "the host sends images of a depth this plugin does not know".into(),
                ));
            }
        };
        let components = match props.string(kOfxImageEffectPropComponents, 0)?.as_bytes() {
            c if c == text(kOfxImageComponentRGBA) => Components::Rgba,
            c if c == text(kOfxImageComponentRGB) => Components::Rgb,
            c if c == text(kOfxImageComponentAlpha) => Components::Alpha,
            _ => {
                return Err(Fault::Plain(
                    "the host sends images with channels this plugin does not know".into(),
                ));
            }
        };
        let premultiplied = props.string(kOfxImageEffectPropPreMultiplication, 0);
        let data = props.pointer(kOfxImagePropData)?.cast::<u8>();
        if data.is_null() {
            return Err(Fault::Plain("the host sends an image without pixels".into()));
        }
        let row_bytes = props.int(kOfxImagePropRowBytes, 0)? as isize;
        let needed = (bounds.x2 - bounds.x1).max(0) as usize * components.count() * depth_bytes(depth);
        if row_bytes.unsigned_abs() < needed {
            return Err(Fault::Plain(format!("the host says that {needed} bytes fit in {row_bytes}")));
        }
        Ok(Self {
            region: props.ints(kOfxImagePropRegionOfDefinition).map_or(bounds, rect),
            identifier: props.string(kOfxImagePropUniqueIdentifier, 0).unwrap_or_default(),
            premultiplied: premultiplied.is_ok_and(|p| p.as_bytes() == text(kOfxImagePreMultiplied)),
            loan,
            data,
            row_bytes,
            bounds,
            depth,
            components,
        })
    }

    /// Width and height of the whole frame.
    pub(super) fn size(&self) -> (usize, usize) {
        let side = |a: i32, b: i32| (b - a).max(0) as usize;
        (side(self.region.x1, self.region.x2), side(self.region.y1, self.region.y2))
    }

    fn pixel_bytes(&self) -> usize {
        self.components.count() * depth_bytes(self.depth)
    }

    /// Whether two images store pixels in the same way.
    pub(super) fn alike(&self, other: &HostImage) -> bool {
        self.depth == other.depth && self.components == other.components
    }

    /// Address of the pixel (x, y), which must lie in the bounds, and how many pixels of the row follow, it included.
    fn at(&self, x: i32, y: i32) -> (*mut u8, usize) {
        debug_assert!(x >= self.bounds.x1 && y >= self.bounds.y1 && y < self.bounds.y2);
        let (dx, dy) = ((x - self.bounds.x1) as usize, (y - self.bounds.y1) as isize);
        let left = (self.bounds.x2 - x).max(0) as usize;
        // SAFETY: by the caller's word (x, y) lies in the bounds, and the host's image holds every row of them.
        (unsafe { self.data.offset(dy * self.row_bytes).add(dx * self.pixel_bytes()) }, left)
    }

    /// The stored bytes of row `y` from column `x`, `count` pixels; empty where the image has no such pixels.
    pub(super) fn bytes(&self, x: i32, y: i32, count: usize) -> &[u8] {
        if y < self.bounds.y1 || y >= self.bounds.y2 || x < self.bounds.x1 || x >= self.bounds.x2 {
            return &[];
        }
        let (start, left) = self.at(x, y);
        // SAFETY: `left` pixels of this row lie in the image from `start` on; it lives as long as `self`.
        unsafe { std::slice::from_raw_parts(start, count.min(left) * self.pixel_bytes()) }
    }

    /// As [`HostImage::bytes`], to be written.
    ///
    /// # Safety
    ///
    /// Nobody else may use these pixels while the slice lives. A host gives every render call windows of its own.
    #[allow(clippy::mut_from_ref, reason = "the pixels are the host's; the window keeps callers apart")]
    pub(super) unsafe fn bytes_mut(&self, x: i32, y: i32, count: usize) -> &mut [u8] {
        if y < self.bounds.y1 || y >= self.bounds.y2 || x < self.bounds.x1 || x >= self.bounds.x2 {
            return &mut [];
        }
        let (start, left) = self.at(x, y);
        // SAFETY: as in `bytes`, and by this function's contract nobody else uses them.
        unsafe { std::slice::from_raw_parts_mut(start, count.min(left) * self.pixel_bytes()) }
    }

    /// Pixels of stored bytes as unpremultiplied colour and alpha; an alpha image gives its alpha and no colour.
    pub(super) fn decode(&self, bytes: &[u8], pixels: &mut [Rgba]) {
        let count = self.components.count();
        match self.depth {
            Depth::U8 => gather(bytes, count, pixels, |b: [u8; 1]| f32::from(b[0]) / 255.0),
            Depth::U16 => gather(bytes, count, pixels, |b| f32::from(u16::from_ne_bytes(b)) / 65535.0),
            Depth::F16 => gather(bytes, count, pixels, |b| f16::from_ne_bytes(b).to_f32()),
            Depth::F32 => gather(bytes, count, pixels, f32::from_ne_bytes),
        }
        if self.premultiplied {
            for p in pixels.iter_mut().filter(|p| p[3] > 0.0 && p[3] != 1.0) {
                let k = 1.0 / p[3];
                *p = [p[0] * k, p[1] * k, p[2] * k, p[3]];
            }
        }
    }

    /// The reverse of [`HostImage::decode`], for the one pixel whose bytes these are.
    pub(super) fn encode(&self, [r, g, b, a]: Rgba, bytes: &mut [u8]) {
        let k = if self.premultiplied { a } else { 1.0 };
        let values = match self.components {
            Components::Alpha => [a, 0.0, 0.0, 0.0],
            _ => [r * k, g * k, b * k, a],
        };
        let values = &values[..self.components.count()];
        match self.depth {
            Depth::U8 => scatter(values, bytes, |v| [rounded(v, 255.0) as u8]),
            Depth::U16 => scatter(values, bytes, |v| (rounded(v, 65535.0) as u16).to_ne_bytes()),
            Depth::F16 => scatter(values, bytes, |v| f16::from_f32(v).to_ne_bytes()),
            Depth::F32 => scatter(values, bytes, f32::to_ne_bytes),
        }
    }

    /// Bytes of one pixel.
    pub(super) fn stride(&self) -> usize {
        self.pixel_bytes()
    }

    /// The properties, for what is read seldom.
    pub(super) fn props(&self) -> Result<Props<'_>> {
        Props::required(&self.loan.suites, self.loan.handle)
    }

    /// A rectangle of the host's in the frame's own pixels: from the top left, y down.
    pub(super) fn in_frame(&self, r: &OfxRectI) -> Rect {
        let top = self.region.y2;
        Rect::new(r.x1 - self.region.x1, top - r.y2, r.x2 - self.region.x1, top - r.y1)
    }
}

/// A name without its NUL.
fn text(name: &'static [u8]) -> &'static [u8] {
    &name[..name.len() - 1]
}

fn depth_bytes(depth: Depth) -> usize {
    match depth {
        Depth::U8 => 1,
        Depth::U16 | Depth::F16 => 2,
        Depth::F32 => 4,
    }
}

/// To the nearest of 0…`most`; a NaN becomes 0.
fn rounded(v: f32, most: f32) -> f32 {
    (v * most).round().clamp(0.0, most)
}

fn gather<const N: usize>(bytes: &[u8], count: usize, pixels: &mut [Rgba], value: impl Fn([u8; N]) -> f32) {
    let values = bytes.as_chunks::<N>().0;
    for (p, v) in pixels.iter_mut().zip(values.chunks_exact(count)) {
        *p = match *v {
            [r, g, b, a] => [value(r), value(g), value(b), value(a)],
            [r, g, b] => [value(r), value(g), value(b), 1.0],
            [a] => [0.0, 0.0, 0.0, value(a)],
            _ => [0.0; 4],
        };
    }
}

fn scatter<const N: usize>(values: &[f32], bytes: &mut [u8], stored: impl Fn(f32) -> [u8; N]) {
    for (out, v) in bytes.as_chunks_mut::<N>().0.iter_mut().zip(values) {
        *out = stored(*v);
    }
}
