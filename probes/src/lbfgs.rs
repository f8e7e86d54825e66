//! Minimisation by limited-memory BFGS (Nocedal, 1980), with a line search that also stands kinks (Lewis and Overton,
//! 2013).

use std::collections::VecDeque;

use ndarray::Array1;

/// Steps remembered.
const MEMORY: usize = 20;
const ARMIJO: f64 = 1e-4;
const WOLFE: f64 = 0.9;
/// Relative differences of values that are rounding.
const ROUNDING: f64 = 1e-14;
const MAX_TRIALS: usize = 60;

/// A function at a point.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) at: Array1<f64>,
    pub(crate) value: f64,
    pub(crate) gradient: Array1<f64>,
    /// The gradient norm by which convergence is judged.
    pub(crate) norm: f64,
}

/// Goes downhill from `start` until the norm is at most `wanted`, no step leads further down, or `max_steps` are taken.
pub(crate) fn minimise(
    evaluate: impl Fn(Array1<f64>) -> Point,
    start: Array1<f64>,
    wanted: f64,
    max_steps: usize,
) -> Point {
    let mut point = evaluate(start);
    let mut memory: VecDeque<Pair> = VecDeque::new();
    for _ in 0..max_steps {
        if point.norm <= wanted {
            break;
        }
        let direction = downhill(&point.gradient, &memory);
        let Some(next) = search(&evaluate, &point, &direction) else {
            if memory.is_empty() {
                break;
            }
            // What is remembered of the curvature misled: start anew along the gradient.
            memory.clear();
            continue;
        };
        let (step, change) = (&next.at - &point.at, &next.gradient - &point.gradient);
        let bend = step.dot(&change);
        if bend > 0.0 {
            memory.push_back(Pair { step, change, bend });
        }
        if memory.len() > MEMORY {
            memory.pop_front();
        }
        point = next;
    }
    point
}

/// A step, and what it changed of the gradient.
struct Pair {
    step: Array1<f64>,
    change: Array1<f64>,
    bend: f64,
}

/// The two-loop recursion.
fn downhill(gradient: &Array1<f64>, memory: &VecDeque<Pair>) -> Array1<f64> {
    let mut direction = -gradient;
    let mut shares = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let share = pair.step.dot(&direction) / pair.bend;
        direction.scaled_add(-share, &pair.change);
        shares.push(share);
    }
    match memory.back() {
        Some(last) => direction *= last.bend / last.change.dot(&last.change),
        None => direction /= gradient.dot(gradient).sqrt().max(1.0),
    }
    for (pair, share) in memory.iter().zip(shares.into_iter().rev()) {
        let back = pair.change.dot(&direction) / pair.bend;
        direction.scaled_add(share - back, &pair.step);
    }
    direction
}

/// A point along the direction that is lower and less steep, by doubling and halving.
fn search(evaluate: &impl Fn(Array1<f64>) -> Point, from: &Point, direction: &Array1<f64>) -> Option<Point> {
    let slope = from.gradient.dot(direction);
    if slope.is_nan() || slope >= 0.0 {
        return None;
    }
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
    let mut lower = None;
    for _ in 0..MAX_TRIALS {
        let point = evaluate(&from.at + &(direction * length));
        let allowed = from.value + ARMIJO * length * slope + ROUNDING * from.value.abs();
        if point.value.is_nan() || point.value > allowed {
            high = length;
        } else if point.gradient.dot(direction) < WOLFE * slope {
            low = length;
            lower = Some(point);
        } else {
            return Some(point);
        }
        length = if high.is_finite() { (low + high) / 2.0 } else { 2.0 * low };
    }
    lower
}

/// Holds a gradient to finite differences.
#[cfg(test)]
pub(crate) fn slopes_agree(evaluate: impl Fn(Array1<f64>) -> Point, at: &Array1<f64>, tolerance: f64) {
    let gradient = evaluate(at.clone()).gradient;
    for i in 0..at.len() {
        let moved = |by: f64| {
            let mut to = at.clone();
            to[i] += by;
            evaluate(to).value
        };
        let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        assert!((slope - gradient[i]).abs() < tolerance, "{i}: {slope} {}", gradient[i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_valley_of_rosenbrock_is_followed_to_its_end() {
        let evaluate = |at: Array1<f64>| {
            let (x, y) = (at[0], at[1]);
            let gradient =
                Array1::from(vec![-2.0 * (1.0 - x) - 400.0 * x * (y - x * x), 200.0 * (y - x * x)]);
            let value = (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
            Point { norm: gradient.dot(&gradient).sqrt(), at, value, gradient }
        };
        let found = minimise(evaluate, Array1::from(vec![-1.2, 1.0]), 1e-10, 200);
        assert!(found.norm <= 1e-10);
        assert!(found.at.iter().all(|value| (value - 1.0).abs() < 1e-9));
    }

    #[test]
    fn a_function_without_a_minimum_ends_after_the_steps_allowed() {
        let evaluate = |at: Array1<f64>| Point { value: -at[0], gradient: -Array1::ones(1), norm: 1.0, at };
        assert_eq!(minimise(evaluate, Array1::zeros(1), 1e-3, 5).norm, 1.0);
    }
}
