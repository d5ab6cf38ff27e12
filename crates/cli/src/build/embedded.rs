//! The contract's files (`wit/`) and the Python SDK (`sdk/python/plexspaces/`), as they were when this binary was built.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
