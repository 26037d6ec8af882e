//! Which points are tried, and with what figures of the data and lengths.

use crate::common::{assert_exit, text};
use crate::workplace::{begin, dry_run_without_the_set, workplace};
use runner::config::sweep;
use runner::plan::Plan;

#[test]
fn points_are_planned_with_a_stand_ins_figures_or_all_with_official_ones() {
    let said = dry_run_without_the_set("[axes]\n'phases[0].batch' = [500, 1000]\n");
    let stand_in = "planned with the figures of `shapes`, which stands in for `cifar10` shapes: 5,000 training";
    assert!(said.contains(stand_in) && said.matches("NOTICE").count() == 1, "{said}");
    assert!(said.contains("2 trials, 10,000 images"), "{said}");

    // One that does not fit the stand-in is no reason to refuse it; the others are told by the same figures.
    let official = "planned with the official figures of `cifar10`: what is asked for does not fit the stand-in `shapes` \
                    cifar10: 50,000 training";
    let said = dry_run_without_the_set("[axes]\n'phases[0].batch' = [500, 6000]\n");
    assert!(said.contains(official) && said.matches("NOTICE").count() == 1, "{said}");
    assert!(said.contains("2 trials, 100,000 images"), "{said}");

    // Nor to leave it out where points are to cost as much.
    let equal = "equal = { images = 'phases[0].epochs' }\n[axes]\n'phases[0].batch' = [500, 10000]\n";
    let said = dry_run_without_the_set(equal);
    assert!(said.contains(official) && said.contains("2 trials, 100,000 images"), "{said}");
}

#[test]
fn points_that_are_left_out_are_named_with_the_reason() {
    let (work, file) = workplace();
    let dry_run = |content: &str| {
        std::fs::write(&file, format!("name = 's'\nbase = 'small.toml'\n{content}")).unwrap();
        begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap()
    };
    let equal = "equal = { images = 'phases[1].epochs' }\n[axes]\n'phases[0].steps' = ";
    let output = dry_run(&format!("{equal}[5, 30]\n"));
    assert_exit(&output, 0);
    let said = text(&output);
    let words = "left out, for no `phases[1].epochs` makes the point cost what the base does, to one in a hundred: 1 of 2 points: \
                 phases[0].steps=30\n";
    assert!(said.contains(words) && said.contains("1 trial, "), "{said}");
    let output = dry_run(&format!("{equal}[30]\n"));
    assert_exit(&output, 2);
    let said = text(&output);
    assert!(said.contains(": 1 of 1 point: phases[0].steps=30\n"), "{said}");
    assert!(
        said.contains("error: none of 1 point is left\nhelp: widen the axes, or fit the length of another"),
        "{said}"
    );

    // What is evaluated more often has less time to train, unless evaluations are not counted.
    let images = |measure: &str| {
        let axes = "[axes]\n'train.eval_every' = ['20step', '10step']\n";
        let output = dry_run(&format!("equal = {{ {measure} = 'phases[1].epochs' }}\n{axes}"));
        assert_exit(&output, 0);
        let said = text(&output);
        let row = |point: char| said.lines().find(|line| line.trim_start().starts_with(point)).unwrap().to_owned();
        ['0', '1'].map(|point| row(point).split_whitespace().nth(3).unwrap().to_owned())
    };
    let [seldom, often] = images("training");
    assert_eq!(seldom, often);
    let [seldom, often] = images("time");
    assert_ne!(seldom, often);

    let constraint = "constraints = ['phases[0].lr < 1']\n[axes]\n'phases[0].lr' = [0.01, 2.0, 3.0]\n";
    let output = dry_run(constraint);
    assert_exit(&output, 0);
    let words = "left out, for `phases[0].lr < 1` does not hold: 2 of 3 points: phases[0].lr=2.0; phases[0].lr=3.0\n";
    assert!(text(&output).contains(words), "{}", text(&output));
    let drawn = "constraints = ['phases[0].lr > 1']\nmethod = 'random'\npoints = 2\n[axes]\n'phases[0].lr' = { uniform = [0, 1] }\n";
    let output = dry_run(drawn);
    assert_exit(&output, 2);
    let words = "the constraints leave 0 of 2 points\nhelp: widen the axes or the constraints\n";
    assert!(text(&output).contains(words), "{}", text(&output));
}

#[test]
fn a_length_is_fitted_until_points_cost_what_the_base_does() {
    let (_work, file) = workplace();
    let content = "name = 's'\nbase = 'small.toml'\nequal = { images = 'phases[1].epochs' }\n\
                   [axes]\n'phases[0].steps' = [5, 13, 20, 30]\n";
    std::fs::write(&file, content).unwrap();
    let sweep = sweep::load(&file).unwrap();
    let facts = runner::data::sets::make(&sweep.base().unwrap().spec.data.dataset).official().unwrap();
    let images = |loaded: &runner::config::Loaded| -> Option<f64> {
        let plan = Plan::compile(&loaded.spec, std::slice::from_ref(&facts)).ok()?;
        Some(plan.phases.iter().map(|phase| phase.images as f64).sum())
    };
    let target = images(&sweep.base().unwrap()).unwrap();
    for (first, fits) in [("5", true), ("13", true), ("20", true), ("30", false)] {
        let point = [first.to_owned()];
        let found = runner::sweep::fit::fitted(&sweep, sweep.equal.as_ref().unwrap(), &point, target, &images).unwrap();
        assert_eq!(found.is_some(), fits, "{first}");
        let cost = found.map_or(target, |loaded| images(&loaded).unwrap());
        assert!((cost - target).abs() <= 64.0, "{first}: {cost} images for {target}, with batches of 128");
    }
}
