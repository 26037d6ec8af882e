//! What each axis does.

use super::*;
use crate::compare::effects::{AxisEffect, Tested};

/// Two peaks by three lengths, two seeds each: the length matters, and seed 1 is better everywhere.
fn grid(root: &Path, missing: &str) {
    for (p, peak) in [0.1, 0.2].into_iter().enumerate() {
        for (l, length) in [10, 2, 5].into_iter().enumerate() {
            let hash: &'static str = ["aa", "ab", "ac", "ba", "bb", "bc"][3 * p + l];
            for seed in (0..2).filter(|_| hash != missing) {
                let noise = [0.0, 0.004, 0.001, 0.003][(2 * p + l + seed) % 4];
                let accuracy = 0.80 + 0.01 * f64::from(length) + 0.01 * seed as f64 + noise;
                let settings = json!({ "lr": peak, "epochs": length });
                let run = Run { seed: seed as u64, hash, settings, accuracies: &[accuracy], ..Run::default() };
                run.write(root, &format!("{hash}{seed}"));
            }
        }
    }
}

#[test]
fn what_each_axis_does_is_told_over_the_others() {
    let root = tempfile::tempdir().unwrap();
    grid(root.path(), "");
    let found = compared(root.path(), Options::default());
    let effects = found.effects.as_ref().unwrap();
    let [epochs, lr] = &effects.axes[..] else { panic!("two axes") };
    assert_eq!((epochs.name.as_str(), lr.name.as_str()), ("epochs", "lr"));
    let values = |axis: &AxisEffect| axis.levels.iter().map(|level| level.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(epochs), ["2", "5", "10"], "numbers in order");
    assert_eq!(epochs.levels.iter().map(|level| (level.points, level.n)).collect::<Vec<_>>(), [(2, 4); 3]);
    let ours: f64 =
        found.groups.iter().filter(|group| group.differing["epochs"] == 2).map(|g| g.last().unwrap().mean).sum();
    assert!((epochs.levels[0].mean - ours / 2.0).abs() < 1e-12);
    assert!((effects.df, effects.repeated, effects.by_seed, effects.left_out) == (6, true, false, 0));
    let p = |tested: &Option<Tested>| tested.map(|tested| (tested.effect.p, tested.p_adjusted)).unwrap();
    assert!(p(&epochs.test).1 < 0.001 && p(&lr.test).0 > 0.5, "{effects:?}");
    assert!((p(&epochs.test).1 - 3.0 * p(&epochs.test).0).abs() < 1e-15, "the smallest of three");
    for words in [report::terminal(&found, &[], 100), report::markdown(&found, &[])] {
        assert!(words.contains("what each axis does, in the mean over the others: final val_acc; F-tests"), "{words}");
        assert!(words.contains("whether one hangs on another"), "{words}");
    }
    let json = report::json(&found, &[]);
    assert_eq!(json["effects"]["axes"][0]["levels"][2]["value"], "10");
    assert_eq!(json["effects"]["axes"][0]["test"]["df"], 2);

    // Taken together by seed, what seed 1 is better by is no error.
    let paired = compared(root.path(), Options { test: Test::Paired, ..Options::default() }).effects.unwrap();
    assert!(paired.by_seed && paired.df == 5);
    assert!(paired.axes[0].test.unwrap().effect.f > epochs.test.unwrap().effect.f);
}

#[test]
fn axes_with_points_missing_are_told_too_and_what_is_not_crossed_is_not() {
    let root = tempfile::tempdir().unwrap();
    grid(root.path(), "bc");
    let effects = compared(root.path(), Options::default()).effects.unwrap();
    assert_eq!(effects.axes[0].levels.iter().map(|level| level.points).collect::<Vec<_>>(), [2, 1, 2]);
    assert_eq!(effects.df, 5);
    // One point of the better lengths is missing at the higher rate, which is no worse for that.
    let [low, high] = &effects.axes[1].levels[..] else { panic!("two rates") };
    assert!((low.mean - high.mean).abs() < 0.005, "{low:?} {high:?}");
    // A point that diverged has no result.
    for seed in 0..2 {
        let settings = json!({ "lr": 0.2, "epochs": 5 });
        let run = Run { seed, hash: "bc", settings, status: "diverged", accuracies: &[0.1], ..Run::default() };
        run.write(root.path(), &format!("bc{seed}"));
    }
    let found = compared(root.path(), Options::default());
    assert_eq!(found.effects.as_ref().unwrap().left_out, 1);
    assert!(report::terminal(&found, &[], 100).contains("; 1 point without a result left out"));
    assert_eq!(found.effects.as_ref().unwrap().lost, 0);
    let run =
        Run { seed: 9, hash: "aa", settings: json!({ "lr": 0.1, "epochs": 10 }), status: "diverged", ..Run::default() };
    run.write(root.path(), "aa9");
    let found = compared(root.path(), Options::default());
    assert_eq!(found.effects.as_ref().unwrap().lost, 1);
    assert!(report::terminal(&found, &[], 100).contains("of the others 1 seed that diverged"));
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    assert_eq!(compared(root.path(), Options::default()).effects, None, "one axis");
}
