//! portwatch-schemas
