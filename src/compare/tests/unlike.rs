//! Values that are not of the same thing are no difference.

use super::*;

/// Turns the accuracies of runs into values of another metric.
fn measured_as(root: &Path, metric: &str) {
    for folder in fs::read_dir(root).unwrap() {
        let table = folder.unwrap().path().join(file::METRICS);
        let text = fs::read_to_string(&table).unwrap();
        fs::write(&table, text.replace("val_acc", metric)).unwrap();
    }
}

/// Three seeds of each of two experiments with these settings, far from each other, and what is made of them.
fn of_settings(metric: &str, settings: [serde_json::Value; 2]) -> Comparison {
    let root = tempfile::tempdir().unwrap();
    for ((hash, settings), value) in ["a", "b"].into_iter().zip(settings).zip([0.8, 0.1]) {
        for (seed, noise) in [0.000, 0.002, 0.004].into_iter().enumerate() {
            let (settings, seed) = (settings.clone(), seed as u64);
            let run = Run { hash, seed, settings, accuracies: &[value + noise], ..Run::default() };
            run.write(root.path(), &format!("{hash}{seed}"));
        }
    }
    measured_as(root.path(), metric);
    compared(root.path(), Options { metric: metric.to_owned(), ..Options::default() })
}

/// What is said of them, where anything is.
fn said(metric: &str, settings: [serde_json::Value; 2]) -> Option<String> {
    of_settings(metric, settings).notes.into_iter().find(|note| note.contains(" of different "))
}

#[test]
fn losses_of_different_kinds_are_not_compared() {
    let settings = || [json!({ "train.eval_batch": 500 }), json!({ "train.eval_batch": 500, "train.loss": "bce" })];
    let found = of_settings("val_loss", settings());
    let words = "val_loss is of different losses: cross-entropy in #1; bce in #2";
    assert!(found.notes.iter().any(|note| note == words), "{:?}", found.notes);
    let verdicts = found.judge(&["#2 < #1 at 0.05".parse().unwrap()]).unwrap();
    assert!(!verdicts[0].holds && verdicts[0].p_adjusted.unwrap() < 0.05, "{verdicts:?}");
    assert_eq!(verdicts[0].against.as_deref(), Some(words));
    let text = report::markdown(&found, &verdicts);
    assert!(text.contains("| not comparable: of different losses ") && !text.contains("| better "), "{text}");
    let json = report::json(&found, &verdicts);
    assert_eq!(json["groups"][1]["contrast"]["against"], json["expectations"][0]["against"]);

    // Accuracies are of the same thing all the same.
    let found = of_settings("val_acc", settings());
    assert!(found.contrasts[0].against.is_none() && found.notes == [NARROW], "{:?}", found.notes);
    assert!(found.judge(&["#2 < #1 at 0.05".parse().unwrap()]).unwrap()[0].holds);
}

/// Validation targets are whole, so that a threshold on targets is nothing to `val_loss`.
#[test]
fn a_threshold_is_another_loss_in_training_alone() {
    let settings = || [json!({ "train.loss": "bce" }), json!({ "train.loss": "bce", "train.loss.threshold": 0.2 })];
    assert_eq!(said("val_loss", settings()), None);
    let words = "train_loss is of different losses: bce in #1; bce above 0.2 in #2";
    assert_eq!(said("train_loss", settings()).as_deref(), Some(words));
}

#[test]
fn losses_in_training_are_of_what_is_trained_on() {
    let phase =
        |key: &str, value: serde_json::Value| json!({ "phases[0].batch": 8, (format!("phases[0].{key}")): value });
    let plain = || json!({ "phases[0].batch": 8 });
    let mixup = json!([{ "kind": "mixup", "alpha": 0.2 }, "cutmix"]);
    let cases = [
        (phase("mix_images", mixup), "mixing of images: none in #1; mixup alpha=0.2 or cutmix in #2"),
        (phase("prune_images", json!("info-batch")), "pruning of images: none in #1; info-batch in #2"),
        (phase("label_smoothing", json!(0.1)), "label smoothing: 0 in #1; 0.1 in #2"),
        (json!({ "train.label_smoothing": 0.2 }), "label smoothing: 0 in #1; 0.2 in #2"),
    ];
    for (other, words) in cases {
        let words = format!("train_loss is of different {words}");
        assert_eq!(said("train_loss", [plain(), other.clone()]), Some(words));
        assert_eq!(said("val_loss", [plain(), other]), None, "images and labels as they are");
    }
    // A phase without its own has that of the one before; the last one's is what the values are by.
    let phases = |first: f64, last: f64| json!({ "phases[0].label_smoothing": first, "phases[1].label_smoothing": last, "phases[2].batch": 8 });
    let words = "train_loss may be of different label smoothing: 0.1 in #1; 0.2, then 0.1 in #2";
    assert_eq!(said("train_loss", [phases(0.1, 0.1), phases(0.2, 0.1)]).as_deref(), Some(words));
    let words = "train_loss is of different label smoothing: 0.1 in #1; 0.1, then 0 in #2";
    assert_eq!(said("train_loss", [phases(0.1, 0.1), phases(0.1, 0.0)]).as_deref(), Some(words));
    // Of runs without settings nothing is known.
    assert_eq!(said("train_loss", [plain(), json!({})]), None);
}

/// The table tells no better or worse, either.
#[test]
fn verdicts_on_different_images_say_so() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let digests = |group: &str, digest: &str, images: u32| {
        for seed in 0..3 {
            let known = format!(r#""val_images":{images},"digest":"{digest}""#);
            edit(&root.path().join(format!("{group}{seed}")), &[(r#""val_images":1000,"digest":"""#, known.as_str())]);
        }
    };
    digests("a", "sha256:0123456789", 1000);
    digests("b", "sha256:abcdefabcdef", 999);
    let found = compared(root.path(), Options::default());
    let words = "val_acc is of different images: shapes (sha256:01234567…) in #1; shapes (sha256:abcdefab…) in #2";
    assert!(found.notes.iter().any(|note| note == words), "{:?}", found.notes);
    let text = report::markdown(&found, &[]);
    assert!(text.contains("| not comparable: of different images ") && !text.contains("| better "), "{text}");
}

/// Axes are tested over all points, and so not where any are not of the same.
#[test]
fn axes_have_no_effects_on_values_of_different_losses() {
    let root = tempfile::tempdir().unwrap();
    for (k, (loss, lr)) in
        [("bce", 0.1), ("bce", 0.2), ("cross-entropy", 0.1), ("cross-entropy", 0.2)].into_iter().enumerate()
    {
        for seed in 0..3 {
            let settings = json!({ "train.loss": loss, "phases[0].lr": lr });
            let value = 0.5 + 0.1 * k as f64 + 0.01 * seed as f64;
            let run = Run { hash: ["a", "b", "c", "d"][k], seed, settings, accuracies: &[value], ..Run::default() };
            run.write(root.path(), &format!("{k}-{seed}"));
        }
    }
    assert!(compared(root.path(), Options::default()).effects.is_some());
    measured_as(root.path(), "val_loss");
    let options = Options { metric: "val_loss".to_owned(), ..Options::default() };
    assert!(compared(root.path(), options).effects.is_none());
}
