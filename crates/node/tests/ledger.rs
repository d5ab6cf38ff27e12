//! The ledger test in one process, on a disk that loses what was not flushed. Clients book deposits and transfers
//! while the power fails again and again. At the end every acknowledged request took effect exactly once, no other one
//! more than once, the money is all there, and the tuple space has each transfer once.
//!
//! `LEDGER_SEED=7` repeats what the clients ask and how much each crash takes. That the test looks hard enough is
//! shown by the second one, where the node confirms what is not durable yet.

mod support;

use futures_util::future::join_all;
use plexspaces_core::{Code, Result};
use plexspaces_node::Node;
use plexspaces_store::Store;
use plexspaces_store::testing::Lossy;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::{Gate, Machine, PATIENCE, ask, ask_with, deploy, eventually, keyed};
use tokio::sync::watch;
use tokio::task::JoinSet;

const CLIENTS: usize = 24;
const ACCOUNTS: usize = 16;
const CRASHES: usize = 80;

/// How long a node lives, in milliseconds.
const LIFE_MS: std::ops::Range<u64> = 2..80;

/// How long a flush takes: long enough that the power mostly fails in it.
const FLUSH: Duration = Duration::from_millis(2);

/// One request that moves money.
#[derive(Clone, Debug)]
struct Op {
    id: String,
    from: usize,
    /// None = a deposit.
    to: Option<usize>,
    amount: i64,
    /// Asks the other account instead of sending to it.
    asks: bool,
    /// The client forgets it when it gets no answer.
    fickle: bool,
}

/// What a client knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The guest refused, so nothing has happened.
    Refused,
    /// No answer, and it was not asked again: it happened once or never.
    Unknown,
}

impl Op {
    /// The `n`th request of a client.
    fn random(random: &mut StdRng, client: usize, n: usize) -> Op {
        let mut from = random.random_range(0..ACCOUNTS);
        let transfer = random.random_bool(0.7);
        let asks = transfer && random.random_bool(0.3);
        let mut to = (from + random.random_range(1..ACCOUNTS)) % ACCOUNTS;
        if asks && to < from {
            // Asks go upwards only, or two accounts could wait for each other.
            std::mem::swap(&mut from, &mut to);
        }
        Op {
            id: format!("c{client}n{n}"),
            from,
            to: transfer.then_some(to),
            amount: random.random_range(1..=100),
            asks,
            fickle: transfer && random.random_bool(0.1),
        }
    }

    async fn ask(&self, node: &Node) -> Result<String> {
        let Op { id, amount, .. } = self;
        let (msg_type, payload) = match self.to {
            None => ("deposit", format!("{amount} {id}")),
            Some(to) if self.asks => ("ask_transfer", format!("{} {amount} {id}", account(to))),
            Some(to) => ("transfer", format!("{} {amount} {id}", account(to))),
        };
        ask_with(node, &account(self.from), keyed(id, msg_type, payload)).await
    }
}

fn account(index: usize) -> String {
    format!("ledger/a{index}")
}

/// An answer that counts: a reply, or the guest's refusal.
type Answer = Result<String, String>;

/// The power supply, and the node that has power at present.
#[derive(Clone)]
struct Place {
    /// How often the power has failed.
    failures: Arc<Mutex<usize>>,
    node: watch::Receiver<(usize, Option<Arc<Node>>)>,
}

impl Place {
    /// Asks until there is an answer that counts: one that came before the power failed. None if the client gave up.
    async fn acknowledged(&mut self, op: &Op) -> Option<Answer> {
        let start = Instant::now();
        loop {
            let (life, node) = self.node.borrow_and_update().clone();
            let next_life = if node.is_some() { life + 1 } else { life };
            let answer = match node {
                // The connection ends with the node.
                Some(node) => tokio::select! {
                    biased;
                    answer = op.ask(&node) => Some(answer),
                    _ = self.node.changed() => None,
                },
                None => None,
            };
            let powered = *self.failures.lock().expect("no panic") == life;
            match answer {
                Some(Ok(reply)) if powered => return Some(Ok(reply)),
                Some(Err(error)) if powered => match error.code {
                    Code::GuestError => return Some(Err(error.message)),
                    Code::TurnConflict | Code::MailboxFull => {}
                    _ => panic!("{op:?}: {error:?}"),
                },
                _ => {
                    let power =
                        |(life, node): &(usize, Option<_>)| *life >= next_life && node.is_some();
                    drop(self.node.wait_for(power).await);
                }
            }
            if op.fickle {
                return None;
            }
            assert!(start.elapsed() < PATIENCE, "no answer to {op:?}");
        }
    }
}

/// What a client did, and which promises it saw broken.
#[derive(Default)]
struct Report {
    booked: Vec<(Op, Outcome)>,
    broken: Vec<String>,
}

/// A client: books until it is told to stop, and leaves nothing unanswered.
async fn client(
    mut place: Place,
    mut random: StdRng,
    number: usize,
    stop: watch::Receiver<bool>,
) -> Report {
    let mut report = Report::default();
    let mut remembered: VecDeque<(Op, Answer)> = VecDeque::new();
    while !*stop.borrow() {
        let op = Op::random(&mut random, number, report.booked.len());
        let outcome = match place.acknowledged(&op).await {
            None => Outcome::Unknown,
            Some(answer) => {
                let outcome = match answer {
                    Ok(_) => Outcome::Done,
                    Err(_) => Outcome::Refused,
                };
                if random.random_bool(0.05) {
                    let op = Op {
                        fickle: false,
                        ..op.clone()
                    };
                    remembered.push_back((op, answer));
                }
                outcome
            }
        };
        report.booked.push((op, outcome));
        // Some are asked again later, perhaps of another node: the answer is the old one.
        if remembered.len() > 8
            && let Some((op, answer)) = remembered.pop_front()
        {
            let again = place.acknowledged(&op).await;
            if again.as_ref() != Some(&answer) {
                let text = format!("{op:?} was answered {answer:?}, and once more {again:?}");
                report.broken.push(text);
            }
        }
        tokio::time::sleep(Duration::from_micros(random.random_range(0..1500))).await;
    }
    report
}

/// What a load with crashes came to.
struct Load {
    machine: Machine,
    report: Report,
    /// How many commits the crashes have taken.
    lost: usize,
}

/// Lets the clients book while the power fails `crashes` times.
async fn load(gate: Gate, crashes: usize, random: &mut StdRng) -> Load {
    let mut machine = Machine::boot(Lossy::open(FLUSH), gate).await;
    deploy(&machine, "ledger", "").await;
    let disk = machine.disk.clone();
    disk.flushed(disk.visible()).await.expect("deployed");
    let failures = Arc::new(Mutex::new(0));
    let shared = |machine: &Machine| Some(Arc::new(Node::clone(machine)));
    let (nodes, node) = watch::channel((0, shared(&machine)));
    let (stop, stopped) = watch::channel(false);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let place = Place {
            failures: failures.clone(),
            node: node.clone(),
        };
        let random = StdRng::seed_from_u64(random.random());
        clients.spawn(client(place, random, number, stopped.clone()));
    }
    let mut lost = 0;
    for life in 1..=crashes {
        tokio::time::sleep(Duration::from_millis(random.random_range(LIFE_MS))).await;
        let left = {
            // Nothing counts as answered that a client has not heard by now.
            let mut failures = failures.lock().expect("no panic");
            *failures = life;
            machine.disk.crash(random.random())
        };
        lost += left.lost();
        let (_, old) = nodes.send_replace((life, None));
        drop(machine);
        eventually("the clients let go of the old node", || async {
            old.as_ref().is_none_or(|old| Arc::strong_count(old) == 1)
        })
        .await;
        drop(old);
        machine = Machine::boot(left, gate).await;
        nodes.send_replace((life, shared(&machine)));
    }
    stop.send_replace(true);
    let mut report = Report::default();
    for part in clients.join_all().await {
        report.booked.extend(part.booked);
        report.broken.extend(part.broken);
    }
    Load {
        machine,
        report,
        lost,
    }
}

/// Balance, and how many amounts were booked.
type Account = (i64, i64);

/// What each account must have.
fn expected(booked: &[(Op, Outcome)], happened: impl Fn(&Op) -> bool) -> Vec<Account> {
    let mut accounts = vec![(0, 0); ACCOUNTS];
    let mut book = |index: usize, amount| {
        let account: &mut Account = &mut accounts[index];
        account.0 += amount;
        account.1 += 1;
    };
    for (op, outcome) in booked {
        let done = match outcome {
            Outcome::Done => true,
            Outcome::Refused => false,
            Outcome::Unknown => happened(op),
        };
        match op.to {
            _ if !done => {}
            None => book(op.from, op.amount),
            Some(to) => {
                book(op.from, -op.amount);
                book(to, op.amount);
            }
        }
    }
    accounts
}

async fn number(node: &Node, actor: &str, msg_type: &str, payload: &str) -> i64 {
    let reply = ask(node, actor, msg_type, payload).await.expect("a reply");
    reply.parse().expect("a number")
}

async fn found(node: &Node) -> Vec<Account> {
    let mut accounts = Vec::new();
    for index in 0..ACCOUNTS {
        let account = account(index);
        let balance = number(node, &account, "balance", "").await;
        accounts.push((balance, number(node, &account, "count", "").await));
    }
    accounts
}

/// How many tuples each transfer left.
async fn tuples(node: &Node, report: &Report) -> HashMap<String, i64> {
    const AT_ONCE: usize = 100;
    let mut counts = HashMap::new();
    let transfers: Vec<&Op> = report
        .booked
        .iter()
        .map(|(op, _)| op)
        .filter(|op| op.to.is_some())
        .collect();
    for part in transfers.chunks(AT_ONCE) {
        counts.extend(
            join_all(part.iter().enumerate().map(|(n, op)| async move {
                let reader = format!("ledger/reader{n}");
                (op.id.clone(), number(node, &reader, "told", &op.id).await)
            }))
            .await,
        );
    }
    counts
}

/// Everything that is not as it was promised, once all is delivered.
async fn broken(machine: &Machine, report: &Report) -> Vec<String> {
    machine.quiet().await;
    let mut broken = report.broken.clone();
    let tuples = tuples(machine, report).await;
    for (op, outcome) in report.booked.iter().filter(|(op, _)| op.to.is_some()) {
        let count = tuples[&op.id];
        let right = match outcome {
            Outcome::Done => count == 1,
            Outcome::Refused => count == 0,
            Outcome::Unknown => count <= 1,
        };
        if !right {
            broken.push(format!("{count} tuples of {op:?}, {outcome:?}"));
        }
    }
    let expected = expected(&report.booked, |op| tuples[&op.id] > 0);
    let accounts = found(machine).await;
    for (index, (found, expected)) in accounts.iter().zip(&expected).enumerate() {
        if found != expected {
            broken.push(format!(
                "account {index} has (balance, bookings) {found:?}, not {expected:?}"
            ));
        }
    }
    let money: i64 = accounts.iter().map(|(balance, _)| balance).sum();
    let deposits = report
        .booked
        .iter()
        .filter(|(op, outcome)| op.to.is_none() && *outcome == Outcome::Done);
    let deposited: i64 = deposits.map(|(op, _)| op.amount).sum();
    if money != deposited {
        broken.push(format!("{deposited} were deposited, {money} are there"));
    }
    broken
}

fn seeded() -> StdRng {
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970")
        .subsec_nanos();
    let seed: u64 = match std::env::var("LEDGER_SEED") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("LEDGER_SEED={text} is no number")),
        Err(_) => clock.into(),
    };
    println!("LEDGER_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_crash_loses_or_doubles_money() {
    let mut random = seeded();
    let Load {
        machine,
        report,
        lost,
    } = load(Gate::Kept, CRASHES, &mut random).await;
    let of = |wanted| {
        let such = report
            .booked
            .iter()
            .filter(|(_, outcome)| *outcome == wanted);
        such.count()
    };
    let (done, unknown) = (of(Outcome::Done), of(Outcome::Unknown));
    println!(
        "{done} done, {} refused, {unknown} unknown; {CRASHES} crashes took {lost} commits",
        of(Outcome::Refused)
    );
    assert!(done > 5 * CRASHES, "there was a load");
    assert!(lost > CRASHES && unknown > 0, "the crashes were felt");
    assert_eq!(broken(&machine, &report).await, [""; 0]);
    let machine = machine.crash(random.random()).await;
    assert_eq!(
        broken(&machine, &report).await,
        [""; 0],
        "after one more crash"
    );
}

/// Without the output gate the same test fails, so it would notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_output_gate_money_is_lost() {
    let mut random = seeded();
    for round in 1..=10 {
        let Load {
            machine, report, ..
        } = load(Gate::Removed, 5, &mut random).await;
        let broken = broken(&machine, &report).await;
        if let Some(first) = broken.first() {
            println!("round {round}: {} are broken, as {first}", broken.len());
            return;
        }
    }
    panic!("50 crashes without an output gate broke nothing: the test does not look hard enough");
}
