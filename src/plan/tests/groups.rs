//! Rates by group of parameters, and groups that are frozen for a while.

use super::*;
use crate::config::groups::Unit;
use crate::config::{self, Text};
use crate::record::rows::{OwnPoint, OwnQuantity};

/// Ten steps a phase on a shallow net, with these lines of TOML before the phases and in each.
fn planned(params: &str, phases: &[&str]) -> Plan {
    let first = "batch = 10\noptimizer = 'sgd'\n";
    let phases = phases.iter().enumerate().map(|(k, lines)| {
        format!(
            "[[phases]]\nsteps = 10\nlr = {{ from = 0.5, to = 0.25 }}\n{}{lines}\n",
            if k == 0 { first } else { "" }
        )
    });
    let content = format!(
        "name = 'groups'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = {{ resnet9 = 4 }}\n{params}\n{}",
        phases.collect::<String>()
    );
    let text = Text { name: "groups.toml".into(), content, folder: "".into() };
    let loaded = config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    Plan::compile(&loaded.spec, &facts(100)).unwrap()
}

fn lrs(plan: &Plan, step: u64) -> Vec<(String, f64)> {
    plan.lr_columns().into_iter().zip(plan.own_lrs(&plan.at(step))).collect()
}

fn expected(columns: &[(&str, f64)]) -> Vec<(String, f64)> {
    columns.iter().map(|(name, lr)| (format!("lr.{name}"), *lr)).collect()
}

#[test]
fn factors_follow_the_phase_and_are_taken_over_and_values_are_not() {
    let plan = planned(
        "",
        &[
            "lr_groups = { stem = 0.5, backbone = 2.0, layer1 = 4.0 }",
            "lr_values = { stem = 8.0, head = { from = 2.0, to = 1.0 } }",
            "lr_groups = {}",
        ],
    );
    assert_eq!(lrs(&plan, 0), expected(&[("backbone", 1.0), ("head", 0.5), ("layer1", 2.0), ("stem", 0.25)]));
    let middle = plan.at(15).hypers.lr;
    let of_groups = [("backbone", 2.0 * middle), ("head", 1.5), ("layer1", 4.0 * middle), ("stem", 8.0)];
    assert_eq!(lrs(&plan, 15), expected(&of_groups));
    assert!(lrs(&plan, 20).iter().all(|(_, lr)| *lr == 0.5));
}

#[test]
fn frozen_groups_have_no_rate_until_a_phase_trains_them_again() {
    let plan = planned("", &["freeze = ['stem', 'layer1']", "", "freeze = ['stem']", "freeze = []"]);
    let drawn: Vec<String> = plan.sample_own(100).into_iter().map(|line| line.name).collect();
    assert_eq!(drawn, ["layer1", "stem"]);
    for (step, layer1, stem) in [(0, 0.0, 0.0), (10, 0.0, 0.0), (20, 0.5, 0.0), (30, 0.5, 0.5)] {
        assert_eq!(lrs(&plan, step), expected(&[("layer1", layer1), ("stem", stem)]), "{step}");
    }
    let frozen = plan.unit_hypers(&plan.at(0));
    assert_eq!(frozen.iter().filter(|hypers| hypers.is_none()).count(), 2);
    assert_eq!(frozen[0], Some(plan.at(0).hypers), "what is in no group");
}

#[test]
fn a_group_decays_as_its_phase_says_and_a_rule_before_it() {
    let params = "[[params]]\nrole = 'bias'\nweight_decay = 7.0\n";
    let first = "weight_decay = 0.5\nweight_decay_groups = { stem = 0.0, head = 0.25 }";
    let plan = planned(params, &[first, "weight_decay = 2.0", "weight_decay_groups = {}"]);
    let decays = |step: u64| {
        let mut decays: Vec<f64> =
            plan.unit_hypers(&plan.at(step)).into_iter().map(|hypers| hypers.unwrap().weight_decay).collect();
        decays.sort_by(f64::total_cmp);
        decays.dedup();
        decays
    };
    // What is in no group, the stem, the head, biases; taken over, then no more.
    assert_eq!(decays(0), [0.0, 0.25, 0.5, 7.0]);
    assert_eq!(decays(10), [0.0, 0.25, 2.0, 7.0]);
    assert_eq!(decays(20), [2.0, 7.0]);
    assert!(plan.lr_columns().is_empty(), "their rates are the phase's");
    // What changes between phases has a column as what moves within one has.
    assert_eq!(plan.step_columns(), ["weight_decay.head", "weight_decay.stem"]);
    assert!(plan.table(120).contains("head weight decay 0.25, stem weight decay 0"), "{}", plan.table(120));
}

#[test]
fn the_decay_of_a_group_moves_over_its_phase_and_rests_where_it_came_to() {
    let first = "weight_decay_groups = { stem = { from = 1.0, to = 0.5, curve = 'linear' }, head = 0.25 }";
    let plan = planned("", &[first, "", "weight_decay_groups = { stem = { from = 0.5, to = 0.0, curve = 'cosine' } }"]);
    let decay = |plan: &Plan, step: u64| {
        let units = plan.unit_hypers(&plan.at(step)).into_iter().zip(&plan.groups.units);
        let of = |name: &str| {
            let is_of = |unit: &&Unit| unit.groups.iter().any(|group| plan.groups.names[*group] == name);
            units.clone().find(|(_, unit)| is_of(unit)).map(|(hypers, _)| hypers.unwrap().weight_decay)
        };
        [of("stem").unwrap(), of("head").unwrap()]
    };
    for (step, stem, head) in [(0, 1.0, 0.25), (4, 0.8, 0.25), (9, 0.55, 0.25), (10, 0.5, 0.25), (19, 0.5, 0.25)] {
        let found = decay(&plan, step);
        assert!((found[0] - stem).abs() < 1e-15 && found[1] == head, "{step}: {found:?}");
    }
    // The third names the stem alone, so the head decays as its phase does.
    for (step, stem) in [(20, 0.5), (25, 0.25)] {
        let found = decay(&plan, step);
        assert!((found[0] - stem).abs() < 1e-15 && found[1] == 0.0, "{step}: {found:?}");
    }
    assert_eq!(plan.step_columns(), ["weight_decay.head", "weight_decay.stem"], "the head's is another in the third");
    for (step, head, stem) in [(0, 0.25, 1.0), (10, 0.25, 0.5), (20, 0.0, 0.5)] {
        let step = plan.at(step);
        assert_eq!(plan.step_values(&step, &plan.applied(&step)), [head, stem], "{}", step.step);
    }
    let same = "weight_decay_groups = { head = 0.25 }";
    assert!(planned("", &[same, "", same]).step_columns().is_empty(), "it never changes");
    let drawn = plan.sample_own(1000);
    assert_eq!(
        drawn.iter().map(|line| (line.quantity, line.name.as_str())).collect::<Vec<_>>(),
        [(OwnQuantity::WeightDecay, "head"), (OwnQuantity::WeightDecay, "stem")]
    );
    assert_eq!(drawn[1].points[0], OwnPoint { phase: 0, step: 0, value: 1.0 });
    assert_eq!(drawn[1].points[10], OwnPoint { phase: 0, step: 10, value: 0.5 }, "where the curve ends");
    let words = "head weight decay 0.25, stem weight decay 1 → 0.5 linear";
    assert!(plan.table(120).contains(words), "{}", plan.table(120));
    let still = plan.range_test(2, plan.phases[2].lr.clone(), 10);
    assert_eq!([0, 9].map(|step| decay(&still, step)[0]), [0.5, 0.5], "a range test moves the rate alone");
}

#[test]
fn rules_and_groups_compose() {
    let params = "[[params]]\nrole = 'norm'\nlr_factor = 3.0\n[[params]]\nmatch = 'head.fc.*'\nlr = 7.0\n\
                  [[params]]\nmatch = 'layer2.*'\nweight_decay = 0.0";
    let plan = planned(params, &["lr_groups = { stem = 0.5, head = 0.5, layer2 = 0.25 }", "freeze = ['head']"]);
    // The rule's own rate is not the phase's, so no factor on that touches it; one without a rate has no column.
    let of_groups = [("norm", 1.5), ("head.head.fc.*", 7.0), ("stem", 0.25), ("layer2", 0.125)];
    let with_both = [("layer2.norm", 0.375), ("stem.norm", 0.75)];
    let mut all = expected(&[&of_groups[..], &with_both].concat());
    let mut found = lrs(&plan, 0);
    all.sort_by(|a, b| a.0.cmp(&b.0));
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, all);
    assert!(lrs(&plan, 10).contains(&("lr.head.head.fc.*".to_owned(), 0.0)), "frozen, whatever a rule says");
}

#[test]
fn groups_are_told_in_words() {
    let first = "lr_groups = { layer1 = 0.5 }\nfreeze = ['stem']";
    let plan = planned("", &[first, "", "freeze = []\nlr_values = { stem = { from = 0.5, to = 0.25 } }"]);
    let table = plan.table(120);
    assert!(table.contains("groups in phases 0 to 1: layer1 0.5 × lr, stem frozen\n"), "{table}");
    assert!(table.contains("groups in phase 2: layer1 0.5 × lr, stem lr 0.5 → 0.25 linear\n"), "{table}");
}

#[test]
fn a_rule_that_is_called_as_a_group_has_a_column_of_its_own() {
    let params = "[[params]]\nrole = 'norm'\nlr_factor = 2.0\n[[params]]\ngroup = 'backbone'\nweight_decay = 0.25\n";
    let plan = planned(params, &["weight_decay_groups = { backbone = { from = 0.5, to = 0.1 } }"]);
    let mut columns: Vec<String> = plan.lr_columns();
    columns.extend(plan.step_columns().into_iter().map(str::to_owned));
    let distinct: std::collections::BTreeSet<&String> = columns.iter().collect();
    assert_eq!(distinct.len(), columns.len(), "{columns:?}");
    assert!(columns.iter().any(|column| column.ends_with(".params[1]")), "{columns:?}");
}
