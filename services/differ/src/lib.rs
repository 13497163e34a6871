//! portwatch-differ
