//! Who may do what: every route of the service, asked by everybody, on the real cloud.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::http::request;
use support::service::Service;
use support::{unique, wait_for};

/// Who asks, in the order of the table's columns: the cluster's creator; a second member of its project; a reader in
/// it; an administrator in it; the cloud's administrator; a member of another project; somebody without any role;
/// nobody.
const PERSONAS: [&str; 8] = ["demo", "demo-peer", "reader", "demo-admin", "admin", "demo2", "nobody", ""];

/// Everybody.
const OPEN: [u16; 8] = [200; 8];
/// What belongs to no project and is not for everybody: each sees the own project's.
const LISTS: [u16; 8] = [200, 200, 200, 200, 200, 200, 403, 401];
/// What readers of the project may see.
const READ: [u16; 8] = [200, 200, 200, 200, 200, 404, 403, 401];
/// What only administrators may see.
const ADMIN: [u16; 8] = [403, 403, 403, 200, 200, 403, 403, 401];
/// What only administrators may do, to something that is not there.
const ABSENT: [u16; 8] = [403, 403, 403, 404, 404, 403, 403, 401];
/// What only nodes may do.
const NODES: [u16; 8] = [401; 8];

struct Row {
    method: &'static str,
    /// As in the OpenAPI document.
    route: &'static str,
    /// The path to ask for, where it is not the route itself; made anew for each persona.
    path: fn(&World) -> String,
    body: fn(&World) -> Option<Value>,
    expected: [u16; 8],
}

struct World {
    service: Service,
    member: String,
    template: String,
    public: String,
    cluster: String,
    csr: String,
}

impl World {
    fn fresh_template(&self) -> String {
        self.service.template(&self.member, json!({}))
    }
}

fn none(_: &World) -> Option<Value> {
    None
}

fn template_body(_: &World) -> Option<Value> {
    Some(json!({
        "name": unique("persona"), "coe": "kubernetes", "image_id": "ubuntu-24.04", "external_network_id": "public",
        "flavor_id": "m1.small", "network_driver": "flannel",
    }))
}

fn no_change(_: &World) -> Option<Value> {
    Some(json!([]))
}

macro_rules! row {
    ($method:literal $route:literal, $path:expr, $body:expr, $expected:expr) => {
        Row { method: $method, route: $route, path: $path, body: $body, expected: $expected }
    };
    ($method:literal $route:literal, $expected:expr) => {
        row!($method $route, |_| $route.into(), none, $expected)
    };
}

/// The contract's section 9, with the differences of its section 12: B-05 (an administrator's look-ups go everywhere)
/// and B-24 (rights are checked before the body's meaning).
fn table() -> Vec<Row> {
    vec![
        row!("GET" "/", OPEN),
        row!("GET" "/v1", OPEN),
        row!("GET" "/healthcheck", OPEN),
        row!("GET" "/readyz", OPEN),
        row!("GET" "/v1/clustertemplates", LISTS),
        row!("GET" "/v1/clustertemplates/detail", LISTS),
        row!("GET" "/v1/clustertemplates/{cluster_template_ident}", template, none, READ),
        row!("GET" "/v1/clustertemplates/{cluster_template_ident}", public, none, LISTS),
        row!("POST" "/v1/clustertemplates", |_| "/v1/clustertemplates".into(), template_body,
            [201, 201, 403, 201, 201, 201, 403, 401]),
        row!("PATCH" "/v1/clustertemplates/{cluster_template_ident}", template, no_change,
            [200, 200, 403, 200, 200, 404, 403, 401]),
        row!("PATCH" "/v1/clustertemplates/{cluster_template_ident}", public, no_change,
            [200, 200, 403, 200, 200, 403, 403, 401]),
        // Making something public is for administrators, also of one's own.
        row!("PATCH" "/v1/clustertemplates/{cluster_template_ident}", own_template,
            |_| Some(json!([{"op": "replace", "path": "/public", "value": true}])),
            [403, 403, 403, 200, 200, 404, 403, 401]),
        row!("DELETE" "/v1/clustertemplates/{cluster_template_ident}", own_template, none,
            [204, 204, 403, 204, 204, 404, 403, 401]),
        row!("GET" "/v1/clusters", LISTS),
        row!("GET" "/v1/clusters/detail", LISTS),
        row!("GET" "/v1/clusters/{cluster_ident}", cluster, none, READ),
        // Who may, is told what is wrong.
        row!("POST" "/v1/clusters", |_| "/v1/clusters".into(),
            |world| Some(json!({"cluster_template_id": world.public, "labels": {"kube_tag": "latest"}})),
            [400, 400, 403, 400, 400, 400, 403, 401]),
        row!("GET" "/v1/clusters/{cluster_id}/nodegroups", |world| format!("{}/nodegroups", cluster(world)), none, READ),
        row!("GET" "/v1/clusters/{cluster_id}/nodegroups/{nodegroup_id}", nodegroup, none, READ),
        // While the cluster is made it has no API address, and its nodegroups cannot be changed.
        row!("POST" "/v1/clusters/{cluster_id}/nodegroups", |world| format!("{}/nodegroups/", cluster(world)),
            |_| Some(json!({"name": "gpu"})), [409, 409, 403, 409, 409, 404, 403, 401]),
        row!("PATCH" "/v1/clusters/{cluster_id}/nodegroups/{nodegroup_id}", nodegroup, no_change,
            [409, 409, 403, 409, 409, 404, 403, 401]),
        row!("DELETE" "/v1/clusters/{cluster_id}/nodegroups/{nodegroup_id}", nodegroup, none,
            [400, 400, 403, 400, 400, 404, 403, 401]),
        row!("POST" "/v1/clusters/{cluster_ident}/actions/upgrade",
            |world| format!("{}/actions/upgrade", cluster(world)),
            |world| Some(json!({"cluster_template": world.public})), [400, 400, 403, 400, 400, 404, 403, 401]),
        row!("PATCH" "/v1/clusters/{cluster_ident}", cluster, no_change, [202, 202, 403, 202, 202, 404, 403, 401]),
        // Its stack is still being made, which is told to whoever may.
        row!("PATCH" "/v1/clusters/{cluster_ident}", cluster,
            |_| Some(json!([{"op": "replace", "path": "/node_count", "value": 7}])),
            [409, 409, 403, 409, 409, 404, 403, 401]),
        row!("PATCH" "/v1/clusters/{cluster_ident}", cluster,
            |_| Some(json!([{"op": "replace", "path": "/health_status", "value": "HEALTHY"}])),
            [409, 409, 403, 409, 409, 404, 403, 401]),
        row!("POST" "/v1/clusters/{cluster_ident}/actions/resize",
            |world| format!("/v1/clusters/{}/actions/resize", world.cluster), |_| Some(json!({"node_count": 7})),
            [409, 409, 403, 409, 409, 404, 403, 401]),
        row!("GET" "/v1/certificates/{cluster_ident}", |world| format!("/v1/certificates/{}", world.cluster), none,
            [200, 403, 403, 200, 200, 404, 403, 401]),
        row!("GET" "/v1/certificates/{cluster_ident}/{ca_cert_type}",
            |world| format!("/v1/certificates/{}/etcd", world.cluster), none,
            [200, 403, 403, 200, 200, 404, 403, 401]),
        row!("POST" "/v1/certificates", |_| "/v1/certificates".into(),
            |world| Some(json!({"cluster_uuid": world.cluster, "csr": world.csr})),
            [201, 403, 403, 201, 201, 400, 403, 401]),
        // Who may, is told that the cluster is being made.
        row!("PATCH" "/v1/certificates/{cluster_ident}", |world| format!("/v1/certificates/{}", world.cluster), none,
            [400, 400, 403, 400, 400, 404, 403, 401]),
        // Who may, is told that the cluster has none. By default this rule knows no administrator (B-50).
        row!("PATCH" "/v1/credentials/{cluster_ident}", |world| format!("/v1/credentials/{}", world.cluster), none,
            [400, 400, 403, 400, 404, 404, 403, 401]),
        row!("GET" "/v1/quotas", ADMIN),
        row!("GET" "/v1/quotas/{project_id}/{resource}", demos_quota, none, [200, 200, 200, 200, 200, 403, 403, 401]),
        row!("POST" "/v1/quotas", |_| "/v1/quotas".into(), |_| Some(json!({"project_id": "no-such-project"})), ABSENT),
        row!("PATCH" "/v1/quotas/{project_id}/{resource}", demos_quota, |_| Some(json!({"hard_limit": 1})), ABSENT),
        row!("DELETE" "/v1/quotas/{project_id}/{resource}", demos_quota, none, ABSENT),
        row!("GET" "/v1/federations", LISTS),
        row!("GET" "/v1/federations/detail", LISTS),
        row!("GET" "/v1/federations/{federation_ident}", |_| "/v1/federations/f".into(), none,
            [404, 404, 404, 404, 404, 404, 403, 401]),
        // Refused to all: there are none. Who may, is told so.
        row!("POST" "/v1/federations", |_| "/v1/federations".into(),
            |world| Some(json!({"hostcluster_id": world.cluster, "properties": {"dns-zone": "example.org"}})),
            [400, 400, 403, 400, 400, 404, 403, 401]),
        row!("PATCH" "/v1/federations/{federation_ident}", |_| "/v1/federations/f".into(), no_change,
            [404, 404, 403, 404, 404, 404, 403, 401]),
        row!("DELETE" "/v1/federations/{federation_ident}", |_| "/v1/federations/f".into(), none,
            [404, 404, 403, 404, 404, 404, 403, 401]),
        row!("GET" "/v1/mservices", ADMIN),
        row!("GET" "/v1/stats", LISTS),
        row!("GET" "/v1/stats", |_| format!("/v1/stats?project_id={}", CLOUD.project("demo")), none,
            [200, 200, 200, 200, 200, 403, 403, 401]),
        row!("POST" "/v1/clusters/{cluster_uuid}/nodes/{node_name}/report",
            |world| node(world, "report"), |_| Some(json!({"phase": "ready"})), NODES),
        row!("GET" "/v1/clusters/{cluster_uuid}/nodes/{node_name}/orders", |world| node(world, "orders"), none, NODES),
        row!("POST" "/v1/clusters/{cluster_uuid}/nodes/{node_name}/orders", |world| node(world, "orders"),
            |_| Some(json!({"uuid": "x", "state": "done"})), NODES),
        row!("POST" "/v1/clusters/{cluster_uuid}/nodes/{node_name}/join-tokens", |world| node(world, "join-tokens"),
            |_| Some(json!({"manager": "m", "worker": "w"})), NODES),
        row!("POST" "/v1/clusters/{cluster_uuid}/nodes/{node_name}/join-token", |world| node(world, "join-token"),
            |_| Some(json!({})), NODES),
        row!("GET" "/v1/clusters/{cluster_uuid}/nodes/{node_name}/unlock-key", |world| node(world, "unlock-key"), none, NODES),
        row!("GET" "/v1/clusters/{cluster_uuid}/nodes/{node_name}/service-account",
            |world| node(world, "service-account"), none, NODES),
        row!("GET" "/v1/clusters/{cluster_uuid}/nodes/{node_name}/cloud-config",
            |world| node(world, "cloud-config"), none, NODES),
        // The last row: the cluster's deletion may be asked for until it is gone, and Heat is kept from that.
        row!("DELETE" "/v1/clusters/{cluster_ident}", cluster, none, [204, 204, 403, 204, 204, 404, 403, 401]),
    ]
}

fn template(world: &World) -> String {
    format!("/v1/clustertemplates/{}", world.template)
}

fn public(world: &World) -> String {
    format!("/v1/clustertemplates/{}", world.public)
}

fn own_template(world: &World) -> String {
    format!("/v1/clustertemplates/{}", world.fresh_template())
}

fn demos_quota(_: &World) -> String {
    format!("/v1/quotas/{}/Cluster", CLOUD.project("demo"))
}

fn cluster(world: &World) -> String {
    format!("/v1/clusters/{}", world.cluster)
}

fn nodegroup(world: &World) -> String {
    format!("{}/nodegroups/default-worker", cluster(world))
}

fn node(world: &World, part: &str) -> String {
    let stack = world.service.rows(&format!("SELECT stack_name FROM cluster WHERE uuid = '{}'", world.cluster));
    let prefix = drivers::node_prefix(stack[0][0].as_str().unwrap(), "default-master");
    format!("/v1/clusters/{}/nodes/{prefix}-0/{part}", world.cluster)
}

#[test]
fn every_route_for_everybody() {
    let name = unique("who");
    let _kept = CLOUD.faults(vec![json!({
        "stack": name, "type": "OS::Neutron::Net", "action": "DELETE", "hold": true,
    })]);
    let _silent = CLOUD.nodes(vec![json!({"name": name, "silent": true})]);
    let world = world(&name);
    let tokens = PERSONAS.map(|persona| match persona {
        "" => String::new(),
        "nobody" => CLOUD.token_for(&json!({"identity": CLOUD.password_of("nobody")})),
        other => CLOUD.token(other),
    });
    let mut wrong = Vec::new();
    for row in table() {
        for ((persona, token), expected) in PERSONAS.iter().zip(&tokens).zip(row.expected) {
            let path = (row.path)(&world);
            let url = format!("{}{path}", world.service.root());
            let mut headers = vec![("openstack-api-version", "container-infra latest")];
            if !token.is_empty() {
                headers.push(("x-auth-token", token));
            }
            let answer = request(row.method, &url, &headers, (row.body)(&world).as_ref());
            if answer.status != expected {
                let (method, got) = (row.method, answer.status);
                wrong.push(format!("{method} {path} by {persona:?}: {got}, not {expected}: {}", answer.text));
            }
            if answer.status == 403 {
                assert!(!answer.detail().is_empty(), "{}", answer.text);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let Value::Object(shown) = world.service.show(&world.member, &world.cluster) else { panic!("an object") };
    assert_eq!(shown["status"], "DELETE_IN_PROGRESS");
    drop(_kept);
    world.service.absent(&world.member, &world.cluster);
}

/// What lists show differs, not whether they may be asked for.
fn world(name: &str) -> World {
    let service = Service::start(&[]);
    let (member, admin) = (CLOUD.token("demo"), CLOUD.token("demo-admin"));
    let template = service.template(&member, json!({}));
    let public = service.template(&admin, json!({"public": true}));
    let cluster = service.cluster(&member, &public, json!({"name": name, "node_count": 0}));
    let path = format!("/certificates/{cluster}");
    wait_for("the cluster's authority", Duration::from_secs(60), || {
        (service.call(&member, "GET", &path, None).status == 200).then_some(())
    });
    wait_for("the cluster's stack", Duration::from_secs(60), || {
        service.show(&member, &cluster)["cluster_id"].is_string().then_some(())
    });
    let seen_by = |user: &str, path: &str| service.call(&CLOUD.token(user), "GET", path, None).text;
    for (user, sees) in [("demo-peer", true), ("reader", true), ("admin", true), ("demo2", false)] {
        assert_eq!(seen_by(user, "/clusters").contains(&cluster), sees, "{user}");
        assert_eq!(seen_by(user, "/clusters/detail").contains(&cluster), sees, "{user}");
        assert_eq!(seen_by(user, "/clustertemplates").contains(&template), sees, "{user}");
        assert!(seen_by(user, "/clustertemplates").contains(&public), "{user}");
    }
    World { service, member, template, public, cluster, csr: csr() }
}

fn csr() -> String {
    let arguments = "req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=admin -keyout /dev/null";
    let output = std::process::Command::new("openssl").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// A route that is not in the table is a question nobody asked.
#[test]
fn the_table_has_every_route() {
    let service = Service::start(&[]);
    let document = request("GET", &format!("{}/openapi.json", service.root()), &[], None).json();
    let mut known = BTreeSet::new();
    for (route, verbs) in document["paths"].as_object().unwrap() {
        known.extend(verbs.as_object().unwrap().keys().map(|verb| format!("{} {route}", verb.to_uppercase())));
    }
    let asked: BTreeSet<_> = table().iter().map(|row| format!("{} {}", row.method, row.route)).collect();
    assert_eq!(asked, known);
}
