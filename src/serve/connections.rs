//! Connections of clients that may be slow, many or hostile.
//!
//! A connection is for one request. Its header must come within a few seconds and be small, and its answer must be taken
//! within minutes. There are so many connections at a time; when a further one comes, the oldest makes room: whoever holds
//! connections open keeps others out for no longer than it takes to open one.

use super::content::Content;
use super::site::Site;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn, spawn_blocking};
use tokio::time::{sleep, timeout};

/// For the first line and the headers of a request to come.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// For a request and its answer.
const LIFETIME: Duration = Duration::from_secs(300);
const MOST_CONNECTIONS: usize = 64;
/// Bytes of a request's first line and headers, and how many of these.
const HEADER_BYTES: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
/// Requests that are worked on at a time; others wait.
const WORKERS: usize = 4;
/// How soon a wish to stop is seen.
const GLANCE: Duration = Duration::from_millis(200);

/// Answers requests until `stop` says so.
///
/// # Errors
/// When the runtime or the socket cannot be set up.
pub fn serve(listener: TcpListener, site: Site, stop: impl Fn() -> bool) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(WORKERS).build()?;
    let accepted = runtime.block_on(accept(listener, Arc::new(site), stop));
    // Answers that are on their way are not waited for: their clients will ask again.
    runtime.shutdown_background();
    accepted
}

async fn accept(listener: TcpListener, site: Arc<Site>, stop: impl Fn() -> bool) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    // The runtime's own queue forgets no work whose client is gone; what waits here goes with its connection.
    let workers = Arc::new(Semaphore::new(WORKERS));
    let mut connections: VecDeque<JoinHandle<()>> = VecDeque::new();
    while !stop() {
        let Ok(accepted) = timeout(GLANCE, listener.accept()).await else { continue };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Of one client, or no more files can be opened: neither is the end of the server.
                log::warn!("a connection could not be accepted: {error}");
                sleep(GLANCE).await;
                continue;
            }
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= MOST_CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        connections.push_back(spawn(connection(stream, Arc::clone(&site), Arc::clone(&workers))));
    }
    Ok(())
}

async fn connection(stream: TcpStream, site: Arc<Site>, workers: Arc<Semaphore>) {
    let answer = service_fn(move |request| answer(Arc::clone(&site), Arc::clone(&workers), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .max_headers(MOST_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    // What goes wrong with a connection is its client's concern.
    match timeout(LIFETIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("a connection ended early: {error}"),
        Err(_) => log::debug!("a connection was cut: its client took too long"),
    }
}

/// Runs are compared and files opened apart from the thread that keeps the connections, which reads a file's bytes itself, piece
/// by piece, as its client takes them.
async fn answer(
    site: Arc<Site>,
    workers: Arc<Semaphore>,
    request: Request<Incoming>,
) -> Result<Response<Content>, Infallible> {
    // No body is read: requests that only read have none.
    let (parts, _) = request.into_parts();
    // Nobody ever closes it.
    let Ok(permit) = workers.acquire_owned().await else { return Ok(super::site::failed()) };
    let work = move || {
        // Held until the work is done, be its client still there or not.
        let _permit = permit;
        site.answer(&parts)
    };
    let answered = spawn_blocking(work).await;
    Ok(answered.unwrap_or_else(|error| {
        log::error!("a request could not be answered: {error}");
        super::site::failed()
    }))
}
