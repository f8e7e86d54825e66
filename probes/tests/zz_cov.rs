#![allow(clippy::unwrap_used, clippy::print_stdout)]
mod common;
use common::{Noise, pairs, pure_groups};
use rayon::prelude::*;
use recant_probes::{Bootstrap, DeLong, Labelled, Method, Metric, Scored};

fn sample(labelled: &Labelled, delta: f64, rho: f64, noise: &mut Noise) -> Vec<f64> {
    let shared: Vec<f64> = (0..labelled.n_groups()).map(|_| f64::from(noise.normal())).collect();
    (0..labelled.n())
        .map(|row| {
            let y = f64::from(labelled.labels()[row]);
            delta * y
                + rho.sqrt() * shared[labelled.groups()[row]]
                + (1.0 - rho).sqrt() * f64::from(noise.normal())
        })
        .collect()
}

#[test]
fn table() {
    let reps = 1500;
    let designs: Vec<(&str, fn(usize) -> Labelled)> =
        vec![("pure4", |g| pure_groups(g, 4)), ("single", |g| pure_groups(g, 1))];
    for (name, make) in designs {
        for groups in [30, 60, 120] {
            for (auroc, root2delta) in
                [(0.5, 0.0), (0.75, 0.6744897501960817), (0.9, 1.2815515655446004), (0.97, 1.880793608151251)]
            {
                let labelled = make(groups);
                let delta = root2delta * 2f64.sqrt();
                let hits: Vec<[[f64; 4]; 3]> = (0..reps)
                    .into_par_iter()
                    .map(|rep| {
                        let mut noise = Noise(1 + rep * 7919);
                        for _ in 0..10 {
                            noise.uniform();
                        }
                        let d = sample(&labelled, delta, 0.5, &mut noise);
                        let scored = Scored::new(&d, labelled.labels());
                        let run = |method| {
                            let b = Bootstrap { resamples: 1000, method, seed: rep, ..Bootstrap::default() };
                            let [i] =
                                b.intervals(&labelled, |c| [Metric::Auroc.weighted(&scored, c)]).unwrap();
                            i.map_or([0.0, 0.0, 0.0, 0.0], |i| {
                                [f64::from(i.low > auroc), f64::from(i.high < auroc), i.high - i.low, 1.0]
                            })
                        };
                        let delong = DeLong::of(&labelled, &d).unwrap().unwrap().interval(0.95).unwrap();
                        [
                            run(Method::Percentile),
                            run(Method::Bca),
                            [
                                f64::from(delong[0] > auroc),
                                f64::from(delong[1] < auroc),
                                delong[1] - delong[0],
                                1.0,
                            ],
                        ]
                    })
                    .collect();
                let mean = |m: usize, k: usize| hits.iter().map(|h| h[m][k]).sum::<f64>() / reps as f64;
                let show = |m: usize| {
                    format!(
                        "{:.1} ({:.1}/{:.1}) w{:.3} d{:.2}",
                        100.0 * (mean(m, 3) - mean(m, 0) - mean(m, 1)),
                        100.0 * mean(m, 0),
                        100.0 * mean(m, 1),
                        mean(m, 2),
                        mean(m, 3)
                    )
                };
                println!(
                    "{name} G={groups} A={auroc}: perc {} | bca {} | delong {}",
                    show(0),
                    show(1),
                    show(2)
                );
            }
        }
    }
}
