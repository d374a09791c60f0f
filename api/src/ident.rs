//! Identifiers in paths.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::error::{Error, Result};

/// The longest name of anything, in characters.
const LONGEST: usize = 255;

/// The only identifier of a path: a UUID or a name.
pub struct Ident(pub String);

impl<S: Sync + Send> FromRequestParts<S> for Ident {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Segments(segments) = Segments::from_request_parts(parts, state).await?;
        segments.into_values().next().map(Self).ok_or_else(Error::no_such_path)
    }
}

/// The named segments of a path.
pub struct Segments(pub HashMap<String, String>);

impl Segments {
    /// Takes one segment out; a path that does not have it is a defect of its route.
    ///
    /// # Errors
    /// 404 when the path has no such segment.
    pub fn take(&mut self, name: &str) -> Result<String> {
        self.0.remove(name).ok_or_else(Error::no_such_path)
    }
}

impl<S: Sync + Send> FromRequestParts<S> for Segments {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Path::<HashMap<String, String>>::from_request_parts(parts, state).await {
            Ok(Path(segments)) if segments.values().any(|segment| segment.chars().count() > LONGEST) => {
                Err(Error::no_such_path().because("an identifier longer than any of ours"))
            }
            Ok(Path(segments)) => Ok(Self(segments)),
            // The only reason is a segment that is not UTF-8; nothing of ours has such a name.
            Err(why) => Err(Error::no_such_path().because(why.to_string())),
        }
    }
}
