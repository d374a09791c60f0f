//! The OpenAPI document: its frame, and the schemas of requests, made from the tables that requests are held against.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, RefOr, SecurityRequirement};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::body::{Access, Field};
use crate::coerce::Kind;

/// The frame that routes are put into.
#[must_use]
pub fn frame() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Jeroboam")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Container clusters for OpenStack, by the container-infra (Magnum) API."))
        .build();
    let key = |name: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name)));
    let components = utoipa::openapi::ComponentsBuilder::new()
        .security_scheme("token", key("X-Auth-Token"))
        .security_scheme("bootstrap", key("X-Jeroboam-Bootstrap-Token"))
        .security_scheme("node", key("X-Jeroboam-Node-Signature"))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>("token", [])]))
        .build()
}

/// Which part of a listing is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what page::Listing reads")]
pub struct PageParameters {
    /// Most entries.
    #[param(minimum = 1)]
    limit: Option<i64>,
    /// The entry after which the page starts.
    marker: Option<uuid::Uuid>,
    /// The column to sort by.
    sort_key: Option<String>,
    /// `asc` or `desc`.
    sort_dir: Option<String>,
}

/// One change of a JSON patch.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what patch::read reads")]
pub struct PatchOperation {
    /// `add`, `replace` or `remove`.
    op: String,
    /// `/attribute` or `/attribute/key`.
    path: String,
    /// The new value; none for `remove`.
    #[schema(value_type = Option<Object>)]
    value: Option<serde_json::Value>,
}

/// A node's report.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what conductor::node::Report reads")]
pub struct NodeReport {
    /// How far it has come.
    phase: String,
    /// The step it works on, or failed in.
    step: Option<String>,
    /// What it says about that.
    message: Option<String>,
    /// The last lines of that step's log.
    log: Option<Vec<String>>,
    /// Names of its software to their versions.
    versions: Option<std::collections::BTreeMap<String, String>>,
    /// Its addresses.
    addresses: Option<Vec<String>>,
}

/// A node's answer to an order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what conductor::order::Outcome reads")]
pub struct OrderAnswer {
    /// The order's identifier.
    uuid: String,
    /// `done` or `failed`.
    state: String,
    /// Why it failed.
    message: Option<String>,
    /// The last lines of its log.
    log: Option<Vec<String>>,
}

/// Tokens that let nodes join.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what conductor::join_token::HandedIn reads")]
pub struct NewJoinTokens {
    /// Lets control plane nodes in.
    manager: String,
    /// Lets workers in.
    worker: String,
    /// Opens the state of control plane nodes after a restart, where it is locked.
    unlock_key: Option<String>,
}

/// A node's request for the token that lets it join.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what api::nodes::join_token reads")]
pub struct JoinTokenRequest {
    /// SHA-256, in hexadecimal digits, of a token that control plane nodes did not take.
    refused: Option<String>,
}

/// A schema whose properties are the rows of a table of fields.
macro_rules! from_table {
    ($(#[$doc:meta])* $name:ident, $fields:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                object($fields)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

from_table!(
    /// A request for a cluster template.
    NewClusterTemplate,
    crate::cluster_templates::FIELDS
);
from_table!(
    /// A request for a cluster.
    NewCluster,
    crate::clusters::FIELDS
);
from_table!(
    /// A request for a nodegroup.
    NewNodegroup,
    crate::nodegroups::FIELDS
);
from_table!(
    /// A request for an upgrade.
    UpgradeRequest,
    crate::upgrade::FIELDS
);
from_table!(
    /// Another number of nodes in a nodegroup.
    Resize,
    crate::cluster_update::RESIZE_FIELDS
);
from_table!(
    /// A request for a signature.
    NewCertificate,
    crate::certificates::FIELDS
);

from_table!(
    /// A request for a quota.
    NewQuota,
    crate::quotas::FIELDS
);
from_table!(
    /// A change of a quota.
    QuotaChange,
    crate::quotas::CHANGES
);

from_table!(
    /// A request for a federation.
    NewFederation,
    crate::federations::FIELDS
);

fn object(fields: &[Field]) -> RefOr<Schema> {
    let known = fields.iter().filter(|field| matches!(field.access, Access::Optional | Access::Mandatory));
    let object = known.fold(ObjectBuilder::new(), |object, field| {
        let object = object.property(field.name, property(field.kind));
        if field.access == Access::Mandatory { object.required(field.name) } else { object }
    });
    let none = AdditionalProperties::<Schema>::FreeForm(false);
    RefOr::T(Schema::Object(object.additional_properties(Some(none)).build()))
}

fn property(kind: Kind) -> ObjectBuilder {
    let of = |kind| ObjectBuilder::new().schema_type(SchemaType::new(kind));
    match kind {
        Kind::Any => ObjectBuilder::new().schema_type(SchemaType::AnyValue),
        Kind::Text { min, max } => of(Type::String).min_length(Some(min)).max_length(Some(max)),
        Kind::ClusterName => {
            of(Type::String).min_length(Some(1)).max_length(Some(242)).pattern(Some("^[a-zA-Z][a-zA-Z0-9_.-]*$"))
        }
        Kind::Uuid => of(Type::String).format(Some(utoipa::openapi::SchemaFormat::Custom("uuid".into()))),
        Kind::Integer { min, max } => {
            of(Type::Integer).minimum(i32::try_from(min).ok()).maximum(i32::try_from(max).ok())
        }
        Kind::Boolean => of(Type::Boolean),
        Kind::Labels => {
            let text = Schema::Object(of(Type::String).build());
            of(Type::Object).additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(text))))
        }
        Kind::NodeLabels => property(Kind::Labels),
        Kind::Taints => of(Type::Array).description(Some("Objects with the strings key, value (optional) and effect")),
        Kind::Texts => of(Type::Array),
        Kind::OneOf(words) => of(Type::String).enum_values(Some(words.iter().copied())),
        Kind::Coe => of(Type::String).enum_values(Some(crate::coerce::coes())),
        Kind::NameServers => of(Type::String).description(Some("IPv4 addresses separated by commas")),
    }
}
