//! The fixture's side of the C interface: suites fetched, properties, parameters and clips by name.
//!
//! Every call here is sound as far as the host's suites keep to the standard; whether they do is what the fixture tests.

use super::{HOST, OK};
use openfx_sys::*;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::Ordering;

pub(crate) fn c(bytes: &'static [u8]) -> *const c_char {
    bytes.as_ptr().cast()
}

pub(crate) fn suite<T>(name: &'static [u8]) -> Option<&'static T> {
    unsafe {
        let host = &*HOST.load(Ordering::Relaxed);
        host.fetchSuite.unwrap()(host.host, c(name), 1).cast::<T>().as_ref()
    }
}

pub(crate) fn properties() -> &'static OfxPropertySuiteV1 {
    suite(kOfxPropertySuite).unwrap()
}

pub(crate) fn effects() -> &'static OfxImageEffectSuiteV1 {
    suite(kOfxImageEffectSuite).unwrap()
}

pub(crate) fn params() -> &'static OfxParameterSuiteV1 {
    suite(kOfxParameterSuite).unwrap()
}

pub(crate) type Set = OfxPropertySetHandle;

pub(crate) fn set_text(set: Set, name: &'static [u8], index: c_int, value: &CStr) -> OfxStatus {
    unsafe { properties().propSetString.unwrap()(set, c(name), index, value.as_ptr()) }
}

pub(crate) fn set_name(set: Set, name: &'static [u8], index: c_int, value: &'static [u8]) -> OfxStatus {
    set_text(set, name, index, CStr::from_bytes_with_nul(value).unwrap())
}

pub(crate) fn set_int(set: Set, name: &'static [u8], value: c_int) -> OfxStatus {
    unsafe { properties().propSetInt.unwrap()(set, c(name), 0, value) }
}

pub(crate) fn set_double(set: Set, name: &'static [u8], index: c_int, value: f64) -> OfxStatus {
    unsafe { properties().propSetDouble.unwrap()(set, c(name), index, value) }
}

pub(crate) fn int(set: Set, name: &'static [u8], index: c_int) -> c_int {
    let mut value = 0;
    assert_eq!(OK, unsafe { properties().propGetInt.unwrap()(set, c(name), index, &mut value) });
    value
}

pub(crate) fn double(set: Set, name: &'static [u8], index: c_int) -> f64 {
    let mut value = 0.0;
    assert_eq!(OK, unsafe { properties().propGetDouble.unwrap()(set, c(name), index, &mut value) });
    value
}

pub(crate) fn pointer(set: Set, name: &'static [u8]) -> *mut c_void {
    let mut value = null_mut();
    assert_eq!(OK, unsafe { properties().propGetPointer.unwrap()(set, c(name), 0, &mut value) });
    value
}

pub(crate) fn text(set: Set, name: &'static [u8]) -> String {
    let mut value = null_mut();
    assert_eq!(OK, unsafe { properties().propGetString.unwrap()(set, c(name), 0, &mut value) });
    unsafe { CStr::from_ptr(value) }.to_str().unwrap().to_string()
}

pub(crate) fn effect_set(effect: OfxImageEffectHandle) -> Set {
    let mut set = null_mut();
    assert_eq!(OK, unsafe { effects().getPropertySet.unwrap()(effect, &mut set) });
    set
}

pub(crate) fn param(effect: OfxImageEffectHandle, name: &CStr) -> OfxParamHandle {
    let (mut set, mut param) = (null_mut(), null_mut());
    unsafe {
        effects().getParamSet.unwrap()(effect, &mut set);
        assert_eq!(OK, params().paramGetHandle.unwrap()(set, name.as_ptr(), &mut param, null_mut()));
    }
    param
}

pub(crate) fn clip(effect: OfxImageEffectHandle, name: &CStr) -> OfxImageClipHandle {
    let mut clip = null_mut();
    assert_eq!(OK, unsafe { effects().clipGetHandle.unwrap()(effect, name.as_ptr(), &mut clip, null_mut()) });
    clip
}
