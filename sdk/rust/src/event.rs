//! What an info from a topic, a group, a watch or a tuple space says in its message type.

/// A message type, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A topic's message; the payload is the published one.
    Topic {
        /// The topic.
        name: &'a str,
        /// What the publisher calls the message.
        msg_type: &'a str,
    },
    /// A process group's message; the payload is the published one.
    Group {
        /// The group.
        name: &'a str,
        /// The topic that it was published under, or "".
        topic: &'a str,
        /// What the publisher calls the message.
        msg_type: &'a str,
    },
    /// A watched key has changed.
    Watch {
        /// The key.
        key: &'a str,
        /// What became of it.
        change: Change,
    },
    /// A tuple was written: [`tuplespace::received`](crate::tuplespace::received) reads the payload.
    Tuple {
        /// The subscription's id.
        id: &'a str,
    },
    /// Messages were lost, because this actor was too far behind. The payload is their number as decimal text.
    Lost {
        /// What they were of: `$topic:NAME`, `$group:NAME`, `$tuple:ID`, or `$watch:` and the watch's prefix.
        of: Lost<'a>,
    },
    /// Some other message.
    Other,
}

/// What lost messages were of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost<'a> {
    /// A topic.
    Topic(&'a str),
    /// A group.
    Group(&'a str),
    /// The watch of this prefix.
    Watch(&'a str),
    /// The subscription to tuples with this id.
    Tuple(&'a str),
}

/// What became of a watched key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was set; the payload is the value.
    Put,
    /// It was deleted.
    Delete,
    /// Its time was over.
    Expire,
}

impl<'a> Event<'a> {
    /// Takes a message type apart.
    pub fn of(msg_type: &'a str) -> Self {
        let (first, rest) = msg_type.split_once('\n').unwrap_or((msg_type, ""));
        let Some((kind, name)) = first.split_once(':') else {
            return Event::Other;
        };
        let lost = rest == "$lost";
        match (kind, name) {
            ("$topic", _) if lost => Event::Lost { of: Lost::Topic(name) },
            ("$topic", _) => Event::Topic { name, msg_type: rest },
            ("$group", _) if lost => Event::Lost { of: Lost::Group(name) },
            ("$group", _) => {
                let (topic, msg_type) = rest.split_once('\n').unwrap_or((rest, ""));
                Event::Group { name, topic, msg_type }
            }
            ("$tuple", _) if lost => Event::Lost { of: Lost::Tuple(name) },
            ("$tuple", _) => Event::Tuple { id: name },
            ("$watch", "put") => Event::Watch { key: rest, change: Change::Put },
            ("$watch", "delete") => Event::Watch { key: rest, change: Change::Delete },
            ("$watch", "expire") => Event::Watch { key: rest, change: Change::Expire },
            ("$watch", "lost") => Event::Lost { of: Lost::Watch(rest) },
            _ => Event::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_types_come_apart() {
        let topic = Event::Topic { name: "a:b", msg_type: "made" };
        assert_eq!(Event::of("$topic:a:b\nmade"), topic);
        assert_eq!(Event::of("$topic:t"), Event::Topic { name: "t", msg_type: "" });
        assert_eq!(Event::of("$topic:t\n$lost"), Event::Lost { of: Lost::Topic("t") });
        let group = Event::Group { name: "g", topic: "", msg_type: "x" };
        assert_eq!(Event::of("$group:g\n\nx"), group);
        let watch = Event::Watch { key: "a\nb", change: Change::Expire };
        assert_eq!(Event::of("$watch:expire\na\nb"), watch);
        assert_eq!(Event::of("$watch:lost\n"), Event::Lost { of: Lost::Watch("") });
        assert_eq!(Event::of("$tuple:7"), Event::Tuple { id: "7" });
        assert_eq!(Event::of("topic:t"), Event::Other);
    }
}
