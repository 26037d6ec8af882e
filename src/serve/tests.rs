//! The server from outside: sockets, raw requests, clients that misbehave; and the page in a browser where there is one.

use super::{Site, Token, serve};
use crate::compare::Options;
use crate::record::folder::file;
use crate::record::testing::{Run, skipped};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SECRET: &str = "0123456789abcdef+/==";

/// A server on a free port, until it is dropped.
struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn of(folder: &Path) -> Self {
        Self::with(folder, None)
    }

    fn with(folder: &Path, token: Option<Token>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let site = Site::new(folder.to_owned(), Options::default(), address, token).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || serve(listener, site, || asked.load(Ordering::SeqCst)).unwrap());
        Self { address, stop, thread: Some(thread) }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).body).unwrap()
    }

    /// Sends these bytes, and takes what comes.
    fn ask(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut stream)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the server did not end well");
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A server that refuses may close before it has read all: what it said is there all the same.
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("{bytes:?}"));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: bytes[end + 4..].to_vec() }
    }

    /// Of a server that leaves the connection open: up to the length that the head states.
    fn read_sized(stream: &mut TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let head = head.trim_end().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or_else(|| panic!("{head}"))];
        reader.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Adds bytes to a file, as a training does.
fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Asks until it is so; how long that took.
fn until(what: &str, mut so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

fn evaluations(server: &Server) -> Option<usize> {
    Some(server.json("/data.json")["groups"].get(0)?["curve"]["mean"].as_array()?.len())
}

#[test]
fn rows_are_there_at_once_and_half_rows_are_not() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::of(root.path());
    assert_eq!((evaluations(&server), server.get("/").status), (None, 200), "an empty folder has a page, too");
    let run = Run { status: "running", ..Run::default() }.write(root.path(), "a");
    assert_eq!(evaluations(&server), Some(2));
    let metrics = run.join(file::METRICS);
    let version = || server.json("/live.json")["version"].as_str().unwrap().to_owned();
    let before = version();
    assert_eq!(before, version(), "nothing changed");
    append(&metrics, "2,2,0.");
    assert_eq!(evaluations(&server), Some(2));
    append(&metrics, "85,3000,30\n");
    assert_eq!(evaluations(&server), Some(3));
    assert_ne!(before, version());
    // A step is news, and no reason to draw all anew.
    let before = version();
    let trace = "step,epoch,phase,optimizer,size,batch,lr,momentum,weight_decay,loss,grad_norm,seconds\n";
    fs::write(run.join(file::TRACE), format!("{trace}7,2,1,sgd,16,100,0.1,0.9,0,0.75,1,0.5\n8,2,1,s")).unwrap();
    let news = server.json("/live.json");
    assert_eq!(news["version"].as_str().unwrap(), before);
    assert_eq!(
        news["under_way"]["rows"][0].as_array().unwrap()[2..],
        ["8 of 100", "2", "3", "0.7500", "0.1", "85.00", "30.0 s"].map(Value::from)
    );
    // A run that is being copied is a note until it is whole.
    fs::write(run.join(file::RUN), "{\"format\": 1, \"na").unwrap();
    let data = server.json("/data.json");
    assert!(
        data["groups"].as_array().unwrap().is_empty()
            && data["report"]["notes"][0].as_str().unwrap().contains("run.json")
    );
}

#[test]
fn only_what_lies_inside_is_shown() {
    let root = tempfile::tempdir().unwrap();
    let runs = root.path().join("runs");
    Run::default().write(&runs, "a");
    Run::default().write(&runs.join("sweep"), "t000-s0");
    fs::write(root.path().join("secret.txt"), "secret").unwrap();
    fs::write(runs.join("a/model.safetensors"), "weights").unwrap();
    fs::write(runs.join("a/log.txt"), "words").unwrap();
    fs::write(runs.join("a/mlflow.json"), "{}").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root.path().join("secret.txt"), runs.join("a/link.txt")).unwrap();
        std::os::unix::fs::symlink(root.path(), runs.join("up")).unwrap();
    }
    let server = Server::of(&runs);
    let found = server.get("/files/a/log.txt");
    assert_eq!((found.status, found.text().as_str()), (200, "words"));
    assert!(found.head.contains("content-type: text/plain") && found.head.contains("nosniff"), "{}", found.head);
    let paths = [
        "/files/../secret.txt",
        "/files/%2e%2e/secret.txt",
        "/files/%2E%2E%2Fsecret.txt",
        "/files/a/..%2f..%2fsecret.txt",
        "/files/..%5csecret.txt",
        "/files/%252e%252e/secret.txt",
        "/files//etc/passwd",
        "/files/%2fetc%2fpasswd",
        "/files/a/link.txt",
        "/files/up/secret.txt",
        "/files/a/model.safetensors",
        "/files/a/mlflow.json",
        "/files/a/lock",
        "/files/a",
        "/files/",
        "/files/a/log.txt%00.json",
        "/files/a/%ff.txt",
        "/secret.txt",
        "/..",
        "/a/log.txt",
        "/?in=..",
        "/?in=%2e%2e",
        "/?in=up",
        "/?in=/etc",
        "/data.json?in=a/../..",
        "/?in=absent",
        "/?in=a/log.txt",
    ];
    for path in paths {
        let answer = server.get(path);
        assert!(answer.status == 404 && !answer.text().contains("secret"), "{path}: {answer:?}");
    }
    // The sweep inside has a page of its own.
    let news = server.json("/live.json");
    assert_eq!(news["folders"], json!(["sweep"]));
    let data = server.json("/data.json?in=sweep");
    assert_eq!(data["groups"][0]["files"][0]["path"], "sweep/t000-s0");
    assert_eq!(server.get("/files/sweep/t000-s0/metrics.csv").status, 200);
    assert_eq!(server.get("/?in=sweep").status, 200);
}

/// What is asked of the runs is said where the server is started.
#[test]
fn questions_that_nobody_answers_are_refused_and_trouble_is_in_the_report() {
    let root = tempfile::tempdir().unwrap();
    let run = Run::default().write(root.path(), "a");
    let server = Server::of(root.path());
    for path in ["/report.json?metric=val_loss", "/?in=&metric=val_loss", "/data.json?metric", "/live.json?a=b"] {
        let answer = server.get(path);
        assert!(answer.status == 400 && answer.text().contains("?in=FOLDER alone"), "{path}: {answer:?}");
    }
    assert_eq!(server.json("/report.json?in=")["notes"], json!([]));
    fs::write(run.join(file::METRICS), "step,val_loss,images,train_seconds\n0,0.5,1000,10\n").unwrap();
    let (report, data) = (server.json("/report.json"), server.json("/data.json"));
    assert!(report["notes"][0].as_str().unwrap().starts_with("the run has no column `val_acc`"), "{report}");
    assert_eq!((&data["live"]["error"], &data["report"]["notes"]), (&report["notes"][0], &json!([])));
    let site = Site::new(root.path().to_owned(), Options::default(), server.address, None).unwrap();
    assert!(site.trouble().unwrap().contains("val_acc"));
}

#[test]
fn requests_that_would_change_something_are_refused() {
    let root = tempfile::tempdir().unwrap();
    Run::default().write(root.path(), "a");
    let server = Server::of(root.path());
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = server.ask(&format!("{method} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"));
        assert!(answer.status == 405 && answer.head.contains("allow: get, head"), "{method}: {answer:?}");
    }
    let head = server.ask("HEAD /data.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.status == 200 && head.body.is_empty() && !head.head.contains("content-length: 0"), "{head:?}");
    // Names that a page elsewhere could give to this machine.
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example"] {
        assert_eq!(server.ask(&format!("GET /data.json HTTP/1.1\r\nHost: {host}\r\n\r\n")).status, 421, "{host}");
    }
    assert_eq!(server.ask("GET / HTTP/1.0\r\n\r\n").status, 421);
    let page = server.get("/");
    for header in [
        "content-security-policy: default-src 'none'",
        "frame-ancestors 'none'",
        "no-store",
        "same-origin",
        "x-frame-options: deny",
    ] {
        assert!(page.head.contains(header), "{header}: {}", page.head);
    }
    assert!(!page.head.contains("access-control"), "{}", page.head);
}

#[test]
fn a_token_keeps_others_out() {
    let root = tempfile::tempdir().unwrap();
    Run::default().write(root.path(), "a");
    let server = Server::with(root.path(), Some(Token::new(SECRET).unwrap()));
    for path in [
        "/",
        "/data.json",
        "/live.json",
        "/files/a/run.json",
        "/?token=wrong-but-long-enough",
        "/data.json?token=0123456789abcdef%2B/%3D%3D",
    ] {
        let answer = server.get(path);
        assert!(answer.status == 401 && !answer.text().contains("0123"), "{path}: {answer:?}");
    }
    let welcome = server.get("/?token=0123456789abcdef%2B/%3D%3D");
    assert!(
        welcome.status == 303
            && welcome.head.contains("location: ./")
            && welcome.head.contains("httponly; samesite=strict")
    );
    let with =
        |header: &str| server.ask(&format!("GET /data.json HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n")).status;
    let port = server.address.port();
    assert_eq!(with(&format!("Cookie: runner-{port}={SECRET}")), 200);
    assert_eq!(with(&format!("Authorization: Bearer {SECRET}")), 200);
    assert_eq!(with(&format!("Authorization: Bearer {SECRET}x")), 401);
    assert_eq!(with("Cookie: runner-1=0123456789abcdef+/=="), 401);
}

#[test]
fn slow_and_hostile_clients_hold_nobody_up() {
    let root = tempfile::tempdir().unwrap();
    let run = Run::default().write(root.path(), "a");
    let long = "x".repeat(20 << 20);
    fs::write(run.join("long.txt"), &long).unwrap();
    let server = Server::of(root.path());
    // More than there is room for: some that say nothing, some that say half a request, some that take nothing of a long answer.
    let mut held = Vec::new();
    for k in 0..200 {
        let mut stream = server.connect();
        let begun: &[u8] = match k % 3 {
            0 => b"",
            1 => b"GET / HTTP/1.1\r\nHost: local",
            _ => b"GET /files/a/long.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
        };
        stream.write_all(begun).unwrap();
        held.push(stream);
    }
    // They may hold on for minutes.
    let begun = Instant::now();
    for _ in 0..5 {
        assert_eq!(server.get("/live.json").status, 200);
    }
    println!("beside them, five answers took {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(20), "held up for {:?}", begun.elapsed());
    drop(held);
    // A header that comes letter by letter is not waited for.
    let mut slow = server.connect();
    let begun = Instant::now();
    let request = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(10_000));
    let cut = request.bytes().any(|byte| {
        std::thread::sleep(Duration::from_millis(100));
        slow.write_all(&[byte]).is_err() || begun.elapsed() > Duration::from_secs(60)
    });
    assert!(cut && begun.elapsed() < Duration::from_secs(30), "cut off after {:?}", begun.elapsed());
    let requests = [
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100_000)),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(100_000)),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: 1\r\n".repeat(100)),
        "\0\u{1}\u{2}nonsense\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
    ];
    for request in requests {
        let mut stream = server.connect();
        let _ = stream.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let status = String::from_utf8_lossy(&bytes).split(' ').nth(1).map(str::to_owned);
        assert!(status.as_deref().is_none_or(|status| status.starts_with('4')), "{status:?} to {request:.80?}");
    }
    assert_eq!(server.get("/files/a/long.txt").body.len(), long.len());
}

/// A pipe in place of a table would be waited for without end.
#[test]
#[cfg(unix)]
fn a_pipe_is_no_table() {
    let root = tempfile::tempdir().unwrap();
    let run = Run { status: "running", ..Run::default() }.write(root.path(), "a");
    for name in [file::METRICS, file::TRACE] {
        let _ = fs::remove_file(run.join(name));
        assert!(Command::new("mkfifo").arg(run.join(name)).status().unwrap().success());
    }
    let server = Server::of(root.path());
    let notes = server.json("/data.json")["report"]["notes"].clone();
    assert!(notes[0].as_str().unwrap().contains("no regular file"), "{notes}");
    assert_eq!(server.get("/files/a/trace.csv").status, 404);
}

/// A thousand runs of 334 experiments, 30 evaluations and 300 steps each.
fn a_thousand(root: &Path) {
    let trace: String = (0..300).map(|k| format!("{k},100,{},0.9\n", 0.001 * f64::from(k))).collect();
    for k in 0..1000_usize {
        let last = 0.6 + ((k * 7919) % 1000) as f64 / 5000.0;
        let accuracies: Vec<f64> = (0..30).map(|i| last * (1.0 - 0.5 / f64::from(i + 1))).collect();
        let hash = format!("hash{}", k / 3);
        let settings = json!({ "phases[0].lr.to": 0.001 * (k / 3) as f64, "phases[0].batch": 100 + k / 3 % 7 });
        let run = Run { seed: k as u64 % 3, hash: &hash, settings, accuracies: &accuracies, ..Run::default() };
        let path = run.write(root, &format!("r{k:04}"));
        fs::write(path.join(file::TRACE), format!("step,batch,lr,momentum\n{trace}")).unwrap();
    }
}

#[test]
fn a_thousand_runs_are_followed() {
    let root = tempfile::tempdir().unwrap();
    a_thousand(root.path());
    let server = Server::of(root.path());
    let timed = |path: &str| {
        let begun = Instant::now();
        let answer = server.get(path);
        assert_eq!(answer.status, 200);
        (begun.elapsed(), answer)
    };
    let (first, _) = timed("/live.json");
    let (unchanged, _) = timed("/live.json");
    append(&root.path().join("r0500").join(file::METRICS), "30,0,0.99,31000,310\n");
    let (changed, _) = timed("/live.json");
    let (again, data) = timed("/data.json");
    let zipped = server.ask("GET /data.json HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: br, gzip\r\n\r\n");
    let (bytes, zipped) = (data.body.len(), zipped.body.len());
    let data: Value = serde_json::from_slice(&data.body).unwrap();
    assert_eq!(data["groups"].as_array().unwrap().len(), 334);
    assert_eq!(data["report"]["groups"][166]["runs"][2]["final"], 0.99);
    println!(
        "first {first:?}, unchanged {unchanged:?}, one changed {changed:?}, data {again:?}, {bytes} bytes, {zipped} zipped"
    );
    assert!(changed < Duration::from_secs(2), "a row took {changed:?}");
}

/// A browser that is driven from here.
struct Driver {
    child: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
}

impl Driver {
    /// `None`, and a word on it, where there is none.
    fn start() -> Option<Self> {
        let started = Self::started();
        if started.is_none() {
            skipped("no Chromium with its driver here (scripts/browser installs them)");
        }
        started
    }

    fn started() -> Option<Self> {
        let found = |name: &str| {
            std::env::split_paths(&std::env::var_os("PATH")?)
                .map(|folder| folder.join(name))
                .find(|path| path.is_file())
        };
        let browser: PathBuf = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(found)?;
        let mut child = Command::new(found("chromedriver")?)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("successfully on port")).unwrap();
        let port: u16 = line.trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap();
        // It goes on talking.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let mut driver =
            Self { child, address: ([127, 0, 0, 1], port).into(), session: String::new(), _profile: profile };
        let data = format!("--user-data-dir={}", driver._profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            &data,
        ];
        let options = json!({ "args": args, "binary": browser });
        let session = driver.call(
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } }),
        );
        driver.session = session["sessionId"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned();
        Some(driver)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            self.address.port(),
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        // It keeps the connection, whatever it is asked.
        let answer = Answer::read_sized(&mut stream);
        let mut value: Value = serde_json::from_slice(&answer.body).unwrap();
        value["value"].take()
    }

    fn open(&self, address: &str, width: u32, height: u32) {
        let at = |what: &str| format!("/session/{}/{what}", self.session);
        self.call("POST", &at("window/rect"), &json!({ "width": width, "height": height }));
        self.call("POST", &at("url"), &json!({ "url": address }));
    }

    /// What a function's body returns in the page.
    fn run(&self, script: &str) -> Value {
        self.call("POST", &format!("/session/{}/execute/sync", self.session), &json!({ "script": script, "args": [] }))
    }

    /// Keeps a picture of the page, where a person asked for it by `RUNNER_SCREENSHOTS`.
    fn picture(&self, name: &str) {
        use base64::Engine as _;
        let Some(folder) = std::env::var_os("RUNNER_SCREENSHOTS") else { return };
        let picture = self.call("GET", &format!("/session/{}/screenshot", self.session), &Value::Null);
        let bytes = base64::prelude::BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap();
        fs::write(Path::new(&folder).join(name), bytes).unwrap();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            self.call("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three experiments of two seeds each; those of the last are under way.
fn study(root: &Path) {
    for (k, peak) in [0.1, 0.2, 0.4].into_iter().enumerate() {
        for seed in 0..2 {
            let status = if k == 2 { "running" } else { "done" };
            let settings = json!({ "phases[0].lr.to": peak });
            let accuracies = [0.3, 0.5, 0.6 + 0.05 * k as f64 + 0.01 * seed as f64];
            let run = Run {
                name: "<b>bold</b>",
                seed,
                hash: ["a", "b", "c"][k],
                settings,
                status,
                accuracies: &accuracies,
                ..Run::default()
            };
            let path = run.write(root, &format!("t{k}-s{seed}"));
            let rows: String = (0..30)
                .map(|i| {
                    format!(
                        "{i},{},0,sgd,16,100,{},0.9,0,{},1,0.1\n",
                        i / 10,
                        peak * f64::from(i) / 30.0,
                        2.0 / f64::from(i + 1)
                    )
                })
                .collect();
            let head = "step,epoch,phase,optimizer,size,batch,lr,momentum,weight_decay,loss,grad_norm,seconds\n";
            fs::write(path.join(file::TRACE), format!("{head}{rows}")).unwrap();
        }
    }
}

#[test]
fn a_browser_follows_the_runs() {
    let Some(browser) = Driver::start() else { return };
    let root = tempfile::tempdir().unwrap();
    let server = Server::with(root.path(), Some(Token::new(SECRET).unwrap()));
    browser.open(&format!("http://{}/?token=0123456789abcdef%2B/%3D%3D", server.address), 1280, 900);
    let text = |selector: &str| {
        browser
            .run(&format!("return document.querySelector({selector:?})?.textContent"))
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    until("an empty page", || text("main").contains("No run"));
    assert_eq!(browser.run("return location.search"), "", "the token is not left in the address");
    study(root.path());
    let took = until("the runs", || text("#results").contains("65.50"));
    assert!(took < Duration::from_secs(2), "the runs came after {took:?}");
    assert!(
        text("#under-way").contains("Under way: 2 runs") && text("#under-way").contains("30 of 100"),
        "{}",
        text("#under-way")
    );

    // What a person does outlasts what comes: a group is hidden, a part opened, a table sorted, an axis brushed.
    browser.run("document.querySelector('.chips [data-key=a]').click(); document.querySelector('details[data-key=b] summary').click();");
    browser.run("document.querySelectorAll('#results th button')[1].click(); document.querySelector('.chips [data-key=b]').focus(); window.scrollTo(0, 300);");
    append(&root.path().join("t0-s0").join(file::METRICS), "3,3,0.7776,4000,40\n");
    let took = until("a row", || text("#results").contains("69.38"));
    println!("a row was in the page after {took:?}");
    assert!(took < Duration::from_secs(2), "a row came after {took:?}");
    let state = browser.run(
        "return [[...document.querySelectorAll('.chips button')].map((chip) => `${chip.dataset.key} ${chip.getAttribute('aria-pressed')}`),
            document.querySelector('details[data-key=b]').open, document.querySelector('#results th[aria-sort]')?.textContent,
            document.activeElement.dataset.key, window.scrollY > 200, document.querySelector('details[data-key=b] a').textContent];",
    );
    assert_eq!(state, json!([["a false", "b true", "c true"], true, "phases[0].lr.to", "b", true, "log"]));
    browser.picture("live-desk.png");

    // Paused, it stays as it is.
    browser.run("document.querySelector('.live button').click()");
    append(&root.path().join("t0-s0").join(file::METRICS), "4,4,0.9,5000,50\n");
    until("the news", || text(".live").contains("paused, there is news"));
    assert!(!text("#results").contains("75.50"));
    browser.run("document.querySelector('.live button').click()");
    until("the row", || text("#results").contains("75.50"));
    // What somebody marks is not taken away, and the page says so; nor does it hide what the server says.
    browser.run("getSelection().selectAllChildren(document.querySelector('h1'))");
    append(&root.path().join("t0-s0").join(file::METRICS), "5,5,0.92,6000,60\n");
    until("the news", || text(".live").contains("held while text is selected"));
    assert!(!text("#results").contains("76.50"));
    browser.run("getSelection().removeAllRanges()");
    until("the row", || text("#results").contains("76.50"));
    browser.run("window.kept = fetch; window.fetch = async () => new Response('so it is', { status: 500 });");
    until("what the server says", || text(".live").contains("so it is, asking again"));
    browser.run("window.fetch = window.kept");
    until("an answer", || text(".live p").contains("live"));
    // Links lead to files.
    let log = browser
        .run("return fetch(document.querySelector('details[data-key=b] a:nth-of-type(2)').href).then((r) => r.text())");
    assert!(log.as_str().unwrap().starts_with("step,phase,val_acc"), "{log}");
    let address = format!("http://{}/", server.address);
    browser.open(&address, 390, 844);
    until("the phone's page", || text("#results").contains("76.50"));
    let wider = browser.run("return document.documentElement.scrollWidth - window.innerWidth").as_i64().unwrap();
    assert!(wider <= 0, "wider than its window by {wider} pixels");
    browser.picture("live-phone.png");
    // A table that changes stays where it was scrolled to and in its order; one that does not is left alone.
    let step = "document.querySelectorAll('#under-way th button')[2]";
    browser.run(&format!(
        "document.querySelector('#under-way .scroll').scrollLeft = 60; {step}.click(); window.button = {step};"
    ));
    let scrolled = || browser.run("return document.querySelector('#under-way .scroll').scrollLeft");
    assert_eq!(scrolled(), 60);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((browser.run(&format!("return {step} === window.button")), scrolled()), (json!(true), json!(60)));
    append(&root.path().join("t2-s0").join(file::TRACE), "1199,3,0,sgd,16,100,0.1,0.9,0,0.5,1,0.1\n");
    until("a step", || text("#under-way").contains("1,200 of 100"));
    assert_eq!(scrolled(), 60);
    // More than the other run's 30, though it begins with a 1.
    assert!(text("#under-way tbody tr:last-child").contains("1,200 of 100"), "{}", text("#under-way"));
    drop(server);
    until("the end of the server", || text(".live").contains("no answer"));
    assert!(text("#results").contains("76.50"), "what was shown stays");
}

/// A brush is about values, whatever else there is by and by; a chip has the last word.
#[test]
fn a_browser_keeps_what_was_brushed() {
    let Some(browser) = Driver::start() else { return };
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let server = Server::of(root.path());
    browser.open(&format!("http://{}/", server.address), 1280, 900);
    let pressed = || {
        browser
            .run("return [...document.querySelectorAll('.chips [aria-pressed=true]')].map((chip) => chip.dataset.key)")
    };
    let shows = |words: &str| {
        browser
            .run("return document.querySelector('#results')?.textContent")
            .as_str()
            .unwrap_or_default()
            .contains(words)
    };
    until("the page", || shows("65.50"));
    // The lowest rate there is, which a lower one is not.
    browser.run("document.querySelector('.grip').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true }))");
    assert_eq!(pressed(), json!(["a"]));
    let settings = json!({ "phases[0].lr.to": 0.05 });
    Run { hash: "d", settings, accuracies: &[0.3, 0.5, 0.4321], ..Run::default() }.write(root.path(), "t3-s0");
    until("the lower one", || shows("43.21"));
    assert_eq!((pressed(), browser.run("return document.querySelectorAll('.brush').length")), (json!(["a"]), json!(1)));
    browser.run("document.querySelector('.chips [data-key=a]').click()");
    append(&root.path().join("t1-s0").join(file::METRICS), "3,3,0.7776,4000,40\n");
    until("a row", || shows("71.88"));
    assert_eq!(pressed(), json!([]));
}

#[test]
fn a_browser_follows_a_thousand_runs() {
    let Some(browser) = Driver::start() else { return };
    let root = tempfile::tempdir().unwrap();
    a_thousand(root.path());
    let server = Server::of(root.path());
    let begun = Instant::now();
    browser.open(&format!("http://{}/", server.address), 1280, 900);
    let shown = || browser.run("return document.querySelectorAll('#results tbody tr').length") == 334;
    until("the page", shown);
    println!("opened after {:?}", begun.elapsed());
    append(&root.path().join("r0500").join(file::METRICS), "30,0,0.9999,31000,310\n");
    let took = until("a row", || {
        browser.run("return document.querySelector('#results').textContent.includes('80.81')") == true
    });
    println!("a row was in the page after {took:?}");
}
