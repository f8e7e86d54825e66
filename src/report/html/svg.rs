//! A drawing as markup that is safe in the page.

/// An SVG document as an element of the page, every id of it and every reference to one prefixed. None where it is not
/// well-formed, or holds what can run or load something.
pub(super) fn inline(svg: &str, prefix: &str) -> Option<String> {
    let mut rest = &svg[svg.find("<svg")?..];
    let mut out = String::with_capacity(svg.len());
    let mut open: Vec<&str> = Vec::new();
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        out += &if open.last() == Some(&"style") { within(text, prefix) } else { text.to_owned() };
        rest = &rest[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = &comment[comment.find("-->")? + 3..];
            continue;
        }
        let tag = &rest[..end_of_tag(rest)?];
        rest = &rest[tag.len()..];
        if let Some(name) = tag.strip_prefix("</") {
            if open.pop()? != name.trim_end_matches('>').trim_end() {
                return None;
            }
            out += tag;
            if open.is_empty() {
                return Some(out);
            }
            continue;
        }
        let name = tag[1..].split([' ', '\t', '\n', '\r', '/', '>']).next()?;
        if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || matches!(name, "script" | "foreignObject" | "iframe")
        {
            return None;
        }
        let closed = tag.ends_with("/>");
        out += &opening(name, &tag[1 + name.len()..tag.len() - if closed { 2 } else { 1 }], prefix)?;
        out += if closed { "/>" } else { ">" };
        if !closed {
            open.push(name);
        }
    }
    None
}

/// Width and height of an SVG's view box.
pub(super) fn size(svg: &str) -> Option<(f64, f64)> {
    let (_, rest) = svg.split_once("viewBox=\"")?;
    let numbers = rest.split('"').next()?.split([' ', ',']).filter_map(|number| number.parse().ok());
    let [_, _, width, height] = numbers.collect::<Vec<f64>>()[..] else { return None };
    let positive = |length: f64| length.is_finite() && length > 0.0;
    (positive(width) && positive(height)).then_some((width, height))
}

/// One past the `>` that ends a tag; one inside quotes does not.
pub(super) fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, '>') => return Some(at + 1),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        None
    })
}

/// An opening tag, up to its end, with ids and references prefixed.
fn opening(name: &str, attributes: &str, prefix: &str) -> Option<String> {
    let mut out = format!("<{name}");
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let (key, after) = (key.trim(), after.trim_start());
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = after[1..].split_once(quote)?;
        rest = after.trim_start();
        let value = match key {
            "id" => format!("{prefix}{value}"),
            "href" | "xlink:href" => match value.strip_prefix('#') {
                Some(id) => format!("#{prefix}{id}"),
                None if value.starts_with("data:image/") => value.to_owned(),
                None => return None,
            },
            "aria-labelledby" | "aria-describedby" => {
                value.split_whitespace().map(|id| format!("{prefix}{id}")).collect::<Vec<_>>().join(" ")
            }
            _ if key.to_ascii_lowercase().starts_with("on") => return None,
            _ => within(value, prefix),
        };
        out += &format!(" {key}={quote}{value}{quote}");
    }
    Some(out)
}

/// Style text with its `url(#id)` prefixed.
fn within(text: &str, prefix: &str) -> String {
    ["url(#", "url('#", "url(\"#"]
        .iter()
        .fold(text.to_owned(), |text, start| text.replace(start, &format!("{start}{prefix}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_that_could_run_or_load_something_is_not_inlined() {
        let around = |inner: &str| format!("<svg viewBox=\"0 0 1 1\">{inner}</svg>");
        for inner in [
            "<script>x</script>",
            "<foreignObject/>",
            "<g onload=\"x\"/>",
            "<image href=\"far.png\"/>",
            "<a href=\"javascript:x\"/>",
            "<g>",
            "<g id=a/>",
            "</g>",
        ] {
            assert_eq!(inline(&around(inner), "p-"), None, "{inner}");
        }
        assert_eq!(inline("no drawing", "p-"), None);
        assert_eq!(
            inline(&around("<g id='a'/>"), "p-").as_deref(),
            Some("<svg viewBox=\"0 0 1 1\"><g id='p-a'/></svg>")
        );
    }

    #[test]
    fn a_size_is_that_of_the_view_box() {
        assert_eq!(size("<svg viewBox=\"0 0 453.6 20\">"), Some((453.6, 20.0)));
        for none in ["<svg>", "<svg viewBox=\"0 0 1\">", "<svg viewBox=\"0 0 0 1\">"] {
            assert_eq!(size(none), None, "{none}");
        }
    }
}
