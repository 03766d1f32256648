//! Values of the core as columns hold them. The core knows no SQL, so they are wrapped on their way.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};

use gzette_core::model::{AppName, GroupKind, ObjectKey, Slot, SourceName, UtcMs};
use gzette_core::plan::ObjectState;

/// A value that a column holds in a plainer form.
pub(super) trait Column: Sized {
    /// Reads it.
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

/// Returns the value in a column of a row.
pub(super) fn value<T: Column>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    row.get::<_, Read<T>>(column).map(|read| read.0)
}

struct Read<T>(T);

impl<T: Column> FromSql for Read<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        T::read(value).map(Self)
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        if value == ValueRef::Null { Ok(None) } else { T::read(value).map(Some) }
    }
}

impl Column for UtcMs {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::new)
    }
}

impl Column for AppName {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(Self::from)
    }
}

impl Column for SourceName {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(Self::from)
    }
}

impl Column for ObjectKey {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(Self::from)
    }
}

impl Column for Slot {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::new)
    }
}

/// A value of a closed set, written as its name.
pub(super) trait Named: Sized {
    /// Returns its name.
    fn name(&self) -> &'static str;
    /// Returns the value with this name, if there is one.
    fn of_name(name: &str) -> Option<Self>;
}

/// Such a value on its way into a column.
pub(super) struct Name<T>(pub(super) T);

impl<T: Named> ToSql for Name<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.name()))
    }
}

impl<T: Named> Column for T {
    /// A name that is not one of the set is an error.
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        T::of_name(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

impl Named for ObjectState {
    fn name(&self) -> &'static str {
        ObjectState::name(*self)
    }

    fn of_name(name: &str) -> Option<Self> {
        ObjectState::of_name(name)
    }
}

impl Named for GroupKind {
    fn name(&self) -> &'static str {
        GroupKind::stored_name(*self)
    }

    fn of_name(name: &str) -> Option<Self> {
        GroupKind::from_stored_name(name)
    }
}
