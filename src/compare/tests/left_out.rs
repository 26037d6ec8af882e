//! What cannot be read or compared is left out, and said.

use super::*;

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
