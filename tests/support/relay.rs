//! A relay between a service and the cloud that can keep answers back, or lose them, after the cloud has acted.
//!
//! Who uses it has the relay's Keystone for its own, and reads a catalog that the relay has rewritten.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::cloud::CLOUD;
use super::http::{IDLE, RUNTIME};

/// Redirects are answers here.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let plain = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    plain.pool_idle_timeout(IDLE).build().unwrap()
});

pub struct Relay {
    port: u16,
    catches: Arc<Mutex<Vec<Arc<Catch>>>>,
    troubles: Troubles,
}

/// What befalls every request to a service, by its port.
type Troubles = Arc<Mutex<Vec<(u64, Trouble)>>>;

/// What befalls every request to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The connection is cut.
    Cut,
    /// Nothing comes, until the trouble is over.
    Silence,
    /// This status comes at once.
    Status(u16),
}

/// A trouble, until this is dropped.
pub struct Troubled(Troubles, (u64, Trouble));

impl Drop for Troubled {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|trouble| *trouble != self.1);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Caught,
    Released,
}

/// What becomes of a request that is caught.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is kept from the cloud until it is released.
    Delayed,
    /// It is kept from the cloud for good, and its answer until it is released.
    Swallowed,
    /// Its answer is kept back until it is released.
    Held,
    /// Its answer is lost.
    Lost,
    /// It is kept from the cloud and refused at once.
    Refused,
}

/// What happens to the first request that fits.
struct Catch {
    method: &'static str,
    /// How the path ends.
    path: &'static str,
    fate: Fate,
    stage: Mutex<Stage>,
    changed: Condvar,
}

impl Catch {
    /// Takes a request that fits, once.
    fn takes(&self, method: &str, path: &str) -> bool {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = *stage == Stage::Waiting && method == self.method && path.ends_with(self.path);
        if fits {
            let passes = matches!(self.fate, Fate::Lost | Fate::Refused);
            *stage = if passes { Stage::Released } else { Stage::Caught };
        }
        fits
    }

    fn set(&self, to: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = to;
        self.changed.notify_all();
    }

    /// Waits until the stage has changed from `from`; false after the limit.
    fn leaves(&self, from: Stage, limit: Duration) -> bool {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let (_stage, waited) = self
            .changed
            .wait_timeout_while(stage, limit, |stage| *stage == from)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }
}

/// A request or an answer that is kept back until this is dropped.
pub struct Held(Arc<Catch>);

impl Held {
    /// Waits until the request has come, and the cloud's answer to it unless the request itself is delayed.
    pub fn wait(&self) {
        assert!(
            self.0.leaves(Stage::Waiting, Duration::from_secs(60)),
            "{} …{} never came",
            self.0.method,
            self.0.path
        );
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set(Stage::Released);
    }
}

/// An answer that gets lost.
pub struct Lost(Arc<Catch>);

impl Lost {
    /// Whether it has happened.
    pub fn happened(&self) -> bool {
        *self.0.stage.lock().unwrap_or_else(PoisonError::into_inner) != Stage::Waiting
    }
}

impl Relay {
    /// Stands between a service and the whole cloud.
    pub fn start() -> Self {
        Self::rewriting(|relay, ports| {
            let all = ports.values().filter_map(Value::as_u64);
            all.map(|port| (address(port), format!("{}/to/{port}", address(relay)))).collect()
        })
    }

    /// Stands between a client and Keystone, so that the client finds the service at `port` in its catalog.
    pub fn to_service(port: u16) -> Self {
        Self::rewriting(|relay, ports| {
            let of = |name: &str| ports[name].as_u64().unwrap();
            let keystone = of("keystone");
            vec![
                (address(keystone), format!("{}/to/{keystone}", address(relay))),
                (address(of("jeroboam")), address(port.into())),
            ]
        })
    }

    /// `rules` says what addresses in Keystone's answers become, from the relay's port and the cloud's.
    fn rewriting(rules: impl FnOnce(u64, &Map<String, Value>) -> Vec<(String, String)>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let rules = Arc::new(rules(port.into(), CLOUD.about["ports"].as_object().unwrap()));
        let catches = Arc::new(Mutex::new(Vec::new()));
        let troubles = Troubles::default();
        let (seen, met) = (catches.clone(), troubles.clone());
        // Ends with the test program.
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (rules, seen, met) = (rules.clone(), seen.clone(), met.clone());
                std::thread::spawn(move || drop(serve(&rules, &seen, &met, &connection)));
            }
        });
        Self { port, catches, troubles }
    }

    /// Keystone's address behind it.
    pub fn auth_url(&self) -> String {
        let path = CLOUD.text("/auth_url").splitn(4, '/').nth(3).unwrap();
        format!("{}/to/{}/{path}", address(self.port.into()), CLOUD.about["ports"]["keystone"])
    }

    /// Keeps the answer to the next request of that method, whose path ends so, until the guard is dropped.
    pub fn hold(&self, method: &'static str, path: &'static str) -> Held {
        Held(self.catch(method, path, Fate::Held))
    }

    /// Keeps the next request of that method, whose path ends so, from the cloud until the guard is dropped; the cloud
    /// gets it then, whether or not anybody waits for the answer.
    pub fn delay(&self, method: &'static str, path: &'static str) -> Held {
        Held(self.catch(method, path, Fate::Delayed))
    }

    /// Cuts the connection in place of the answer to the next request of that method, whose path ends so.
    pub fn lose(&self, method: &'static str, path: &'static str) -> Lost {
        Lost(self.catch(method, path, Fate::Lost))
    }

    /// Answers the next request of that method, whose path ends so, with 403 in the cloud's place.
    pub fn refuse(&self, method: &'static str, path: &'static str) {
        drop(self.catch(method, path, Fate::Refused));
    }

    /// Makes trouble for every request to that service, until the guard is dropped.
    pub fn trouble(&self, service: &str, trouble: Trouble) -> Troubled {
        let trouble = (CLOUD.about["ports"][service].as_u64().unwrap(), trouble);
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).push(trouble);
        Troubled(self.troubles.clone(), trouble)
    }

    /// Keeps the next request of that method, whose path ends so, from the cloud, and cuts the connection in the end.
    pub fn swallow(&self, method: &'static str, path: &'static str) -> Held {
        Held(self.catch(method, path, Fate::Swallowed))
    }

    fn catch(&self, method: &'static str, path: &'static str, fate: Fate) -> Arc<Catch> {
        let catch = Arc::new(Catch { method, path, fate, stage: Mutex::new(Stage::Waiting), changed: Condvar::new() });
        self.catches.lock().unwrap_or_else(PoisonError::into_inner).push(catch.clone());
        catch
    }
}

/// One request and its answer: `/to/<port>/<path>` goes to that port of the cloud.
fn serve(
    rules: &[(String, String)],
    catches: &Mutex<Vec<Arc<Catch>>>,
    troubles: &Troubles,
    mut connection: &TcpStream,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
    let (port, target) = target.trim_start_matches("/to/").split_once('/').expect("/to/<port>/<path>");
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "host" | "connection" => {}
            name => headers.push((name.to_owned(), value.to_owned())),
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;

    let trouble = || {
        let all = troubles.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(at, _)| at.to_string() == port).map(|(_, trouble)| *trouble)
    };
    match trouble() {
        None => {}
        Some(Trouble::Cut) => return Ok(()),
        Some(Trouble::Silence) => {
            while trouble() == Some(Trouble::Silence) {
                std::thread::sleep(Duration::from_millis(50));
            }
            return Ok(());
        }
        Some(Trouble::Status(status)) => return fail(connection, status),
    }

    let path = target.split('?').next().unwrap_or_default();
    let known = catches.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let caught = |fates: &[Fate]| {
        let catch = known.iter().find(|catch| fates.contains(&catch.fate) && catch.takes(method, path))?;
        catch.changed.notify_all();
        Some(catch)
    };
    if caught(&[Fate::Refused]).is_some() {
        return fail(connection, 403);
    }
    if let Some(catch) = caught(&[Fate::Delayed]) {
        catch.leaves(Stage::Caught, Duration::from_secs(120));
    }
    if let Some(catch) = caught(&[Fate::Swallowed]) {
        catch.leaves(Stage::Caught, Duration::from_secs(120));
        return Ok(());
    }
    let mut request = CLIENT.request(method.parse().unwrap(), format!("http://127.0.0.1:{port}/{target}")).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let Ok((status, headers, mut body)) = RUNTIME.block_on(async {
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?.to_vec()))
    }) else {
        return Ok(());
    };

    if let Some(catch) = caught(&[Fate::Held, Fate::Lost]) {
        if catch.fate == Fate::Lost {
            return Ok(());
        }
        catch.leaves(Stage::Caught, Duration::from_secs(120));
    }
    if Some(port) == CLOUD.about["ports"]["keystone"].as_u64().map(|port| port.to_string()).as_deref() {
        let text = String::from_utf8_lossy(&body).into_owned();
        body = rules.iter().fold(text, |text, (from, to)| text.replace(from, to)).into_bytes();
    }
    write!(connection, "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len())?;
    for (name, value) in &headers {
        if !matches!(name.as_str(), "connection" | "content-length" | "transfer-encoding") {
            write!(connection, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()))?;
        }
    }
    connection.write_all(b"\r\n")?;
    connection.write_all(&body)
}

/// An error answer that the cloud has not given.
fn fail(mut connection: &TcpStream, status: u16) -> std::io::Result<()> {
    let body = r#"{"error": {"code": 500, "message": "An unexpected error.", "title": "Trouble"}}"#;
    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    connection.write_all((head + body).as_bytes())
}

/// Ports of the cloud have as many digits as each other, so none begins like another.
fn address(port: u64) -> String {
    format!("http://127.0.0.1:{port}")
}
