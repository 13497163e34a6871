//! Which keys a settings type has at some place, asked of its own `Deserialize`.
//!
//! A deserializer that holds no data walks down one path and notes the field names that the type
//! asks for at its end. So the list of right spellings is never written down twice.

use std::fmt;

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde_ignored::Path;

/// The keys of the table at `path` (list positions count as segments).
pub(super) fn known_keys<T: DeserializeOwned>(path: &[String]) -> Vec<&'static str> {
    let mut keys = Vec::new();
    // It always ends in an error: there is no data. What was noted on the way is the answer.
    let _: Result<T, NoData> = T::deserialize(Walk {
        path,
        keys: &mut keys,
    });
    keys
}

/// The path of an ignored key, from the top.
pub(super) fn segments(path: &Path<'_>) -> Vec<String> {
    let (parent, own) = match path {
        Path::Root => return Vec::new(),
        Path::Seq { parent, index } => (parent, Some(index.to_string())),
        Path::Map { parent, key } => (parent, Some(key.clone())),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => (parent, None),
    };
    let mut all = segments(parent);
    all.extend(own);
    all
}

#[derive(Debug)]
struct NoData;

impl fmt::Display for NoData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this deserializer holds no data")
    }
}

impl std::error::Error for NoData {}

impl de::Error for NoData {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Walk<'a> {
    path: &'a [String],
    keys: &'a mut Vec<&'static str>,
}

impl<'de> Deserializer<'de> for Walk<'_> {
    type Error = NoData;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoData> {
        Err(NoData)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoData> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoData> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoData> {
        visitor.visit_seq(Step { walk: Some(self) })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoData> {
        visitor.visit_map(Step { walk: Some(self) })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoData> {
        if self.path.is_empty() {
            self.keys.extend(fields);
            return Err(NoData);
        }
        visitor.visit_map(Step { walk: Some(self) })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

/// One step down the path: the key (or position), then what is behind it.
struct Step<'a> {
    walk: Option<Walk<'a>>,
}

impl<'de> MapAccess<'de> for Step<'_> {
    type Error = NoData;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, NoData> {
        let Some(key) = self.walk.as_ref().and_then(|walk| walk.path.first()) else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, NoData> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, NoData> {
        let walk = self.walk.take().ok_or(NoData)?;
        let path = walk.path.get(1..).ok_or(NoData)?;
        seed.deserialize(Walk {
            path,
            keys: walk.keys,
        })
    }
}

impl<'de> SeqAccess<'de> for Step<'_> {
    type Error = NoData;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, NoData> {
        let Some(walk) = self.walk.take() else {
            return Ok(None);
        };
        let path = walk.path.get(1..).ok_or(NoData)?;
        seed.deserialize(Walk {
            path,
            keys: walk.keys,
        })
        .map(Some)
    }
}
