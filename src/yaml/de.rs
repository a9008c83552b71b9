//! Trees to values of Rust's types, without a copy in between.

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Error;

use super::node::{Entry, Kind, Node};

/// The fields of a mapping.
fn fields(entries: &[Entry]) -> MapDeserializer<'_, impl Iterator<Item = (&str, &Node)>, Error> {
    MapDeserializer::new(entries.iter().map(|entry| (entry.key.as_str(), &entry.value)))
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Number(number) => number.deserialize_any(visitor),
            Kind::String(text) => visitor.visit_borrowed_str(text),
            Kind::Sequence(items) => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            Kind::Mapping(entries) => visitor.visit_map(fields(entries)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Kind::Mapping(entries) => visitor.visit_enum(MapAccessDeserializer::new(fields(entries))),
            _ => self.to_value().deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use crate::diagnostic::SourceFile;
    use crate::yaml::{Limits, read};

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only shown")]
    struct Example {
        text: Option<String>,
        number: Option<u8>,
        list: Option<Vec<i64>>,
        #[serde(default)]
        map: BTreeMap<String, f64>,
        wrapped: Option<Wrapped>,
        choice: Option<Choice>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only shown")]
    struct Wrapped(bool);

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only shown")]
    enum Choice {
        Plain,
        With(i64),
    }

    fn same<T: DeserializeOwned + Debug>(text: &str) {
        let document = read(&SourceFile::new("", text), Limits::default(), &mut Vec::new()).remove(0);
        let by_tree = T::deserialize(&*document.root).map_err(|error| error.to_string());
        let by_value = serde_json::from_value::<T>(document.root.to_value()).map_err(|error| error.to_string());
        assert_eq!(format!("{by_tree:?}"), format!("{by_value:?}"), "{text}");
    }

    #[test]
    fn reads_as_serde_json_does() {
        let texts = [
            "text: a\nnumber: 7\nlist: [1, -2]\nmap: {a: 1.5, b: 2}\nwrapped: true\nchoice: plain",
            "text: null\nchoice: {with: 5}",
            "text: 5",
            "number: 300",
            "number: a",
            "list: [a]",
            "list: {}",
            "map: {a: null}",
            "map: [1]",
            "wrapped: {}",
            "choice: other",
            "choice: [plain]",
            "choice: {other: 1}",
            "unknown: 1",
        ];
        for text in texts {
            same::<Example>(text);
            same::<Value>(text);
            same::<BTreeMap<String, Value>>(text);
        }
    }
}
