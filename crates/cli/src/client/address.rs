//! Which node a command talks to: the argument of `--node`.

use crate::output;
use clap::Args;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The port of a node's HTTP interface.
const HTTP_PORT: u16 = 8001;
/// The port that is kept for its gRPC interface.
const GRPC_PORT: u16 = 8000;

/// The option `--node` of the commands that talk to one.
#[derive(Args)]
pub(crate) struct NodeOption {
    /// The node: HOST, HOST:PORT or http://HOST:PORT
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "localhost:8001",
        env = "PLEXSPACES_NODE"
    )]
    node: Address,
}

impl NodeOption {
    /// The address; where it is not quite what was given, stderr says so.
    pub(crate) fn announced(&self) -> Address {
        if self.node.moved {
            output::note(&format!(
                "note: port {GRPC_PORT} is reserved for gRPC, which nodes do not serve yet; using {} \
                 (http://HOST:{GRPC_PORT} means that port)",
                self.node
            ));
        }
        self.node.clone()
    }
}

/// Where a node's HTTP interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
    /// Whether the port given was that of gRPC, which a node does not serve yet.
    moved: bool,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Address {
            host,
            port: address.port(),
            moved: false,
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err("a node speaks plain HTTP; put a proxy in front of it for TLS".into());
        }
        let url = text.strip_prefix("http://");
        let place = url.unwrap_or(text).trim_end_matches('/');
        let (host, port) = split_port(place)?;
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            return Err("it is HOST, HOST:PORT or http://HOST:PORT".into());
        }
        // Who writes a URL means HTTP and knows the port.
        let moved = url.is_none() && port == Some(GRPC_PORT);
        Ok(Address {
            host: host.to_owned(),
            port: if moved {
                HTTP_PORT
            } else {
                port.unwrap_or(HTTP_PORT)
            },
            moved,
        })
    }
}

/// Splits `host:port`, `host`, `[v6]:port` or `[v6]`.
fn split_port(place: &str) -> Result<(&str, Option<u16>), String> {
    let Some((host, port)) = place.rsplit_once(':').filter(|_| !place.ends_with(']')) else {
        return Ok((place, None));
    };
    if host.contains(':') && !host.ends_with(']') {
        return Err("an IPv6 address stands in brackets: [::1]:8001".into());
    }
    match port.parse() {
        Ok(port @ 1..) => Ok((host, Some(port))),
        _ => Err(format!("the port {port:?} is not a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_the_forms_are_read() {
        for (text, want) in [
            ("localhost", "http://localhost:8001"),
            ("localhost:8001", "http://localhost:8001"),
            ("localhost:8000", "http://localhost:8001"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://10.0.0.1:99/", "http://10.0.0.1:99"),
            ("[::1]:7000", "http://[::1]:7000"),
            ("[::1]", "http://[::1]:8001"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), want, "{text}");
        }
        assert!("localhost:8000".parse::<Address>().unwrap().moved);
    }

    #[test]
    fn others_are_refused() {
        for text in [
            "",
            ":8001",
            "https://a:1",
            "a:b",
            "a:0",
            "a:99999",
            "::1",
            "http://a:1/x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
