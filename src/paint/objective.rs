//! The loss of pixels and its gradient.

use super::mask::Mask;
use super::terms::{Keep, Scores, Target, Term, Watch};
use super::{layers, variation};
use crate::data::resize::Extent;
use crate::kernels::conv::Algorithm;
use crate::kernels::{DType, Isa};
use crate::nn::{Graph, Params, Tap, Tape, TapeOptions, ValueId};
use crate::task::Painting;
use crate::task::losses::LossKind;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A net that stays as it is: of its layers those that are looked at and what comes before them.
pub struct FrozenNet<'a> {
    /// The whole net for images of an extent.
    pub graph: &'a dyn Fn(Extent) -> anyhow::Result<Graph>,
    pub params: Params,
    pub isa: Isa,
    pub dtype: DType,
    pub algorithm: Algorithm,
}

/// What is painted, at one size.
pub struct Scene<'a> {
    pub painting: &'a Painting,
    pub extent: Extent,
    /// Normalised, one after the other, in the painting's extent; empty where there are none.
    pub content: &'a [f32],
    /// Normalised, each in its own extent.
    pub style: &'a [(Extent, Vec<f32>)],
    pub mask: Option<&'a Mask>,
}

/// What activations are held against, by the names of layers.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Those of the content images, `(n, h, w, c)`.
    pub contents: BTreeMap<String, Vec<f32>>,
    /// The mean of the style images' Gram matrices, by their shares.
    pub grams: BTreeMap<String, Vec<f32>>,
}

impl Targets {
    /// Runs the net on the scene's images.
    ///
    /// # Errors
    /// When the net cannot be built for an extent, or a layer is not there.
    pub fn of(net: &mut FrozenNet<'_>, scene: &Scene<'_>) -> anyhow::Result<Self> {
        let Scene { painting, extent, content, style, .. } = *scene;
        let (placed, _) = place(painting, &(net.graph)(extent)?)?;
        let content_layers = layers_of(painting, &placed, |kind| kind == LossKind::Content);
        let style_layers = layers_of(painting, &placed, is_style);
        let contents = keep(net, extent, content, &content_layers, true)?;
        let mut grams: BTreeMap<String, Vec<f32>> = BTreeMap::new();
        for ((extent, image), share) in style.iter().zip(painting.style_shares()) {
            for (name, gram) in keep(net, *extent, image, &style_layers, false)? {
                let mean = grams.entry(name).or_insert_with(|| vec![0.0; gram.len()]);
                mean.iter_mut().zip(gram).for_each(|(mean, gram)| *mean += share as f32 * gram);
            }
        }
        Ok(Self { contents, grams })
    }
}

/// A term of the loss, where it is looked at.
struct Placed {
    /// Which of the experiment's.
    loss: usize,
    layer: String,
    value: ValueId,
    weight: f64,
}

/// The loss of pixels.
pub struct Objective {
    tape: Tape,
    scores: Scores,
    /// Names of the terms.
    columns: Vec<String>,
    /// Of total variation: its place among the scores, and its weight.
    variation: Vec<(usize, f64)>,
    mask: Option<Mask>,
    content: Vec<f32>,
    extent: Extent,
    /// What the net sees, and no gradient of its output besides that of the taps.
    image: Vec<f32>,
    zeros: Vec<f32>,
}

impl Objective {
    /// Finds what the images are held against, and plans memory for an extent.
    ///
    /// # Errors
    /// When the net cannot be built for an extent, or a layer is not there.
    pub fn new(net: &mut FrozenNet<'_>, scene: &Scene<'_>) -> anyhow::Result<Self> {
        let targets = Targets::of(net, scene)?;
        Self::towards(net, scene, targets)
    }

    /// As [`Objective::new`], with targets that are known.
    ///
    /// # Errors
    /// Likewise.
    ///
    /// # Panics
    /// When a term has no target.
    pub fn towards(net: &FrozenNet<'_>, scene: &Scene<'_>, targets: Targets) -> anyhow::Result<Self> {
        let Scene { painting, extent, content, mask, .. } = *scene;
        let graph = (net.graph)(extent)?;
        let (placed, columns) = place(painting, &graph)?;
        let Targets { contents, grams } = targets;
        let count = columns.len();
        let scores: Scores = Arc::new(Mutex::new(vec![0.0; count]));
        let mut by_value: BTreeMap<ValueId, Vec<Term>> = BTreeMap::new();
        for (column, term) in placed.iter().enumerate() {
            let target = match painting.losses[term.loss].kind {
                LossKind::Content => Target::Content(contents[&term.layer].clone()),
                LossKind::Style { diagonal } => Target::Gram { matrix: grams[&term.layer].clone(), diagonal },
                LossKind::TotalVariation => unreachable!("it looks at no layer"),
            };
            by_value.entry(term.value).or_default().push(Term { target, weight: term.weight, column });
        }
        let taps: BTreeMap<ValueId, Box<dyn Tap>> = by_value
            .into_iter()
            .map(|(value, terms)| {
                let shape = graph.shape(value);
                let mask = mask.map(|mask| mask.at(shape.h, shape.w));
                let tap: Box<dyn Tap> = Box::new(Watch::new(net.isa, terms, mask, Arc::clone(&scores)));
                (value, tap)
            })
            .collect();
        let images = painting.images();
        let cut = graph.until(&taps.keys().copied().collect::<Vec<_>>());
        let options = net.needs(images).options();
        let zeros = vec![0.0; images * cut.shape(cut.output()).len()];
        let with_terms = painting.losses.iter().filter(|loss| loss.kind == LossKind::TotalVariation);
        Ok(Self {
            tape: Tape::with_taps(&cut, &net.params, options, taps),
            scores,
            variation: with_terms.enumerate().map(|(k, loss)| (placed.len() + k, loss.weight(0))).collect(),
            columns,
            mask: mask.cloned(),
            content: content.to_vec(),
            extent,
            image: Vec::new(),
            zeros,
        })
    }

    /// Names of the terms: `content.features.22`, `style.features.3`, `total-variation`.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The weighted terms of the last evaluation.
    pub fn terms(&self) -> Vec<f64> {
        self.scores.lock().expect("no tap panics").clone()
    }

    /// The loss, and its gradient into `grads`: both `(n, h, w, 3)`.
    ///
    /// # Errors
    /// Those of a candle bridge.
    ///
    /// # Panics
    /// When the lengths are not those of the scene.
    pub fn evaluate(&mut self, params: &mut Params, pixels: &[f32], grads: &mut [f32]) -> anyhow::Result<f64> {
        self.image.resize(pixels.len(), 0.0);
        match &self.mask {
            Some(mask) => mask.mix(&self.content, pixels, &mut self.image),
            None => self.image.copy_from_slice(pixels),
        }
        self.tape.forward(params, &self.image)?;
        self.tape.set_output_grad(&self.zeros);
        self.tape.backward(params)?;
        grads.copy_from_slice(&self.tape.input_grad().context("the tape gives the pixels' gradient")?);
        let shape =
            [pixels.len() / (3 * self.extent.width * self.extent.height), self.extent.height, self.extent.width, 3];
        let mut scores = self.scores.lock().expect("no tap panics");
        for (column, weight) in &self.variation {
            scores[*column] = variation::total_variation(&self.image, shape, *weight, grads);
        }
        if let Some(mask) = &self.mask {
            mask.pull(grads);
        }
        Ok(scores.iter().sum())
    }

    /// Names of the terms of an experiment, without making it.
    ///
    /// # Errors
    /// When a layer is not there: its place below `task`, and what there would be.
    pub fn names(painting: &Painting, graph: &Graph) -> Result<Vec<String>, Misplaced> {
        place(painting, graph).map(|(_, columns)| columns)
    }

    /// The values that terms look at.
    ///
    /// # Errors
    /// When a layer is not there.
    pub fn values(painting: &Painting, graph: &Graph) -> Result<Vec<ValueId>, Misplaced> {
        Ok(place(painting, graph)?.0.iter().map(|term| term.value).collect())
    }

    /// The layers that style images are looked at in, by name.
    ///
    /// # Errors
    /// When a layer is not there.
    pub fn style_layers(painting: &Painting, graph: &Graph) -> Result<BTreeMap<String, ValueId>, Misplaced> {
        Ok(layers_of(painting, &place(painting, graph)?.0, is_style))
    }

    /// Bytes that the look at a style image takes, but for weights. `graph` is the net for images of its extent.
    ///
    /// # Errors
    /// When the image is too small for one of the layers.
    pub fn style_bytes(
        needs: Needs,
        layers: &BTreeMap<String, ValueId>,
        graph: &Graph,
        extent: Extent,
    ) -> Result<usize, TooSmall> {
        room_for(graph, layers, extent)?;
        let values: Vec<ValueId> = layers.values().copied().collect();
        let tape = Tape::bytes_for(&graph.until(&values), needs.options_of_look(), &values);
        Ok(tape + needs.copied(graph, &values) * size_of::<f32>())
    }

    /// Bytes that an objective takes at an extent, but for weights: activations, gradients, scratch, targets.
    ///
    /// # Errors
    /// When a layer is not there.
    pub fn bytes(needs: Needs, painting: &Painting, graph: &Graph) -> Result<usize, Misplaced> {
        let (placed, _) = place(painting, graph)?;
        let values: Vec<ValueId> = placed.iter().map(|term| term.value).collect();
        let cut = graph.until(&values);
        let targets: usize = placed
            .iter()
            .filter(|term| painting.losses[term.loss].kind == LossKind::Content)
            .map(|term| graph.shape(term.value).len() * painting.images())
            .sum();
        // With a mask, of each layer whose Gram matrices count, an image's activations times the mask.
        let styled = layers_of(painting, &placed, is_style);
        let weighted = styled.values().map(|value| graph.shape(*value).len());
        let weighted: usize = weighted.filter(|_| painting.mask.is_some()).sum();
        // Terms read activations and add to gradients.
        let copied = 2 * needs.images * needs.copied(graph, &values);
        Ok(Tape::bytes_for(&cut, needs.options(), &values) + (2 * targets + weighted + copied) * size_of::<f32>())
    }
}

/// What a tape is made for.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    pub images: usize,
    pub isa: Isa,
    pub dtype: DType,
    pub algorithm: Algorithm,
}

impl Needs {
    fn options(self) -> TapeOptions {
        TapeOptions { algorithm: self.algorithm, ..TapeOptions::frozen(self.images, self.dtype, self.isa) }
    }

    /// For a look at what is held against: one image at a time.
    fn options_of_look(self) -> TapeOptions {
        TapeOptions { algorithm: self.algorithm, ..TapeOptions::evaluate(1, self.dtype, self.isa) }
    }

    /// The most numbers of an image that a tap is handed as `f32` where they are not held so: one layer's at a time.
    fn copied(self, graph: &Graph, values: &[ValueId]) -> usize {
        let lens = values.iter().map(|value| graph.shape(*value).len());
        lens.filter(|_| self.dtype != DType::F32).max().unwrap_or(0)
    }
}

impl FrozenNet<'_> {
    fn needs(&self, images: usize) -> Needs {
        Needs { images, isa: self.isa, dtype: self.dtype, algorithm: self.algorithm }
    }
}

/// A layer that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task.{path}: {}", looked.message)]
pub struct Misplaced {
    /// Below `task`.
    pub path: String,
    pub looked: layers::Looked,
}

/// An image that the net has not all the layers for that are looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an image of {extent} is too small for layer `{layer}`")]
pub struct TooSmall {
    pub extent: Extent,
    pub layer: String,
}

/// Sees that the net for images of an extent has these layers.
fn room_for(graph: &Graph, layers: &BTreeMap<String, ValueId>, extent: Extent) -> Result<(), TooSmall> {
    match layers.keys().find(|layer| graph.find(layer).is_none()) {
        Some(layer) => Err(TooSmall { extent, layer: layer.clone() }),
        None => Ok(()),
    }
}

fn is_style(kind: LossKind) -> bool {
    matches!(kind, LossKind::Style { .. })
}

/// The layers that terms of a kind look at, by name.
fn layers_of(painting: &Painting, placed: &[Placed], wanted: fn(LossKind) -> bool) -> BTreeMap<String, ValueId> {
    let wanted = placed.iter().filter(|term| wanted(painting.losses[term.loss].kind));
    wanted.map(|term| (term.layer.clone(), term.value)).collect()
}

/// Where each term is looked at, and the names of all: those of layers in the order of the file, then total variation.
fn place(painting: &Painting, graph: &Graph) -> Result<(Vec<Placed>, Vec<String>), Misplaced> {
    let (mut placed, mut columns) = (Vec::new(), Vec::<String>::new());
    let name = |name: String, columns: &mut Vec<String>| {
        let same = columns.iter().filter(|known| **known == name || known.starts_with(&format!("{name}#"))).count();
        columns.push(if same == 0 { name } else { format!("{name}#{}", same + 1) });
    };
    for (loss, term) in painting.losses.iter().enumerate().filter(|(_, term)| term.kind != LossKind::TotalVariation) {
        let kind = if term.kind == LossKind::Content { "content" } else { "style" };
        let mut number = 0;
        for (k, rule) in term.layers.iter().enumerate() {
            let misplaced = |looked| Misplaced { path: format!("losses[{loss}].layers[{k}]"), looked };
            for found in layers::find(graph, rule).map_err(misplaced)? {
                name(format!("{kind}.{}", found.name), &mut columns);
                let weight = if term.weights().is_none_or(|count| number < count) { term.weight(number) } else { 0.0 };
                placed.push(Placed { loss, layer: found.name, value: found.value, weight });
                number += 1;
            }
        }
        if let Some(count) = term.weights().filter(|count| *count != number) {
            let message = format!("{count} weights for {number} layers");
            let looked = layers::Looked { message, names: Vec::new(), pools: 0 };
            return Err(Misplaced { path: format!("losses[{loss}].weights"), looked });
        }
    }
    for _ in painting.losses.iter().filter(|term| term.kind == LossKind::TotalVariation) {
        name("total-variation".to_owned(), &mut columns);
    }
    Ok((placed, columns))
}

/// What layers put out for images, or the Gram matrices of that.
fn keep(
    net: &mut FrozenNet<'_>,
    extent: Extent,
    images: &[f32],
    layers: &BTreeMap<String, ValueId>,
    whole: bool,
) -> anyhow::Result<BTreeMap<String, Vec<f32>>> {
    if layers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let graph = (net.graph)(extent)?;
    room_for(&graph, layers, extent)?;
    let cut = graph.until(&layers.values().copied().collect::<Vec<_>>());
    let (mut taps, mut kept) = (BTreeMap::<ValueId, Box<dyn Tap>>::new(), Vec::new());
    for (name, value) in layers {
        let (tap, found) = Keep::new(net.isa, whole);
        taps.insert(*value, Box::new(tap));
        kept.push((name.clone(), found));
    }
    // One image at a time: but for styles that are larger, the painting itself takes far more memory.
    let mut tape = Tape::with_taps(&cut, &net.params, net.needs(1).options_of_look(), taps);
    for image in images.chunks_exact(3 * extent.width * extent.height) {
        tape.forward(&mut net.params, image)?;
    }
    let take = |found: Arc<Mutex<Vec<f32>>>| std::mem::take(&mut *found.lock().expect("no tap panics"));
    Ok(kept.into_iter().map(|(name, found)| (name, take(found))).collect())
}
