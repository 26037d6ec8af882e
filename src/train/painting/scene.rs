//! What a painting looks like at an extent: its content and its mask, its loss, what it starts from, what is shown of it.

use super::job::PaintJob;
use super::pixels::{images_of, values};
use crate::data::draw;
use crate::data::resize::Extent;
use crate::nn::Params;
use crate::paint::{FrozenNet, Mask, Objective, Picture, Scene, median_filter};
use crate::task::starts::Start;
use crate::train::net;
use crate::units::{Purpose, rng};

/// The content images, normalised.
fn contents(job: &PaintJob, extent: Extent) -> Vec<f32> {
    let of = |picture: &Picture| {
        let fitted = picture.fitted(extent);
        let seen = if job.painting.keep_color { fitted.grey() } else { fitted };
        seen.normalised(job.colours())
    };
    job.pictures.content.iter().flat_map(of).collect()
}

pub(super) fn mask(job: &PaintJob, extent: Extent) -> Option<Mask> {
    job.pictures.mask.as_ref().map(|picture| Mask::of(picture, extent, job.painting.feather))
}

/// The loss at an extent.
pub(super) fn objective(job: &PaintJob, params: &mut Params, extent: Extent) -> anyhow::Result<Objective> {
    let style: Vec<(Extent, Vec<f32>)> = job
        .pictures
        .style
        .iter()
        .zip(job.style_extents(extent))
        .map(|(picture, to)| {
            let fitted = picture.fitted(to);
            let seen = match job.pictures.content.first().filter(|_| job.painting.keep_color) {
                Some(content) => fitted.with_lights_of(content),
                None => fitted,
            };
            (to, seen.normalised(job.colours()))
        })
        .collect();
    let (content, mask) = (contents(job, extent), mask(job, extent));
    let scene = Scene { painting: &job.painting, extent, content: &content, style: &style, mask: mask.as_ref() };
    let facts = job.facts();
    let graph = |extent| Ok(net::some_of(&job.spec, &facts, extent)?.0);
    let mut net = FrozenNet {
        graph: &graph,
        params: std::mem::replace(params, Params::new(&[], &[], 0)),
        isa: job.machine.compute.isa,
        dtype: net::dtype(&job.spec),
        algorithm: net::algorithm(&job.spec),
    };
    let made = Objective::new(&mut net, &scene);
    *params = net.params;
    made
}

/// What the images are before the first step, normalised.
pub(super) fn start(job: &PaintJob, extent: Extent) -> Vec<f32> {
    let (images, colours) = (job.painting.images(), job.colours());
    match &job.painting.init {
        Start::Content => contents(job, extent),
        Start::Image(_) => {
            let picture = job.pictures.init.as_ref().expect("it was read").fitted(extent);
            picture.normalised(colours).repeat(images)
        }
        Start::Noise { median, contrast } => {
            let noise = |image: usize| {
                let mut rng = rng(job.spec.seed, Purpose::Paint, 0, image as u64);
                let values = extent.width * extent.height * 3;
                let mut drawn: Vec<f32> = (0..values).map(|_| draw::between(&mut rng, 0.0, 1.0)).collect();
                if *median > 1 {
                    drawn = median_filter(&drawn, [extent.height, extent.width, 3], *median);
                }
                let picture = Picture { extent, pixels: drawn };
                picture.normalised(colours).into_iter().map(|value| value * *contrast as f32).collect::<Vec<f32>>()
            };
            (0..images).flat_map(noise).collect()
        }
    }
}

/// The images as they are to be seen.
pub(super) fn shown(job: &PaintJob, params: &Params, extent: Extent) -> Vec<Picture> {
    let mut seen = values(params).to_vec();
    if let Some(mask) = mask(job, extent) {
        mask.mix(&contents(job, extent), values(params), &mut seen);
    }
    let images = images_of(&seen, extent, job.colours());
    if !job.painting.keep_color {
        return images;
    }
    let contents = job.pictures.content.iter().map(|content| content.fitted(extent));
    images.iter().zip(contents).map(|(image, content)| image.with_colours_of(&content)).collect()
}
