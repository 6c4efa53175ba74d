//! Integration tests of the oracle, in one binary.

#[path = "../../../engine/tests/it/fixture.rs"]
#[expect(dead_code, reason = "the tests of the engine, whose it is, use more of it")]
mod fixture;
mod plans;
#[path = "../../../engine/tests/it/queries/mod.rs"]
mod queries;
mod seeds;
mod simulator;
mod slt;
mod tpch;
mod trial;
#[path = "../../../engine/tests/it/world.rs"]
#[expect(dead_code, reason = "the tests of the engine, whose it is, use more of it")]
mod world;
