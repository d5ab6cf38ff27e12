//! Keys sort as their paths do, can be read back, and never change their bytes.

#![allow(clippy::unwrap_used)] // a test says enough by failing

use plexspaces_core::batch::Key;
use plexspaces_store::key::{Element, Kind, Path, decode};
use proptest::{collection::vec, prelude::*};
use std::cmp::Ordering;

/// One key of each kind, on disks since the first release. If this fails, data will be lost.
#[test]
fn the_bytes_of_every_kind_never_change() {
    let node = |kind| Path::node(kind).str("x").key();
    let scoped = |kind| Path::scope("acme", "shop", kind).str("cart").u64(42).key();
    let golden: Vec<(Key, &[u8])> = vec![
        (node(Kind::Application), b"\0\x15\x01\x02x\0"),
        (node(Kind::Deployment), b"\0\x15\x02\x02x\0"),
        (node(Kind::Module), b"\0\x15\x03\x02x\0"),
        (node(Kind::ModuleChunk), b"\0\x15\x04\x02x\0"),
        (node(Kind::Scope), b"\0\x15\x05\x02x\0"),
        (node(Kind::Expiry), b"\0\x15\x06\x02x\0"),
        (node(Kind::Clock), b"\0\x15\x07\x02x\0"),
        (node(Kind::Due), b"\0\x15\x08\x02x\0"),
        (
            scoped(Kind::Actor),
            b"\x02acme\0\x02shop\0\x15\x10\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Checkpoint),
            b"\x02acme\0\x02shop\0\x15\x11\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Journal),
            b"\x02acme\0\x02shop\0\x15\x12\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Mailbox),
            b"\x02acme\0\x02shop\0\x15\x13\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Wait),
            b"\x02acme\0\x02shop\0\x15\x14\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Dedup),
            b"\x02acme\0\x02shop\0\x15\x15\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::DeadLetter),
            b"\x02acme\0\x02shop\0\x15\x16\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Restored),
            b"\x02acme\0\x02shop\0\x15\x17\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Tuple),
            b"\x02acme\0\x02shop\0\x15\x20\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::KeyValue),
            b"\x02acme\0\x02shop\0\x15\x21\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Timer),
            b"\x02acme\0\x02shop\0\x15\x2C\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Registration),
            b"\x02acme\0\x02shop\0\x15\x2D\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Persisted),
            b"\x02acme\0\x02shop\0\x15\x2E\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Feed),
            b"\x02acme\0\x02shop\0\x15\x22\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Subscription),
            b"\x02acme\0\x02shop\0\x15\x23\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Group),
            b"\x02acme\0\x02shop\0\x15\x26\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Member),
            b"\x02acme\0\x02shop\0\x15\x27\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Blob),
            b"\x02acme\0\x02shop\0\x15\x24\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::BlobUpload),
            b"\x02acme\0\x02shop\0\x15\x25\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Queue),
            b"\x02acme\0\x02shop\0\x15\x28\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::QueueMessage),
            b"\x02acme\0\x02shop\0\x15\x29\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::Lock),
            b"\x02acme\0\x02shop\0\x15\x2A\x02cart\0\x15\x2A",
        ),
        (
            scoped(Kind::LockHeld),
            b"\x02acme\0\x02shop\0\x15\x2B\x02cart\0\x15\x2A",
        ),
    ];
    for ((key, bytes), kind) in golden.into_iter().zip(Kind::ALL) {
        assert_eq!(key.as_bytes(), bytes, "{kind:?}");
        let at = if bytes[0] == 0 { 1 } else { 2 };
        let number = decode(&key).unwrap()[at].as_u64().unwrap();
        assert_eq!(Kind::from_number(number as u8), Some(*kind));
    }
}

#[test]
fn the_bytes_of_every_element_never_change() {
    let tail = |path: Path| {
        path.key().as_bytes()[Path::node(Kind::Tuple).key().as_bytes().len()..].to_vec()
    };
    let node = || Path::node(Kind::Tuple);
    assert_eq!(tail(node().null()), b"\0");
    assert_eq!(tail(node().bytes(b"a\0b")), b"\x01a\0\xFFb\0");
    assert_eq!(tail(node().str("a\0b")), b"\x02a\0\xFFb\0");
    assert_eq!(tail(node().u64(0)), b"\x14");
    assert_eq!(tail(node().u64(256)), b"\x16\x01\0");
    assert_eq!(
        tail(node().u64(u64::MAX)),
        b"\x1C\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
    );
    assert_eq!(tail(node().i64(-1)), b"\x13\xFE");
    assert_eq!(
        tail(node().i64(i64::MIN)),
        b"\x0C\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
    );
    assert_eq!(tail(node().f64(1.5)), b"\x21\xBF\xF8\0\0\0\0\0\0");
    assert_eq!(
        tail(node().f64(-1.5)),
        b"\x21\x40\x07\xFF\xFF\xFF\xFF\xFF\xFF"
    );
    assert_eq!(tail(node().f64(-f64::NAN)), b"\x21\xFF\xF8\0\0\0\0\0\0");
    assert_eq!(tail(node().bool(false)), b"\x26");
    assert_eq!(tail(node().bool(true)), b"\x27");
}

#[test]
fn what_is_no_path_is_refused() {
    for bytes in [&b"\x02open"[..], b"\x15", b"\x02\xC3\0", b"\x30", b"\xFF"] {
        assert!(
            decode(&Key::from(bytes.to_vec())).is_err(),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn a_string_prefix_finds_the_strings_that_start_with_it() {
    let users = || Path::scope("t", "n", Kind::Actor);
    let range = users().prefix_string("an").range();
    for found in ["an", "ann", "anna", "an\0", "an\u{10FFFF}"] {
        assert!(range.contains(&users().str(found).key()), "{found:?}");
        assert!(
            range.contains(&users().str(found).u64(1).key()),
            "{found:?}"
        );
    }
    for other in ["a", "am", "ao", "", "\u{10FFFF}"] {
        assert!(!range.contains(&users().str(other).key()), "{other:?}");
    }
}

fn element() -> impl Strategy<Value = Element> {
    // Few characters, so that strings share their beginnings.
    let text = vec(
        prop::sample::select(vec!['\0', '\u{1}', 'a', 'b', 'é', '\u{10FFFF}']),
        0..5,
    )
    .prop_map(|text| text.into_iter().collect::<String>());
    let bytes = vec(prop::sample::select(vec![0, 1, b'a', 0xFE, 0xFF]), 0..5);
    let int = prop_oneof![
        any::<i64>().prop_map(i128::from),
        any::<u64>().prop_map(i128::from),
        -300..300i128,
        (0..64u32, -1..=1i128).prop_map(|(bit, by)| (1i128 << bit) + by),
        (0..63u32, -1..=1i128).prop_map(|(bit, by)| -(1i128 << bit) + by),
    ];
    prop_oneof![
        Just(Element::Null),
        bytes.prop_map(Element::Bytes),
        text.prop_map(Element::Str),
        int.prop_map(Element::Int),
        any::<f64>().prop_map(Element::F64),
        any::<bool>().prop_map(Element::Bool),
    ]
}

fn build(elements: &[Element]) -> Path {
    elements.iter().fold(
        Path::scope("t", "n", Kind::Tuple),
        |path, element| match element {
            Element::Null => path.null(),
            Element::Bytes(value) => path.bytes(value),
            Element::Str(value) => path.str(value),
            Element::Int(value) => match i64::try_from(*value) {
                Ok(value) => path.i64(value),
                Err(_) => path.u64(u64::try_from(*value).unwrap()),
            },
            Element::F64(value) => path.f64(*value),
            Element::Bool(value) => path.bool(*value),
        },
    )
}

fn compare(one: &Element, other: &Element) -> Ordering {
    fn rank(element: &Element) -> u8 {
        match element {
            Element::Null => 0,
            Element::Bytes(_) => 1,
            Element::Str(_) => 2,
            Element::Int(_) => 3,
            Element::F64(_) => 4,
            Element::Bool(_) => 5,
        }
    }
    match (one, other) {
        (Element::Bytes(a), Element::Bytes(b)) => a.cmp(b),
        (Element::Str(a), Element::Str(b)) => a.cmp(b),
        (Element::Int(a), Element::Int(b)) => a.cmp(b),
        (Element::F64(a), Element::F64(b)) => a.total_cmp(b),
        (Element::Bool(a), Element::Bool(b)) => a.cmp(b),
        _ => rank(one).cmp(&rank(other)),
    }
}

fn compare_paths(one: &[Element], other: &[Element]) -> Ordering {
    let first = one
        .iter()
        .zip(other)
        .map(|(a, b)| compare(a, b))
        .find(|order| order.is_ne());
    first.unwrap_or(one.len().cmp(&other.len()))
}

proptest! {
    #[test]
    fn keys_sort_as_their_paths(one in vec(element(), 0..4), other in vec(element(), 0..4)) {
        prop_assert_eq!(build(&one).key().cmp(&build(&other).key()), compare_paths(&one, &other));
    }

    #[test]
    fn elements_of_one_type_sort_by_value(one in element(), other in element()) {
        let (one, other) = ([one], [other]);
        prop_assert_eq!(build(&one).key().cmp(&build(&other).key()), compare_paths(&one, &other));
    }

    #[test]
    fn a_key_gives_its_path_back(path in vec(element(), 0..6)) {
        let read = decode(&build(&path).key()).unwrap();
        prop_assert_eq!(&read[3..], &path[..]);
    }

    #[test]
    fn an_unsigned_integer_has_one_encoding(value in any::<i64>()) {
        if let Ok(unsigned) = u64::try_from(value) {
            let node = || Path::node(Kind::Tuple);
            prop_assert_eq!(node().u64(unsigned).key(), node().i64(value).key());
        }
    }

    #[test]
    fn a_range_holds_what_continues_its_path_and_nothing_else(
        path in vec(element(), 0..3), more in vec(element(), 0..3), other in vec(element(), 0..4)
    ) {
        let range = build(&path).range();
        let longer = [&path[..], &more].concat();
        prop_assert_eq!(range.contains(&build(&longer).key()), !more.is_empty());
        let below = other.len() > path.len() && compare_paths(&other[..path.len()], &path).is_eq();
        prop_assert_eq!(range.contains(&build(&other).key()), below);
    }
}
