//! A core module becomes a component.
//!
//! The module's own exports say which interfaces it implements. What its toolchain left about worlds is removed
//! (it speaks of every export there could be), the world for those interfaces is put in, and wit-component does
//! the rest and validates the result.

use anyhow::{Context, Result, bail};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding};

use super::world::{self, Interface, PACKAGE, VERSION};

/// A component from `core`, and the interfaces that it exports.
pub(super) fn from_core_module(core: &[u8]) -> Result<(Vec<u8>, Vec<Interface>)> {
    let surface = Surface::of(core)?;
    let interfaces = surface.interfaces()?;
    surface.check_imports()?;
    let mut module = without_sections(core, |name| name.starts_with("component-type"))?;
    let (resolve, world) = world::resolve(&interfaces)?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .context("cannot describe the module's world")?;
    let bytes = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .context("the module does not fit the PlexSpaces contract; is the SDK as new as this `plexspaces`?")?;
    Ok((bytes, interfaces))
}

/// The names that a core module shows to the outside.
struct Surface {
    exports: Vec<String>,
    /// Module and name.
    imports: Vec<(String, String)>,
}

impl Surface {
    fn of(core: &[u8]) -> Result<Self> {
        let mut surface = Surface {
            exports: Vec::new(),
            imports: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(core) {
            match payload.context("the compiler's output is no valid WebAssembly module")? {
                Payload::Version {
                    encoding: wasmparser::Encoding::Component,
                    ..
                } => {
                    bail!(
                        "the compiler's output is a component already; a core module was expected"
                    )
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        surface.exports.push(export?.name.to_owned());
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        surface
                            .imports
                            .push((import.module.to_owned(), import.name.to_owned()));
                    }
                }
                _ => {}
            }
        }
        Ok(surface)
    }

    /// The contract's interfaces among the exports.
    fn interfaces(&self) -> Result<Vec<Interface>> {
        let mut found = Vec::new();
        for export in &self.exports {
            let Some(rest) = export
                .strip_prefix(PACKAGE)
                .and_then(|rest| rest.strip_prefix('/'))
            else {
                continue;
            };
            let name = rest.split(['@', '#']).next().unwrap_or(rest);
            let interface = Interface::of_name(name).filter(|interface| {
                rest == format!("{}@{VERSION}#{}", interface.name(), interface.function())
            });
            match interface {
                Some(interface) => found.push(interface),
                None => bail!(
                    "the module exports `{export}`, which is not in {PACKAGE}@{VERSION}: the SDK and this `plexspaces` differ"
                ),
            }
        }
        found.sort();
        found.dedup();
        if !found.iter().any(|interface| interface.is_handler()) {
            let have: Vec<_> = found.iter().map(|interface| interface.name()).collect();
            bail!(
                "the module exports no handler{}: name one in `actor!`, such as `plexspaces_sdk::actor!(Counter: GenServer);` \
                 (handlers are GenServer, GenEvent, GenFsm and MessageHandler)",
                if have.is_empty() {
                    String::new()
                } else {
                    format!(", only {}", have.join(", "))
                }
            );
        }
        Ok(found)
    }

    /// Imports that no world of the contract has are told by their cause; wit-component would only name them.
    fn check_imports(&self) -> Result<()> {
        for (module, name) in &self.imports {
            if module.starts_with(PACKAGE) {
                continue;
            }
            let cause = if module.starts_with("wasi") {
                "a dependency is made for WASI, and Rust guests run without it; \
                 time and randomness come from `plexspaces_sdk::system`"
            } else if module.starts_with("__wbindgen") {
                "a dependency is made for JavaScript hosts; look for its feature `js` or `wasm-bindgen` \
                 (`cargo tree -i wasm-bindgen --target wasm32-unknown-unknown`) and switch it off"
            } else {
                "no PlexSpaces node provides it; a function of a C library that was not linked?"
            };
            bail!("the module imports `{name}` from `{module}`: {cause}");
        }
        Ok(())
    }
}

/// The module without the custom sections whose name `removed` picks. All other bytes stay as they are.
fn without_sections(module: &[u8], removed: impl Fn(&str) -> bool) -> Result<Vec<u8>> {
    const HEADER_LEN: usize = 8;
    let mut kept = module[..HEADER_LEN].to_vec();
    // A section starts where the one before ended: its id and length lie before the range that the parser gives.
    let mut start = HEADER_LEN;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let Some((_, range)) = payload.as_section() else {
            continue;
        };
        let is_removed =
            matches!(&payload, Payload::CustomSection(section) if removed(section.name()));
        if !is_removed {
            kept.extend_from_slice(&module[start..range.end]);
        }
        start = range.end;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(exports: &[&str], imports: &[(&str, &str)]) -> Surface {
        Surface {
            exports: exports.iter().map(|e| e.to_string()).collect(),
            imports: imports
                .iter()
                .map(|(m, n)| (m.to_string(), n.to_string()))
                .collect(),
        }
    }

    #[test]
    fn interfaces_are_read_from_the_exports() {
        let found = surface(
            &[
                "memory",
                "plexspaces:actor/snapshot@0.1.0#snapshot-state",
                "cabi_post_plexspaces:actor/snapshot@0.1.0#snapshot-state",
                "plexspaces:actor/gen-server@0.1.0#handle-request",
            ],
            &[],
        );
        assert_eq!(
            found.interfaces().unwrap(),
            [Interface::GenServer, Interface::Snapshot]
        );
    }

    #[test]
    fn another_version_of_the_contract_is_refused() {
        for export in [
            "plexspaces:actor/gen-server@0.2.0#handle-request",
            "plexspaces:actor/other@0.1.0#x",
            "plexspaces:actor/gen-server@0.1.0#other",
        ] {
            let error = surface(&[export], &[])
                .interfaces()
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(export) && error.contains("differ"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_module_without_handler_is_refused() {
        let error = surface(&["plexspaces:actor/snapshot@0.1.0#snapshot-state"], &[])
            .interfaces()
            .unwrap_err();
        assert!(
            error.to_string().contains("no handler, only snapshot"),
            "{error}"
        );
    }

    #[test]
    fn foreign_imports_are_told_by_their_cause() {
        for (module, part) in [
            ("wasi_snapshot_preview1", "WASI"),
            ("__wbindgen_placeholder__", "JavaScript"),
            ("env", "C library"),
        ] {
            let error = surface(&[], &[(module, "f")])
                .check_imports()
                .unwrap_err()
                .to_string();
            assert!(error.contains(part) && error.contains(module), "{error}");
        }
        surface(&[], &[("plexspaces:actor/system@0.1.0", "now")])
            .check_imports()
            .unwrap();
    }

    /// A module with two custom sections and, between them, a type section.
    fn sample() -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend(b"\x00\x04\x03one");
        module.extend(b"\x01\x04\x01\x60\0\0");
        module.extend(b"\x00\x06\x03two\xaa\xbb");
        module
    }

    #[test]
    fn only_the_named_sections_go() {
        let module = sample();
        assert_eq!(without_sections(&module, |_| false).unwrap(), module);
        assert_eq!(
            without_sections(&module, |name| name == "two").unwrap(),
            module[..module.len() - 8]
        );
        assert_eq!(
            without_sections(&module, |_| true).unwrap(),
            b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0"
        );
    }
}
