//! Which groups are called the same.

use super::*;

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
