//! Swarm clusters with real Docker: servers of the cloud are machines of tests/dockerd/rig, which boot from their user data.
//!
//! Everything else is as users have it: clusters and certificates come from the running service through the unmodified
//! client, and what is asked of the Swarm is asked with Docker's own client and such a certificate. Needs root and a kernel
//! with namespaces; says why and passes where it cannot be.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod rig;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rig::Rig;
use serde_json::{Value, json};
use support::cloud::{CLOUD, Faults};
use support::relay::Relay;
use support::service::{Service, tail};
use support::{unique, wait_for};

/// A cluster of real machines, and what its owner has for it.
struct Swarm {
    // Dropped in this order: machines first, so that nothing reports to a service that is gone.
    rig: Rig,
    service: Service,
    _left_alone: Faults,
    login: BTreeMap<String, String>,
    token: String,
    name: String,
    /// The user's `ca.pem`, `cert.pem` and `key.pem`.
    keys: tempfile::TempDir,
    begun: Instant,
}

impl Swarm {
    /// Made by the commands users type; nothing where the kernel does not allow it.
    fn create(masters: u32, workers: u32, more: &str) -> Option<Self> {
        Self::create_by(masters, workers, more, &[])
    }

    /// By a service with these settings as well.
    fn create_by(masters: u32, workers: u32, more: &str, settings: &[(&str, &str)]) -> Option<Self> {
        let begun = Instant::now();
        let name = unique("dk");
        let rig = Rig::start(&format!("^{name}-"))?;
        // The stand-ins of nodes leave these servers to the rig.
        let left_alone = CLOUD.nodes_first(vec![json!({"name": format!("^{name}-"), "silent": true})]);
        let options = [
            ("JEROBOAM__HEALTH__POLL_INTERVAL_S", "1"),
            ("JEROBOAM__HEALTH__TIMEOUT_S", "5"),
            ("JEROBOAM__DRIVERS__DRAIN_TIMEOUT_S", "60"),
        ];
        let service =
            Service::prepare("serve", &[options.as_slice(), settings].concat()).open_to(&rig.gateway()).started();
        let keys = tempfile::tempdir().unwrap();
        let (login, token) = (CLOUD.login("demo"), CLOUD.token("demo"));
        let swarm = Self { rig, service, _left_alone: left_alone, login, token, name, keys, begun };
        let name = &swarm.name;
        swarm.template(name, "ubuntu-24.04", more);
        swarm.openstack(&format!(
            "coe cluster create {name} --cluster-template {name} --master-count {masters} --node-count {workers}"
        ));
        swarm.complete();
        swarm.say("the cluster is complete");
        if !more.contains("--tls-disabled") {
            swarm.fetch_keys();
        }
        Some(swarm)
    }

    fn template(&self, name: &str, image: &str, more: &str) {
        let network = self.rig.network();
        self.openstack(&format!(
            "coe cluster template create {name} --coe swarm-mode --image {image} --external-network public \
             --flavor m1.small --master-flavor m1.small --floating-ip-disabled --labels fixed_subnet_cidr={network} {more}"
        ));
    }

    fn complete(&self) {
        // A little sooner than the wait ends, which knows no diary.
        let end = Instant::now() + Duration::from_secs(590);
        wait_for("the cluster to settle", Duration::from_secs(600), || {
            let shown = self.service.show(&self.token, &self.name);
            let status = shown["status"].as_str().unwrap().to_owned();
            assert!(
                !status.ends_with("FAILED") && Instant::now() < end,
                "{status}: {}\n{}",
                shown["status_reason"],
                self.rig.diary()
            );
            (status == "CREATE_COMPLETE").then_some(())
        });
    }

    fn say(&self, what: &str) {
        tell(&format!("dockerd: {} {:6.1} s: {what}", self.name, self.begun.elapsed().as_secs_f64()));
    }

    fn openstack(&self, line: &str) -> String {
        let output = self.service.openstack(&self.login, &line.split_whitespace().collect::<Vec<_>>());
        text(&output)
    }

    fn show(&self) -> Value {
        self.service.show(&self.token, &self.name)
    }

    /// A client's certificate, by what README has users type.
    fn fetch_keys(&self) {
        let mut recipe = recipe().replace("mycluster", &self.name);
        // A load balancer is played: nothing answers at its address.
        let balanced = self.show()["api_address"] != format!("tcp://{}:2376", self.master(0));
        if balanced {
            recipe.truncate(recipe.find("export DOCKER_HOST").unwrap());
        }
        let docker = self.rig.program("usr/bin/docker");
        let words = std::iter::once(docker.get_program()).chain(docker.get_args());
        let words: Vec<_> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let script = format!("docker() {{ {} \"$@\"; }}\n{recipe}", words.join(" "));
        let client = Path::new(CLOUD.text("/paths/openstack")).parent().unwrap();
        let output = CLOUD
            .command(&self.service.login(&self.login), "bash")
            .env("PATH", format!("{}:{}", client.display(), std::env::var("PATH").unwrap()))
            .env("HOME", self.keys.path())
            .current_dir(self.keys.path())
            .args(["-e", "-c", &script])
            .output();
        let said = text(&output.unwrap());
        assert!(balanced || said.contains("Leader"), "{said}");
    }

    /// Docker's own client, at that manager.
    fn docker_at(&self, address: &str, arguments: &[&str]) -> Output {
        self.client(address, arguments)
            .env("DOCKER_TLS_VERIFY", "1")
            .env("DOCKER_CERT_PATH", self.keys.path())
            .output()
            .unwrap()
    }

    /// The same without TLS.
    fn client(&self, address: &str, arguments: &[&str]) -> Command {
        let mut command = self.rig.program("usr/bin/docker");
        command.env("DOCKER_HOST", format!("tcp://{address}:2376")).env("HOME", self.keys.path()).args(arguments);
        command
    }

    fn docker(&self, line: &str) -> String {
        let address = self.master(0);
        text(&self.docker_at(&address, &line.split_whitespace().collect::<Vec<_>>()))
    }

    fn master(&self, index: usize) -> String {
        self.show()["master_addresses"][index].as_str().unwrap().to_owned()
    }

    /// `hostname status availability role` of each node, sorted.
    fn nodes(&self, manager: &str) -> Vec<String> {
        let format = "{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}";
        let shown = text(&self.docker_at(manager, &["node", "ls", "--format", format]));
        let mut nodes: Vec<_> = shown.lines().map(|line| line.trim().to_owned()).collect();
        nodes.sort();
        nodes
    }

    fn health(&self, what: &str, mut is: impl FnMut(&Value) -> bool) -> Value {
        wait_for(what, Duration::from_secs(60), || {
            let shown = self.show();
            is(&shown).then_some(shown)
        })
    }

    /// An image made by hand, on every machine.
    fn import_image(&self) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::create_dir_all(root.join("www")).unwrap();
        std::fs::copy(self.rig.base().join("usr/bin/busybox"), root.join("bin/busybox")).unwrap();
        std::fs::write(root.join("www/index.html"), "hello\n").unwrap();
        for machine in self.rig.machines() {
            let archive = machine.folder.join("web.tar");
            text(&Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").output().unwrap());
            text(&machine.run(&["docker", "import", "/run/rig/web.tar", "web:1"]));
        }
    }

    /// The states of the service's tasks on that node; none where the Swarm has no such node.
    fn tasks(&self, service: &str, node: &str) -> Vec<String> {
        let filter = format!("node={node}");
        let arguments = ["service", "ps", service, "--filter", &filter, "--format", "{{.CurrentState}}"];
        let shown = self.docker_at(&self.master(0), &arguments);
        let lines = String::from_utf8_lossy(&shown.stdout).into_owned();
        lines.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Swarm {
    /// Its servers would be left to the stand-ins of nodes, which would boot them at a service that is gone.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let path = format!("/clusters/{}", self.name);
        self.service.call(&self.token, "DELETE", &path, None);
        self.service.absent(&self.token, &self.name);
    }
}

/// Says it even when the test passes.
fn tell(line: &str) {
    let _unheard = writeln!(std::io::stderr(), "{line}");
}

fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

/// What README has users of a Swarm type, for a cluster called `mycluster`.
fn recipe() -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let swarm = readme.split_once("\n### Swarm\n").unwrap().1;
    let block = swarm.split_once("\n```sh\n").unwrap().1.split_once("\n```\n").unwrap().0;
    assert!(block.contains("mycluster") && block.ends_with("docker node ls"), "{block}");
    block.to_owned()
}

/// What an HTTP server at that address says, by a client that is not ours.
fn page(address: &str) -> String {
    let url = format!("http://{address}:8080/");
    let curl = Command::new("curl").args(["--silent", "--noproxy", "*", "--max-time", "3", &url]).output().unwrap();
    String::from_utf8_lossy(&curl.stdout).into_owned()
}

#[test]
fn a_manager_and_two_workers_serve_drain_and_shrink() {
    let Some(swarm) = Swarm::create(1, 2, "") else { return };
    let name = &swarm.name;
    let manager = swarm.master(0);
    let nodes = swarm.nodes(&manager);
    assert_eq!(nodes.len(), 3, "{nodes:?}");
    assert!(nodes.iter().all(|node| node.contains(" Ready Active")), "{nodes:?}");
    assert_eq!(nodes.iter().filter(|node| node.ends_with("Leader")).count(), 1, "{nodes:?}");
    let shown = swarm.health("the health to be told", |shown| shown["health_status"] == "HEALTHY");
    assert_eq!(shown["health_status_reason"]["api"], "ok", "{shown}");
    assert_eq!(shown["health_status_reason"].as_object().unwrap().len(), 1 + 3 + 1, "{shown}");
    assert_eq!(shown["api_address"], format!("tcp://{manager}:2376"), "{shown}");

    swarm.import_image();
    swarm.docker(
        "service create --detach --mode global --network host --name web web:1 /bin/busybox httpd -f -p 8080 -h /www",
    );
    for machine in swarm.rig.machines() {
        wait_for("the service on every node", Duration::from_secs(30), || {
            (page(&machine.address) == "hello\n").then_some(())
        });
    }
    swarm.say("a service runs on all nodes");

    let workers: Vec<_> = swarm.rig.machines().into_iter().filter(|machine| machine.address != manager).collect();
    for worker in &workers {
        let refused = worker.run(&[
            "curl",
            "--silent",
            "--show-error",
            "--cacert",
            "/etc/docker/pki/ca.crt",
            "--cert",
            "/etc/docker/pki/docker.crt",
            "--key",
            "/etc/docker/pki/docker.key",
            &format!("https://{manager}:2376/nodes"),
        ]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("alert bad certificate"), "{said}");
    }
    swarm.say("a worker's certificate is no client's");

    // Slow to end, so that the machine would be gone before if it were not waited for.
    swarm.docker("service create --detach --replicas 6 --network host --stop-grace-period 4s --name nap web:1 /bin/busybox sleep 10000");
    let leaving = workers.iter().map(|worker| worker.name.clone()).max().unwrap();
    wait_for("tasks on every node", Duration::from_secs(30), || {
        (swarm.tasks("nap", &leaving).iter().filter(|state| *state == "Running").count() == 2).then_some(())
    });
    swarm.openstack(&format!("coe cluster resize {name} 1"));
    let mut seen = Vec::new();
    wait_for("the resize to end", Duration::from_secs(90), || {
        let now = swarm.tasks("nap", &leaving);
        if !now.is_empty() {
            seen = now;
        }
        swarm.show()["status"].as_str().unwrap().ends_with("COMPLETE").then_some(())
    });
    assert!(
        !seen.is_empty() && seen.iter().all(|state| state == "Shutdown"),
        "when it left: {seen:?}\n{}",
        tail(&swarm.service.log())
    );
    let shown = swarm.show();
    assert_eq!(
        (&shown["status"], &shown["status_reason"]),
        (&json!("UPDATE_COMPLETE"), &json!("Stack UPDATE completed successfully"))
    );
    let nodes = swarm.nodes(&manager);
    assert!(nodes.len() == 2 && nodes.iter().all(|node| node.contains(" Ready Active")), "{nodes:?}");
    wait_for("the tasks elsewhere", Duration::from_secs(30), || {
        swarm.docker("service ls --filter name=nap --format {{.Replicas}}").starts_with("6/6").then_some(())
    });
    swarm.say("a worker was drained, left and is forgotten");

    // The API is away: the operation goes on, and says so.
    let worker = workers.iter().find(|worker| worker.name != leaving).unwrap();
    swarm.rig.machine(&manager).kill();
    let shown = swarm.health("the health to be unknown", |shown| shown["health_status"] == "UNKNOWN");
    assert!(
        shown["health_status_reason"]["api"].as_str().unwrap().starts_with(&format!("{manager}:2376: ")),
        "{shown}"
    );
    swarm.openstack(&format!("coe cluster resize {name} 0"));
    let shown = wait_for("the resize to end", Duration::from_secs(120), || {
        Some(swarm.show()).filter(|shown| shown["status"].as_str().unwrap().ends_with("COMPLETE"))
    });
    let reason = shown["status_reason"].as_str().unwrap();
    let expected = format!("Not drained before they left: {} ({manager}:2376: ", worker.name);
    assert!(reason.contains(&expected), "{reason}");
    swarm.say("without the API, the operation says who was not drained");
    swarm.openstack(&format!("coe cluster delete {name}"));
    swarm.service.absent(&swarm.token, name);
    wait_for("the machines to go with their servers", Duration::from_secs(20), || {
        swarm.rig.machines().is_empty().then_some(())
    });
    swarm.say("gone");
}

#[test]
fn three_managers_outlive_one() {
    let Some(swarm) = Swarm::create(3, 0, "--master-lb-enabled") else { return };
    let masters: Vec<String> = (0..3).map(|index| swarm.master(index)).collect();
    let nodes = swarm.nodes(&masters[0]);
    assert_eq!(nodes.len(), 3, "{nodes:?}");
    assert_eq!(nodes.iter().filter(|node| node.ends_with("Ready Active Reachable")).count(), 2, "{nodes:?}");
    assert_eq!(nodes.iter().filter(|node| node.ends_with("Ready Active Leader")).count(), 1, "{nodes:?}");
    swarm.health("the health to be told", |shown| shown["health_status"] == "HEALTHY");
    swarm.say("three managers, healthy");

    let killed = swarm.rig.machine(&masters[0]);
    killed.kill();
    // The others elect a leader, which must hear of them first.
    let shown = swarm.health("the health to say so", |shown| {
        let reason = shown["health_status_reason"].as_object().unwrap();
        let told = |what: &str| reason.get(&format!("{}.{what}", killed.name)) == Some(&json!("False"));
        told("Ready") && told("Reachable") && reason.values().filter(|value| *value == "True").count() == 4
    });
    assert_eq!(shown["health_status"], "UNHEALTHY", "{shown}");
    assert_eq!(shown["health_status_reason"]["api"], "ok", "{shown}");
    swarm.say("one of three is killed, and the health says so");
    swarm.import_image();
    let created = swarm.docker_at(
        &masters[1],
        &[
            "service",
            "create",
            "--detach",
            "--network",
            "host",
            "--name",
            "nap",
            "web:1",
            "/bin/busybox",
            "sleep",
            "1000",
        ],
    );
    text(&created);
    wait_for("the Swarm to go on", Duration::from_secs(30), || {
        let shown = swarm.docker_at(&masters[2], &["service", "ls", "--format", "{{.Replicas}}"]);
        text(&shown).starts_with("1/1").then_some(())
    });
    swarm.say("the Swarm goes on");
    nobody_is_taken_out_without_a_majority(&swarm, &masters);
}

/// A second one is killed, too: an upgrade would end what is left of the Swarm.
fn nobody_is_taken_out_without_a_majority(swarm: &Swarm, masters: &[String]) {
    swarm.rig.machine(&masters[1]).kill();
    wait_for("the Swarm to have no leader", Duration::from_secs(60), || {
        (!swarm.docker_at(&masters[2], &["node", "ls"]).status.success()).then_some(())
    });
    let servers = || -> BTreeSet<String> {
        CLOUD.servers(&swarm.name).iter().map(|server| server["id"].as_str().unwrap().to_owned()).collect()
    };
    let (before, later) = (servers(), format!("{}-later", swarm.name));
    swarm.template(&later, "debian-12", "--master-lb-enabled");
    swarm.openstack(&format!("coe cluster upgrade {} {later}", swarm.name));
    let shown = wait_for("the upgrade to be given up", Duration::from_secs(240), || {
        Some(swarm.show()).filter(|shown| shown["status"] == "UPDATE_FAILED")
    });
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["The masters are not well", "The swarm does not have a leader", "No other master is taken out"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(servers(), before);
    swarm.say("without a majority, no manager is taken out");
}

#[test]
fn an_upgrade_replaces_every_node_and_a_nodegroup_comes_and_goes() {
    let Some(swarm) = Swarm::create(3, 1, "--master-lb-enabled") else { return };
    let (name, manager) = (&swarm.name, swarm.master(1));
    let settled = |what: &str, nodes: usize| {
        wait_for(what, Duration::from_secs(600), || {
            let shown = swarm.show();
            let status = shown["status"].as_str().unwrap();
            assert!(!status.ends_with("FAILED"), "{status}: {}\n{}", shown["status_reason"], swarm.rig.diary());
            status.ends_with("COMPLETE").then_some(())
        });
        let there = swarm.nodes(&manager);
        assert!(there.len() == nodes && there.iter().all(|node| node.contains(" Ready Active")), "{there:?}");
    };
    let ids = || -> BTreeSet<String> {
        let shown = swarm.docker_at(&manager, &["node", "ls", "--format", "{{.ID}}"]);
        text(&shown).lines().map(str::to_owned).collect()
    };
    swarm.openstack(&format!("coe nodegroup create {name} extra --node-count 1"));
    settled("the nodegroup to be there", 5);
    swarm.say("a nodegroup has joined");
    swarm.openstack(&format!("coe nodegroup delete {name} extra"));
    settled("the nodegroup to be gone", 4);
    assert_eq!(swarm.show()["status_reason"], "Nodegroup extra was deleted");
    swarm.say("it has left, and is forgotten");

    let before = ids();
    let later = format!("{name}-later");
    swarm.template(&later, "debian-12", "--master-lb-enabled");
    swarm.openstack(&format!("coe cluster upgrade {name} {later}"));
    settled("the upgrade to end", 4);
    assert_eq!(swarm.show()["status_reason"], "Stack UPDATE completed successfully");
    let after = ids();
    assert!(before.is_disjoint(&after), "{before:?} {after:?}");
    let managers = swarm.nodes(&manager).into_iter().filter(|node| node.contains("Active ")).count();
    assert_eq!(managers, 3, "{:?}", swarm.nodes(&manager));
    swarm.health("the health to be told", |shown| shown["health_status"] == "HEALTHY");
    swarm.say("every node is another one, and the Swarm the same");
}

/// What the stand-ins' Docker is held against by tests/node/swarm.sh is what Docker says.
#[test]
fn docker_answers_as_recorded() {
    let Some(output) = rig::recorded() else { return };
    tell(&format!("dockerd: {}", text(&output).trim()));
}

/// `kill -9` between the draining of a node and Heat's update, and between that and its removal from the Swarm: the node is
/// gone for good. Where Heat fails, it may run again what it might before.
#[test]
fn a_killed_conductor_leaves_nobody_drained_and_no_record() {
    let relay = Relay::start();
    let auth_url = relay.auth_url();
    let Some(mut swarm) = Swarm::create_by(1, 3, "", &[("JEROBOAM__KEYSTONE__AUTH_URL", &auth_url)]) else { return };
    let (name, manager) = (swarm.name.clone(), swarm.master(0));
    let workers: Vec<String> = {
        let machines = swarm.rig.machines().into_iter().filter(|machine| machine.address != manager);
        let mut names: Vec<_> = machines.map(|machine| machine.name).collect();
        names.sort();
        names
    };
    let availability = |swarm: &Swarm, node: &str| {
        swarm.docker(&format!("node inspect {node} --format {{{{.Spec.Availability}}}}")).trim().to_owned()
    };
    let ended = |swarm: &Swarm| {
        wait_for("the resize to end", Duration::from_secs(120), || {
            Some(swarm.show()).filter(|shown| !shown["status"].as_str().unwrap().ends_with("IN_PROGRESS"))
        })
    };
    let removes = |swarm: &Swarm, count: usize, node: &str| {
        let path = format!("/clusters/{name}/actions/resize");
        let id = CLOUD.servers(&name).into_iter().find(|server| server["name"] == node).unwrap()["id"].clone();
        let body = json!({"node_count": count, "nodes_to_remove": [id]});
        let answer = swarm.service.call(&swarm.token, "POST", &path, Some(&body));
        assert_eq!(answer.status, 202, "{}", answer.text);
    };

    let update = relay.swallow("PATCH", "");
    removes(&swarm, 2, &workers[1]);
    update.wait();
    assert_eq!(availability(&swarm, &workers[1]), "drain");
    swarm.service.kill();
    drop(update);
    swarm.service.restart();
    let shown = ended(&swarm);
    assert_eq!(shown["status_reason"], "Stack UPDATE completed successfully", "{shown}");
    let nodes = swarm.nodes(&manager);
    assert!(nodes.len() == 3 && nodes.iter().all(|node| node.contains(" Ready Active")), "{nodes:?}");
    swarm.say("killed after the draining; the node is gone");

    let update = relay.hold("PATCH", "");
    removes(&swarm, 1, &workers[2]);
    update.wait();
    swarm.service.kill();
    drop(update);
    wait_for("the machine to go with its server", Duration::from_secs(60), || {
        swarm.rig.machines().iter().all(|machine| machine.name != workers[2]).then_some(())
    });
    assert_eq!(swarm.nodes(&manager).len(), 3, "the Swarm still knows it");
    swarm.service.restart();
    let shown = ended(&swarm);
    assert_eq!(shown["status_reason"], "Stack UPDATE completed successfully", "{shown}");
    let nodes = swarm.nodes(&manager);
    assert!(nodes.len() == 2 && nodes.iter().all(|node| node.contains(" Ready Active")), "{nodes:?}");
    swarm.say("killed before the node was forgotten; it is");

    // Heat does not do it: the node was paused by its owner, and is so again.
    let fault = json!({
        "type": "OS::Nova::Server", "stack": name, "action": "DELETE", "fail": "The host is away.",
    });
    swarm.docker(&format!("node update --availability pause {}", workers[0]));
    let _order = CLOUD.faults(vec![fault]);
    let update = relay.swallow("PATCH", "");
    removes(&swarm, 0, &workers[0]);
    update.wait();
    assert_eq!(availability(&swarm, &workers[0]), "drain");
    swarm.service.kill();
    drop(update);
    swarm.service.restart();
    let shown = ended(&swarm);
    assert_eq!(shown["status"], "UPDATE_FAILED", "{}", shown["status_reason"]);
    wait_for("the node to be as it was", Duration::from_secs(30), || {
        (availability(&swarm, &workers[0]) == "pause").then_some(())
    });
    swarm.say("killed after the draining; Heat failed, and the node is as its owner had it");
}

/// Calls when it is dropped.
struct AtEnd<F: Fn()>(F);

impl<F: Fn()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// New authorities: Docker of one manager at a time is away. Whoever restarts one later need not open its lock.
#[test]
fn managers_restart_in_turn_and_unlock_themselves() {
    let more = "--master-lb-enabled --labels swarm_autolock=true";
    let Some(swarm) = Swarm::create(3, 0, more) else { return };
    let masters: Vec<String> = (0..3).map(|index| swarm.master(index)).collect();
    let machines: Vec<_> = masters.iter().map(|address| swarm.rig.machine(address)).collect();
    let state = |machine: &rig::Machine| {
        let shown =
            machine.run(&["docker", "info", "--format", "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}"]);
        String::from_utf8_lossy(&shown.stdout).trim().to_owned()
    };
    // Now the service has a way to the managers that it keeps.
    swarm.health("the health to be told", |shown| shown["health_status"] == "HEALTHY");
    swarm.openstack(&format!("coe ca rotate {}", swarm.name));
    let done = std::sync::atomic::AtomicBool::new(false);
    let seen = std::thread::scope(|threads| {
        let done = &done;
        // However this ends, else the others would go on for ever.
        let _ends = AtEnd(|| done.store(true, std::sync::atomic::Ordering::Relaxed));
        for machine in &machines {
            threads.spawn(move || {
                // As the timer does, but sooner.
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let _later = machine.run(&["/bin/bash", "/usr/local/lib/jeroboam/bootstrap", "orders"]);
                    std::thread::sleep(Duration::from_millis(500));
                }
            });
        }
        let mut seen = Vec::new();
        let shown = wait_for("the rotation", Duration::from_secs(300), || {
            seen.push(rig::away_at_once(&machines, |machine| state(machine) != "active true"));
            let shown = swarm.show();
            (!shown["status"].as_str().unwrap().ends_with("IN_PROGRESS")).then_some(shown)
        });
        assert_eq!(shown["status"], "UPDATE_COMPLETE", "{}\n{}", shown["status_reason"], swarm.rig.diary());
        seen
    });
    assert!(seen.contains(&1) && !seen.iter().any(|away| *away > 1), "managers away at a time: {seen:?}");
    swarm.say("the authorities are replaced, one manager at a time");
    health_is_asked_by_the_new_certificate(&swarm);
    swarm.fetch_keys();
    let nodes = swarm.nodes(&masters[0]);
    assert!(nodes.len() == 3 && nodes.iter().all(|node| node.contains(" Ready Active")), "{nodes:?}");

    text(&machines[1].run(&["systemctl", "restart", "docker"]));
    wait_for("the manager to be unlocked", Duration::from_secs(60), || {
        let said = machines[1].run(&["cat", "/var/log/units/jeroboam-unlock.service.log"]);
        String::from_utf8_lossy(&said.stdout).contains("the state of the swarm is unlocked").then_some(())
    });
    wait_for("the manager to be back", Duration::from_secs(60), || {
        (state(&machines[1]) == "active true").then_some(())
    });
    wait_for("the others to see it", Duration::from_secs(30), || {
        let nodes = swarm.nodes(&masters[0]);
        nodes.iter().all(|node| node.contains(" Ready Active")).then_some(())
    });
    swarm.say("a manager whose Docker was restarted has unlocked itself");
}

/// The old drivers' defects 8 and 27: by the certificate of before, nobody would say anything.
fn health_is_asked_by_the_new_certificate(swarm: &Swarm) {
    // What was found before is forgotten, so that what is shown has been looked at since.
    swarm.service.write("UPDATE cluster SET health_status = NULL, health_status_reason = '{}'");
    let shown = swarm.health("the health to be told anew", |shown| shown["health_status"] == "HEALTHY");
    let reason = shown["health_status_reason"].as_object().unwrap();
    assert_eq!((&reason["api"], reason.len()), (&json!("ok"), 1 + 3 + 3), "{shown}");
    swarm.say("the health is asked by the new certificate");
}

/// Who wants no TLS has none, is told so, and is looked after all the same.
#[test]
fn without_tls_nodes_are_drained_and_health_is_told() {
    let Some(swarm) = Swarm::create(1, 1, "--tls-disabled") else { return };
    let (name, manager) = (&swarm.name, swarm.master(0));
    let shown = swarm.health("the health to be told", |shown| shown["health_status"] == "HEALTHY");
    assert_eq!(shown["api_address"], format!("tcp://{manager}:2376"), "{shown}");
    let reason = shown["status_reason"].as_str().unwrap();
    assert!(reason.contains("is root on all nodes"), "{reason}");
    let nodes = text(&swarm.client(&manager, &["node", "ls", "--format", "{{.Availability}}"]).output().unwrap());
    assert_eq!(nodes, "Active\nActive\n");
    swarm.openstack(&format!("coe cluster resize {name} 0"));
    let shown = wait_for("the resize to end", Duration::from_secs(90), || {
        Some(swarm.show()).filter(|shown| shown["status"].as_str().unwrap().ends_with("COMPLETE"))
    });
    assert_eq!(shown["status_reason"], "Stack UPDATE completed successfully", "{shown}");
    let nodes = text(&swarm.client(&manager, &["node", "ls", "--format", "{{.Availability}}"]).output().unwrap());
    assert_eq!(nodes, "Active\n");
    swarm.say("without TLS a worker was drained, left and is forgotten");
}
