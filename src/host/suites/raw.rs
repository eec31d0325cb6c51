//! What a plugin passes by pointer. Null and text that is not UTF-8 are refused; for the rest a host must trust its
//! plugin, as every C function must trust its caller.

use super::super::context::complain;
use super::super::report::Kind;
use crate::openfx::Status;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char};

use parking_lot::Mutex;

fn refuse(what: &str) -> Status {
    complain(Kind::BadPointer, what);
    Status::ERR_VALUE
}

/// A C text.
pub(super) fn text(text: *const c_char) -> Result<String, Status> {
    if text.is_null() {
        return Err(refuse("a text was expected; the pointer is null"));
    }
    // SAFETY: not null; the standard has it end in NUL and live while the call lasts.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(str::to_string).map_err(|_| refuse("a text is not UTF-8"))
}

/// As `text`, where null stands for none.
pub(super) fn text_or_none(pointer: *const c_char) -> Result<String, Status> {
    if pointer.is_null() { Ok(String::new()) } else { text(pointer) }
}

/// Writes a result where the plugin wants it.
pub(super) fn put<T>(at: *mut T, value: T) -> Result<(), Status> {
    if at.is_null() {
        return Err(refuse("a place for the result was expected; the pointer is null"));
    }
    // SAFETY: not null; the standard has it point to a variable of this type.
    unsafe { at.write_unaligned(value) };
    Ok(())
}

/// As `put`, where null means that the plugin does not want to know.
pub(super) fn put_if_wanted<T>(at: *mut T, value: T) -> Result<(), Status> {
    if at.is_null() { Ok(()) } else { put(at, value) }
}

/// Writes results one after another.
pub(super) fn put_all<T>(at: *mut T, values: Vec<T>) -> Result<(), Status> {
    for (i, value) in values.into_iter().enumerate() {
        // The array has as many elements as were asked for, so the place is within it; null stays null to be refused.
        put(if at.is_null() { at } else { at.wrapping_add(i) }, value)?;
    }
    Ok(())
}

/// What a pointer points to.
pub(super) fn get<T: Copy>(from: *const T) -> Result<T, Status> {
    if from.is_null() {
        return Err(refuse("a value was expected; the pointer is null"));
    }
    // SAFETY: not null; the standard has it point to a value of this type.
    Ok(unsafe { from.read_unaligned() })
}

/// An array.
pub(super) fn all<T: Copy>(from: *const T, count: i32) -> Result<Vec<T>, Status> {
    let count = usize::try_from(count).map_err(|_| refuse("an array has a negative length"))?;
    let element = |i| get(if from.is_null() { from } else { from.wrapping_add(i) });
    (0..count).map(element).collect()
}

/// A text that stays where it is as long as the program runs: plugins keep such pointers longer than they should, and
/// finding out by reading freed memory would prove nothing.
pub(super) fn lasting(text: &str) -> *mut c_char {
    static TEXTS: Mutex<BTreeSet<CString>> = Mutex::new(BTreeSet::new());
    let text = CString::new(text.replace('\0', "")).unwrap_or_default();
    let mut texts = TEXTS.lock();
    if let Some(known) = texts.get(&text) {
        return known.as_ptr().cast_mut();
    }
    let at = text.as_ptr().cast_mut();
    // The bytes stay where they are when the owner moves into the set.
    texts.insert(text);
    at
}
