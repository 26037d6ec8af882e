//! One request for a file from some byte on, and what the answer offers.

use super::{Options, Proxy};
use std::io::Read;
use std::time::Duration;

/// An agent with the patience of the options.
pub struct Client(ureq::Agent);

/// A body that is the file from byte `from` on.
pub struct Answer {
    pub from: u64,
    /// Whether the server has said how long the file is, and it is right: then even a part of the body is worth keeping.
    pub length_stated: bool,
    pub body: Box<dyn Read>,
}

/// Why a request gave no bytes.
#[derive(Debug, PartialEq)]
pub struct Refusal {
    pub why: String,
    pub outlook: Outlook,
}

/// What to expect of the same server another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// The same.
    Lasting,
    /// It may do better.
    Passing,
    /// There was no answer: no connection, no name, a proxy that is not there. A second later that is no better, but for
    /// a server that has sent something before.
    Silent,
}

impl Refusal {
    pub fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), outlook: Outlook::Lasting }
    }

    pub fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), outlook: Outlook::Passing }
    }
}

impl Client {
    pub fn new(options: &Options) -> Self {
        let stall = options.patience.stall;
        let mut config = ureq::Agent::config_builder()
            .user_agent(concat!("runner/", env!("CARGO_PKG_VERSION")))
            // The bytes as they are: a checksum knows no encodings.
            .accept_encoding("identity")
            .http_status_as_error(false)
            .timeout_recv_response(Some(stall))
            .timeout_per_read(Some(stall));
        if options.proxy == Proxy::None {
            config = config.proxy(None);
        }
        Self(config.build().new_agent())
    }

    /// Asks for the file of `bytes` bytes from byte `from` on, with so long to connect in. A server that knows no ranges
    /// sends it from the start.
    pub fn ask(&self, url: &str, from: u64, bytes: u64, connect: Duration) -> Result<Answer, Refusal> {
        // Two limits that add up to the one: for the server's address, and for the connection.
        let resolve = connect.mul_f64(0.4);
        let mut request = (self.0.get(url).config())
            .timeout_resolve(Some(resolve))
            .timeout_connect(Some(connect.saturating_sub(resolve)))
            .build();
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        let response = request.call().map_err(|e| Refusal { why: e.to_string(), outlook: Outlook::Silent })?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        let stated = header("content-length").and_then(|length| length.parse::<u64>().ok());
        match status {
            // What a network says that wants its terms accepted first, and what a server says that has moved.
            200 | 206 if header("content-type").is_some_and(|of| is_page(&of)) => {
                return Err(Refusal::lasting("it sends a web page, not the file"));
            }
            200 => match stated {
                Some(length) if length != bytes => {
                    return Err(Refusal::lasting(format!("it offers {length} bytes, and the file has {bytes}")));
                }
                _ => {}
            },
            206 => check_range(header("content-range").as_deref(), from, bytes)?,
            // It cannot go on from there; it may yet have the whole file.
            416 if from > 0 => return self.ask(url, 0, bytes, connect),
            429 | 500.. => return Err(Refusal::passing(format!("it answers with {}", response.status()))),
            _ => return Err(Refusal::lasting(format!("it answers with {}", response.status()))),
        }
        let from = if status == 206 { from } else { 0 };
        let length_stated = status == 206 || stated.is_some();
        Ok(Answer { from, length_stated, body: Box::new(response.into_body().into_reader()) })
    }
}

/// Whether a media type is that of a page for people.
fn is_page(media_type: &str) -> bool {
    let media_type = media_type.trim_start().to_ascii_lowercase();
    ["text/html", "application/xhtml"].iter().any(|page| media_type.starts_with(page))
}

/// Whether `bytes a-b/total` is the rest of the file that was asked for.
fn check_range(range: Option<&str>, from: u64, bytes: u64) -> Result<(), Refusal> {
    let parts = range.and_then(|range| range.strip_prefix("bytes ")?.split_once('/'));
    let first = parts.and_then(|(span, _)| span.split_once('-')?.0.parse::<u64>().ok());
    let fits = |total: &str| total == "*" || total.parse() == Ok(bytes);
    match parts {
        Some((_, total)) if !fits(total) => {
            Err(Refusal::lasting(format!("it offers {total} bytes, and the file has {bytes}")))
        }
        Some(_) if first == Some(from) => Ok(()),
        _ => Err(Refusal::lasting(format!(
            "asked for the bytes from {from} on, it sends `{}`",
            range.unwrap_or("an unknown part")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_taken_only_where_it_joins_on() {
        for range in ["bytes 100-999/1000", "bytes 100-500/1000", "bytes 100-999/*"] {
            assert_eq!(check_range(Some(range), 100, 1000), Ok(()), "{range}");
        }
        for range in ["bytes 0-999/1000", "bytes 100-999/2000", "bytes */1000", "items 100-999/1000", "bytes 100"] {
            assert!(check_range(Some(range), 100, 1000).is_err(), "{range}");
        }
        assert!(check_range(None, 100, 1000).is_err());
    }
}
