use super::*;
use crate::registry::{Choice, RampValue, Value};
use proptest::prelude::*;

fn value(from: f64, to: Option<f64>, kind: &str) -> RampValue {
    RampValue::new(from, to, Choice::plain(kind))
}

fn poly(from: f64, to: Option<f64>, power: f64) -> RampValue {
    let settings = Settings([("power".to_owned(), Value::Float(power))].into());
    RampValue::new(from, to, Choice { kind: "poly".into(), settings })
}

fn power(from: f64, to: f64, exponent: f64) -> RampValue {
    let settings = Settings([("exponent".to_owned(), Value::Float(exponent))].into());
    RampValue::new(from, Some(to), Choice { kind: "power".into(), settings })
}

fn inverse(from: f64, to: Option<f64>, power: f64) -> RampValue {
    RampValue::new(from, to, Choice::with("inverse", [("power", Value::Float(power))]))
}

fn points(from: f64, to: f64, points: &[&[f64]]) -> RampValue {
    let list = |numbers: &&[f64]| Value::List(numbers.iter().map(|number| Value::Float(*number)).collect());
    let points = Value::List(points.iter().map(list).collect());
    RampValue::new(from, Some(to), Choice::with("points", [("points", points)]))
}

fn ramp(value: &RampValue) -> Ramp {
    Ramp::new(value).unwrap()
}

/// Figures from Python's `math`, n = 7.
#[test]
fn curves_match_figures_computed_elsewhere() {
    let cases = [
        (value(0.01, Some(0.1), "linear"), [0.022857142857142857, 0.04857142857142857, 0.08714285714285715]),
        (value(0.95, Some(0.85), "cosine"), [0.945048443395121, 0.9111260466978157, 0.854951556604879]),
        (value(1e-5, Some(10.0), "exponential"), [7.19685673001152e-05, 0.0037275937203149387, 1.3894954943731368]),
        (poly(0.4, None, 0.9), [0.34818325474366374, 0.24172732579160053, 0.06941794537366099]),
        (power(0.1, 0.9, 3.0), [0.10233236151603499, 0.16297376093294462, 0.6037900874635568]),
        (value(0.3, None, "constant"), [0.3, 0.3, 0.3]),
        (inverse(0.1, Some(0.01), 0.5), [0.025697808437502336, 0.015174424466672103, 0.01079224470428055]),
        (inverse(0.1, Some(0.001), 1.0), [0.006603773584905661, 0.0023026315789473686, 0.0011647254575707156]),
        (value(0.3, Some(0.03), "rex"), [0.2792307692307693, 0.22636363636363635, 0.09750000000000003]),
        (points(1.0, 0.0, &[&[0.25, 0.5], &[0.5, 0.5], &[0.5, 0.2]]), [0.7142857142857143, 0.5, 0.05714285714285716]),
    ];
    for (value, expected) in cases {
        let ramp = ramp(&value);
        for (i, expected) in [1, 3, 6].into_iter().zip(expected) {
            let got = ramp.at(i, 7);
            assert!((got / expected - 1.0).abs() < 1e-14, "{ramp} at {i}/7: {got}, expected {expected}");
        }
    }
}

#[test]
fn a_missing_end_is_zero_where_zero_can_be_reached() {
    for kind in ["linear", "cosine"] {
        assert_eq!(ramp(&value(0.4, None, kind)).to(), 0.0);
    }
    assert_eq!(ramp(&poly(0.4, None, 2.0)).to(), 0.0);
    assert_eq!(ramp(&value(0.4, None, "constant")).to(), 0.4);
    assert_eq!(Ramp::new(&value(0.4, None, "exponential")).unwrap_err().key, "to");
}

#[test]
fn ends_that_cannot_be_joined_are_errors() {
    let cases = [
        (value(0.4, Some(0.0), "exponential"), "to"),
        (value(0.0, Some(0.4), "exponential"), "from"),
        (value(0.4, Some(-0.4), "exponential"), "to"),
        (value(0.4, Some(0.5), "constant"), "to"),
        (value(0.4, None, "cosin"), "curve"),
        (inverse(0.4, None, 0.5), "to"),
        (inverse(0.0, Some(0.4), 0.5), "from"),
        (inverse(0.5, Some(1e-300), 0.01), "to"),
        (points(1.0, 0.0, &[&[0.0, 1.0], &[0.0, 0.5]]), "curve"),
        (points(1.0, 0.0, &[&[1.0, 0.5], &[1.0, 0.0]]), "curve"),
        (points(1.0, 0.0, &[&[0.5]]), "curve"),
        (points(1.0, 0.0, &[&[0.5, 0.1], &[0.4, 0.1]]), "curve"),
        (points(1.0, 0.0, &[&[0.5, 0.1], &[1.5, 0.1]]), "curve"),
        (points(1.0, 0.0, &[&[0.5, 0.1], &[0.5, 0.2], &[0.5, 0.3]]), "curve"),
        (points(1.0, 0.0, &[&[0.0, 0.5], &[0.5, 0.2]]), "curve"),
    ];
    for (value, key) in cases {
        let error = Ramp::new(&value).unwrap_err();
        assert_eq!(error.key, key, "{error}");
        assert!(!error.help.is_empty());
    }
}

#[test]
fn a_shape_may_lie_beyond_its_ends() {
    let over = ramp(&points(1.0, 0.5, &[&[0.25, 1.5], &[0.5, -0.5]]));
    assert_eq!(over.range(), [0.25, 1.25]);
    assert_eq!([0, 1, 2, 3].map(|i| over.at(i, 4)), [1.0, 1.25, 0.25, 0.375]);
    assert_eq!(ramp(&value(0.1, Some(0.4), "cosine")).range(), [0.1, 0.4]);
}

#[test]
fn words() {
    assert_eq!(ramp(&value(0.9, None, "constant")).to_string(), "0.9");
    assert_eq!(ramp(&value(0.01, Some(0.1), "linear")).to_string(), "0.01 → 0.1 linear");
    assert_eq!(ramp(&poly(0.4, None, 0.9)).to_string(), "0.4 → 0 poly 0.9");
}

fn any_ramp() -> impl Strategy<Value = RampValue> {
    let ends = (1e-6..2.0f64, 1e-6..2.0f64);
    (ends, 0usize..8, 0.1..5.0f64).prop_map(|((from, to), kind, power)| match kind {
        0 => value(from, None, "constant"),
        1 => value(from, Some(to), "linear"),
        2 => value(from, Some(to), "cosine"),
        3 => value(from, Some(to), "exponential"),
        4 => inverse(from, Some(to), power),
        5 => value(from, Some(to), "rex"),
        6 => points(from, to, &[&[0.3, 0.9], &[0.3, 0.8], &[0.7, 0.8]]),
        _ => poly(from, Some(to), power),
    })
}

proptest! {
    #[test]
    fn starts_at_from_and_goes_one_way(value in any_ramp(), n in 1u64..200) {
        let ramp = ramp(&value);
        prop_assert_eq!(ramp.at(0, n).to_bits(), value.from.to_bits());
        let slack = 4.0 * f64::EPSILON * ramp.from().abs().max(ramp.to().abs());
        let falling = ramp.to() < ramp.from();
        for i in 1..n {
            let (before, here) = (ramp.at(i - 1, n), ramp.at(i, n));
            let step = if falling { before - here } else { here - before };
            prop_assert!(step >= -slack, "step {} of {}: {} after {}", i, n, here, before);
            let beyond = if falling { ramp.to() - here } else { here - ramp.to() };
            prop_assert!(beyond <= slack, "step {} of {} passes the end: {}", i, n, here);
        }
    }

    #[test]
    fn poly_one_is_linear(from in -2.0..2.0f64, to in -2.0..2.0f64, n in 1u64..1000) {
        let (line, power) = (ramp(&value(from, Some(to), "linear")), ramp(&poly(from, Some(to), 1.0)));
        // The difference of the ends has an ulp of its own size.
        let ulp = 2.0 * f64::EPSILON * (from.abs() + to.abs());
        for i in 0..n {
            prop_assert!((line.at(i, n) - power.at(i, n)).abs() <= ulp);
        }
    }
}
