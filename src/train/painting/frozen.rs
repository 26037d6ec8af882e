//! The net that stays as it is.

use super::job::PaintJob;
use crate::model::backbones::published;
use crate::nn::{Graph, Init, ParamDecl, Params, Role};
use crate::paint::Objective;
use crate::task::Painting;
use crate::train::{chores, net};

/// Said where nothing says what the net has learned.
const RANDOM: &str = "no `model.weights`: the net's filters are random (He et al. 2015)";

/// The parameters of the net as far as it is looked at, and what to say of where they come from.
pub(super) fn frozen(job: &PaintJob) -> anyhow::Result<(Params, Option<String>)> {
    let (graph, _) = net::some_of(&job.spec, &job.facts(), job.extent(0))?;
    let looked = looked_at(&job.painting, &graph)?;
    let mut params = Params::new(looked.params(), looked.stats(), job.spec.seed).without_gradients();
    let Some(facts) = &job.weights else {
        he(&mut params, looked.params());
        return Ok((params, Some(RANDOM.to_owned())));
    };
    let weights = chores::unchanged(facts)?;
    let taken = weights.start_part(&mut params, published(&job.spec.model.backbone))?;
    Ok((params, Some(taken.in_words(&facts.path))))
}

/// He's start (He et al. 2015): what passes a ReLU is as large as before. By ±1/√fan_in, from which training gets away, each layer
/// leaves a sixth of its squares: behind ten of them nothing moves. What starts by another rule is left as it is.
fn he(params: &mut Params, decls: &[ParamDecl]) {
    for decl in decls.iter().filter(|decl| matches!(decl.init, Init::Uniform { .. })) {
        let range = params.directory()[&decl.name].range.clone();
        let values = &mut params.values_mut()[range];
        match decl.role {
            Role::Conv | Role::Linear => values.iter_mut().for_each(|value| *value *= 6f32.sqrt()),
            Role::Bias => values.fill(0.0),
            Role::Norm => {}
        }
    }
}

/// The net up to the last layer that a term looks at.
///
/// # Errors
/// When a layer is not there.
pub(super) fn looked_at(painting: &Painting, graph: &Graph) -> anyhow::Result<Graph> {
    Ok(graph.until(&Objective::values(painting, graph)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_filters_that_are_drawn_are_drawn_as_he_does() {
        let decl = |name: &str, role, init| {
            let (name, shape) = (name.to_owned(), vec![4, 3, 1, 1]);
            ParamDecl { name, role, shape, init, frozen: false }
        };
        let (uniform, dirac) = (Init::Uniform { bound: 0.5 }, Init::Dirac { bound: 0.5, groups: 1 });
        let decls = [
            decl("a.weight", Role::Conv, uniform),
            decl("a.bias", Role::Bias, uniform),
            decl("b.scale", Role::Norm, Init::Constant(1.0)),
            decl("c.weight", Role::Conv, dirac),
        ];
        let before = Params::new(&decls, &[], 1);
        let mut params = before.clone();
        he(&mut params, &decls);
        let (drawn, found) = (before.get("a.weight").unwrap(), params.get("a.weight").unwrap());
        assert!(drawn.iter().zip(found).all(|(drawn, found)| *found == drawn * 6f32.sqrt()));
        assert_eq!(params.get("a.bias").unwrap(), [0.0; 12]);
        assert!(["b.scale", "c.weight"].iter().all(|name| params.get(name) == before.get(name)));
    }
}
