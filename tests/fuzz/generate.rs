//! Makes wrong requests out of an OpenAPI document: the same ones from the same seed.

use serde_json::{Map, Value, json};

/// A request to be sent.
pub(crate) struct Wanted {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Vec<u8>>,
    /// The only thing that is wrong with it, if it is one field of the body: its name, and its value as text.
    pub(crate) suspect: Option<(String, String)>,
}

pub(crate) struct Generator {
    state: u64,
    document: Value,
    operations: Vec<(String, String, Value)>,
    /// Marks in paths and bodies that stand for what is there.
    known: Vec<(&'static str, String)>,
}

/// Segments of paths and values of queries that mean something somewhere.
const JUNK: [&str; 24] = [
    "x",
    "",
    ".",
    "..",
    "%00",
    "%ff",
    "%2F",
    "%2e%2e%2f",
    "a b",
    "%C3%BC",
    "detail",
    "actions",
    "nodegroups",
    "None",
    "null",
    "0",
    "-1",
    "99999999999999999999",
    "true",
    "'%20OR%201=1--",
    "%7Bx%7D",
    "5E5B4A2C-7F0B-4B1B-9F0E-0D3B8E0C1A11",
    "5e5b4a2c7f0b4b1b9f0e0d3b8e0c1a11",
    "known-cluster",
];

impl Generator {
    pub(crate) fn new(seed: u64, document: Value, known: Vec<(&'static str, String)>) -> Self {
        let mut operations = Vec::new();
        for (path, verbs) in document["paths"].as_object().unwrap() {
            for (verb, operation) in verbs.as_object().unwrap() {
                operations.push((verb.to_uppercase(), path.clone(), operation.clone()));
            }
        }
        // Some verbs that no route has.
        operations.push(("PUT".into(), "/v1/clusters".into(), json!({})));
        operations.push(("POST".into(), "/v1/nonsense".into(), json!({})));
        Self { state: seed, document, operations, known }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub(crate) fn request(&mut self) -> Wanted {
        let index = self.below(self.operations.len());
        let (method, route, operation) = self.operations[index].clone();
        let good_path = !self.one_in(4);
        let path = self.path(&route, good_path);
        let (query, good_query) = self.query(&operation);
        let (mut headers, good_headers) = self.headers();
        let schema =
            operation["requestBody"]["content"].as_object().and_then(|content| content.values().next().cloned());
        let (body, suspect) = match schema {
            Some(content) => self.body(&route, &content["schema"]),
            None if self.one_in(10) => (Some(b"{\"unasked\": 1}".to_vec()), None),
            None => (None, None),
        };
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            headers.push(("content-type", "application/json".into()));
        }
        // There are no federations, our signing request is none, and our cluster never comes up: that may be told first.
        let hopeless = ["/v1/federations", "/v1/certificates", "/v1/clusters/", "/v1/credentials"];
        let hopeless = hopeless.iter().any(|hopeless| route.starts_with(hopeless));
        let alone = good_path && good_query && good_headers && !hopeless;
        let suspect = suspect.filter(|_| alone).map(|(field, value)| (field, self.resolved(&value)));
        Wanted { method, path: self.resolved(&format!("{path}{query}")), headers, body, suspect }
    }

    fn resolved(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (mark, value)| text.replace(mark, value))
    }

    fn path(&mut self, route: &str, good: bool) -> String {
        let segments: Vec<_> = route.split('/').map(str::to_owned).collect();
        let mut path = Vec::new();
        for segment in segments {
            let Some(name) = segment.strip_prefix('{') else {
                path.push(segment);
                continue;
            };
            let fits = match name.trim_end_matches('}') {
                "cluster_template_ident" => "{template}",
                "project_id" => "{project}",
                "resource" => "Cluster",
                "ca_cert_type" => "etcd",
                name if name.starts_with("cluster") => "{cluster}",
                _ => "x",
            };
            path.push(match good {
                true => fits.to_owned(),
                false if self.one_in(20) => "a".repeat(3000),
                false => (*self.pick(&JUNK)).to_owned(),
            });
        }
        let mut path = path.join("/");
        if !good && self.one_in(4) {
            let more = *self.pick(&["/", "//", "/x", "/../v1", ".json", "/detail"]);
            path.push_str(more);
        }
        path
    }

    /// A query, and whether it is a good one.
    fn query(&mut self, operation: &Value) -> (String, bool) {
        let names: Vec<String> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect();
        if self.one_in(12) {
            let value = *self.pick(&JUNK);
            return (format!("?unknown={value}"), false);
        }
        if names.is_empty() || self.one_in(2) {
            return (String::new(), true);
        }
        let mut query = String::new();
        for _ in 0..=self.below(3) {
            let (name, value) = (self.pick(&names).clone(), *self.pick(&JUNK));
            let value = if self.one_in(30) { "9".repeat(2000) } else { value.to_owned() };
            query.push_str(if query.is_empty() { "?" } else { "&" });
            query.push_str(&format!("{name}={value}"));
        }
        (query, false)
    }

    /// Headers, and whether they are good ones.
    fn headers(&mut self) -> (Vec<(&'static str, String)>, bool) {
        let mut headers = Vec::new();
        let mut good = true;
        let mut add = |generator: &mut Self, often: usize, name: &'static str, values: &[&str]| {
            if generator.one_in(often) {
                headers.push((name, (*generator.pick(values)).to_owned()));
                good = false;
            }
        };
        let versions = [
            "container-infra 1.99",
            "container-infra 0.1",
            "container-infra",
            "compute 2.1",
            "container-infra 1.x",
            "container-infra 1.1",
            "container-infra latest",
            "container-infra 99999999999.1",
            ", ,",
            "\u{fc}",
        ];
        add(self, 8, "openstack-api-version", &versions);
        add(
            self,
            15,
            "content-type",
            &["text/plain", "application/xml", "", "application/json; charset=x", "\u{fc}", "a/b/c"],
        );
        add(self, 15, "accept", &["text/html", "*/*", "application/json;q=0", ",,,", "\u{fc}"]);
        add(self, 20, "x-forwarded-host", &["evil.example", "a b", "user@x", "\u{fc}", ""]);
        add(self, 20, "x-openstack-request-id", &["req-1", "x", "\u{fc}"]);
        add(self, 20, "x-jeroboam-bootstrap-token", &["x", ""]);
        add(self, 20, "origin", &["null", "https://evil.example"]);
        if !headers.iter().any(|(name, _)| *name == "openstack-api-version") {
            headers.push(("openstack-api-version", "container-infra latest".to_owned()));
        }
        (headers, good)
    }

    /// A body that is wrong in one field, in several, or altogether.
    fn body(&mut self, route: &str, schema: &Value) -> (Option<Vec<u8>>, Option<(String, String)>) {
        let good = self.good(route, schema, 0);
        match self.below(20) {
            0 => {
                let bytes = self.noise(&good);
                (Some(bytes), None)
            }
            1 => (None, None),
            _ => {
                let mut body = good;
                let mut suspects = Vec::new();
                for _ in 0..*self.pick(&[1, 1, 1, 2, 4]) {
                    suspects.push(self.spoil(&mut body).filter(|_| body.is_object()));
                }
                let suspect = if suspects.len() == 1 { suspects.pop().flatten() } else { None };
                let text = self.resolved(&body.to_string());
                (Some(text.into_bytes()), suspect)
            }
        }
    }

    /// No JSON, too much of it, or too deep.
    fn noise(&mut self, good: &Value) -> Vec<u8> {
        let mut bytes = good.to_string().into_bytes();
        match self.below(6) {
            0 => bytes.truncate(bytes.len() / 2),
            1 => {
                let at = self.below(bytes.len());
                bytes[at] = self.below(256) as u8;
            }
            2 => bytes = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000)).into_bytes(),
            3 => bytes = format!("{{\"name\": \"{}\"}}", "x".repeat(1 << 20)).into_bytes(),
            4 => bytes = (0..64).map(|_| self.below(256) as u8).collect(),
            _ => bytes = "{\"a\":".repeat(200).into_bytes(),
        }
        bytes
    }

    /// Something that the schema allows, and the cloud as far as we know it.
    fn good(&mut self, route: &str, schema: &Value, depth: usize) -> Value {
        if let Some(example) = example(route).filter(|_| depth == 0) {
            return example;
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/schemas/")) {
            let schema = self.document["components"]["schemas"][name].clone();
            return self.good(route, &schema, depth + 1);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds[0].as_str().unwrap_or("string").to_owned(),
            other => other.as_str().unwrap_or("object").to_owned(),
        };
        match kind.as_str() {
            "array" => {
                let items = schema["items"].clone();
                let paths = ["/name", "/node_count", "/labels/x", "/health_status", "/tags", "/min_node_count"];
                let mut item = self.good(route, &items, depth + 1);
                if item.get("op").is_some() {
                    let (op, path) = (*self.pick(&["replace", "add", "remove"]), *self.pick(&paths));
                    item = json!({"op": op, "path": path, "value": "1"});
                }
                json!([item])
            }
            "integer" | "number" => schema["minimum"].as_i64().unwrap_or(1).into(),
            "boolean" => true.into(),
            "string" => schema["enum"][0].as_str().unwrap_or("x").into(),
            _ => {
                let mut object = Map::new();
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    let needed = schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
                    if needed || self.one_in(3) {
                        object.insert(name.clone(), self.good("", property, depth + 1));
                    }
                }
                object.into()
            }
        }
    }

    /// Puts something in the place of one member, and tells which and what.
    fn spoil(&mut self, body: &mut Value) -> Option<(String, String)> {
        let object = match body {
            Value::Object(object) => object,
            Value::Array(list) if !list.is_empty() && list[0].is_object() => list[0].as_object_mut().unwrap(),
            other => {
                *other = self.odd();
                return None;
            }
        };
        let names: Vec<String> = object.keys().cloned().collect();
        match self.below(8) {
            0 => {
                object.insert("unknown_member".into(), self.odd());
                Some(("unknown_member".into(), "unknown_member".into()))
            }
            1 if !names.is_empty() => {
                object.remove(self.pick(&names));
                None
            }
            2 => {
                *body = self.odd();
                None
            }
            _ if names.is_empty() => None,
            _ => {
                let name = self.pick(&names).clone();
                let odd = self.odd();
                let text = odd.as_str().map_or_else(|| odd.to_string(), str::to_owned);
                object.insert(name.clone(), odd);
                Some((name, text))
            }
        }
    }

    /// A value that is rarely the right one.
    fn odd(&mut self) -> Value {
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let all = [
            Value::Null,
            json!(true),
            json!(0),
            json!(-1),
            json!(2.5),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1e308),
            json!(""),
            json!(" "),
            json!("x"),
            json!("1"),
            json!("no-such-thing"),
            json!("detail"),
            json!("{template}"),
            json!("{cluster}"),
            json!("a".repeat(256)),
            json!("ü".repeat(70_000)),
            json!("\u{0}"),
            json!("a\u{0}b"),
            json!("\u{1F4A5}\u{202e}"),
            json!("' OR 1=1 --"),
            json!("{{ 7*7 }}"),
            json!("../../../../etc/passwd"),
            json!("http://[::1"),
            json!("{'a': 'b'}"),
            json!([]),
            json!([1, "a", null]),
            json!({}),
            json!({"a": null}),
            json!({"a": {"b": 1}}),
            json!({"": "", "a b": "c", "x": 1.5, "y": false}),
            deep,
        ];
        self.pick(&all).clone()
    }
}

/// A body that would be accepted, of the routes of which we know one.
fn example(route: &str) -> Option<Value> {
    Some(match route {
        "/v1/clustertemplates" => json!({
            "name": "made", "coe": "kubernetes", "image_id": "ubuntu-24.04", "flavor_id": "m1.small",
            "master_flavor_id": "m1.small", "external_network_id": "public", "network_driver": "flannel",
            "volume_driver": "cinder", "dns_nameserver": "8.8.8.8", "docker_volume_size": 3, "labels": {"a": "b"},
            "public": false, "server_type": "vm", "tags": "a,b", "floating_ip_enabled": false, "apiserver_port": 6443,
        }),
        "/v1/clusters" => json!({
            "name": "made", "cluster_template_id": "{template}", "node_count": 1, "master_count": 1, "create_timeout": 5,
            "keypair": "testkey", "labels": {"a": "b"}, "merge_labels": true, "flavor_id": "m1.small",
            "docker_volume_size": 3, "floating_ip_enabled": false, "master_lb_enabled": false, "discovery_url": "",
        }),
        "/v1/certificates" => json!({"cluster_uuid": "{cluster}", "csr": "junk", "ca_cert_type": "kubernetes"}),
        "/v1/federations" => {
            json!({"name": "f", "hostcluster_id": "{cluster}", "properties": {"dns-zone": "example.org"}})
        }
        "/v1/quotas" => json!({"project_id": "{project}", "resource": "Cluster", "hard_limit": 1}),
        _ => return None,
    })
}
