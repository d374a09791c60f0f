//! A private RabbitMQ: its own files, free ports on loopback, gone when the test ends, however it ends.
//!
//! Needs Debian's `rabbitmq-server`; where it is missing the test fails.

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::support::cloud::CLOUD;
use super::support::ports::Port;
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

/// An authority and a server's certificate by it.
const CERTIFICATES: &str = r#"
set -e
openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=broker authority" -days 2 -keyout ca.key -out ca.crt
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr
printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n' >extensions
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.crt
"#;

pub(crate) struct Rabbit {
    home: tempfile::TempDir,
    ports: [Port; 4],
    keeper: Option<Child>,
}

impl Rabbit {
    /// A broker that does not run yet.
    pub(crate) fn absent() -> Self {
        assert!(Path::new(PROGRAM).exists(), "apt-get install rabbitmq-server");
        let ports = [(); 4].map(|()| Port::free());
        let home = tempfile::tempdir().unwrap();
        let made = Command::new("bash").args(["-c", CERTIFICATES]).current_dir(&home).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let inside = |name: &str| home.path().join(name).display().to_string();
        let tls = format!(
            "listeners.ssl.1 = 127.0.0.1:{}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
             ssl_options.keyfile = {}\nssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = false\n",
            ports[3].number,
            inside("ca.crt"),
            inside("server.crt"),
            inside("server.key"),
        );
        std::fs::write(home.path().join("rabbit.conf"), tls).unwrap();
        Self { home, ports, keeper: None }
    }

    /// The authority that vouches for its certificate.
    pub(crate) fn authority(&self) -> String {
        self.home.path().join("ca.crt").display().to_string()
    }

    /// Its address for connections with TLS.
    pub(crate) fn tls_url(&self) -> String {
        format!("amqps://guest:guest@localhost:{}/", self.ports[3].number)
    }

    /// Its address, in the words of that program.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://guest:guest@127.0.0.1:{}/", self.ports[0].number)
    }

    /// Starts it, with whatever it kept, and waits until it takes connections.
    pub(crate) fn start(&mut self) {
        let home = self.home.path();
        let inside = |name: &str| home.join(name).to_str().unwrap().to_owned();
        let [port, peers, mapper, _] = self.ports.each_ref().map(|port| port.number.to_string());
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
            ("RABBITMQ_CONFIG_FILE", inside("rabbit.conf")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "/dev/null".to_owned()),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
            ),
        ]);
        self.keeper = Some(keeper.spawn().unwrap());
        wait_for("RabbitMQ to take connections", Duration::from_secs(90), || {
            TcpStream::connect(("127.0.0.1", self.ports[0].number)).ok()
        });
    }

    /// Deletes a queue with all that it holds.
    pub(crate) fn delete_queue(&self, name: &str) {
        let script = "import amqp, sys\nwith amqp.Connection(sys.argv[1]) as broker:\n    broker.channel().queue_delete(sys.argv[2])";
        let mut python = Command::new(CLOUD.text("/paths/python"));
        let broker = format!("127.0.0.1:{}", self.ports[0].number);
        let deleted = python.args(["-c", script, &broker, name]).output().unwrap();
        assert!(deleted.status.success(), "{}", String::from_utf8_lossy(&deleted.stderr));
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut keeper = self.keeper.take().unwrap();
        drop(keeper.stdin.take());
        keeper.wait().unwrap();
        wait_for("RabbitMQ to be gone", Duration::from_secs(30), || {
            TcpStream::connect(("127.0.0.1", self.ports[0].number)).is_err().then_some(())
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
