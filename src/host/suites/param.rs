//! The parameter suite. Functions that read and write values take arguments by the parameter's kind, which Rust cannot
//! define: `variadic.c` asks here for the kind, takes the arguments apart, and calls back.

use super::super::context::{complain, shared};
use super::super::effect::ParamSet;
use super::super::handles::find;
use super::super::param::{Base, Param, Value};
use super::super::report::Kind;
use super::{answer, raw};
use crate::openfx::*;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::sync::Arc;

// SAFETY: defined in `variadic.c` with these types.
unsafe extern "C" {
    fn rna_host_get_value(param: OfxParamHandle, ...) -> OfxStatus;
    fn rna_host_get_value_at_time(param: OfxParamHandle, time: OfxTime, ...) -> OfxStatus;
    fn rna_host_get_derivative(param: OfxParamHandle, time: OfxTime, ...) -> OfxStatus;
    fn rna_host_get_integral(param: OfxParamHandle, from: OfxTime, to: OfxTime, ...) -> OfxStatus;
    fn rna_host_set_value(param: OfxParamHandle, ...) -> OfxStatus;
    fn rna_host_set_value_at_time(param: OfxParamHandle, time: OfxTime, ...) -> OfxStatus;
}

pub(super) static SUITE: OfxParameterSuiteV1 = OfxParameterSuiteV1 {
    paramDefine: Some(define),
    paramGetHandle: Some(get_handle),
    paramSetGetPropertySet: Some(set_properties),
    paramGetPropertySet: Some(properties),
    paramGetValue: Some(rna_host_get_value),
    paramGetValueAtTime: Some(rna_host_get_value_at_time),
    paramGetDerivative: Some(rna_host_get_derivative),
    paramGetIntegral: Some(rna_host_get_integral),
    paramSetValue: Some(rna_host_set_value),
    paramSetValueAtTime: Some(rna_host_set_value_at_time),
    paramGetNumKeys: Some(key_count),
    paramGetKeyTime: Some(key_time),
    paramGetKeyIndex: Some(key_index),
    paramDeleteKey: Some(delete_key),
    paramDeleteAllKeys: Some(delete_all_keys),
    paramCopy: Some(copy),
    paramEditBegin: Some(edit_begin),
    paramEditEnd: Some(edit_end),
};

fn param(handle: OfxParamHandle) -> Result<Arc<Param>, Status> {
    find(handle, "parameter")
}

fn param_set(handle: OfxParamSetHandle) -> Result<Arc<ParamSet>, Status> {
    find(handle, "parameter set")
}

/// A parameter of an instance; descriptions have no values.
fn live(handle: OfxParamHandle) -> Result<Arc<Param>, Status> {
    let param = param(handle)?;
    if param.effect.upgrade().is_some_and(|e| e.is_instance) {
        return Ok(param);
    }
    complain(Kind::BadHandle, format!("the value of {} was used in a description", param.name));
    Err(Status::ERR_BAD_HANDLE)
}

fn now() -> Result<f64, Status> {
    Ok(shared()?.timeline.lock().now)
}

extern "C" fn define(
    set: OfxParamSetHandle,
    kind: *const c_char,
    name: *const c_char,
    out: *mut OfxPropertySetHandle,
) -> OfxStatus {
    answer("paramDefine", || {
        let param = param_set(set)?.define(&raw::text(kind)?, &raw::text(name)?)?;
        raw::put_if_wanted(out, param.properties.handle.raw())
    })
}

extern "C" fn get_handle(
    set: OfxParamSetHandle,
    name: *const c_char,
    out: *mut OfxParamHandle,
    properties: *mut OfxPropertySetHandle,
) -> OfxStatus {
    answer("paramGetHandle", || {
        let (set, name) = (param_set(set)?, raw::text(name)?);
        let Some(param) = set.named(&name) else {
            complain(Kind::BadName, format!("there is no parameter {name}"));
            return Err(Status::ERR_UNKNOWN);
        };
        raw::put(out, param.handle.raw())?;
        raw::put_if_wanted(properties, param.properties.handle.raw())
    })
}

extern "C" fn set_properties(set: OfxParamSetHandle, out: *mut OfxPropertySetHandle) -> OfxStatus {
    answer("paramSetGetPropertySet", || {
        let set = param_set(set)?;
        // A description's set of parameters has the description's own properties, as they are told in one place.
        match set.effect.upgrade().filter(|e| !e.is_instance) {
            Some(effect) => raw::put(out, effect.properties.handle.raw()),
            None => raw::put(out, set.properties.handle.raw()),
        }
    })
}

extern "C" fn properties(handle: OfxParamHandle, out: *mut OfxPropertySetHandle) -> OfxStatus {
    answer("paramGetPropertySet", || raw::put(out, param(handle)?.properties.handle.raw()))
}

/// Kind and number of a parameter's values, as `variadic.c` wants them: 4 times the kind, plus the number less one;
/// kinds are 1 for int, 2 for double, 3 for text. Negative when there are none.
// SAFETY: nothing else in the program has this name.
#[unsafe(no_mangle)]
extern "C" fn rna_host_shape(handle: OfxParamHandle) -> c_int {
    let mut shape = -1;
    let status = answer("paramGetValue", || {
        let kind = live(handle)?.kind;
        let base = match kind.base {
            Base::Int => 1,
            Base::Double => 2,
            Base::Text => 3,
            Base::Nothing => return Err(Status::ERR_UNSUPPORTED),
        };
        shape = 4 * base + kind.count as c_int - 1;
        Ok(())
    });
    if status == Status::OK.0 { shape } else { -status }
}

/// What a value is read as.
const DERIVATIVE: c_int = 2;
const INTEGRAL: c_int = 3;
const AT_TIME: c_int = 1;
/// Values are straight lines between keys, so that this many come close enough.
const INTEGRAL_STEPS: f64 = 64.0;

/// Reads a value for `variadic.c`: `how` is 0 for now, else one of the constants above; `out` has a pointer a value.
// SAFETY: nothing else in the program has this name.
#[unsafe(no_mangle)]
extern "C" fn rna_host_read(
    handle: OfxParamHandle,
    how: c_int,
    from: f64,
    to: f64,
    out: *const *mut c_void,
) -> OfxStatus {
    answer("paramGetValue", || {
        let param = live(handle)?;
        let value = match how {
            AT_TIME => param.value(from),
            DERIVATIVE => {
                let slope = [(from + 0.5, 1.0), (from - 0.5, -1.0)];
                param.weighted(&slope).ok_or(Status::ERR_UNSUPPORTED)?
            }
            INTEGRAL => {
                let step = (to - from) / INTEGRAL_STEPS;
                let middles = (0..INTEGRAL_STEPS as usize).map(|i| (from + (i as f64 + 0.5) * step, step));
                param.weighted(&middles.collect::<Vec<_>>()).ok_or(Status::ERR_UNSUPPORTED)?
            }
            _ => param.value(now()?),
        };
        let count = param.kind.count as c_int;
        for (i, &place) in raw::all(out, count)?.iter().enumerate() {
            match &value {
                Value::Ints(v) => raw::put(place.cast::<c_int>(), v[i])?,
                Value::Doubles(v) => raw::put(place.cast::<f64>(), v[i])?,
                Value::Text(v) => raw::put(place.cast::<*mut c_char>(), raw::lasting(v))?,
                Value::Nothing => return Err(Status::ERR_UNSUPPORTED),
            }
        }
        Ok(())
    })
}

/// One argument, as `variadic.c` has taken it.
#[repr(C)]
#[derive(Clone, Copy)]
union Argument {
    int: c_int,
    double: f64,
    text: *const c_char,
}

/// Writes a value for `variadic.c`; `timed` when it is a key.
// SAFETY: nothing else in the program has this name.
#[unsafe(no_mangle)]
extern "C" fn rna_host_write(
    handle: OfxParamHandle,
    timed: c_int,
    time: f64,
    arguments: *const Argument,
) -> OfxStatus {
    answer("paramSetValue", || {
        let param = live(handle)?;
        let arguments = raw::all(arguments, param.kind.count as c_int)?;
        let value = match param.kind.base {
            // SAFETY: `variadic.c` has filled in ints, since `rna_host_shape` said so of this kind.
            Base::Int => Value::Ints(arguments.iter().map(|a| unsafe { a.int }).collect()),
            // SAFETY: as above, doubles.
            Base::Double => Value::Doubles(arguments.iter().map(|a| unsafe { a.double }).collect()),
            Base::Text => {
                let text = arguments.first().ok_or(Status::FAILED)?;
                // SAFETY: as above, a text.
                Value::Text(raw::text(unsafe { text.text })?)
            }
            Base::Nothing => Value::Nothing,
        };
        param.write_by_plugin(value, (timed != 0).then_some(time))
    })
}

extern "C" fn key_count(handle: OfxParamHandle, out: *mut c_uint) -> OfxStatus {
    answer("paramGetNumKeys", || raw::put(out, live(handle)?.keys().len() as c_uint))
}

extern "C" fn key_time(handle: OfxParamHandle, nth: c_uint, out: *mut OfxTime) -> OfxStatus {
    answer("paramGetKeyTime", || {
        let time = live(handle)?.keys().get(nth as usize).copied();
        raw::put(out, time.ok_or(Status::ERR_BAD_INDEX)?)
    })
}

extern "C" fn key_index(
    handle: OfxParamHandle,
    time: OfxTime,
    direction: c_int,
    out: *mut c_int,
) -> OfxStatus {
    answer("paramGetKeyIndex", || {
        let keys = live(handle)?.keys();
        let found = match direction {
            0 => keys.iter().position(|&k| k == time),
            d if d < 0 => keys.iter().rposition(|&k| k < time),
            _ => keys.iter().position(|&k| k > time),
        };
        raw::put(out, found.ok_or(Status::FAILED)? as c_int)
    })
}

fn delete(handle: OfxParamHandle, which: impl Fn(f64) -> bool) -> Result<usize, Status> {
    let param = live(handle)?;
    param.check_write()?;
    let removed = param.remove_keys(which, now()?);
    if removed > 0 {
        param.tell();
    }
    Ok(removed)
}

extern "C" fn delete_key(handle: OfxParamHandle, time: OfxTime) -> OfxStatus {
    answer("paramDeleteKey", || match delete(handle, |t| t == time)? {
        0 => Err(Status::ERR_BAD_INDEX),
        _ => Ok(()),
    })
}

extern "C" fn delete_all_keys(handle: OfxParamHandle) -> OfxStatus {
    answer("paramDeleteAllKeys", || delete(handle, |_| true).map(|_| ()))
}

extern "C" fn copy(
    to: OfxParamHandle,
    from: OfxParamHandle,
    offset: OfxTime,
    range: *const OfxRangeD,
) -> OfxStatus {
    answer("paramCopy", || {
        let (to, from) = (live(to)?, live(from)?);
        to.check_write()?;
        if to.kind.base != from.kind.base || to.kind.count != from.kind.count {
            complain(Kind::BadName, format!("{} cannot be copied to {}", from.name, to.name));
            return Err(Status::ERR_VALUE);
        }
        if !shared()?.profile.copies {
            return Ok(());
        }
        let range = if range.is_null() { None } else { Some(raw::get(range)?) };
        let mut saved = from.save().ok_or(Status::ERR_UNSUPPORTED)?;
        saved.keys.retain(|(t, _)| range.is_none_or(|r| (r.min..=r.max).contains(t)));
        saved.keys.iter_mut().for_each(|(t, _)| *t += offset);
        to.restore(&saved);
        to.tell();
        Ok(())
    })
}

extern "C" fn edit_begin(set: OfxParamSetHandle, name: *const c_char) -> OfxStatus {
    answer("paramEditBegin", || {
        param_set(set)?;
        raw::text(name).map(|_| ())
    })
}

extern "C" fn edit_end(set: OfxParamSetHandle) -> OfxStatus {
    answer("paramEditEnd", || param_set(set).map(|_| ()))
}
