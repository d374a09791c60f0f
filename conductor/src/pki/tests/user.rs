//! Requests of people: one test for each rule.

use openssl::pkey::{Id, PKey};
use openssl::x509::extension::{ExtendedKeyUsage, KeyUsage};
use x509_parser::extensions::{GeneralName, ParsedExtension};

use super::*;
use crate::pki::{self, Limits};

const ADMIN: &[(&str, &str)] = &[("CN", "admin"), ("O", "system:masters")];

fn usage(certificate: &X509) -> u16 {
    read(certificate, |certificate| certificate.key_usage().unwrap().unwrap().value.flags)
}

/// Whether the extended key usage names servers, clients.
fn purposes(certificate: &X509) -> (bool, bool) {
    read(certificate, |certificate| {
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        (usage.server_auth, usage.client_auth)
    })
}

#[test]
fn the_subject_is_kept_whatever_it_is() {
    let certificate =
        signed(&csr(&P256, &[("C", "DE"), ("O", "system:masters"), ("OU", "x"), ("CN", "admin")], vec![]));
    let entries: Vec<String> =
        certificate.subject_name().entries().map(|entry| entry.data().to_string().unwrap()).collect();
    assert_eq!(entries, ["DE", "system:masters", "x", "admin"]);
}

#[test]
fn a_request_without_extensions_becomes_a_clients_certificate() {
    let certificate = signed(&csr(&RSA, ADMIN, vec![]));
    assert_eq!(usage(&certificate), 0b101, "digital signature and key encipherment");
    assert_eq!(purposes(&certificate), (false, true));
    read(&certificate, |certificate| {
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && !constraints.value.ca);
        assert!(certificate.subject_alternative_name().unwrap().is_none());
    });
}

#[test]
fn a_request_with_names_and_no_usage_serves_both_ends() {
    let certificate = signed(&asking(names(&["example.org"], &["10.0.0.1"])));
    assert_eq!(purposes(&certificate), (true, true));
    read(&certificate, |certificate| {
        let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
        assert_eq!(names[..], [GeneralName::DNSName("example.org"), GeneralName::IPAddress(&[10, 0, 0, 1])]);
    });
}

#[test]
fn an_extended_key_usage_that_was_asked_for_is_kept() {
    let certificate = signed(&asking(ExtendedKeyUsage::new().server_auth().code_signing().build().unwrap()));
    assert_eq!(purposes(&certificate), (true, false));
    assert!(read(&certificate, |c| c.extended_key_usage().unwrap().unwrap().value.code_signing));
}

#[test]
fn the_answer_is_pem_that_ends_in_a_newline() {
    let request = Request::parse(&csr(&P256, ADMIN, vec![])).unwrap();
    let answer = Signer::new(&AUTHORITY).unwrap().sign_for_user(&request, 365, now()).unwrap();
    assert!(answer.starts_with("-----BEGIN CERTIFICATE-----\n") && answer.ends_with("-----END CERTIFICATE-----\n"));
}

#[test]
fn every_allowed_kind_of_key_is_signed() {
    let kinds = [rsa(3072), ec(Nid::SECP384R1), PKey::generate_ed25519().unwrap()];
    for key in &kinds {
        let certificate = signed(&csr(key, ADMIN, vec![]));
        assert!(certificate.public_key().unwrap().public_eq(key));
        let enciphers = usage(&certificate) & 0b100 != 0;
        assert_eq!(enciphers, key.id() == Id::RSA, "only RSA keys encipher");
    }
}

#[test]
fn a_short_rsa_key_is_refused() {
    let text = refused(&csr(&rsa(1024), ADMIN, vec![]));
    assert!(text.contains("RSA with 1024 bits") && text.contains("2048"), "{text}");
}

#[test]
fn other_curves_and_kinds_of_keys_are_refused() {
    assert!(refused(&csr(&ec(Nid::SECP256K1), ADMIN, vec![])).contains("EC on secp256k1"));
    assert!(refused(&csr(&ec(Nid::SECP521R1), ADMIN, vec![])).contains("EC on secp521r1"));
}

#[test]
fn a_signature_that_does_not_fit_is_refused() {
    let mut der = csr_der(&P256, ADMIN, vec![]);
    let subject = der.windows(5).position(|window| window == b"admin").unwrap();
    der[subject] = b'A';
    assert!(refused(&armor(&der)).contains("signature does not fit"));
}

#[test]
fn a_signature_of_another_key_is_refused() {
    // The last bytes are the signature: those of a request for the same subject by another key of the same length.
    let (mut der, other) = (csr_der(&RSA, ADMIN, vec![]), csr_der(&rsa(2048), ADMIN, vec![]));
    let start = der.len() - 256;
    der[start..].copy_from_slice(&other[start..]);
    assert!(refused(&armor(&der)).contains("signature does not fit"));
}

#[test]
fn texts_that_are_no_request_are_refused() {
    let good = csr(&P256, ADMIN, vec![]);
    let two = format!("{good}{good}");
    let trailing = armor(&[csr_der(&P256, ADMIN, vec![]), vec![0]].concat());
    let body = good.replace("-----BEGIN CERTIFICATE REQUEST-----\n", "-----BEGIN CERTIFICATE REQUEST-----\n!");
    let encrypted = good.replace("REQUEST-----\nMI", "REQUEST-----\nProc-Type: 4,ENCRYPTED\nMI");
    for text in ["", "junk", "-----BEGIN CERTIFICATE REQUEST-----", &two, &trailing, &body, &encrypted, &armor(b"x")] {
        assert!(refused(text).starts_with("Received invalid csr: "), "{text}");
    }
    assert!(refused(&AUTHORITY.certificate).contains("CERTIFICATE REQUEST"));
}

#[test]
fn a_text_before_the_request_and_the_old_label_are_accepted() {
    let good = csr(&P256, ADMIN, vec![]);
    signed(&format!("Certificate Request:\n    Data:\n{good}\n"));
    signed(&good.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"));
    signed(&good.replace('\n', "\r\n"));
}

#[test]
fn a_request_that_is_too_long_is_refused() {
    let text = refused(&format!("{}{}", csr(&P256, ADMIN, vec![]), " ".repeat(64 * 1024)));
    assert!(text.contains("at most 65536"), "{text}");
}

#[test]
fn two_extension_requests_are_refused() {
    // OpenSSL does not write such a request, so its parts are put together by hand.
    let attribute = |extension: &[u8]| {
        let identifier = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";
        wrap(0x30, &[identifier, &wrap(0x31, &wrap(0x30, extension))[..]].concat())
    };
    let usage = wrap(0x30, b"\x06\x03\x55\x1d\x0f\x04\x04\x03\x02\x07\x80");
    let names = wrap(0x30, b"\x06\x03\x55\x1d\x11\x04\x05\x30\x03\x82\x01a");
    let request = |attributes: Vec<Vec<u8>>| {
        let (subject, key) = (name(ADMIN).to_der().unwrap(), P256.public_key_to_der().unwrap());
        let attributes = wrap(0xa0, &attributes.concat());
        let info = wrap(0x30, &[b"\x02\x01\x00", &subject[..], &key, &attributes].concat());
        let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), &P256).unwrap();
        let signature = signer.sign_oneshot_to_vec(&info).unwrap();
        let algorithm = wrap(0x30, b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
        let signature = wrap(0x03, &[&[0][..], &signature].concat());
        armor(&wrap(0x30, &[info, algorithm, signature].concat()))
    };
    signed(&request(vec![attribute(&[usage.clone(), names.clone()].concat())]));
    let text = refused(&request(vec![attribute(&usage), attribute(&names)]));
    assert!(text.contains("more than one extension request"), "{text}");
}

#[test]
fn an_extension_that_appears_twice_is_refused() {
    let twice = vec![names(&["a"], &[]), names(&["b"], &[])];
    assert!(refused(&csr(&P256, ADMIN, twice)).contains("'subjectAltName' appears twice"));
}

#[test]
fn an_extension_that_is_not_allowed_is_dropped() {
    let certificate = signed(&asking(extension(NAME_CONSTRAINTS, false, &[0x30, 0x00])));
    assert!(read(&certificate, |certificate| certificate.name_constraints().unwrap().is_none()));
    let certificate = signed(&asking(extension("1.2.3.4", false, b"anything")));
    assert!(read(&certificate, |c| c.extensions().iter().all(|e| e.oid.to_id_string() != "1.2.3.4")));
}

#[test]
fn a_critical_extension_that_is_not_allowed_is_refused() {
    let text = refused(&asking(extension("2.5.29.36", true, &[0x30, 0x03, 0x80, 0x01, 0x00])));
    assert!(text.starts_with("Extension 'policyConstraints' not allowed"), "{text}");
    assert!(refused(&asking(extension("1.2.3.4", true, b"x"))).starts_with("Extension '1.2.3.4' not allowed"));
}

#[test]
fn key_usages_that_are_not_allowed_are_cleared() {
    let certificate = signed(&asking(extension(KEY_USAGE, false, SIGN_CERTIFICATES)));
    assert_eq!(usage(&certificate), 0b1);
    let all = KeyUsage::new().digital_signature().non_repudiation().key_encipherment().build().unwrap();
    assert_eq!(usage(&signed(&asking(all))), 0b111);
}

#[test]
fn key_usages_of_which_nothing_is_left_become_the_default() {
    let only_crl = KeyUsage::new().crl_sign().key_cert_sign().build().unwrap();
    assert_eq!(usage(&signed(&asking(only_crl))), 0b1);
}

#[test]
fn critical_key_usages_that_are_not_allowed_are_refused() {
    let text = refused(&asking(extension(KEY_USAGE, true, SIGN_CERTIFICATES)));
    assert!(text.starts_with("Extension 'keyUsage' not allowed: it asks for Certificate Sign;"), "{text}");
    let agreement = KeyUsage::new().critical().key_agreement().crl_sign().build().unwrap();
    assert!(refused(&asking(agreement)).contains("asks for Key Agreement, CRL Sign;"));
}

/// Signed within limits that an operator has set.
fn signed_within(limits: &Limits, extension: X509Extension) -> X509 {
    let request = Request::parse_within(&asking(extension), limits).unwrap();
    let answer = Signer::new(&AUTHORITY).unwrap().sign_for_user(&request, 365, now()).unwrap();
    X509::from_pem(answer.as_bytes()).unwrap()
}

#[test]
fn an_operator_may_allow_less() {
    let limits = Limits {
        extensions: vec![pki::Extension::KeyUsage],
        key_usages: vec![pki::KeyUsage::KeyEncipherment],
        allow_ca: false,
    };
    let certificate = signed_within(&limits, names(&["a"], &[]));
    assert!(read(&certificate, |c| c.subject_alternative_name().unwrap().is_none()));
    let both = KeyUsage::new().digital_signature().key_encipherment().build().unwrap();
    assert_eq!(usage(&signed_within(&limits, both)), 0b100);
    let critical = KeyUsage::new().critical().digital_signature().build().unwrap();
    let refusal = Request::parse_within(&asking(critical), &limits).err().unwrap().public;
    assert!(refusal.ends_with("asks for Digital Signature; allowed: Key Encipherment."), "{refusal}");
    let constraints = extension(BASIC_CONSTRAINTS, true, &[0x30, 0x00]);
    let refusal = Request::parse_within(&asking(constraints), &limits).err().unwrap().public;
    assert!(refusal.ends_with("'basicConstraints' not allowed: allowed: keyUsage."), "{refusal}");
}

#[test]
fn an_operator_may_allow_more() {
    let mut limits = Limits::default();
    limits.extensions.push(pki::Extension::NameConstraints);
    limits.key_usages.extend([pki::KeyUsage::CertificateSign, pki::KeyUsage::DataEncipherment]);
    let constraints = [0x30, 0x07, 0xa0, 0x05, 0x30, 0x03, 0x82, 0x01, b'a'];
    let certificate = signed_within(&limits, extension(NAME_CONSTRAINTS, true, &constraints));
    assert!(read(&certificate, |c| c.name_constraints().unwrap().is_some_and(|found| found.critical)));
    // A key that signs certificates needs allow_ca as well.
    let usages = || KeyUsage::new().data_encipherment().key_cert_sign().build().unwrap();
    assert_eq!(usage(&signed_within(&limits, usages())), 0b1000);
    limits.allow_ca = true;
    assert_eq!(usage(&signed_within(&limits, usages())), 0b10_1000);
    let certificate = signed_within(&limits, extension(BASIC_CONSTRAINTS, true, CA_TRUE));
    assert!(read(&certificate, |certificate| certificate.is_ca()));
}

#[test]
fn ca_true_becomes_false() {
    let certificate = signed(&asking(extension(BASIC_CONSTRAINTS, false, CA_TRUE)));
    assert!(read(&certificate, |certificate| !certificate.is_ca()));
    let constraints = |c: &x509_parser::certificate::X509Certificate<'_>| {
        c.extensions().iter().filter(|e| matches!(e.parsed_extension(), ParsedExtension::BasicConstraints(_))).count()
    };
    assert_eq!(read(&certificate, constraints), 1);
}

#[test]
fn critical_ca_true_is_refused() {
    let text = refused(&asking(extension(BASIC_CONSTRAINTS, true, CA_TRUE)));
    assert!(text.starts_with("Extension 'basicConstraints' not allowed: it asks for CA:TRUE"), "{text}");
    signed(&asking(extension(BASIC_CONSTRAINTS, true, &[0x30, 0x00])));
}

#[test]
fn a_key_identifier_that_was_asked_for_is_replaced() {
    let certificate = signed(&asking(extension(KEY_IDENTIFIER, false, &[0x04, 0x02, 0xab, 0xcd])));
    let mut found = Vec::new();
    read(&certificate, |certificate| {
        for extension in certificate.extensions() {
            if let ParsedExtension::SubjectKeyIdentifier(identifier) = extension.parsed_extension() {
                found.push(identifier.0.to_vec());
            }
        }
    });
    let expected = read(&certificate, |c| openssl::sha::sha1(&c.public_key().subject_public_key.data).to_vec());
    assert_eq!(found, [expected]);
}

#[test]
fn an_extension_that_cannot_be_read_is_refused() {
    for identifier in [KEY_USAGE, ALTERNATIVE_NAMES, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE] {
        let text = refused(&asking(extension(identifier, false, b"\xff\xff")));
        assert!(text.starts_with("Received invalid csr: "), "{identifier}: {text}");
    }
}
