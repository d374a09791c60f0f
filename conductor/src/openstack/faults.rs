//! How the clients meet a cloud that misbehaves.

mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::error::{Kind, Result};
use super::heat::{self, NewStack, Which};
use super::{Cloud, REQUEST_ID, Validator, stage};

const STACKS: &str = "/heat/v1/p/stacks";

fn none() -> axum::Json<Value> {
    axum::Json(json!({"stacks": []}))
}

/// A service at [`STACKS`] that counts its calls and answers with what `answer` gives for the call's number.
fn counted<F, A>(answer: F) -> (Router, Arc<AtomicUsize>)
where
    F: Fn(usize, HeaderMap) -> A + Clone + Send + Sync + 'static,
    A: IntoResponse + Send + 'static,
{
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let handler = move |request: Request| {
        let number = seen.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = answer(number, request.headers().clone());
        async move { answer }
    };
    (Router::new().route(STACKS, get(handler.clone()).post(handler)), calls)
}

async fn list(cloud: &Cloud) -> Result<usize> {
    Ok(heat::list(&cloud.service().await?, Which::Tagged(&[]), false).await?.len())
}

async fn create(cloud: &Cloud) -> Result<String> {
    let (files, parameters, template) = Default::default();
    let hidden = [("token".to_owned(), "canary-hidden".to_owned())].into_iter().collect();
    let stack = drivers::Stack { template, files, parameters, hidden, timeout_mins: None };
    heat::create(&cloud.service().await?, &NewStack { name: "s", stack: &stack, tags: &[] }).await
}

#[tokio::test]
async fn a_reading_call_is_repeated_and_a_writing_one_is_not() {
    let answer = |number, _| match number % 3 {
        0 => none().into_response(),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let (heat, calls) = counted(answer);
    let (cloud, _) = stage::cloud(heat, 3600).await;
    assert_eq!(list(&cloud).await.unwrap(), 0);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    let error = create(&cloud).await.unwrap_err();
    assert_eq!((error.kind, error.status, calls.load(Ordering::SeqCst)), (Kind::Unavailable, Some(503), 4));
}

#[tokio::test]
async fn repetition_ends() {
    let (heat, calls) = counted(|_, _| (StatusCode::INTERNAL_SERVER_ERROR, "<h1>boom</h1>"));
    let (cloud, _) = stage::cloud(heat, 3600).await;
    let error = list(&cloud).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str(), calls.load(Ordering::SeqCst)), (Kind::Unavailable, "boom", 3));
    // A pause longer than the deadline is not waited for.
    let (heat, calls) = counted(|_, _| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")]));
    let (cloud, _) = stage::cloud(heat, 3600).await;
    let begun = Instant::now();
    assert_eq!(list(&cloud).await.unwrap_err().kind, Kind::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(1) && calls.load(Ordering::SeqCst) == 1);
}

#[tokio::test]
async fn nobody_listens() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let cloud = Cloud::new(&stage::config(&format!("http://{free}/v3"))).unwrap();
    let begun = Instant::now();
    let error = cloud.service().await.unwrap_err();
    assert_eq!((error.kind, error.status), (Kind::Unavailable, None));
    assert!(error.message.contains("refused"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));
    let error = Validator::new(&cloud).validate(&"user".to_owned().into()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
}

#[tokio::test]
async fn silence_and_dripping_end_at_the_deadline() {
    let silent = Router::new().route(STACKS, get(|| async { std::future::pending::<()>().await }));
    let drip = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Some((Ok::<_, std::io::Error>("x"), ()))
    });
    let drip = Arc::new(std::sync::Mutex::new(Some(Box::pin(drip))));
    let dripping = Router::new().route(
        STACKS,
        get(move || async move { Body::from_stream(drip.lock().unwrap().take().unwrap()).into_response() }),
    );
    for heat in [silent, dripping] {
        let (cloud, _) = stage::cloud(heat, 3600).await;
        let begun = Instant::now();
        let error = list(&cloud).await.unwrap_err();
        assert_eq!((error.kind, error.status), (Kind::Timeout, None));
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(1900) && took < Duration::from_secs(4), "{took:?}");
    }
}

#[tokio::test]
async fn a_huge_answer_is_not_read() {
    let endless = || futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 16]));
    let heat = Router::new().route(STACKS, get(move || async move { Body::from_stream(endless()) }));
    let (cloud, _) = stage::cloud(heat, 3600).await;
    let error = list(&cloud).await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
    assert!(error.message.contains("larger than 16777216 bytes"), "{error}");
}

#[tokio::test]
async fn an_answer_of_another_shape_is_named() {
    let (heat, _) = counted(|number, _| if number == 1 { "<html>" } else { r#"{"stacks": 3}"# });
    let (cloud, _) = stage::cloud(heat, 3600).await;
    assert_eq!(list(&cloud).await.unwrap_err().kind, Kind::Protocol);
    let error = list(&cloud).await.unwrap_err();
    assert!(error.message.contains("stacks"), "{error}");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let answer = |_, headers: HeaderMap| match headers["x-auth-token"] == "token-2" {
        true => none().into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    };
    let (heat, calls) = counted(answer);
    let (cloud, keystone) = stage::cloud(heat, 3600).await;
    // Many at once log in once more, together.
    let session = cloud.service().await.unwrap();
    let all = (0..20).map(|_| heat::list(&session, Which::Tagged(&[]), false));
    for outcome in futures::future::join_all(all).await {
        outcome.unwrap();
    }
    assert_eq!(keystone.logins.load(Ordering::SeqCst), 2);
    assert!(calls.load(Ordering::SeqCst) <= 40);
    // A service that refuses every token is not asked for ever.
    let (heat, calls) = counted(|_, _| StatusCode::UNAUTHORIZED);
    let (cloud, keystone) = stage::cloud(heat, 3600).await;
    assert_eq!(list(&cloud).await.unwrap_err().kind, Kind::Unauthorized);
    assert_eq!((calls.load(Ordering::SeqCst), keystone.logins.load(Ordering::SeqCst)), (2, 2));
    // Somebody else's token cannot be renewed.
    let requester = cloud.requester(&"user-token".to_owned().into()).await.unwrap();
    assert_eq!(heat::list(&requester, Which::Tagged(&[]), false).await.unwrap_err().kind, Kind::Unauthorized);
    assert_eq!((calls.load(Ordering::SeqCst), keystone.logins.load(Ordering::SeqCst)), (3, 2));
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed_before() {
    let (heat, _) = counted(|_, headers| match headers["x-auth-token"].as_bytes() {
        b"token-1" => StatusCode::IM_A_TEAPOT.into_response(),
        _ => none().into_response(),
    });
    // It lives a second, so a quarter before its end it is renewed.
    let (cloud, keystone) = stage::cloud(heat, 1).await;
    let session = cloud.service().await.unwrap();
    let expires_at = session.identity().expires_at;
    while chrono::Utc::now() < expires_at - chrono::TimeDelta::milliseconds(200) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(heat::list(&session, Which::Tagged(&[]), false).await.unwrap().len(), 0);
    assert_eq!(keystone.logins.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_stays_with_its_origin() {
    let (elsewhere, visits) = counted(|_, _| none());
    let elsewhere = stage::serve(elsewhere).await;
    let target = format!("{elsewhere}{STACKS}");
    let heat = Router::new().route(STACKS, get(move || async move { Redirect::temporary(&target) }));
    let (cloud, _) = stage::cloud(heat, 3600).await;
    let error = list(&cloud).await.unwrap_err();
    assert_eq!((error.kind, visits.load(Ordering::SeqCst)), (Kind::Protocol, 0));
    assert!(error.message.contains(&elsewhere), "{error}");
    // Within its origin a redirect is followed, a few times.
    let heat = Router::new().route(STACKS, get(|| async { Redirect::temporary("/heat/v1/p/other?x=1") })).route(
        "/heat/v1/p/other",
        get(|headers: HeaderMap| async move {
            assert_eq!(headers["x-auth-token"], "token-1");
            none()
        }),
    );
    let (cloud, _) = stage::cloud(heat, 3600).await;
    assert_eq!(list(&cloud).await.unwrap(), 0);
    let heat = Router::new().route(STACKS, get(|| async { Redirect::temporary(STACKS) }));
    let (cloud, _) = stage::cloud(heat, 3600).await;
    assert_eq!(list(&cloud).await.unwrap_err().kind, Kind::Protocol);
}

#[tokio::test]
async fn a_stack_s_identifier_comes_from_the_redirect_s_path() {
    let id = "bce6ddda-4967-4c47-a539-2c451cf911b1";
    let heat =
        Router::new().route(
            "/heat/v1/p/stacks/{name}",
            get(move || async move {
                (StatusCode::FOUND, [("location", format!("http://inside:8004/v1/p/stacks/s/{id}"))])
            }),
        );
    let (cloud, _) = stage::cloud(heat, 3600).await;
    let session = cloud.service().await.unwrap();
    assert_eq!(heat::find(&session, "s").await.unwrap().as_deref(), Some(id));
}

#[tokio::test]
async fn an_error_s_text_holds_no_secret() {
    let echo = |headers: HeaderMap, body: String| async move {
        assert!(body.contains("canary-hidden"));
        let text = format!("{:?} and {body}", headers["x-auth-token"].to_str().unwrap());
        (StatusCode::BAD_REQUEST, axum::Json(json!({"error": {"message": text}})))
    };
    let (cloud, keystone) = stage::cloud(Router::new().route(STACKS, post(echo)), 3600).await;
    let error = create(&cloud).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary") && !error.message.contains("token-1"), "{error}");
    assert!(error.message.contains("***"), "{error}");
    let session = cloud.service().await.unwrap();
    let shown = format!("{session:?} {cloud:?} {:?}", session.identity());
    assert!(!shown.contains("token-1") && !shown.contains("canary"), "{shown}");
    keystone.status.store(500, Ordering::SeqCst);
    let error = session.log_in_again().await.unwrap_err();
    assert!(!format!("{error:?}").contains("canary"));
}

#[tokio::test]
async fn the_request_s_id_goes_along() {
    let (heat, _) = counted(|_, headers: HeaderMap| match headers.get("x-openstack-request-id") {
        Some(id) if id == "req-1" && headers["user-agent"] == "jeroboam" => none().into_response(),
        _ => StatusCode::BAD_REQUEST.into_response(),
    });
    let (cloud, _) = stage::cloud(heat, 3600).await;
    REQUEST_ID.scope("req-1".into(), async { list(&cloud).await.unwrap() }).await;
    assert_eq!(list(&cloud).await.unwrap_err().kind, Kind::Invalid);
}

#[tokio::test]
async fn a_project_s_refusal_is_told_from_a_wrong_password_and_remembered() {
    let (cloud, keystone) = stage::cloud(Router::new(), 3600).await;
    keystone.refuses_projects.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let error = cloud.in_project("p1").await.unwrap_err();
        assert_eq!(error.kind, Kind::NotGranted);
    }
    // The refused login, the first login at home, and the one that proves the password.
    assert_eq!(keystone.logins.load(Ordering::SeqCst), 3);
    keystone.refuses_projects.store(false, Ordering::SeqCst);
    cloud.forget_refusal("p1").await;
    cloud.in_project("p1").await.unwrap();
    cloud.in_project("p1").await.unwrap();
    assert_eq!(keystone.logins.load(Ordering::SeqCst), 4);
    // A role that is taken away shows at the next renewal, and the session is given up.
    keystone.refuses_projects.store(true, Ordering::SeqCst);
    let session = cloud.in_project("p1").await.unwrap();
    assert_eq!(session.log_in_again().await.unwrap_err().kind, Kind::NotGranted);
    assert_eq!(cloud.in_project("p1").await.unwrap_err().kind, Kind::NotGranted);
}

#[tokio::test]
async fn validations_are_shared_remembered_and_bounded_by_expiry() {
    let (cloud, keystone) = stage::cloud(Router::new(), 3600).await;
    let validator = Validator::new(&cloud);
    let token: SecretString = "user-1".to_owned().into();
    let all = futures::future::join_all((0..50).map(|_| validator.validate(&token))).await;
    assert!(all.into_iter().all(|outcome| outcome.unwrap().user_id == "u"));
    assert_eq!(keystone.validations.load(Ordering::SeqCst), 1);
    let wrong: SecretString = "wrong".to_owned().into();
    for _ in 0..3 {
        assert_eq!(validator.validate(&wrong).await.unwrap_err().kind, Kind::Unauthorized);
    }
    assert_eq!(keystone.validations.load(Ordering::SeqCst), 2);
    for hopeless in ["", "a b", "ü", &"x".repeat(9000)] {
        assert_eq!(validator.validate(&hopeless.to_owned().into()).await.unwrap_err().kind, Kind::Unauthorized);
    }
    assert_eq!(keystone.validations.load(Ordering::SeqCst), 2);
    // While Keystone is away, what is known stays known; what is not is neither accepted nor called invalid.
    keystone.status.store(503, Ordering::SeqCst);
    validator.validate(&token).await.unwrap();
    let error = validator.validate(&"user-2".to_owned().into()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    keystone.status.store(200, Ordering::SeqCst);
    validator.validate(&"user-2".to_owned().into()).await.unwrap();
}

#[tokio::test]
async fn a_token_is_not_believed_past_its_expiry() {
    let (cloud, keystone) = stage::cloud(Router::new(), 1).await;
    let validator = Validator::new(&cloud);
    let token: SecretString = "user-1".to_owned().into();
    let expires_at = validator.validate(&token).await.unwrap().expires_at;
    while chrono::Utc::now() <= expires_at {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    validator.validate(&token).await.unwrap();
    assert_eq!(keystone.validations.load(Ordering::SeqCst), 2);
}

#[test]
fn a_configuration_that_cannot_work_is_refused_by_name() {
    let error = Cloud::new(&stage::config("keystone:5000")).unwrap_err();
    assert!(error.public.contains("[keystone] auth_url") && error.public.contains("keystone:5000"), "{error}");
    let mut config = stage::config("http://127.0.0.1/v3");
    let file = tempfile::NamedTempFile::new().unwrap();
    config.keystone.cafile = Some(file.path().to_owned());
    let error = Cloud::new(&config).unwrap_err();
    assert!(error.public.contains("[keystone] cafile") && error.public.contains("no certificate"), "{error}");
    config.keystone.cafile = Some("/nonexistent.pem".into());
    assert!(Cloud::new(&config).unwrap_err().public.contains("/nonexistent.pem"));
}
