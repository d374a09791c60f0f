//! Keys and certificates of clusters, with real records and OpenSSL, and with Barbican where a test cloud runs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test ends at the first surprise, and says why it skips"
)]
#![allow(unreachable_pub, reason = "a test program has no outside")]

#[allow(dead_code, reason = "other test programs use the rest")]
mod cloud_file;
#[path = "store/sample.rs"]
#[allow(dead_code, reason = "other test programs use the rest")]
mod sample;

use std::path::Path;
use std::process::Command;

use cloud_file::TestCloud;
use conductor::certificate::{self, Kind};
use conductor::cluster::{self, Cluster};
use conductor::config::SecretStore;
use conductor::node::Holder;
use conductor::nodegroup::Nodegroup;
use conductor::openstack::barbican;
use conductor::{Conductor, Config};
use drivers::Ca;
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

/// A conductor with records of its own, and one cluster in them.
struct Stage {
    conductor: Conductor,
    cluster: Cluster,
    nodegroups: Vec<Nodegroup>,
    folder: TempDir,
}

impl Stage {
    async fn sealed() -> Self {
        let mut config = Config::default();
        // Nothing listens there: nothing may be asked of the cloud.
        config.keystone.auth_url = "http://127.0.0.1:1/v3".into();
        Self::open(config).await
    }

    async fn open(mut config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        config.state_dir = folder.path().into();
        let conductor = Conductor::open(config).await.unwrap();
        let template = sample::kept_template(&conductor.db, "project").await;
        let mut new = sample::new_cluster("ci", &template, "project");
        new.cluster.stack_name = Some("ci-0123456789ab".into());
        new.cluster.spec = Some(facts(new.cluster.labels.0.clone()));
        let view = cluster::store::insert(&conductor.db, new).await.unwrap();
        Self { conductor, cluster: view.cluster, nodegroups: view.nodegroups, folder }
    }

    async fn ensure(&self) {
        certificate::ensure(&self.conductor, &self.cluster).await.unwrap();
    }

    /// Kind, certificate and place of every key pair.
    async fn kept(&self) -> Vec<(Kind, String, Option<String>)> {
        let rows = certificate::store::of_cluster(&self.conductor.db, &self.cluster.uuid).await.unwrap();
        let mut kept: Vec<_> = rows.into_iter().map(|row| (row.kind, row.certificate, row.private_key_ref)).collect();
        kept.sort_by_key(|(kind, ..)| format!("{kind:?}"));
        kept
    }

    async fn drop_row(&self, kind: Kind) {
        let row = certificate::store::latest(&self.conductor.db, &self.cluster.uuid, kind).await.unwrap().unwrap();
        certificate::store::delete(&self.conductor.db, &row.uuid).await.unwrap();
    }

    fn holder(&self, role: &str) -> Holder {
        let group = self.nodegroups.iter().find(|group| group.role == role).unwrap();
        Holder {
            cluster_uuid: self.cluster.uuid.clone(),
            nodegroup_uuid: group.uuid.clone(),
            role: role.to_owned(),
            node: None,
        }
    }

    /// What a node gets for a request with that subject and those names.
    async fn node(&self, role: &str, ca: Ca, subject: &str, names: &str) -> conductor::Result<String> {
        let csr = csr(self.folder.path(), subject, names);
        certificate::sign_for_node(&self.conductor, &self.holder(role), ca, &csr).await
    }

    /// For how many days a worker's certificate is valid.
    async fn days_of_a_worker(&self) -> i32 {
        let kubelet = "/O=system:nodes/CN=system:node:ci-0123456789ab-worker-1";
        let pem = self.node("worker", Ca::Kubernetes, kubelet, "").await.unwrap();
        let certificate = openssl::x509::X509::from_pem(pem.as_bytes()).unwrap();
        certificate.not_before().diff(certificate.not_after()).unwrap().days
    }

    /// What `openssl verify` says.
    async fn verifies(&self, ca: Ca, certificate: &str, purpose: &str) -> bool {
        let authority = certificate::authority(&self.conductor, &self.cluster.uuid, ca).await.unwrap();
        let (ca, leaf) = (self.folder.path().join("ca.pem"), self.folder.path().join("leaf.pem"));
        std::fs::write(&ca, authority).unwrap();
        std::fs::write(&leaf, certificate).unwrap();
        let verify = Command::new("openssl")
            .args(["verify", "-x509_strict", "-purpose", purpose, "-CAfile"])
            .args([&ca, &leaf])
            .output();
        verify.unwrap().status.success()
    }
}

/// The facts of a cluster whose stack makes its own subnet.
fn facts(labels: std::collections::BTreeMap<String, String>) -> serde_json::Value {
    let flavor = json!({"id": "f", "name": "m1.small", "vcpus": 2, "ram_mib": 4096, "disk_gib": 20});
    json!({
        "desired": {
            "name": "ci", "coe": "kubernetes", "server_type": "vm", "os_distro": "debian", "master_count": 1,
            "node_count": 2, "labels": labels, "network_driver": "flannel", "volume_driver": null,
            "docker_storage_driver": null, "docker_volume_size": null, "master_lb_enabled": true,
            "floating_ip_enabled": false, "tls_disabled": false, "registry_enabled": false, "apiserver_port": null,
            "dns_nameserver": "8.8.8.8", "insecure_registry": null, "http_proxy": null, "https_proxy": null,
            "no_proxy": null, "create_timeout": 60,
        },
        "image": {"id": "i", "name": "debian", "os_distro": "debian", "kube_version": null, "min_disk_gib": 0},
        "flavor": flavor, "master_flavor": flavor,
        "network": {"external_id": "e", "fixed": null},
        "ssh_public_key": null,
    })
}

/// A request as a node makes it; `names` as OpenSSL writes them, or nothing.
fn csr(folder: &Path, subject: &str, names: &str) -> String {
    let mut request = Command::new("openssl");
    request.args(["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", subject]);
    request.arg("-keyout").arg(folder.join("leaf.key"));
    if !names.is_empty() {
        request.args(["-addext", &format!("subjectAltName={names}")]);
    }
    let output = request.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn keys_are_made_once() {
    let stage = Stage::sealed().await;
    stage.ensure().await;
    let first = stage.kept().await;
    let kinds: Vec<Kind> = first.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, [Kind::Client, Kind::Etcd, Kind::FrontProxy, Kind::Kubernetes, Kind::ServiceAccount]);
    stage.ensure().await;
    assert_eq!(stage.kept().await, first);
}

#[tokio::test]
async fn a_step_that_runs_again_makes_only_what_is_missing() {
    let stage = Stage::sealed().await;
    stage.ensure().await;
    let first = stage.kept().await;
    stage.drop_row(Kind::Etcd).await;
    stage.drop_row(Kind::Client).await;
    stage.ensure().await;
    for (before, after) in first.iter().zip(stage.kept().await) {
        assert_eq!(*before == after, !matches!(before.0, Kind::Etcd | Kind::Client), "{:?}", before.0);
    }
    let client = certificate::store::latest(&stage.conductor.db, &stage.cluster.uuid, Kind::Client).await.unwrap();
    assert!(stage.verifies(Ca::Kubernetes, &client.unwrap().certificate, "sslclient").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_run_at_once_keep_one_set_of_keys() {
    let stage = Stage::sealed().await;
    tokio::join!(stage.ensure(), stage.ensure(), stage.ensure());
    assert_eq!(stage.kept().await.len(), 5);
    let csr = csr(stage.folder.path(), "/O=system:masters/CN=admin", "");
    for ca in [Ca::Kubernetes, Ca::Etcd, Ca::FrontProxy] {
        let pem = certificate::sign(&stage.conductor, &stage.cluster.uuid, ca, &csr).await.unwrap();
        assert!(stage.verifies(ca, &pem, "sslclient").await, "{ca:?}");
    }
}

#[tokio::test]
async fn the_authorities_are_three() {
    let stage = Stage::sealed().await;
    stage.ensure().await;
    let csr = csr(stage.folder.path(), "/CN=admin", "");
    let pem = certificate::sign(&stage.conductor, &stage.cluster.uuid, Ca::Etcd, &csr).await.unwrap();
    assert!(stage.verifies(Ca::Etcd, &pem, "sslclient").await);
    assert!(!stage.verifies(Ca::Kubernetes, &pem, "sslclient").await);
    assert!(!stage.verifies(Ca::FrontProxy, &pem, "sslclient").await);
}

#[tokio::test]
async fn a_cluster_without_keys_says_so() {
    let stage = Stage::sealed().await;
    let error = certificate::authority(&stage.conductor, &stage.cluster.uuid, Ca::Etcd).await.unwrap_err();
    assert_eq!(error.kind, conductor::Kind::NotFound);
    let gone = Cluster { uuid: sample::uuid(), ..stage.cluster.clone() };
    let error = certificate::ensure(&stage.conductor, &gone).await.unwrap_err();
    assert_eq!(error.kind, conductor::Kind::NotFound, "{}", error.chain());
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let stage = Stage::sealed().await;
    stage.ensure().await;
    let error = certificate::sign(&stage.conductor, &stage.cluster.uuid, Ca::Etcd, "junk").await.unwrap_err();
    assert_eq!(error.kind, conductor::Kind::Invalid);
    assert!(error.public.starts_with("Received invalid csr"), "{error}");
}

#[tokio::test]
async fn private_keys_lie_sealed() {
    let stage = Stage::sealed().await;
    stage.ensure().await;
    let key = certificate::service_account(&stage.conductor, &stage.cluster.uuid).await.unwrap();
    let part = key.private_key.expose_secret().lines().nth(5).unwrap().to_owned();
    for entry in std::fs::read_dir(stage.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("jeroboam.db") {
            let content = std::fs::read(&path).unwrap();
            for canary in ["PRIVATE KEY", &part] {
                let found = content.windows(canary.len()).any(|window| window == canary.as_bytes());
                assert!(!found, "{canary} in {}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn another_key_file_is_told_from_a_broken_record() {
    let stage = Stage::sealed().await;
    stage.ensure().await;
    let mut config = stage.conductor.config.clone();
    config.secrets.key_file = Some(stage.folder.path().join("other.key"));
    let other = Conductor::open(config).await.unwrap();
    let error = certificate::service_account(&other, &stage.cluster.uuid).await.unwrap_err();
    assert!(error.chain().contains("wrong key file"), "{}", error.chain());
    assert!(!error.public.contains("key file"), "{error}");
}

#[tokio::test]
async fn forgetting_leaves_nothing() {
    let stage = Stage::sealed().await;
    certificate::forget(&stage.conductor, &stage.cluster.uuid).await.unwrap();
    stage.ensure().await;
    certificate::forget(&stage.conductor, &stage.cluster.uuid).await.unwrap();
    assert!(stage.kept().await.is_empty());
    certificate::forget(&stage.conductor, &stage.cluster.uuid).await.unwrap();
}

#[tokio::test]
async fn a_worker_gets_its_own_certificate_and_nothing_else() {
    let stage = Stage::sealed().await;
    stage.ensure().await;
    let kubelet = "/O=system:nodes/CN=system:node:ci-0123456789ab-worker-1";
    let names = "DNS:ci-0123456789ab-worker-1,IP:10.0.0.7";
    let pem = stage.node("worker", Ca::Kubernetes, kubelet, names).await.unwrap();
    assert!(stage.verifies(Ca::Kubernetes, &pem, "sslserver").await);
    assert!(stage.verifies(Ca::Kubernetes, &pem, "sslclient").await);
    for (ca, subject, names) in [
        (Ca::Kubernetes, "/O=system:masters/CN=admin", ""),
        (Ca::Kubernetes, "/O=system:nodes/CN=system:node:ci-0123456789ab-master-0", ""),
        (Ca::Kubernetes, "/CN=kube-apiserver", "DNS:kubernetes"),
        (Ca::Etcd, kubelet, ""),
        (Ca::Kubernetes, kubelet, "DNS:kubernetes"),
        (Ca::Kubernetes, kubelet, "DNS:ci-0123456789ab-worker-2"),
        (Ca::Kubernetes, kubelet, "IP:192.0.2.1"),
    ] {
        let error = stage.node("worker", ca, subject, names).await.unwrap_err();
        assert_eq!(error.kind, conductor::Kind::Invalid, "{subject} {names}: {}", error.chain());
    }
}

/// The old drivers' defect 24: certificates were valid for five years, whatever was asked for.
#[tokio::test]
async fn a_node_s_certificate_is_valid_as_long_as_configured() {
    let mut stage = Stage::sealed().await;
    stage.ensure().await;
    assert_eq!(stage.days_of_a_worker().await, 365, "the default");
    stage.conductor.config.x509.node_validity_days = 30;
    assert_eq!(stage.days_of_a_worker().await, 30);
}

#[tokio::test]
async fn a_master_gets_what_its_control_plane_needs() {
    let stage = Stage::sealed().await;
    stage.ensure().await;
    let node = "ci-0123456789ab-master-0";
    let names = format!(
        "DNS:{node},IP:10.0.0.5,DNS:localhost,IP:127.0.0.1,IP:10.254.0.1,IP:203.0.113.9,DNS:kubernetes,\
         DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
    );
    let pem = stage.node("master", Ca::Kubernetes, "/CN=kube-apiserver", &names).await.unwrap();
    assert!(stage.verifies(Ca::Kubernetes, &pem, "sslserver").await);
    assert!(!stage.verifies(Ca::Kubernetes, &pem, "sslclient").await);
    let names = format!("DNS:{node},IP:10.0.0.5,DNS:localhost,IP:127.0.0.1");
    let pem = stage.node("master", Ca::Etcd, &format!("/CN={node}"), &names).await.unwrap();
    assert!(stage.verifies(Ca::Etcd, &pem, "sslserver").await && stage.verifies(Ca::Etcd, &pem, "sslclient").await);
    let error = stage.node("master", Ca::Kubernetes, "/CN=kube-apiserver", "DNS:example.org").await.unwrap_err();
    assert!(error.public.contains("DNS:example.org"), "{error}");
}

/// The whole life of keys in a real Barbican.
#[tokio::test]
async fn barbican_keeps_the_keys() {
    let Some(place) = TestCloud::find() else { return };
    let mut config = place.config();
    config.secrets.store = SecretStore::Barbican;
    let stage = Stage::open(config).await;
    let session = stage.conductor.cloud.service().await.unwrap();
    let name = |kind: &str| format!("jeroboam/{}/{kind}/1", stage.cluster.uuid);

    stage.ensure().await;
    let first = stage.kept().await;
    assert!(first.iter().all(|(_, _, reference)| reference.is_some()));
    for kind in ["kubernetes", "etcd", "front-proxy", "client", "service-account"] {
        assert_eq!(barbican::find(&session, &name(kind)).await.unwrap().len(), 1, "{kind}");
    }
    let csr = csr(stage.folder.path(), "/CN=admin", "");
    let pem = certificate::sign(&stage.conductor, &stage.cluster.uuid, Ca::FrontProxy, &csr).await.unwrap();
    assert!(stage.verifies(Ca::FrontProxy, &pem, "sslclient").await);
    let pair = certificate::service_account(&stage.conductor, &stage.cluster.uuid).await.unwrap();
    assert!(pair.private_key.expose_secret().ends_with("-----END PRIVATE KEY-----\n"));
    assert!(pair.public_key.starts_with("-----BEGIN PUBLIC KEY-----"));

    // As if the process had been killed between Barbican and the records: what was made is taken up again.
    stage.drop_row(Kind::Kubernetes).await;
    stage.drop_row(Kind::ServiceAccount).await;
    stage.ensure().await;
    assert_eq!(stage.kept().await, first);

    // As if two had stored a key at once: the second is on no record, and goes with the cluster all the same.
    barbican::store(&session, &name("etcd"), &"left over".to_owned().into()).await.unwrap();
    barbican::store(&session, &format!("jeroboam/{}/etcd/2", stage.cluster.uuid), &"x".to_owned().into())
        .await
        .unwrap();
    certificate::forget(&stage.conductor, &stage.cluster.uuid).await.unwrap();
    for kind in ["kubernetes", "etcd", "front-proxy", "client", "service-account"] {
        assert!(barbican::find(&session, &name(kind)).await.unwrap().is_empty(), "{kind}");
    }
    let next = format!("jeroboam/{}/etcd/2", stage.cluster.uuid);
    assert!(barbican::find(&session, &next).await.unwrap().is_empty());
    assert!(stage.kept().await.is_empty());
}

/// What a node shows for a request, made by the openssl program.
fn shown(folder: &Path, cluster: &str, crt: &str, path: &str) -> conductor::node::Shown {
    std::fs::write(folder.join("leaf.pem"), crt).unwrap();
    let timestamp = conductor::column::now().timestamp().to_string();
    let body_hash = conductor::node::body_hash(b"");
    let text = conductor::pki::proof::text(cluster, "GET", path, timestamp.parse().unwrap(), &body_hash);
    std::fs::write(folder.join("text"), text).unwrap();
    let run = |command: &str| {
        let output = Command::new("bash").args(["-c", command]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    conductor::node::Shown {
        cluster: cluster.to_owned(),
        certificate: run("openssl x509 -in leaf.pem -outform DER | base64 -w 0"),
        signature: run("openssl dgst -sha256 -sign leaf.key text | base64 -w 0"),
        timestamp,
        method: "GET".into(),
        path: path.into(),
        body_hash,
    }
}

#[tokio::test]
async fn a_node_proves_itself_by_its_certificate() {
    let stage = Stage::sealed().await;
    stage.ensure().await;
    let prefix = drivers::node_prefix(stage.cluster.stack_name.as_deref().unwrap(), "default-worker");
    let name = format!("{prefix}-0");
    let subject = format!("/O=system:nodes/CN=system:node:{name}");
    let crt = stage.node("worker", Ca::Kubernetes, &subject, "").await.unwrap();
    let good = shown(stage.folder.path(), &stage.cluster.uuid, &crt, "/v1/x");
    let known = async |shown: &conductor::node::Shown| {
        conductor::node::authenticate_by_certificate(&stage.conductor, shown).await.unwrap()
    };
    let holder = known(&good).await.unwrap();
    assert_eq!(holder, Holder { node: Some(name.clone()), ..stage.holder("worker") });
    for wrong in [
        conductor::node::Shown { cluster: "nonsense".into(), ..good.clone() },
        conductor::node::Shown { cluster: uuid::Uuid::new_v4().to_string(), ..good.clone() },
        conductor::node::Shown { path: "/v1/y".into(), ..good.clone() },
        conductor::node::Shown { body_hash: conductor::node::body_hash(b"x"), ..good.clone() },
        conductor::node::Shown { timestamp: "soon".into(), ..good.clone() },
        conductor::node::Shown { timestamp: "0".into(), ..good.clone() },
        conductor::node::Shown { certificate: "?".into(), ..good.clone() },
        conductor::node::Shown { signature: String::new(), ..good.clone() },
    ] {
        assert_eq!(known(&wrong).await, None, "{wrong:?}");
    }
    // By its certificate a node gets certificates of its own alone, though its nodegroup has other names.
    let request = |node: &str| csr(stage.folder.path(), &format!("/O=system:nodes/CN=system:node:{node}"), "");
    let sign =
        async |node: &str| certificate::sign_for_node(&stage.conductor, &holder, Ca::Kubernetes, &request(node)).await;
    assert!(sign(&name).await.is_ok());
    let refusal = sign(&format!("{prefix}-1")).await.unwrap_err().public;
    assert!(
        refusal.contains(&format!("allowed from the kubernetes authority: O=system:nodes, CN=system:node:{name}")),
        "{refusal}"
    );
    // A user may have any subject signed; the name must still be a node's of the cluster.
    let stranger = csr(stage.folder.path(), "/O=system:nodes/CN=system:node:stranger-0", "");
    let crt = certificate::sign(&stage.conductor, &stage.cluster.uuid, Ca::Kubernetes, &stranger).await.unwrap();
    assert_eq!(known(&shown(stage.folder.path(), &stage.cluster.uuid, &crt, "/v1/x")).await, None);
}
