//! Orders: what the nodes of a living cluster are to do, fetched by them and answered.
//!
//! An order describes the state that a node is to be in, not a change of it: a node that missed one goes straight to
//! the next, and one that carries it out twice has done it once.

mod answer;
mod carry;
mod expect;
pub(crate) mod row;
pub mod store;

pub(crate) use answer::row::Entity as AnswerEntity;
pub use answer::row::{Model as Answer, State};
pub use carry::{Authority, Outcome, Task, answer, task};
pub(crate) use expect::{Standing, refuse_deaf};
pub use row::{Kind, Model as Order};
