//! An account that pays others. What must never be lost or doubled is one turn: the own debit, the message that
//! credits the other, and the tuple that tells of it.
//!
//! Payloads and replies are text, words separated by a space. `to` is an actor's id.
//!
//! | ask | payload | does | reply |
//! |---|---|---|---|
//! | `deposit` | `amount op` | credits itself | balance |
//! | `transfer` | `to amount op` | debits itself, sends `credit` to `to`, writes ("transfer", op, amount) | balance |
//! | `ask_transfer` | `to amount op` | debits itself, asks `to` for `credit_ask`, then writes the tuple | `balance other's-balance` |
//! | `credit_ask` | `amount op` | credits itself | balance |
//! | `balance` | | | balance |
//! | `count` | | | how many amounts were booked |
//! | `told` | `op` | counts the tuples that tell of a transfer | how many |
//!
//! The send `credit` with `amount op` credits itself. A debit over the balance is `failed-precondition`, and so
//! is a turn in which the word `fail` stands as op: it does all its work and then fails.

use std::time::Duration;

use plexspaces_sdk::prelude::*;

#[derive(Default)]
struct Account {
    balance: i64,
    booked: u64,
}

impl Activation for Account {
    fn create(_args: &[u8]) -> Result<Self, Error> {
        Ok(Account::default())
    }

    fn restore(state: &[u8]) -> Result<Self, Error> {
        let [balance, booked] = words(state)?;
        Ok(Account {
            balance: number(balance)?,
            booked: number(booked)?,
        })
    }
}

impl GenServer for Account {
    fn handle_request(
        &mut self,
        _from: &str,
        msg_type: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        match msg_type {
            "deposit" | "credit_ask" => self.credit(payload)?,
            "transfer" => {
                let [to, amount, op] = words(payload)?;
                self.debit(number(amount)?)?;
                messaging::send(to, "credit", format!("{amount} {op}").as_bytes())?;
                tell(op, number(amount)?)?;
            }
            "ask_transfer" => {
                let [to, amount, op] = words(payload)?;
                self.debit(number(amount)?)?;
                let credit = format!("{amount} {op}");
                let theirs =
                    messaging::ask(to, "credit_ask", credit.as_bytes(), Duration::from_secs(5))?;
                tell(op, number(amount)?)?;
                let mut reply = format!("{} ", self.balance).into_bytes();
                reply.extend(theirs);
                return Ok(reply);
            }
            "balance" => {}
            "told" => {
                let op = std::str::from_utf8(payload).map_err(Error::invalid_argument)?;
                let told = tuplespace::count(pattern!["transfer", op, _])?;
                return Ok(told.to_string().into());
            }
            "count" => return Ok(self.booked.to_string().into()),
            other => {
                return Err(Error::invalid_argument(format!(
                    "unknown message type {other:?}"
                )));
            }
        }
        Ok(self.balance.to_string().into())
    }
}

impl GenEvent for Account {
    fn handle_event(&mut self, _from: &str, msg_type: &str, payload: &[u8]) -> Result<(), Error> {
        match msg_type {
            "credit" => self.credit(payload),
            other => Err(Error::invalid_argument(format!("unknown event {other:?}"))),
        }
    }
}

impl Snapshot for Account {
    fn snapshot_state(&self) -> Result<Vec<u8>, Error> {
        Ok(format!("{} {}", self.balance, self.booked).into())
    }
}

actor!(Account: Activation, GenServer, GenEvent, Snapshot);

impl Account {
    fn credit(&mut self, payload: &[u8]) -> Result<(), Error> {
        let [amount, op] = words(payload)?;
        self.balance += positive(number(amount)?)?;
        self.booked += 1;
        if op == "fail" {
            Err(Error::failed_precondition(
                "failed after the credit, as asked",
            ))
        } else {
            Ok(())
        }
    }

    fn debit(&mut self, amount: i64) -> Result<(), Error> {
        if positive(amount)? > self.balance {
            return Err(Error::failed_precondition("insufficient funds")
                .with("balance", self.balance)
                .with("amount", amount));
        }
        self.balance -= amount;
        self.booked += 1;
        Ok(())
    }
}

fn tell(op: &str, amount: i64) -> Result<(), Error> {
    tuplespace::write(tuple!["transfer", op, amount])?;
    if op == "fail" {
        Err(Error::failed_precondition(
            "failed after the transfer, as asked",
        ))
    } else {
        Ok(())
    }
}

fn positive(amount: i64) -> Result<i64, Error> {
    if amount > 0 {
        Ok(amount)
    } else {
        Err(Error::invalid_argument(format!(
            "{amount} is no amount: it must be above 0"
        )))
    }
}

fn words<const N: usize>(payload: &[u8]) -> Result<[&str; N], Error> {
    let text = std::str::from_utf8(payload).map_err(Error::invalid_argument)?;
    let words: Vec<_> = text.split(' ').collect();
    words
        .try_into()
        .map_err(|_| Error::invalid_argument(format!("{N} words expected, not {text:?}")))
}

fn number<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Error> {
    text.parse()
        .map_err(|e| Error::invalid_argument(format!("{text:?} is no number: {e}")))
}
