//! How callers name things: by UUID, or by name.

use uuid::Uuid;

/// What a caller wrote in the place of an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ident {
    /// A UUID in any case, with or without hyphens; here in lower case with hyphens.
    Uuid(String),
    /// Anything else.
    Name(String),
}

impl From<&str> for Ident {
    fn from(text: &str) -> Self {
        uuid(text).map_or_else(|| Self::Name(text.to_owned()), Self::Uuid)
    }
}

/// The text as a UUID in lower case with hyphens, when it is one.
#[must_use]
pub fn uuid(text: &str) -> Option<String> {
    if !matches!(text.len(), 32 | 36) {
        return None;
    }
    Uuid::try_parse(text).ok().map(|uuid| uuid.hyphenated().to_string())
}

#[cfg(test)]
mod tests {
    use super::Ident;

    #[test]
    fn a_uuid_is_known_in_every_spelling() {
        let known = Ident::Uuid("0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d".into());
        assert_eq!(Ident::from("0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"), known);
        assert_eq!(Ident::from("0A1B2C3D-4E5F-4A6B-8C7D-9E0F1A2B3C4D"), known);
        assert_eq!(Ident::from("0a1b2c3d4e5f4a6b8c7d9e0f1a2b3c4d"), known);
    }

    #[test]
    fn anything_else_is_a_name() {
        for name in ["ci", "", "0a1b2c3d", "{0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d}", "ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ"]
        {
            assert_eq!(Ident::from(name), Ident::Name(name.into()));
        }
    }
}
