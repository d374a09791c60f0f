//! The sealing key: what is kept in the database is sealed with it, bootstrap tokens of nodes are derived from it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rand::rand_bytes;
use openssl::sha::sha256;
use openssl::sign::Signer;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use secrecy::zeroize::{Zeroize, Zeroizing};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use uuid::Uuid;

use crate::Error;

/// The first byte of everything that is sealed; another value means another layout.
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// Why the sealing key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others can read it, so it may be known to them.
    #[error(
        "the key file {path} has mode {mode:04o}; allowed: readable by its owner only. \
         Nobody else may have read it? Then: chmod 600 {path}"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not a key.
    #[error("the key file {path} holds no sealing key: it must be one line of 64 hexadecimal digits")]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The system refused to read or make it.
    #[error("cannot {action} the key file {path}: {cause}")]
    System {
        /// `read` or `make`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// OpenSSL gave no random numbers.
    #[error("cannot make a sealing key: {0}")]
    Random(ErrorStack),
}

/// Why something sealed cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed with another key.
    #[error("sealed with key {sealed}, but the key file holds key {ours}: is it the wrong key file?")]
    WrongKey {
        /// Identifier of the key that sealed it.
        sealed: String,
        /// Identifier of our key.
        ours: String,
    },
    /// It was changed, or sealed for something else.
    #[error("the sealed content was changed, or was sealed for something other than {context:?}")]
    Changed {
        /// What it was to be opened for.
        context: String,
    },
    /// It was never sealed by us.
    #[error("{length} bytes that no known version of this service has sealed")]
    Unknown {
        /// Its length in bytes.
        length: usize,
    },
    /// OpenSSL failed.
    #[error("OpenSSL failed: {0}")]
    Crypto(String),
}

impl From<SealError> for Error {
    fn from(cause: SealError) -> Self {
        Self::internal(cause)
    }
}

/// Seals and opens with the installation's key.
pub struct Sealer {
    master: SecretBox<[u8; KEY_BYTES]>,
    content: SecretBox<[u8; KEY_BYTES]>,
    id: [u8; KEY_ID_BYTES],
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer(key {})", self.key_id())
    }
}

impl Sealer {
    /// Reads the key file, or makes it with a new key, readable by its owner only, when there is none.
    ///
    /// Processes that start at the same time end up with the same key.
    ///
    /// # Errors
    /// A file that others may read, that holds no key, or that the system does not let us read or make.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let key = match read_key(path)? {
            Some(key) => key,
            None => {
                make_key(path)?;
                let gone = || std::io::Error::from(ErrorKind::NotFound);
                read_key(path)?.ok_or_else(|| system("read", path)(gone()))?
            }
        };
        Self::of(key).map_err(KeyFileError::Random)
    }

    /// Seals and opens with the given key.
    fn of(mut key: [u8; KEY_BYTES]) -> Result<Self, ErrorStack> {
        let content = hmac(&key, b"seal 1")?;
        let full_id = hmac(&key, b"key id 1")?;
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&full_id[..KEY_ID_BYTES]);
        let sealer = Self { master: SecretBox::new(Box::new(key)), content: SecretBox::new(Box::new(content)), id };
        key.zeroize();
        Ok(sealer)
    }

    /// The public identifier of the key, 16 hexadecimal digits.
    #[must_use]
    pub fn key_id(&self) -> String {
        hex::encode(self.id)
    }

    /// Seals the content so that it opens only with the same context, as `operation/<uuid>/token`.
    ///
    /// # Errors
    /// [`SealError::Crypto`].
    pub fn seal(&self, context: &str, content: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = Vec::with_capacity(HEADER_BYTES + content.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        let mut nonce = [0; NONCE_BYTES];
        rand_bytes(&mut nonce).map_err(crypto)?;
        sealed.extend_from_slice(&nonce);
        let mut tag = [0; TAG_BYTES];
        let associated = associated(&sealed, context);
        let key = self.content.expose_secret();
        let body = encrypt_aead(Cipher::aes_256_gcm(), key, Some(&nonce), &associated, content, &mut tag);
        sealed.extend_from_slice(&body.map_err(crypto)?);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens what [`Sealer::seal`] made with the same context.
    ///
    /// # Errors
    /// Another key, another context, a changed content, or bytes that were never sealed.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if sealed.len() < HEADER_BYTES + TAG_BYTES || sealed[0] != VERSION {
            return Err(SealError::Unknown { length: sealed.len() });
        }
        let (header, rest) = sealed.split_at(HEADER_BYTES);
        let (id, nonce) = header[1..].split_at(KEY_ID_BYTES);
        if id != self.id {
            return Err(SealError::WrongKey { sealed: hex::encode(id), ours: self.key_id() });
        }
        let (body, tag) = rest.split_at(rest.len() - TAG_BYTES);
        let key = self.content.expose_secret();
        decrypt_aead(Cipher::aes_256_gcm(), key, Some(nonce), &associated(header, context), body, tag)
            .map(Zeroizing::new)
            .map_err(|_| SealError::Changed { context: context.to_owned() })
    }

    /// The bootstrap token of a nodegroup: 43 characters, the same at every call with the same arguments.
    ///
    /// # Errors
    /// [`SealError::Crypto`].
    pub fn bootstrap_token(&self, cluster: Uuid, nodegroup: Uuid, generation: u32) -> Result<SecretString, SealError> {
        let text = format!("bootstrap|{cluster}|{nodegroup}|{generation}");
        let mac = Zeroizing::new(hmac(self.master.expose_secret(), text.as_bytes()).map_err(crypto)?);
        Ok(SecretString::from(URL_SAFE_NO_PAD.encode(*mac)))
    }
}

/// A secret for one purpose out of another secret: 64 hexadecimal digits, the same at every call with the same arguments.
///
/// # Errors
/// [`SealError::Crypto`].
pub fn derived(from: &SecretString, purpose: &str) -> Result<SecretString, SealError> {
    let mac = Zeroizing::new(hmac(from.expose_secret().as_bytes(), purpose.as_bytes()).map_err(crypto)?);
    Ok(SecretString::from(hex::encode(*mac)))
}

/// A secret of our own making: 244 random bits, in characters that no configuration language minds.
#[must_use]
pub fn random_text() -> SecretString {
    SecretString::from(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
}

/// What the database keeps of a token: its SHA-256 in hexadecimal.
#[must_use]
pub fn token_hash(token: &str) -> String {
    hex::encode(sha256(token.as_bytes()))
}

/// Whether two secrets or their hashes are equal, in a time that tells nothing but their lengths.
#[must_use]
pub fn equal(one: &str, other: &str) -> bool {
    one.len() == other.len() && openssl::memcmp::eq(one.as_bytes(), other.as_bytes())
}

/// Header and context together, so that neither can be exchanged.
fn associated(header: &[u8], context: &str) -> Vec<u8> {
    [header, context.as_bytes()].concat()
}

fn crypto(cause: ErrorStack) -> SealError {
    SealError::Crypto(cause.to_string())
}

fn hmac(key: &[u8], text: &[u8]) -> Result<[u8; KEY_BYTES], ErrorStack> {
    let key = PKey::hmac(key)?;
    let mut mac = [0; KEY_BYTES];
    Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot(&mut mac, text)?;
    Ok(mac)
}

fn system(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> KeyFileError {
    move |cause| KeyFileError::System { action, path: path.to_owned(), cause }
}

/// The key in the file, or none when there is no file.
fn read_key(path: &Path) -> Result<Option<[u8; KEY_BYTES]>, KeyFileError> {
    let mut file = match File::open(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(system("read", path))?,
    };
    let mode = file.metadata().map_err(system("read", path))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(128));
    let content = || KeyFileError::Content { path: path.to_owned() };
    (&mut file).take(127).read_to_string(&mut text).map_err(|cause| match cause.kind() {
        ErrorKind::InvalidData => content(),
        _ => system("read", path)(cause),
    })?;
    let mut key = [0; KEY_BYTES];
    hex::decode_to_slice(text.trim_end(), &mut key).map_err(|_| content())?;
    Ok(Some(key))
}

/// Makes the file whole or not at all; a file that another process made meanwhile stays.
fn make_key(path: &Path) -> Result<(), KeyFileError> {
    let failed = system("make", path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(&failed)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    rand_bytes(&mut *key).map_err(KeyFileError::Random)?;
    let draft = folder.join(format!(".{}.key-draft", Uuid::new_v4()));
    let made = write_draft(&draft, &key).and_then(|()| match std::fs::hard_link(&draft, path) {
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = std::fs::remove_file(&draft);
    made.and(removed).and_then(|()| File::open(folder)?.sync_all()).map_err(failed)
}

fn write_draft(draft: &Path, key: &[u8; KEY_BYTES]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    let line = Zeroizing::new(format!("{}\n", hex::encode(key)));
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::of([byte; KEY_BYTES]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_again_and_shows_nothing() {
        let sealed = sealer(1).seal("operation/1/token", b"canary-secret").unwrap();
        assert_eq!(*sealer(1).open("operation/1/token", &sealed).unwrap(), b"canary-secret");
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_ne!(sealed, sealer(1).seal("operation/1/token", b"canary-secret").unwrap(), "the nonce is random");
        assert_eq!(*sealer(1).open("c", &sealer(1).seal("c", b"").unwrap()).unwrap(), b"");
    }

    #[test]
    fn another_context_does_not_open() {
        let sealed = sealer(1).seal("operation/1/token", b"secret").unwrap();
        let refused = sealer(1).open("operation/2/token", &sealed).unwrap_err();
        assert_eq!(refused, SealError::Changed { context: "operation/2/token".into() });
    }

    #[test]
    fn another_key_is_named() {
        let sealed = sealer(1).seal("c", b"secret").unwrap();
        let refused = sealer(2).open("c", &sealed).unwrap_err();
        assert_eq!(refused, SealError::WrongKey { sealed: sealer(1).key_id(), ours: sealer(2).key_id() });
        assert!(refused.to_string().contains("wrong key file"));
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let sealed = sealer(1).seal("c", b"secret").unwrap();
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(sealer(1).open("c", &changed).is_err(), "byte {position}");
            assert!(sealer(1).open("c", &sealed[..position]).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn a_bootstrap_token_depends_on_all_its_parts_and_on_nothing_else() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let token = |key: u8, cluster, nodegroup, generation| {
            let token = sealer(key).bootstrap_token(cluster, nodegroup, generation).unwrap();
            token.expose_secret().to_owned()
        };
        let first = token(1, a, b, 1);
        assert_eq!(first.len(), 43);
        assert_eq!(first, token(1, a, b, 1));
        for other in [token(2, a, b, 1), token(1, b, a, 1), token(1, a, a, 1), token(1, a, b, 2)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_token_hash_is_sha_256() {
        assert_eq!(token_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn comparison_sees_every_difference() {
        assert!(equal("", "") && equal("token", "token"));
        assert!(!equal("token", "tokem") && !equal("token", "token1") && !equal("", "t"));
    }

    #[test]
    fn the_key_file_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/secret.key");
        let first = Sealer::load(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(first.key_id(), Sealer::load(&path).unwrap().key_id());
        let files = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "no draft is left");
    }

    #[test]
    fn processes_that_start_together_share_one_key() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("secret.key");
            let together = Barrier::new(8);
            let ids: Vec<String> = std::thread::scope(|scope| {
                let load = || {
                    together.wait();
                    Sealer::load(&path).unwrap().key_id()
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        }
    }

    #[test]
    fn what_is_derived_is_of_its_secret_and_its_purpose_alone() {
        let of = |secret: &str, purpose: &str| {
            derived(&SecretString::from(secret), purpose).unwrap().expose_secret().to_owned()
        };
        // As `printf b | openssl dgst -sha256 -hmac a` says.
        assert_eq!(of("a", "b"), "08de329931e295683776aa9a43529bd0b275286df3160300c49ba4e841833013");
        assert!(of("a", "c") != of("a", "b") && of("c", "b") != of("a", "b"));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        Sealer::load(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = Sealer::load(&path).unwrap_err().to_string();
            assert!(refused.contains(&format!("mode {mode:04o}")) && refused.contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn a_file_without_a_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let digits = "0".repeat(64);
        for content in ["", "short", &digits[1..], &format!("{digits}0"), &"x".repeat(64), "\u{e9}"] {
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(Sealer::load(&path), Err(KeyFileError::Content { .. })), "{content:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }
}
