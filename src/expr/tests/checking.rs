//! What is found before anything runs.
