//! Recordings of what a simulation does.

mod findings;
mod rows;
pub(in crate::web::recording) mod scene;
mod views;
