//! Heat: stacks, their listing, their failing leaves.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{Error, Kind, Result};
use super::http::{Call, Method, found};
use super::{Service, Session};

mod failure;

pub use failure::{Failure, failures};

const SERVICE: Service = Service::Heat;
/// Stacks per page of a listing.
const PAGE: usize = 1000;

/// What a stack is to be.
#[derive(Debug, Clone, Copy)]
pub struct NewStack<'a> {
    /// Its name, unique in the project.
    pub name: &'a str,
    /// Template, files and parameters; hidden ones are struck out of error texts.
    pub stack: &'a drivers::Stack,
    /// Its tags.
    pub tags: &'a [String],
}

/// A stack as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub stack_name: String,
    /// Action and state, as `CREATE_IN_PROGRESS`.
    pub stack_status: String,
    /// Heat's reason for it.
    #[serde(default)]
    pub stack_status_reason: Option<String>,
    /// When it was made, in Heat's notation.
    #[serde(default)]
    pub creation_time: Option<String>,
    /// When its last update began, in Heat's notation.
    #[serde(default)]
    pub updated_time: Option<String>,
    /// Its tags.
    #[serde(default, deserialize_with = "none_as_empty")]
    pub tags: Vec<String>,
    /// Its project, where the listing says it.
    #[serde(default)]
    pub project: Option<String>,
}

/// A stack in full.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Stack {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub stack_name: String,
    /// Action and state, as `CREATE_COMPLETE`.
    pub stack_status: String,
    /// Heat's reason for it.
    #[serde(default)]
    pub stack_status_reason: Option<String>,
    /// When its last update began, in Heat's notation.
    #[serde(default)]
    pub updated_time: Option<String>,
    /// Its tags.
    #[serde(default, deserialize_with = "none_as_empty")]
    pub tags: Vec<String>,
    /// Its parameters; hidden ones as `******`.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// Its outputs; empty where they were not asked for.
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Output {
    output_key: String,
    #[serde(default)]
    output_value: Value,
}

impl Stack {
    /// Its outputs by name.
    #[must_use]
    pub fn outputs(&self) -> BTreeMap<String, Value> {
        self.outputs.iter().map(|output| (output.output_key.clone(), output.output_value.clone())).collect()
    }
}

fn none_as_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn body(new: &NewStack<'_>) -> Value {
    let mut body = json!({
        "stack_name": new.name,
        "template": new.stack.template,
        "files": new.stack.files,
        "environment": new.stack.environment(),
        "disable_rollback": true,
    });
    if !new.tags.is_empty() {
        body["tags"] = new.tags.join(",").into();
    }
    if let Some(minutes) = new.stack.timeout_mins {
        body["timeout_mins"] = minutes.into();
    }
    body
}

fn with_secrets<'a>(mut call: Call<'a>, new: &NewStack<'a>) -> Call<'a> {
    call.secrets.extend(new.stack.hidden.values().map(String::as_str));
    call
}

/// Submits a stack without rollback and gives its identifier.
///
/// # Errors
/// Kind `Conflict` where the project has a stack of that name, `Quota` where Heat's limits (stacks per project,
/// resources per stack, size of a template) are passed, `Invalid` where Heat refuses the template; after `Timeout` and
/// `Unavailable` the stack may exist.
pub async fn create(session: &Session, new: &NewStack<'_>) -> Result<String> {
    #[derive(Deserialize)]
    struct Created {
        id: String,
    }
    let call = with_secrets(Call::post(SERVICE, &["stacks"], body(new)), new);
    let created: Created = session.send(call).await?.part("stack")?;
    Ok(created.id)
}

/// Replaces a stack's template, files and parameters.
///
/// # Errors
/// Kind `Conflict` where an action is under way, `NotFound` where the stack is gone; else as [`create`].
pub async fn update(session: &Session, id: &str, new: &NewStack<'_>) -> Result<()> {
    let call = Call::new(SERVICE, Method::PUT, &["stacks", new.name, id]).body(body(new));
    session.send(with_secrets(call, new)).await.map(drop)
}

/// What of a stack changes while its template, its files and all other parameters stay.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'a> {
    /// Parameters of the top template.
    pub parameters: &'a Map<String, Value>,
    /// Secrets handed down to nested templates as `parameter_defaults`; struck out of error texts.
    pub handed_down: &'a BTreeMap<String, String>,
    /// Files that take the place of those of the same names.
    pub files: &'a BTreeMap<String, String>,
    /// All its tags from now on; none leaves them as they are.
    pub tags: &'a [String],
    /// Minutes Heat may take; absent means as before.
    pub timeout_mins: Option<u32>,
}

/// Updates a stack with its present template and files, changing only the given parameters; without rollback.
///
/// # Errors
/// As [`update`].
pub async fn change_parameters(session: &Session, name: &str, id: &str, change: &Parameters<'_>) -> Result<()> {
    let environment = json!({"parameters": change.parameters, "parameter_defaults": change.handed_down});
    let mut body = json!({"environment": environment, "disable_rollback": true});
    if !change.files.is_empty() {
        body["files"] = json!(change.files);
    }
    if !change.tags.is_empty() {
        body["tags"] = change.tags.join(",").into();
    }
    if let Some(minutes) = change.timeout_mins {
        body["timeout_mins"] = minutes.into();
    }
    let mut call = Call::new(SERVICE, Method::PATCH, &["stacks", name, id]).body(body);
    call.secrets.extend(change.handed_down.values().map(String::as_str));
    session.send(call).await.map(drop)
}

/// Has Heat check a template and its nested ones; creates nothing.
///
/// # Errors
/// Kind `Invalid` with Heat's explanation.
pub async fn validate(session: &Session, new: &NewStack<'_>) -> Result<()> {
    let body = json!({
        "template": new.stack.template,
        "files": new.stack.files,
        "environment": new.stack.environment(),
    });
    let mut call = Call::post(SERVICE, &["validate"], body);
    call.repeatable = true;
    session.send(with_secrets(call, new)).await.map(drop)
}

/// The identifier of the project's stack of that name. Heat answers a name with a redirect; its path holds the
/// identifier, whatever host it names. A stack just deleted may still be found for a moment, as `DELETE_COMPLETE`.
///
/// # Errors
/// As every call: see [`super::Kind`].
pub async fn find(session: &Session, name: &str) -> Result<Option<String>> {
    let mut call = Call::get(SERVICE, &["stacks", name]).query("resolve_outputs", "false");
    call.redirect_is_answer = true;
    let Some(reply) = found(session.send(call).await)? else {
        return Ok(None);
    };
    if reply.status == 200 {
        return Ok(Some(reply.part::<Listed>("stack")?.id));
    }
    let path = reply.header("location").unwrap_or_default().split('?').next().unwrap_or_default();
    let id = path.trim_end_matches('/').rsplit('/').next().filter(|id| uuid::Uuid::try_parse(id).is_ok());
    let none =
        || Error::protocol(SERVICE, format!("it redirects from the stack {name:?} to a path without identifier"));
    id.map(|id| Some(id.to_owned())).ok_or_else(none)
}

/// A stack by name and identifier, with its outputs where `outputs`; they cost Heat most of the work.
///
/// # Errors
/// As every call.
pub async fn get(session: &Session, name: &str, id: &str, outputs: bool) -> Result<Option<Stack>> {
    let call = Call::get(SERVICE, &["stacks", name, id]).query("resolve_outputs", outputs.to_string());
    found(session.send(call).await)?.map(|reply| reply.part("stack")).transpose()
}

/// Which stacks to list.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Those that carry all the tags.
    Tagged(&'a [&'a str]),
    /// Those with one of the identifiers, as long as they fit into a URL: each costs Heat a look, others nothing.
    These(&'a [&'a str]),
}

/// The stacks of the session's project, or of all projects where `global`.
///
/// # Errors
/// Kind `Forbidden` where Heat does not grant the global listing.
pub async fn list(session: &Session, which: Which<'_>, global: bool) -> Result<Vec<Listed>> {
    let mut all: Vec<Listed> = Vec::new();
    if matches!(which, Which::These([])) {
        // Without an identifier Heat would list all.
        return Ok(all);
    }
    loop {
        let page = page(session, which, global, PAGE, all.last().map(|stack| stack.id.as_str())).await?;
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

/// One page of [`list`]: at most `limit` stacks after the one called `marker`.
///
/// # Errors
/// As [`list`].
pub async fn page(
    session: &Session,
    which: Which<'_>,
    global: bool,
    limit: usize,
    marker: Option<&str>,
) -> Result<Vec<Listed>> {
    let mut call = Call::get(SERVICE, &["stacks"]).query("limit", limit.to_string());
    call = match which {
        Which::Tagged([]) => call,
        Which::Tagged(tags) => call.query("tags", tags.join(",")),
        Which::These(ids) => ids.iter().fold(call, |call, id| call.query("id", *id)),
    };
    if global {
        call = call.query("global_tenant", "true");
    }
    if let Some(marker) = marker {
        call = call.query("marker", marker);
    }
    session.send(call).await?.part("stacks")
}

/// Begins to delete a stack; false where it is gone already.
///
/// # Errors
/// As every call.
pub async fn delete(session: &Session, name: &str, id: &str) -> Result<bool> {
    Ok(found(session.send(Call::delete(SERVICE, &["stacks", name, id])).await)?.is_some())
}

/// Whether an error of [`list`] says that the global listing is not granted.
#[must_use]
pub fn is_not_global(error: &Error) -> bool {
    error.kind == Kind::Forbidden
}
