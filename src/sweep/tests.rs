use super::*;
use crate::config::Text;
use crate::config::sweep;
use std::path::Path;

const BASE: &str = "\
name = 'base'
[data]
dataset = 'shapes'
[model]
backbone = 'shallow'
[[phases]]
epochs = 1
batch = 50
optimizer = 'sgd'
lr = 0.1
[[phases]]
epochs = 1
lr = { from = 0.1, to = 0.0, curve = 'cosine' }
";

fn read(folder: &Path, content: &str) -> Result<Sweep, String> {
    std::fs::write(folder.join("base.toml"), BASE).unwrap();
    std::fs::write(folder.join("linear.toml"), BASE.replace("cosine", "linear")).unwrap();
    std::fs::write(folder.join("sweep.toml"), "name = 's'\nbase = 'base.toml'\n").unwrap();
    let text = Text { name: "s.toml".into(), content: content.into(), folder: folder.to_owned() };
    sweep::read(text).map_err(|errors| errors.to_string())
}

#[test]
fn every_form_of_axis_edits_the_base() {
    let folder = tempfile::tempdir().unwrap();
    let content = r#"
name = "s"
base = "base.toml"
seeds = [2, 1]
[axes]
"phases[0].lr" = [0.2, { from = 0.1, to = 0.3 }]
batch = { paths = ["phases[0].batch", "train.eval_batch"], rows = [[25, 100], [50, 200]] }
"phases[*].momentum" = { values = [0.8] }
shape = { alternatives = ["linear.toml", { name = "short", train = { label_smoothing = 0.1 } }] }
"#;
    let sweep = read(folder.path(), content).unwrap();
    assert_eq!(sweep.seeds, [1, 2]);
    let trials = missing(&sweep, &Ledger::new("".into(), vec![]), &|_| true);
    assert_eq!(trials.len(), 2 * 2 * 2 * 2);
    let of = |number: usize| trials.iter().find(|trial| trial.number == number).unwrap();
    assert_eq!(of(0).values, ["0.2", "25, 100", "0.8", "linear"]);
    assert_eq!(of(7).values, ["{ from = 0.1, to = 0.3 }", "50, 200", "0.8", "short"]);
    let first = sweep.experiment(&of(0).values).unwrap().spec;
    assert_eq!((first.phases[0].lr.from, first.phases[0].batch, first.train.eval_batch), (0.2, 25, 100));
    assert!(first.phases.iter().all(|phase| phase.momentum.from == 0.8));
    assert_eq!((first.name.as_str(), first.phases[1].lr.curve.kind.as_str()), ("base", "linear"));
    let last = sweep.experiment(&of(7).values).unwrap().spec;
    assert_eq!((last.phases[0].lr.to, last.train.label_smoothing), (Some(0.3), 0.1));
    assert_eq!(last.phases[1].lr.curve.kind, "cosine");

    // What is kept in the sweep's folder reads the same from anywhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let text = Text { name: "sweep.toml".into(), content: sweep.content.clone(), folder: elsewhere.path().to_owned() };
    let again = sweep::read(text).unwrap();
    assert_eq!(again.experiment(&of(0).values).unwrap().spec, first);
}

#[test]
fn what_is_new_is_numbered_after_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |values: &str, seeds: &str| {
        let content = format!("name = 's'\nbase = 'base.toml'\nseeds = {seeds}\n[axes]\n'phases[0].lr' = {values}\n");
        read(folder.path(), &content).unwrap()
    };
    let mut ledger = Ledger::new("".into(), vec!["phases[0].lr".into()]);
    ledger.extend(missing(&sweep("[0.1, 0.3]", "[1]"), &ledger, &|_| true));
    let named = |trials: &[Trial]| trials.iter().map(|t| format!("{} {}", t.run, t.values[0])).collect::<Vec<_>>();
    assert_eq!(named(&ledger.trials), ["t000-s1 0.1", "t001-s1 0.3"]);
    let new = missing(&sweep("[0.1, 0.2, 0.3]", "[1, 2]"), &ledger, &|_| true);
    assert_eq!(named(&new), ["t000-s2 0.1", "t002-s1 0.2", "t002-s2 0.2", "t001-s2 0.3"]);
    ledger.extend(new);
    assert!(missing(&sweep("[0.3]", "[2]"), &ledger, &|_| true).is_empty());
    assert_eq!(best(&ledger, false), None);
    for (trial, objective) in ledger.trials.iter_mut().zip([0.5, 0.7, 0.9, 0.8]) {
        (trial.state, trial.objective) = (State::Done, Some(objective));
    }
    assert_eq!(best(&ledger, false).map(|best| best.number), Some(1));
    assert_eq!(best(&ledger, true).map(|best| best.number), Some(0));
}

#[test]
fn planned_trials_of_what_was_taken_out_are_asked_for_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |content: &str| read(folder.path(), &format!("name = 's'\nbase = 'base.toml'\n{content}")).unwrap();
    let grid = |values: &str, seeds: &str| sweep(&format!("seeds = {seeds}\n[axes]\n'phases[0].lr' = {values}\n"));
    let mut ledger = Ledger::new("".into(), vec!["phases[0].lr".into()]);
    ledger.extend(missing(&grid("[0.1, 0.3]", "[1, 2]"), &ledger, &|_| true));
    (ledger.trials[0].state, ledger.trials[2].state) = (State::Done, State::Interrupted);
    let asked = |sweep: &Sweep, ledger: &Ledger| {
        let Asked { missing, no_more } = asked(sweep, ledger, &|_| true);
        (missing.len(), Vec::from_iter(no_more))
    };
    assert_eq!(asked(&grid("[0.1, 0.3]", "[1, 2]"), &ledger), (0, vec![]));
    assert_eq!(asked(&grid("[0.1]", "[1, 2]"), &ledger), (0, vec![(1, 2)]));
    assert_eq!(asked(&grid("[0.1, 0.5]", "[1]"), &ledger), (1, vec![(0, 2), (1, 2)]));
    for method in ["random", "sobol", "tpe"] {
        let drawn = |points: usize| {
            let axes = "[axes]\n'phases[0].lr' = { log_uniform = [0.01, 1] }\n";
            sweep(&format!("method = '{method}'\npoints = {points}\n{axes}"))
        };
        let mut ledger = Ledger::new("".into(), vec!["phases[0].lr".into()]);
        ledger.extend(missing(&drawn(5), &ledger, &|_| true));
        assert_eq!(asked(&drawn(3), &ledger), (0, vec![(3, 0), (4, 0)]), "{method}");
        // Constraints, and data by which lengths are fitted, may be others by now.
        let refused = super::asked(&drawn(5), &ledger, &|_| false);
        assert!(refused.no_more.is_empty() && refused.missing.is_empty(), "{method}: {refused:?}");
    }
}

#[test]
fn points_that_are_there_stay_when_they_are_allowed_no_more_or_written_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let grid = |rates: &str, rows: &str, seeds: &str| {
        let both = format!("both = {{ paths = ['phases[0].batch', 'phases[1].lr.to'], rows = {rows} }}");
        let content =
            format!("name = 's'\nbase = 'base.toml'\nseeds = {seeds}\n[axes]\n'phases[0].lr' = {rates}\n{both}\n");
        read(folder.path(), &content).unwrap()
    };
    let sweep = grid("[0.1, { to = 0.3 }]", "[[25, 0.0]]", "[1]");
    let mut ledger = Ledger::new("".into(), vec!["phases[0].lr".into(), "both".into()]);
    ledger.extend(missing(&sweep, &ledger, &|_| true));
    assert_eq!(ledger.trials.len(), 2);
    let refused = asked(&grid("[0.1, { to = 0.3 }, 0.5]", "[[25, 0.0]]", "[1, 2]"), &ledger, &|_| false);
    assert!(refused.missing.is_empty() && refused.no_more.is_empty(), "{refused:?}");
    // Those that have all their trials are not asked about.
    let none = |point: &[String]| -> bool { panic!("{point:?}") };
    assert!(missing(&sweep, &ledger, &none).is_empty());

    let other = grid("[0.10, {to=0.30}]", "[[25, 0]]", "[1, 2]");
    let Asked { missing, no_more } = asked(&other, &ledger, &|_| true);
    assert!(no_more.is_empty(), "{no_more:?}");
    let found: Vec<_> = missing.iter().map(|trial| (trial.id(), &trial.values[..])).collect();
    let [first, second] = [&ledger.trials[0].values[..], &ledger.trials[1].values[..]];
    assert_eq!(found, [((0, 2), first), ((1, 2), second)], "with the values that the points have");
    let spec = other.experiment(first).unwrap().spec;
    assert_eq!((spec.phases[0].lr.from, spec.phases[0].batch, spec.phases[1].lr.to), (0.1, 25, Some(0.0)));
}

#[test]
fn axes_that_leave_something_of_each_other_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |content: &str| read(folder.path(), &format!("name = 's'\nbase = 'base.toml'\n{content}")).unwrap();
    let rates = |sweep: &Sweep, point: &[&str]| {
        let point: Vec<String> = point.iter().map(|value| (*value).to_owned()).collect();
        sweep.experiment(&point).unwrap().spec.phases.iter().map(|phase| phase.lr.from).collect::<Vec<_>>()
    };
    let refined = sweep("[axes]\n'phases[*].lr' = [0.1, 0.2]\n'phases[1].lr' = [0.05]\n");
    assert_eq!(rates(&refined, &["0.2", "0.05"]), [0.2, 0.05]);
    let curves = "[axes]\n'phases[0].lr' = [{ to = 0, curve = 'linear' }, { to = 0, curve = 'cosine' }]\n";
    let composed = sweep(&format!("{curves}'phases[0].lr.from' = [0.2, 0.3]\n"));
    assert_eq!(rates(&composed, &["{ to = 0, curve = 'cosine' }", "0.3"])[0], 0.3);
    let fitted = sweep("equal = { images = 'phases[1].epochs' }\n[axes]\n'phases[*].epochs' = [1, 2]\n");
    assert!(fitted.equal.is_some());
}

#[test]
fn a_sweep_that_is_there_is_read_though_a_new_one_would_be_refused() {
    let folder = tempfile::tempdir().unwrap();
    let alternative = "a = { alternatives = [{ name = 'x', seed = 1 }] }";
    let cases = [
        ("seeds = [1, 2, 2]", ""),
        ("prune = { rule = 'median', keep = 3 }", ""),
        ("prune = { rule = 'asha', at = [] }", ""),
        ("", "'phases[0].lr' = [0.9, 0.90]"),
        ("", "seed = [1, 2]"),
        ("", "'phases[0].momentum' = [0.9]\n'phases[*].momentum' = [0.8]"),
        ("equal = { images = 'phases[0].epochs' }", "'phases[0].steps' = [5]"),
        ("", alternative),
    ];
    for (settings, axes) in cases {
        let content = format!("name = 's'\nbase = 'base.toml'\n{settings}\n[axes]\n{axes}\n");
        assert!(read(folder.path(), &content).is_err(), "{content}");
        let path = folder.path().join("begun.toml");
        std::fs::write(&path, &content).unwrap();
        assert!(sweep::load(&path).is_err(), "{content}");
        let begun = sweep::load_begun(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(begun.seeds == [1, 2] || begun.seeds == [0], "{:?}", begun.seeds);
    }
    // What never was one is none.
    std::fs::write(folder.path().join("begun.toml"), "name = 's'\nbase = 'base.toml'\nseeds = []\n").unwrap();
    assert!(sweep::load_begun(&folder.path().join("begun.toml")).is_err());
}

#[test]
fn random_sweeps_grow() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |points: usize| {
        let axes = "'phases[0].lr' = { log_uniform = [0.01, 1] }";
        let content = format!("name='s'\nbase='base.toml'\nmethod='random'\npoints={points}\n[axes]\n{axes}\n");
        read(folder.path(), &content).unwrap()
    };
    let mut ledger = Ledger::new("".into(), vec![]);
    ledger.extend(missing(&sweep(3), &ledger, &|_| true));
    let more = missing(&sweep(5), &ledger, &|_| true);
    assert_eq!(more.iter().map(|t| t.number).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(missing(&sweep(5), &Ledger::new("".into(), vec![]), &|_| true)[..3], ledger.trials[..]);
}

#[test]
fn mistakes_are_shown_in_the_sweep_file_or_at_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let head = "name = 's'\nbase = 'base.toml'\n";
    let cases = [
        ("name = 's'\n", "missing `base`"),
        ("name = 's'\nbase = 'none.toml'\n", "s.toml:2:8: error: there is no file"),
        ("name = 's'\nbase = 'base.toml'\nseeds = []\n", "s.toml:3:9: error: `seeds` is empty"),
        (&format!("{head}points = 3\n"), "a grid has as many points"),
        (&format!("{head}method = 'random'\n"), "how many points"),
        (&format!("{head}[axes]\na = {{ uniform = [2, 1] }}\n"), "`[LOW, HIGH]`"),
        (&format!("{head}[axes]\n'phases[0].lr' = {{ uniform = [1, 2] }}\n"), "a grid cannot go through"),
        (&format!("{head}[axes]\n'phases[0].lr' = [1, 2, 1]\n"), "`1` is there twice"),
        (
            &format!("{head}[axes]\n'phases[0].lr' = [0.9, 0.90]\n"),
            "s.toml:4:24: error: `0.90` is there already, as `0.9`",
        ),
        (&format!("{head}[axes]\n'phases[0].lr' = [2, {{ to = 1 }}, {{to=1.0}}]\n"), "`{to=1.0}` is there already"),
        (
            &format!("{head}[axes]\na = {{ paths = ['seed', 'name'], rows = [[1, 'x'], [1.0, \"x\"]] }}\n"),
            "is there already",
        ),
        (&format!("{head}seeds = [3, 1, 3]\n"), "s.toml:3:16: error: `3` is there twice"),
        (&format!("{head}[axes]\nseed = [1, 2]\n"), "s.toml:4:1: error: an axis cannot vary `seed`"),
        (
            &format!("{head}[axes]\na = {{ paths = ['name'], values = ['x'] }}\n"),
            "s.toml:4:16: error: an axis cannot vary `name`",
        ),
        (
            &format!("{head}[axes]\na = {{ alternatives = [{{ name = 'x', seed = 1 }}] }}\n"),
            "s.toml:4:37: error: an alternative cannot have a `seed`",
        ),
        (
            &format!(
                "{head}[axes]\n'phases[1].lr.to' = [0, 1]\na = {{ paths = ['phases[1].lr.to'], values = [0.3] }}\n"
            ),
            "s.toml:5:16: error: `phases[1].lr.to` is set by axis `phases[1].lr.to` already\n",
        ),
        (
            &format!("{head}[axes]\n'phases[0].momentum' = [0.9]\n'phases[*].momentum' = [0, 0.5]\n"),
            "s.toml:5:1: error: `phases[*].momentum` undoes what axis `phases[0].momentum` sets\n",
        ),
        (
            &format!("{head}[axes]\n'phases[0].epochs' = [1]\n'phases[0].steps' = [5]\n"),
            "`phases[0].steps` undoes what axis `phases[0].epochs` sets\n",
        ),
        (
            &format!("{head}[axes]\n'phases[0].lr' = [{{ to = 0 }}, 0.2]\n'phases[0].lr.from' = [0.1]\n"),
            "`phases[0].lr.from` undoes what axis `phases[0].lr` sets\n",
        ),
        (
            &format!(
                "{head}[axes]\na = {{ paths = ['phases[0].lr.to', 'phases[0].lr'], rows = [[1, {{ from = 2 }}]] }}\n"
            ),
            "`phases[0].lr` undoes what axis `a` sets, `phases[0].lr.to`\n",
        ),
        (
            &format!(
                "{head}[axes]\n'phases[0].optimizer.nesterov' = [true, false]\n'phases[0].optimizer.kind' = ['sgd', 'rmsprop']\n"
            ),
            "help: put it before the other, so that both count, or take one out\n",
        ),
        (
            &format!("{head}[axes]\na = {{ paths = ['phases[0].lr', 'phases[0].lr'], values = [1] }}\n"),
            "by axis `a` already\n",
        ),
        (&format!("{head}[axes]\n'phases[0].lr' = {{ uniforn = [1, 2] }}\n"), "did you mean `uniform`?"),
        (&format!("{head}method = 'sobol'\n"), "a sweep by `sobol` does not say how many points"),
        (&format!("{head}method = 'sobol'\npoints = 70000\n"), "65536 points"),
        (&format!("{head}parallel = 3\n"), "`parallel` means nothing to method `grid`"),
        (&format!("{head}constraints = ['phases[0].lr']\n"), "s.toml:3:16: error: `phases[0].lr` is no constraint"),
        (&format!("{head}constraints = ['phases[1].lr.form < 1']\n"), "did you mean `phases[1].lr.from`?"),
        (&format!("{head}constraints = ['1 < data.dataset']\n"), "`data.dataset` is no number"),
        (
            &format!("{head}constraints = ['phases[0].lr + phases[1].rl < 1']\n"),
            "s.toml:3:32: error: `phases[1].rl` is no axis and no setting of the base\n",
        ),
        (
            &format!("{head}constraints = ['phases[0].lr * (2 + 3 < 1']\n"),
            " 3 | constraints = ['phases[0].lr * (2 + 3 < 1']\n   |                                       ^\n   expected one of `+`",
        ),
        (
            &format!("{head}constraints = ['phases[0].epochs + 1ep < 3']\n"),
            "s.toml:3:34: error: a plain number and epochs do not go together\n",
        ),
        (&format!("{head}constraints = ['1 < 2 < 3']\n"), "s.toml:3:23: error: a second comparison\n"),
        (&format!("{head}prune = {{ rule = 'mean' }}\n"), "expected one of \"median\", \"asha\""),
        (&format!("{head}prune = {{ rule = 'asha', at = [1.5] }}\n"), "out of range: 1.5"),
        (&format!("{head}prune = {{ rule = 'asha', at = [] }}\n"), "s.toml:3:31: error: `at` is empty"),
        (
            &format!("{head}prune = {{ rule = 'median', keep = 2 }}\n"),
            "s.toml:3:35: error: `keep` means nothing to rule `median`",
        ),
        (&format!("{head}equal = {{}}\n"), "`equal` names nothing"),
        (&format!("{head}equal = {{ images = 'phases[0].epochs', time = 'phases[1].epochs' }}\n"), "two things"),
        (&format!("{head}equal = {{ image = 'phases[0].epochs' }}\n"), "did you mean `images`?"),
        (&format!("{head}equal = {{ time = 'phases[0].lr' }}\n"), "is not the length of a phase"),
        (&format!("{head}equal = {{ time = 'phases[0].steps' }}\n"), "the base has no `phases[0].steps`"),
        (
            &format!("{head}equal = {{ time = 'phases[0].epochs' }}\n[axes]\n'phases[0].epochs' = [1, 2]\n"),
            "an axis sets `phases[0].epochs`",
        ),
        (
            &format!("{head}equal = {{ time = 'phases[0].epochs' }}\n[axes]\n'phases[0].steps' = [1, 2]\n"),
            "an axis sets `phases[0].epochs`",
        ),
        ("name = 's'\nbase = 'sweep.toml'\n", "s.toml:2:8: error: `sweep.toml` is a sweep file, not an experiment\n"),
        (
            &format!("{head}[axes]\na = {{ alternatives = ['sweep.toml'] }}\n"),
            "`sweep.toml` is a sweep file, not an experiment\n",
        ),
        (&format!("{head}[axes]\na = 3\n"), "axis `a` cannot be an integer"),
        (&format!("{head}[axes]\na = {{ alternatives = [{{ seed = 1 }}] }}\n"), "an alternative has no name"),
    ];
    for (content, words) in cases {
        let said = read(folder.path(), content).err().unwrap_or_else(|| panic!("read: {content}"));
        assert!(said.contains(words), "`{words}` is not in: {said}");
    }
}

#[test]
fn what_is_wrong_with_a_value_is_shown_where_the_sweep_file_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let said = |axes: &str, point: &[&str]| {
        let head = "name = 's'\nbase = 'base.toml'\n";
        let sweep = read(folder.path(), &format!("{head}{axes}")).unwrap();
        let point: Vec<String> = point.iter().map(|value| (*value).to_owned()).collect();
        let said = sweep.experiment(&point).unwrap_err().to_string();
        assert!(said.ends_with(" in s.toml\n"), "{said}");
        said
    };
    let unknown = said("[axes]\n'phases[0].rl' = [1]\n", &["1"]);
    assert!(
        unknown.contains("s.toml:4:1: error: unknown key `rl`") && unknown.contains("did you mean `lr`?"),
        "{unknown}"
    );
    let listed = said("[axes]\n'phases[0].lr' = [1, { to = -4 }]\n", &["{ to = -4 }"]);
    assert!(listed.contains("s.toml:4:29: error: `to` is out of range: -4\n"), "{listed}");
    let row = "[axes]\na = { paths = ['phases[0].lr.to', 'phases[0].batch'], rows = [[0.1, 0]] }\n";
    assert!(said(row, &["0.1, 0"]).contains("s.toml:4:69: error: "), "{}", said(row, &["0.1, 0"]));
    // Where it is not written as it is, the place is the whole that it comes from.
    let broken = said("[axes]\n'data.augment' = [[\n  'flp']]\n", &["[ 'flp']"]);
    assert!(broken.contains("s.toml:4:19: error: "), "{broken}");
    let drawn = "method = 'random'\npoints = 1\n[axes]\n'phases[0].lr' = { uniform = [-2, -1] }\n";
    assert!(said(drawn, &["-1.5"]).contains("s.toml:6:18: error: "), "{}", said(drawn, &["-1.5"]));
}

#[test]
fn constraints_leave_points_out_and_the_others_are_those_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let trials = |content: &str| {
        let sweep = read(folder.path(), &format!("name = 's'\nbase = 'base.toml'\n{content}")).unwrap();
        missing(&sweep, &Ledger::new("".into(), vec![]), &|point| sweep.allows(point))
    };
    let axes =
        "[axes]\n'phases[0].lr' = [0.05, 0.2, 0.3]\npeak = { paths = ['phases[1].lr.from'], values = [0.1, 0.25] }\n";
    let found = trials(&format!("constraints = ['phases[0].lr <= phases[1].lr.from', 'peak < 0.3']\n{axes}"));
    let points: Vec<String> = found.iter().map(|trial| trial.values.join(" ")).collect();
    assert_eq!(points, ["0.05 0.1", "0.05 0.25", "0.2 0.25"]);
    assert_eq!(found.iter().map(|trial| trial.number).collect::<Vec<_>>(), [0, 1, 2]);
    for method in ["random", "sobol", "tpe"] {
        let drawn = |points: usize| {
            let axes = "[axes]\n'phases[0].lr' = { uniform = [0, 1] }\n'phases[1].lr.from' = { uniform = [0, 1] }\n";
            trials(&format!(
                "method = '{method}'\npoints = {points}\nconstraints = ['phases[0].lr < phases[1].lr.from']\n{axes}"
            ))
        };
        let eight = drawn(8);
        assert_eq!(eight.len(), 8, "{method}");
        let number = |text: &String| text.parse::<f64>().unwrap();
        assert!(eight.iter().all(|trial| number(&trial.values[0]) < number(&trial.values[1])), "{method}");
        assert_eq!(drawn(10)[..8], eight, "{method}");
    }
}

#[test]
fn constraints_compute() {
    let folder = tempfile::tempdir().unwrap();
    let points = |content: &str| {
        let sweep = read(folder.path(), &format!("name = 's'\nbase = 'base.toml'\n{content}")).unwrap();
        let found = missing(&sweep, &Ledger::new("".into(), vec![]), &|point| sweep.allows(point));
        found.into_iter().map(|trial| trial.values).collect::<Vec<_>>()
    };
    let axes =
        "[axes]\n'phases[0].lr' = [0.1, 0.2, 0.3]\npeak-lr = { paths = ['phases[1].lr.from'], values = [0.1, 0.2] }\n";
    let found =
        points(&format!("constraints = ['phases[0].lr + peak-lr == 0.3', '2 * (peak-lr - 0.05) >= 0.1']\n{axes}"));
    assert_eq!(found, [["0.1", "0.2"], ["0.2", "0.1"]]);
    for method in ["random", "sobol", "tpe"] {
        let axes = "[axes]\n'phases[0].lr' = { uniform = [0, 1] }\n'phases[1].lr.from' = { uniform = [0, 1] }\n";
        let claim = "constraints = ['phases[0].lr + phases[1].lr.from < 0.5']\n";
        let found = points(&format!("method = '{method}'\npoints = 8\n{claim}{axes}"));
        assert_eq!(found.len(), 8, "{method}");
        let sum = |values: &Vec<String>| values.iter().map(|value| value.parse::<f64>().unwrap()).sum::<f64>();
        assert!(found.iter().all(|values| sum(values) < 0.5), "{method}");
    }
}

#[test]
fn constraints_that_refuse_all_come_to_an_end() {
    let folder = tempfile::tempdir().unwrap();
    for method in ["random", "sobol", "tpe"] {
        let content = format!("name='s'\nbase='base.toml'\nmethod='{method}'\npoints=60000\nstartup=60000\n");
        let content = if method == "tpe" { content } else { content.replace("startup=60000\n", "") };
        let sweep =
            read(folder.path(), &format!("{content}[axes]\n'phases[0].lr' = {{ uniform = [0, 1] }}\n")).unwrap();
        assert!(missing(&sweep, &Ledger::new("".into(), vec![]), &|_| false).is_empty());
    }
}
