//! The interact suite.

use super::super::handles::find;
use super::super::interact::Interact;
use super::{answer, raw};
use crate::openfx::*;
use std::sync::Arc;

pub(super) static SUITE: OfxInteractSuiteV1 = OfxInteractSuiteV1 {
    interactSwapBuffers: Some(swap_buffers),
    interactRedraw: Some(redraw),
    interactGetPropertySet: Some(property_set),
};

fn interact(handle: OfxInteractHandle) -> Result<Arc<Interact>, Status> {
    find(handle, "interact")
}

extern "C" fn swap_buffers(handle: OfxInteractHandle) -> OfxStatus {
    // Nothing is on a screen, so there is nothing to swap.
    answer("interactSwapBuffers", || interact(handle).map(|_| ()))
}

extern "C" fn redraw(handle: OfxInteractHandle) -> OfxStatus {
    answer("interactRedraw", || {
        interact(handle)?.wish();
        Ok(())
    })
}

extern "C" fn property_set(handle: OfxInteractHandle, set: *mut OfxPropertySetHandle) -> OfxStatus {
    answer("interactGetPropertySet", || raw::put(set, interact(handle)?.properties.handle.raw()))
}
