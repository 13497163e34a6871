//! portwatch-scheduler
