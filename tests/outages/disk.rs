//! The records cannot be written: no space is left, or another program holds them.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::support::cloud::CLOUD;
use super::support::http::request;
use super::support::service::Service;
use super::support::{skipped, unique, wait_for};

/// A file system in memory of so many MiB, until this is dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(mib: u32) -> Result<Self, String> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={mib}m,mode=0700");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()).output();
        match output {
            Ok(output) if output.status.success() => Ok(Self(dir)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes every byte that is left, in a file whose name is given back.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = File::create(&path).unwrap();
        let mut size = 1 << 20;
        while size > 0 {
            if file.write_all(&vec![1; size]).is_err() {
                size /= 2;
            }
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn the_disk_is_full() {
    let disk = match Small::mount(24) {
        Ok(disk) => disk,
        Err(why) => return skipped("the_disk_is_full", &format!("a file system of its own cannot be mounted: {why}")),
    };
    let state = disk.path().join("var");
    let mut service = Service::start(&[("JEROBOAM__STATE_DIR", state.to_str().unwrap())]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({"labels": {"node_reports": "false"}}));
    let filler = disk.fill();

    // Until the file's own free pages are used up, single rows still fit; then nothing does.
    let body = |name: &str| {
        json!({
            "name": name, "coe": "kubernetes", "image_id": "ubuntu-24.04", "external_network_id": "public",
            "flavor_id": "m1.small", "labels": {"availability_zone": "x".repeat(8192)},
        })
    };
    let mut kept = vec![template.clone()];
    let refused = wait_for("a refusal", Duration::from_secs(60), || {
        let answer = service.call(&token, "POST", "/clustertemplates", Some(&body(&unique("full"))));
        match answer.status {
            201 => {
                kept.push(answer.json()["uuid"].as_str().unwrap().to_owned());
                None
            }
            _ => Some(answer),
        }
    });
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.header("retry-after").is_some());
    assert!(refused.detail().contains("database"), "{}", refused.text);
    let name = unique("full");
    let cluster = json!({"name": name, "cluster_template_id": template, "node_count": 0});
    let answer = service.call(&token, "POST", "/clusters", Some(&cluster));
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(service.log().to_lowercase().contains("full"), "the log names the cause");

    // Reading goes on, and shows only what was accepted.
    let listed = service.call(&token, "GET", "/clustertemplates", None);
    assert_eq!(listed.status, 200, "{}", listed.text);
    let listed: Vec<_> = listed.json()["clustertemplates"].as_array().unwrap().clone();
    let listed: Vec<_> = listed.iter().map(|template| template["uuid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, kept);
    assert_eq!(service.call(&token, "GET", "/clusters", None).json(), json!({"clusters": []}));
    assert_eq!(service.call(&token, "GET", "/stats", None).json(), json!({"clusters": 0, "nodes": 0}));
    CLOUD.no_stack("demo", &name);

    // With space again everything works, without a restart and after one.
    std::fs::remove_file(filler).unwrap();
    let uuid = wait_for("a cluster to be accepted", Duration::from_secs(60), || {
        let answer = service.call(&token, "POST", "/clusters", Some(&cluster));
        (answer.status == 202).then(|| answer.json()["uuid"].as_str().unwrap().to_owned())
    });
    service.complete(&token, &uuid);
    service.kill();
    service.restart();
    service.gone(&token, &uuid);
    for uuid in kept {
        assert_eq!(service.call(&token, "GET", &format!("/clustertemplates/{uuid}"), None).status, 200);
    }
}

/// Holds the records' file for itself until told to let go.
struct Holder(Child);

impl Holder {
    fn of(file: &Path) -> Self {
        const HOLD: &str = "import sqlite3, sys\n\
            c = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n\
            c.execute('BEGIN IMMEDIATE')\n\
            print('held', flush=True)\n\
            sys.stdin.read()\n\
            c.execute('ROLLBACK')";
        let mut child = Command::new("python3")
            .args(["-c", HOLD])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.as_mut().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}

#[test]
fn the_database_is_locked() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let body = json!({
        "name": "locked", "coe": "kubernetes", "image_id": "ubuntu-24.04", "external_network_id": "public",
        "flavor_id": "m1.small",
    });
    let holder = Holder::of(&service.state_dir().join("jeroboam.db"));
    // Readers are not in the way of a writer, nor it in theirs.
    assert_eq!(service.call(&token, "GET", "/clustertemplates", None).json(), json!({"clustertemplates": []}));
    let answer = service.call(&token, "POST", "/clustertemplates", Some(&body));
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.header("retry-after").is_some());
    assert!(answer.detail().contains("database"), "{}", answer.text);
    assert_eq!(request("GET", &format!("{}/readyz", service.root()), &[], None).status, 200);
    drop(holder);
    assert_eq!(service.rows("SELECT count(*) FROM cluster_template"), json!([[0]]));
    // A short hold is waited for.
    let holder = Holder::of(&service.state_dir().join("jeroboam.db"));
    let freed = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        drop(holder);
    });
    let answer = service.call(&token, "POST", "/clustertemplates", Some(&body));
    assert_eq!(answer.status, 201, "{}", answer.text);
    freed.join().unwrap();
}
