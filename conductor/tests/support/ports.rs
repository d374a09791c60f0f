//! Ports for servers of the tests. One that the kernel calls free may be a client's the next moment, and while its
//! server is restarted: these lie where the kernel takes none from, and tests keep them from each other.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Above the test cloud's ports (from 21000 on) and below those that the kernel gives to clients (from 32768 on).
const FIRST: u32 = 22_000;
const COUNT: u32 = 10_000;

/// A port that no other test on this machine gets until this is dropped.
pub struct Port {
    /// Its number.
    pub number: u16,
    /// Locked, until the test has ended in whatever way.
    _held: File,
}

impl Port {
    /// One on which nobody listens.
    pub fn free() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join("jeroboam-test-ports");
        std::fs::create_dir_all(&folder).unwrap();
        // Each test program begins elsewhere, so that they seldom try the same one.
        let begin = std::process::id().wrapping_mul(97);
        let next = |_| {
            let place = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
            Self::take(&folder, u16::try_from(FIRST + place).unwrap())
        };
        (0..COUNT).find_map(next).unwrap_or_else(|| panic!("no port is free, or {} not writable", folder.display()))
    }

    /// That one, unless another test has it or somebody listens on it.
    fn take(folder: &Path, number: u16) -> Option<Self> {
        let held = File::create(folder.join(number.to_string())).ok()?;
        held.try_lock().ok()?;
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).ok()?;
        Some(Self { number, _held: held })
    }
}
