//! The results as a page: tables and plots, in `docs/`.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use sockeye_core::sim::grid::Cell;

use crate::cells::Set;
use crate::plot::{DotPlot, Row, Spacing};
use crate::record::{Record, median};

/// The lines of the page between which the results stand.
const BEGIN: &str = "<!-- results begin -->";
const END: &str = "<!-- results end -->";
const LINUX: &str = "linux>linux:";
const SOCKEYE: &str = "sockeye>sockeye:";

/// All that was played of one cell in a set.
struct Group<'a> {
    cell: &'a str,
    records: Vec<&'a Record>,
}

impl Group<'_> {
    /// The median of a number over the repetitions of a pair.
    fn median(&self, pair: &str, number: impl Fn(&Record) -> Option<f64>) -> Option<f64> {
        median(self.records.iter().filter(|record| record.pair == pair).filter_map(|record| number(record)))
    }

    fn goodput(&self, pair: &str) -> Option<f64> {
        self.median(pair, |record| Some(record.goodput_mbit))
    }

    /// Our goodput as a share of Linux's.
    fn ratio(&self, control: &str) -> Option<f64> {
        let linux = self.goodput(&format!("{LINUX}{control}"))?;
        Some(self.goodput(&format!("{SOCKEYE}{control}"))? / linux)
    }
}

fn groups(records: &[Record], set: Set) -> Vec<Group<'_>> {
    let set = set.to_string();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for record in records.iter().filter(|record| record.set == set) {
        match groups.iter_mut().find(|group| group.cell == record.cell) {
            Some(group) => group.records.push(record),
            None => groups.push(Group { cell: &record.cell, records: vec![record] }),
        }
    }
    groups
}

/// Puts the results into the page `grid.md` of a folder, and the plots beside it.
///
/// # Errors
/// Of reading and writing; and where the page has no place for the results.
pub(crate) fn write(folder: &Path, records: &[Record]) -> io::Result<()> {
    let path = folder.join("grid.md");
    let page = fs::read_to_string(&path)?;
    let (before, rest) =
        page.split_once(BEGIN).ok_or_else(|| io::Error::other("no place for the results"))?;
    let (_, after) =
        rest.split_once(END).ok_or_else(|| io::Error::other("the place for the results has no end"))?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut text = format!("\nMeasured beside Linux {} on {cores} cores.\n", kernel.trim());
    let put = |name: &str, plot: &DotPlot| fs::write(folder.join(name), plot.svg());
    let alone = groups(records, Set::Alone);
    for control in ["cubic", "bbr"] {
        if alone.iter().any(|group| group.ratio(control).is_some()) {
            text.push_str(&summary(&alone, control));
            text.push_str(&goodputs(&alone, control));
            text.push_str(&times(&alone, control));
            put(&format!("grid-{control}.svg"), &ratios(&alone, control))?;
        }
    }
    let shared = groups(records, Set::Shared);
    if !shared.is_empty() {
        text.push_str("\n### Fairness\n\n![Jain's index and Sockeye's part](grid-fairness.svg)\n");
        text.push_str(&sharing(&shared));
        put("grid-fairness.svg", &fairness(&shared))?;
    }
    let peers = groups(records, Set::Peers);
    if !peers.is_empty() {
        text.push_str("\n### Other stacks\n\n![goodput of each stack, cell by cell](grid-peers.svg)\n");
        text.push_str(&others(&peers));
        put("grid-peers.svg", &stacks(&peers))?;
    }
    text.push_str(&noise(records));
    fs::write(&path, format!("{before}{BEGIN}\n{text}\n{END}{after}"))
}

/// What the measurement itself may have done to the numbers.
fn noise(records: &[Record]) -> String {
    let late = median(records.iter().map(|record| record.late_us));
    let worst = records.iter().map(|record| record.late_us).max_by(f64::total_cmp);
    let refused: u64 = records.iter().map(|record| record.refused).sum();
    format!(
        "\n### The measurement\n\n{} plays. The cable was {} µs late on average in the median play, {} µs in the worst; \
         {refused} frames were lost elsewhere than on it.\n",
        records.len(),
        told(late, 0),
        told(worst, 0),
    )
}

fn summary(groups: &[Group<'_>], control: &str) -> String {
    let mut ratios: Vec<(f64, &str)> =
        groups.iter().filter_map(|group| Some((group.ratio(control)?, group.cell))).collect();
    ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
    let middle = median(ratios.iter().map(|(ratio, _)| *ratio)).unwrap_or(f64::NAN);
    let below = ratios.iter().filter(|(ratio, _)| *ratio < 0.9).count();
    let (least, worst) = ratios.first().copied().unwrap_or((f64::NAN, "none"));
    let spurious = |pair: &str| -> f64 {
        let pair = format!("{pair}{control}");
        groups.iter().filter_map(|group| group.median(&pair, |record| Some(record.spurious as f64))).sum()
    };
    format!(
        "\n### {}\n\n{} cells. Sockeye's goodput as a share of Linux's: median {middle:.2}, least {least:.2} ({worst}); \
         {below} below 0.9. Segments sent again for nothing, medians summed up over the cells: Linux {:.0}, Sockeye {:.0}.\n\n\
         ![goodput as a share of Linux's, cell by cell](grid-{control}.svg)\n",
        control.to_uppercase(),
        ratios.len(),
        spurious(LINUX),
        spurious(SOCKEYE),
    )
}

fn goodputs(groups: &[Group<'_>], control: &str) -> String {
    let all = ["linux>linux", "sockeye>sockeye", "sockeye>linux", "linux>sockeye"]
        .map(|pair| format!("{pair}:{control}"));
    let [linux, sockeye, mixed @ ..] = &all;
    // Both ways between the two, where that was played.
    let mixed: Vec<&String> =
        mixed.iter().filter(|pair| groups.iter().any(|group| group.goodput(pair).is_some())).collect();
    let mut table = "\n| goodput, Mbit/s | L→L | S→S | S/L |".to_owned();
    for pair in &mixed {
        table.push_str(if pair.starts_with("sockeye") { " S→L |" } else { " L→S |" });
    }
    table.push_str(" again L | again S | for nothing L | for nothing S | RTO L | RTO S |\n|---|");
    table.push_str(&"--:|".repeat(9 + mixed.len()));
    table.push('\n');
    for group in groups.iter().filter(|group| group.ratio(control).is_some()) {
        let mut numbers: Vec<String> = [linux, sockeye].map(|pair| told(group.goodput(pair), 2)).to_vec();
        numbers.push(told(group.ratio(control), 2));
        numbers.extend(mixed.iter().map(|pair| told(group.goodput(pair), 2)));
        let counts: [&dyn Fn(&Record) -> u64; 3] =
            [&|record| record.needed + record.spurious, &|record| record.spurious, &|record| record.timeouts];
        for count in counts {
            let of = |pair: &String| told(group.median(pair, |record| Some(count(record) as f64)), 0);
            numbers.extend([linux, sockeye].map(of));
        }
        writeln!(table, "| {} | {} |", group.cell, numbers.join(" | ")).ok();
    }
    table
}

fn times(groups: &[Group<'_>], control: &str) -> String {
    let pairs = [LINUX, SOCKEYE].map(|pair| format!("{pair}{control}"));
    let mut table =
        "\n| times, ms | p99 L | p99 S | 10 KB L | 10 KB S | 100 KB L | 100 KB S | 10 MB L | 10 MB S |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
            .to_owned();
    for group in groups.iter().filter(|group| group.ratio(control).is_some()) {
        let both = |number: &dyn Fn(&Record) -> Option<f64>| {
            pairs.each_ref().map(|pair| told(group.median(pair, number), 0)).join(" | ")
        };
        writeln!(
            table,
            "| {} | {} | {} | {} | {} |",
            group.cell,
            both(&|record| record.delay_p99_ms),
            both(&|record| record.completion_10kb_ms),
            both(&|record| record.completion_100kb_ms),
            both(&|record| record.completion_10mb_ms),
        )
        .ok();
    }
    table
}

/// Who sends where a path is shared, and how the report says so.
const SHARERS: [(&str, &str); 3] = [
    ("Linux alone", "linux>linux"),
    ("Sockeye alone", "sockeye>sockeye"),
    ("half the flows each", "both>linux"),
];
const CONTROLS: [&str; 2] = ["cubic", "bbr"];

/// The number of flows in a cell.
fn flows(cell: &str) -> usize {
    cell.parse::<Cell>().map_or(0, |cell| cell.flows)
}

/// Paths that several flows share.
fn sharing(groups: &[Group<'_>]) -> String {
    let mut table = "\n| cell | senders | Mbit/s | Jain | least flow | Sockeye's part | again | p99, ms |\n\
                     |---|---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for control in CONTROLS {
        for group in groups {
            for (name, ends) in SHARERS {
                let pair = format!("{ends}:{control}");
                let Some(goodput) = group.goodput(&pair) else { continue };
                writeln!(
                    table,
                    "| {} | {name}, {control} | {goodput:.2} | {} | {} | {} | {} | {} |",
                    group.cell,
                    told(group.median(&pair, |record| Some(record.jain)), 3),
                    told(group.median(&pair, |record| Some(record.least_share)), 2),
                    told(group.median(&pair, |record| record.our_share), 2),
                    told(group.median(&pair, |record| Some((record.needed + record.spurious) as f64)), 0),
                    told(group.median(&pair, |record| record.delay_p99_ms), 0),
                )
                .ok();
            }
        }
    }
    table
}

fn fairness(groups: &[Group<'_>]) -> DotPlot {
    let mut rows = Vec::new();
    for control in CONTROLS {
        for group in groups {
            let jain = |(_, ends): (&str, &str)| {
                group.median(&format!("{ends}:{control}"), |record| Some(record.jain))
            };
            let mut values = SHARERS.map(jain).to_vec();
            values.push(group.median(&format!("both>linux:{control}"), |record| record.our_share));
            if values.iter().any(Option::is_some) {
                rows.push(Row { name: format!("{} flows, {control}", flows(group.cell)), values });
            }
        }
    }
    let mut series = SHARERS.map(|(name, _)| format!("Jain, {name}")).to_vec();
    series.push("Sockeye's part, half the flows each".to_owned());
    DotPlot {
        title: "Flows in one queue".to_owned(),
        scale: "Jain's index: 1 is fair; Sockeye's part of the bytes: 0.5 is fair".to_owned(),
        spacing: Spacing::Linear,
        range: (0.0, 1.0),
        ticks: vec![0.0, 0.25, 0.5, 0.75, 0.95, 1.0],
        strong: 0.95,
        series,
        rows,
    }
}

/// Stacks that send to a receiver of the kernel.
const OTHERS: [(&str, &str); 6] = [
    ("Linux", "linux>linux:cubic"),
    ("Sockeye", "sockeye>linux:cubic"),
    ("smoltcp", "smoltcp>linux:own"),
    ("smoltcp with CUBIC", "smoltcp>linux:cubic"),
    ("lwIP", "lwip>linux:own"),
    ("ipstack", "ipstack>linux:own"),
];

fn others(groups: &[Group<'_>]) -> String {
    type Number = fn(&Record) -> Option<f64>;
    let numbers: [(&str, usize, Number); 3] = [
        ("goodput, Mbit/s", 2, |record| Some(record.goodput_mbit)),
        ("segments sent again, for nothing", 0, |record| Some(record.spurious as f64)),
        ("p99, ms", 0, |record| record.delay_p99_ms),
    ];
    let mut text = String::new();
    for (what, decimals, number) in numbers {
        let names = OTHERS.map(|(name, _)| name).join(" | ");
        write!(text, "\n| {what} | {names} |\n|---|{}\n", "--:|".repeat(OTHERS.len())).ok();
        for group in groups {
            let row = OTHERS.map(|(_, pair)| told(group.median(pair, number), decimals)).join(" | ");
            writeln!(text, "| {} | {row} |", group.cell).ok();
        }
    }
    text
}

fn ratios(groups: &[Group<'_>], control: &str) -> DotPlot {
    let rows = groups.iter().filter_map(|group| {
        Some(Row { name: group.cell.to_owned(), values: vec![Some(group.ratio(control)?)] })
    });
    DotPlot {
        title: format!("Sockeye's goodput as a share of Linux's, {control}"),
        scale: "share of Linux's goodput, medians".to_owned(),
        spacing: Spacing::Logarithmic,
        range: (0.25, 4.0),
        ticks: vec![0.25, 0.5, 0.9, 1.0, 2.0, 4.0],
        strong: 1.0,
        series: vec![format!("Sockeye / Linux, both {control}")],
        rows: rows.collect(),
    }
}

fn stacks(groups: &[Group<'_>]) -> DotPlot {
    let row = |group: &Group<'_>| {
        let rate = group.cell.parse::<Cell>().ok()?.rate.bits_per_second() as f64 / 1e6;
        let values = OTHERS.map(|(_, pair)| group.goodput(pair).map(|goodput| goodput / rate));
        Some(Row { name: group.cell.to_owned(), values: values.to_vec() })
    };
    DotPlot {
        title: "Goodput of each stack, to a receiver of Linux".to_owned(),
        scale: "share of the path's rate".to_owned(),
        spacing: Spacing::Logarithmic,
        range: (0.001, 1.0),
        ticks: vec![0.001, 0.01, 0.1, 0.5, 1.0],
        strong: 1.0,
        series: OTHERS.map(|(name, _)| name.to_owned()).to_vec(),
        rows: groups.iter().filter_map(row).collect(),
    }
}

/// A number, or a dash where there is none.
fn told(number: Option<f64>, decimals: usize) -> String {
    number.map_or_else(|| "–".to_owned(), |number| format!("{number:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pair: &str, goodput_mbit: f64) -> Record {
        Record {
            set: "alone".to_owned(),
            cell: "loss=1% rtt=50ms rate=10mbit queue=1".to_owned(),
            pair: pair.to_owned(),
            seed: 1,
            goodput_mbit,
            segments: 1000,
            needed: 10,
            spurious: 2,
            timeouts: 0,
            timeouts_spurious: 0,
            delay_p99_ms: Some(80.0),
            completion_10kb_ms: None,
            completion_100kb_ms: None,
            completion_10mb_ms: None,
            jain: 1.0,
            least_share: 1.0,
            our_share: None,
            late_us: 90.0,
            late_worst_us: 900.0,
            refused: 0,
        }
    }

    #[test]
    fn medians_are_compared_and_what_is_below_is_counted() {
        let records = [
            record("linux>linux:cubic", 4.0),
            record("sockeye>sockeye:cubic", 1.0),
            record("sockeye>sockeye:cubic", 3.0),
            record("sockeye>sockeye:cubic", 9.0),
        ];
        let groups = groups(&records, Set::Alone);
        assert_eq!(groups.len(), 1);
        let text = summary(&groups, "cubic");
        assert!(text.contains("median 0.75, least 0.75 (loss=1%"), "{text}");
        assert!(text.contains("1 below 0.9") && text.contains("Linux 2, Sockeye 2"), "{text}");
        let table = goodputs(&groups, "cubic");
        assert!(table.contains("| 4.00 | 3.00 | 0.75 | 12 | 12 | 2 | 2 | 0 | 0 |"), "{table}");
        assert!(times(&groups, "cubic").contains("| 80 | 80 | – | – |"));
    }
}
