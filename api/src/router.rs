//! Every route of the service, on one screen.

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{
    Api, certificates, cluster_templates, cluster_update, clusters, credentials, federations, health, mservices,
    nodegroups, nodes, openapi, quotas, root, stats, upgrade,
};

fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(root::versions))
        .routes(routes!(root::version_1))
        .routes(routes!(health::healthcheck))
        .routes(routes!(health::readyz))
        .routes(routes!(cluster_templates::list, cluster_templates::create))
        .routes(routes!(cluster_templates::detail))
        .routes(routes!(cluster_templates::show, cluster_templates::update, cluster_templates::delete))
        .routes(routes!(clusters::list, clusters::create))
        .routes(routes!(clusters::detail))
        .routes(routes!(clusters::show, cluster_update::update, clusters::delete))
        .routes(routes!(cluster_update::resize))
        .routes(routes!(upgrade::upgrade))
        .routes(routes!(nodegroups::list, nodegroups::create))
        .routes(routes!(nodegroups::show, nodegroups::update, nodegroups::delete))
        .routes(routes!(nodes::report))
        .routes(routes!(nodes::orders, nodes::answer))
        .routes(routes!(nodes::hand_in_join_tokens))
        .routes(routes!(nodes::join_token))
        .routes(routes!(nodes::unlock_key))
        .routes(routes!(nodes::service_account))
        .routes(routes!(nodes::cloud_config))
        .routes(routes!(certificates::sign))
        .routes(routes!(certificates::show, certificates::rotate))
        .routes(routes!(certificates::show_of_type))
        .routes(routes!(credentials::rotate))
        .routes(routes!(quotas::list, quotas::create))
        .routes(routes!(quotas::show, quotas::update, quotas::delete))
        .routes(routes!(federations::list, federations::create))
        .routes(routes!(federations::detail))
        .routes(routes!(federations::show, federations::update, federations::delete))
        .routes(routes!(mservices::list))
        .routes(routes!(stats::show))
}

/// The document that describes every route.
#[must_use]
pub fn document() -> OpenApi {
    routes().into_openapi()
}

/// The routes with their document, without the edge around them.
pub fn bare(api: Api) -> Router {
    let (routes, document) = routes().split_for_parts();
    routes.route("/openapi.json", get(async move || Json(document.clone()))).with_state(api)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_describes_every_route() {
        insta::assert_json_snapshot!("openapi", document());
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let document = serde_json::to_value(document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
        let mut names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
