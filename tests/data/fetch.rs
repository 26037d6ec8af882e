//! Fetching, against servers that behave and servers that do not. The published checksums fit no file that a test can
//! make, so the tests publish their own.

use crate::server::{Reply, Request, Server, dead_url};
use runner::data::fetch::{Event, FetchError, Options, Patience, Proxy, fetch};
use runner::data::publication::{Download, Form, Publication};
use runner::data::weights::PublishedWeights;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes that look like nothing, the same each time.
pub fn bytes(count: usize) -> Vec<u8> {
    (0..count as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// No proxy, little patience.
pub fn options() -> Options {
    let short = Duration::from_millis(400);
    let patience = Patience { stall: short, attempts: 3, pause: Duration::ZERO, ..Patience::default() };
    Options { mirrors: Vec::new(), patience, proxy: Proxy::None }
}

/// Fetches the set `set` of one plain file `file.gz`.
fn fetch_plain(file: &[u8], mirrors: &[&str], root: &Path) -> Result<PathBuf, FetchError> {
    let sha256 = sha256(file);
    let download = Download { file: "file.gz", mirrors, bytes: file.len() as u64, sha256: &sha256, form: Form::Plain };
    fetch(&Publication { folder: "set", downloads: &[download] }, root, &options(), &mut |_| ())
}

/// Names in a folder, sorted; of the hidden folder of a fetch, what is in it.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn part(root: &Path, file: &[u8]) -> PathBuf {
    root.join(".fetch-set").join(format!("{}.part", sha256(file)))
}

/// As an earlier fetch that was killed leaves it.
fn leave_part(root: &Path, file: &[u8], left: &[u8]) {
    fs::create_dir_all(root.join(".fetch-set")).unwrap();
    fs::write(part(root, file), left).unwrap();
}

#[track_caller]
fn unreachable(result: Result<PathBuf, FetchError>) -> String {
    match result {
        Err(FetchError::Unreachable(why)) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

fn packed(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn a_set_of_an_archive_and_a_plain_file_lands_whole_in_its_folder() {
    let archive = packed(&[("inner/a", "first"), ("inner/readme", "no"), ("inner/b", "second"), ("other/a", "no")]);
    let plain = bytes(100_000);
    let served = [("a.tar.gz".to_owned(), archive.clone()), ("labels".to_owned(), plain.clone())];
    let server = Server::start(move |request, _| {
        let file = served.iter().find(|(name, _)| format!("dir/{name}") == request.path);
        file.map_or(Reply::status("404 Not Found"), |(_, file)| Reply::ranged(file, request))
    });
    let (mirror, sums) = (format!("{}/dir", server.url()), [sha256(&archive), sha256(&plain)]);
    let mirrors = [mirror.as_str()];
    let tar_gz = Form::TarGz { folder: "inner", files: &["a", "b"] };
    let downloads = [
        Download { file: "a.tar.gz", mirrors: &mirrors, bytes: archive.len() as u64, sha256: &sums[0], form: tar_gz },
        Download { file: "labels", mirrors: &mirrors, bytes: 100_000, sha256: &sums[1], form: Form::Plain },
    ];
    let publication = Publication { folder: "set", downloads: &downloads };
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("made").join("here");
    let mut events = Vec::new();
    let folder = fetch(&publication, &inner, &options(), &mut |event| events.push(format!("{event:?}"))).unwrap();
    assert_eq!((folder.clone(), names(&inner)), (inner.join("set"), vec!["set".to_owned()]));
    assert_eq!(names(&folder), ["a", "b", "labels"]);
    assert_eq!(fs::read_to_string(folder.join("b")).unwrap(), "second");
    assert_eq!(fs::read(folder.join("labels")).unwrap(), plain);
    let kinds = ["Begins", "Received", "Checking", "Unpacking"];
    assert!(kinds.iter().all(|kind| events.iter().any(|event| event.starts_with(kind))), "{events:?}");

    // Once it is there, nothing is asked for.
    fetch(&publication, &inner, &options(), &mut |event| panic!("{event}")).unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn weights_are_known_by_their_length_and_their_bytes() {
    let file = bytes(100_000);
    let served = file.clone();
    let server = Server::start(move |request, _| Reply::ranged(&served, request).cut(70_000));
    let (url, sum) = (server.url(), sha256(&file));
    let mirrors = [url.as_str()];
    let downloads = [Download { file: "net.pth", mirrors: &mirrors, bytes: 100_000, sha256: &sum, form: Form::Plain }];
    let publication = Publication { folder: "net-weights", downloads: &downloads };
    let weights = PublishedWeights { name: "net-weights", backbone: "net", publication };
    let root = tempfile::tempdir().unwrap();
    assert!(!weights.is_in(root.path(), true).unwrap());
    fetch(&publication, root.path(), &options(), &mut |_| ()).unwrap();
    assert_eq!(server.ranges(), [None, Some(70_000)]);
    assert!(weights.is_in(root.path(), true).unwrap());

    let path = root.path().join("net-weights/net.pth");
    let mut changed = file.clone();
    changed[5] ^= 1;
    fs::write(&path, &changed).unwrap();
    assert!(weights.is_in(root.path(), false).unwrap());
    let said = weights.is_in(root.path(), true).unwrap_err().to_string();
    assert!(said.contains("net.pth: its bytes are not those") && said.contains("net-weights away"), "{said}");
    fs::write(&path, &file[1..]).unwrap();
    let said = weights.is_in(root.path(), false).unwrap_err().to_string();
    assert!(said.contains("it has 99999 bytes, and the published file 100000"), "{said}");
}

#[test]
fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let file = bytes(200_000);
    let served = file.clone();
    let server = Server::start(move |request, before| match before {
        0 => Reply::ranged(&served, request).cut(70_000),
        1 => Reply::ranged(&served, request).stalled(30_000),
        _ => Reply::ranged(&served, request),
    });
    let root = tempfile::tempdir().unwrap();
    let folder = fetch_plain(&file, &[&server.url()], root.path()).unwrap();
    assert_eq!(fs::read(folder.join("file.gz")).unwrap(), file);
    assert_eq!(server.ranges(), [None, Some(70_000), Some(100_000)]);
    assert_eq!(names(root.path()), ["set"]);
}

#[test]
fn one_that_stalls_is_given_up_and_what_came_is_kept_for_the_next() {
    let file = bytes(50_000);
    let served = file.clone();
    let server = Server::start(move |request, before| {
        Reply::ranged(&served, request).stalled(if before == 0 { 20_000 } else { 0 })
    });
    let root = tempfile::tempdir().unwrap();
    let said = unreachable(fetch_plain(&file, &[&server.url()], root.path()));
    assert!(said.contains("broke off after 20000 of 50000 bytes") && said.contains("20000 bytes are kept"), "{said}");
    assert_eq!(server.requests().len(), 4, "one that brought the file on, and three that did not");
    assert!(!root.path().join("set").exists());

    let served = file.clone();
    let server = Server::start(move |request, _| Reply::ranged(&served, request));
    fetch_plain(&file, &[&server.url()], root.path()).unwrap();
    assert_eq!(server.ranges(), [Some(20_000)]);
    assert_eq!(names(root.path()), ["set"]);
}

#[test]
fn what_is_not_the_file_is_refused_and_leaves_nothing() {
    type Answer = fn(&[u8], &Request) -> Reply;
    let changed: Answer = |file, _| {
        let mut file = file.to_vec();
        file[123] ^= 1;
        Reply::whole(&file)
    };
    let cases: [(&str, Answer); 6] = [
        ("sent other bytes: sha256", changed),
        ("offers 999 bytes, and the file has 1000", |file, _| Reply::whole(&file[..999])),
        ("offers 1001 bytes", |file, _| Reply::whole(&[file, b"!"].concat())),
        ("sent only 0 of 1000 bytes", |_, _| Reply { headers: vec![], ..Reply::status("200 OK") }),
        ("404 Not Found", |_, _| Reply::status("404 Not Found")),
        ("503 Service Unavailable", |_, _| Reply::status("503 Service Unavailable")),
    ];
    for (words, answer) in cases {
        let file = bytes(1000);
        let served = file.clone();
        let server = Server::start(move |request, _| answer(&served, request));
        let root = tempfile::tempdir().unwrap();
        let said = unreachable(fetch_plain(&file, &[&server.url()], root.path()));
        assert!(said.contains(words) && said.contains(&server.url()), "`{words}` is not in: {said}");
        assert!(names(root.path()).is_empty(), "{words}: {:?}", names(root.path()));
        // Only what may pass is tried again.
        let tries = if words.starts_with("503") || words.starts_with("sent only") { 3 } else { 1 };
        assert_eq!(server.requests().len(), tries, "{words}");
    }
}

#[test]
fn the_next_mirror_goes_on_where_the_last_one_failed() {
    let file = bytes(90_000);
    let (first, second) = (file.clone(), file.clone());
    let failing = Server::start(move |request, before| match before {
        0 => Reply::ranged(&first, request).cut(40_000),
        _ => Reply::status("403 Forbidden"),
    });
    let good = Server::start(move |request, _| Reply::ranged(&second, request));
    let root = tempfile::tempdir().unwrap();
    fetch_plain(&file, &[&dead_url(), &failing.url(), &good.url()], root.path()).unwrap();
    assert_eq!((failing.ranges(), good.ranges()), (vec![None, Some(40_000)], vec![Some(40_000)]));
}

#[test]
fn every_mirror_that_failed_is_named_with_its_reason() {
    let server = Server::start(|_, _| Reply::status("410 Gone"));
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("inner");
    let dead = dead_url();
    let said = unreachable(fetch_plain(&bytes(10), &[&dead, &server.url()], &inner));
    assert!(said.contains(&format!("{dead}/file.gz")) && said.contains("refused"), "{said}");
    assert!(said.contains(&format!("{}/file.gz", server.url())) && said.contains("410 Gone"), "{said}");
    assert!(!inner.exists(), "without an answer nothing is written");
}

#[test]
fn mirrors_of_ones_own_come_first() {
    let file = bytes(1000);
    let served = file.clone();
    let own = Server::start(move |request, _| Reply::ranged(&served, request));
    let known = Server::start(|_, _| Reply::status("404 Not Found"));
    let (root, sum, url) = (tempfile::tempdir().unwrap(), sha256(&file), known.url());
    let mirrors = [url.as_str()];
    let downloads = [Download { file: "file.gz", mirrors: &mirrors, bytes: 1000, sha256: &sum, form: Form::Plain }];
    let options = Options { mirrors: vec![own.url() + "/deep/"], ..options() };
    fetch(&Publication { folder: "set", downloads: &downloads }, root.path(), &options, &mut |_| ()).unwrap();
    assert_eq!(own.requests()[0].path, "deep/file.gz");
    assert!(known.requests().is_empty(), "the known mirror was asked");
}

#[test]
fn a_server_without_ranges_adds_to_what_is_kept_and_takes_nothing_away() {
    let file = bytes(60_000);
    let served = file.clone();
    let server = Server::start(move |_, before| Reply::whole(&served).cut([10_000, 40_000, 60_000][before.min(2)]));
    let root = tempfile::tempdir().unwrap();
    leave_part(root.path(), &file, &file[..30_000]);
    let folder = fetch_plain(&file, &[&server.url()], root.path()).unwrap();
    assert_eq!(fs::read(folder.join("file.gz")).unwrap(), file);
    assert_eq!(server.ranges(), [Some(30_000), Some(30_000), Some(40_000)]);
}

#[test]
fn a_page_in_place_of_the_file_leaves_what_is_kept_alone() {
    let file = bytes(60_000);
    let page = b"<html>please accept our terms</html>".repeat(1000);
    let typed = |page: &[u8]| Reply { headers: vec!["Content-Type: text/html".to_owned()], ..Reply::whole(page) };
    let untyped = |page: &[u8]| Reply { headers: vec![], ..Reply::whole(page) };
    type Answer = fn(&[u8]) -> Reply;
    let cases: [(&str, Answer); 2] = [("a web page", typed), ("not those that are kept", untyped)];
    for (words, answer) in cases {
        let served = page.clone();
        let server = Server::start(move |_, _| answer(&served));
        let root = tempfile::tempdir().unwrap();
        leave_part(root.path(), &file, &file[..30_000]);
        let said = unreachable(fetch_plain(&file, &[&server.url()], root.path()));
        assert!(said.contains(words) && said.contains("30000 bytes are kept"), "{said}");
        assert_eq!(fs::read(part(root.path(), &file)).unwrap(), file[..30_000]);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_mirror_that_falls_silent_is_waited_for_once_it_has_sent_something() {
    let file = bytes(90_000);
    let served = file.clone();
    let server = Server::start(move |request, before| match before {
        0 => Reply::ranged(&served, request).cut(40_000),
        1 | 2 => Reply::silence(),
        _ => Reply::ranged(&served, request),
    });
    let root = tempfile::tempdir().unwrap();
    fetch_plain(&file, &[&server.url()], root.path()).unwrap();
    assert_eq!(server.ranges(), [None, Some(40_000), Some(40_000), Some(40_000)]);

    let silent = Server::start(|_, _| Reply::silence());
    unreachable(fetch_plain(&file, &[&silent.url()], &root.path().join("other")));
    assert_eq!(silent.requests().len(), 1, "one that never answered is asked once");
}

#[test]
fn packed_files_arrive_packed_whatever_the_server_calls_them() {
    let file = packed(&[("a", "some text")]);
    let served = file.clone();
    let server = Server::start(move |request, _| {
        let mut reply = Reply::ranged(&served, request);
        reply.headers.push("Content-Encoding: gzip".to_owned());
        reply
    });
    let root = tempfile::tempdir().unwrap();
    let folder = fetch_plain(&file, &[&server.url()], root.path()).unwrap();
    assert_eq!(fs::read(folder.join("file.gz")).unwrap(), file);
}

#[test]
fn what_fails_at_the_end_costs_no_download() {
    let file = bytes(60_000);
    let served = file.clone();
    let server = Server::start(move |request, _| Reply::ranged(&served, request));
    let root = tempfile::tempdir().unwrap();
    // A file where the set's folder is to be.
    fs::write(root.path().join("set"), "in the way").unwrap();
    let error = fetch_plain(&file, &[&server.url()], root.path()).unwrap_err();
    assert!(matches!(error, FetchError::Local(_)), "{error}");
    fs::remove_file(root.path().join("set")).unwrap();
    let folder = fetch_plain(&file, &[&dead_url()], root.path()).unwrap();
    assert_eq!(fs::read(folder.join("file.gz")).unwrap(), file);
    assert_eq!(names(root.path()), ["set"]);
}

#[test]
fn every_refusal_is_told_as_it_happens() {
    let file = bytes(1_000);
    let served = file.clone();
    let [gone, good] = [
        Server::start(|_, _| Reply::status("410 Gone")),
        Server::start(move |request, _| Reply::ranged(&served, request)),
    ];
    let (root, sum, dead) = (tempfile::tempdir().unwrap(), sha256(&file), dead_url());
    leave_part(root.path(), &file, &[&file[..], b"more"].concat());
    let (gone, good) = (gone.url(), good.url());
    let mirrors = [dead.as_str(), &gone, &good];
    let downloads = [Download { file: "file.gz", mirrors: &mirrors, bytes: 1000, sha256: &sum, form: Form::Plain }];
    let publication = Publication { folder: "set", downloads: &downloads };
    let mut told = Vec::new();
    fetch(&publication, root.path(), &options(), &mut |event| match event {
        Event::Refused { url, .. } => told.push(url.to_owned()),
        Event::Discarded { file } => told.push(file.to_owned()),
        _ => {}
    })
    .unwrap();
    assert_eq!(told, ["file.gz".to_owned(), format!("{dead}/file.gz"), format!("{gone}/file.gz")]);
}

#[test]
fn a_range_that_cannot_be_had_is_no_reason_to_give_up() {
    let file = bytes(60_000);
    let served = file.clone();
    let server = Server::start(move |request, _| match request.from {
        Some(_) => Reply::status("416 Range Not Satisfiable"),
        None => Reply::whole(&served),
    });
    let root = tempfile::tempdir().unwrap();
    leave_part(root.path(), &file, &file[..30_000]);
    fetch_plain(&file, &[&server.url()], root.path()).unwrap();
    assert_eq!(server.ranges(), [Some(30_000), None]);
}

#[test]
fn a_part_that_is_whole_needs_no_server_and_one_that_is_too_long_starts_over() {
    let file = bytes(5_000);
    let root = tempfile::tempdir().unwrap();
    leave_part(root.path(), &file, &file);
    fetch_plain(&file, &[&dead_url()], root.path()).unwrap();
    assert_eq!(names(root.path()), ["set"]);

    let served = file.clone();
    let server = Server::start(move |request, _| Reply::ranged(&served, request));
    let root = tempfile::tempdir().unwrap();
    leave_part(root.path(), &file, &[&file[..], b"more"].concat());
    fetch_plain(&file, &[&server.url()], root.path()).unwrap();
    assert_eq!(server.ranges(), [None]);
}

#[test]
fn a_part_of_other_bytes_is_found_out_and_fetched_anew() {
    let file = bytes(5_000);
    let served = file.clone();
    let server = Server::start(move |request, _| Reply::ranged(&served, request));
    let root = tempfile::tempdir().unwrap();
    leave_part(root.path(), &file, &[0; 2_000]);
    let folder = fetch_plain(&file, &[&server.url()], root.path()).unwrap();
    assert_eq!(server.ranges(), [Some(2_000), None]);
    assert_eq!(fs::read(folder.join("file.gz")).unwrap(), file);
}

#[test]
fn a_range_that_does_not_join_on_is_not_appended() {
    let file = bytes(5_000);
    let served = file.clone();
    let server = Server::start(move |_, _| Reply::ranged(&served, &Request { path: String::new(), from: Some(10) }));
    let root = tempfile::tempdir().unwrap();
    leave_part(root.path(), &file, &file[..2_000]);
    let said = unreachable(fetch_plain(&file, &[&server.url()], root.path()));
    assert!(said.contains("asked for the bytes from 2000 on, it sends `bytes 10-4999/5000`"), "{said}");
    assert_eq!(fs::read(part(root.path(), &file)).unwrap(), file[..2_000], "what was there is still there");
}

#[test]
fn an_archive_that_lacks_a_file_gives_no_set() {
    let archive = packed(&[("inner/a", "first")]);
    let (served, sum) = (archive.clone(), sha256(&archive));
    let server = Server::start(move |request, _| Reply::ranged(&served, request));
    let (root, url) = (tempfile::tempdir().unwrap(), server.url());
    let mirrors = [url.as_str()];
    let form = Form::TarGz { folder: "inner", files: &["a", "b"] };
    let downloads = [Download { file: "a.tar.gz", mirrors: &mirrors, bytes: archive.len() as u64, sha256: &sum, form }];
    let publication = Publication { folder: "set", downloads: &downloads };
    let error = fetch(&publication, root.path(), &options(), &mut |_| ()).unwrap_err();
    assert!(matches!(error, FetchError::Local(_)) && error.to_string().contains("holds no inner/b"), "{error}");
    assert!(!root.path().join("set").exists());
}

#[test]
fn two_at_once_fetch_once() {
    let file = bytes(300_000);
    let served = file.clone();
    let (told, waits) = std::sync::mpsc::channel::<()>();
    let waits = std::sync::Mutex::new(waits);
    // The first request is held until the other fetch has said that it waits.
    let server = Server::start(move |request, before| {
        if before == 1 {
            waits.lock().unwrap().recv().unwrap();
        }
        let reply = Reply::ranged(&served, request);
        if before == 0 { reply.cut(1) } else { reply }
    });
    let (root, sum, url) = (tempfile::tempdir().unwrap(), sha256(&file), server.url());
    let mirrors = [url.as_str()];
    let downloads = [Download { file: "file.gz", mirrors: &mirrors, bytes: 300_000, sha256: &sum, form: Form::Plain }];
    let publication = Publication { folder: "set", downloads: &downloads };
    let patient = Options { patience: Patience { stall: Duration::from_secs(30), ..options().patience }, ..options() };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            fetch(&publication, root.path(), &patient, &mut |_| ()).unwrap();
        });
        // Its hidden folder is made once the first byte has come.
        while !root.path().join(".fetch-set/lock").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut events = Vec::new();
        let mut note = |event: Event<'_>| {
            if event == Event::Waiting {
                told.send(()).unwrap();
            }
            events.push(event.to_string());
        };
        fetch(&publication, root.path(), &patient, &mut note).unwrap();
        first.join().unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
    });
    assert_eq!(server.ranges(), [None, Some(1)], "the second one asked for nothing");
    assert_eq!(names(root.path()), ["set"]);
}

/// While this process is at a mirror that has nothing, another one brings the download to its end and begins to unpack it.
#[test]
fn a_set_that_another_process_is_putting_together_is_left_to_it() {
    let file = bytes(5_000);
    let root = tempfile::tempdir().unwrap();
    let hidden = root.path().join(".fetch-set");
    let held = std::sync::Arc::new(std::sync::Mutex::new(None));
    let other = {
        let (file, root, hidden, held) = (file.clone(), root.path().to_owned(), hidden.clone(), held.clone());
        Server::start(move |_, _| {
            leave_part(&root, &file, &file);
            fs::create_dir(hidden.join("set")).unwrap();
            fs::write(hidden.join("set/theirs"), "unpacked").unwrap();
            let lock = fs::File::create(hidden.join("lock")).unwrap();
            lock.lock().unwrap();
            *held.lock().unwrap() = Some(lock);
            Reply::status("404 Not Found")
        })
    };
    let (sum, url, dead) = (sha256(&file), other.url(), dead_url());
    let mirrors = [url.as_str(), &dead];
    let downloads = [Download { file: "file.gz", mirrors: &mirrors, bytes: 5_000, sha256: &sum, form: Form::Plain }];
    let publication = Publication { folder: "set", downloads: &downloads };
    let mut waited = false;
    let mut finish_theirs = |event: Event<'_>| {
        if event == Event::Waiting {
            waited = true;
            assert!(hidden.join("set/theirs").exists(), "taken away under its owner");
            fs::rename(hidden.join("set"), root.path().join("set")).unwrap();
            fs::remove_dir_all(&hidden).unwrap();
            drop(held.lock().unwrap().take());
        }
    };
    let folder = fetch(&publication, root.path(), &options(), &mut finish_theirs).unwrap();
    assert!(waited, "it did not wait");
    assert_eq!(names(&folder), ["theirs"]);
    assert_eq!(names(root.path()), ["set"]);
}
