//! A JSON config with typed, checked access.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{Error, Result};

/// A JSON config with typed, checked access; errors name the file and the key.
pub struct Config {
    path: String,
    map: Map<String, Value>,
}

impl Config {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// The file cannot be read or is not a JSON object.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        let name = path.display().to_string();
        match serde_json::from_str(&text) {
            Ok(Value::Object(map)) => Ok(Self { path: name, map }),
            Ok(_) => Err(Error::input(name, "is not a JSON object")),
            Err(error) => Err(Error::input(name, format!("not valid JSON: {error}"))),
        }
    }

    /// The same with whole numbers where a key is absent.
    #[must_use]
    pub fn or(mut self, absent: &[(&str, i64)]) -> Self {
        for (key, number) in absent {
            self.map.entry(*key).or_insert_with(|| (*number).into());
        }
        self
    }

    /// The same with the values of `other` where it has any.
    #[must_use]
    pub fn updated(mut self, other: Self) -> Self {
        self.map.extend(other.map);
        self
    }

    /// Whether it holds no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Whether `key` is written down at all, be it as null.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The value of `key`, null counting as absent.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// An error about `key`.
    #[must_use]
    pub fn wrong(&self, key: &str, why: impl std::fmt::Display) -> Error {
        Error::input(self.path.clone(), format!("{key}: {why}"))
    }

    /// A nested object, or `None`.
    ///
    /// # Errors
    /// The value is not an object.
    pub fn object(&self, key: &str) -> Result<Option<Self>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => {
                Ok(Some(Self { path: format!("{}: {key}", self.path), map: map.clone() }))
            }
            Some(other) => Err(self.wrong(key, format!("expected an object, found {}", short(other)))),
        }
    }

    /// A positive integer that must be there.
    ///
    /// # Errors
    /// Absent, not an integer, not between 1 and 2^31.
    pub fn size(&self, key: &str) -> Result<i64> {
        self.size_or(key, None)
    }

    /// A positive integer with a default.
    ///
    /// # Errors
    /// Not an integer, not between 1 and 2^31; absent where there is no default.
    pub fn size_or(&self, key: &str, default: impl Into<Option<i64>>) -> Result<i64> {
        match (self.get(key), default.into()) {
            (Some(value), _) => match value.as_i64() {
                Some(n) if (1..1 << 31).contains(&n) => Ok(n),
                _ => {
                    Err(self.wrong(key, format!("expected a positive whole number, found {}", short(value))))
                }
            },
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.wrong(key, "is missing")),
        }
    }

    /// A positive integer that may be null; `absent` stands in where the key is not written.
    ///
    /// # Errors
    /// Not an integer, not between 1 and 2^31.
    pub fn size_or_null(&self, key: &str, absent: Option<i64>) -> Result<Option<i64>> {
        match (self.has(key), self.get(key)) {
            (false, _) => Ok(absent),
            (true, None) => Ok(None),
            (true, Some(_)) => self.size(key).map(Some),
        }
    }

    /// A positive finite number that may be null; `absent` stands in where the key is not written.
    ///
    /// # Errors
    /// Not a positive finite number.
    pub fn number_or_null(&self, key: &str, absent: Option<f64>) -> Result<Option<f64>> {
        match (self.has(key), self.get(key)) {
            (false, _) => Ok(absent),
            (true, None) => Ok(None),
            (true, Some(_)) => self.number_or(key, None).map(Some),
        }
    }

    /// A list of positive finite numbers, or `None`.
    ///
    /// # Errors
    /// Anything else.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let numbers = value.as_array().and_then(|values| {
            let positive = |x: &f64| x.is_finite() && *x > 0.0;
            values.iter().map(|value| value.as_f64().filter(positive)).collect::<Option<Vec<_>>>()
        });
        let wrong =
            || self.wrong(key, format!("expected a list of positive numbers, found {}", short(value)));
        numbers.map(Some).ok_or_else(wrong)
    }

    /// A list of strings, or `None`.
    ///
    /// # Errors
    /// Anything else.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let texts = value.as_array().and_then(|values| values.iter().map(Value::as_str).collect());
        let wrong = || self.wrong(key, format!("expected a list of strings, found {}", short(value)));
        texts.map(Some).ok_or_else(wrong)
    }

    /// A list of flags written as true and false or as 1 and 0, or `None`.
    ///
    /// # Errors
    /// Anything else.
    pub fn flags(&self, key: &str) -> Result<Option<Vec<bool>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let flag = |value: &Value| value.as_bool().or_else(|| value.as_i64().map(|n| n != 0));
        let flags = value.as_array().and_then(|values| values.iter().map(flag).collect());
        let wrong = || self.wrong(key, format!("expected a list of flags, found {}", short(value)));
        flags.map(Some).ok_or_else(wrong)
    }

    /// A positive finite number with a default.
    ///
    /// # Errors
    /// Not a positive finite number; absent where there is no default.
    pub fn number_or(&self, key: &str, default: impl Into<Option<f64>>) -> Result<f64> {
        match (self.get(key), default.into()) {
            (Some(value), _) => match value.as_f64() {
                Some(x) if x.is_finite() && x > 0.0 => Ok(x),
                _ => Err(self.wrong(key, format!("expected a positive number, found {}", short(value)))),
            },
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.wrong(key, "is missing")),
        }
    }

    /// A flag with a default.
    ///
    /// # Errors
    /// Not true or false.
    pub fn flag_or(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(key, format!("expected true or false, found {}", short(other)))),
        }
    }

    /// A string, or `None`.
    ///
    /// # Errors
    /// Not a string.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, format!("expected a string, found {}", short(other)))),
        }
    }

    /// One token id or a list of them; absent is empty.
    ///
    /// # Errors
    /// Anything else.
    pub fn tokens(&self, key: &str) -> Result<Vec<i64>> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let ids = match value {
            Value::Array(values) => values.iter().map(Value::as_i64).collect::<Option<Vec<_>>>(),
            single => single.as_i64().map(|id| vec![id]),
        };
        ids.ok_or_else(|| {
            self.wrong(key, format!("expected a token id or a list of them, found {}", short(value)))
        })
    }
}

/// A value as it stands, cut down to what fits into a line.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 60 { text.chars().take(57).collect::<String>() + "..." } else { text }
}
