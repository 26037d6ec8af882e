use super::{FullyConnected, HeadEntry, LINEAR_PARAMS};
use crate::kernels::pool::average::Average;
use crate::model::{Part, counts};
use crate::nn::layers::{Act, Add, Conv, Dropout, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: HeadEntry = Entry {
    name: "fully-connected",
    summary: "averages to 7×7 pixels, then hidden linear layers over all of them, each with ReLU and dropout, and a last one",
    cite: "Simonyan and Zisserman 2014 (arXiv:1409.1556), table 1; the pool, for any size of image, as torchvision's VGG",
    params: &[
        Param {
            key: "hidden",
            kind: Kind::List(&Kind::Int { min: 1, max: 1 << 16 }),
            default: Default::Toml("[4096, 4096]"),
            doc: "outputs of each hidden layer",
        },
        Param {
            key: "side",
            kind: Kind::Int { min: 1, max: 64 },
            default: Default::Toml("7"),
            doc: "pixels each way that the first layer sees; a value of another size is averaged to it",
        },
        Param {
            key: "hidden_dropout",
            kind: Kind::Float(Interval::half_open(0.0, 1.0)),
            default: Default::Toml("0.5"),
            doc: "share of each hidden layer's outputs that each step of training sets to zero",
        },
        LINEAR_PARAMS[0],
        LINEAR_PARAMS[1],
        LINEAR_PARAMS[2],
        LINEAR_PARAMS[3],
    ],
    shorthand: Some("hidden"),
    make: |settings, classes| {
        Box::new(Head {
            hidden: counts(settings, "hidden"),
            side: settings.usize("side"),
            dropout: settings.float("hidden_dropout"),
            linear: FullyConnected::new(settings, classes),
        })
    },
};

/// `head.pool`, `head.hidden1`, …, `head.fc`. The hidden layers are convolutions, the first over all pixels: the same
/// numbers as a linear layer's over values in the order channel, row, column, which is PyTorch's.
struct Head {
    hidden: Vec<usize>,
    side: usize,
    dropout: f64,
    linear: FullyConnected,
}

impl Part for Head {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        net.scope("head", |net| {
            let mut x = net.add("pool", Pool::Average(Average::Adaptive { side: self.side }), &[x])?;
            for (k, outputs) in self.hidden.iter().enumerate() {
                let side = if k == 0 { self.side } else { 1 };
                let of = |what: &str| format!("{what}{}", k + 1);
                x = net.add(&of("hidden"), Conv::new(*outputs, side).bias(true), &[x])?;
                x = net.add(&of("act"), Add::new().act(Act::Relu), &[x])?;
                if self.dropout > 0.0 {
                    x = net.add(&of("dropout"), Dropout::new(self.dropout), &[x])?;
                }
            }
            self.linear.add(net, x)
        })
    }
}
