//! The image effect suite.

use super::super::clip::Clip;
use super::super::context::{complain, current, shared};
use super::super::effect::Effect;
use super::super::handles::{Handle, find, was_given};
use super::super::memory::Memory;
use super::super::report::Kind;
use super::{answer, raw};
use crate::openfx::*;
use parking_lot::Mutex;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

pub(super) static SUITE: OfxImageEffectSuiteV1 = OfxImageEffectSuiteV1 {
    getPropertySet: Some(property_set),
    getParamSet: Some(param_set),
    clipDefine: Some(clip_define),
    clipGetHandle: Some(clip_handle),
    clipGetPropertySet: Some(clip_properties),
    clipGetImage: Some(clip_image),
    clipReleaseImage: Some(release_image),
    clipGetRegionOfDefinition: Some(clip_definition),
    abort: Some(abort),
    imageMemoryAlloc: Some(memory_alloc),
    imageMemoryFree: Some(memory_free),
    imageMemoryLock: Some(memory_lock),
    imageMemoryUnlock: Some(memory_unlock),
};

fn effect(handle: OfxImageEffectHandle) -> Result<Arc<Effect>, Status> {
    find(handle, "effect")
}

fn clip(handle: OfxImageClipHandle) -> Result<Arc<Clip>, Status> {
    find(handle, "clip")
}

extern "C" fn property_set(handle: OfxImageEffectHandle, set: *mut OfxPropertySetHandle) -> OfxStatus {
    answer("getPropertySet", || raw::put(set, effect(handle)?.properties.handle.raw()))
}

extern "C" fn param_set(handle: OfxImageEffectHandle, set: *mut OfxParamSetHandle) -> OfxStatus {
    answer("getParamSet", || raw::put(set, effect(handle)?.params.handle.raw()))
}

extern "C" fn clip_define(
    handle: OfxImageEffectHandle,
    name: *const c_char,
    set: *mut OfxPropertySetHandle,
) -> OfxStatus {
    answer("clipDefine", || {
        let clip = effect(handle)?.define_clip(&raw::text(name)?)?;
        raw::put_if_wanted(set, clip.properties.handle.raw())
    })
}

extern "C" fn clip_handle(
    handle: OfxImageEffectHandle,
    name: *const c_char,
    out: *mut OfxImageClipHandle,
    set: *mut OfxPropertySetHandle,
) -> OfxStatus {
    answer("clipGetHandle", || {
        let (effect, name) = (effect(handle)?, raw::text(name)?);
        let Some(clip) = effect.clip(&name).filter(|_| effect.is_instance) else {
            complain(Kind::BadName, format!("there is no clip {name} here"));
            return Err(Status::ERR_BAD_HANDLE);
        };
        raw::put(out, clip.handle.raw())?;
        raw::put_if_wanted(set, clip.properties.handle.raw())
    })
}

extern "C" fn clip_properties(handle: OfxImageClipHandle, set: *mut OfxPropertySetHandle) -> OfxStatus {
    answer("clipGetPropertySet", || raw::put(set, clip(handle)?.properties.handle.raw()))
}

extern "C" fn clip_image(
    handle: OfxImageClipHandle,
    time: OfxTime,
    region: *const OfxRectD,
    image: *mut OfxPropertySetHandle,
) -> OfxStatus {
    answer("clipGetImage", || {
        // Null whatever happens, so that a plugin that does not look at the status is caught at once.
        raw::put(image, std::ptr::null_mut())?;
        let region = if region.is_null() {
            None
        } else {
            let r = raw::get(region)?;
            Some([r.x1, r.y1, r.x2, r.y2])
        };
        match clip(handle)?.fetch(time, region)? {
            Some(number) => raw::put(image, std::ptr::without_provenance_mut(number)),
            None => Ok(()),
        }
    })
}

extern "C" fn release_image(image: OfxPropertySetHandle) -> OfxStatus {
    answer("clipReleaseImage", || {
        let number = image.cast::<c_void>().addr();
        let found = shared()?.images.lock().remove(&number);
        let Some(picture) = found else {
            let (kind, problem) = match was_given(number) {
                true => (Kind::ReleasedTwice, "an image was released again, or was never one"),
                false => (Kind::BadHandle, "something was released that is no handle"),
            };
            complain(kind, problem);
            return Err(Status::ERR_BAD_HANDLE);
        };
        picture.check();
        Ok(())
    })
}

extern "C" fn clip_definition(handle: OfxImageClipHandle, _time: OfxTime, out: *mut OfxRectD) -> OfxStatus {
    answer("clipGetRegionOfDefinition", || {
        let (width, height) = clip(handle)?.size().ok_or(Status::FAILED)?;
        raw::put(out, OfxRectD { x1: 0.0, y1: 0.0, x2: width as f64, y2: height as f64 })
    })
}

extern "C" fn abort(handle: OfxImageEffectHandle) -> c_int {
    let mut stop = false;
    let _ = answer("abort", || {
        effect(handle)?;
        let patience = current().and_then(|s| s.job);
        stop = patience.is_some_and(|j| {
            j.patience.as_ref().is_some_and(|left| left.fetch_sub(1, Ordering::Relaxed) <= 0)
        });
        Ok(())
    });
    c_int::from(stop)
}

/// Memory by handle, which may be moved while it is not locked.
struct ImageMemory {
    handle: Handle,
    memory: Memory,
    locks: Mutex<u32>,
}

extern "C" fn memory_alloc(
    instance: OfxImageEffectHandle,
    bytes: usize,
    out: *mut OfxImageMemoryHandle,
) -> OfxStatus {
    answer("imageMemoryAlloc", || {
        if !instance.is_null() {
            effect(instance)?;
        }
        let shared = shared()?;
        let fails = shared.allocation_fails();
        let memory = Memory::new(bytes).filter(|_| !fails).ok_or(Status::ERR_MEMORY)?;
        let memory = Arc::new_cyclic(|weak: &Weak<ImageMemory>| ImageMemory {
            handle: Handle::new(weak),
            memory,
            locks: Mutex::new(0),
        });
        raw::put(out, memory.handle.raw())?;
        shared.held.lock().insert(memory.handle.number(), ("blocks of image memory", memory));
        Ok(())
    })
}

extern "C" fn memory_free(handle: OfxImageMemoryHandle) -> OfxStatus {
    answer("imageMemoryFree", || {
        let memory: Arc<ImageMemory> = find(handle, "block of memory")?;
        if !memory.memory.is_intact() {
            complain(Kind::GuardOverwritten, "bytes beside image memory were written");
        }
        if *memory.locks.lock() > 0 {
            complain(Kind::Memory, "image memory was freed while it was locked");
        }
        shared()?.held.lock().remove(&memory.handle.number());
        Ok(())
    })
}

extern "C" fn memory_lock(handle: OfxImageMemoryHandle, out: *mut *mut c_void) -> OfxStatus {
    answer("imageMemoryLock", || {
        let memory: Arc<ImageMemory> = find(handle, "block of memory")?;
        *memory.locks.lock() += 1;
        raw::put(out, memory.memory.data().cast())
    })
}

extern "C" fn memory_unlock(handle: OfxImageMemoryHandle) -> OfxStatus {
    answer("imageMemoryUnlock", || {
        let memory: Arc<ImageMemory> = find(handle, "block of memory")?;
        let mut locks = memory.locks.lock();
        if *locks == 0 {
            complain(Kind::Memory, "image memory was unlocked that was not locked");
            return Err(Status::FAILED);
        }
        *locks -= 1;
        Ok(())
    })
}
