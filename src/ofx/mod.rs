//! The plugin: what an OpenFX host calls, and what it is asked for.
//!
//! Every function a host can call is one `guard` around ordinary code: no panic and no error gets out but as a
//! status. The analysis itself runs in another process; what a frame shows is made by [`crate::render`] from
//! what lies on disk, so an instance holds nothing that could be lost.
#![allow(unsafe_code, reason = "it speaks C; every block says why it is sound")]

mod buttons;
mod capture;
mod corrections;
mod describe;
mod fault;
mod guard;
mod image;
mod instance;
mod message;
mod overlay;
mod params;
mod props;
mod region;
mod render;
mod run;
mod show;
mod suites;
mod wait;

use crate::openfx::*;
use fault::{Fault, Result};
use guard::guard;
use instance::Instance;
use props::{Props, forever};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;
use suites::{RawHost, Suites, suites};

/// Name by which projects find the plugin again; never to be changed.
pub const IDENTIFIER: &str = "org.rna-ofx.RNA";

/// Hands the host over before anything else is asked; Fusion needs it to be there.
///
/// # Safety
///
/// `host` must be null or point to a host structure that lives until the plugin is unloaded.
// SAFETY: the name is the one hosts look for, and no other item has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OfxSetHost(host: *const OfxHost) -> OfxStatus {
    guard("OfxSetHost", || {
        // SAFETY: by this function's contract.
        suites::set_host(unsafe { RawHost::new(host) });
        Ok(Status::OK)
    })
}

/// Number of plugins in this library: one.
// SAFETY: the name is the one hosts look for, and no other item has it.
#[unsafe(no_mangle)]
pub extern "C" fn OfxGetNumberOfPlugins() -> c_int {
    1
}

/// The plugin's structure; null for any number but 0.
// SAFETY: the name is the one hosts look for, and no other item has it.
#[unsafe(no_mangle)]
pub extern "C" fn OfxGetPlugin(nth: c_int) -> *mut OfxPlugin {
    /// The structure, which hosts only read.
    struct Only(OfxPlugin);
    // SAFETY: it is never changed once made.
    unsafe impl Sync for Only {}
    // SAFETY: as above.
    unsafe impl Send for Only {}
    static PLUGIN: OnceLock<Only> = OnceLock::new();
    if nth != 0 {
        return std::ptr::null_mut();
    }
    let version = |part: &str| part.parse::<c_uint>().unwrap_or(0);
    let made = PLUGIN.get_or_init(|| {
        Only(OfxPlugin {
            pluginApi: name(kOfxImageEffectPluginApi).as_ptr(),
            apiVersion: 1,
            pluginIdentifier: forever(IDENTIFIER).as_ptr(),
            pluginVersionMajor: version(env!("CARGO_PKG_VERSION_MAJOR")),
            pluginVersionMinor: version(env!("CARGO_PKG_VERSION_MINOR")),
            setHost: Some(set_host),
            mainEntry: Some(main_entry),
        })
    });
    (&raw const made.0).cast_mut()
}

unsafe extern "C" fn set_host(host: *mut OfxHost) {
    // The status of a call that returns none has nobody to go to.
    let _ = guard("setHost", || {
        // SAFETY: a host gives its structure here, which lives until the plugin is unloaded.
        suites::set_host(unsafe { RawHost::new(host) });
        Ok(Status::OK)
    });
}

/// What the host calls for everything else.
unsafe extern "C" fn main_entry(
    action: *const c_char,
    handle: *const c_void,
    arguments: OfxPropertySetHandle,
    results: OfxPropertySetHandle,
) -> OfxStatus {
    if action.is_null() {
        return Status::ERR_BAD_HANDLE.0;
    }
    // SAFETY: not null, and the host gives a C string.
    let action = unsafe { CStr::from_ptr(action) };
    guard(&action.to_string_lossy(), || dispatch(action, handle.cast_mut().cast(), arguments, results))
}

fn dispatch(
    action: &CStr,
    effect: OfxImageEffectHandle,
    arguments: OfxPropertySetHandle,
    results: OfxPropertySetHandle,
) -> Result<Status> {
    let is = |n: &'static [u8]| action == name(n);
    if is(kOfxActionLoad) {
        guard::quiet_panics();
        return suites::load().map(|()| Status::OK);
    }
    if is(kOfxActionUnload) {
        show::purge();
        suites::unload();
        return Ok(Status::OK);
    }
    if is(kOfxActionPurgeCaches) {
        show::purge();
        return Ok(Status::OK);
    }
    let suites = suites()?;
    if is(kOfxActionDescribe) {
        describe::describe(&suites, effect)?;
    } else if is(kOfxImageEffectActionDescribeInContext) {
        let context = Props::required(&suites, arguments)?.string(kOfxImageEffectPropContext, 0)?;
        describe::describe_in_context(&suites, effect, &context)?;
    } else if is(kOfxActionCreateInstance) {
        instance::create(effect)?;
    } else if is(kOfxActionDestroyInstance) {
        instance::destroy(effect)?;
    } else if is(kOfxImageEffectActionRender) {
        let arguments = Props::required(&suites, arguments)?;
        instance::with(effect, |instance| render::render(instance, &arguments))?;
    } else {
        return ask(&suites, action, effect, arguments, results);
    }
    Ok(Status::OK)
}

/// Actions that ask something, or tell of a change.
fn ask(
    suites: &Suites,
    action: &CStr,
    effect: OfxImageEffectHandle,
    arguments: OfxPropertySetHandle,
    results: OfxPropertySetHandle,
) -> Result<Status> {
    let is = |n: &'static [u8]| action == name(n);
    let question: fn(&Instance, &Props, &Props) -> Result<Status> = if is(kOfxImageEffectActionIsIdentity) {
        is_identity
    } else if is(kOfxImageEffectActionGetRegionOfDefinition) {
        region_of_definition
    } else if is(kOfxImageEffectActionGetRegionsOfInterest) {
        regions_of_interest
    } else if is(kOfxImageEffectActionGetClipPreferences) {
        let results = Props::required(suites, results)?;
        return instance::with(effect, |i| clip_preferences(i, &results));
    } else if is(kOfxActionInstanceChanged) {
        let arguments = Props::required(suites, arguments)?;
        return instance::with(effect, |i| changed(i, &arguments));
    } else {
        // What has no answer of ours (frames needed, time domain, edits beginning and ending) is as the host does it.
        return Ok(Status::REPLY_DEFAULT);
    };
    let arguments = Props::required(suites, arguments)?;
    let results = Props::required(suites, results)?;
    instance::with(effect, |instance| question(instance, &arguments, &results))
}

/// A frame nothing is done to is the source's.
fn is_identity(instance: &Instance, arguments: &Props, results: &Props) -> Result<Status> {
    let time = arguments.double(kOfxPropTime, 0)?;
    if !render::is_identity(instance, time)? {
        return Ok(Status::REPLY_DEFAULT);
    }
    results.set_string(kOfxPropName, 0, name(kOfxImageEffectSimpleSourceClipName))?;
    results.set_double(kOfxPropTime, 0, time)?;
    Ok(Status::OK)
}

/// The result is as large as the source; the optional inputs do not make it larger.
fn region_of_definition(instance: &Instance, arguments: &Props, results: &Props) -> Result<Status> {
    let time = arguments.double(kOfxPropTime, 0)?;
    let Ok(r) = instance.source.region(time) else { return Ok(Status::REPLY_DEFAULT) };
    results.set_doubles(kOfxImageEffectPropRegionOfDefinition, &[r.x1, r.y1, r.x2, r.y2])?;
    Ok(Status::OK)
}

/// A window of the result needs the same window of the source, and all of the edited atlas; while frames are being
/// collected, all of the source.
fn regions_of_interest(instance: &Instance, arguments: &Props, results: &Props) -> Result<Status> {
    let time = arguments.double(kOfxPropTime, 0)?;
    let mut wanted = arguments.doubles::<4>(kOfxImageEffectPropRegionOfInterest)?;
    if capture::is_collecting(instance)? {
        let r = instance.source.region(time)?;
        wanted = [r.x1, r.y1, r.x2, r.y2];
    }
    results.set_doubles(b"OfxImageClipPropRoI_Source\0", &wanted)?;
    let inputs = [
        (&instance.roi, b"OfxImageClipPropRoI_ROI\0".as_slice()),
        (&instance.atlas, b"OfxImageClipPropRoI_Atlas\0".as_slice()),
    ];
    for (clip, key) in inputs {
        if let Some(clip) = clip.as_ref().filter(|c| c.is_connected())
            && let Ok(r) = clip.region(time)
        {
            results.set_doubles(key, &[r.x1, r.y1, r.x2, r.y2])?;
        }
    }
    Ok(Status::OK)
}

/// With the matte in it, alpha is no longer what the colours were multiplied with.
fn clip_preferences(instance: &Instance, results: &Props) -> Result<Status> {
    if instance.params.int("matte_alpha", 0.0)? == 0 {
        return Ok(Status::REPLY_DEFAULT);
    }
    results.set_string(kOfxImageEffectPropPreMultiplication, 0, name(kOfxImageUnPreMultiplied))?;
    Ok(Status::OK)
}

/// Something changed: a button pressed by the user is acted on.
fn changed(instance: &Instance, arguments: &Props) -> Result<Status> {
    let user = arguments.string(kOfxPropChangeReason, 0)?.as_bytes() == name(kOfxChangeUserEdited).to_bytes();
    let parameter = arguments.string(kOfxPropType, 0)?.as_bytes() == name(kOfxTypeParameter).to_bytes();
    if !user || !parameter {
        return Ok(Status::REPLY_DEFAULT);
    }
    let id = arguments.string(kOfxPropName, 0)?;
    let time = arguments.double(kOfxPropTime, 0)?;
    buttons::press(instance, &id, time).map_err(|fault| match fault {
        Fault::Aborted => Fault::Plain("stopped".into()),
        other => other,
    })?;
    Ok(Status::OK)
}
