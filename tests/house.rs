//! The house's rules, read from the files themselves: no network, milliseconds.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `dir` whose name ends in `.rs`, with its text; paths are relative to the root.
fn sources(dir: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut pending = vec![root().join(dir)];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The product's own sources, without files that only tests use.
fn product() -> Vec<(String, String)> {
    let all = ["src", "api/src", "conductor/src", "drivers/src", "migrations/src"].into_iter().flat_map(sources);
    all.filter(|(file, _)| !is_test(file)).collect()
}

/// Whether a file is a unit test that outgrew its module, or serves only such.
fn is_test(file: &str) -> bool {
    let stages = ["api/src/testing/", "conductor/src/openstack/stage.rs", "conductor/src/openstack/faults"];
    file.contains("/tests/") || file.ends_with("tests.rs") || stages.iter().any(|stage| file.starts_with(stage))
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap()
}

/// Members a manifest depends on, and the other crates it names, in `[dependencies]` only.
fn dependencies(member: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    section
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split(['.', ' ', '=']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn dependencies_run_one_way() {
    let members = ["api", "conductor", "drivers", "migrations"];
    let allowed: [(&str, &[&str]); 5] = [
        (".", &["api", "conductor", "drivers"]),
        ("api", &["conductor", "drivers"]),
        ("conductor", &["drivers", "migrations"]),
        ("drivers", &[]),
        ("migrations", &[]),
    ];
    for (member, may) in allowed {
        for dependency in dependencies(member) {
            if members.contains(&dependency.as_str()) {
                assert!(may.contains(&dependency.as_str()), "{member} must not depend on {dependency}");
            }
        }
    }
}

#[test]
fn drivers_do_no_io() {
    let names = dependencies("drivers");
    for banned in ["tokio", "reqwest", "sea-orm", "openssl", "chrono", "rand", "uuid"] {
        assert!(!names.contains(banned), "drivers must not depend on {banned}");
    }
    for (file, text) in sources("drivers/src") {
        for banned in [
            "std::fs",
            "net::Tcp",
            "net::Udp",
            "ToSocketAddrs",
            "std::process",
            "SystemTime",
            "Instant::now",
            "HashMap",
        ] {
            assert!(!without_tests(&text).contains(banned), "{file} names {banned}");
        }
    }
}

/// `crate name -> where it may be named`; a path prefix each.
const HOMES: &[(&str, &[&str])] = &[
    ("axum", &["api/src/"]),
    ("utoipa", &["api/src/"]),
    ("reqwest", &["conductor/src/openstack/"]),
    ("duroxide", &["conductor/src/engine/"]),
    ("lapin", &["conductor/src/watch/"]),
    ("bollard", &["conductor/src/docker/"]),
    ("native_tls", &["conductor/src/link.rs"]),
    ("hyper", &["api/src/", "conductor/src/link.rs"]),
    ("openssl", &["conductor/src/pki/", "conductor/src/secret.rs", "conductor/src/secret/"]),
    ("tera", &["drivers/src/"]),
    ("clap", &["src/"]),
];

#[test]
fn every_crate_has_a_home() {
    for (file, text) in product() {
        for (name, homes) in HOMES {
            let used = without_tests(&text)
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .any(|line| line.contains(&format!("{name}::")) || line.contains(&format!("use {name};")));
            assert!(!used || homes.iter().any(|home| file.starts_with(home)), "{file} names {name}");
        }
    }
}

#[test]
fn only_stores_and_rows_speak_to_the_database() {
    // A slice's rows and what their columns hold.
    let rows = ["row.rs", "store.rs", "status.rs", "token.rs", "usage.rs"];
    for (file, text) in product().into_iter().filter(|(file, _)| !file.starts_with("migrations/")) {
        let name = Path::new(&file).file_name().unwrap().to_str().unwrap().to_owned();
        let base = ["column.rs", "conductor.rs", "database.rs", "page.rs", "scope.rs"]
            .iter()
            .any(|base| file == format!("conductor/src/{base}"));
        let store = file.starts_with("conductor/src/") && (rows.contains(&name.as_str()) || file.contains("/store/"));
        let used =
            without_tests(&text).lines().any(|line| !line.trim_start().starts_with("//") && line.contains("sea_orm::"));
        assert!(!used || base || store, "{file} names sea_orm");
    }
}

#[test]
fn files_stay_short() {
    for (file, text) in product() {
        let lines = without_tests(&text).lines().count();
        assert!(lines <= 500, "{file} has {lines} lines without its tests; the limit is 500");
    }
}

#[test]
fn modules_say_what_they_are() {
    for (file, _) in product() {
        for banned in ["util", "utils", "common", "helpers", "misc"] {
            let parts: Vec<_> = file.trim_end_matches(".rs").split('/').collect();
            assert!(!parts.contains(&banned), "{file}: {banned} says nothing");
        }
    }
}

#[test]
fn every_driver_has_its_templates_and_the_reverse() {
    let folders = |dir: &str| -> BTreeSet<String> {
        std::fs::read_dir(root().join(dir))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(folders("drivers/src"), folders("templates"));
    // What all drivers share: the graph of a stack, and what nodes are given.
    let shared = ["graph", "node"].map(str::to_owned);
    let names = drivers::installed().iter().map(|driver| driver.name().to_owned()).chain(shared).collect();
    assert_eq!(folders("templates"), names);
}

/// A COE is two folders, and two lines that make its code a part of the build: whoever serves all of them asks drivers and
/// does not know them by name.
#[test]
fn what_serves_every_driver_names_none() {
    let build = std::fs::read_to_string(root().join("drivers/src/lib.rs")).unwrap();
    // An authority and a folder of every cluster's are called kubernetes, too.
    let others = drivers::installed().into_iter().filter(|driver| driver.name() != "kubernetes");
    for driver in others {
        let name = driver.name();
        let of_it = [format!("mod {name};"), format!("{name}::")];
        let lines = || without_tests(&build).lines().filter(|line| !line.trim_start().starts_with("//"));
        let named: Vec<_> = lines().filter(|line| of_it.iter().any(|words| line.contains(words))).collect();
        assert_eq!(named.len(), 2, "drivers/src/lib.rs names {name} beyond `mod` and `installed`: {named:?}");
        let mut words: BTreeSet<&str> = driver.provides().iter().map(|made| made.coe).collect();
        words.insert(name);
        let own = [format!("drivers/src/{name}/"), "drivers/src/lib.rs".to_owned()];
        for (file, text) in product() {
            // The contract's own list.
            if file == "api/src/coerce.rs" || own.iter().any(|own| file.starts_with(own.as_str())) {
                continue;
            }
            let code = || without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
            for word in &words {
                let quoted = format!("\"{word}\"");
                assert!(!code().any(|line| line.contains(&quoted)), "{file} names {quoted}");
            }
        }
        let shared =
            ["templates/graph", "templates/node", "tests/node/api", "tests/node/checks.sh", "tests/node/cloud-config"];
        let listed = Command::new("git").arg("ls-files").args(shared).current_dir(root()).output().unwrap();
        for file in String::from_utf8(listed.stdout).unwrap().lines() {
            let text = std::fs::read_to_string(root().join(file)).unwrap().to_lowercase();
            assert!(!text.contains(name), "{file} names {name}");
        }
    }
}

#[test]
fn scripts_hold_no_template_marks_and_parse() {
    let output = Command::new("git").args(["ls-files", "templates"]).current_dir(root()).output().unwrap();
    for file in String::from_utf8(output.stdout).unwrap().lines() {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        if file.ends_with(".sh") || text.starts_with("#!") {
            assert!(!text.contains("{{") && !text.contains("{%"), "{file} is a script and must not be templated");
            let status = Command::new("bash").arg("-n").arg(root().join(file)).status().unwrap();
            assert!(status.success(), "{file} does not parse");
        }
    }
}

#[test]
fn migrations_sort_by_their_names() {
    use conductor::database::migration_names;
    let names = migration_names();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
}

#[test]
fn every_member_takes_its_lints_and_versions_from_the_root() {
    for member in ["api", "conductor", "drivers", "migrations"] {
        let manifest = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member} has lints of its own");
        for line in manifest.lines().filter(|line| line.contains("version")) {
            assert!(line.contains("workspace"), "{member}: {line}");
        }
    }
}
