//! A private RabbitMQ: its own files, free ports on loopback, gone when the test ends, however it ends.
//!
//! Needs Debian's `rabbitmq-server`; where it is missing the test fails.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::support::wait_for;

const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// Runs Erlang's port mapper and the broker, each in a group of its own, until standard input closes.
const KEEPER: &str = r#"
set -m
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >/dev/null 2>&1 </dev/null & mapper=$!
"$@" >"$HOME/log" 2>&1 </dev/null & broker=$!
read -r _
kill -KILL -- -$broker -$mapper
wait
"#;

pub(crate) struct Rabbit {
    home: tempfile::TempDir,
    ports: [u16; 3],
    keeper: Option<Child>,
}

impl Rabbit {
    /// A broker that does not run yet.
    pub(crate) fn absent() -> Self {
        assert!(Path::new(PROGRAM).exists(), "apt-get install rabbitmq-server");
        // All three at once, so that they differ.
        let free = [0; 3].map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap());
        let ports = free.map(|listener| listener.local_addr().unwrap().port());
        Self { home: tempfile::tempdir().unwrap(), ports, keeper: None }
    }

    /// Its address, in the words of that program.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://guest:guest@127.0.0.1:{}/", self.ports[0])
    }

    /// Starts it, with whatever it kept, and waits until it takes connections.
    pub(crate) fn start(&mut self) {
        let home = self.home.path();
        let inside = |name: &str| home.join(name).to_str().unwrap().to_owned();
        let [port, peers, mapper] = self.ports.map(|port| port.to_string());
        let mut keeper = Command::new("bash");
        keeper.args(["-c", KEEPER, "keeper", PROGRAM]).current_dir(home).process_group(0).stdin(Stdio::piped()).envs([
            ("HOME", home.to_str().unwrap().to_owned()),
            ("RABBITMQ_NODENAME", "test@localhost".to_owned()),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODE_PORT", port),
            ("RABBITMQ_DIST_PORT", peers),
            ("ERL_EPMD_PORT", mapper),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_MNESIA_BASE", inside("data")),
            ("RABBITMQ_LOG_BASE", inside("logs")),
            ("RABBITMQ_CONFIG_FILE", inside("none")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "/dev/null".to_owned()),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
            ),
        ]);
        self.keeper = Some(keeper.spawn().unwrap());
        wait_for("RabbitMQ to take connections", Duration::from_secs(90), || {
            TcpStream::connect(("127.0.0.1", self.ports[0])).ok()
        });
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut keeper = self.keeper.take().unwrap();
        drop(keeper.stdin.take());
        keeper.wait().unwrap();
        wait_for("RabbitMQ to be gone", Duration::from_secs(30), || {
            TcpStream::connect(("127.0.0.1", self.ports[0])).is_err().then_some(())
        });
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        if self.keeper.is_some() {
            self.kill();
        }
    }
}
