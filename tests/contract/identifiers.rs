//! 1.8: how an object is named, and whose are found.

use serde_json::json;

use super::ask::*;
use super::support::unique;
use super::world::{cluster, cluster_body, complete, shown, template, template_body};

const ABSENT: &str = "1f0ad0d2-6f0e-4ad1-a6f0-2f3a1f0b9e11";
const TWO_CLUSTERS: &str = "Multiple clusters exist with same name. Please use the cluster uuid instead.";
const TWO_TEMPLATES: &str =
    "Multiple ClusterTemplates exist with same name. Please use the ClusterTemplate uuid instead.";

#[test]
fn an_object_is_found_by_its_uuid_or_by_its_name() {
    let name = unique("named");
    let uuid = cluster(json!({"name": name}));
    assert_eq!(get(format!("/v1/clusters/{name}")).ok(200), get(format!("/v1/clusters/{uuid}")).ok(200));
    let made = template(json!({"name": name}));
    assert_eq!(get(format!("/v1/clustertemplates/{name}")).ok(200), made);
}

#[test]
fn a_name_may_hold_what_a_path_cannot() {
    let name = unique("a/b ü");
    let made = template(json!({"name": name}));
    let path = name.replace('/', "%2F").replace(' ', "%20").replace('ü', "%C3%BC");
    assert_eq!(get(format!("/v1/clustertemplates/{path}")).ok(200), made);
}

/// Ours: Magnum never finds them so (B-26).
#[test]
fn a_uuid_counts_in_upper_case_and_without_dashes() {
    let uuid = cluster(json!({}));
    for spelled in [uuid.to_uppercase(), uuid.replace('-', "")] {
        assert_eq!(get(format!("/v1/clusters/{spelled}")).ok(200)["uuid"], uuid);
        let template = shown(&uuid)["cluster_template_id"].as_str().unwrap().to_uppercase();
        post("/v1/clusters").with(cluster_body(json!({"cluster_template_id": template}))).status(202);
    }
}

#[test]
fn the_case_of_a_name_counts() {
    let name = unique("cased");
    cluster(json!({"name": name}));
    let other = name.to_uppercase();
    get(format!("/v1/clusters/{other}")).expect(404, &format!("Cluster {other} could not be found."));
}

#[test]
fn what_is_not_there_is_404_by_uuid_and_by_name() {
    for ident in [ABSENT, "no-such"] {
        let text = format!("Cluster {ident} could not be found.");
        get(format!("/v1/clusters/{ident}")).expect(404, &text);
        delete(format!("/v1/clusters/{ident}")).expect(404, &text);
        get(format!("/v1/certificates/{ident}")).expect(404, &text);
        let text = format!("ClusterTemplate {ident} could not be found.");
        get(format!("/v1/clustertemplates/{ident}")).expect(404, &text);
        patch(format!("/v1/clustertemplates/{ident}")).with(json!([])).expect(404, &text);
        delete(format!("/v1/clustertemplates/{ident}")).expect(404, &text);
    }
}

#[test]
fn foreign_objects_are_404_and_never_403() {
    let (uuid, template) = (cluster(json!({})), template(json!({})));
    let template = template["uuid"].as_str().unwrap();
    let absent = format!("Cluster {uuid} could not be found.");
    for asked in [get(format!("/v1/clusters/{uuid}")), delete(format!("/v1/clusters/{uuid}"))] {
        asked.by(STRANGER).expect(404, &absent);
    }
    get(format!("/v1/certificates/{uuid}")).by(STRANGER).expect(404, &absent);
    let absent = format!("ClusterTemplate {template} could not be found.");
    let path = format!("/v1/clustertemplates/{template}");
    for asked in [get(&path), delete(&path), patch(&path).with(json!([]))] {
        asked.by(STRANGER).expect(404, &absent);
    }
}

#[test]
fn names_need_not_be_unique() {
    let name = unique("double");
    for _ in 0..2 {
        cluster(json!({"name": name}));
        template(json!({"name": name}));
    }
}

#[test]
fn a_name_that_several_have_is_409_wherever_one_is_meant() {
    let name = unique("double");
    for _ in 0..2 {
        complete(json!({"name": name}));
        template(json!({"name": name}));
    }
    let path = format!("/v1/clusters/{name}");
    get(&path).expect(409, TWO_CLUSTERS);
    delete(&path).expect(409, TWO_CLUSTERS);
    get(format!("/v1/certificates/{name}")).expect(409, TWO_CLUSTERS);
    let csr = json!({"cluster_uuid": name, "csr": "x"});
    post("/v1/certificates").with(csr).expect(409, TWO_CLUSTERS);
    let path = format!("/v1/clustertemplates/{name}");
    for asked in [get(&path), delete(&path), patch(&path).with(json!([]))] {
        asked.expect(409, TWO_TEMPLATES);
    }
    post("/v1/clusters").with(cluster_body(json!({"cluster_template_id": name}))).expect(409, TWO_TEMPLATES);
}

#[test]
fn a_name_that_several_have_is_409_for_changes_too() {
    let name = unique("double");
    for _ in 0..2 {
        complete(json!({"name": name}));
    }
    let path = format!("/v1/clusters/{name}");
    for asked in [
        patch(&path).with(json!([])),
        post(format!("{path}/actions/resize")).with(json!({"node_count": 2})),
        post(format!("{path}/actions/upgrade")).with(json!({"cluster_template": "x"})),
        get(format!("{path}/nodegroups")),
        patch(format!("/v1/certificates/{name}")),
        patch(format!("/v1/credentials/{name}")),
    ] {
        asked.expect(409, TWO_CLUSTERS);
    }
}

#[test]
fn a_name_that_only_one_project_has_is_not_ambiguous_in_it() {
    let name = unique("mine");
    let mine = cluster(json!({"name": name}));
    let body = template_body(json!({"name": name}));
    let template = post("/v1/clustertemplates").by(ADMIN).with(body).ok(201);
    let theirs = json!({"name": name, "cluster_template_id": template["uuid"]});
    post("/v1/clusters").by(ADMIN).with(theirs).status(202);
    assert_eq!(get(format!("/v1/clusters/{name}")).ok(200)["uuid"], mine);
    get(format!("/v1/clusters/{name}")).by(ADMIN).expect(409, TWO_CLUSTERS);
}

/// Ours: Magnum also takes the database's number (B-25).
#[test]
fn the_databases_number_names_nothing() {
    let body = cluster_body(json!({"cluster_template_id": "1"}));
    post("/v1/clusters").with(body).expect(404, "ClusterTemplate 1 could not be found.");
    get("/v1/clusters/1").expect(404, "Cluster 1 could not be found.");
}

#[test]
fn administrators_find_every_projects_objects() {
    let (uuid, made) = (cluster(json!({})), template(json!({})));
    get(format!("/v1/clusters/{uuid}")).by(ADMIN).status(200);
    let path = format!("/v1/clustertemplates/{}", made["uuid"].as_str().unwrap());
    get(&path).by(ADMIN).status(200);
    delete(path).by(ADMIN).status(204);
    delete(format!("/v1/clusters/{uuid}")).by(ADMIN).status(204);
}

/// Ours: Magnum does so in some places only (B-05).
#[test]
fn administrators_find_every_projects_objects_wherever_they_are_named() {
    let (uuid, made) = (complete(json!({})), template(json!({})));
    let template = made["uuid"].as_str().unwrap();
    patch(format!("/v1/clustertemplates/{template}")).by(ADMIN).with(json!([])).status(200);
    post("/v1/clusters").by(ADMIN).with(cluster_body(json!({"cluster_template_id": template}))).status(202);
    let path = format!("/v1/clusters/{uuid}");
    patch(&path).by(ADMIN).with(json!([])).status(202);
    get(format!("{path}/nodegroups")).by(ADMIN).status(200);
    post(format!("{path}/actions/resize")).by(ADMIN).with(json!({"node_count": 2})).status(202);
    post("/v1/certificates").by(ADMIN).with(json!({"cluster_uuid": uuid, "csr": "x"})).refused(400, &["csr"]);
}
