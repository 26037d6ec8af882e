//! Reports and pictures in their forms.

use super::*;

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
