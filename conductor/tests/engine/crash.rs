//! Conductor processes that are killed or frozen.

use std::time::{Duration, Instant};

use conductor::engine::{Engine, Options};

use super::node::{Effects, Node, STEPS, begin, options};
use super::support::postgres::Postgres;
use super::{BOUND, all_ended, eventually};

const OPERATIONS: usize = 20;

async fn reaches(effects: &Effects, operations: &[String], ends: usize) {
    eventually("progress", BOUND, async || (effects.ends(operations) >= ends).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_on_sqlite_goes_on_where_it_was() {
    let home = tempfile::tempdir().unwrap();
    let effects = Effects::in_directory(home.path());
    let url = format!("sqlite://{}", home.path().join("workflow.db").display());
    let engine = Engine::connect(&url.clone().into(), options()).await.unwrap();
    let operations = begin(&engine, OPERATIONS).await;
    let mut cut_off = 0;
    for ends in [10, 40] {
        let node = Node::start(&url, &effects);
        reaches(&effects, &operations, ends).await;
        node.kill();
        cut_off = effects.cut_off(&operations);
    }
    let _node = Node::start(&url, &effects);
    all_ended(&engine, &operations).await;
    let repeated = effects.complete(&operations);
    println!("{cut_off} steps cut off, {repeated} of {} ended twice", OPERATIONS * STEPS.len());
    // A step may end twice only where the process died between the step's end and the engine's note of it.
    assert!(repeated <= 2 * options().workers, "{repeated} steps ended twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_takes_over_from_a_killed_one() {
    let home = tempfile::tempdir().unwrap();
    let effects = Effects::in_directory(home.path());
    let url = Postgres::shared().database();
    let engine = Engine::connect(&url.clone().into(), options()).await.unwrap();
    let (first, _second) = (Node::start(&url, &effects), Node::start(&url, &effects));
    let operations = begin(&engine, OPERATIONS).await;
    reaches(&effects, &operations, OPERATIONS).await;
    first.kill();
    let killed = Instant::now();
    all_ended(&engine, &operations).await;
    println!("all ended {:?} after the kill, {} steps ended twice", killed.elapsed(), effects.complete(&operations));
    assert!(effects.complete(&operations) <= options().workers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_process_that_comes_back_harms_nothing() {
    let home = tempfile::tempdir().unwrap();
    let effects = Effects::in_directory(home.path());
    let url = Postgres::shared().database();
    let engine = Engine::connect(&url.clone().into(), options()).await.unwrap();
    let (frozen, _other) = (Node::start(&url, &effects), Node::start(&url, &effects));
    let operations = begin(&engine, OPERATIONS).await;
    reaches(&effects, &operations, OPERATIONS).await;
    frozen.signal("STOP");
    // The other takes over what the frozen one holds and ends everything.
    all_ended(&engine, &operations).await;
    let before = effects.complete(&operations);
    assert!(before <= options().workers, "{before} steps ended twice");
    frozen.signal("CONT");
    // What was frozen in the middle of a step may end it a second time; nothing else may happen.
    let more = begin_more(&engine).await;
    all_ended(&engine, &more).await;
    let repeated = effects.complete(&operations);
    println!("{repeated} steps ended twice");
    assert!(repeated <= options().workers, "{repeated} steps ended twice");
    assert_eq!(effects.complete(&more), 0);
}

/// Work for the process that came back.
async fn begin_more(engine: &Engine) -> Vec<String> {
    let limit = Duration::from_secs(20);
    let mut more = Vec::new();
    for index in 0..5 {
        let instance = format!("more-{index}");
        engine.begin(&instance, &instance, &STEPS.map(|name| (name, limit)), ("trial/f", limit)).await.unwrap();
        more.push(instance);
    }
    more
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_costs_next_to_nothing() {
    let home = tempfile::tempdir().unwrap();
    let effects = Effects::in_directory(home.path());
    let url = format!("sqlite://{}", home.path().join("workflow.db").display());
    let engine = Engine::connect(&url.clone().into(), options()).await.unwrap();
    let node = Node::polling(&url, &effects, Options::default().poll);
    let operations = begin(&engine, 2).await;
    all_ended(&engine, &operations).await;
    let (before, begun) = (ticks(&node), Instant::now());
    tokio::time::sleep(Duration::from_secs(6)).await;
    let used = (ticks(&node) - before) as f64 / begun.elapsed().as_secs_f64();
    let memory = resident_kib(&node);
    println!("idle: {used:.2} % of a processor, {} MiB", memory / 1024);
    // A debug build uses less than 2 on a machine that does nothing else, and a release build a third of that; polling
    // without a pause uses much more.
    assert!(used < 6.0, "{used} % of a processor");
    assert!(memory < 64 * 1024, "{memory} KiB");
}

/// Processor time in hundredths of a second.
fn ticks(node: &Node) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn resident_kib(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
