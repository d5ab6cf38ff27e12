//! The HTTP interface of a node.
//!
//! Every reply is sent after the flush that covers what it says; every failure is a `problem+json` with a stable code.
//!
//! * [`serve`]: the server; `routes`: which path leads where
//! * `actors`: asks and tells; `actor_path`, `query`, `parameters`, `reply`: what such a request is made of
//! * `applications`, `upload`: deployments
//! * `services`: the services for programs that are no actors
//! * `openapi`, `described`: the description of all this that the node serves
//! * `health`: is the node up, and what does it do
//! * `body`: request bodies within their limits
//! * `problem`: a failure as a response

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actor_path;
mod actors;
mod applications;
mod body;
mod described;
mod health;
mod openapi;
mod parameters;
mod problem;
mod query;
mod reply;
mod routes;
mod server;
mod services;
mod upload;

pub use server::serve;
