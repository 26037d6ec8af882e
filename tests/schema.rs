//! The JSON Schema of experiment files, held against the checker by a library that knows neither.
//!
//! `BLESS=1 cargo test --test schema` writes `configs/experiment.schema.json` anew, and the pages of settings in `docs/`.

mod common;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use runner::config::schema::{EXPERIMENT, ramp};
use runner::config::{self, Text, beside, json_schema};
use runner::registry::{Default, Describe, Family, Interval, Kind, Param};
use serde_json::{Value, json};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

fn validator() -> Validator {
    jsonschema::draft202012::new(&json_schema::experiment()).unwrap()
}

fn as_json(toml: &str) -> Value {
    let table: toml::Table = toml::from_str(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    serde_json::to_value(table).unwrap()
}

/// What the schema has against an experiment.
fn refused(validator: &Validator, experiment: &Value) -> Option<String> {
    let errors: Vec<String> =
        validator.iter_errors(experiment).map(|error| format!("{}: {error}", error.instance_path())).collect();
    (!errors.is_empty()).then(|| errors.join("\n"))
}

fn check(toml: &str) -> Result<config::Loaded, config::Diagnostics> {
    config::read(Text { name: "a.toml".into(), content: toml.into(), folder: PathBuf::new() }, &[])
}

fn toml_files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

#[test]
fn the_schema_is_one() {
    let schema = json_schema::experiment();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    fn references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                into.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, into));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&schema, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(schema.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn the_committed_file_is_what_the_program_prints() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/experiment.schema.json");
    let output = common::runner().arg("schema").output().unwrap();
    common::assert_exit(&output, 0);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), json_schema::experiment());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &printed).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == printed, "{} is out of date: BLESS=1 cargo test --test schema", file.display());
}

#[test]
fn the_pages_of_settings_are_up_to_date() {
    for (sort, name) in [("experiment", "docs/experiment.md"), ("sweep", "docs/sweep.md")] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let output = common::runner().args(["schema", sort, "--markdown"]).output().unwrap();
        common::assert_exit(&output, 0);
        let printed = String::from_utf8(output.stdout).unwrap();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &printed).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == printed, "{name} is out of date: BLESS=1 cargo test --test schema");
        // Every link leads to a heading.
        let headings: Vec<String> = (printed.lines())
            .filter_map(|line| Some(line.trim_start_matches('#').strip_prefix(' ')?.to_lowercase().replace(' ', "-")))
            .collect();
        for link in printed.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(headings.iter().any(|heading| heading == link), "{name} has no heading {link}");
        }
    }
}

#[test]
fn every_setting_is_described() {
    fn walk(value: &Value, at: &str) {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            for (key, schema) in properties {
                // In these the settings stand without their docs: what they are is said where they stand whole.
                let said = schema.get("description").is_some()
                    || at.starts_with(".else")
                    || at.starts_with(".allOf")
                    || at.contains(".part");
                assert!(said, "{at}.{key} has no description");
            }
        }
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(value, &format!("{at}.{key}"))),
            Value::Array(items) => items.iter().for_each(|value| walk(value, at)),
            _ => {}
        }
    }
    walk(&json_schema::experiment(), "");
}

#[test]
fn shipped_experiments_name_the_schema_and_are_of_its_form() {
    let validator = validator();
    for file in ["configs", "configs/schedules"].into_iter().flat_map(toml_files) {
        let content = std::fs::read_to_string(&file).unwrap();
        let named = content.lines().next().unwrap().strip_prefix("#:schema ").expect("the first line names the schema");
        assert!(file.parent().unwrap().join(named).exists(), "{}: {named}", file.display());
        assert_eq!(refused(&validator, &as_json(&content)), None, "{}", file.display());
    }
    assert_eq!(refused(&validator, &as_json(common::WHOLE)), None);
}

#[test]
fn mistakes_of_form_are_refused_and_others_are_not() {
    let validator = validator();
    for (folder, of_form) in [("form", true), ("meaning", false), ("overrides", false), ("parts", false)] {
        for file in toml_files(Path::new("tests/fixtures/errors").join(folder)) {
            let content = std::fs::read_to_string(&file).unwrap();
            let content = content.strip_prefix('\u{feff}').unwrap_or(&content);
            let refused = refused(&validator, &as_json(content));
            assert_eq!(refused.is_some(), of_form, "{}: {refused:?}", file.display());
        }
    }
}

/// Every key and value of a TOML text: its JSON pointer and the bytes it stands at.
fn spans(toml: &str) -> Vec<(String, Range<usize>)> {
    fn walk(value: &DeValue<'_>, at: &str, into: &mut Vec<(String, Range<usize>)>) {
        match value {
            DeValue::Table(table) => {
                for (key, value) in table {
                    let at = format!("{at}/{}", key.get_ref().replace('~', "~0").replace('/', "~1"));
                    into.extend([(at.clone(), key.span()), (at.clone(), value.span())]);
                    walk(value.get_ref(), &at, into);
                }
            }
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let at = format!("{at}/{index}");
                    into.push((at.clone(), item.span()));
                    walk(item.get_ref(), &at, into);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(&DeValue::Table(DeTable::parse(toml).unwrap().into_inner()), "", &mut all);
    all
}

/// Mistakes that the schema cannot see: what settings mean together, and `1.0`, which is an integer in JSON.
const UNSEEN: [&str; 4] = [
    "phase 2 has no `lr`",
    "the first phase has nothing to carry over",
    "cannot be a number with a fraction",
    "`checkpoint_every` is out of range",
];

/// Not only is a file with mistakes of form refused: each of its mistakes is, at its place.
#[test]
fn each_mistake_of_form_is_one_to_the_schema() {
    let validator = validator();
    let (mut seen, mut missed) = (0, Vec::new());
    for file in toml_files("tests/fixtures/errors/form") {
        let content = std::fs::read_to_string(&file).unwrap();
        let content = content.strip_prefix('\u{feff}').unwrap_or(&content);
        let experiment = as_json(content);
        // A mistake, and how far below its place it reaches.
        let mut refused: Vec<(String, usize)> = Vec::new();
        for error in validator.iter_errors(&experiment) {
            let at = error.instance_path().to_string();
            match error.kind() {
                ValidationErrorKind::AdditionalProperties { unexpected } => {
                    let key = |key: &String| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                    refused.extend(unexpected.iter().map(|unexpected| (key(unexpected), usize::MAX)));
                }
                ValidationErrorKind::AnyOf { .. } if !at.is_empty() => refused.push((at, usize::MAX)),
                _ => refused.push((at, 1)),
            }
        }
        let (spans, lines) = (spans(content), content.split_inclusive('\n').collect::<Vec<_>>());
        let said = std::fs::read_to_string(file.with_extension("txt")).unwrap();
        for message in said.lines().filter(|line| line.contains(": error: ")) {
            let mut parts = message.split(':').skip(1);
            let mut number = || parts.next().unwrap().parse::<usize>().unwrap() - 1;
            let (line, column) = (number(), number());
            let before: usize = lines[..line].iter().map(|line| line.len()).sum();
            let at = before + lines.get(line).map_or(0, |line| line.chars().take(column).map(char::len_utf8).sum());
            // The innermost of what stands there; nothing does where something is missing at the top.
            let place = spans.iter().filter(|(_, span)| span.contains(&at)).map(|(place, _)| place.as_str());
            let place = place
                .max_by_key(|place| place.len())
                .filter(|_| (line, column) != (0, 0) || !message.contains("missing"));
            let place = place.unwrap_or("");
            let covers = |(at, reach): &(String, usize)| {
                let below = place.strip_prefix(at.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'));
                below.is_some_and(|rest| rest.matches('/').count() <= *reach && (place.is_empty() || !at.is_empty()))
            };
            match refused.iter().any(covers) {
                true => seen += 1,
                false if UNSEEN.iter().any(|unseen| message.contains(unseen)) => {}
                false => missed.push(format!("{message}: {place} is not among {refused:?}")),
            }
        }
    }
    assert!(seen > 200, "{seen}");
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn only_a_file_that_extends_another_may_leave_things_out() {
    let validator = validator();
    let parts = [
        "name = 'a'",
        "[data]\nroot = 'sets'",
        "[model]\nbackbone = { width = 16 }\nstem = { conv3x3 = 8 }",
        "[model]\nbackbone = 'shallow'\n[train]\nlabel_smoothing = 0.1",
    ];
    for part in parts {
        assert!(refused(&validator, &as_json(part)).is_some(), "{part}");
        assert_eq!(refused(&validator, &as_json(&format!("extends = 'base.toml'\n{part}"))), None, "{part}");
    }
    // What is there must still be right, and arrays are whole.
    for wrong in ["seed = 'one'", "[model]\nbackbone = { widht = 16 }", "[[phases]]\nepochs = 1", "[data]\nsize = 1"] {
        assert!(refused(&validator, &as_json(&format!("extends = 'base.toml'\n{wrong}"))).is_some(), "{wrong}");
    }
}

#[test]
fn the_three_spellings_of_a_choice_are_known() {
    let validator = validator();
    let with = |augment: &str, curve: &str| {
        as_json(
            &common::SMALL
                .replace("{ translate = 2 }", augment)
                .replace("curve = \"cosine\"", &format!("curve = {curve}")),
        )
    };
    for right in ["\"flip\"", "{ translate = 3 }", "{ kind = \"translate\", pixels = 3 }", "{ kind = \"flip\" }"] {
        assert_eq!(refused(&validator, &with(right, "{ poly = 2 }")), None, "{right}");
    }
    for wrong in ["\"translate\"", "\"spin\"", "{ flip = 3 }", "{ pixels = 3 }", "{ kind = \"flip\", pixels = 3 }", "3"]
    {
        assert!(refused(&validator, &with(wrong, "\"linear\"")).is_some(), "{wrong}");
    }
    assert!(refused(&validator, &with("\"flip\"", "\"poly\"")).is_some(), "`poly` needs its power");
}

/// Every place of a value, as a JSON pointer.
fn places(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| places(value, format!("{at}/{key}"), into)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| places(value, format!("{at}/{index}"), into));
        }
        _ => {}
    }
    into.push(at);
}

/// What the checker takes, the schema takes: any value of an experiment is replaced by others and taken out. Where the
/// schema alone accepts, it is one of the few things that it cannot see.
#[test]
fn the_schema_refuses_nothing_that_the_checker_takes() {
    let validator = validator();
    let right = as_json(common::SMALL);
    assert_eq!(refused(&validator, &right), None);
    let mut all = Vec::new();
    places(&right, String::new(), &mut all);
    let others = [
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(0.5),
        json!(500.0),
        json!("sgd"),
        json!("shallow"),
        json!("3ep"),
        json!("10%"),
        json!("constant"),
        json!([]),
        json!({}),
        json!([{}]),
        json!({ "from": 0.1 }),
        json!({ "kind": "sgd", "nesterov": true }),
        json!({ "poly": 0.5 }),
    ];
    let (mut both, mut schema_alone) = (0, Vec::new());
    for place in all.iter().filter(|place| !place.is_empty()) {
        let replaced = others.iter().map(|other| {
            let mut changed = right.clone();
            *changed.pointer_mut(place).unwrap() = other.clone();
            (format!("{place} = {other}"), changed)
        });
        let (up, key) = place.rsplit_once('/').unwrap();
        let mut without = right.clone();
        match without.pointer_mut(up).unwrap() {
            Value::Object(fields) => drop(fields.shift_remove(key)),
            Value::Array(items) => drop(items.remove(key.parse().unwrap())),
            _ => unreachable!(),
        }
        for (change, changed) in replaced.chain([(format!("no {place}"), without)]) {
            let toml = toml::to_string(&changed).unwrap();
            match (check(&toml).is_ok(), refused(&validator, &changed)) {
                (true, Some(errors)) => panic!("{change} is right, and the schema refuses it: {errors}"),
                (true, None) => both += 1,
                (false, None) => schema_alone.push(change),
                (false, Some(_)) => {}
            }
        }
    }
    assert!(both > 100, "{both}");
    // Whole numbers with a point, `carry` in the first phase, a ramp or a set that does not go together.
    assert!(schema_alone.len() < 60, "{}: {schema_alone:#?}", schema_alone.len());
}

/// The same cases in every run of the test.
fn fixed_cases(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn the_pattern_of_durations_is_what_is_read_as_one() {
    let schema = json_schema::experiment();
    let pattern =
        jsonschema::draft202012::new(schema.pointer("/properties/train/properties/eval_every").unwrap()).unwrap();
    let agree = |text: &str| {
        let reads = text.parse::<runner::registry::Duration>();
        (pattern.is_valid(&json!(text)) == reads.is_ok()).then_some(reads.is_ok())
    };
    for right in ["0ep", "0.5ep", "500step", "20%", "100%", "100.0%", "99.99%", "0.25%", "999999999999999ep", "7.0ep"] {
        assert_eq!(agree(right), Some(true), "{right}");
    }
    let huge = format!("{}ep", "9".repeat(400));
    for wrong in [
        "",
        "ep",
        "120%",
        "100.1%",
        "100.00000000000000001%",
        "1e1%",
        "1.5e1step",
        ".0step",
        "5.step",
        "5.0step",
        "+3ep",
        "-3ep",
        "03ep",
        "00%",
        "3 ep",
        "3EP",
        "3epochs",
        "infep",
        "nan%",
        "3ep\n",
        "٣ep",
        &huge,
    ] {
        assert_eq!(agree(wrong), Some(false), "{wrong}");
    }
    let near =
        r"(0|1|100|[0-9]{1,3}|[0-9]{14,17}|[-+.0-9eE ]{0,6})([.](0{1,3}|[0-9]{0,22}))?([eE][-+]?[0-9])?(ep|step|%|s|)";
    let right = std::cell::Cell::new(0);
    let judged = fixed_cases(3000).run(&proptest::string::string_regex(near).unwrap(), |text| {
        let agreed = agree(&text);
        right.set(right.get() + usize::from(agreed == Some(true)));
        prop_assert!(agreed.is_some(), "{:?}", text);
        Ok(())
    });
    judged.unwrap_or_else(|error| panic!("{error}"));
    assert!(right.get() > 300, "{} of 3000 are durations", right.get());
}

/// A valid value of any kind, as TOML. Settings that may be left out sometimes are.
fn toml_of(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(|b| b.to_string()).boxed(),
        Kind::Int { min, max } => (min..=max.min(min.saturating_add(200))).prop_map(|int| int.to_string()).boxed(),
        // A share is one of what another setting gives.
        Kind::Float(interval) | Kind::Share(interval) => number(interval),
        Kind::Numbers(interval) => {
            let numbers = prop::collection::vec(number(interval), 0..3);
            prop_oneof![number(interval), numbers.prop_map(|items| format!("[{}]", items.join(", ")))].boxed()
        }
        Kind::Text => "[ -~]{0,8}".prop_map(|text| json!(text).to_string()).boxed(),
        Kind::Name => "[A-Za-z0-9._-]{1,8}".prop_map(|text| json!(text).to_string()).boxed(),
        Kind::Path => "[a-z/ ]{1,8}".prop_map(|text| json!(text).to_string()).boxed(),
        Kind::Word(words) => prop::sample::select(words).prop_map(|word| json!(word).to_string()).boxed(),
        Kind::Duration { .. } => prop_oneof![
            (0.5..9.0).prop_map(|x| format!("'{x}ep'")),
            (1..900).prop_map(|n| format!("'{n}step'")),
            (1..=100).prop_map(|n| format!("'{n}%'"))
        ]
        .boxed(),
        Kind::Time => (0.5..90.0, prop::sample::select(&["s", "min", "h"][..]))
            .prop_map(|(x, unit): (f64, &str)| format!("'{x}{unit}'"))
            .boxed(),
        Kind::Ramp(interval) => prop_oneof![number(interval), table(&ramp(interval), "")].boxed(),
        Kind::Choice(family) => choice(family),
        Kind::Map(of) => {
            let field = ("[a-z]{1,6}", toml_of(*of)).prop_map(|(key, value)| format!("{key} = {value}"));
            prop::collection::vec(field, 0..2).prop_map(|fields| format!("{{ {} }}", fields.join(", "))).boxed()
        }
        Kind::Beside(beside) => {
            let names: Vec<&str> = (beside.family.entries)().iter().map(|entry| entry.name()).collect();
            prop::sample::select(names).prop_map(|name| json!(name).to_string()).boxed()
        }
        Kind::List(of) => {
            prop::collection::vec(toml_of(*of), 0..3).prop_map(|items| format!("[{}]", items.join(", "))).boxed()
        }
        Kind::Table(params) => {
            // Statistics go together: few that are drawn are right.
            let without = params.iter().filter(|param| !["mean", "deviation"].contains(&param.key));
            table(&without.copied().collect::<Vec<Param>>(), "")
        }
        Kind::Tables(params) => {
            prop::collection::vec(table(params, ""), 1..3).prop_map(|items| format!("[{}]", items.join(", "))).boxed()
        }
    }
}

fn number(interval: Interval) -> BoxedStrategy<String> {
    let (low, high) = (interval.min.max(-10.0), interval.max.min(10.0));
    (low..high).prop_filter("inside", move |x| interval.contains(*x)).prop_map(|x| format!("{x:?}")).boxed()
}

/// An inline table of these settings; `first` stands before them.
fn table(params: &[Param], first: &str) -> BoxedStrategy<String> {
    let fields: Vec<BoxedStrategy<Option<String>>> = params
        .iter()
        .filter(|param| param.key != "extends")
        .map(|param| {
            let key = param.key;
            let field = toml_of(param.kind).prop_map(move |value| format!("{key} = {value}"));
            match param.default {
                Default::Required => field.prop_map(Some).boxed(),
                _ => prop::option::of(field).boxed(),
            }
        })
        .collect();
    let first = first.to_owned();
    fields
        .prop_map(move |fields| {
            let given =
                std::iter::once(first.clone()).filter(|first| !first.is_empty()).chain(fields.into_iter().flatten());
            format!("{{ {} }}", given.collect::<Vec<_>>().join(", "))
        })
        .boxed()
}

fn choice(family: &Family) -> BoxedStrategy<String> {
    let spellings = (family.entries)().into_iter().flat_map(|entry| {
        let name = entry.name();
        // A choice of the family within one is a name: there is no end to tables within tables.
        let flat = |param: &Param| match param.kind {
            Kind::Choice(inner) if inner.name == family.name => {
                Param { kind: Kind::Word(plain_names(family)), ..*param }
            }
            _ => *param,
        };
        let params: Vec<Param> = entry.params().iter().map(flat).collect();
        let mut spellings = vec![table(&params, &format!("kind = {name:?}"))];
        if entry.params().iter().all(|param| param.default != Default::Required) {
            spellings.push(Just(format!("{name:?}")).boxed());
        }
        if let Some(param) = entry.params().iter().find(|param| Some(param.key) == entry.shorthand()) {
            spellings.push(toml_of(param.kind).prop_map(move |value| format!("{{ {name} = {value} }}")).boxed());
        }
        spellings
    });
    prop::strategy::Union::new(spellings).boxed()
}

/// The entries that a name alone chooses.
fn plain_names(family: &Family) -> &'static [&'static str] {
    let is_plain = |params: &[Param]| params.iter().all(|param| param.default != Default::Required);
    (family.entries)()
        .iter()
        .filter(|entry| is_plain(entry.params()))
        .map(|entry| entry.name())
        .collect::<Vec<_>>()
        .leak()
}

/// A number for each of some groups.
const OF_GROUPS: Kind = Kind::Map(&Kind::Float(Interval::at_least(0.0)));

/// A whole experiment: one setting a line, sections as inline tables. What its keys owe each other is kept to, so that
/// many are right.
fn experiment() -> impl Strategy<Value = String> {
    let demand = |params: &[Param], demanded: &[&str], without: &[&str]| -> Vec<Param> {
        let kept = params.iter().filter(|param| !without.contains(&param.key));
        kept.map(|param| match demanded.contains(&param.key) {
            true => Param { default: Default::Required, ..*param },
            false => *param,
        })
        .collect()
    };
    let tables = |sorts: Vec<BoxedStrategy<String>>, least: usize| {
        let items = prop::collection::vec(prop::strategy::Union::new(sorts), least..3);
        items.prop_map(|items| format!("[{}]", items.join(", "))).boxed()
    };
    let lines: Vec<_> = EXPERIMENT
        .iter()
        // Of what paints, most of what stands here would be wrong.
        .filter(|param| !["extends", "task"].contains(&param.key))
        .map(|param| {
            let value = match param.kind {
                Kind::Tables(params) if param.key == "phases" => {
                    let phase = |length, other| {
                        let without = [other, "carry", "fresh", "beta", "recipe", "prune_images"];
                        table(&demand(params, &[length, "batch", "optimizer", "lr"], &without), "")
                    };
                    let (key, naming) = beside::naming(params).expect("a phase may name a recipe");
                    let recipe = |entry: &&'static dyn Describe| {
                        // A curve of one phase makes no sense there.
                        let still = |param: Param| match param.kind {
                            Kind::Ramp(interval) => Param { kind: Kind::Float(interval), ..param },
                            Kind::Map(Kind::Ramp(_)) => Param { kind: OF_GROUPS, ..param },
                            _ => param,
                        };
                        let settings: Vec<Param> =
                            beside::settings(params, naming, *entry).into_iter().map(still).collect();
                        let ends = ["max_momentum", "min_momentum"];
                        let without =
                            [key, "steps", "carry", "fresh", "beta", "prune_images", "sizes", "batches", "optimizers"];
                        let without = [&without[..], &ends].concat();
                        let settings = demand(&settings, &["epochs", "batch", "optimizer"], &without);
                        table(&settings, &format!("{key} = {:?}", entry.name()))
                    };
                    let mut sorts: Vec<_> = (naming.family.entries)().iter().map(recipe).collect();
                    // Plain ones are as frequent as all others together.
                    for _ in 0..sorts.len() / 2 {
                        sorts.extend([phase("epochs", "steps"), phase("steps", "epochs")]);
                    }
                    tables(sorts, 1)
                }
                Kind::Tables(params) => {
                    let rule = |subject, rate, other| table(&demand(params, &[subject, rate], &[other]), "");
                    tables(vec![rule("role", "lr", "lr_factor"), rule("match", "lr_factor", "lr")], 0)
                }
                Kind::Table(params) => {
                    // These go together.
                    let statistics = ["mean", "deviation"];
                    // A whole that nothing is a share of is an error.
                    let never = ["stand_in", "epochs"];
                    let without = [&never[..], &statistics].concat();
                    let [with, without] = [demand(params, &statistics, &never), demand(params, &[], &without)];
                    prop_oneof![1 => table(&with, ""), 6 => table(&without, "")].boxed()
                }
                kind => toml_of(kind),
            };
            value.prop_map(|value| format!("{} = {value}\n", param.key))
        })
        .collect();
    lines.prop_map(|lines| lines.concat())
}

/// Random experiments of every declared kind of setting: whatever the checker takes, and what is then written of it, is of
/// the schema's form.
#[test]
fn random_experiments_that_the_checker_takes_are_of_the_form() {
    let validator = validator();
    let right = std::cell::Cell::new(0);
    let mut runner = fixed_cases(500);
    let judged = runner.run(&experiment(), |toml| {
        if let Ok(loaded) = check(&toml) {
            right.set(right.get() + 1);
            for text in [&toml, &config::write(&loaded.spec)] {
                prop_assert_eq!(refused(&validator, &as_json(text)), None, "{}", text);
            }
        }
        Ok(())
    });
    judged.unwrap_or_else(|error| panic!("{error}"));
    assert!(right.get() > 30, "{} of 500 are right", right.get());
}
