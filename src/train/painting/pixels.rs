//! Pixels as the one parameter.

use crate::data::resize::Extent;
use crate::nn::{Init, ParamDecl, Params, Role};
use crate::paint::{Colours, Picture};

/// The one parameter.
const PIXELS: &str = "pixels";

/// The pixels of a state, without what fills up the last line.
pub(super) fn values(params: &Params) -> &[f32] {
    params.get(PIXELS).expect("they are the one parameter")
}

/// Pixels as parameters.
pub(super) fn pixels(images: usize, extent: Extent, values: &[f32]) -> Params {
    let decl = ParamDecl {
        name: PIXELS.to_owned(),
        role: Role::Conv,
        shape: vec![images, extent.height, extent.width, 3],
        init: Init::Constant(0.0),
        frozen: false,
    };
    let mut params = Params::new(&[decl], &[], 0);
    params.values_mut()[..values.len()].copy_from_slice(values);
    params
}

/// What normalised pixels look like.
pub(super) fn images_of(values: &[f32], extent: Extent, colours: Colours<'_>) -> Vec<Picture> {
    let per_image = extent.width * extent.height * 3;
    values.chunks_exact(per_image).map(|image| Picture::of_normalised(image, extent, colours)).collect()
}
