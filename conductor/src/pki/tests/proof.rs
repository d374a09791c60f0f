//! Proofs of nodes: one that holds, and each check broken once.

use chrono::{Duration, TimeDelta};
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer as KeySigner;
use openssl::x509::X509;
use openssl::x509::extension::ExtendedKeyUsage;

use super::*;
use crate::pki::proof::{Proof, text};

const NODE: &[(&str, &str)] = &[("O", "system:nodes"), ("CN", "system:node:ci-worker-0")];

/// A certificate that a user may ask for: the checks must hold against whatever an authority has signed.
fn certificate(key: &PKey<Private>, subject: &[(&str, &str)], extensions: Vec<X509Extension>) -> Vec<u8> {
    let request = Request::parse(&csr(key, subject, extensions)).unwrap();
    let pem = Signer::new(&AUTHORITY).unwrap().sign_for_user(&request, 30, now()).unwrap();
    X509::from_pem(pem.as_bytes()).unwrap().to_der().unwrap()
}

fn sign(key: &PKey<Private>, text: &str) -> Vec<u8> {
    let digest = if key.id() == openssl::pkey::Id::ED25519 { MessageDigest::null() } else { MessageDigest::sha256() };
    let mut signer = KeySigner::new(digest, key).unwrap();
    signer.sign_oneshot_to_vec(text.as_bytes()).unwrap()
}

fn proof(key: &PKey<Private>, subject: &[(&str, &str)]) -> Proof {
    let timestamp = now().timestamp();
    let text = text("cluster", "GET", "/v1/x?y=z", timestamp, "00");
    Proof { certificate: certificate(key, subject, Vec::new()), signature: sign(key, &text), timestamp, text }
}

fn check(proof: &Proof) -> Result<String, String> {
    proof.check(std::slice::from_ref(&AUTHORITY.certificate), now()).map_err(|refusal| refusal.to_string())
}

fn refused(proof: &Proof, why: &str) {
    let said = check(proof).unwrap_err();
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_proof_names_its_node_with_either_kind_of_key() {
    let rsa = PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
    for key in [&*P256, &rsa] {
        assert_eq!(check(&proof(key, NODE)).unwrap(), "ci-worker-0");
    }
}

#[test]
fn it_holds_under_either_of_two_authorities_of_one_name() {
    let settings = KeySettings { rsa_bits: 2048, days: 30 };
    let other = create("ci", Ca::Kubernetes, settings, now()).unwrap();
    let proof = proof(&P256, NODE);
    let both = [other.certificate.clone(), AUTHORITY.certificate.clone()];
    assert_eq!(proof.check(&both, now()).unwrap(), "ci-worker-0");
    let refusal = proof.check(&[other.certificate], now()).unwrap_err().to_string();
    assert!(refusal.contains("not from the cluster's authority"), "{refusal}");
    assert!(proof.check(&[], now()).is_err());
}

#[test]
fn a_proof_is_good_for_five_minutes_either_way() {
    let proof = proof(&P256, NODE);
    let authorities = [AUTHORITY.certificate.clone()];
    for (seconds, holds) in [(300, true), (-300, true), (301, false), (-301, false)] {
        let then = now() + TimeDelta::seconds(seconds);
        assert_eq!(proof.timely(then).is_ok(), holds, "{seconds}");
        assert_eq!(proof.check(&authorities, then).is_ok(), holds, "{seconds}");
    }
    assert!(Proof { timestamp: i64::MIN, ..proof }.timely(now()).is_err());
}

#[test]
fn a_certificate_that_has_ended_or_not_begun_proves_nothing() {
    for away in [Duration::days(31), Duration::days(-2)] {
        let then = now() + away;
        let timestamp = then.timestamp();
        let text = text("cluster", "GET", "/", timestamp, "00");
        let proof = Proof { signature: sign(&P256, &text), timestamp, text, ..proof(&P256, NODE) };
        let refusal = proof.check(std::slice::from_ref(&AUTHORITY.certificate), then).unwrap_err().to_string();
        assert!(refusal.contains("not valid now"), "{refusal}");
    }
}

#[test]
fn only_a_nodes_certificate_counts() {
    for subject in [
        &[("O", "system:masters"), ("CN", "system:node:ci-worker-0")][..],
        &[("O", "system:nodes"), ("CN", "ci-worker-0")],
        &[("O", "system:nodes"), ("CN", "system:node:")],
        &[("CN", "system:node:ci-worker-0")],
        &[("O", "system:nodes"), ("O", "x"), ("CN", "system:node:ci-worker-0")],
        &[("O", "system:nodes"), ("CN", "system:node:a"), ("CN", "system:node:b")],
    ] {
        refused(&proof(&P256, subject), "not a node's");
    }
    refused(&Proof { certificate: b"nonsense".to_vec(), ..proof(&P256, NODE) }, "cannot be read");
    let authority = X509::from_pem(AUTHORITY.certificate.as_bytes()).unwrap().to_der().unwrap();
    refused(&Proof { certificate: authority, ..proof(&P256, NODE) }, "not a node's");
}

/// As a swarm's nodes have: they must not be clients of the managers.
#[test]
fn a_certificate_for_servers_proves_its_node_too() {
    let server = ExtendedKeyUsage::new().server_auth().build().unwrap();
    let for_servers = certificate(&P256, NODE, vec![server]);
    assert_eq!(check(&Proof { certificate: for_servers, ..proof(&P256, NODE) }).unwrap(), "ci-worker-0");
}

#[test]
fn a_signature_of_something_else_or_somebody_else_is_none() {
    let good = proof(&P256, NODE);
    let other = PKey::generate_ed25519().unwrap();
    refused(&proof(&other, NODE), "neither RSA nor EC");
    for text in [
        text("other", "GET", "/v1/x?y=z", good.timestamp, "00"),
        text("cluster", "POST", "/v1/x?y=z", good.timestamp, "00"),
        text("cluster", "GET", "/v1/x", good.timestamp, "00"),
        text("cluster", "GET", "/v1/x?y=z", good.timestamp + 1, "00"),
        text("cluster", "GET", "/v1/x?y=z", good.timestamp, "01"),
    ] {
        refused(&Proof { text, ..good.clone() }, "signature");
    }
    refused(&Proof { signature: Vec::new(), ..good.clone() }, "signature");
    refused(&Proof { signature: vec![0; 72], ..good.clone() }, "signature");
    let rsa = PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
    refused(&Proof { signature: sign(&rsa, &good.text), ..good }, "signature");
}
