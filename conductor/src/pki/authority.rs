//! Keys and certificates that the service makes for itself: authorities, its client certificate, service accounts.

use chrono::{DateTime, Utc};
use drivers::Ca;
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier};
use openssl::x509::{X509, X509Name};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::sign::{Leaf, Signer};
use super::{KeyPair, defect, text};
use crate::{Error, Result, config};

/// The largest common name X.509 allows, in bytes.
const MAX_COMMON_NAME: usize = 64;
/// Bits of an RSA key that the service makes.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;
/// Certificates are valid from this many seconds before they are made, for clocks that are behind.
pub(super) const BACKDATED_S: i64 = 3600;
pub(super) const DAY_S: i64 = 86_400;

/// How keys are made and how long what they sign is valid.
#[derive(Debug, Clone, Copy)]
pub struct KeySettings {
    /// Bits of an RSA key, 2048 to 8192.
    pub rsa_bits: u32,
    /// Days of validity.
    pub days: u32,
}

impl KeySettings {
    /// The settings of a cluster's authorities.
    #[must_use]
    pub fn of_authorities(x509: &config::X509) -> Self {
        Self { rsa_bits: x509.rsa_key_size, days: x509.ca_days() }
    }
}

/// The key pair with which a cluster's control plane signs service account tokens.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// SubjectPublicKeyInfo PEM.
    pub public_key: String,
    /// PKCS#8 PEM.
    pub private_key: SecretString,
}

/// Makes an authority of the cluster: a new key and a self-signed certificate.
///
/// # Errors
/// `rsa_bits` out of range or a failure of OpenSSL.
pub fn create(cluster_name: &str, ca: Ca, settings: KeySettings, now: DateTime<Utc>) -> Result<KeyPair> {
    let key = rsa_key(settings.rsa_bits)?;
    let certificate = self_signed(&common_name(cluster_name, ca), &key, settings.days, now).map_err(defect)?;
    Ok(KeyPair { certificate: text(certificate.to_pem().map_err(defect)?)?, private_key: private_pem(&key)? })
}

/// Makes the certificate with which the service itself reaches the cluster's API, signed by the Kubernetes authority.
///
/// # Errors
/// `rsa_bits` out of range, an authority that cannot be used or has expired, or a failure of OpenSSL.
pub fn client(authority: &KeyPair, settings: KeySettings, now: DateTime<Utc>) -> Result<KeyPair> {
    let key = rsa_key(settings.rsa_bits)?;
    let public = PKey::public_key_from_der(&key.public_key_to_der().map_err(defect)?).map_err(defect)?;
    let extensions = || -> Result<_, ErrorStack> {
        Ok(vec![
            KeyUsage::new().critical().digital_signature().key_encipherment().build()?,
            ExtendedKeyUsage::new().client_auth().build()?,
        ])
    };
    let subject = subject(Some("system:masters"), "admin").map_err(defect)?;
    let leaf = Leaf {
        subject: &subject,
        key: &public,
        extensions: extensions().map_err(defect)?,
        days: settings.days,
        ca: false,
    };
    Ok(KeyPair { certificate: Signer::new(authority)?.issue(leaf, now)?, private_key: private_pem(&key)? })
}

/// Makes a key pair for service account tokens.
///
/// # Errors
/// `rsa_bits` out of range or a failure of OpenSSL.
pub fn service_account(rsa_bits: u32) -> Result<ServiceAccount> {
    let key = rsa_key(rsa_bits)?;
    let public_key = text(key.public_key_to_pem().map_err(defect)?)?;
    Ok(ServiceAccount { public_key, private_key: private_pem(&key)? })
}

/// A name made of an optional organisation and a common name.
pub(super) fn subject(organization: Option<&str>, common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    if let Some(organization) = organization {
        name.append_entry_by_text("O", organization)?;
    }
    name.append_entry_by_text("CN", common_name)?;
    Ok(name.build())
}

/// A random positive number of 159 bits: the longest that 20 bytes hold.
pub(super) fn serial() -> Result<Asn1Integer, ErrorStack> {
    let mut number = BigNum::new()?;
    number.rand(159, MsbOption::ONE, false)?;
    number.to_asn1_integer()
}

/// The authority's common name: the cluster's name, cut so that what follows fits.
fn common_name(cluster_name: &str, ca: Ca) -> String {
    let suffix = match ca {
        Ca::Kubernetes => " Kubernetes CA",
        Ca::Etcd => " etcd CA",
        Ca::FrontProxy => " front-proxy CA",
    };
    let end = cluster_name.floor_char_boundary(MAX_COMMON_NAME - suffix.len());
    format!("{}{suffix}", &cluster_name[..end])
}

fn rsa_key(bits: u32) -> Result<PKey<Private>> {
    if !RSA_BITS.contains(&bits) {
        return Err(Error::internal(format!("x509.rsa_key_size is {bits}; allowed: 2048 to 8192")));
    }
    Rsa::generate(bits).and_then(PKey::from_rsa).map_err(defect)
}

fn private_pem(key: &PKeyRef<Private>) -> Result<SecretString> {
    let pem = Zeroizing::new(key.private_key_to_pem_pkcs8().map_err(defect)?);
    let pem = std::str::from_utf8(&pem).map_err(|_| Error::internal("OpenSSL wrote a PEM text that is not ASCII"))?;
    Ok(SecretString::from(pem))
}

fn self_signed(cn: &str, key: &PKeyRef<Private>, days: u32, now: DateTime<Utc>) -> Result<X509, ErrorStack> {
    let name = subject(None, cn)?;
    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(&*serial()?)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    certificate.set_pubkey(key)?;
    certificate.set_not_before(&*Asn1Time::from_unix(now.timestamp() - BACKDATED_S)?)?;
    certificate.set_not_after(&*Asn1Time::from_unix(now.timestamp() + i64::from(days) * DAY_S)?)?;
    certificate.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    certificate.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
    let key_identifier = SubjectKeyIdentifier::new().build(&certificate.x509v3_context(None, None))?;
    certificate.append_extension(key_identifier)?;
    certificate.sign(key, MessageDigest::sha256())?;
    Ok(certificate.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_authorities_differ_and_fit() {
        assert_eq!(common_name("ci", Ca::Kubernetes), "ci Kubernetes CA");
        assert_eq!(common_name("ci", Ca::Etcd), "ci etcd CA");
        assert_eq!(common_name("ci", Ca::FrontProxy), "ci front-proxy CA");
        for ca in [Ca::Kubernetes, Ca::Etcd, Ca::FrontProxy] {
            assert_eq!(common_name(&"a".repeat(242), ca).len(), 64);
            // Two bytes per character: the cut must not fall between them.
            let name = common_name(&"é".repeat(100), ca);
            assert!(name.len() <= 64 && name.starts_with('é'), "{name}");
        }
    }

    #[test]
    fn serial_numbers_are_long_positive_and_differ() {
        let (one, two) = (serial().unwrap().to_bn().unwrap(), serial().unwrap().to_bn().unwrap());
        assert_eq!(one.num_bits(), 159);
        assert!(!one.is_negative());
        assert_ne!(one, two);
    }

    #[test]
    fn a_key_size_out_of_range_is_refused() {
        for bits in [0, 1024, 16_384] {
            assert!(service_account(bits).unwrap_err().chain().contains("allowed: 2048 to 8192"));
        }
    }

    #[test]
    fn a_service_account_has_both_halves_of_one_key() {
        use secrecy::ExposeSecret;
        let pair = service_account(2048).unwrap();
        let private = PKey::private_key_from_pem(pair.private_key.expose_secret().as_bytes()).unwrap();
        let public = PKey::public_key_from_pem(pair.public_key.as_bytes()).unwrap();
        assert!(private.public_eq(&public));
        assert!(pair.private_key.expose_secret().starts_with("-----BEGIN PRIVATE KEY-----"));
    }
}
