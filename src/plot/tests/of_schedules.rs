//! What pictures of schedules show: gaps, panels, axes.

use super::*;

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
