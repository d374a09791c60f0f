//! The listener's own limits: time, patience with slow clients, an orderly end, and ids that one can follow.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use super::assert_unavailable;
use super::support::cloud::CLOUD;
use super::support::http::{request, try_request};
use super::support::relay::{Relay, Trouble};
use super::support::service::Service;
use super::support::{wait_for, wire};

/// What is under way is finished; what is new is turned away; then the process ends well.
#[test]
fn a_shutdown_lets_requests_finish() {
    let relay = Relay::start();
    let mut service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    let token = CLOUD.token("demo");
    // The answer about this token is kept back, so that the request is under way.
    let held = relay.hold("GET", "/auth/tokens");
    let (endpoint, shown) = (service.endpoint(), token.clone());
    let asking =
        std::thread::spawn(move || request("GET", &format!("{endpoint}/clusters"), &[("x-auth-token", &shown)], None));
    held.wait();
    let idle = wire::connect(&service);
    service.signal("TERM");
    wait_for("the listener to close", Duration::from_secs(20), || {
        try_request("GET", &format!("{}/healthcheck", service.root()), &[], None).is_err().then_some(())
    });
    assert!(!asking.is_finished());
    drop(held);
    let answer = asking.join().unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({"clusters": []})));
    let status = service.ended();
    assert!(status.success(), "{status}");
    assert!(service.log().contains("stopped"));
    drop(idle);
}

/// A request that does not end is not waited for longer than was set.
#[test]
fn a_shutdown_does_not_wait_for_ever() {
    let relay = Relay::start();
    let mut service =
        Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url()), ("JEROBOAM__API__DRAIN_TIMEOUT_S", "1")]);
    let token = CLOUD.token("demo");
    let _silence = relay.trouble("keystone", Trouble::Silence);
    let mut stream = wire::connect(&service);
    stream.write_all(wire::head("GET", "/v1/clusters", &[("x-auth-token", &token)], 0).as_bytes()).unwrap();
    // Its headers are in when a later request has been answered.
    assert_eq!(request("GET", &format!("{}/healthcheck", service.root()), &[], None).status, 200);
    let began = Instant::now();
    service.signal("TERM");
    assert!(service.ended().success());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_request_that_takes_too_long_is_given_up() {
    let relay = Relay::start();
    let service = Service::start(&[
        ("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url()),
        ("JEROBOAM__API__REQUEST_TIMEOUT_S", "1"),
    ]);
    let token = CLOUD.token("demo");
    let silence = relay.trouble("keystone", Trouble::Silence);
    let began = Instant::now();
    let answer = service.call(&token, "GET", "/clusters", None);
    assert_unavailable(&answer, "longer than 1 seconds");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(silence);
    wait_for("the service to answer again", Duration::from_secs(30), || {
        (service.call(&token, "GET", "/clusters", None).status == 200).then_some(())
    });
}

/// Whoever sends a body too slowly is answered and cut off, and holds nobody up.
#[test]
fn a_slow_body_is_cut_off() {
    let service = Service::start(&[("JEROBOAM__API__REQUEST_TIMEOUT_S", "2")]);
    let token = CLOUD.token("demo");
    wait_for("the token to be known", Duration::from_secs(30), || {
        (service.call(&token, "GET", "/clusters", None).status == 200).then_some(())
    });
    let mut stream = wire::connect(&service);
    let headers = [("x-auth-token", token.as_str()), ("content-type", "application/json")];
    stream.write_all(wire::head("POST", "/v1/clusters", &headers, 1000).as_bytes()).unwrap();
    stream.write_all(b"{\"name\":").unwrap();
    let began = Instant::now();
    assert_eq!(service.call(&token, "GET", "/clusters", None).status, 200);
    let answer = wire::answer(&mut stream).expect("an answer");
    assert!([408, 503].contains(&answer.status), "{} {}", answer.status, answer.text);
    assert!(answer.detail().contains("too long") || answer.detail().contains("longer than"), "{}", answer.text);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Headers that never end are cut off after half a minute at most.
#[test]
fn slow_headers_are_cut_off() {
    let service = Service::start(&[]);
    let mut stream = wire::connect(&service);
    stream.write_all(b"GET /v1/clusters HTTP/1.1\r\nhost: test\r\nx-slow: ").unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    let _cut = stream.read_to_end(&mut rest);
    assert!(began.elapsed() < Duration::from_secs(45), "{:?}", began.elapsed());
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    // Nor may they be big.
    let big = "x".repeat(300_000);
    let answer = wire::send(&service, "GET", "/healthcheck", &[("x-big", &big)], b"");
    assert_eq!(answer.status, 431, "{}", answer.text);
}

/// The answer's id stands in the one line that the log has of the request, beside the client's own.
#[test]
fn a_request_can_be_followed_by_its_id() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let theirs = "req-7d2f1f5e-52f5-4a5e-9d4e-0d6f5d3b3c11";
    let headers = [("x-auth-token", token.as_str()), ("x-openstack-request-id", theirs)];
    for (path, status) in [("/v1/clusters", 200), ("/v1/clusters/no-such-cluster", 404), ("/v1/nowhere", 404)] {
        let answer = request("GET", &format!("{}{path}", service.root()), &headers, None);
        assert_eq!(answer.status, status);
        let own = answer.header("x-openstack-request-id").unwrap();
        assert!(own.starts_with("req-") && own != theirs, "{own}");
        let lines: Vec<_> = wait_for("the line", Duration::from_secs(5), || {
            let log = service.log();
            let lines: Vec<_> =
                log.lines().filter(|line| line.contains(own) && line.contains("answered")).map(str::to_owned).collect();
            (!lines.is_empty()).then_some(lines)
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in [theirs, path, &status.to_string()] {
            assert!(lines[0].contains(part), "{part}: {}", lines[0]);
        }
        assert!(!lines[0].contains(&token), "{}", lines[0]);
    }
    // An id that is none, or that breaks lines, is not taken over.
    let answer =
        request("GET", &format!("{}/v1/clusters", service.root()), &[("x-openstack-request-id", "evil")], None);
    assert_eq!(answer.status, 401);
    assert!(!service.log().contains("evil"));
}
