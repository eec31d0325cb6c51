//! The property suite.

use super::super::handles::find;
use super::super::property::{Element, PropertySet};
use super::{answer, raw};
use crate::openfx::*;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

pub(super) static SUITE: OfxPropertySuiteV1 = OfxPropertySuiteV1 {
    propSetPointer: Some(set_pointer),
    propSetString: Some(set_string),
    propSetDouble: Some(set_double),
    propSetInt: Some(set_int),
    propSetPointerN: Some(set_pointers),
    propSetStringN: Some(set_strings),
    propSetDoubleN: Some(set_doubles),
    propSetIntN: Some(set_ints),
    propGetPointer: Some(get_pointer),
    propGetString: Some(get_string),
    propGetDouble: Some(get_double),
    propGetInt: Some(get_int),
    propGetPointerN: Some(get_pointers),
    propGetStringN: Some(get_strings),
    propGetDoubleN: Some(get_doubles),
    propGetIntN: Some(get_ints),
    propReset: Some(reset),
    propGetDimension: Some(dimension),
};

type Set = OfxPropertySetHandle;

fn on<R>(
    set: Set,
    name: *const c_char,
    work: impl FnOnce(&PropertySet, &str) -> Result<R, Status>,
) -> Result<R, Status> {
    let set: Arc<PropertySet> = find(set, "property set")?;
    work(&set, &raw::text(name)?)
}

fn many<T: Element>(set: Set, name: *const c_char, count: c_int) -> Result<Vec<T>, Status> {
    on(set, name, |set, name| (0..count).map(|i| set.get(name, i)).collect())
}

/// A pointer the plugin hands us to keep.
fn address(value: *mut c_void) -> usize {
    value.expose_provenance()
}

fn pointer(address: usize) -> *mut c_void {
    std::ptr::with_exposed_provenance_mut(address)
}

extern "C" fn set_pointer(set: Set, name: *const c_char, index: c_int, value: *mut c_void) -> OfxStatus {
    answer("propSetPointer", || on(set, name, |s, n| s.set(n, index, address(value))))
}

extern "C" fn set_string(set: Set, name: *const c_char, index: c_int, value: *const c_char) -> OfxStatus {
    answer("propSetString", || on(set, name, |s, n| s.set(n, index, raw::text(value)?)))
}

extern "C" fn set_double(set: Set, name: *const c_char, index: c_int, value: f64) -> OfxStatus {
    answer("propSetDouble", || on(set, name, |s, n| s.set(n, index, value)))
}

extern "C" fn set_int(set: Set, name: *const c_char, index: c_int, value: c_int) -> OfxStatus {
    answer("propSetInt", || on(set, name, |s, n| s.set(n, index, value)))
}

extern "C" fn set_pointers(
    set: Set,
    name: *const c_char,
    count: c_int,
    values: *const *mut c_void,
) -> OfxStatus {
    answer("propSetPointerN", || {
        let values = raw::all(values, count)?.into_iter().map(address).collect();
        on(set, name, |s, n| s.set_all(n, values))
    })
}

extern "C" fn set_strings(
    set: Set,
    name: *const c_char,
    count: c_int,
    values: *const *const c_char,
) -> OfxStatus {
    answer("propSetStringN", || {
        let values = raw::all(values, count)?.into_iter().map(raw::text).collect::<Result<_, _>>()?;
        on(set, name, |s, n| s.set_all(n, values))
    })
}

extern "C" fn set_doubles(set: Set, name: *const c_char, count: c_int, values: *const f64) -> OfxStatus {
    answer("propSetDoubleN", || {
        let values = raw::all(values, count)?;
        on(set, name, |s, n| s.set_all(n, values))
    })
}

extern "C" fn set_ints(set: Set, name: *const c_char, count: c_int, values: *const c_int) -> OfxStatus {
    answer("propSetIntN", || {
        let values = raw::all(values, count)?;
        on(set, name, |s, n| s.set_all(n, values))
    })
}

extern "C" fn get_pointer(set: Set, name: *const c_char, index: c_int, value: *mut *mut c_void) -> OfxStatus {
    answer("propGetPointer", || raw::put(value, pointer(on(set, name, |s, n| s.get(n, index))?)))
}

extern "C" fn get_string(set: Set, name: *const c_char, index: c_int, value: *mut *mut c_char) -> OfxStatus {
    answer("propGetString", || {
        let text: String = on(set, name, |s, n| s.get(n, index))?;
        raw::put(value, raw::lasting(&text))
    })
}

extern "C" fn get_double(set: Set, name: *const c_char, index: c_int, value: *mut f64) -> OfxStatus {
    answer("propGetDouble", || raw::put(value, on(set, name, |s, n| s.get(n, index))?))
}

extern "C" fn get_int(set: Set, name: *const c_char, index: c_int, value: *mut c_int) -> OfxStatus {
    answer("propGetInt", || raw::put(value, on(set, name, |s, n| s.get(n, index))?))
}

extern "C" fn get_pointers(
    set: Set,
    name: *const c_char,
    count: c_int,
    values: *mut *mut c_void,
) -> OfxStatus {
    answer("propGetPointerN", || {
        raw::put_all(values, many::<usize>(set, name, count)?.into_iter().map(pointer).collect())
    })
}

extern "C" fn get_strings(
    set: Set,
    name: *const c_char,
    count: c_int,
    values: *mut *mut c_char,
) -> OfxStatus {
    answer("propGetStringN", || {
        let texts = many::<String>(set, name, count)?;
        raw::put_all(values, texts.iter().map(|t| raw::lasting(t)).collect())
    })
}

extern "C" fn get_doubles(set: Set, name: *const c_char, count: c_int, values: *mut f64) -> OfxStatus {
    answer("propGetDoubleN", || raw::put_all(values, many(set, name, count)?))
}

extern "C" fn get_ints(set: Set, name: *const c_char, count: c_int, values: *mut c_int) -> OfxStatus {
    answer("propGetIntN", || raw::put_all(values, many(set, name, count)?))
}

extern "C" fn reset(set: Set, name: *const c_char) -> OfxStatus {
    answer("propReset", || on(set, name, |s, n| s.reset(n)))
}

extern "C" fn dimension(set: Set, name: *const c_char, count: *mut c_int) -> OfxStatus {
    answer("propGetDimension", || raw::put(count, on(set, name, |s, n| s.dimension(n))?))
}
