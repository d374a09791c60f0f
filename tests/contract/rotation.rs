//! 6.1 and 6.2: replacing a cluster's authorities and its credential. (In which statuses: `gates`; that it is done:
//! `tests/rotation`.)

use serde_json::json;

use super::ask::*;
use super::world::complete;

#[test]
fn a_rotation_takes_no_body() {
    let uuid = complete(json!({}));
    for path in [format!("/v1/certificates/{uuid}"), format!("/v1/credentials/{uuid}")] {
        patch(&path).with(json!({"force": true})).expect(400, "Unknown argument: \"force\"");
    }
}

#[test]
fn an_unknown_cluster_is_404() {
    for path in ["/v1/certificates/no-such", "/v1/credentials/no-such"] {
        patch(path).expect(404, "Cluster no-such could not be found.");
    }
}

#[test]
fn a_strangers_cluster_is_404() {
    let uuid = complete(json!({}));
    for path in [format!("/v1/certificates/{uuid}"), format!("/v1/credentials/{uuid}")] {
        patch(path).by(STRANGER).expect(404, &format!("Cluster {uuid} could not be found."));
    }
}

#[test]
fn a_cluster_without_a_credential_has_none_to_rotate() {
    let uuid = complete(json!({"labels": {"cloud_provider_enabled": "false"}}));
    patch(format!("/v1/credentials/{uuid}")).refused(400, &["credential", "cloud_provider_enabled"]);
}

#[test]
fn any_member_of_the_project_may_rotate_the_authorities() {
    let uuid = complete(json!({}));
    // These nodes never came to be, and that is what is in the way.
    patch(format!("/v1/certificates/{uuid}")).by(PEER).refused(400, &["nodes"]);
}
