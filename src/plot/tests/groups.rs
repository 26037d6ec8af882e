//! Pictures of comparisons.

use super::*;

const ACCURACY: Metric<'static> = Metric { name: "val_acc", percent: true, lower_is_better: false, target: Some(0.9) };

/// Rises to `last`, over ten evaluations.
fn rising(last: f64) -> Vec<Evaluated> {
    let at = |k: f64| Evaluated {
        seconds: 7.5 * k,
        images: 5000.0 * k,
        mean: last * (1.05 - 0.5 / k),
        deviation: Some(0.02 / k),
    };
    (1..=10).map(|k| at(f64::from(k))).collect()
}

fn words(picture: &str) -> Vec<String> {
    texts(picture).0.into_iter().map(|text| text.1).collect()
}

#[test]
fn groups_are_readable_whatever_their_number_and_names() {
    let plans = plans();
    let traces: Vec<_> = plans.iter().map(|plan| trace(plan)).collect();
    for many in [1, 2, 8, 9, 40] {
        for long in ["", "phases[0].lr.to=0.05, phases[1].lr.from=0.05, phases[1].epochs=2.25, "] {
            let names: Vec<String> = (0..many).map(|k| format!("{long}a={k}")).collect();
            let group = |k: usize| {
                let plan = &plans[k % plans.len()];
                let run = RunRows { name: &names[k], phases: plan, metrics: &[], trace: &traces[k % plans.len()] };
                GroupRows {
                    name: &names[k],
                    runs: 3,
                    done: true,
                    evaluations: rising(0.8 + 0.001 * k as f64),
                    schedule: Some(run),
                }
            };
            let rows: Vec<GroupRows<'_>> = (0..many).map(group).collect();
            for metric in [ACCURACY, Metric { name: "val_loss", percent: false, lower_is_better: true, target: None }] {
                assert_readable(&crate::plot::groups("a-name", &metric, &rows));
            }
        }
    }
    assert_readable(&crate::plot::groups("nothing", &ACCURACY, &[]));
    let none = GroupRows { name: "none", runs: 0, done: true, evaluations: Vec::new(), schedule: None };
    assert_readable(&crate::plot::groups("nothing", &ACCURACY, &[none]));
}

#[test]
fn what_ended_best_is_in_colour_and_has_its_number() {
    let names: Vec<String> = (0..12).map(|k| format!("a rather long name of settings, alike to its end={k}")).collect();
    let group = |k: usize| GroupRows {
        name: &names[k],
        runs: 1,
        done: true,
        evaluations: rising(0.5 + 0.01 * k as f64),
        schedule: None,
    };
    let rows: Vec<GroupRows<'_>> = (0..12).map(group).collect();
    assert_eq!(foremost(&ACCURACY, &rows), [11, 10, 9, 8, 7, 6, 5, 4]);
    let mut some = rows.clone();
    // Those that have not come to their end stand behind, however well they did; what has nothing to draw behind all.
    some[11].done = false;
    some[10].evaluations.clear();
    assert_eq!(foremost(&ACCURACY, &some), [9, 8, 7, 6, 5, 4, 3, 2]);
    assert_eq!(foremost(&ACCURACY, &some[8..]), [1, 0, 3, 2]);
    let loss = Metric { lower_is_better: true, ..ACCURACY };
    assert_eq!(foremost(&loss, &rows)[..2], [0, 1]);
    let all = words(&crate::plot::groups("a-name", &ACCURACY, &rows));
    assert!(all.iter().any(|w| w == "#12 a rather long name of settings, alike to its end=11"), "{all:?}");
    assert!(all.iter().any(|w| w == "#12: 61.0 %") && all.iter().any(|w| w == "target 90.0 %"), "{all:?}");
    assert!(!all.iter().any(|w| w.starts_with("#1:")), "the worst is not named: {all:?}");
}

#[test]
fn equal_schedules_are_drawn_once() {
    let plan = &plans()[1];
    let trace = trace(plan);
    let run = RunRows { name: "", phases: plan, metrics: &[], trace: &trace };
    let group = |name| GroupRows { name, runs: 1, done: true, evaluations: rising(0.9), schedule: Some(run) };
    let all = words(&crate::plot::groups("a-name", &ACCURACY, &[group("a"), group("b")]));
    assert!(all.iter().any(|w| w == "the same for all"), "{all:?}");
}

#[test]
fn wild_values_give_a_picture() {
    for value in [0.0, -1.0, 1e-320, 1e300, f64::MAX, f64::NAN, f64::INFINITY] {
        let e = Evaluated { seconds: value, images: value, mean: value, deviation: Some(value) };
        let mut evaluations = rising(0.9);
        evaluations.extend([e; 3]);
        let rows = [GroupRows { name: "wild", runs: 2, done: true, evaluations, schedule: None }];
        for metric in [ACCURACY, Metric { percent: false, target: Some(value), ..ACCURACY }] {
            let picture = crate::plot::groups("wild", &metric, &rows);
            assert!(!picture.contains("NaN") && !picture.contains("\"inf"), "{value}: {picture}");
            assert!(picture.len() < 1_000_000 && png(&picture, 1.0).is_ok(), "{value}");
        }
    }
}
