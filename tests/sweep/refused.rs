//! What is wrong with a sweep is found before anything runs.

use crate::common::{assert_exit, runner, text};
use crate::workplace::{SWEEP, begin, workplace};

#[test]
fn an_experiment_is_no_sweep_and_a_sweep_no_experiment() {
    let (work, _) = workplace();
    let said = |arguments: &[&str]| {
        let output = runner().args(arguments).current_dir(work.path()).output().unwrap();
        assert_exit(&output, 2);
        assert!(text(&output).ends_with(&format!("\n1 error in {}\n", arguments[1])), "{}", text(&output));
        text(&output)
    };
    for arguments in
        [&["plan", "rates.toml"][..], &["train", "rates.toml"], &["model", "rates.toml", "--set", "seed=1"]]
    {
        let said = said(arguments);
        assert!(said.starts_with("rates.toml:5:2: error: this is a sweep file, not an experiment\n"), "{said}");
        assert!(said.contains("help: `runner sweep rates.toml` runs it\n"), "{said}");
    }
    let output = runner().args(["data", "info", "rates.toml"]).current_dir(work.path()).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).starts_with("rates.toml:5:2: error: this is a sweep file"), "{}", text(&output));
    let experiment = said(&["sweep", "small.toml", "--dry-run"]);
    assert!(experiment.contains("error: this is an experiment, not a sweep file\n"), "{experiment}");
    assert!(
        experiment.contains("[[phases]]\n") && experiment.contains("`runner train small.toml` runs it"),
        "{experiment}"
    );

    // One that takes its phases from another is one too, and what lacks its axes is still a sweep.
    std::fs::write(work.path().join("top.toml"), "extends = 'small.toml'\nseed = 2\n").unwrap();
    let experiment = said(&["sweep", "top.toml"]);
    assert!(experiment.starts_with("top.toml:1:1: error: this is an experiment"), "{experiment}");
    std::fs::write(work.path().join("seeds.toml"), "name = 's'\nbase = 'small.toml'\nseeds = [1, 2]\n").unwrap();
    let sweep = said(&["plan", "seeds.toml"]);
    assert!(sweep.starts_with("seeds.toml:2:1: error: this is a sweep file"), "{sweep}");
    // Beside settings of an experiment the key is misspelt.
    std::fs::write(work.path().join("top.toml"), "base = 'small.toml'\n[train]\nlabel_smoothing = 0.1\n").unwrap();
    let output = runner().args(["plan", "top.toml"]).current_dir(work.path()).output().unwrap();
    assert!(text(&output).contains("did you mean `extends`?"), "{}", text(&output));
}

#[test]
fn what_no_run_will_measure_is_no_metric() {
    let (work, file) = workplace();
    let base = |train: &str| {
        let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                    [[phases]]\nsteps = 12\nbatch = 32\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n";
        std::fs::write(work.path().join("small.toml"), format!("{base}[train]\n{train}\n")).unwrap();
    };
    let dry_run = |metric: &str, axes: &str| {
        let content = format!("name = 's'\nbase = 'small.toml'\nmetric = \"{metric}\"\n[axes]\n{axes}\n");
        std::fs::write(&file, content).unwrap();
        begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap()
    };
    let rates = "'phases[0].lr' = [0.1, 0.2]";
    let views = "'train.tta' = ['mirror', 'none']";
    let refused = [
        ("", "val_accuracy", rates, "no column of numbers `val_accuracy`", "did you mean `val_acc`?"),
        ("", "optimizer", rates, "no column of numbers `optimizer`", ""),
        ("", "val_acc_avg", rates, "looks at `val_acc_avg`, which is not measured\n", "`average = \"swa\"`"),
        ("average = 'swa'", "val_acc_avg_tta", rates, "which is not measured\n", "experiment: `tta = \"mirror\"`"),
        ("tta = 'mirror'", "val_acc_tta", views, "not measured\n", "help: that is at the point train.tta='none'\n"),
    ];
    for (train, metric, axes, message, help) in refused {
        base(train);
        let output = dry_run(metric, axes);
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains("rates.toml:3:10: error: ") && said.contains(message) && said.contains(help), "{said}");
    }
    base("");
    // What the axes bring is there.
    let average = "{ kind = 'ema', every = '3step', start = '6step' }";
    assert_exit(&dry_run("val_acc_avg", &format!("'train.average' = [{average}]")), 0);
    base(&format!("average = {average}"));
    assert_exit(&dry_run("val_loss_avg", rates), 0);
    assert!(!work.path().join("runs").exists());
}

#[test]
fn losses_that_count_something_else_are_not_held_against_each_other() {
    let (work, file) = workplace();
    let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n[train]\naverage = 'swa'\n\
                [[phases]]\nepochs = 1\nbatch = 500\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n\
                [[phases]]\nepochs = 1\nlr = 0.1\n";
    std::fs::write(work.path().join("small.toml"), base).unwrap();
    let dry_run = |metric: &str, axes: &str| {
        let content = format!("name = 's'\nbase = 'small.toml'\nmetric = '{metric}'\n[axes]\n{axes}\n");
        std::fs::write(&file, content).unwrap();
        begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap()
    };
    let losses = "'train.loss' = ['cross-entropy', 'bce']";
    let parts = "kind = { alternatives = [{ name = 'a' }, { name = 'b', train = { loss = 'bce' } }] }";
    let smoothing = "'train.label_smoothing' = [0, 0.1]";
    let drawn = "'phases[*].label_smoothing' = { uniform = [0, 0.1] }\n[prune]\nrule = 'median'";
    let mixed = "'phases[0].mix_images' = [[], [{ mixup = 0.2 }]]";
    let pruned = "'phases[*].prune_images' = ['none', { infobatch = 0.5 }]";
    let of_first =
        "loss = { paths = ['phases[0].label_smoothing', 'phases[1].label_smoothing'], rows = [[0.1, 0], [0, 0]] }";
    for (metric, axes, what, help) in [
        (
            "val_loss",
            losses,
            "axis `train.loss` that is another loss: `train.loss` differs",
            "metric = \"val_acc\"`, or give each",
        ),
        ("val_loss_avg", losses, "`train.loss` differs", "or give each loss a sweep of its own"),
        ("train_loss", losses, "`train.loss` differs", "or give each loss a sweep of its own"),
        ("val_loss", parts, "axis `kind` that is another loss: `train.loss` differs", ""),
        ("train_loss", smoothing, "`label_smoothing` differs", "judge them by `val_loss`, which has nothing of it"),
        ("train_loss", mixed, "`mix_images` differs", "judge them by `val_loss`"),
        ("train_loss", pruned, "`prune_images` differs", "judge them by `val_loss`"),
    ] {
        let output = dry_run(metric, axes);
        assert_exit(&output, 2);
        let said = text(&output);
        let head = format!("rates.toml:3:10: error: points are judged by `{metric}`, but along axis `");
        assert!(said.contains(&head) && said.contains(what) && said.contains(help), "{said}");
    }
    // A range differs in itself; where trials are given up before their ends, phases before the last count.
    let content = format!(
        "name = 's'\nbase = 'small.toml'\nmetric = 'train_loss'\nmethod = 'random'\npoints = 2\n[axes]\n{drawn}\n"
    );
    std::fs::write(&file, content).unwrap();
    let output = begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap();
    assert!(text(&output).contains("`label_smoothing` differs"), "{}", text(&output));
    let output = dry_run("train_loss", &format!("{of_first}\n[prune]\nrule = 'median'"));
    assert!(text(&output).contains("axis `loss` that is another loss: `label_smoothing` differs"), "{}", text(&output));

    for (metric, axes) in [
        ("val_acc", losses),
        ("val_loss", smoothing),
        ("val_loss", pruned),
        ("train_loss", of_first),
        ("val_loss", "'train.loss' = ['bce']"),
        ("train_loss", "'phases[0].lr' = [0.1, 0.2]"),
    ] {
        assert_exit(&dry_run(metric, axes), 0);
    }
}

#[test]
fn a_point_that_is_wrong_is_found_before_anything_runs() {
    let (work, file) = workplace();
    std::fs::write(&file, SWEEP.replace("1e30", "-1")).unwrap();
    let output = begin(&file, &work.path().join("runs")).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("out of range"), "{}", text(&output));
    assert!(!work.path().join("runs").exists());

    // All that is wrong, each at its value, and at which points.
    let more = "'phases[0].batch' = [128, 0]\n";
    std::fs::write(&file, format!("{}{more}", SWEEP.replace("1e30", "-1"))).unwrap();
    let output = begin(&file, &work.path().join("runs")).output().unwrap();
    assert_exit(&output, 2);
    let said = text(&output);
    for words in [
        "rates.toml:6:25: error: ",
        "help: that is at the point phases[0].lr=-1, phases[0].batch=128 and 1 more\n",
        "rates.toml:7:27: error: ",
        "help: that is at the point phases[0].lr=0.01, phases[0].batch=0 and 1 more\n",
        "2 errors in ",
    ] {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }

    // Drawn values are others at each point, and wrong for one reason.
    let drawn = "name = 's'\nbase = 'small.toml'\nmethod = 'random'\npoints = 20\n[axes]\n'phases[0].lr' = ";
    std::fs::write(&file, format!("{drawn}{{ uniform = [-2, -1] }}\n")).unwrap();
    let output = begin(&file, &work.path().join("runs")).output().unwrap();
    assert_exit(&output, 2);
    let said = text(&output);
    assert!(said.contains("rates.toml:6:18: error: ") && said.contains("\n1 error in "), "{said}");
}

#[test]
#[cfg(unix)]
fn the_base_of_a_sweep_may_lie_in_the_home_folder() {
    let (work, file) = workplace();
    let home = work.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::rename(work.path().join("small.toml"), home.join("small.toml")).unwrap();
    std::fs::write(&file, SWEEP.replace("small.toml", "~/small.toml").replace("1e30", "-1")).unwrap();
    let output = begin(&file, &work.path().join("runs")).env("HOME", &home).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("out of range"), "the base was read: {}", text(&output));
    let output = begin(&file, &work.path().join("runs")).env("HOME", work.path()).output().unwrap();
    assert!(text(&output).contains("there is no file"), "{}", text(&output));
}
