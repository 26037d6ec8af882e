//! Starts that depend on the data: parameters whose [`Init`] is computed from training images, before the first step.
//!
//! They are functions of the images, the net and (where a layer before them has weights) the seed; a checkpoint holds them
//! as any other parameter, and the time they take is training.

use super::net;
use crate::config::spec::Spec;
use crate::data::{Dataset, Loader};
use crate::kernels::DType;
use crate::nn::whitening::Patches;
use crate::nn::{Compute, Executor, Init, Params, TapeOptions, ValueId};
use std::sync::Arc;

/// Images at a time.
const BATCH: usize = 100;

/// Gives all parameters that begin so their start, from unaugmented training images of that size. False where there are
/// none. A layer sees what the layers before it make of the images in evaluation, those before it started already.
///
/// # Errors
/// Those of the tape and of the loader; when the net cannot be built.
pub fn from_images(
    params: &mut Params,
    spec: &Spec,
    dataset: &Arc<Dataset>,
    size: usize,
    compute: &Compute,
) -> anyhow::Result<bool> {
    let graph = net::graph(spec, &dataset.facts, size)?;
    let mut any = false;
    for (node, param) in graph.nodes().iter().flat_map(|node| node.params.iter().map(move |param| (node, *param))) {
        let (decl, input) = (&graph.params()[param], node.inputs[0]);
        let Init::Whitening { eps, images, .. } = decl.init else { continue };
        any = true;
        let mut patches = Patches::new(&decl.shape);
        let options = TapeOptions::evaluate(BATCH, DType::F32, compute.isa);
        // The first layer sees the images themselves.
        let is_behind_others = input != ValueId::input();
        let mut tape = is_behind_others.then(|| Executor::new(compute, &graph, params, options)).transpose()?;
        let mut sample = Loader::<f32>::sample(Arc::clone(dataset), images, size, BATCH);
        while let Some((batch, _)) = sample.next_batch()? {
            if batch.labels.is_empty() {
                // All of its images are damaged, and such are skipped.
                continue;
            }
            match &mut tape {
                None => patches.add(graph.shape(input), &batch.images),
                Some(tape) => patches.add(graph.shape(input), &tape.forward_to(params, &batch.images, input)?),
            }
        }
        let slot = params.directory()[&decl.name].range.clone();
        params.values_mut()[slot].copy_from_slice(&patches.filters(eps));
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Text};
    use crate::data::{self, Request};
    use crate::kernels::Isa;
    use crate::registry::Choice;

    fn spec(model: &str) -> Spec {
        let content = format!(
            "name = \"a\"\n[data]\ndataset = \"shapes\"\n[model]\n{model}\n\
             [[phases]]\nsteps = 2\nbatch = 4\noptimizer = \"sgd\"\nlr = 0.1\n"
        );
        config::read(Text { name: "a.toml".into(), content, folder: Default::default() }, &[]).unwrap().spec
    }

    fn shapes() -> Arc<Dataset> {
        let set = Choice::plain("shapes");
        let request = Request { dataset: &set, root: None, phase: None, stand_in: None, statistics: None };
        Arc::new(data::open(&request, &mut |_| {}).unwrap())
    }

    #[test]
    fn filters_whiten_the_training_images_and_nothing_else_changes() {
        let (dataset, size, compute) = (shapes(), 12, Compute::from(Isa::detect().unwrap()));
        let spec = spec("backbone = { airbench94 = [4] }\nstem = { kind = \"whiten\", images = 300 }");
        let fresh = net::fresh_params(&spec, &dataset.facts, size).unwrap();
        let mut params = fresh.clone();
        assert!(from_images(&mut params, &spec, &dataset, size, &compute).unwrap());
        let mut again = fresh.clone();
        from_images(&mut again, &spec, &dataset, size, &compute).unwrap();
        assert_eq!(params.values(), again.values(), "the same start again");
        for name in fresh.directory().keys() {
            assert_eq!(params.get(name) == fresh.get(name), name != "stem.conv.weight", "{name}");
        }

        // What comes out on the same images: as large in each direction that ε does not hold down.
        let filters = params.get("stem.conv.weight").unwrap();
        let (mut moments, mut count) = ([0.0; 24], 0.0);
        let mut sample = Loader::<f32>::sample(Arc::clone(&dataset), 300, size, 64);
        while let Some((batch, _)) = sample.next_batch().unwrap() {
            for image in batch.images.chunks_exact(size * size * 3) {
                for (y, x) in (0..size - 1).flat_map(|y| (0..size - 1).map(move |x| (y, x))) {
                    for (filter, moment) in filters.chunks(12).zip(&mut moments) {
                        let at = |k: usize| image[((y + k / 2 % 2) * size + x + k % 2) * 3 + k / 4];
                        let out: f32 = filter.iter().enumerate().map(|(k, f)| f * at(k)).sum();
                        *moment += f64::from(out * out);
                    }
                    count += 1.0;
                }
            }
        }
        assert!(moments.iter().all(|moment| moment / count < 1.001), "{moments:?}");
        assert!(moments.iter().filter(|moment| **moment / count > 0.9).count() >= 12, "{moments:?}");
    }

    #[test]
    fn other_nets_need_no_images() {
        let (dataset, compute) = (shapes(), Compute::from(Isa::detect().unwrap()));
        let spec = spec("backbone = { shallow = 4 }");
        let mut params = net::fresh_params(&spec, &dataset.facts, 8).unwrap();
        let before = params.values().to_vec();
        assert!(!from_images(&mut params, &spec, &dataset, 8, &compute).unwrap());
        assert_eq!(params.values(), before);
    }
}
