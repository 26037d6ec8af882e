//! `runner list`, `runner model` and `runner completions` from outside.

mod common;

use common::{SMALL, assert_exit, runner, text};
use runner::config::schema::FAMILIES;
use serde_json::Value;

fn run(arguments: &[&str]) -> String {
    let output = runner().args(arguments).output().unwrap();
    assert_exit(&output, 0);
    assert!(output.stderr.is_empty(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&run(arguments)).unwrap()
}

#[test]
fn everything_is_listed() {
    let (all, verbose, json) = (run(&["list"]), run(&["list", "--verbose"]), json(&["list", "--json"]));
    assert!(!all.contains('\x1b'), "no colours in a pipe");
    for (family, listed) in FAMILIES.iter().zip(json.as_array().unwrap()) {
        assert_eq!(listed["family"], family.name);
        for (entry, listed) in (family.entries)().into_iter().zip(listed["entries"].as_array().unwrap()) {
            assert!(all.contains(entry.name()) && verbose.contains(entry.name()), "{}", entry.name());
            assert_eq!(listed["source"], entry.cite());
            for (param, setting) in entry.params().iter().zip(listed["settings"].as_array().unwrap()) {
                assert!(verbose.contains(param.key), "{}: {}", entry.name(), param.key);
                assert_eq!((&setting["key"], &setting["doc"]), (&Value::from(param.key), &Value::from(param.doc)));
            }
        }
    }
}

#[test]
fn a_family_is_listed_by_any_form_of_its_name() {
    let optimizers = run(&["list", "optimizer"]);
    assert!(optimizers.contains("adamw") && !optimizers.contains("flip"), "{optimizers}");
    assert_eq!(run(&["list", "Optimizers"]), optimizers);
    assert_eq!(run(&["list", "data set"]), run(&["list", "data-sets"]));
    let settings = run(&["list", "augment", "--verbose"]);
    for words in ["degrees", "a number, at least 0 and at most 180; must be given", "default \"mean\"", "rotate = …"]
    {
        assert!(settings.contains(words), "no {words} in\n{settings}");
    }
}

#[test]
fn an_unknown_family_is_a_usage_error_with_a_way_out() {
    for (word, help) in [("optimiser", "did you mean `optimizer`?"), ("sgd", "runner list optimizer")] {
        let output = runner().args(["list", word]).output().unwrap();
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains(&format!("error: there is no family `{word}`")) && said.contains(help), "{said}");
        assert!(said.contains("`data-set`"), "{said}");
    }
}

#[test]
fn a_net_is_summed_up_at_each_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small.toml");
    std::fs::write(&path, SMALL).unwrap();
    let config = path.to_str().unwrap();
    let net = json(&["model", config, "--json"]);
    let phases = net["phases"].as_array().unwrap();
    assert_eq!(phases.len(), 3);
    let largest = phases.iter().max_by_key(|phase| phase["size"].as_u64()).unwrap();
    assert_eq!(net["net"]["flops"], largest["flops"]);
    let layers = net["net"]["parts"].as_array().unwrap().iter().flat_map(|part| part["layers"].as_array().unwrap());
    let sum: u64 = layers.map(|layer| layer["parameters"].as_u64().unwrap()).sum();
    assert_eq!(net["net"]["parameters"], sum);

    let table = run(&["model", config]);
    for words in ["stem.conv", "backbone resnet9", "head.fc", "running statistics", "shapes: 5,000 training"] {
        assert!(table.contains(words), "no {words} in\n{table}");
    }
    let larger = json(&["model", config, "--json", "--size", "40"]);
    assert_eq!(larger["net"]["image"], serde_json::json!([40, 40, 3]));
    assert_eq!(larger["net"]["parameters"], net["net"]["parameters"]);
    assert!(larger["net"]["flops"].as_u64() > net["net"]["flops"].as_u64());
}

#[test]
fn a_net_that_cannot_be_is_refused_as_by_plan() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small.toml");
    std::fs::write(&path, SMALL).unwrap();
    let of = |command: &str, arguments: &[&str]| {
        let output = runner().arg(command).arg(&path).args(arguments).output().unwrap();
        assert_exit(&output, 2);
        text(&output)
    };
    let too_small = ["--set", "phases[1].size=7"];
    assert_eq!(of("model", &too_small), of("plan", &too_small));
    assert!(of("model", &["--size", "3"]).contains("the net takes no images of 3×3"));
}

#[test]
fn every_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]);
        for word in ["completions", "model", "verbose"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    // clap_complete knows the values of positional arguments for these two alone.
    for shell in ["bash", "zsh"] {
        assert!(run(&["completions", shell]).contains("data-set"), "{shell} completes families");
    }
    let output = runner().args(["completions", "csh"]).output().unwrap();
    assert_exit(&output, 2);
}

#[test]
fn help_has_examples() {
    for command in ["list", "model", "completions"] {
        assert!(run(&[command, "--help"]).contains("Examples"), "{command}");
    }
}
