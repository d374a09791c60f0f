//! A cluster of a certain shape: made, looked at from all sides, and gone.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::cloud::CLOUD;
use super::service::Service;
use super::{unique, wait_for};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The stack's own.
    Own,
    /// A given network, whose only subnet is found.
    Found,
    /// A given network and its subnet.
    Subnet,
}

#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub image: &'static str,
    pub masters: u32,
    pub workers: u32,
    pub network: Network,
    pub balanced: bool,
    pub floating: bool,
    pub runtime_volume: bool,
    pub etcd_volume: bool,
    pub boot_volume: bool,
    pub calico: bool,
}

impl Shape {
    fn template(&self) -> Value {
        let mut labels = json!({});
        if self.etcd_volume {
            labels["etcd_volume_size"] = "2".into();
        }
        if self.boot_volume {
            labels["boot_volume_size"] = "12".into();
        }
        if self.calico {
            labels["cni_manifest_url"] = "https://example.org/calico.yaml".into();
            labels["cni_manifest_sha256"] = "0a".repeat(32).into();
        }
        let mut body = json!({
            "image_id": self.image, "labels": labels, "master_lb_enabled": self.balanced,
            "floating_ip_enabled": self.floating, "network_driver": if self.calico { "calico" } else { "flannel" },
        });
        if self.runtime_volume {
            body["docker_volume_size"] = 3.into();
        }
        if self.network != Network::Own {
            body["fixed_network"] = "private".into();
        }
        if self.network == Network::Subnet {
            body["fixed_subnet"] = "private-subnet".into();
        }
        body
    }
}

/// A cluster that is complete.
pub struct Checked {
    pub shape: Shape,
    /// The name of the Heat that carries it, among the cloud's addresses.
    heat: &'static str,
    pub name: String,
    pub uuid: String,
    template: String,
    shown: Value,
}

impl Checked {
    /// Made in the cloud's first region.
    pub fn made(service: &Service, token: &str, shape: Shape) -> Self {
        Self::made_by("heat", service, token, shape)
    }

    pub fn made_by(heat: &'static str, service: &Service, token: &str, shape: Shape) -> Self {
        let name = unique("shape");
        let template = service.template(token, shape.template());
        let counts = json!({"name": name, "master_count": shape.masters, "node_count": shape.workers});
        let uuid = service.cluster(token, &template, counts);
        let shown = service.settled(token, &uuid);
        assert_eq!(shown["status"], "CREATE_COMPLETE", "{shape:?}: {}", shown["status_reason"]);
        Self { shape, heat, name, uuid, template, shown }
    }

    /// Everything that a complete cluster of this shape must show, to users, to Heat's readers and on its nodes.
    pub fn is_well(&self, service: &Service, token: &str) {
        self.shows_its_addresses();
        let stack = self.stack(token);
        self.has_what_controllers_read(token, &stack);
        self.its_nodes_are_ready(service);
        self.its_nodes_have_certificates(service, token);
    }

    fn addresses(&self, key: &str) -> Vec<&str> {
        self.shown[key].as_array().unwrap().iter().map(|address| address.as_str().unwrap()).collect()
    }

    fn shows_its_addresses(&self) {
        let (shape, shown) = (self.shape, &self.shown);
        let masters = self.addresses("master_addresses");
        let workers = self.addresses("node_addresses");
        assert_eq!((masters.len(), workers.len()), (shape.masters as usize, shape.workers as usize), "{shown}");
        assert_eq!(shown["master_count"], shape.masters);
        assert_eq!(shown["node_count"], shape.workers);
        let all: std::collections::BTreeSet<_> = masters.iter().chain(&workers).collect();
        assert_eq!(all.len(), masters.len() + workers.len(), "no address twice: {shown}");
        let inside = match shape.network {
            Network::Own => "10.0.0.",
            Network::Found | Network::Subnet => "10.10.0.",
        };
        let begins = if shape.floating { "172.24." } else { inside };
        assert!(all.iter().all(|address| address.starts_with(begins)), "{begins}: {shown}");
        let api = shown["api_address"].as_str().unwrap();
        let host = api.strip_prefix("https://").and_then(|rest| rest.strip_suffix(":6443"));
        let host = host.unwrap_or_else(|| panic!("api_address {api}"));
        assert!(host.starts_with(begins), "{begins}: {shown}");
        // A balancer's address is none of the masters'; without one, it is the first master's.
        assert_eq!(masters.contains(&host), !shape.balanced, "{shown}");
        assert!(shown["coe_version"].as_str().is_some_and(|version| version.starts_with('v')), "{shown}");
    }

    /// What Heat has at that path of the project.
    fn heat(&self, token: &str, path: &str) -> Value {
        let answer = CLOUD.call(self.heat, token, "GET", &format!("/v1/{}{path}", CLOUD.project("demo")), None);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    fn stacks(&self, token: &str) -> Vec<Value> {
        let mut stacks = self.heat(token, "/stacks")["stacks"].as_array().unwrap().clone();
        stacks.retain(|stack| stack["stack_name"].as_str().unwrap().contains(&format!("{}-", self.name)));
        // Heat lists a deleted stack for another moment.
        stacks.retain(|stack| stack["stack_status"] != "DELETE_COMPLETE");
        stacks
    }

    fn stack(&self, token: &str) -> Value {
        let mut stacks = self.stacks(token);
        assert_eq!(stacks.len(), 1, "{stacks:?}");
        // The newest microversion calls it so.
        assert_eq!(stacks[0]["id"], self.shown["cluster_id"]);
        stacks.remove(0)
    }

    /// What the autoscaler and the auto-healer look for.
    fn has_what_controllers_read(&self, token: &str, stack: &Value) {
        let get = |path: &str| self.heat(token, path);
        let of = |name: &Value, id: &Value| format!("/stacks/{}/{}", name.as_str().unwrap(), id.as_str().unwrap());
        let cluster = of(&stack["stack_name"], &stack["id"]);
        let group = &get(&format!("{cluster}/resources/kube_minions"))["resource"];
        assert_eq!(group["resource_status"], "CREATE_COMPLETE");
        let nested = group["physical_resource_id"].as_str().unwrap();
        let located = &get(&format!("/stacks/{nested}"))["stack"];
        let outputs = located["outputs"].as_array().unwrap();
        let refs = outputs.iter().find(|output| output["output_key"] == "refs_map").expect("refs_map");
        let servers = refs["output_value"].as_object().unwrap();
        let members = get(&format!("{}/resources", of(&located["stack_name"], &located["id"])));
        let members = members["resources"].as_array().unwrap();
        assert_eq!((members.len(), servers.len()), (self.shape.workers as usize, self.shape.workers as usize));
        for member in members {
            let index = member["resource_name"].as_str().unwrap();
            assert!(index.parse::<u32>().is_ok_and(|index| index < self.shape.workers), "{index}");
            // The member is known by its server, so its own stack is found by the link that says nested.
            let links = member["links"].as_array().unwrap();
            let own = links.iter().find(|link| link["rel"] == "nested").unwrap()["href"].as_str().unwrap();
            let path = &own[own.find("/stacks/").unwrap()..];
            let minion = &get(&format!("{path}/resources/kube-minion"))["resource"];
            assert_eq!(minion["resource_type"], "OS::Nova::Server");
            assert_eq!(minion["resource_status"], "CREATE_COMPLETE");
            assert_eq!(servers[index], minion["physical_resource_id"]);
        }
        let deep = get(&format!("{cluster}/resources?nested_depth=2"));
        let server = |resource: &&Value| resource["resource_type"] == "OS::Nova::Server";
        let found = deep["resources"].as_array().unwrap().iter().filter(server).count();
        assert_eq!(found, (self.shape.masters + self.shape.workers) as usize);
    }

    fn its_nodes_are_ready(&self, service: &Service) {
        let rows = service.rows(&format!("SELECT role, phase FROM node WHERE cluster_uuid = '{}'", self.uuid));
        let count = |role: &str| rows.as_array().unwrap().iter().filter(|row| **row == json!([role, "ready"])).count();
        assert_eq!((count("master"), count("worker")), (self.shape.masters as usize, self.shape.workers as usize));
        assert_eq!(rows.as_array().unwrap().len(), (self.shape.masters + self.shape.workers) as usize, "{rows}");
    }

    /// The machines themselves, as they were played.
    fn machines(&self) -> Vec<PathBuf> {
        let prefix = format!("CLUSTER_UUID='{}'", self.uuid);
        let folders = std::fs::read_dir(CLOUD.dir().join("nodes")).unwrap();
        let roots = folders.map(|folder| folder.unwrap().path().join("root"));
        roots
            .filter(|root| {
                std::fs::read_to_string(root.join("etc/jeroboam/node.env")).is_ok_and(|text| text.contains(&prefix))
            })
            .collect()
    }

    fn its_nodes_have_certificates(&self, service: &Service, token: &str) {
        let answer = service.call(token, "GET", &format!("/certificates/{}", self.uuid), None);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let authority = service.dir().join(format!("{}.pem", self.uuid));
        std::fs::write(&authority, answer.json()["pem"].as_str().unwrap()).unwrap();
        let machines = self.machines();
        assert_eq!(machines.len(), (self.shape.masters + self.shape.workers) as usize, "{machines:?}");
        for root in machines {
            let list = std::fs::read_to_string(root.join("etc/jeroboam/certificates.tsv")).unwrap();
            let kubelet = root.join("var/lib/kubelet/pki/kubelet.crt");
            let mut certificates = vec![kubelet];
            if list.contains("apiserver") {
                certificates.push(root.join("etc/kubernetes/pki/apiserver.crt"));
                assert!(root.join("etc/kubernetes/pki/etcd/peer.crt").is_file(), "{}", root.display());
            }
            let verified = Command::new("openssl")
                .args(["verify", "-x509_strict", "-CAfile"])
                .arg(&authority)
                .args(&certificates)
                .output()
                .unwrap();
            assert!(verified.status.success(), "{certificates:?}: {}", String::from_utf8_lossy(&verified.stderr));
        }
    }

    /// Deletes the cluster and its template; its machines go with it.
    pub fn goes(self, service: &Service, token: &str) {
        service.gone(token, &self.uuid);
        assert_eq!(self.stacks(token), [] as [Value; 0]);
        wait_for("the machines to be gone", Duration::from_secs(30), || self.machines().is_empty().then_some(()));
        let answer = service.call(token, "DELETE", &format!("/clustertemplates/{}", self.template), None);
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
}
