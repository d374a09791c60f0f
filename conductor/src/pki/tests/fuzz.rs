//! Thousands of broken and hostile requests: none may crash the service or come out as an authority.

use drivers::{Profile, Usage};
use openssl::pkey::PKey;
use openssl::x509::extension::{ExtendedKeyUsage, KeyUsage};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::pki::NodeScope;

static VALID: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let extensions = || {
        vec![
            names(&["a.example.org", "b"], &["10.0.0.1", "fd00::1"]),
            KeyUsage::new().critical().digital_signature().build().unwrap(),
            ExtendedKeyUsage::new().client_auth().server_auth().build().unwrap(),
            extension(BASIC_CONSTRAINTS, false, CA_TRUE),
            extension(KEY_IDENTIFIER, false, &[0x04, 0x02, 0xab, 0xcd]),
        ]
    };
    [&*RSA, &*P256, &*ED25519].map(|key| csr_der(key, &[("O", "x"), ("CN", "n-0")], extensions())).to_vec()
});
static ED25519: LazyLock<PKey<Private>> = LazyLock::new(|| PKey::generate_ed25519().unwrap());
static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new(&AUTHORITY).unwrap());

/// A scope that lets a lot through, so that hostile requests get far.
fn scope() -> NodeScope {
    let profile = Profile {
        name: "any",
        ca: Ca::Kubernetes,
        common_name: "{node}",
        organization: Some("x"),
        usage: Usage::Both,
        alternative_names: true,
    };
    NodeScope {
        node_prefix: "n".into(),
        node: None,
        profiles: vec![profile],
        dns_names: vec!["b".into()],
        addresses: vec![],
        networks: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
    }
}

/// Whatever is signed is a leaf that cannot sign, and refusals are the requester's fault.
fn try_everything(pem: &str) {
    let request = match Request::parse(pem) {
        Ok(request) => request,
        Err(error) => {
            assert_eq!(error.kind, Kind::Invalid, "{}", error.chain());
            return;
        }
    };
    let user = SIGNER.sign_for_user(&request, 365, now());
    let node = SIGNER.sign_for_node(Ca::Kubernetes, &request, &scope(), 365, now());
    for answer in [user, node] {
        match answer {
            Err(error) => assert_eq!(error.kind, Kind::Invalid, "{}", error.chain()),
            Ok(pem) => read(&X509::from_pem(pem.as_bytes()).unwrap(), |certificate| {
                assert!(!certificate.is_ca());
                let usage = certificate.key_usage().unwrap().unwrap().value;
                assert!(!usage.key_cert_sign() && !usage.crl_sign() && usage.flags != 0);
            }),
        }
    }
}

/// An element of DER with an honest length, so that readers get beyond it.
fn element() -> impl Strategy<Value = Vec<u8>> {
    let tags =
        vec![0x01, 0x02, 0x03, 0x04, 0x06, 0x0c, 0x30, 0x31, 0x80, 0x81, 0x82, 0x83, 0x84, 0x86, 0x87, 0xa0, 0xa4];
    let leaf = (select(tags.clone()), vec(any::<u8>(), 0..20)).prop_map(|(tag, body)| wrap(tag, &body));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (select(tags.clone()), vec(inner, 0..4)).prop_map(|(tag, parts)| wrap(tag, &parts.concat()))
    })
}

fn hostile_extension() -> impl Strategy<Value = (&'static str, bool, Vec<u8>)> {
    let identifiers = vec![
        KEY_USAGE,
        ALTERNATIVE_NAMES,
        BASIC_CONSTRAINTS,
        EXTENDED_KEY_USAGE,
        KEY_IDENTIFIER,
        NAME_CONSTRAINTS,
        "2.5.29.35",
        "2.5.29.32",
        "2.5.29.31",
        "1.3.6.1.5.5.7.1.1",
        "1.2.3.4",
    ];
    let usage = any::<[u8; 2]>().prop_map(|bits| [&[0x03, 0x03, 0x00][..], &bits].concat());
    let bytes = prop_oneof![vec(any::<u8>(), 0..64), element(), usage, Just(CA_TRUE.to_vec())];
    (select(identifiers), any::<bool>(), bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn changed_requests_never_crash(
        which in 0..3usize,
        changes in vec((any::<Index>(), any::<u8>()), 1..6),
        cut in proptest::option::weighted(0.1, any::<Index>()),
    ) {
        let mut der = VALID[which].clone();
        for (position, byte) in changes {
            let position = position.index(der.len());
            der[position] = byte;
        }
        der.truncate(cut.map_or(der.len(), |cut| cut.index(der.len())));
        try_everything(&armor(&der));
    }

    #[test]
    fn random_bytes_never_crash(der in vec(any::<u8>(), 0..400), text in ".{0,200}") {
        try_everything(&armor(&der));
        try_everything(&text);
        try_everything(&format!("-----BEGIN CERTIFICATE REQUEST-----{text}-----END CERTIFICATE REQUEST-----"));
    }

    #[test]
    fn nested_elements_never_crash(der in element()) {
        try_everything(&armor(&der));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The signature fits, so the extensions are really read.
    #[test]
    fn hostile_extensions_never_make_an_authority(asked in vec(hostile_extension(), 1..5)) {
        let extensions = asked.iter().map(|(id, critical, der)| extension(id, *critical, der)).collect();
        try_everything(&csr(&ED25519, &[("O", "x"), ("CN", "n-0")], extensions));
    }
}
