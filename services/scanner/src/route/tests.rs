//! In network namespaces of the tests' own.
