//! Mesos clusters on the real cloud, where the operator has enabled the driver: by the unmodified client from template to
//! nothing, and in every shape that changes what their nodes are told. What runs in them is played,
//! APIs and all (tests/cloud/python/mesosmaster.py); see tests/mesos for what is real.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use support::cloud::{CLOUD, Faults};
use support::service::Service;
use support::{loopback_subnet, unique, wait_for};

fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

fn service() -> Service {
    Service::start(&[("JEROBOAM__DRIVERS__ENABLED", "kubernetes, mesos")])
}

fn template(service: &Service, token: &str, more: Value) -> String {
    let mut body = json!({"coe": "mesos", "network_driver": "docker", "image_id": "debian-12"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service.template(token, body)
}

/// The machines of a cluster, as they were played: their names and where their files lie.
fn machines(uuid: &str) -> Vec<PathBuf> {
    let cluster = format!("CLUSTER_UUID='{uuid}'");
    let folders = std::fs::read_dir(CLOUD.dir().join("nodes")).unwrap();
    let roots = folders.map(|folder| folder.unwrap().path().join("root"));
    let of = |root: &PathBuf| std::fs::read_to_string(root.join("etc/jeroboam/node.env")).unwrap_or_default();
    roots.filter(|root| of(root).contains(&cluster)).collect()
}

/// Names of the project's stacks with this in them.
fn stacks(name: &str) -> Vec<String> {
    CLOUD.stacks("demo", name).iter().map(|stack| stack["stack_name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_driver_that_is_beta_is_the_operators_to_enable() {
    let plain = Service::start(&[]);
    let token = CLOUD.token("demo");
    let body = json!({"name": unique("m"), "coe": "mesos", "image_id": "debian-12", "external_network_id": "public",
        "flavor_id": "m1.small", "master_flavor_id": "m1.small", "network_driver": "docker"});
    let refused = plain.call(&token, "POST", "/clustertemplates", Some(&body));
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("(vm, debian, mesos) not supported"), "{}", refused.text);
}

/// From template to nothing, by the commands users type.
#[test]
fn a_cluster_by_the_unmodified_client() {
    let service = service();
    let login = CLOUD.login("demo");
    let token = CLOUD.token("demo");
    let openstack = |line: &str| text(&service.openstack(&login, &line.split_whitespace().collect::<Vec<_>>()));
    let (template, name) = (unique("mesos"), unique("mesos"));
    openstack(&format!(
        "coe cluster template create {template} --coe mesos --image debian-12 --external-network public --flavor m1.small \
         --master-flavor m1.medium --network-driver docker --keypair testkey --master-lb-enabled \
         --labels mesos_slave_isolation=docker/runtime,mesos_slave_image_providers=docker,mesos_slave_work_dir=/srv/mesos"
    ));
    let asked = format!("coe cluster create {name} --cluster-template {template} --master-count 3 --node-count 2");
    assert!(openstack(&asked).contains("accepted"));
    let shown = service.complete(&token, &name);
    let uuid = shown["uuid"].as_str().unwrap().to_owned();
    let shown: Value = serde_json::from_str(&openstack(&format!("coe cluster show {name} -f json"))).unwrap();
    assert_eq!(shown["status"], "CREATE_COMPLETE", "{shown}");
    let api = shown["api_address"].as_str().unwrap();
    assert!(api.starts_with("https://") && api.ends_with(":5050"), "{shown}");
    assert_eq!(shown["coe_version"], "1.11.0", "{shown}");
    assert_eq!(shown["master_addresses"].as_array().unwrap().len(), 3, "{shown}");
    assert_eq!(shown["node_addresses"].as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(machines(&uuid).len(), 5);

    openstack(&format!("coe cluster resize {name} 3"));
    let count = || service.show(&token, &name)["node_count"].as_u64();
    let at_rest = || service.show(&token, &name)["status"] == "UPDATE_COMPLETE";
    wait_for("three agents", Duration::from_secs(600), || (at_rest() && count() == Some(3)).then_some(()));
    openstack(&format!("coe cluster resize {name} 1"));
    wait_for("one agent", Duration::from_secs(600), || (at_rest() && count() == Some(1)).then_some(()));
    wait_for("their machines to be gone", Duration::from_secs(30), || (machines(&uuid).len() == 4).then_some(()));

    openstack(&format!("coe nodegroup create {name} gpu --node-count 2 --role worker"));
    let status = |group: &str| {
        let answer = service.call(&token, "GET", &format!("/clusters/{uuid}/nodegroups/{group}"), None);
        (answer.status == 200).then(|| answer.json()["status"].as_str().unwrap_or_default().to_owned())
    };
    let made = || status("gpu").filter(|status| status == "CREATE_COMPLETE").map(|_| ());
    wait_for("the nodegroup", Duration::from_secs(600), made);
    assert_eq!(machines(&uuid).len(), 6);
    let listed = openstack(&format!("coe nodegroup list {name} -f value -c name"));
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["default-master", "default-worker", "gpu"]);
    openstack(&format!("coe nodegroup delete {name} gpu"));
    wait_for("the nodegroup to be gone", Duration::from_secs(600), || status("gpu").is_none().then_some(()));

    openstack(&format!("coe cluster delete {name}"));
    service.absent(&token, &uuid);
    assert_eq!(stacks(&name), [""; 0]);
    wait_for("the machines to be gone", Duration::from_secs(30), || machines(&uuid).is_empty().then_some(()));
    openstack(&format!("coe cluster template delete {template}"));
    wait_for("nothing to be left behind", Duration::from_secs(30), || {
        let census = CLOUD.census().to_string();
        (!census.contains(&uuid) && !census.contains(&name)).then_some(())
    });
}

/// A file of one of the machines.
fn file(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{}/{path}: {error}", root.display()))
}

fn is_master(root: &Path) -> bool {
    file(root, "etc/jeroboam/node.env").contains("NODE_ROLE='master'")
}

/// The machine's certificate is by an authority that it trusts.
fn has_a_certificate(root: &Path) {
    let verified = Command::new("openssl")
        .args(["verify", "-no-CApath", "-no-CAstore", "-purpose", "sslclient", "-CAfile"])
        .args([root.join("etc/mesos/pki/ca.crt"), root.join("etc/mesos/pki/mesos.crt")])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// Everything that a complete cluster must show of itself and on its nodes.
fn is_well(service: &Service, token: &str, uuid: &str, (masters, workers, tls, marathon): (usize, usize, bool, bool)) {
    let shown = service.show(token, uuid);
    let scheme = if tls { "https://" } else { "http://" };
    assert!(shown["api_address"].as_str().unwrap().starts_with(scheme), "{shown}");
    let ready = service.rows(&format!("SELECT role, phase FROM node WHERE cluster_uuid = '{uuid}'"));
    let count = |role: &str| ready.as_array().unwrap().iter().filter(|row| **row == json!([role, "ready"])).count();
    assert_eq!((count("master"), count("worker")), (masters, workers), "{ready}");
    let (mut members, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    for root in machines(uuid) {
        if is_master(&root) {
            members.insert(file(&root, "var/lib/mesos/zookeeper/myid"));
            let ensemble = file(&root, "etc/zookeeper/jeroboam/zoo.cfg");
            assert_eq!(ensemble.lines().filter(|line| line.starts_with("server.")).count(), masters, "{ensemble}");
            assert_eq!(ensemble.contains("secureClientPort=2281"), tls, "{ensemble}");
            let unit = file(&root, "etc/systemd/system/mesos-master.service");
            assert!(unit.contains(&format!("\"--quorum={}\"", masters / 2 + 1)), "{unit}");
            assert_eq!(root.join("etc/systemd/system/marathon.service").exists(), marathon);
        } else {
            let unit = file(&root, "etc/systemd/system/mesos-agent.service");
            assert!(unit.contains("--master=zk://"), "{unit}");
            assert_eq!(root.join("etc/mesos/tunnel.conf").exists(), tls);
        }
        for credential in ["etc/mesos/agents.json", "etc/mesos/credential.json"] {
            let text = std::fs::read_to_string(root.join(credential)).unwrap_or_default();
            secrets.extend(text.split('"').find(|word| word.len() == 64).map(str::to_owned));
        }
        has_a_certificate(&root);
    }
    assert_eq!(members.len(), masters, "{members:?}");
    // Without certificates agents prove who they are by a secret, of which nobody else is told.
    assert_eq!(secrets.len(), usize::from(!tls), "one for all nodes");
    assert!(secrets.iter().all(|secret| !service.log().contains(secret)), "it is in the log");
}

/// (image, masters, workers, given network, load balancer, floating IPs, volumes, TLS, Marathon)
type Row = (&'static str, usize, usize, bool, bool, bool, bool, bool, bool);

const N: bool = false;
const Y: bool = true;
const DEBIAN: &str = "debian-12";
const UBUNTU: &str = "ubuntu-24.04";

/// Every two values of two different columns stand together in a row, but several masters without a load balancer,
/// which the API refuses.
const ROWS: [Row; 10] = [
    (DEBIAN, 5, 2, N, Y, N, Y, Y, N),
    (DEBIAN, 5, 1, N, Y, Y, Y, Y, Y),
    (UBUNTU, 5, 0, Y, Y, N, N, N, Y),
    (UBUNTU, 3, 2, N, Y, N, N, N, Y),
    (UBUNTU, 3, 1, Y, Y, Y, N, Y, N),
    (UBUNTU, 1, 2, Y, N, Y, Y, Y, Y),
    (DEBIAN, 3, 0, Y, Y, N, Y, Y, N),
    (DEBIAN, 1, 1, Y, N, N, N, N, N),
    (DEBIAN, 1, 0, N, N, Y, Y, N, Y),
    (UBUNTU, 1, 0, N, Y, N, N, N, Y),
];

#[test]
fn every_two_choices_stand_together() {
    let columns = |row: &Row| {
        let flags = [row.3, row.4, row.5, row.6, row.7, row.8].map(|flag| flag.to_string());
        [vec![row.0.to_owned(), row.1.to_string(), row.2.to_string()], flags.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = ROWS.iter().map(columns).collect();
    let values = |column: usize| rows.iter().map(|row| &row[column]).collect::<BTreeSet<_>>();
    assert_eq!([0, 1, 2].map(|column| values(column).len()), [2, 3, 3]);
    assert!((3..9).all(|column| values(column).len() == 2));
    for (first, second) in (0..9).flat_map(|first| (first + 1..9).map(move |second| (first, second))) {
        for (one, other) in
            values(first).into_iter().flat_map(|one| values(second).into_iter().map(move |other| (one, other)))
        {
            let refused = (first, second) == (1, 4) && one != "1" && other == "false";
            let together = rows.iter().any(|row| &row[first] == one && &row[second] == other);
            assert!(refused || together, "no row has {one} in column {first} and {other} in column {second}");
        }
    }
}

/// Made through the API, complete with every node ready, and gone again; some at a time.
#[test]
fn every_shape_comes_up_is_well_and_goes() {
    let service = service();
    let token = CLOUD.token("demo");
    let made = |row: &Row| {
        let (image, masters, workers, given, balanced, floating, volume, tls, marathon) = *row;
        let mut of_template = json!({
            "image_id": image, "master_lb_enabled": balanced, "floating_ip_enabled": floating, "tls_disabled": !tls,
            "labels": {"marathon_enabled": marathon.to_string()},
        });
        if given {
            (of_template["fixed_network"], of_template["fixed_subnet"]) = ("private".into(), "private-subnet".into());
        }
        if volume {
            of_template["docker_volume_size"] = 3.into();
        }
        let counts = json!({"master_count": masters, "node_count": workers});
        (service.cluster(&token, &template(&service, &token, of_template), counts), (masters, workers, tls, marathon))
    };
    for some in ROWS.chunks(4) {
        let clusters: Vec<_> = some.iter().map(made).collect();
        for (cluster, wanted) in &clusters {
            service.complete(&token, cluster);
            is_well(&service, &token, cluster, *wanted);
        }
        for (cluster, _) in &clusters {
            service.gone(&token, cluster);
        }
    }
}

/// A step that cannot be done fails the cluster with the step's words.
#[test]
fn a_failed_node_names_its_step() {
    let service = service();
    let token = CLOUD.token("demo");
    let name = unique("badmesos");
    let message =
        "mesos-agent is not in this image, and the label mesos_packages_url names no repository to install it from";
    let _nodes =
        CLOUD.nodes(vec![json!({"name": format!("{name}.*-worker-0"), "fail": "install", "message": message})]);
    let cluster = service.cluster(&token, &template(&service, &token, json!({})), json!({"name": name}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["-worker-0", "install", "mesos-agent is not in this image", "[node-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    service.gone(&token, &cluster);
}

/// A cluster on addresses of this machine's own, so that there is a way to its masters; what runs on its nodes is ordered
/// by [`Local::order`].
struct Local<'a> {
    service: &'a Service,
    token: String,
    name: String,
    uuid: String,
}

impl<'a> Local<'a> {
    /// Complete.
    fn made(service: &'a Service, mut of_template: Value, of_cluster: Value) -> Self {
        let (token, name) = (CLOUD.token("demo"), unique("local"));
        of_template["labels"] = json!({"fixed_subnet_cidr": loopback_subnet()});
        let mut body = json!({"name": name});
        body.as_object_mut().unwrap().extend(of_cluster.as_object().unwrap().clone());
        let uuid = service.cluster(&token, &template(service, &token, of_template), body);
        service.complete(&token, &uuid);
        Self { service, token, name, uuid }
    }

    /// What holds for the node until the guard is dropped.
    fn order(&self, node: &str, mut rule: Value) -> Faults {
        rule["name"] = format!("^{}-.*-{node}$", self.name).into();
        CLOUD.nodes_first(vec![rule])
    }

    /// Waits until its health is that, and says so under the key that ends so.
    fn health(&self, status: &str, key: &str, says: &str) -> Value {
        let mut last = Value::Null;
        let limit = Duration::from_secs(120);
        let end = std::time::Instant::now() + limit;
        loop {
            let shown = self.service.show(&self.token, &self.uuid);
            let reason = shown["health_status_reason"].as_object().cloned().unwrap_or_default();
            let said = |(own, text): (&String, &Value)| own.ends_with(key) && text.as_str().unwrap().contains(says);
            if shown["health_status"] == status && reason.iter().any(said) {
                return shown["health_status_reason"].clone();
            }
            if std::time::Instant::now() > end {
                panic!("{}: waiting for {status}, {key}: {says}; it is {last}", self.name);
            }
            last = json!([shown["health_status"], shown["health_status_reason"]]);
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn resized(&self, body: &Value) -> Value {
        let answer =
            self.service.call(&self.token, "POST", &format!("/clusters/{}/actions/resize", self.uuid), Some(body));
        assert_eq!(answer.status, 202, "{}", answer.text);
        self.service.updated(&self.token, &self.uuid)
    }

    /// The authority in force, as users get it.
    fn authority(&self) -> String {
        let answer = self.service.call(&self.token, "GET", &format!("/certificates/{}", self.uuid), None);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["pem"].as_str().unwrap().to_owned()
    }

    /// The indices of its workers.
    fn workers(&self) -> BTreeSet<u32> {
        let names = self
            .service
            .rows(&format!("SELECT name FROM node WHERE cluster_uuid = '{}' AND role = 'worker'", self.uuid));
        let index = |row: &Value| row[0].as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        names.as_array().unwrap().iter().map(index).collect()
    }
}

/// A service that looks every second, and has the time to drain.
fn looking() -> Service {
    Service::start(&[
        ("JEROBOAM__DRIVERS__ENABLED", "kubernetes, mesos"),
        ("JEROBOAM__HEALTH__POLL_INTERVAL_S", "1"),
        ("JEROBOAM__HEALTH__TIMEOUT_S", "8"),
        ("JEROBOAM__DRIVERS__DRAIN_TIMEOUT_S", "60"),
    ])
}

/// The masters show certificates of the cluster, demand ours, and say how the cluster is: by the first authorities, by
/// new ones, and after all nodes were replaced.
#[test]
fn health_is_what_masters_say_with_new_authorities_and_on_new_nodes_too() {
    let service = looking();
    let cluster =
        Local::made(&service, json!({"master_lb_enabled": true}), json!({"master_count": 3, "node_count": 2}));
    all_are_well(&cluster);
    authorities_are_replaced(&cluster);
    health_follows_who_goes(&cluster);
    nodes_are_replaced(&cluster);
    all_are_well(&cluster);
    service.gone(&cluster.token, &cluster.uuid);
}

/// Those that there are, and nobody else.
fn all_are_well(cluster: &Local<'_>) {
    cluster.health("HEALTHY", "default-worker.Agents", "True");
    for index in cluster.workers() {
        cluster.health("HEALTHY", &format!("worker-{index}.Ready"), "True");
    }
    let well = cluster.health("HEALTHY", "marathon", "True");
    assert_eq!(well["api"], "ok", "{well}");
    let keys = well.as_object().unwrap().keys();
    let count = |end: &str| keys.clone().filter(|key| key.ends_with(end)).count();
    assert_eq!((count(".Healthy"), count(".Ready")), (3, 2), "{well}");
}

fn health_follows_who_goes(cluster: &Local<'_>) {
    {
        let _away = cluster.order("worker-1", json!({"stopped": true}));
        cluster.health("UNHEALTHY", "worker-1.Ready", "False: it takes no tasks");
        cluster.health("UNHEALTHY", "default-worker.Agents", "False: 1 of 2 take tasks");
    }
    cluster.health("HEALTHY", "worker-1.Ready", "True");
    {
        // The one that leads, so that another one does.
        let _away = cluster.order("master-0", json!({"stopped": true}));
        let reason = cluster.health("UNHEALTHY", ".Healthy", "False: ");
        assert_eq!(reason["default-worker.Agents"], "True", "{reason}");
        let _no_majority = cluster.order("master-1", json!({"stopped": true}));
        cluster.health("UNHEALTHY", "api", "No master leads the others");
    }
    let well = cluster.health("HEALTHY", "api", "ok");
    // Whoever has no certificate of the cluster's is told nothing.
    let address = well.as_object().unwrap().keys().find_map(|key| key.strip_suffix(".Healthy")).unwrap();
    let stranger = Command::new("curl").args(["-sk", "-m", "10", &format!("https://{address}:5050/health")]).status();
    assert!(!stranger.unwrap().success());
}

/// All nodes trust the new authority alone, and so does what runs on them, by certificates of the new one's.
fn authorities_are_replaced(cluster: &Local<'_>) {
    let _quick = CLOUD.nodes(vec![json!({"name": cluster.name, "timers": 2})]);
    let old = cluster.authority();
    let url = format!("{}/certificates/{}/", cluster.service.endpoint(), cluster.uuid);
    let headers = [
        ("x-auth-token", cluster.token.as_str()),
        ("openstack-api-version", "container-infra latest"),
        ("content-type", "application/octet-stream"),
    ];
    let answer = support::http::request("PATCH", &url, &headers, None);
    assert_eq!(answer.status, 202, "{}", answer.text);
    let shown = cluster.service.updated(&cluster.token, &cluster.uuid);
    assert!(shown["status_reason"].as_str().unwrap().contains("authorities were replaced"), "{shown}");
    let new = cluster.authority();
    assert_ne!(old, new);
    for root in machines(&cluster.uuid) {
        let copy = if is_master(&root) { "etc/zookeeper/jeroboam/ca.pem" } else { "etc/mesos/executor/ca.crt" };
        wait_for("only the new authority to be trusted", Duration::from_secs(60), || {
            ["etc/mesos/pki/ca.crt", copy].iter().all(|path| file(&root, path).trim() == new.trim()).then_some(())
        });
        has_a_certificate(&root);
    }
}

/// By another image: masters under their names, while a majority stays, and agents that were drained and are forgotten.
fn nodes_are_replaced(cluster: &Local<'_>) {
    let (service, token, uuid) = (cluster.service, &cluster.token, &cluster.uuid);
    let servers = || -> BTreeMap<String, String> {
        let text = |server: &Value, key: &str| server[key].as_str().unwrap().to_owned();
        CLOUD.servers(&cluster.name).iter().map(|server| (text(server, "name"), text(server, "id"))).collect()
    };
    let (before, workers) = (servers(), cluster.workers());
    let next = template(service, token, json!({"image_id": UBUNTU, "master_lb_enabled": true}));
    let body = json!({"cluster_template": next, "max_batch_size": 2});
    let answer = service.call(token, "POST", &format!("/clusters/{uuid}/actions/upgrade"), Some(&body));
    assert_eq!(answer.status, 202, "{}", answer.text);
    let shown = service.updated(token, uuid);
    assert_eq!(shown["cluster_template_id"], next.as_str(), "{shown}");
    // Else it would say whom it did not drain, or could not have forgotten.
    assert_eq!(shown["status_reason"], "Stack UPDATE completed successfully", "{shown}");
    assert!(!service.log().contains("without asking how the others are"));
    let after = servers();
    let masters = |servers: &BTreeMap<String, String>| {
        servers.keys().filter(|name| name.contains("-master-")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(masters(&before), masters(&after), "under their names");
    assert_eq!(after.len(), 5, "{after:?}");
    let old: BTreeSet<&String> = before.values().collect();
    assert!(after.values().all(|id| !old.contains(id)), "all are other machines: {before:?}, {after:?}");
    assert!(cluster.workers().is_disjoint(&workers), "{workers:?}");
    assert!(CLOUD.servers(&cluster.name).iter().all(|server| server["image"]["name"] == UBUNTU));
}

/// Agents with the fewest tasks leave, drained; with and without TLS.
#[test]
fn agents_with_the_fewest_tasks_leave() {
    let service = looking();
    for tls_disabled in [false, true] {
        let cluster = Local::made(&service, json!({"tls_disabled": tls_disabled}), json!({"node_count": 4}));
        let _busy = [("worker-0", 3), ("worker-1", 0), ("worker-2", 5), ("worker-3", 1)]
            .map(|(node, tasks)| cluster.order(node, json!({"tasks": tasks})));
        let shown = cluster.resized(&json!({"node_count": 2}));
        assert_eq!(cluster.workers(), BTreeSet::from([0, 2]), "{shown}");
        assert_eq!(shown["status_reason"], "Stack UPDATE completed successfully", "{shown}");
        // Those that left are forgotten by the masters, which else would speak of agents that take no tasks.
        // What is shown until the next look is how it was before.
        wait_for("the health of two agents", Duration::from_secs(120), || {
            let well = cluster.health("HEALTHY", "default-worker.Agents", "True");
            (well.as_object().unwrap().keys().filter(|key| key.ends_with(".Ready")).count() == 2).then_some(())
        });
        let scheme = if tls_disabled { "http://" } else { "https://" };
        assert!(shown["api_address"].as_str().unwrap().starts_with(scheme), "{shown}");
        // Whoever is named goes first.
        let shown = cluster.resized(&json!({"node_count": 1, "nodes_to_remove": ["2"]}));
        assert_eq!(cluster.workers(), BTreeSet::from([0]), "{shown}");
        service.gone(&cluster.token, &cluster.uuid);
    }
}

/// Who leaves is on record before anything is done to him: a kill in the midst of it does not have another one leave.
#[test]
fn a_choice_outlives_a_kill() {
    let mut service = looking();
    let cluster = Local::made(&service, json!({}), json!({"node_count": 3}));
    let (token, name, uuid) = (cluster.token.clone(), cluster.name.clone(), cluster.uuid.clone());
    let busy = [
        cluster.order("worker-0", json!({"tasks": 1, "clings": true})),
        cluster.order("worker-1", json!({"tasks": 2})),
        cluster.order("worker-2", json!({"tasks": 3})),
    ];
    let path = format!("/clusters/{uuid}/actions/resize");
    assert_eq!(service.call(&token, "POST", &path, Some(&json!({"node_count": 2}))).status, 202);
    let told = || service.show(&token, &uuid)["status_reason"].as_str().unwrap_or_default().to_owned();
    let draining = || (told() == "Nodes give up what they run: 0 of 1 have").then_some(());
    wait_for("an agent to be drained", Duration::from_secs(60), draining);
    service.kill();
    // Asked again, the last one would leave: none runs anything now.
    drop(busy);
    service.restart();
    let shown = service.updated(&token, &uuid);
    assert_eq!(shown["status_reason"], "Stack UPDATE completed successfully", "{shown}");
    let cluster = Local { service: &service, token, name, uuid };
    assert_eq!(cluster.workers(), BTreeSet::from([1, 2]), "{shown}");
    service.gone(&cluster.token, &cluster.uuid);
}

/// Where there is no way to the masters the last node leaves, and the status says why it was that one.
#[test]
fn without_a_way_to_the_masters_the_last_leaves_and_that_is_told() {
    let service = looking();
    let token = CLOUD.token("demo");
    let cluster = service.cluster(&token, &template(&service, &token, json!({})), json!({"node_count": 2}));
    service.complete(&token, &cluster);
    let own = Local { service: &service, token: token.clone(), name: String::new(), uuid: cluster.clone() };
    own.health("UNKNOWN", "api", "10.0.0.");
    let shown = own.resized(&json!({"node_count": 1}));
    assert_eq!(own.workers(), BTreeSet::from([0]));
    let reason = shown["status_reason"].as_str().unwrap();
    for part in
        ["Not drained before they left: ", "The last nodes left, as it could not be known which ran the fewest tasks: "]
    {
        assert!(reason.contains(part), "{reason}");
    }
    service.gone(&token, &cluster);
}
