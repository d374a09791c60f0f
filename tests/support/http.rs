//! Plain requests, without a client's opinions.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The text of the error in the contract's body.
    pub fn detail(&self) -> String {
        self.json().pointer("/errors/0/detail").and_then(Value::as_str).unwrap_or(&self.text).to_owned()
    }
}

pub(super) static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// Servers close connections that were idle for ten seconds: a request that meets that would fail.
pub(super) const IDLE: Duration = Duration::from_secs(4);

static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let limited = reqwest::Client::builder().timeout(Duration::from_secs(90)).pool_idle_timeout(IDLE);
    limited.no_proxy().build().unwrap()
});

pub fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
    try_request(method, url, headers, body).unwrap_or_else(|error| panic!("{method} {url}: {error}"))
}

pub fn try_request(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Result<Answer, String> {
    let mut request = CLIENT.request(method.parse().unwrap(), url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    RUNTIME.block_on(async {
        let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
        let status = answer.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let text = answer.text().await.map_err(|error| format!("{error:?}"))?;
        Ok(Answer { status, headers, text })
    })
}
