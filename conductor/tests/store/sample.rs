//! Rows to test with.

use conductor::cluster::{Cluster, NewCluster, Status};
use conductor::cluster_template::{self, ClusterTemplate};
use conductor::column::{StringList, StringMap, now};
use conductor::nodegroup::{DEFAULT_MASTER, DEFAULT_WORKER, MASTER, Nodegroup, WORKER};
use conductor::operation::store::NewOperation;
use sea_orm::DatabaseConnection;
use serde_json::json;
use uuid::Uuid;

pub fn uuid() -> String {
    Uuid::new_v4().to_string()
}

pub fn template(name: &str, project: &str) -> ClusterTemplate {
    ClusterTemplate {
        id: 0,
        uuid: uuid(),
        name: Some(name.to_owned()),
        project_id: project.to_owned(),
        user_id: "user".into(),
        coe: "kubernetes".into(),
        image_id: "debian-12".into(),
        flavor_id: Some("m1.small".into()),
        master_flavor_id: None,
        dns_nameserver: Some("8.8.8.8".into()),
        keypair_id: None,
        external_network_id: Some("public".into()),
        fixed_network: None,
        fixed_subnet: None,
        network_driver: Some("flannel".into()),
        apiserver_port: Some(6443),
        docker_volume_size: None,
        docker_storage_driver: None,
        cluster_distro: "debian".into(),
        http_proxy: None,
        https_proxy: None,
        no_proxy: None,
        volume_driver: None,
        registry_enabled: false,
        labels: StringMap::from([("kube_tag", "v1.30"), ("Ünïcode", "… \"quoted\" \\ 'x'")]),
        tls_disabled: false,
        public: false,
        server_type: "vm".into(),
        insecure_registry: None,
        master_lb_enabled: true,
        floating_ip_enabled: true,
        hidden: false,
        tags: Some(String::new()),
        driver: Some("kubernetes".into()),
        revision: 0,
        created_at: now(),
        updated_at: None,
    }
}

pub async fn kept_template(db: &DatabaseConnection, project: &str) -> ClusterTemplate {
    cluster_template::store::insert(db, template("template", project)).await.unwrap()
}

pub fn cluster(name: &str, template: &ClusterTemplate, project: &str) -> Cluster {
    Cluster {
        id: 0,
        uuid: uuid(),
        name: name.to_owned(),
        project_id: project.to_owned(),
        user_id: "user".into(),
        cluster_template_id: template.uuid.clone(),
        next_template_id: None,
        keypair: Some("key".into()),
        ssh_public_key: Some("ssh-ed25519 AAAA user".into()),
        docker_volume_size: Some(20),
        labels: StringMap::from([("a", "1")]),
        master_flavor_id: Some("m1.medium".into()),
        flavor_id: Some("m1.small".into()),
        create_timeout: Some(60),
        discovery_url: None,
        fixed_network: None,
        fixed_subnet: None,
        floating_ip_enabled: false,
        master_lb_enabled: true,
        status: Status::CreateInProgress,
        status_reason: None,
        health_status: None,
        health_status_reason: StringMap::default(),
        api_address: None,
        coe_version: None,
        container_version: None,
        stack_id: None,
        stack_name: None,
        act_as: None,
        trust_id: None,
        trustee_user_id: None,
        trustee_username: None,
        trustee_password: None,
        credential_id: None,
        credential_secret: None,
        spec: None,
        driver: "kubernetes".into(),
        created_at: now(),
        updated_at: None,
    }
}

pub fn nodegroup(cluster: &Cluster, name: &str, role: &str) -> Nodegroup {
    Nodegroup {
        id: 0,
        uuid: uuid(),
        cluster_uuid: cluster.uuid.clone(),
        project_id: cluster.project_id.clone(),
        name: name.to_owned(),
        role: role.to_owned(),
        flavor_id: Some("m1.small".into()),
        image_id: Some("debian-12".into()),
        node_count: if role == MASTER { 1 } else { 2 },
        min_node_count: 0,
        max_node_count: None,
        docker_volume_size: None,
        labels: StringMap::default(),
        is_default: true,
        stack_id: None,
        token_generation: 1,
        status: Status::CreateInProgress,
        status_reason: None,
        version: None,
        node_addresses: StringList::default(),
        node_labels: None,
        node_taints: None,
        spec: None,
        created_at: now(),
        updated_at: None,
    }
}

pub fn operation(cluster: &Cluster, kind: &str) -> NewOperation {
    NewOperation {
        cluster_uuid: cluster.uuid.clone(),
        nodegroup_uuid: None,
        subject: cluster.uuid.clone(),
        project_id: cluster.project_id.clone(),
        user_id: "user".into(),
        kind: kind.to_owned(),
        input: json!({"nested": {"list": [1, 2.5, null, true, "ä"]}}),
        deadline: None,
        request_id: Some("req-1".into()),
        notifies: false,
        token: Some(vec![0, 159, 255]),
    }
}

pub fn new_cluster(name: &str, template: &ClusterTemplate, project: &str) -> NewCluster {
    let cluster = cluster(name, template, project);
    NewCluster {
        nodegroups: vec![nodegroup(&cluster, DEFAULT_MASTER, MASTER), nodegroup(&cluster, DEFAULT_WORKER, WORKER)],
        operation: operation(&cluster, "cluster.create"),
        cluster,
        quota: 1_000_000,
    }
}

pub async fn kept_cluster(db: &DatabaseConnection, name: &str, template: &ClusterTemplate, project: &str) -> Cluster {
    conductor::cluster::store::insert(db, new_cluster(name, template, project)).await.unwrap().cluster
}
