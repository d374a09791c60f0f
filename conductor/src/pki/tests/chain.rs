//! Authorities and chains, as OpenSSL's command line and x509-parser see them.

use std::process::Command;

use chrono::TimeDelta;
use openssl::x509::X509VerifyResult;

use super::*;
use crate::pki::client;

/// What `openssl verify` says of the certificate; an error's text when it does not verify.
fn verify(authority: &KeyPair, certificate: &str, purpose: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let (ca, leaf) = (folder.path().join("ca.pem"), folder.path().join("leaf.pem"));
    std::fs::write(&ca, &authority.certificate).unwrap();
    std::fs::write(&leaf, certificate).unwrap();
    let output = Command::new("openssl")
        .args(["verify", "-x509_strict", "-check_ss_sig", "-purpose", purpose, "-CAfile"])
        .args([&ca, &leaf])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(()) } else { Err(text) }
}

#[test]
fn an_authority_is_what_the_contract_says() {
    let certificate = X509::from_pem(AUTHORITY.certificate.as_bytes()).unwrap();
    assert_eq!(certificate.issued(&certificate), X509VerifyResult::OK);
    read(&certificate, |certificate| {
        assert_eq!(certificate.subject().to_string(), "CN=ci Kubernetes CA");
        assert_eq!(certificate.issuer(), certificate.subject());
        assert_eq!(certificate.signature_algorithm.algorithm.to_id_string(), "1.2.840.113549.1.1.11");
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, Some(0));
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical);
        assert_eq!(usage.value.flags, 0b110_0000, "keyCertSign and cRLSign");
        assert!(certificate.raw_serial().len() <= 20 && certificate.raw_serial()[0] < 0x80);
        let validity = certificate.validity();
        assert_eq!(validity.not_before.timestamp(), (now() - TimeDelta::hours(1)).timestamp());
        assert_eq!(validity.not_after.timestamp(), (now() + days(1825)).timestamp());
    });
    assert_eq!(certificate.public_key().unwrap().bits(), 2048);
    assert!(certificate.subject_key_id().is_some());
}

#[test]
fn a_signed_certificate_verifies() {
    let request = Request::parse(&csr(&RSA, &[("CN", "admin"), ("O", "system:masters")], vec![])).unwrap();
    let pem = Signer::new(&AUTHORITY).unwrap().sign_for_user(&request, 365, now()).unwrap();
    verify(&AUTHORITY, &pem, "sslclient").unwrap();
    assert!(verify(&AUTHORITY, &pem, "sslserver").is_err(), "a client's certificate does not serve");
    let certificate = X509::from_pem(pem.as_bytes()).unwrap();
    let authority = X509::from_pem(AUTHORITY.certificate.as_bytes()).unwrap();
    assert_eq!(
        certificate.authority_key_id().unwrap().as_slice(),
        authority.subject_key_id().unwrap().as_slice(),
        "the chain is found by key, for authorities of one name"
    );
    read(&certificate, |certificate| {
        assert_eq!(certificate.issuer().to_string(), "CN=ci Kubernetes CA");
        assert_eq!(certificate.validity().not_after.timestamp(), (now() + days(365)).timestamp());
    });
}

#[test]
fn names_are_verified_by_the_command_line_too() {
    let request = Request::parse(&asking(names(&["node-0"], &["10.0.0.5"]))).unwrap();
    let pem = Signer::new(&AUTHORITY).unwrap().sign_for_user(&request, 365, now()).unwrap();
    verify(&AUTHORITY, &pem, "sslserver").unwrap();
    verify(&AUTHORITY, &pem, "sslclient").unwrap();
}

#[test]
fn another_authority_does_not_verify() {
    let request = Request::parse(&csr(&P256, &[("CN", "admin")], vec![])).unwrap();
    let pem = Signer::new(&AUTHORITY).unwrap().sign_for_user(&request, 365, now()).unwrap();
    let twin = create("ci", Ca::Kubernetes, SETTINGS, now()).unwrap();
    assert!(verify(&twin, &pem, "sslclient").is_err(), "same name, another key");
}

#[test]
fn the_client_certificate_of_the_service_is_an_administrators() {
    let pair = client(&AUTHORITY, SETTINGS, now()).unwrap();
    verify(&AUTHORITY, &pair.certificate, "sslclient").unwrap();
    assert!(verify(&AUTHORITY, &pair.certificate, "sslserver").is_err());
    let certificate = X509::from_pem(pair.certificate.as_bytes()).unwrap();
    read(&certificate, |certificate| {
        assert_eq!(certificate.subject().to_string(), "O=system:masters, CN=admin");
    });
    Signer::new(&pair).unwrap();
}

#[test]
fn nothing_is_valid_beyond_its_authority() {
    let short = create("ci", Ca::Etcd, KeySettings { days: 10, ..SETTINGS }, now()).unwrap();
    let request = Request::parse(&csr(&P256, &[("CN", "admin")], vec![])).unwrap();
    let pem = Signer::new(&short).unwrap().sign_for_user(&request, 365, now()).unwrap();
    let certificate = X509::from_pem(pem.as_bytes()).unwrap();
    let end = read(&certificate, |certificate| certificate.validity().not_after.timestamp());
    assert_eq!(end, (now() + days(10)).timestamp());
    verify(&short, &pem, "sslclient").unwrap();
}

#[test]
fn an_expired_authority_signs_nothing() {
    let old = create("ci", Ca::Etcd, KeySettings { days: 10, ..SETTINGS }, now() - days(11)).unwrap();
    let request = Request::parse(&csr(&P256, &[("CN", "admin")], vec![])).unwrap();
    let error = Signer::new(&old).unwrap().sign_for_user(&request, 365, now()).unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert!(error.public.contains("expired"), "{error}");
}

#[test]
fn validity_reaches_beyond_2050() {
    let long = create("ci", Ca::Etcd, KeySettings { days: 36_500, ..SETTINGS }, now()).unwrap();
    let request = Request::parse(&csr(&P256, &[("CN", "admin")], vec![])).unwrap();
    let pem = Signer::new(&long).unwrap().sign_for_user(&request, 36_499, now()).unwrap();
    verify(&long, &pem, "sslclient").unwrap();
}

#[test]
fn a_key_of_another_authority_is_noticed() {
    let other = create("ci", Ca::Etcd, SETTINGS, now()).unwrap();
    let mixed = KeyPair { certificate: other.certificate, private_key: AUTHORITY.private_key.clone() };
    assert!(Signer::new(&mixed).err().unwrap().chain().contains("do not belong together"));
}
