//! North edge: HTTP in, one operation called, HTTP out.

pub mod policy;
