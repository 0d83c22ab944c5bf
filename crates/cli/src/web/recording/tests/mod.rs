//! Recordings of what a simulation does.
