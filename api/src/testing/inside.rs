//! Tokens that lie inside a cluster: of its trustee, and of its application credential.

use conductor::cluster::{Changes, spare, store};
use conductor::column::now;
use serde_json::{Value, json};

use super::cloud::{MEMBER, Service};

/// Alice's token by a trust to the first cluster's trustee; an administrator's; one by the cluster's credential; one by
/// the credential that is to take that one's place.
const TRUSTEE: &str = "alice:p1:member,reader:trust=trustee-1";
const ADMINS: &str = "alice:p1:admin,member,reader:trust=trustee-1";
const CREDENTIAL: &str = "alice:p1:member,reader:credential=credential-1";
const SPARE: &str = "alice:p1:member,reader:credential=credential-2";
/// The same rights in the hands of somebody who is no cluster.
const PERSON: &str = "alice:p1:member,reader:trust=bob";
const PIPELINE: &str = "alice:p1:member,reader:credential=ci";

#[tokio::test]
async fn a_token_from_inside_a_cluster_opens_that_clusters_certificates_only() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await;
    let own = service.cluster(MEMBER, &template, json!({})).await;
    let other = service.cluster(MEMBER, &template, json!({})).await;
    let inside = Changes {
        trustee_user_id: Some(Some("trustee-1".into())),
        credential_id: Some(Some("credential-1".into())),
        ..Default::default()
    };
    assert!(store::change(&service.api.conductor.db, &own, inside).await.unwrap());
    let next = spare::Spare {
        cluster_uuid: own.clone(),
        operation_uuid: "operation".into(),
        name: "credential".into(),
        secret: None,
        subject_id: Some("credential-2".into()),
        trust_id: None,
        created_at: now(),
    };
    spare::store::keep(&service.api.conductor.db, next).await.unwrap();
    let (template, csr) = (template["uuid"].as_str().unwrap(), json!({"cluster_uuid": own, "csr": "junk"}));
    for who in [TRUSTEE, ADMINS, CREDENTIAL, SPARE] {
        // Allowed: the keys are still to be made, and the request for a signature is none.
        assert_eq!(service.ask(who, &format!("GET /v1/certificates/{own}"), Value::Null).await.0, 404, "{who}");
        assert_eq!(service.ask(who, "POST /v1/certificates", csr.clone()).await.0, 400, "{who}");
        for line in [
            format!("GET /v1/certificates/{other}"),
            format!("GET /v1/clusters/{own}"),
            format!("DELETE /v1/clusters/{own}"),
            format!("DELETE /v1/clusters/{other}"),
            format!("DELETE /v1/clustertemplates/{template}"),
            "GET /v1/clusters".into(),
            "GET /v1/clusters/detail".into(),
            "GET /v1/clustertemplates".into(),
            "GET /v1/stats".into(),
            "GET /v1/mservices".into(),
            "GET /v1/quotas/p1/Cluster".into(),
        ] {
            let (status, text) = service.refused(who, &line, Value::Null).await;
            assert!(status == 403 && text.starts_with("Policy doesn't allow "), "{line} as {who}: {status} {text}");
        }
        let body = json!({"cluster_template_id": template});
        assert_eq!(service.ask(who, "POST /v1/clusters", body).await.0, 403, "{who}");
    }
    // Keystone's word about a token is believed for a while, also after the rotation is over.
    spare::store::forget(&service.api.conductor.db, &own).await.unwrap();
    assert_eq!(service.ask(SPARE, "GET /v1/clusters", Value::Null).await.0, 403);
    for who in [PERSON, PIPELINE] {
        assert_eq!(service.ask(who, &format!("GET /v1/clusters/{own}"), Value::Null).await.0, 200, "{who}");
        assert_eq!(service.ask(who, "GET /v1/clusters", Value::Null).await.0, 200, "{who}");
    }
}
