//! Cold start: from starting the process of a node, on a folder with deployed applications and known actors, to the
//! first reply of a durable actor.

use crate::bench::child::{Server, Servers};
use crate::bench::load::{Caller as _, HttpCaller, Target};
use crate::bench::report::{Run, Unit};
use crate::bench::{Bench, Subject};
use anyhow::Result;

pub(crate) async fn run(bench: &mut Bench, subject: &Subject, servers: &mut Servers) -> Result<()> {
    let name = format!("{} cold start to first reply", subject.label);
    if !bench.wants(&name) {
        return Ok(());
    }
    let folder = servers.stop_node().await?;
    let message = bench.plan.message.clone();
    bench
        .case(&name, Unit::Millis, async || {
            let node = Server::node(&folder).await?;
            let target = Target {
                address: node.address,
                prefix: format!("/api/v1/actors/default/default/{}/", subject.kind(true)),
                msg_type: message.msg_type.clone(),
                payload: message.payload.clone().into(),
            };
            for caller in &mut HttpCaller::connect(target, 1).await? {
                caller.call(0).await?;
            }
            let took = node.started.elapsed();
            node.kill().await?;
            Ok(Run {
                value: took.as_secs_f64() * 1e3,
                ..Run::default()
            })
        })
        .await
}
