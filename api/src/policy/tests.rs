//! Our rules against what oslo.policy said to the same cases (`record.py`), and the defaults against the contract.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::rules::{PolicyError, Rules};
use super::{Credentials, Enforcer, Target};

#[derive(serde::Deserialize)]
struct Recorded {
    callers: BTreeMap<String, Value>,
    targets: Vec<BTreeMap<String, String>>,
    common: BTreeMap<String, serde_yaml::Value>,
    cases: Vec<(serde_yaml::Value, [bool; 4])>,
    sets: Vec<(BTreeMap<String, serde_yaml::Value>, [bool; 4])>,
    scopes: BTreeMap<String, bool>,
}

impl Recorded {
    fn read() -> Self {
        serde_json::from_str(include_str!("recorded.json")).unwrap()
    }

    fn caller(&self, name: &str) -> Credentials {
        let caller = &self.callers[name];
        let text = |field: &str| caller[field].as_str().map(str::to_owned);
        Credentials {
            user_id: text("user_id"),
            project_id: text("project_id"),
            domain_id: text("domain_id"),
            user_domain_id: text("user_domain_id"),
            system_scope: text("system_scope"),
            roles: serde_json::from_value(caller["roles"].clone()).unwrap(),
            is_admin: caller["is_admin"].as_bool().unwrap(),
            ..Credentials::default()
        }
    }

    fn answers(&self, rules: &Rules) -> [bool; 4] {
        let mut pairs = Vec::new();
        for caller in ["member", "admin"] {
            for target in &self.targets {
                let target = target.iter().fold(Target::default(), |all, (name, value)| all.with(name, value));
                let rule = rules.get("asked");
                pairs.push(rule.is_some_and(|rule| rule.holds(rules, &self.caller(caller), &target)));
            }
        }
        pairs.try_into().unwrap()
    }
}

#[test]
fn rules_mean_what_they_mean_to_oslo_policy() {
    let recorded = Recorded::read();
    assert!(recorded.cases.len() > 100);
    for (expression, expected) in &recorded.cases {
        let mut rules = recorded.common.clone();
        rules.insert("asked".into(), expression.clone());
        let answers = recorded.answers(&Rules::only(&rules).unwrap());
        assert_eq!(answers, *expected, "{expression:?}");
    }
}

#[test]
fn the_rule_named_default_stands_for_those_not_defined() {
    let recorded = Recorded::read();
    for (rules, expected) in &recorded.sets {
        assert_eq!(recorded.answers(&Rules::only(rules).unwrap()), *expected, "{rules:?}");
    }
}

#[test]
fn only_tokens_of_a_project_may_do_anything() {
    let recorded = Recorded::read();
    let enforcer = Enforcer::open(None, false).unwrap();
    for (caller, expected) in &recorded.scopes {
        let mut caller = recorded.caller(caller);
        caller.roles.push("admin".into());
        assert_eq!(enforcer.allow("cluster:create", &caller, &Target::object("p", "u")), *expected, "{caller:?}");
        assert!(enforcer.is_admin(&caller), "{caller:?}");
    }
}

fn read(yaml: &str) -> Result<Rules, PolicyError> {
    Rules::read(yaml, false)
}

fn refusal(yaml: &str) -> String {
    read(yaml).unwrap_err().to_string()
}

#[test]
fn http_checks_are_refused_with_their_name() {
    for yaml in [
        "cluster:create: http://authz.example.org/%(project_id)s",
        "cluster:create: 'role:admin or (not https://authz.example.org/)'",
        "cluster:create: [['http://x']]",
    ] {
        let text = refusal(yaml);
        assert!(text.contains("\"cluster:create\"") && text.contains("another server"), "{text}");
    }
}

#[test]
fn circles_are_refused_with_their_path() {
    assert!(refusal("a: rule:a").contains("a -> a"));
    assert!(refusal("a: 'rule:b or @'\nb: 'not rule:c'\nc: '(@ and rule:a)'").contains("a -> b -> c -> a"));
    assert!(refusal("default: rule:absent").contains("default -> default"), "through the fallback");
    assert!(refusal("context_is_admin: rule:admin_api").contains("admin_api -> context_is_admin -> admin_api"));
    read("a: 'rule:b and rule:c'\nb: rule:c\nc: '@'").unwrap();
}

#[test]
fn long_chains_are_refused_and_wide_ones_are_not() {
    let chain = |length: usize| -> String {
        let links = (0..length).map(|i| format!("r{i:05}: 'rule:r{:05} or rule:r{:05}'\n", i + 1, i + 1));
        links.chain([format!("r{length:05}: '@'\n")]).collect()
    };
    read(&chain(30)).unwrap();
    assert!(refusal(&chain(60)).contains("in a row"));
    // Also when the far end of the chain is looked at first.
    assert!(refusal(&chain(20_000)).contains("in a row"));
    let mirrored: String =
        (1..5000).map(|i| format!("r{i:05}: rule:r{:05}\n", i - 1)).chain(["r00000: '@'\n".into()]).collect();
    assert!(refusal(&mirrored).contains("in a row"));
}

#[test]
fn a_rule_longer_than_any_sensible_one_is_refused() {
    assert!(refusal(&format!("a: '{}@'", "not ".repeat(10_000))).contains("more than 500 words"));
    assert!(refusal(&format!("a: '{}@'", "(".repeat(10_000))).contains("more than 500 words"));
}

#[test]
fn values_that_are_no_rules_are_refused() {
    for yaml in ["a: true", "a: 5", "a: {b: c}", "a: [[5]]", "a: [{b: c}]"] {
        assert!(refusal(yaml).contains("\"a\""), "{yaml}");
    }
    for yaml in ["- a", "text", "a: [", "5: '@'\n? [x]\n: '@'", "a: '@'\na: '!'"] {
        assert!(matches!(read(yaml), Err(PolicyError::Syntax(_))), "{yaml}");
    }
    for yaml in ["", "# nothing\n", "---\n", "{}"] {
        read(yaml).unwrap();
    }
}

#[test]
fn what_never_matches_is_told() {
    let rules = read("a: role:x role:y\nb: rule:nowhere").unwrap();
    let warnings = rules.warnings.join("\n");
    assert!(warnings.contains("\"a\" cannot be understood") && warnings.contains("\"nowhere\""), "{warnings}");
    assert!(read("").unwrap().warnings.is_empty(), "the defaults are in order");
}

/// Callers of project `p` and what they own there: the object is of project `p` and user `creator`.
fn caller(user: &str, project: &str, roles: &[&str]) -> Credentials {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let (user_id, project_id) = (Some(user.to_owned()), Some(project.to_owned()));
    Credentials { user_id, project_id, roles, ..Credentials::default() }
}

/// Which of six callers may: an administrator elsewhere, the creator as member and as reader, another member and
/// reader of the project, a member elsewhere.
fn matrix(enforcer: &Enforcer, rule: &str) -> String {
    let callers = [
        ('A', caller("boss", "other", &["admin", "member", "reader"])),
        ('C', caller("creator", "p", &["member", "reader"])),
        ('c', caller("creator", "p", &["reader"])),
        ('M', caller("mate", "p", &["member", "reader"])),
        ('R', caller("mate", "p", &["reader"])),
        ('X', caller("creator", "other", &["member", "reader"])),
    ];
    let target = Target::object("p", "creator");
    callers.iter().filter(|(_, caller)| enforcer.allow(rule, caller, &target)).map(|(name, _)| *name).collect()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let enforcer = Enforcer::open(None, false).unwrap();
    let expected = [
        ("ACM", "clustertemplate:create clustertemplate:update clustertemplate:delete cluster:create cluster:update"),
        ("ACM", "cluster:delete cluster:resize cluster:upgrade nodegroup:create nodegroup:update nodegroup:delete"),
        ("ACM", "certificate:rotate_ca federation:create federation:update federation:delete"),
        ("ACcMR", "clustertemplate:get clustertemplate:get_all clustertemplate:detail cluster:get cluster:get_all"),
        ("ACcMR", "cluster:detail nodegroup:get nodegroup:get_all quota:get stats:get_all"),
        ("ACcMR", "federation:get federation:get_all federation:detail"),
        ("A", "clustertemplate:publish clustertemplate:get_one_all_projects clustertemplate:get_all_all_projects"),
        ("A", "clustertemplate:detail_all_projects clustertemplate:update_all_projects"),
        ("A", "clustertemplate:delete_all_projects cluster:get_one_all_projects cluster:get_all_all_projects"),
        ("A", "cluster:detail_all_projects cluster:update_all_projects cluster:delete_all_projects"),
        ("A", "cluster:upgrade_all_projects nodegroup:get_one_all_projects nodegroup:get_all_all_projects"),
        ("A", "quota:get_all quota:create quota:update quota:delete magnum-service:get_all"),
        ("A", "cluster:resize_all_projects"),
        ("ACM", "cluster:update_health_status"),
        ("AC", "certificate:create"),
        ("ACc", "certificate:get"),
        ("CM", "credential:rotate"),
        ("", "cluster:unheard_of"),
    ];
    for (who, rules) in expected {
        for rule in rules.split(' ') {
            assert_eq!(matrix(&enforcer, rule), who, "{rule}");
        }
    }
}

#[test]
fn certificates_can_be_the_projects() {
    let enforcer = Enforcer::open(None, true).unwrap();
    assert_eq!(matrix(&enforcer, "certificate:get"), "ACcMR");
    assert_eq!(matrix(&enforcer, "certificate:create"), "ACM");
}

#[test]
fn a_file_may_use_the_names_that_older_files_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    let yaml = "cluster:get: rule:admin_or_owner\ncluster:update: rule:admin_or_user\n\
                cluster:create: rule:deny_cluster_user\ncertificate:get: 'rule:cluster_user'\n";
    std::fs::write(&path, yaml).unwrap();
    let enforcer = Enforcer::open(Some(&path), false).unwrap();
    assert_eq!(matrix(&enforcer, "cluster:get"), "CcMR");
    assert_eq!(matrix(&enforcer, "cluster:update"), "CcX");
    assert_eq!(matrix(&enforcer, "cluster:create"), "ACcMRX");
    let mut trustee = caller("trustee", "p", &["member"]);
    trustee.user_domain_id = Some("trustees".into());
    let target = Target::object("p", "u").with("trustee_domain_id", "trustees").with("trustee_user_id", "trustee");
    assert!(!enforcer.allow("cluster:create", &trustee, &target));
    assert!(enforcer.allow("certificate:get", &trustee, &target));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_text_crashes(text in "\\PC{0,80}", words in r#"([()!@%:a-z'" ]|and |or |not |rule:|role:|%\(x\)s){0,60}"#) {
        for text in [text, words] {
            let rules = BTreeMap::from([("asked".to_owned(), serde_yaml::Value::from(text.clone()))]);
            if let Ok(rules) = Rules::only(&rules) {
                let rule = rules.get("asked").unwrap();
                rule.holds(&rules, &caller("u", "p", &["member"]), &Target::object("p", "u"));
            }
            let _ = read(&text);
        }
    }
}
