//! The API against a stand-in with the answers that dockerd 26 was seen to give; tests/dockerd asks a real one.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::TcpListener;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use drivers::Ca;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::extension::{ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::store::X509StoreBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::Swarm;
use crate::column::now;
use crate::link::{Endpoint, Fault, Identity};
use crate::pki::{self, KeyPair, KeySettings, Request, Signer};

const SETTINGS: KeySettings = KeySettings { rsa_bits: 2048, days: 2 };
const DEADLINE: Duration = Duration::from_secs(10);

static AUTHORITY: LazyLock<KeyPair> = LazyLock::new(|| pki::create("c", Ca::Kubernetes, SETTINGS, now()).unwrap());
static OTHER: LazyLock<KeyPair> = LazyLock::new(|| pki::create("c", Ca::Kubernetes, SETTINGS, now()).unwrap());

/// A server's certificate by that authority, for that address.
fn server(authority: &KeyPair, address: &str) -> KeyPair {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut request = openssl::x509::X509Req::builder().unwrap();
    request.set_pubkey(&key).unwrap();
    let context = X509::builder().unwrap();
    let mut extensions = openssl::stack::Stack::new().unwrap();
    let names = SubjectAlternativeName::new().ip(address).build(&context.x509v3_context(None, None)).unwrap();
    extensions.push(names).unwrap();
    extensions.push(ExtendedKeyUsage::new().server_auth().build().unwrap()).unwrap();
    request.add_extensions(&extensions).unwrap();
    request.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
    let pem = String::from_utf8(request.build().to_pem().unwrap()).unwrap();
    let certificate = Signer::new(authority).unwrap().sign_for_user(&Request::parse(&pem).unwrap(), 1, now()).unwrap();
    let private_key = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    KeyPair { certificate, private_key: SecretString::from(private_key) }
}

fn identity(authority: &KeyPair) -> Identity {
    Identity::new(&authority.certificate, &pki::client(authority, SETTINGS, now()).unwrap()).unwrap()
}

/// What the stand-in has, and what it was asked.
#[derive(Default)]
struct State {
    nodes: Vec<Value>,
    /// Tasks with their node and state.
    tasks: Vec<Value>,
    asked: Vec<String>,
    /// Refuses everything with this status and text.
    refuses: Option<(u16, &'static str)>,
    /// How many updates it calls out of sequence.
    outrun: u32,
    /// Answers without end.
    endless: bool,
}

/// A manager of a Swarm that listens on loopback.
#[derive(Clone)]
struct Daemon {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Daemon {
    fn start(certificate: &KeyPair, nodes: Vec<Value>) -> Self {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        let key = PKey::private_key_from_pem(certificate.private_key.expose_secret().as_bytes()).unwrap();
        acceptor.set_private_key(&key).unwrap();
        acceptor.set_certificate(&X509::from_pem(certificate.certificate.as_bytes()).unwrap()).unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(X509::from_pem(AUTHORITY.certificate.as_bytes()).unwrap()).unwrap();
        acceptor.set_verify_cert_store(store.build()).unwrap();
        acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        let acceptor = Arc::new(acceptor.build());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let daemon =
            Self { port: listener.local_addr().unwrap().port(), state: Arc::new(Mutex::new(State::default())) };
        daemon.state().nodes = nodes;
        let own = daemon.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (own, acceptor) = (own.clone(), acceptor.clone());
                std::thread::spawn(move || acceptor.accept(stream).map(|stream| own.serve(stream)).ok());
            }
        });
        daemon
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint { host: "127.0.0.1".to_owned(), port: self.port }
    }

    async fn swarm(&self) -> Swarm {
        Swarm::reach(&[self.endpoint()], Some(&identity(&AUTHORITY)), DEADLINE).await.unwrap()
    }

    fn serve(&self, stream: impl std::io::Read + Write) {
        let mut stream = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        while stream.read_line(&mut head).unwrap_or(0) > 2 {
            let last = head.lines().last().unwrap_or_default().to_ascii_lowercase();
            if let Some(value) = last.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if self.state().endless {
            let _closed = write!(stream.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n");
            while stream.get_mut().write_all(&[b' '; 65536]).is_ok() {}
            return;
        }
        let (status, answer) = self.answer(method, path, &body);
        let text = if answer.is_null() { String::new() } else { answer.to_string() };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
        let _closed = stream.get_mut().write_all(format!("{head}{text}").as_bytes());
    }

    fn answer(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let mut state = self.state();
        let message = |text: &str| json!({"message": text});
        state.asked.push(format!("{method} {path}"));
        if let Some((status, text)) = state.refuses {
            return (status, message(text));
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        if parts == ["nodes"] {
            return (200, state.nodes.clone().into());
        }
        if parts == ["tasks"] {
            let of = |task: &&Value| query.contains(task["NodeID"].as_str().unwrap());
            return (200, state.tasks.iter().filter(of).cloned().collect());
        }
        let Some(at) = state.nodes.iter().position(|node| node["ID"] == parts[1]) else {
            return (404, message(&format!("node {} not found", parts[1])));
        };
        match (method, parts.len()) {
            ("GET", 2) => (200, state.nodes[at].clone()),
            ("DELETE", 2) if state.nodes[at]["ManagerStatus"].is_object() => (
                400,
                message(
                    "rpc error: code = FailedPrecondition desc = node x is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal",
                ),
            ),
            ("DELETE", 2) if !query.contains("force=true") => (400, message("is not down and can't be removed")),
            ("DELETE", 2) => {
                state.nodes.remove(at);
                (200, Value::Null)
            }
            _ => {
                let version = state.nodes[at]["Version"]["Index"].as_u64().unwrap();
                if state.outrun > 0 {
                    state.outrun -= 1;
                    state.nodes[at]["Version"]["Index"] = (version + 1).into();
                }
                let given: u64 = query.strip_prefix("version=").unwrap().parse().unwrap();
                if state.nodes[at]["Version"]["Index"] != given {
                    return (500, message("rpc error: code = Unknown desc = update out of sequence"));
                }
                let spec: Value = serde_json::from_slice(body).unwrap();
                let managers = state.nodes.iter().filter(|node| node["ManagerStatus"].is_object()).count();
                if state.nodes[at]["ManagerStatus"].is_object() && spec["Role"] == "worker" {
                    if managers == 1 {
                        return (
                            400,
                            message(
                                "rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm",
                            ),
                        );
                    }
                    state.nodes[at].as_object_mut().unwrap().remove("ManagerStatus");
                }
                state.nodes[at]["Spec"] = spec;
                state.nodes[at]["Version"]["Index"] = (version + 1).into();
                (200, Value::Null)
            }
        }
    }
}

fn node(name: &str, role: &str) -> Value {
    let mut node = json!({
        "ID": format!("id-of-{name}"), "Version": {"Index": 21}, "CreatedAt": "2026-11-21T17:51:02.385870168Z",
        "Spec": {"Labels": {"zone": "a"}, "Role": role, "Availability": "active"},
        "Description": {"Hostname": name, "Engine": {"EngineVersion": "26.1.5+dfsg1"}},
        "Status": {"State": "ready", "Addr": "127.0.0.1"},
    });
    if role == "manager" {
        node["ManagerStatus"] = json!({"Reachability": "reachable", "Addr": "127.0.0.1:2377"});
    }
    node
}

fn three() -> Vec<Value> {
    vec![node("m-0", "manager"), node("m-1", "manager"), node("w-0", "worker")]
}

fn told<T>(result: Result<T, Fault>) -> Fault {
    result.err().expect("a fault")
}

#[tokio::test]
async fn members_are_read_as_the_api_gives_them() {
    let daemon = Daemon::start(&server(&AUTHORITY, "127.0.0.1"), three());
    daemon.state().nodes[1]["ManagerStatus"]["Reachability"] = "unreachable".into();
    daemon.state().nodes[2]["Status"]["State"] = "down".into();
    let swarm = daemon.swarm().await;
    let seen: Vec<_> = swarm.members().iter().map(|m| (m.name.as_str(), m.ready, m.manager)).collect();
    assert_eq!(seen, [("m-0", true, Some(true)), ("m-1", true, Some(false)), ("w-0", false, None)]);
}

#[tokio::test]
async fn only_the_clusters_own_certificates_are_believed() {
    let ours = identity(&AUTHORITY);
    // Another authority's certificate, one for another address, and a server that does not know ours.
    for (certificate, identity) in [
        (server(&OTHER, "127.0.0.1"), ours.clone()),
        (server(&AUTHORITY, "127.0.0.9"), ours.clone()),
        (server(&AUTHORITY, "127.0.0.1"), identity(&OTHER)),
    ] {
        let daemon = Daemon::start(&certificate, three());
        let fault = told(Swarm::reach(&[daemon.endpoint()], Some(&identity), DEADLINE).await);
        assert!(matches!(&fault, Fault::Unreachable(why) if why.contains("no TLS as the cluster's")), "{fault:?}");
        assert!(daemon.state().asked.is_empty());
    }
}

#[tokio::test]
async fn a_client_that_the_daemon_does_not_know_is_refused_by_it() {
    let daemon = Daemon::start(&server(&AUTHORITY, "127.0.0.1"), three());
    let stranger = pki::client(&OTHER, SETTINGS, now()).unwrap();
    let stranger = Identity::new(&AUTHORITY.certificate, &stranger).unwrap();
    assert!(matches!(told(Swarm::reach(&[daemon.endpoint()], Some(&stranger), DEADLINE).await), Fault::Unreachable(_)));
    assert!(daemon.state().asked.is_empty());
}

#[tokio::test]
async fn the_next_manager_is_asked_where_one_is_away() {
    let daemon = Daemon::start(&server(&AUTHORITY, "127.0.0.1"), three());
    let dead = Endpoint { host: "127.0.0.1".to_owned(), port: 1 };
    let swarm = Swarm::reach(&[dead.clone(), daemon.endpoint()], Some(&identity(&AUTHORITY)), DEADLINE).await.unwrap();
    assert_eq!(swarm.members().len(), 3);
    let fault = told(Swarm::reach(&[dead], Some(&identity(&AUTHORITY)), DEADLINE).await);
    assert!(matches!(&fault, Fault::Unreachable(why) if why.starts_with("127.0.0.1:1: ")), "{fault:?}");
    daemon.state().refuses = Some((500, "rpc error: code = Unknown desc = The swarm does not have a leader."));
    let fault = told(Swarm::reach(&[daemon.endpoint()], Some(&identity(&AUTHORITY)), DEADLINE).await);
    assert_eq!(fault, Fault::Refused("rpc error: code = Unknown desc = The swarm does not have a leader.".into()));
}

#[tokio::test]
async fn a_silent_and_an_endless_daemon_are_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: silent.local_addr().unwrap().port() };
    let begun = std::time::Instant::now();
    let fault = told(Swarm::reach(&[endpoint], Some(&identity(&AUTHORITY)), Duration::from_secs(1)).await);
    assert!(fault.to_string().ends_with("no answer within 1 s"), "{fault}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    let daemon = Daemon::start(&server(&AUTHORITY, "127.0.0.1"), three());
    daemon.state().endless = true;
    let fault = told(Swarm::reach(&[daemon.endpoint()], Some(&identity(&AUTHORITY)), Duration::from_secs(60)).await);
    assert!(matches!(fault, Fault::Unreachable(_)), "{fault}");
}

#[tokio::test]
async fn a_drained_node_keeps_what_else_it_is_and_is_done_when_nothing_runs() {
    let daemon = Daemon::start(&server(&AUTHORITY, "127.0.0.1"), three());
    daemon.state().outrun = 2;
    daemon.state().tasks = vec![
        json!({"ID": "a", "NodeID": "id-of-w-0", "Status": {"State": "running"}, "DesiredState": "shutdown"}),
        json!({"ID": "b", "NodeID": "id-of-m-0", "Status": {"State": "running"}, "DesiredState": "running"}),
    ];
    assert!(!daemon.swarm().await.drain("w-0").await.unwrap());
    let spec = json!({"Labels": {"zone": "a"}, "Role": "worker", "Availability": "drain"});
    assert_eq!(daemon.state().nodes[2]["Spec"], spec);
    daemon.state().tasks[0]["Status"]["State"] = "shutdown".into();
    daemon.state().asked.clear();
    assert!(daemon.swarm().await.drain("w-0").await.unwrap());
    assert!(!daemon.state().asked.iter().any(|asked| asked.starts_with("POST")), "it is drained already");
    assert!(daemon.swarm().await.drain("unknown").await.unwrap());
    daemon.swarm().await.restore("w-0", "active").await.unwrap();
    assert_eq!(daemon.state().nodes[2]["Spec"]["Availability"], "active");
}

#[tokio::test]
async fn a_node_gets_back_what_its_owner_gave_it() {
    let daemon = Daemon::start(&server(&AUTHORITY, "127.0.0.1"), three());
    for before in ["pause", "active", "drain"] {
        daemon.state().nodes[2]["Spec"]["Availability"] = before.into();
        let swarm = daemon.swarm().await;
        let availability = swarm.named("w-0").next().unwrap().availability();
        assert_eq!(availability, before);
        assert!(swarm.drain("w-0").await.unwrap());
        assert_eq!(daemon.state().nodes[2]["Spec"]["Availability"], "drain");
        daemon.swarm().await.restore("w-0", &availability).await.unwrap();
        assert_eq!(daemon.state().nodes[2]["Spec"]["Availability"], before);
    }
    // Its owner was faster.
    daemon.state().nodes[2]["Spec"]["Availability"] = "active".into();
    daemon.swarm().await.restore("w-0", "pause").await.unwrap();
    assert_eq!(daemon.state().nodes[2]["Spec"]["Availability"], "active");
}

#[tokio::test]
async fn a_node_that_is_away_is_not_waited_for() {
    let daemon = Daemon::start(&server(&AUTHORITY, "127.0.0.1"), three());
    daemon.state().nodes[2]["Status"]["State"] = "down".into();
    daemon.state().tasks = vec![json!({"ID": "a", "NodeID": "id-of-w-0", "Status": {"State": "running"}})];
    assert!(daemon.swarm().await.drain("w-0").await.unwrap());
}

#[tokio::test]
async fn removal_demotes_first_and_may_be_repeated() {
    let daemon = Daemon::start(&server(&AUTHORITY, "127.0.0.1"), three());
    for _ in 0..2 {
        daemon.swarm().await.remove("m-1").await.unwrap();
        daemon.swarm().await.remove("w-0").await.unwrap();
    }
    let left: Vec<_> = daemon.swarm().await.members().iter().map(|member| member.name.clone()).collect();
    assert_eq!(left, ["m-0"]);
    let fault = told(daemon.swarm().await.remove("m-0").await);
    assert!(fault.to_string().contains("the last manager"), "{fault}");
}

#[tokio::test]
async fn removal_goes_on_where_somebody_else_was_faster() {
    let daemon = Daemon::start(&server(&AUTHORITY, "127.0.0.1"), three());
    let swarm = daemon.swarm().await;
    daemon.state().nodes.pop();
    swarm.remove("w-0").await.unwrap();
}
