//! portwatch-notifier
