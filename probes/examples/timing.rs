use ndarray::{Array2, Array3};
use recant_probes::*;
use std::time::Instant;
struct Noise(u64);
impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
    fn normal(&mut self) -> f32 {
        let (u, v) = (self.uniform().max(1e-12), self.uniform());
        ((-2.0 * u.ln()).sqrt() * (6.283185307 * v).cos()) as f32
    }
}
fn main() {
    let a: Vec<usize> = std::env::args().skip(1).map(|v| v.parse().unwrap()).collect();
    let (n, d, decay) = (a[0], a[1], a.get(2).copied().unwrap_or(0));
    let mut r = Noise(1);
    let labels: Vec<i64> = (0..n).map(|_| (r.uniform() < 0.5) as i64).collect();
    let groups: Vec<i64> = (0..n as i64).map(|i| i / 4).collect();
    let mut x = Array2::<f32>::from_shape_simple_fn((n, d), || r.normal());
    if decay > 0 {
        // correlated columns: few strong factors
        let k = 40;
        let f = Array2::<f32>::from_shape_simple_fn((n, k), || r.normal());
        let l = Array2::<f32>::from_shape_simple_fn((k, d), || r.normal());
        let mut l = l;
        for i in 0..k {
            let s = 8.0 / (1.0 + i as f32);
            l.row_mut(i).mapv_inplace(|v| v * s);
        }
        x = &x * 0.3 + f.dot(&l);
    }
    for i in 0..n {
        x[[i, 0]] += 0.1 * (labels[i] as f32 - 0.5);
    }
    let labelled = Labelled::new(&labels, &groups).unwrap();
    let data = Dataset::new(x.view(), &labelled).unwrap();
    let folds = Folds::grouped(&labelled, 5, 0).unwrap();
    let path: Vec<f64> = (-4..3).map(|e| 10f64.powi(e)).collect();
    for _ in 0..1 {
        let s = Instant::now();
        let p = Logistic::default().cross_validate_path(&data, &folds, &path).unwrap();
        let t = s.elapsed();
        let best = p
            .iter()
            .map(|v| Metric::Auroc.of(&Scored::new(v, labelled.labels())).unwrap())
            .collect::<Vec<_>>();
        println!("sweep {t:?} {best:.4?}");
    }
    let s = Instant::now();
    let p = Logistic::default().fit(&data).unwrap();
    println!("fit C=1 {:?} {}", s.elapsed(), p.intercept);
    let settings = Settings {
        probe: Kind::Logistic(Logistic { c: 0.01, ..Logistic::default() }),
        permutations: 0,
        bootstrap: Bootstrap { resamples: 0, ..Default::default() },
        ..Default::default()
    };
    let x3: Array3<f32> = x.clone().insert_axis(ndarray::Axis(0));
    let s = Instant::now();
    let _ = fit_layers(x3.view(), &labelled, &settings).unwrap();
    let t0 = s.elapsed();
    let s = Instant::now();
    let p = fit_layers(x3.view(), &labelled, &Settings { permutations: 1000, ..settings.clone() }).unwrap();
    println!(
        "fit_layers no perm {t0:?}, with 1000 {:?} p={:?}",
        s.elapsed(),
        p[0].permutation.as_ref().map(|t| (t.p, t.observed))
    );
}
