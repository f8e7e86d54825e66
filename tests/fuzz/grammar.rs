//! Chat templates made up from Jinja's grammar, so that many are valid and reach deep.

use recant::random::SplitMix;

use crate::mutate::{once_in, pick};

const ATOMS: [&str; 24] = [
    "messages",
    "messages[0]",
    "messages[-1].content",
    "m",
    "m.role",
    "m['content']",
    "loop.index",
    "loop",
    "ns",
    "ns.s",
    "bos_token",
    "eos_token",
    "add_generation_prompt",
    "none",
    "true",
    "0",
    "1",
    "-1",
    "10**9",
    "99999",
    "1.5",
    "'a\\n'",
    "''",
    "undefined_name",
];
const FILTERS: [&str; 44] = [
    "trim",
    "length",
    "list",
    "string",
    "int",
    "float",
    "upper",
    "lower",
    "title",
    "capitalize",
    "tojson",
    "tojson(indent=4)",
    "first",
    "last",
    "reverse",
    "sort",
    "unique",
    "items",
    "dictsort",
    "join('-')",
    "join('a' * 100000)",
    "replace('a', 'bb')",
    "replace('', 'b')",
    "indent(4)",
    "indent(100000)",
    "default('x')",
    "batch(3, 'x')",
    "slice(3)",
    "map('upper')",
    "map(attribute='role')",
    "select('defined')",
    "selectattr('role')",
    "rejectattr('role', 'equalto', 'user')",
    "groupby('role')",
    "abs",
    "round",
    "sum",
    "min",
    "max",
    "pprint",
    "format(1, 2)",
    "split('a')",
    "lines",
    "bool",
];
const METHODS: [&str; 22] = [
    "strip()",
    "lstrip('a')",
    "split('a')",
    "split()",
    "splitlines(true)",
    "replace('a', 'aa')",
    "count('')",
    "count('a')",
    "find('a')",
    "upper()",
    "title()",
    "startswith('a')",
    "join(['x', 'y'])",
    "join(messages)",
    "format(1, 'x')",
    "items()",
    "keys()",
    "get('role', 1)",
    "append(1)",
    "index(1)",
    "center(10**9)",
    "__class__",
];
const OPERATORS: [&str; 18] = [
    "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "and", "or", "in", "not in", "is", "if",
];
const TESTS: [&str; 8] =
    ["defined", "string", "mapping", "iterable", "none", "divisibleby(3)", "sameas(1)", "in('a')"];

fn expression(random: &mut SplitMix, depth: usize) -> String {
    if depth == 0 || once_in(random, 4) {
        return pick(random, &ATOMS).to_string();
    }
    let inner = |random: &mut SplitMix| expression(random, depth - 1);
    match random.below(12) {
        0..=2 => {
            let (left, right) = (inner(random), inner(random));
            match pick(random, &OPERATORS) {
                "is" => format!("({left} is {})", pick(random, &TESTS)),
                "if" => format!("({left} if {right} else 'n')"),
                operator => format!("({left} {operator} {right})"),
            }
        }
        3 | 4 => format!("({} | {})", inner(random), pick(random, &FILTERS)),
        5 | 6 => format!("{}.{}", inner(random), pick(random, &METHODS)),
        7 => format!(
            "{}[{}:{}:{}]",
            inner(random),
            inner(random),
            inner(random),
            pick(random, &["1", "-1", "0", "2"])
        ),
        8 => format!("[{}, {}]", inner(random), inner(random)),
        9 => format!("{{'k': {}, {}: 1}}", inner(random), inner(random)),
        10 => format!(
            "{}({})",
            pick(random, &["range", "namespace", "dict", "f", "loop", "raise_exception"]),
            inner(random)
        ),
        _ => format!("(not {})[{}]", inner(random), inner(random)),
    }
}

fn statement(random: &mut SplitMix, depth: usize) -> String {
    let value = expression(random, 2);
    if depth == 0 {
        return format!("{{{{ {value} }}}}");
    }
    let body: String = (0..=random.below(2)).map(|_| statement(random, depth - 1)).collect();
    match random.below(12) {
        0..=2 => format!("{{{{- {value} -}}}}"),
        3 => format!("{{% for m in messages %}}{body}{{% endfor %}}"),
        4 => format!("{{% for m in {value} %}}{body}{{% else %}}e{{% endfor %}}"),
        5 => format!("{{% for m in range({}) %}}{body}{{% endfor %}}", pick(random, &["3", "40", "300"])),
        6 => format!("{{%- if {value} -%}}\n {body}{{% elif m %}}x{{% else %}}{body}{{% endif %}}"),
        7 => format!("{{% set ns = namespace(s={value}) %}}{body}"),
        // As text: lists that hold one another without end are `seeds::UNBOUNDED`.
        8 => format!("{{% set ns.s = {value} | string %}}"),
        9 => format!("{{% set m %}}{body}{{{{ m }}}}{{{{ m }}}}{{% endset %}}"),
        10 => format!("{{% macro f(m, n=1) %}}{body}{{% endmacro %}}{{{{ f({value}) }}}}"),
        _ => format!("{{% filter {} %}}{body}{{% endfilter %}}", pick(random, &FILTERS)),
    }
}

/// A template of a few statements.
pub fn template(random: &mut SplitMix) -> String {
    let begin = if once_in(random, 2) { "{% set ns = namespace(s='a') %}" } else { "" };
    let body: String = (0..=random.below(4)).map(|_| statement(random, 2)).collect();
    format!("{begin}{body}")
}

/// A template with expressions or statements put in, or pieces taken out, between two tokens.
pub fn spliced(random: &mut SplitMix, whole: &str) -> String {
    let mut text = whole.to_string();
    for _ in 0..=random.below(3) {
        let places: Vec<usize> =
            text.char_indices().filter(|(_, c)| " {}[](),.|'".contains(*c)).map(|(at, _)| at).collect();
        let Some(&at) = places.get(random.below(places.len().max(1))) else { return text };
        match random.below(5) {
            0 => text.insert_str(at, &statement(random, 1)),
            1 => text.insert_str(at, &format!(" | {}", pick(random, &FILTERS))),
            2 => text.insert_str(at, &format!(" {} {}", pick(random, &OPERATORS), expression(random, 1))),
            3 => {
                let end = places[random.below(places.len())];
                text.replace_range(at.min(end)..at.max(end), "");
            }
            _ => text.insert_str(at, &expression(random, 2)),
        }
    }
    text
}
