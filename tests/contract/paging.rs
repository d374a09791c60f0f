//! 1.7: pages and their order. What they list is a project's in which no other rule makes anything.

use std::sync::{Mutex, PoisonError, Weak};

use serde_json::{Value, json};

use super::ask::*;
use super::world::{World, template_body, world};

/// Makes three templates and three clusters, called `c`, `a` and `b`, once for each world.
fn three() {
    static MADE: Mutex<Weak<World>> = Mutex::new(Weak::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    if made.upgrade().is_some_and(|made| std::sync::Arc::ptr_eq(&made, &world)) {
        return;
    }
    for name in ["c", "a", "b"] {
        let body = template_body(json!({"name": name}));
        let template = post("/v1/clustertemplates").by(STRANGER).with(body).ok(201);
        let body = json!({"name": name, "cluster_template_id": template["uuid"]});
        post("/v1/clusters").by(STRANGER).with(body).status(202);
    }
    *made = std::sync::Arc::downgrade(&world);
}

const LISTS: [&str; 4] = ["/v1/clusters", "/v1/clusters/detail", "/v1/clustertemplates", "/v1/clustertemplates/detail"];

fn page(path: &str) -> Value {
    get(path).by(STRANGER).ok(200)
}

/// The names of those on the page that are this project's own.
fn names(page: &Value) -> Vec<&str> {
    let all = page.get("clusters").or_else(|| page.get("clustertemplates")).unwrap().as_array().unwrap();
    let own = all.iter().map(|entry| entry["name"].as_str().unwrap());
    own.filter(|name| name.len() == 1).collect()
}

#[test]
fn without_parameters_a_list_is_in_the_order_of_making() {
    three();
    for list in LISTS {
        assert_eq!(names(&page(list)), ["c", "a", "b"], "{list}");
    }
}

#[test]
fn a_list_is_sorted_by_a_column_in_either_direction() {
    three();
    for list in LISTS {
        assert_eq!(names(&page(&format!("{list}?sort_key=name"))), ["a", "b", "c"], "{list}");
        assert_eq!(names(&page(&format!("{list}?sort_key=name&sort_dir=asc"))), ["a", "b", "c"], "{list}");
        assert_eq!(names(&page(&format!("{list}?sort_key=name&sort_dir=desc"))), ["c", "b", "a"], "{list}");
        assert_eq!(names(&page(&format!("{list}?sort_key=created_at"))), ["c", "a", "b"], "{list}");
    }
    page("/v1/clusters?sort_key=labels");
}

#[test]
fn equal_rows_are_in_the_order_of_making() {
    three();
    assert_eq!(names(&page("/v1/clusters?sort_key=status")), ["c", "a", "b"]);
}

#[test]
fn what_is_no_column_cannot_be_sorted_by() {
    for (list, key) in [("/v1/clusters", "node_count"), ("/v1/clusters", "colour"), ("/v1/clustertemplates", "colour")]
    {
        let text = format!("The sort_key value \"{key}\" is an invalid field for sorting");
        get(format!("{list}?sort_key={key}")).expect(400, &text);
    }
}

/// Ours: an order by a secret would tell it.
#[test]
fn secret_columns_cannot_be_sorted_by() {
    for key in ["trustee_password", "credential_secret", "ssh_public_key", "spec"] {
        let text = format!("The sort_key value \"{key}\" is an invalid field for sorting");
        get(format!("/v1/clusters?sort_key={key}")).expect(400, &text);
    }
}

#[test]
fn there_are_two_directions() {
    let text = "Invalid sort direction: up. Acceptable values are 'asc' or 'desc'";
    for list in LISTS {
        get(format!("{list}?sort_dir=up")).expect(400, text);
    }
}

#[test]
fn a_limit_is_positive() {
    for limit in ["0", "-1"] {
        get(format!("/v1/clusters?limit={limit}")).expect(400, "Limit must be positive");
    }
}

#[test]
fn a_limit_is_an_integer() {
    for limit in ["", "x", "1.5"] {
        get(format!("/v1/clusters?limit={limit}")).expect(400, &invalid("limit", limit, "Allowed: an integer."));
    }
}

#[test]
fn a_limit_over_the_largest_page_is_capped_in_silence() {
    three();
    assert_eq!(names(&page("/v1/clusters?limit=5000")), ["c", "a", "b"]);
}

#[test]
fn a_page_starts_after_its_marker() {
    three();
    let first = page("/v1/clusters?limit=1")["clusters"][0]["uuid"].as_str().unwrap().to_owned();
    assert_eq!(names(&page(&format!("/v1/clusters?marker={first}"))), ["a", "b"]);
}

#[test]
fn a_marker_is_a_uuid() {
    get("/v1/clusters?marker=x").expect(400, &invalid("marker", "x", "Allowed: a UUID."));
}

#[test]
fn an_unknown_or_invisible_marker_is_404() {
    let unknown = "1f0ad0d2-6f0e-4ad1-a6f0-2f3a1f0b9e11";
    get(format!("/v1/clusters?marker={unknown}")).expect(404, &format!("Cluster {unknown} could not be found."));
    three();
    let foreign = page("/v1/clusters?limit=1")["clusters"][0]["uuid"].as_str().unwrap().to_owned();
    get(format!("/v1/clusters?marker={foreign}")).expect(404, &format!("Cluster {foreign} could not be found."));
}

#[test]
fn a_full_page_links_to_the_next_one_and_another_has_no_such_member() {
    three();
    for (list, name) in [("clusters", "clusters"), ("clusters/detail", "clusters")] {
        let first = page(&format!("/v1/{list}?limit=2&sort_key=name"));
        let last = first[name][1]["uuid"].as_str().unwrap();
        let next = first["next"].as_str().unwrap();
        let expected = format!("/v1/{list}?sort_key=name&sort_dir=asc&limit=2&marker={last}");
        assert!(next.starts_with("http://") && next.ends_with(&expected), "{next}");
        let rest = page(&next[next.find("/v1/").unwrap()..]);
        assert_eq!((names(&rest), keys(&rest)), (vec!["c"], vec![name]));
    }
}

#[test]
fn a_last_page_that_is_full_links_to_an_empty_one() {
    three();
    let full = page("/v1/clusters?limit=3");
    let next = full["next"].as_str().unwrap();
    assert_eq!(page(&next[next.find("/v1/").unwrap()..]), json!({"clusters": []}));
}

#[test]
fn templates_are_paged_as_clusters_are() {
    three();
    for list in ["clustertemplates", "clustertemplates/detail"] {
        let first = page(&format!("/v1/{list}?limit=1&sort_dir=desc"));
        let last = first["clustertemplates"][0]["uuid"].as_str().unwrap();
        let expected = format!("/v1/{list}?sort_key=id&sort_dir=desc&limit=1&marker={last}");
        assert!(first["next"].as_str().unwrap().ends_with(&expected), "{first}");
    }
}

#[test]
fn services_are_not_paged() {
    get("/v1/mservices?limit=1").by(ADMIN).expect(400, "Unknown argument: \"limit\"");
}
