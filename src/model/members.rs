//! The parameters of a net, as rules choose them.

use super::{PairingError, Parts, assemble};
use crate::nn::{Role, Shape};

/// A part of the net.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    Stem,
    Backbone,
    Head,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub name: String,
    pub role: Role,
    pub part: PartKind,
    /// As torchvision shapes it: `OIHW`, `OI`, or one axis.
    pub shape: Vec<usize>,
}

/// The parameters of the net that the parts make for images of one shape, in graph order. The size does not matter to
/// them.
///
/// # Errors
/// When two parts do not fit at this size.
pub fn members(parts: &Parts<'_>, image: Shape) -> Result<Vec<Member>, Box<PairingError>> {
    let (graph, layers) = assemble(parts, image)?;
    let mut members = Vec::with_capacity(graph.params().len());
    for (part, layers) in [PartKind::Stem, PartKind::Backbone, PartKind::Head].into_iter().zip(layers) {
        for index in graph.nodes()[layers].iter().flat_map(|node| &node.params) {
            let param = &graph.params()[*index];
            let (name, shape) = (param.name.clone(), param.shape.clone());
            members.push(Member { name, role: param.role, part, shape });
        }
    }
    Ok(members)
}
