//! The net as a list of layers in order of computation, and the builder that model parts use.

use super::layer::{Layer, Reach};
use super::params::{ParamDecl, StatDecl};
use super::shape::{Shape, ShapeError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A value of the graph: 0 is the input, `k + 1` the output of node `k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub(super) usize);

impl ValueId {
    /// The net's images.
    pub fn input() -> Self {
        Self(0)
    }
    /// What node `k` puts out.
    pub(super) fn of_node(k: usize) -> Self {
        Self(k + 1)
    }
    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// One layer in its place.
#[derive(Clone)]
pub struct Node {
    /// Full path: `layer1.res.conv1`.
    pub name: String,
    pub layer: Arc<dyn Layer>,
    pub inputs: Vec<ValueId>,
    /// Indices into the graph's `params` and `stats`.
    pub params: Vec<usize>,
    pub stats: Vec<usize>,
}

/// A net for images of one size. Parameters do not depend on the size.
pub struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) shapes: Vec<Shape>,
    pub(super) params: Vec<ParamDecl>,
    pub(super) stats: Vec<StatDecl>,
    pub(super) output: ValueId,
}

impl Graph {
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
    pub fn shape(&self, value: ValueId) -> Shape {
        self.shapes[value.0]
    }
    /// The shape that node `k` puts out.
    pub fn node_shape(&self, k: usize) -> Shape {
        self.shapes[k + 1]
    }
    pub fn input_shape(&self) -> Shape {
        self.shapes[0]
    }
    pub fn output(&self) -> ValueId {
        self.output
    }
    /// With full names, in graph order.
    pub fn params(&self) -> &[ParamDecl] {
        &self.params
    }
    /// The same net, of which these parameters too are trained no more. Layers that lie before all that is trained do not run backward
    /// then; what still does writes the gradients of all its parameters.
    pub fn frozen(mut self, is_frozen: impl Fn(&str) -> bool) -> Self {
        self.params.iter_mut().for_each(|decl| decl.frozen |= is_frozen(&decl.name));
        self
    }
    pub fn stats(&self) -> &[StatDecl] {
        &self.stats
    }
    /// The output value of the layer of that name.
    pub fn find(&self, name: &str) -> Option<ValueId> {
        self.nodes.iter().position(|node| node.name == name).map(|k| ValueId(k + 1))
    }
    /// The layer that makes a value; `None`: it is the input.
    pub fn maker(&self, value: ValueId) -> Option<&Node> {
        value.0.checked_sub(1).map(|k| &self.nodes[k])
    }
    /// The net up to the last of these values, which becomes its output, with the parameters and statistics that are left.
    ///
    /// # Panics
    /// When there is no value, or only the input.
    pub fn until(&self, values: &[ValueId]) -> Self {
        let output = values.iter().max().copied().filter(|last| last.0 > 0).expect("a layer to go up to");
        let nodes: Vec<Node> = self.nodes[..output.0].to_vec();
        let last = |of: fn(&Node) -> &[usize]| nodes.iter().flat_map(of).max().map_or(0, |last| last + 1);
        Self {
            shapes: self.shapes[..=output.0].to_vec(),
            params: self.params[..last(|node| &node.params)].to_vec(),
            stats: self.stats[..last(|node| &node.stats)].to_vec(),
            nodes,
            output,
        }
    }
    /// Multiplications and additions of one image's forward pass, node `k` alone.
    pub fn node_flops(&self, k: usize) -> u64 {
        let node = &self.nodes[k];
        let inputs: Vec<Shape> = node.inputs.iter().map(|v| self.shape(*v)).collect();
        node.layer.flops(&inputs)
    }
    /// The receptive field of each node's output: how many rows and columns of the image one of its pixels depends on, were
    /// the image large enough. `None`: on all of it, whatever its size.
    ///
    /// A window of `k` taps over a value whose pixels see `f` and lie `j` apart sees `f + (k − 1)·j`; its own lie `j·stride`
    /// apart. Of several inputs the largest counts.
    pub fn receptive_fields(&self) -> Vec<Option<[usize; 2]>> {
        // Of each value: the field, and how far apart neighbours lie.
        let mut values: Vec<(Option<[usize; 2]>, [usize; 2])> = vec![(Some([1; 2]), [1; 2])];
        for node in &self.nodes {
            let inputs = || node.inputs.iter().map(|input| values[input.0]);
            let largest = |pairs: &[[usize; 2]]| pairs.iter().fold([1; 2], |a, b| [0, 1].map(|k| a[k].max(b[k])));
            let step = largest(&inputs().map(|(_, step)| step).collect::<Vec<_>>());
            let fields: Option<Vec<[usize; 2]>> = inputs().map(|(field, _)| field).collect();
            let field = fields.map(|fields| largest(&fields));
            values.push(match node.layer.reach() {
                Reach::Pixel => (field, step),
                Reach::Window { span, stride } => {
                    let widened = field.map(|field| [0, 1].map(|k| field[k] + (span[k] - 1) * step[k]));
                    (widened, [0, 1].map(|k| step[k] * stride[k]))
                }
                Reach::Image => (None, step),
            });
        }
        values.into_iter().skip(1).map(|(field, _)| field).collect()
    }

    /// Of the whole net.
    pub fn flops(&self) -> u64 {
        (0..self.nodes.len()).map(|k| self.node_flops(k)).sum()
    }
}

/// Puts layers together, inferring shapes on the way.
pub struct Builder {
    nodes: Vec<Node>,
    shapes: Vec<Shape>,
    params: Vec<ParamDecl>,
    stats: Vec<StatDecl>,
    path: Vec<String>,
    /// Of all nodes.
    names: BTreeSet<String>,
}

impl Builder {
    /// Starts with the input's shape; its value is [`Builder::input`].
    pub fn new(input: Shape) -> Self {
        Self {
            nodes: Vec::new(),
            shapes: vec![input],
            params: Vec::new(),
            stats: Vec::new(),
            path: Vec::new(),
            names: BTreeSet::new(),
        }
    }

    pub fn input(&self) -> ValueId {
        ValueId(0)
    }

    pub fn shape(&self, value: ValueId) -> Shape {
        self.shapes[value.0]
    }

    /// Layers so far.
    pub fn layers(&self) -> usize {
        self.nodes.len()
    }

    /// Names of layers added within `body` begin with `name.`.
    pub fn scope<T>(&mut self, name: &str, body: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_owned());
        let out = body(self);
        self.path.pop();
        out
    }

    /// Adds a layer.
    ///
    /// # Errors
    /// When it cannot take its inputs.
    ///
    /// # Panics
    /// When the name is taken, or a value is given twice: mistakes of the part's author.
    pub fn add(&mut self, name: &str, layer: impl Layer + 'static, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let full = self.path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        assert!(self.names.insert(full.clone()), "two layers are named `{full}`");
        assert!(inputs.iter().enumerate().all(|(k, v)| !inputs[..k].contains(v)), "layer `{full}` takes a value twice");
        let shapes: Vec<Shape> = inputs.iter().map(|v| self.shape(*v)).collect();
        let shape = layer.output(&shapes).map_err(|problem| ShapeError { layer: full.clone(), problem })?;
        let params = layer.params(&shapes);
        let stats = layer.stats(&shapes);
        let node = Node {
            inputs: inputs.to_vec(),
            params: (self.params.len()..self.params.len() + params.len()).collect(),
            stats: (self.stats.len()..self.stats.len() + stats.len()).collect(),
            layer: Arc::new(layer),
            name: full.clone(),
        };
        self.params.extend(params.into_iter().map(|p| ParamDecl { name: format!("{full}.{}", p.name), ..p }));
        self.stats.extend(stats.into_iter().map(|s| StatDecl { name: format!("{full}.{}", s.name), ..s }));
        self.nodes.push(node);
        self.shapes.push(shape);
        Ok(ValueId(self.nodes.len()))
    }

    /// The output of the last layer so far.
    pub fn last(&self) -> Option<ValueId> {
        (!self.nodes.is_empty()).then_some(ValueId(self.nodes.len()))
    }

    /// The net whose output is `output`.
    pub fn finish(self, output: ValueId) -> Graph {
        let Self { nodes, shapes, params, stats, .. } = self;
        Graph { nodes, shapes, params, stats, output }
    }
}
