//! Requests as users and nodes send them, and what becomes of them.

mod chain;
mod fuzz;
mod node;
mod proof;
mod user;

use std::sync::LazyLock;

use chrono::{DateTime, Duration, TimeZone, Utc};
use drivers::Ca;
use openssl::asn1::{Asn1Object, Asn1OctetString};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509Extension, X509Name, X509Req};

use super::{KeyPair, KeySettings, Request, Signer, create};
use crate::Kind;

const SETTINGS: KeySettings = KeySettings { rsa_bits: 2048, days: 1825 };

/// The object identifiers of extensions that tests ask for.
const KEY_USAGE: &str = "2.5.29.15";
const ALTERNATIVE_NAMES: &str = "2.5.29.17";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const NAME_CONSTRAINTS: &str = "2.5.29.30";
const KEY_IDENTIFIER: &str = "2.5.29.14";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// `keyCertSign` and `digitalSignature`.
const SIGN_CERTIFICATES: &[u8] = &[0x03, 0x02, 0x02, 0x84];
const CA_TRUE: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xff];

static AUTHORITY: LazyLock<KeyPair> = LazyLock::new(|| create("ci", Ca::Kubernetes, SETTINGS, now()).unwrap());
static RSA: LazyLock<PKey<Private>> = LazyLock::new(|| rsa(2048));
static P256: LazyLock<PKey<Private>> = LazyLock::new(|| ec(Nid::X9_62_PRIME256V1));

/// The present, so that OpenSSL's command line, which reads the clock, agrees.
fn now() -> DateTime<Utc> {
    static START: LazyLock<DateTime<Utc>> = LazyLock::new(Utc::now);
    Utc.timestamp_opt(START.timestamp(), 0).unwrap()
}

fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

fn ec(curve: Nid) -> PKey<Private> {
    PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap()
}

fn name(entries: &[(&str, &str)]) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    for (field, value) in entries {
        name.append_entry_by_text(field, value).unwrap();
    }
    name.build()
}

fn extension(identifier: &str, critical: bool, der: &[u8]) -> X509Extension {
    let value = Asn1OctetString::new_from_bytes(der).unwrap();
    X509Extension::new_from_der(&Asn1Object::from_str(identifier).unwrap(), critical, &value).unwrap()
}

fn names(dns: &[&str], addresses: &[&str]) -> X509Extension {
    let mut names = SubjectAlternativeName::new();
    for dns in dns {
        names.dns(dns);
    }
    for address in addresses {
        names.ip(address);
    }
    names.build(&X509::builder().unwrap().x509v3_context(None, None)).unwrap()
}

fn csr_der(key: &PKey<Private>, subject: &[(&str, &str)], extensions: Vec<X509Extension>) -> Vec<u8> {
    let mut request = X509Req::builder().unwrap();
    request.set_subject_name(&name(subject)).unwrap();
    request.set_pubkey(key).unwrap();
    if !extensions.is_empty() {
        let mut stack = Stack::new().unwrap();
        extensions.into_iter().for_each(|extension| stack.push(extension).unwrap());
        request.add_extensions(&stack).unwrap();
    }
    let digest = if key.id() == openssl::pkey::Id::ED25519 { MessageDigest::null() } else { MessageDigest::sha256() };
    request.sign(key, digest).unwrap();
    request.build().to_der().unwrap()
}

fn armor(der: &[u8]) -> String {
    let body = openssl::base64::encode_block(der);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", lines.join("\n"))
}

fn csr(key: &PKey<Private>, subject: &[(&str, &str)], extensions: Vec<X509Extension>) -> String {
    armor(&csr_der(key, subject, extensions))
}

/// An element of DER.
fn wrap(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ 0..=0x7f => vec![u8::try_from(short).unwrap()],
        long => vec![0x82, u8::try_from(long >> 8).unwrap(), u8::try_from(long & 0xff).unwrap()],
    };
    [&[tag][..], &length, body].concat()
}

/// A user's request with that one extension.
fn asking(extension: X509Extension) -> String {
    csr(&P256, &[("CN", "admin"), ("O", "system:masters")], vec![extension])
}

fn signed(pem: &str) -> X509 {
    let request = Request::parse(pem).unwrap();
    let answer = Signer::new(&AUTHORITY).unwrap().sign_for_user(&request, 365, now()).unwrap();
    X509::from_pem(answer.as_bytes()).unwrap()
}

/// The text of the refusal, which must be the requester's fault.
fn refused(pem: &str) -> String {
    let error = Request::parse(pem).err().unwrap();
    assert_eq!(error.kind, Kind::Invalid);
    error.public.into_owned()
}

fn days(count: i64) -> Duration {
    Duration::days(count)
}

/// Runs `check` on the certificate as x509-parser reads it.
fn read<T>(certificate: &X509, check: impl FnOnce(&x509_parser::certificate::X509Certificate<'_>) -> T) -> T {
    let der = certificate.to_der().unwrap();
    let (rest, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    assert!(rest.is_empty());
    check(&certificate)
}
