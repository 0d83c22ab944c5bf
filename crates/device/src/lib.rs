//! Frames in and out of the operating system.
