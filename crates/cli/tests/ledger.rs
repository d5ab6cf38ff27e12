//! The ledger test. Clients book deposits and transfers while the node is killed with SIGKILL again and again. At the
//! end every acknowledged request took effect exactly once, no other one more than once, the money is all there, and
//! the tuple space has each transfer once.
//!
//! `LEDGER_SECONDS=3600` goes on for so long, in rounds of 30 kills, `LEDGER_SQLITE_SECONDS` with the store in SQLite;
//! `LEDGER_SEED=7` repeats what the clients ask.

mod support;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::{Answer, Api, Home, Node, PATIENCE, guest};
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};

const CLIENTS: usize = 12;
const ACCOUNTS: usize = 16;
const KILLS: usize = 30;

/// How long a node lives, in milliseconds, from the moment it listens.
const LIFE_MS: std::ops::Range<u64> = 20..500;

/// One request that moves money.
#[derive(Clone, Debug)]
struct Op {
    id: String,
    round: usize,
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
    fn random(random: &mut StdRng, round: usize, client: usize, n: usize) -> Op {
        let mut from = random.random_range(0..ACCOUNTS);
        let transfer = random.random_bool(0.7);
        let asks = transfer && random.random_bool(0.3);
        let mut to = (from + random.random_range(1..ACCOUNTS)) % ACCOUNTS;
        if asks && to < from {
            // Asks go upwards only, or two accounts could wait for each other.
            std::mem::swap(&mut from, &mut to);
        }
        Op {
            id: format!("r{round}c{client}n{n}"),
            round,
            from,
            to: transfer.then_some(to),
            amount: random.random_range(1..=100),
            asks,
            fickle: transfer && random.random_bool(0.1),
        }
    }

    fn request(&self, api: &Api) -> reqwest::RequestBuilder {
        let Op { id, amount, .. } = self;
        let (msg_type, payload) = match self.to {
            None => ("deposit", format!("{amount} {id}")),
            Some(to) => {
                let msg_type = if self.asks {
                    "ask_transfer"
                } else {
                    "transfer"
                };
                (
                    msg_type,
                    format!("{} {amount} {id}", account(self.round, to)),
                )
            }
        };
        api.message(&account(self.round, self.from), msg_type, payload)
            .header("Idempotency-Key", id)
    }

    /// Asks until there is an answer that counts; None if the client gave up.
    async fn acknowledged(&self, place: &mut Place) -> Option<Answer> {
        let start = Instant::now();
        loop {
            match Answer::try_of(self.request(&place.api())).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Some(answer),
                Ok(answer) => match answer.code().as_str() {
                    "PS3001" => return Some(answer),
                    "PS1007" | "PS1009" | "PS4003" | "PS5001" | "PS5005" => {
                        place.pause(Duration::from_millis(5)).await
                    }
                    _ => panic!("{self:?}: {} {}", answer.status, answer.text()),
                },
                Err(_) => place.pause(Duration::from_millis(200)).await,
            }
            if self.fickle {
                return None;
            }
            assert!(start.elapsed() < PATIENCE, "no answer to {self:?}");
        }
    }
}

fn account(round: usize, index: usize) -> String {
    format!("ledger/r{round}a{index}")
}

/// Where the node is at present.
#[derive(Clone)]
struct Place {
    urls: watch::Receiver<String>,
    api: Api,
}

impl Place {
    fn api(&mut self) -> Api {
        let url = self.urls.borrow_and_update().clone();
        self.api.at(&url)
    }

    /// Until the node is elsewhere, and not longer than this.
    async fn pause(&mut self, most: Duration) {
        let _ = tokio::time::timeout(most, self.urls.changed()).await;
    }
}

/// A client: books until it is told to stop, and leaves nothing unanswered.
async fn client(
    mut place: Place,
    mut random: StdRng,
    round: usize,
    number: usize,
    stop: Arc<AtomicBool>,
) -> Vec<(Op, Outcome)> {
    let mut booked = Vec::new();
    let mut remembered: VecDeque<(Op, Answer)> = VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        let op = Op::random(&mut random, round, number, booked.len());
        let outcome = match op.acknowledged(&mut place).await {
            None => Outcome::Unknown,
            Some(answer) => {
                let outcome = if answer.status < 300 {
                    Outcome::Done
                } else {
                    Outcome::Refused
                };
                if random.random_bool(0.05) {
                    remembered.push_back((
                        Op {
                            fickle: false,
                            ..op.clone()
                        },
                        answer,
                    ));
                }
                outcome
            }
        };
        booked.push((op, outcome));
        // Some are asked again later, perhaps of another process: the answer is the old one.
        if remembered.len() > 8
            && let Some((op, answer)) = remembered.pop_front()
        {
            assert_eq!(
                op.acknowledged(&mut place).await.as_ref(),
                Some(&answer),
                "{op:?} once more"
            );
        }
        tokio::time::sleep(Duration::from_micros(random.random_range(0..4000))).await;
    }
    booked
}

/// Kills and starts the node, sometimes in the middle of its start.
async fn kill_again_and_again(
    home: &Home,
    mut node: Node,
    urls: &watch::Sender<String>,
    random: &mut StdRng,
    kills: usize,
) -> Node {
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.random_range(LIFE_MS))).await;
        node.kill();
        if random.random_bool(0.2) {
            let unborn = home.spawn();
            tokio::time::sleep(Duration::from_millis(random.random_range(1..60))).await;
            unborn.kill();
        }
        node = block_in_place(|| home.start());
        urls.send_replace(node.url.clone());
    }
    node
}

/// What each account must have: balance, and how many amounts were booked.
fn expected(booked: &[(Op, Outcome)], happened: impl Fn(&Op) -> bool) -> Vec<(i64, i64)> {
    let mut accounts = vec![(0, 0); ACCOUNTS];
    let mut book = |index: usize, amount| {
        let account: &mut (i64, i64) = &mut accounts[index];
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

async fn found(api: &Api, round: usize) -> Vec<(i64, i64)> {
    let mut accounts = Vec::new();
    for index in 0..ACCOUNTS {
        let balance = api
            .ask(&account(round, index), "balance", "")
            .await
            .number();
        accounts.push((
            balance,
            api.ask(&account(round, index), "count", "").await.number(),
        ));
    }
    accounts
}

/// How many tuples each transfer left.
async fn told(api: &Api, ops: &[(Op, Outcome)]) -> std::collections::HashMap<String, i64> {
    let mut parts = JoinSet::new();
    for (n, part) in ops.chunks(ops.len().div_ceil(16).max(1)).enumerate() {
        let (api, reader) = (api.clone(), format!("ledger/reader{n}"));
        let ids: Vec<String> = part
            .iter()
            .filter(|(op, _)| op.to.is_some())
            .map(|(op, _)| op.id.clone())
            .collect();
        parts.spawn(async move {
            let mut counts = Vec::new();
            for id in ids {
                let count = api.ask(&reader, "told", id.as_str()).await.number();
                counts.push((id, count));
            }
            counts
        });
    }
    parts.join_all().await.into_iter().flatten().collect()
}

/// Waits until every sent credit has arrived, then checks everything, before and after one more crash.
async fn check(home: &Home, node: Node, round: usize, booked: &[(Op, Outcome)]) -> Node {
    let tuples = told(&node, booked).await;
    for (op, outcome) in booked.iter().filter(|(op, _)| op.to.is_some()) {
        let count = tuples[&op.id];
        let right = match outcome {
            Outcome::Done => count == 1,
            Outcome::Refused => count == 0,
            Outcome::Unknown => count <= 1,
        };
        assert!(right, "{count} tuples of {op:?}, {outcome:?}");
    }
    let expected = expected(booked, |op| tuples[&op.id] == 1);
    let start = Instant::now();
    let mut accounts = found(&node, round).await;
    while accounts != expected && start.elapsed() < PATIENCE / 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        accounts = found(&node, round).await;
    }
    assert_eq!(
        accounts, expected,
        "(balance, bookings) of the accounts a0, a1, ... and what they must be"
    );
    let money = |accounts: &[(i64, i64)]| accounts.iter().map(|(balance, _)| balance).sum::<i64>();
    let deposits = booked
        .iter()
        .filter(|(op, outcome)| op.to.is_none() && *outcome == Outcome::Done);
    assert_eq!(
        money(&accounts),
        deposits.map(|(op, _)| op.amount).sum::<i64>(),
        "money is conserved"
    );

    node.kill();
    let node = block_in_place(|| home.start());
    assert_eq!(found(&node, round).await, expected, "after one more crash");
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_crash_loses_or_doubles_money() {
    let seconds = number("LEDGER_SECONDS").unwrap_or(0);
    run(Home::new(), KILLS, Duration::from_secs(seconds)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_crash_loses_or_doubles_money_in_sqlite() {
    let seconds = number("LEDGER_SQLITE_SECONDS").unwrap_or(0);
    run(Home::of("sqlite"), KILLS / 3, Duration::from_secs(seconds)).await;
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

/// Rounds of this many kills, until so long has passed.
async fn run(home: Home, kills: usize, lasting: Duration) {
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970")
        .subsec_nanos();
    let seed: u64 = number("LEDGER_SEED").unwrap_or(clock.into());
    println!("LEDGER_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);

    let mut node = home.start();
    node.deploy("ledger", &guest("ledger")).await;
    let (urls, place) = watch::channel(node.url.clone());
    let place = Place {
        urls: place,
        api: node.api(),
    };

    let start = Instant::now();
    for round in 0.. {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let random = StdRng::seed_from_u64(random.random());
            clients.spawn(client(place.clone(), random, round, number, stop.clone()));
        }
        node = kill_again_and_again(&home, node, &urls, &mut random, kills).await;
        stop.store(true, Ordering::Relaxed);
        let booked = clients.join_all().await.concat();

        let of = |wanted| {
            booked
                .iter()
                .filter(|(_, outcome)| *outcome == wanted)
                .count()
        };
        let (done, refused, unknown) = (
            of(Outcome::Done),
            of(Outcome::Refused),
            of(Outcome::Unknown),
        );
        println!(
            "round {round}, {:?}: {done} done, {refused} refused, {unknown} unknown",
            start.elapsed()
        );
        assert!(done > 10 * kills, "there was a load");
        node = check(&home, node, round, &booked).await;
        urls.send_replace(node.url.clone());
        println!("round {round} checked at {:?}", start.elapsed());
        if start.elapsed() >= lasting {
            break;
        }
    }
}
