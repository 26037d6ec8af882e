//! A fetch that is killed, the hard way, and the one after it.

use crate::common::{assert_exit, runner, text};
use crate::fetch::{bytes, options, sha256};
use crate::server::{Reply, Server};
use runner::data::fetch::fetch;
use runner::data::publication::{Download, Form, Publication};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const FILE: usize = 400_000;
const CUT: usize = 150_000;

/// Waits until the one partial file under `root` has so many bytes, and kills the process that writes it.
fn kill_at(mut child: Child, root: &Path, bytes: u64) {
    let begun = Instant::now();
    let sizes = || {
        let hidden = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
        let parts: Vec<PathBuf> = hidden
            .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "part"))
            .collect();
        parts.iter().map(|part| part.metadata().map_or(0, |meta| meta.len())).max().unwrap_or(0)
    };
    while sizes() < bytes {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} of {bytes} bytes came", sizes());
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Sends part of the file and stalls, then serves as it should.
fn server(file: Vec<u8>, cut: usize) -> Server {
    Server::start(move |request, before| match before {
        0 => Reply::ranged(&file, request).stalled(cut),
        _ => Reply::ranged(&file, request),
    })
}

fn fetch_from(url: &str, root: &Path, stall: Duration) {
    let (sum, mirrors) = (sha256(&bytes(FILE)), [url]);
    let downloads = [Download { file: "file", mirrors: &mirrors, bytes: FILE as u64, sha256: &sum, form: Form::Plain }];
    let mut options = options();
    options.patience.stall = stall;
    fetch(&Publication { folder: "set", downloads: &downloads }, root, &options, &mut |_| ()).unwrap();
}

/// What the killed process does: this test program runs itself for it.
#[test]
fn child() {
    let (Ok(url), Ok(root)) = (std::env::var("FETCH_URL"), std::env::var("FETCH_ROOT")) else { return };
    fetch_from(&url, Path::new(&root), Duration::from_secs(600));
    panic!("not killed");
}

#[test]
fn a_killed_fetch_is_gone_on_with() {
    let server = server(bytes(FILE), CUT);
    let root = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child"])
        .env("FETCH_URL", server.url())
        .env("FETCH_ROOT", root.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    kill_at(child, root.path(), CUT as u64);
    assert!(!root.path().join("set").exists());
    // Its lock went with it.
    fetch_from(&server.url(), root.path(), Duration::from_secs(30));
    assert_eq!(server.ranges(), [None, Some(CUT)]);
    assert_eq!(std::fs::read(root.path().join("set/file")).unwrap(), bytes(FILE));
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1, "nothing else is left");
}

/// The program itself: its checksums fit no file of ours, so the second fetch ends in saying so.
#[test]
fn the_program_goes_on_too_and_takes_nothing_for_whole_that_is_not() {
    const IMAGES: usize = 9_912_422;
    let server = server(bytes(IMAGES), CUT);
    let root = tempfile::tempdir().unwrap();
    let fetch = || {
        let mut command = runner();
        command.env("NO_PROXY", "127.0.0.1").args(["data", "fetch", "mnist", "--mirror", &server.url(), "--root"]);
        command.arg(root.path());
        command
    };
    let child = fetch().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    kill_at(child, root.path(), CUT as u64);
    let output = fetch().output().unwrap();
    assert_exit(&output, 3);
    assert_eq!(server.requests()[0].path, "train-images-idx3-ubyte.gz");
    assert_eq!(server.ranges(), [None, Some(CUT), None], "the rest; then, as the sum was wrong, the whole");
    let said = text(&output);
    for words in ["going on with", "sent other bytes", "storage.googleapis.com", "ossci-datasets", "--mirror URL"] {
        assert!(said.contains(words), "`{words}` is not in: {said}");
    }
    assert!(!root.path().join("mnist").exists());
}
