//! Groups against the baseline: tests, pairs of seeds, intervals.

use super::*;

/// Against three seeds: the same three, three others, and none that ended.
#[test]
fn the_title_of_differences_tells_what_was_tested() {
    let root = tempfile::tempdir().unwrap();
    let write = |hash: &str, seeds: std::ops::Range<u64>, status: &str, step: f64| {
        for seed in seeds {
            let accuracies = [0.5 + step * (seed + 1) as f64];
            let run = Run { hash, seed, status, accuracies: &accuracies, ..Run::default() };
            run.write(root.path(), &format!("{hash}{seed}"));
        }
    };
    let title = |test: Test| report::markdown(&compared(root.path(), Options { test, ..Options::default() }), &[]);
    write("a", 0..3, "done", 0.01);
    write("b", 0..3, "failed", 0.02);
    assert!(!title(Test::Welch).contains("Holm"), "{}", title(Test::Welch));
    write("c", 0..3, "done", 0.03);
    assert!(title(Test::Wilcoxon).contains("signed-rank test; intervals: bootstrap, paired by seed"));
    write("d", 3..6, "done", 0.04);
    let (welch, wilcoxon) = (title(Test::Welch), title(Test::Wilcoxon));
    assert!(title(Test::Paired).contains("Student's t-test of pairs where there are seeds in common, else Welch's"));
    assert!(welch.contains("Welch's t-test, p corrected for 2 comparisons (Holm); intervals: bootstrap\n"), "{welch}");
    assert!(welch.contains("| failed ") && !welch.contains("in common"), "{welch}");
    let fell_back = "note: a #d: too few seeds in common with #1: Wilcoxon's rank-sum test in place of";
    for words in [
        "signed-rank test where there are seeds in common, else",
        "rank-sum test",
        "by seed where the test is",
        fell_back,
    ] {
        assert!(wilcoxon.contains(words), "`{words}` is not in {wilcoxon}");
    }
}

#[test]
fn what_is_missing_for_a_verdict_is_said() {
    let said = |values: [&[f64]; 2], options: Options| {
        let root = tempfile::tempdir().unwrap();
        of_seeds(root.path(), values);
        let found = compared(root.path(), options);
        let verdicts = found.judge(&["#2 > #1 at 0.05".parse().unwrap()]).unwrap();
        assert!(!verdicts[0].holds);
        report::markdown(&found, &verdicts)
    };
    let by_time = Options { target: Some(0.7), by: Quantity::Time, ..Options::default() };
    let [wilcoxon, pairs] = [Test::Wilcoxon, Test::Paired].map(|test| Options { test, ..Options::default() });
    let few = said([&[0.5], &[0.6]], Options::default());
    assert!(few.contains("| too few runs to tell") && few.contains(", too few runs to test)"), "{few}");
    assert!(said([&[0.5], &[0.6]], wilcoxon.clone()).contains("| too few runs to tell"));
    let rounded = [&[0.80, 0.81, 0.82][..], &[0.82, 0.83, 0.84]];
    for (words, values, options) in [
        ("not all runs reached the target", [&[0.8, 0.8][..], &[0.8, 0.6]], by_time),
        ("the values do not vary: no test", [&[0.5, 0.5][..], &[0.6, 0.6]], Options::default()),
        ("the runs of each seed are equal: no test", [&[0.5, 0.6][..], &[0.5, 0.6]], wilcoxon),
        ("the runs of each seed differ by the same: no test", [&[0.5, 0.75][..], &[0.25, 0.5]], pairs.clone()),
        ("the runs of each seed differ by the same: no test", rounded, pairs),
        ("not all values are finite: no test", [&[0.5, 0.6][..], &[0.5, f64::NAN]], Options::default()),
    ] {
        let text = said(values, options);
        assert!(text.contains(&format!("| {words}")) && text.contains(&format!("{words})")), "{words}: {text}");
        assert!(!text.contains("too few runs") && !text.contains("NaN ±"), "{text}");
        assert!(!text.contains("difference NaN"), "{text}");
    }
}

/// Values that rise and fall together, as of trials with a beginning in common: pairs tell what means cannot.
#[test]
fn pairs_settle_what_their_seeds_have_in_common() {
    let root = tempfile::tempdir().unwrap();
    of_seeds(root.path(), [&[0.28, 0.20, 0.27, 0.30], &[0.27, 0.185, 0.261, 0.292]]);
    let contrast = |test: Test| compared(root.path(), Options { test, ..Options::default() }).contrasts[0].clone();
    let (welch, pairs) = (contrast(Test::Welch), contrast(Test::Paired));
    assert!(welch.p.unwrap() > 0.5 && welch.more_seeds.unwrap() > 50, "{welch:?}");
    assert!(pairs.p.unwrap() < 0.02 && pairs.more_seeds == Some(0), "{pairs:?}");
}

/// Pairs are the seeds that both have; the test of means takes all.
#[test]
fn pairs_are_of_the_seeds_in_common() {
    let root = tempfile::tempdir().unwrap();
    of_seeds(root.path(), [&[0.28, 0.20, 0.27, 0.30, 0.90], &[0.27, 0.185, 0.261, 0.292]]);
    let with = |test: Test| compared(root.path(), Options { test, ..Options::default() });
    let (welch, pairs) = (with(Test::Welch), with(Test::Paired));
    let contrast = &pairs.contrasts[0];
    assert_eq!((contrast.pairing, contrast.test, contrast.left_out), (Pairing::Paired, Test::Paired, [0, 1]));
    assert!((contrast.difference + 0.0105).abs() < 1e-12 && contrast.p.unwrap() < 0.02, "{contrast:?}");
    assert!(welch.contrasts[0].difference < -0.1 && welch.contrasts[0].p.unwrap() > 0.2, "{welch:?}");
    let words = "a #b: the difference is over the 4 seeds that #1 has too, without 1 run of the baseline's";
    assert!(pairs.notes.iter().any(|note| note == words), "{:?}", pairs.notes);
    assert!(!welch.notes.iter().any(|note| note.contains("without")), "{:?}", welch.notes);

    // One seed in common is no pair to test: what is done instead is named to people and programs.
    for folder in ["b1", "b2", "b3"] {
        fs::remove_dir_all(root.path().join(folder)).unwrap();
    }
    Run { hash: "b", seed: 9, accuracies: &[0.26], ..Run::default() }.write(root.path(), "b9");
    let found = with(Test::Paired);
    assert_eq!((found.contrasts[0].test, found.contrasts[0].pairing), (Test::Welch, Pairing::Unpaired));
    let verdicts = found.judge(&["#1 > #2 at 0.05".parse().unwrap()]).unwrap();
    let text = report::markdown(&found, &verdicts);
    for words in
        ["too few seeds in common with #1: Welch's t-test in place of", "by Welch's t-test: too few seeds in common"]
    {
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
    let json = report::json(&found, &verdicts);
    assert_eq!([&json["groups"][1]["contrast"]["test"], &json["expectations"][0]["test"]], ["welch", "welch"]);
    let mut csv = Vec::new();
    report::csv(&found, &mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].ends_with(",more_seeds,pairing,test") && lines[2].ends_with(",unpaired,welch"), "{csv}");
    for test in [Test::Welch, Test::Paired, Test::Wilcoxon] {
        assert_eq!(json!(test), test.name());
    }
    assert_eq!([json!(Pairing::Unpaired), json!(Pairing::Paired)], ["unpaired", "paired"]);
}

/// Two pairs tell less than ten runs a side.
#[test]
fn groups_that_have_few_of_their_seeds_in_common_are_not_paired() {
    let root = tempfile::tempdir().unwrap();
    let write = |hash: &str, seeds: std::ops::Range<u64>, step: f64| {
        for seed in seeds {
            let run = Run { hash, seed, accuracies: &[0.5 + step * seed as f64], ..Run::default() };
            run.write(root.path(), &format!("{hash}{seed}"));
        }
    };
    write("a", 0..10, 0.001);
    write("b", 8..18, 0.002);
    for (test, done) in [(Test::Wilcoxon, Test::Wilcoxon), (Test::Paired, Test::Welch)] {
        let found = compared(root.path(), Options { test, ..Options::default() });
        let contrast = &found.contrasts[0];
        assert_eq!((contrast.pairing, contrast.test, contrast.runs), (Pairing::Unpaired, done, 10));
        assert!(contrast.p.unwrap() < 0.001, "{contrast:?}");
        assert!(found.notes.iter().any(|note| note.contains("too few seeds in common with #1")), "{:?}", found.notes);
    }
    // Five of ten are half.
    write("c", 5..15, 0.002);
    let found = compared(root.path(), Options { test: Test::Wilcoxon, ..Options::default() });
    assert_eq!((found.contrasts[1].pairing, found.contrasts[1].left_out), (Pairing::Paired, [5, 5]));
}

#[test]
fn an_interval_is_of_three_runs_or_more_and_narrow_below_six() {
    let (a, b) = ([0.50, 0.52, 0.55, 0.51, 0.53, 0.54], [0.60, 0.61, 0.67, 0.62, 0.65, 0.62]);
    for (runs, has, narrow) in [(2, false, false), (3, true, true), (5, true, true), (6, true, false)] {
        let root = tempfile::tempdir().unwrap();
        of_seeds(root.path(), [&a[..runs], &b[..runs]]);
        let found = compared(root.path(), Options::default());
        assert_eq!(found.notes == [NARROW], narrow, "{runs}: {:?}", found.notes);
        let text = report::markdown(&found, &[]);
        assert_eq!(text.matches("too narrow").count(), usize::from(narrow), "{text}");
        assert_eq!(text.contains("intervals: bootstrap"), has, "{text}");
        let contrast = &report::json(&found, &[])["groups"][1]["contrast"];
        assert_eq!(contrast["interval"].is_object(), has, "{contrast}");
        assert!(contrast.get("interval").is_some() && contrast.get("untested").is_none(), "{contrast}");
        let mut csv = Vec::new();
        report::csv(&found, &mut csv).unwrap();
        let mut reader = ::csv::Reader::from_reader(&csv[..]);
        let low = reader.headers().unwrap().iter().position(|head| head == "low").unwrap();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(!rows[1][low].is_empty(), has, "{:?}", rows[1]);
    }
}

#[test]
fn an_interval_is_as_sure_as_alpha_asks() {
    let root = tempfile::tempdir().unwrap();
    of_seeds(root.path(), [&[0.50, 0.52, 0.55, 0.51, 0.53], &[0.60, 0.61, 0.67, 0.62, 0.65]]);
    let width = |alpha: f64| {
        let found = compared(root.path(), Options { alpha, ..Options::default() });
        let interval = found.contrasts[0].interval.unwrap();
        (interval.high - interval.low, report::markdown(&found, &[]))
    };
    let ((usual, text), (wide, sure)) = (width(0.05), width(0.01));
    assert!(wide > usual, "{wide} {usual}");
    assert!(text.contains(" 95 % interval ") && sure.contains(" 99 % interval "), "{text}{sure}");
    assert!(width(0.001).1.contains(" 99.9 % interval "));
}
