//! Property sets, with every call's status looked at.

use super::fault::{Fault, Result};
use super::suites::Suites;
use crate::openfx::{OfxPropertySetHandle, Status, name};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_int, c_void};

/// A set of properties of the host's.
#[derive(Clone, Copy)]
pub(super) struct Props<'a> {
    suites: &'a Suites,
    handle: OfxPropertySetHandle,
}

/// A property's name as `openfx-sys` has it.
type Key = &'static [u8];

fn shown(call: &str, key: Key) -> String {
    format!("{call} {}", name(key).to_string_lossy())
}

/// A string that lives as long as the process, the same for the same text: hosts keep pointers longer than they say.
pub(super) fn forever(text: &str) -> &'static CStr {
    static KEPT: Mutex<BTreeSet<&'static CStr>> = Mutex::new(BTreeSet::new());
    let clean: Vec<u8> = text.bytes().filter(|b| *b != 0).collect();
    let text = CString::new(clean).unwrap_or_default();
    let mut kept = KEPT.lock();
    if let Some(known) = kept.get(text.as_c_str()) {
        return known;
    }
    let leaked: &'static CStr = Box::leak(text.into_boxed_c_str());
    kept.insert(leaked);
    leaked
}

impl<'a> Props<'a> {
    /// Wraps a handle; `None` for null.
    pub(super) fn new(suites: &'a Suites, handle: OfxPropertySetHandle) -> Option<Self> {
        (!handle.is_null()).then_some(Self { suites, handle })
    }

    /// Wraps a handle that an action must have.
    pub(super) fn required(suites: &'a Suites, handle: OfxPropertySetHandle) -> Result<Self> {
        Self::new(suites, handle).ok_or(Fault::Missing("arguments for this action"))
    }

    pub(super) fn set_string(&self, key: Key, index: c_int, value: &'static CStr) -> Result<()> {
        // SAFETY: the handle is the host's own, name and value are C strings that live as long as the process.
        let status = unsafe {
            (self.suites.property.set_string)(self.handle, name(key).as_ptr(), index, value.as_ptr())
        };
        Status(status).ok().map_err(Fault::host(shown("propSetString", key)))
    }

    pub(super) fn set_text(&self, key: Key, value: &str) -> Result<()> {
        self.set_string(key, 0, forever(value))
    }

    pub(super) fn set_int(&self, key: Key, index: c_int, value: c_int) -> Result<()> {
        // SAFETY: the handle is the host's own, the name a C string.
        let status = unsafe { (self.suites.property.set_int)(self.handle, name(key).as_ptr(), index, value) };
        Status(status).ok().map_err(Fault::host(shown("propSetInt", key)))
    }

    pub(super) fn set_flag(&self, key: Key, value: bool) -> Result<()> {
        self.set_int(key, 0, c_int::from(value))
    }

    pub(super) fn set_double(&self, key: Key, index: c_int, value: f64) -> Result<()> {
        // SAFETY: the handle is the host's own, the name a C string.
        let status =
            unsafe { (self.suites.property.set_double)(self.handle, name(key).as_ptr(), index, value) };
        Status(status).ok().map_err(Fault::host(shown("propSetDouble", key)))
    }

    pub(super) fn set_doubles(&self, key: Key, values: &[f64]) -> Result<()> {
        (0..).zip(values).try_for_each(|(i, v)| self.set_double(key, i, *v))
    }

    pub(super) fn set_pointer(&self, key: Key, value: *mut c_void) -> Result<()> {
        // SAFETY: the handle is the host's own, the name a C string; the host only keeps the pointer.
        let status = unsafe { (self.suites.property.set_pointer)(self.handle, name(key).as_ptr(), 0, value) };
        Status(status).ok().map_err(Fault::host(shown("propSetPointer", key)))
    }

    pub(super) fn int(&self, key: Key, index: c_int) -> Result<c_int> {
        let mut value = 0;
        // SAFETY: as in `set_int`; the result goes to a local that outlives the call.
        let status =
            unsafe { (self.suites.property.get_int)(self.handle, name(key).as_ptr(), index, &raw mut value) };
        Status(status).ok().map_err(Fault::host(shown("propGetInt", key)))?;
        Ok(value)
    }

    pub(super) fn double(&self, key: Key, index: c_int) -> Result<f64> {
        let mut value = 0.0;
        // SAFETY: as in `int`.
        let status = unsafe {
            (self.suites.property.get_double)(self.handle, name(key).as_ptr(), index, &raw mut value)
        };
        Status(status).ok().map_err(Fault::host(shown("propGetDouble", key)))?;
        Ok(value)
    }

    pub(super) fn doubles<const N: usize>(&self, key: Key) -> Result<[f64; N]> {
        let mut values = [0.0; N];
        for (i, v) in (0..).zip(&mut values) {
            *v = self.double(key, i)?;
        }
        Ok(values)
    }

    pub(super) fn ints<const N: usize>(&self, key: Key) -> Result<[c_int; N]> {
        let mut values = [0; N];
        for (i, v) in (0..).zip(&mut values) {
            *v = self.int(key, i)?;
        }
        Ok(values)
    }

    pub(super) fn pointer(&self, key: Key) -> Result<*mut c_void> {
        let mut value = std::ptr::null_mut();
        // SAFETY: as in `int`.
        let status =
            unsafe { (self.suites.property.get_pointer)(self.handle, name(key).as_ptr(), 0, &raw mut value) };
        Status(status).ok().map_err(Fault::host(shown("propGetPointer", key)))?;
        Ok(value)
    }

    /// A copy of a string; bytes that are no UTF-8 are replaced.
    pub(super) fn string(&self, key: Key, index: c_int) -> Result<String> {
        let mut value: *mut c_char = std::ptr::null_mut();
        // SAFETY: as in `int`.
        let status = unsafe {
            (self.suites.property.get_string)(self.handle, name(key).as_ptr(), index, &raw mut value)
        };
        Status(status).ok().map_err(Fault::host(shown("propGetString", key)))?;
        if value.is_null() {
            return Ok(String::new());
        }
        // SAFETY: not null, and the host promises a C string that lives at least until the next call.
        Ok(unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned())
    }
}
