//! A small plugin to test the headless host with: it inverts its source, and does wrong on demand.
//!
//! It speaks to the host with the bare C interface and nothing of ours, so that it is a plugin like any other.
#![allow(unsafe_code, clippy::undocumented_unsafe_blocks, reason = "a fixture that misbehaves on purpose")]
#![allow(clippy::unwrap_used, reason = "a fixture stops at the first surprise")]
#![allow(missing_docs, reason = "its symbols are the standard's")]

use openfx_sys::*;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

#[path = "fixture_plugin/speech.rs"]
mod speech;
use speech::*;

const OK: OfxStatus = 0;
const FAILED: OfxStatus = 1;
const REPLY_DEFAULT: OfxStatus = 14;

static HOST: AtomicPtr<OfxHost> = AtomicPtr::new(null_mut());
static STALE: AtomicUsize = AtomicUsize::new(0);

/// What can be done wrong in render, by the label of the parameter `misdeed`.
const MISDEEDS: [&CStr; 19] = [
    c"none",
    c"leak",
    c"release twice",
    c"write outside",
    c"write padding",
    c"write window",
    c"write source",
    c"unknown property",
    c"wrong type",
    c"read only",
    c"write param",
    c"far frame",
    c"stale handle",
    c"leak memory",
    c"lock twice",
    c"nested threads",
    c"fail",
    c"use mask",
    c"relabel",
];

fn describe(effect: OfxImageEffectHandle) -> OfxStatus {
    let set = effect_set(effect);
    set_text(set, kOfxPropLabel, 0, c"Fixture");
    set_text(set, kOfxImageEffectPluginPropGrouping, 0, c"Test");
    set_name(set, kOfxImageEffectPropSupportedContexts, 0, kOfxImageEffectContextFilter);
    set_name(set, kOfxImageEffectPropSupportedContexts, 1, kOfxImageEffectContextGeneral);
    let depths: [&'static [u8]; 4] =
        [kOfxBitDepthByte, kOfxBitDepthShort, kOfxBitDepthHalf, kOfxBitDepthFloat];
    for (i, depth) in depths.into_iter().enumerate() {
        set_name(set, kOfxImageEffectPropSupportedPixelDepths, i as c_int, depth);
    }
    set_name(set, kOfxImageEffectPluginRenderThreadSafety, 0, kOfxImageEffectRenderFullySafe);
    set_int(set, kOfxImageEffectPropTemporalClipAccess, 1);
    let overlay = overlay_main as *const () as *mut c_void;
    unsafe {
        properties().propSetPointer.unwrap()(set, c(kOfxImageEffectPluginPropOverlayInteractV2), 0, overlay)
    }
}

fn define_clip(effect: OfxImageEffectHandle, name: &CStr, optional: bool) {
    let mut set = null_mut();
    assert_eq!(OK, unsafe { effects().clipDefine.unwrap()(effect, name.as_ptr(), &mut set) });
    let components: [&'static [u8]; 3] =
        [kOfxImageComponentRGBA, kOfxImageComponentRGB, kOfxImageComponentAlpha];
    for (i, component) in components.into_iter().enumerate() {
        set_name(set, kOfxImageEffectPropSupportedComponents, i as c_int, component);
    }
    set_int(set, kOfxImageEffectPropTemporalClipAccess, 1);
    set_int(set, kOfxImageClipPropOptional, c_int::from(optional));
}

fn define_param(set: OfxParamSetHandle, kind: &'static [u8], name: &CStr) -> Set {
    let mut out = null_mut();
    assert_eq!(OK, unsafe { params().paramDefine.unwrap()(set, c(kind), name.as_ptr(), &mut out) });
    out
}

fn describe_in_context(effect: OfxImageEffectHandle) -> OfxStatus {
    define_clip(effect, c"Source", false);
    define_clip(effect, c"Mask", true);
    define_clip(effect, c"Output", false);
    let mut set = null_mut();
    unsafe { effects().getParamSet.unwrap()(effect, &mut set) };
    define_param(set, kOfxParamTypeGroup, c"more");
    let gain = define_param(set, kOfxParamTypeDouble, c"gain");
    set_double(gain, kOfxParamPropDefault, 0, 1.0);
    set_double(gain, kOfxParamPropMax, 0, 4.0);
    set_text(gain, kOfxParamPropParent, 0, c"more");
    let misdeed = define_param(set, kOfxParamTypeChoice, c"misdeed");
    for (i, label) in MISDEEDS.iter().enumerate() {
        set_text(misdeed, kOfxParamPropChoiceOption, i as c_int, label);
    }
    define_param(set, kOfxParamTypeString, c"note");
    define_param(set, kOfxParamTypeDouble2D, c"place");
    define_param(set, kOfxParamTypeInteger, c"count");
    define_param(set, kOfxParamTypeInteger, c"copied");
    define_param(set, kOfxParamTypePushButton, c"collect");
    define_param(set, kOfxParamTypePushButton, c"copy");
    let in_create = define_param(set, kOfxParamTypeChoice, c"in_create");
    for (i, label) in [c"nothing", c"write", c"fetch"].iter().enumerate() {
        set_text(in_create, kOfxParamPropChoiceOption, i as c_int, label);
    }
    OK
}

fn create(effect: OfxImageEffectHandle) -> OfxStatus {
    let mut wish: c_int = 0;
    unsafe { params().paramGetValue.unwrap()(param(effect, c"in_create"), &mut wish as *mut c_int) };
    match wish {
        1 => {
            let count = param(effect, c"count");
            unsafe { params().paramSetValue.unwrap()(count, 7 as c_int) };
        }
        2 => assert!(fetch(effect, c"Source", 0.0).is_null()),
        _ => {}
    }
    OK
}

/// The button `collect` counts the frames of the range it is given, and says so.
fn changed(effect: OfxImageEffectHandle, inputs: Set) -> OfxStatus {
    let changed = text(inputs, kOfxPropName);
    if changed == "copy" {
        let (to, from) = (param(effect, c"copied"), param(effect, c"count"));
        return unsafe { params().paramCopy.unwrap()(to, from, 0.0, null()) };
    }
    if changed != "collect" {
        return REPLY_DEFAULT;
    }
    let source = clip(effect, c"Source");
    let mut set = null_mut();
    unsafe { effects().clipGetPropertySet.unwrap()(source, &mut set) };
    let (first, last) =
        (double(set, kOfxImageEffectPropFrameRange, 0), double(set, kOfxImageEffectPropFrameRange, 1));
    let mut count: c_int = 0;
    for time in first as i64 - 1..=last as i64 + 1 {
        let mut image = null_mut();
        let status = unsafe { effects().clipGetImage.unwrap()(source, time as f64, null(), &mut image) };
        if status == OK && !image.is_null() {
            count += 1;
            unsafe { effects().clipReleaseImage.unwrap()(image) };
        }
    }
    unsafe {
        params().paramSetValue.unwrap()(param(effect, c"count"), count);
        params().paramSetValue.unwrap()(param(effect, c"note"), c"counted".as_ptr());
        if let Some(messages) = suite::<OfxMessageSuiteV1>(kOfxMessageSuite) {
            let (kind, id, text) =
                (c(kOfxMessageMessage), c"fixture".as_ptr(), c"%d frames of %s, %.1f".as_ptr());
            messages.message.unwrap()(effect.cast(), kind, id, text, count, c"Source".as_ptr(), 0.5f64);
        }
    }
    OK
}

/// An image as it lies in memory.
struct Pixels {
    data: *mut u8,
    bounds: [c_int; 4],
    stride: isize,
    depth: String,
    bytes: isize,
}

impl Pixels {
    fn of(image: Set) -> Pixels {
        let depth = text(image, kOfxImageEffectPropPixelDepth);
        let channels = match text(image, kOfxImageEffectPropComponents).as_str() {
            "OfxImageComponentRGBA" => 4,
            "OfxImageComponentRGB" => 3,
            _ => 1,
        };
        let size = match depth.as_str() {
            "OfxBitDepthByte" => 1,
            "OfxBitDepthFloat" => 4,
            _ => 2,
        };
        Pixels {
            data: pointer(image, kOfxImagePropData).cast(),
            bounds: [0, 1, 2, 3].map(|i| int(image, kOfxImagePropBounds, i)),
            stride: int(image, kOfxImagePropRowBytes, 0) as isize,
            depth,
            bytes: channels * size,
        }
    }

    fn at(&self, x: c_int, y: c_int) -> *mut u8 {
        let row = (y - self.bounds[1]) as isize * self.stride;
        self.data.wrapping_offset(row + (x - self.bounds[0]) as isize * self.bytes)
    }

    /// Inverts one pixel of another image into this one.
    fn invert(&self, from: &Pixels, gain: f64, x: c_int, y: c_int) {
        let (source, target) = (from.at(x, y), self.at(x, y));
        let invert = |v: f64| (1.0 - v) * gain;
        for i in 0..self.bytes {
            unsafe {
                match self.depth.as_str() {
                    "OfxBitDepthByte" => {
                        let v = f64::from(*source.offset(i)) / 255.0;
                        *target.offset(i) = (invert(v) * 255.0).round().clamp(0.0, 255.0) as u8;
                    }
                    "OfxBitDepthShort" if i % 2 == 0 => {
                        let v = f64::from(source.offset(i).cast::<u16>().read_unaligned()) / 65535.0;
                        let v = (invert(v) * 65535.0).round().clamp(0.0, 65535.0) as u16;
                        target.offset(i).cast::<u16>().write_unaligned(v);
                    }
                    "OfxBitDepthHalf" if i % 2 == 0 => {
                        let v = source.offset(i).cast::<half::f16>().read_unaligned().to_f64();
                        target.offset(i).cast::<half::f16>().write_unaligned(half::f16::from_f64(invert(v)));
                    }
                    "OfxBitDepthFloat" if i % 4 == 0 => {
                        let v = f64::from(source.offset(i).cast::<f32>().read_unaligned());
                        target.offset(i).cast::<f32>().write_unaligned(invert(v) as f32);
                    }
                    _ => {}
                }
            }
        }
    }
}

fn fetch(effect: OfxImageEffectHandle, name: &CStr, time: f64) -> Set {
    let mut image = null_mut();
    unsafe { effects().clipGetImage.unwrap()(clip(effect, name), time, null(), &mut image) };
    image
}

fn release(image: Set) {
    unsafe { effects().clipReleaseImage.unwrap()(image) };
}

fn render(effect: OfxImageEffectHandle, inputs: Set) -> OfxStatus {
    let time = double(inputs, kOfxPropTime, 0);
    let (mut gain, mut misdeed) = (0.0f64, 0 as c_int);
    unsafe {
        params().paramGetValueAtTime.unwrap()(param(effect, c"gain"), time, &mut gain as *mut f64);
        params().paramGetValue.unwrap()(param(effect, c"misdeed"), &mut misdeed as *mut c_int);
    }
    let (source, output) = (fetch(effect, c"Source", time), fetch(effect, c"Output", time));
    if source.is_null() || output.is_null() {
        [source, output].into_iter().filter(|i| !i.is_null()).for_each(release);
        return FAILED;
    }
    let (from, to) = (Pixels::of(source), Pixels::of(output));
    let window = [0, 1, 2, 3].map(|i| int(inputs, kOfxImageEffectPropRenderWindow, i));
    for y in window[1]..window[3] {
        if unsafe { effects().abort.unwrap()(effect) } != 0 {
            [source, output].into_iter().for_each(release);
            return OK;
        }
        (window[0]..window[2]).for_each(|x| to.invert(&from, gain, x, y));
    }
    let status = misbehave(MISDEEDS[misdeed as usize].to_str().unwrap(), effect, inputs, [source, output]);
    release(output);
    if misdeed != 1 {
        release(source);
    }
    status
}

/// Does what was asked for, and nothing else wrong.
fn misbehave(misdeed: &str, effect: OfxImageEffectHandle, inputs: Set, images: [Set; 2]) -> OfxStatus {
    let [from, to] = images.map(Pixels::of);
    let time = double(inputs, kOfxPropTime, 0);
    let smear = |at: *mut u8| unsafe { at.write(at.read().wrapping_add(1)) };
    let low = if to.stride < 0 { to.bounds[3] - 1 } else { to.bounds[1] };
    match misdeed {
        "release twice" => {
            let image = fetch(effect, c"Source", time);
            release(image);
            release(image);
        }
        "write outside" => smear(to.at(to.bounds[0], low).wrapping_sub(1)),
        "write padding" => smear(to.at(to.bounds[2], low)),
        "write window" => smear(to.at(to.bounds[0], to.bounds[3] - 1)),
        "write source" => smear(from.at(from.bounds[0], from.bounds[1])),
        "unknown property" => {
            set_int(effect_set(effect), b"OfxPropInvented\0", 1);
        }
        "wrong type" => {
            set_double(effect_set(effect), kOfxImageEffectPropSupportsTiles, 0, 1.0);
        }
        "read only" => {
            set_int(inputs, kOfxImageEffectPropRenderWindow, 1);
        }
        "write param" => unsafe {
            params().paramSetValue.unwrap()(param(effect, c"count"), 3 as c_int);
        },
        "far frame" => {
            let image = fetch(effect, c"Source", time + 1.0);
            if !image.is_null() {
                release(image);
            }
        }
        "stale handle" => {
            let image = STALE.swap(images[0] as usize, Ordering::Relaxed);
            let mut value = 0;
            unsafe {
                properties().propGetInt.unwrap()(image as Set, c(kOfxImagePropRowBytes), 0, &mut value)
            };
        }
        "leak memory" => {
            let mut data = null_mut();
            let memory = suite::<OfxMemorySuiteV1>(kOfxMemorySuite).unwrap();
            return unsafe { memory.memoryAlloc.unwrap()(null_mut(), 100, &mut data) };
        }
        "lock twice" => unsafe {
            let (threads, mut mutex) = (threads(), null_mut());
            threads.mutexCreate.unwrap()(&mut mutex, 0);
            threads.mutexLock.unwrap()(mutex);
            threads.mutexLock.unwrap()(mutex);
            threads.mutexUnLock.unwrap()(mutex);
            threads.mutexDestroy.unwrap()(mutex);
        },
        "nested threads" => unsafe {
            threads().multiThread.unwrap()(Some(nest), 2, null_mut());
        },
        "fail" => return FAILED,
        // Allowed by the standard, and refused by some hosts.
        "relabel" => {
            let mut set = null_mut();
            unsafe { params().paramGetPropertySet.unwrap()(param(effect, c"gain"), &mut set) };
            set_text(set, kOfxPropLabel, 0, c"Loudness");
        }
        // No misdeed: a mask is used where there is one, and hosts that only claim so give none.
        "use mask" => {
            let mut set = null_mut();
            unsafe { effects().clipGetPropertySet.unwrap()(clip(effect, c"Mask"), &mut set) };
            let image = if int(set, kOfxImageClipPropConnected, 0) != 0 {
                fetch(effect, c"Mask", time)
            } else {
                null_mut()
            };
            if !image.is_null() {
                release(image);
            }
        }
        _ => {}
    }
    OK
}

fn threads() -> &'static OfxMultiThreadSuiteV1 {
    suite(kOfxMultiThreadSuite).unwrap()
}

unsafe extern "C" fn nest(_index: c_uint, _count: c_uint, _argument: *mut c_void) {
    assert_eq!(1, unsafe { threads().multiThreadIsSpawnedThread.unwrap()() });
    unsafe { threads().multiThread.unwrap()(Some(nest), 2, null_mut()) };
}

extern "C" fn main_entry(
    action: *const c_char,
    handle: *const c_void,
    inputs: Set,
    _outputs: Set,
) -> OfxStatus {
    let action = unsafe { CStr::from_ptr(action) }.to_bytes_with_nul();
    let effect = handle.cast_mut().cast();
    let is = |name: &[u8]| action == name;
    if is(kOfxActionDescribe) {
        describe(effect)
    } else if is(kOfxImageEffectActionDescribeInContext) {
        describe_in_context(effect)
    } else if is(kOfxActionCreateInstance) {
        create(effect)
    } else if is(kOfxActionInstanceChanged) {
        changed(effect, inputs)
    } else if is(kOfxImageEffectActionRender) {
        render(effect, inputs)
    } else if is(kOfxActionLoad) || is(kOfxActionUnload) || is(kOfxActionDestroyInstance) {
        OK
    } else {
        REPLY_DEFAULT
    }
}

/// The overlay draws a frame around 10…20 and puts `place` where the pen goes down in it.
extern "C" fn overlay_main(
    action: *const c_char,
    _handle: *const c_void,
    inputs: Set,
    _outputs: Set,
) -> OfxStatus {
    let action = unsafe { CStr::from_ptr(action) }.to_bytes_with_nul();
    if action == kOfxInteractActionDraw {
        let context = pointer(inputs, kOfxInteractPropDrawContext).cast();
        let points = [OfxPointD { x: 10.0, y: 10.0 }, OfxPointD { x: 20.0, y: 20.0 }];
        let draw = suite::<OfxDrawSuiteV1>(kOfxDrawSuite).unwrap();
        let primitive = OfxDrawPrimitive_kOfxDrawPrimitiveRectangle;
        return unsafe { draw.draw.unwrap()(context, primitive, points.as_ptr(), 2) };
    }
    if action == kOfxInteractActionPenDown {
        let [x, y] = [0, 1].map(|i| double(inputs, kOfxInteractPropPenPosition, i));
        if [x, y].iter().all(|v| (10.0..20.0).contains(v)) {
            let effect = pointer(inputs, kOfxPropEffectInstance).cast();
            return unsafe { params().paramSetValue.unwrap()(param(effect, c"place"), x, y) };
        }
    }
    REPLY_DEFAULT
}

unsafe extern "C" fn set_host(host: *mut OfxHost) {
    HOST.store(host, Ordering::Relaxed);
}

#[unsafe(no_mangle)]
pub extern "C" fn OfxSetHost(host: *const OfxHost) -> OfxStatus {
    HOST.store(host.cast_mut(), Ordering::Relaxed);
    OK
}

#[unsafe(no_mangle)]
pub extern "C" fn OfxGetNumberOfPlugins() -> c_int {
    1
}

#[unsafe(no_mangle)]
pub extern "C" fn OfxGetPlugin(_index: c_int) -> *mut OfxPlugin {
    let identifier = CString::new("rna.fixture").unwrap();
    Box::into_raw(Box::new(OfxPlugin {
        pluginApi: c(kOfxImageEffectPluginApi),
        apiVersion: 1,
        pluginIdentifier: identifier.into_raw(),
        pluginVersionMajor: 1,
        pluginVersionMinor: 0,
        setHost: Some(set_host),
        mainEntry: Some(main_entry),
    }))
}
