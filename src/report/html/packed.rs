//! Text that travels packed: raw deflate (RFC 1951) in base64 (RFC 4648), which a browser opens when it is looked at.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// A script element that nothing runs, with packed text in it. The same text gives the same bytes.
pub(super) fn script(class: &str, text: &str) -> String {
    format!(
        "<script type=\"application/octet-stream;base64\" class=\"{class}\">{}</script>\n",
        base64(&deflated(text))
    )
}

fn deflated(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.expect("memory takes whatever is written to it")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let three = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let place = three >> (18 - 6 * digit) & 63;
            out.push(if digit <= chunk.len() { char::from(DIGITS[place as usize]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        let digit = |c: char| match c {
            'A'..='Z' => c as u32 - 'A' as u32,
            'a'..='z' => c as u32 - 'a' as u32 + 26,
            '0'..='9' => c as u32 - '0' as u32 + 52,
            '+' => 62,
            _ => 63,
        };
        let (mut bits, mut held, mut out) = (0u32, 0, Vec::new());
        for c in text.trim_end_matches('=').chars() {
            bits = bits << 6 | digit(c);
            held += 6;
            if held >= 8 {
                held -= 8;
                out.push((bits >> held & 255) as u8);
            }
        }
        out
    }

    /// The texts of the packed blocks of a class, in the order of the page.
    pub(in crate::report::html) fn opened(html: &str, class: &str) -> Vec<String> {
        let start = format!("base64\" class=\"{class}\">");
        let texts = html.split(&start).skip(1).map(|rest| {
            let (packed, _) = rest.split_once("</script>").expect("its end");
            let mut text = String::new();
            DeflateDecoder::new(&bytes(packed)[..]).read_to_string(&mut text).expect("packed text");
            text
        });
        texts.collect()
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        let known = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, expected) in known.into_iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..length]), expected);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn packed_text_opens_to_what_it_was() {
        let text = "</script> \u{1f642} ".repeat(400);
        let html = script("figure", &text);
        assert!(html.len() < 400, "{}", html.len());
        assert_eq!(opened(&html, "figure"), [text]);
    }
}
