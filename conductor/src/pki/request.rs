//! Certificate requests: read, checked and reduced to what a certificate may carry.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::Asn1Object;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, PKeyRef, Public};
use openssl::x509::{X509Name, X509Req};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;

use super::{KeyUsage, Limits, defect};
use crate::{Error, Result};

/// The longest certificate request that is looked at, in bytes of PEM.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// A certificate request whose form, key and own signature are in order.
pub struct Request {
    pub(super) subject: X509Name,
    pub(super) key: PKey<Public>,
    pub(super) asked: Asked,
}

/// The extensions asked for, without those that are never granted.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) key_usage: Option<AskedKeyUsage>,
    pub(super) extended_key_usage: Option<AskedExtendedKeyUsage>,
    pub(super) alternative_names: Option<AskedNames>,
    /// Whether it is to be an authority's certificate.
    pub(super) ca: bool,
    /// Extensions that operators may allow beyond the usual ones: identifier, criticality and value as they came.
    pub(super) others: Vec<(String, bool, Vec<u8>)>,
}

/// A key usage, reduced to the bits that are granted; at least one is set.
#[derive(Debug)]
pub(super) struct AskedKeyUsage {
    pub(super) critical: bool,
    pub(super) bits: u16,
}

/// An extended key usage as it came.
#[derive(Debug)]
pub(super) struct AskedExtendedKeyUsage {
    pub(super) critical: bool,
    pub(super) der: Vec<u8>,
    pub(super) server: bool,
    pub(super) client: bool,
}

/// Subject alternative names as they came.
#[derive(Debug)]
pub(super) struct AskedNames {
    pub(super) critical: bool,
    pub(super) der: Vec<u8>,
    pub(super) names: Vec<AskedName>,
}

/// One subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AskedName {
    Dns(String),
    Address(IpAddr),
    /// A kind that no node may have; the text names it.
    Other(String),
}

impl Request {
    /// Reads a PEM request within the usual limits; see [`Self::parse_within`].
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] saying what is wrong.
    pub fn parse(pem: &str) -> Result<Self> {
        Self::parse_within(pem, &Limits::default())
    }

    /// Reads a PEM request and checks its form, its key, its own signature and the extensions it asks for.
    ///
    /// An extension that is not allowed is dropped, or refused when it is critical.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] saying what is wrong.
    pub fn parse_within(pem: &str, limits: &Limits) -> Result<Self> {
        let der = decode(pem)?;
        let (rest, parsed) = X509CertificationRequest::from_der(&der).map_err(|_| {
            invalid("it is not a PKCS#10 certificate request, or an attribute or extension is malformed")
        })?;
        if !rest.is_empty() {
            return Err(invalid(format!("{} bytes follow the request", rest.len())));
        }
        let request = X509Req::from_der(&der).map_err(|_| invalid("it is not a PKCS#10 certificate request"))?;
        let key = request.public_key().map_err(|_| invalid(format!("its public key cannot be read; {KEYS}")))?;
        check_key(&key)?;
        if !request.verify(&key).unwrap_or(false) {
            return Err(invalid("its signature does not fit its public key"));
        }
        let subject = request.subject_name().to_owned().map_err(defect)?;
        Ok(Self { subject, key, asked: Asked::read(&parsed, limits)? })
    }
}

impl Asked {
    fn read(request: &X509CertificationRequest<'_>, limits: &Limits) -> Result<Self> {
        let mut requests =
            request.certification_request_info.iter_attributes().filter_map(|a| match a.parsed_attribute() {
                ParsedCriAttribute::ExtensionRequest(asked) => Some(&asked.extensions),
                _ => None,
            });
        let Some(extensions) = requests.next() else { return Ok(Self::default()) };
        if requests.next().is_some() {
            return Err(invalid("it has more than one extension request; allowed: one"));
        }
        let mut asked = Self::default();
        for (index, extension) in extensions.iter().enumerate() {
            if extensions[..index].iter().any(|earlier| earlier.oid == extension.oid) {
                return Err(invalid(format!("extension '{}' appears twice", name(extension))));
            }
            asked.add(extension, limits)?;
        }
        Ok(asked)
    }

    fn add(&mut self, extension: &X509Extension<'_>, limits: &Limits) -> Result<()> {
        let critical = extension.critical;
        let identifier = extension.oid.to_id_string();
        if !limits.grants(&identifier) {
            return if critical { Err(not_allowed(extension, &limits.extension_names())) } else { Ok(()) };
        }
        match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) => self.key_usage = key_usage(usage.flags, critical, limits)?,
            ParsedExtension::ExtendedKeyUsage(usage) => {
                let (server, client) = (usage.server_auth, usage.client_auth);
                let der = extension.value.to_vec();
                self.extended_key_usage = Some(AskedExtendedKeyUsage { critical, der, server, client });
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                let names = names.general_names.iter().map(alternative_name).collect();
                self.alternative_names = Some(AskedNames { critical, der: extension.value.to_vec(), names });
            }
            ParsedExtension::BasicConstraints(constraints) if constraints.ca && limits.allow_ca => self.ca = true,
            ParsedExtension::BasicConstraints(constraints) if constraints.ca && critical => {
                return Err(not_allowed(extension, "it asks for CA:TRUE"));
            }
            // Every certificate gets its own constraints and the identifiers of its own key and of its authority.
            ParsedExtension::BasicConstraints(_)
            | ParsedExtension::SubjectKeyIdentifier(_)
            | ParsedExtension::AuthorityKeyIdentifier(_) => {}
            ParsedExtension::ParseError { .. } => {
                return Err(invalid(format!("extension '{}' cannot be read", name(extension))));
            }
            _ => self.others.push((identifier, critical, extension.value.to_vec())),
        }
        Ok(())
    }
}

const KEYS: &str = "allowed: RSA with 2048 bits or more, EC on P-256 or P-384, Ed25519";

/// The DER inside the one PEM block of the text.
fn decode(pem: &str) -> Result<Vec<u8>> {
    if pem.len() > MAX_REQUEST_BYTES {
        return Err(invalid(format!("it has {} bytes; allowed: at most {MAX_REQUEST_BYTES}", pem.len())));
    }
    let no_pem = || invalid("it is not one PEM block CERTIFICATE REQUEST");
    let (label, after) = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"]
        .into_iter()
        .find_map(|label| pem.split_once(&format!("-----BEGIN {label}-----")).map(|(_, after)| (label, after)))
        .ok_or_else(no_pem)?;
    let (body, rest) = after.split_once(&format!("-----END {label}-----")).ok_or_else(no_pem)?;
    if rest.contains("-----BEGIN") {
        return Err(no_pem());
    }
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).map_err(|cause| invalid(format!("the PEM block is not base64: {cause}")))
}

fn check_key(key: &PKeyRef<Public>) -> Result<()> {
    let found = match key.id() {
        Id::ED25519 => return Ok(()),
        Id::RSA if key.bits() >= 2048 => return Ok(()),
        Id::RSA => format!("RSA with {} bits", key.bits()),
        Id::EC => {
            let ec = key.ec_key().map_err(defect)?;
            match ec.group().curve_name() {
                Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1) if ec.check_key().is_ok() => return Ok(()),
                Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1) => "a point that is not on its curve".to_owned(),
                Some(curve) => format!("EC on {}", curve.short_name().unwrap_or("an unknown curve")),
                None => "EC on a curve without a name".to_owned(),
            }
        }
        _ => "of another kind".to_owned(),
    };
    Err(invalid(format!("its key is {found}; {KEYS}")))
}

fn key_usage(flags: u16, critical: bool, limits: &Limits) -> Result<Option<AskedKeyUsage>> {
    let bits = flags & limits.key_usage_bits();
    if critical && flags != bits {
        let extra = KeyUsage::ALL.iter().filter(|(usage, _)| flags & !bits & usage.bit() != 0);
        let extra = extra.map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
        return Err(Error::invalid(format!(
            "Extension 'keyUsage' not allowed: it asks for {extra}; allowed: {}.",
            limits.key_usage_names()
        )));
    }
    Ok((bits != 0).then_some(AskedKeyUsage { critical, bits }))
}

fn alternative_name(name: &GeneralName<'_>) -> AskedName {
    match name {
        GeneralName::DNSName(dns) => AskedName::Dns((*dns).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            match v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)) {
                Ok(address) => AskedName::Address(address),
                Err(_) => AskedName::Other(format!("an IP address of {} bytes", bytes.len())),
            }
        }
        GeneralName::RFC822Name(_) => AskedName::Other("an e-mail address".into()),
        GeneralName::URI(_) => AskedName::Other("a URI".into()),
        GeneralName::DirectoryName(_) => AskedName::Other("a directory name".into()),
        _ => AskedName::Other("a name of another kind".into()),
    }
}

/// The extension's name as OpenSSL knows it, or its object identifier.
fn name(extension: &X509Extension<'_>) -> String {
    let identifier = extension.oid.to_id_string();
    let known = Asn1Object::from_str(&identifier).ok().map(|object| object.nid()).filter(|nid| *nid != Nid::UNDEF);
    known.and_then(|nid| nid.short_name().ok()).map_or(identifier, str::to_owned)
}

fn not_allowed(extension: &X509Extension<'_>, why: &str) -> Error {
    Error::invalid(format!("Extension '{}' not allowed: {why}.", name(extension)))
}

pub(super) fn invalid(why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("Received invalid csr: {why}."))
}
