//! The words of a rule: `get("/v1/clusters/x").at("1.10").by(READER).expect(404, "Cluster x could not be found.")`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::support::cloud::CLOUD;
use super::support::http::Answer;
use super::support::service::Service;
use super::support::wire;
use super::world::world;

/// Makes templates and clusters, and asks unless another is named.
pub(crate) const MEMBER: &str = "demo";
/// A second member of the same project.
pub(crate) const PEER: &str = "demo-peer";
/// May look at what is in the same project.
pub(crate) const READER: &str = "reader";
/// An administrator in the same project.
pub(crate) const OWN_ADMIN: &str = "demo-admin";
/// An administrator in another project.
pub(crate) const ADMIN: &str = "admin";
/// A member of another project, in which only the rules of [`super::paging`] make things.
pub(crate) const STRANGER: &str = "demo2";
/// Has a token without project and roles.
pub(crate) const ROLELESS: &str = "nobody";
/// Has no token.
pub(crate) const NOBODY: &str = "";

/// A request, to the API alone unless [`Ask::of`] names another service.
pub(crate) struct Ask<'a> {
    service: Option<&'a Service>,
    method: &'static str,
    path: String,
    who: &'static str,
    version: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

pub(crate) fn ask<'a>(method: &'static str, path: impl Into<String>) -> Ask<'a> {
    Ask {
        service: None,
        method,
        path: path.into(),
        who: MEMBER,
        version: Some("latest".into()),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub(crate) fn get<'a>(path: impl Into<String>) -> Ask<'a> {
    ask("GET", path)
}

pub(crate) fn post<'a>(path: impl Into<String>) -> Ask<'a> {
    ask("POST", path)
}

pub(crate) fn patch<'a>(path: impl Into<String>) -> Ask<'a> {
    ask("PATCH", path)
}

pub(crate) fn delete<'a>(path: impl Into<String>) -> Ask<'a> {
    ask("DELETE", path)
}

impl<'a> Ask<'a> {
    /// Asks that service.
    pub(crate) fn of(self, service: &'a Service) -> Self {
        Self { service: Some(service), ..self }
    }

    /// As that user.
    pub(crate) fn by(self, who: &'static str) -> Self {
        Self { who, ..self }
    }

    /// At that microversion.
    pub(crate) fn at(self, version: &str) -> Self {
        Self { version: Some(version.to_owned()), ..self }
    }

    /// Without naming a microversion.
    pub(crate) fn unversioned(self) -> Self {
        Self { version: None, ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With that JSON.
    pub(crate) fn with(self, body: impl std::borrow::Borrow<Value>) -> Self {
        self.raw("application/json", &body.borrow().to_string())
    }

    /// With that body of that type.
    pub(crate) fn raw(mut self, kind: &str, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self.header("content-type", kind)
    }

    pub(crate) fn send(self) -> Answer {
        let version = self.version.map(|version| format!("container-infra {version}"));
        let token = token(self.who);
        let mut headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(version.as_deref().map(|version| ("openstack-api-version", version)));
        if !token.is_empty() {
            headers.push(("x-auth-token", &token));
        }
        match self.service {
            Some(service) => wire::send(service, self.method, &self.path, &headers, &self.body),
            None => wire::send(&world().service, self.method, &self.path, &headers, &self.body),
        }
    }

    /// The answer has that status.
    pub(crate) fn status(self, status: u16) -> Answer {
        let line = format!("{} {}", self.method, self.path);
        let answer = self.send();
        assert_eq!(answer.status, status, "{line}: {}", answer.text);
        answer
    }

    /// The answer has that status, and this is its body.
    pub(crate) fn ok(self, status: u16) -> Value {
        self.status(status).json()
    }

    /// The answer is that refusal in the contract's body, word for word.
    pub(crate) fn expect(self, status: u16, detail: &str) {
        assert_eq!(self.refused(status, &[]), detail);
    }

    /// The answer is a refusal in the contract's body that says all these words; gives its whole text.
    pub(crate) fn refused(self, status: u16, words: &[&str]) -> String {
        let answer = self.status(status);
        let body = answer.json();
        let detail = body["errors"][0]["detail"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        let code = if status < 500 { "client" } else { "server" };
        let title = detail.split('.').next().unwrap();
        assert_eq!(
            body,
            json!({"errors": [{
            "request_id": "", "code": code, "status": status, "title": title, "detail": detail, "links": []}]})
        );
        for word in words {
            assert!(detail.contains(word), "{word:?} is not in {detail:?}");
        }
        detail
    }

    /// The answer is one of those that no operation gives, and has no text.
    pub(crate) fn framework(self, status: u16, title: &str) -> Answer {
        let answer = self.status(status);
        assert_eq!(
            answer.json(),
            json!({"errors": [{
            "request_id": "", "code": "", "status": status, "title": title, "detail": "", "links": []}]})
        );
        answer
    }
}

/// A token of the user, one for all tests: Keystone takes its time with passwords.
pub(crate) fn token(who: &'static str) -> String {
    static KNOWN: Mutex<BTreeMap<&str, String>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || match who {
        NOBODY => String::new(),
        ROLELESS => CLOUD.token_for(&json!({"identity": CLOUD.password_of(ROLELESS)})),
        who => CLOUD.token(who),
    };
    known.entry(who).or_insert_with(new).clone()
}

/// The names of an object's members, sorted.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// One change of a patch.
pub(crate) fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!([{"op": "replace", "path": path, "value": value.into()}])
}

/// One change of a patch.
pub(crate) fn add(path: &str, value: impl Into<Value>) -> Value {
    json!([{"op": "add", "path": path, "value": value.into()}])
}

/// One change of a patch.
pub(crate) fn remove(path: &str) -> Value {
    json!([{"op": "remove", "path": path}])
}

/// The text for a field that does not hold what it may.
pub(crate) fn invalid(field: &str, value: &str, allowed: &str) -> String {
    format!("Invalid input for field/attribute {field}. Value: '{value}'. {allowed}")
}
