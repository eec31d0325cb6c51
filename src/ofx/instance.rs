//! One effect in a host's project: made cheaply, since some hosts make one for every frame.

use super::buttons::Work;
use super::describe::{ATLAS_CLIP, ROI_CLIP, effect_props};
use super::fault::{Fault, Result};
use super::image::Clip;
use super::message::Messages;
use super::params::Params;
use super::suites::{Suites, suites};
use crate::openfx::*;
use parking_lot::Mutex;
use std::ffi::c_void;
use std::sync::Arc;

/// What the plugin keeps for one instance of the host's.
pub(super) struct Instance {
    pub(super) suites: Arc<Suites>,
    pub(super) effect: OfxImageEffectHandle,
    pub(super) source: Clip,
    pub(super) output: Clip,
    /// The optional inputs, in contexts that have them.
    pub(super) roi: Option<Clip>,
    pub(super) atlas: Option<Clip>,
    pub(super) params: Params,
    pub(super) messages: Messages,
    /// An analysis going on behind the host's back.
    pub(super) running: Mutex<Option<Work>>,
}

// SAFETY: handles belong to the host, which calls from several threads itself; all else is behind locks.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Instance {
    fn new(effect: OfxImageEffectHandle) -> Result<Self> {
        let suites = suites()?;
        Ok(Self {
            source: Clip::of(&suites, effect, name(kOfxImageEffectSimpleSourceClipName))?,
            output: Clip::of(&suites, effect, name(kOfxImageEffectOutputClipName))?,
            roi: Clip::of(&suites, effect, ROI_CLIP).ok(),
            atlas: Clip::of(&suites, effect, ATLAS_CLIP).ok(),
            params: Params::of(&suites, effect)?,
            messages: Messages::new(&suites, effect),
            running: Mutex::new(None),
            suites,
            effect,
        })
    }

    /// Whether the host wants the render under way no more.
    pub(super) fn aborted(&self) -> bool {
        // SAFETY: the effect is the host's.
        unsafe { (self.suites.effect.abort)(self.effect) != 0 }
    }
}

/// Makes the instance's own data and hands it to the host to keep.
pub(super) fn create(effect: OfxImageEffectHandle) -> Result<()> {
    let instance = Box::new(Instance::new(effect)?);
    let suites = Arc::clone(&instance.suites);
    let kept = Box::into_raw(instance);
    let props = effect_props(&suites, effect)?;
    let handed = props.set_pointer(kOfxPropInstanceData, kept.cast::<c_void>());
    if handed.is_err() {
        // SAFETY: made by `into_raw` above, and the host did not take it.
        drop(unsafe { Box::from_raw(kept) });
    }
    handed
}

/// Takes the data back and ends what it had going on.
pub(super) fn destroy(effect: OfxImageEffectHandle) -> Result<()> {
    let suites = suites()?;
    let props = effect_props(&suites, effect)?;
    let kept = props.pointer(kOfxPropInstanceData)?.cast::<Instance>();
    if kept.is_null() {
        return Ok(());
    }
    props.set_pointer(kOfxPropInstanceData, std::ptr::null_mut())?;
    // SAFETY: the pointer is the one `create` handed over, and the host has it no more; a host destroys an instance
    // when no other action of it is under way.
    drop(unsafe { Box::from_raw(kept) });
    Ok(())
}

/// Runs `work` with the data of an instance.
pub(super) fn with<T>(effect: OfxImageEffectHandle, work: impl FnOnce(&Instance) -> Result<T>) -> Result<T> {
    let suites = suites()?;
    let kept = effect_props(&suites, effect)?.pointer(kOfxPropInstanceData)?.cast::<Instance>();
    // SAFETY: the pointer is null or the one `create` handed over, which stays until `destroy`; the host does not
    // destroy an instance while an action of it runs. Only shared references are ever made of it.
    let instance = unsafe { kept.as_ref() }.ok_or(Fault::Missing("data of this instance"))?;
    work(instance)
}
