//! 8.3: in which statuses of the cluster what may begin.
//!
//! Ours, for changes of size: Magnum answers 202 in every status and drops the request later (B-03); and it never lets a
//! cluster out of `UPDATE_FAILED` by the request that failed (B-15).

use serde_json::json;

use super::ask::*;
use super::world::{complete, rests, shown, template, world};

const STABLE: [&str; 8] = [
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "RESUME_COMPLETE",
    "RESTORE_COMPLETE",
    "ROLLBACK_COMPLETE",
    "SNAPSHOT_COMPLETE",
    "CHECK_COMPLETE",
    "ADOPT_COMPLETE",
];

const NEVER: [&str; 4] = ["CREATE_IN_PROGRESS", "CREATE_FAILED", "DELETE_IN_PROGRESS", "DELETE_FAILED"];

/// A cluster in that status, on which nothing else is under way.
fn in_status(uuid: &str, status: &str) {
    rests(uuid, "CREATE_COMPLETE");
    world().write(&format!("UPDATE cluster SET status = '{status}' WHERE uuid = '{uuid}'"));
}

/// Whether what `ask` asks begins in those statuses, and with which refusal it does not in those.
fn gate(uuid: &str, ask: impl Fn() -> Ask<'static>, begins: &[&str], refusal: u16, refused: &[&str]) {
    for status in begins {
        in_status(uuid, status);
        assert_eq!(ask().send().status, 202, "{status}");
        assert_eq!(shown(uuid)["status"], "UPDATE_IN_PROGRESS", "{status}");
    }
    for status in refused {
        in_status(uuid, status);
        ask().refused(refusal, &[&format!("when status is \"{status}\" is not supported")]);
        assert_eq!(shown(uuid)["status"], *status);
    }
}

#[test]
fn the_number_of_workers_changes_in_stable_and_failed_statuses() {
    let uuid = complete(json!({}));
    let mut next = 2..;
    let counts = std::cell::RefCell::new(&mut next);
    let ask =
        || patch(format!("/v1/clusters/{uuid}")).with(replace("/node_count", counts.borrow_mut().next().unwrap()));
    gate(&uuid, ask, &[&STABLE[..], &["UPDATE_FAILED"]].concat(), 409, &NEVER);
}

#[test]
fn a_resize_begins_in_stable_and_failed_statuses() {
    let uuid = complete(json!({}));
    let ask = || post(format!("/v1/clusters/{uuid}/actions/resize")).with(json!({"node_count": 2}));
    gate(&uuid, ask, &[&STABLE[..], &["UPDATE_FAILED", "UPDATE_IN_PROGRESS"]].concat(), 409, &NEVER);
}

#[test]
fn two_resizes_of_one_nodegroup_do_not_run_at_once() {
    let uuid = complete(json!({}));
    let resize = |count: u32| post(format!("/v1/clusters/{uuid}/actions/resize")).with(json!({"node_count": count}));
    resize(2).status(202);
    resize(3).refused(409, &["UPDATE_IN_PROGRESS", "another operation"]);
    assert_eq!(shown(&uuid)["node_count"], 2);
}

/// Magnum, too, answers this one at once.
#[test]
fn an_upgrade_begins_in_stable_and_failed_statuses_and_is_400_in_others() {
    let uuid = complete(json!({"labels": {"etcd_volume_size": "2"}}));
    let template = template(json!({"labels": {"etcd_volume_size": "2"}}))["uuid"].clone();
    let ask = || post(format!("/v1/clusters/{uuid}/actions/upgrade")).with(json!({"cluster_template": template}));
    let refused = [&NEVER[..], &["UPDATE_IN_PROGRESS"]].concat();
    gate(&uuid, ask, &[&STABLE[..], &["UPDATE_FAILED"]].concat(), 400, &refused);
}

#[test]
fn a_rotation_of_the_authorities_is_400_in_other_than_stable_and_failed_statuses() {
    let uuid = complete(json!({}));
    let ask = || patch(format!("/v1/certificates/{uuid}"));
    gate(&uuid, ask, &[], 400, &[&NEVER[..], &["UPDATE_IN_PROGRESS"]].concat());
}

#[test]
fn a_rotation_of_the_credential_is_400_in_other_than_stable_and_failed_statuses() {
    let uuid = complete(json!({"labels": {"cloud_provider_enabled": "true"}}));
    let ask = || patch(format!("/v1/credentials/{uuid}"));
    gate(&uuid, ask, &[], 400, &NEVER);
}

#[test]
fn a_nodegroup_is_made_in_stable_and_failed_statuses_and_beside_others() {
    let uuid = complete(json!({}));
    let mut next = 0..;
    let numbers = std::cell::RefCell::new(&mut next);
    let ask = || {
        let name = format!("g{}", numbers.borrow_mut().next().unwrap());
        post(format!("/v1/clusters/{uuid}/nodegroups")).with(json!({"name": name}))
    };
    let begins = [&STABLE[..], &["UPDATE_FAILED", "UPDATE_IN_PROGRESS"]].concat();
    gate(&uuid, ask, &begins, 409, &NEVER);
}

/// Ours: Magnum writes health only in stable statuses; after a failed update it is what one wants to know.
#[test]
fn health_is_told_of_clusters_at_rest() {
    let uuid = complete(json!({}));
    let tell = |status: &str, word: &str| -> u16 {
        in_status(&uuid, status);
        patch(format!("/v1/clusters/{uuid}")).with(replace("/health_status", word)).send().status
    };
    for (at, status) in [&STABLE[..], &["UPDATE_FAILED"]].concat().into_iter().enumerate() {
        assert_eq!(tell(status, ["HEALTHY", "UNHEALTHY"][at % 2]), 202, "{status}");
    }
    for status in [&NEVER[..], &["UPDATE_IN_PROGRESS"]].concat() {
        assert_eq!(tell(status, "UNKNOWN"), 409, "{status}");
    }
}

#[test]
fn certificates_are_answered_in_any_status() {
    let uuid = complete(json!({}));
    for status in [&STABLE[..], &NEVER[..], &["UPDATE_FAILED", "UPDATE_IN_PROGRESS"]].concat() {
        in_status(&uuid, status);
        // This cluster has no keys; no status is the reason.
        let text = get(format!("/v1/certificates/{uuid}")).refused(404, &[]);
        assert!(!text.contains("when status is"), "{text}");
    }
}
