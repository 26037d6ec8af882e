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
                let options = ScheduleOptions { across, ..ScheduleOptions::default() };
                let scheduled = Scheduled { steps: &steps(&plan), own: &[], ends: &[] };
                assert_readable(&schedule("a-name", &plan, scheduled, options));
            }
        }
    }
}
