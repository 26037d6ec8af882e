//! Whether claims hold.

use super::*;

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
