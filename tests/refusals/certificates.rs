//! Requests for certificates that a cluster's authority must not sign.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::assert_refused;
use super::standing::STANDING;
use super::token;

/// A request by OpenSSL's own program; `extensions` are lines of its configuration.
fn csr(subject: &str, key: &str, extensions: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let section = if extensions.is_empty() { "" } else { "req_extensions = asked\n" };
    let text =
        format!("[req]\ndistinguished_name = name\nprompt = no\n{section}[name]\n{subject}\n[asked]\n{extensions}\n");
    std::fs::write(at("config"), text).unwrap();
    let mut arguments = vec!["req", "-new", "-nodes", "-config"];
    let (config, out) = (at("config"), at("csr"));
    arguments.push(&config);
    arguments.extend(["-newkey", key, "-keyout"]);
    let file = at("key");
    arguments.push(&file);
    if key == "ec" {
        arguments.extend(["-pkeyopt", "ec_paramgen_curve:P-256"]);
    }
    arguments.extend(["-out", &out]);
    let output = Command::new("openssl").args(&arguments).current_dir(Path::new(&dir.path())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(out).unwrap()
}

fn usual(extensions: &str) -> String {
    csr("CN = admin\nO = system:masters", "ec", extensions)
}

fn refused(csr: &str, words: &[&str]) {
    let standing = STANDING.get();
    let body = json!({"cluster_uuid": standing.first.uuid, "csr": csr});
    let answer = standing.service.call(&token("demo"), "POST", "/certificates", Some(&body));
    assert_refused(&answer, 400, words);
}

#[test]
fn junk() {
    let pem = |body: &str| format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n");
    let good = usual("");
    let cut = good.lines().take(3).chain(["-----END CERTIFICATE REQUEST-----"]).collect::<Vec<_>>().join("\n");
    for (text, word) in [
        ("junk".to_owned(), "one PEM block"),
        (pem("!!!!"), "base64"),
        (pem("AAAA"), "PKCS#10"),
        (cut, ""),
        (format!("{good}{good}"), "one PEM block"),
        (good.replace("CERTIFICATE REQUEST", "CERTIFICATE"), "one PEM block"),
    ] {
        refused(&text, &["Received invalid csr", word]);
    }
    refused(&"x".repeat(70_000), &["csr", "65535"]);
}

#[test]
fn a_signature_that_does_not_fit() {
    let good = usual("");
    let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
    // The last line holds nothing but the signature.
    let at = lines.len() - 2;
    let flipped = if lines[at].starts_with('A') { "B" } else { "A" };
    lines[at].replace_range(0..1, flipped);
    refused(&lines.join("\n"), &["Received invalid csr", "signature"]);
}

#[test]
fn a_weak_key() {
    refused(&csr("CN = admin", "rsa:1024", ""), &["RSA with 1024 bits", "2048 bits or more"]);
}

#[test]
fn disallowed_critical_extensions() {
    for (line, words) in [
        ("basicConstraints = critical, CA:TRUE", &["Extension 'basicConstraints' not allowed", "CA:TRUE"][..]),
        (
            "keyUsage = critical, keyCertSign",
            &["Extension 'keyUsage' not allowed", "Certificate Sign", "Digital Signature"],
        ),
        ("1.2.3.4 = critical, DER:0500", &["Extension '1.2.3.4' not allowed", "subjectAltName"]),
        ("nameConstraints = critical, permitted;DNS:x", &["Extension 'nameConstraints' not allowed"]),
    ] {
        refused(&usual(line), words);
    }
}

/// What is not critical is left out instead.
#[test]
fn disallowed_extensions_are_dropped() {
    let standing = STANDING.get();
    let csr = usual("basicConstraints = CA:TRUE\n1.2.3.4 = DER:0500\nkeyUsage = keyCertSign, digitalSignature");
    let body = json!({"cluster_uuid": standing.first.uuid, "csr": csr});
    let answer = standing.service.call(&token("demo"), "POST", "/certificates", Some(&body));
    assert_eq!(answer.status, 201, "{}", answer.text);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), answer.json()["pem"].as_str().unwrap()).unwrap();
    let output = Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(file.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("CA:FALSE") && text.contains("Digital Signature"), "{text}");
    assert!(!text.contains("CA:TRUE") && !text.contains("1.2.3.4") && !text.contains("Certificate Sign"), "{text}");
}

#[test]
fn an_unknown_authority_or_cluster() {
    let standing = STANDING.get();
    let token = token("demo");
    let good = usual("");
    let call = |body| standing.service.call(&token, "POST", "/certificates", Some(&body));
    let body = json!({"cluster_uuid": standing.first.uuid, "csr": good, "ca_cert_type": "vault"});
    assert_refused(&call(body), 400, &["ca_cert_type", "vault", "kubernetes", "etcd", "front-proxy"]);
    let body = json!({"cluster_uuid": "no-such-cluster", "csr": good});
    assert_refused(&call(body), 400, &["Cluster no-such-cluster could not be found."]);
    assert_refused(&call(json!({"csr": good})), 400, &["cluster_uuid", "Mandatory field missing"]);
    assert_refused(&call(json!({"cluster_uuid": standing.first.uuid})), 400, &["csr", "Mandatory field missing"]);
    assert_refused(&call(json!({"bay_uuid": "x", "csr": good})), 400, &["Unknown attribute", "bay_uuid"]);
    let path = format!("/certificates/{}?ca_cert_type=vault", standing.first.uuid);
    let answer = standing.service.call(&token, "GET", &path, None);
    assert_refused(&answer, 400, &["ca_cert_type", "vault", "front-proxy"]);
}

/// Another project has no such cluster, whatever it asks of it.
#[test]
fn a_cluster_of_another_project() {
    let standing = STANDING.get();
    let stranger = token("demo2");
    let uuid = &standing.first.uuid;
    let absent = format!("Cluster {uuid} could not be found.");
    for (method, path) in [
        ("GET", format!("/clusters/{uuid}")),
        ("DELETE", format!("/clusters/{uuid}")),
        ("GET", format!("/certificates/{uuid}")),
        ("GET", format!("/certificates/{uuid}/etcd")),
    ] {
        assert_refused(&standing.service.call(&stranger, method, &path, None), 404, &[&absent]);
    }
    let body = json!({"cluster_uuid": uuid, "csr": usual("")});
    assert_refused(&standing.service.call(&stranger, "POST", "/certificates", Some(&body)), 400, &[&absent]);
    assert_eq!(standing.service.call(&stranger, "GET", "/clusters", None).json(), json!({"clusters": []}));
    assert_eq!(standing.service.show(&token("demo"), uuid)["status"], "CREATE_IN_PROGRESS");
}

/// A teammate sees the cluster, and not what opens it.
#[test]
fn a_cluster_of_another_member() {
    let standing = STANDING.get();
    let peer = token("demo-peer");
    let uuid = &standing.first.uuid;
    assert_eq!(standing.service.show(&peer, uuid)["uuid"], uuid.as_str());
    let answer = standing.service.call(&peer, "GET", &format!("/certificates/{uuid}"), None);
    assert_refused(&answer, 403, &["Policy doesn't allow certificate:get to be performed."]);
    let body = json!({"cluster_uuid": uuid, "csr": usual("")});
    let answer = standing.service.call(&peer, "POST", "/certificates", Some(&body));
    assert_refused(&answer, 403, &["Policy doesn't allow certificate:create to be performed."]);
}

/// A worker's token signs nothing that a master's would.
#[test]
fn a_worker_that_asks_for_more() {
    let standing = STANDING.get();
    let (cluster, worker) = (&standing.first, standing.first.node("worker"));
    let ask = |csr: &str, kind: &str| {
        let body = json!({"cluster_uuid": cluster.uuid, "csr": csr, "ca_cert_type": kind});
        standing.node(&cluster.worker_token, "POST", "/certificates", Some(&body))
    };
    let own = format!("CN = system:node:{worker}\nO = system:nodes");
    let answer = ask(&csr(&own, "ec", ""), "kubernetes");
    assert_eq!(answer.status, 201, "{}", answer.text);
    let master = standing.first.node("master");
    for (subject, kind) in [
        ("CN = kube-apiserver".to_owned(), "kubernetes"),
        ("CN = admin\nO = system:masters".to_owned(), "kubernetes"),
        (format!("CN = system:node:{master}\nO = system:nodes"), "kubernetes"),
        (format!("CN = {master}"), "etcd"),
        ("CN = front-proxy-client".to_owned(), "front-proxy"),
        (own.clone(), "etcd"),
    ] {
        let answer = ask(&csr(&subject, "ec", ""), kind);
        assert!([400, 403].contains(&answer.status), "{subject} by {kind}: {}", answer.text);
        assert_refused(&answer, answer.status, &[]);
    }
    let names = csr(&own, "ec", "subjectAltName = DNS:kubernetes.default.svc");
    assert_refused(&ask(&names, "kubernetes"), 400, &["kubernetes.default.svc"]);
}
