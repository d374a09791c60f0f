//! The schemas of labels of every driver: whole in themselves, and held against thousands of sets made from them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod generator;

use std::collections::BTreeSet;

use drivers::{CONFLICT_FIELDS, Conflict, Driver, LabelKind, installed};
use generator::{invalid, mistakes, valid};

/// Sets of each sort for each driver.
const SETS: u64 = 1000;

/// Calls the function with every number below [`SETS`], some at a time.
fn for_each_set(check: impl Fn(u64) + Sync) {
    const AT_ONCE: u64 = 4;
    std::thread::scope(|scope| {
        for first in 0..AT_ONCE {
            let check = &check;
            scope.spawn(move || (first..SETS).step_by(4).for_each(check));
        }
    });
}

fn fields(driver: &dyn Driver, desired: &drivers::Desired) -> Vec<String> {
    driver.check(desired).into_iter().map(|problem| problem.field).collect()
}

#[test]
fn every_valid_set_is_accepted_and_renders() {
    for driver in installed() {
        assert!(driver.labels().len() as u64 <= SETS, "every label of {} is to be in a set", driver.name());
        for_each_set(|seed| {
            let spec = valid(driver, seed);
            let labels = &spec.desired.labels;
            assert_eq!(fields(driver, &spec.desired), [""; 0], "{} {seed}: {labels:?}", driver.name());
            let stack =
                driver.stack(&spec).unwrap_or_else(|error| panic!("{} {seed}: {error}: {labels:?}", driver.name()));
            assert!(stack.template["resources"].is_object());
        });
    }
}

#[test]
fn every_set_with_one_mistake_is_refused_for_that_field_alone() {
    for driver in installed() {
        let mistakes = mistakes(driver.labels());
        assert!(mistakes.len() as u64 <= SETS, "every mistake with {} is to be made", driver.name());
        for_each_set(|seed| {
            let mistake = mistakes[usize::try_from(seed).unwrap() % mistakes.len()];
            let (spec, field) = invalid(driver, mistake, seed);
            let labels = &spec.desired.labels;
            let problems = driver.check(&spec.desired);
            let found: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!(found, [field.as_str()], "{} {seed}, {mistake:?}: {labels:?}", driver.name());
            let key = field.strip_prefix("labels.").unwrap();
            assert_eq!(problems[0].value, spec.desired.label(key).unwrap_or_default(), "{field}");
            assert!(!problems[0].allowed.is_empty(), "{field}");
            assert!(driver.stack(&spec).is_err(), "{field}: {labels:?}");
        });
    }
}

#[test]
fn all_wrong_values_are_said_at_once() {
    for driver in installed() {
        let mut wrong = BTreeSet::new();
        let mut desired = valid(driver, 0).desired;
        for (seed, mistake) in (0..).zip(mistakes(driver.labels())) {
            let generator::Mistake::Value(label) = mistake else { continue };
            let one = invalid(driver, mistake, seed).0;
            desired.labels.insert(label.key.to_owned(), one.desired.labels[label.key].clone());
            wrong.insert(format!("labels.{}", label.key));
        }
        let found: BTreeSet<_> = fields(driver, &desired).into_iter().collect();
        assert!(wrong.is_subset(&found), "{}: {:?}", driver.name(), wrong.difference(&found));
    }
}

#[test]
fn schemas_are_whole() {
    for driver in installed() {
        let schema = driver.labels();
        let is_label = |key: &str| schema.iter().any(|label| label.key == key);
        let mut keys = BTreeSet::new();
        for label in schema {
            let place = format!("{} {}", driver.name(), label.key);
            assert!(keys.insert(label.key), "{place} is there twice");
            assert!(
                label.default.is_empty() || label.kind.takes(label.default),
                "{place}: its default is none of its values"
            );
            assert!(label.meaning.ends_with('.'), "{place}: its meaning is no sentence");
            assert_eq!(label.since.split('.').count(), 3, "{place}: since is no release");
            if let LabelKind::Obsolete { instead } = label.kind {
                assert!(!instead.is_empty() && label.conflicts.is_empty() && label.default.is_empty(), "{place}");
            }
            for conflict in label.conflicts {
                let place = format!("{place}: {conflict}");
                match conflict {
                    Conflict::With { label: other } => {
                        assert!(is_label(other) && *other != label.key, "{place}");
                        let back = Conflict::With { label: label.key };
                        let other = schema.iter().find(|label| label.key == *other).unwrap();
                        assert!(!other.conflicts.contains(&back), "{place}: said by both");
                    }
                    Conflict::Without { label: other } => assert!(is_label(other) && *other != label.key, "{place}"),
                    Conflict::NeedsWord { own, label: other, word } => {
                        let other = schema.iter().find(|label| label.key == *other).unwrap();
                        assert!(other.key != label.key && label.kind.takes(own) && other.kind.takes(word), "{place}");
                    }
                    Conflict::When { field, values, .. } | Conflict::AbsentWhen { field, values } => {
                        let of_label = field.strip_prefix("labels.").is_some_and(is_label);
                        assert!(CONFLICT_FIELDS.contains(field) || of_label, "{place}");
                        assert!(!values.is_empty(), "{place}");
                    }
                }
                if let Conflict::When { own, .. } = conflict {
                    assert!(own.iter().all(|value| label.kind.takes(value)), "{place}");
                }
            }
        }
    }
}

#[test]
fn an_unknown_key_is_told_with_the_nearest() {
    for driver in installed() {
        let long = driver.labels().iter().filter(|label| label.key.len() > 5);
        for label in long {
            let typo = label.key[..label.key.len() - 1].to_owned();
            if driver.labels().iter().any(|label| label.key == typo) {
                continue;
            }
            let labels = [(typo.clone(), "1".to_owned())].into();
            let findings = drivers::examine(driver.labels(), &labels);
            assert_eq!(findings.unknown.len(), 1, "{typo}");
            assert!(findings.unknown[0].nearest.is_some(), "{typo}");
        }
    }
}
