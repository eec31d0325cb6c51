//! Everything a developer runs, in one place.
fn main() {}
