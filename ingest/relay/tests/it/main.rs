//! The relay on a real PostgreSQL and a real broker.

mod bench;
mod crash;
mod failover;
mod lease;
mod live;
mod order;
mod outage;
mod outbox;
mod proxy;
mod recover;
mod refuse;
mod trace;
