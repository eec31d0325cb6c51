//! The memory suite.

use super::super::context::{complain, shared};
use super::super::memory::Memory;
use super::super::report::Kind;
use super::{answer, raw};
use crate::openfx::*;
use std::ffi::c_void;

pub(super) static SUITE: OfxMemorySuiteV1 =
    OfxMemorySuiteV1 { memoryAlloc: Some(memory_alloc), memoryFree: Some(memory_free) };

extern "C" fn memory_alloc(_owner: *mut c_void, bytes: usize, out: *mut *mut c_void) -> OfxStatus {
    answer("memoryAlloc", || {
        let shared = shared()?;
        let fails = shared.allocation_fails();
        let memory = Memory::new(bytes).filter(|_| !fails).ok_or(Status::ERR_MEMORY)?;
        raw::put(out, memory.data().cast())?;
        shared.memory.lock().insert(memory.data().addr(), memory);
        Ok(())
    })
}

extern "C" fn memory_free(data: *mut c_void) -> OfxStatus {
    answer("memoryFree", || {
        if data.is_null() {
            // As C's own `free`.
            return Ok(());
        }
        let found = shared()?.memory.lock().remove(&data.addr());
        let Some(memory) = found else {
            complain(Kind::Memory, "memory was freed that was not allocated here, or was freed before");
            return Err(Status::ERR_BAD_HANDLE);
        };
        if !memory.is_intact() {
            let text = format!("bytes beside a block of {} were written", memory.len());
            complain(Kind::GuardOverwritten, text);
        }
        Ok(())
    })
}
