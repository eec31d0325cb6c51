//! The host's suites, fetched once into plain structs: what must be there is there, what may be missing is an `Option`.

use super::fault::{Fault, Result};
use crate::openfx::*;
use parking_lot::RwLock;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;

/// Copies a suite's function pointers out of their options; a host that leaves one out lacks the suite.
macro_rules! suite {
    ($(#[$doc:meta])* $name:ident = $raw:ident { $($field:ident : $call:ident ( $($arg:ty),* $(; $dots:tt)? );)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name {
            $(pub(super) $field: unsafe extern "C" fn($($arg),* $(, $dots)?) -> OfxStatus,)*
        }

        impl $name {
            fn of(host: &RawHost, suite: &'static [u8], version: c_int) -> Option<Self> {
                let raw = host.fetch(name(suite), version)?.cast::<$raw>();
                // SAFETY: a host that answers a suite's name and version with a pointer gives the struct of that
                // name, which lives as long as the host does.
                let raw = unsafe { &*raw };
                Some(Self { $($field: raw.$call?,)* })
            }
        }
    };
}

type Set = OfxPropertySetHandle;
type Effect = OfxImageEffectHandle;
type Name = *const c_char;

suite! {
    /// Properties.
    PropertySuite = OfxPropertySuiteV1 {
        set_pointer: propSetPointer(Set, Name, c_int, *mut c_void);
        set_string: propSetString(Set, Name, c_int, Name);
        set_double: propSetDouble(Set, Name, c_int, f64);
        set_int: propSetInt(Set, Name, c_int, c_int);
        get_pointer: propGetPointer(Set, Name, c_int, *mut *mut c_void);
        get_string: propGetString(Set, Name, c_int, *mut *mut c_char);
        get_double: propGetDouble(Set, Name, c_int, *mut f64);
        get_int: propGetInt(Set, Name, c_int, *mut c_int);
    }
}

suite! {
    /// Parameters.
    ParameterSuite = OfxParameterSuiteV1 {
        define: paramDefine(OfxParamSetHandle, Name, Name, *mut Set);
        handle: paramGetHandle(OfxParamSetHandle, Name, *mut OfxParamHandle, *mut Set);
        value_at: paramGetValueAtTime(OfxParamHandle, OfxTime; ...);
        set_value: paramSetValue(OfxParamHandle; ...);
        edit_begin: paramEditBegin(OfxParamSetHandle, Name);
        edit_end: paramEditEnd(OfxParamSetHandle);
    }
}

suite! {
    /// Clips and images; `abort` is kept apart, since it answers with a number.
    EffectSuite = OfxImageEffectSuiteV1 {
        properties: getPropertySet(Effect, *mut Set);
        parameters: getParamSet(Effect, *mut OfxParamSetHandle);
        define_clip: clipDefine(Effect, Name, *mut Set);
        clip: clipGetHandle(Effect, Name, *mut OfxImageClipHandle, *mut Set);
        image: clipGetImage(OfxImageClipHandle, OfxTime, *const OfxRectD, *mut Set);
        release: clipReleaseImage(Set);
        region: clipGetRegionOfDefinition(OfxImageClipHandle, OfxTime, *mut OfxRectD);
        abort: abort(Effect);
    }
}

suite! {
    /// Messages that stay until cleared.
    MessageSuite2 = OfxMessageSuiteV2 {
        message: message(*mut c_void, Name, Name, Name; ...);
        set_persistent: setPersistentMessage(*mut c_void, Name, Name, Name; ...);
        clear_persistent: clearPersistentMessage(*mut c_void);
    }
}

suite! {
    /// Messages shown once.
    MessageSuite1 = OfxMessageSuiteV1 {
        message: message(*mut c_void, Name, Name, Name; ...);
    }
}

suite! {
    /// A progress bar.
    ProgressSuite1 = OfxProgressSuiteV1 {
        start: progressStart(*mut c_void, Name);
        update: progressUpdate(*mut c_void, f64);
        end: progressEnd(*mut c_void);
    }
}

suite! {
    /// A progress bar with a message.
    ProgressSuite2 = OfxProgressSuiteV2 {
        start: progressStart(*mut c_void, Name, Name);
        update: progressUpdate(*mut c_void, f64);
        end: progressEnd(*mut c_void);
    }
}

suite! {
    /// The playhead.
    TimelineSuite = OfxTimeLineSuiteV1 {
        time: getTime(*mut c_void, *mut f64);
    }
}

suite! {
    /// Overlays.
    InteractSuite = OfxInteractSuiteV1 {
        redraw: interactRedraw(OfxInteractHandle);
    }
}

suite! {
    /// Drawing in overlays.
    DrawSuite = OfxDrawSuiteV1 {
        set_colour: setColour(OfxDrawContextHandle, *const OfxRGBAColourF);
        set_width: setLineWidth(OfxDrawContextHandle, f32);
        draw: draw(OfxDrawContextHandle, OfxDrawPrimitive, *const OfxPointD, c_int);
    }
}

/// What `setHost` handed over.
#[derive(Clone, Copy)]
pub(super) struct RawHost {
    properties: OfxPropertySetHandle,
    fetch: unsafe extern "C" fn(OfxPropertySetHandle, Name, c_int) -> *const c_void,
}

// SAFETY: the handle and the function belong to the host, which says it may be asked for suites by any thread; nothing
// of ours is behind them.
unsafe impl Send for RawHost {}
// SAFETY: as above.
unsafe impl Sync for RawHost {}

impl RawHost {
    /// # Safety
    ///
    /// `host` must be null or what a host gives to `setHost`.
    pub(super) unsafe fn new(host: *const OfxHost) -> Option<Self> {
        // SAFETY: by this function's contract it is null or valid.
        let host = unsafe { host.as_ref() }?;
        Some(Self { properties: host.host, fetch: host.fetchSuite? })
    }

    fn fetch(&self, suite: &CStr, version: c_int) -> Option<*const c_void> {
        // SAFETY: the function and its handle came together from the host; the name is a C string.
        let found = unsafe { (self.fetch)(self.properties, suite.as_ptr(), version) };
        (!found.is_null()).then_some(found)
    }
}

/// All suites of one host.
pub(super) struct Suites {
    /// The host's own properties.
    pub(super) host: OfxPropertySetHandle,
    pub(super) property: PropertySuite,
    pub(super) parameter: ParameterSuite,
    pub(super) effect: EffectSuite,
    pub(super) message2: Option<MessageSuite2>,
    pub(super) message1: Option<MessageSuite1>,
    pub(super) progress2: Option<ProgressSuite2>,
    pub(super) progress1: Option<ProgressSuite1>,
    pub(super) timeline: Option<TimelineSuite>,
    pub(super) interact: Option<InteractSuite>,
    pub(super) draw: Option<DrawSuite>,
}

// SAFETY: as for `RawHost`; suites are tables of functions.
unsafe impl Send for Suites {}
// SAFETY: as above.
unsafe impl Sync for Suites {}

impl Suites {
    fn fetch(host: &RawHost) -> Result<Self> {
        let need = Fault::Missing;
        Ok(Self {
            host: host.properties,
            property: PropertySuite::of(host, kOfxPropertySuite, 1).ok_or(need("property suite"))?,
            parameter: ParameterSuite::of(host, kOfxParameterSuite, 1).ok_or(need("parameter suite"))?,
            effect: EffectSuite::of(host, kOfxImageEffectSuite, 1).ok_or(need("image effect suite"))?,
            message2: MessageSuite2::of(host, kOfxMessageSuite, 2),
            message1: MessageSuite1::of(host, kOfxMessageSuite, 1),
            progress2: ProgressSuite2::of(host, kOfxProgressSuite, 2),
            progress1: ProgressSuite1::of(host, kOfxProgressSuite, 1),
            timeline: TimelineSuite::of(host, kOfxTimeLineSuite, 1),
            interact: InteractSuite::of(host, kOfxInteractSuite, 1),
            draw: DrawSuite::of(host, kOfxDrawSuite, 1),
        })
    }
}

static HOST: RwLock<Option<RawHost>> = RwLock::new(None);
static SUITES: RwLock<Option<Arc<Suites>>> = RwLock::new(None);

/// Remembers the host; its suites are fetched by [`load`].
pub(super) fn set_host(host: Option<RawHost>) {
    *HOST.write() = host;
}

/// Fetches the suites of the host set last.
pub(super) fn load() -> Result<()> {
    let host = HOST.read().ok_or(Fault::Missing("host structure: setHost was not called"))?;
    *SUITES.write() = Some(Arc::new(Suites::fetch(&host)?));
    Ok(())
}

/// Forgets them.
pub(super) fn unload() {
    *SUITES.write() = None;
}

/// The suites, between load and unload.
pub(super) fn suites() -> Result<Arc<Suites>> {
    SUITES.read().clone().ok_or(Fault::Missing("suites: it was not asked to load"))
}
