//! Nets from parts: any stem on any backbone under any head that fit by shape.

pub mod activations;
pub mod backbones;
pub mod heads;
mod inception;
mod members;
pub mod stems;
mod style;
pub mod summary;

pub use members::{Member, PartKind, members};
pub use summary::Summary;

use crate::nn::{Builder, Graph, Shape, ShapeError, ValueId};
use crate::registry::{Choice, Settings, Value, find};
use std::ops::Range;

/// A stem, a backbone or a head: adds its layers to the net.
pub trait Part {
    /// The value after the part.
    ///
    /// # Errors
    /// When a layer cannot take what it is given.
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError>;
}

/// A setting that lists whole numbers.
fn counts(settings: &Settings, key: &str) -> Vec<usize> {
    let count = |value: &Value| match value {
        Value::Int(count) => *count as usize,
        other => panic!("`{key}` holds {other:?}"),
    };
    settings.list(key).iter().map(count).collect()
}

/// Which parts make the net.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts<'a> {
    pub stem: &'a Choice,
    pub backbone: &'a Choice,
    pub head: &'a Choice,
    /// Outputs of the head.
    pub classes: usize,
}

/// A pairing of parts that cannot work at an image size: which part failed, and what it was given by whom.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given_by} gives {given}, which {part} cannot take: {source}")]
pub struct PairingError {
    /// The settings path of the part that failed: `model.backbone`.
    pub path: &'static str,
    /// The failing part in words: "backbone `resnet9`".
    pub part: String,
    /// What comes before it in words: "stem `conv3x3`", or "the image".
    pub given_by: String,
    pub given: Shape,
    pub source: ShapeError,
}

/// Puts the parts together for images of one shape.
///
/// # Errors
/// When two parts do not fit at this size.
pub fn build(parts: &Parts<'_>, image: Shape) -> Result<Graph, Box<PairingError>> {
    assemble(parts, image).map(|(graph, _)| graph)
}

/// As [`build`]; where two parts do not fit, the layers that do, and what stands in the way of the others.
///
/// # Errors
/// When not even the first layer fits.
pub fn build_some(parts: &Parts<'_>, image: Shape) -> Result<(Graph, Option<Box<PairingError>>), Box<PairingError>> {
    let mut net = Builder::new(image);
    match put_in(&mut net, parts) {
        Ok((x, _)) => Ok((net.finish(x), None)),
        Err(error) => match net.last() {
            Some(last) => Ok((net.finish(last), Some(error))),
            None => Err(error),
        },
    }
}

/// As [`build`], with the layers that each part has: stem, backbone, head.
fn assemble(parts: &Parts<'_>, image: Shape) -> Result<(Graph, [Range<usize>; 3]), Box<PairingError>> {
    let mut net = Builder::new(image);
    let (x, layers) = put_in(&mut net, parts)?;
    Ok((net.finish(x), layers))
}

/// Adds the parts' layers to a net; gives its output, and the layers of each part.
fn put_in(net: &mut Builder, parts: &Parts<'_>) -> Result<(ValueId, [Range<usize>; 3]), Box<PairingError>> {
    let stem = find(stems::ENTRIES, &parts.stem.kind).expect("a checked stem is known");
    let backbone = find(backbones::ENTRIES, &parts.backbone.kind).expect("a checked backbone is known");
    let head = find(heads::ENTRIES, &parts.head.kind).expect("a checked head is known");
    let sequence: [(&'static str, String, Box<dyn Part>); 3] = [
        ("model.stem", format!("stem `{}`", parts.stem.kind), (stem.make)(&parts.stem.settings)),
        (
            "model.backbone",
            format!("backbone `{}`", parts.backbone.kind),
            (backbone.make.part)(&parts.backbone.settings),
        ),
        ("model.head", format!("head `{}`", parts.head.kind), (head.make)(&parts.head.settings, parts.classes)),
    ];
    let mut x = net.input();
    let mut given_by = "the image".to_owned();
    let mut ends = [0; 4];
    for (k, (path, words, part)) in sequence.into_iter().enumerate() {
        let given = net.shape(x);
        x = part.build(net, x).map_err(|source| {
            Box::new(PairingError { path, part: words.clone(), given_by: given_by.clone(), given, source })
        })?;
        given_by = words;
        ends[k + 1] = net.layers();
    }
    Ok((x, [0, 1, 2].map(|k| ends[k]..ends[k + 1])))
}

/// The smallest square image, of at most `limit` pixels a side, that the parts can take.
pub fn smallest_size(parts: &Parts<'_>, channels: usize, limit: usize) -> Option<usize> {
    (1..=limit).find(|size| build(parts, Shape::new(*size, *size, channels)).is_ok())
}
