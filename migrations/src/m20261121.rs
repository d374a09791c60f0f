//! The first schema.

use sea_orm_migration::prelude::{ForeignKey, ForeignKeyAction, Index, Table, TableCreateStatement};
use sea_orm_migration::prelude::{ForeignKeyCreateStatement, IndexCreateStatement};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{
    boolean, id, integer, integer_null, json, json_null, moment, moment_null, sealed_null, string, string_null, text,
    text_null, uuid, word, word_null,
};
use crate::step::{Change, Step};

/// In order.
pub(crate) const STEPS: &[Step] = &[
    table("m20261121_000001_cluster_template", cluster_template),
    index(
        "m20261121_000002_cluster_template_project",
        "CREATE INDEX IF NOT EXISTS ix_cluster_template_project ON cluster_template (project_id)",
    ),
    table("m20261121_000003_cluster", cluster),
    index("m20261121_000004_cluster_project", "CREATE INDEX IF NOT EXISTS ix_cluster_project ON cluster (project_id)"),
    index(
        "m20261121_000005_cluster_template_used",
        "CREATE INDEX IF NOT EXISTS ix_cluster_template_used ON cluster (cluster_template_id)",
    ),
    table("m20261121_000006_nodegroup", nodegroup),
    table("m20261121_000007_x509_keypair", x509_keypair),
    table("m20261121_000008_bootstrap_token", bootstrap_token),
    index(
        "m20261121_000009_bootstrap_token_cluster",
        "CREATE INDEX IF NOT EXISTS ix_bootstrap_token_cluster ON bootstrap_token (cluster_uuid)",
    ),
    table("m20261121_000010_node", node),
    table("m20261121_000011_operation", operation),
    index("m20261121_000012_operation_state", "CREATE INDEX IF NOT EXISTS ix_operation_state ON operation (state, id)"),
    table("m20261121_000013_quota", quota),
    table("m20261121_000014_project_usage", project_usage),
    table("m20261121_000015_service", service),
    table("m20261121_000016_lease", lease),
];

const fn table(name: &'static str, table: fn(DbBackend) -> TableCreateStatement) -> Step {
    Step { name, change: Change::Table(table) }
}

const fn index(name: &'static str, sql: &'static str) -> Step {
    Step { name, change: Change::Statement(sql) }
}

fn unique(name: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).unique().take();
    for column in columns {
        index.col(*column);
    }
    index
}

fn refers(from: (&'static str, &'static str), to: &'static str, gone: ForeignKeyAction) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{}_{}", from.0, from.1))
        .from(from.0, from.1)
        .to(to, "uuid")
        .on_delete(gone)
        .take()
}

fn cluster_template(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("cluster_template")
        .col(id())
        .col(uuid("uuid"))
        .col(string_null("name"))
        .col(string("project_id"))
        .col(string("user_id"))
        .col(word("coe"))
        .col(string("image_id"))
        .col(string_null("flavor_id"))
        .col(string_null("master_flavor_id"))
        .col(text_null("dns_nameserver"))
        .col(string_null("keypair_id"))
        .col(string_null("external_network_id"))
        .col(string_null("fixed_network"))
        .col(string_null("fixed_subnet"))
        .col(string_null("network_driver"))
        .col(integer_null("apiserver_port"))
        .col(integer_null("docker_volume_size"))
        .col(string_null("docker_storage_driver"))
        .col(string("cluster_distro"))
        .col(string_null("http_proxy"))
        .col(string_null("https_proxy"))
        .col(string_null("no_proxy"))
        .col(string_null("volume_driver"))
        .col(boolean("registry_enabled"))
        .col(json("labels"))
        .col(boolean("tls_disabled"))
        .col(boolean("public"))
        .col(word("server_type"))
        .col(string_null("insecure_registry"))
        .col(boolean("master_lb_enabled"))
        .col(boolean("floating_ip_enabled"))
        .col(boolean("hidden"))
        .col(string_null("tags"))
        .col(string_null("driver"))
        .col(integer("revision"))
        .col(moment(db, "created_at"))
        .col(moment_null(db, "updated_at"))
        .index(&mut unique("uq_cluster_template_uuid", &["uuid"]))
        .take()
}

fn cluster(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("cluster")
        .col(id())
        .col(uuid("uuid"))
        .col(string("name"))
        .col(string("project_id"))
        .col(string("user_id"))
        .col(uuid("cluster_template_id"))
        .col(string_null("keypair"))
        .col(text_null("ssh_public_key"))
        .col(integer_null("docker_volume_size"))
        .col(json("labels"))
        .col(string_null("master_flavor_id"))
        .col(string_null("flavor_id"))
        .col(integer_null("create_timeout"))
        .col(text_null("discovery_url"))
        .col(string_null("fixed_network"))
        .col(string_null("fixed_subnet"))
        .col(boolean("floating_ip_enabled"))
        .col(boolean("master_lb_enabled"))
        .col(word("status"))
        .col(text_null("status_reason"))
        .col(word_null("health_status"))
        .col(json("health_status_reason"))
        .col(text_null("api_address"))
        .col(string_null("coe_version"))
        .col(string_null("container_version"))
        .col(string_null("stack_id"))
        .col(string_null("stack_name"))
        .col(word_null("act_as"))
        .col(string_null("trust_id"))
        .col(string_null("trustee_user_id"))
        .col(string_null("trustee_username"))
        .col(sealed_null("trustee_password"))
        .col(string_null("credential_id"))
        .col(sealed_null("credential_secret"))
        .col(json_null("spec"))
        .col(string("driver"))
        .col(moment(db, "created_at"))
        .col(moment_null(db, "updated_at"))
        .index(&mut unique("uq_cluster_uuid", &["uuid"]))
        .foreign_key(&mut refers(("cluster", "cluster_template_id"), "cluster_template", ForeignKeyAction::NoAction))
        .take()
}

fn nodegroup(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("nodegroup")
        .col(id())
        .col(uuid("uuid"))
        .col(uuid("cluster_uuid"))
        .col(string("project_id"))
        .col(string("name"))
        .col(string("role"))
        .col(string_null("flavor_id"))
        .col(string_null("image_id"))
        .col(integer("node_count"))
        .col(integer("min_node_count"))
        .col(integer_null("max_node_count"))
        .col(integer_null("docker_volume_size"))
        .col(json("labels"))
        .col(boolean("is_default"))
        .col(string_null("stack_id"))
        .col(word("status"))
        .col(text_null("status_reason"))
        .col(string_null("version"))
        .col(json("node_addresses"))
        .col(json_null("node_labels"))
        .col(json_null("node_taints"))
        .col(moment(db, "created_at"))
        .col(moment_null(db, "updated_at"))
        .index(&mut unique("uq_nodegroup_uuid", &["uuid"]))
        .index(&mut unique("uq_nodegroup_name", &["cluster_uuid", "name"]))
        .foreign_key(&mut refers(("nodegroup", "cluster_uuid"), "cluster", ForeignKeyAction::Cascade))
        .take()
}

fn x509_keypair(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("x509_keypair")
        .col(id())
        .col(uuid("uuid"))
        .col(uuid("cluster_uuid"))
        .col(word("kind"))
        .col(integer("generation"))
        .col(text("certificate"))
        .col(sealed_null("private_key"))
        .col(string_null("private_key_ref"))
        .col(moment(db, "created_at"))
        .index(&mut unique("uq_x509_keypair_uuid", &["uuid"]))
        .index(&mut unique("uq_x509_keypair_kind", &["cluster_uuid", "kind", "generation"]))
        .foreign_key(&mut refers(("x509_keypair", "cluster_uuid"), "cluster", ForeignKeyAction::Cascade))
        .take()
}

fn bootstrap_token(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("bootstrap_token")
        .col(string("hash").string_len(64).primary_key().take())
        .col(uuid("cluster_uuid"))
        .col(uuid("nodegroup_uuid"))
        .col(string("role"))
        .col(integer("generation"))
        .col(moment(db, "expires_at"))
        .foreign_key(&mut refers(("bootstrap_token", "cluster_uuid"), "cluster", ForeignKeyAction::Cascade))
        .take()
}

fn node(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("node")
        .col(id())
        .col(uuid("cluster_uuid"))
        .col(uuid("nodegroup_uuid"))
        .col(string("name"))
        .col(string("role"))
        .col(word("phase"))
        .col(string_null("step"))
        .col(text_null("message"))
        .col(json("log"))
        .col(json("versions"))
        .col(json("addresses"))
        .col(moment(db, "first_seen"))
        .col(moment(db, "updated_at"))
        .index(&mut unique("uq_node_name", &["cluster_uuid", "name"]))
        .foreign_key(&mut refers(("node", "cluster_uuid"), "cluster", ForeignKeyAction::Cascade))
        .take()
}

/// An operation outlives its cluster (the operation that removes it is one), so it does not refer to it.
fn operation(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("operation")
        .col(id())
        .col(uuid("uuid"))
        .col(uuid("cluster_uuid"))
        .col(string("project_id"))
        .col(string("user_id"))
        .col(word("kind"))
        .col(integer("number"))
        .col(json("input"))
        .col(word("state"))
        .col(string_null("step"))
        .col(integer("attempt"))
        .col(json_null("progress"))
        .col(moment_null(db, "deadline"))
        .col(moment(db, "created_at"))
        .col(moment_null(db, "started_at"))
        .col(moment_null(db, "finished_at"))
        .col(string_null("active"))
        .col(string_null("code"))
        .col(text_null("message"))
        .col(json_null("fault"))
        .col(string_null("request_id"))
        .col(sealed_null("token"))
        .col(string_null("observed_status"))
        .col(text_null("observed_reason"))
        .col(moment_null(db, "observed_at"))
        .col(string("instance"))
        .index(&mut unique("uq_operation_uuid", &["uuid"]))
        .index(&mut unique("uq_operation_number", &["cluster_uuid", "number"]))
        .index(&mut unique("uq_operation_active", &["active"]))
        .take()
}

fn quota(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("quota")
        .col(id())
        .col(string("project_id"))
        .col(word("resource"))
        .col(integer("hard_limit"))
        .col(moment(db, "created_at"))
        .col(moment_null(db, "updated_at"))
        .index(&mut unique("uq_quota_resource", &["project_id", "resource"]))
        .take()
}

fn project_usage(_: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("project_usage")
        .col(string("project_id").primary_key().take())
        .col(integer("clusters"))
        .take()
}

fn service(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("service")
        .col(id())
        .col(string("host"))
        .col(string("binary"))
        .col(boolean("disabled"))
        .col(string_null("disabled_reason"))
        .col(boolean("forced_down"))
        .col(integer("report_count"))
        .col(moment_null(db, "last_seen_up"))
        .col(moment(db, "created_at"))
        .col(moment_null(db, "updated_at"))
        .index(&mut unique("uq_service_binary", &["host", "binary"]))
        .take()
}

fn lease(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("lease")
        .col(string("name").primary_key().take())
        .col(string("holder"))
        .col(moment(db, "expires_at"))
        .take()
}
