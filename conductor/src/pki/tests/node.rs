//! Requests of nodes: one test for each rule.

use drivers::{Profile, Usage};
use openssl::x509::extension::ExtendedKeyUsage;

use super::*;
use crate::pki::NodeScope;

const KUBELET: Profile = Profile {
    name: "kubelet",
    ca: Ca::Kubernetes,
    common_name: "system:node:{node}",
    organization: Some("system:nodes"),
    usage: Usage::Both,
    alternative_names: true,
};
const PROXY: Profile = Profile {
    name: "proxy",
    ca: Ca::Kubernetes,
    common_name: "system:kube-proxy",
    organization: None,
    usage: Usage::Client,
    alternative_names: false,
};
const PEER: Profile = Profile {
    name: "etcd-peer",
    ca: Ca::Etcd,
    common_name: "{node}",
    organization: None,
    usage: Usage::Both,
    alternative_names: true,
};
const ETCD_CLIENT: Profile = Profile { name: "etcd-client", usage: Usage::Client, alternative_names: false, ..PEER };

const NODE: &[(&str, &str)] = &[("O", "system:nodes"), ("CN", "system:node:ci-0123456789ab-worker-3")];

fn scope() -> NodeScope {
    NodeScope {
        node_prefix: "ci-0123456789ab-worker".into(),
        node: None,
        profiles: vec![KUBELET, PROXY, ETCD_CLIENT, PEER],
        dns_names: vec!["kubernetes".into(), "kubernetes.default.svc".into()],
        addresses: vec!["203.0.113.7".parse().unwrap()],
        networks: vec!["10.0.0.0/24".parse().unwrap()],
    }
}

fn sign(ca: Ca, pem: &str) -> crate::Result<X509> {
    let request = Request::parse(pem).unwrap();
    let answer = Signer::new(&AUTHORITY).unwrap().sign_for_node(ca, &request, &scope(), 365, now())?;
    Ok(X509::from_pem(answer.as_bytes()).unwrap())
}

fn refusal(ca: Ca, subject: &[(&str, &str)], extensions: Vec<X509Extension>) -> String {
    let error = sign(ca, &csr(&P256, subject, extensions)).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    error.public.into_owned()
}

#[test]
fn a_kubelet_gets_its_certificate() {
    let asked = names(&["ci-0123456789ab-worker-3"], &["10.0.0.9"]);
    let certificate = sign(Ca::Kubernetes, &csr(&RSA, NODE, vec![asked])).unwrap();
    read(&certificate, |certificate| {
        assert_eq!(certificate.subject().to_string(), "O=system:nodes, CN=system:node:ci-0123456789ab-worker-3");
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.server_auth && usage.client_auth);
        assert_eq!(certificate.key_usage().unwrap().unwrap().value.flags, 0b101);
        let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
        assert_eq!(names.len(), 2);
        assert!(!certificate.is_ca());
    });
}

#[test]
fn the_profile_decides_what_the_certificate_is_for() {
    let asked = ExtendedKeyUsage::new().server_auth().client_auth().build().unwrap();
    let certificate = sign(Ca::Kubernetes, &csr(&P256, &[("CN", "system:kube-proxy")], vec![asked])).unwrap();
    read(&certificate, |certificate| {
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(!usage.server_auth && usage.client_auth);
    });
}

#[test]
fn of_two_profiles_with_one_subject_the_closer_one_is_meant() {
    let node = &[("CN", "ci-0123456789ab-worker-0")][..];
    let server = |extensions| {
        let certificate = sign(Ca::Etcd, &csr(&P256, node, extensions)).unwrap();
        read(&certificate, |certificate| certificate.extended_key_usage().unwrap().unwrap().value.server_auth)
    };
    assert!(!server(vec![]));
    assert!(server(vec![names(&["ci-0123456789ab-worker-0"], &[])]));
    assert!(server(vec![ExtendedKeyUsage::new().server_auth().client_auth().build().unwrap()]));
}

#[test]
fn subjects_outside_the_profiles_are_refused() {
    let administrator = refusal(Ca::Kubernetes, &[("O", "system:masters"), ("CN", "admin")], vec![]);
    assert!(administrator.contains("\"O=system:masters, CN=admin\""), "{administrator}");
    assert!(administrator.contains("O=system:nodes, CN=system:node:ci-0123456789ab-worker-<number>"));
    for subject in [
        &[("CN", "system:node:ci-0123456789ab-worker-3")][..],
        &[("O", "system:masters"), ("CN", "system:node:ci-0123456789ab-worker-3")],
        &[("O", "system:nodes"), ("CN", "system:kube-proxy")],
        &[("O", "system:nodes")],
        &[],
    ] {
        assert!(refusal(Ca::Kubernetes, subject, vec![]).contains("the subject is"), "{subject:?}");
    }
}

#[test]
fn names_of_other_nodes_are_refused() {
    for node in [
        "ci-0123456789ab-master-0",
        "ci-0123456789ab-worker",
        "ci-0123456789ab-worker-",
        "ci-0123456789ab-worker-x",
        "ci-0123456789ab-worker-01",
        "ci-0123456789ab-worker-1234567",
        "ci-0123456789ab-worker--1",
        "ci-0123456789ab-worker2-0",
        "ci-0123456789ab-worker-0 ",
        "ci-0123456789ab-worker-\u{661}",
    ] {
        let common_name = format!("system:node:{node}");
        let text = refusal(Ca::Kubernetes, &[("O", "system:nodes"), ("CN", &common_name)], vec![]);
        assert!(text.contains("the subject is"), "{text}");
    }
}

#[test]
fn other_attributes_of_the_subject_are_refused() {
    let text = refusal(Ca::Kubernetes, &[("OU", "x"), ("CN", "system:kube-proxy")], vec![]);
    assert!(text.contains("the subject has OU"), "{text}");
}

#[test]
fn an_attribute_that_appears_twice_is_refused() {
    let text = refusal(Ca::Kubernetes, &[("CN", "admin"), ("CN", "system:kube-proxy")], vec![]);
    assert!(text.contains("twice"), "{text}");
}

#[test]
fn another_authority_is_refused() {
    assert!(refusal(Ca::Etcd, NODE, vec![]).contains("from the etcd authority: CN=ci-0123456789ab-worker-<number>"));
    assert!(refusal(Ca::FrontProxy, NODE, vec![]).contains("from the front-proxy authority: nothing"));
}

#[test]
fn names_outside_the_scope_are_refused() {
    let dns = refusal(Ca::Kubernetes, NODE, vec![names(&["ci-0123456789ab-worker-4"], &[])]);
    assert!(dns.contains("DNS:ci-0123456789ab-worker-4") && dns.contains("kubernetes.default.svc"), "{dns}");
    let wildcard = refusal(Ca::Kubernetes, NODE, vec![names(&["*.default.svc"], &[])]);
    assert!(wildcard.contains("DNS:*.default.svc"));
    let address = refusal(Ca::Kubernetes, NODE, vec![names(&[], &["10.0.1.9"])]);
    assert!(address.contains("IP:10.0.1.9; allowed: 203.0.113.7, 10.0.0.0/24"), "{address}");
    let v6 = refusal(Ca::Kubernetes, NODE, vec![names(&[], &["::ffff:10.0.0.9"])]);
    assert!(v6.contains("IP:::ffff:10.0.0.9"), "{v6}");
}

#[test]
fn other_kinds_of_names_are_refused() {
    let mail = extension(ALTERNATIVE_NAMES, false, b"\x30\x07\x81\x05a@b.c");
    assert!(refusal(Ca::Kubernetes, NODE, vec![mail]).contains("an e-mail address"));
    let uri = extension(ALTERNATIVE_NAMES, false, b"\x30\x06\x86\x04urn:");
    assert!(refusal(Ca::Kubernetes, NODE, vec![uri]).contains("a URI"));
    let short = extension(ALTERNATIVE_NAMES, false, b"\x30\x05\x87\x03\x0a\x00\x00");
    assert!(refusal(Ca::Kubernetes, NODE, vec![short]).contains("3 bytes"));
}

#[test]
fn names_where_the_profile_has_none_are_refused() {
    let text = refusal(Ca::Kubernetes, &[("CN", "system:kube-proxy")], vec![names(&["kubernetes"], &[])]);
    assert!(text.contains("subjectAltName is given") && text.contains("proxy"), "{text}");
}

#[test]
fn names_and_addresses_of_the_scope_are_granted() {
    let asked = names(&["kubernetes", "kubernetes.default.svc"], &["203.0.113.7", "10.0.0.255"]);
    sign(Ca::Kubernetes, &csr(&P256, NODE, vec![asked])).unwrap();
}

#[test]
fn a_name_with_a_hidden_end_is_refused() {
    // UTF8String "kubernetes\0x" as an IA5 DNS name.
    let hidden = extension(ALTERNATIVE_NAMES, false, b"\x30\x0e\x82\x0ckubernetes\0x");
    assert!(refusal(Ca::Kubernetes, NODE, vec![hidden]).contains("subjectAltName has DNS:"));
}
