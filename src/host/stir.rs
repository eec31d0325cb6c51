//! Parameters that change while frames are rendered, as when a user drags a slider during playback.

use super::effect::Effect;
use super::param::{Param, Value};
use crate::openfx::{kOfxChangeUserEdited, kOfxTypeParameter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Time between two changes.
const PAUSE: Duration = Duration::from_micros(500);

/// A parameter, and the values it takes in turn.
pub(super) type Stirred = (Arc<Param>, Vec<Value>);

/// Does `work` while another thread changes parameters of `effect` without rest.
pub(super) fn stir<T>(effect: &Effect, stirred: &[Stirred], work: impl FnOnce() -> T) -> T {
    if stirred.is_empty() {
        return work();
    }
    let ended = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for turn in 0.. {
                for (param, values) in stirred {
                    if ended.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Some(value) = values.get(turn % values.len().max(1)) {
                        param.write(value.clone(), None, 0.0);
                        // What the plugin answers is on record; there is nobody here to tell.
                        let _ = effect.changed(kOfxTypeParameter, &param.name, kOfxChangeUserEdited);
                    }
                    std::thread::sleep(PAUSE);
                }
            }
        });
        let done = work();
        ended.store(true, Ordering::Relaxed);
        done
    })
}
