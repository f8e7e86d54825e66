//! Captions and labels for LaTeX.

use crate::text::{Level, Rich};

/// A caption or label as LaTeX text that pdfLaTeX compiles without further packages: its special characters escaped,
/// `_{..}` and `^{..}` as sub- and superscripts, and signs such as −, ×, ≤, Δ and “ as commands. Line breaks and control
/// characters become spaces or nothing. Other characters are kept as they are: letters with accents compile as they
/// stand, while other scripts and emoji need LuaLaTeX or XeLaTeX and a font that has them.
pub fn latex(text: &str) -> String {
    let mut before = ' ';
    let mut set = |c: char| {
        let apart = if joins(before, c) { "{}" } else { "" };
        before = c;
        apart.to_owned() + &command(c)
    };
    let run = |(text, level): (String, Level)| {
        let text: String = text.chars().map(&mut set).collect();
        match level {
            Level::Base => text,
            Level::Sub => format!("\\textsubscript{{{text}}}"),
            Level::Super => format!("\\textsuperscript{{{text}}}"),
        }
    };
    Rich::parse(text).runs().into_iter().map(run).collect()
}

/// Whether TeX would read the two as one sign, as it reads `--` as a dash.
fn joins(before: char, c: char) -> bool {
    let dash = |c| matches!(c, '-' | '–' | '—' | '‑');
    let quote = |c| matches!(c, '`' | '\'' | '"' | '‘' | '’' | '“' | '”');
    dash(before) && dash(c) || (quote(before) || matches!(before, '?' | '!')) && quote(c)
}

fn command(c: char) -> String {
    /// Characters that LaTeX gives a meaning, or that its own text fonts lack in one encoding or another.
    const TEXT: [(char, &str); 27] = [
        ('\\', "\\textbackslash{}"),
        ('~', "\\textasciitilde{}"),
        ('^', "\\textasciicircum{}"),
        ('<', "\\textless{}"),
        ('>', "\\textgreater{}"),
        ('|', "\\textbar{}"),
        ('"', "''"),
        ('\u{a0}', "~"),
        ('\u{202f}', "\\,"),
        ('\u{2009}', "\\,"),
        ('–', "--"),
        ('—', "---"),
        ('‘', "`"),
        ('’', "'"),
        ('“', "``"),
        ('”', "''"),
        ('„', ",,"),
        ('…', "\\dots{}"),
        ('•', "\\textbullet{}"),
        ('§', "\\S{}"),
        ('†', "\\dag{}"),
        ('‡', "\\ddag{}"),
        ('©', "\\copyright{}"),
        ('ﬁ', "fi"),
        ('ﬂ', "fl"),
        ('‑', "-"),
        ('\u{ad}', "\\-"),
    ];
    /// Signs that are set as mathematics.
    const MATHS: [(char, &str); 34] = [
        ('−', "-"),
        ('×', "\\times"),
        ('÷', "\\div"),
        ('·', "\\cdot"),
        ('±', "\\pm"),
        ('∓', "\\mp"),
        ('≤', "\\leq"),
        ('≥', "\\geq"),
        ('≠', "\\neq"),
        ('≈', "\\approx"),
        ('∼', "\\sim"),
        ('≪', "\\ll"),
        ('≫', "\\gg"),
        ('∞', "\\infty"),
        ('√', "\\surd"),
        ('∑', "\\sum"),
        ('∏', "\\prod"),
        ('∫', "\\int"),
        ('∂', "\\partial"),
        ('∇', "\\nabla"),
        ('∈', "\\in"),
        ('∉', "\\notin"),
        ('∩', "\\cap"),
        ('∪', "\\cup"),
        ('∅', "\\emptyset"),
        ('→', "\\rightarrow"),
        ('←', "\\leftarrow"),
        ('↔', "\\leftrightarrow"),
        ('↑', "\\uparrow"),
        ('↓', "\\downarrow"),
        ('⇒', "\\Rightarrow"),
        ('°', "^{\\circ}"),
        ('′', "^{\\prime}"),
        ('ℓ', "\\ell"),
    ];
    if matches!(c, '%' | '#' | '$' | '&' | '_' | '{' | '}') {
        return format!("\\{c}");
    }
    let of = |table: &[(char, &str)]| table.iter().find(|entry| entry.0 == c).map(|entry| entry.1.to_owned());
    let maths = || of(&MATHS).or_else(|| greek(c)).or_else(|| script(c)).map(|set| format!("${set}$"));
    of(&TEXT).or_else(maths).unwrap_or_else(|| c.into())
}

/// Greek letters by their names; those that look like a Latin letter are that letter.
fn greek(c: char) -> Option<String> {
    const SMALL: [&str; 25] = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "o",
        "pi",
        "rho",
        "varsigma",
        "sigma",
        "tau",
        "upsilon",
        "varphi",
        "chi",
        "psi",
        "omega",
    ];
    const LARGE: [&str; 25] = [
        "A", "B", "Gamma", "Delta", "E", "Z", "H", "Theta", "I", "K", "Lambda", "M", "N", "Xi", "O", "Pi",
        "P", "", "Sigma", "T", "Upsilon", "Phi", "X", "Psi", "Omega",
    ];
    let name = match c {
        'µ' => "mu",
        'ϵ' => "epsilon",
        'ϕ' => "phi",
        'ϑ' => "vartheta",
        'α'..='ω' => SMALL[c as usize - 'α' as usize],
        'Α'..='Ω' => LARGE[c as usize - 'Α' as usize],
        _ => return None,
    };
    Some(if name.len() > 1 { format!("\\{name}") } else { name.into() }).filter(|set| !set.is_empty())
}

/// Digits that are raised or lowered by themselves.
fn script(c: char) -> Option<String> {
    let digit = |first: char| char::from_digit(c as u32 - first as u32, 10);
    match c {
        '¹' => Some("^{1}".into()),
        '²' => Some("^{2}".into()),
        '³' => Some("^{3}".into()),
        '⁻' => Some("^{-}".into()),
        '⁰' | '⁴'..='⁹' => Some(format!("^{{{}}}", digit('⁰')?)),
        '₀'..='₉' => Some(format!("_{{{}}}", digit('₀')?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specials_are_escaped_and_signs_become_commands() {
        for (text, set) in [
            ("50 % of #1 & $2", "50 \\% of \\#1 \\& \\$2"),
            ("a\\b {c} ~d", "a\\textbackslash{}b \\{c\\} \\textasciitilde{}d"),
            ("s_{AMB}, x^{2}", "s\\textsubscript{AMB}, x\\textsuperscript{2}"),
            ("a_name, a lone _{ and ^", "a\\_name, a lone \\_\\{ and \\textasciicircum{}"),
            ("10^{−3}", "10\\textsuperscript{$-$3}"),
            ("Δ ≤ ±0.5 × σ²", "$\\Delta$ $\\leq$ $\\pm$0.5 $\\times$ $\\sigma$$^{2}$"),
            ("“one” – two’s", "``one'' -- two's"),
            ("--flag, \"it\'\"", "-{}-flag, ''it'{}''"),
            ("p < 0.05", "p \\textless{} 0.05"),
            ("é 漢 🙂", "é 漢 🙂"),
            ("line\nbreak\u{0}", "line break"),
            ("Α_{₁}", "$A$\\textsubscript{$_{1}$}"),
            ("", ""),
        ] {
            assert_eq!(latex(text), set);
        }
    }

    #[test]
    fn braces_balance_whatever_the_text() {
        let alphabet = ['\\', '{', '}', '_', '^', '%', '$', '−', 'α', 'x', '\n'];
        for seed in 0..2000usize {
            let at = |k: usize| alphabet[(seed * 7919 + k * k * (seed + 3) + 31 * k) % alphabet.len()];
            let set = latex(&(0..12).map(at).collect::<String>());
            let bare = set.replace("\\{", "").replace("\\}", "").replace("\\$", "").replace("\\%", "");
            let mut depth = 0;
            for c in bare.chars() {
                depth += match c {
                    '{' => 1,
                    '}' => -1,
                    _ => 0,
                };
                assert!(depth >= 0, "{set}");
            }
            assert_eq!((depth, bare.matches('$').count() % 2), (0, 0), "{set}");
            assert!(!bare.contains('%'), "{set}");
        }
    }
}
