//! `plexspaces bench` measures every case that it promises, and says against what.

mod support;

use serde_json::Value;
use std::process::{Command, Output};
use support::guest_path;

/// As short as it gets: what is measured means nothing, that it is measured is the test.
fn bench(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_plexspaces"))
        .args(["bench", "--runs", "1", "--span-ms", "20", "--keys", "4"])
        .args(["--rows", "5000", "--services"])
        .arg(guest_path("program"))
        .arg("--folder")
        .arg(folder.path())
        .args(arguments)
        .output()
        .expect("the binary starts");
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 0, "the bench cleans up: {output:?}");
    output
}

fn subject() -> String {
    format!("rust={}", guest_path("counter").display())
}

#[test]
fn every_case_has_figures_and_its_floor() {
    let output = bench(&["--actor", &subject(), "--json"]);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let cases = report["cases"].as_array().expect("cases");
    let find = |name: &str| {
        let found = cases.iter().find(|case| case["case"] == name);
        found.unwrap_or_else(|| panic!("no case {name:?} in {report:#}"))
    };
    for case in cases {
        let figure = |name: &str| case[name].as_f64().expect("a number");
        assert!(figure("median") > 0.0, "{case}");
        assert!(
            figure("min") <= figure("median") && figure("median") <= figure("max"),
            "{case}"
        );
        for floor in case["floors"].as_array().expect("floors") {
            assert!(floor["ratio"].as_f64().expect("a ratio") > 0.0, "{case}");
        }
    }
    let floors = |name: &str| -> Vec<String> {
        let floors = find(name)["floors"].as_array().expect("floors");
        let names = floors.iter().filter_map(|floor| floor["name"].as_str());
        names.map(str::to_owned).collect()
    };
    assert_eq!(floors("rust instantiate"), ["raw wasmtime"]);
    for life in ["ephemeral", "durable"] {
        assert_eq!(
            floors(&format!("rust spawn {life}")),
            ["raw wasmtime instantiate"]
        );
        find(&format!("rust spawn {life} by 16 at once"));
        for callers in [1, 16, 64] {
            for keys in ["many keys", "one key"] {
                find(&format!("rust ask {life} in process {callers} x {keys}"));
                let http = floors(&format!("rust ask {life} over HTTP {callers} x {keys}"));
                assert_eq!(http[0], "raw HTTP");
                assert_eq!(http.len(), if life == "durable" { 2 } else { 1 });
            }
        }
        if cfg!(target_os = "linux") {
            find(&format!("rust memory of an idle {life} actor"));
        }
    }
    find("rust cold start to first reply");
    for service in [
        "keyvalue put",
        "keyvalue get",
        "keyvalue increment",
        "tuplespace write and take",
        "queue send and receive",
        "lock acquire and release",
        "registry register",
        "durability persist",
        "topic publish to one subscriber",
        "timer set and cancel",
        "blob upload of 1 KiB",
    ] {
        for times in [1, 100] {
            let floor = if service.starts_with("blob") {
                "raw fdatasync"
            } else {
                "raw store"
            };
            assert_eq!(floors(&format!("{service}, {times} per turn")), [floor]);
        }
    }
    find("tuplespace read among 1000 tuples");
    if cfg!(target_os = "linux") {
        for what in ["keys", "tuples", "queued messages"] {
            find(&format!("memory with 5000 {what}"));
        }
    }
}

#[test]
fn one_case_can_be_chosen_and_a_mistake_is_told() {
    let output = bench(&["--actor", &subject(), "--only", "instantiate"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(
        table.starts_with("CASE") && table.contains("of raw wasmtime ("),
        "{table}"
    );
    assert_eq!(table.lines().count(), 2, "{table}");

    let output = bench(&["--actor", &subject(), "--only", "no such case"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("no case has"),
        "{said}"
    );

    let output = bench(&["--actor", "rust=no-such-file.wasm"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("make guests"),
        "{said}"
    );
}
