use super::{FullyConnected, HeadEntry, LINEAR_PARAMS};
use crate::model::Part;
use crate::nn::layers::{Concat, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::Entry;

pub static ENTRY: HeadEntry = Entry {
    name: "concat-pool",
    summary: "average and maximum over all pixels side by side, twice the features, then a linear layer",
    // fast.ai has the maximum first: the same net, with the columns of its linear layer in another order.
    cite: "fast.ai's AdaptiveConcatPool2d; the order [average, maximum] of github.com/bkj/basenet, 2018",
    params: LINEAR_PARAMS,
    shorthand: None,
    make: |settings, classes| Box::new(ConcatPool { linear: FullyConnected::new(settings, classes) }),
};

/// `head.avg`, `head.max`, `head.concat`, `head.fc`.
struct ConcatPool {
    linear: FullyConnected,
}

impl Part for ConcatPool {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        net.scope("head", |net| {
            let avg = net.add("avg", Pool::global_avg(), &[x])?;
            let max = net.add("max", Pool::global_max(), &[x])?;
            let x = net.add("concat", Concat, &[avg, max])?;
            self.linear.add(net, x)
        })
    }
}
