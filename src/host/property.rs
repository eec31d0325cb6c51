//! Property sets: names, types and dimensions as declared, and nothing else.

use super::context::complain;
use super::handles::Handle;
use super::report::Kind;
use crate::openfx::Status;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::{Arc, Weak};

/// The values of one property.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Ints(Vec<i32>),
    Doubles(Vec<f64>),
    Texts(Vec<String>),
    /// Addresses; never looked at.
    Pointers(Vec<usize>),
}

/// One of the four types a property can have.
pub(super) trait Element: Clone + Default + 'static {
    const NAME: &'static str;
    fn all(data: &Data) -> Option<&Vec<Self>>;
    fn all_mut(data: &mut Data) -> Option<&mut Vec<Self>>;
    fn pack(values: Vec<Self>) -> Data;
}

macro_rules! elements {
    ($($rust:ty = $variant:ident, $name:literal;)*) => {$(
        impl Element for $rust {
            const NAME: &'static str = $name;
            fn all(data: &Data) -> Option<&Vec<Self>> {
                if let Data::$variant(values) = data { Some(values) } else { None }
            }
            fn all_mut(data: &mut Data) -> Option<&mut Vec<Self>> {
                if let Data::$variant(values) = data { Some(values) } else { None }
            }
            fn pack(values: Vec<Self>) -> Data {
                Data::$variant(values)
            }
        }
        impl From<$rust> for Data {
            fn from(value: $rust) -> Data {
                Data::$variant(vec![value])
            }
        }
        impl<const N: usize> From<[$rust; N]> for Data {
            fn from(values: [$rust; N]) -> Data {
                Data::$variant(values.to_vec())
            }
        }
        impl From<Vec<$rust>> for Data {
            fn from(values: Vec<$rust>) -> Data {
                Data::$variant(values)
            }
        }
    )*};
}

elements! {
    i32 = Ints, "int";
    f64 = Doubles, "double";
    String = Texts, "string";
    usize = Pointers, "pointer";
}

impl From<&str> for Data {
    fn from(value: &str) -> Data {
        Data::Texts(vec![value.to_string()])
    }
}

impl From<&'static [u8]> for Data {
    fn from(name: &'static [u8]) -> Data {
        super::tables::text_of(name).into()
    }
}

impl<const N: usize> From<&'static [u8; N]> for Data {
    fn from(name: &'static [u8; N]) -> Data {
        Data::from(&name[..])
    }
}

impl Data {
    fn kind(&self) -> &'static str {
        match self {
            Data::Ints(_) => i32::NAME,
            Data::Doubles(_) => f64::NAME,
            Data::Texts(_) => String::NAME,
            Data::Pointers(_) => usize::NAME,
        }
    }

    fn len(&self) -> usize {
        match self {
            Data::Ints(v) => v.len(),
            Data::Doubles(v) => v.len(),
            Data::Texts(v) => v.len(),
            Data::Pointers(v) => v.len(),
        }
    }
}

/// What is declared of a property.
#[derive(Debug, Clone)]
pub(super) struct Property {
    /// 0 when the plugin chooses how many.
    pub(super) dimension: usize,
    pub(super) read_only: bool,
    pub(super) default: Data,
    pub(super) value: Data,
}

/// A property set of some object.
#[derive(Debug)]
pub(super) struct PropertySet {
    pub(super) handle: Handle,
    /// Whose it is, for messages.
    pub(super) what: String,
    properties: Mutex<BTreeMap<String, Property>>,
}

impl PropertySet {
    pub(super) fn new(what: impl Into<String>, tables: &[&[super::tables::Spec]]) -> Arc<Self> {
        let properties = tables.iter().flat_map(|t| t.iter()).map(super::tables::Spec::property).collect();
        Self::with(what.into(), properties)
    }

    /// Another set with the same properties and values.
    pub(super) fn copy(&self, what: impl Into<String>) -> Arc<Self> {
        Self::with(what.into(), self.properties.lock().clone())
    }

    fn with(what: String, properties: BTreeMap<String, Property>) -> Arc<Self> {
        Arc::new_cyclic(|weak: &Weak<Self>| Self {
            handle: Handle::new(weak),
            what,
            properties: Mutex::new(properties),
        })
    }

    /// Adds the properties of a table to those that are there.
    pub(super) fn extend(&self, table: &[super::tables::Spec]) {
        self.properties.lock().extend(table.iter().map(super::tables::Spec::property));
    }

    /// Adds one whose name is made at run time, such as those that end in a clip's name.
    pub(super) fn declare(&self, name: String, read_only: bool, value: impl Into<Data>) {
        let value = value.into();
        let property = Property { dimension: value.len(), read_only, default: value.clone(), value };
        self.properties.lock().insert(name, property);
    }

    /// As `declare`, but the plugin chooses how many values.
    pub(super) fn declare_list(&self, name: String, value: impl Into<Data>) {
        let value = value.into();
        let property = Property { dimension: 0, read_only: false, default: value.clone(), value };
        self.properties.lock().insert(name, property);
    }

    /// The host's own writing: nothing is read-only to it.
    pub(super) fn put(&self, name: &'static [u8], value: impl Into<Data>) -> &Self {
        let (name, value) = (super::tables::text_of(name), value.into());
        if let Some(property) = self.properties.lock().get_mut(name) {
            property.value = value;
        }
        self
    }

    /// From now on the plugin may not write it.
    pub(super) fn freeze(&self, name: &'static [u8]) {
        if let Some(property) = self.properties.lock().get_mut(super::tables::text_of(name)) {
            property.read_only = true;
        }
    }

    /// The host's own reading; empty when there is none of that name and type.
    pub(super) fn all<T: Element>(&self, name: &[u8]) -> Vec<T> {
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        self.named(std::str::from_utf8(name).unwrap_or_default())
    }

    /// As `all`, by a name made at run time.
    pub(super) fn named<T: Element>(&self, name: &str) -> Vec<T> {
        self.properties.lock().get(name).and_then(|p| T::all(&p.value).cloned()).unwrap_or_default()
    }

    /// Values of any type, as text.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        fn all<T: ToString>(values: &[T]) -> Vec<String> {
            values.iter().map(T::to_string).collect()
        }
        match self.properties.lock().get(name).map(|p| &p.value) {
            Some(Data::Ints(v)) => all(v),
            Some(Data::Doubles(v)) => all(v),
            Some(Data::Texts(v)) => v.clone(),
            Some(Data::Pointers(v)) => all(v),
            None => Vec::new(),
        }
    }

    /// The first value, or the type's zero.
    pub(super) fn first<T: Element>(&self, name: &[u8]) -> T {
        self.all(name).into_iter().next().unwrap_or_default()
    }

    /// Whether an int property is set.
    pub(super) fn flag(&self, name: &[u8]) -> bool {
        self.first::<i32>(name) != 0
    }

    /// The plugin reads one value.
    pub(super) fn get<T: Element>(&self, name: &str, index: c_int) -> Result<T, Status> {
        self.on(name, |property| {
            let values = T::all(&property.value).ok_or_else(|| self.wrong_type::<T>(name, property))?;
            let value = usize::try_from(index).ok().and_then(|i| values.get(i)).cloned();
            value.ok_or_else(|| self.bad_index(name, index, values.len()))
        })
    }

    /// The plugin writes one value.
    pub(super) fn set<T: Element>(&self, name: &str, index: c_int, value: T) -> Result<(), Status> {
        self.on(name, |property| {
            self.check_writable(name, property)?;
            let limit = if property.dimension > 0 { property.dimension } else { usize::MAX };
            let kind = property.value.kind();
            let Some(values) = T::all_mut(&mut property.value) else {
                return Err(self.wrong(name, kind, T::NAME));
            };
            match usize::try_from(index) {
                Ok(i) if i < values.len() => values[i] = value,
                // A list grows by one at its end.
                Ok(i) if i == values.len() && i < limit => values.push(value),
                _ => return Err(self.bad_index(name, index, values.len())),
            }
            Ok(())
        })
    }

    /// The plugin writes all values.
    pub(super) fn set_all<T: Element>(&self, name: &str, values: Vec<T>) -> Result<(), Status> {
        self.on(name, |property| {
            self.check_writable(name, property)?;
            if T::all(&property.value).is_none() {
                return Err(self.wrong_type::<T>(name, property));
            }
            if property.dimension > 0 && values.len() > property.dimension {
                return Err(self.bad_index(name, values.len() as c_int - 1, property.dimension));
            }
            match T::all_mut(&mut property.value) {
                Some(there) if property.dimension > 0 => {
                    values.into_iter().zip(there.iter_mut()).for_each(|(new, old)| *old = new);
                }
                _ => property.value = T::pack(values),
            }
            Ok(())
        })
    }

    /// The plugin takes its own writing back.
    pub(super) fn reset(&self, name: &str) -> Result<(), Status> {
        self.on(name, |property| {
            self.check_writable(name, property)?;
            property.value = property.default.clone();
            Ok(())
        })
    }

    /// How many values there are.
    pub(super) fn dimension(&self, name: &str) -> Result<c_int, Status> {
        self.on(name, |property| Ok(property.value.len() as c_int))
    }

    fn on<R>(&self, name: &str, work: impl FnOnce(&mut Property) -> Result<R, Status>) -> Result<R, Status> {
        let mut properties = self.properties.lock();
        let Some(property) = properties.get_mut(name) else {
            complain(Kind::UnknownProperty, format!("{} has no property {name}", self.what));
            return Err(Status::ERR_UNKNOWN);
        };
        work(property)
    }

    fn check_writable(&self, name: &str, property: &Property) -> Result<(), Status> {
        if !property.read_only {
            return Ok(());
        }
        complain(Kind::ReadOnly, format!("{name} of {} is not the plugin's to write", self.what));
        Err(Status::ERR_VALUE)
    }

    fn wrong_type<T: Element>(&self, name: &str, property: &Property) -> Status {
        self.wrong(name, property.value.kind(), T::NAME)
    }

    fn wrong(&self, name: &str, is: &str, taken: &str) -> Status {
        complain(Kind::WrongType, format!("{name} of {} is of type {is}, not {taken}", self.what));
        Status::ERR_VALUE
    }

    fn bad_index(&self, name: &str, index: c_int, length: usize) -> Status {
        let text = format!("{name} of {} has {length} values; index {index} was used", self.what);
        complain(Kind::BadIndex, text);
        Status::ERR_BAD_INDEX
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables;
    use super::*;

    #[test]
    fn strict() {
        let set = PropertySet::new("a clip", &[tables::CLIP]);
        assert_eq!(set.get::<i32>("OfxImageClipPropOptional", 0), Ok(0));
        assert_eq!(set.get::<f64>("OfxImageClipPropOptional", 0), Err(Status::ERR_VALUE));
        assert_eq!(set.get::<i32>("OfxImageClipPropOptional", 1), Err(Status::ERR_BAD_INDEX));
        assert_eq!(set.get::<i32>("Invented", 0), Err(Status::ERR_UNKNOWN));
        assert_eq!(set.set("OfxPropName", 0, "x".to_string()), Err(Status::ERR_VALUE));
        assert_eq!(set.set("OfxImageClipPropOptional", 1, 1), Err(Status::ERR_BAD_INDEX));
        assert_eq!(set.set("OfxImageClipPropOptional", 0, 1), Ok(()));
        assert_eq!(set.reset("OfxImageClipPropOptional"), Ok(()));
        assert_eq!(set.get::<i32>("OfxImageClipPropOptional", 0), Ok(0));
    }

    #[test]
    fn lists_grow_at_the_end() {
        let set = PropertySet::new("a clip", &[tables::CLIP]);
        let name = "OfxImageEffectPropSupportedComponents";
        assert_eq!(set.set(name, 0, "a".to_string()), Ok(()));
        assert_eq!(set.set(name, 2, "c".to_string()), Err(Status::ERR_BAD_INDEX));
        assert_eq!(set.set_all(name, vec!["x".to_string(), "y".to_string()]), Ok(()));
        assert_eq!(set.dimension(name), Ok(2));
    }
}
