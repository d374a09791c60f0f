//! Swarms on the real cloud, over their whole lives: their nodes run our scripts, on a Docker that is played.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::service::{Service, tail};
use support::{unique, wait_for};

/// A template in Swarm mode; `more` overrides and adds members.
fn template(service: &Service, token: &str, more: Value) -> String {
    let mut body = json!({"coe": "swarm-mode", "network_driver": "docker"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service.template(token, body)
}

/// What the managers of a cluster know of each other, and their tokens.
fn swarm(cluster: &str) -> Value {
    let file = CLOUD.dir().join(format!("swarms/{cluster}.json"));
    std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// The members of the swarm: `<role> <end of the name>`, sorted.
fn members(cluster: &str, name: &str) -> Vec<String> {
    let nodes = swarm(cluster)["Nodes"].as_object().cloned().unwrap_or_default();
    let member = |node: &Value| {
        let host = node["Hostname"].as_str().unwrap();
        assert!(host.starts_with(name), "{host}");
        let end: Vec<_> = host.rsplitn(3, '-').collect();
        format!("{} {}-{}", node["Role"].as_str().unwrap(), end[1], end[0])
    };
    let mut members: Vec<_> = nodes.values().map(member).collect();
    members.sort();
    members
}

/// The files of the nodes by the nodes' names.
fn nodes(name: &str) -> BTreeMap<String, PathBuf> {
    let of = |server: &Value| {
        let root = CLOUD.dir().join("nodes").join(server["id"].as_str().unwrap()).join("root");
        (server["name"].as_str().unwrap().to_owned(), root)
    };
    CLOUD.servers(name).iter().map(of).collect()
}

fn token_of(cluster: &str, role: &str) -> String {
    swarm(cluster)["JoinTokens"][role].as_str().unwrap_or_default().to_owned()
}

/// Waits until masters have rotated the tokens that let nodes in.
fn rotated(service: &Service, cluster: &str, before: &str) {
    wait_for("the join tokens to be rotated", Duration::from_secs(60), || {
        let fresh = service.rows(&format!("SELECT used_at FROM join_tokens WHERE cluster_uuid = '{cluster}'"));
        (fresh == json!([[null]]) && token_of(cluster, "Worker") != before).then_some(())
    });
}

/// By the commands users type, from the template to the end; with nothing left behind.
#[test]
fn a_swarm_by_the_unmodified_client() {
    let service = Service::start(&[]);
    let login = CLOUD.login("demo");
    let openstack = |line: &str| {
        let output = service.openstack(&login, &line.split_whitespace().collect::<Vec<_>>());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let template = unique("swarm");
    openstack(&format!(
        "coe cluster template create {template} --coe swarm --image debian-12 --external-network public --flavor m1.small \
         --master-flavor m1.small --network-driver docker --docker-volume-size 3 --floating-ip-disabled"
    ));
    let name = unique("life");
    let _quick = CLOUD.nodes(vec![json!({"name": name, "timers": 2})]);
    openstack(&format!("coe cluster create {name} --cluster-template {template} --node-count 2"));
    let token = CLOUD.token("demo");
    let uuid = &service.show(&token, &name)["uuid"].as_str().unwrap().to_owned();
    // None are rotated as long as the cluster is being made.
    let first = wait_for("the first join tokens", Duration::from_secs(300), || {
        Some(token_of(uuid, "Worker")).filter(|token| !token.is_empty())
    });
    service.complete(&token, &name);
    let shown: Value = serde_json::from_str(&openstack(&format!("coe cluster show {name} -f json"))).unwrap();
    assert_eq!(shown["status"], "CREATE_COMPLETE", "{shown}");
    let reason = shown["status_reason"].as_str().unwrap();
    assert!(reason.contains("classic Swarm is gone"), "{reason}");
    let api = shown["api_address"].as_str().unwrap();
    assert!(api.starts_with("tcp://10.0.0.") && api.ends_with(":2376"), "{api}");
    assert_eq!((&shown["coe_version"], &shown["container_version"]), (&json!("20.10.24"), &json!("20.10.24")));
    assert_eq!(members(uuid, &name), ["manager master-0", "worker worker-0", "worker worker-1"]);

    // At once: the next node waits until what has let those in is rotated.
    openstack(&format!("coe cluster resize {name} 3"));
    service.updated(&token, &name);
    assert_eq!(members(uuid, &name).len(), 4);
    let second = token_of(uuid, "Worker");
    assert_ne!(second, first);
    rotated(&service, uuid, &first);

    openstack(&format!("coe nodegroup create {name} gpu --node-count 1 --flavor m1.small"));
    let group = |wanted: &str| {
        let path = format!("/clusters/{name}/nodegroups/gpu");
        wait_for(wanted, Duration::from_secs(120), || {
            let answer = service.call(&token, "GET", &path, None);
            let status = if answer.status == 404 { "gone".into() } else { answer.json()["status"].clone() };
            assert!(!status.as_str().unwrap().ends_with("FAILED"), "{}", answer.text);
            (status == wanted).then_some(())
        });
    };
    group("CREATE_COMPLETE");
    assert!(members(uuid, &name).contains(&"worker gpu-0".to_owned()), "{:?}", members(uuid, &name));
    let listed = openstack(&format!("coe nodegroup list {name} -f value -c name"));
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["default-master", "default-worker", "gpu"]);
    openstack(&format!("coe nodegroup delete {name} gpu"));
    group("gone");

    openstack(&format!("coe cluster delete {name}"));
    service.absent(&token, uuid);
    assert_eq!(service.rows("SELECT count(*) FROM join_tokens"), json!([[0]]));
    openstack(&format!("coe cluster template delete {template}"));
    let log = service.log();
    for secret in [&first, &second, "SWMTKN"] {
        assert!(!log.contains(secret), "a join token is in the log");
    }
    wait_for("nothing to be left behind", Duration::from_secs(30), || {
        let census = CLOUD.census().to_string();
        (!census.contains(uuid) && !census.contains(&name)).then_some(())
    });
}

/// (image, masters, workers, given network, load balancer, floating IPs, volumes, TLS, lock)
type Row = (&'static str, usize, usize, bool, bool, bool, bool, bool, bool);

const N: bool = false;
const Y: bool = true;
const UBUNTU: &str = "ubuntu-24.04";
const DEBIAN: &str = "debian-12";
const COREOS: &str = "fedora-coreos-latest";
const FLATCAR: &str = "flatcar";

/// Every two values of two different columns stand together in a row, but several masters without a load balancer,
/// which the API refuses. Images, masters and workers meet each other as one or several masters and none or some
/// workers: each number with each image would take 48 machines. The order keeps few waiting for a manager at a time.
const ROWS: [Row; 10] = [
    (FLATCAR, 5, 2, N, Y, N, Y, N, Y),
    (UBUNTU, 1, 0, N, Y, Y, Y, N, Y),
    (COREOS, 1, 0, N, N, N, N, Y, Y),
    (DEBIAN, 1, 1, N, N, N, N, N, N),
    (DEBIAN, 5, 0, Y, Y, Y, N, Y, N),
    (DEBIAN, 1, 1, Y, N, N, Y, Y, Y),
    (UBUNTU, 1, 2, Y, N, Y, N, Y, N),
    (FLATCAR, 1, 0, Y, N, Y, N, Y, N),
    (COREOS, 3, 1, Y, Y, Y, Y, N, N),
    (UBUNTU, 3, 0, N, Y, N, N, Y, Y),
];

#[test]
fn every_two_choices_stand_together() {
    let columns = |row: &Row| {
        let kinds = [row.0.to_owned(), (row.1 > 1).to_string(), (row.2 > 0).to_string()];
        let flags = [row.3, row.4, row.5, row.6, row.7, row.8].map(|flag| flag.to_string());
        let numbers = [row.1, row.2].map(|number| number.to_string());
        [kinds.to_vec(), flags.to_vec(), numbers.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = ROWS.iter().map(columns).collect();
    let values = |column: usize| rows.iter().map(|row| &row[column]).collect::<BTreeSet<_>>();
    assert_eq!([0, 9, 10].map(|column| values(column).len()), [4, 3, 3]);
    assert!((1..9).all(|column| values(column).len() == 2));
    // A number is of its own kind only; numbers and images meet by kinds.
    let by_kinds = [(0, 9), (0, 10), (1, 9), (2, 10), (9, 10)];
    let pairs = (0..11).flat_map(|first| (first + 1..11).map(move |second| (first, second)));
    for (first, second) in pairs.filter(|pair| !by_kinds.contains(pair)) {
        for (one, other) in
            values(first).into_iter().flat_map(|one| values(second).into_iter().map(move |other| (one, other)))
        {
            let refused = match (first, second) {
                (1, 4) => one == "true" && other == "false",
                (4, 9) => one == "false" && other != "1",
                _ => false,
            };
            let together = rows.iter().any(|row| &row[first] == one && &row[second] == other);
            assert!(refused || together, "no row has {one} in column {first} and {other} in column {second}");
        }
    }
}

/// Asks for a swarm of that shape; its UUID and name.
fn made(service: &Service, token: &str, row: &Row) -> (String, String) {
    let (image, masters, workers, given, balanced, floating, volumes, tls, locked) = *row;
    let mut of_template = json!({
        "image_id": image, "master_lb_enabled": balanced, "floating_ip_enabled": floating, "tls_disabled": !tls,
        "labels": {"swarm_autolock": locked.to_string()},
    });
    if given {
        (of_template["fixed_network"], of_template["fixed_subnet"]) = ("private".into(), "private-subnet".into());
    }
    if volumes {
        of_template["docker_volume_size"] = 3.into();
        of_template["docker_storage_driver"] = "overlay2".into();
        of_template["labels"]["boot_volume_size"] = "12".into();
    }
    let name = unique("swarms");
    let body = json!({"name": name, "master_count": masters, "node_count": workers});
    (service.cluster(token, &template(service, token, of_template), body), name)
}

/// Everything that a complete swarm must show of itself and on its nodes.
fn is_well(service: &Service, token: &str, (cluster, name): &(String, String), row: &Row) {
    let (_, masters, workers, given, _, floating, _, tls, locked) = *row;
    let shown = service.complete(token, cluster);
    let begins = match (floating, given) {
        (true, _) => "172.24.",
        (false, true) => "10.10.0.",
        (false, false) => "10.0.0.",
    };
    let api = shown["api_address"].as_str().unwrap();
    assert!(api.starts_with(&format!("tcp://{begins}")) && api.ends_with(":2376"), "{api}, {row:?}");
    let members = members(cluster, name);
    let managers = members.iter().filter(|member| member.starts_with("manager master-")).count();
    assert_eq!((managers, members.len() - managers), (masters, workers), "{members:?}");
    let sealed = service.rows(&format!("SELECT sealed FROM join_tokens WHERE cluster_uuid = '{cluster}'"));
    let sealed = sealed[0][0].as_str().unwrap();
    let clear: String = b"SWMTKN".iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!sealed.is_empty() && !sealed.contains(&clear), "{sealed}");
    for (node, root) in nodes(name) {
        let daemon = std::fs::read_to_string(root.join("etc/docker/daemon.json")).unwrap();
        let manages = node.contains("-master-");
        assert_eq!(daemon.contains("tcp://"), manages, "{node}: {daemon}");
        assert_eq!(daemon.contains("tlsverify"), manages && tls, "{node}: {daemon}");
    }
    assert_eq!(swarm(cluster)["UnlockKey"].as_str().unwrap().is_empty(), !locked, "{row:?}");
}

/// Made through the API, complete with every node a member, and gone again; some at a time.
#[test]
fn shapes_of_swarms() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    for some in ROWS.chunks(4) {
        let swarms: Vec<_> = some.iter().map(|row| (made(&service, &token, row), row)).collect();
        for (swarm, row) in &swarms {
            is_well(&service, &token, swarm, row);
        }
        for ((cluster, _), _) in &swarms {
            service.gone(&token, cluster);
        }
    }
}

/// What cannot be a swarm is refused, with what is allowed.
#[test]
fn what_cannot_be_a_swarm_is_refused() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let refused = |more: Value| {
        let mut body = json!({"name": unique("no"), "coe": "swarm-mode", "image_id": "debian-12", "external_network_id": "public",
            "flavor_id": "m1.small", "master_flavor_id": "m1.small"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = service.call(&token, "POST", "/clustertemplates", Some(&body));
        assert_eq!(answer.status, 400, "{}", answer.text);
        answer.text
    };
    assert!(refused(json!({"network_driver": "flannel"})).contains("expecting a docker/unspecified network driver"));
    assert!(refused(json!({"volume_driver": "rexray"})).contains("expecting a unspecified volume driver"));
    let cluster = |of_template: Value, body: Value| {
        let id = template(&service, &token, of_template);
        let mut all = json!({"name": unique("no"), "cluster_template_id": id, "node_count": 1, "master_count": 1});
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let answer = service.call(&token, "POST", "/clusters", Some(&all));
        assert_eq!(answer.status, 400, "{}", answer.text);
        answer.text
    };
    let devicemapper = json!({"docker_storage_driver": "devicemapper", "docker_volume_size": 5});
    assert!(cluster(devicemapper, json!({})).contains("overlay2; Linux and Docker have left devicemapper"));
    assert!(cluster(json!({}), json!({"master_count": 2})).contains("size cannot be an even number"));
    let single = template(&service, &token, json!({}));
    let id = service.cluster(&token, &single, json!({}));
    service.complete(&token, &id);
    let body = json!({"cluster_template": template(&service, &token, json!({"image_id": "debian-12"}))});
    let answer = service.call(&token, "POST", &format!("/clusters/{id}/actions/upgrade"), Some(&body));
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("docker_volume_size"), "{}", answer.text);
    service.gone(&token, &id);
}

/// The old drivers' defect 17: a step that failed ended the script before it could say so.
#[test]
fn a_failed_node_names_its_step() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let name = unique("badswarm");
    let message = "the swarm has no state of this manager";
    let _nodes = CLOUD.nodes(vec![json!({"name": format!("{name}.*-master-0"), "fail": "swarm", "message": message})]);
    let cluster = service.cluster(&token, &template(&service, &token, json!({})), json!({"name": name}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED", "{shown}");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["-master-0 failed in step swarm: ", message, "[node-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    service.gone(&token, &cluster);
}

/// New authorities, and then all nodes replaced: managers one at a time, back in the swarm under their names.
#[test]
fn authorities_and_nodes_are_replaced() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let name = unique("renewed");
    let _quick = CLOUD.nodes(vec![json!({"name": name, "timers": 2})]);
    let of_template = json!({"master_lb_enabled": true});
    let id = template(&service, &token, of_template.clone());
    let cluster = service.cluster(&token, &id, json!({"name": name, "master_count": 3, "node_count": 2}));
    service.complete(&token, &cluster);
    rotated(&service, &cluster, "");

    let authority = || {
        let answer = service.call(&token, "GET", &format!("/certificates/{cluster}"), None);
        answer.json()["pem"].as_str().unwrap().to_owned()
    };
    let old = authority();
    let url = format!("{}/certificates/{cluster}/", service.endpoint());
    let headers = [
        ("x-auth-token", token.as_str()),
        ("openstack-api-version", "container-infra latest"),
        ("content-type", "application/octet-stream"),
    ];
    let answer = support::http::request("PATCH", &url, &headers, None);
    assert_eq!(answer.status, 202, "{}", answer.text);
    let shown = service.updated(&token, &cluster);
    assert!(shown["status_reason"].as_str().unwrap().contains("authorities were replaced"), "{shown}");
    let new = authority();
    assert_ne!(old, new);
    for (node, root) in nodes(&name) {
        wait_for("only the new authority to be trusted", Duration::from_secs(30), || {
            let trusted = std::fs::read_to_string(root.join("etc/docker/pki/ca.crt")).unwrap();
            (trusted.trim() == new.trim()).then_some(())
        });
        let verified = std::process::Command::new("openssl")
            .args(["verify", "-no-CApath", "-no-CAstore", "-CAfile"])
            .args([root.join("etc/docker/pki/ca.crt"), root.join("etc/docker/pki/docker.crt")])
            .output()
            .unwrap();
        assert!(verified.status.success(), "{node}");
    }

    let before = nodes(&name);
    let unused = token_of(&cluster, "Worker");
    let id = template(&service, &token, json!({"image_id": "debian-12", "master_lb_enabled": true}));
    let body = json!({"cluster_template": id, "max_batch_size": 2});
    let answer = service.call(&token, "POST", &format!("/clusters/{cluster}/actions/upgrade"), Some(&body));
    assert_eq!(answer.status, 202, "{}", answer.text);
    let shown = wait_for("the upgrade", Duration::from_secs(400), || {
        let shown = service.show(&token, &cluster);
        (!shown["status"].as_str().unwrap().ends_with("IN_PROGRESS")).then_some(shown)
    });
    assert_eq!(shown["status"], "UPDATE_COMPLETE", "{}\n{}", shown["status_reason"], tail(&service.log()));
    let after = nodes(&name);
    let masters = |nodes: &BTreeMap<String, PathBuf>| {
        nodes.keys().filter(|node| node.contains("-master-")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(masters(&before), masters(&after), "under their names");
    assert!(after.iter().all(|(node, root)| before.get(node) != Some(root)), "all are other machines");
    let members = members(&cluster, &name);
    let managers: Vec<_> = members.iter().filter(|member| member.starts_with("manager")).cloned().collect();
    assert_eq!(managers, ["manager master-0", "manager master-1", "manager master-2"], "no old record is left");
    // The new machines have used them.
    rotated(&service, &cluster, &unused);
    service.gone(&token, &cluster);
}

/// Who may hand in join tokens and who gets which, asked with the tokens that nodes have.
#[test]
fn join_tokens_are_for_the_nodes_of_a_swarm() {
    let service = Service::start(&[]);
    let user = CLOUD.token("demo");
    let made = |template: String| {
        let name = unique("mute");
        let silent = CLOUD.nodes(vec![json!({"name": name, "silent": true})]);
        let cluster = service.cluster(&user, &template, json!({"name": name}));
        let servers = wait_for("two servers", Duration::from_secs(120), || {
            let servers = CLOUD.servers(&name);
            (servers.len() == 2).then_some(servers)
        });
        let of = |role: &str| {
            let server = servers.iter().find(|server| server["name"].as_str().unwrap().contains(role)).unwrap();
            let token = support::bootstrap_token(server["user_data"].as_str().unwrap());
            (server["name"].as_str().unwrap().to_owned(), token)
        };
        (cluster, of("master"), of("worker"), silent)
    };
    let ask = |cluster: &str, (node, token): (&str, &str), part: &str, body: &Value| {
        let url = format!("{}/clusters/{cluster}/nodes/{node}/{part}", service.endpoint());
        support::http::request("POST", &url, &[("x-jeroboam-bootstrap-token", token)], Some(body))
    };
    let (cluster, master, worker, _silent) = made(template(&service, &user, json!({})));
    let (master, worker) = ((&*master.0, &*master.1), (&*worker.0, &*worker.1));

    let none = ask(&cluster, worker, "join-token", &json!({}));
    assert_eq!((none.status, none.header("retry-after")), (404, Some("5")), "{}", none.text);
    let tokens = json!({"manager": "SWMTKN-1-m-one", "worker": "SWMTKN-1-w-one", "unlock_key": "SWMKEY-1-k"});
    let refused = ask(&cluster, worker, "join-tokens", &tokens);
    assert_eq!(refused.status, 403, "{}", refused.text);
    for wrong in [
        json!({"manager": "SWMTKN-1-m-one"}),
        json!({"manager": "SWMTKN-1-m-one", "worker": "SWMTKN-1 w"}),
        json!({"manager": "SWMTKN-1-m-one", "worker": ""}),
        json!({"manager": "SWMTKN-1-m-one", "worker": "SWMTKN-1".repeat(200)}),
        json!({"manager": "SWMTKN-1-m-one", "worker": ["SWMTKN-1-w-one"]}),
        json!({"manager": "SWMTKN-1-m-one", "worker": "SWMTKN-1-w-one", "more": 1}),
    ] {
        let answer = ask(&cluster, master, "join-tokens", &wrong);
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text);
        assert!(!answer.text.contains("SWMTKN"), "{}", answer.text);
    }
    assert_eq!(ask(&cluster, (master.0, "A".repeat(43).as_str()), "join-tokens", &tokens).status, 401);
    assert_eq!(ask(&cluster, (master.0, worker.1), "join-tokens", &tokens).status, 404, "another's name");
    assert_eq!(ask(&cluster, master, "join-tokens", &tokens).status, 204);

    assert_eq!(ask(&cluster, worker, "join-token", &json!({})).json(), json!({"token": "SWMTKN-1-w-one"}));
    let whole = json!({"token": "SWMTKN-1-m-one", "unlock_key": "SWMKEY-1-k"});
    assert_eq!(ask(&cluster, master, "join-token", &json!({})).json(), whole);
    let column = |name: &str| service.rows(&format!("SELECT {name} FROM join_tokens"))[0][0].clone();
    let (uuid, used) = (column("uuid"), column("used_at"));
    assert!(used.is_string(), "{used}");
    let key_of = |(node, token): (&str, &str)| {
        let url = format!("{}/clusters/{cluster}/nodes/{node}/unlock-key", service.endpoint());
        support::http::request("GET", &url, &[("x-jeroboam-bootstrap-token", token)], None)
    };
    assert_eq!(key_of(master).json(), json!({"unlock_key": "SWMKEY-1-k"}));
    let refused = key_of(worker);
    assert_eq!(refused.status, 403, "{}", refused.text);
    // Another key alone is no reason to think that the tokens are new ones.
    let other_key = json!({"manager": "SWMTKN-1-m-one", "worker": "SWMTKN-1-w-one", "unlock_key": "SWMKEY-1-l"});
    assert_eq!(ask(&cluster, master, "join-tokens", &other_key).status, 204);
    assert_eq!((column("uuid"), column("used_at")), (uuid.clone(), used.clone()));
    assert_eq!(key_of(master).json(), json!({"unlock_key": "SWMKEY-1-l"}));
    let no_key = json!({"manager": "SWMTKN-1-m-one", "worker": "SWMTKN-1-w-one"});
    assert_eq!(ask(&cluster, master, "join-tokens", &no_key).status, 204);
    let none = key_of(master);
    assert_eq!(none.status, 404, "{}", none.text);
    assert_eq!(ask(&cluster, master, "join-tokens", &tokens).status, 204);
    // The same once more changes nothing.
    assert_eq!(ask(&cluster, master, "join-tokens", &tokens).status, 204);
    assert_eq!((column("uuid"), column("used_at")), (uuid.clone(), used));
    // One that managers refuse is to be rotated whatever is under way.
    let other = ask(&cluster, worker, "join-token", &json!({"refused": "00"}));
    assert_eq!(other.status, 200, "{}", other.text);
    let orders = || {
        let url = format!("{}/clusters/{cluster}/nodes/{}/orders", service.endpoint(), master.0);
        support::http::request("GET", &url, &[("x-jeroboam-bootstrap-token", master.1)], None).json()
    };
    assert_eq!(orders(), json!({"kind": "nothing"}), "nodes are about to use them");
    let output =
        std::process::Command::new("bash").args(["-c", "printf SWMTKN-1-w-one | sha256sum | cut -c 1-64"]).output();
    let sum = String::from_utf8(output.unwrap().stdout).unwrap();
    let later = ask(&cluster, worker, "join-token", &json!({"refused": sum.trim()}));
    assert_eq!((later.status, later.header("retry-after")), (409, Some("5")), "{}", later.text);
    assert_eq!(orders(), json!({"kind": "join-tokens", "uuid": uuid}));
    let tokens = json!({"manager": "SWMTKN-1-m-two", "worker": "SWMTKN-1-w-two", "unlock_key": "SWMKEY-1-k"});
    assert_eq!(ask(&cluster, master, "join-tokens", &tokens).status, 204);
    assert_eq!(orders(), json!({"kind": "nothing"}));
    assert_eq!(ask(&cluster, worker, "join-token", &json!({})).json(), json!({"token": "SWMTKN-1-w-two"}));

    let (other, of_other, ..) = made(service.template(&user, json!({})));
    let of_other = (&*of_other.0, &*of_other.1);
    for part in ["join-tokens", "join-token"] {
        let body = if part == "join-tokens" { tokens.clone() } else { json!({}) };
        let answer = ask(&other, of_other, part, &body);
        assert_eq!(answer.status, 404, "{}", answer.text);
        assert!(answer.text.contains("do not join by tokens of its masters"), "{}", answer.text);
        assert_eq!(ask(&cluster, of_other, part, &body).status, 404, "of another cluster");
    }
    assert!(!service.log().contains("SWMTKN") && !service.log().contains("SWMKEY"));
    service.gone(&user, &cluster);
    service.gone(&user, &other);
}
