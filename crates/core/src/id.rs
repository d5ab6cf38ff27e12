//! Who is who: tenants, namespaces, actor types and actors.
//!
//! An actor is `tenant / namespace / type / key`. Inside one scope (tenant and namespace) its text is `type/key`,
//! or `type` for the key "". Names are checked once, here; whoever holds an [`ActorId`] holds a valid one.

use crate::{Code, Error, Result};
use std::fmt;
use std::sync::Arc;

/// The longest name of a tenant, namespace or actor type, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// The longest key of an actor, in bytes.
pub const KEY_BYTES_MAX: usize = 256;

/// A tenant's namespace: what an actor sees of the world without further capabilities.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    tenant: Arc<str>,
    namespace: Arc<str>,
}

impl Scope {
    /// Checks both names.
    ///
    /// # Errors
    /// `PS1001` for a name that is empty, too long or has characters outside `A-Z a-z 0-9 _ . -`.
    pub fn new(tenant: &str, namespace: &str) -> Result<Self> {
        Ok(Scope {
            tenant: check_name("tenant", tenant)?.into(),
            namespace: check_name("namespace", namespace)?.into(),
        })
    }

    /// The tenant's name.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The namespace's name.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.namespace)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One actor. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorId(Arc<Parts>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    scope: Scope,
    kind: Box<str>,
    key: Box<str>,
}

impl ActorId {
    /// The id under which a program that is no actor holds locks and registers services: of the type `$http`, which no
    /// application can have.
    ///
    /// # Errors
    /// `PS1001` for a name that no key could be.
    pub fn outside(scope: &Scope, name: &str) -> Result<Self> {
        Ok(ActorId(Arc::new(Parts {
            scope: scope.clone(),
            kind: "$http".into(),
            key: check_key(name)?.into(),
        })))
    }

    /// Checks the type's name and the key.
    ///
    /// # Errors
    /// `PS1001`, naming the part and what is wrong with it.
    pub fn new(scope: &Scope, kind: &str, key: &str) -> Result<Self> {
        let kind = check_name("actor type", kind)?.into();
        let key = check_key(key)?.into();
        Ok(ActorId(Arc::new(Parts {
            scope: scope.clone(),
            kind,
            key,
        })))
    }

    /// Reads `type/key` or `type` within `scope`.
    ///
    /// # Errors
    /// `PS1001`, naming the part and what is wrong with it.
    pub fn parse(scope: &Scope, text: &str) -> Result<Self> {
        let (kind, key) = text.split_once('/').unwrap_or((text, ""));
        ActorId::new(scope, kind, key)
    }

    /// Its tenant and namespace.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// The actor type's name.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The key, which may be "".
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// `type/key` or `type`: how actors of the same scope write it.
    #[must_use]
    pub fn local(&self) -> String {
        if self.0.key.is_empty() {
            self.0.kind.to_string()
        } else {
            format!("{}/{}", self.0.kind, self.0.key)
        }
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.scope, self.local())
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Checks the name of a tenant, namespace, actor type or application; `what` says which in the error.
///
/// # Errors
/// `PS1001`.
pub fn check_name<'a>(what: &str, name: &'a str) -> Result<&'a str> {
    let problem = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > NAME_BYTES_MAX {
        format!(
            "has {} bytes; at most {NAME_BYTES_MAX} are allowed",
            name.len()
        )
    } else if let Some(bad) = name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "_.-".contains(*c)))
    {
        format!("has the character {bad:?}; letters, digits, '_', '.' and '-' are allowed")
    } else {
        return Ok(name);
    };
    Err(invalid(what, name, &problem))
}

fn check_key(key: &str) -> Result<&str> {
    let problem = if key.len() > KEY_BYTES_MAX {
        format!(
            "has {} bytes; at most {KEY_BYTES_MAX} are allowed",
            key.len()
        )
    } else if let Some(bad) = key.chars().find(|c| *c == '/' || c.is_control()) {
        format!("has the character {bad:?}; '/' and control characters are not allowed")
    } else {
        return Ok(key);
    };
    Err(invalid("actor key", key, &problem))
}

fn invalid(what: &str, name: &str, problem: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    Error::new(Code::InvalidId, format!("the {what} {shown:?} {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new("default", "default").expect("valid names")
    }

    #[test]
    fn text_and_parts_agree() {
        let id = ActorId::parse(&scope(), "account/alice").expect("valid");
        assert_eq!(
            (id.kind(), id.key(), id.local().as_str()),
            ("account", "alice", "account/alice")
        );
        assert_eq!(id.to_string(), "default/default/account/alice");
        let single = ActorId::parse(&scope(), "account").expect("valid");
        assert_eq!((single.key(), single.local().as_str()), ("", "account"));
    }

    #[test]
    fn bad_parts_are_named() {
        for (text, part) in [
            ("", "actor type"),
            ("a b", "actor type"),
            ("$timer", "actor type"),
            ("account/a/b", "actor key"),
            ("account/\n", "actor key"),
        ] {
            let error = ActorId::parse(&scope(), text).expect_err(text);
            assert_eq!(error.code, Code::InvalidId);
            assert!(error.message.contains(part), "{text:?}: {}", error.message);
        }
        assert!(ActorId::parse(&scope(), &format!("a/{}", "k".repeat(257))).is_err());
        assert!(Scope::new("a/b", "c").is_err());
    }
}
