//! The values that a template is given, by name. They are few, and a template asks for them a hundred times: looking at each name is several
//! times as fast as the map that minijinja makes of a struct.

use std::fmt::Display;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Serde};
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde::ser::{Error as _, Impossible, SerializeMap, SerializeStruct, Serializer};
use smol_str::SmolStr;

/// What the names in a template stand for.
#[derive(Debug)]
pub(super) struct Fields(Vec<Field>);

#[derive(Debug)]
struct Field {
    mark: u32,
    name: SmolStr,
    value: Value,
}

impl Field {
    fn new(name: SmolStr, value: Value) -> Self {
        Self { mark: mark(&name), name, value }
    }
}

/// What few names have in common, so that few are compared: the length, the first and the last byte.
fn mark(name: &str) -> u32 {
    let byte = |byte: Option<&u8>| byte.copied().unwrap_or_default();
    u32::from_le_bytes([name.len().to_le_bytes()[0], byte(name.as_bytes().first()), byte(name.as_bytes().last()), 0])
}

impl Fields {
    /// The fields of a struct as the values of a template.
    ///
    /// # Errors
    /// It is no struct.
    pub(super) fn of(context: &impl Serialize) -> Result<Value, Error> {
        let fields = context.serialize(Collector(Vec::with_capacity(32)));
        fields.map(Value::from_object).map_err(|Fault(message)| Error::new(ErrorKind::BadSerialization, message))
    }
}

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let mark = mark(key);
        self.0.iter().find(|field| field.mark == mark && field.name == key).map(|field| field.value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|field| Value::from(field.name.as_str())).collect())
    }
}

/// Takes the fields of a struct, be they its own or flattened into it.
struct Collector(Vec<Field>);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Fault(String);

impl serde::ser::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl SerializeStruct for Collector {
    type Ok = Fields;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Fault> {
        self.0.push(Field::new(SmolStr::new_static(key), Value::from(Serde(value))));
        Ok(())
    }

    fn end(self) -> Result<Fields, Fault> {
        Ok(Fields(self.0))
    }
}

impl SerializeMap for Collector {
    type Ok = Fields;
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        let key = Value::from(Serde(key));
        let name = key.as_str().ok_or_else(|| Fault::custom("the name of a value is no string"))?;
        self.0.push(Field::new(name.into(), Value::UNDEFINED));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        if let Some(last) = self.0.last_mut() {
            last.value = Value::from(Serde(value));
        }
        Ok(())
    }

    fn end(self) -> Result<Fields, Fault> {
        Ok(Fields(self.0))
    }
}

/// Refuses what has no fields.
macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$ok, Fault> {
            Err(Fault::custom("a template is given a struct"))
        })*
    };
}

type Nothing = Impossible<Fields, Fault>;

impl Serializer for Collector {
    type Ok = Fields;
    type Error = Fault;
    type SerializeSeq = Nothing;
    type SerializeTuple = Nothing;
    type SerializeTupleStruct = Nothing;
    type SerializeTupleVariant = Nothing;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Nothing;

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Fault> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Fault> {
        Ok(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Fields, Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Fields, Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<Fields, Fault> {
        value.serialize(self)
    }

    refuse! {
        serialize_bool(bool) -> Fields;
        serialize_i8(i8) -> Fields;
        serialize_i16(i16) -> Fields;
        serialize_i32(i32) -> Fields;
        serialize_i64(i64) -> Fields;
        serialize_u8(u8) -> Fields;
        serialize_u16(u16) -> Fields;
        serialize_u32(u32) -> Fields;
        serialize_u64(u64) -> Fields;
        serialize_f32(f32) -> Fields;
        serialize_f64(f64) -> Fields;
        serialize_char(char) -> Fields;
        serialize_str(&str) -> Fields;
        serialize_bytes(&[u8]) -> Fields;
        serialize_none() -> Fields;
        serialize_unit() -> Fields;
        serialize_unit_struct(&'static str) -> Fields;
        serialize_unit_variant(&'static str, u32, &'static str) -> Fields;
        serialize_seq(Option<usize>) -> Nothing;
        serialize_tuple(usize) -> Nothing;
        serialize_tuple_struct(&'static str, usize) -> Nothing;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Nothing;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Nothing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Common {
        name: &'static str,
    }

    #[derive(Serialize)]
    struct Context {
        #[serde(flatten)]
        common: Common,
        count: u64,
        nothing: Option<u64>,
    }

    #[test]
    fn names_stand_for_the_fields_of_a_struct() {
        let value = Fields::of(&Context { common: Common { name: "a" }, count: 2, nothing: None }).unwrap();
        assert_eq!(value.get_attr("name").unwrap(), Value::from("a"));
        assert_eq!(value.get_attr("count").unwrap(), Value::from(2));
        assert!(value.get_attr("nothing").unwrap().is_none());
        assert!(value.get_attr("other").unwrap().is_undefined());
        assert_eq!(value.try_iter().unwrap().collect::<Vec<_>>(), ["name", "count", "nothing"].map(Value::from));
        assert_eq!(Fields::of(&Common { name: "a" }).unwrap().get_attr("name").unwrap(), Value::from("a"));
        for error in [Fields::of(&1), Fields::of(&"text"), Fields::of(&["list"]), Fields::of(&Option::<u64>::None)] {
            assert!(error.unwrap_err().to_string().contains("a template is given a struct"));
        }
    }
}
