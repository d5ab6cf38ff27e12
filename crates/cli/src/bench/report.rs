//! From single runs to rows, and from rows to a table or JSON.

use super::stats::median;
use serde_json::{Value, json};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    Micros,
    Millis,
    KiB,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::PerSecond => "/s",
            Unit::Micros => "us",
            Unit::Millis => "ms",
            Unit::KiB => "KiB",
        }
    }
}

/// A floor's figure beside a run's, in a unit of its own: what the ratio compares is `of`, which is the run's value
/// unless it is said otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) value: f64,
    /// What of the run stands beside it.
    pub(crate) of: f64,
}

/// One run of a case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) value: f64,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) floors: Vec<Floor>,
}

/// A case, measured.
pub(crate) struct Row {
    name: String,
    unit: Unit,
    median: f64,
    min: f64,
    max: f64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    floors: Vec<FloorRow>,
}

struct FloorRow {
    name: &'static str,
    unit: Unit,
    median: f64,
    /// The median of the runs' ratios, each of figures taken one after the other.
    ratio: f64,
}

impl Row {
    /// Sums up runs, of which there is at least one.
    pub(crate) fn new(name: &str, unit: Unit, runs: &[Run]) -> Self {
        let values = || runs.iter().map(|run| run.value);
        let some = |of: fn(&Run) -> Option<f64>| {
            let found: Vec<f64> = runs.iter().filter_map(of).collect();
            (!found.is_empty()).then(|| median(found))
        };
        let floors = runs.first().map_or(0, |run| run.floors.len());
        let floor = |n: usize| {
            let taken = || runs.iter().filter_map(move |run| run.floors.get(n));
            FloorRow {
                name: runs[0].floors[n].name,
                unit: runs[0].floors[n].unit,
                median: median(taken().map(|floor| floor.value)),
                ratio: median(taken().map(|floor| floor.of / floor.value)),
            }
        };
        Row {
            name: name.to_owned(),
            unit,
            median: median(values()),
            min: values().fold(f64::INFINITY, f64::min),
            max: values().fold(f64::NEG_INFINITY, f64::max),
            p50_us: some(|run| run.p50_us),
            p99_us: some(|run| run.p99_us),
            floors: (0..floors).map(floor).collect(),
        }
    }

    /// The row for a reader who waits.
    pub(crate) fn line(&self) -> String {
        let [name, median, spread, ..] = self.cells();
        let floors: Vec<String> = self.floors.iter().map(FloorRow::text).collect();
        format!("{name}: {median} ({spread}); {}", floors.join("; "))
            .trim_end_matches("; ")
            .to_owned()
    }

    fn cells(&self) -> [String; 5] {
        let time = |us: Option<f64>| us.map_or(String::new(), |us| figure(us, Unit::Micros));
        [
            self.name.clone(),
            figure(self.median, self.unit),
            format!("{} to {}", digits(self.min), digits(self.max)),
            time(self.p50_us),
            time(self.p99_us),
        ]
    }

    fn json(&self) -> Value {
        let floors: Vec<Value> = self
            .floors
            .iter()
            .map(|floor| {
                json!({"name": floor.name, "unit": floor.unit.name(), "median": floor.median, "ratio": floor.ratio})
            })
            .collect();
        json!({
            "case": self.name, "unit": self.unit.name(), "median": self.median, "min": self.min, "max": self.max,
            "p50_us": self.p50_us, "p99_us": self.p99_us, "floors": floors,
        })
    }
}

impl FloorRow {
    fn text(&self) -> String {
        let ratio = if self.unit == Unit::PerSecond {
            format!("{:.0} %", self.ratio * 100.0)
        } else {
            format!("{:.2} x", self.ratio)
        };
        format!(
            "{ratio} of {} ({})",
            self.name,
            figure(self.median, self.unit)
        )
    }
}

fn figure(value: f64, unit: Unit) -> String {
    let name = unit.name();
    let space = if unit == Unit::PerSecond { "" } else { " " };
    format!("{}{space}{name}", digits(value))
}

/// Three digits that matter, thousands apart.
fn digits(value: f64) -> String {
    if value.abs() >= 100.0 {
        let whole = format!("{value:.0}");
        let mut text = String::new();
        for (n, digit) in whole.chars().enumerate() {
            if n > 0 && digit.is_ascii_digit() && (whole.len() - n).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The rows as a table; a row with several floors goes on in the next line.
pub(crate) fn table(rows: &[Row]) -> String {
    let heading = [
        "CASE",
        "MEDIAN",
        "SPREAD",
        "P50",
        "P99",
        "AGAINST ITS FLOOR",
    ];
    let mut lines: Vec<[String; 6]> = vec![heading.map(str::to_owned)];
    for row in rows {
        let mut floors = row.floors.iter().map(FloorRow::text);
        let [name, median, spread, p50, p99] = row.cells();
        lines.push([
            name,
            median,
            spread,
            p50,
            p99,
            floors.next().unwrap_or_default(),
        ]);
        for floor in floors {
            let mut line: [String; 6] = Default::default();
            line[5] = floor;
            lines.push(line);
        }
    }
    let widths: [usize; 6] = std::array::from_fn(|column| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or_default()
    });
    let lines: Vec<String> = lines
        .iter()
        .map(|line| {
            let cells: Vec<String> = line
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    0 | 5 => format!("{cell:width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

/// The rows for programs, with what they were taken on.
pub(crate) fn json(rows: &[Row], machine: Value) -> Value {
    json!({"machine": machine, "cases": rows.iter().map(Row::json).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: f64, floor: f64) -> Run {
        Run {
            value,
            p50_us: Some(1234.5),
            p99_us: None,
            floors: vec![Floor {
                name: "raw HTTP",
                unit: Unit::PerSecond,
                value: floor,
                of: value,
            }],
        }
    }

    #[test]
    fn a_row_has_the_median_the_spread_and_the_median_of_the_ratios() {
        let runs = [run(10.0, 100.0), run(20.0, 25.0), run(30.0, 100.0)];
        let row = Row::new("ask", Unit::PerSecond, &runs);
        let json = row.json();
        assert_eq!(json["median"], 20.0);
        assert_eq!((&json["min"], &json["max"]), (&json!(10.0), &json!(30.0)));
        assert_eq!(json["floors"][0]["ratio"], 0.3);
        assert_eq!(
            row.line(),
            "ask: 20.0/s (10.0 to 30.0); 30 % of raw HTTP (100/s)"
        );
    }

    #[test]
    fn a_table_is_aligned() {
        let rows = [Row::new("ask", Unit::PerSecond, &[run(12_345.6, 20_000.0)])];
        assert_eq!(
            table(&rows),
            "CASE    MEDIAN            SPREAD       P50  P99  AGAINST ITS FLOOR\n\
             ask   12,346/s  12,346 to 12,346  1,234 us       62 % of raw HTTP (20,000/s)"
        );
    }

    #[test]
    fn figures_keep_three_digits() {
        for (value, text) in [
            (0.123, "0.12"),
            (9.876, "9.88"),
            (98.76, "98.8"),
            (987.6, "988"),
            (1234567.0, "1,234,567"),
        ] {
            assert_eq!(digits(value), text);
        }
    }
}
