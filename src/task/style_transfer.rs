//! Images painted through a frozen net, so that they show what one image shows in the manner of others.

use super::losses::{self, Loss, LossKind};
use super::starts::{self, Start};
use super::{Task, TaskEntry, floats, texts};
use crate::registry::{Choice, Default, Duration, Entry, Interval, Kind, Param, Settings, Value};
use std::path::PathBuf;

const LARGEST_FEATHER: i64 = 1024;

pub static ENTRY: TaskEntry = Entry {
    name: "style-transfer",
    summary: "images are optimised through a frozen net: content of one, style of others; the phases' steps step pixels",
    cite: "Gatys, Ecker and Bethge 2015 (arXiv:1508.06576); fast.ai, Deep Learning part 2, 2018, lesson 13",
    params: &[
        Param {
            key: "content",
            kind: Kind::List(&Kind::Path),
            default: Default::Toml("[]"),
            doc: "image files that say what is to be seen; each of several is painted, all at once, in the shape of the first",
        },
        Param {
            key: "style",
            kind: Kind::List(&Kind::Path),
            default: Default::Toml("[]"),
            doc: "image files that say how; of several the mean of their Gram matrices counts",
        },
        Param {
            key: "style_weights",
            kind: Kind::List(&Kind::Float(Interval::at_least(0.0))),
            default: Default::Absent,
            doc: "the share of each of `style`; they need not add up to 1; left out: equal shares",
        },
        Param {
            key: "style_scale",
            kind: Kind::Float(Interval { min: 0.0, max: 8.0, min_open: true, max_open: false }),
            default: Default::Toml("1.0"),
            doc: "size of the style images, of that of the painting: of a smaller one, finer strokes are taken over",
        },
        Param {
            key: "init",
            kind: Kind::Choice(&starts::FAMILY),
            default: Default::Toml("'noise'"),
            doc: "what the image is before the first step",
        },
        Param {
            key: "losses",
            kind: Kind::List(&Kind::Choice(&losses::FAMILY)),
            default: Default::Toml("[{ kind = 'content' }, { kind = 'style', weight = 1e3 }]"),
            doc: "the terms whose weighted sum is brought down",
        },
        Param {
            key: "keep_color",
            kind: Kind::Bool,
            default: Default::Toml("false"),
            doc: "whether only light and dark are painted, and colours stay those of the content (Gatys et al. 2016, luminance)",
        },
        Param {
            key: "mask",
            kind: Kind::Path,
            default: Default::Absent,
            doc: "an image file that is white where the content may change and where losses count (but for total variation, a mean \
                  over the whole image), and black elsewhere: to make an object that was pasted into a painting part of it",
        },
        Param {
            key: "feather",
            kind: Kind::Int { min: 0, max: LARGEST_FEATHER },
            default: Default::Toml("4"),
            doc: "how far the mask's border is softened, in pixels of the painting",
        },
        Param {
            key: "snapshot_every",
            kind: Kind::Duration { unit: None },
            default: Default::Toml("'50step'"),
            doc: "how often the image is written to `snapshots/`; at the end of each phase always",
        },
        Param {
            key: "mean",
            kind: Kind::List(&Kind::Float(Interval::closed(0.0, 1.0))),
            default: Default::Toml("[0.485, 0.456, 0.406]"),
            doc: "of the images that the net was trained on, by channel; left out: ImageNet's, as torchvision's nets have them",
        },
        Param {
            key: "deviation",
            kind: Kind::List(&Kind::Float(Interval::above(0.0))),
            default: Default::Toml("[0.229, 0.224, 0.225]"),
            doc: "likewise the standard deviations",
        },
    ],
    shorthand: None,
    make: |settings| Task::StyleTransfer(Box::new(Painting::new(settings))),
};

/// What `[task]` says of a painting.
#[derive(Clone, Debug, PartialEq)]
pub struct Painting {
    pub content: Vec<PathBuf>,
    pub style: Vec<PathBuf>,
    /// As given: see [`Painting::style_shares`].
    style_weights: Option<Vec<f64>>,
    pub style_scale: f64,
    pub init: Start,
    pub losses: Vec<Loss>,
    pub keep_color: bool,
    pub mask: Option<PathBuf>,
    pub feather: usize,
    pub snapshot_every: Duration,
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
}

/// Settings that do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// Below `task`: `losses[1].weights`.
    pub path: String,
    pub message: String,
    pub help: String,
}

impl Painting {
    fn new(settings: &Settings) -> Self {
        let paths = |key| texts(settings, key).into_iter().map(PathBuf::from).collect();
        Self {
            content: paths("content"),
            style: paths("style"),
            style_weights: floats(settings, "style_weights"),
            style_scale: settings.float("style_scale"),
            init: starts::make(&settings.choice("init")),
            losses: choices(settings, "losses").iter().map(losses::make).collect(),
            keep_color: settings.bool("keep_color"),
            mask: settings.opt_text("mask").map(PathBuf::from),
            feather: settings.usize("feather"),
            snapshot_every: settings.duration("snapshot_every"),
            mean: floats(settings, "mean").expect("it has a default"),
            std: floats(settings, "deviation").expect("it has a default"),
        }
    }

    /// Images that are painted at once.
    pub fn images(&self) -> usize {
        self.content.len().max(1)
    }

    /// The shares of the style images, which add up to 1.
    pub fn style_shares(&self) -> Vec<f64> {
        let weights = self.style_weights.clone().unwrap_or_else(|| vec![1.0; self.style.len()]);
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    /// All image files that are read, each with its place below `task`.
    pub fn files(&self) -> Vec<(String, &PathBuf)> {
        let mut all = listed("content", &self.content);
        all.extend(listed("style", &self.style));
        if let Start::Image(file) = &self.init {
            all.push(("init.file".to_owned(), file));
        }
        all.extend(self.mask.iter().map(|mask| ("mask".to_owned(), mask)));
        all
    }

    /// Changes the path of every file.
    ///
    /// # Errors
    /// The first of `change`.
    pub fn change_files<E>(choice: &mut Choice, change: impl Fn(&str) -> Result<String, E>) -> Result<(), E> {
        let of_list = |value: &mut Value| -> Result<(), E> {
            let Value::List(items) = value else { return Ok(()) };
            items.iter_mut().try_for_each(|item| change_text(item, &change))
        };
        for (key, value) in &mut choice.settings.0 {
            match key.as_str() {
                "content" | "style" => of_list(value)?,
                "mask" => change_text(value, &change)?,
                "init" => {
                    if let Value::Choice(start) = value
                        && let Some(file) = start.settings.0.get_mut("file")
                    {
                        change_text(file, &change)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All that shows without looking at a file.
    pub fn problems(&self) -> Vec<SettingsError> {
        let mut found = Vec::new();
        let mut tell = |path: &str, message: &str, help: &str| {
            found.push(SettingsError { path: path.to_owned(), message: message.to_owned(), help: help.to_owned() });
        };
        let has = |wanted: fn(&LossKind) -> bool| self.losses.iter().position(|loss| wanted(&loss.kind));
        let (content, style) =
            (has(|kind| *kind == LossKind::Content), has(|kind| matches!(kind, LossKind::Style { .. })));
        if content.is_none() && style.is_none() {
            tell("losses", "no term looks at the net", "give one of kind `content` or `style`");
        }
        for (k, loss) in self.losses.iter().enumerate() {
            if loss.kind != LossKind::TotalVariation && loss.layers.is_empty() {
                tell(
                    &format!("losses[{k}].layers"),
                    "a term that looks at no layer",
                    "name some, or leave `layers` out",
                );
            }
        }
        match (content, self.content.is_empty()) {
            (Some(k), true) => {
                tell(
                    &format!("losses[{k}]"),
                    "a term of kind `content` without a content image",
                    "give `content = [\"FILE\"]`",
                );
            }
            (None, false) if self.init != Start::Content && self.mask.is_none() && !self.keep_color => {
                tell(
                    "content",
                    "a content image that nothing looks at",
                    "give a term of kind `content`, or `init = \"content\"`",
                );
            }
            _ => {}
        }
        match (style, self.style.is_empty()) {
            (Some(k), true) => {
                tell(
                    &format!("losses[{k}]"),
                    "a term of kind `style` without a style image",
                    "give `style = [\"FILE\"]`",
                );
            }
            (None, false) => {
                tell("style", "style images that no term looks at", "give a term of kind `style`, or leave them out");
            }
            _ => {}
        }
        for (needs, key) in
            [(self.init == Start::Content, "init"), (self.keep_color, "keep_color"), (self.mask.is_some(), "mask")]
        {
            if needs && self.content.is_empty() {
                tell(
                    key,
                    &format!("`{key}` asks for a content image, and there is none"),
                    "give `content = [\"FILE\"]`",
                );
            }
        }
        if let Some(weights) = &self.style_weights {
            if weights.len() != self.style.len() {
                let message = format!("{} weights for {} style images", weights.len(), self.style.len());
                tell("style_weights", &message, "give one for each, or leave them out");
            } else if weights.iter().sum::<f64>() <= 0.0 {
                tell("style_weights", "the weights are all zero", "give one of them more");
            }
        }
        for (key, list) in [("mean", &self.mean), ("deviation", &self.std)] {
            if list.len() != 3 {
                tell(
                    key,
                    &format!("{} numbers for three channels", list.len()),
                    "give one each for red, green and blue",
                );
            }
        }
        if self.snapshot_every.amount == 0.0 {
            tell("snapshot_every", "an interval of nothing", "give a duration above zero, like \"50step\"");
        }
        found
    }
}

/// Files of a list, with their places.
fn listed<'a>(key: &str, files: &'a [PathBuf]) -> Vec<(String, &'a PathBuf)> {
    files.iter().enumerate().map(|(k, file)| (format!("{key}[{k}]"), file)).collect()
}

fn change_text<E>(value: &mut Value, change: &impl Fn(&str) -> Result<String, E>) -> Result<(), E> {
    if let Value::Text(text) = value {
        *text = change(text)?;
    }
    Ok(())
}

fn choices(settings: &Settings, key: &str) -> Vec<Choice> {
    let choice = |value| match value {
        Value::Choice(choice) => choice,
        other => panic!("`{key}` holds {other:?}"),
    };
    settings.list(key).into_iter().map(choice).collect()
}
