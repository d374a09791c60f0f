//! 1.5: how refusals read. (`Ask::refused` and `Ask::framework` hold every refusal of these rules to it.)

use serde_json::json;

use super::ask::*;

#[test]
fn an_error_is_one_entry_with_six_members() {
    let body = get("/v1/clusters/x").ok(404);
    assert_eq!(
        body,
        json!({"errors": [{
        "request_id": "", "code": "client", "status": 404, "title": "Cluster x could not be found",
        "detail": "Cluster x could not be found.", "links": []}]})
    );
}

#[test]
fn the_title_is_the_text_before_the_first_full_stop_and_the_detail_is_all_of_it() {
    let body = get("/v1/clusters/a.b").ok(404);
    assert_eq!(
        (&body["errors"][0]["title"], &body["errors"][0]["detail"]),
        (&json!("Cluster a"), &json!("Cluster a.b could not be found."))
    );
}

#[test]
fn what_the_framework_refuses_has_no_code_and_no_detail() {
    get("/v1/nonsense").framework(404, "Not Found");
    ask("PUT", "/v1/clusters").framework(405, "Method Not Allowed");
    get("/v1/clusters").header("accept", "text/html").framework(406, "");
}

#[test]
fn the_request_is_named_in_the_header_only() {
    let answer = get("/v1/clusters/x").status(404);
    let id = answer.header("x-openstack-request-id").unwrap();
    assert!(!answer.text.contains(id), "{}", answer.text);
}

/// Ours: Magnum repeats whole bodies (B-24).
#[test]
fn a_long_value_is_not_repeated_in_full() {
    let text = get(format!("/v1/clusters?limit={}", "9".repeat(5000))).refused(400, &["limit"]);
    assert!(text.len() < 300, "{text}");
}
