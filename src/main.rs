//! jeroboam
fn main() {}
