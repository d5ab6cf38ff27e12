//! A node's failures: `problem+json` back into errors with their codes.

use plexspaces_core::{Code, Error, ErrorKind};
use reqwest::StatusCode;
use serde_json::Value;

/// The error that a failed response tells.
pub(crate) fn read(status: StatusCode, body: &[u8]) -> anyhow::Error {
    match serde_json::from_slice(body) {
        Ok(problem) => of_problem(status, &problem),
        Err(_) => {
            let text: String = String::from_utf8_lossy(body).chars().take(500).collect();
            anyhow::anyhow!(
                "the node answered {status}, not as a PlexSpaces node does: {}",
                text.trim()
            )
        }
    }
}

fn of_problem(status: StatusCode, problem: &Value) -> anyhow::Error {
    let text = |name: &str| {
        problem
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (code, detail) = (text("code"), text("detail"));
    // A newer node may have codes that this binary does not know.
    let Some(known) = Code::parse(code) else {
        return anyhow::anyhow!("the node answered {status} {code}: {detail}");
    };
    let mut error = Error::new(known, detail);
    if let Some(kind) = ErrorKind::ALL
        .into_iter()
        .find(|kind| kind.name() == text("kind"))
    {
        error.kind = kind;
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_code_and_kind() {
        let body = br#"{"code": "PS3001", "kind": "not-found", "detail": "no such account"}"#;
        let error = read(StatusCode::NOT_FOUND, body);
        let error = error.downcast_ref::<Error>().unwrap();
        assert_eq!(
            (error.code, error.kind),
            (Code::GuestError, ErrorKind::NotFound)
        );
        assert_eq!(error.message, "no such account");
    }

    #[test]
    fn what_is_no_problem_is_shown() {
        let error = read(StatusCode::BAD_GATEWAY, b"<h1>Bad Gateway</h1>\n");
        assert!(
            error.to_string().ends_with("<h1>Bad Gateway</h1>"),
            "{error}"
        );
        let error = read(
            StatusCode::BAD_REQUEST,
            br#"{"code": "PS8999", "detail": "new"}"#,
        );
        assert!(error.to_string().ends_with("PS8999: new"), "{error}");
    }
}
