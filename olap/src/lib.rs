//! ClickHouse marts: DDL, loader, reconcile.
