//! The page's text, and the page in a browser where there is one (`scripts/browser` installs it; else the test says that it
//! was skipped).

use super::*;
use crate::compare::report::sheets::{self, Names};
use crate::compare::report::{json, markdown};
use crate::compare::{Options, compare};
use crate::record::folder::file;
use crate::record::testing::{Run, skipped};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A name that would run if it were taken for markup.
const HOSTILE: &str = "</script><script>hacked=1</script><img src onerror=hacked=1>";

/// Two settings, three values by two, three seeds each; the last point did not end.
fn study(root: &Path) {
    for (k, (peak, shape)) in [0.1, 0.2, 0.4].iter().flat_map(|p| ["cosine", "linear"].map(|s| (p, s))).enumerate() {
        for seed in 0..3_u64 {
            let last = 0.7 + 0.03 * k as f64 + 0.002 * seed as f64;
            let run = Run {
                name: HOSTILE,
                seed,
                hash: ["a", "b", "c", "d", "e", "f"][k],
                status: if k == 5 { "diverged" } else { "done" },
                settings: json!({
                    "phases[0].lr.to": peak, "phases[1].lr.from": peak, "phases[1].lr.curve": shape, "phases[0].batch": 125,
                }),
                accuracies: &[0.3, 0.6, last + 0.01, last],
                ..Run::default()
            };
            let path = run.write(root, &format!("t{k:03}-s{seed}"));
            trace(&path, 40, *peak);
        }
    }
}

fn trace(run: &Path, steps: u32, peak: f64) {
    let row = |k: u32| {
        let rate = peak * (1.0 - (f64::from(k) / f64::from(steps) - 0.5).abs());
        format!("{k},100,{rate},{}\n", 0.95 - rate / 10.0)
    };
    let rows: String = (0..steps).map(row).collect();
    fs::write(run.join(file::TRACE), format!("step,batch,lr,momentum\n{rows}")).unwrap();
}

/// The JSON inside of a page.
fn data_of(page: &str) -> Value {
    let (_, from) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(from.split_once("</script>").unwrap().0).unwrap()
}

fn compared(root: &Path) -> Comparison {
    compare(&[root.to_owned()], Options { target: Some(0.75), price: Some(36.0), ..Options::default() }).unwrap()
}

#[test]
fn the_page_asks_nobody_and_keeps_names_as_text() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let page = html(&compared(root.path()), &[]).unwrap();
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img") && !page.contains("{{"), "{page}");
    let addresses = page.matches("://").count();
    assert_eq!(addresses, page.matches("http://www.w3.org/2000/svg").count(), "an address besides SVG's name");
    assert_eq!(data_of(&page)["title"], HOSTILE);
}

#[test]
fn the_pages_numbers_are_those_of_the_report() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let comparison = compared(root.path());
    let verdicts = comparison.judge(&["#2 > #1 at 0.05".parse().unwrap()]).unwrap();
    let data = data_of(&html(&comparison, &verdicts).unwrap());
    assert_eq!(data["report"], json(&comparison, &verdicts));
    let text = markdown(&comparison, &verdicts);
    let rows = table_rows(&text);
    for sheet in ["results", "contrasts"] {
        for row in data[sheet]["rows"].as_array().unwrap() {
            let row: Vec<&str> = row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect();
            assert!(rows.contains(&row), "{row:?} is not in\n{text}");
        }
    }
    assert!(text.contains(data["claims"][0]["text"].as_str().unwrap()), "{text}");
    assert_eq!(data["results"]["rows"].as_array().unwrap().len(), 6);
}

/// The rows of all tables of a Markdown text.
fn table_rows(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn axes_are_the_sweeps_or_else_the_settings_that_differ() {
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let axes = |root: &Path| {
        let data = data_of(&html(&compared(root), &[]).unwrap());
        let name = |axis: &Value| format!("{}: {} {}", axis["name"], axis["values"][0], axis["values"][5]);
        data["axes"].as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    let settings =
        [r#""phases[0].lr.to, phases[1].lr.from": "0.1" "0.4""#, r#""phases[1].lr.curve": "cosine" "linear""#];
    assert_eq!(axes(root.path()), settings);
    let head = "trial,seed,state,run,objective,seconds,reason,peak,shape,fixed,saved_steps,saved_seconds\n";
    let row = |k: usize| format!("{k},0,done,t{k:03}-s0,,,,{},\"\"\"s, {}\"\"\",1,{k},0.5\n", k / 2, k % 2);
    let rows: String = (0..6).map(row).collect();
    fs::write(root.path().join("trials.csv"), format!("{head}{rows}")).unwrap();
    assert_eq!(axes(root.path()), [r#""peak": "0" "2""#, r#""shape": "s, 0" "s, 1""#]);
    // A run that is no trial of the sweep: its axes are not those of all.
    Run { hash: "g", settings: json!({ "phases[0].batch": 64 }), ..Run::default() }.write(root.path(), "other");
    assert!(axes(root.path()).len() > 2);
}

/// A hundred experiments of 3000 evaluations and 10 000 steps, no two alike.
#[test]
fn a_hundred_long_runs_make_a_small_page_and_lose_no_number() {
    let root = tempfile::tempdir().unwrap();
    let noise = |k: usize| ((k * 7919) % 1000) as f64 / 1e5;
    for k in 0..100_usize {
        let accuracies: Vec<f64> = (0..3000).map(|i| 0.9 - 0.8 / (1.0 + i as f64 / 50.0) + noise(i + k)).collect();
        let hash = format!("hash{k}");
        let rate = 0.001 * (k + 1) as f64;
        let settings = json!({ "phases[0].lr": rate });
        let run = Run { hash: &hash, settings, accuracies: &accuracies, ..Run::default() };
        trace(&run.write(root.path(), &format!("r{k:03}")), 10_000, rate);
    }
    let comparison = compared(root.path());
    let page = html(&comparison, &[]).unwrap();
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    let data = data_of(&page);
    assert_eq!(data["results"], serde_json::to_value(sheets::results(&comparison, Names::Beside)).unwrap());
    let last = 0.9 - 0.8 / (1.0 + 2999.0 / 50.0) + noise(2999 + 3);
    assert_eq!(data["report"]["groups"][3]["final"]["mean"], last);
    let curve = &data["groups"][3]["curve"];
    let points = curve["mean"].as_array().unwrap().len();
    assert!((100..1000).contains(&points), "{points} points");
    assert_eq!(curve["images"][points - 1], 3_000_000.0);
}

/// Chromium or Chrome; `None`, and a word on it, where neither is installed.
fn browser() -> Option<PathBuf> {
    let found = installed();
    if found.is_none() {
        skipped("no Chromium here (scripts/browser installs it)");
    }
    found
}

fn installed() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&paths).flat_map(|folder| names.map(|name| folder.join(name)));
    found.into_iter().find(|path| path.is_file())
}

/// The document after its scripts ran, in a window of that size.
fn dom(browser: &Path, page: &Path, size: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("dom.html");
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--virtual-time-budget=20000"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .args([&format!("--window-size={size}"), "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .stdout(fs::File::create(&out).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(180);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("the browser did not come to an end");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::read_to_string(out).unwrap()
}

/// What `check.js` saw on the page. It is no part of the page, whose policy would keep it out.
fn checked(browser: &Path, page: &str, size: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    let policy = format!("script-src {}", hash(&(SCRIPT.concat() + STILL)));
    assert!(page.contains(&policy));
    let check = format!("<script type=\"module\">{}</script></body>", include_str!("check.js"));
    let open = page.replace(&policy, "script-src 'unsafe-inline'").replace("</body>", &check);
    fs::write(&path, open).unwrap();
    let dom = dom(browser, &path, size);
    let found = dom.split_once("<pre id=\"checked\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (text, _) = found.unwrap_or_else(|| panic!("the check did not come to its end:\n{dom}"));
    serde_json::from_str(&text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).unwrap()
}

#[test]
fn a_browser_shows_it_and_it_answers() {
    let Some(browser) = browser() else { return };
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let comparison = compared(root.path());
    let page = html(&comparison, &[]).unwrap();
    let seen = checked(&browser, &page, "1280,900");
    assert_eq!(seen["error"], Value::Null, "{seen:#}");
    let text = markdown(&comparison, &[]);
    let rows = table_rows(&text);

    // The words of the report's tables; the name gives way to the axes.
    let results = seen["results"].as_array().unwrap();
    assert_eq!(results.len(), 6);
    for row in results {
        let row: Vec<&str> = row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect();
        let number = row[0].trim_end_matches(" (baseline)");
        let told = rows.iter().find(|told| told[0] == number).unwrap();
        assert_eq!(row[3..], told[2..], "{text}");
    }
    for row in seen["contrasts"].as_array().unwrap() {
        let row: Vec<&str> = row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect();
        assert!(rows.contains(&row), "{row:?} is not in\n{text}");
    }

    assert_eq!((&seen["hacked"], &seen["title"]), (&json!("no"), &json!(HOSTILE)));
    let chart = |k: usize| &seen["charts"][k];
    assert_eq!(*chart(0), json!(["validation accuracy over training time", 6, 6]));
    assert_eq!(*chart(1), json!(["validation accuracy over images", 6, 6]));
    assert_eq!((&chart(2)[1], &chart(3)[1]), (&json!(3), &json!(3)), "three schedules, each of two groups");
    // The best last value is that of #5; #6 did not end.
    assert_eq!(seen["pressed"], json!(["#5", "#4", "#3", "#2", "#1", "#6"]));
    for (at, words) in [("pointed", "±"), ("walked", "82.20 ± 0.20 %"), ("scatter", "seed 0: "), ("touched", "±")] {
        assert!(seen[at].as_str().unwrap().contains(words), "{at}: {}", seen[at]);
    }
    assert_eq!((&seen["left"], &seen["let_go"]), (&json!(""), &json!("")));
    assert_eq!(seen["without"], json!([["#4", "#3", "#2", "#1", "#6"], 5, 1]));
    assert_eq!(seen["focused"], "#4");
    assert_eq!((&seen["none"], &seen["all"]), (&json!([0, 0]), &json!(6)));
    // Of the objective's axis, 70 to 82 %, the upper part.
    assert_eq!(seen["brushed"], json!([["#5", "#4"], 1]));
    assert_eq!(seen["released"], json!([6, 0]));
    assert_eq!((&seen["lowest"], &seen["grown"]), (&json!(["#2", "#1"]), &json!(4)));
    assert_eq!(seen["sorted"][0], "#1 (baseline)");
    assert_eq!(seen["log"], true);
    let of = |at: &str, k: usize| seen[at][k].as_str().unwrap().to_owned();
    assert!(of("runs", 0).contains("phases[0].lr.to0.40.1") && of("runs", 0).contains("t004-s1"), "{}", of("runs", 0));
    assert!(!of("against", 0).contains("curve0") && of("against", 0).contains("phases[1].lr.curvecosinelinear"));
    assert!(seen["wider"].as_i64().unwrap() <= 0, "wider than its window by {} pixels", seen["wider"]);
}

/// Between them an axis has no room for ticks: they would be counted without end.
#[test]
fn values_that_agree_but_for_rounding_are_drawn() {
    let Some(browser) = browser() else { return };
    let root = tempfile::tempdir().unwrap();
    for (k, peak) in [0.1, 0.2].into_iter().enumerate() {
        for seed in 0..3_u64 {
            let last = if seed == 2 { 0.1 + 0.2 } else { 0.3 };
            let settings = json!({ "phases[0].lr.to": peak });
            let run = Run { seed, hash: ["a", "b"][k], settings, accuracies: &[last, last], ..Run::default() };
            run.write(root.path(), &format!("t{k}-s{seed}"));
        }
    }
    let seen = checked(&browser, &html(&compared(root.path()), &[]).unwrap(), "1280,900");
    assert_eq!(seen["error"], Value::Null, "{seen:#}");
    assert_eq!(seen["charts"][0], json!(["validation accuracy over training time", 2, 2]));
}

#[test]
fn a_browser_shows_it_on_a_phone_and_under_its_own_policy() {
    let Some(browser) = browser() else { return };
    let root = tempfile::tempdir().unwrap();
    study(root.path());
    let page = html(&compared(root.path()), &[]).unwrap();
    let narrow = checked(&browser, &page, "390,844");
    assert!(narrow["error"].is_null() && narrow["wider"].as_i64().unwrap() <= 0, "{narrow:#}");
    // One run alone: nothing to choose, nothing that varies.
    let alone = compare(&[root.path().join("t000-s0")], Options::default()).unwrap();
    let alone = checked(&browser, &html(&alone, &[]).unwrap(), "1280,900");
    assert!(alone["error"].is_null() && alone["pressed"] == json!([]) && alone["hacked"] == "no", "{alone:#}");
    assert!(alone["runs"][0].as_str().unwrap().contains(HOSTILE), "{alone:#}");
    let path = root.path().join("page.html");
    fs::write(&path, &page).unwrap();
    let dom = dom(&browser, &path, "1280,900");
    assert!(dom.contains("<h1>") && dom.contains("id=\"results\""), "the script did not run: {dom}");
}
