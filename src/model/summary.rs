//! What a net is made of, in figures.

use super::{PairingError, Parts, assemble};
use crate::nn::memory::{MemoryPlan, Purpose};
use crate::nn::{Graph, ParamDecl, Shape, ValueId};
use serde::Serialize;
use std::ops::Range;

/// Parameters, running statistics and work of a layer, a part or a whole net.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Values of parameters, frozen ones included.
    pub parameters: u64,
    /// Those of them that are not trained.
    pub frozen: u64,
    /// Values that are kept beside them: running means and variances.
    pub statistics: u64,
    /// Multiplications and additions of one image's forward pass: two for each multiply-add.
    pub flops: u64,
}

impl std::iter::Sum for Figures {
    fn sum<I: Iterator<Item = Self>>(figures: I) -> Self {
        figures.fold(Self::default(), |a, b| Self {
            parameters: a.parameters + b.parameters,
            frozen: a.frozen + b.frozen,
            statistics: a.statistics + b.statistics,
            flops: a.flops + b.flops,
        })
    }
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerSummary {
    pub name: String,
    /// In a word or two: `conv 3×3`.
    pub what: String,
    /// Height, width and channels of its output.
    pub output: [usize; 3],
    /// Rows and columns of the image that a pixel of its output depends on, padding included; `null`: the whole image.
    pub receptive_field: Option<[usize; 2]>,
    #[serde(flatten)]
    pub figures: Figures,
}

/// A stem, backbone or head with its layers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartSummary {
    /// `stem`, `backbone`, `head`.
    pub part: &'static str,
    /// The entry's name.
    pub kind: String,
    #[serde(flatten)]
    pub figures: Figures,
    pub layers: Vec<LayerSummary>,
}

/// A net for images of one shape.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Height, width and channels.
    pub image: [usize; 3],
    #[serde(flatten)]
    pub figures: Figures,
    pub parts: Vec<PartSummary>,
    /// Elements an image that a training step keeps, activations and gradients; see [`Summary::training_elements`].
    #[serde(skip)]
    elements: usize,
}

impl Summary {
    /// Of the net that the parts make for images of that shape, trained with activations that are made again or without.
    ///
    /// # Errors
    /// When two parts do not fit at this size.
    pub fn of(parts: &Parts<'_>, image: Shape, recompute: bool) -> Result<Self, Box<PairingError>> {
        let (graph, layers) = assemble(parts, image)?;
        let purpose = Purpose { backward: true, input_grad: false, frozen: false, recompute };
        Ok(Self::new(parts, &graph, layers, purpose, &[]))
    }

    /// Of a net as far as it is looked at, up to the last of these values, where it stays as it is and the image's gradient is
    /// wanted. `net` has the layers of the parts, or the first of them.
    pub fn looked_at(parts: &Parts<'_>, net: &Graph, values: &[ValueId]) -> Self {
        let graph = net.until(values);
        let nodes = graph.nodes();
        // Layers of stems and heads are named so.
        let stem = nodes.iter().take_while(|node| node.name.starts_with("stem.")).count();
        let head = nodes.iter().position(|node| node.name.starts_with("head.")).unwrap_or(nodes.len());
        let layers = [0..stem, stem..head, head..nodes.len()];
        Self::new(
            parts,
            &graph,
            layers,
            Purpose { backward: true, input_grad: true, frozen: true, recompute: false },
            values,
        )
    }

    /// `kept` values are there to the end of a step. A part that begins behind the graph is left out.
    fn new(parts: &Parts<'_>, graph: &Graph, layers: [Range<usize>; 3], purpose: Purpose, kept: &[ValueId]) -> Self {
        let fields = graph.receptive_fields();
        let kinds = [("stem", parts.stem), ("backbone", parts.backbone), ("head", parts.head)];
        let parts: Vec<PartSummary> = kinds
            .into_iter()
            .zip(layers)
            .filter(|(_, layers)| layers.start < graph.nodes().len())
            .map(|((part, choice), layers)| {
                let layers: Vec<LayerSummary> = layers.map(|k| layer(graph, k, fields[k])).collect();
                let figures = layers.iter().map(|layer| layer.figures).sum();
                PartSummary { part, kind: choice.kind.clone(), figures, layers }
            })
            .collect();
        let (image, memory) = (graph.input_shape(), MemoryPlan::new(graph, purpose, kept));
        Self {
            image: [image.h, image.w, image.c],
            figures: parts.iter().map(|part| part.figures).sum(),
            parts,
            elements: memory.slots.iter().sum(),
        }
    }

    /// Activations and gradients of a training step that are in memory at once, in elements an image: what the tape plans
    /// its buffers for. The scratch space of kernels comes on top.
    pub fn training_elements(&self) -> usize {
        self.elements
    }
}

fn layer(graph: &Graph, k: usize, receptive_field: Option<[usize; 2]>) -> LayerSummary {
    let (node, output) = (&graph.nodes()[k], graph.node_shape(k));
    let params = || node.params.iter().map(|p| &graph.params()[*p]);
    let parameters: usize = params().map(ParamDecl::len).sum();
    let frozen: usize = params().filter(|decl| decl.frozen).map(ParamDecl::len).sum();
    let statistics: usize = node.stats.iter().map(|s| graph.stats()[*s].len).sum();
    LayerSummary {
        name: node.name.clone(),
        what: node.layer.describe(),
        output: [output.h, output.w, output.c],
        receptive_field,
        figures: Figures {
            parameters: parameters as u64,
            frozen: frozen as u64,
            statistics: statistics as u64,
            flops: graph.node_flops(k),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{DType, Isa};
    use crate::model::{backbones, build};
    use crate::nn::{Params, Tap, Tape, TapeOptions};
    use crate::registry::{Choice, Value};

    /// ResNet-9 of width 4 with ten classes and norms of fixed scale, its parts as its entry gives them.
    fn with_parts<T>(body: impl FnOnce(&Parts<'_>) -> T) -> T {
        let style = [
            ("init", Value::Text("uniform".to_owned())),
            ("norm_eps", Value::Float(1e-5)),
            ("norm_update", Value::Float(0.1)),
            ("norm_scale", Value::Bool(false)),
        ];
        let mut backbone = Choice::with("resnet9", style);
        backbone.settings.0.insert("width".to_owned(), Value::Int(4));
        let (mut stem, head) = backbones::own_parts(&backbone).unwrap();
        let plain = [("stride", Value::Int(1)), ("bias", Value::Bool(false)), ("norm", Value::Bool(true))];
        stem.settings.0.extend(plain.map(|(key, value)| (key.to_owned(), value)));
        body(&Parts { stem: &stem, backbone: &backbone, head: &head, classes: 10 })
    }

    #[test]
    fn figures_are_those_of_the_net() {
        with_parts(|parts| {
            let image = Shape::new(16, 16, 3);
            let summary = Summary::of(parts, image, false).unwrap();
            let graph = build(parts, image).unwrap();
            let params = Params::new(graph.params(), graph.stats(), 1);
            assert_eq!(summary.figures.parameters, params.count() as u64);
            assert_eq!(summary.figures.parameters - summary.figures.frozen, params.trained() as u64);
            assert_eq!(summary.figures.statistics, params.stats().len() as u64);
            assert_eq!(summary.figures.flops, graph.flops());
            let layers: Vec<&LayerSummary> = summary.parts.iter().flat_map(|part| &part.layers).collect();
            assert!(layers.iter().map(|layer| &layer.name).eq(graph.nodes().iter().map(|node| &node.name)));
            assert_eq!(layers.iter().map(|layer| layer.figures).sum::<Figures>(), summary.figures);

            for recompute in [false, true] {
                let options = TapeOptions { recompute, ..TapeOptions::train(7, DType::F32, Isa::detect().unwrap()) };
                let tape = Tape::new(&graph, &params, options);
                let elements = Summary::of(parts, image, recompute).unwrap().training_elements();
                assert_eq!(elements * 7 * 4, tape.memory_bytes());
            }
        });
    }

    #[test]
    fn a_part_has_its_own_layers() {
        with_parts(|parts| {
            let summary = Summary::of(parts, Shape::new(16, 16, 3), false).unwrap();
            let names = |k: usize| summary.parts[k].layers.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>();
            assert_eq!(names(0), ["stem.conv", "stem.norm"]);
            assert_eq!(names(2), ["head.pool", "head.fc"]);
            assert_eq!((summary.parts[1].kind.as_str(), summary.parts[1].layers[0].output), ("resnet9", [16, 16, 8]));
            // 3·3·3·4 filters and 2·4 of the norm; 4·8 = 32 features to 10 classes.
            assert_eq!((summary.parts[0].figures.parameters, summary.parts[2].figures.parameters), (116, 320));
        });
    }

    /// Looks and does nothing.
    struct Idle;

    impl Tap for Idle {
        fn observe(&mut self, _n: usize, _shape: Shape, _value: &[f32]) {}
    }

    #[test]
    fn a_net_that_is_looked_at_ends_where_no_one_looks_any_more() {
        with_parts(|parts| {
            let net = build(parts, Shape::new(16, 16, 3)).unwrap();
            let last = &net.nodes()[5].name;
            let values = [net.find("stem.norm").unwrap(), net.find(last).unwrap()];
            let summary = Summary::looked_at(parts, &net, &values);
            let names: Vec<&str> = summary.parts.iter().map(|part| part.part).collect();
            assert_eq!(names, ["stem", "backbone"]);
            let layers: Vec<&LayerSummary> = summary.parts.iter().flat_map(|part| &part.layers).collect();
            assert!(layers.iter().map(|layer| &layer.name).eq(net.nodes()[..6].iter().map(|node| &node.name)));
            let graph = net.until(&values);
            assert_eq!(summary.figures.flops, graph.flops());
            let params = Params::new(graph.params(), graph.stats(), 1);
            let taps = values.map(|value| (value, Box::new(Idle) as Box<dyn Tap>));
            let options = TapeOptions::frozen(2, DType::F32, Isa::Portable);
            let tape = Tape::with_taps(&graph, &params, options, taps.into());
            assert_eq!(summary.training_elements() * 2 * 4, tape.memory_bytes());
        });
    }

    #[test]
    fn an_image_too_small_is_an_error() {
        with_parts(|parts| assert!(Summary::of(parts, Shape::new(3, 3, 3), false).is_err()));
    }
}
