//! Pages of a listing: which part is asked for, and the link to the next one.

use conductor::page::Page;
use url::form_urlencoded;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::links::Base;
use crate::query::{Arguments, Given};

/// The part of a listing that a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Most entries; the configured largest page caps it.
    pub limit: Option<i64>,
    /// The entry after which the page starts.
    pub marker: Option<String>,
    /// The column to sort by.
    pub sort_key: Option<String>,
    /// `asc` or `desc`.
    pub sort_dir: Option<String>,
}

impl Arguments for Listing {
    fn take(given: &mut Given) -> Result<Self> {
        let uuid = |text: &str| Uuid::try_parse(text).map(|uuid| uuid.to_string()).ok();
        Self::read(given, uuid, "Allowed: a UUID.")
    }
}

impl Listing {
    /// The part of a listing whose entries are numbered.
    ///
    /// # Errors
    /// 400 for a marker that is no number, or a limit that is none.
    pub fn by_number(given: &mut Given) -> Result<Self> {
        let number = |text: &str| text.trim().parse::<i64>().map(|number| number.to_string()).ok();
        Self::read(given, number, "Allowed: the id of an entry, an integer.")
    }

    fn read(given: &mut Given, marker: impl Fn(&str) -> Option<String>, allowed: &str) -> Result<Self> {
        let limit = given.integer("limit")?;
        let marker = match given.text("marker") {
            Some(text) => Some(marker(&text).ok_or_else(|| Error::field("marker", &text, allowed))?),
            None => None,
        };
        let (sort_key, sort_dir) = (word(given, "sort_key")?, word(given, "sort_dir")?);
        Ok(Self { limit, marker, sort_key, sort_dir })
    }

    /// The page, of `max_limit` entries at most.
    ///
    /// # Errors
    /// 400 for a limit that is not positive or an unknown direction.
    pub fn page(self, max_limit: u64) -> Result<Page> {
        Ok(Page::read(self.limit, self.marker, self.sort_key, self.sort_dir.as_deref(), max_limit)?)
    }
}

/// A word, of which the listing knows whether it is a right one; nothing that is longer than any.
fn word(given: &mut Given, name: &str) -> Result<Option<String>> {
    match given.text(name) {
        Some(text) if text.chars().count() > 64 => Err(Error::field(name, &text, "Allowed: at most 64 characters.")),
        other => Ok(other),
    }
}

/// The link to the page after this one: there is one when this page is full.
///
/// `path` follows `/v1/`; `filters` are the arguments besides those of the page, which the next page keeps; `last` is
/// the last of `length` entries.
#[must_use]
pub fn next(
    base: &Base,
    path: &str,
    page: &Page,
    filters: &[(&str, &str)],
    length: usize,
    last: Option<&str>,
) -> Option<String> {
    let last = last.filter(|_| length as u64 == page.limit)?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("sort_key", &page.sort_key)
        .append_pair("sort_dir", page.sort_dir.as_str())
        .extend_pairs(filters)
        .append_pair("limit", &page.limit.to_string())
        .append_pair("marker", last);
    Some(format!("{}?{}", base.v1(path), query.finish()))
}

#[cfg(test)]
mod tests {
    use conductor::page::Direction;

    use super::*;

    fn page(query: &str) -> Result<Page, String> {
        let listing = crate::query::read::<Listing>(&format!("/x?{query}").parse().unwrap());
        listing.and_then(|listing| listing.page(1000)).map_err(|error: Error| error.detail().to_owned())
    }

    #[test]
    fn a_page_has_defaults() {
        assert_eq!(page("").unwrap(), Page::first(1000));
    }

    #[test]
    fn a_limit_is_positive_and_capped() {
        for query in ["limit=0", "limit=-1"] {
            assert_eq!(page(query).unwrap_err(), "Limit must be positive");
        }
        for query in ["limit=", "limit=x", "limit=1.5"] {
            assert!(page(query).unwrap_err().contains("Allowed: an integer."), "{query}");
        }
        assert_eq!(page("limit=5000").unwrap().limit, 1000);
        assert_eq!(page("limit=5").unwrap().limit, 5);
    }

    #[test]
    fn a_marker_is_a_uuid() {
        assert!(page("marker=x").unwrap_err().contains("Allowed: a UUID."));
        let uuid = Uuid::new_v4().to_string();
        assert_eq!(page(&format!("marker={uuid}")).unwrap().marker, Some(uuid));
    }

    #[test]
    fn what_is_longer_than_any_word_is_not_repeated() {
        for name in ["sort_key", "sort_dir"] {
            let refused = page(&format!("{name}={}", "x".repeat(3000))).unwrap_err();
            assert!(refused.contains(name) && refused.chars().count() < 300, "{refused}");
        }
    }

    #[test]
    fn a_direction_is_up_or_down() {
        assert_eq!(page("sort_dir=desc").unwrap().sort_dir, Direction::Descending);
        assert_eq!(page("sort_dir=x").unwrap_err(), "Invalid sort direction: x. Acceptable values are 'asc' or 'desc'");
    }

    #[test]
    fn a_full_page_links_to_the_next_with_its_filters() {
        let base = Base("http://h".into());
        let page = page("limit=2&sort_key=name&sort_dir=desc").unwrap();
        assert_eq!(
            next(&base, "clusters/detail", &page, &[("role", "a b")], 2, Some("b")).unwrap(),
            "http://h/v1/clusters/detail?sort_key=name&sort_dir=desc&role=a+b&limit=2&marker=b"
        );
        assert_eq!(next(&base, "clusters", &page, &[], 1, Some("a")), None);
        assert_eq!(next(&base, "clusters", &page, &[], 0, None), None);
    }
}
