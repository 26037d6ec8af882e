//! Checked settings → spec: what the settings mean together, section by section.

use super::check::{self, Checker};
use super::diagnostics::Diagnostic;
use super::phases;
use super::rules;
use super::schema::{COUNT, EXPERIMENT, MOST_EPOCHS};
use super::source::Source;
use super::spec::{
    DataSpec, LastBatch, Length, LookaheadSpec, ModelSpec, PhaseSpec, Precision, RecordSpec, Spec, TrainSpec, Tta,
    TtaAt,
};
use super::stops;
use super::stretch;
use super::suggest::one_of;
use super::task;
use super::together;
use super::wire;
use crate::criterion;
use crate::data::{Statistics, augment, sets};
use crate::model::backbones;
use crate::registry::{self, Choice, Duration, Kind, Settings, Value};
use crate::task::Painting;
use crate::{average, loss_scale};
use std::path::PathBuf;

/// What is put together from settings of which some may be missing because they were wrong: that has been reported.
pub struct Builder<'a> {
    pub source: &'a mut Source,
    /// The text whose phases gave way to those of a file that extends it.
    pub replaced: Option<usize>,
    /// For each phase the number of the file's that it comes from.
    pub phase_sources: Vec<(usize, Option<String>)>,
    pub errors: Vec<Diagnostic>,
    /// Whether it is not of a run that was begun when less was refused.
    pub is_new: bool,
}

impl Builder<'_> {
    /// The whole experiment. `None` when something is missing.
    pub fn spec(&mut self, settings: &Settings) -> Option<Spec> {
        let chosen = settings.opt_choice("task");
        let painting = crate::task::painting(chosen.as_ref());
        if let Some(painting) = &painting {
            task::check(self, painting, settings);
        } else if !self.source.is_given("data") {
            let error = check::missing_section(EXPERIMENT, "data", &self.source.origin(""));
            self.error(error);
        }
        let data = settings.opt_table("data").unwrap_or_default();
        let augment = choices(&data, "augment").unwrap_or_default();
        self.augmentations("data.augment", &augment);
        let stand_in = self.stand_in(&data);
        let statistics = self.statistics("data", &data).filter(|given| !given.is_own());
        // Each section is looked at, whatever became of the others.
        let params = rules::build(self, &tables(settings, "params"));
        let phases = self.phases(settings, &augment, painting.as_deref());
        let train = settings.opt_table("train").and_then(|train| self.train(&train, painting.as_deref()));
        let model = settings.opt_table("model").and_then(|model| self.model(&model));
        let mut spec = Spec {
            name: settings.opt_text("name")?,
            seed: u64::try_from(settings.opt_int("seed")?).ok()?,
            task: chosen.filter(|_| painting.is_some()),
            data: match painting {
                Some(_) => task::no_data(),
                None => DataSpec {
                    dataset: data.opt_choice("dataset")?,
                    root: data.opt_text("root").map(PathBuf::from),
                    stand_in,
                    augment,
                    last_batch: LastBatch::from_word(&data.opt_text("last_batch")?)?,
                    train_images: data.opt_usize("train_images"),
                    val_images: data.opt_usize("val_images"),
                    classes: data.opt_usize("classes"),
                    statistics,
                },
            },
            model: model?,
            train: train?,
            record: {
                let record = settings.opt_table("record")?;
                let is_on = |key: &str| record.opt_bool(key);
                RecordSpec { tensorboard: is_on("tensorboard")?, best: is_on("best")?, phases: is_on("phases")? }
            },
            params: params?,
            phases: phases?,
        };
        if spec.data.statistics.is_none() {
            // There are no others to go back from.
            let own = spec.phases.iter_mut().filter_map(|phase| phase.data.as_mut());
            own.for_each(|set| set.statistics = set.statistics.take().filter(|given| !given.is_own()));
        }
        let times = settings.opt_table("train").and_then(|train| train.opt_float("stretch"));
        stretch::stretch(&mut spec, times.unwrap_or(1.0));
        let is_beyond = |phase: &PhaseSpec| match phase.length {
            Length::Epochs(epochs) => epochs > MOST_EPOCHS,
            Length::Steps(steps) => steps > COUNT as u64,
        };
        if times.is_some() && spec.phases.iter().any(is_beyond) {
            let error = self.source.diagnostic("train.stretch", "a phase comes to be longer than one may be");
            self.error(error.help(format!("one lasts {MOST_EPOCHS} epochs or {COUNT} steps at most")));
        }
        together::check(self, &spec);
        Some(spec)
    }

    /// Reports an error at a setting.
    pub fn error(&mut self, diagnostic: Diagnostic) {
        self.errors.push(diagnostic);
    }

    fn model(&mut self, model: &Settings) -> Option<ModelSpec> {
        let backbone = model.opt_choice("backbone")?;
        let own = backbones::own_parts(&backbone);
        let (own_stem, own_head) = own.map_or((None, None), |(stem, head)| (Some(stem), Some(head)));
        let stem = self.part(model, "stem", &backbone, own_stem);
        let head = self.part(model, "head", &backbone, own_head);
        self.block_scale(&backbone);
        let weights = model.opt_text("weights").map(PathBuf::from);
        Some(ModelSpec { stem: stem?, backbone, head: head?, classes: model.opt_usize("classes"), weights })
    }

    /// A scale that starts with zero and is not trained takes each block out of the net for good.
    fn block_scale(&mut self, backbone: &Choice) {
        let is = |key: &str, value: bool| backbone.settings.opt_bool(key) == Some(value);
        if is("norm_zero", true) && is("norm_scale", false) {
            let message =
                "`norm_zero` beside `norm_scale = false`: blocks would be nothing but their shortcuts for ever";
            let error = self.source.diagnostic("model.backbone.norm_zero", message);
            self.error(error.help("leave one of the two out"));
        }
    }

    /// The stem or head the file names, else the backbone's own with its defaults filled in.
    fn part(&mut self, model: &Settings, key: &str, backbone: &Choice, own: Option<Choice>) -> Option<Choice> {
        if self.source.is_given(&format!("model.{key}")) {
            return model.opt_choice(key);
        }
        let family = super::schema::MODEL.iter().find_map(|param| match param.kind {
            Kind::Choice(family) if param.key == key => Some(family),
            _ => None,
        })?;
        let Some(own) = own else {
            let message = format!("backbone `{}` has no {key} of its own", backbone.kind);
            let error = self.source.diagnostic("model.backbone", message);
            self.error(error.expected(format!("`{key} = …` in `[model]`")));
            return None;
        };
        let whole = Checker::new(&[]).choice(&wire::from_choice(&own), family, key);
        if whole.is_none() {
            let message = format!("the {key} `{}` of backbone `{}` cannot be made", own.kind, backbone.kind);
            let error = self.source.diagnostic("model.backbone", message);
            self.error(error.expected(format!("`{key} = …` in `[model]`")));
        }
        whole
    }

    /// A set that stands in for another is drawn in memory: it is always there.
    fn stand_in(&mut self, data: &Settings) -> Option<Choice> {
        let stand_in = data.opt_choice("stand_in")?;
        if sets::make(&stand_in).origin() != sets::Origin::Generated {
            // What takes settings reads files.
            let plain = sets::ENTRIES.iter().filter(|entry| entry.params.is_empty());
            let generated =
                plain.filter(|entry| (entry.make)(&Settings::default()).origin() == sets::Origin::Generated);
            let names = generated.map(|entry| entry.name);
            let message = format!("`{}` cannot stand in: it may be absent itself", stand_in.kind);
            let error = self.source.diagnostic("data.stand_in", message);
            self.error(error.expected(format!("a generated data set: {}", one_of(names))));
        }
        Some(stand_in)
    }

    /// `mean` and `deviation` of the table at `path`, of which one without the other is an error.
    pub fn statistics(&mut self, path: &str, data: &Settings) -> Option<Statistics> {
        let keys = ["mean", "deviation"];
        let given = keys.map(|key| self.source.is_given(&format!("{path}.{key}")));
        if given[0] != given[1] {
            let [is, lacks] = if given[0] { keys } else { [keys[1], keys[0]] };
            let error = self.source.diagnostic(&format!("{path}.{is}"), format!("`{is}` without `{lacks}`"));
            self.error(
                error.help("give both, as the weights were trained with, or none: then the training images tell"),
            );
            return None;
        }
        let [mean, deviation] = keys.map(|key| floats(data, key));
        Some(Statistics { mean: mean?, deviation: deviation? })
    }

    /// What only shows in the list at `path`: settings that contradict each other, and a crop that comes too late.
    pub fn augmentations(&mut self, path: &str, list: &[Choice]) {
        if self.source.is_given(&format!("{path}[{}]", list.len())) {
            // One of the list was wrong, has been reported and is not here: the others have not their own numbers.
            return;
        }
        for (index, choice) in list.iter().enumerate() {
            match augment::make(choice) {
                Err(misuse) => {
                    let error = self.source.diagnostic(&format!("{path}[{index}].{}", misuse.key), misuse.message);
                    self.error(error.help(misuse.help));
                }
                Ok(augment::Step::Crop(_)) if index > 0 => {
                    let message = format!("`{}` is not the first of its list", choice.kind);
                    let error = self.source.diagnostic(&format!("{path}[{index}]"), message);
                    self.error(
                        error.help("it takes its part from the stored image, before that is resized: put it first"),
                    );
                }
                Ok(_) => {}
            }
        }
    }

    fn train(&mut self, train: &Settings, painting: Option<&Painting>) -> Option<TrainSpec> {
        for key in ["checkpoint_every", "eval_every"] {
            if train.opt_duration(key).is_some_and(|every| every.amount == 0.0) {
                let error = self.source.diagnostic(&format!("train.{key}"), format!("`{key}` is out of range"));
                self.error(error.expected("a duration longer than none"));
            }
        }
        let precision = Precision::from_word(&train.opt_text("precision")?)?;
        // A painting is evaluated by looking at it; a checkpoint holds all that its optimizer remembers, so it comes as seldom.
        let every = |key: &str| match painting {
            Some(painting) if !self.source.is_given(&format!("train.{key}")) => Some(painting.snapshot_every),
            _ => train.opt_duration(key),
        };
        let (checkpoint_every, eval_every) = (every("checkpoint_every")?, every("eval_every")?);
        Some(TrainSpec {
            precision,
            // Said or not, the default is the same experiment.
            loss: train.opt_choice("loss").filter(|loss| !criterion::is_default(loss)),
            label_smoothing: train.opt_float("label_smoothing")?,
            checkpoint_every,
            eval_every,
            eval_phases: train.opt_bool("eval_phases")?,
            eval_batch: train.opt_usize("eval_batch")?,
            eval_size: train.opt_usize("eval_size"),
            loss_scale: train.opt_choice("loss_scale").or_else(|| default_scale(precision)),
            average: self.average(train),
            stop: stops::build(self, train)?,
            tta: Tta::from_word(&train.opt_text("tta")?)?,
            winograd: train.opt_bool("winograd")?,
            deterministic: train.opt_bool("deterministic")?,
            recompute: train.opt_bool("recompute")?,
            ghost_batch: train.opt_usize("ghost_batch"),
            tta_at: TtaAt::from_word(&train.opt_text("tta_at")?)?,
            lookahead: match train.opt_table("lookahead") {
                None => None,
                Some(lookahead) => Some(LookaheadSpec {
                    every: u64::try_from(lookahead.opt_int("every")?).ok()?,
                    decay: lookahead.opt_ramp("decay")?,
                    start: lookahead.opt_duration("start")?,
                    at_epoch_end: lookahead.opt_bool("at_epoch_end")?,
                }),
            },
        })
    }

    /// A decay that does not move is a number, so that the hash is that of before there were others.
    fn average(&mut self, train: &Settings) -> Option<Choice> {
        let mut choice = train.opt_choice("average")?;
        let settings = &mut choice.settings;
        if let Some(decay) = settings.opt_ramp("decay").filter(|decay| decay.to.is_none()) {
            settings.0.insert("decay".to_owned(), Value::Float(decay.from));
        }
        let path = "train.average.every";
        let params = registry::find(average::ENTRIES, &choice.kind).map_or(&[][..], |entry| entry.params);
        // That is what is written back where none was given.
        let is_default = |every: &Duration| {
            let written = format!("'{every}'");
            let is_written = |default| matches!(default, registry::Default::Toml(toml) if toml == written);
            params.iter().any(|param| param.key == "every" && is_written(param.default))
        };
        if let Some(every) = choice.settings.opt_duration("every").filter(|every| !is_default(every))
            && choice.settings.opt_bool("phases") == Some(true)
            && self.is_new
        {
            let message = format!("`every` beside `phases = true`: no weights are taken in every {every}");
            let error = self.source.diagnostic(path, message);
            self.error(error.help("they are at the ends of phases alone: leave one of the two out"));
        }
        Some(choice)
    }

    fn phases(
        &mut self,
        settings: &Settings,
        augment: &[Choice],
        painting: Option<&Painting>,
    ) -> Option<Vec<PhaseSpec>> {
        let empty = settings.opt_list("phases").is_some_and(|list| list.is_empty());
        if empty {
            let error = self.source.diagnostic("phases", "there is no phase");
            self.error(error.expected("at least one `[[phases]]`"));
        }
        let lr_batch = settings.opt_table("train").and_then(|train| train.opt_usize("lr_batch"));
        let images = painting.map(Painting::images);
        phases::build(self, &tables(settings, "phases"), augment, lr_batch, images)
    }
}

/// Half precision goes without a scale only where a file says so.
fn default_scale(precision: Precision) -> Option<Choice> {
    let dynamic = || check::default_choice(&loss_scale::FAMILY, loss_scale::dynamic::ENTRY.name);
    (precision == Precision::F16).then(dynamic)
}

/// An array of choices; `None` where it is not given.
pub fn choices(settings: &Settings, key: &str) -> Option<Vec<Choice>> {
    let choice = |value| match value {
        Value::Choice(choice) => Some(choice),
        _ => None,
    };
    settings.opt_list(key).map(|list| list.into_iter().filter_map(choice).collect())
}

/// An array of numbers; `None` where it is not given, or one of them was wrong.
fn floats(settings: &Settings, key: &str) -> Option<Vec<f64>> {
    let float = |value| if let Value::Float(number) = value { Some(number) } else { None };
    settings.opt_list(key)?.into_iter().map(float).collect()
}

fn tables(settings: &Settings, key: &str) -> Vec<Settings> {
    let table = |value| match value {
        Value::Table(table) => Some(table),
        _ => None,
    };
    settings.opt_list(key).unwrap_or_default().into_iter().filter_map(table).collect()
}
