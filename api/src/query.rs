//! Query arguments: each operation names its own, and every other one is refused.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use http::Uri;
use http::request::Parts;

use crate::error::{Error, Result, excerpt};

/// What an operation reads from the query.
pub trait Arguments: Sized {
    /// Takes its own arguments out of those given.
    ///
    /// # Errors
    /// 400 naming the argument, its value and what is allowed.
    fn take(given: &mut Given) -> Result<Self>;
}

/// The arguments of a request; those that nobody takes are refused.
pub struct Query<T>(pub T);

/// An operation without query arguments.
pub struct Nothing;

impl Arguments for Nothing {
    fn take(_: &mut Given) -> Result<Self> {
        Ok(Self)
    }
}

/// Arguments by name, each at most once.
#[derive(Debug)]
pub struct Given(BTreeMap<String, String>);

impl Given {
    fn read(uri: &Uri) -> Result<Self> {
        let mut given = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            if given.contains_key(name.as_ref()) {
                let text = format!("The argument \"{}\" is given more than once.", excerpt(&name));
                return Err(Error::invalid(text));
            }
            given.insert(name.into_owned(), value.into_owned());
        }
        Ok(Self(given))
    }

    /// Takes one argument out.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes a whole number out.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn integer(&mut self, name: &str) -> Result<Option<i64>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| Error::field(name, &text, "Allowed: an integer."))
    }

    /// Takes a boolean out, in the spellings that bodies know.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match crate::coerce::boolean(&text.as_str().into()) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::field(name, &text, "Allowed: true or false.")),
        }
    }

    fn finish(self) -> Result<()> {
        match self.0.into_keys().next() {
            Some(name) => Err(Error::invalid(format!("Unknown argument: \"{}\"", excerpt(&name)))),
            None => Ok(()),
        }
    }
}

/// Reads a query in full.
pub(crate) fn read<T: Arguments>(uri: &Uri) -> Result<T> {
    let mut given = Given::read(uri)?;
    let arguments = T::take(&mut given)?;
    given.finish()?;
    Ok(arguments)
}

impl<S: Sync, T: Arguments> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        read(&parts.uri).map(Query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Flag(Option<bool>);

    impl Arguments for Flag {
        fn take(given: &mut Given) -> Result<Self> {
            Ok(Self(given.boolean("flag")?))
        }
    }

    fn flag(uri: &str) -> Result<Option<bool>, String> {
        read::<Flag>(&uri.parse().unwrap()).map(|flag| flag.0).map_err(|error| error.detail().to_owned())
    }

    #[test]
    fn an_unknown_argument_is_refused_by_name() {
        assert_eq!(flag("/x?flag=yes"), Ok(Some(true)));
        assert_eq!(flag("/x"), Ok(None));
        assert_eq!(flag("/x?flag=yes&limit=1").unwrap_err(), "Unknown argument: \"limit\"");
    }

    #[test]
    fn an_argument_may_be_given_once() {
        assert_eq!(flag("/x?flag=1&flag=1").unwrap_err(), "The argument \"flag\" is given more than once.");
    }

    #[test]
    fn a_wrong_boolean_is_the_clients_mistake() {
        assert_eq!(
            flag("/x?flag=zzz").unwrap_err(),
            "Invalid input for field/attribute flag. Value: 'zzz'. Allowed: true or false."
        );
    }
}
