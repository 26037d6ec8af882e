//! Who may ask, and for what.

use super::token::Token;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderName};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Whom a server answers.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Asked for of every request, if there is one.
    pub token: Option<Token>,
    /// Whether only names of this machine are answered to. A page elsewhere may give its name this machine's address, and have a
    /// browser here ask in its name (DNS rebinding): the name in the request tells.
    pub local_names: bool,
    /// Cookies are shared by all ports of a machine, so the name holds the server's.
    pub cookie: String,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It names no host, or none that this server has.
    Host,
    /// It lacks the token, or has another.
    Token,
}

impl Guard {
    /// # Errors
    /// When the request must not be answered.
    pub fn check(&self, request: &Parts) -> Result<(), Refusal> {
        if !self.knows_host(request) {
            return Err(Refusal::Host);
        }
        match &self.token {
            Some(token) if !self.shown(request).any(|text| token.is(text)) => Err(Refusal::Token),
            _ => Ok(()),
        }
    }

    /// Whether `token=…` in an address is the token; `None` where none is asked for, or none is in the address.
    pub fn token_of_query(&self, query: Option<&str>) -> Option<bool> {
        let token = self.token.as_ref()?;
        Some(token.is(&parameter(query, "token")?))
    }

    fn knows_host(&self, request: &Parts) -> bool {
        let header = text_of(request, &HOST).and_then(|host| host.parse::<Authority>().ok());
        // A request may name its host in the first line, too.
        let named = [header.as_ref(), request.uri.authority()];
        header.is_some() && named.into_iter().flatten().all(|name| !self.local_names || is_local(name.host()))
    }

    /// All that a request shows for a token.
    fn shown<'a>(&'a self, request: &'a Parts) -> impl Iterator<Item = &'a str> {
        let bearer = text_of(request, &AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
        let cookies = request.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let ours = cookies.filter(|(name, _)| *name == self.cookie).map(|(_, value)| value);
        bearer.into_iter().chain(ours)
    }
}

fn text_of<'a>(request: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    request.headers.get(name)?.to_str().ok()
}

/// Whether a name is this machine's own, for itself.
fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// A parameter of the part of an address behind `?`, decoded; `None` where it is not there or no text.
pub fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.into_iter().find(|(key, _)| *key == name)?.1;
    Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())
}

/// Whether the part of an address behind `?` has parameters of these names alone.
pub fn knows(query: Option<&str>, names: &[&str]) -> bool {
    let mut parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    parts.all(|part| names.contains(&part.split_once('=').map_or(part, |(name, _)| name)))
}

/// Where a path of an address leads inside of `root` (a canonical path), `path` being decoded. `None` where it leads anywhere else, by
/// `..`, by a link or otherwise, where a name is hidden, or where there is nothing.
pub fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['\\', '\0', ':']);
    if !path.is_empty() && !path.split('/').all(plain) {
        return None;
    }
    let found = root.join(path).canonicalize().ok()?;
    found.starts_with(root).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    const TOKEN: &str = "0123456789abcdef";

    fn guard(token: bool, local_names: bool) -> Guard {
        Guard { token: token.then(|| Token::new(TOKEN).unwrap()), local_names, cookie: "runner-1".to_owned() }
    }

    fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_this_machines_own_names_are_answered_to() {
        let asked = |uri: &str, host: &str| guard(false, true).check(&request(uri, &[("host", host)]));
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.1.2.3", "[::1]:80", "[::1]"] {
            assert_eq!(asked("/", host), Ok(()), "{host}");
        }
        let others =
            ["evil.example", "localhost.evil.example", "192.168.0.1", "[fe80::1]", "127.0.0.1.evil.example", "", "a b"];
        for host in others.into_iter().chain(["evil@127.0.0.1@evil.example", "0.0.0.0"]) {
            assert_eq!(asked("/", host), Err(Refusal::Host), "{host}");
        }
        assert_eq!(asked("http://evil.example/", "localhost"), Err(Refusal::Host));
        assert_eq!(guard(false, true).check(&request("/", &[])), Err(Refusal::Host));
        assert_eq!(guard(false, false).check(&request("/", &[("host", "machine.example")])), Ok(()));
    }

    #[test]
    fn the_token_comes_as_a_cookie_or_a_header() {
        let asked = |name: &str, value: &str| guard(true, false).check(&request("/", &[("host", "a"), (name, value)]));
        let cookie = |name: &str| format!("other=1; {name}={TOKEN}; last=2");
        assert_eq!(asked("cookie", &cookie("runner-1")), Ok(()));
        assert_eq!(asked("authorization", &format!("Bearer {TOKEN}")), Ok(()));
        let wrong =
            [("cookie", cookie("runner-2")), ("authorization", format!("Basic {TOKEN}")), ("x", TOKEN.to_owned())];
        for (name, value) in wrong.into_iter().chain([("authorization", "Bearer 0123456789abcdeF".to_owned())]) {
            assert_eq!(asked(name, &value), Err(Refusal::Token), "{name}: {value}");
        }
        let query = |query: &str| guard(true, false).token_of_query(Some(query));
        assert_eq!(query("a=1&token=0123456789abcde%66"), Some(true));
        assert_eq!((query("token=x"), query("a=token"), query("token=%ff")), (Some(false), None, None));
    }

    #[test]
    fn parameters_are_known_by_their_names() {
        let known = |query: Option<&str>| knows(query, &["in", "token"]);
        assert!([None, Some(""), Some("in=a"), Some("token=x&in=a%26metric=b&"), Some("in")].into_iter().all(known));
        assert!(![Some("metric=val_loss"), Some("in=a&metric"), Some("In=a")].into_iter().any(known));
    }

    #[test]
    fn paths_lead_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let root_path = root.path().canonicalize().unwrap();
        std::fs::create_dir(root_path.join("a")).unwrap();
        for file in ["a/run.json", ".hidden", "a/b c.csv"] {
            std::fs::write(root_path.join(file), "").unwrap();
        }
        std::fs::write(other.path().join("secret.json"), "").unwrap();
        for path in ["a/run.json", "a", "", "a/b c.csv"] {
            assert_eq!(inside(&root_path, path), Some(root_path.join(path)), "{path}");
        }
        let out = other.path().join("secret.json");
        let sibling = format!("../{}/secret.json", other.path().file_name().unwrap().to_str().unwrap());
        let out = out.to_str().unwrap();
        for path in [
            "..",
            "a/..",
            "a/../a/run.json",
            ".",
            "/",
            "a/",
            "//a",
            ".hidden",
            "a\\run.json",
            "absent",
            "a\0",
            out,
            &sibling,
        ] {
            assert_eq!(inside(&root_path, path), None, "{path}");
        }
        #[cfg(unix)]
        for (link, to) in [("link.json", other.path().join("secret.json")), ("links", other.path().to_owned())] {
            std::os::unix::fs::symlink(to, root_path.join(link)).unwrap();
            assert_eq!((inside(&root_path, link), inside(&root_path, "links/secret.json")), (None, None));
        }
    }
}
