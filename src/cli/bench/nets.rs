//! The nets that speed is measured on, by the names of scripts/torch_throughput.py.

use crate::config::{self, Diagnostics, Loaded, Override, Text};
use clap::builder::PossibleValuesParser;

struct Net {
    name: &'static str,
    /// Its lines of `[model]`.
    model: &'static str,
    /// Side of the images it is usually trained on.
    size: usize,
}

const NETS: &[Net] = &[
    Net { name: "resnet9", model: "backbone = 'resnet9'", size: 32 },
    Net { name: "resnet18", model: "backbone = 'resnet18'\nstem = 'conv3x3'", size: 32 },
    Net { name: "resnet18_imagenet", model: "backbone = 'resnet18'", size: 128 },
    Net { name: "resnet50", model: "backbone = 'resnet50'", size: 224 },
    Net { name: "airbench94", model: "backbone = 'airbench94'", size: 32 },
    Net { name: "wrn22", model: "backbone = 'wrn22'", size: 32 },
];

/// Outputs where nothing says otherwise.
pub const CLASSES: usize = 10;

/// For the command line.
pub fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(NETS.iter().map(|net| net.name))
}

fn named(name: &str) -> &'static Net {
    NETS.iter().find(|net| net.name == name).expect("clap lets no other name through")
}

/// The side of the images that a net is measured with unless asked otherwise.
pub fn size(name: &str) -> usize {
    named(name).size
}

/// An experiment around a net: so many classes, and the optimizer that PyTorch's side has.
///
/// # Errors
/// When the overrides do not fit.
pub fn load(name: &str, classes: usize, overrides: &[Override]) -> Result<Loaded, Diagnostics> {
    let content = format!(
        "name = '{name}'\n[data]\ndataset = 'shapes'\n[model]\nclasses = {classes}\n{}\n\
         [[phases]]\nsteps = 1\nbatch = 128\noptimizer = {{ kind = 'sgd', nesterov = true }}\nlr = 1e-3\n",
        named(name).model
    );
    let text = Text { name: format!("<the net {name}>"), content, folder: std::path::PathBuf::new() };
    config::read_with(text, overrides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_net_is_one_and_fits_its_images() {
        for net in NETS {
            let spec = load(net.name, CLASSES, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec;
            let parts = crate::train::net::parts(&spec, 10);
            let image = crate::nn::Shape::new(net.size, net.size, 3);
            crate::model::build(&parts, image).unwrap_or_else(|error| panic!("{}: {error}", net.name));
        }
    }
}
