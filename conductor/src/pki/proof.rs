//! A node's proof of who it is: its present certificate, and a signature by that certificate's key.
//!
//! The signature covers [`text`]: what is asked, of which cluster, when, and the hash of the body. It does not depend
//! on who ends TLS in front of the API. Whoever could replay a proof within its minutes would have read the answer to
//! the original as well; and all that nodes may ask for comes to the same when it is asked for twice.

use chrono::{DateTime, TimeDelta, Utc};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::sha::sha256;
use openssl::sign::Verifier;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509, X509NameRef, X509Ref, X509StoreContext};

/// How far a node's clock may be from ours, either way.
const CLOCK: TimeDelta = TimeDelta::minutes(5);

/// What stands before the node's name in its certificate's common name.
const NODE: &str = "system:node:";

/// The organisation in a node's certificate.
const NODES: &str = "system:nodes";

/// The first line of every signed text: a signature made for anything else is none of ours.
const PURPOSE: &str = "jeroboam-node-proof-1";

/// What a node shows.
#[derive(Debug, Clone)]
pub struct Proof {
    /// Its certificate as DER.
    pub certificate: Vec<u8>,
    /// The signature over [`Self::text`]: RSA (PKCS #1 v1.5) or ECDSA (DER), with SHA-256.
    pub signature: Vec<u8>,
    /// Seconds since 1970 by the node's clock.
    pub timestamp: i64,
    /// What was signed.
    pub text: String,
}

/// Why a proof does not hold; for the log alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(&'static str);

/// The SHA-256 of a body as it stands in a signed text.
#[must_use]
pub fn body_hash(body: &[u8]) -> String {
    sha256(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a node signs: one line each, with the method in upper case, the path from `/v1` on with its query, and the
/// body's SHA-256 in lower case hexadecimal digits.
#[must_use]
pub fn text(cluster: &str, method: &str, path: &str, timestamp: i64, body_sha256: &str) -> String {
    format!("{PURPOSE}\n{cluster}\n{method}\n{path}\n{timestamp}\n{body_sha256}\n")
}

impl Proof {
    /// Whether its moment is near enough; asked before anything is looked up.
    ///
    /// # Errors
    /// Too old, or of the future.
    pub fn timely(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        let away = now.timestamp().abs_diff(self.timestamp);
        if away <= CLOCK.num_seconds().unsigned_abs() { Ok(()) } else { Err(Refusal("its time is too far from ours")) }
    }

    /// The name of the node that the proof stands for: signed by one of the authorities (PEM), valid now, a node's by its
    /// subject, and the signature made by its key.
    ///
    /// # Errors
    /// Which of that does not hold.
    pub fn check(&self, authorities: &[String], now: DateTime<Utc>) -> Result<String, Refusal> {
        self.timely(now)?;
        let certificate = X509::from_der(&self.certificate).map_err(|_| Refusal("its certificate cannot be read"))?;
        if !chains(&certificate, authorities, now).unwrap_or(false) {
            return Err(Refusal("its certificate is not valid now, or not from the cluster's authority"));
        }
        let name = node(certificate.subject_name()).ok_or(Refusal("its certificate is not a node's"))?;
        if !self.signed_by(&certificate)? {
            return Err(Refusal("its signature is not by the certificate's key, or over something else"));
        }
        Ok(name)
    }

    fn signed_by(&self, certificate: &X509Ref) -> Result<bool, Refusal> {
        let key = certificate.public_key().map_err(|_| Refusal("its key cannot be read"))?;
        if !matches!(key.id(), Id::RSA | Id::EC) {
            return Err(Refusal("its key is neither RSA nor EC"));
        }
        // A signature that is not even one counts as a wrong one.
        let verified = Verifier::new(MessageDigest::sha256(), &key)
            .and_then(|mut verifier| verifier.verify_oneshot(&self.signature, self.text.as_bytes()));
        Ok(verified.unwrap_or(false))
    }
}

/// Whether the certificate was signed by one of the authorities, and both are valid now. What it may be used for in TLS
/// does not count: that of a swarm's node is no client's, so that nobody drives a manager with it.
fn chains(certificate: &X509Ref, authorities: &[String], now: DateTime<Utc>) -> Result<bool, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for pem in authorities {
        store.add_cert(X509::from_pem(pem.as_bytes())?)?;
    }
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_time(now.timestamp());
    store.set_param(&parameters)?;
    X509StoreContext::new()?.init(&store.build(), certificate, &*Stack::new()?, |context| context.verify_cert())
}

/// The node's name in a subject that is exactly a node's.
fn node(subject: &X509NameRef) -> Option<String> {
    if subject.entries().count() != 2 {
        return None;
    }
    let value = |nid| subject.entries_by_nid(nid).next().and_then(|entry| entry.data().to_string().ok());
    let organization = value(Nid::ORGANIZATIONNAME)?;
    let common_name = value(Nid::COMMONNAME)?;
    let name = common_name.strip_prefix(NODE)?;
    (organization == NODES && !name.is_empty()).then(|| name.to_owned())
}
