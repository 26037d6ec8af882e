//! What is read beside the trials of a sweep: values of its axes, its name, which were given up.

use super::*;

/// The search's table, with an axis that was not varied.
fn tabulate(root: &Path, further: &str) {
    let head = "trial,seed,state,run,objective,seconds,reason,peak,knee,rise,form,saved_steps,saved_seconds\n";
    let rows = [r#"0.4,0.03125,"0.25, 0.75""#, r#"0.4,0.0625,"0.25, 0.75""#, r#"0.8,0.123456,"0.5, 0.5""#];
    let row = |(k, values): (usize, &str)| format!("{k},0,done,t00{k}-s0,,,,{values},\"\"\"cosine\"\"\",,\n");
    let rows: String = rows.into_iter().enumerate().map(row).collect();
    fs::write(root.join(trials::TRIALS), format!("{head}{rows}{further}")).unwrap();
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
