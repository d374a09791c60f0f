//! The values of labels, with the defaults of a schema behind them.

use std::collections::BTreeMap;

use crate::{Label, label};

/// Labels as given, and the schema that knows what holds where none is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'a> {
    pub(crate) schema: &'static [Label],
    pub(crate) given: &'a BTreeMap<String, String>,
}

impl<'a> Labels<'a> {
    /// The value, or the default; empty when there is neither.
    pub(crate) fn text(self, key: &str) -> &'a str {
        let given = self.given.get(key).map(String::as_str).filter(|value| !value.is_empty());
        let default = || self.schema.iter().find(|label| label.key == key).map_or("", |label| label.default);
        given.unwrap_or_else(default)
    }

    /// As [`Self::text`], an empty value being none.
    pub(crate) fn some(self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A boolean; `None` when there is neither value nor default.
    pub(crate) fn flag(self, key: &str) -> Option<bool> {
        label::boolean(self.text(key))
    }

    /// A number; 0 when there is neither value nor default.
    pub(crate) fn number(self, key: &str) -> u32 {
        self.text(key).parse().unwrap_or_default()
    }

    /// The items of a list, none when it is empty.
    pub(crate) fn list(self, key: &str) -> Vec<String> {
        let text = self.text(key);
        label::list(text).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }
}
