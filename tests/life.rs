//! Whole lives of clusters on the real cloud: made by the unmodified client, complete or failed with a cause, deleted.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::service::Service;
use support::{unique, wait_for};

fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

/// The first thing that must be true, by the commands users type; with nothing left behind.
#[test]
fn a_cluster_by_the_unmodified_client() {
    let service = Service::start(&[]);
    let login = CLOUD.login("demo");
    let openstack = |line: &str| text(&service.openstack(&login, &line.split_whitespace().collect::<Vec<_>>()));

    let template = unique("k8s");
    let made = openstack(&format!(
        "coe cluster template create {template} --coe kubernetes --image ubuntu-24.04 --external-network public \
         --flavor m1.small --master-flavor m1.medium --network-driver flannel --keypair testkey -f value -c name"
    ));
    assert_eq!(made.lines().last(), Some(template.as_str()), "{made}");

    let name = unique("life");
    let accepted = openstack(&format!("coe cluster create {name} --cluster-template {template} --node-count 1"));
    assert!(accepted.contains("accepted"), "{accepted}");
    let token = CLOUD.token("demo");
    service.complete(&token, &name);
    let shown: Value = serde_json::from_str(&openstack(&format!("coe cluster show {name} -f json"))).unwrap();
    let uuid = shown["uuid"].as_str().unwrap();
    assert_eq!(shown["status"], "CREATE_COMPLETE", "{shown}");
    assert!(shown["api_address"].as_str().unwrap().starts_with("https://"), "{shown}");
    assert_eq!(shown["master_addresses"].as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(shown["node_addresses"].as_array().unwrap().len(), 1, "{shown}");

    let listed = openstack("coe cluster list -f value -c uuid -c status");
    assert!(listed.contains(&format!("{uuid} CREATE_COMPLETE")), "{listed}");

    kubeconfig_verifies(&service, &name, &openstack);
    grows_and_has_a_nodegroup(&service, &name, &openstack);

    openstack(&format!("coe cluster delete {name}"));
    service.absent(&token, uuid);
    let absent = service.openstack(&login, &["coe", "cluster", "show", &name]);
    let said = String::from_utf8_lossy(&absent.stderr).into_owned();
    assert!(!absent.status.success() && said.contains("404"), "{said}");
    CLOUD.no_stack("demo", &name);
    openstack(&format!("coe cluster template delete {template}"));
    wait_for("nothing to be left behind", Duration::from_secs(30), || {
        let census = CLOUD.census().to_string();
        (!census.contains(uuid) && !census.contains(&name)).then_some(())
    });
}

/// `coe cluster resize` brings a worker, `coe nodegroup create` a nodegroup, and `coe nodegroup delete` takes it away.
fn grows_and_has_a_nodegroup(service: &Service, name: &str, openstack: &dyn Fn(&str) -> String) {
    let token = CLOUD.token("demo");
    openstack(&format!("coe cluster resize {name} 2"));
    let shown = service.updated(&token, name);
    assert_eq!(shown["node_addresses"].as_array().unwrap().len(), 2, "{shown}");

    let groups = || {
        let listed = openstack(&format!("coe nodegroup list {name} -f value -c name"));
        listed.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    openstack(&format!("coe nodegroup create {name} gpu --node-count 1 --flavor m1.small"));
    service.updated(&token, name);
    assert_eq!(groups(), ["default-master", "default-worker", "gpu"]);
    let answer = service.call(&token, "GET", &format!("/clusters/{name}/nodegroups/gpu"), None);
    assert_eq!(answer.json()["status"], "CREATE_COMPLETE", "{}", answer.text);
    openstack(&format!("coe nodegroup delete {name} gpu"));
    service.updated(&token, name);
    assert_eq!(groups(), ["default-master", "default-worker"]);
}

/// `coe cluster config` writes a kubeconfig whose certificate the cluster's authority has signed.
fn kubeconfig_verifies(service: &Service, name: &str, openstack: &dyn Fn(&str) -> String) {
    let dir = service.dir().join("config");
    std::fs::create_dir(&dir).unwrap();
    openstack(&format!("coe cluster config {name} --dir {} --output-certs", dir.display()));
    let verified = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile"])
        .args([dir.join("ca.pem"), dir.join("cert.pem")])
        .output()
        .unwrap();
    assert!(text(&verified).ends_with("OK\n"));
    let config: serde_yaml::Value =
        serde_yaml::from_str(&std::fs::read_to_string(dir.join("config")).unwrap()).unwrap();
    assert!(config["clusters"][0]["cluster"]["server"].as_str().unwrap().starts_with("https://"));
}

/// As a pipeline logs in: its token cannot own a stack, so the service's user does.
#[test]
fn a_cluster_by_an_application_credential() {
    let service = Service::start(&[]);
    let template = service.template(&CLOUD.token("demo"), json!({}));
    let credential = CLOUD.application_credential("demo");
    let login = [
        ("OS_REGION_NAME", "RegionOne"),
        ("OS_APPLICATION_CREDENTIAL_ID", &credential.id),
        ("OS_APPLICATION_CREDENTIAL_SECRET", &credential.secret),
    ];
    let login = login.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let name = unique("ci");
    let mut arguments = vec!["--os-auth-type", "v3applicationcredential", "coe", "cluster", "create", &name];
    arguments.extend(["--cluster-template", &template, "--node-count", "1"]);
    text(&service.openstack(&login, &arguments));
    let token = CLOUD.token("demo");
    service.complete(&token, &name);
    assert_eq!(service.rows("SELECT act_as FROM cluster"), json!([["service"]]));
    service.gone(&token, &name);
}

/// Every shape of a cluster comes up, all at once.
#[test]
fn shapes_of_clusters() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let shapes = [
        (json!({"master_lb_enabled": true}), json!({"master_count": 3, "node_count": 1}), "a load balancer"),
        (json!({"fixed_network": "private", "fixed_subnet": "private-subnet"}), json!({}), "a given network"),
        (json!({"image_id": "fedora-coreos-latest"}), json!({"node_count": 0}), "Ignition"),
        (
            json!({"image_id": "debian-12", "floating_ip_enabled": true, "docker_volume_size": 3}),
            json!({"labels": {"etcd_volume_size": "2"}}),
            "floating addresses and volumes",
        ),
        (json!({"image_id": "flatcar"}), json!({"labels": {"node_reports": "false"}}), "nodes that need not report"),
    ];
    let clusters: Vec<_> = shapes
        .into_iter()
        .map(|(template, cluster, what)| (service.cluster(&token, &service.template(&token, template), cluster), what))
        .collect();
    for (cluster, what) in &clusters {
        eprintln!("{what}: {cluster}");
        let shown = service.complete(&token, cluster);
        for (count, addresses) in [("master_count", "master_addresses"), ("node_count", "node_addresses")] {
            assert_eq!(shown[count].as_u64().unwrap() as usize, shown[addresses].as_array().unwrap().len(), "{shown}");
        }
        assert!(shown["api_address"].as_str().unwrap().starts_with("https://"), "{shown}");
        // Its own address, none of the masters'.
        if what == &"a load balancer" {
            let address = shown["api_address"].as_str().unwrap();
            let masters = shown["master_addresses"].as_array().unwrap();
            assert!(!masters.iter().any(|master| address.contains(master.as_str().unwrap())), "{shown}");
        }
    }
    for (cluster, _) in &clusters {
        service.gone(&token, cluster);
    }
}

/// The failing resource, its type and its own words, in `status_reason` and `faults`; then the same of a delete that
/// Heat does not carry out however often it is asked, until the cause is gone.
#[test]
fn a_failed_stack_names_its_cause() {
    let service = Service::start(&[("JEROBOAM__HEAT__POLL_INTERVAL_S", "1")]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let name = unique("nohost");
    let faults = CLOUD.faults(vec![json!({
        "type": "OS::Nova::Server", "stack": name, "name": "kube-minion", "action": "CREATE",
        "fail": "No valid host was found. There are not enough hosts available.",
    })]);
    let cluster = service.cluster(&token, &template, json!({"name": name}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["OS::Nova::Server", "kube_minions/0/kube-minion", "No valid host was found", "[stack-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(shown["faults"]["default-worker"].as_str().unwrap().contains("No valid host"), "{shown}");
    drop(faults);

    let faults = CLOUD.faults(vec![json!({
        "type": "OS::Nova::Server", "stack": name, "name": "kube-minion", "action": "DELETE",
        "fail": "The host is away.",
    })]);
    assert_eq!(service.call(&token, "DELETE", &format!("/clusters/{cluster}"), None).status, 204);
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "DELETE_FAILED", "{shown}");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["OS::Nova::Server", "kube_minions/0/kube-minion", "The host is away", "[stack-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    for group in ["default-master", "default-worker"] {
        assert!(shown["faults"][group].as_str().unwrap().contains("The host is away"), "{shown}");
    }
    let tries = "SELECT state, json_extract(progress, '$.tries') FROM operation WHERE kind = 'cluster.delete'";
    assert_eq!(service.rows(tries), json!([["failed", 5]]), "Heat was asked again");
    let stacks = CLOUD.stacks("demo", &name);
    assert_eq!((stacks.len(), &stacks[0]["stack_status"]), (1, &json!("DELETE_FAILED")), "{stacks:?}");
    drop(faults);
    service.gone(&token, &cluster);
    CLOUD.no_stack("demo", &name);
}

/// A node that fails fails the cluster at once, with its step and the end of its log.
#[test]
fn a_failed_node_names_its_step() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let name = unique("badnode");
    let _nodes = CLOUD.nodes(vec![
        json!({"name": format!("{name}.*-worker-0"), "fail": "runtime", "message": "containerd did not start"}),
    ]);
    let cluster = service.cluster(&token, &template, json!({"name": name}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["-worker-0", "runtime", "containerd did not start", "[node-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    let log = shown["faults"]["default-worker"].as_str().unwrap();
    assert!(log.contains("this step was told to fail\n"), "the end of the step's log: {log}");
    service.gone(&token, &cluster);
}

/// When the time is over, the node that nobody heard of is named, beside those that are well.
#[test]
fn a_silent_node_is_named_when_the_time_is_over() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let name = unique("silent");
    let _nodes = CLOUD.nodes(vec![json!({"name": format!("{name}.*-worker-1"), "silent": true})]);
    let cluster = service.cluster(&token, &template, json!({"name": name, "node_count": 2, "create_timeout": 20}));
    wait_for("everything else to be well", Duration::from_secs(600), || {
        let well = "SELECT (SELECT count(*) FROM node WHERE phase = 'ready'), observed_status FROM operation";
        (service.rows(well) == json!([[2, "CREATE_COMPLETE"]])).then_some(())
    });
    // As if all of it had been a while ago.
    let earlier = |column: &str| format!("{column} = strftime('%Y-%m-%dT%H:%M:%f+00:00', {column}, '-20 minutes')");
    service.write(&format!("UPDATE operation SET {}, {}", earlier("created_at"), earlier("deadline")));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["20 minutes)", "CREATE_COMPLETE", "-worker-1 (never reported)", "[timed-out]"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(!reason.contains("-worker-0") && !reason.contains("-master-0"), "{reason}");
    service.gone(&token, &cluster);
}

/// `jeroboam render` shows what was submitted, without what opens anything.
#[test]
fn the_submitted_stack_can_be_printed_without_secrets() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let name = unique("printed");
    let _held = CLOUD.nodes(vec![json!({"name": name, "silent": true})]);
    let cluster = service.cluster(&token, &service.template(&token, json!({})), json!({"name": name}));
    let user_data = wait_for("a server", Duration::from_secs(60), || CLOUD.user_data(&name).pop());
    let secret = support::bootstrap_token(&user_data);

    let printed = text(&service.run(&["render", &cluster]));
    let body: Value = serde_json::from_str(&printed).unwrap();
    let stack = CLOUD.stacks("demo", &name).remove(0);
    assert_eq!(body["stack_name"], stack["stack_name"]);
    assert!(body["template"]["resources"]["kube_minions"].is_object(), "{printed}");
    assert!(printed.contains("\"***\"") && !printed.contains(&secret) && !printed.contains("PRIVATE KEY"), "{printed}");
    service.gone(&token, &cluster);
}

/// Heat's change is ours in about one tick.
#[test]
fn a_complete_stack_is_noticed_within_a_tick() {
    const TICK: Duration = Duration::from_secs(2);
    let service = Service::start(&[("JEROBOAM__HEAT__POLL_INTERVAL_S", "2")]);
    let token = CLOUD.token("demo");
    let name = unique("tick");
    let held = CLOUD.faults(vec![json!({"type": "OS::Nova::Server", "stack": name, "hold": true})]);
    let labels = json!({"node_reports": "false"});
    let template = service.template(&token, json!({"labels": labels}));
    let cluster = service.cluster(&token, &template, json!({"name": name}));
    // The servers hold the stack; the operation waits, long past its first look at Heat.
    let waits = "SELECT count(*) FROM operation WHERE step LIKE '%/await' AND observed_status = 'CREATE_IN_PROGRESS'";
    wait_for("the stack to be seen", Duration::from_secs(60), || (service.rows(waits) == json!([[1]])).then_some(()));
    drop(held);
    let status = || CLOUD.stacks("demo", &name).remove(0)["stack_status"].as_str().unwrap().to_owned();
    wait_for("Heat to be done", Duration::from_secs(60), || (status() == "CREATE_COMPLETE").then_some(()));
    let changed = Instant::now();
    service.complete(&token, &cluster);
    let late = changed.elapsed();
    eprintln!("noticed {late:?} after Heat's change was seen; a tick is {TICK:?}");
    // Without the ticks it would be found at the operation's own next look, half a minute later.
    assert!(late < Duration::from_secs(20), "{late:?}");
    service.gone(&token, &cluster);
}

/// The cloud controller manager's load balancers hold ports in the cluster's network: they go before the stack, and
/// nobody else's do.
#[test]
fn what_controllers_inside_the_cluster_made_goes_with_it() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let name = unique("balanced");
    let template = service.template(&token, json!({"labels": {"node_reports": "false"}}));
    let cluster = service.cluster(&token, &template, json!({"name": name, "node_count": 0}));
    service.complete(&token, &cluster);
    let lookups = |method: &str, path: &str, body: Option<&Value>| {
        let answer = CLOUD.call("lookups", &token, method, path, body);
        assert!(answer.status < 300, "{method} {path}: {}", answer.text);
        answer.json()
    };
    let stack = CLOUD.stacks("demo", &name)[0]["stack_name"].as_str().unwrap().to_owned();
    let subnet = |name: &str| {
        let subnets = lookups("GET", &format!("/network/v2.0/subnets?name={name}"), None);
        subnets["subnets"][0]["id"].clone()
    };
    let networks = lookups("GET", "/network/v2.0/networks?name=public", None);
    let made = |owner: &str, subnet: Value| {
        let what = format!("Kubernetes external service default/web from cluster {owner}");
        let balancer = json!({"loadbalancer": {
            "name": name, "vip_subnet_id": subnet, "description": what, "listeners": [{"id": "x"}],
        }});
        let balancer = lookups("POST", "/load-balancer/v2.0/lbaas/loadbalancers", Some(&balancer));
        let address = json!({"floatingip": {
            "floating_network_id": networks["networks"][0]["id"], "port_id": balancer["loadbalancer"]["vip_port_id"],
            "description": format!("Floating IP for {what}"),
        }});
        let address = lookups("POST", "/network/v2.0/floatingips", Some(&address));
        let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
        [
            format!("/load-balancer/v2.0/lbaas/loadbalancers/{}", id(&balancer["loadbalancer"])),
            format!("/network/v2.0/floatingips/{}", id(&address["floatingip"])),
        ]
    };
    let ours = made(&cluster, subnet(&stack));
    let foreign = made("00000000-0000-4000-8000-000000000000", subnet("private-subnet"));
    service.gone(&token, &cluster);
    for path in &ours {
        assert_eq!(CLOUD.call("lookups", &token, "GET", path, None).status, 404, "{path}");
    }
    for path in &foreign {
        lookups("GET", path, None);
        assert_eq!(CLOUD.call("lookups", &token, "DELETE", &format!("{path}?cascade=true"), None).status, 204);
    }
}

/// What an operator no longer enables is made no more; what there is of it goes on, and can be deleted.
#[test]
fn clusters_outlive_their_drivers_place_in_the_configuration() {
    let mut service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let cluster = service.cluster(&token, &template, json!({"node_count": 0}));
    service.complete(&token, &cluster);
    service.restart_with("JEROBOAM__DRIVERS__ENABLED", "swarm");
    let body = json!({"name": unique("late"), "cluster_template_id": template});
    let refused = service.call(&token, "POST", "/clusters", Some(&body));
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("Supported: "), "{}", refused.text);
    let body = json!({"node_count": 1});
    let resized = service.call(&token, "POST", &format!("/clusters/{cluster}/actions/resize"), Some(&body));
    assert_eq!(resized.status, 202, "{}", resized.text);
    service.updated(&token, &cluster);
    service.gone(&token, &cluster);
}
