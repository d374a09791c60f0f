//! Signing of certificate requests.

use chrono::{DateTime, Utc};
use drivers::{Ca, Usage};
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, PKeyRef, Private, Public};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Extension, X509NameRef};
use secrecy::ExposeSecret;

use super::authority::{BACKDATED_S, DAY_S, serial, subject};
use super::node::{Granted, NodeScope};
use super::request::{AskedName, Request};
use super::{KeyPair, defect, text};
use crate::{Error, Result};

const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";

/// How each bit of a key usage is set, in the order of the bits.
const USAGES: [fn(&mut KeyUsage) -> &mut KeyUsage; 9] = [
    KeyUsage::digital_signature,
    KeyUsage::non_repudiation,
    KeyUsage::key_encipherment,
    KeyUsage::data_encipherment,
    KeyUsage::key_agreement,
    KeyUsage::key_cert_sign,
    KeyUsage::crl_sign,
    KeyUsage::encipher_only,
    KeyUsage::decipher_only,
];

/// An authority ready to sign.
pub struct Signer {
    certificate: X509,
    key: PKey<Private>,
}

/// What differs from one signed certificate to the next.
pub(super) struct Leaf<'a> {
    pub(super) subject: &'a X509NameRef,
    pub(super) key: &'a PKeyRef<Public>,
    /// Key usages and alternative names; the rest is the same for all.
    pub(super) extensions: Vec<X509Extension>,
    pub(super) days: u32,
    /// Whether it is an authority's.
    pub(super) ca: bool,
}

impl Signer {
    /// Reads an authority as [`super::create`] made it.
    ///
    /// # Errors
    /// [`crate::Kind::Internal`] when it cannot be read or key and certificate do not belong together.
    pub fn new(authority: &KeyPair) -> Result<Self> {
        let certificate = X509::from_pem(authority.certificate.as_bytes()).map_err(defect)?;
        // With a passphrase given, OpenSSL does not ask for one at the terminal.
        let key = PKey::private_key_from_pem_passphrase(authority.private_key.expose_secret().as_bytes(), b"")
            .map_err(defect)?;
        if !certificate.public_key().map_err(defect)?.public_eq(&key) {
            return Err(Error::internal("the authority's certificate and private key do not belong together"));
        }
        Ok(Self { certificate, key })
    }

    /// Signs for a person: any subject and names; usages as asked, or those of a client when none are asked.
    ///
    /// A request without extended key usage becomes a client's certificate, and also a server's when it has
    /// alternative names. The answer is PEM and ends in a newline.
    ///
    /// # Errors
    /// [`crate::Kind::Conflict`] when the authority has expired, else a failure of OpenSSL.
    pub fn sign_for_user(&self, request: &Request, days: u32, now: DateTime<Utc>) -> Result<String> {
        let extensions = user_extensions(request).map_err(defect)?;
        self.issue(Leaf { subject: &request.subject, key: &request.key, extensions, days, ca: request.asked.ca }, now)
    }

    /// Signs for a node: only what one of its role's profiles describes. The answer is PEM and ends in a newline.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] naming the field that is outside the node's scope, [`crate::Kind::Conflict`] when the
    /// authority has expired, else a failure of OpenSSL.
    pub fn sign_for_node(
        &self,
        ca: Ca,
        request: &Request,
        scope: &NodeScope,
        days: u32,
        now: DateTime<Utc>,
    ) -> Result<String> {
        let granted = scope.grant(ca, request)?;
        // The subject is written anew, so that nothing hides in the encoding of the one that was sent.
        let subject = subject(granted.profile.organization, &granted.common_name).map_err(defect)?;
        let extensions = node_extensions(&granted, &request.key).map_err(defect)?;
        self.issue(Leaf { subject: &subject, key: &request.key, extensions, days, ca: false }, now)
    }

    /// Signs a certificate that is not valid beyond this one.
    pub(super) fn issue(&self, leaf: Leaf<'_>, now: DateTime<Utc>) -> Result<String> {
        let today = Asn1Time::from_unix(now.timestamp()).map_err(defect)?;
        if self.certificate.not_after() <= &*today {
            return Err(Error::conflict(format!(
                "The cluster's authority expired at {}; rotate it first.",
                self.certificate.not_after()
            )));
        }
        let certificate = self.build(leaf, now).map_err(defect)?;
        text(certificate.to_pem().map_err(defect)?)
    }

    fn build(&self, leaf: Leaf<'_>, now: DateTime<Utc>) -> Result<X509, ErrorStack> {
        let start = Asn1Time::from_unix(now.timestamp() - BACKDATED_S)?;
        let end = Asn1Time::from_unix(now.timestamp() + i64::from(leaf.days) * DAY_S)?;
        let (first, last) = (self.certificate.not_before(), self.certificate.not_after());
        let mut certificate = X509::builder()?;
        certificate.set_version(2)?;
        certificate.set_serial_number(&*serial()?)?;
        certificate.set_subject_name(leaf.subject)?;
        certificate.set_issuer_name(self.certificate.subject_name())?;
        certificate.set_pubkey(leaf.key)?;
        certificate.set_not_before(if *start < *first { first } else { &start })?;
        certificate.set_not_after(if *end > *last { last } else { &end })?;
        let mut constraints = BasicConstraints::new();
        constraints.critical();
        if leaf.ca {
            constraints.ca();
        }
        certificate.append_extension(constraints.build()?)?;
        for extension in leaf.extensions {
            certificate.append_extension(extension)?;
        }
        let context = certificate.x509v3_context(Some(&self.certificate), None);
        let own = SubjectKeyIdentifier::new().build(&context)?;
        let issuer = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        certificate.append_extension(own)?;
        certificate.append_extension(issuer)?;
        certificate.sign(&self.key, MessageDigest::sha256())?;
        Ok(certificate.build())
    }
}

fn user_extensions(request: &Request) -> Result<Vec<X509Extension>, ErrorStack> {
    let asked = &request.asked;
    let mut extensions = vec![match &asked.key_usage {
        None => default_key_usage(&request.key)?,
        Some(usage) => {
            let mut extension = KeyUsage::new();
            if usage.critical {
                extension.critical();
            }
            for (bit, add) in USAGES.iter().enumerate() {
                if usage.bits >> bit & 1 == 1 {
                    add(&mut extension);
                }
            }
            extension.build()?
        }
    }];
    extensions.push(match &asked.extended_key_usage {
        Some(usage) => verbatim(EXTENDED_KEY_USAGE, usage.critical, &usage.der)?,
        None if asked.alternative_names.is_some() => extended_key_usage(Usage::Both)?,
        None => extended_key_usage(Usage::Client)?,
    });
    if let Some(names) = &asked.alternative_names {
        extensions.push(verbatim(SUBJECT_ALT_NAME, names.critical, &names.der)?);
    }
    for (identifier, critical, der) in &asked.others {
        extensions.push(verbatim(identifier, *critical, der)?);
    }
    Ok(extensions)
}

fn node_extensions(granted: &Granted, key: &PKeyRef<Public>) -> Result<Vec<X509Extension>, ErrorStack> {
    let mut extensions = vec![default_key_usage(key)?, extended_key_usage(granted.profile.usage)?];
    if !granted.names.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for name in &granted.names {
            match name {
                AskedName::Dns(dns) => names.dns(dns),
                AskedName::Address(address) => names.ip(&address.to_string()),
                AskedName::Other(_) => continue,
            };
        }
        let unused = X509::builder()?;
        extensions.push(names.build(&unused.x509v3_context(None, None))?);
    }
    Ok(extensions)
}

/// Digital signature, and key encipherment for the one kind of key that can encipher.
fn default_key_usage(key: &PKeyRef<Public>) -> Result<X509Extension, ErrorStack> {
    let mut usage = KeyUsage::new();
    usage.critical().digital_signature();
    if key.id() == Id::RSA {
        usage.key_encipherment();
    }
    usage.build()
}

fn extended_key_usage(usage: Usage) -> Result<X509Extension, ErrorStack> {
    let mut extension = ExtendedKeyUsage::new();
    if matches!(usage, Usage::Server | Usage::Both) {
        extension.server_auth();
    }
    if matches!(usage, Usage::Client | Usage::Both) {
        extension.client_auth();
    }
    extension.build()
}

/// An extension with exactly the value that was asked for.
fn verbatim(identifier: &str, critical: bool, der: &[u8]) -> Result<X509Extension, ErrorStack> {
    let (object, value) = (Asn1Object::from_str(identifier)?, Asn1OctetString::new_from_bytes(der)?);
    X509Extension::new_from_der(&object, critical, &value)
}
