//! Grounds other than white paper.
//!
//! Figures are thought in the colours of paper; the canvas translates each as it writes it, so no kind of figure
//! knows what it is shown on.

use crate::colour::{INK, Rgb, WHITE};

const BLACK: Rgb = Rgb(0, 0, 0);

/// What the colours of paper become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Themselves.
    #[default]
    Light,
    /// Of the same hue with the lightness turned round: black becomes a light grey and white becomes [`Tone::GROUND`].
    /// Equally light colours stay equally light, so maps keep their order and their middle.
    Dark,
}

impl Tone {
    /// What white becomes in the dark.
    pub const GROUND: Rgb = Rgb(24, 24, 24);

    /// The colour as it is written.
    pub fn of(self, colour: Rgb) -> Rgb {
        match self {
            Tone::Light => colour,
            Tone::Dark => at_lightness(colour, turned(colour.lightness())),
        }
    }

    /// White or ink, whichever is read better on this colour.
    pub(crate) fn ink_on(self, colour: Rgb) -> Rgb {
        let light = |c: Rgb| self.of(c).luminance() + 0.05;
        let contrast = |ink: Rgb| (light(ink) / light(colour)).max(light(colour) / light(ink));
        if contrast(WHITE) > contrast(INK) { WHITE } else { INK }
    }
}

/// The CIE L* in the dark of what has this on paper.
fn turned(lightness: f64) -> f64 {
    /// Lighter than this, the ends of a diverging map would both look white.
    const LIGHTEST: f64 = 86.0;
    /// Below 1, so that middling colours, which lines and texts have, are light enough to be read.
    const CURVE: f64 = 0.7;
    let ground = Tone::GROUND.lightness();
    ground + (LIGHTEST - ground) * (1.0 - lightness / 100.0).max(0.0).powf(CURVE)
}

/// The colour mixed with white or black until it has this CIE L*.
fn at_lightness(colour: Rgb, wanted: f64) -> Rgb {
    let lighter = wanted > colour.lightness();
    let end = if lighter { WHITE } else { BLACK };
    let (mut near, mut far) = (0.0, 1.0);
    for _ in 0..12 {
        let middle = (near + far) / 2.0;
        let short = (colour.towards(end, middle).lightness() < wanted) == lighter;
        if short { near = middle } else { far = middle }
    }
    colour.towards(end, near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::{DIVERGING, MUTED, SEQUENTIAL};
    use crate::style::Theme;

    fn contrast(colour: Rgb) -> f64 {
        (colour.luminance() + 0.05) / (Tone::GROUND.luminance() + 0.05)
    }

    #[test]
    fn texts_and_lines_can_be_read_in_the_dark() {
        let dark = |c: Rgb| contrast(Tone::Dark.of(c));
        assert_eq!(Tone::Dark.of(WHITE), Tone::GROUND);
        assert!(dark(INK) >= 4.5 && dark(MUTED) >= 4.5, "{} {}", dark(INK), dark(MUTED));
        for colour in Theme::dark().palette {
            assert!(dark(colour) >= 3.0, "{colour:?} as a line: {}", dark(colour));
            assert!(dark(colour.as_ink()) >= 4.5, "{colour:?} as a text: {}", dark(colour.as_ink()));
        }
    }

    #[test]
    fn a_hue_is_kept_and_only_lightness_is_turned() {
        let Rgb(red, green, blue) = Tone::Dark.of(Rgb(0, 114, 178));
        assert!(red < green && green < blue);
        for colour in [Rgb(213, 94, 0), Rgb(68, 1, 84), Rgb(253, 231, 37), INK] {
            let (wanted, found) = (turned(colour.lightness()), Tone::Dark.of(colour).lightness());
            assert!((found - wanted).abs() < 0.6, "{colour:?}: {found} for {wanted}");
        }
    }

    #[test]
    fn a_number_can_be_read_on_any_colour_of_a_map() {
        for tone in [Tone::Light, Tone::Dark] {
            for colour in (0..=100).flat_map(|k| [DIVERGING, SEQUENTIAL].map(|m| m.at(f64::from(k) / 100.0)))
            {
                let light = |c: Rgb| tone.of(c).luminance() + 0.05;
                let (ink, cell) = (light(tone.ink_on(colour)), light(colour));
                assert!((ink / cell).max(cell / ink) >= 3.0, "{tone:?} {colour:?}");
            }
        }
    }

    #[test]
    fn maps_keep_their_order_and_their_middle_in_the_dark() {
        let light = |c: Rgb| Tone::Dark.of(c).lightness();
        let steps: Vec<f64> = (0..=40).map(|k| light(SEQUENTIAL.at(f64::from(k) / 40.0))).collect();
        assert!(steps.windows(2).all(|w| w[1] < w[0]), "{steps:?}");
        for k in 1..=20 {
            let side = |sign: f64| light(DIVERGING.at(0.5 + sign * f64::from(k) / 40.0));
            let inner = |sign: f64| light(DIVERGING.at(0.5 + sign * f64::from(k - 1) / 40.0));
            assert!((side(1.0) - side(-1.0)).abs() < 4.0, "{k}: {} {}", side(-1.0), side(1.0));
            assert!(side(1.0) > inner(1.0) && side(-1.0) > inner(-1.0), "{k}");
        }
    }
}
