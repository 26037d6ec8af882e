//! Curves that run on over several phases.

use super::*;
use crate::config::{Text, read};

/// The plan of phases as a file has them, over 1000 images.
fn plan(phases: &str) -> Plan {
    let content = format!("name = 'a'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n{phases}");
    let text = Text { name: "a.toml".into(), content, folder: "".into() };
    let spec = read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec;
    Plan::compile(&spec, &facts(1000)).unwrap()
}

fn lrs(plan: &Plan) -> Vec<f64> {
    plan.steps().map(|step| step.hypers.lr).collect()
}

const LR: &str = "lr = { from = 0.5, to = 0.01, curve = 'cosine', across_phases = true }\n";

#[test]
fn a_phase_cut_in_pieces_has_the_values_of_the_whole() {
    let whole = plan(&format!("[[phases]]\nepochs = 3\nbatch = 100\noptimizer = 'sgd'\n{LR}"));
    let pieces = plan(&format!(
        "[[phases]]\nepochs = 0.7\nsize = 8\nbatch = 100\noptimizer = 'sgd'\n{LR}\
         [[phases]]\nsteps = 9\nsize = 12\n[[phases]]\nepochs = 1.4\nsize = 16\n"
    ));
    assert_eq!(pieces.phases.len(), 3);
    assert_eq!(lrs(&whole), lrs(&pieces));
    let rows = pieces.rows();
    assert_eq!((rows[0].lr_from, rows[2].lr_to), (0.5, 0.01));
    for (before, after) in rows.iter().zip(&rows[1..]) {
        assert_eq!(before.lr_to, after.lr_from);
        assert_eq!(after.lr_from, pieces.at(pieces.phases[after.phase].first_step).hypers.lr);
    }
    assert_eq!(pieces.phases[1].lr.to_string(), "0.5 → 0.01 cosine over phases 0 to 2");
    assert_eq!(whole.phases[0].lr.to_string(), "0.5 → 0.01 cosine", "nothing follows that it could run over");
}

#[test]
fn it_goes_by_images_where_batches_differ() {
    let plan = plan(
        "[[phases]]\nepochs = 2\nbatch = 100\noptimizer = 'sgd'\nlr = { from = 1.0, to = 0.0, across_phases = true }\n\
         [[phases]]\nepochs = 2\nbatch = 200\n",
    );
    assert_eq!(plan.total_steps, 30);
    for step in plan.steps() {
        let served = plan.images_before(step.step) as f64;
        assert!((step.hypers.lr - (1.0 - served / 4000.0)).abs() < 1e-15, "{step:?}");
    }
}

#[test]
fn it_ends_where_a_phase_gives_its_own_and_then_rests_or_is_over() {
    let plan = plan(
        "[[phases]]\nepochs = 1\nbatch = 100\noptimizer = 'rmsprop'\nlr = { from = 1.0, to = 0.0, across_phases = true }\n\
         weight_decay = { from = 1e-3, to = 1e-4, across_phases = true }\nbeta = { from = 0.9, to = 0.99, across_phases = true }\n\
         momentum = { from = 0.0, to = 0.9, across_phases = true }\nlr_values = { head = { from = 2.0, to = 0.0, across_phases = true } }\n\
         clip_norm = { from = 2.0, to = 1.0, across_phases = true }\n\
         [[phases]]\nepochs = 1\noptimizer = 'sgd'\n\
         [[phases]]\nepochs = 2\noptimizer = 'rmsprop'\nlr = 0.3\nweight_decay = 1e-4\n\
         [[phases]]\nepochs = 1\nlr = 0.3\nmomentum = 0.0\nlr_groups = { head = 0.1 }\nclip_norm = 1.0\n",
    );
    let over = |ramp: &Ramp| ramp.run().map(|run| (run.first_phase, run.last_phase, run.first_image, run.images));
    let phases = &plan.phases;
    assert_eq!(over(&phases[1].lr), Some((0, 1, 0, 2000)));
    assert_eq!(over(&phases[2].lr), None);
    assert_eq!(over(&phases[1].weight_decay), Some((0, 1, 0, 2000)));
    assert_eq!((phases[3].weight_decay.from(), over(&phases[3].weight_decay)), (1e-4, None));
    assert_eq!(over(&phases[2].momentum), Some((0, 2, 0, 4000)));
    assert_eq!(over(phases[2].clip_norm.as_ref().unwrap()), Some((0, 2, 0, 4000)));
    // SGD has no beta: the curve goes on meanwhile.
    assert!(phases[1].beta.is_none());
    assert_eq!(over(phases[3].beta.as_ref().unwrap()), Some((0, 3, 0, 5000)));
    let beta = |step| plan.at(step).hypers.beta.unwrap();
    assert!((beta(20) - (0.9 + 0.09 * 0.4)).abs() < 1e-15, "two epochs of five are over");
    // A group's rate, up to where the group has a factor.
    let head = |step| plan.own_lrs(&plan.at(step));
    assert_eq!([0, 10, 20].map(head), [[2.0], [1.5], [1.0]]);
    assert!((head(40)[0] - 0.03).abs() < 1e-15);
    let momentum = |step: u64| plan.at(step).hypers.momentum;
    assert_eq!((momentum(0), momentum(40)), (0.0, 0.0));
    assert!((momentum(20) - 0.45).abs() < 1e-15);
}

#[test]
fn a_momentum_passes_over_a_search_and_is_over_where_no_phase_behind_it_has_one() {
    let plan = plan(
        "[[phases]]\nepochs = 1\nbatch = 100\noptimizer = 'sgd'\nlr = 0.1\nmomentum = { from = 0.5, to = 0.9, across_phases = true }\n\
         [[phases]]\nepochs = 1\nlr = 0.1\noptimizer = 'lbfgs'\n\
         [[phases]]\nepochs = 2\nlr = 0.1\noptimizer = 'sgd'\n\
         [[phases]]\nepochs = 1\nlr = 0.1\noptimizer = 'lbfgs'\n",
    );
    let momentum = |step: u64| plan.at(step).hypers.momentum;
    assert_eq!((momentum(0), momentum(10), momentum(40)), (0.5, 0.0, 0.0));
    assert!((momentum(20) - 0.7).abs() < 1e-15 && (momentum(30) - 0.8).abs() < 1e-15, "four epochs, not five");
    assert_eq!(plan.phases[1].momentum.run(), None);
}

#[test]
fn the_share_of_a_mix_runs_on_with_it() {
    let plan = plan(
        "[[phases]]\nepochs = 1\nbatch = 100\nlr = { from = 0.1, across_phases = true }\n\
         optimizer = { kind = 'mix', from = 'adam', to = 'sgd', weight = { from = 0, to = 1, across_phases = true } }\n\
         [[phases]]\nepochs = 3\nsize = 16\n",
    );
    let share = |step| plan.at(step).hypers.share;
    assert_eq!([0, 10, 20, 30].map(share), [0.0, 0.25, 0.5, 0.75]);
    assert!(plan.steps().all(|step| step.hypers.lr == 0.1));
}

#[test]
fn what_is_tested_for_a_rate_stands_where_the_curve_has_come_to() {
    let plan = plan(
        "[[phases]]\nepochs = 1\nbatch = 100\noptimizer = 'sgd'\nlr = 0.1\nmomentum = { from = 0.5, to = 0.9, across_phases = true }\n\
         [[phases]]\nepochs = 1\nlr = 0.1\n",
    );
    let sweep = Ramp::new(&curve(1e-4, Some(1.0), "exponential")).unwrap();
    let still = plan.range_test(1, sweep, 5);
    assert!(still.steps().all(|step| (step.hypers.momentum - 0.7).abs() < 1e-15));
}

#[test]
fn it_may_begin_beside_a_recipe_and_runs_over_all_of_its_phases_and_on() {
    let plan = plan(
        "[[phases]]\nrecipe = 'one-cycle'\nepochs = 5\nlr = 0.4\npct = 20\nbatch = 100\nsizes = [8, 12, 16]\n\
         optimizer = { kind = 'mix', from = 'rmsprop', to = 'sgd', weight = { from = 0, to = 1, across_phases = true } }\n\
         weight_decay = { from = 1.0, to = 0.0, across_phases = true }\nclip_norm = 3.0\n\
         weight_decay_groups = { head = { from = 2.0, to = 0.0, across_phases = true }, stem = 0.5 }\n\
         [[phases]]\nepochs = 5\nlr = 0.1\n",
    );
    assert_eq!((plan.phases.len(), plan.total_steps), (4, 100));
    for step in plan.steps() {
        let gone = step.step as f64 / 100.0;
        assert!((step.hypers.weight_decay - (1.0 - gone)).abs() < 1e-12, "{step:?}");
        assert!((step.hypers.share - gone).abs() < 1e-12, "{step:?}");
        assert_eq!(step.clip.norm, Some(3.0));
        let decays = plan.units_at(&step).iter().map(|unit| unit.unwrap().weight_decay).collect::<Vec<_>>();
        assert!((decays[1] - 2.0 * (1.0 - gone)).abs() < 1e-12 && decays[2] == 0.5, "{decays:?}");
    }
    assert_eq!(plan.phases[3].weight_decay.to_string(), "1 → 0 linear over phases 0 to 3");
}

#[test]
fn trainings_of_other_lengths_do_not_begin_alike_below_one_curve() {
    let digest = |epochs: &str| {
        let phases = format!(
            "[[phases]]\nepochs = 1\nbatch = 100\noptimizer = 'sgd'\n{LR}[[phases]]\nepochs = {epochs}\nsize = 16\n"
        );
        let content = format!("name = 'a'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n{phases}");
        let text = Text { name: "a.toml".into(), content, folder: "".into() };
        let spec = read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec;
        Plan::compile(&spec, &facts(1000)).unwrap().prefixes(&spec)[0].digest.clone()
    };
    assert_ne!(digest("2"), digest("3"));
}
