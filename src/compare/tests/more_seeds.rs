//! How many more seeds would tell.

use super::*;

/// What is found in runs of two experiments with these last values, and the report of it.
fn found(values: [&[f64]; 2], test: Test) -> (Contrast, String) {
    let root = tempfile::tempdir().unwrap();
    of_seeds(root.path(), values);
    let found = compared(root.path(), Options { test, ..Options::default() });
    (found.contrasts[0].clone(), report::markdown(&found, &[]))
}

#[test]
fn what_is_open_wants_a_seed_at_least_and_what_is_not_tested_none() {
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
