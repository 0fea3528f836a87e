//! JSON in and out of an Automerge object, and JSON Pointers (RFC 6901).
//!
//! Strings become scalar strings, not Automerge texts: a text costs one
//! operation a character (3 ms to write and 5 ms to read a page, measured), and
//! what is imported is mostly read. A text that another Automerge program wrote
//! reads as a string. See `docs/decisions/0003-strings-are-values.md`.

use automerge::{
    AutoCommit, ObjId, ObjType, Prop, ROOT, ReadDoc, ScalarValue, Value as AutomergeValue,
    ValueRef, hydrate, transaction::Transactable,
};
use serde_json::{Map, Number, Value};

pub(crate) use self::allowance::Allowance;
use crate::document::{DocumentError, RESERVED_KEY, guarded};

mod allowance;

/// Deepest nesting of a document that we read or write; recursion stays well
/// within a thread's stack.
pub const DEPTH_MAX: usize = 64;

/// Reads an object as JSON. What Automerge cannot read, for example a counter that
/// overflows, reads as null.
pub(crate) fn read(auto: &AutoCommit, object: &ObjId, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    match auto.object_type(object) {
        Ok(ObjType::Map | ObjType::Table) => Value::Object(read_map(auto, object, depth)),
        Ok(ObjType::List) => Value::Array(read_list(auto, object, depth)),
        Ok(ObjType::Text) => {
            let text = guarded(|| auto.text(object).unwrap_or_default());
            Value::String(text.unwrap_or_default())
        }
        Err(_) => Value::Null,
    }
}

/// What stands at a place. Objects are read after all of their siblings: where
/// those have to be read a second time, what is below them must not be.
enum Found {
    Scalar(Value),
    Object(ObjId),
}

impl Found {
    fn from_item(value: &ValueRef<'_>, id: impl FnOnce() -> ObjId) -> Self {
        match value {
            ValueRef::Object(_) => Self::Object(id()),
            ValueRef::Scalar(scalar) => Self::Scalar(read_scalar(&scalar.into())),
        }
    }

    fn at(auto: &AutoCommit, object: &ObjId, prop: Prop) -> Self {
        match guarded(|| auto.get(object, prop)) {
            Some(Ok(Some((AutomergeValue::Object(_), id)))) => Self::Object(id),
            Some(Ok(Some((AutomergeValue::Scalar(scalar), _)))) => {
                Self::Scalar(read_scalar(&scalar))
            }
            Some(Ok(None) | Err(_)) | None => Self::Scalar(Value::Null),
        }
    }

    fn read(self, auto: &AutoCommit, depth: usize) -> Value {
        match self {
            Self::Scalar(value) => value,
            Self::Object(id) => read(auto, &id, depth + 1),
        }
    }
}

fn read_list(auto: &AutoCommit, object: &ObjId, depth: usize) -> Vec<Value> {
    // One pass: a search for each index would cost four times as much.
    let pass = || -> Vec<Found> {
        let items = auto.list_range(object, ..);
        items.map(|item| Found::from_item(&item.value, || item.id())).collect()
    };
    let one_by_one =
        || (0..length(auto, object)).map(|at| Found::at(auto, object, at.into())).collect();
    let found = guarded(pass).or_else(|| guarded(one_by_one)).unwrap_or_default();
    found.into_iter().map(|found| found.read(auto, depth)).collect()
}

fn read_map(auto: &AutoCommit, object: &ObjId, depth: usize) -> Map<String, Value> {
    let pass = || -> Vec<(String, Found)> {
        let items = auto.map_range(object, ..);
        let found = items.map(|item| {
            let found = Found::from_item(&item.value, || item.id());
            (item.key.into_owned(), found)
        });
        found.collect()
    };
    let one_by_one = || {
        let keys = auto.keys(object);
        keys.map(|key| (key.clone(), Found::at(auto, object, key.into()))).collect()
    };
    let found = guarded(pass).or_else(|| guarded(one_by_one)).unwrap_or_default();
    let shown = found.into_iter().filter(|(key, _)| !(depth == 0 && key == RESERVED_KEY));
    shown.map(|(key, found)| (key, found.read(auto, depth))).collect()
}

pub(crate) fn read_at(auto: &AutoCommit, object: &ObjId, prop: Prop, depth: usize) -> Value {
    Found::at(auto, object, prop).read(auto, depth)
}

pub(crate) fn read_scalar(scalar: &ScalarValue) -> Value {
    match scalar {
        ScalarValue::Str(text) => Value::String(text.to_string()),
        ScalarValue::Int(number) | ScalarValue::Timestamp(number) => (*number).into(),
        ScalarValue::Uint(number) => (*number).into(),
        ScalarValue::F64(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        ScalarValue::Counter(counter) => i64::from(counter).into(),
        ScalarValue::Boolean(truth) => (*truth).into(),
        ScalarValue::Bytes(bytes) => Value::String(hex(bytes)),
        ScalarValue::Null | ScalarValue::Unknown { .. } => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// Writes `value` at `prop`; replaces what is there.
pub(crate) fn put(
    auto: &mut AutoCommit,
    object: &ObjId,
    prop: Prop,
    value: &Value,
    depth: usize,
) -> Result<(), DocumentError> {
    let value = hydrated(value, depth)?;
    if let hydrate::Value::Scalar(scalar) = value {
        return Ok(auto.put(object, prop, scalar)?);
    }
    auto.batch_create_object(object, prop, &value, false)?;
    Ok(())
}

/// Inserts `value` into a list.
pub(crate) fn insert(
    auto: &mut AutoCommit,
    list: &ObjId,
    at: usize,
    value: &Value,
    depth: usize,
) -> Result<(), DocumentError> {
    let value = hydrated(value, depth)?;
    if let hydrate::Value::Scalar(scalar) = value {
        return Ok(auto.insert(list, at, scalar)?);
    }
    auto.batch_create_object(list, at, &value, true)?;
    Ok(())
}

/// A value as Automerge writes it at once: one operation after the other takes several times as
/// long. Maps are written in the order of their keys.
fn hydrated(value: &Value, depth: usize) -> Result<hydrate::Value, DocumentError> {
    let within = || if depth < DEPTH_MAX { Ok(depth + 1) } else { Err(DocumentError::TooDeep) };
    Ok(match value {
        Value::Object(items) => {
            let depth = within()?;
            let mut map = hydrate::Map::default();
            for (key, item) in items {
                let value = hydrated(item, depth)?;
                map.insert(key.clone(), hydrate::MapValue { value, conflict: false });
            }
            map.into()
        }
        Value::Array(items) => {
            let depth = within()?;
            let list: Result<Vec<_>, _> = items.iter().map(|item| hydrated(item, depth)).collect();
            list?.into()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => scalar(value).into(),
    })
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => ScalarValue::Null,
        Value::Bool(truth) => ScalarValue::Boolean(*truth),
        Value::String(text) => ScalarValue::Str(text.as_str().into()),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => ScalarValue::Int(number),
            (None, Some(number)) => ScalarValue::Uint(number),
            (None, None) => ScalarValue::F64(number.as_f64().unwrap_or_default()),
        },
    }
}

/// Changes a map in place until it reads as `wanted`: equal parts stay untouched,
/// so that concurrent edits of them survive.
pub(crate) fn update_map(
    auto: &mut AutoCommit,
    object: &ObjId,
    wanted: &Map<String, Value>,
    depth: usize,
    allowance: &mut Allowance,
) -> Result<(), DocumentError> {
    let current = read_map(auto, object, depth);
    for key in current.keys().filter(|key| !wanted.contains_key(*key)) {
        auto.delete(object, key.as_str())?;
    }
    for (key, value) in wanted {
        match (current.get(key), value) {
            (Some(old), new) if old == new => {}
            (Some(Value::Object(_)), Value::Object(new)) => {
                if let Some((AutomergeValue::Object(ObjType::Map), id)) =
                    auto.get(object, key.as_str())?
                {
                    update_map(auto, &id, new, depth + 1, allowance)?;
                }
            }
            (Some(_) | None, new) => {
                allowance.write(new)?;
                put(auto, object, key.as_str().into(), new, depth)?;
            }
        }
    }
    Ok(())
}

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a JSON Pointer, or a bare key, which means that key of the root.
    ///
    /// # Errors
    /// [`DocumentError::BadPointer`].
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let Some(path) = text.strip_prefix('/') else {
            let bare = if text.is_empty() { vec![] } else { vec![text.to_owned()] };
            return Ok(Self(bare));
        };
        let parts: Vec<String> = path.split('/').map(unescape).collect::<Result<_, _>>()?;
        if parts.len() > DEPTH_MAX {
            return Err(DocumentError::TooDeep);
        }
        Ok(Self(parts))
    }

    /// Whether this is the whole document.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The value here.
    #[must_use]
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, part| match value {
            Value::Object(map) => map.get(part),
            Value::Array(list) => list.get(index(part)?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }

    /// How many objects are around what it points to.
    pub(crate) fn depth(&self) -> usize {
        self.0.len()
    }

    /// The object that holds the last part, and that part as a property of it.
    pub(crate) fn resolve(&self, auto: &AutoCommit) -> Result<(ObjId, Place), DocumentError> {
        let Some((last, path)) = self.0.split_last() else {
            return Err(DocumentError::WholeDocument);
        };
        if self.0[0] == RESERVED_KEY {
            return Err(DocumentError::Reserved);
        }
        let mut object = ROOT;
        for part in path {
            let prop = place(auto, &object, part)?.prop().ok_or(DocumentError::NoSuchPlace)?;
            match auto.get(&object, prop)? {
                Some((AutomergeValue::Object(_), id)) => object = id,
                Some((AutomergeValue::Scalar(_), _)) | None => {
                    return Err(DocumentError::NoSuchPlace);
                }
            }
        }
        let place = place(auto, &object, last)?;
        Ok((object, place))
    }
}

/// The last part of a pointer, read against the object that holds it.
pub(crate) enum Place {
    Key(String),
    Index(usize),
    End(usize),
}

impl Place {
    pub(crate) fn prop(&self) -> Option<Prop> {
        match self {
            Self::Key(key) => Some(key.as_str().into()),
            Self::Index(at) => Some((*at).into()),
            Self::End(_) => None,
        }
    }
}

fn place(auto: &AutoCommit, object: &ObjId, part: &str) -> Result<Place, DocumentError> {
    match auto.object_type(object)? {
        ObjType::Map | ObjType::Table => Ok(Place::Key(part.to_owned())),
        ObjType::List | ObjType::Text => {
            if part == "-" {
                return Ok(Place::End(length(auto, object)));
            }
            let at = index(part).ok_or(DocumentError::NoSuchPlace)?;
            if has(auto, object, at) {
                Ok(Place::Index(at))
            } else if at == 0 || has(auto, object, at - 1) {
                Ok(Place::End(at))
            } else {
                Err(DocumentError::NoSuchPlace)
            }
        }
    }
}

fn has(auto: &AutoCommit, list: &ObjId, at: usize) -> bool {
    matches!(auto.get(list, Prop::Seq(at)), Ok(Some(_)))
}

/// How many elements a list has. Automerge 0.12 finds one element in logarithmic time, and
/// walks over all of them to count.
fn length(auto: &AutoCommit, list: &ObjId) -> usize {
    let mut end = 1;
    while has(auto, list, end - 1) {
        end *= 2;
    }
    let (mut least, mut most) = (end / 2, end - 1);
    while least < most {
        let middle = least.midpoint(most);
        if has(auto, list, middle) {
            least = middle + 1;
        } else {
            most = middle;
        }
    }
    least
}

fn index(part: &str) -> Option<usize> {
    let canonical = part == "0" || !part.starts_with(['0', '+']);
    canonical.then(|| part.parse().ok())?
}

/// A step of a path as a part of a JSON Pointer, with the slash before it.
pub(crate) fn pointer_part(prop: &Prop) -> String {
    match prop {
        Prop::Map(key) => pointer_to(key),
        Prop::Seq(index) => format!("/{index}"),
    }
}

/// A key as a part of a JSON Pointer (RFC 6901), with the slash before it.
#[must_use]
pub fn pointer_to(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A part of a JSON Pointer: `~1` is a slash, `~0` a tilde, and nothing else may
/// follow a tilde.
fn unescape(part: &str) -> Result<String, DocumentError> {
    let mut pieces = part.split('~');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.strip_prefix('0').map(|rest| ('~', rest));
        let rest = rest.or_else(|| piece.strip_prefix('1').map(|rest| ('/', rest)));
        let (sign, rest) = rest.ok_or(DocumentError::BadPointer)?;
        plain.push(sign);
        plain.push_str(rest);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests;
