//! Requests to the server.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::time::Duration;

/// The variables that MLflow's own client knows, too.
pub const URI: &str = "MLFLOW_TRACKING_URI";
const EXPERIMENT: &str = "MLFLOW_EXPERIMENT_NAME";
const USER: &str = "MLFLOW_TRACKING_USERNAME";
const PASSWORD: &str = "MLFLOW_TRACKING_PASSWORD";
const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";

const CONNECT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(10);

/// A server, and how to be let in.
#[derive(Clone, Debug)]
pub struct Address {
    /// Without a stroke at its end, and without a name and password: it is written down and shown.
    pub uri: String,
    /// The experiment on the server; that of the run's name when absent.
    pub experiment: Option<String>,
    authorization: Option<String>,
}

/// Why something was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MlflowError {
    #[error(
        "{URI} is `{0}`, which is no address of a server: give one that begins with http:// or https://, or unset it"
    )]
    Address(String),
    /// Nobody answered, or with nonsense: it may do better another time.
    #[error("the MLflow server at {uri} cannot be reached: {why}")]
    Unreachable { uri: String, why: String },
    /// It said no.
    #[error("the MLflow server at {uri} refuses {what}: {why}")]
    Refused { uri: String, what: &'static str, code: String, why: String },
    #[error(transparent)]
    Record(#[from] crate::record::RecordError),
}

impl MlflowError {
    /// Whether the server does not know what it was asked about.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "RESOURCE_DOES_NOT_EXIST")
    }
}

impl Address {
    /// The server that the environment names; `None` where it names none.
    ///
    /// # Errors
    /// When what it names is no web address: files and databases are for programs in Python.
    pub fn from_env() -> Result<Option<Self>, MlflowError> {
        let given = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let Some(uri) = given(URI) else { return Ok(None) };
        let mut address = Self::new(&uri)?;
        address.experiment = given(EXPERIMENT);
        let named = |user: String| basic(format!("{user}:{}", given(PASSWORD).unwrap_or_default()).as_bytes());
        let said = given(USER).map(named).or_else(|| given(TOKEN).map(|token| format!("Bearer {token}")));
        address.authorization = said.or(address.authorization);
        Ok(Some(address))
    }

    /// `https://user:password@host/path`, without the middle where nobody has to be let in.
    ///
    /// # Errors
    /// When it is no web address.
    pub fn new(uri: &str) -> Result<Self, MlflowError> {
        let (uri, user) = without_user(uri);
        if !uri.starts_with("http://") && !uri.starts_with("https://") {
            return Err(MlflowError::Address(uri));
        }
        Ok(Self { uri: uri.trim_end_matches('/').to_owned(), experiment: None, authorization: user.map(of_address) })
    }
}

/// An address without what stands before its host, and that.
fn without_user(uri: &str) -> (String, Option<&str>) {
    let parts = || {
        let (scheme, rest) = uri.split_once("://")?;
        let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = host.rsplit_once('@')?;
        Some((format!("{scheme}://{host}{path}"), Some(user)))
    };
    parts().unwrap_or_else(|| (uri.to_owned(), None))
}

/// What `user:password` of an address stands for.
fn of_address(user: &str) -> String {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let bytes: Vec<u8> = percent_decode_str(user).chain([b':']).chain(percent_decode_str(password)).collect();
    basic(&bytes)
}

fn basic(user_and_password: &[u8]) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(user_and_password))
}

/// A connection to a server.
pub struct Client {
    agent: ureq::Agent,
    address: Address,
}

impl Client {
    pub fn new(address: Address) -> Self {
        let config = ureq::Agent::config_builder()
            .user_agent(concat!("runner/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE));
        Self { agent: config.build().new_agent(), address }
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks for something of the API: `runs/create`. `what` names it in messages.
    pub fn post(&self, path: &str, what: &'static str, body: &Value) -> Result<Value, MlflowError> {
        let uri = format!("{}/api/2.0/mlflow/{path}", self.address.uri);
        let mut request = self.agent.post(&uri).header("Content-Type", "application/json");
        if let Some(authorization) = &self.address.authorization {
            request = request.header("Authorization", authorization);
        }
        let unreachable = |why: String| MlflowError::Unreachable { uri: self.address.uri.clone(), why };
        let mut response = request.send(body.to_string()).map_err(|error| unreachable(error.to_string()))?;
        let status = response.status();
        let text = response.body_mut().read_to_string().map_err(|error| unreachable(error.to_string()))?;
        let answer: Option<Value> = serde_json::from_str(&text).ok();
        match answer {
            Some(answer) if status.is_success() => Ok(answer),
            // A server that is starting, overloaded or behind a gateway may do better later.
            _ if status.is_server_error() || status.as_u16() == 429 => {
                Err(unreachable(format!("it answers with {status}")))
            }
            _ => {
                let said =
                    |key: &str| answer.as_ref().and_then(|answer| answer[key].as_str()).unwrap_or_default().to_owned();
                let why =
                    if said("message").is_empty() { format!("it answers with {status}") } else { said("message") };
                Err(MlflowError::Refused { uri: self.address.uri.clone(), what, code: said("error_code"), why })
            }
        }
    }
}
