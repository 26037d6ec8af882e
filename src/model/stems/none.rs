use super::StemEntry;
use crate::model::Part;
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::Entry;

pub static ENTRY: StemEntry = Entry {
    name: "none",
    summary: "nothing: the backbone takes the image itself, as VGG's do",
    cite: "Simonyan and Zisserman 2014 (arXiv:1409.1556)",
    params: &[],
    shorthand: None,
    make: |_| Box::new(Stem),
};

struct Stem;

impl Part for Stem {
    fn build(&self, _: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        Ok(x)
    }
}
