//! 1.1: where things are, and what is answered where nothing is.

use super::ask::*;
use super::support::http::request;
use super::world::{cluster, world};

#[test]
fn health_probes_stand_beside_the_api_and_need_no_token() {
    for probe in ["/healthcheck", "/readyz"] {
        get(probe).by(NOBODY).status(200);
    }
}

#[test]
fn the_two_version_documents_need_no_token() {
    for path in ["/", "/v1", "/v1/"] {
        get(path).by(NOBODY).status(200);
    }
}

#[test]
fn v1_with_an_extension_is_nothing_and_needs_no_token_to_say_so() {
    get("/v1.json").by(NOBODY).framework(404, "Not Found");
}

#[test]
fn a_path_without_v1_means_the_same_as_with_it() {
    let uuid = cluster(serde_json::json!({}));
    let with = get(format!("/v1/clusters/{uuid}")).ok(200);
    assert_eq!(get(format!("/clusters/{uuid}")).ok(200), with);
    get("/clustertemplates/no-such").expect(404, "ClusterTemplate no-such could not be found.");
}

#[test]
fn another_version_is_a_path_below_v1_that_does_not_exist() {
    get("/v2").by(NOBODY).status(401);
    get("/v2").framework(404, "Not Found");
}

#[test]
fn a_slash_at_the_end_is_tolerated() {
    let uuid = cluster(serde_json::json!({}));
    for path in ["/v1/clusters/", "/v1/clustertemplates/", "/v1/stats/", &format!("/v1/clusters/{uuid}/")] {
        get(path).status(200);
    }
    get("/v1/clusters/?limit=1").status(200);
    post("/v1/certificates/").expect(400, "Missing argument: \"certificate\"");
}

#[test]
fn a_slash_behind_detail_leads_nowhere() {
    for path in ["/v1/clusters/detail/", "/v1/clustertemplates/detail/"] {
        get(path).framework(404, "Not Found");
    }
}

#[test]
fn a_cluster_has_no_detail_below_it() {
    let uuid = cluster(serde_json::json!({}));
    get(format!("/v1/clusters/{uuid}/detail")).framework(404, "Not Found");
}

#[test]
fn an_extension_belongs_to_the_identifier() {
    let uuid = cluster(serde_json::json!({}));
    get(format!("/v1/clusters/{uuid}.json")).expect(404, &format!("Cluster {uuid}.json could not be found."));
}

#[test]
fn an_unknown_collection_is_404() {
    for path in ["/v1/nonsense", "/nonsense", "/v1/bays", "/v1/baymodels", "/v1/clusters/x/y/z"] {
        get(path).framework(404, "Not Found");
    }
}

#[test]
fn a_verb_that_a_resource_does_not_know_is_405() {
    post("/v1/stats").framework(405, "Method Not Allowed");
    post("/v1/clusters/x").framework(405, "Method Not Allowed");
    get("/v1/certificates").framework(405, "Method Not Allowed");
    delete("/v1/certificates/x").framework(405, "Method Not Allowed");
    post("/v1/mservices").framework(405, "Method Not Allowed");
}

#[test]
fn put_is_405_everywhere() {
    for path in ["/", "/v1", "/v1/clusters", "/v1/clusters/x", "/v1/clustertemplates", "/v1/quotas"] {
        ask("PUT", path).framework(405, "Method Not Allowed");
    }
}

#[test]
fn head_is_405_everywhere_but_on_the_probes() {
    for path in ["/", "/v1", "/v1/clusters", "/v1/clusters/x", "/v1/clustertemplates"] {
        let answer = ask("HEAD", path).status(405);
        assert_eq!(answer.text, "");
    }
    ask("HEAD", "/healthcheck").by(NOBODY).status(200);
}

#[test]
fn options_is_200_with_an_empty_body_everywhere() {
    for path in ["/", "/v1", "/v1/clusters", "/v1/nonsense"] {
        let answer = ask("OPTIONS", path).by(NOBODY).status(200);
        assert_eq!(answer.text, "");
    }
}

#[test]
fn a_missing_part_of_the_path_is_named() {
    for (method, path, argument) in [
        ("DELETE", "/v1/clusters", "cluster_ident"),
        ("PATCH", "/v1/clusters", "cluster_ident"),
        ("DELETE", "/v1/clustertemplates", "cluster_template_ident"),
        ("PATCH", "/v1/clustertemplates/", "cluster_template_ident"),
        ("DELETE", "/v1/quotas", "project_id"),
        ("PATCH", "/v1/quotas", "project_id"),
        ("PATCH", "/v1/certificates", "cluster_ident"),
        ("PATCH", "/v1/credentials", "cluster_ident"),
        ("PATCH", "/v1/clusters/x/nodegroups", "nodegroup_id"),
        ("DELETE", "/v1/clusters/x/nodegroups/", "nodegroup_id"),
        ("PATCH", "/v1/federations", "federation_ident"),
        ("DELETE", "/v1/federations", "federation_ident"),
    ] {
        ask(method, path).by(ADMIN).expect(400, &format!("Missing argument: \"{argument}\""));
    }
    get("/v1/quotas/x").by(ADMIN).expect(400, "Missing argument: \"resource\"");
}

#[test]
fn an_unknown_argument_is_400_and_named() {
    for path in ["/v1/clusters", "/v1/clustertemplates", "/v1/stats", "/v1/clusters/x"] {
        get(format!("{path}?colour=red")).expect(400, "Unknown argument: \"colour\"");
    }
    post("/v1/clusters?colour=red").expect(400, "Unknown argument: \"colour\"");
    delete("/v1/clusters/x?force=1").expect(400, "Unknown argument: \"force\"");
}

#[test]
fn an_argument_given_twice_is_400() {
    get("/v1/clusters?limit=1&limit=2").expect(400, "The argument \"limit\" is given more than once.");
}

/// Ours: Magnum lets such objects be made, which are then out of reach by name (B-37).
#[test]
fn names_that_stand_in_paths_are_refused_at_once() {
    for name in ["detail", "actions", "nodegroups"] {
        let body = super::world::cluster_body(serde_json::json!({"name": name}));
        post("/v1/clusters").with(body).refused(400, &["name", name, "detail, actions, nodegroups"]);
    }
    let body = super::world::template_body(serde_json::json!({"name": "detail"}));
    post("/v1/clustertemplates").with(body).refused(400, &["name", "detail"]);
}

/// Ours: a machine-readable description of every route.
#[test]
fn the_routes_are_described_beside_the_api() {
    let url = format!("{}/openapi.json", world().service.root());
    assert!(request("GET", &url, &[], None).json()["paths"]["/v1/clusters"].is_object());
}
