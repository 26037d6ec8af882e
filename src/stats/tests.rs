//! Against SciPy 1.17.1 and statsmodels 0.15.0 (`scripts/make_stats_fixtures.py`). Both sides compute in f64 from the same
//! formulas, so p-values agree to 1e-9 of themselves; bootstrap intervals rest on other random numbers and agree to a tenth
//! of their width; the number of samples rests on another approximation and agrees to one, or a twentieth.

use super::*;
use serde_json::Value;

fn fixture(key: &str) -> Vec<Value> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scipy/stats.json");
    let text = std::fs::read_to_string(path).unwrap();
    let content: Value = serde_json::from_str(&text).unwrap();
    content[key].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().map(|list| list.iter().map(|x| x.as_f64().unwrap()).collect()).unwrap_or_default()
}

fn close(found: Option<f64>, expected: f64, what: &str) {
    let found = found.unwrap_or_else(|| panic!("{what}: nothing found"));
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{what}: {found}, SciPy has {expected}");
}

#[test]
fn two_samples_are_compared_as_scipy_does() {
    let mut checked = 0;
    for (k, case) in fixture("two_samples").iter().enumerate() {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let mut check = |key: &str, found: Option<f64>| {
            if let Some(expected) = case[key].as_f64() {
                close(found, expected, &format!("case {k}: {key}"));
                checked += 1;
            }
        };
        let welch = welch(&a, &b);
        check("t", welch.map(|w| w.t));
        check("df", welch.map(|w| w.df));
        check("p", welch.map(|w| w.p));
        check("rank_sum", rank_sum(&a, &b));
        check("signed_rank", signed_rank(&numbers(&case["differences"])));
        check("paired", paired(&a.iter().zip(&b).map(|(x, y)| x - y).collect::<Vec<_>>()));
        check("hedges_g", hedges_g(&a, &b));
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn bootstrap_intervals_are_scipys_but_for_the_draw() {
    for case in fixture("two_samples") {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        for (key, pairing) in [("bootstrap", Pairing::Unpaired), ("bootstrap_paired", Pairing::Paired)] {
            let [low, high] = numbers(&case[key])[..] else { continue };
            let found = bootstrap(&a, &b, pairing, 0.95).unwrap();
            let tolerance = 0.1 * (high - low);
            assert!((found.low - low).abs() < tolerance, "{key}: {found:?}, SciPy has {low}..{high}");
            assert!((found.high - high).abs() < tolerance, "{key}: {found:?}, SciPy has {low}..{high}");
            assert_eq!(bootstrap(&a, &b, pairing, 0.95), Some(found), "the same samples, the same interval");
        }
    }
}

#[test]
fn an_interval_lies_within_a_margin_with_both_its_ends() {
    let interval = Interval { low: -0.2, high: 0.1 };
    assert_eq!([0.3, 0.2, 0.15].map(|margin| interval.is_within(margin)), [true, false, false]);
    assert_eq!(interval.farthest(), -0.2);
    let above = Interval { low: 0.1, high: 0.3 };
    assert!(above.is_within(0.4) && !above.is_within(0.2) && above.farthest() == 0.3);
    assert!(!Interval { low: f64::NAN, high: f64::NAN }.is_within(1.0));
}

#[test]
fn the_number_of_samples_is_about_that_of_the_noncentral_t() {
    for case in fixture("two_samples") {
        let Some(expected) = case["needed"].as_f64() else { continue };
        let found = samples_needed(&numbers(&case["a"]), &numbers(&case["b"]), 0.05, 0.8).unwrap() as f64;
        let expected = expected.ceil();
        assert!((found - expected).abs() <= f64::max(1.0, 0.05 * expected), "{found}, statsmodels has {expected}");
    }
    let mut checked = 0;
    for case in fixture("two_samples") {
        let Some(expected) = case["pairs_needed"].as_f64() else { continue };
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let differences: Vec<f64> = a.iter().zip(&b).map(|(x, y)| x - y).collect();
        let (found, expected) = (pairs_needed(&differences, 0.05, 0.8).unwrap() as f64, expected.ceil());
        assert!(
            (found - expected).abs() <= f64::max(1.0, 0.05 * expected),
            "{found} pairs, statsmodels has {expected}"
        );
        checked += 1;
    }
    assert!(checked > 4, "{checked}");
}

#[test]
fn holm_is_that_of_statsmodels() {
    for case in fixture("holm") {
        for (found, expected) in holm(&numbers(&case["p"])).into_iter().zip(numbers(&case["adjusted"])) {
            close(Some(found), expected, "holm");
        }
    }
}

#[test]
fn factors_are_told_apart_as_statsmodels_does() {
    let levels = |value: &Value| numbers(value).into_iter().map(|level| level as usize).collect::<Vec<_>>();
    let mut checked = 0;
    for (k, case) in fixture("crossed").iter().enumerate() {
        let factors: Vec<Vec<usize>> = case["factors"].as_array().unwrap().iter().map(levels).collect();
        let blocks = case["blocks"].is_array().then(|| levels(&case["blocks"]));
        let found = anova(&factors, blocks.as_deref(), &numbers(&case["values"])).unwrap();
        assert_eq!((Some(found.df as f64), Some(found.repeated)), (case["df"].as_f64(), case["repeated"].as_bool()));
        let mut check = |effect: Option<Effect>, expected: &Value, what: &str| {
            let Some(f) = expected["f"].as_f64() else { return assert_eq!(effect, None) };
            close(effect.map(|effect| effect.f), f, &format!("case {k}: F of {what}"));
            close(effect.map(|effect| effect.p), expected["p"].as_f64().unwrap(), &format!("case {k}: p of {what}"));
            assert_eq!(effect.map(|effect| effect.df as f64), expected["df"].as_f64());
            checked += 1;
        };
        for (x, expected) in case["effects"].as_array().unwrap().iter().enumerate() {
            check(found.factors[x], expected, &format!("factor {x}"));
        }
        check(found.together, &case["together"], "all together");
        for (x, means) in case["means"].as_array().unwrap().iter().enumerate() {
            for (level, mean) in numbers(means).into_iter().enumerate() {
                close(
                    found.means.as_ref().map(|means| means[x][level]),
                    mean,
                    &format!("case {k}: mean of {x}, {level}"),
                );
            }
        }
    }
    assert!(checked > 24, "{checked}");
}

#[test]
fn factors_that_are_not_crossed_or_do_nothing_are_not_told_apart() {
    // One at a time, from a base: three points, three constants.
    let apart = [vec![0, 1, 0, 0, 1, 0], vec![0, 0, 1, 0, 0, 1]];
    assert_eq!(anova(&apart, None, &[0.1, 0.2, 0.3, 0.11, 0.21, 0.31]), None);
    let grid = [vec![0, 0, 1, 1], vec![0, 1, 0, 1]];
    assert_eq!(anova(&grid, None, &[0.3; 4]), None, "nothing varies");
    assert_eq!(anova(&grid, None, &[0.1, 0.2, f64::NAN, 0.3]), None);
    assert!(anova(&grid, None, &[0.1, 0.2, 0.35, 0.3]).is_some());
}

#[test]
fn too_little_to_tell_is_no_number() {
    assert_eq!((deviation(&[1.0]), deviation(&[1.0, 3.0])), (None, Some(2f64.sqrt())));
    assert_eq!(welch(&[1.0], &[1.0, 2.0]), None);
    assert_eq!(welch(&[1.0, 1.0], &[2.0, 2.0]), None);
    assert_eq!(welch(&[1.0, f64::NAN], &[2.0, 3.0]), None);
    assert_eq!(hedges_g(&[1.0, 1.0], &[2.0, 2.0]), None);
    assert_eq!((signed_rank(&[]), signed_rank(&[0.0, 0.0]), rank_sum(&[], &[1.0])), (None, None, None));
    assert_eq!(bootstrap(&[1.0, 1.0], &[2.0, 2.0], Pairing::Unpaired, 0.95), None);
    assert_eq!(bootstrap(&[1.0, 2.0, 4.0], &[2.0, 3.0], Pairing::Paired, 0.95), None);
    for pairing in [Pairing::Unpaired, Pairing::Paired] {
        assert_eq!(bootstrap(&[1.0, 2.0], &[2.0, 4.0], pairing, 0.95), None, "of two values");
        assert!(bootstrap(&[1.0, 2.0, 3.0], &[2.0, 4.0, 5.0], pairing, 0.95).is_some(), "of three");
    }
    assert_eq!(bootstrap(&[1.0, 2.0, 3.0], &[2.0, 4.0], Pairing::Unpaired, 0.95), None);
    assert_eq!(samples_needed(&[1.0, 2.0], &[1.0, 2.0], 0.05, 0.8), None);
    assert_eq!((paired(&[1.0]), paired(&[0.5; 3]), paired(&[f64::NAN, 1.0])), (None, None, None));
    assert_eq!((pairs_needed(&[1.0], 0.05, 0.8), pairs_needed(&[1.0, -1.0], 0.05, 0.8)), (None, None));
    assert!(holm(&[]).is_empty());
}

/// Three times 0.1 by three is a little more than 0.1.
#[test]
fn values_that_are_equal_do_not_vary() {
    let (a, b) = ([0.1; 3], [0.2; 3]);
    assert_eq!((mean(&a), variance(&a), deviation(&a)), (0.1, Some(0.0), Some(0.0)));
    assert_eq!((welch(&a, &b), hedges_g(&a, &b)), (None, None));
    for pairing in [Pairing::Unpaired, Pairing::Paired] {
        assert_eq!(bootstrap(&a, &b, pairing, 0.95), None);
    }
    assert!(mean(&[]).is_nan() && mean(&[f64::NAN; 2]).is_nan());
    assert!(variance(&[f64::INFINITY; 2]).unwrap().is_nan());
}

/// 0.80 − 0.82, 0.81 − 0.83 and 0.82 − 0.84 are three numbers in f64.
#[test]
fn what_rounding_alone_tells_apart_does_not_vary() {
    let (a, b) = ([0.80, 0.81, 0.82], [0.82, 0.83, 0.84]);
    let pairs = differences(&a, &b);
    assert!(pairs.iter().all(|d| *d == pairs[0] && (d + 0.02).abs() < 1e-15), "{pairs:?}");
    assert_eq!((paired(&pairs), bootstrap(&a, &b, Pairing::Paired, 0.95)), (None, None));
    assert!(welch(&a, &b).is_some() && bootstrap(&a, &b, Pairing::Unpaired, 0.95).is_some());
    // One of another sign has the same rank, and one that is nothing but rounding is none.
    assert_eq!(differences(&[0.3, 0.1, 0.1 + 0.2], &[0.1, 0.3, 0.3]), [0.3 - 0.1, 0.1 - 0.3, 0.0]);
    let (a, b) = ([0.3, 0.1 + 0.2, 0.3], [0.4; 3]);
    assert_eq!((welch(&a, &b), hedges_g(&a, &b), deviation(&a)), (None, None, Some(0.0)));
    assert_eq!(bootstrap(&a, &b, Pairing::Unpaired, 0.95), None);
    // What is small beside the others still counts.
    assert_eq!(differences(&[1.0, 0.5], &[1.0 - 1e-12, 0.5]).iter().filter(|d| **d > 0.0).count(), 1);
    assert!(differences(&[f64::INFINITY, 1.0], &[0.0, 0.5])[1] == 0.5);
}

#[test]
fn ranks_need_a_number_of_pairs_for_any_p_at_all() {
    assert_eq!([0.25, 0.05, 0.01, 0.05 / 6.0].map(fewest_pairs), [3, 6, 8, 8]);
    assert_eq!([0.1, 0.05, 0.01, 0.05 / 6.0].map(|alpha| fewest_more(1, 1, alpha)), [2, 3, 4, 4]);
    // Of sides that are unequal the larger one counts, too.
    assert_eq!([(3, 3), (2, 10), (10, 2), (1, 10), (1, 40)].map(|(m, n)| fewest_more(m, n, 0.05)), [1, 0, 0, 1, 0]);
    for n in 1..12_u8 {
        let pairs: Vec<f64> = (1..=n).map(f64::from).collect();
        assert_eq!(fewest_pairs(signed_rank(&pairs).unwrap()), usize::from(n));
        let least = rank_sum(&pairs, &[0.5, 0.25]).unwrap();
        assert_eq!([1.0, 0.99].map(|part| fewest_more(usize::from(n), 2, part * least)), [0, 1]);
    }
}

#[test]
fn three_seeds_a_side_cannot_reach_one_in_twenty_by_ranks() {
    assert_eq!(signed_rank(&[0.1, 0.2, 0.3]), Some(0.25));
    assert_eq!(rank_sum(&[0.4, 0.5, 0.6], &[0.1, 0.2, 0.3]), Some(0.1));
    // With equal values the ways that lead to the same sum are counted too.
    assert_eq!(rank_sum(&[1.0, 1.0], &[1.0, 1.0]), Some(1.0));
}
