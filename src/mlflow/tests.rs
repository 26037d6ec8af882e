//! Against a server that keeps what it is sent, and fails where it is told to.

use super::rows::{Bookmark, METRICS, plain};
use super::{Address, MlflowError, STATE, Sender};
use crate::record::folder::file;
use crate::record::testing::Run;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What a server knows.
#[derive(Default)]
struct Known {
    runs: Vec<Value>,
    params: BTreeMap<String, String>,
    /// By key, step and time: a metric that is sent twice is there once, as in a server with a database.
    metrics: BTreeMap<(String, u64, i64), Value>,
    /// How often each request was answered.
    asked: BTreeMap<String, usize>,
    /// What the last request showed to be let in.
    authorization: Option<String>,
    /// Requests after which it answers with an error of its own.
    fails_after: Option<usize>,
}

impl Known {
    fn run(&mut self, id: &Value) -> Option<&mut Value> {
        self.runs.iter_mut().find(|run| run["info"]["run_id"] == *id)
    }
}

struct Server {
    address: Address,
    known: Arc<Mutex<Known>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::new(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let known = Arc::new(Mutex::new(Known::default()));
        let keeps = Arc::clone(&known);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut line = String::new();
                let (mut path, mut length, mut authorization) = (String::new(), 0, None);
                while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                    let lower = line.to_lowercase();
                    if let Some(rest) = lower.strip_prefix("post ") {
                        path = rest.split(' ').next().unwrap().trim_start_matches("/api/2.0/mlflow/").to_owned();
                    }
                    length = lower.strip_prefix("content-length: ").map_or(length, |n| n.trim().parse().unwrap());
                    if lower.starts_with("authorization: ") {
                        authorization = line.split_once(' ').map(|(_, said)| said.trim().to_owned());
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let mut known = keeps.lock().unwrap();
                known.authorization = authorization;
                let (status, answer) = answer(&mut known, &path, &serde_json::from_slice(&body).unwrap_or_default());
                drop(known);
                let text = answer.to_string();
                let head =
                    format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", text.len());
                let _ = stream.get_mut().write_all((head + &text).as_bytes());
            }
        });
        Self { address, known }
    }
}

fn answer(known: &mut Known, path: &str, body: &Value) -> (u16, Value) {
    if known.fails_after.is_some_and(|after| known.asked.values().sum::<usize>() >= after) {
        return (503, json!("starting"));
    }
    *known.asked.entry(path.to_owned()).or_default() += 1;
    match path {
        "experiments/search" => (200, json!({ "experiments": [{ "experiment_id": "7" }] })),
        "runs/search" => {
            let found: Vec<&Value> = known.runs.iter().filter(|run| is_meant(run, &body["filter"])).collect();
            (200, json!({ "runs": found }))
        }
        "runs/create" => {
            let id = format!("r{}", known.runs.len() + 1);
            known.runs.push(json!({ "info": { "run_id": id }, "request": body }));
            (200, json!({ "run": { "info": { "run_id": id } } }))
        }
        _ if known.run(&body["run_id"]).is_none() => {
            (404, json!({ "error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run" }))
        }
        "runs/update" => {
            known.run(&body["run_id"]).unwrap()["status"] = body["status"].clone();
            (200, json!({}))
        }
        "runs/log-batch" => {
            for param in body["params"].as_array().into_iter().flatten() {
                known
                    .params
                    .insert(param["key"].as_str().unwrap().to_owned(), param["value"].as_str().unwrap().to_owned());
            }
            for metric in body["metrics"].as_array().into_iter().flatten() {
                let key = (
                    metric["key"].as_str().unwrap().to_owned(),
                    metric["step"].as_u64().unwrap(),
                    metric["timestamp"].as_i64().unwrap(),
                );
                known.metrics.insert(key, metric["value"].clone());
            }
            (200, json!({}))
        }
        _ => (404, json!({ "error_code": "ENDPOINT_NOT_FOUND", "message": path })),
    }
}

/// Whether a filter, which names a tag and its value, means a run.
fn is_meant(run: &Value, filter: &Value) -> bool {
    let (tag, value) = filter.as_str().unwrap().split_once(" = ").unwrap();
    let (tag, value) = (tag.strip_prefix("tags.").unwrap().trim_matches('`'), value.trim_matches('\''));
    run["request"]["tags"].as_array().unwrap().iter().any(|one| one["key"] == tag && one["value"] == value)
}

/// A run with as many steps as two requests take.
fn run(root: &Path) -> std::path::PathBuf {
    let settings = json!({ "phases[0].lr.to": 0.1, "model.backbone": "resnet9", "data.augment": ["flip"] });
    let path = Run { settings, ..Run::default() }.write(root, "a");
    let rows: String = (0..500).map(|k| format!("{k},{},0.1,0.9,NaN,0.25,0.01\n", 1.0 / f64::from(k + 1))).collect();
    fs::write(path.join(file::TRACE), format!("step,loss,lr,momentum,grad_norm,seconds,lr.head\n{rows}500,0.1,0"))
        .unwrap();
    path
}

#[test]
fn all_of_a_run_is_sent_once() {
    let root = tempfile::tempdir().unwrap();
    let path = run(root.path());
    let server = Server::start();
    Sender::new(&path, server.address.clone()).unwrap().send().unwrap();
    let asked = server.known.lock().unwrap().asked.clone();
    {
        let known = server.known.lock().unwrap();
        assert_eq!(known.params["phases.0.lr.to"], "0.1");
        assert_eq!(
            (known.params["model.backbone"].as_str(), known.params["data.augment"].as_str()),
            ("resnet9", "[\"flip\"]")
        );
        let of = |key: &str| known.metrics.iter().filter(|((name, ..), _)| name == key).collect::<Vec<_>>();
        assert_eq!((of("train/loss").len(), of("schedule/lr.head").len(), of("eval/val_acc").len()), (500, 500, 2));
        assert_eq!(of("train/grad_norm")[0].1, "NaN");
        assert_eq!(of("train/loss")[3].1, &json!(0.25));
        assert_eq!(known.runs[0]["status"], "FINISHED");
        assert_eq!(known.runs[0]["request"]["run_name"], "a");
    }
    // By another process: nothing new, nothing asked.
    Sender::new(&path, server.address.clone()).unwrap().send().unwrap();
    assert_eq!(server.known.lock().unwrap().asked, asked);
}

#[test]
fn trials_of_one_name_in_two_sweeps_are_two_runs() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start();
    let trials = ["one", "two"].map(|sweep| {
        let path = Run { hash: sweep, ..Run::default() }.write(&root.path().join(sweep), "t000-s0");
        fs::write(root.path().join(sweep).join("sweep.toml"), "").unwrap();
        path
    });
    for _ in 0..2 {
        for path in &trials {
            Sender::new(path, server.address.clone()).unwrap().send().unwrap();
            // The next time it is found by its tag alone.
            fs::remove_file(path.join(STATE)).unwrap();
        }
    }
    let known = server.known.lock().unwrap();
    let names: Vec<&Value> = known.runs.iter().map(|run| &run["request"]["run_name"]).collect();
    assert_eq!(names, ["one/t000-s0", "two/t000-s0"]);
    assert!(known.runs.iter().all(|run| run["status"] == "FINISHED"));
}

#[test]
fn a_password_in_the_address_is_shown_to_the_server_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = run(root.path());
    let server = Server::start();
    let with = server.address.uri.replace("://", "://me:p%40ss:word@");
    let address = Address::new(&with).unwrap();
    assert_eq!(address.uri, server.address.uri);
    Sender::new(&path, address).unwrap().send().unwrap();
    // `me:p@ss:word`
    assert_eq!(server.known.lock().unwrap().authorization.as_deref(), Some("Basic bWU6cEBzczp3b3Jk"));
    assert!(!fs::read_to_string(path.join(STATE)).unwrap().contains("ss:word"));
    let refused = Address::new("postgresql://me:secret@host/a@b").err().unwrap().to_string();
    assert!(refused.contains("postgresql://host/a@b") && !refused.contains("secret"), "{refused}");
}

#[test]
fn a_server_that_fails_anywhere_has_all_of_it_later() {
    for fails_after in 0..9 {
        let root = tempfile::tempdir().unwrap();
        let path = run(root.path());
        let server = Server::start();
        server.known.lock().unwrap().fails_after = Some(fails_after);
        let first = Sender::new(&path, server.address.clone()).unwrap().send();
        assert!(matches!(first, Err(MlflowError::Unreachable { .. })), "after {fails_after}: {first:?}");
        server.known.lock().unwrap().fails_after = None;
        Sender::new(&path, server.address.clone()).unwrap().send().unwrap();
        let known = server.known.lock().unwrap();
        assert_eq!((known.runs.len(), known.asked["runs/create"]), (1, 1), "after {fails_after}");
        assert_eq!(known.metrics.keys().filter(|(name, ..)| name == "train/loss").count(), 500, "after {fails_after}");
        assert_eq!(known.runs[0]["status"], "FINISHED");
    }
}

#[test]
fn a_run_that_the_server_forgot_or_another_server_begins_anew() {
    let root = tempfile::tempdir().unwrap();
    let path = run(root.path());
    let (server, other) = (Server::start(), Server::start());
    let send = |server: &Server| Sender::new(&path, server.address.clone()).unwrap().send();
    send(&server).unwrap();
    *server.known.lock().unwrap() = Known::default();
    // Something is left to say.
    let info = fs::read_to_string(path.join(file::RUN)).unwrap();
    fs::write(path.join(file::RUN), info.replace("\"done\"", "\"failed\"")).unwrap();
    send(&server).unwrap();
    send(&other).unwrap();
    for server in [&server, &other] {
        let known = server.known.lock().unwrap();
        assert_eq!((known.runs[0]["status"].as_str(), known.params.is_empty()), (Some("FAILED"), false));
    }
    fs::write(path.join(STATE), "{").unwrap();
    assert!(Sender::new(&path, server.address.clone()).err().unwrap().to_string().contains("mlflow.json:1"));
}

/// What a server has of it in the end is what another has that is sent the whole run at once.
#[test]
fn a_table_is_sent_as_it_grows_and_no_row_is_read_twice() {
    let root = tempfile::tempdir().unwrap();
    let path = run(root.path());
    let trace = path.join(file::TRACE);
    let whole = fs::read_to_string(&trace).unwrap();
    let (server, at_once) = (Server::start(), Server::start());
    Sender::new(&path, at_once.address.clone()).unwrap().send().unwrap();

    let mut sender = Sender::new(&path, server.address.clone()).unwrap();
    let header = whole.find('\n').unwrap() + 1;
    let middle = whole[..9000].rfind('\n').unwrap() + 1;
    // Nothing, a part of the header, the header, a row and a part of the next, many rows.
    for length in [0, 7, header, header + 50, middle] {
        fs::write(&trace, &whole[..length]).unwrap();
        sender.send().unwrap();
    }
    // Were rows read again, the times of all later ones would be others.
    let (old, new) = whole.split_at(middle);
    fs::write(&trace, old.replace(",0.25,", ",9.25,") + new).unwrap();
    // The server goes away between two batches.
    let asked = server.known.lock().unwrap().asked.values().sum::<usize>();
    server.known.lock().unwrap().fails_after = Some(asked + 1);
    assert!(matches!(sender.send(), Err(MlflowError::Unreachable { .. })));
    server.known.lock().unwrap().fails_after = None;
    sender.send().unwrap();
    assert_eq!(server.known.lock().unwrap().metrics, at_once.known.lock().unwrap().metrics);

    // Cut back, it is read from its start, and what was sent is not sent again.
    let asked = server.known.lock().unwrap().asked.clone();
    fs::write(&trace, old).unwrap();
    sender.send().unwrap();
    assert_eq!(server.known.lock().unwrap().asked, asked);
    fs::write(&trace, format!("{whole},0.9,NaN,0.25,0.01\n")).unwrap();
    sender.send().unwrap();
    let known = server.known.lock().unwrap();
    let times: Vec<(u64, i64)> =
        known.metrics.keys().filter(|(name, ..)| name == "train/loss").map(|(_, step, time)| (*step, *time)).collect();
    assert_eq!((times.len(), times[500].0, times[500].1 - times[499].1), (501, 500, 250));
}

#[test]
fn a_bad_line_is_named_by_its_place_in_the_whole_table() {
    let root = tempfile::tempdir().unwrap();
    let (path, mut bookmark) = (root.path().join(file::METRICS), Bookmark::default());
    let table = "step,val_acc,wall_seconds\n9,0.5,1\n19,0.6,2\n";
    fs::write(&path, table).unwrap();
    let rows = METRICS.rows(root.path(), &mut bookmark, 0, None).unwrap();
    bookmark.move_to(rows[1].end);
    fs::write(&path, format!("{table}29,0.7,3\n39,0.8\n")).unwrap();
    let error = METRICS.rows(root.path(), &mut bookmark, 0, None).unwrap_err().to_string();
    assert!(error.contains("metrics.csv:5: "), "{error}");
}

#[test]
fn rows_are_whole_and_have_times_of_their_own() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path();
    let header = "step,val_acc,val_acc_tta,wall_seconds,phase\n";
    fs::write(path.join(file::METRICS), format!("{header}9,0.5,,1.5,0\n19,0.75,0.8,3,0\n29,0.8,0.")).unwrap();
    let rows = METRICS.rows(path, &mut Bookmark::default(), 1000, None).unwrap();
    assert_eq!(rows.iter().map(|row| row.step).collect::<Vec<_>>(), [9, 19]);
    assert_eq!(rows[0].metrics, [json!({ "key": "eval/val_acc", "value": 0.5, "timestamp": 2500, "step": 9 })]);
    assert_eq!(rows[1].metrics[1], json!({ "key": "eval/val_acc_tta", "value": 0.8, "timestamp": 4000, "step": 19 }));
    assert_eq!(METRICS.rows(path, &mut Bookmark::default(), 1000, Some(9)).unwrap(), rows[1..]);
    assert_eq!(plain("lr.head.*"), "lr.head._");
    for uri in ["sqlite:///a.db", "mlruns", "file:///a"] {
        assert!(Address::new(uri).err().unwrap().to_string().contains(uri));
    }
}
