//! Recordings of what a simulation does.

mod captures;
mod findings;
mod rows;
pub(in crate::web::recording) mod scene;
mod views;
