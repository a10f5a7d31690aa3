//! Held against another CEL.
