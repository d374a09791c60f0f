//! Every `openstack coe …` there is (the contract's section 11.1), by python-openstackclient and python-magnumclient.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::cloud::CLOUD;
use crate::support::service::Service;
use crate::support::unique;
use crate::{settles_as, with_cluster};

/// Somebody at a terminal.
struct Terminal<'a> {
    service: &'a Service,
    login: BTreeMap<String, String>,
}

impl<'a> Terminal<'a> {
    fn of(user: &str, service: &'a Service) -> Self {
        Self { service, login: CLOUD.login(user) }
    }

    fn run(&self, line: &str) -> (bool, String, String) {
        let words: Vec<_> = ["coe"].into_iter().chain(line.split_whitespace()).collect();
        let output = self.service.openstack(&self.login, &words);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    /// What the command prints.
    fn says(&self, line: &str) -> String {
        let (succeeded, out, err) = self.run(line);
        assert!(succeeded && !out.contains("failed"), "coe {line}: {out}{err}");
        out
    }

    /// The same as data, of commands that can.
    fn shows(&self, line: &str) -> Value {
        let out = self.says(&format!("{line} -f json"));
        // Some commands talk before they show.
        let start = out.find(['{', '[']).unwrap_or_else(|| panic!("{out}"));
        serde_json::from_str(&out[start..]).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    fn fails(&self, line: &str, words: &str) {
        let (succeeded, out, err) = self.run(line);
        assert!(!succeeded && err.contains(words), "coe {line}: {out}{err}");
    }
}

/// The rows of a table of two columns, as the older commands print it.
fn table(text: &str) -> BTreeMap<String, String> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    text.lines().map(cells).filter(|cells| cells.len() == 4).map(|cells| (cells[1].clone(), cells[2].clone())).collect()
}

#[test]
fn cluster_templates() {
    let service = Service::start(&[]);
    let demo = Terminal::of("demo", &service);
    let (name, other) = (unique("cli"), unique("cli"));
    let made = demo.shows(&format!(
        "cluster template create {name} --coe kubernetes --image ubuntu-24.04 --external-network public --flavor m1.small \
         --master-flavor m1.medium --network-driver flannel --volume-driver cinder --dns-nameserver 9.9.9.9 \
         --docker-volume-size 5 --docker-storage-driver overlay2 --labels a=1,b=two --tags x,y --server-type vm \
         --keypair testkey --master-lb-enabled --floating-ip-disabled --no-proxy localhost --registry-enabled"
    ));
    for (member, value) in [
        ("name", json!(name)),
        ("coe", json!("kubernetes")),
        ("labels", json!({"a": "1", "b": "two"})),
        ("docker_volume_size", json!(5)),
        ("dns_nameserver", json!("9.9.9.9")),
        ("floating_ip_enabled", json!(false)),
        ("master_lb_enabled", json!(true)),
        ("registry_enabled", json!(true)),
        ("cluster_distro", json!("ubuntu")),
        ("public", json!(false)),
    ] {
        assert_eq!(made[member], value, "{member}: {made}");
    }
    // The client sends tags in any order.
    assert!(["x,y", "y,x"].contains(&made["tags"].as_str().unwrap()), "{made}");
    // The least that can be typed: everything else is sent as null, a name server and a flavor as the client chooses.
    let least =
        format!("cluster template create {other} --coe kubernetes --image ubuntu-24.04 --external-network public");
    assert_eq!(demo.shows(&least)["dns_nameserver"], "8.8.8.8");
    let listed = demo.shows("cluster template list --fields image_id,coe");
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, [&name, &other]);
    assert_eq!(listed[0]["image_id"], "ubuntu-24.04");
    let listed = demo.shows("cluster template list --limit 1 --sort-key name --sort-dir desc");
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["name"]), (1, &json!(other)), "{listed}");
    assert_eq!(demo.shows(&format!("cluster template show {name}"))["uuid"], made["uuid"]);

    let uuid = made["uuid"].as_str().unwrap();
    let renamed = unique("cli");
    let changed = demo.shows(&format!(
        "cluster template update {uuid} --name {renamed} --docker-volume-size 7 --label kube.tag=v1 --no-label a \
         --tag z --master-lb-disabled --dns-nameserver 8.8.4.4"
    ));
    assert_eq!((&changed["name"], &changed["docker_volume_size"]), (&json!(renamed), &json!(7)), "{changed}");
    assert_eq!(changed["labels"], json!({"b": "two", "kube.tag": "v1"}));
    assert_eq!((&changed["tags"], &changed["master_lb_enabled"]), (&json!("z"), &json!(false)));
    demo.fails(&format!("cluster template update {uuid} --public"), "Not authorized to set public or hidden flag");
    demo.fails(&format!("cluster template update {uuid} --image no-such-image"), "no-such-image could not be found");
    demo.fails("cluster template show no-such-template", "could not be found");

    let said = demo.says(&format!("cluster template delete {renamed} {other}"));
    assert_eq!(said.matches("has been accepted").count(), 2, "{said}");
    assert_eq!(demo.shows("cluster template list"), json!([]));
    // The client tells of a failure and goes on.
    let (succeeded, said, _) = demo.run(&format!("cluster template delete {renamed}"));
    assert!(succeeded && said.contains("could not be found"), "{said}");
}

#[test]
fn clusters_and_their_certificates() {
    let service = Service::start(&[]);
    let demo = Terminal::of("demo", &service);
    let template =
        service.template(&CLOUD.token("demo"), json!({"labels": {"inherited": "1"}, "keypair_id": "testkey"}));
    let name = unique("cli");
    let said = demo.says(&format!(
        "cluster create {name} --cluster-template {template} --node-count 1 --master-count 1 --timeout 30 --keypair testkey \
         --labels own=2 --merge-labels --flavor m1.small --master-flavor m1.medium --floating-ip-disabled \
         --master-lb-disabled --docker-volume-size 3"
    ));
    assert!(said.contains("Request to create cluster") && said.contains("accepted"), "{said}");
    service.complete(&CLOUD.token("demo"), &name);

    let shown = demo.shows(&format!("cluster show {name}"));
    for (member, value) in [
        ("status", json!("CREATE_COMPLETE")),
        ("labels", json!({"inherited": "1", "own": "2"})),
        ("labels_added", json!({"own": "2"})),
        ("labels_overridden", json!({})),
        ("labels_skipped", json!({})),
        ("create_timeout", json!(30)),
        ("keypair", json!("testkey")),
        ("node_count", json!(1)),
        ("master_count", json!(1)),
        ("docker_volume_size", json!(3)),
        ("master_flavor_id", json!("m1.medium")),
        ("floating_ip_enabled", json!(false)),
        ("faults", json!("")),
    ] {
        assert_eq!(shown[member], value, "{member}: {shown}");
    }
    assert!(shown["cluster_id"].is_string() && shown["api_address"].as_str().unwrap().starts_with("https://"));
    let uuid = shown["uuid"].as_str().unwrap();
    let listed = demo.shows("cluster list");
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let row = json!({"uuid": uuid, "name": name, "keypair": "testkey", "node_count": 1, "master_count": 1,
        "status": "CREATE_COMPLETE", "health_status": null});
    assert_eq!(listed[0], row);

    let folder = service.dir().join("kubeconfig");
    std::fs::create_dir(&folder).unwrap();
    let said = demo.says(&format!("cluster config {name} --dir {} --output-certs", folder.display()));
    assert!(said.contains("export KUBECONFIG="), "{said}");
    let written = demo.says(&format!("cluster config {name} --dir {} --force --use-keystone", folder.display()));
    assert!(written.contains("KUBECONFIG"), "{written}");

    let authority = demo.says(&format!("ca show {name}"));
    assert!(authority.starts_with("-----BEGIN CERTIFICATE-----"), "{authority}");
    let request = service.dir().join("request.csr");
    let arguments = "req -new -nodes -newkey rsa:2048 -subj /CN=admin/O=system:masters -keyout /dev/null -out";
    let made = Command::new("openssl").args(arguments.split(' ')).arg(&request).output().unwrap();
    assert!(made.status.success());
    let signed = demo.says(&format!("ca sign {name} {}", request.display()));
    assert!(signed.starts_with("-----BEGIN CERTIFICATE-----") && signed != authority, "{signed}");

    // A colleague sees the cluster, and not its keys.
    let peer = Terminal::of("demo-peer", &service);
    assert_eq!(peer.shows(&format!("cluster show {name}"))["uuid"], uuid);
    peer.fails(&format!("ca show {name}"), "Policy doesn't allow certificate:get");
    demo.fails(&format!("cluster create {name} --cluster-template no-such-template"), "could not be found");

    let stats = table(&demo.says(&format!("stats list {}", CLOUD.project("demo"))));
    assert_eq!((stats["clusters"].as_str(), stats["nodes"].as_str()), ("1", "2"));
    let said = demo.says(&format!("cluster delete {name}"));
    assert!(said.contains(&format!("Request to delete cluster {name} has been accepted.")), "{said}");
    service.absent(&CLOUD.token("demo"), uuid);
    demo.fails(&format!("cluster show {uuid}"), "could not be found");
}

#[test]
fn quotas_and_services() {
    let service = Service::start(&[]);
    let (admin, demo) = (Terminal::of("demo-admin", &service), Terminal::of("demo", &service));
    let project = CLOUD.project("demo");
    let which = format!("--project-id {project} --resource Cluster");
    let limit = |text: &str| table(text)["hard_limit"].clone();
    assert_eq!(limit(&demo.says(&format!("quotas show {which}"))), "20");
    let made = table(&admin.says(&format!("quotas create {which} --hard-limit 3")));
    assert_eq!(
        (made["hard_limit"].as_str(), made["project_id"].as_str(), made["resource"].as_str()),
        ("3", project, "Cluster")
    );
    let (_, said, _) = admin.run(&format!("quotas create {which}"));
    assert!(said.contains("already exists for resource Cluster"), "{said}");
    assert_eq!(limit(&admin.says(&format!("quotas update {which} --hard-limit 7"))), "7");
    assert_eq!(limit(&demo.says(&format!("quotas show {which}"))), "7");
    for line in ["quotas list", "quotas list --all-tenants --limit 1 --sort-key id --sort-dir asc"] {
        assert!(admin.says(line).contains(project), "{line}");
    }
    demo.fails("quotas list", "Policy doesn't allow quota:get_all");
    let (_, said, _) = demo.run(&format!("quotas delete {which}"));
    assert!(said.contains("Policy doesn't allow quota:delete"), "{said}");
    let said = admin.says(&format!("quotas delete {which}"));
    assert!(said.contains("has been accepted"), "{said}");
    assert_eq!(limit(&demo.says(&format!("quotas show {which}"))), "20");
    let nobody = "quotas create --project-id no-such-project --resource Cluster";
    assert!(admin.run(nobody).1.contains("The project_id no-such-project could not be found"));

    let services = admin.shows("service list");
    let only = services.as_array().unwrap();
    assert_eq!((only.len(), &only[0]["id"], &only[0]["state"]), (1, &json!(1), &json!("up")), "{services}");
    assert_eq!(only[0]["binary"], "magnum-conductor");
    demo.fails("service list", "Policy doesn't allow magnum-service:get_all");
}

#[test]
fn a_cluster_s_update() {
    let (service, _, cluster) = with_cluster("demo");
    let demo = Terminal::of("demo", &service);
    let said = demo.says(&format!("cluster update {cluster} --node-count 2"));
    assert!(said.contains(&format!("Request to update cluster {cluster} has been accepted.")), "{said}");
    assert_eq!(settles_as(&service, &cluster, "UPDATE_COMPLETE")["node_count"], 2);
    let said = demo.says(&format!("cluster update {cluster} --node-count 1 --rollback"));
    assert!(said.contains("accepted"), "{said}");
    assert_eq!(settles_as(&service, &cluster, "UPDATE_COMPLETE")["node_count"], 1);
    demo.fails(&format!("cluster update {cluster} --name other"), "cannot change cluster property(ies) name");
    demo.fails(
        &format!("cluster update {cluster} --master-count 3"),
        "cannot change cluster property(ies) master_count",
    );
    demo.fails(&format!("cluster update {cluster} --label a=b"), "cannot change cluster property(ies) labels");
    service.gone(&CLOUD.token("demo"), &cluster);
}

#[test]
fn a_cluster_s_resize() {
    let (service, _, cluster) = with_cluster("demo");
    let demo = Terminal::of("demo", &service);
    let said = demo.says(&format!("cluster resize {cluster} 2"));
    assert!(said.contains(&format!("Request to resize cluster {cluster} has been accepted.")), "{said}");
    assert_eq!(settles_as(&service, &cluster, "UPDATE_COMPLETE")["node_count"], 2);
    let name = service.show(&CLOUD.token("demo"), &cluster)["name"].as_str().unwrap().to_owned();
    let workers = || {
        let named = |server: &Value| Some((server["name"].as_str()?.to_owned(), server["id"].as_str()?.to_owned()));
        let all: BTreeMap<_, _> = CLOUD.servers(&name).iter().filter_map(named).collect();
        all.into_iter().filter(|(name, _)| name.contains("-worker-")).collect::<Vec<_>>()
    };
    let two = workers();
    assert_eq!(two.len(), 2, "{two:?}");
    demo.says(&format!("cluster resize {cluster} 1 --nodes-to-remove {}", two[0].1));
    assert_eq!(settles_as(&service, &cluster, "UPDATE_COMPLETE")["node_count"], 1);
    assert_eq!(workers(), two[1..], "that one, and no other, is gone");
    demo.says(&format!("cluster resize {cluster} 0 --nodegroup default-worker"));
    assert_eq!(settles_as(&service, &cluster, "UPDATE_COMPLETE")["node_count"], 0);
    demo.fails(&format!("cluster resize {cluster} 1 --nodegroup no-such-group"), "could not be found");
    service.gone(&CLOUD.token("demo"), &cluster);
}

#[test]
fn a_cluster_s_upgrade() {
    let (service, _, cluster) = with_cluster("demo");
    let demo = Terminal::of("demo", &service);
    let next =
        service.template(&CLOUD.token("demo"), json!({"labels": {"kube_tag": "v1.31.2", "etcd_volume_size": "1"}}));
    let said = demo.says(&format!("cluster upgrade {cluster} {next} --max-batch-size 1"));
    assert!(said.contains(&format!("Request to upgrade cluster {cluster} has been accepted.")), "{said}");
    let shown = settles_as(&service, &cluster, "UPDATE_COMPLETE");
    assert_eq!((&shown["cluster_template_id"], &shown["labels"]["kube_tag"]), (&json!(next), &json!("v1.31.2")));
    demo.fails(&format!("cluster upgrade {cluster} no-such-template"), "could not be found");
    service.gone(&CLOUD.token("demo"), &cluster);
}

#[test]
fn nodegroups() {
    let (service, _, cluster) = with_cluster("demo");
    let demo = Terminal::of("demo", &service);
    let listed = demo.shows(&format!("nodegroup list {cluster}"));
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["default-master", "default-worker"]);
    assert_eq!(demo.shows(&format!("nodegroup list {cluster} --role master")).as_array().unwrap().len(), 1);
    let said = demo.says(&format!(
        "nodegroup create {cluster} gpu --node-count 1 --min-nodes 1 --max-nodes 3 --role gpu --flavor m1.small \
         --labels own=1 --merge-labels --node-labels team=ml --node-taints dedicated=gpu:NoSchedule"
    ));
    assert!(said.contains("Request to create nodegroup") && said.contains("accepted"), "{said}");
    settles_as(&service, &cluster, "UPDATE_COMPLETE");
    let shown = demo.shows(&format!("nodegroup show {cluster} gpu"));
    for (member, value) in [
        ("status", json!("CREATE_COMPLETE")),
        ("node_count", json!(1)),
        ("min_node_count", json!(1)),
        ("max_node_count", json!(3)),
        ("role", json!("gpu")),
        ("is_default", json!(false)),
    ] {
        assert_eq!(shown[member], value, "{member}: {shown}");
    }
    assert_eq!(shown["labels"]["own"], "1", "{shown}");
    let said = demo.says(&format!(
        "nodegroup update {cluster} gpu --min-nodes 0 --max-nodes 5 --node-labels team=other --node-taints x=y:NoExecute"
    ));
    assert!(said.contains("Request to update nodegroup gpu has been accepted."), "{said}");
    settles_as(&service, &cluster, "UPDATE_COMPLETE");
    let shown = demo.shows(&format!("nodegroup show {cluster} gpu"));
    assert_eq!((&shown["min_node_count"], &shown["max_node_count"]), (&json!(0), &json!(5)), "{shown}");
    demo.fails(&format!("nodegroup create {cluster} gpu"), "already exists in the cluster");
    demo.fails(&format!("nodegroup delete {cluster} default-worker"), "Deleting a default nodegroup is not supported");
    let said = demo.says(&format!("nodegroup delete {cluster} gpu"));
    assert!(said.contains("Request to delete nodegroup gpu has been accepted."), "{said}");
    settles_as(&service, &cluster, "UPDATE_COMPLETE");
    assert_eq!(demo.shows(&format!("nodegroup list {cluster}")).as_array().unwrap().len(), 2);
    service.gone(&CLOUD.token("demo"), &cluster);
}

#[test]
fn a_rotated_authority() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let name = unique("rotated");
    let _quick = CLOUD.nodes(vec![json!({"name": name, "timers": 0.4})]);
    let template = service.template(&token, json!({}));
    let cluster = service.cluster(&token, &template, json!({"name": name, "node_count": 0}));
    service.complete(&token, &cluster);
    let demo = Terminal::of("demo", &service);
    let before = demo.says(&format!("ca show {cluster}"));
    let said = demo.says(&format!("ca rotate {cluster}"));
    assert!(said.contains("Request to rotate the CA certificate for cluster"), "{said}");
    settles_as(&service, &cluster, "UPDATE_COMPLETE");
    assert_ne!(demo.says(&format!("ca show {cluster}")), before);
    service.gone(&token, &cluster);
}

#[test]
fn rotated_credentials() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let name = unique("renewed");
    let _quick = CLOUD.nodes(vec![json!({"name": name, "timers": 0.4})]);
    let template = service.template(&token, json!({"labels": {"cloud_provider_enabled": "true"}}));
    let cluster = service.cluster(&token, &template, json!({"name": name, "node_count": 0}));
    service.complete(&token, &cluster);
    let demo = Terminal::of("demo", &service);
    let said = demo.says(&format!("credential rotate {cluster}"));
    assert!(said.contains("Request to rotate credentials for cluster") && said.contains("accepted"), "{said}");
    settles_as(&service, &cluster, "UPDATE_COMPLETE");
    service.gone(&token, &cluster);
}
