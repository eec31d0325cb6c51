//! What the plugin is, what it takes and which parameters it has, as a host asks once per start and once per context.

use super::fault::{Fault, Result};
use super::overlay;
use super::props::{Props, forever};
use super::suites::Suites;
use crate::openfx::*;
use crate::param::{Kind, Page, Param, TABLE, Text};
use std::ffi::CStr;

/// Name of the input that may hold the region.
pub(super) const ROI_CLIP: &CStr = c"ROI";
/// Name of the input that may hold the edited atlas.
pub(super) const ATLAS_CLIP: &CStr = c"Atlas";

const ABOUT: &str = "Fits a flat picture, the atlas, to a region of the clip. Paint on the atlas in any program, and \
                     every frame shows the paint on the surface, behind what passes in front, lit like the scene.";

/// The effect's own properties.
pub(super) fn describe(suites: &Suites, effect: OfxImageEffectHandle) -> Result<()> {
    let props = effect_props(suites, effect)?;
    props.set_text(kOfxPropLabel, "RNA")?;
    soft(props.set_text(kOfxPropShortLabel, "RNA"));
    soft(props.set_text(kOfxPropLongLabel, "RNA: edits that stick"));
    props.set_text(kOfxImageEffectPluginPropGrouping, "Tracking")?;
    soft(props.set_text(kOfxPropPluginDescription, ABOUT));
    list(
        &props,
        kOfxImageEffectPropSupportedContexts,
        &[kOfxImageEffectContextFilter, kOfxImageEffectContextGeneral],
    )?;
    list(
        &props,
        kOfxImageEffectPropSupportedPixelDepths,
        &[kOfxBitDepthFloat, kOfxBitDepthByte, kOfxBitDepthShort],
    )?;
    // A host older than the half depth may refuse its name.
    soft(props.set_string(kOfxImageEffectPropSupportedPixelDepths, 3, name(kOfxBitDepthHalf)));
    props.set_flag(kOfxImageEffectPluginPropSingleInstance, false)?;
    props.set_flag(kOfxImageEffectPluginPropHostFrameThreading, false)?;
    props.set_flag(kOfxImageEffectPropSupportsMultiResolution, true)?;
    props.set_flag(kOfxImageEffectPropSupportsTiles, true)?;
    props.set_flag(kOfxImageEffectPropTemporalClipAccess, true)?;
    props.set_flag(kOfxImageEffectPluginPropFieldRenderTwiceAlways, false)?;
    props.set_flag(kOfxImageEffectPropSupportsMultipleClipPARs, false)?;
    props.set_flag(kOfxImageEffectPropSupportsMultipleClipDepths, false)?;
    props.set_string(kOfxImageEffectPluginRenderThreadSafety, 0, name(kOfxImageEffectRenderFullySafe))?;
    overlay::announce(suites, &props);
    Ok(())
}

/// Clips and parameters for one context.
pub(super) fn describe_in_context(
    suites: &Suites,
    effect: OfxImageEffectHandle,
    context: &str,
) -> Result<()> {
    clip(suites, effect, name(kOfxImageEffectOutputClipName), false)?;
    clip(suites, effect, name(kOfxImageEffectSimpleSourceClipName), false)?;
    if context.as_bytes() == name(kOfxImageEffectContextGeneral).to_bytes() {
        clip(suites, effect, ROI_CLIP, true)?;
        clip(suites, effect, ATLAS_CLIP, true)?;
    }
    let mut set = std::ptr::null_mut();
    // SAFETY: the effect is the host's, the result goes to a local.
    let status = unsafe { (suites.effect.parameters)(effect, &raw mut set) };
    Status(status).ok().map_err(Fault::host("getParamSet"))?;
    for page in Page::ALL {
        let id = format!("group_{}", page.label().to_lowercase());
        let props = define(suites, set, kOfxParamTypeGroup, &id)?;
        props.set_text(kOfxPropLabel, page.label())?;
        soft(props.set_flag(kOfxParamPropGroupOpen, page != Page::Export));
        for p in TABLE.iter().filter(|p| p.page == page) {
            parameter(suites, set, p, &id).map_err(|f| Fault::Plain(format!("parameter {}: {f}", p.id)))?;
        }
    }
    Ok(())
}

/// The properties of an effect, described or made.
pub(super) fn effect_props(suites: &Suites, effect: OfxImageEffectHandle) -> Result<Props<'_>> {
    let mut handle = std::ptr::null_mut();
    // SAFETY: the effect is the host's, the result goes to a local.
    let status = unsafe { (suites.effect.properties)(effect, &raw mut handle) };
    Status(status).ok().map_err(Fault::host("getPropertySet"))?;
    Props::required(suites, handle)
}

/// For properties that make things nicer: a host that does not know them is none the worse.
pub(super) fn soft(result: Result<()>) {
    drop(result);
}

fn list(props: &Props, key: &'static [u8], names: &[&'static [u8]]) -> Result<()> {
    (0..).zip(names).try_for_each(|(i, n)| props.set_string(key, i, name(n)))
}

fn clip(suites: &Suites, effect: OfxImageEffectHandle, clip: &'static CStr, optional: bool) -> Result<()> {
    let mut handle = std::ptr::null_mut();
    // SAFETY: the effect is the host's, the name lives forever, the result goes to a local.
    let status = unsafe { (suites.effect.define_clip)(effect, clip.as_ptr(), &raw mut handle) };
    Status(status).ok().map_err(Fault::host(format!("clipDefine {}", clip.to_string_lossy())))?;
    let props = Props::required(suites, handle)?;
    list(
        &props,
        kOfxImageEffectPropSupportedComponents,
        &[kOfxImageComponentRGBA, kOfxImageComponentRGB, kOfxImageComponentAlpha],
    )?;
    props.set_flag(kOfxImageEffectPropTemporalClipAccess, true)?;
    props.set_flag(kOfxImageEffectPropSupportsTiles, !optional)?;
    if optional {
        props.set_flag(kOfxImageClipPropOptional, true)?;
    }
    Ok(())
}

fn define<'a>(
    suites: &'a Suites,
    set: OfxParamSetHandle,
    kind: &'static [u8],
    id: &str,
) -> Result<Props<'a>> {
    let mut handle = std::ptr::null_mut();
    // SAFETY: the set is the host's, both names live forever, the result goes to a local.
    let status =
        unsafe { (suites.parameter.define)(set, name(kind).as_ptr(), forever(id).as_ptr(), &raw mut handle) };
    Status(status).ok().map_err(Fault::host(format!("paramDefine {id}")))?;
    Props::required(suites, handle)
}

fn parameter(suites: &Suites, set: OfxParamSetHandle, p: &Param, group: &str) -> Result<()> {
    let kind = match p.kind {
        Kind::Int { .. } => kOfxParamTypeInteger as &'static [u8],
        Kind::Double { .. } => kOfxParamTypeDouble,
        Kind::Choice { .. } => kOfxParamTypeChoice,
        Kind::Flag { .. } => kOfxParamTypeBoolean,
        Kind::Point { .. } => kOfxParamTypeDouble2D,
        Kind::Text(_) => kOfxParamTypeString,
        Kind::Button => kOfxParamTypePushButton,
    };
    let props = define(suites, set, kind, p.id)?;
    props.set_text(kOfxPropLabel, p.label)?;
    props.set_text(kOfxParamPropHint, p.hint)?;
    soft(props.set_text(kOfxParamPropScriptName, p.id));
    props.set_text(kOfxParamPropParent, group)?;
    if p.kind != Kind::Button {
        values(&props, p)?;
    }
    Ok(())
}

/// Defaults and ranges. Every number has a range and a display range, for hosts that show sliders for all.
fn values(props: &Props, p: &Param) -> Result<()> {
    // What the plugin itself reads is no picture's value at a time.
    let animates = matches!(p.kind, Kind::Double { .. }) && p.group == crate::param::Group::Render;
    props.set_flag(kOfxParamPropAnimates, animates)?;
    match p.kind {
        Kind::Int { min, max, default } => {
            let fit = |v: i64| i32::try_from(v).unwrap_or(if v < 0 { i32::MIN } else { i32::MAX });
            props.set_int(kOfxParamPropDefault, 0, fit(default))?;
            for (key, v) in [
                (kOfxParamPropMin as &'static [u8], min),
                (kOfxParamPropMax, max),
                (kOfxParamPropDisplayMin, min.max(-10_000)),
                (kOfxParamPropDisplayMax, max.min(10_000)),
            ] {
                props.set_int(key, 0, fit(v))?;
            }
        }
        Kind::Double { min, max, default } => {
            props.set_double(kOfxParamPropDefault, 0, default)?;
            for (key, v) in [
                (kOfxParamPropMin as &'static [u8], min),
                (kOfxParamPropMax, max),
                (kOfxParamPropDisplayMin, min),
                (kOfxParamPropDisplayMax, max),
            ] {
                props.set_double(key, 0, v)?;
            }
        }
        Kind::Choice { options } => {
            for (i, (word, meaning)) in (0..).zip(options) {
                props.set_string(kOfxParamPropChoiceOption, i, forever(&format!("{word}: {meaning}")))?;
            }
            props.set_int(kOfxParamPropDefault, 0, 0)?;
        }
        Kind::Flag { default } => props.set_flag(kOfxParamPropDefault, default)?,
        Kind::Point { default } => {
            props.set_text(kOfxParamPropDoubleType, text_of(kOfxParamDoubleTypeXYAbsolute))?;
            soft(
                props.set_text(kOfxParamPropDefaultCoordinateSystem, text_of(kOfxParamCoordinatesNormalised)),
            );
            props.set_doubles(kOfxParamPropDefault, &default)?;
            for (key, v) in [
                (kOfxParamPropMin as &'static [u8], -1e6),
                (kOfxParamPropMax, 1e6),
                (kOfxParamPropDisplayMin, -1e4),
                (kOfxParamPropDisplayMax, 1e4),
            ] {
                props.set_doubles(key, &[v, v])?;
            }
            soft(props.set_flag(kOfxParamPropUseHostOverlayHandle, true));
        }
        Kind::Text(text) => text_values(props, text)?,
        Kind::Button => {}
    }
    Ok(())
}

fn text_values(props: &Props, text: Text) -> Result<()> {
    let mode = match text {
        Text::Line => kOfxParamStringIsSingleLine as &'static [u8],
        Text::Label => kOfxParamStringIsSingleLine,
        Text::OpenFile | Text::SaveFile => kOfxParamStringIsFilePath,
        Text::Folder => kOfxParamStringIsDirectoryPath,
    };
    props.set_text(kOfxParamPropStringMode, text_of(mode))?;
    props.set_text(kOfxParamPropDefault, "")?;
    match text {
        // Kept by the plugin for itself; never shown, since what is described secret stays so.
        Text::Line => props.set_flag(kOfxParamPropSecret, true),
        Text::Label => {
            soft(props.set_flag(kOfxParamPropEnabled, false));
            props.set_flag(kOfxParamPropEvaluateOnChange, false)
        }
        Text::SaveFile => {
            soft(props.set_flag(kOfxParamPropStringFilePathExists, false));
            props.set_flag(kOfxParamPropEvaluateOnChange, false)
        }
        Text::OpenFile => {
            soft(props.set_flag(kOfxParamPropStringFilePathExists, true));
            Ok(())
        }
        Text::Folder => props.set_flag(kOfxParamPropEvaluateOnChange, false),
    }
}

fn text_of(bytes: &'static [u8]) -> &'static str {
    name(bytes).to_str().unwrap_or_default()
}
