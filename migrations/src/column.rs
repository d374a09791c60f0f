//! The few kinds of columns there are, so that a kind means the same everywhere.

use sea_orm_migration::prelude::ColumnDef;
use sea_orm_migration::sea_orm::DbBackend;

/// Internal number of a row; the secondary key of every sorting, never shown except for quotas and services.
pub(crate) fn id() -> ColumnDef {
    ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().take()
}

/// A UUID as 36 characters.
pub(crate) fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(36).not_null().take()
}

/// At most 255 characters.
pub(crate) fn string(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(255).not_null().take()
}

/// At most 255 characters, or nothing.
pub(crate) fn string_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(255).null().take()
}

/// A word out of a fixed set.
pub(crate) fn word(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(32).not_null().take()
}

/// A word out of a fixed set, or nothing.
pub(crate) fn word_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(32).null().take()
}

/// Up to 64 KiB of text.
pub(crate) fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

/// Up to 64 KiB of text, or nothing.
pub(crate) fn text_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().null().take()
}

/// Up to 64 KiB of sealed bytes, or nothing.
pub(crate) fn sealed_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().null().take()
}

/// A JSON document.
pub(crate) fn json(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).json_binary().not_null().take()
}

/// A JSON document, or nothing.
pub(crate) fn json_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).json_binary().null().take()
}

/// A whole number.
pub(crate) fn integer(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).integer().not_null().take()
}

/// A whole number, or nothing.
pub(crate) fn integer_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).integer().null().take()
}

/// Yes or no.
pub(crate) fn boolean(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().take()
}

/// A moment in UTC with microseconds.
pub(crate) fn moment(db: DbBackend, name: &'static str) -> ColumnDef {
    moment_null(db, name).not_null().take()
}

/// A moment in UTC with microseconds, or nothing.
pub(crate) fn moment_null(db: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match db {
        // MariaDB's TIMESTAMP ends in 2038, and both its kinds drop fractions unless told otherwise.
        DbBackend::MySql => column.custom("DATETIME(6)"),
        _ => column.timestamp_with_time_zone(),
    };
    column.take()
}
