//! What wit-bindgen makes of `wit/`: the imported functions, the exported interfaces' traits and the
//! macros that export them. Hidden, because the other modules say the same in better words.
#![allow(missing_docs, unreachable_pub, clippy::all, rust_2018_idioms)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "actor",
    pub_export_macro: true,
    default_bindings_module: "::plexspaces_sdk::bindings",
    additional_derives: [PartialEq],
});
