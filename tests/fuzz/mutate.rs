//! Damage: to bytes, to text, to JSON.

use recant::random::SplitMix;
use serde_json::{Map, Value, json};

/// One of several.
pub fn pick<T: Copy>(random: &mut SplitMix, from: &[T]) -> T {
    from[random.below(from.len())]
}

/// True once in `n` times.
pub fn once_in(random: &mut SplitMix, n: usize) -> bool {
    random.below(n) == 0
}

/// Numbers at which readers break.
const LENGTHS: [u64; 20] = [
    0,
    1,
    2,
    3,
    7,
    8,
    31,
    255,
    256,
    65_535,
    65_536,
    1 << 24,
    1 << 31,
    u32::MAX as u64,
    1 << 32,
    1 << 40,
    1 << 62,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// Damages bytes up to `end` a few times over; `other` lends pieces.
pub fn bytes(random: &mut SplitMix, whole: &[u8], end: usize, other: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(4) {
        damage(random, &mut bytes, end, other);
    }
    bytes
}

fn damage(random: &mut SplitMix, bytes: &mut Vec<u8>, end: usize, other: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = end.min(bytes.len());
    let at = random.below(end.max(1));
    match random.below(10) {
        0 => bytes[at] = random.below(256) as u8,
        1 | 2 => bytes[at] ^= 1 << random.below(8),
        3 => {
            let width = pick(random, &[1usize, 2, 4, 8]);
            let value = pick(random, &LENGTHS).wrapping_add(random.below(3) as u64).wrapping_sub(1);
            let stop = (at + width).min(bytes.len());
            bytes[at..stop].copy_from_slice(&value.to_le_bytes()[..stop - at]);
        }
        4 => {
            // A number that is near what stands there: off by a little, doubled, halved.
            let stop = (at + 8).min(bytes.len());
            let mut word = [0; 8];
            word[..stop - at].copy_from_slice(&bytes[at..stop]);
            let value = u64::from_le_bytes(word);
            let near = match random.below(4) {
                0 => value.wrapping_add(random.below(64) as u64),
                1 => value.wrapping_sub(random.below(64) as u64),
                2 => value.wrapping_mul(2),
                _ => value / 2,
            };
            bytes[at..stop].copy_from_slice(&near.to_le_bytes()[..stop - at]);
        }
        5 => {
            let stop = (at + random.below(64)).min(bytes.len());
            bytes.drain(at..stop);
        }
        6 => {
            let extra: Vec<u8> = (0..random.below(32)).map(|_| random.below(256) as u8).collect();
            bytes.splice(at..at, extra);
        }
        7 => {
            let from = random.below(other.len().max(1));
            let piece = &other[from..(from + random.below(256)).min(other.len())];
            let stop = (at + piece.len()).min(bytes.len());
            if once_in(random, 2) {
                bytes.splice(at..at, piece.iter().copied());
            } else {
                bytes[at..stop].copy_from_slice(&piece[..stop - at]);
            }
        }
        8 => {
            let kept = if once_in(random, 2) { at } else { random.below(bytes.len() + 1) };
            bytes.truncate(kept);
        }
        _ => {
            let stop = (at + random.below(128)).min(bytes.len());
            let piece = bytes[at..stop].to_vec();
            for _ in 0..=random.below(3) {
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
}

/// Texts that mean something to one reader or another.
const TEXTS: [&str; 40] = [
    "",
    "NaN",
    "inf",
    "-1",
    "0",
    "default",
    "linear",
    "dynamic",
    "llama3",
    "yarn",
    "longrope",
    "su",
    "full_attention",
    "sliding_attention",
    "llama",
    "gpt2",
    "phi3",
    "gemma3_text",
    "falcon",
    "olmo3",
    "gelu",
    "silu",
    "a\nb",
    "\u{0}",
    "é\u{301}",
    "<|im_start|>",
    "BPE",
    "Unigram",
    "WordPiece",
    "WordLevel",
    "ByteLevel",
    "Metaspace",
    "Sequence",
    "Split",
    "Replace",
    "TemplateProcessing",
    "(a+)+$",
    "a{1000}{1000}",
    "(?<=x",
    "../up",
];

/// A value of any type, most likely a wrong one.
pub fn value(random: &mut SplitMix) -> Value {
    match random.below(16) {
        0 => Value::Null,
        1 => json!(once_in(random, 2)),
        2..=5 => {
            let length = pick(random, &LENGTHS);
            if once_in(random, 3) { json!((length as i64).wrapping_neg()) } else { json!(length) }
        }
        6 | 7 => json!(random.below(300)),
        8 | 9 => json!(pick(
            random,
            &[0.0, -0.0, 0.25, 0.5, 1.0, 1.5, -1.0, 1e-320, 1e-45, 1e-40, 1e-8, 1e8, 1e39, 1e308, f64::MIN]
        )),
        10 | 11 => json!(pick(random, &TEXTS)),
        12 => json!("x".repeat(random.below(5_000))),
        13 => {
            let n = pick(random, &[0, 1, 2, 4, 64, 3_000]);
            let inner = if n > 4 { json!(pick(random, &[0.0, 1.0, 2.5])) } else { value(random) };
            Value::Array(vec![inner; n])
        }
        14 => {
            let mut nested = value(random);
            for _ in 0..pick(random, &[1, 2, 20, 120, 140]) {
                nested = if once_in(random, 2) { json!([nested]) } else { json!({ "rope_type": nested }) };
            }
            nested
        }
        _ => {
            let keys =
                ["full_attention", "sliding_attention", "rope_type", "factor", "type", "content", "id"];
            let key = |random: &mut SplitMix| pick(random, &keys).to_string();
            Value::Object((0..random.below(4)).map(|_| (key(random), value(random))).collect::<Map<_, _>>())
        }
    }
}

/// Changes a document in a few places; `other` lends values.
pub fn document(random: &mut SplitMix, whole: &Value, other: &Value) -> Value {
    let mut changed = whole.clone();
    for _ in 0..=random.below(3) {
        change(random, &mut changed, other);
    }
    changed
}

/// Walks down to a place and changes what stands there.
fn change(random: &mut SplitMix, at: &mut Value, other: &Value) {
    match at {
        Value::Object(map) if !map.is_empty() && !once_in(random, 8) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let key = &keys[random.below(keys.len())];
            match random.below(12) {
                0 => drop(map.remove(key)),
                1 => {
                    let to = keys[random.below(keys.len())].clone();
                    let value = map[key].clone();
                    map.insert(to, value);
                }
                2 => {
                    let value = map.remove(key).unwrap_or_default();
                    map.insert(format!("{key}{}", pick(random, &["", "s", "_x"])), value);
                }
                3 => lend(random, map, other),
                _ => change(random, &mut map[key.as_str()], other),
            }
        }
        Value::Array(values) if !values.is_empty() && !once_in(random, 8) => {
            let place = random.below(values.len());
            match random.below(8) {
                0 => drop(values.remove(place)),
                1 => values.insert(place, values[place].clone()),
                2 => values.swap(place, 0),
                _ => change(random, &mut values[place], other),
            }
        }
        _ => *at = replacement(random, at),
    }
}

/// Takes over a key of another document.
fn lend(random: &mut SplitMix, map: &mut Map<String, Value>, other: &Value) {
    let Some(other) = other.as_object().filter(|other| !other.is_empty()) else { return };
    if let Some((key, value)) = other.iter().nth(random.below(other.len())) {
        map.insert(key.clone(), value.clone());
    }
}

/// Something else; half of the time of the same type.
fn replacement(random: &mut SplitMix, old: &Value) -> Value {
    match old {
        Value::Bool(flag) if once_in(random, 2) => json!(!flag),
        Value::Number(number) if once_in(random, 2) => match number.as_i64() {
            Some(n) => json!(match random.below(5) {
                0 => n.wrapping_add(1),
                1 => n.wrapping_sub(1),
                2 => n.wrapping_mul(2),
                3 => n / 2,
                _ => random.below(5_000) as i64,
            }),
            None => json!(number.as_f64().unwrap_or(1.0) * pick(random, &[0.5, 2.0, 1e3, 1e-3, 1e30, 1e-30])),
        },
        Value::String(_) if once_in(random, 2) => json!(pick(random, &TEXTS)),
        _ => value(random),
    }
}

/// The text of a document, sometimes damaged as text.
pub fn text(random: &mut SplitMix, document: &Value) -> Vec<u8> {
    let text = document.to_string().into_bytes();
    match random.below(8) {
        0 => {
            let end = text.len();
            bytes(random, &text, end, b"{\"a\":[1e999,-0,NaN,\"\\ud800\",null]}")
        }
        1 if once_in(random, 16) => {
            let mut deep = vec![b'['; pick(random, &[100, 127, 128, 129, 5_000])];
            deep.extend(text);
            deep
        }
        _ => text,
    }
}
