//! The palette and the maps.

use recant_figures::colour::{DIVERGING, OKABE_ITO, SEQUENTIAL};

#[test]
fn the_sequential_map_grows_lighter_evenly() {
    let lightness: Vec<f64> = (0..=100).map(|k| SEQUENTIAL.at(f64::from(k) / 100.0).lightness()).collect();
    assert!(lightness.windows(2).all(|w| w[1] >= w[0]), "never darker");
    let step = (lightness[100] - lightness[0]) / 10.0;
    let tenths: Vec<f64> = (0..10).map(|k| lightness[k * 10 + 10] - lightness[k * 10]).collect();
    assert!(tenths.iter().all(|d| (0.6 * step..1.4 * step).contains(d)), "{tenths:?}");
}

#[test]
fn the_diverging_map_darkens_alike_on_both_sides_of_its_middle() {
    let at = |t: f64| DIVERGING.at(t).lightness();
    for k in 0..50 {
        let (near, far) = (f64::from(k) / 100.0, f64::from(k + 1) / 100.0);
        assert!(at(0.5 - near) > at(0.5 - far) && at(0.5 + near) > at(0.5 + far));
        assert!(
            (at(0.5 - near) - at(0.5 + near)).abs() < 4.0,
            "{near}: {} {}",
            at(0.5 - near),
            at(0.5 + near)
        );
    }
    assert!(at(0.5) > 95.0);
}

#[test]
fn label_colours_can_be_read_on_white() {
    for colour in OKABE_ITO {
        assert!(1.05 / (colour.as_ink().luminance() + 0.05) >= 4.5);
    }
}
