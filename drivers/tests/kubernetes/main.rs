//! The Kubernetes driver from outside: goldens, every combination, hostile labels.

mod combinations;
mod every_combination;
mod goldens;
mod labels;
mod nodes;
mod requests;
mod user_data;
