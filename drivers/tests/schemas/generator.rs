//! Sets of labels made from the schema of a driver alone: valid ones, and ones with exactly one mistake.
//!
//! What conflicts mean is written here a second time, so that the product's own word is not what it is held against.

use std::collections::BTreeMap;

use drivers::{
    CONFLICT_FIELDS, ClusterSpec, Conflict, Desired, Driver, Flavor, Image, Label, LabelKind, Network, NodegroupSpec,
    Role, Tokens,
};

/// Numbers that look random and are the same in every run: `SplitMix64`.
pub(crate) struct Random {
    state: u64,
    /// Networks given out, so that no two overlap.
    networks: u8,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, networks: 0 }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn between(&mut self, min: i64, max: i64) -> i64 {
        min + i64::try_from(self.next() % (max.abs_diff(min) + 1)).unwrap()
    }

    fn chance(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// From `least` to `most` of these characters.
    fn text(&mut self, characters: &str, least: usize, most: usize) -> String {
        let characters: Vec<char> = characters.chars().collect();
        (0..least + self.below(most - least + 1)).map(|_| characters[self.below(characters.len())]).collect()
    }

    fn name(&mut self) -> String {
        self.text("abcdefghijklmnopqrstuvwxyz", 1, 9)
    }

    /// A network that overlaps none of those given out before and none of the usual defaults.
    fn network(&mut self, min: u8, max: u8) -> String {
        self.networks += 1;
        let (low, high) = (min.max(16).min(max), max.min(19).max(min));
        let prefix = self.between(low.into(), high.into());
        format!("{}.{}.0.0/{prefix}", 20 + self.networks, if prefix < 16 { 0 } else { self.below(256) })
    }

    fn list(&mut self, item: impl Fn(&mut Self) -> String) -> String {
        let items: Vec<_> = (0..=self.below(3)).map(|_| item(self)).collect();
        items.join(if self.chance() { "," } else { ", " })
    }
}

/// A value that the kind takes.
pub(crate) fn value(random: &mut Random, kind: LabelKind) -> String {
    match kind {
        LabelKind::Boolean => random.pick(&["true", "False", "yes", "no", "On", "off", "1", "0"]).to_owned(),
        LabelKind::Integer { min, max } => match random.below(4) {
            0 => min.to_string(),
            1 => max.to_string(),
            _ => random.between(min, max).to_string(),
        },
        LabelKind::OneOf { values } => random.pick(values).to_owned(),
        LabelKind::Cidr => random.network(16, 19),
        LabelKind::Ipv4Network { min, max } => random.network(min, max),
        LabelKind::CidrList => {
            random.list(|random| format!("203.0.{}.0/{}", random.below(256), random.between(24, 32)))
        }
        LabelKind::Ipv4Address => format!("198.51.{}.{}", random.below(256), random.below(256)),
        LabelKind::Version => format!("v{}.{}.{}", random.below(9), random.below(99), random.below(99)),
        LabelKind::VersionFrom { least } => {
            let (rest, patch) = least.rsplit_once('.').unwrap();
            let (major, minor) = rest.rsplit_once('.').unwrap();
            let (minor, patch): (usize, usize) = (minor.parse().unwrap(), patch.parse().unwrap());
            match random.below(3) {
                0 => least.to_owned(),
                1 => format!("{major}.{minor}.{}", patch + random.below(30)),
                _ => format!("{major}.{}.{}", minor + 1 + random.below(30), random.below(30)),
            }
        }
        LabelKind::Url => {
            let path = random.text("abcXYZ019?&=+!*;,_~%-/.:#[]", 0, 20);
            format!("https://{}.example.org{}/{path}", random.name(), random.pick(&["", ":8443"]))
        }
        LabelKind::Sha256 => random.text("0123456789abcdefABCDEF", 64, 64),
        LabelKind::Tag => format!("{}{}", random.name(), random.text("abcXYZ019._-", 0, 20)),
        LabelKind::ImagePrefix => format!("{}{}/{}", random.name(), random.pick(&["", ".org", ":5000"]), random.name()),
        LabelKind::Words => random.list(|random| random.text("abcXYZ019._-", 1, 12)),
        LabelKind::SetOf { values } => random.list(|random| random.pick(values).to_owned()),
        LabelKind::Hosts => random.list(|random| match random.below(3) {
            0 => "192.0.2.7".to_owned(),
            1 => "2001:db8::7".to_owned(),
            _ => format!("{}.example.org", random.name()),
        }),
        LabelKind::DnsName => format!("{}.{}", random.name(), random.name()),
        LabelKind::Path => format!("/{}/{}", random.name(), random.text("abcXYZ019_-", 1, 12)),
        LabelKind::Environment => {
            format!(r#"{{"A_{}": "{}"}}"#, random.name(), random.text("abc XYZ019'$`;&|<>(){}", 0, 30))
        }
        LabelKind::Plain => random.text("abcXYZ019:#/+=%^~[]*?!,._-", 1, 30),
        LabelKind::Text => {
            format!("{}{}", random.name(), random.text("abcXYZ019 '\"`$\\;&|<>(){}#%:/+=^~[]*?!,._-", 0, 60))
        }
        LabelKind::Options => {
            let level = random.below(10);
            let more = random.pick(&["", " --feature-gates=A=true,B=false", ",--quiet"]);
            format!("--v={level}{more}")
        }
        LabelKind::OptionsOf { names } => format!("--{}={}", random.pick(names), random.name()),
        LabelKind::Obsolete { .. } => random.text("abcXYZ019 '\"`$\\;&|<>(){}\n@#%:/", 1, 40),
    }
}

/// A value that the kind refuses; nothing where it takes everything.
fn wrong(random: &mut Random, kind: LabelKind) -> Option<String> {
    let long = "x".repeat(1025);
    let values: Vec<String> = match kind {
        LabelKind::Boolean => vec!["maybe".into(), "2".into(), "tru e".into()],
        LabelKind::Integer { min, max } => {
            vec![
                (min - 1).to_string(),
                (max + 1).to_string(),
                "ten".into(),
                "1.5".into(),
                format!("{max}0000000000000000000"),
            ]
        }
        LabelKind::OneOf { values } => vec!["no-such-word".into(), format!("{}x", values[0]), values.join(",") + ","],
        LabelKind::Cidr => vec!["10.0.0.1/8".into(), "10.0.0.0".into(), "10.0.0.0/33".into(), "net".into()],
        LabelKind::Ipv4Network { min, max } => {
            let outside = [min.checked_sub(1), Some(max + 1).filter(|prefix| *prefix <= 32)];
            let outside = outside.into_iter().flatten().map(|prefix| format!("0.0.0.0/{prefix}"));
            ["20.0.0.1/16", "20.0.0.0", "fd00::/64", "net"].into_iter().map(str::to_owned).chain(outside).collect()
        }
        LabelKind::CidrList => {
            vec!["203.0.113.0/24,".into(), "203.0.113.1/24".into(), "203.0.113.0/24 198.51.100.0/24".into()]
        }
        LabelKind::Ipv4Address => vec!["192.0.2.256".into(), "192.0.2.0/24".into(), "::1".into()],
        LabelKind::Version => vec!["1.2.3".into(), "v1.2".into(), "v1.2.3-rc1".into(), "latest".into()],
        LabelKind::VersionFrom { least } => {
            vec![least[1..].to_owned(), "v0.0.1".into(), format!("{least}-rc1"), "latest".into()]
        }
        LabelKind::Url => vec![
            "http://example.org/".into(),
            "https://".into(),
            "https://example.org/a b".into(),
            "https://example.org/$(id)".into(),
        ],
        LabelKind::Sha256 => vec!["0a".repeat(31), "0a".repeat(33), "0g".repeat(32)],
        LabelKind::Tag => vec!["-x".into(), "a b".into(), "x".repeat(129), "a/b".into()],
        LabelKind::ImagePrefix => vec!["/x".into(), "a//b".into(), "a b".into(), "a'b".into()],
        LabelKind::Words => vec!["a b".into(), "a,,b".into(), "a;b".into(), long],
        LabelKind::SetOf { values } => vec!["no-such-word".into(), format!("{},", values[0])],
        LabelKind::Hosts => vec!["*.example.org".into(), "a_b".into(), "a,,b".into()],
        LabelKind::DnsName => vec!["Upper.case".into(), "-a.b".into(), "a..b".into(), "a b".into()],
        LabelKind::Path => vec!["a/b".into(), "/".into(), "/a/../b".into(), "/a b".into(), "/a/".into()],
        LabelKind::Environment => {
            vec!["A=b".into(), "[]".into(), r#"{"A": 1}"#.into(), r#"{"A B": "c"}"#.into(), r#"{"A": "\n"}"#.into()]
        }
        LabelKind::Plain => vec!["a b".into(), "$(id)".into(), "a'b".into(), long],
        LabelKind::Text => vec!["two\nlines".into(), "@@TOKEN@@".into(), "x".repeat(256), "caf\u{e9}".into()],
        LabelKind::Options => vec!["v=2".into(), "--V=2".into(), "--v='2'".into(), "--v=2 3".into()],
        LabelKind::OptionsOf { names } => {
            vec!["--no-such-option=1".into(), names[0].to_owned(), format!("--{}=$(id)", names[0])]
        }
        LabelKind::Obsolete { .. } => return None,
    };
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    Some(random.pick(&values).to_owned())
}

/// One thing wrong with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mistake {
    Value(&'static Label),
    Conflict(&'static Label, Conflict),
}

/// Everything that can be wrong with labels of this schema.
pub(crate) fn mistakes(schema: &'static [Label]) -> Vec<Mistake> {
    let obsolete = |label: &&Label| matches!(label.kind, LabelKind::Obsolete { .. });
    let values = schema.iter().filter(|label| !obsolete(label)).map(Mistake::Value);
    let conflicts = schema.iter().flat_map(|label| label.conflicts.iter().map(move |c| Mistake::Conflict(label, *c)));
    values.chain(conflicts).collect()
}

/// A request whose labels are right; the label `seed` counts to is among them, where fields allow.
pub(crate) fn valid(driver: &dyn Driver, seed: u64) -> ClusterSpec {
    let mut random = Random::new(seed);
    let schema = driver.labels();
    let first = &schema[usize::try_from(seed).unwrap() % schema.len()];
    for _ in 0..100 {
        let mut draft = Draft::new(driver, &mut random);
        draft.give(first);
        if draft.settle(None) {
            return spec(draft.desired);
        }
    }
    panic!("{}: no labels go together with {}", driver.name(), first.key)
}

/// A request with one mistake, and the only field that is to be refused for it.
pub(crate) fn invalid(driver: &dyn Driver, mistake: Mistake, seed: u64) -> (ClusterSpec, String) {
    let mut random = Random::new(seed);
    for _ in 0..100 {
        let mut draft = Draft::new(driver, &mut random);
        if let Some(key) = draft.err(mistake) {
            return (spec(draft.desired), format!("labels.{key}"));
        }
    }
    panic!("{}: there is no request with no mistake but {mistake:?}", driver.name())
}

struct Draft<'a> {
    schema: &'static [Label],
    desired: Desired,
    random: &'a mut Random,
    /// Labels that stay as they are, given or absent.
    fixed: Vec<&'static str>,
}

impl<'a> Draft<'a> {
    /// Some fields and labels, which may conflict.
    fn new(driver: &dyn Driver, random: &'a mut Random) -> Self {
        random.networks = 0;
        let provides = driver.provides();
        let provided = &provides[random.below(provides.len())];
        let mut desired = plain(provided.coe, provided.server_type, provided.os_distro);
        desired.floating_ip_enabled = random.chance();
        desired.master_lb_enabled = random.chance();
        desired.master_count = if desired.master_lb_enabled && random.chance() { 3 } else { 1 };
        desired.node_count = u32::try_from(random.below(4)).unwrap();
        desired.docker_volume_size = random.chance().then_some(50);
        let schema = driver.labels();
        let mut draft = Self { schema, desired, random, fixed: Vec::new() };
        let drivers = draft.values_in_conflicts("network_driver");
        if !drivers.is_empty() && draft.random.chance() {
            draft.desired.network_driver = Some(draft.random.pick(&drivers).to_owned());
        }
        for _ in 0..draft.random.below(12) {
            let label = &schema[draft.random.below(schema.len())];
            draft.give(label);
        }
        draft.fixed.clear();
        draft
    }

    /// The values of a field that conflicts speak of.
    fn values_in_conflicts(&self, name: &str) -> Vec<&'static str> {
        let conflicts = self.schema.iter().flat_map(|label| label.conflicts);
        let values = conflicts.filter_map(|conflict| match conflict {
            Conflict::When { field, values, .. } | Conflict::AbsentWhen { field, values } if *field == name => {
                Some(*values)
            }
            _ => None,
        });
        values.flatten().copied().collect()
    }

    fn label(&self, key: &str) -> &'static Label {
        self.schema.iter().find(|label| label.key == key).unwrap()
    }

    fn is_given(&self, key: &str) -> bool {
        self.desired.labels.get(key).is_some_and(|value| !value.is_empty())
    }

    /// The label is given, and stays.
    fn give(&mut self, label: &'static Label) {
        let value = value(self.random, label.kind);
        self.desired.labels.insert(label.key.to_owned(), value);
        self.fixed.push(label.key);
    }

    /// The label is absent, and stays so.
    fn take(&mut self, key: &'static str) {
        self.desired.labels.remove(key);
        self.fixed.push(key);
    }

    /// Makes the mistake and nothing else wrong; the key that is to be refused, or nothing when this draft is no place for it.
    fn err(&mut self, mistake: Mistake) -> Option<&'static str> {
        let key = match mistake {
            Mistake::Value(label) => {
                self.give(label);
                label.key
            }
            Mistake::Conflict(label, conflict) => self.provoke(label, conflict),
        };
        let provoked = matches!(mistake, Mistake::Conflict(..)).then_some(key);
        if !self.settle(provoked) {
            return None;
        }
        let made = match mistake {
            Mistake::Value(label) => {
                let wrong = wrong(self.random, label.kind)?;
                self.desired.labels.insert(label.key.to_owned(), wrong);
                true
            }
            Mistake::Conflict(label, conflict) => self.holds(label, conflict),
        };
        (made && self.found(provoked).is_none()).then_some(key)
    }

    fn provoke(&mut self, label: &'static Label, conflict: Conflict) -> &'static str {
        match conflict {
            Conflict::With { label: other } => {
                self.give(label);
                self.give(self.label(other));
                label.key
            }
            Conflict::Without { label: other } => {
                self.give(label);
                self.take(other);
                other
            }
            Conflict::When { own, field, values } => {
                self.give(label);
                if !own.is_empty() {
                    self.desired.labels.insert(label.key.to_owned(), self.random.pick(own).to_owned());
                }
                self.set(field, values);
                label.key
            }
            Conflict::NeedsWord { own, label: other, .. } => {
                self.give(label);
                self.desired.labels.insert(label.key.to_owned(), own.to_owned());
                self.take(other);
                other
            }
            Conflict::AbsentWhen { field, values } => {
                self.take(label.key);
                self.set(field, values);
                label.key
            }
        }
    }

    /// Solves conflicts until there is none, or none but for which `but` is refused; false when that cannot be.
    fn settle(&mut self, but: Option<&'static str>) -> bool {
        for _ in 0..100 {
            let Some((label, conflict)) = self.found(but) else { return true };
            let is_fixed = |key: &str| self.fixed.contains(&key);
            match conflict {
                Conflict::Without { label: other } if !is_fixed(other) => {
                    let other = self.label(other);
                    let value = value(self.random, other.kind);
                    self.desired.labels.insert(other.key.to_owned(), value);
                }
                Conflict::NeedsWord { label: other, word, .. } if !is_fixed(other) => {
                    self.desired.labels.insert(other.to_owned(), word.to_owned());
                }
                Conflict::NeedsWord { .. } if !is_fixed(label.key) => {
                    self.desired.labels.remove(label.key);
                }
                Conflict::AbsentWhen { .. } if !is_fixed(label.key) => {
                    let value = value(self.random, label.kind);
                    self.desired.labels.insert(label.key.to_owned(), value);
                }
                Conflict::With { label: other } if is_fixed(label.key) && !is_fixed(other) => {
                    self.desired.labels.remove(other);
                }
                Conflict::With { .. } | Conflict::Without { .. } | Conflict::When { .. } if !is_fixed(label.key) => {
                    self.desired.labels.remove(label.key);
                }
                _ => return false,
            }
        }
        false
    }

    /// The first conflict there is for which another key than `but` is refused.
    fn found(&self, but: Option<&'static str>) -> Option<(&'static Label, Conflict)> {
        let all = self.schema.iter().flat_map(|label| label.conflicts.iter().map(move |conflict| (label, *conflict)));
        let refused = |label: &Label, conflict: Conflict| match conflict {
            Conflict::Without { label: other } | Conflict::NeedsWord { label: other, .. } => other,
            _ => label.key,
        };
        all.filter(|(label, conflict)| but != Some(refused(label, *conflict)))
            .find(|(label, conflict)| self.holds(label, *conflict))
    }

    fn holds(&self, label: &Label, conflict: Conflict) -> bool {
        let given = self.is_given(label.key);
        match conflict {
            Conflict::With { label: other } => given && self.is_given(other),
            Conflict::Without { label: other } => given && !self.is_given(other),
            Conflict::When { own, field, values } => {
                let own_value = self.desired.labels.get(label.key).map_or("", String::as_str);
                given && (own.is_empty() || own.contains(&own_value)) && values.contains(&self.get(field).as_str())
            }
            Conflict::NeedsWord { own, label: other, word } => {
                let has = |key: &str, word: &str| {
                    let value = self.desired.labels.get(key).map_or("", String::as_str);
                    value.split(',').any(|item| item.trim() == word)
                };
                has(label.key, own) && !has(other, word)
            }
            Conflict::AbsentWhen { field, values } => !given && values.contains(&self.get(field).as_str()),
        }
    }

    fn get(&self, field: &str) -> String {
        let desired = &self.desired;
        match field {
            "network_driver" => desired.network_driver.clone().unwrap_or_default(),
            "volume_driver" => desired.volume_driver.clone().unwrap_or_default(),
            "master_lb_enabled" => desired.master_lb_enabled.to_string(),
            "floating_ip_enabled" => desired.floating_ip_enabled.to_string(),
            "tls_disabled" => desired.tls_disabled.to_string(),
            _ => {
                let label = self.label(field.strip_prefix("labels.").unwrap());
                let given = desired.labels.get(label.key).filter(|value| !value.is_empty());
                let value = given.map_or(label.default, String::as_str);
                let flag = drivers::boolean(value).filter(|_| label.kind == LabelKind::Boolean);
                flag.map_or_else(|| value.to_owned(), |flag| flag.to_string())
            }
        }
    }

    fn set(&mut self, field: &'static str, values: &'static [&'static str]) {
        let value = self.random.pick(values).to_owned();
        let desired = &mut self.desired;
        match field {
            "network_driver" => desired.network_driver = Some(value),
            "volume_driver" => desired.volume_driver = Some(value),
            "master_lb_enabled" => {
                desired.master_lb_enabled = value == "true";
                desired.master_count = 1;
            }
            "floating_ip_enabled" => desired.floating_ip_enabled = value == "true",
            "tls_disabled" => desired.tls_disabled = value == "true",
            _ => {
                let key = field.strip_prefix("labels.").unwrap();
                self.desired.labels.insert(key.to_owned(), value);
                self.fixed.push(self.label(key).key);
            }
        }
        assert!(CONFLICT_FIELDS.contains(&field) || field.starts_with("labels."), "{field}");
    }
}

fn plain(coe: &str, server_type: &str, os_distro: &str) -> Desired {
    Desired {
        name: "demo".into(),
        coe: coe.into(),
        server_type: server_type.into(),
        os_distro: os_distro.into(),
        master_count: 1,
        node_count: 1,
        labels: BTreeMap::new(),
        network_driver: None,
        volume_driver: None,
        docker_storage_driver: None,
        docker_volume_size: None,
        master_lb_enabled: false,
        floating_ip_enabled: false,
        tls_disabled: false,
        registry_enabled: false,
        apiserver_port: None,
        dns_nameserver: None,
        insecure_registry: None,
        http_proxy: None,
        https_proxy: None,
        no_proxy: None,
        create_timeout: Some(60),
    }
}

/// The request with what a look-up in the test cloud would find.
fn spec(desired: Desired) -> ClusterSpec {
    let group = |uuid: &str, name: &str, role: Role, count| NodegroupSpec {
        uuid: uuid.into(),
        name: format!("default-{name}"),
        role,
        count,
        flavor: Flavor { id: "m1.small".into(), name: "m1.small".into(), vcpus: 2, ram_mib: 4096, disk_gib: 20 },
        image: Image {
            id: "ubuntu-24.04".into(),
            name: desired.os_distro.clone(),
            os_distro: desired.os_distro.clone(),
            kube_version: Some("1.35.3".into()),
            mesos_packages_url: None,
            min_disk_gib: 8,
        },
        labels: desired.labels.clone(),
        docker_volume_size: desired.docker_volume_size,
        role_name: name.into(),
        node_labels: BTreeMap::new(),
        node_taints: Vec::new(),
    };
    ClusterSpec {
        uuid: "3f1f6a2e-4c55-4d0e-9d3b-5f0a7c1b2d4e".into(),
        project_id: "0123456789abcdef0123456789abcdef".into(),
        stack_name: "demo-3f1f6a2e4c55".into(),
        masters: group("a1a1a1a1-0000-4000-8000-000000000001", "master", Role::Master, desired.master_count),
        workers: group("b2b2b2b2-0000-4000-8000-000000000002", "worker", Role::Worker, desired.node_count),
        network: Network { external_id: Some("public".into()), fixed: None },
        ssh_public_key: None,
        api_url: "https://containers.example.org:9511/v1".into(),
        api_ca: None,
        node_reports: true,
        tokens: Tokens { master: "master-token".into(), worker: "worker-token".into() },
        desired,
    }
}
