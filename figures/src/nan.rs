//! Numbers in files: JSON has no NaN, so what is not a number is null there.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What holds numbers that may be NaN.
pub(crate) trait Numbers: Sized {
    /// The same with None for NaN.
    type Known: Serialize + DeserializeOwned;

    fn known(&self) -> Self::Known;

    fn of(known: Self::Known) -> Self;
}

impl Numbers for f64 {
    type Known = Option<f64>;

    fn known(&self) -> Option<f64> {
        (!self.is_nan()).then_some(*self)
    }

    fn of(known: Option<f64>) -> f64 {
        known.unwrap_or(f64::NAN)
    }
}

impl Numbers for (f64, f64) {
    type Known = [Option<f64>; 2];

    fn known(&self) -> Self::Known {
        [self.0.known(), self.1.known()]
    }

    fn of([a, b]: Self::Known) -> Self {
        (f64::of(a), f64::of(b))
    }
}

impl Numbers for (f64, f64, f64) {
    type Known = [Option<f64>; 3];

    fn known(&self) -> Self::Known {
        [self.0.known(), self.1.known(), self.2.known()]
    }

    fn of([a, b, c]: Self::Known) -> Self {
        (f64::of(a), f64::of(b), f64::of(c))
    }
}

impl<T: Numbers> Numbers for Vec<T> {
    type Known = Vec<T::Known>;

    fn known(&self) -> Self::Known {
        self.iter().map(T::known).collect()
    }

    fn of(known: Self::Known) -> Self {
        known.into_iter().map(T::of).collect()
    }
}

impl<T: Numbers> Numbers for Option<T> {
    type Known = Option<T::Known>;

    fn known(&self) -> Self::Known {
        self.as_ref().map(T::known)
    }

    fn of(known: Self::Known) -> Self {
        known.map(T::of)
    }
}

pub(crate) fn serialize<T: Numbers, S: Serializer>(numbers: &T, to: S) -> Result<S::Ok, S::Error> {
    numbers.known().serialize(to)
}

pub(crate) fn deserialize<'de, T: Numbers, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::Known::deserialize(from).map(T::of)
}
