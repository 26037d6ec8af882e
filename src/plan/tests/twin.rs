//! The plan's closed form against a slow twin that takes every step.

use super::*;
use proptest::prelude::*;

/// One step as the twin sees it.
#[derive(Debug, PartialEq)]
struct TwinStep {
    phase: usize,
    epoch: u64,
    first: usize,
    images: usize,
    ends_phase: bool,
}

/// Takes the phases step by step, one image position at a time, and looks at every border for the nearest.
/// `None` where a phase would have no step. Epoch lengths are in twentieths, so that targets are exact.
fn twin(phases: &[(u64, bool, usize)], images: usize) -> Option<Vec<TwinStep>> {
    let (mut out, mut epoch, mut offset) = (Vec::new(), 0u64, 0usize);
    // Twentieths of an image, from the start of training.
    let (mut target, mut served) = (0u64, 0u64);
    for (phase, &(length, in_steps, batch)) in phases.iter().enumerate() {
        target += length * images as u64;
        let start = out.len();
        loop {
            let next = batch.min(images - offset) as u64 * 20;
            let here = served.abs_diff(target);
            let there = (served + next).abs_diff(target);
            let done = if in_steps { (out.len() - start) as u64 == length } else { served >= target || there > here };
            if done {
                break;
            }
            out.push(TwinStep { phase, epoch, first: offset, images: next as usize / 20, ends_phase: false });
            served += next;
            offset += next as usize / 20;
            if offset == images {
                (epoch, offset) = (epoch + 1, 0);
            }
        }
        if in_steps {
            target = served;
        }
        if out.len() == start {
            return None;
        }
        out.last_mut()?.ends_phase = true;
    }
    Some(out)
}

fn any_phases() -> impl Strategy<Value = (Vec<(u64, bool, usize)>, usize)> {
    (5usize..120).prop_flat_map(|images| {
        let phase = (1u64..70, any::<bool>(), 1..=images);
        (prop::collection::vec(phase, 1..6), Just(images))
    })
}

proptest! {
    #[test]
    fn the_closed_form_is_the_slow_twin((phases, images) in any_phases()) {
        let specs = phases
            .iter()
            .map(|&(length, in_steps, batch)| match in_steps {
                true => steps(length, batch),
                false => epochs(length as f64 / 20.0, batch),
            })
            .collect();
        let compiled = Plan::compile(&spec(specs, LastBatch::Serve), &facts(images));
        let Some(expected) = twin(&phases, images) else {
            prop_assert!(compiled.is_err());
            return Ok(());
        };
        let plan = compiled.unwrap();
        prop_assert_eq!(plan.total_steps, expected.len() as u64);
        let mut served = 0;
        for (step, expected) in plan.steps().zip(&expected) {
            let got = TwinStep {
                phase: step.phase,
                epoch: step.epoch,
                first: step.first,
                images: step.images,
                ends_phase: step.ends_phase,
            };
            prop_assert_eq!(&got, expected, "step {}", step.step);
            prop_assert_eq!(plan.images_before(step.step), served);
            served += step.images as u64;
            prop_assert_eq!(step.ends_epoch, step.first + step.images == images || step.step + 1 == plan.total_steps);
        }
        prop_assert_eq!(plan.total_images, served);
        prop_assert_eq!(plan.phases.iter().map(|p| p.images).sum::<u64>(), served);
    }

    #[test]
    fn dropping_serves_whole_batches_in_order((phases, images) in any_phases()) {
        let specs = phases.iter().map(|&(length, _, batch)| steps(length, batch)).collect();
        let plan = Plan::compile(&spec(specs, LastBatch::Drop), &facts(images)).unwrap();
        let (mut end, mut before) = (Position::default(), 0);
        for step in plan.steps() {
            prop_assert_eq!(step.images, phases[step.phase].2);
            let here = Position { epoch: step.epoch, offset: step.first as u64 };
            if here != end {
                prop_assert_eq!((here.epoch, here.offset), (end.epoch + 1, 0));
                // Neither this phase's batch nor that of the step before had room there.
                prop_assert!(end.offset as usize + step.images.max(before) > images);
            }
            before = step.images;
            end = Position { offset: here.offset + step.images as u64, ..here };
            let next = step.step + 1;
            prop_assert_eq!(step.ends_epoch, next == plan.total_steps || plan.at(next).epoch != step.epoch);
        }
    }
}
