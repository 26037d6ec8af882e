//! A server on this machine that answers as a test tells it to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Without the leading `/`.
    pub path: String,
    /// First byte of the range asked for.
    pub from: Option<usize>,
}

/// What it gets.
pub struct Reply {
    pub status: &'static str,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    /// Whether the connection stays open, with nothing more to come.
    pub hangs: bool,
}

impl Reply {
    /// The whole of a file, whatever part was asked for.
    pub fn whole(file: &[u8]) -> Self {
        let headers = vec![format!("Content-Length: {}", file.len())];
        Self { status: "200 OK", headers, body: file.to_vec(), hangs: false }
    }

    /// No answer at all: the connection is closed.
    pub fn silence() -> Self {
        Self::status("")
    }

    pub fn status(status: &'static str) -> Self {
        Self { status, headers: vec!["Content-Length: 0".to_owned()], body: Vec::new(), hangs: false }
    }

    /// The file from the byte asked for, as a server that knows ranges sends it.
    pub fn ranged(file: &[u8], request: &Request) -> Self {
        match request.from {
            None => Self::whole(file),
            Some(from) if from >= file.len() => Self::status("416 Range Not Satisfiable"),
            Some(from) => {
                let mut reply = Self::whole(&file[from..]);
                reply.status = "206 Partial Content";
                reply.headers.push(format!("Content-Range: bytes {from}-{}/{}", file.len() - 1, file.len()));
                reply
            }
        }
    }

    /// Sends only so many bytes of the body, and then closes.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    /// Sends only so many bytes of the body, and then nothing for as long as the server lives.
    pub fn stalled(self, bytes: usize) -> Self {
        Self { hangs: true, ..self.cut(bytes) }
    }
}

/// Serves until the test ends.
pub struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by `answer`, which is told how many came before it.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                let before = seen.lock().unwrap().len();
                seen.lock().unwrap().push(request.clone());
                let reply = answer(&request, before);
                // A client that has seen enough may hang up.
                let _ = send(&mut stream, &reply);
                if reply.hangs {
                    open.push(stream);
                }
            }
        });
        Self { port, requests }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The first bytes asked for, in order.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        self.requests().into_iter().map(|request| request.from).collect()
    }
}

/// A port that nobody listens on.
pub fn dead_url() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let mut from = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    Some(Request { path, from })
}

fn send(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    if reply.status.is_empty() {
        return Ok(());
    }
    write!(stream, "HTTP/1.1 {}\r\nConnection: close\r\n", reply.status)?;
    for header in &reply.headers {
        write!(stream, "{header}\r\n")?;
    }
    stream.write_all(b"\r\n")?;
    stream.write_all(&reply.body)?;
    stream.flush()
}
