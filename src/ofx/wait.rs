//! A progress bar of the host's, for what the user waits for.

use super::fault::{Fault, Result};
use super::instance::Instance;
use super::props::forever;
use super::suites::Suites;
use crate::error::Error;
use crate::openfx::{OfxImageEffectHandle, Status};
use std::ffi::c_void;
use std::sync::Arc;

/// One bar; it goes away when dropped.
pub(super) struct Bar {
    suites: Arc<Suites>,
    effect: OfxImageEffectHandle,
    /// What it says now; a new stage starts the bar anew, since a bar's words cannot change.
    stage: Option<String>,
}

impl Bar {
    pub(super) fn new(instance: &Instance) -> Self {
        Self { suites: Arc::clone(&instance.suites), effect: instance.effect, stage: None }
    }

    /// Whether the host has bars at all.
    pub(super) fn exists(instance: &Instance) -> bool {
        instance.suites.progress2.is_some() || instance.suites.progress1.is_some()
    }

    /// Names what is being done.
    pub(super) fn stage(&mut self, name: &str) -> Result<()> {
        if self.stage.as_deref() == Some(name) {
            return Ok(());
        }
        self.end();
        let label = forever(&format!("RNA: {name}")).as_ptr();
        let effect = self.effect.cast::<c_void>();
        let status = if let Some(suite) = &self.suites.progress2 {
            // SAFETY: the effect is the host's, the strings live forever.
            Status(unsafe { (suite.start)(effect, label, c"rna".as_ptr()) })
        } else if let Some(suite) = &self.suites.progress1 {
            // SAFETY: as above.
            Status(unsafe { (suite.start)(effect, label) })
        } else {
            Status::OK
        };
        if status == Status::OK {
            self.stage = Some(name.to_string());
        }
        Ok(())
    }

    /// Shows how much is done, 0…1; fails with [`Error::Cancelled`] when the user wants to stop.
    pub(super) fn update(&self, done: f64) -> Result<()> {
        let effect = self.effect.cast::<c_void>();
        let done = done.clamp(0.0, 1.0);
        if self.stage.is_none() {
            return Ok(());
        }
        let status = if let Some(suite) = &self.suites.progress2 {
            // SAFETY: the effect is the host's and a bar of it is up.
            Status(unsafe { (suite.update)(effect, done) })
        } else if let Some(suite) = &self.suites.progress1 {
            // SAFETY: as above.
            Status(unsafe { (suite.update)(effect, done) })
        } else {
            Status::OK
        };
        // A host that fails to show a bar is not the user who wants to stop.
        if status == Status::REPLY_NO { Err(Fault::Ours(Error::Cancelled)) } else { Ok(()) }
    }

    fn end(&mut self) {
        if self.stage.take().is_none() {
            return;
        }
        let effect = self.effect.cast::<c_void>();
        let status = if let Some(suite) = &self.suites.progress2 {
            // SAFETY: the effect is the host's and a bar of it is up.
            Status(unsafe { (suite.end)(effect) })
        } else if let Some(suite) = &self.suites.progress1 {
            // SAFETY: as above.
            Status(unsafe { (suite.end)(effect) })
        } else {
            Status::OK
        };
        if status != Status::OK {
            super::fault::log("progressEnd", &status.name());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.end();
    }
}
