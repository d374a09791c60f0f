//! One page of a listing, continued after a marker.
//!
//! Rows are ordered by the sort key, then by their internal number, both in the same direction; rows without a value
//! come first in ascending order. A page starts after the marker's place in that order, so it costs the same wherever
//! it lies and does not shift when rows before it come or go.

use sea_orm::sea_query::{Expr, ExprTrait, IntoCondition, Order, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IdenStatic, Iterable, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::{Error, Result};

/// Which part of a listing is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Most rows to return.
    pub limit: u64,
    /// The last row of the page before, by its identifier on the wire.
    pub marker: Option<String>,
    /// The column to order by.
    pub sort_key: String,
    /// Which way.
    pub sort_dir: Direction,
}

/// Which way a listing is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

impl Direction {
    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }
}

impl Page {
    /// Reads the parameters of a request; whether the sort key is a column is known only to the listing.
    ///
    /// # Errors
    /// A limit that is not positive, or an unknown direction.
    pub fn read(
        limit: Option<i64>,
        marker: Option<String>,
        sort_key: Option<String>,
        sort_dir: Option<&str>,
        max_limit: u64,
    ) -> Result<Self> {
        let limit = match limit {
            None => max_limit,
            Some(limit) => match u64::try_from(limit) {
                Ok(limit) if limit > 0 => std::cmp::min(limit, max_limit),
                _ => return Err(Error::invalid("Limit must be positive")),
            },
        };
        let sort_dir = match sort_dir {
            None | Some("asc") => Direction::Ascending,
            Some("desc") => Direction::Descending,
            Some(other) => {
                return Err(Error::invalid(format!(
                    "Invalid sort direction: {other}. Acceptable values are 'asc' or 'desc'"
                )));
            }
        };
        Ok(Self { limit, marker, sort_key: sort_key.unwrap_or_else(|| "id".to_owned()), sort_dir })
    }

    /// The first rows in the order in which they were made.
    #[must_use]
    pub fn first(limit: u64) -> Self {
        Self { limit, marker: None, sort_key: "id".to_owned(), sort_dir: Direction::Ascending }
    }

    /// The column to order by, unless it is one of `private`.
    ///
    /// # Errors
    /// There is no such column.
    pub(crate) fn column<C: ColumnTrait + Iterable>(&self, private: &[&str]) -> Result<C> {
        C::iter().find(|column| column.as_str() == self.sort_key && !private.contains(&column.as_str())).ok_or_else(
            || Error::invalid(format!("The sort_key value \"{}\" is an invalid field for sorting", self.sort_key)),
        )
    }

    /// The part of the query's rows that is this page; `marker` is the internal number of the marker's row.
    pub(crate) fn of<E: EntityTrait>(
        &self,
        query: Select<E>,
        key: E::Column,
        id: E::Column,
        marker: Option<i64>,
    ) -> Select<E> {
        let ordered = self.order(query, key, id).limit(self.limit);
        match marker {
            Some(marker) => ordered.filter(self.after::<E>(key, id, marker)),
            None => ordered,
        }
    }

    fn order<E: EntityTrait>(&self, query: Select<E>, key: E::Column, id: E::Column) -> Select<E> {
        let (order, nulls) = match self.sort_dir {
            Direction::Ascending => (Order::Asc, Order::Desc),
            Direction::Descending => (Order::Desc, Order::Asc),
        };
        if key.as_str() == id.as_str() {
            return query.order_by(id, order);
        }
        let query = if key.def().is_null() { query.order_by(key.is_null(), nulls) } else { query };
        query.order_by(key, order.clone()).order_by(id, order)
    }

    /// What holds for every row after the marker's.
    fn after<E: EntityTrait>(&self, key: E::Column, id: E::Column, marker: i64) -> Condition {
        let beyond = match self.sort_dir {
            Direction::Ascending => id.gt(marker),
            Direction::Descending => id.lt(marker),
        };
        if key.as_str() == id.as_str() {
            return beyond.into_condition();
        }
        // The database compares with the marker's value itself: no value has to survive a way through here and back.
        let value = || {
            let row = Query::select().column(key).from(E::default()).and_where(id.eq(marker)).take();
            SimpleExpr::SubQuery(None, Box::new(row.into()))
        };
        let column = || Expr::col(key.as_column_ref());
        let further = match self.sort_dir {
            Direction::Ascending => column().gt(value()),
            Direction::Descending => column().lt(value()),
        };
        let after = Condition::any().add(further).add(Condition::all().add(column().eq(value())).add(beyond.clone()));
        if !key.def().is_null() {
            return after;
        }
        let without = Condition::all().add(column().is_null()).add(value().is_null()).add(beyond);
        let across = match self.sort_dir {
            Direction::Ascending => Condition::all().add(column().is_not_null()).add(value().is_null()),
            Direction::Descending => Condition::all().add(column().is_null()).add(value().is_not_null()),
        };
        after.add(without).add(across)
    }
}

#[cfg(test)]
mod tests {
    use super::{Direction, Page};

    fn read(limit: Option<i64>, dir: Option<&str>) -> Result<Page, String> {
        Page::read(limit, None, None, dir, 1000).map_err(|error| error.public.into_owned())
    }

    #[test]
    fn parameters_have_defaults_and_bounds() {
        assert_eq!(read(None, None), Ok(Page::first(1000)));
        assert_eq!(read(Some(5000), None).map(|page| page.limit), Ok(1000));
        assert_eq!(read(Some(7), Some("desc")).map(|page| (page.limit, page.sort_dir)), Ok((7, Direction::Descending)));
    }

    #[test]
    fn wrong_parameters_are_named() {
        for limit in [0, -1, i64::MIN] {
            assert_eq!(read(Some(limit), None), Err("Limit must be positive".to_owned()));
        }
        assert_eq!(
            read(None, Some("up")),
            Err("Invalid sort direction: up. Acceptable values are 'asc' or 'desc'".to_owned())
        );
    }
}
