//! Resident memory of live, idle actors: what a node's process has more of after so many were asked once.

use crate::bench::child::Servers;
use crate::bench::load::{self, HttpCaller, Target};
use crate::bench::report::{Run, Unit};
use crate::bench::{Bench, Subject, life};
use crate::output;
use anyhow::Result;

/// How many actors a run adds.
const ACTORS: usize = 500;

pub(crate) async fn run(bench: &mut Bench, subject: &Subject, servers: &mut Servers) -> Result<()> {
    for durable in [false, true] {
        let name = format!(
            "{} memory of an idle {} actor",
            subject.label,
            life(durable)
        );
        if !bench.wants(&name) {
            continue;
        }
        let node = servers.node().await?;
        if node.resident_kib().is_none() {
            output::note(&format!(
                "{name}: not measured, since this system has no /proc"
            ));
            continue;
        }
        let message = bench.plan.message.clone();
        let mut round = 0;
        bench
            .case(&name, Unit::KiB, async || {
                round += 1;
                let target = Target {
                    address: node.address,
                    prefix: format!(
                        "/api/v1/actors/default/default/{}/memory-{round}-",
                        subject.kind(durable)
                    ),
                    msg_type: message.msg_type.clone(),
                    payload: message.payload.clone().into(),
                };
                let mut callers = HttpCaller::connect(target, 1).await?;
                let before = node.resident_kib().unwrap_or(f64::NAN);
                load::activate(&mut callers, ACTORS).await?;
                let after = node.resident_kib().unwrap_or(f64::NAN);
                Ok(Run {
                    value: (after - before) / ACTORS as f64,
                    ..Run::default()
                })
            })
            .await?;
    }
    Ok(())
}
