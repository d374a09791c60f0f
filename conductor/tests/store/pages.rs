//! Pages of listings: every sort key, both directions, walked to the end.

use conductor::Kind;
use conductor::cluster::store as clusters;
use conductor::cluster::{Changes, HealthStatus, Status};
use conductor::cluster_template::store as templates;
use conductor::nodegroup::store as nodegroups;
use conductor::page::{Direction, Page};
use conductor::quota::store as quotas;
use conductor::scope::Scope;

use crate::databases::TestDatabase;
use crate::sample;

on_every_database!(
    every_sort_key_walks_every_cluster_once,
    every_sort_key_walks_every_template_nodegroup_and_quota_once,
    the_order_is_the_asked_one,
    wrong_sort_keys_and_markers_are_refused,
    a_page_is_stable_while_rows_come_and_go,
);

const CLUSTER_KEYS: &[&str] = &[
    "id",
    "uuid",
    "name",
    "project_id",
    "user_id",
    "cluster_template_id",
    "keypair",
    "docker_volume_size",
    "labels",
    "master_flavor_id",
    "flavor_id",
    "create_timeout",
    "discovery_url",
    "fixed_network",
    "fixed_subnet",
    "floating_ip_enabled",
    "master_lb_enabled",
    "status",
    "status_reason",
    "health_status",
    "health_status_reason",
    "api_address",
    "coe_version",
    "container_version",
    "stack_id",
    "stack_name",
    "driver",
    "created_at",
    "updated_at",
];
const TEMPLATE_KEYS: &[&str] = &[
    "id",
    "uuid",
    "name",
    "project_id",
    "user_id",
    "coe",
    "image_id",
    "flavor_id",
    "master_flavor_id",
    "dns_nameserver",
    "keypair_id",
    "external_network_id",
    "fixed_network",
    "fixed_subnet",
    "network_driver",
    "apiserver_port",
    "docker_volume_size",
    "docker_storage_driver",
    "cluster_distro",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "volume_driver",
    "registry_enabled",
    "labels",
    "tls_disabled",
    "public",
    "server_type",
    "insecure_registry",
    "master_lb_enabled",
    "floating_ip_enabled",
    "hidden",
    "tags",
    "driver",
    "created_at",
    "updated_at",
];
const NODEGROUP_KEYS: &[&str] = &[
    "id",
    "uuid",
    "name",
    "cluster_uuid",
    "project_id",
    "role",
    "flavor_id",
    "image_id",
    "node_count",
    "min_node_count",
    "max_node_count",
    "docker_volume_size",
    "labels",
    "is_default",
    "stack_id",
    "status",
    "status_reason",
    "version",
    "node_addresses",
    "node_labels",
    "node_taints",
    "created_at",
    "updated_at",
];

fn page(limit: u64, marker: Option<&String>, key: &str, dir: &str) -> Page {
    Page::read(i64::try_from(limit).ok(), marker.cloned(), Some(key.into()), Some(dir), 1000).unwrap()
}

/// Walks a listing in pages of two and returns the identifiers as they came.
async fn walk<F: Future<Output = Vec<String>>>(key: &str, dir: &str, list: impl Fn(Page) -> F) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let next = list(page(2, all.last(), key, dir)).await;
        if next.is_empty() {
            return all;
        }
        all.extend(next);
        assert!(all.len() < 100, "{key} {dir} does not end");
    }
}

/// A walk gives what one page gives, each row once, and the other direction gives the reverse.
async fn check<F: Future<Output = Vec<String>>>(key: &str, rows: usize, list: impl Fn(Page) -> F) {
    let up = walk(key, "asc", &list).await;
    let down = walk(key, "desc", &list).await;
    assert_eq!(up, list(page(100, None, key, "asc")).await, "{key}");
    assert_eq!(up.iter().rev().collect::<Vec<_>>(), down.iter().collect::<Vec<_>>(), "{key}");
    let unique: std::collections::HashSet<&String> = up.iter().collect();
    assert_eq!((up.len(), unique.len()), (rows, rows), "{key}");
}

async fn every_sort_key_walks_every_cluster_once(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    for number in 0..9_i32 {
        let name = format!("c{}", number % 3);
        let mut new = sample::new_cluster(&name, &template, if number % 4 == 0 { "p2" } else { "p1" });
        new.cluster.labels = [("a", if number % 2 == 0 { "x" } else { "y" })].into();
        new.cluster.docker_volume_size = (number % 3 != 0).then_some(number % 2);
        new.cluster.create_timeout = (number % 2 == 0).then_some(number);
        new.cluster.discovery_url = (number % 3 == 0).then(String::new);
        let uuid = clusters::insert(&t.db, new).await.unwrap().cluster.uuid;
        if number % 3 == 1 {
            let changes = Changes {
                status: Some(Status::CreateComplete),
                status_reason: Some(Some(format!("reason {}", number % 2))),
                health_status: Some(Some(HealthStatus::Unknown)),
                api_address: Some(Some("https://192.0.2.1".into())),
                ..Default::default()
            };
            clusters::change(&t.db, &uuid, changes).await.unwrap();
        }
    }
    for key in CLUSTER_KEYS {
        check(key, 9, async |page| uuids(&t, page).await).await;
    }
}

async fn uuids(t: &TestDatabase, page: Page) -> Vec<String> {
    let views = clusters::list(&t.db, &Scope::All, &page).await.unwrap();
    views.into_iter().map(|view| view.cluster.uuid).collect()
}

async fn every_sort_key_walks_every_template_nodegroup_and_quota_once(t: TestDatabase) {
    let mut kept = Vec::new();
    for number in 0..5 {
        let mut template = sample::template("t", "p1");
        template.name = (number % 2 == 0).then(|| format!("t{number}"));
        template.tags = (number % 3 == 0).then(|| "a,b".into());
        template.apiserver_port = (number % 2 == 1).then_some(6443 - number);
        template.public = number % 2 == 0;
        kept.push(templates::insert(&t.db, template).await.unwrap());
    }
    templates::update(&t.db, kept[2].clone()).await.unwrap();
    for key in TEMPLATE_KEYS {
        check(key, 5, async |page: Page| {
            let list = templates::list(&t.db, &Scope::All, &page).await.unwrap();
            list.into_iter().map(|template| template.uuid).collect()
        })
        .await;
    }

    let cluster = sample::kept_cluster(&t.db, "c", &kept[0], "p1").await;
    for number in 0..3 {
        let mut group = sample::nodegroup(&cluster, &format!("g{number}"), "worker");
        group.max_node_count = (number == 1).then_some(5);
        group.node_labels = (number == 2).then(|| [("a", "b")].into());
        nodegroups::insert(&t.db, group, "c").await.unwrap();
    }
    for key in NODEGROUP_KEYS {
        check(key, 5, async |page: Page| {
            let list = nodegroups::list(&t.db, &cluster.uuid, None, &page).await.unwrap();
            list.into_iter().map(|group| group.uuid).collect()
        })
        .await;
    }

    for number in 0..5 {
        quotas::insert(&t.db, &format!("p{number}"), "Cluster", number % 2).await.unwrap();
    }
    quotas::update(&t.db, "p3", "Cluster", 9).await.unwrap();
    for key in ["id", "project_id", "resource", "hard_limit", "created_at", "updated_at"] {
        check(key, 5, async |page: Page| {
            let list = quotas::list(&t.db, &Scope::All, &page).await.unwrap();
            list.into_iter().map(|quota| quota.id.to_string()).collect()
        })
        .await;
    }
}

async fn the_order_is_the_asked_one(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    for (name, volume) in [("b", Some(5)), ("a", None), ("c", Some(1)), ("d", None)] {
        let mut new = sample::new_cluster(name, &template, "p1");
        new.cluster.docker_volume_size = volume;
        clusters::insert(&t.db, new).await.unwrap();
    }
    let names = async |key: &str, dir: &str| {
        let views = clusters::list(&t.db, &Scope::All, &page(10, None, key, dir)).await.unwrap();
        views.into_iter().map(|view| view.cluster.name).collect::<String>()
    };
    assert_eq!(names("id", "asc").await, "bacd");
    assert_eq!(names("id", "desc").await, "dcab");
    assert_eq!(names("name", "asc").await, "abcd");
    assert_eq!(names("name", "desc").await, "dcba");
    assert_eq!(names("docker_volume_size", "asc").await, "adcb");
    assert_eq!(names("docker_volume_size", "desc").await, "bcda");
    assert_eq!(names("created_at", "desc").await, "dcab");
}

async fn wrong_sort_keys_and_markers_are_refused(t: TestDatabase) {
    let refused = |key: &str| format!("The sort_key value \"{key}\" is an invalid field for sorting");
    for key in [
        "node_count",
        "",
        "Name",
        "createdAt",
        "trustee_password",
        "credential_secret",
        "spec",
        "next_template_id",
        "id; DROP TABLE cluster",
    ] {
        let error = clusters::list(&t.db, &Scope::All, &page(1, None, key, "asc")).await.unwrap_err();
        assert_eq!((error.kind, error.public.as_ref()), (Kind::Invalid, refused(key).as_str()));
    }
    let error = templates::list(&t.db, &Scope::All, &page(1, None, "revision", "asc")).await.unwrap_err();
    assert_eq!(error.public, refused("revision"));

    let absent = sample::uuid();
    let error = clusters::list(&t.db, &Scope::All, &page(1, Some(&absent), "id", "asc")).await.unwrap_err();
    assert_eq!(
        (error.kind, error.public.as_ref()),
        (Kind::NotFound, &*format!("Cluster {absent} could not be found."))
    );
    let error = nodegroups::list(&t.db, &absent, None, &page(1, Some(&absent), "id", "asc")).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    let error = quotas::list(&t.db, &Scope::All, &page(1, Some(&"7".into()), "id", "asc")).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    let error = quotas::list(&t.db, &Scope::All, &page(1, Some(&absent), "id", "asc")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);

    let template = sample::kept_template(&t.db, "p1").await;
    let foreign = sample::kept_cluster(&t.db, "c", &template, "p2").await;
    let own = Scope::Project("p1".into());
    let error = clusters::list(&t.db, &own, &page(1, Some(&foreign.uuid), "id", "asc")).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
}

async fn a_page_is_stable_while_rows_come_and_go(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let mut kept = Vec::new();
    for name in ["b", "d", "f", "h"] {
        kept.push(sample::kept_cluster(&t.db, name, &template, "p1").await);
    }
    let first = clusters::list(&t.db, &Scope::All, &page(2, None, "name", "asc")).await.unwrap();
    clusters::remove(&t.db, &kept[0].uuid).await.unwrap();
    sample::kept_cluster(&t.db, "a", &template, "p1").await;
    sample::kept_cluster(&t.db, "e", &template, "p1").await;
    let second = page(10, Some(&first[1].cluster.uuid), "name", "asc");
    assert_eq!(second.sort_dir, Direction::Ascending);
    let second = clusters::list(&t.db, &Scope::All, &second).await.unwrap();
    assert_eq!(second.into_iter().map(|view| view.cluster.name).collect::<String>(), "efh");
}
