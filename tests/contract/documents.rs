//! 1.9, 1.10 and 2: links, timestamps and the two version documents.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster, shown, template};

#[test]
fn an_object_links_to_itself_with_and_without_the_version() {
    let (cluster, template) = (shown(&cluster(json!({}))), template(json!({})));
    for (object, collection) in [(cluster, "clusters"), (template, "clustertemplates")] {
        let uuid = object["uuid"].as_str().unwrap();
        let links = object["links"].as_array().unwrap();
        assert_eq!(links.iter().map(keys).collect::<Vec<_>>(), [["href", "rel"], ["href", "rel"]]);
        let href = |at: usize| links[at]["href"].as_str().unwrap();
        assert_eq!((&links[0]["rel"], &links[1]["rel"]), (&json!("self"), &json!("bookmark")));
        assert!(href(0).ends_with(&format!("/v1/{collection}/{uuid}")), "{}", href(0));
        assert_eq!(href(1), href(0).replace("/v1/", "/"));
        // Both lead back.
        for at in [0, 1] {
            let path = href(at).splitn(4, '/').nth(3).unwrap();
            assert_eq!(get(format!("/{path}")).ok(200)["uuid"], uuid);
        }
    }
}

#[test]
fn links_follow_the_proxy_that_passes_the_request_on() {
    let asked = get("/v1/clusters?limit=1").header("x-forwarded-host", "cloud.example");
    let asked = asked.header("x-forwarded-proto", "https").header("x-forwarded-prefix", "/infra");
    cluster(json!({}));
    let page = asked.ok(200);
    let href = page["clusters"][0]["links"][0]["href"].as_str().unwrap();
    assert!(href.starts_with("https://cloud.example/infra/v1/clusters/"), "{href}");
    assert!(page["next"].as_str().unwrap().starts_with("https://cloud.example/infra/v1/clusters?"), "{page}");
}

#[test]
fn times_are_iso_8601_with_an_offset() {
    let made = template(json!({}));
    let created = made["created_at"].as_str().unwrap();
    assert!(created.ends_with("+00:00") && created.as_bytes()[10] == b'T', "{created}");
    let parsed: &str = created.trim_end_matches("+00:00");
    assert!(parsed.len() == 19 || parsed.len() == 26, "{created}");
}

#[test]
fn nothing_was_updated_before_its_first_change() {
    let made = template(json!({}));
    assert_eq!(made["updated_at"], Value::Null);
    let path = format!("/v1/clustertemplates/{}", made["uuid"].as_str().unwrap());
    let changed = patch(path).with(replace("/name", "renamed")).ok(200);
    assert!(changed["updated_at"].as_str().unwrap() >= made["created_at"].as_str().unwrap(), "{changed}");
    assert_eq!(changed["created_at"], made["created_at"]);
}

#[test]
fn the_root_lists_the_one_version_with_its_range() {
    let body = get("/").by(NOBODY).ok(200);
    assert_eq!(keys(&body), ["description", "name", "versions"]);
    assert_eq!(body["name"], "OpenStack Magnum API");
    let [version] = &body["versions"].as_array().unwrap()[..] else { panic!("{body}") };
    assert_eq!(keys(version), ["id", "links", "max_version", "min_version", "status"]);
    assert_eq!((&version["id"], &version["status"]), (&json!("v1"), &json!("CURRENT")));
    assert_eq!((&version["min_version"], &version["max_version"]), (&json!("1.1"), &json!("1.14")));
    let [link] = &version["links"].as_array().unwrap()[..] else { panic!("{body}") };
    assert_eq!(link["rel"], "self");
    assert!(link["href"].as_str().unwrap().ends_with("/v1/"), "{link}");
}

#[test]
fn version_1_names_its_media_type_its_documentation_and_every_collection() {
    let body = get("/v1").by(NOBODY).ok(200);
    assert_eq!(body["id"], "v1");
    let media = json!([{"base": "application/json", "type": "application/vnd.openstack.magnum.v1+json"}]);
    assert_eq!(body["media_types"], media);
    let (own, documentation) = (&body["links"][0], &body["links"][1]);
    assert_eq!(own["rel"], "self");
    assert!(own["href"].as_str().unwrap().ends_with("/v1/"), "{own}");
    assert_eq!((&documentation["rel"], &documentation["type"]), (&json!("describedby"), &json!("text/html")));
    for (name, path) in [
        ("clustertemplates", "clustertemplates"),
        ("clusters", "clusters"),
        ("quotas", "quotas"),
        ("certificates", "certificates"),
        ("mservices", "mservices"),
        ("stats", "stats"),
        ("federations", "federations"),
        ("nodegroups", "clusters/{cluster_id}/nodegroups"),
        ("credentials", "credentials"),
    ] {
        let (own, mark) = (&body[name][0], &body[name][1]);
        assert_eq!((&own["rel"], &mark["rel"]), (&json!("self"), &json!("bookmark")), "{name}");
        assert!(own["href"].as_str().unwrap().ends_with(&format!("/v1/{path}/")), "{own}");
        assert!(mark["href"].as_str().unwrap().ends_with(&format!("/{path}/")), "{mark}");
    }
    assert_eq!(keys(&body).len(), 12);
}
