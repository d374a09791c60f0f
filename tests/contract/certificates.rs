//! 6.1: a cluster's authorities, and what they sign. (Requests that must not be signed: `refusals::certificates`.)

use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::ask::*;
use super::world::{World, world};

/// The world with its living cluster's UUID.
fn living() -> (Arc<World>, String) {
    let world = world();
    let uuid = world.living().uuid().to_owned();
    (world, uuid)
}

fn openssl(arguments: &[&str], input: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), input).unwrap();
    let output = Command::new("openssl").args(arguments).arg("-in").arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A request for a signature by a new key; `extensions` are as on OpenSSL's command line.
fn csr(key: &[&str], extensions: &[&str]) -> String {
    let mut arguments = vec!["req", "-new", "-nodes", "-keyout", "/dev/null", "-subj", "/O=system:masters/CN=admin"];
    arguments.extend(key);
    for extension in extensions {
        arguments.extend(["-addext", extension]);
    }
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const EC: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: &[&str] = &["-newkey", "rsa:2048"];

/// Some versions of OpenSSL write `CN = x`, others `CN=x`.
fn text(pem: &str) -> String {
    openssl(&["x509", "-noout", "-text"], pem).replace(" = ", "=")
}

fn authority(query: &str) -> Value {
    let (world, uuid) = living();
    get(format!("/v1/certificates/{uuid}{query}")).of(&world.living().service).ok(200)
}

fn pem(query: &str) -> String {
    authority(query)["pem"].as_str().unwrap().to_owned()
}

fn signed(more: Value) -> Value {
    let (world, uuid) = living();
    let mut body = json!({"cluster_uuid": uuid, "csr": csr(EC, &[])});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    post("/v1/certificates").of(&world.living().service).with(body).ok(201)
}

fn leaf(csr: String) -> String {
    text(signed(json!({"csr": csr}))["pem"].as_str().unwrap())
}

/// Its type, which Magnum leaves out, is ours (B-19).
#[test]
fn an_authority_is_answered_with_cluster_certificate_links_and_type() {
    let (_world, uuid) = living();
    let body = authority("");
    assert_eq!(keys(&body), ["ca_cert_type", "cluster_uuid", "links", "pem"]);
    assert_eq!(body["cluster_uuid"], uuid);
    assert!(body["links"][0]["href"].as_str().unwrap().ends_with(&format!("/v1/certificates/{uuid}")));
}

#[test]
fn the_cluster_may_be_named() {
    let (world, _) = living();
    let name = world.living().cluster["name"].as_str().unwrap();
    let body = get(format!("/v1/certificates/{name}")).of(&world.living().service).ok(200);
    assert_eq!(body, authority(""));
}

#[test]
fn there_are_three_authorities_under_several_names() {
    for query in ["?ca_cert_type=kubernetes", "?ca_cert_type=kubelet", "?ca_cert_type=", "/kubernetes"] {
        assert_eq!(pem(query), pem(""), "{query}");
    }
    assert_eq!(pem("?ca_cert_type=front_proxy"), pem("?ca_cert_type=front-proxy"));
    let (etcd, proxy) = (pem("?ca_cert_type=etcd"), pem("?ca_cert_type=front-proxy"));
    assert!(etcd != proxy && etcd != pem("") && proxy != pem(""));
}

#[test]
fn the_authority_may_be_a_part_of_the_path() {
    assert_eq!(pem("/etcd"), pem("?ca_cert_type=etcd"));
}

/// Ours: Magnum answers the Kubernetes authority for any word (B-19).
#[test]
fn an_unknown_authority_is_400() {
    let (world, uuid) = living();
    let text = invalid("ca_cert_type", "vault", "Allowed: kubernetes, kubelet, etcd, front-proxy.");
    get(format!("/v1/certificates/{uuid}?ca_cert_type=vault")).of(&world.living().service).expect(400, &text);
}

/// What follows the cluster's name is ours: for Magnum all three are called by the name alone, and look the same.
#[test]
fn an_authority_is_self_signed_under_the_clusters_name_with_one_rsa_key() {
    let (world, _) = living();
    let name = world.living().cluster["name"].as_str().unwrap();
    for (query, purpose) in [("", "Kubernetes"), ("/etcd", "etcd"), ("/front-proxy", "front-proxy")] {
        let text = text(&pem(query));
        for part in [
            &*format!("Issuer: CN={name} {purpose} CA\n"),
            &*format!("Subject: CN={name} {purpose} CA\n"),
            "sha256WithRSAEncryption",
            "Public-Key: (2048 bit)",
            "CA:TRUE, pathlen:0",
            "X509v3 Basic Constraints: critical",
            "X509v3 Key Usage: critical",
            "Certificate Sign",
            "X509v3 Subject Key Identifier",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }
}

/// Its beginning is ours: an hour is enough for clocks that differ; Magnum takes a day.
#[test]
fn an_authority_is_valid_since_an_hour_ago_and_for_five_years() {
    let from_now = |option: &str| {
        let line = openssl(&["x509", "-noout", option], &pem(""));
        let date = line.trim().split_once('=').unwrap().1.to_owned();
        let output = Command::new("date").args(["-u", "+%s", "-d", &date]).output().unwrap();
        let at: i64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        at - i64::try_from(now).unwrap()
    };
    let (start, end) = (from_now("-startdate"), from_now("-enddate"));
    let hour = 3600;
    assert!((-2 * hour..=-hour).contains(&start), "{start}");
    assert!((1825 * 24 * hour - hour..=1825 * 24 * hour).contains(&end), "{end}");
}

#[test]
fn a_signature_is_answered_201_with_request_and_certificate_and_no_location() {
    let (world, uuid) = living();
    let csr = csr(EC, &[]);
    let body = json!({"cluster_uuid": uuid, "csr": csr, "pem": "ignored"});
    let answer = post("/v1/certificates").of(&world.living().service).with(body).status(201);
    let body = answer.json();
    assert_eq!(keys(&body), ["ca_cert_type", "cluster_uuid", "csr", "links", "pem"]);
    assert_eq!((&body["cluster_uuid"], &body["csr"]), (&json!(uuid), &json!(csr)));
    assert_eq!(answer.header("location"), None);
}

#[test]
fn the_subject_is_the_requests_and_the_issuer_the_cluster() {
    let (world, _) = living();
    let name = world.living().cluster["name"].as_str().unwrap();
    let text = leaf(csr(EC, &[]));
    assert!(text.contains("Subject: O=system:masters, CN=admin\n"), "{text}");
    assert!(text.contains(&format!("Issuer: CN={name} Kubernetes CA\n")), "{text}");
}

#[test]
fn rsa_and_elliptic_keys_are_signed() {
    for key in [RSA, EC] {
        assert!(leaf(csr(key, &[])).contains("sha256WithRSAEncryption"));
    }
}

/// As Terraform's provider asks.
#[test]
fn a_request_signed_with_sha_512_by_4096_bits_is_signed() {
    assert!(leaf(csr(&["-newkey", "rsa:4096", "-sha512"], &[])).contains("Public-Key: (4096 bit)"));
}

#[test]
fn each_authority_signs_what_it_verifies() {
    for kind in ["kubernetes", "etcd", "front-proxy"] {
        let answer = signed(json!({"ca_cert_type": kind}));
        assert_eq!(answer["ca_cert_type"], kind);
        let dir = tempfile::tempdir().unwrap();
        let (ca, own) = (dir.path().join("ca"), dir.path().join("own"));
        std::fs::write(&ca, pem(&format!("?ca_cert_type={kind}"))).unwrap();
        std::fs::write(&own, answer["pem"].as_str().unwrap()).unwrap();
        let output = Command::new("openssl").arg("verify").arg("-CAfile").arg(ca).arg(own).output().unwrap();
        assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_cluster_may_be_named_in_a_request_for_a_signature() {
    let (world, uuid) = living();
    let name = world.living().cluster["name"].clone();
    assert_eq!(signed(json!({"cluster_uuid": name}))["cluster_uuid"], uuid);
}

#[test]
fn allowed_extensions_are_kept() {
    let text = leaf(csr(
        EC,
        &[
            "subjectAltName=DNS:a.example",
            "extendedKeyUsage=clientAuth",
            "keyUsage=critical,digitalSignature,keyEncipherment,nonRepudiation",
        ],
    ));
    for part in ["DNS:a.example", "TLS Web Client Authentication", "Digital Signature", "Key Encipherment"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn other_extensions_and_other_uses_are_dropped() {
    let text =
        leaf(csr(EC, &["1.2.3.4=DER:0500", "keyUsage=keyCertSign,digitalSignature", "basicConstraints=CA:TRUE"]));
    assert!(text.contains("Digital Signature") && text.contains("CA:FALSE"), "{text}");
    for part in ["1.2.3.4", "Certificate Sign", "CA:TRUE"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
}

/// 15b: upstream answers 500, after a minute.
#[test]
fn other_extensions_that_are_critical_are_400() {
    let (world, uuid) = living();
    for extension in ["1.2.3.4=critical,DER:0500", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"]
    {
        let body = json!({"cluster_uuid": uuid, "csr": csr(EC, &[extension])});
        post("/v1/certificates").of(&world.living().service).with(body).refused(400, &["Extension '", "not allowed"]);
    }
}

/// Ours: Magnum answers 500 (B-13).
#[test]
fn a_key_identifier_in_the_request_is_replaced() {
    let text = leaf(csr(EC, &["subjectKeyIdentifier=01:02:03"]));
    assert!(text.contains("X509v3 Subject Key Identifier") && !text.contains("01:02:03\n"), "{text}");
}

#[test]
fn a_bad_request_is_400() {
    let (world, uuid) = living();
    let body = json!({"cluster_uuid": uuid, "csr": "junk"});
    let text = post("/v1/certificates").of(&world.living().service).with(body).refused(400, &[]);
    assert!(text.starts_with("Received invalid csr"), "{text}");
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn cluster_and_request_are_mandatory() {
    let text = invalid("cluster_uuid", "None", "Mandatory field missing.");
    post("/v1/certificates").with(json!({"csr": "x"})).expect(400, &text);
    let text = invalid("csr", "None", "Mandatory field missing.");
    post("/v1/certificates").with(json!({"cluster_uuid": "x"})).expect(400, &text);
}

#[test]
fn an_unknown_cluster_is_404_for_its_authority_and_400_for_a_signature() {
    let text = "Cluster no-such could not be found.";
    get("/v1/certificates/no-such").expect(404, text);
    post("/v1/certificates").with(json!({"cluster_uuid": "no-such", "csr": "x"})).expect(400, text);
}

#[test]
fn the_member_of_old_is_unknown() {
    let text = "Unknown attribute for argument certificate: bay_uuid";
    post("/v1/certificates").with(json!({"bay_uuid": "x", "csr": "x"})).expect(400, text);
}

/// 4.2: as clients put it into their configuration.
#[test]
fn a_complete_cluster_tells_its_addresses_and_versions() {
    let (world, uuid) = living();
    let whole = world.living().service.complete(&token(MEMBER), &uuid);
    assert_eq!((&whole["status"], &whole["status_reason"].is_string()), (&json!("CREATE_COMPLETE"), &true));
    let address = whole["api_address"].as_str().unwrap();
    assert!(address.starts_with("https://") && address.ends_with(":6443"), "{address}");
    for (field, count) in [("master_addresses", 1), ("node_addresses", 1)] {
        assert_eq!(whole[field].as_array().unwrap().len(), count, "{whole}");
    }
    assert!(whole["coe_version"].as_str().unwrap().starts_with('v'), "{whole}");
    assert!(whole["cluster_id"].is_string() && whole["updated_at"].is_string(), "{whole}");
}
