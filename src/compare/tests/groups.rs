//! Which runs are a group, and what of them counts.

use super::*;

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
    for words in [
        "1 diverged, 1 running",
        "1 earlier run of the same seed is not counted",
        "different machines: cpu avx2 ×2; cpu avx2 ×8",
    ] {
        assert!(notes.contains(words), "`{words}` is not in {notes}");
    }
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
        "val_acc may be of different images: shapes (sha256:01234567…) in #1; shapes (sha256:abcdefab…) in #2",
        "perhaps those trained on alone differ"
    );
    edit(&a, &[(r#""name":"shapes""#, r#""name":"cifar10""#)]);
    edit(&b, &[(r#""stands_in_for":null"#, r#""stands_in_for":"cifar10""#)]);
    assert_eq!(notes(), "val_acc is of different images: cifar10 in #1; shapes (stands in for cifar10) in #2");
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
    assert_eq!(write(2), ["val_acc is of different images: shapes in #1; small in #2"]);
}
