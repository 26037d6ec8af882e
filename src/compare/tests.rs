//! From folders to verdicts, over runs written here.

use super::*;
use crate::record::folder::file;
use crate::record::testing::Run;
use crate::stats::Pairing;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Three seeds of two experiments that differ in one ramp's end; the second is better by 0.05.
fn study(root: &Path) {
    for (seed, noise) in [0.000, 0.002, 0.004].into_iter().enumerate() {
        let settings = |to: f64| json!({ "phases[0].lr.to": to, "phases[0].batch": 125 });
        let low =
            Run { seed: seed as u64, settings: settings(0.1), accuracies: &[0.3, 0.80 + noise], ..Run::default() };
        low.write(root, &format!("a{seed}"));
        let high = Run {
            seed: seed as u64,
            hash: "bbbbbbbb",
            settings: settings(0.4),
            accuracies: &[0.5, 0.86, 0.85 - noise],
            ..Run::default()
        };
        high.write(root, &format!("b{seed}"));
    }
}

fn compared(root: &Path, options: Options) -> Comparison {
    compare(&[root.to_owned()], options).unwrap()
}

#[test]
fn runs_that_differ_in_the_seed_are_one_group_named_by_what_differs() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let found = compared(root.path(), Options::default());
    let names: Vec<&str> = found.groups.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(names, ["phases[0].lr.to=0.1", "phases[0].lr.to=0.4"]);
    assert_eq!(found.groups[0].seeds(), [0, 1, 2]);
    let (last, best) = (found.groups[1].last().unwrap(), found.groups[1].best().unwrap());
    assert!((last.mean - 0.848).abs() < 1e-12 && (last.sd.unwrap() - 0.002).abs() < 1e-12);
    assert_eq!((best.mean, best.sd), (0.86, Some(0.0)));
    assert_eq!(found.notes, [NARROW]);

    let [contrast] = &found.contrasts[..] else { panic!("one contrast") };
    assert!((contrast.difference - 0.046).abs() < 1e-12);
    assert!(contrast.is_better(&found.options) && contrast.is_settled(0.05), "{contrast:?}");
    assert_eq!(contrast.pairing, Pairing::Unpaired);
    let other = compared(root.path(), Options { baseline: Some("to=0.4".to_owned()), ..Options::default() });
    assert!((other.contrasts[0].difference + 0.046).abs() < 1e-12);
}

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
    let values = |axis: &effects::AxisEffect| axis.levels.iter().map(|level| level.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(epochs), ["2", "5", "10"], "numbers in order");
    assert_eq!(epochs.levels.iter().map(|level| (level.points, level.n)).collect::<Vec<_>>(), [(2, 4); 3]);
    let ours: f64 =
        found.groups.iter().filter(|group| group.differing["epochs"] == 2).map(|g| g.last().unwrap().mean).sum();
    assert!((epochs.levels[0].mean - ours / 2.0).abs() < 1e-12);
    assert!((effects.df, effects.repeated, effects.by_seed, effects.left_out) == (6, true, false, 0));
    let p = |tested: &Option<effects::Tested>| tested.map(|tested| (tested.effect.p, tested.p_adjusted)).unwrap();
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

/// The first two evaluations are of other images: neither is best, nor do they reach a target.
#[test]
fn what_was_evaluated_before_the_last_data_set_does_not_count() {
    let root = tempfile::tempdir().unwrap();
    let run = Run { accuracies: &[0.9, 0.95, 0.6, 0.7, 0.65], last_set_since: 2, ..Run::default() };
    run.write(root.path(), "a");
    let options = Options { target: Some(0.65), ..Options::default() };
    let found = compared(root.path(), options.clone());
    let group = &found.groups[0];
    assert_eq!((group.best().unwrap().mean, group.last().unwrap().mean), (0.7, 0.65));
    let reached = group.time_to_target(&options).unwrap();
    assert_eq!((reached.reached, reached.images.unwrap().mean), (1, 4000.0));
    let options = Options { target: Some(0.8), ..options };
    let found = compared(root.path(), options.clone());
    assert_eq!(found.groups[0].time_to_target(&options).unwrap().reached, 0);
}

#[test]
fn the_target_is_reached_at_the_first_row_that_shows_it() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let options = Options { target: Some(0.85), price: Some(36.0), ..Options::default() };
    let found = compared(root.path(), options.clone());
    let [a, b] = [0, 1].map(|k| found.groups[k].time_to_target(&options).unwrap());
    assert_eq!((a.reached, a.of, a.seconds), (0, 3, None));
    assert_eq!((b.reached, b.of), (3, 3));
    let seconds = b.seconds.unwrap();
    assert_eq!((seconds.mean, b.images.unwrap().mean, b.cost), (20.0, 2000.0, Some(0.2)));
    let by_time = compared(root.path(), Options { by: Quantity::Time, ..options });
    assert_eq!(by_time.contrasts[0].p, None, "the first group never reaches it");
}

#[test]
fn what_is_not_done_does_not_count_and_is_said() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let diverged = Run { seed: 7, status: "diverged", accuracies: &[0.9, f64::NAN], ..Run::default() };
    diverged.write(root.path(), "c1");
    Run { seed: 8, status: "running", ..Run::default() }.write(root.path(), "c2");
    // The same seed again, later: it alone counts.
    let again = Run { seed: 0, accuracies: &[0.7], threads: 8, ..Run::default() };
    again.write(root.path(), "c-again");
    fs::write(root.path().join("c2").join(file::METRICS), "step,val_acc,images,train_seconds\n0,0.6,1000,10\n1,0.")
        .unwrap();
    let options = Options { target: Some(0.89), ..Options::default() };
    let found = compared(root.path(), options.clone());
    let group = &found.groups[0];
    assert_eq!((group.runs.len(), group.counted.len()), (6, 3));
    assert_eq!(group.last().unwrap().values, [0.7, 0.802, 0.804]);
    // The diverged run had reached the target before; the running one may still.
    let time = group.time_to_target(&options).unwrap();
    assert_eq!((time.reached, time.of), (1, 4));
    let notes = found.notes.join("\n");
    for words in ["1 diverged, 1 running", "1 earlier runs", "different machines: cpu avx2 ×2; cpu avx2 ×8"] {
        assert!(notes.contains(words), "`{words}` is not in {notes}");
    }
}

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

#[test]
fn a_setting_that_differs_alike_in_all_phases_is_one() {
    let root = tempfile::tempdir().unwrap();
    for (hash, momentum) in [("a", 0.8), ("b", 0.9)] {
        let settings = json!({
            "phases[0].momentum": momentum, "phases[1].momentum": momentum, "phases[0].lr": 0.1, "phases[1].lr": momentum,
        });
        Run { hash, settings, ..Run::default() }.write(root.path(), hash);
    }
    let found = compared(root.path(), Options::default());
    assert_eq!(found.groups[0].name, "phases[*].momentum=0.8, phases[1].lr=0.8");
    // Without settings in their records they have but their names and hashes.
    for hash in ["a", "b"] {
        Run { hash, ..Run::default() }.write(root.path(), hash);
    }
    assert_eq!(compared(root.path(), Options::default()).groups[1].name, "a #b");
}

/// What is said of all phases is said of those that every experiment has.
#[test]
fn a_phase_that_only_one_has_is_named() {
    let differing = |of_each: [serde_json::Value; 2]| {
        let root = tempfile::tempdir().unwrap();
        for (hash, settings) in ["a", "b"].into_iter().zip(of_each) {
            Run { hash, settings, ..Run::default() }.write(root.path(), hash);
        }
        compared(root.path(), Options::default()).groups[1].differing.keys().cloned().collect::<Vec<_>>()
    };
    let sgd = |phases: usize| (0..phases).map(|k| (format!("phases[{k}].optimizer"), json!("sgd"))).collect();
    assert_eq!(differing([sgd(2), sgd(4)]), ["phases[2].optimizer", "phases[3].optimizer"]);
    // As many phases, of which none of the one has the setting.
    let none = json!({ "phases[0].batch": 1, "phases[1].batch": 1 });
    let both = json!({ "phases[0].batch": 1, "phases[1].batch": 1, "phases[0].mix": 0.5, "phases[1].mix": 0.5 });
    assert_eq!(differing([none, both]), ["phases[*].mix"]);
    // Two of three phases are not all.
    let batches = |last: [u32; 3]| (0..3).map(|k| (format!("phases[{k}].batch"), json!(last[k]))).collect();
    assert_eq!(differing([batches([1, 1, 1]), batches([1, 2, 2])]), ["phases[1].batch", "phases[2].batch"]);
}

/// `phases[0]` of an axis is the file's, that of a setting the plan's.
#[test]
fn settings_of_planned_phases_have_names_of_their_own_where_recipes_stand_for_several() {
    let root = tempfile::tempdir().unwrap();
    let write = |k: usize, hash: &str, [rise, fall]: [f64; 2]| {
        let settings = json!({
            "phases[0].epochs": rise, "phases[1].epochs": fall, "phases[0].momentum": rise, "phases[1].momentum": rise,
            "train.label_smoothing": rise,
        });
        Run { hash, settings, ..Run::default() }.write(root.path(), &format!("t00{k}-s0"))
    };
    let runs = [write(0, "a", [0.1, 0.9]), write(1, "b", [0.2, 1.8])];
    let names = || names(&compared(root.path(), Options::default())).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let plan = |run: &Path, sources: [usize; 2]| {
        let [first, second] = sources;
        fs::write(run.join(file::PLAN), format!("phase,source,steps\n0,{first},10\n1,{second},90\n")).unwrap();
    };
    let note = "planned[0] is the first phase of the plan, ";
    let text = || report::markdown(&compared(root.path(), Options::default()), &[]);
    let page = || report::html(&compared(root.path(), Options::default()), &[]).unwrap();
    let of_file = [
        "phases[*].momentum=0.1, phases[0].epochs=0.1, phases[1].epochs=0.9, train.label_smoothing=0.1",
        "phases[*].momentum=0.2, phases[0].epochs=0.2, phases[1].epochs=1.8, train.label_smoothing=0.2",
    ];
    // Of plans that are not there, cannot be read or are as their files nothing is told.
    assert_eq!(names(), of_file);
    plan(&runs[0], [0, 1]);
    fs::write(runs[1].join(file::PLAN), "phase,source\n0,x\n").unwrap();
    assert_eq!(names(), of_file);
    assert!(!text().contains(note) && page().contains(r#""planned":null"#), "{}", text());

    // One run with a recipe is enough.
    plan(&runs[1], [0, 0]);
    let planned = of_file.map(|name| name.replace("phases[", "planned["));
    assert_eq!(names(), planned);
    assert_eq!(text().matches(note).count(), 1, "{}", text());
    assert!(text().contains("| planned[0].epochs ") && !text().contains("| phases["), "{}", text());
    assert!(page().contains(&format!(r#""planned":"{note}"#)) && page().contains(r#""planned[0].epochs":"#));
    let found = compared(root.path(), Options::default());
    let json = report::json(&found, &[]);
    assert_eq!(json["groups"][1]["settings"]["planned[1].epochs"], 1.8);
    let infos: Vec<RunInfo> = runs.iter().map(|run| RunInfo::read(&run.join(file::RUN)).unwrap()).collect();
    let in_pictures = points(runs.iter().map(PathBuf::as_path).zip(&infos));
    assert_eq!(in_pictures, planned.map(Some));

    // A sweep's axes keep the names that `--set` takes.
    let table = "trial,seed,state,run,reason,phases[0].epochs\n0,0,done,t000-s0,,1\n1,0,done,t001-s0,,2\n";
    fs::write(root.path().join(trials::TRIALS), table).unwrap();
    assert_eq!(names(), ["phases[0].epochs=1", "phases[0].epochs=2"]);
    assert!(text().contains("| planned[0].epochs ") && text().contains(note), "{}", text());
    let found = compared(root.path(), Options::default());
    let meant = |text: &str| name::resolve(&found.groups, text);
    assert_eq!((meant("phases[0].epochs=2"), meant("planned[0].epochs=0.2")), (Ok(1), Ok(1)));
    let error = meant("phases[0].epochs=0.2").unwrap_err();
    assert!(error.contains("begin with `planned[`") && error.contains("#2 phases[0].epochs=2"), "{error}");
    // Where the text shows axes alone there is nothing to explain.
    write(2, "c", [0.3, 2.7]);
    fs::write(root.path().join(trials::TRIALS), format!("{table}2,0,done,t002-s0,,3\n")).unwrap();
    assert!(!text().contains("planned[") && page().contains(&format!(r#""planned":"{note}"#)), "{}", text());
}

#[test]
fn a_group_is_meant_by_the_exact_name_of_its_experiment_or_folder() {
    let root = tempfile::tempdir().unwrap();
    let runs = [("dawn", "fast", "aa"), ("dawn-factored", "slow", "bb"), ("dawn-factored", "dawn-2", "cc")];
    let runs = runs.map(|(name, folder, hash)| {
        // Too many settings for a name, where an experiment has its own.
        let settings = (0..5).map(|k| (format!("s{k}"), json!(hash))).collect();
        Run { name, hash, settings, ..Run::default() }.write(root.path(), folder)
    });
    let groups = compare(&runs, Options::default()).unwrap().groups;
    let meant = |text: &str| name::resolve(&groups, text);
    for (text, group) in [("dawn", 0), ("fast", 0), ("slow", 1), ("dawn-2", 2), ("2", 1), ("#3", 2)] {
        assert_eq!(meant(text), Ok(group), "{text}");
    }
    assert_eq!(groups[0].name, "dawn (5 settings differ)");
    assert!(meant("factored: s").unwrap_err().contains("several groups"), "a part of two names");
    let several = meant("dawn-factored").unwrap_err();
    assert!(several.contains("#2 dawn-factored") && several.contains("#3 ") && !several.contains("#1 "), "{several}");
    assert!(meant("4").unwrap_err().contains("no group is called `4`"));
    let claim = "dawn > dawn-2 at 0.05".parse().unwrap();
    assert!(compare(&runs, Options::default()).unwrap().judge(&[claim]).is_ok());
}

#[test]
fn a_number_that_is_also_a_part_of_another_name_may_mean_both() {
    let root = tempfile::tempdir().unwrap();
    let runs = [("a", 2), ("b", 4)].map(|(hash, batch)| {
        Run { hash, settings: json!({ "batch": batch }), ..Run::default() }.write(root.path(), hash)
    });
    let groups = compare(&runs, Options::default()).unwrap().groups;
    let several = name::resolve(&groups, "2").unwrap_err();
    assert!(several.contains("#1 batch=2") && several.contains("#2 batch=4"), "{several}");
    assert_eq!((name::resolve(&groups, "#2"), name::resolve(&groups, "1")), (Ok(1), Ok(0)));
}

/// Three points of a search, in which six settings differ.
fn search(root: &Path) {
    for (k, (peak, knee)) in [(0.4, 0.03125), (0.4, 0.0625), (0.8, 0.123_456)].into_iter().enumerate() {
        let settings = json!({
            "phases[0].lr.to": peak, "phases[1].lr.from": peak, "phases[1].lr.to": knee, "phases[2].lr.from": knee,
            "phases[1].epochs": 0.75 - knee / 3.0, "phases[2].epochs": 1.25 + knee / 3.0, "phases[0].batch": 125,
        });
        let run = Run { name: "knee", hash: ["aaaaaaaa", "bbbbbbbb", "cccccccc"][k], settings, ..Run::default() };
        run.write(root, &format!("t00{k}-s0"));
    }
}

/// The search's table, with an axis that was not varied.
fn tabulate(root: &Path, further: &str) {
    let head = "trial,seed,state,run,objective,seconds,reason,peak,knee,rise,form,saved_steps,saved_seconds\n";
    let rows = [r#"0.4,0.03125,"0.25, 0.75""#, r#"0.4,0.0625,"0.25, 0.75""#, r#"0.8,0.123456,"0.5, 0.5""#];
    let row = |(k, values): (usize, &str)| format!("{k},0,done,t00{k}-s0,,,,{values},\"\"\"cosine\"\"\",,\n");
    let rows: String = rows.into_iter().enumerate().map(row).collect();
    fs::write(root.join(trials::TRIALS), format!("{head}{rows}{further}")).unwrap();
}

fn names(found: &Comparison) -> Vec<&str> {
    found.groups.iter().map(|group| group.name.as_str()).collect()
}

#[test]
fn trials_are_named_by_their_values_of_the_axes_that_were_varied() {
    let root = tempfile::tempdir().unwrap();
    search(root.path());
    tabulate(root.path(), "");
    let found = compared(root.path(), Options::default());
    let points = [
        "peak=0.4, knee=0.03125, rise=[0.25, 0.75]",
        "peak=0.4, knee=0.0625, rise=[0.25, 0.75]",
        "peak=0.8, knee=0.1235, rise=[0.5, 0.5]",
    ];
    assert_eq!(names(&found), points);
    // In every form of the report, beside all settings where programs read them.
    let (text, json) = (report::markdown(&found, &[]), report::json(&found, &[]));
    let page = report::html(&found, &[]).unwrap();
    let mut csv = Vec::new();
    report::csv(&found, &mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    for (k, point) in points.into_iter().enumerate() {
        assert_eq!(json["groups"][k]["name"], point);
        assert!([&text, &page, &csv].into_iter().all(|report| report.contains(point)), "{point}: {text}{csv}");
    }
    assert_eq!(json["groups"][2]["settings"]["phases[2].lr.from"], 0.123_456);
    assert!(csv.lines().next().unwrap().ends_with("phases[1].lr.to,phases[2].epochs,phases[2].lr.from"), "{csv}");
    // By what the file says, too, to the last digit.
    let meant = |text: &str| name::resolve(&found.groups, text);
    for (text, group) in [("peak=0.8", 2), ("phases[1].lr.to=0.0625", 1), ("phases[2].lr.from=0.123456", 2)] {
        assert_eq!(meant(text), Ok(group), "{text}");
    }
    assert!(meant("phases[0].lr.to=0.4").unwrap_err().contains("several groups"));
    assert!(meant("phases[0].lr.to=0.5").unwrap_err().contains("no group is called"));

    // One axis alone between two of them; and points of equal values, which other settings tell apart.
    let two = [0, 1].map(|k| root.path().join(format!("t00{k}-s0")));
    assert_eq!(names(&compare(&two, Options::default()).unwrap()), ["knee=0.03125", "knee=0.0625"]);
    let settings = json!({ "phases[0].batch": 64 });
    Run { name: "knee", hash: "dddddddd", settings, ..Run::default() }.write(root.path(), "t003-s0");
    tabulate(root.path(), "3,0,done,t003-s0,,,,0.4,0.0625,\"0.25, 0.75\",cosine,,\n");
    let found = compared(root.path(), Options::default());
    let shared = ["bbbbbb", "dddddd"].map(|hash| format!("{} #{hash}", points[1]));
    assert_eq!([1, 3].map(|k| found.groups[k].name.clone()), shared);
}

/// The base experiment's name is that of each of its trials.
#[test]
fn pictures_of_one_sweep_have_its_name() {
    let root = tempfile::tempdir().unwrap();
    search(root.path());
    tabulate(root.path(), "");
    let sweep = root.path().join(file::SWEEP);
    fs::write(&sweep, "name = \"how-high\"\nbase = \"knee.toml\"\n").unwrap();
    let title = |paths: &[PathBuf]| {
        let found = compare(paths, Options::default()).unwrap();
        let (picture, page) = (report::svg(&found).unwrap(), report::html(&found, &[]).unwrap());
        let is_sweeps = picture.contains(">how-high<");
        assert_eq!(page.contains("<title>how-high<"), is_sweeps);
        assert_eq!(page.contains(r#""title":"how-high""#), is_sweeps);
        is_sweeps
    };
    let whole = [root.path().to_owned()];
    let trials = ["t000-s0", "t001-s0"].map(|run| root.path().join(run));
    assert!(title(&whole) && title(&trials), "all of its runs, and some");
    assert!(!title(&trials[..1]), "one run alone");
    // A run that is none of its trials, in its folder or elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Run { hash: "dddddddd", ..Run::default() }.write(elsewhere.path(), "t002-s0");
    let [one, two] = trials;
    assert!(!title(&[one, two, other]));
    let added = Run { hash: "eeeeeeee", ..Run::default() }.write(root.path(), "x");
    assert!(!title(&whole));
    fs::remove_dir_all(added).unwrap();
    assert!(title(&whole));
    for content in ["name = 1\n", "name = "] {
        fs::write(&sweep, content).unwrap();
        assert!(!title(&whole), "{content}");
    }
}

/// Its run was stopped by a signal, as one is that goes on.
#[test]
fn a_trial_that_was_given_up_is_said_to_be() {
    let root = tempfile::tempdir().unwrap();
    search(root.path());
    let settings = json!({ "phases[0].batch": 64 });
    for (folder, hash) in [("t003-s0", "dddddddd"), ("t004-s0", "eeeeeeee")] {
        let run = Run { name: "knee", hash, status: "interrupted", settings: settings.clone(), ..Run::default() };
        run.write(root.path(), folder);
    }
    let values = "0.8,0.5,\"0.5, 0.5\",cosine,,\n";
    tabulate(root.path(), &format!("3,0,pruned,t003-s0,,,,{values}4,0,interrupted,t004-s0,,,,{values}"));
    let found = compared(root.path(), Options::default());
    let states: Vec<String> = found.groups.iter().map(|group| group.runs[0].state()).collect();
    assert_eq!(states[3..], ["pruned", "interrupted"]);
    assert!(found.notes.iter().any(|note| note.ends_with("not counted: 1 pruned")), "{:?}", found.notes);
    assert_eq!(report::json(&found, &[])["groups"][3]["runs"][0]["pruned"], true);
}

#[test]
fn experiments_of_one_name_are_named_by_many_settings_too() {
    let root = tempfile::tempdir().unwrap();
    search(root.path());
    // Those that are equal in every group are said once.
    let points = [
        "phases[0].lr.to=0.4, phases[1].epochs=0.7396, phases[1].lr.to=0.03125, phases[2].epochs=1.26",
        "phases[0].lr.to=0.4, phases[1].epochs=0.7292, phases[1].lr.to=0.0625, phases[2].epochs=1.271",
        "phases[0].lr.to=0.8, phases[1].epochs=0.7088, phases[1].lr.to=0.1235, phases[2].epochs=1.291",
    ];
    assert_eq!(names(&compared(root.path(), Options::default())), points);
    // An experiment with a name of its own is known by it, and the others by theirs as well.
    let settings = json!({ "phases[0].batch": 64 });
    Run { name: "other", hash: "dddddddd", settings, ..Run::default() }.write(root.path(), "u");
    let found = compared(root.path(), Options::default());
    assert_eq!(found.groups[3].name, "other (7 settings differ)");
    let of_its_own = points.map(|point| format!("knee: {point}"));
    assert_eq!(names(&found)[..3], of_its_own, "what differs between those of its name");
    assert!(!names(&found).iter().any(|name| name.contains('#')), "{:?}", names(&found));
    // So many values are no name.
    for (folder, hash) in [("v", "eeeeeeee"), ("w", "ffffffff")] {
        let settings = (0..20).map(|k| (format!("s{k}"), json!(format!("{hash}{k}")))).collect();
        Run { name: "many", hash, settings, ..Run::default() }.write(root.path(), folder);
    }
    let many = ["v", "w"].map(|folder| root.path().join(folder));
    let told = ["many (20 settings differ) #eeeeee", "many (20 settings differ) #ffffff"];
    assert_eq!(names(&compare(&many, Options::default()).unwrap()), told);
}

/// Experiments of a name that differ in one setting, and one that has nothing to do with them.
#[test]
fn experiments_are_named_by_what_differs_between_those_of_their_name() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &'static str, hash: &'static str, own: &[(&str, f64)]| {
        let all = (0..40).map(|k| (format!("s{k:02}"), json!(format!("{name}{k}"))));
        let own = own.iter().map(|(path, value)| ((*path).to_owned(), json!(value)));
        Run { name, hash, settings: all.chain(own).collect(), ..Run::default() }.write(root.path(), hash)
    };
    for (hash, lr) in [("a", 0.1), ("b", 0.2), ("c", 0.4)] {
        write("zz", hash, &[("lr", lr)]);
    }
    assert_eq!(names(&compared(root.path(), Options::default())), ["lr=0.1", "lr=0.2", "lr=0.4"]);
    write("other", "d", &[("lr", 0.1)]);
    let told = ["zz: lr=0.1", "zz: lr=0.2", "zz: lr=0.4", "other (41 settings differ)"];
    let found = compared(root.path(), Options::default());
    assert_eq!(names(&found), told);
    assert_eq!(found.groups[0].differing.len(), 41, "programs read all of them");
    // Two names of which each has several; and settings that are the same, which hashes tell apart.
    write("other", "e", &[("lr", 0.1), ("batch", 8.0)]);
    let found = compared(root.path(), Options::default());
    assert_eq!(names(&found)[2..], ["zz: lr=0.4", "other: batch=(none)", "other: batch=8"]);
    write("zz", "f", &[("lr", 0.2)]);
    let found = compared(root.path(), Options::default());
    assert_eq!([1, 5].map(|k| names(&found)[k]), ["zz: lr=0.2 #b", "zz: lr=0.2 #f"]);
}

/// Changes the text of a run's `run.json`.
fn edit(run: &Path, changes: &[(&str, &str)]) {
    let path = run.join(file::RUN);
    let mut text = fs::read_to_string(&path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "`{from}` is not in {text}");
        text = text.replacen(from, to, 1);
    }
    fs::write(path, text).unwrap();
}

#[test]
fn values_of_different_images_are_said_to_be() {
    let root = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|hash| Run { hash, ..Run::default() }.write(root.path(), hash));
    let notes = || compared(root.path(), Options::default()).notes.join("\n");
    assert_eq!(notes(), "", "images that are not known");
    edit(&a, &[(r#""digest":"""#, r#""digest":"sha256:0123456789""#)]);
    assert_eq!(notes(), "", "those of one run alone are");
    edit(&b, &[(r#""digest":"""#, r#""digest":"sha256:abcdefabcdef""#)]);
    assert_eq!(
        notes(),
        "val_acc may be of different images: shapes (sha256:01234567…); shapes (sha256:abcdefab…)",
        "perhaps those trained on alone differ"
    );
    edit(&a, &[(r#""name":"shapes""#, r#""name":"cifar10""#)]);
    edit(&b, &[(r#""stands_in_for":null"#, r#""stands_in_for":"cifar10""#)]);
    assert_eq!(notes(), "val_acc is of different images: cifar10; shapes (stands in for cifar10)");
}

/// One run goes over to the set that the other has throughout.
#[test]
fn the_last_sets_images_are_those_of_the_values() {
    let root = tempfile::tempdir().unwrap();
    let further = r#""further_datasets":[{"name":"small","images":1,"val_images":1,"digest":"sha256:2","stand_in":false,
        "stands_in_for":null}],"seed":0"#;
    let write = |last: usize| {
        let settings = json!({ "phases[0].lr": 1, "phases[1].data.dataset": "small" });
        let a = Run { hash: "a", settings, last_set_since: last, ..Run::default() }.write(root.path(), "a");
        edit(&a, &[(r#""seed":0"#, further), (r#""digest":"""#, r#""digest":"sha256:1""#)]);
        let b = Run { hash: "b", ..Run::default() }.write(root.path(), "b");
        edit(&b, &[(r#""digest":"""#, r#""digest":"sha256:2""#), (r#""name":"shapes""#, r#""name":"small""#)]);
        compared(root.path(), Options::default()).notes
    };
    assert!(write(1).is_empty(), "{:?}", write(1));
    // And back again: no set is named by the phase.
    assert_eq!(write(2), ["val_acc is of different images: shapes; small"]);
}

#[test]
fn claims_hold_or_not() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let found = compared(root.path(), Options::default());
    let judge = |claim: &str| found.judge(&[claim.parse().unwrap()]).map(|v| v[0].holds);
    assert!(judge("to=0.4 > to=0.1 at 0.05").unwrap());
    assert!(judge("#1 < #2 at 0.05").unwrap());
    assert!(!judge("#1 > #2 at 0.05").unwrap());
    assert!(!judge("#2 > #1 at 0.000001").unwrap());
    let error = judge("to=0.9 > #1 at 0.05").unwrap_err().to_string();
    assert!(error.contains("to=0.9") && error.contains("#2 phases[0].lr.to=0.4"), "{error}");
    assert!(judge("lr.to > #1 at 0.05").unwrap_err().to_string().contains("several"));
    for bad in ["", "a > b", "a b at 0.05", "a > b at 2", " > b at 0.1", "a = b at 0.1"] {
        assert!(bad.parse::<Expectation>().is_err(), "{bad}");
    }
}

/// Six equal differences: each has a p of 0.0705 by itself (t = √6 with 4 degrees of freedom).
#[test]
fn a_claim_says_where_the_table_has_another_p() {
    let root = tempfile::tempdir().unwrap();
    let write = |hash: &str, by: f64| {
        for (seed, value) in (0..).zip([0.50, 0.52, 0.54]) {
            let run = Run { hash, seed, accuracies: &[value + by], ..Run::default() };
            run.write(root.path(), &format!("{hash}{seed}"));
        }
    };
    write("a", 0.0);
    write("b", 0.04);
    let said = |claims: &[&str]| {
        let found = compared(root.path(), Options::default());
        let claims: Vec<Expectation> = claims.iter().map(|claim| claim.parse().unwrap()).collect();
        let verdicts = found.judge(&claims).unwrap();
        let words: Vec<String> = verdicts.iter().map(|verdict| report::claim(&found, verdict)).collect();
        (words, report::json(&found, &verdicts)["expectations"].clone())
    };
    // One claim of the one pair there is.
    assert_eq!(said(&["#2 > #1 at 0.1"]).0, ["holds: #2 > #1 at 0.1 (difference +4.00 %, p 0.0705)"]);
    let (words, _) = said(&["#2 > #1 at 0.05", "#2 > #1 at 0.1"]);
    assert!(
        words[1].ends_with("(difference +4.00 %, p 0.14 among 2 claims, 0.0705 by itself in the table)"),
        "{words:?}"
    );
    ["c", "d", "e", "f", "g"].into_iter().for_each(|hash| write(hash, 0.04));
    for (claim, difference) in [("#2 > #1", "+4.00"), ("#1 < #2", "-4.00")] {
        let text = format!("{claim} at 0.1");
        let (words, json) = said(&[text.as_str()]);
        let p = "p 0.0705 by itself, 0.42 among the table's 6 comparisons";
        assert_eq!(words, [format!("holds: {text} (difference {difference} %, {p})")]);
        let [claimed, table] = ["p_adjusted", "p_table"].map(|key| json[0][key].as_f64().unwrap());
        assert!((table - 6.0 * claimed).abs() < 1e-9 && (claimed - 0.0705).abs() < 1e-4, "{json}");
    }
    // The table compares with the baseline alone.
    let (words, json) = said(&["#2 > #1 at 0.2", "#3 > #2 at 0.2"]);
    assert!(words[0].ends_with(", p 0.14 among 2 claims, 0.42 among the table's 6 comparisons)"), "{words:?}");
    assert!(words[1].ends_with(", p 1.00)") && json[1]["p_table"].is_null(), "{words:?} {json}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    Run::default().write(&root.path().join("sweep"), "t000-s0");
    let notes = compared(root.path(), Options::default()).notes;
    assert!(notes.iter().any(|note| note.contains("sweep holds runs, and is not looked into")), "{notes:?}");
    fs::remove_dir_all(root.path().join("sweep")).unwrap();
    let error = |options| compare(&[root.path().to_owned()], options).unwrap_err().to_string();
    let no_metric = error(Options { metric: "val_f1".to_owned(), ..Options::default() });
    assert!(no_metric.contains("none of the 6 runs has a column `val_f1`"), "{no_metric}");
    assert!(error(Options { baseline: Some("none".to_owned()), ..Options::default() }).contains("no group is called"));
    fs::write(root.path().join("a0").join(file::RUN), "{").unwrap();
    let found = compared(root.path(), Options::default());
    assert_eq!(found.groups[0].counted.len(), 2);
    assert!(found.notes[0].contains("a0") && found.notes[0].contains("left out"), "{:?}", found.notes);
}

#[test]
fn a_metric_that_no_run_has_is_an_error_that_names_those_there_are() {
    let root = tempfile::tempdir().unwrap();
    let write = |folder: &str, text: &str| {
        let run = Run { hash: folder, ..Run::default() }.write(root.path(), folder);
        fs::write(run.join(file::METRICS), text).unwrap();
    };
    write("a", "step,phase,optimizer,val_acc,images,train_seconds\n0,0,sgd,0.5,1000,10\n1,0,sgd,0.6,2000,20\n");
    write("b", "step,phase,optimizer,val_acc,images,train_seconds,val_acc_tta\n0,0,sgd,0.5,1000,10,\n");
    let error = |metric: &str| {
        let options = Options { metric: metric.to_owned(), ..Options::default() };
        compare(&[root.path().to_owned()], options).unwrap_err().to_string()
    };
    let columns = "step, phase, val_acc, images, train_seconds, val_acc_tta";
    assert_eq!(
        error("val_f1"),
        format!("none of the 2 runs has a column `val_f1` in its metrics.csv; the columns are {columns}")
    );
    assert_eq!(
        error("optimizer"),
        format!("`optimizer` is no column of numbers; the columns of numbers are {columns}")
    );
    // One field that is damaged makes no column of words.
    write("a", "step,phase,val_acc,images,train_seconds\n0,0,0.5,1000,10\n1,0,0.x,2000,20\n");
    let notes = compared(root.path(), Options::default()).notes;
    assert!(notes[0].contains("a/metrics.csv:3: `0.x` of column val_acc is no number; restore"), "{notes:?}");
    write("a", "step,phase,val_acc,images,train_seconds\n0,0,0.x,1000,10\n");
    let notes = compared(root.path(), Options::default()).notes;
    assert!(notes[0].contains("a/metrics.csv:2: `0.x` of column val_acc is no number; restore"), "{notes:?}");
    write("a", "step,phase,val_acc,train_seconds\n0,0,0.5,10\n");
    let notes = compared(root.path(), Options::default()).notes;
    assert!(notes[0].contains("a/metrics.csv:1: it has no column `images`"), "{notes:?}");
}

/// Of many runs without the metric not each is named.
#[test]
fn runs_without_the_metric_are_said_together_where_they_are_many() {
    let root = tempfile::tempdir().unwrap();
    let with = Run { hash: "z", ..Run::default() }.write(root.path(), "z");
    fs::write(with.join(file::METRICS), "step,val_acc,images,train_seconds,val_acc_tta\n0,0.5,1000,10,0.6\n").unwrap();
    let options = Options { metric: "val_acc_tta".to_owned(), ..Options::default() };
    for k in 0..5 {
        Run { seed: k, ..Run::default() }.write(root.path(), &format!("a{k}"));
        let notes = compared(root.path(), options.clone()).notes;
        let together =
            notes.iter().filter(|note| note.contains("5 runs have no column `val_acc_tta`, and are")).count();
        assert_eq!((notes.len(), together), if k < 4 { (k as usize + 1, 0) } else { (1, 1) }, "{notes:?}");
    }
}

/// Its `run.json` knows the last evaluation of a run that is done.
#[test]
fn a_table_that_ends_too_soon_is_named_and_left_out() {
    let root = tempfile::tempdir().unwrap();
    let path = Run { accuracies: &[0.5, 0.6, 0.7], ..Run::default() }.write(root.path(), "a");
    Run { hash: "b", ..Run::default() }.write(root.path(), "b");
    let last = r#""final":{"step":2,"epoch":0,"train_loss":null,"train_acc":null,"val_loss":null,"val_acc":0.7,
        "val_acc_top5":null,"train_seconds":30.0}"#;
    edit(&path, &[(r#""final":null"#, last)]);
    let table = path.join(file::METRICS);
    let whole = fs::read_to_string(&table).unwrap();
    assert_eq!(compared(root.path(), Options::default()).notes, [""; 0]);
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    let none = "metrics.csv:1: it holds no evaluation, and the run's last was at step 3; restore";
    let cases = [
        (&whole.as_bytes()[..ends[2]], "metrics.csv:3: it ends at step 2 of 3; restore the file"),
        (&whole.as_bytes()[..whole.len() - 1], "metrics.csv:3: it ends at step 2 of 3"),
        (&whole.as_bytes()[..ends[0]], none),
        (b"".as_slice(), none),
        (b"\x81\xff\x00".as_slice(), none),
    ];
    for (bytes, words) in cases {
        fs::write(&table, bytes).unwrap();
        let found = compared(root.path(), Options::default());
        assert_eq!(found.groups.len(), 1, "{words}");
        assert!(
            found.notes[0].starts_with("left out: ") && found.notes[0].contains(words),
            "{words}: {:?}",
            found.notes
        );
    }
    fs::remove_file(&table).unwrap();
    assert!(compared(root.path(), Options::default()).notes[0].contains(none));
    // A run that is under way has what it has.
    edit(&path, &[(r#""status":"done""#, r#""status":"interrupted""#)]);
    assert_eq!(compared(root.path(), Options::default()).notes, ["a #aaaaaa: not counted: 1 interrupted"]);
}

#[test]
fn runs_of_which_none_can_be_read_are_an_error() {
    let root = tempfile::tempdir().unwrap();
    for k in 0..10 {
        let run = Run::default().write(root.path(), &format!("r{k}"));
        fs::write(run.join(file::RUN), "{").unwrap();
    }
    let error = compare(&[root.path().to_owned()], Options::default()).unwrap_err().to_string();
    assert!(error.starts_with("no run can be compared:\n  left out: ") && error.contains("r7/run.json:1"), "{error}");
    assert!(!error.contains("r8/run.json") && error.ends_with("and 2 more"), "{error}");
}

/// Runs of two experiments by seed, with these last values.
fn of_seeds(root: &Path, values: [&[f64]; 2]) {
    for (hash, values) in ["a", "b"].into_iter().zip(values) {
        for (seed, value) in (0..).zip(values) {
            let run = Run { hash, seed, accuracies: &[*value], ..Run::default() };
            run.write(root, &format!("{hash}{seed}"));
        }
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
fn what_is_open_wants_a_seed_at_least_and_what_is_not_tested_none() {
    let found = |values: [&[f64]; 2], test: Test| {
        let root = tempfile::tempdir().unwrap();
        of_seeds(root.path(), values);
        let found = compared(root.path(), Options { test, ..Options::default() });
        (found.contrasts[0].clone(), report::markdown(&found, &[]))
    };
    // As many as there are would do, were the variances equal.
    let (close, text) = found([&[0.5, 0.5], &[0.6, 0.62]], Test::Welch);
    assert!(close.p.unwrap() > 0.05 && close.p.unwrap() < 0.06, "{close:?}");
    assert!(close.more_seeds == Some(1) && text.contains("| better? about 1 more seed each"), "{close:?} {text}");
    let (constant, _) = found([&[0.5, 0.5], &[0.6, 0.6]], Test::Welch);
    assert_eq!((constant.p, constant.more_seeds), (None, None));
    // Of pairs that were not tested, the title says that they are.
    let (equal, text) = found([&[0.5, 0.75], &[0.25, 0.5]], Test::Paired);
    assert_eq!((equal.p, equal.more_seeds), (None, None));
    assert!(text.contains("; Student's t-test of pairs\n"), "{text}");
}

/// Two values against ten may have a small p by ranks, and a pair may want a run of one side alone.
#[test]
fn seeds_are_asked_for_of_sides_that_are_unequal() {
    let found = |values: [&[f64]; 2], test: Test| {
        let root = tempfile::tempdir().unwrap();
        of_seeds(root.path(), values);
        let found = compared(root.path(), Options { test, ..Options::default() });
        (found.contrasts[0].clone(), report::markdown(&found, &[]))
    };
    let ten = [0.500, 0.501, 0.502, 0.503, 0.504, 0.505, 0.506, 0.507, 0.508, 0.60];
    let (ranks, text) = found([&ten, &[0.62, 0.59]], Test::Wilcoxon);
    assert_eq!((ranks.pairing, ranks.more_seeds, ranks.at_least), (Pairing::Unpaired, Some(1), false));
    assert!(text.contains("| better? about 1 more seed each"), "{text}");
    let (pairs, text) = found([&[0.28, 0.20, 0.27, 0.30, 0.90], &[0.29, 0.212, 0.266, 0.32]], Test::Paired);
    assert_eq!((pairs.pairing, pairs.left_out), (Pairing::Paired, [0, 1]));
    assert!(text.contains(" more seeds in common"), "{text}");
}

/// What is kept from look to look follows the number of comparisons.
#[test]
fn more_seeds_are_counted_again_where_there_are_more_comparisons() {
    let root = tempfile::tempdir().unwrap();
    let write = |hash: &str, values: [f64; 3]| {
        for (seed, value) in (0..).zip(values) {
            Run { hash, seed, accuracies: &[value], ..Run::default() }.write(root.path(), &format!("{hash}{seed}"));
        }
    };
    let mut watched = Watched::new(root.path().to_owned(), Options::default());
    write("a", [0.50, 0.52, 0.54]);
    for (hash, further) in [("b", 0.035), ("c", 0.04), ("d", 0.2), ("e", 0.02)] {
        write(hash, [0.50 + further, 0.52 + further, 0.54 + further]);
        for _ in 0..2 {
            watched.look().unwrap();
            let contrasts = watched.comparison().unwrap().contrasts;
            assert_eq!(contrasts, compared(root.path(), Options::default()).contrasts, "{hash}");
        }
    }
}

#[test]
fn more_seeds_are_as_many_as_all_comparisons_ask_for() {
    let root = tempfile::tempdir().unwrap();
    for (k, hash) in ["a", "b", "c", "d", "e", "f", "g"].into_iter().enumerate() {
        for (seed, value) in (0..).zip([0.50, 0.52, 0.54]) {
            let value = value + 0.04 * f64::from(k > 0);
            Run { hash, seed, accuracies: &[value], ..Run::default() }.write(root.path(), &format!("{hash}{seed}"));
        }
    }
    let all = compared(root.path(), Options::default());
    let two: Vec<PathBuf> = ["a0", "a1", "a2", "b0", "b1", "b2"].map(|run| root.path().join(run)).to_vec();
    let two = compare(&two, Options::default()).unwrap();
    let (alone, among) = (&two.contrasts[0], &all.contrasts[0]);
    assert!(alone.p.unwrap() < 0.1 && among.p == alone.p && among.p_adjusted.unwrap() > 0.3, "{alone:?} {among:?}");
    assert!(among.more_seeds.unwrap() > alone.more_seeds.unwrap() + 1, "{alone:?} {among:?}");
}

/// Three pairs have no p below one in four by ranks, whatever their values.
#[test]
fn ranks_of_few_pairs_need_more_of_them_at_least() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let found = compared(root.path(), Options { test: Test::Wilcoxon, ..Options::default() });
    let contrast = &found.contrasts[0];
    assert_eq!((contrast.p, contrast.more_seeds, contrast.at_least), (Some(0.25), Some(3), true));
    let text = report::markdown(&found, &[]);
    assert!(text.contains("| better? at least 3 more seeds each"), "{text}");
    let found = compared(root.path(), Options::default());
    assert_eq!((found.contrasts[0].more_seeds, found.contrasts[0].at_least), (Some(0), false));
}

/// Seeds that survived do not speak for those that diverged.
#[test]
fn a_claim_does_not_hold_in_favour_of_survivors() {
    let root = tempfile::tempdir().unwrap();
    of_seeds(root.path(), [&[0.80, 0.81, 0.82, 0.81], &[0.90, 0.91]]);
    let write = |hash: &str, seed: u64, status: &str| {
        Run { hash, seed, status, ..Run::default() }.write(root.path(), &format!("{hash}{seed}"));
    };
    write("b", 2, "diverged");
    write("b", 3, "diverged");
    write("c", 0, "diverged");
    let found = compared(root.path(), Options::default());
    let judge = |claim: &str| found.judge(&[claim.parse().unwrap()]).unwrap();
    let verdicts = judge("#2 > #1 at 0.05");
    assert!(!verdicts[0].holds && verdicts[0].p_adjusted.unwrap() < 0.05, "{verdicts:?}");
    let text = report::markdown(&found, &verdicts);
    for words in ["| better (2 of 4 diverged) ", "; of #2 2 of 4 diverged)", "| diverged "] {
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
    let why = &report::json(&found, &verdicts)["expectations"][0]["against"];
    assert_eq!(why, "of #2 2 of 4 diverged");
    // What diverges in the group that is said to be worse speaks for the claim.
    assert!(found.judge(&["#1 > #2 at 0.05".parse().unwrap()]).unwrap()[0].against.is_none());
    let other = compared(root.path(), Options { baseline: Some("#2".to_owned()), ..Options::default() });
    let text = report::markdown(&other, &[]);
    assert!(text.contains("| worse (of #2 2 of 4 diverged) "), "{text}");
    // A seed that was run again and came to its end is not lost.
    for (seed, status) in [(2, "done"), (3, "failed")] {
        Run { hash: "b", seed, status, ..Run::default() }.write(root.path(), &format!("b{seed}-again"));
    }
    let text = report::markdown(&compared(root.path(), Options::default()), &[]);
    assert!(text.contains("(1 of 4 failed)"), "{text}");
}

/// Nor for those that were given up or killed; one that was stopped goes on.
#[test]
fn a_claim_does_not_hold_where_others_were_given_up_or_killed() {
    let root = tempfile::tempdir().unwrap();
    of_seeds(root.path(), [&[0.80, 0.81, 0.82, 0.81], &[0.90, 0.91]]);
    let write = |hash: &str, seed: u64, status: &str| {
        Run { hash, seed, status, ..Run::default() }.write(root.path(), &format!("{hash}{seed}"))
    };
    let judged = || {
        let found = compared(root.path(), Options::default());
        let against = found.judge(&["#2 > #1 at 0.05".parse().unwrap()]).unwrap()[0].against.clone();
        (against.unwrap_or_default(), report::markdown(&found, &[]))
    };
    write("b", 2, "interrupted");
    assert_eq!(judged().0, "");
    write("c", 0, "interrupted");
    let rows = "0,2,pruned,b2,,1\n1,0,pruned,c0,,2\n";
    fs::write(root.path().join(trials::TRIALS), format!("trial,seed,state,run,reason,peak\n{rows}")).unwrap();
    let (against, text) = judged();
    assert_eq!(against, "of #2 1 of 3 pruned");
    assert!(text.contains("| better (1 of 3 pruned) ") && text.contains("| pruned "), "{text}");
    let killed = write("b", 3, "running");
    assert_eq!(judged().0, "of #2 1 of 4 pruned", "it cannot be told whether it runs");
    fs::write(killed.join(file::LOCK), "").unwrap();
    assert_eq!(judged().0, "of #2 1 of 4 failed, 1 pruned");

    let lost = |diverged: usize, of: usize| Lost { diverged, failed: 1, pruned: 2, of };
    assert_eq!((lost(0, 3).all().as_deref(), lost(1, 5).all()), (Some("failed or pruned"), None));
    assert_eq!(lost(1, 5).words(), "1 of 5 diverged, 1 failed, 2 pruned");
}

/// Damaged runs may have come to their end.
#[test]
fn not_all_runs_are_known_to_have_diverged_where_some_cannot_be_read() {
    let root = tempfile::tempdir().unwrap();
    let [_, b] =
        [0, 1].map(|seed| Run { seed, status: "diverged", ..Run::default() }.write(root.path(), &format!("a{seed}")));
    assert!(compared(root.path(), Options::default()).all_diverged());
    fs::write(b.join(file::RUN), "{").unwrap();
    assert!(!compared(root.path(), Options::default()).all_diverged());
}

/// A digest is of the images trained on as well, and of how they are stored.
#[test]
fn a_claim_does_not_hold_of_different_images() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let judged = || compared(root.path(), Options::default()).judge(&["#2 > #1 at 0.05".parse().unwrap()]).unwrap();
    assert!(judged()[0].holds);
    for seed in 0..3 {
        for (group, digest) in [("a", "sha256:0123456789"), ("b", "sha256:abcdefabcdef")] {
            let digest = format!(r#""digest":"{digest}""#);
            edit(&root.path().join(format!("{group}{seed}")), &[(r#""digest":"""#, digest.as_str())]);
        }
    }
    let verdicts = judged();
    let perhaps = verdicts[0].perhaps.as_ref().unwrap();
    assert!(verdicts[0].holds && verdicts[0].against.is_none(), "{verdicts:?}");
    assert!(perhaps.starts_with("val_acc may be of different images: "), "{perhaps}");
    let text = report::markdown(&compared(root.path(), Options::default()), &verdicts);
    assert!(text.contains(&format!(", {perhaps})")), "{text}");
    for seed in 0..3 {
        edit(&root.path().join(format!("b{seed}")), &[(r#""val_images":1000"#, r#""val_images":999"#)]);
    }
    let verdict = &judged()[0];
    assert!(!verdict.holds && verdict.p_adjusted.unwrap() < 0.05 && verdict.perhaps.is_none(), "{verdict:?}");
    assert!(verdict.against.as_ref().unwrap().starts_with("val_acc is of different images: shapes ("), "{verdict:?}");
}

#[test]
fn wide_names_stand_apart_on_a_terminal() {
    let root = tempfile::tempdir().unwrap();
    for (hash, to) in [("a", 0.1), ("b", 0.4)] {
        let settings = json!({ "phases[0].lr.to": to, "phases[1].lr.from": to, "phases[0].epochs": to });
        Run { hash, settings, ..Run::default() }.write(root.path(), hash);
    }
    let text = report::terminal(&compared(root.path(), Options::default()), &[], 100);
    let line = "#1   phases[0].epochs=0.1, phases[0].lr.to=0.1, phases[1].lr.from=0.1 (baseline)";
    assert!(text.lines().any(|l| l.trim() == line), "{text}");
}

#[test]
fn two_experiments_are_shown_side_by_side() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let text = report::markdown(&compared(root.path(), Options::default()), &[]);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    assert!(rows.contains(&vec!["", "phases[0].lr.to", "0.1", "0.4", ""]), "{text}");
    let two = [root.path().join("a0"), root.path().join("a1")];
    let found = compare(&two, Options::default()).unwrap();
    assert!(found.notes[0].contains("differ in the seed alone"), "{:?}", found.notes);
    assert!(!report::markdown(&found, &[]).contains("what differs"));
}

#[test]
fn a_picture_shows_the_mean_over_seeds_of_each_group() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let settings = json!({ "phases[0].lr.to": 0.9, "phases[0].batch": 125 });
    Run { hash: "cccccccc", status: "running", settings, ..Run::default() }.write(root.path(), "c");
    let found = compared(root.path(), Options { target: Some(0.85), ..Options::default() });
    let picture = report::svg(&found).unwrap();
    for words in ["3 groups, 7 runs", "validation accuracy over training time", "validation accuracy over images"] {
        assert!(picture.contains(words), "`{words}` is not in the picture");
    }
    // Means over three seeds: 0.802 and 0.848.
    for words in
        ["phases[0].lr.to=0.1: 80.2 %", "phases[0].lr.to=0.4: 84.8 %", "lr.to=0.9 (not done): 80.0 %", "target 85.0 %"]
    {
        assert!(picture.contains(words), "`{words}` is not in {picture}");
    }
}

#[test]
fn reports_say_the_same_in_every_form() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let found = compared(root.path(), Options { target: Some(0.85), ..Options::default() });
    let verdicts = found.judge(&["#2 > #1 at 0.05".parse().unwrap()]).unwrap();
    for width in [60, 80, 140] {
        let text = report::terminal(&found, &verdicts, width);
        let widest = text.lines().map(unicode_width::UnicodeWidthStr::width).max().unwrap();
        let sentence = |line: &str| ["against", "note: "].iter().any(|word| line.starts_with(word));
        let table = text.lines().filter(|line| !sentence(line) && !line.contains("holds"));
        assert!(table.map(unicode_width::UnicodeWidthStr::width).all(|w| w <= width), "{widest} of {width}:\n{text}");
    }
    let text = report::markdown(&found, &verdicts);
    for words in ["| 84.80 ± 0.20 ", "20.0 s (3/3)", "never (0/3)", "+4.60", "holds: #2 > #1 at 0.05", "(baseline)"] {
        assert!(text.contains(words), "`{words}` is not in\n{text}");
    }
    let json = report::json(&found, &verdicts);
    assert_eq!(json["groups"][1]["settings"]["phases[0].lr.to"], 0.4);
    assert_eq!(json["groups"][1]["target"]["seconds"]["mean"], 20.0);
    assert_eq!(json["expectations"][0]["holds"], true);
    let mut csv = Vec::new();
    report::csv(&found, &mut csv).unwrap();
    let mut reader = ::csv::Reader::from_reader(&csv[..]);
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let field = |row: usize, name: &str| rows[row][header.iter().position(|h| h == name).unwrap()].to_owned();
    assert_eq!((field(1, "name"), field(1, "phases[0].lr.to")), ("phases[0].lr.to=0.4".into(), "0.4".into()));
    assert_eq!(
        (field(0, "reached"), field(0, "seconds_to_target"), field(1, "n")),
        ("0".into(), String::new(), "3".into())
    );
}

/// What the row of #2 says at its end, for people and for programs.
fn told(values: [&[f64]; 2], options: &Options) -> (String, serde_json::Value) {
    let root = tempfile::tempdir().unwrap();
    of_seeds(root.path(), values);
    let found = compared(root.path(), options.clone());
    let text = report::markdown(&found, &[]);
    let row = text.lines().rfind(|line| line.starts_with("| #2")).unwrap();
    let verdict = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap().trim().to_owned();
    let page = report::html(&found, &[]).unwrap();
    assert!(page.contains(&format!("\"{verdict}\"")), "`{verdict}` is not on the page");
    (verdict, report::json(&found, &[])["groups"][1]["contrast"].clone())
}

#[test]
fn what_is_not_found_is_not_called_the_same() {
    let [without, wide] = [None, Some(0.1)].map(|margin| Options { margin, ..Options::default() });
    // Differences that hardly any number of seeds would find.
    let three: [&[f64]; 2] = [&[0.50, 0.52, 0.54], &[0.501, 0.519, 0.542]];
    let (verdict, contrast) = told(three, &without);
    let [low, high] = ["low", "high"].map(|end| contrast["interval"][end].as_f64().unwrap());
    let farthest = if low.abs() > high.abs() { low } else { high };
    assert_eq!(verdict, format!("cannot be told: could reach {:+.2}", 100.0 * farthest));
    assert!(contrast["same"].is_null(), "{contrast}");
    // Of three runs the interval is too narrow.
    let (verdict, contrast) = told(three, &wide);
    assert_eq!(
        (verdict.as_str(), &contrast["same"]),
        ("the same within 10? at least 3 more seeds each", &json!(false))
    );
    // Of two there is none, of one nothing at all.
    assert_eq!(told([&[0.50, 0.54], &[0.501, 0.542]], &wide).0, "cannot be told");
    assert_eq!(told([&[0.50], &[0.50]], &wide).0, "too few runs to tell");
    // Without a margin a difference that few more seeds might show is what it was.
    assert_eq!(told([&[0.5, 0.5], &[0.6, 0.62]], &without).0, "better? about 1 more seed each");
}

/// The deviations are of 1.9 points: the interval is of about 2 to either side.
#[test]
fn groups_are_the_same_where_the_interval_lies_within_the_margin() {
    let within = |margin: f64, test: Test| Options { margin: Some(margin), test, ..Options::default() };
    let six: [&[f64]; 2] = [&[0.50, 0.51, 0.52, 0.53, 0.54, 0.55], &[0.511, 0.501, 0.531, 0.521, 0.551, 0.541]];
    for (margin, verdict, same) in [(0.1, "the same within 10", true), (0.005, "cannot be told: could reach ", false)] {
        let (found, contrast) = told(six, &within(margin, Test::Welch));
        assert!(found.starts_with(verdict) && (found == verdict) == same, "{found}");
        assert_eq!(contrast["same"], same, "{contrast}");
    }
    // A difference that is there may be too small to matter.
    let better: [&[f64]; 2] =
        [&[0.500, 0.501, 0.502, 0.503, 0.504, 0.505], &[0.520, 0.521, 0.522, 0.523, 0.524, 0.525]];
    assert_eq!(told(better, &within(0.05, Test::Welch)).0, "better, by less than 5");
    assert_eq!(told(better, &within(0.01, Test::Welch)).0, "better");
    assert_eq!(told([better[1], better[0]], &within(0.05, Test::Welch)).0, "worse, by less than 5");
    assert_eq!(told([&better[0][..3], &better[1][..3]], &within(0.05, Test::Welch)).0, "better", "of three runs");
    // Pairs may show what means do not.
    let pairs: [&[f64]; 2] = [&[0.28, 0.20, 0.27, 0.30, 0.25, 0.22], &[0.281, 0.199, 0.271, 0.299, 0.2505, 0.2196]];
    assert!(told(pairs, &within(0.01, Test::Welch)).0.starts_with("cannot be told: could reach "));
    assert_eq!(told(pairs, &within(0.01, Test::Paired)).0, "the same within 1");
}

#[test]
fn the_title_of_differences_tells_what_is_called_the_same() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let title =
        |margin: Option<f64>| report::markdown(&compared(root.path(), Options { margin, ..Options::default() }), &[]);
    assert!(title(Some(0.005)).contains("; intervals: bootstrap; the same: interval within ±0.5 %\n"));
    assert!(title(None).contains("; intervals: bootstrap\n"));
    for seed in 0..3 {
        let run = Run { hash: "c", seed, accuracies: &[0.5 + 0.01 * seed as f64], ..Run::default() };
        run.write(root.path(), &format!("c{seed}"));
    }
    assert!(title(Some(0.005)).contains("; the same: interval within ±0.5 %, each by itself\n"));
}
