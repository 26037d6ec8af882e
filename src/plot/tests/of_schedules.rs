//! What pictures of schedules show: gaps, panels, axes.

use super::*;

/// What an axis may be of before training.
const PLANNED: [Across; 3] = [Across::Steps, Across::Epochs, Across::Images];

/// Sets a value of a step that a phase may lack.
type Set = fn(&mut PlannedStepRow, f64);

/// Where a phase has no such value, its neighbours are not joined over it.
#[test]
fn a_phase_without_a_value_leaves_a_gap() {
    let plan = &plan(&[("adamw", 80, 32, 64, DOWN), ("sgd", 80, 32, 64, DOWN), ("adamw", 80, 32, 64, DOWN)]);
    let options = ScheduleOptions { momentum: Shown::No, ..ScheduleOptions::default() };
    let joints = |set: Set, phases: &[usize]| {
        let mut steps = steps(plan);
        for row in steps.iter_mut().filter(|row| phases.contains(&row.phase)) {
            let value = 0.9 + 1e-4 * row.step as f64;
            set(row, value);
        }
        let picture = schedule("a-name", plan, Scheduled { steps: &steps, own: &[], ends: &[] }, options);
        picture.matches("stroke-width=\"1.2\" stroke-opacity=\"0.4\"").count()
    };
    let sets: [Set; 4] = [
        |row, value| row.beta = Some(value),
        |row, value| row.mix = Some(value),
        |row, value| row.clip_norm = Some(value),
        |row, value| row.clip_value = Some(value),
    ];
    for set in sets {
        // Two of the learning rate, besides.
        assert_eq!(joints(set, &[0, 1, 2]), 4);
        assert_eq!(joints(set, &[0, 2]), 2);
        assert_eq!(joints(set, &[1, 2]), 3);
    }
}

/// The label of a phase too short for it hangs from a dotted line with a dot at its foot, which is no border.
#[test]
fn a_label_beside_its_phase_has_a_leader() {
    let leaders = |phases: &[Phase]| {
        let plan = plan(phases);
        let scheduled = Scheduled { steps: &steps(&plan), own: &[], ends: &[] };
        let picture = schedule("a-name", &plan, scheduled, ScheduleOptions::default());
        assert_readable(&picture);
        [picture.matches("stroke-dasharray=\"1 2\"").count(), picture.matches("<circle").count()]
    };
    assert_eq!(leaders(&[("sgd", 390, 32, 128, DOWN), ("adamw", 390, 32, 128, DOWN)]), [0, 0]);
    assert_eq!(leaders(&[("sgd", 390, 32, 128, DOWN), ("adamw", 3, 32, 128, DOWN)]), [1, 1]);
    assert_eq!(leaders(&[("sgd", 2, 32, 128, DOWN), ("sgd", 390, 32, 64, DOWN), ("adamw", 3, 32, 128, DOWN)]), [2, 2]);
}

/// Lookahead's decay is one line through all phases, though only some steps mix, and none of a phase perhaps.
#[test]
fn lookahead_has_a_panel_where_its_decay_moves() {
    let plan = &plan(&[("sgd", 83, 32, 64, DOWN), ("sgd", 3, 32, 64, DOWN), ("adamw", 80, 32, 64, DOWN)]);
    let draw = |decay: &dyn Fn(u64) -> f64| {
        let mut steps = steps(plan);
        for row in &mut steps {
            row.lookahead_decay = Some(decay(row.step));
        }
        let scheduled = Scheduled { steps: &steps, own: &[], ends: &[] };
        let picture = schedule("a-name", plan, scheduled, ScheduleOptions::default());
        assert_readable(&picture);
        let lines = picture.matches(&format!("stroke=\"{}\" stroke-width=\"1.8\"", style::GREEN)).count();
        let named = texts(&picture).0.iter().filter(|(_, words)| words == "lookahead's decay").count();
        (named, lines, picture)
    };
    let of_a_trace = draw(&|step: u64| if step % 10 == 9 { 0.005 * (step + 1) as f64 } else { f64::NAN });
    assert_eq!((of_a_trace.0, of_a_trace.1), (1, 1));
    // 166 steps: what comes after the last lies at the right edge, the line's end there and the corners of the area below.
    let of_a_plan = draw(&|step: u64| 0.005 * (step + 1) as f64);
    assert_eq!((of_a_plan.0, of_a_plan.1), (1, 1));
    assert_eq!(of_a_plan.2.matches("L932 ").count(), of_a_trace.2.matches("L932 ").count() + 3);
    assert_eq!(draw(&|_: u64| 0.5).0, 0);
    assert_eq!(draw(&|_: u64| f64::NAN).0, 0);
}

/// Two phases of as many images, the second of a thirtieth of the steps.
#[test]
fn steps_epochs_or_images_run_from_left_to_right() {
    let plan = &plan(&[("sgd", 900, 32, 10, DOWN), ("sgd", 30, 32, 300, DOWN)]);
    let draw = |across| {
        // Labels would take room at the right edge.
        let options = ScheduleOptions { across, labels: Shown::No, ..ScheduleOptions::default() };
        let picture = schedule("a-name", plan, Scheduled { steps: &steps(plan), own: &[], ends: &[] }, options);
        assert_readable(&picture);
        picture
    };
    // From pixel 64 to 932: the border, where one phase's line ends and the other's begins; and where step 800 is named.
    for (across, border, step_800, rulers) in [
        (Across::Steps, 904.0, 810.7, ["step", "epoch"]),
        (Across::Epochs, 498.0, 449.8, ["epoch", "step"]),
        (Across::Images, 498.0, 449.8, ["images", "step"]),
    ] {
        let picture = draw(across);
        assert!(picture.contains(&format!("<line x1=\"{border}\"")), "{across:?}");
        for line in ["M", "L"] {
            assert!(picture.contains(&format!("{line}{border} ")), "{across:?}: {line}");
        }
        let words = texts(&picture).0;
        let middle = |area: usvg::Rect| f64::from(area.left() + area.width() / 2.0);
        let step = words.iter().find(|(_, words)| words == "800").map(|(area, _)| middle(*area));
        assert!(step.is_some_and(|x| (x - step_800).abs() < 1.0), "{across:?}: {step:?}");
        let last: Vec<&str> = words.iter().map(|(_, words)| words.as_str()).collect();
        let places = rulers.map(|ruler| last.iter().position(|word| *word == ruler));
        assert!(places[0].is_some() && places[0] < places[1], "{across:?}: {last:?}");
    }
    // No plan knows seconds.
    assert_eq!(draw(Across::Seconds), draw(Across::Steps));
}

#[test]
fn no_word_lies_over_another_whatever_runs_from_left_to_right() {
    for mut plan in plans() {
        for many in [1, 1_000_000] {
            // Labels of many digits at the right edge.
            plan.iter_mut().for_each(|phase| phase.images *= many);
            for across in PLANNED {
                for lr in [LrScale::ByCurves, LrScale::Log] {
                    let options = ScheduleOptions { across, lr, ..ScheduleOptions::default() };
                    let scheduled = Scheduled { steps: &steps(&plan), own: &[], ends: &[] };
                    assert_readable(&schedule("a-name", &plan, scheduled, options));
                }
            }
        }
    }
}

const LOG: ScheduleOptions =
    ScheduleOptions { labels: Shown::No, momentum: Shown::Yes, across: Across::Steps, lr: LrScale::Log };

/// The words of a picture down to the panel of momentum.
fn words_of_rates(picture: &str) -> Vec<String> {
    texts(picture).0.into_iter().map(|(_, words)| words).take_while(|words| words != "momentum").collect()
}

/// The rates of imagenet-fastai-18min, the last three of which are one line on a linear axis.
#[test]
fn rates_far_apart_are_told_from_each_other_on_a_logarithmic_axis() {
    let constant = |rate| ("sgd", 100, 32, 64, (rate, rate, "constant"));
    let plan = &plan(&[3.76, 0.0564, 0.0376, 0.00376].map(constant));
    let draw = |options| schedule("a-name", plan, Scheduled { steps: &steps(plan), own: &[], ends: &[] }, options);
    // The pixels that the phases' lines begin at.
    let heights = |picture: &str| -> Vec<f64> {
        let blue = format!("stroke=\"{}\" stroke-width=\"1.8\"", style::BLUE);
        let height = |line: &str| line.split_once("d=\"M")?.1.split('L').next()?.split_once(' ')?.1.parse().ok();
        picture.lines().filter(|line| line.contains(&blue)).filter_map(height).collect()
    };
    let apart = |picture: &str| heights(picture).windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<f64>>();
    let linear = apart(&draw(ScheduleOptions { lr: LrScale::ByCurves, ..LOG }));
    assert!(linear.len() == 3 && linear[1] < 2.0, "{linear:?}");
    let picture = draw(LOG);
    assert_readable(&picture);
    // Four decades over 250 pixels: 0.001 to 10.
    let log = apart(&picture);
    for (apart, decades) in log.iter().zip([(3.76f64 / 0.0564).log10(), 1.5f64.log10(), 1.0]) {
        assert!((apart - 62.5 * decades).abs() < 0.2, "{log:?}");
    }
    assert_eq!(log.len(), 3);
    let words = words_of_rates(&picture);
    assert!(words.iter().any(|word| word == "learning rate, log scale"), "{words:?}");
    let ticks = ["0.001", "0.01", "0.1", "1", "10"];
    assert!(ticks.iter().all(|tick| words.iter().any(|word| word == tick)), "{words:?}");
}

/// A rate that goes to 0 is shown over three decades, below which stands 0; a rate that is frozen lies there.
#[test]
fn a_logarithmic_axis_has_a_place_for_zero() {
    let plan = &plan(&[("sgd", 20_000, 32, 64, DOWN)]);
    let steps = steps(plan);
    let frozen = |(step, value)| OwnPoint { phase: 0, step, value };
    let points = [(0, 0.0), (20_000, 0.0)].map(frozen).into();
    let own = [OwnLine { quantity: OwnQuantity::Lr, name: "stem".to_owned(), points }];
    let ticks = |steps: &[PlannedStepRow]| {
        let picture = schedule("a-name", plan, Scheduled { steps, own: &own, ends: &[] }, LOG);
        assert_readable(&picture);
        let words = words_of_rates(&picture);
        ["0", "10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1"].map(|tick| words.iter().filter(|word| *word == tick).count())
    };
    // Two more zeros are the first step and the first epoch.
    assert_eq!(ticks(&steps), [3, 0, 1, 1, 1, 1, 1]);
    // Nothing but zeros has a linear axis.
    let mut still = steps.clone();
    still.iter_mut().for_each(|row| row.lr = 0.0);
    let mut plan = plan.clone();
    (plan[0].lr_from, plan[0].lr_to) = (0.0, 0.0);
    let picture = schedule("a-name", &plan, Scheduled { steps: &still, own: &own, ends: &[] }, LOG);
    assert!(words_of_rates(&picture).iter().any(|word| word == "learning rate"));
}

/// No step of a run uses the 0 that its rate goes to: the plan says it.
#[test]
fn schedules_of_runs_have_a_logarithmic_axis_too() {
    let plan = &plan(&[("sgd", 20_000, 32, 64, DOWN)]);
    let whole = trace(plan);
    let cut = &whole[..9000];
    let run = |trace| RunRows { name: "a", phases: plan, metrics: &[], trace };
    let words = |runs: &[RunRows<'_>], scale| words_of_rates(&schedules("a-name", runs, Across::Steps, scale));
    let has = |words: &[String], word: &str| words.iter().any(|other| other == word);
    let plain = words(&[run(&whole)], LrScale::ByCurves);
    assert!(has(&plain, "learning rate") && !has(&plain, "learning rate, log scale"), "{plain:?}");
    let log = words(&[run(&whole), run(cut)], LrScale::Log);
    assert!(has(&log, "learning rate, log scale") && has(&log, "10⁻⁴") && !has(&log, "10⁻⁵"), "{log:?}");
    // Cut short, it came to 0.22: no rate is lower than the axis.
    let short = words(&[run(cut)], LrScale::Log);
    assert!(has(&short, "0.1") && has(&short, "1") && !has(&short, "0.01"), "{short:?}");
}
