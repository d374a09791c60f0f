//! The lease of a running step cannot be renewed for a while: the step must not get lost.
