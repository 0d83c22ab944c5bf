//! Recordings of what a simulation does.

mod findings;
mod rows;
mod scene;
mod views;
