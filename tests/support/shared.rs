//! Things that take long to make, for all tests that run at the same time; they end with the last of those.

use std::sync::{Arc, Mutex, PoisonError, Weak};

pub struct Shared<T> {
    present: Mutex<Weak<T>>,
    make: fn() -> T,
}

impl<T> Shared<T> {
    pub const fn new(make: fn() -> T) -> Self {
        Self { present: Mutex::new(Weak::new()), make }
    }

    /// The one that others use at this moment, or a new one.
    pub fn get(&self) -> Arc<T> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.upgrade().unwrap_or_else(|| {
            let made = Arc::new((self.make)());
            *present = Arc::downgrade(&made);
            made
        })
    }
}
