//! How groups are called, and which is meant.

use super::*;

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

/// One of two experiments writes what the other leaves at its default.
#[test]
fn a_default_that_only_one_writes_is_what_it_is() {
    let names_of = |of_each: [serde_json::Value; 2]| {
        let root = tempfile::tempdir().unwrap();
        for (hash, settings) in ["a", "b"].into_iter().zip(of_each) {
            Run { hash, settings, ..Run::default() }.write(root.path(), hash);
        }
        names(&compared(root.path(), Options::default())).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = json!({ "train.eval_batch": 500, "phases[0].batch": 8 });
    let other = json!({ "train.eval_batch": 500, "train.loss": "bce", "train.stop_div": false, "phases[0].batch": 8,
        "phases[0].label_smoothing": 0.1 });
    assert_eq!(
        names_of([plain, other]),
        ["phases[0].label_smoothing=0, train.loss=cross-entropy", "phases[0].label_smoothing=0.1, train.loss=bce"]
    );
}

/// What an optimizer has at its defaults tells nothing that its name does not.
#[test]
fn defaults_of_a_choice_are_in_no_name() {
    let root = tempfile::tempdir().unwrap();
    let adamw = |beta2: f64| json!({ "phases[0].optimizer": "adamw", "phases[0].optimizer.beta2": beta2, "phases[0].optimizer.eps": 1e-8 });
    let sgd = json!({ "phases[0].optimizer": "sgd", "phases[0].optimizer.nesterov": false });
    let write = |hash: &str, settings: serde_json::Value| {
        Run { hash, settings, ..Run::default() }.write(root.path(), hash);
    };
    write("a", sgd);
    write("b", adamw(0.999));
    let found = compared(root.path(), Options::default());
    assert_eq!(names(&found), ["phases[0].optimizer=sgd", "phases[0].optimizer=adamw"]);
    assert_eq!(found.groups[1].differing.len(), 4, "programs read all of them");
    // Where one has another value, the others' are told.
    write("c", adamw(0.95));
    let of_adamw =
        ["0.999", "0.95"].map(|beta2| format!("phases[0].optimizer=adamw, phases[0].optimizer.beta2={beta2}"));
    assert_eq!(names(&compared(root.path(), Options::default()))[1..], of_adamw);
}
