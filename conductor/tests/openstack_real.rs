//! The clients against real services, where `JEROBOAM_TEST_CLOUD` names the `cloud.json` of a test cloud.

// Lints allow these in test functions only; their helpers stand here too.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod cloud_file;

use std::time::{Duration, Instant};

use cloud_file::TestCloud;
use conductor::cluster::Owner;
use conductor::config::ActAs;
use conductor::identity;
use conductor::openstack::keystone::{self, NewApplicationCredential};
use conductor::openstack::{
    Cloud, Delegation, Kind, Lookup, Service, Session, Validator, barbican, cinder, glance, heat, neutron, nova,
    octavia,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// A name nobody else uses.
fn unique(what: &str) -> String {
    format!("openstack-test-{what}-{}", &uuid::Uuid::new_v4().simple().to_string()[..12])
}

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

/// A person's password login.
async fn person(place: &TestCloud, name: &str) -> Session {
    Cloud::new(&place.as_user(name)).unwrap().service().await.unwrap()
}

fn is_app_credential(delegated: &Option<Delegation>) -> bool {
    matches!(delegated, Some(Delegation::ApplicationCredential { unrestricted: false, .. }))
}

#[tokio::test]
async fn sessions_of_our_user() {
    let Some(place) = TestCloud::find() else { return };
    let cloud = Cloud::new(&place.config()).unwrap();
    let home = cloud.service().await.unwrap();
    assert!(home.identity().delegated.is_none() && home.catalog().has(Service::Heat));
    let tenant = person(&place, "demo").await;
    let there = cloud.in_project(&tenant.project_id()).await.unwrap();
    assert_eq!((there.project_id(), there.user_id()), (tenant.project_id(), home.user_id()));
    assert!(!there.identity().roles.is_empty());
    let admin = person(&place, "admin").await;
    assert!(keystone::project_exists(&admin, &tenant.project_id()).await.unwrap());
    assert!(!keystone::project_exists(&admin, &"f".repeat(32)).await.unwrap());
    // A missing project and a missing role look the same, and unlike a wrong password.
    let error = cloud.in_project(&"f".repeat(32)).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotGranted);
    assert!(error.message.contains("openstack role add --user"), "{error}");
    let closed = person(&place, "closed").await;
    assert_eq!(cloud.in_project(&closed.project_id()).await.unwrap_err().kind, Kind::NotGranted);
    let mut config = place.config();
    config.keystone.password = secret("wrong-password");
    let wrong = Cloud::new(&config).unwrap();
    assert_eq!(wrong.in_project(&tenant.project_id()).await.unwrap_err().kind, Kind::Credentials);
    assert_eq!(wrong.service().await.unwrap_err().kind, Kind::Credentials);
    // A requester's token brings its own scope.
    let requester = cloud.requester(&tenant.identity().token).await.unwrap();
    assert_eq!(requester.project_id(), tenant.project_id());
    assert_eq!(cloud.requester(&secret("nonsense")).await.unwrap_err().kind, Kind::Unauthorized);
}

#[tokio::test]
async fn trust_and_its_token() {
    let Some(place) = TestCloud::find() else { return };
    let cloud = Cloud::new(&place.config()).unwrap();
    let (validator, tenant) = (Validator::new(&cloud), person(&place, "demo").await);
    let admin = cloud.trustee_domain_admin().await.unwrap();
    let domain = admin.identity().domain_id.clone().unwrap();
    let (name, password) = (unique("trustee"), secret("trustee-password"));
    assert_eq!(keystone::find_user(&admin, &domain, &name).await.unwrap(), None);
    let user = keystone::create_user(&admin, &domain, &name, &password, "made by a test").await.unwrap();
    assert_eq!(keystone::find_user(&admin, &domain, &name).await.unwrap().as_ref(), Some(&user));
    let taken = keystone::create_user(&admin, &domain, &name, &password, "").await.unwrap_err();
    assert_eq!(taken.kind, Kind::Conflict);
    let trust = keystone::create_trust(&tenant, &user.id, &["member".into()]).await.unwrap();
    let found = keystone::trusts(&tenant, &tenant.user_id(), &user.id).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&trust));

    let session = cloud.trustee(&user.id, &password, &trust.id).await.unwrap();
    assert_eq!((session.user_id(), session.project_id()), (tenant.user_id(), tenant.project_id()));
    let seen = validator.validate(&session.identity().token).await.unwrap();
    let wanted =
        Delegation::Trust { id: trust.id.clone(), trustor_user_id: tenant.user_id(), trustee_user_id: user.id.clone() };
    assert_eq!(seen.delegated, Some(wanted));
    let refused = keystone::create_trust(&session, &user.id, &["member".into()]).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Forbidden);
    let other = secret("another-password");
    keystone::set_password(&admin, &user.id, &other).await.unwrap();
    assert_eq!(cloud.trustee(&user.id, &password, &trust.id).await.unwrap_err().kind, Kind::Unauthorized);
    let session = cloud.trustee(&user.id, &other, &trust.id).await.unwrap();
    // Keystone counts a password's change in seconds: tokens of that second die with those before it.
    let end = Instant::now() + Duration::from_secs(10);
    while let Err(error) = keystone::delete_trust(&session, &trust.id).await {
        assert!(error.kind == Kind::Unauthorized && Instant::now() < end, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    keystone::delete_trust(&tenant, &trust.id).await.unwrap();
    assert!(keystone::trusts(&tenant, &tenant.user_id(), &user.id).await.unwrap().is_empty());
    keystone::delete_user(&admin, &user.id).await.unwrap();
    keystone::delete_user(&admin, &user.id).await.unwrap();
    let error = cloud.trustee(&user.id, &other, &trust.id).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Unauthorized | Kind::Forbidden | Kind::NotFound), "{error}");
}

#[tokio::test]
async fn application_credential_of_our_user() {
    let Some(place) = TestCloud::find() else { return };
    let cloud = Cloud::new(&place.config()).unwrap();
    let validator = Validator::new(&cloud);
    let there = cloud.in_project(&person(&place, "demo").await.project_id()).await.unwrap();
    let (name, word) = (unique("credential"), secret("a-long-enough-secret"));
    let roles = ["member".to_owned()];
    let new = NewApplicationCredential { name: &name, description: "made by a test", roles: &roles, secret: &word };
    assert_eq!(keystone::find_application_credential(&there, &name).await.unwrap(), None);
    let made = keystone::create_application_credential(&there, &new).await.unwrap();
    assert_eq!(made.project_id, Some(there.project_id()));
    let taken = keystone::create_application_credential(&there, &new).await.unwrap_err();
    assert_eq!(taken.kind, Kind::Conflict);
    assert!(keystone::application_credentials(&there).await.unwrap().contains(&made));
    let bearer = cloud.application_credential(&made.id, &word).await.unwrap();
    assert_eq!(bearer.project_id(), there.project_id());
    let seen = validator.validate(&bearer.identity().token).await.unwrap();
    assert!(is_app_credential(&seen.delegated), "{:?}", seen.delegated);
    assert!(seen.roles.contains(&"member".to_owned()));
    keystone::delete_application_credential(&there, &made.id).await.unwrap();
    keystone::delete_application_credential(&there, &made.id).await.unwrap();
    assert_eq!(keystone::find_application_credential(&there, &name).await.unwrap(), None);
    let wrong = cloud.application_credential(&made.id, &word).await.unwrap_err();
    assert!(matches!(wrong.kind, Kind::Unauthorized | Kind::NotFound), "{wrong}");
}

#[tokio::test]
async fn tokens_of_requests() {
    let Some(place) = TestCloud::find() else { return };
    let cloud = Cloud::new(&place.config()).unwrap();
    let (validator, tenant) = (Validator::new(&cloud), person(&place, "demo").await);
    let token = tenant.identity().token.clone();
    let seen = validator.validate(&token).await.unwrap();
    assert_eq!((&seen.user_id, seen.project_id.clone()), (&tenant.user_id(), Some(tenant.project_id())));
    assert!(seen.delegated.is_none() && seen.catalog.has(Service::Nova) && !seen.system);
    assert!(seen.domain_id.is_none() && !seen.user_domain_id.is_empty() && seen.project_domain_id.is_some());
    let begun = Instant::now();
    for _ in 0..1000 {
        validator.validate(&token).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "the second validation of a token asks nobody");
    assert_eq!(validator.validate(&secret("nonsense")).await.unwrap_err().kind, Kind::Unauthorized);
    // A user without the right to ask about others still learns who shows its own token.
    let humble = Validator::new(&Cloud::new(&place.as_user("demo")).unwrap());
    let ours = cloud.service().await.unwrap().identity();
    assert_eq!(humble.validate(&ours.token).await.unwrap().user_id, ours.user_id);
    assert_eq!(humble.validate(&secret("nonsense")).await.unwrap_err().kind, Kind::Unauthorized);
    assert!(!format!("{seen:?}{tenant:?}{cloud:?}{validator:?}").contains(token.expose_secret()));
}

#[tokio::test]
async fn who_acts() {
    let Some(place) = TestCloud::find() else { return };
    let (config, cloud) = (place.config(), Cloud::new(&place.config()).unwrap());
    let tenant = person(&place, "demo").await;
    let password = tenant.identity();
    assert_eq!(identity::choose(&cloud, &config, &password).await.unwrap(), Owner::Service);
    let mut delegated = (*password).clone();
    delegated.delegated = Some(Delegation::ApplicationCredential { id: "x".into(), unrestricted: true });
    assert_eq!(identity::choose(&cloud, &config, &delegated).await.unwrap(), Owner::Service);
    let mut requester = config.clone();
    requester.heat.act_as = ActAs::Requester;
    assert_eq!(identity::choose(&cloud, &requester, &password).await.unwrap(), Owner::Requester);
    // A project where our user holds nothing.
    let password = person(&place, "closed").await.identity();
    let mut delegated = (*password).clone();
    delegated.delegated = Some(Delegation::ApplicationCredential { id: "x".into(), unrestricted: true });
    assert_eq!(identity::choose(&cloud, &config, &password).await.unwrap(), Owner::Requester);
    let command = cloud.grant_command(password.project_id.as_deref().unwrap());
    for (act_as, who) in [(ActAs::Auto, &delegated), (ActAs::Requester, &delegated), (ActAs::Service, &*password)] {
        let mut config = config.clone();
        config.heat.act_as = act_as;
        let error = identity::choose(&cloud, &config, who).await.unwrap_err();
        assert_eq!(error.kind, conductor::Kind::Forbidden);
        assert!(error.public.contains(&command), "{error}");
    }
    let mut nowhere = (*password).clone();
    nowhere.project_id = None;
    assert_eq!(identity::choose(&cloud, &config, &nowhere).await.unwrap_err().kind, conductor::Kind::Invalid);
}

/// A stack's parts, owned.
struct Parts {
    name: String,
    stack: drivers::Stack,
    tags: Vec<String>,
}

impl Parts {
    fn new(what: &str, template: Value) -> Self {
        let (name, tag) = (unique(what), unique("tag"));
        let (files, parameters, hidden) = Default::default();
        let stack = drivers::Stack { template, files, parameters, hidden, timeout_mins: Some(5) };
        Self { name, stack, tags: vec!["jeroboam-test".into(), tag] }
    }

    fn stack(&self) -> heat::NewStack<'_> {
        heat::NewStack { name: &self.name, stack: &self.stack, tags: &self.tags }
    }
}

/// Waits until the stack leaves its action; `None` when it is gone.
async fn settled(session: &Session, name: &str, id: &str) -> Option<heat::Stack> {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let stack = heat::get(session, name, id, true).await.unwrap();
        match &stack {
            Some(stack) if stack.stack_status.ends_with("_IN_PROGRESS") => {}
            Some(stack) if stack.stack_status == "DELETE_COMPLETE" => return None,
            _ => return stack,
        }
        assert!(Instant::now() < end, "the stack {name} does not settle");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_stack_s_life() {
    let Some(place) = TestCloud::find() else { return };
    let cloud = Cloud::new(&place.config()).unwrap();
    let session = cloud.in_project(&person(&place, "demo").await.project_id()).await.unwrap();
    let mut parts = Parts::new(
        "life",
        json!({
            "heat_template_version": "2018-08-31",
            "parameters": {"length": {"type": "number"}, "word": {"type": "string", "hidden": true}},
            "resources": {"random": {"type": "OS::Heat::RandomString", "properties": {"length": {"get_param": "length"}}}},
            "outputs": {"value": {"value": {"get_attr": ["random", "value"]}}}
        }),
    );
    parts.stack.parameters.insert("length".into(), 12.into());
    parts.stack.hidden.insert("word".into(), "canary-of-the-test".into());
    assert_eq!(heat::find(&session, &parts.name).await.unwrap(), None);
    let id = heat::create(&session, &parts.stack()).await.unwrap();
    assert_eq!(heat::find(&session, &parts.name).await.unwrap().as_ref(), Some(&id));
    assert_eq!(heat::create(&session, &parts.stack()).await.unwrap_err().kind, Kind::Conflict);
    let stack = settled(&session, &parts.name, &id).await.unwrap();
    assert_eq!(stack.stack_status, "CREATE_COMPLETE");
    assert_eq!(stack.outputs()["value"].as_str().map(str::len), Some(12));
    assert_eq!(stack.tags, parts.tags);
    assert!(!format!("{:?}", stack.parameters).contains("canary"));
    assert!(heat::get(&session, &parts.name, &id, false).await.unwrap().unwrap().outputs().is_empty());
    assert!(heat::failures(&session, &parts.name, &id).await.unwrap().is_empty());

    let tags: Vec<&str> = parts.tags.iter().map(String::as_str).collect();
    let tagged = heat::Which::Tagged(&tags);
    let by_id = ["00000000-0000-4000-8000-000000000000", id.as_str()];
    for which in [tagged, heat::Which::These(&by_id)] {
        let listed = heat::list(&session, which, false).await.unwrap();
        assert_eq!(listed.iter().map(|stack| &stack.id).collect::<Vec<_>>(), [&id], "{which:?}");
    }
    assert!(heat::list(&session, heat::Which::These(&[]), false).await.unwrap().is_empty());
    let home = cloud.service().await.unwrap();
    match heat::list(&home, tagged, true).await {
        Ok(everywhere) => {
            assert_eq!((everywhere.len(), &everywhere[0].id), (1, &id));
            assert_eq!(everywhere[0].project, Some(session.project_id()));
        }
        Err(error) => assert!(heat::is_not_global(&error), "{error}"),
    }
    let refused = heat::list(&session, tagged, true).await.unwrap_err();
    assert!(heat::is_not_global(&refused), "{refused}");
    assert!(heat::page(&session, tagged, false, 1, Some(&id)).await.unwrap().is_empty());

    let longer: Map<String, Value> = [("length".to_owned(), 20.into())].into_iter().collect();
    let mut marked = parts.tags.clone();
    marked.push("jeroboam-op-0a1b2c3d-0000-4000-8000-000000000001-resize".into());
    let none = std::collections::BTreeMap::new();
    let change = heat::Parameters {
        parameters: &longer,
        handed_down: &none,
        files: &none,
        tags: &marked,
        timeout_mins: Some(7),
    };
    heat::change_parameters(&session, &parts.name, &id, &change).await.unwrap();
    // An accepted update shows its tags at once, and never the end of what was before.
    let stack = heat::get(&session, &parts.name, &id, false).await.unwrap().unwrap();
    assert!(stack.stack_status.starts_with("UPDATE_"), "{}", stack.stack_status);
    assert_eq!(stack.tags, marked);
    let stack = settled(&session, &parts.name, &id).await.unwrap();
    assert_eq!(stack.stack_status, "UPDATE_COMPLETE");
    assert_eq!(stack.outputs()["value"].as_str().map(str::len), Some(20));
    parts.stack.parameters.insert("length".into(), 7.into());
    heat::update(&session, &id, &parts.stack()).await.unwrap();
    let stack = settled(&session, &parts.name, &id).await.unwrap();
    assert_eq!(stack.outputs()["value"].as_str().map(str::len), Some(7));

    assert!(heat::delete(&session, &parts.name, &id).await.unwrap());
    assert_eq!(settled(&session, &parts.name, &id).await, None);
    let end = Instant::now() + Duration::from_secs(10);
    while heat::find(&session, &parts.name).await.unwrap().is_some() {
        assert!(Instant::now() < end, "a deleted stack keeps its name");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!heat::delete(&session, &parts.name, &uuid::Uuid::new_v4().to_string()).await.unwrap());
}

#[tokio::test]
async fn refusals_of_templates() {
    let Some(place) = TestCloud::find() else { return };
    let cloud = Cloud::new(&place.config()).unwrap();
    let session = cloud.in_project(&person(&place, "demo").await.project_id()).await.unwrap();
    let resources = json!({"random": {"type": "OS::Heat::RandomString", "properties": {"lenght": 3}}});
    let template = json!({"heat_template_version": "2018-08-31", "resources": resources});
    let parts = Parts::new("bad", template);
    let error = heat::validate(&session, &parts.stack()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
    let error = heat::create(&session, &parts.stack()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.message.contains("lenght"), "{error}");
    let resources = json!({"random": {"type": "OS::Heat::RandomString"}});
    let mut template = json!({"heat_template_version": "2018-08-31", "resources": resources});
    heat::validate(&session, &Parts::new("good", template.clone()).stack()).await.unwrap();
    template["description"] = "x".repeat(1200 << 10).into();
    let error = heat::create(&session, &Parts::new("large", template).stack()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Quota, "{error}");
}

#[tokio::test]
async fn the_failing_leaf() {
    let Some(place) = TestCloud::find() else { return };
    let cloud = Cloud::new(&place.config()).unwrap();
    let session = cloud.in_project(&person(&place, "demo").await.project_id()).await.unwrap();
    let group = json!({"count": 1, "resource_def": {"type": "node.yaml"}});
    let template = json!({
        "heat_template_version": "2018-08-31",
        "resources": {"masters": {"type": "OS::Heat::ResourceGroup", "properties": group}}
    });
    let node = json!({
        "heat_template_version": "2018-08-31",
        "resources": {
            "server": {"type": "OS::Heat::TestResource", "properties": {"fail": true, "value": "x"}},
            "fine": {"type": "OS::Heat::RandomString"}
        }
    });
    let mut parts = Parts::new("leaf", template);
    parts.stack.files.insert("node.yaml".into(), node.to_string());
    let id = heat::create(&session, &parts.stack()).await.unwrap();
    assert_eq!(settled(&session, &parts.name, &id).await.unwrap().stack_status, "CREATE_FAILED");
    let failures = heat::failures(&session, &parts.name, &id).await.unwrap();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!((failures[0].path.as_str(), failures[0].resource_name.as_str()), ("masters/0/server", "server"));
    assert_eq!(failures[0].resource_type, "OS::Heat::TestResource");
    assert!(!failures[0].reason.is_empty());
    heat::delete(&session, &parts.name, &id).await.unwrap();
    assert_eq!(settled(&session, &parts.name, &id).await, None);
}

#[tokio::test]
async fn a_secret_s_life() {
    let Some(place) = TestCloud::find() else { return };
    let cloud = Cloud::new(&place.config()).unwrap();
    let session = cloud.in_project(&person(&place, "demo").await.project_id()).await.unwrap();
    let (name, payload) = (unique("secret"), "-----BEGIN KEY-----\nö+/=\n-----END KEY-----\n");
    assert!(barbican::find(&session, &name).await.unwrap().is_empty());
    let at = barbican::store(&session, &name, &secret(payload)).await.unwrap();
    assert_eq!(barbican::find(&session, &name).await.unwrap()[0].secret_ref, at);
    assert_eq!(barbican::get(&session, &at).await.unwrap().unwrap().expose_secret(), payload);
    barbican::delete(&session, &at).await.unwrap();
    barbican::delete(&session, &at).await.unwrap();
    assert!(barbican::get(&session, &at).await.unwrap().is_none());
    assert_eq!(barbican::get(&session, "http://h/v1/secrets/..").await.unwrap_err().kind, Kind::Invalid);
}

#[tokio::test]
async fn look_ups() {
    let Some(place) = TestCloud::find() else { return };
    let session = person(&place, "demo").await;
    let small = nova::flavor(&session, "m1.small").await.unwrap().unwrap();
    assert_eq!(nova::flavor(&session, &small.id).await.unwrap(), Some(small));
    assert_eq!(nova::flavor(&session, "no such/flavor?").await.unwrap(), None);
    assert!(nova::keypair(&session, "missing").await.unwrap().is_none());
    let key = nova::keypair(&session, "testkey").await.unwrap().unwrap();
    assert!(key.public_key.starts_with("ssh-"), "{}", key.public_key);
    let room = nova::limits(&session).await.unwrap();
    assert!(room.instances.fits(1) && room.cores.limit != 0 && room.ram.limit != 0);
    let Lookup::One(public) = neutron::network(&session, "public", Some(true)).await.unwrap() else {
        panic!("no external network")
    };
    assert_eq!(neutron::network(&session, &public.id, None).await.unwrap(), Lookup::One(public.clone()));
    assert_eq!(neutron::network(&session, &public.id, Some(false)).await.unwrap(), Lookup::None);
    assert_eq!(neutron::network(&session, "nowhere", None).await.unwrap(), Lookup::None);
    let Lookup::One(private) = neutron::network(&session, "private", Some(false)).await.unwrap() else {
        panic!("no private network")
    };
    let subnets = neutron::subnets_of(&session, &private.id).await.unwrap();
    let by_name = neutron::subnet(&session, &subnets[0].name, Some(&private.id)).await.unwrap();
    assert_eq!(by_name, Lookup::One(subnets[0].clone()));
    assert_eq!(neutron::subnet(&session, &subnets[0].id, Some(&public.id)).await.unwrap(), Lookup::None);
    assert!(neutron::quotas(&session).await.unwrap().unwrap()["network"].limit != 0);
    let Lookup::One(image) = glance::image(&session, "ubuntu-24.04").await.unwrap() else { panic!("no image") };
    assert_eq!(image.property("os_distro"), Some("ubuntu"));
    assert_eq!(glance::image(&session, &image.id).await.unwrap(), Lookup::One(image));
    // Names that two have; names only others have.
    assert_eq!(glance::image(&session, "twin").await.unwrap(), Lookup::Many(2));
    assert_eq!(neutron::network(&session, "twin", None).await.unwrap(), Lookup::Many(2));
    assert_eq!(neutron::subnet(&session, "twin-subnet", None).await.unwrap(), Lookup::Many(2));
    assert_eq!(glance::image(&session, "demo2-only").await.unwrap(), Lookup::None);
    assert_eq!(neutron::network(&session, "demo2-only", None).await.unwrap(), Lookup::None);
    assert_eq!(glance::image(&session, "no such image").await.unwrap(), Lookup::None);
    assert_eq!(glance::image(&session, &uuid::Uuid::new_v4().to_string()).await.unwrap(), Lookup::None);
    if session.catalog().has(Service::Cinder) {
        assert_eq!(cinder::volume_type(&session, "no such type").await.unwrap(), None);
        let ssd = cinder::volume_type(&session, "ssd").await.unwrap().unwrap();
        assert_eq!(cinder::volume_type(&session, &ssd.id).await.unwrap(), Some(ssd));
        assert!(cinder::limits(&session).await.unwrap().volumes.limit != 0);
    }
    if session.catalog().has(Service::Octavia) {
        assert!(octavia::load_balancers(&session, Some(&private.id)).await.unwrap().is_empty());
    }
}
