//! Tera for YAML: strict about undefined values, every text a quoted scalar, read once into JSON.
//!
//! Heat is never sent YAML: its reader takes bare `yes`, `22:22` and `1_000` for other things than ours does.

use serde::Serialize;
use serde_json::Value;
use tera::{Context, Kwargs, State, Tera};

use crate::RenderError;

/// Templates that were parsed and may be rendered.
pub(crate) struct Renderer {
    tera: Tera,
}

impl Renderer {
    /// Parses templates, given as name and text; names end in `.yaml`.
    ///
    /// # Errors
    /// Bad syntax, or a filter or include that does not exist.
    pub(crate) fn new(templates: &[(&'static str, &'static str)]) -> Result<Self, RenderError> {
        let mut tera = Tera::new();
        tera.autoescape_on([".yaml"]);
        tera.set_escape_fn(|text, out| Ok(serde_json::to_writer(out, text)?));
        tera.register_filter("json", |value: tera::Value, _: Kwargs, _: &State| {
            serde_json::to_string(&value).map(|text| tera::Value::safe_string(&text)).map_err(tera::Error::message)
        });
        let names = || templates.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        tera.add_raw_templates(templates.iter().copied())
            .map_err(|error| RenderError::Template { name: names(), cause: error.to_string() })?;
        Ok(Self { tera })
    }

    /// The template's text with these values in it.
    ///
    /// # Errors
    /// A value that the template names and nobody gave.
    pub(crate) fn text(&self, name: &str, values: &impl Serialize) -> Result<String, RenderError> {
        let failed = |error: tera::Error| RenderError::Template { name: name.to_owned(), cause: report(&error) };
        let context = Context::from_serialize(values).map_err(failed)?;
        self.tera.render(name, &context).map_err(failed)
    }

    /// The one document the template renders to.
    ///
    /// # Errors
    /// As [`Self::text`]; or text that is not YAML, or has a key twice.
    pub(crate) fn document(&self, name: &str, values: &impl Serialize) -> Result<Value, RenderError> {
        let text = self.text(name, values)?;
        let invalid = |cause: String| RenderError::Document { name: name.to_owned(), cause };
        // Through YAML's own value: only that one refuses a key given twice.
        let yaml: serde_yaml::Value = serde_yaml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        serde_json::to_value(yaml).map_err(|error| invalid(error.to_string()))
    }
}

/// Tera's error with its causes, on one line each.
fn report(error: &tera::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn render(template: &'static str, values: &[(&str, Value)]) -> Result<Value, RenderError> {
        let values: BTreeMap<_, _> = values.iter().cloned().collect();
        Renderer::new(&[("t.yaml", template)])?.document("t.yaml", &values)
    }

    #[test]
    fn no_text_leaves_its_scalar() {
        for evil in ["yes\nroot: pwned", "\"", "' #", "{{ x }}", "!!python/object", "22:22", "~", "*a", "null"] {
            let document = render("a: {{ v }}\nl: {{ l | json }}", &[("v", evil.into()), ("l", vec![evil].into())]);
            assert_eq!(document.unwrap(), serde_json::json!({"a": evil, "l": [evil]}));
        }
    }

    #[test]
    fn numbers_and_booleans_stay_what_they_are() {
        let document = render("a: {{ n }}\nb: {{ b }}", &[("n", 6443.into()), ("b", true.into())]);
        assert_eq!(document.unwrap(), serde_json::json!({"a": 6443, "b": true}));
    }

    #[test]
    fn maps_keep_their_order() {
        let document = render("a: {{ m | json }}", &[("m", serde_json::json!({"z": 1, "a": 2}))]).unwrap();
        assert_eq!(document.to_string(), r#"{"a":{"z":1,"a":2}}"#);
    }

    #[test]
    fn an_undefined_value_is_an_error_that_names_it() {
        let error = render("a: {{ missing }}", &[]).unwrap_err().to_string();
        assert!(error.contains("missing") && error.contains("t.yaml"), "{error}");
    }

    #[test]
    fn a_key_given_twice_is_refused() {
        let error = render("a: 1\na: 2", &[]).unwrap_err().to_string();
        assert!(error.contains("duplicate"), "{error}");
    }
}
