//! The version documents.

use axum::Json;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::links::{Base, Link};
use crate::microversion::{MAX, MIN};

/// What there is below `/v1`; the first is the member's name, the second the path.
const COLLECTIONS: [(&str, &str); 9] = [
    ("clustertemplates", "clustertemplates"),
    ("clusters", "clusters"),
    ("quotas", "quotas"),
    ("certificates", "certificates"),
    ("mservices", "mservices"),
    ("stats", "stats"),
    ("federations", "federations"),
    ("nodegroups", "clusters/{cluster_id}/nodegroups"),
    ("credentials", "credentials"),
];

/// The list of versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct Versions {
    /// What this service calls itself.
    name: &'static str,
    /// What it is for.
    description: &'static str,
    /// Every version, of which there is one.
    versions: [Version; 1],
}

/// One version.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    /// Its name.
    id: &'static str,
    /// Where it is.
    links: [Link; 1],
    /// Always `CURRENT`.
    status: &'static str,
    /// The largest microversion.
    max_version: String,
    /// The smallest microversion.
    min_version: String,
}

/// Lists the versions of the API.
#[utoipa::path(get, path = "/", tag = "versions", security(()),
    responses((status = 200, description = "The versions", body = Versions)))]
pub async fn versions(base: Base) -> Json<Versions> {
    Json(Versions {
        name: "OpenStack Magnum API",
        description: "Container clusters for OpenStack: cluster templates, clusters and their certificates.",
        versions: [Version {
            id: "v1",
            links: [Link { href: base.v1(""), rel: "self", kind: None }],
            status: "CURRENT",
            max_version: MAX.to_string(),
            min_version: MIN.to_string(),
        }],
    })
}

/// Describes version 1 and what is below it.
#[utoipa::path(get, path = "/v1", tag = "versions", security(()),
    responses((status = 200, description = "Version 1", body = Object)))]
pub async fn version_1(base: Base) -> Json<Value> {
    let mut document = Map::new();
    document.insert("id".into(), "v1".into());
    document.insert(
        "media_types".into(),
        json!([{"base": "application/json", "type": "application/vnd.openstack.magnum.v1+json"}]),
    );
    document.insert(
        "links".into(),
        json!([
            {"href": base.v1(""), "rel": "self"},
            {"href": "https://docs.openstack.org/api-ref/container-infrastructure-management/", "rel": "describedby",
                "type": "text/html"},
        ]),
    );
    for (name, path) in COLLECTIONS {
        document.insert(
            name.into(),
            json!([
                {"href": base.v1(&format!("{path}/")), "rel": "self"},
                {"href": format!("{}/{path}/", base.0), "rel": "bookmark"},
            ]),
        );
    }
    Json(document.into())
}
