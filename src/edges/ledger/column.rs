//! Values of the core as columns hold them. The core knows no SQL, so they are wrapped on their way.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};

use gzette_core::model::GroupKind;
use gzette_core::plan::ObjectState;

/// A value of a closed set, written as its name.
pub(super) trait Named: Sized {
    /// Returns its name.
    fn name(&self) -> &'static str;
    /// Returns the value with this name, if there is one.
    fn of_name(name: &str) -> Option<Self>;
}

/// Such a value on its way into a column or out of one. A name that is not one of the set is an error.
pub(super) struct Name<T>(pub(super) T);

/// Returns the value in a column of a row.
pub(super) fn named<T: Named>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    row.get::<_, Name<T>>(column).map(|name| name.0)
}

impl<T: Named> ToSql for Name<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.name()))
    }
}

impl<T: Named> FromSql for Name<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        T::of_name(value.as_str()?).map(Self).ok_or(FromSqlError::InvalidType)
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
        GroupKind::name(*self)
    }

    fn of_name(name: &str) -> Option<Self> {
        GroupKind::from_name(name)
    }
}
