//! The whole program, as its users meet it.

mod crash;
mod dead_letters;
mod doctor;
mod program;
mod relay;
mod trace;
mod views;
mod views_define;
mod views_try;
