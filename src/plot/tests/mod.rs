//! Pictures as a viewer lays them out: all words inside, none over another.

mod find_lr;
mod groups;
mod of_schedules;

use super::*;
use crate::record::confusion::Confusion;
use crate::record::rows::{MetricsRow, OwnLine, OwnPoint, OwnQuantity, PhaseEnds, PlanRow, PlannedStepRow, TraceRow};
use resvg::usvg;

/// Optimizer, steps, size, batch, lr.
type Phase = (&'static str, u64, usize, usize, (f64, f64, &'static str));

const IMAGES: u64 = 5000;

fn plan(phases: &[Phase]) -> Vec<PlanRow> {
    let row = |(i, &(optimizer, steps, size, batch, (lr_from, lr_to, curve))): (usize, &Phase)| PlanRow {
        phase: i,
        source: i,
        optimizer: optimizer.into(),
        epochs: (steps * batch as u64) as f64 / IMAGES as f64,
        steps,
        images: steps * batch as u64,
        size,
        batch,
        lr_from,
        lr_to,
        lr_curve: curve.into(),
        momentum_from: 0.95,
        momentum_to: 0.85,
        momentum_curve: "linear".into(),
        dataset: None,
    };
    phases.iter().enumerate().map(row).collect()
}

fn steps(plan: &[PlanRow]) -> Vec<PlannedStepRow> {
    let mut rows = Vec::new();
    for phase in plan {
        for i in 0..phase.steps {
            let t = i as f64 / phase.steps as f64;
            rows.push(PlannedStepRow {
                step: rows.len() as u64,
                epoch: rows.len() as u64 * phase.batch as u64 / IMAGES,
                phase: phase.phase,
                optimizer: phase.optimizer.clone(),
                size: phase.size,
                batch: phase.batch,
                lr: phase.lr_from + (phase.lr_to - phase.lr_from) * t,
                momentum: 0.95 - 0.1 * t,
                weight_decay: 0.0,
                mix: None,
                beta: None,
                clip_norm: None,
                clip_value: None,
                lookahead_decay: None,
                average_decay: None,
            });
        }
    }
    rows
}

fn trace(plan: &[PlanRow]) -> Vec<TraceRow> {
    let row = |s: PlannedStepRow| TraceRow {
        step: s.step,
        epoch: s.epoch,
        phase: s.phase,
        optimizer: s.optimizer,
        size: s.size,
        batch: s.batch,
        lr: s.lr,
        momentum: s.momentum,
        weight_decay: s.weight_decay,
        loss: 2.0 / (1.0 + s.step as f64) + 0.1 * (s.step % 7) as f64,
        grad_norm: 1.0,
        seconds: 0.01 * s.size as f64,
        mix: s.mix,
        beta: s.beta,
        clip_norm: s.clip_norm,
        clip_value: s.clip_value,
        lookahead_decay: s.lookahead_decay,
        average_decay: s.average_decay,
    };
    steps(plan).into_iter().map(row).collect()
}

fn metrics(trace: &[TraceRow]) -> Vec<MetricsRow> {
    let mut seconds = 0.0;
    let mut rows = Vec::new();
    for row in trace {
        seconds += row.seconds;
        if row.step % 100 == 99 {
            rows.push(MetricsRow {
                step: row.step,
                epoch: row.epoch,
                phase: row.phase,
                optimizer: row.optimizer.clone(),
                size: row.size,
                batch: row.batch,
                lr: row.lr,
                momentum: row.momentum,
                train_loss: row.loss,
                train_acc: 0.5,
                val_loss: 0.6,
                val_acc: 1.0 - 20.0 / (row.step as f64 + 20.0),
                val_acc_top5: 1.0,
                images: 0,
                train_seconds: seconds,
                eval_seconds: 0.1,
                wall_seconds: seconds,
                val_acc_tta: None,
                val_acc_avg: None,
                val_loss_avg: None,
                val_acc_avg_tta: None,
            });
        }
    }
    rows
}

const DOWN: (f64, f64, &str) = (0.4, 0.0, "linear");

/// One phase, three, ten, ten that hardly show, and a range test.
fn plans() -> Vec<Vec<PlanRow>> {
    let ten: Vec<Phase> =
        (0..10).map(|i| (["sgd", "rmsprop", "adamw"][i % 3], 100, 16 + 8 * i, 64 << (i % 3), DOWN)).collect();
    let mut short = ten.clone();
    for (i, phase) in short.iter_mut().enumerate() {
        phase.1 = [1, 3, 2, 900, 4, 5, 300, 2, 3, 1][i];
    }
    vec![
        plan(&[("sgd", 390, 32, 128, DOWN)]),
        plan(&[
            ("rmsprop", 80, 16, 64, (0.001, 0.004, "linear")),
            ("sgd", 150, 24, 64, DOWN),
            ("sgd", 150, 32, 64, DOWN),
        ]),
        plan(&ten),
        plan(&short),
        plan(&[("sgd", 100, 32, 64, (1e-5, 10.0, "exponential")), ("sgd", 20, 32, 64, DOWN)]),
        plan(&[("sgd", 1, 32, 64, (0.1, 0.1, "constant"))]),
    ]
}

/// The boxes of all texts, with the words. Those of slanting ones, whose boxes say little, are empty, in their middle.
fn texts(svg: &str) -> (Vec<(usvg::Rect, String)>, usvg::Size) {
    fn collect(group: &usvg::Group, out: &mut Vec<(usvg::Rect, String)>) {
        for node in group.children() {
            match node {
                usvg::Node::Group(group) => collect(group, out),
                usvg::Node::Text(text) => {
                    let words = text.chunks().iter().map(|chunk| chunk.text().to_owned()).collect();
                    let (area, transform) = (text.abs_bounding_box(), text.abs_transform());
                    let slanting = transform.kx != 0.0 && transform.sx.abs() > 1e-3;
                    let middle = (area.left() + area.width() / 2.0, area.top() + area.height() / 2.0);
                    let none = usvg::Rect::from_xywh(middle.0, middle.1, 1e-3, 1e-3).unwrap();
                    let inside = area.left() >= 0.0 && area.top() >= 0.0;
                    out.push((if slanting && inside { none } else { area }, words));
                }
                _ => {}
            }
        }
    }
    let tree = png::parse(svg).unwrap();
    let mut out = Vec::new();
    collect(tree.root(), &mut out);
    (out, tree.size())
}

fn assert_readable(svg: &str) {
    let (texts, size) = texts(svg);
    assert!(texts.len() > 5);
    for (i, (a, words)) in texts.iter().enumerate() {
        let inside = a.left() >= 0.0 && a.top() >= 0.0 && a.right() <= size.width() && a.bottom() <= size.height();
        assert!(inside, "`{words}` leaves the picture");
        for (b, others) in &texts[i + 1..] {
            let across = a.right().min(b.right()) - a.left().max(b.left());
            let down = a.bottom().min(b.bottom()) - a.top().max(b.top());
            assert!(across <= 0.5 || down <= 2.0, "`{words}` lies over `{others}`: {across} × {down}");
        }
    }
}

#[test]
fn no_word_of_a_schedule_lies_over_another() {
    for plan in plans() {
        for labels in [Shown::Yes, Shown::No] {
            for momentum in [Shown::Yes, Shown::No] {
                let options = ScheduleOptions { labels, momentum, ..ScheduleOptions::default() };
                let steps = steps(&plan);
                for steps in [&steps[..], &steps[..steps.len() / 2], &[]] {
                    assert_readable(&schedule("a-name", &plan, Scheduled { steps, own: &[], ends: &[] }, options));
                }
            }
        }
    }
}

#[test]
fn no_word_of_curves_lies_over_another() {
    for plan in plans() {
        let trace = trace(&plan);
        let metrics = metrics(&trace);
        let run = RunRows { name: "seed-1", phases: &plan, metrics: &metrics, trace: &trace };
        let half = RunRows { metrics: &metrics[..metrics.len() / 2], trace: &trace[..trace.len() / 2], ..run };
        let none = RunRows { metrics: &[], trace: &[], ..run };
        for across in [Across::Steps, Across::Epochs, Across::Images, Across::Seconds] {
            for runs in [vec![run], vec![half], vec![none], vec![run; 3], vec![run, half, none]] {
                assert_readable(&curves("a-name", &runs, across));
                for scale in [LrScale::ByCurves, LrScale::Log] {
                    assert_readable(&schedules("a-name", &runs, across, scale));
                }
            }
        }
    }
    assert_readable(&curves("nothing", &[], Across::Steps));
}

#[test]
fn averages_and_views_have_lines_of_their_own_where_there_are_any() {
    let plan = &plans()[1];
    let trace = trace(plan);
    let mut metrics = metrics(&trace);
    let draw = |metrics: &[MetricsRow]| {
        let run = RunRows { name: "seed-1", phases: plan, metrics, trace: &trace };
        let picture = curves("a-name", &[run], Across::Steps);
        assert_readable(&picture);
        let words: Vec<String> = texts(&picture).0.into_iter().map(|text| text.1).collect();
        (words, picture.matches("<circle").count())
    };
    let (words, dots) = draw(&metrics);
    assert!(!words.iter().any(|word| word.contains("averaged")), "{words:?}");
    // The average from its first update on, views at the end alone.
    metrics[1..].iter_mut().for_each(|row| row.val_acc_avg = Some(0.8));
    metrics[2].val_acc_tta = Some(0.9);
    let (words, with_both) = draw(&metrics);
    for label in ["averaged weights 80.0 %", "averaged views 90.0 %"] {
        assert!(words.iter().any(|word| word == label), "no {label} in {words:?}");
    }
    assert!(!words.iter().any(|word| word.starts_with("weights and views")), "{words:?}");
    assert_eq!((metrics.len(), with_both), (3, dots + 3));
    metrics[2].val_acc_avg_tta = Some(0.95);
    assert!(draw(&metrics).0.iter().any(|word| word == "weights and views 95.0 %"));
}

#[test]
fn a_validation_loss_that_leaves_its_panel_is_told() {
    let plan = &plans()[1];
    let trace = trace(plan);
    let mut metrics = metrics(&trace);
    let marks = |metrics: &[MetricsRow]| -> Vec<String> {
        let run = RunRows { name: "seed-1", phases: plan, metrics, trace: &trace };
        let picture = curves("a-name", &[run], Across::Steps);
        assert_readable(&picture);
        texts(&picture).0.into_iter().map(|text| text.1).filter(|words| words.starts_with('↑')).collect()
    };
    assert!(marks(&metrics).is_empty());
    metrics[1].val_loss = 87.5;
    assert_eq!(marks(&metrics), ["↑ validation 87.50"]);
    metrics[2].val_loss = 1e6;
    assert_eq!(marks(&metrics), ["↑ validation 1.0e6"]);
}

#[test]
fn many_runs_and_long_names_are_readable() {
    let plan = &plans()[1];
    let trace = trace(plan);
    let metrics = metrics(&trace);
    let names: Vec<String> = (0..30).map(|k| format!("{}{k}", "long-name-".repeat(k))).collect();
    let runs: Vec<RunRows<'_>> =
        names.iter().map(|name| RunRows { name, phases: plan, metrics: &metrics, trace: &trace }).collect();
    for count in [8, 9, 30] {
        assert_readable(&curves(&names[29], &runs[..count], Across::Steps));
        assert_readable(&schedules(&names[29], &runs[..count], Across::Steps, LrScale::Log));
    }
}

/// Draws runs.
type Draw = fn(&str, &[RunRows<'_>], Across) -> String;

fn plain_schedules(title: &str, runs: &[RunRows<'_>], across: Across) -> String {
    schedules(title, runs, across, LrScale::ByCurves)
}

#[test]
fn long_names_are_told_whole_in_a_legend() {
    let plans = plans();
    let traces: Vec<_> = plans.iter().map(|plan| trace(plan)).collect();
    let metrics: Vec<_> = traces.iter().map(|trace| metrics(trace)).collect();
    let axes: String = (0..9).map(|k| format!("phases[{k}].weight_decay=0.00{k}23, ")).collect();
    let names: Vec<String> = (0..12).map(|k| format!("{axes}end={k}")).collect();
    let run = |k: usize| {
        let (phases, metrics, trace) = (&plans[k % 4], &metrics[k % 4], &traces[k % 4]);
        RunRows { name: &names[k], phases, metrics, trace }
    };
    let runs: Vec<RunRows<'_>> = (0..12).map(run).collect();
    let ways: [(Draw, &str); 2] = [(curves, "#2: "), (plain_schedules, "#2")];
    for count in [2, 4, 12] {
        for (draw, at_the_end) in ways {
            let picture = draw("a-name", &runs[..count], Across::Images);
            assert_readable(&picture);
            let words: Vec<String> = texts(&picture).0.into_iter().map(|text| text.1).collect();
            let begins = |start: &str| words.iter().any(|words| words.starts_with(start));
            assert!(begins("#2 phases[0].weight_decay=0.00023, phases[1]") && begins(at_the_end), "{words:?}");
            assert!(words.iter().any(|words| words.contains("end=1")), "{words:?}");
        }
    }
    // A single run has the title.
    let (words, _) = texts(&curves(&names[0], &runs[..1], Across::Steps));
    assert!(words.iter().all(|(_, words)| !words.starts_with('#')), "{words:?}");
}

/// Whatever numbers a damaged file holds, a picture comes out, soon, and without what is no number.
#[test]
fn wild_rows_give_a_picture() {
    let wild = [0.0, -1.0, 1e-320, 1e-12, 1e18, 1e300, f64::MAX, -f64::MAX, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let plan = &plans()[1];
    let (plain, measured) = (trace(plan), metrics(&trace(plan)));
    for value in wild {
        let mut phases = plan.clone();
        (phases[1].epochs, phases[1].lr_from, phases[1].lr_to) = (value, value, value);
        (phases[1].steps, phases[2].images, phases[2].phase) = (u64::MAX, u64::MAX, usize::MAX);
        phases[1].lr_curve = "exponential".to_owned();
        let change = |k: usize, row: &TraceRow| {
            let mut row = row.clone();
            (row.loss, row.lr, row.momentum, row.seconds) = (value, value, value, value);
            (row.step, row.phase) = if k.is_multiple_of(3) { (u64::MAX, usize::MAX) } else { (row.step, row.phase) };
            row
        };
        let some: Vec<TraceRow> = plain
            .iter()
            .enumerate()
            .map(|(k, row)| if k.is_multiple_of(2) { change(k, row) } else { row.clone() })
            .collect();
        let all: Vec<TraceRow> = plain.iter().enumerate().map(|(k, row)| change(k, row)).collect();
        let mut metrics = measured.clone();
        for row in &mut metrics {
            (row.val_acc, row.val_loss, row.train_acc, row.train_seconds) = (value, value, value, value);
            row.step = u64::MAX;
        }
        for (phases, trace) in [(&phases, &some), (&phases, &all), (plan, &some), (plan, &all)] {
            let run = RunRows { name: "wild", phases, metrics: &metrics, trace };
            let planned: Vec<PlannedStepRow> = trace.iter().map(PlannedStepRow::from).collect();
            let mut pictures = Vec::new();
            for (across, lr) in [
                (Across::Steps, LrScale::ByCurves),
                (Across::Epochs, LrScale::Log),
                (Across::Images, LrScale::ByCurves),
                (Across::Seconds, LrScale::Log),
            ] {
                let scheduled = Scheduled { steps: &planned, own: &[], ends: &[] };
                let options = ScheduleOptions { across, lr, ..ScheduleOptions::default() };
                pictures.push(schedule("wild", phases, scheduled, options));
                pictures.extend([curves("wild", &[run], across), schedules("wild", &[run, run], across, lr)]);
            }
            for picture in pictures {
                assert!(!picture.contains("NaN") && !picture.contains("\"inf"), "{value}: {picture}");
                assert!(picture.len() < 1_000_000 && png(&picture, 1.0).is_ok(), "{value}");
            }
        }
    }
}

#[test]
fn a_confusion_matrix_is_readable_at_any_size() {
    for (classes, name) in [
        (1, "cat"),
        (2, "automobile"),
        (10, "automobile"),
        (10, "a_very_long_name_of_a_class_indeed"),
        (30, "c"),
        (100, "sweet_pepper"),
        (300, "x"),
    ] {
        let names: Vec<String> = (0..classes).map(|k| format!("{name}{k}")).collect();
        let mut matrix = Confusion::new(&names, classes + usize::from(classes == 30));
        for label in 0..classes {
            (0..1234).for_each(|k| matrix.add(label, Some(if k % 3 == 0 { (label * k) % classes } else { label })));
        }
        let picture = confusion("a-name: accuracy 12.3 %", "1,234 images", &matrix);
        assert_readable(&picture);
        let words: Vec<String> = texts(&picture).0.into_iter().map(|text| text.1).collect();
        assert!(
            words.iter().any(|word| word == "true class")
                && words.iter().any(|word| word.starts_with(&name[..name.len().min(8)]))
        );
        assert!(picture.len() < 3_000_000, "{} bytes", picture.len());
    }
}

#[test]
fn phases_and_options_show() {
    let plan = &plans()[1];
    let words = |options| {
        texts(&schedule("a-name", plan, Scheduled { steps: &steps(plan), own: &[], ends: &[] }, options))
            .0
            .into_iter()
            .map(|t| t.1)
            .collect()
    };
    let all: Vec<String> = words(ScheduleOptions::default());
    for word in
        ["a-name", "rmsprop", "sgd", "16 px · batch 64", "32 px · batch 64", "learning rate", "momentum", "epoch"]
    {
        assert!(all.iter().any(|w| w == word), "{word} is missing among {all:?}");
    }
    let few: Vec<String> =
        words(ScheduleOptions { labels: Shown::No, momentum: Shown::No, ..ScheduleOptions::default() });
    for word in ["rmsprop", "16 px · batch 64", "momentum"] {
        assert!(!few.iter().any(|w| w == word), "{word} is there");
    }
    let range: Vec<String> = texts(&schedule(
        "x",
        &plans()[4],
        Scheduled { steps: &steps(&plans()[4]), own: &[], ends: &[] },
        Default::default(),
    ))
    .0
    .into_iter()
    .map(|t| t.1)
    .collect();
    assert!(range.iter().any(|w| w == "learning rate, log scale") && range.iter().any(|w| w == "10⁻⁵"));
}

/// A line for each rate of its own, named above; a panel for a decay that moves.
#[test]
fn what_rules_and_groups_use_is_drawn_beside_the_others() {
    let plan = &plans()[1];
    let (mut steps, paths) =
        (steps(plan), |picture: &str| picture.matches("<polyline").count() + picture.matches("<path").count());
    let draw = |steps: &[PlannedStepRow], own: &[OwnLine]| {
        let picture = schedule("a-name", plan, Scheduled { steps, own, ends: &[] }, ScheduleOptions::default());
        assert_readable(&picture);
        let words: Vec<String> = texts(&picture).0.into_iter().map(|text| text.1).collect();
        (paths(&picture), words)
    };
    let (before, plain) = draw(&steps, &[]);
    assert!(!plain.iter().any(|word| word == "weight decay"));
    let of = |quantity, name: &str, factor: f64| {
        let point = |row: &PlannedStepRow| OwnPoint { phase: row.phase, step: row.step, value: factor * row.lr };
        OwnLine { quantity, name: name.to_owned(), points: steps.iter().map(point).collect() }
    };
    let mut own = vec![of(OwnQuantity::Lr, "stem", 0.0), of(OwnQuantity::Lr, "head.norm", 2.0)];
    let (with_rates, words) = draw(&steps, &own);
    assert_eq!(with_rates, before + 2 * plan.len(), "a line a phase");
    assert!(["stem", "head.norm"].iter().all(|name| words.iter().any(|word| word == name)), "{words:?}");
    own.push(of(OwnQuantity::WeightDecay, "stem", 1.0));
    assert!(draw(&steps, &own).1.iter().any(|word| word == "weight decay"));
    own.extend((0..20).map(|k| of(OwnQuantity::Lr, &format!("layer{k}"), 0.04 * f64::from(k + 1))));
    let words = draw(&steps, &own).1;
    assert!(words.iter().any(|word| word == "layer3") && !words.iter().any(|word| word == "layer4"), "{words:?}");
    for (k, row) in steps.iter_mut().enumerate() {
        row.weight_decay = k as f64;
    }
    assert!(draw(&steps, &[]).1.iter().any(|word| word == "weight decay"));
}

/// Beside those of the phases' lines, in any panel.
#[test]
fn lines_of_rules_and_groups_have_colours_of_their_own() {
    use crate::plot::style::{BLUE, GREEN, GREY, ORANGE, OWN};
    let all: std::collections::BTreeSet<&str> = OWN.into_iter().chain([BLUE, GREEN, GREY, ORANGE]).collect();
    assert_eq!(all.len(), OWN.len() + 4);
}

/// A panel for beta, for the bounds on gradients and for a decay, each where it moves; all lines go on to their phases' ends.
#[test]
fn what_moves_has_a_panel_and_is_drawn_to_the_end() {
    let plan = &plan(&[("adamw", 80, 16, 64, DOWN)]);
    let words = |steps: &[PlannedStepRow], ends: &[PhaseEnds]| {
        let picture = schedule("a-name", plan, Scheduled { steps, own: &[], ends }, ScheduleOptions::default());
        assert_readable(&picture);
        (texts(&picture).0.into_iter().map(|text| text.1).collect::<Vec<_>>(), picture)
    };
    let panels = ["beta", "bound on the gradient's norm", "bound on the gradient's values"];
    let mut still = steps(plan);
    for row in &mut still {
        (row.beta, row.clip_norm, row.clip_value) = (Some(0.99), Some(f64::INFINITY), Some(1.0));
    }
    let shown = words(&still, &[]).0;
    assert!(panels.iter().all(|panel| !shown.iter().any(|word| word == panel)), "{shown:?}");
    let mut moving = still.clone();
    for (k, row) in moving.iter_mut().enumerate() {
        let part = k as f64 / 80.0;
        (row.beta, row.clip_norm, row.clip_value) = (Some(0.9 + 0.09 * part), Some(1.0 - part), Some(2.0 - part));
        row.mix = Some(part);
    }
    let (shown, open) = words(&moving, &[]);
    assert!(panels.iter().all(|panel| shown.iter().any(|word| word == panel)), "{shown:?}");
    let ends = PhaseEnds { weight_decay: 0.0, mix: 1.0, beta: 0.99, clip_norm: 0.0, clip_value: 1.0 };
    let right = |picture: &str| picture.matches("L932 ").count();
    let (before, after) = (right(&open), right(&words(&moving, &[ends]).1));
    assert!(after >= before + 4, "{before} lines at the right edge, then {after}");
}

/// A rate of 0 on a log scale has a place of its own, below the lowest that is not.
#[test]
fn a_rate_of_nothing_is_told_from_the_lowest() {
    let options = ScheduleOptions { labels: Shown::No, ..ScheduleOptions::default() };
    let rates = |low: f64| {
        let plan = plan(&[("sgd", 50, 32, 64, (low, 0.1, "linear")), ("sgd", 50, 32, 64, (0.1, 1e-4, "exponential"))]);
        let picture = schedule("a-name", &plan, Scheduled { steps: &steps(&plan), own: &[], ends: &[] }, options);
        let words: Vec<String> = texts(&picture).0.into_iter().map(|text| text.1).collect();
        words.iter().take_while(|word| *word != "momentum").filter(|word| *word == "0").count()
    };
    assert!(rates(0.0) > rates(1e-4));
}

/// Rules and groups that use the same are one line; where lines are the same for a while, each is still to be seen.
#[test]
fn equal_lines_have_one_label_and_none_hides_another() {
    let plan = &plan(&[("sgd", 80, 16, 64, DOWN), ("sgd", 150, 24, 64, DOWN), ("sgd", 150, 32, 64, DOWN)]);
    let steps = steps(plan);
    // A factor for each phase.
    let of = |quantity, name: &str, factors: [f64; 3]| {
        let mut end = 0;
        let points = plan.iter().zip(factors).flat_map(|(phase, factor)| {
            end += phase.steps;
            let rows = steps.iter().filter(|row| row.phase == phase.phase).map(|row| (row.step, row.lr));
            let point = |(step, lr): (u64, f64)| OwnPoint { phase: phase.phase, step, value: factor * lr };
            rows.chain([(end, phase.lr_to)]).map(point).collect::<Vec<_>>()
        });
        OwnLine { quantity, name: name.to_owned(), points: points.collect() }
    };
    let draw = |own: &[OwnLine]| {
        let scheduled = Scheduled { steps: &steps, own, ends: &[] };
        let picture = schedule("a-name", plan, scheduled, ScheduleOptions::default());
        assert_readable(&picture);
        let dashed = ["12 12", "6 18"].map(|dashes| picture.matches(&format!("dasharray=\"{dashes}\"")).count());
        (texts(&picture).0.into_iter().map(|text| text.1).collect::<Vec<String>>(), dashed)
    };
    let lr = |name: &str, factors| of(OwnQuantity::Lr, name, factors);
    let has = |words: &[String], word: &str| words.iter().any(|other| other == word);

    let mut own = vec![lr("stem", [0.5; 3]), lr("head", [2.0; 3]), lr("layer1", [0.5; 3])];
    let (words, dashed) = draw(&own);
    assert!(has(&words, "stem, layer1") && has(&words, "head"), "{words:?}");
    assert_eq!(dashed, [0, 0]);
    // As the other does in two of the phases, and as the phases say in one.
    own[2] = lr("layer1", [0.5, 0.5, 1.0]);
    let (words, dashed) = draw(&own);
    assert!(has(&words, "stem") && has(&words, "layer1"), "{words:?}");
    assert_eq!(dashed, [3, 0]);
    own.push(lr("layer2", [0.25, 0.5, 0.25]));
    assert_eq!(draw(&own).1, [3, 1], "the third of one phase");
    // Equal rates, and decays that differ: two labels.
    let decays = [("stem", 1.0), ("layer1", 2.0)].map(|(name, factor)| of(OwnQuantity::WeightDecay, name, [factor; 3]));
    let own = [&[lr("stem", [0.5; 3]), lr("layer1", [0.5; 3])][..], &decays].concat();
    let (words, dashed) = draw(&own);
    assert!(has(&words, "stem") && has(&words, "layer1"), "{words:?}");
    assert_eq!(dashed, [3, 0]);
}

#[test]
fn words_are_no_wider_than_reckoned() {
    for words in ["rmsprop · 24 px · batch 1024", "validation 84.3 %", "WMWM mmm", "10⁻⁵", "0.01 → 0.1"] {
        for weight in [svg::Weight::Regular, svg::Weight::Semibold] {
            let mut picture = svg::Svg::new(500.0, 50.0);
            let set = svg::Type { weight, ..svg::Type::new(12.0, "#000000") };
            picture.text((10.0, 30.0), words, set);
            let (boxes, _) = texts(&picture.finish("t"));
            let (drawn, reckoned) = (f64::from(boxes[0].0.width()), text::width(words, 12.0, weight));
            assert!(drawn <= reckoned && reckoned <= drawn * 1.25 + 2.0, "{words}: {drawn} drawn, {reckoned} reckoned");
        }
    }
}

/// By a font of the system or, where none has them, as a box.
#[test]
fn letters_that_the_embedded_font_lacks_leave_no_gap() {
    let drawn = |words: &str| {
        let mut picture = svg::Svg::new(200.0, 40.0);
        picture.text((10.0, 30.0), words, svg::Type::new(20.0, "#000000"));
        png(&picture.finish("t"), 1.0).unwrap()
    };
    let nothing = drawn(" ");
    for words in ["ü", "Ω", "猫", "\u{10fffd}"] {
        assert!(drawn(words) != nothing, "{words}");
    }
    assert!(drawn("Zürich") != drawn("Z rich") && drawn("Zürich") != drawn("Zrich"));
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let plan = &plans()[1];
    let picture = || {
        schedule(
            "a <name> & more",
            plan,
            Scheduled { steps: &steps(plan), own: &[], ends: &[] },
            ScheduleOptions::default(),
        )
    };
    assert_eq!(picture(), picture());
    let bytes = png(&picture(), 2.0).unwrap();
    assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
    assert_eq!(bytes[16..20], 1920u32.to_be_bytes());
    assert_eq!(bytes, png(&picture(), 2.0).unwrap());
    assert!(png("no svg", 1.0).is_err() && png(&picture(), 1e9).is_err());
}
