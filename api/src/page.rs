//! Pages of a listing: which part is asked for, and the link to the next one.

use url::form_urlencoded;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::links::Base;
use crate::query::{Arguments, Given};

/// The part of a listing that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Most entries, when the client says so; the configured largest page caps it.
    pub limit: Option<u64>,
    /// The entry after which the page starts.
    pub marker: Option<Uuid>,
    /// The column to sort by.
    pub sort_key: String,
    /// Whether the largest comes first.
    pub descending: bool,
}

impl Arguments for Page {
    fn take(given: &mut Given) -> Result<Self> {
        let limit = match given.integer("limit")? {
            Some(limit) => Some(u64::try_from(limit).ok().filter(|limit| *limit > 0).ok_or_else(not_positive)?),
            None => None,
        };
        let marker = given.text("marker").map(|text| uuid("marker", &text)).transpose()?;
        let sort_key = given.text("sort_key").unwrap_or_else(|| "id".into());
        let descending = match given.text("sort_dir").as_deref() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(other) => {
                let other = crate::error::excerpt(other);
                return Err(Error::invalid(format!(
                    "Invalid sort direction: {other}. Acceptable values are 'asc' or 'desc'"
                )));
            }
        };
        Ok(Self { limit, marker, sort_key, descending })
    }
}

fn not_positive() -> Error {
    Error::invalid("Limit must be positive")
}

fn uuid(name: &str, text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::field(name, text, "Allowed: a UUID."))
}

impl Page {
    /// The number of entries that make the page full.
    #[must_use]
    pub fn size(&self, max_limit: u64) -> u64 {
        self.limit.unwrap_or(max_limit).min(max_limit)
    }

    /// The link to the next page: there is one when this page is full.
    ///
    /// `path` follows `/v1/`; `filters` are the arguments besides those of the page, which the next page keeps.
    #[must_use]
    pub fn next(
        &self,
        base: &Base,
        path: &str,
        filters: &[(&str, &str)],
        max_limit: u64,
        uuids: &[String],
    ) -> Option<String> {
        let size = self.size(max_limit);
        let last = uuids.last().filter(|_| uuids.len() as u64 == size)?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("sort_key", &self.sort_key)
            .append_pair("sort_dir", if self.descending { "desc" } else { "asc" })
            .extend_pairs(filters)
            .append_pair("limit", &size.to_string())
            .append_pair("marker", last);
        Some(format!("{}?{}", base.v1(path), query.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, String> {
        crate::query::read(&format!("/x?{query}").parse().unwrap()).map_err(|error: Error| error.detail().to_owned())
    }

    #[test]
    fn a_page_has_defaults() {
        let page = page("").unwrap();
        assert_eq!(page, Page { limit: None, marker: None, sort_key: "id".into(), descending: false });
        assert_eq!(page.size(1000), 1000);
    }

    #[test]
    fn a_limit_is_positive_and_capped() {
        for query in ["limit=0", "limit=-1"] {
            assert_eq!(page(query).unwrap_err(), "Limit must be positive");
        }
        for query in ["limit=", "limit=x", "limit=1.5"] {
            assert!(page(query).unwrap_err().contains("Allowed: an integer."), "{query}");
        }
        assert_eq!(page("limit=5000").unwrap().size(1000), 1000);
        assert_eq!(page("limit=5").unwrap().size(1000), 5);
    }

    #[test]
    fn a_marker_is_a_uuid() {
        assert!(page("marker=x").unwrap_err().contains("Allowed: a UUID."));
        let uuid = Uuid::new_v4();
        assert_eq!(page(&format!("marker={uuid}")).unwrap().marker, Some(uuid));
    }

    #[test]
    fn a_direction_is_up_or_down() {
        assert!(page("sort_dir=desc").unwrap().descending);
        assert_eq!(page("sort_dir=x").unwrap_err(), "Invalid sort direction: x. Acceptable values are 'asc' or 'desc'");
    }

    #[test]
    fn a_full_page_links_to_the_next_with_its_filters() {
        let base = Base("http://h".into());
        let page = page("limit=2&sort_key=name&sort_dir=desc").unwrap();
        let uuids = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            page.next(&base, "clusters/detail", &[("role", "a b")], 1000, &uuids).unwrap(),
            "http://h/v1/clusters/detail?sort_key=name&sort_dir=desc&role=a+b&limit=2&marker=b"
        );
        assert_eq!(page.next(&base, "clusters", &[], 1000, &uuids[..1]), None);
        assert_eq!(page.next(&base, "clusters", &[], 1000, &[]), None);
    }
}
