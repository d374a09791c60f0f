//! What users' requests may ask for, as operators set it (Magnum's options of the section `x509`).

use serde::{Deserialize, Serialize};

/// An extension by the name that OpenSSL and Magnum give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in X.509")]
pub enum Extension {
    #[serde(rename = "keyUsage")]
    KeyUsage,
    #[serde(rename = "extendedKeyUsage")]
    ExtendedKeyUsage,
    #[serde(rename = "subjectAltName")]
    SubjectAltName,
    #[serde(rename = "basicConstraints")]
    BasicConstraints,
    #[serde(rename = "subjectKeyIdentifier")]
    SubjectKeyIdentifier,
    #[serde(rename = "authorityKeyIdentifier")]
    AuthorityKeyIdentifier,
    #[serde(rename = "authorityInfoAccess")]
    AuthorityInfoAccess,
    #[serde(rename = "cRLDistributionPoints")]
    CrlDistributionPoints,
    #[serde(rename = "certificatePolicies")]
    CertificatePolicies,
    #[serde(rename = "OCSPNoCheck")]
    OcspNoCheck,
    #[serde(rename = "inhibitAnyPolicy")]
    InhibitAnyPolicy,
    #[serde(rename = "nameConstraints")]
    NameConstraints,
    #[serde(rename = "issuerAltName")]
    IssuerAltName,
}

/// A bit of the key usage; the order is that of the bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in X.509")]
pub enum KeyUsage {
    #[serde(rename = "Digital Signature")]
    DigitalSignature,
    #[serde(rename = "Non Repudiation")]
    NonRepudiation,
    #[serde(rename = "Key Encipherment")]
    KeyEncipherment,
    #[serde(rename = "Data Encipherment")]
    DataEncipherment,
    #[serde(rename = "Key Agreement")]
    KeyAgreement,
    #[serde(rename = "Certificate Sign")]
    CertificateSign,
    #[serde(rename = "CRL Sign")]
    CrlSign,
    #[serde(rename = "Encipher Only")]
    EncipherOnly,
    #[serde(rename = "Decipher Only")]
    DecipherOnly,
}

/// What users' requests may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Extensions that are granted; others are dropped, or refused when they are critical.
    pub extensions: Vec<Extension>,
    /// Key usages that are granted; others are cleared, or refused when the extension is critical.
    pub key_usages: Vec<KeyUsage>,
    /// Whether a certificate may be an authority's, and its key sign certificates and revocation lists.
    pub allow_ca: bool,
}

impl Default for Limits {
    fn default() -> Self {
        use Extension as E;
        Self {
            extensions: vec![
                E::KeyUsage,
                E::ExtendedKeyUsage,
                E::SubjectAltName,
                E::BasicConstraints,
                E::SubjectKeyIdentifier,
            ],
            key_usages: vec![KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment, KeyUsage::NonRepudiation],
            allow_ca: false,
        }
    }
}

impl Extension {
    /// Every extension with its object identifier and the name OpenSSL and Magnum give it.
    const ALL: [(Self, &'static str, &'static str); 13] = [
        (Self::KeyUsage, "2.5.29.15", "keyUsage"),
        (Self::ExtendedKeyUsage, "2.5.29.37", "extendedKeyUsage"),
        (Self::SubjectAltName, "2.5.29.17", "subjectAltName"),
        (Self::BasicConstraints, "2.5.29.19", "basicConstraints"),
        (Self::SubjectKeyIdentifier, "2.5.29.14", "subjectKeyIdentifier"),
        (Self::AuthorityKeyIdentifier, "2.5.29.35", "authorityKeyIdentifier"),
        (Self::AuthorityInfoAccess, "1.3.6.1.5.5.7.1.1", "authorityInfoAccess"),
        (Self::CrlDistributionPoints, "2.5.29.31", "cRLDistributionPoints"),
        (Self::CertificatePolicies, "2.5.29.32", "certificatePolicies"),
        (Self::OcspNoCheck, "1.3.6.1.5.5.7.48.1.5", "OCSPNoCheck"),
        (Self::InhibitAnyPolicy, "2.5.29.54", "inhibitAnyPolicy"),
        (Self::NameConstraints, "2.5.29.30", "nameConstraints"),
        (Self::IssuerAltName, "2.5.29.18", "issuerAltName"),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(extension, ..)| *extension == self).map_or("", |(_, _, name)| name)
    }
}

impl KeyUsage {
    /// Every bit with its name, in the order of the bits.
    pub(super) const ALL: [(Self, &'static str); 9] = [
        (Self::DigitalSignature, "Digital Signature"),
        (Self::NonRepudiation, "Non Repudiation"),
        (Self::KeyEncipherment, "Key Encipherment"),
        (Self::DataEncipherment, "Data Encipherment"),
        (Self::KeyAgreement, "Key Agreement"),
        (Self::CertificateSign, "Certificate Sign"),
        (Self::CrlSign, "CRL Sign"),
        (Self::EncipherOnly, "Encipher Only"),
        (Self::DecipherOnly, "Decipher Only"),
    ];

    /// Its bit as x509-parser numbers them.
    pub(super) fn bit(self) -> u16 {
        1 << Self::ALL.iter().position(|(usage, _)| *usage == self).unwrap_or_default()
    }
}

impl Limits {
    /// Whether the extension with that object identifier is granted.
    pub(super) fn grants(&self, identifier: &str) -> bool {
        self.extensions.iter().any(|granted| {
            Extension::ALL.iter().any(|(extension, known, _)| extension == granted && *known == identifier)
        })
    }

    /// The bits of the key usage that are granted.
    pub(super) fn key_usage_bits(&self) -> u16 {
        let signs = [KeyUsage::CertificateSign, KeyUsage::CrlSign];
        let granted = self.key_usages.iter().filter(|usage| self.allow_ca || !signs.contains(usage));
        granted.fold(0, |bits, usage| bits | usage.bit())
    }

    /// The granted extensions, for people.
    pub(super) fn extension_names(&self) -> String {
        let names: Vec<_> = self.extensions.iter().map(|extension| extension.name()).collect();
        format!("allowed: {}", names.join(", "))
    }

    /// The granted key usages, for people.
    pub(super) fn key_usage_names(&self) -> String {
        let bits = self.key_usage_bits();
        let names = KeyUsage::ALL.iter().filter(|(usage, _)| bits & usage.bit() != 0).map(|(_, name)| *name);
        names.collect::<Vec<_>>().join(", ")
    }
}
