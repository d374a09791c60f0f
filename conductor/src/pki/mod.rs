//! Certificates: authorities, certificate requests and what may be signed. Pure functions; the clock is an argument.
//!
//! Requests are read with x509-parser, which shows identifiers and criticality of extensions, and signed with
//! OpenSSL. Nothing of a request ever reaches OpenSSL's configuration language, which can read files.

mod authority;
mod limits;
mod node;
pub mod proof;
mod request;
mod sign;

#[cfg(test)]
mod tests;

pub use authority::{KeySettings, ServiceAccount, client, create, service_account};
pub use limits::{Extension, KeyUsage, Limits};
pub use node::NodeScope;
pub use request::{MAX_REQUEST_BYTES, Request};
pub use sign::Signer;

use openssl::error::ErrorStack;
use secrecy::SecretString;

use crate::{Error, Result};

/// A certificate and the private key that belongs to it.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// The certificate as PEM, ending in a newline.
    pub certificate: String,
    /// The private key as unencrypted PKCS#8 PEM.
    pub private_key: SecretString,
}

/// A failure of OpenSSL that no request should cause.
fn defect(cause: ErrorStack) -> Error {
    Error::internal(cause)
}

/// OpenSSL's PEM output as text.
fn text(pem: Vec<u8>) -> Result<String> {
    String::from_utf8(pem).map_err(|_| Error::internal("OpenSSL wrote a PEM text that is not ASCII"))
}
