//! Which properties an object has: name, type, how many, and what they are before anyone writes them.

use super::property::{Data, Property};
use crate::openfx::*;

/// One property, declared.
pub(super) struct Spec {
    name: &'static [u8],
    dimension: usize,
    read_only: bool,
    default: Default,
}

/// What a property is until it is written.
enum Default {
    Ints(&'static [i32]),
    Doubles(&'static [f64]),
    Texts(&'static [&'static [u8]]),
    Pointers(usize),
}

impl Spec {
    pub(super) fn property(&self) -> (String, Property) {
        let value = match self.default {
            Default::Ints(values) => Data::Ints(values.to_vec()),
            Default::Doubles(values) => Data::Doubles(values.to_vec()),
            Default::Texts(values) => Data::Texts(values.iter().map(|t| text_of(t).to_string()).collect()),
            Default::Pointers(count) => Data::Pointers(vec![0; count]),
        };
        let (dimension, read_only) = (self.dimension, self.read_only);
        (text_of(self.name).to_string(), Property { dimension, read_only, default: value.clone(), value })
    }

    const fn fixed(mut self) -> Self {
        self.read_only = true;
        self
    }
}

/// One of the standard's names without its final NUL.
pub(super) const fn text_of(bytes: &'static [u8]) -> &'static str {
    match name(bytes).to_str() {
        Ok(text) => text,
        Err(_) => "",
    }
}

const fn spec(name: &'static [u8], dimension: usize, default: Default) -> Spec {
    Spec { name, dimension, read_only: false, default }
}

const fn int(name: &'static [u8], default: &'static [i32]) -> Spec {
    spec(name, default.len(), Default::Ints(default))
}

const fn double(name: &'static [u8], default: &'static [f64]) -> Spec {
    spec(name, default.len(), Default::Doubles(default))
}

const fn text(name: &'static [u8], default: &'static [&'static [u8]]) -> Spec {
    spec(name, default.len(), Default::Texts(default))
}

const fn texts(name: &'static [u8]) -> Spec {
    spec(name, 0, Default::Texts(&[]))
}

const fn pointer(name: &'static [u8]) -> Spec {
    spec(name, 1, Default::Pointers(1))
}

const NONE: &[u8] = b"\0";
const FALSE: &[u8] = b"false\0";

pub(super) const HOST: &[Spec] = &[
    text(kOfxPropType, &[kOfxTypeImageEffectHost]).fixed(),
    text(kOfxPropName, &[NONE]).fixed(),
    text(kOfxPropLabel, &[NONE]).fixed(),
    spec(kOfxPropVersion, 0, Default::Ints(&[1, 0, 0])).fixed(),
    text(kOfxPropVersionLabel, &[NONE]).fixed(),
    spec(kOfxPropAPIVersion, 0, Default::Ints(&[1, 4])).fixed(),
    pointer(kOfxPropHostOSHandle).fixed(),
    int(kOfxImageEffectHostPropIsBackground, &[1]).fixed(),
    int(kOfxImageEffectPropSupportsOverlays, &[1]).fixed(),
    int(kOfxImageEffectPropSupportsMultiResolution, &[1]).fixed(),
    int(kOfxImageEffectPropSupportsTiles, &[1]).fixed(),
    int(kOfxImageEffectPropTemporalClipAccess, &[1]).fixed(),
    texts(kOfxImageEffectPropSupportedComponents).fixed(),
    texts(kOfxImageEffectPropSupportedContexts).fixed(),
    texts(kOfxImageEffectPropSupportedPixelDepths).fixed(),
    int(kOfxImageEffectPropSupportsMultipleClipDepths, &[0]).fixed(),
    int(kOfxImageEffectPropSupportsMultipleClipPARs, &[0]).fixed(),
    int(kOfxImageEffectPropSetableFrameRate, &[0]).fixed(),
    int(kOfxImageEffectPropSetableFielding, &[0]).fixed(),
    int(kOfxImageEffectInstancePropSequentialRender, &[2]).fixed(),
    int(kOfxParamHostPropSupportsStringAnimation, &[0]).fixed(),
    int(kOfxParamHostPropSupportsCustomInteract, &[0]).fixed(),
    int(kOfxParamHostPropSupportsChoiceAnimation, &[0]).fixed(),
    int(kOfxParamHostPropSupportsBooleanAnimation, &[0]).fixed(),
    int(kOfxParamHostPropSupportsCustomAnimation, &[0]).fixed(),
    int(kOfxParamHostPropMaxParameters, &[-1]).fixed(),
    int(kOfxParamHostPropMaxPages, &[0]).fixed(),
    int(kOfxParamHostPropPageRowColumnCount, &[0, 0]).fixed(),
    text(kOfxImageEffectHostPropNativeOrigin, &[kOfxHostNativeOriginBottomLeft]).fixed(),
    text(kOfxImageEffectPropOpenGLRenderSupported, &[FALSE]).fixed(),
    text(kOfxImageEffectPropCudaRenderSupported, &[FALSE]).fixed(),
    text(kOfxImageEffectPropCudaStreamSupported, &[FALSE]).fixed(),
    text(kOfxImageEffectPropMetalRenderSupported, &[FALSE]).fixed(),
    text(kOfxImageEffectPropOpenCLRenderSupported, &[FALSE]).fixed(),
];

pub(super) const EFFECT: &[Spec] = &[
    text(kOfxPropType, &[kOfxTypeImageEffect]).fixed(),
    text(kOfxPropLabel, &[NONE]),
    text(kOfxPropShortLabel, &[NONE]),
    text(kOfxPropLongLabel, &[NONE]),
    spec(kOfxPropVersion, 0, Default::Ints(&[])),
    text(kOfxPropVersionLabel, &[NONE]),
    text(kOfxPropPluginDescription, &[NONE]),
    text(kOfxPropIcon, &[NONE, NONE]),
    texts(kOfxImageEffectPropSupportedContexts),
    text(kOfxImageEffectPluginPropGrouping, &[NONE]),
    int(kOfxImageEffectPluginPropSingleInstance, &[0]),
    text(kOfxImageEffectPluginRenderThreadSafety, &[kOfxImageEffectRenderInstanceSafe]),
    int(kOfxImageEffectPluginPropHostFrameThreading, &[1]),
    pointer(kOfxImageEffectPluginPropOverlayInteractV1),
    pointer(kOfxImageEffectPluginPropOverlayInteractV2),
    int(kOfxImageEffectPropSupportsMultiResolution, &[1]),
    int(kOfxImageEffectPropSupportsTiles, &[1]),
    int(kOfxImageEffectPropTemporalClipAccess, &[0]),
    texts(kOfxImageEffectPropSupportedPixelDepths),
    int(kOfxImageEffectPluginPropFieldRenderTwiceAlways, &[1]),
    int(kOfxImageEffectPropSupportsMultipleClipDepths, &[0]),
    int(kOfxImageEffectPropSupportsMultipleClipPARs, &[0]),
    texts(kOfxImageEffectPropClipPreferencesSlaveParam),
    int(kOfxImageEffectInstancePropSequentialRender, &[0]),
    texts(kOfxPluginPropParamPageOrder),
    text(kOfxPluginPropFilePath, &[NONE]).fixed(),
    text(kOfxImageEffectPropOpenGLRenderSupported, &[FALSE]),
    text(kOfxImageEffectPropCudaRenderSupported, &[FALSE]),
    text(kOfxImageEffectPropCudaStreamSupported, &[FALSE]),
    text(kOfxImageEffectPropMetalRenderSupported, &[FALSE]),
    text(kOfxImageEffectPropOpenCLRenderSupported, &[FALSE]),
];

/// What an effect in a context has beside [`EFFECT`].
pub(super) const CONTEXT: &[Spec] = &[text(kOfxImageEffectPropContext, &[NONE]).fixed()];

/// What an instance has beside [`EFFECT`] and [`CONTEXT`].
pub(super) const INSTANCE: &[Spec] = &[
    text(kOfxPropType, &[kOfxTypeImageEffectInstance]).fixed(),
    pointer(kOfxPropInstanceData),
    pointer(kOfxImageEffectPropPluginHandle).fixed(),
    double(kOfxImageEffectPropProjectSize, &[0.0, 0.0]).fixed(),
    double(kOfxImageEffectPropProjectOffset, &[0.0, 0.0]).fixed(),
    double(kOfxImageEffectPropProjectExtent, &[0.0, 0.0]).fixed(),
    double(kOfxImageEffectPropProjectPixelAspectRatio, &[1.0]).fixed(),
    double(kOfxImageEffectInstancePropEffectDuration, &[0.0]).fixed(),
    double(kOfxImageEffectPropFrameRate, &[25.0]).fixed(),
    int(kOfxPropIsInteractive, &[0]).fixed(),
];

pub(super) const PARAM_SET: &[Spec] = &[int(kOfxPropParamSetNeedsSyncing, &[0])];

pub(super) const CLIP: &[Spec] = &[
    text(kOfxPropType, &[kOfxTypeClip]).fixed(),
    text(kOfxPropName, &[NONE]).fixed(),
    text(kOfxPropLabel, &[NONE]),
    text(kOfxPropShortLabel, &[NONE]),
    text(kOfxPropLongLabel, &[NONE]),
    texts(kOfxImageEffectPropSupportedComponents),
    int(kOfxImageEffectPropTemporalClipAccess, &[0]),
    int(kOfxImageClipPropOptional, &[0]),
    int(kOfxImageClipPropIsMask, &[0]),
    text(kOfxImageClipPropFieldExtraction, &[kOfxImageFieldDoubled]),
    int(kOfxImageEffectPropSupportsTiles, &[1]),
];

/// What a clip of an instance has beside [`CLIP`].
pub(super) const CLIP_INSTANCE: &[Spec] = &[
    text(kOfxImageEffectPropPixelDepth, &[kOfxBitDepthNone]).fixed(),
    text(kOfxImageEffectPropComponents, &[kOfxImageComponentNone]).fixed(),
    text(kOfxImageClipPropUnmappedPixelDepth, &[kOfxBitDepthNone]).fixed(),
    text(kOfxImageClipPropUnmappedComponents, &[kOfxImageComponentNone]).fixed(),
    text(kOfxImageEffectPropPreMultiplication, &[kOfxImageUnPreMultiplied]).fixed(),
    double(kOfxImagePropPixelAspectRatio, &[1.0]).fixed(),
    double(kOfxImageEffectPropFrameRate, &[25.0]).fixed(),
    double(kOfxImageEffectPropFrameRange, &[0.0, 0.0]).fixed(),
    text(kOfxImageClipPropFieldOrder, &[kOfxImageFieldNone]).fixed(),
    int(kOfxImageClipPropConnected, &[0]).fixed(),
    double(kOfxImageEffectPropUnmappedFrameRange, &[0.0, 0.0]).fixed(),
    double(kOfxImageEffectPropUnmappedFrameRate, &[25.0]).fixed(),
    int(kOfxImageClipPropContinuousSamples, &[0]).fixed(),
];

pub(super) const IMAGE: &[Spec] = &[
    text(kOfxPropType, &[kOfxTypeImage]).fixed(),
    text(kOfxImageEffectPropPixelDepth, &[kOfxBitDepthNone]).fixed(),
    text(kOfxImageEffectPropComponents, &[kOfxImageComponentNone]).fixed(),
    text(kOfxImageEffectPropPreMultiplication, &[kOfxImageUnPreMultiplied]).fixed(),
    double(kOfxImageEffectPropRenderScale, &[1.0, 1.0]).fixed(),
    double(kOfxImagePropPixelAspectRatio, &[1.0]).fixed(),
    int(kOfxImagePropBounds, &[0, 0, 0, 0]).fixed(),
    int(kOfxImagePropRegionOfDefinition, &[0, 0, 0, 0]).fixed(),
    int(kOfxImagePropRowBytes, &[0]).fixed(),
    text(kOfxImagePropField, &[kOfxImageFieldNone]).fixed(),
    text(kOfxImagePropUniqueIdentifier, &[NONE]).fixed(),
    pointer(kOfxImagePropData).fixed(),
];

/// Every kind of parameter has these.
pub(super) const PARAM: &[Spec] = &[
    text(kOfxPropType, &[kOfxTypeParameter]).fixed(),
    text(kOfxPropName, &[NONE]).fixed(),
    text(kOfxPropLabel, &[NONE]),
    text(kOfxPropShortLabel, &[NONE]),
    text(kOfxPropLongLabel, &[NONE]),
    text(kOfxPropIcon, &[NONE, NONE]),
    text(kOfxParamPropType, &[NONE]).fixed(),
    int(kOfxParamPropSecret, &[0]),
    text(kOfxParamPropHint, &[NONE]),
    text(kOfxParamPropScriptName, &[NONE]),
    text(kOfxParamPropParent, &[NONE]),
    int(kOfxParamPropEnabled, &[1]),
    pointer(kOfxParamPropDataPtr),
];

/// Kinds with a value have these too; the default depends on the kind and is added there.
pub(super) const PARAM_VALUE: &[Spec] = &[
    int(kOfxParamPropAnimates, &[1]),
    int(kOfxParamPropIsAnimating, &[0]).fixed(),
    int(kOfxParamPropIsAutoKeying, &[0]).fixed(),
    int(kOfxParamPropPersistant, &[1]),
    int(kOfxParamPropEvaluateOnChange, &[1]),
    int(kOfxParamPropPluginMayWrite, &[0]),
    int(kOfxParamPropCanUndo, &[1]),
    text(kOfxParamPropCacheInvalidation, &[kOfxParamInvalidateValueChange]),
];

/// All but groups and pages can be drawn by the plugin.
pub(super) const PARAM_INTERACT: &[Spec] = &[
    pointer(kOfxParamPropInteractV1),
    double(kOfxParamPropInteractSize, &[0.0, 0.0]),
    double(kOfxParamPropInteractSizeAspect, &[1.0]),
    double(kOfxParamPropInteractMinimumSize, &[10.0, 10.0]),
    int(kOfxParamPropInteractPreferedSize, &[10, 10]),
];

pub(super) const PARAM_DOUBLE: &[Spec] = &[
    double(kOfxParamPropIncrement, &[1.0]),
    int(kOfxParamPropDigits, &[2]),
    text(kOfxParamPropDoubleType, &[kOfxParamDoubleTypePlain]),
    text(kOfxParamPropDefaultCoordinateSystem, &[kOfxParamCoordinatesCanonical]),
    int(kOfxParamPropShowTimeMarker, &[0]),
    int(kOfxParamPropHasHostOverlayHandle, &[0]).fixed(),
    int(kOfxParamPropUseHostOverlayHandle, &[0]),
];

pub(super) const PARAM_STRING: &[Spec] = &[
    text(kOfxParamPropStringMode, &[kOfxParamStringIsSingleLine]),
    int(kOfxParamPropStringFilePathExists, &[1]),
];

pub(super) const PARAM_CHOICE: &[Spec] = &[texts(kOfxParamPropChoiceOption)];
pub(super) const PARAM_CUSTOM: &[Spec] = &[pointer(kOfxParamPropCustomInterpCallbackV1)];
pub(super) const PARAM_GROUP: &[Spec] = &[int(kOfxParamPropGroupOpen, &[1])];
pub(super) const PARAM_PAGE: &[Spec] = &[texts(kOfxParamPropPageChild)];

pub(super) const INTERACT: &[Spec] = &[
    pointer(kOfxPropEffectInstance).fixed(),
    pointer(kOfxPropInstanceData),
    double(kOfxInteractPropPixelScale, &[1.0, 1.0]).fixed(),
    double(kOfxInteractPropBackgroundColour, &[0.0, 0.0, 0.0]).fixed(),
    double(kOfxInteractPropViewportSize, &[100.0, 100.0]).fixed(),
    texts(kOfxInteractPropSlaveToParam),
    double(kOfxInteractPropSuggestedColour, &[1.0, 1.0, 1.0]).fixed(),
    int(kOfxInteractPropHasAlpha, &[1]).fixed(),
    int(kOfxInteractPropBitDepth, &[8]).fixed(),
];

/// Arguments of actions: the host writes what goes in, the plugin what comes out.
pub(super) const IN_CHANGED: &[Spec] = &[
    text(kOfxPropType, &[NONE]).fixed(),
    text(kOfxPropName, &[NONE]).fixed(),
    text(kOfxPropChangeReason, &[NONE]).fixed(),
    double(kOfxPropTime, &[0.0]).fixed(),
    double(kOfxImageEffectPropRenderScale, &[1.0, 1.0]).fixed(),
];
pub(super) const IN_REASON: &[Spec] = &[text(kOfxPropChangeReason, &[NONE]).fixed()];
pub(super) const IN_CONTEXT: &[Spec] = &[text(kOfxImageEffectPropContext, &[NONE]).fixed()];
pub(super) const IN_TIME: &[Spec] = &[double(kOfxPropTime, &[0.0]).fixed()];
pub(super) const IN_TIME_SCALE: &[Spec] =
    &[double(kOfxPropTime, &[0.0]).fixed(), double(kOfxImageEffectPropRenderScale, &[1.0, 1.0]).fixed()];
pub(super) const IN_INTEREST: &[Spec] =
    &[double(kOfxImageEffectPropRegionOfInterest, &[0.0, 0.0, 0.0, 0.0]).fixed()];
pub(super) const IN_WINDOW: &[Spec] = &[
    text(kOfxImageEffectPropFieldToRender, &[kOfxImageFieldNone]).fixed(),
    int(kOfxImageEffectPropRenderWindow, &[0, 0, 0, 0]).fixed(),
];
pub(super) const IN_RENDER: &[Spec] = &[
    int(kOfxImageEffectPropSequentialRenderStatus, &[0]).fixed(),
    int(kOfxImageEffectPropInteractiveRenderStatus, &[0]).fixed(),
    int(kOfxImageEffectPropRenderQualityDraft, &[0]).fixed(),
    int(kOfxImageEffectPropOpenGLEnabled, &[0]).fixed(),
    int(kOfxImageEffectPropCudaEnabled, &[0]).fixed(),
    int(kOfxImageEffectPropMetalEnabled, &[0]).fixed(),
    int(kOfxImageEffectPropOpenCLEnabled, &[0]).fixed(),
];
pub(super) const IN_SEQUENCE: &[Spec] = &[
    double(kOfxImageEffectPropFrameRange, &[0.0, 0.0]).fixed(),
    double(kOfxImageEffectPropFrameStep, &[1.0]).fixed(),
    int(kOfxPropIsInteractive, &[0]).fixed(),
    double(kOfxImageEffectPropRenderScale, &[1.0, 1.0]).fixed(),
];
pub(super) const OUT_DEFINITION: &[Spec] =
    &[double(kOfxImageEffectPropRegionOfDefinition, &[0.0, 0.0, 0.0, 0.0])];
pub(super) const OUT_DOMAIN: &[Spec] = &[double(kOfxImageEffectPropFrameRange, &[0.0, 0.0])];
pub(super) const OUT_IDENTITY: &[Spec] = &[double(kOfxPropTime, &[0.0]), text(kOfxPropName, &[NONE])];
pub(super) const OUT_PREFERENCES: &[Spec] = &[
    double(kOfxImageEffectPropFrameRate, &[25.0]),
    text(kOfxImageEffectPropPreMultiplication, &[kOfxImageUnPreMultiplied]),
    int(kOfxImageClipPropContinuousSamples, &[0]),
    int(kOfxImageEffectFrameVarying, &[0]),
    text(kOfxImageClipPropFieldOrder, &[kOfxImageFieldNone]),
];
/// Arguments of an interact's actions.
pub(super) const IN_INTERACT: &[Spec] = &[
    pointer(kOfxPropEffectInstance).fixed(),
    pointer(kOfxInteractPropDrawContext).fixed(),
    double(kOfxPropTime, &[0.0]).fixed(),
    double(kOfxImageEffectPropRenderScale, &[1.0, 1.0]).fixed(),
    double(kOfxInteractPropPixelScale, &[1.0, 1.0]).fixed(),
    double(kOfxInteractPropBackgroundColour, &[0.0, 0.0, 0.0]).fixed(),
    double(kOfxInteractPropViewportSize, &[100.0, 100.0]).fixed(),
    double(kOfxInteractPropPenPosition, &[0.0, 0.0]).fixed(),
    int(kOfxInteractPropPenViewportPosition, &[0, 0]).fixed(),
    double(kOfxInteractPropPenPressure, &[0.0]).fixed(),
    text(kOfxPropKeyString, &[NONE]).fixed(),
    int(kOfxPropKeySym, &[0]).fixed(),
];
