//! Overlays: what a plugin draws over the viewer, and what the user's pen does to it.

use super::context::{Scope, accepted};
use super::draw::{Draw, DrawContext};
use super::effect::Effect;
use super::handles::Handle;
use super::property::PropertySet;
use super::tables;
use crate::error::{Error, Result};
use crate::openfx::*;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// What a pen does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pen {
    /// It is pressed.
    Down,
    /// It moves, pressed or not.
    Motion,
    /// It is released.
    Up,
}

/// An interact of the effect's overlay.
pub(super) struct Interact {
    pub(super) handle: Handle,
    pub(super) properties: Arc<PropertySet>,
    /// How often the plugin asked to be drawn anew.
    pub(super) redraws: AtomicUsize,
    /// Whether it draws through the draw suite; else it needs OpenGL, which is not here, and can only take the pen.
    draws: bool,
    effect: Arc<Effect>,
    entry: super::context::Entry,
}

impl Interact {
    /// The overlay of an instance, described and created.
    pub(super) fn create(effect: &Arc<Effect>) -> Result<Arc<Self>> {
        let profile = &effect.shared.profile;
        let second = effect.properties.first::<usize>(kOfxImageEffectPluginPropOverlayInteractV2);
        let first = effect.properties.first::<usize>(kOfxImageEffectPluginPropOverlayInteractV1);
        // The second kind draws through the draw suite and is of no use to a host that has none.
        let draws = profile.draws && second != 0;
        let address = if draws { second } else { first };
        if !profile.overlays || address == 0 {
            let reason = format!("there is none: {} shows none, or the plugin has none for it", profile.name);
            return Err(Error::setting("overlay", reason));
        }
        // SAFETY: the property is declared to hold an entry point of this type, in a library that stays loaded.
        let entry = unsafe {
            std::mem::transmute::<*const (), super::context::Entry>(std::ptr::with_exposed_provenance(
                address,
            ))
        };
        let described = Self::with(effect, entry, draws);
        described.must(kOfxActionDescribeInteract)?;
        let interact = Self::with(effect, entry, draws);
        interact.must(kOfxActionCreateInstanceInteract)?;
        Ok(interact)
    }

    fn with(effect: &Arc<Effect>, entry: super::context::Entry, draws: bool) -> Arc<Self> {
        let properties = PropertySet::new("the interact", &[tables::INTERACT]);
        properties.put(kOfxPropEffectInstance, effect.handle.number());
        Arc::new_cyclic(|weak: &Weak<Self>| Self {
            handle: Handle::new(weak),
            properties,
            redraws: AtomicUsize::new(0),
            draws,
            effect: Arc::clone(effect),
            entry,
        })
    }

    fn must(&self, action: &'static [u8]) -> Result<()> {
        let status = self.call(action, None);
        if [Status::OK, Status::REPLY_DEFAULT].contains(&status) {
            return Ok(());
        }
        let (action, status) = (tables::text_of(action), status.name());
        Err(self.effect.plugin().error(format!("{action} failed ({status})")))
    }

    fn call(&self, action: &'static [u8], inputs: Option<&PropertySet>) -> Status {
        let inputs = inputs.map_or(std::ptr::null_mut(), |s| s.handle.raw());
        let scope = Scope::new(&self.effect.shared, name(action));
        scope.call(self.entry, self.handle.raw(), inputs, std::ptr::null_mut())
    }

    fn inputs(&self) -> Arc<PropertySet> {
        let inputs = PropertySet::new("in arguments", &[tables::IN_INTERACT]);
        let (w, h) = self.effect.project();
        inputs
            .put(kOfxPropEffectInstance, self.effect.handle.number())
            .put(kOfxPropTime, self.effect.shared.timeline.lock().now)
            .put(kOfxInteractPropViewportSize, [w as f64, h as f64]);
        inputs
    }

    /// What the overlay draws now.
    pub(super) fn draw(&self) -> Result<Vec<Draw>> {
        if !self.draws {
            let reason =
                "it draws with OpenGL, which this host has not; draw in a profile with the draw suite";
            return Err(Error::setting("overlay", reason));
        }
        let (inputs, context) = (self.inputs(), DrawContext::new());
        inputs.put(kOfxInteractPropDrawContext, context.handle.number());
        self.effect.shared.drawing.lock().clear();
        accepted(self.call(kOfxInteractActionDraw, Some(&inputs)), "drawing the overlay");
        Ok(std::mem::take(&mut *self.effect.shared.drawing.lock()))
    }

    /// The pen does something at a place in canonical coordinates; true when the overlay took it.
    pub(super) fn pen(&self, pen: Pen, [x, y]: [f64; 2]) -> bool {
        let inputs = self.inputs();
        inputs
            .put(kOfxInteractPropPenPosition, [x, y])
            .put(kOfxInteractPropPenViewportPosition, [x.round() as i32, y.round() as i32])
            .put(kOfxInteractPropPenPressure, if pen == Pen::Up { 0.0 } else { 1.0 });
        let action: &'static [u8] = match pen {
            Pen::Down => kOfxInteractActionPenDown,
            Pen::Motion => kOfxInteractActionPenMotion,
            Pen::Up => kOfxInteractActionPenUp,
        };
        self.call(action, Some(&inputs)) == Status::OK
    }

    /// Ends it.
    pub(super) fn destroy(&self) {
        accepted(self.call(kOfxActionDestroyInstanceInteract, None), "destroying the overlay");
    }

    /// Counts a wish to be drawn anew.
    pub(super) fn wish(&self) {
        self.redraws.fetch_add(1, Ordering::Relaxed);
    }
}
