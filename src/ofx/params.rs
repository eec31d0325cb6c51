//! An instance's parameters: values read and written by the ids of [`crate::param::TABLE`].

use super::fault::{Fault, Result};
use super::props::forever;
use super::suites::Suites;
use crate::openfx::*;
use crate::param::{Group, Kind, TABLE};
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::sync::Arc;

/// Handles of all parameters of one instance.
pub(super) struct Params {
    suites: Arc<Suites>,
    set: OfxParamSetHandle,
    handles: BTreeMap<&'static str, OfxParamHandle>,
}

// SAFETY: handles belong to the host, which answers `paramGetValueAtTime` on its render threads; values are written in
// actions of the main thread only.
unsafe impl Send for Params {}
// SAFETY: as above.
unsafe impl Sync for Params {}

impl Params {
    pub(super) fn of(suites: &Arc<Suites>, effect: OfxImageEffectHandle) -> Result<Self> {
        let mut set = std::ptr::null_mut();
        // SAFETY: the effect is the host's, the result goes to a local.
        let status = unsafe { (suites.effect.parameters)(effect, &raw mut set) };
        Status(status).ok().map_err(Fault::host("getParamSet"))?;
        let mut handles = BTreeMap::new();
        for p in TABLE {
            let mut handle = std::ptr::null_mut();
            // SAFETY: the set is the host's, the name lives forever, results go to a local or nowhere.
            let status = unsafe {
                let name = forever(p.id).as_ptr();
                (suites.parameter.handle)(set, name, &raw mut handle, std::ptr::null_mut())
            };
            Status(status).ok().map_err(Fault::host(format!("paramGetHandle {}", p.id)))?;
            handles.insert(p.id, handle);
        }
        Ok(Self { suites: Arc::clone(suites), set, handles })
    }

    fn handle(&self, id: &'static str) -> Result<OfxParamHandle> {
        self.handles.get(id).copied().ok_or_else(|| Fault::Plain(format!("there is no parameter {id}")))
    }

    /// An integer, the index of a choice, or a flag as 0 and 1. `time` matters where the user animates.
    pub(super) fn int(&self, id: &'static str, time: f64) -> Result<c_int> {
        let (handle, mut value) = (self.handle(id)?, 0 as c_int);
        // SAFETY: the handle is the host's; for these kinds it writes one int.
        let status = unsafe { (self.suites.parameter.value_at)(handle, time, &raw mut value) };
        Status(status).ok().map_err(Fault::host(format!("paramGetValueAtTime {id}")))?;
        Ok(value)
    }

    pub(super) fn double(&self, id: &'static str, time: f64) -> Result<f64> {
        let (handle, mut value) = (self.handle(id)?, 0.0f64);
        // SAFETY: the handle is the host's; for this kind it writes one double.
        let status = unsafe { (self.suites.parameter.value_at)(handle, time, &raw mut value) };
        Status(status).ok().map_err(Fault::host(format!("paramGetValueAtTime {id}")))?;
        Ok(value)
    }

    pub(super) fn point(&self, id: &'static str, time: f64) -> Result<[f64; 2]> {
        let (handle, mut x, mut y) = (self.handle(id)?, 0.0f64, 0.0f64);
        // SAFETY: the handle is the host's; for this kind it writes two doubles.
        let status = unsafe { (self.suites.parameter.value_at)(handle, time, &raw mut x, &raw mut y) };
        Status(status).ok().map_err(Fault::host(format!("paramGetValueAtTime {id}")))?;
        Ok([x, y])
    }

    pub(super) fn text(&self, id: &'static str) -> Result<String> {
        let (handle, mut value): (_, *mut c_char) = (self.handle(id)?, std::ptr::null_mut());
        // SAFETY: the handle is the host's; for this kind it writes a pointer to a C string of its own.
        let status = unsafe { (self.suites.parameter.value_at)(handle, 0.0f64, &raw mut value) };
        Status(status).ok().map_err(Fault::host(format!("paramGetValueAtTime {id}")))?;
        if value.is_null() {
            return Ok(String::new());
        }
        // SAFETY: not null, and valid until the next call of the suite.
        Ok(unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned())
    }

    /// The word chosen.
    pub(super) fn word(&self, id: &'static str, time: f64) -> Result<&'static str> {
        let index = usize::try_from(self.int(id, time)?).unwrap_or(0);
        match crate::param::find(id).map(|p| p.kind) {
            Some(Kind::Choice { options }) => Ok(options.get(index).map_or(options[0].0, |o| o.0)),
            _ => Err(Fault::Plain(format!("{id} is no choice"))),
        }
    }

    /// All values of one group, as [`crate::param`] takes them.
    pub(super) fn values(&self, group: Group, time: f64) -> Result<BTreeMap<String, String>> {
        let of_group = TABLE.iter().filter(|p| p.group == group);
        let value = |p: &'static crate::param::Param| {
            let text = match p.kind {
                Kind::Int { min, max, .. } => i64::from(self.int(p.id, time)?).clamp(min, max).to_string(),
                Kind::Double { min, max, .. } => self.double(p.id, time)?.clamp(min, max).to_string(),
                Kind::Choice { .. } => self.word(p.id, time)?.to_string(),
                Kind::Flag { .. } => (self.int(p.id, time)? != 0).to_string(),
                Kind::Point { .. } | Kind::Text(_) | Kind::Button => return Ok(None),
            };
            Ok(Some((p.id.to_string(), text)))
        };
        of_group.filter_map(|p| value(p).transpose()).collect()
    }

    /// Writes a text; in actions of the main thread only.
    pub(super) fn set_text(&self, id: &'static str, value: &str) -> Result<()> {
        let handle = self.handle(id)?;
        // SAFETY: the handle is the host's; this kind takes one C string, which lives forever.
        let status = unsafe { (self.suites.parameter.set_value)(handle, forever(value).as_ptr()) };
        Status(status).ok().map_err(Fault::host(format!("paramSetValue {id}")))
    }

    /// Writes an integer; in actions of the main thread only.
    pub(super) fn set_int(&self, id: &'static str, value: c_int) -> Result<()> {
        let handle = self.handle(id)?;
        // SAFETY: the handle is the host's; this kind takes one int.
        let status = unsafe { (self.suites.parameter.set_value)(handle, value) };
        Status(status).ok().map_err(Fault::host(format!("paramSetValue {id}")))
    }

    /// Several writes as one step of the user's undo; hosts that know no such steps take them one by one.
    pub(super) fn together(&self, label: &str, writes: impl FnOnce() -> Result<()>) -> Result<()> {
        // SAFETY: the set is the host's, the label lives forever.
        let begun = unsafe { (self.suites.parameter.edit_begin)(self.set, forever(label).as_ptr()) };
        let done = writes();
        if Status(begun) == Status::OK {
            // SAFETY: the set is the host's.
            let status = Status(unsafe { (self.suites.parameter.edit_end)(self.set) });
            done.and(status.ok().map_err(Fault::host("paramEditEnd")))
        } else {
            done
        }
    }
}
