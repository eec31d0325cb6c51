//! Parameters: kinds, values, keys, and who may write them when.

use super::context::{complain, current, session};
use super::effect::Effect;
use super::handles::Handle;
use super::property::{Data, PropertySet};
use super::report::Kind;
use super::tables::{self, Spec, text_of};
use crate::error::{Error, Result};
use crate::openfx::*;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Weak};

/// What a parameter holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Integers, booleans and choices.
    Ints(Vec<i32>),
    /// Doubles and colours.
    Doubles(Vec<f64>),
    /// Strings, paths and the plugin's own format.
    Text(String),
    /// Buttons, groups and pages.
    Nothing,
}

/// A value and its keys, as a project file keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// What it is without keys.
    pub value: Value,
    /// Times and values, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<(f64, Value)>,
}

/// The type its values have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Nothing,
    Int,
    Double,
    Text,
}

/// One of the standard's kinds of parameter.
#[derive(Debug)]
pub(super) struct ParamKind {
    name: &'static [u8],
    pub(super) base: Base,
    pub(super) count: usize,
}

const fn kind(name: &'static [u8], base: Base, count: usize) -> ParamKind {
    ParamKind { name, base, count }
}

static KINDS: [ParamKind; 15] = [
    kind(kOfxParamTypeInteger, Base::Int, 1),
    kind(kOfxParamTypeDouble, Base::Double, 1),
    kind(kOfxParamTypeBoolean, Base::Int, 1),
    kind(kOfxParamTypeChoice, Base::Int, 1),
    kind(kOfxParamTypeRGBA, Base::Double, 4),
    kind(kOfxParamTypeRGB, Base::Double, 3),
    kind(kOfxParamTypeDouble2D, Base::Double, 2),
    kind(kOfxParamTypeInteger2D, Base::Int, 2),
    kind(kOfxParamTypeDouble3D, Base::Double, 3),
    kind(kOfxParamTypeInteger3D, Base::Int, 3),
    kind(kOfxParamTypeString, Base::Text, 1),
    kind(kOfxParamTypeCustom, Base::Text, 1),
    kind(kOfxParamTypeGroup, Base::Nothing, 0),
    kind(kOfxParamTypePage, Base::Nothing, 0),
    kind(kOfxParamTypePushButton, Base::Nothing, 0),
];

impl ParamKind {
    fn named(name: &str) -> Option<&'static ParamKind> {
        KINDS.iter().find(|k| text_of(k.name) == name)
    }

    fn is(&self, name: &'static [u8]) -> bool {
        self.name == name
    }

    /// Properties beside those all have.
    fn declare(&self, properties: &PropertySet) {
        let extend = |table: &[Spec]| properties.extend(table);
        if !self.is(kOfxParamTypeGroup) && !self.is(kOfxParamTypePage) {
            extend(tables::PARAM_INTERACT);
        }
        if self.base != Base::Nothing {
            extend(tables::PARAM_VALUE);
        }
        match self.base {
            Base::Double => extend(tables::PARAM_DOUBLE),
            Base::Text if self.is(kOfxParamTypeString) => extend(tables::PARAM_STRING),
            Base::Text => extend(tables::PARAM_CUSTOM),
            _ if self.is(kOfxParamTypeChoice) => extend(tables::PARAM_CHOICE),
            _ if self.is(kOfxParamTypeGroup) => extend(tables::PARAM_GROUP),
            _ if self.is(kOfxParamTypePage) => extend(tables::PARAM_PAGE),
            _ => {}
        }
        let declare = |name, value: Data| properties.declare(text_of(name).to_string(), false, value);
        match self.base {
            Base::Int => declare(kOfxParamPropDefault, vec![0; self.count].into()),
            Base::Double => declare(kOfxParamPropDefault, vec![0.0; self.count].into()),
            Base::Text => declare(kOfxParamPropDefault, "".into()),
            Base::Nothing => {}
        }
        let numeric = self.base != Base::Nothing
            && self.base != Base::Text
            && !self.is(kOfxParamTypeBoolean)
            && !self.is(kOfxParamTypeChoice);
        let ends: [(&'static [u8], bool); 4] = [
            (kOfxParamPropMin, false),
            (kOfxParamPropMax, true),
            (kOfxParamPropDisplayMin, false),
            (kOfxParamPropDisplayMax, true),
        ];
        for (name, top) in ends.into_iter().filter(|_| numeric) {
            match self.base {
                Base::Int => declare(name, vec![if top { i32::MAX } else { i32::MIN }; self.count].into()),
                _ => declare(name, vec![if top { f64::MAX } else { f64::MIN }; self.count].into()),
            }
        }
        if numeric && self.count > 1 {
            declare(kOfxParamPropDimensionLabel, vec![String::new(); self.count].into());
        }
    }
}

struct State {
    value: Value,
    keys: Vec<(f64, Value)>,
}

/// A parameter of a description or an instance.
pub(super) struct Param {
    pub(super) handle: Handle,
    pub(super) name: String,
    pub(super) kind: &'static ParamKind,
    pub(super) properties: Arc<PropertySet>,
    pub(super) effect: Weak<Effect>,
    state: Mutex<State>,
}

impl Param {
    /// A parameter the plugin describes; `None` for a kind that does not exist.
    pub(super) fn described(kind: &str, name: &str, effect: Weak<Effect>) -> Option<Arc<Self>> {
        let kind = ParamKind::named(kind)?;
        let properties = PropertySet::new(format!("the parameter {name}"), &[tables::PARAM]);
        let named: [&'static [u8]; 5] =
            [kOfxPropName, kOfxPropLabel, kOfxPropShortLabel, kOfxPropLongLabel, kOfxParamPropScriptName];
        for property in named {
            properties.put(property, name);
        }
        properties.put(kOfxParamPropType, kind.name);
        kind.declare(&properties);
        Some(Self::with(name, kind, properties, effect))
    }

    /// The same parameter in an instance, with its default as value.
    pub(super) fn instance(&self, effect: Weak<Effect>, fixed_looks: bool) -> Arc<Self> {
        let properties = self.properties.copy(format!("the parameter {}", self.name));
        properties.put(kOfxPropType, kOfxTypeParameterInstance);
        if fixed_looks {
            properties.freeze(kOfxParamPropChoiceOption);
            properties.freeze(kOfxPropLabel);
            if properties.flag(kOfxParamPropSecret) {
                properties.freeze(kOfxParamPropSecret);
            }
        }
        Self::with(&self.name, self.kind, properties, effect)
    }

    fn with(
        name: &str,
        kind: &'static ParamKind,
        properties: Arc<PropertySet>,
        effect: Weak<Effect>,
    ) -> Arc<Self> {
        let value = match kind.base {
            Base::Int => Value::Ints(properties.all(kOfxParamPropDefault)),
            Base::Double => Value::Doubles(properties.all(kOfxParamPropDefault)),
            Base::Text => Value::Text(properties.first(kOfxParamPropDefault)),
            Base::Nothing => Value::Nothing,
        };
        Arc::new_cyclic(|weak: &Weak<Self>| Self {
            handle: Handle::new(weak),
            name: name.to_string(),
            kind,
            properties,
            effect,
            state: Mutex::new(State { value, keys: Vec::new() }),
        })
    }

    pub(super) fn is_button(&self) -> bool {
        self.kind.is(kOfxParamTypePushButton)
    }

    /// The value at a time; between keys, numbers with a fraction go in a straight line and all else waits.
    pub(super) fn value(&self, time: f64) -> Value {
        let state = self.state.lock();
        let after = state.keys.partition_point(|(t, _)| *t <= time);
        match (after.checked_sub(1).map(|i| &state.keys[i]), state.keys.get(after)) {
            (None, None) => state.value.clone(),
            (Some((t0, Value::Doubles(a))), Some((t1, Value::Doubles(b)))) => {
                let part = (time - t0) / (t1 - t0);
                Value::Doubles(a.iter().zip(b).map(|(a, b)| a + (b - a) * part).collect())
            }
            (Some((_, value)), _) | (None, Some((_, value))) => value.clone(),
        }
    }

    /// The sum of a double's values at some times, each with a weight; `None` for other kinds.
    pub(super) fn weighted(&self, samples: &[(f64, f64)]) -> Option<Value> {
        let mut sum = vec![0.0; self.kind.count];
        for &(time, weight) in samples {
            let Value::Doubles(values) = self.value(time) else { return None };
            sum.iter_mut().zip(values).for_each(|(s, v)| *s += v * weight);
        }
        Some(Value::Doubles(sum))
    }

    /// Writes the value, or a key when a time is given or there are keys.
    pub(super) fn write(&self, value: Value, time: Option<f64>, now: f64) {
        let mut state = self.state.lock();
        let time = time.or((!state.keys.is_empty()).then_some(now));
        let Some(time) = time else {
            state.value = value;
            return;
        };
        match state.keys.binary_search_by(|(t, _)| t.total_cmp(&time)) {
            Ok(at) => state.keys[at].1 = value,
            Err(at) => state.keys.insert(at, (time, value)),
        }
        self.properties.put(kOfxParamPropIsAnimating, 1);
    }

    /// The plugin writes: checked against what this host allows at this moment, then told to the plugin again, as
    /// hosts do.
    pub(super) fn write_by_plugin(&self, value: Value, time: Option<f64>) -> Result<(), Status> {
        self.check_write()?;
        self.check_range(&value);
        if time.is_some() && !self.properties.flag(kOfxParamPropAnimates) {
            complain(Kind::BadName, format!("{} does not animate, and was given a key", self.name));
            return Err(Status::ERR_UNSUPPORTED);
        }
        let now = session().map_or(0.0, |s| s.timeline.lock().now);
        self.write(value, time, now);
        self.tell();
        Ok(())
    }

    /// Whether the plugin may write now.
    pub(super) fn check_write(&self) -> Result<(), Status> {
        if self.kind.base == Base::Nothing {
            complain(Kind::BadName, format!("{} has no value", self.name));
            return Err(Status::ERR_UNSUPPORTED);
        }
        let Some(scope) = current() else { return Ok(()) };
        let profile = &scope.shared.profile;
        let refused = (scope.is(kOfxImageEffectActionRender) && !profile.writes_in_render)
            || (scope.is(kOfxActionCreateInstance) && !profile.writes_in_create);
        if refused {
            complain(
                Kind::ForbiddenWrite,
                format!("{} was written where {} refuses it", self.name, profile.name),
            );
            return Err(Status::FAILED);
        }
        Ok(())
    }

    /// Tells the plugin that it has changed a parameter itself.
    pub(super) fn tell(&self) {
        if let Some(effect) = self.effect.upgrade() {
            effect.changed_by_plugin(&self.name);
        }
    }

    fn check_range(&self, value: &Value) {
        let outside = match value {
            Value::Ints(values) if self.kind.is(kOfxParamTypeChoice) => {
                let options = self.properties.all::<String>(kOfxParamPropChoiceOption).len() as i32;
                values.iter().any(|v| !(0..options).contains(v))
            }
            Value::Ints(values) => {
                let (low, high) =
                    (self.properties.all::<i32>(kOfxParamPropMin), self.properties.all(kOfxParamPropMax));
                values.iter().zip(low.iter().zip(&high)).any(|(v, (a, b))| v < a || v > b)
            }
            Value::Doubles(values) => {
                let (low, high) =
                    (self.properties.all::<f64>(kOfxParamPropMin), self.properties.all(kOfxParamPropMax));
                values.iter().zip(low.iter().zip(&high)).any(|(v, (a, b))| v < a || v > b)
            }
            _ => false,
        };
        if outside {
            complain(Kind::BadIndex, format!("{} was set to {value:?}, out of its range", self.name));
        }
    }

    /// Number of keys.
    pub(super) fn keys(&self) -> Vec<f64> {
        self.state.lock().keys.iter().map(|(t, _)| *t).collect()
    }

    /// Removes keys for whose time this holds; their number.
    pub(super) fn remove_keys(&self, remove: impl Fn(f64) -> bool, now: f64) -> usize {
        let value = self.value(now);
        let mut state = self.state.lock();
        let before = state.keys.len();
        state.keys.retain(|(t, _)| !remove(*t));
        if state.keys.is_empty() && before > 0 {
            state.value = value;
            self.properties.put(kOfxParamPropIsAnimating, 0);
        }
        before - state.keys.len()
    }

    /// As a project file keeps it; `None` for what has no value, or is not to be kept.
    pub(super) fn save(&self) -> Option<Saved> {
        let keep = self.kind.base != Base::Nothing && self.properties.flag(kOfxParamPropPersistant);
        let state = self.state.lock();
        keep.then(|| Saved { value: state.value.clone(), keys: state.keys.clone() })
    }

    /// Values of another time, or of another parameter of the same kind.
    pub(super) fn restore(&self, saved: &Saved) {
        let mut state = self.state.lock();
        state.value = saved.value.clone();
        state.keys = saved.keys.clone();
        self.properties.put(kOfxParamPropIsAnimating, i32::from(!saved.keys.is_empty()));
    }

    /// A value as typed by a user or written in a script: a number, a truth, a text, the label of a choice, or a list.
    pub(super) fn parse(&self, json: &serde_json::Value) -> Result<Value> {
        use serde_json::Value as Json;
        let wrong = || Error::setting(&self.name, format!("{json} is not a value for it"));
        let list = match json {
            Json::Array(items) => items.clone(),
            one => vec![one.clone()],
        };
        let options = || self.properties.all::<String>(kOfxParamPropChoiceOption);
        let int = |item: &Json| match item {
            Json::Bool(b) => Some(i32::from(*b)),
            Json::String(label) => options().iter().position(|o| o == label).map(|i| i as i32),
            item => item.as_i64().and_then(|v| i32::try_from(v).ok()),
        };
        let value = match self.kind.base {
            Base::Int => list.iter().map(int).collect::<Option<Vec<_>>>().map(Value::Ints),
            Base::Double => list.iter().map(Json::as_f64).collect::<Option<Vec<_>>>().map(Value::Doubles),
            Base::Text => json.as_str().map(|t| Value::Text(t.to_string())),
            Base::Nothing => None,
        };
        value.filter(|_| self.kind.base == Base::Text || list.len() == self.kind.count).ok_or_else(wrong)
    }
}
