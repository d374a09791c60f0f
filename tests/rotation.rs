//! Certificates and credentials over a cluster's life: nodes prove themselves, authorities and credentials are replaced
//! while they work, and whatever goes wrong leads back to what was.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::cloud::{CLOUD, Faults};
use support::http::{Answer, request};
use support::service::{Service, tail};
use support::{unique, wait_for};

/// A cluster whose nodes run their timers all the time.
struct Cluster {
    service: Service,
    token: String,
    name: String,
    uuid: String,
    _quick: Faults,
}

impl Cluster {
    fn made(user: &str, options: &[(&str, &str)], labels: Value, workers: u32) -> Self {
        let service = Service::start(options);
        let token = CLOUD.token(user);
        let name = unique("rotation");
        let quick = CLOUD.nodes(vec![json!({"name": name, "timers": 0.4})]);
        let template = service.template(&token, json!({"labels": labels}));
        let uuid = service.cluster(&token, &template, json!({"name": name, "node_count": workers}));
        service.complete(&token, &uuid);
        Self { service, token, name, uuid, _quick: quick }
    }

    fn patch(&self, what: &str) -> Answer {
        let url = format!("{}/{what}/{}/", self.service.endpoint(), self.uuid);
        let headers = [
            ("x-auth-token", self.token.as_str()),
            ("openstack-api-version", "container-infra latest"),
            ("content-type", "application/octet-stream"),
        ];
        request("PATCH", &url, &headers, None)
    }

    fn accepted(&self, what: &str) {
        let answer = self.patch(what);
        assert_eq!((answer.status, answer.json()), (202, json!({"uuid": self.uuid})), "{}", answer.text);
    }

    fn status(&self) -> String {
        self.service.show(&self.token, &self.uuid)["status"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of a rotation, which must be this status, and gives the reason.
    fn ends(&self, status: &str) -> String {
        let shown = self.service.settled(&self.token, &self.uuid);
        let reason = shown["status_reason"].as_str().unwrap_or_default().to_owned();
        assert_eq!(shown["status"], status, "{reason}\n{}", tail(&self.service.log()));
        reason
    }

    fn authority(&self, kind: &str) -> String {
        let answer = self.service.call(&self.token, "GET", &format!("/certificates/{}/{kind}", self.uuid), None);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["pem"].as_str().unwrap().to_owned()
    }

    fn authorities(&self) -> [String; 3] {
        ["kubernetes", "etcd", "front-proxy"].map(|kind| self.authority(kind))
    }

    /// The files of the nodes by the nodes' names.
    fn nodes(&self) -> Vec<(String, PathBuf)> {
        let records = std::fs::read_dir(CLOUD.text("/paths/servers")).unwrap();
        let read = |path: PathBuf| -> Option<(String, PathBuf)> {
            let server: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
            let name = server["name"].as_str()?.to_owned();
            let root = CLOUD.dir().join("nodes").join(path.file_stem()?).join("root");
            name.starts_with(&self.name).then_some((name, root))
        };
        let mut nodes: Vec<_> = records.filter_map(|entry| read(entry.unwrap().path())).collect();
        nodes.sort();
        nodes
    }

    fn node(&self, role: &str) -> (String, PathBuf) {
        self.nodes().into_iter().find(|(name, _)| name.contains(role)).unwrap()
    }

    /// Every node trusts the authorities that are shown and no others, and all its certificates are by them.
    fn nodes_hold_what_is_shown(&self) {
        let [kubernetes, etcd, front_proxy] = self.authorities();
        for (name, root) in self.nodes() {
            let held = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
            wait_for("only the authority shown to be trusted", Duration::from_secs(90), || {
                (held("etc/kubernetes/pki/ca.crt").trim() == kubernetes.trim()).then_some(())
            });
            for line in held("etc/jeroboam/certificates.tsv").lines() {
                let columns: Vec<_> = line.split('\t').collect();
                let (file, authority) = (certificate_file(columns[0]), columns[1]);
                let authority = match authority {
                    "etcd" => &etcd,
                    "front-proxy" => &front_proxy,
                    _ => &kubernetes,
                };
                let dir = tempfile::tempdir().unwrap();
                assert!(verifies(dir.path(), authority, &held(&file)), "{name}: {file}");
            }
            assert_eq!(held("etc/kubernetes/kubelet.conf").matches("certificate-authority-data").count(), 1);
        }
    }

    fn pairs(&self) -> Value {
        let of = format!("FROM x509_keypair WHERE cluster_uuid = '{}' ORDER BY kind, generation", self.uuid);
        self.service.rows(&format!("SELECT kind, generation {of}"))
    }

    /// Asks for the node's orders with that certificate and key.
    fn asks(&self, node: &str, crt: &Path, key: &Path) -> Answer {
        let path = format!("/v1/clusters/{}/nodes/{node}/orders", self.uuid);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let text = format!("jeroboam-node-proof-1\n{}\nGET\n{path}\n{now}\n{EMPTY}\n", self.uuid);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("text"), text).unwrap();
        let shell = "openssl x509 -in \"$1\" -outform DER | base64 -w 0; echo; \
                     openssl dgst -sha256 -sign \"$2\" \"$3\" | base64 -w 0";
        let output = Command::new("bash").args(["-c", shell, "x"]).args([crt, key, &dir.path().join("text")]).output();
        let output = String::from_utf8(output.unwrap().stdout).unwrap();
        let (certificate, signature) = output.split_once('\n').unwrap();
        let headers = [
            ("x-jeroboam-node-cluster", self.uuid.as_str()),
            ("x-jeroboam-node-certificate", certificate),
            ("x-jeroboam-node-timestamp", &now.to_string()),
            ("x-jeroboam-node-signature", signature),
        ];
        request("GET", &format!("{}{path}", self.service.root()), &headers, None)
    }
}

fn certificate_file(name: &str) -> String {
    match name.split_once('-') {
        _ if name == "kubelet" => "var/lib/kubelet/pki/kubelet.crt".into(),
        Some(("etcd", rest)) => format!("etc/kubernetes/pki/etcd/{rest}.crt"),
        _ if name.starts_with("apiserver") || name == "front-proxy-client" => format!("etc/kubernetes/pki/{name}.crt"),
        _ => format!("etc/kubernetes/pki/clients/{name}.crt"),
    }
}

fn verifies(dir: &Path, authority: &str, certificate: &str) -> bool {
    let (ca, leaf) = (dir.join("ca.pem"), dir.join("leaf.pem"));
    std::fs::write(&ca, authority).unwrap();
    std::fs::write(&leaf, certificate).unwrap();
    let mut verify = Command::new("openssl");
    verify.args(["verify", "-no-CApath", "-no-CAstore", "-CAfile"]).args([&ca, &leaf]);
    verify.output().unwrap().status.success()
}

/// How long nodes have for one order, by the service's configuration.
const PATIENCE: &str = "JEROBOAM__X509__ROTATION_TIMEOUT_S";

const REPLACED: [&str; 4] = ["client", "etcd", "front-proxy", "kubernetes"];

/// The key pairs on record when only that generation of what is replaced is left.
fn only(generation: i32) -> Value {
    let mut rows: Vec<_> = REPLACED.iter().map(|kind| json!([kind, generation])).collect();
    rows.push(json!(["service-account", 1]));
    rows.into()
}

/// Whether the cluster's rotation is on record as one that cannot be undone.
fn committed(cluster: &Cluster) -> bool {
    let rotations = "SELECT json_extract(progress, '$.committed') FROM operation WHERE kind = 'certificate.rotate'";
    cluster.service.rows(rotations) == json!([[1]])
}

/// The first thing that must be true, with keys in Barbican and a nodegroup in a stack of its own: old before, new
/// after, and nothing of the old is left.
#[test]
fn authorities_are_replaced_under_a_living_cluster() {
    let cluster = Cluster::made("demo", &[("JEROBOAM__SECRETS__STORE", "barbican")], json!({}), 1);
    let nodegroups = format!("/clusters/{}/nodegroups", cluster.uuid);
    let other = json!({"name": "other", "node_count": 1});
    assert_eq!(cluster.service.call(&cluster.token, "POST", &nodegroups, Some(&other)).status, 202);
    cluster.ends("UPDATE_COMPLETE");
    assert!(cluster.node("other").1.join("etc/kubernetes/pki/ca.crt").exists());
    let old = cluster.authorities();
    let (worker, root) = cluster.node("worker");
    let kept = tempfile::tempdir().unwrap();
    let (crt, key) = (kept.path().join("crt"), kept.path().join("key"));
    std::fs::copy(root.join("var/lib/kubelet/pki/kubelet.crt"), &crt).unwrap();
    std::fs::copy(root.join("var/lib/kubelet/pki/kubelet.key"), &key).unwrap();
    assert_eq!(cluster.asks(&worker, &crt, &key).json(), json!({"kind": "nothing"}));
    let (master, _) = cluster.node("master");
    assert_eq!(cluster.asks(&master, &crt, &key).status, 404, "a certificate opens its own node alone");

    cluster.accepted("certificates");
    let again = cluster.patch("certificates");
    assert_eq!(again.status, 400, "{}", again.text);
    assert!(again.detail().starts_with("Updating a cluster when status is \"UPDATE_IN_PROGRESS\" is not supported."));
    while cluster.status() == "UPDATE_IN_PROGRESS" {
        let shown = cluster.authority("kubernetes");
        assert!(shown == old[0] || committed(&cluster), "the new authority is shown too early");
    }
    let reason = cluster.ends("UPDATE_COMPLETE");
    assert_eq!(reason, "The cluster's authorities were replaced");
    let new = cluster.authorities();
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
    cluster.nodes_hold_what_is_shown();
    assert!(!verifies(kept.path(), &new[0], &std::fs::read_to_string(&crt).unwrap()));
    assert_eq!(cluster.asks(&worker, &crt, &key).status, 401, "the old certificate proves nothing any more");
    let present = |name: &str| root.join("var/lib/kubelet/pki").join(name);
    assert_eq!(cluster.asks(&worker, &present("kubelet.crt"), &present("kubelet.key")).status, 200);
    assert_eq!(cluster.pairs(), only(2));
    let secrets = |cluster: &Cluster| CLOUD.census()["secrets"].to_string().matches(&cluster.uuid).count();
    assert_eq!(secrets(&cluster), 5);
    // A delete in the midst of the next one, which goes no further while nodes are silent, takes its keys along.
    while_first(
        &cluster,
        |name| json!({"name": name, "silent": true}),
        || {
            cluster.accepted("certificates");
            wait_for("the next generation of keys", Duration::from_secs(60), || (secrets(&cluster) == 9).then_some(()));
        },
    );
    cluster.service.gone(&cluster.token, &cluster.uuid);
    assert_eq!(secrets(&cluster), 0);
}

/// A node that does not answer, and one that fails half-way: the old authorities stay, and everybody returns to them.
#[test]
fn what_fails_leads_back_to_the_old_authorities() {
    let mut cluster = Cluster::made("demo", &[(PATIENCE, "60")], json!({}), 1);
    let old = cluster.authorities();
    let (worker, root) = cluster.node("worker");
    // The first rule that fits holds, so the silent one is put before the other.
    while_first(
        &cluster,
        |name| json!({"name": format!("{name}.*worker"), "silent": true}),
        || {
            cluster.accepted("certificates");
            let reason = cluster.ends("UPDATE_FAILED");
            assert!(reason.contains(&worker) && reason.contains("[node-silent]"), "{reason}");
            assert_eq!(cluster.authorities(), old);
        },
    );
    cluster.nodes_hold_what_is_shown();
    let kept: Vec<_> = cluster.pairs().as_array().unwrap().iter().filter(|row| row[1] != 1).cloned().collect();
    assert_eq!(kept, [json!(["kubernetes", -2])], "the certificate of the one that failed, for nodes that hold it");
    let keys = "SELECT count(*) FROM x509_keypair WHERE generation < 0 AND private_key IS NOT NULL";
    assert_eq!(cluster.service.rows(keys), json!([[0]]));

    // Nobody is silent from here on, however busy this machine is.
    cluster.service.restart_with(PATIENCE, "600");
    let obstacle = root.join("var/lib/kubelet/pki/kubelet.crt.next.new");
    std::fs::create_dir(&obstacle).unwrap();
    cluster.accepted("certificates");
    let reason = cluster.ends("UPDATE_FAILED");
    assert!(reason.contains(&worker) && reason.contains("(leaf)") && reason.contains("[node-failed]"), "{reason}");
    assert_eq!(cluster.authorities(), old);
    cluster.nodes_hold_what_is_shown();

    std::fs::remove_dir(&obstacle).unwrap();
    cluster.accepted("certificates");
    cluster.ends("UPDATE_COMPLETE");
    assert_ne!(cluster.authority("kubernetes"), old[0]);
    cluster.nodes_hold_what_is_shown();
    assert_eq!(cluster.pairs(), only(4));
    cluster.service.gone(&cluster.token, &cluster.uuid);
}

/// Runs `during` while a rule about nodes stands before all others.
fn while_first(cluster: &Cluster, rule: impl Fn(&str) -> Value, during: impl FnOnce()) {
    let _first = CLOUD.nodes_first(vec![rule(&cluster.name)]);
    during();
}

/// `kill -9` again and again: the rotation ends once, and well.
#[test]
fn a_killed_rotation_is_finished_once() {
    let mut cluster = Cluster::made("demo", &[], json!({}), 1);
    let old = cluster.authorities();
    cluster.accepted("certificates");
    for step in ["certificate.rotate/trust", "certificate.rotate/leaf", "certificate.rotate/finish"] {
        wait_for(step, Duration::from_secs(90), || {
            let steps = cluster.service.rows("SELECT step FROM operation WHERE kind = 'certificate.rotate'");
            (steps[0][0] == step).then_some(())
        });
        cluster.service.kill();
        cluster.service.restart();
    }
    cluster.ends("UPDATE_COMPLETE");
    assert_ne!(cluster.authorities(), old);
    cluster.nodes_hold_what_is_shown();
    assert_eq!(cluster.pairs(), only(2));
    cluster.service.gone(&cluster.token, &cluster.uuid);
}

/// What the cloud has of the cluster's credential: application credentials, trustees.
fn credentials(cluster: &Cluster) -> (Vec<String>, Vec<String>) {
    let census = CLOUD.census();
    let named = |part: &str| {
        let entries = census[part].as_array().unwrap().iter().map(ToString::to_string);
        entries.filter(|entry| entry.contains(&cluster.uuid)).collect()
    };
    (named("application_credentials"), named("trustee_users"))
}

/// The credential inside a cluster, as the service's user and as the requester: replaced, or left as it was.
#[test]
fn credentials_are_replaced_or_stay() {
    std::thread::scope(|modes| {
        for user in ["demo", "closed"] {
            modes.spawn(move || {
                let labels = json!({"cloud_provider_enabled": "true"});
                let mut cluster = Cluster::made(user, &[(PATIENCE, "12")], labels, 0);
                let (_, root) = cluster.node("master");
                let sum = || std::fs::read_to_string(root.join("var/lib/jeroboam/cloud-config.sum")).ok();
                let first = credentials(&cluster);
                assert_eq!(first.0.len() + first.1.len(), 1, "{first:?}");

                while_first(
                    &cluster,
                    |name| json!({"name": name, "silent": true}),
                    || {
                        cluster.accepted("credentials");
                        let reason = cluster.ends("UPDATE_FAILED");
                        assert!(reason.contains("(credential)") && reason.contains("[node-silent]"), "{reason}");
                        assert_eq!(credentials(&cluster), first);
                    },
                );
                let back = wait_for("the master to hold the old one", Duration::from_secs(30), sum);

                // The master is not silent from here on, however busy this machine is.
                cluster.service.restart_with(PATIENCE, "600");
                cluster.accepted("credentials");
                cluster.ends("UPDATE_COMPLETE");
                let second = credentials(&cluster);
                assert_eq!(second.0.len() + second.1.len(), 1, "{second:?}");
                assert_ne!(second, first);
                // No other operation can come upon it by its name.
                let by = "SELECT uuid FROM operation WHERE kind = 'credential.rotate' AND state = 'succeeded'";
                let by = cluster.service.rows(by)[0][0].as_str().unwrap().to_owned();
                assert!(second.0.iter().chain(&second.1).all(|made| made.contains(&by)), "{by}: {second:?}");
                assert_ne!(sum(), Some(back));
                assert_eq!(cluster.service.rows("SELECT count(*) FROM spare_credential"), json!([[0]]));
                let tokens = "SELECT count(*) FROM operation WHERE token IS NOT NULL";
                assert_eq!(cluster.service.rows(tokens), json!([[0]]));
                cluster.service.gone(&cluster.token, &cluster.uuid);
                assert_eq!(credentials(&cluster), (vec![], vec![]));
            });
        }
    });
}

/// What cannot be rotated is refused at once, saying why.
#[test]
fn refusals() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let name = unique("rotation-refused");
    let _silent = CLOUD.nodes(vec![json!({"name": name, "silent": true})]);
    let mute = service.template(&token, json!({"labels": {"node_reports": "false"}}));
    let cluster = &service.cluster(&token, &mute, json!({"name": name, "node_count": 0}));
    service.complete(&token, cluster);
    let patch = |path: &str, body: Option<&Value>| service.call(&token, "PATCH", path, body);
    let answer = patch(&format!("/certificates/{cluster}"), None);
    assert!(answer.status == 400 && answer.detail().contains("node_reports is false"), "{}", answer.text);
    let answer = patch(&format!("/credentials/{cluster}"), None);
    assert!(answer.status == 400 && answer.detail().contains("cloud_provider_enabled=true"), "{}", answer.text);
    let answer = patch(&format!("/certificates/{cluster}"), Some(&json!({"ca_cert_type": "etcd"})));
    assert_eq!((answer.status, answer.detail()), (400, "Unknown argument: \"ca_cert_type\"".to_owned()));
    assert_eq!(patch("/certificates/nowhere", None).status, 404);
    assert_eq!(patch("/credentials/nowhere", None).status, 404);
    let headers = [("x-auth-token", token.as_str()), ("openstack-api-version", "container-infra 1.11")];
    let answer = request("PATCH", &format!("{}/credentials/{cluster}", service.endpoint()), &headers, None);
    assert_eq!(answer.status, 406, "{}", answer.text);
    let shown = service.show(&token, cluster);
    assert_eq!(shown["status"], "CREATE_COMPLETE", "a refusal changes nothing");
    service.gone(&token, cluster);
}
