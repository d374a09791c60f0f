//! The contract's section 3, rule by rule.

use serde_json::{Value, json};

use super::cloud::{ADMIN, COLLEAGUE, MEMBER, READER, STRANGER, Service, usual};

const COLLECTION: &str = "POST /v1/clustertemplates";

#[tokio::test]
async fn a_new_template_has_every_member_and_a_location() {
    let service = Service::start().await;
    let (status, headers, body) = service.ask(MEMBER, COLLECTION, usual(json!({"labels": {"a": true, "b": 1}}))).await;
    assert_eq!(status, 201, "{body}");
    let uuid = body["uuid"].as_str().unwrap();
    assert_eq!(headers["location"], format!("http://h:9511/v1/clustertemplates/{uuid}"));
    assert_eq!(body["links"][1], json!({"href": format!("http://h:9511/clustertemplates/{uuid}"), "rel": "bookmark"}));
    let mut members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    insta::assert_json_snapshot!("template_members", members);
    for (member, value) in [
        ("server_type", json!("vm")),
        ("network_driver", json!("flannel")),
        ("cluster_distro", json!("ubuntu")),
        ("driver", json!("kubernetes")),
        ("floating_ip_enabled", json!(true)),
        ("master_lb_enabled", json!(false)),
        ("public", json!(false)),
        ("labels", json!({"a": "True", "b": "1"})),
        ("updated_at", Value::Null),
        ("project_id", json!("p1")),
        ("user_id", json!("alice")),
        ("keypair_id", Value::Null),
    ] {
        assert_eq!(body[member], value, "{member}");
    }
    assert!(body["created_at"].as_str().unwrap().ends_with("+00:00"));
}

#[tokio::test]
async fn nulls_strings_and_chosen_uuids_are_taken() {
    let service = Service::start().await;
    let uuid = "5e5b4a2c-7f0b-4b1b-9f0e-0d3b8e0c1a11";
    let body = json!({"uuid": uuid, "name": null, "flavor_id": null, "master_flavor_id": null, "dns_nameserver": "8.8.8.8",
        "docker_volume_size": "5", "public": "False", "floating_ip_enabled": "true", "keypair_id": null, "driver": null});
    let made = service.template(MEMBER, body.clone()).await;
    assert_eq!((&made["uuid"], &made["docker_volume_size"]), (&json!(uuid), &json!(5)));
    assert!(made["name"].as_str().unwrap().ends_with("-template"));
    let (status, text) = service.refused(MEMBER, COLLECTION, usual(body)).await;
    assert_eq!((status, text), (409, format!("A ClusterTemplate with UUID {uuid} already exists.")));
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_the_contracts_words() {
    let service = Service::start().await;
    for (change, status, text) in [
        (json!({"coe": null}), 400, "Requested COE type Unset is not supported."),
        (
            json!({"coe": "nomad"}),
            400,
            "Invalid input for field/attribute coe. Value: 'nomad'. Allowed: kubernetes, swarm, swarm-mode, mesos.",
        ),
        (
            json!({"server_type": "pod"}),
            400,
            "Server type pod is not supported, expecting a vm/bm/unspecified server type.",
        ),
        (
            json!({"network_driver": "cilium"}),
            400,
            "Network driver type cilium is not allowed, expecting a flannel/calico/unspecified network driver.",
        ),
        (json!({"driver": "magic"}), 400, "Cluster driver (magic) not supported. Supported: kubernetes, swarm."),
        (
            json!({"image_id": "odd-driver"}),
            400,
            "Cluster driver (k8s_capi_helm) not supported. Supported: kubernetes, swarm.",
        ),
        (json!({"image_id": "nothing"}), 400, "Image nothing could not be found."),
        (json!({"image_id": "secret"}), 403, "Not authorized for image secret."),
        (
            json!({"image_id": "twins"}),
            409,
            "Multiple images exist with the name twins. Please use the image id instead.",
        ),
        (json!({"image_id": "bare"}), 400, "Image bare doesn't contain os_distro field."),
        (json!({"image_id": "queued"}), 400, "Image queued is queued; it must be active."),
        (json!({"flavor_id": "huge"}), 400, "Unable to find flavor huge."),
        (json!({"master_flavor_id": "huge"}), 400, "Unable to find flavor huge."),
        (json!({"external_network_id": "private"}), 400, "Unable to find external network private."),
        (
            json!({"external_network_id": "twins"}),
            409,
            "Multiple external networks exist with the name twins. Please use the network id instead.",
        ),
        (json!({"fixed_network": "nothing"}), 400, "Unable to find fixed network nothing."),
        (json!({"fixed_subnet": "nothing"}), 400, "Unable to find fixed subnet nothing."),
        (
            json!({"fixed_network": "private", "fixed_subnet": "elsewhere"}),
            400,
            "Unable to find fixed subnet elsewhere in the network private.",
        ),
        (json!({"public": true}), 403, "Not authorized to set public or hidden flag for cluster template."),
        (
            json!({"flavor_id": "diskless"}),
            400,
            "Flavor with zero root volume size is not supported when boot_volume_size is zero.",
        ),
        (
            json!({"labels": {"boot_volume_size": "ten"}}),
            400,
            "The label boot_volume_size is 'ten'; it must be a whole number of GiB.",
        ),
    ] {
        let refused = service.refused(MEMBER, COLLECTION, usual(change)).await;
        assert_eq!(refused, (status, text.to_owned()));
    }
    let (status, text) = service.refused(MEMBER, COLLECTION, usual(json!({"image_id": "plan9"}))).await;
    assert!(status == 400 && text.starts_with("Cluster type (vm, plan9, kubernetes) not supported."), "{text}");
    let (status, text) = service.refused(MEMBER, COLLECTION, usual(json!({"server_type": "bm"}))).await;
    assert!(status == 400 && text.contains("Supported: (vm, ubuntu, kubernetes)"), "{text}");
    let (_, _, list) = service.ask(ADMIN, "GET /v1/clustertemplates", Value::Null).await;
    assert_eq!(list["clustertemplates"], json!([]), "nothing was written");
}

#[tokio::test]
async fn a_service_that_is_away_is_503() {
    let service = Service::configured(|config| config.keystone.timeout_s = 1).await;
    let (status, headers, body) = service.ask(MEMBER, COLLECTION, usual(json!({"image_id": "broken"}))).await;
    assert_eq!((status, &body["errors"][0]["title"]), (503, &json!("Glance is not available at the moment")));
    assert!(headers.contains_key("retry-after"));
}

#[tokio::test]
async fn who_may_do_what() {
    let service = Service::start().await;
    let own = service.template(MEMBER, json!({})).await;
    let uuid = own["uuid"].as_str().unwrap();
    let patch = json!([{"op": "replace", "path": "/name", "value": "n"}]);
    for (who, show, update, create) in [
        (MEMBER, 200, 200, 201),
        (COLLEAGUE, 200, 200, 201),
        (READER, 200, 403, 403),
        (STRANGER, 404, 404, 201),
        (ADMIN, 200, 200, 201),
        ("", 401, 401, 401),
        ("nonsense", 401, 401, 401),
        ("eve:p1:", 403, 403, 403),
        ("eve::admin", 403, 403, 403),
    ] {
        let item = format!("/v1/clustertemplates/{uuid}");
        assert_eq!(service.ask(who, &format!("GET {item}"), Value::Null).await.0, show, "show as {who}");
        assert_eq!(service.ask(who, &format!("PATCH {item}"), patch.clone()).await.0, update, "update as {who}");
        assert_eq!(service.ask(who, COLLECTION, usual(json!({}))).await.0, create, "create as {who}");
    }
    // Authorisation comes before look-ups: a reader learns nothing about images.
    let (status, text) = service.refused(READER, COLLECTION, usual(json!({"image_id": "nothing"}))).await;
    assert_eq!((status, text.as_str()), (403, "Policy doesn't allow clustertemplate:create to be performed."));
}

#[tokio::test]
async fn public_templates_are_seen_by_all_and_hidden_ones_by_their_project() {
    let service = Service::start().await;
    let public = service.template(ADMIN, json!({"public": true})).await;
    let hidden = service.template(ADMIN, json!({"public": true, "hidden": true})).await;
    let item = |template: &Value| format!("GET /v1/clustertemplates/{}", template["uuid"].as_str().unwrap());
    assert_eq!(service.ask(READER, &item(&public), Value::Null).await.0, 200);
    assert_eq!(service.ask(MEMBER, &item(&hidden), Value::Null).await.0, 404);
    assert_eq!(service.ask("x:p9:reader", &item(&hidden), Value::Null).await.0, 200);
    for verb in ["PATCH", "DELETE"] {
        let line = item(&public).replace("GET", verb);
        let (status, text) = service.refused(MEMBER, &line, json!([])).await;
        assert_eq!(status, 403, "{text}");
    }
}

#[tokio::test]
async fn a_patch_is_read_before_its_object_is_looked_for() {
    let service = Service::start().await;
    let line = "PATCH /v1/clustertemplates/5e5b4a2c-7f0b-4b1b-9f0e-0d3b8e0c1a11";
    assert_eq!(service.refused(MEMBER, line, json!({"op": "replace"})).await.0, 400);
    let (status, text) = service.refused(MEMBER, line, json!([])).await;
    assert_eq!(
        (status, text.as_str()),
        (404, "ClusterTemplate 5e5b4a2c-7f0b-4b1b-9f0e-0d3b8e0c1a11 could not be found.")
    );
}

#[tokio::test]
async fn a_patch_changes_what_it_names_after_the_same_checks() {
    let service = Service::start().await;
    let made = service.template(MEMBER, json!({"labels": {"a": "1"}})).await;
    let line = format!("PATCH /v1/clustertemplates/{}", made["uuid"].as_str().unwrap());
    let (status, _, body) = service
        .ask(
            MEMBER,
            &line,
            json!([
                {"op": "replace", "path": "/name", "value": "new"},
                {"op": "add", "path": "/labels/kube.tag", "value": "v1"},
                {"op": "replace", "path": "/docker_volume_size", "value": "7"},
                {"op": "replace", "path": "/image_id", "value": "debian"},
                {"op": "remove", "path": "/flavor_id"},
            ]),
        )
        .await;
    assert_eq!((status, &body["name"], &body["uuid"]), (200, &json!("new"), &made["uuid"]), "{body}");
    assert_eq!((&body["labels"], &body["docker_volume_size"]), (&json!({"a": "1", "kube.tag": "v1"}), &json!(7)));
    assert_eq!((&body["cluster_distro"], &body["flavor_id"]), (&json!("debian"), &Value::Null));
    assert!(body["updated_at"].is_string());
    for (path, value, status, text) in [
        ("/image_id", json!("nothing"), 400, "Image nothing could not be found."),
        (
            "/network_driver",
            json!("weave"),
            400,
            "Network driver type weave is not supported, expecting a flannel/calico/cilium/unspecified network driver.",
        ),
        ("/public", json!("true"), 403, "Not authorized to set public or hidden flag for cluster template."),
        ("/user_id", json!("x"), 400, "'/user_id' is an internal attribute and can not be updated"),
        ("/driver", json!("magic"), 400, "Cluster driver (magic) not supported. Supported: kubernetes, swarm."),
    ] {
        let refused = service.refused(MEMBER, &line, json!([{"op": "replace", "path": path, "value": value}])).await;
        assert_eq!(refused, (status, text.to_owned()));
    }
    let (status, _, again) = service.ask(MEMBER, &line, json!([])).await;
    assert_eq!((status, &again["updated_at"]), (200, &body["updated_at"]), "an empty patch changes nothing");
}

#[tokio::test]
async fn a_template_in_use_takes_one_harmless_change_and_stays() {
    let service = Service::start().await;
    let made = service.template(MEMBER, json!({})).await;
    let uuid = made["uuid"].as_str().unwrap();
    service.cluster(MEMBER, &made, json!({})).await;
    let line = format!("PATCH /v1/clustertemplates/{uuid}");
    let set = |path: &str, value: &str| json!([{"op": "replace", "path": path, "value": value}]);
    let in_use = (400, format!("ClusterTemplate {uuid} is referenced by one or multiple clusters."));
    assert_eq!(service.ask(MEMBER, &line, set("/name", "renamed")).await.0, 200);
    assert_eq!(service.ask(MEMBER, &line, set("/tags", "a,b")).await.0, 200);
    assert_eq!(service.refused(MEMBER, &line, set("/image_id", "debian")).await, in_use);
    assert_eq!(service.refused(MEMBER, &format!("DELETE /v1/clustertemplates/{uuid}"), Value::Null).await, in_use);
}

#[tokio::test]
async fn a_template_goes_by_uuid_or_by_a_name_that_only_it_has() {
    let service = Service::start().await;
    let first = service.template(MEMBER, json!({"name": "a/b ü"})).await;
    let second = service.template(MEMBER, json!({"name": "a/b ü"})).await;
    let by_name = "DELETE /v1/clustertemplates/a%2Fb%20%C3%BC";
    let (status, text) = service.refused(MEMBER, by_name, Value::Null).await;
    assert_eq!(status, 409);
    assert_eq!(text, "Multiple ClusterTemplates exist with same name. Please use the ClusterTemplate uuid instead.");
    let upper = first["uuid"].as_str().unwrap().to_uppercase();
    assert_eq!(service.ask(MEMBER, &format!("DELETE /v1/clustertemplates/{upper}"), Value::Null).await.0, 204);
    let (status, _, body) = service.ask(MEMBER, by_name, Value::Null).await;
    assert_eq!((status, body), (204, Value::Null));
    let line = format!("GET /v1/clustertemplates/{}", second["uuid"].as_str().unwrap());
    assert_eq!(service.ask(MEMBER, &line, Value::Null).await.0, 404);
}

#[tokio::test]
async fn lists_are_paged_sorted_and_linked() {
    let service = Service::start().await;
    for name in ["c", "a", "b"] {
        service.template(MEMBER, json!({"name": name})).await;
    }
    let names = |body: &Value| -> Vec<String> {
        let all = body["clustertemplates"].as_array().unwrap();
        all.iter().map(|template| template["name"].as_str().unwrap().to_owned()).collect()
    };
    let (_, _, body) = service.ask(READER, "GET /v1/clustertemplates/detail?sort_key=name&limit=2", Value::Null).await;
    assert_eq!(names(&body), ["a", "b"]);
    let next = body["next"].as_str().unwrap();
    assert!(next.starts_with("http://h:9511/v1/clustertemplates/detail?sort_key=name&sort_dir=asc&limit=2&marker="));
    let (_, _, body) = service.ask(READER, &format!("GET {}", &next["http://h:9511".len()..]), Value::Null).await;
    assert_eq!((names(&body), body.get("next")), (vec!["c".to_owned()], None));
    let (_, _, body) = service.ask(READER, "GET /clustertemplates/?sort_key=name&sort_dir=desc", Value::Null).await;
    assert_eq!(names(&body), ["c", "b", "a"]);
    let (status, text) = service.refused(READER, "GET /v1/clustertemplates?sort_key=color", Value::Null).await;
    assert_eq!((status, text.as_str()), (400, "The sort_key value \"color\" is an invalid field for sorting"));
    let unknown = "GET /v1/clustertemplates?marker=5e5b4a2c-7f0b-4b1b-9f0e-0d3b8e0c1a11";
    assert_eq!(service.refused(READER, unknown, Value::Null).await.0, 404);
    let (_, _, body) = service.ask(STRANGER, "GET /v1/clustertemplates", Value::Null).await;
    assert_eq!(names(&body), Vec::<String>::new());
    let (_, _, body) = service.ask(ADMIN, "GET /v1/clustertemplates", Value::Null).await;
    assert_eq!(names(&body).len(), 3);
}
