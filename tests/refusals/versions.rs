//! Microversions: three ways to be refused, told apart by their bodies and headers.

use serde_json::{Value, json};

use super::support::http::{Answer, request};
use super::support::service::Service;
use super::token;
use super::{assert_refused, service};

/// A request at that microversion.
pub(crate) fn call_at(
    service: &Service,
    token: &str,
    version: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let version = format!("container-infra {version}");
    let headers = [("x-auth-token", token), ("openstack-api-version", version.as_str())];
    request(method, &format!("{}{path}", service.endpoint()), &headers, body)
}

fn with_header(service: &Service, token: &str, value: &str) -> Answer {
    let headers = [("x-auth-token", token), ("openstack-api-version", value)];
    request("GET", &format!("{}/clusters", service.endpoint()), &headers, None)
}

#[test]
fn a_header_that_cannot_be_read() {
    let service = service();
    let token = token("demo");
    for value in ["container-infra", "1.9", "container-infra 1", "container-infra 1.x", "container-infra 1.9 x"] {
        let answer = with_header(&service, &token, value);
        assert_refused(&answer, 406, &["Invalid value for OpenStack-API-Version header"]);
        assert_eq!(answer.header("openstack-api-version"), None, "{value}");
    }
    for value in ["compute 2.90", "Container-Infra 1.9", "magnum 1.9"] {
        let answer = with_header(&service, &token, value);
        assert_refused(&answer, 406, &["Invalid service type for OpenStack-API-Version header"]);
    }
}

#[test]
fn a_version_outside_of_the_range() {
    let service = service();
    let token = token("demo");
    for version in ["1.0", "1.15", "2.1", "0.9"] {
        let answer = call_at(&service, &token, version, "GET", "/clusters", None);
        assert_eq!(answer.status, 406);
        let error = &answer.json()["errors"][0];
        assert_eq!(error["code"], "magnum.microversion-unsupported");
        assert_eq!(error["title"], "Requested microversion is unsupported");
        assert_eq!((&error["min_version"], &error["max_version"]), (&json!("1.1"), &json!("1.14")));
        let text = error["description"].as_str().unwrap();
        assert!(text.contains(version) && text.contains("1.1") && text.contains("1.14"), "{text}");
        assert_eq!(error.get("status"), None);
        let header = |name| answer.header(name).unwrap().to_owned();
        assert_eq!(header("openstack-api-version"), format!("container-infrastructure-management {version}"));
        assert_eq!(header("openstack-api-maximum-version"), "container-infrastructure-management 1.14");
        assert_eq!(header("openstack-api-minimum-version"), "container-infrastructure-management 1.1");
    }
    // The version document is checked even without a token, the root is not.
    let headers = [("openstack-api-version", "container-infra 1.99")];
    assert_eq!(request("GET", &service.endpoint(), &headers, None).status, 406);
    assert_eq!(request("GET", &service.root(), &headers, None).status, 200);
}

#[test]
fn an_answer_the_client_would_not_take() {
    let service = service();
    let token = token("demo");
    for accept in ["text/html", "application/xml"] {
        let headers = [("x-auth-token", token.as_str()), ("accept", accept)];
        let answer = request("GET", &format!("{}/clusters", service.endpoint()), &headers, None);
        assert_refused(&answer, 406, &[]);
        assert_eq!(answer.json()["errors"][0]["detail"], "");
    }
}
