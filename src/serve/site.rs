//! What there is to ask for.

use super::content::Content;
use super::guard::{self, Guard, Refusal};
use super::token::Token;
use crate::compare::report::{Live, Shown, live_policy};
use crate::compare::{Options, Watched, folders_with_runs};
use crate::record::folder::file;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Folders that are followed at a time; of more, those that were asked for first are looked at anew when asked for again.
const MOST_FOLDERS: usize = 16;
/// Shorter answers are not worth compressing.
const COMPRESSED_FROM: usize = 4 << 10;

/// The files of a run or a sweep that are sent, by their ending, and what they are. Text is sent as plain text, which no browser
/// runs; weights and checkpoints are not sent.
const KINDS: [(&str, &str); 7] = [
    ("csv", "text/plain; charset=utf-8"),
    ("json", "application/json"),
    ("jsonl", "text/plain; charset=utf-8"),
    ("log", "text/plain; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("toml", "text/plain; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
];

/// For whatever is not the page itself: nothing of it runs or loads anything, even if it is opened by itself.
const FILE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// A folder of runs, as a web site.
pub struct Site {
    /// As a person named it.
    folder: PathBuf,
    /// The same, without links.
    root: PathBuf,
    options: Options,
    guard: Guard,
    /// What is followed, by the path inside; in the order in which they were first asked for.
    followed: Mutex<Vec<(String, Arc<Mutex<Live>>)>>,
}

impl Site {
    /// A site of the runs in `folder`, to be served at `address`: away from this machine only with a token.
    ///
    /// # Errors
    /// When the folder is not there.
    pub fn new(folder: PathBuf, options: Options, address: SocketAddr, token: Option<Token>) -> std::io::Result<Self> {
        let root = folder.canonicalize()?;
        std::fs::read_dir(&root)?;
        let local_names = address.ip().is_loopback();
        let guard = Guard { token, local_names, cookie: format!("runner-{}", address.port()) };
        Ok(Self { folder, root, options, guard, followed: Mutex::default() })
    }

    /// Why the runs that are there now cannot be compared, if so: what is asked of them may be a slip of the pen.
    pub fn trouble(&self) -> Option<String> {
        locked(&self.follow("")).look().trouble().map(str::to_owned)
    }

    /// Answers a request. It changes nothing anywhere.
    pub fn answer(&self, request: &Parts) -> Response<Content> {
        let mut response = self.guarded(request);
        let length = response.body().length();
        if request.method == Method::HEAD {
            *response.body_mut() = Content::empty();
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, length.into());
        for (name, value) in [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_FRAME_OPTIONS, "DENY"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        response
    }

    fn guarded(&self, request: &Parts) -> Response<Content> {
        let refused = self.guard.check(request);
        if refused == Err(Refusal::Host) {
            let message = "this server answers to localhost, 127.0.0.1 and [::1] alone";
            return said(StatusCode::MISDIRECTED_REQUEST, message);
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            let mut response = said(StatusCode::METHOD_NOT_ALLOWED, "this server only shows: GET and HEAD");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if request.uri.path() == "/" && self.guard.token_of_query(request.uri.query()) == Some(true) {
            return self.welcome(request.uri.query());
        }
        if refused == Err(Refusal::Token) {
            let message = "this server asks for its token: open /?token=TOKEN, or send `Authorization: Bearer TOKEN`";
            let mut response = said(StatusCode::UNAUTHORIZED, message);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        self.routed(request).unwrap_or_else(|| said(StatusCode::NOT_FOUND, "there is nothing here"))
    }

    /// Takes the token out of the address, where histories and logs would keep it, into a cookie.
    fn welcome(&self, query: Option<&str>) -> Response<Content> {
        let token = guard::parameter(query, "token").unwrap_or_default();
        let cookie = format!("{}={token}; Path=/; HttpOnly; SameSite=Strict", self.guard.cookie);
        let mut response = said(StatusCode::SEE_OTHER, "welcome");
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, HeaderValue::from_static("./"));
        // A token has only characters that a header can carry.
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.insert(header::SET_COOKIE, cookie);
        }
        response
    }

    /// `None` where there is nothing.
    fn routed(&self, request: &Parts) -> Option<Response<Content>> {
        let path = request.uri.path();
        if let Some(file) = path.strip_prefix("/files/") {
            return self.file(&percent_decode_str(file).decode_utf8().ok()?);
        }
        let answer: fn(&Shown, &[String]) -> (String, &'static str) = match path {
            "/" => |shown, _| (shown.page(), "text/html; charset=utf-8"),
            "/data.json" => |shown, _| (shown.data.clone(), "application/json"),
            "/live.json" => |shown, folders| (shown.news(folders).to_string(), "application/json"),
            "/report.json" => |shown, _| (shown.report.clone(), "application/json"),
            _ => return None,
        };
        if !guard::knows(request.uri.query(), &["in", "token"]) {
            let message = "this server knows ?in=FOLDER alone: what is asked of the runs stands on its command line";
            return Some(said(StatusCode::BAD_REQUEST, message));
        }
        let inside = guard::parameter(request.uri.query(), "in").unwrap_or_default();
        let folder = guard::inside(&self.root, &inside).filter(|folder| folder.is_dir())?;
        let shown = locked(&self.follow(&inside)).look();
        let (text, kind) = answer(&shown, &folders_with_runs(&folder));
        let zipped = text.len() >= COMPRESSED_FROM && takes_gzip(request);
        let bytes = if zipped { gzip(text.as_bytes()) } else { text.into_bytes() };
        let mut response = Response::new(Content::Bytes(Bytes::from(bytes)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, cookie"));
        if zipped {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let policy = if path == "/" { live_policy() + "; frame-ancestors 'none'" } else { FILE_POLICY.to_owned() };
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).ok()?);
        Some(response)
    }

    /// What follows the folder of that path inside.
    fn follow(&self, inside: &str) -> Arc<Mutex<Live>> {
        let mut followed = locked(&self.followed);
        if let Some((_, live)) = followed.iter().find(|(path, _)| path == inside) {
            return Arc::clone(live);
        }
        if followed.len() >= MOST_FOLDERS {
            followed.remove(0);
        }
        // Joining nothing would add a stroke at the end.
        let folder = if inside.is_empty() { self.folder.clone() } else { self.folder.join(inside) };
        let watched = Watched::new(folder, self.options.clone());
        let live = Arc::new(Mutex::new(Live::new(watched, self.folder.clone())));
        followed.push((inside.to_owned(), Arc::clone(&live)));
        live
    }

    /// A file of a run or a sweep.
    fn file(&self, path: &str) -> Option<Response<Content>> {
        let found = guard::inside(&self.root, path).filter(|found| !found.ends_with(file::MLFLOW))?;
        let extension = found.extension()?.to_str()?;
        let (_, kind) = KINDS.iter().find(|(ending, _)| *ending == extension)?;
        // A pipe would be waited for.
        std::fs::metadata(&found).ok().filter(std::fs::Metadata::is_file)?;
        let file = File::open(&found).ok()?;
        let left = file.metadata().ok()?.len();
        let mut response = Response::new(Content::File { file, left });
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FILE_POLICY));
        Some(response)
    }
}

/// A short answer in words.
fn said(status: StatusCode, message: &str) -> Response<Content> {
    let mut response = Response::new(Content::Bytes(Bytes::from(format!("{message}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FILE_POLICY));
    response
}

/// When answering itself went wrong.
pub fn failed() -> Response<Content> {
    said(StatusCode::INTERNAL_SERVER_ERROR, "this could not be answered; the server's log says why")
}

/// What a thread that panicked left is as good as before: it is looked at anew.
fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

fn takes_gzip(request: &Parts) -> bool {
    let accepted =
        request.headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(";q=").unwrap_or((coding, "1"));
        name.trim() == "gzip" && weight.trim().parse().is_ok_and(|weight: f32| weight > 0.0)
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(bytes).and_then(|()| zipped.finish()).unwrap_or_default()
}
