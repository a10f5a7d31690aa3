//! All end-to-end tests, in one binary. A test of one module stands with that module.

mod tidy;
