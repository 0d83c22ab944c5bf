//! The results as a page: tables and plots, in `docs/`.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use sockeye_core::sim::grid::Cell;

use crate::plot::{DotPlot, Row};
use crate::record::{Record, median};

/// The lines of the page between which the results stand.
const BEGIN: &str = "<!-- results begin -->";
const END: &str = "<!-- results end -->";
const LINUX: &str = "linux>linux:";
const SOCKEYE: &str = "sockeye>sockeye:";

/// All that was played of one cell.
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

fn groups(records: &[Record]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for record in records {
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
    let groups = groups(records);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut text = format!("\nMeasured beside Linux {} on {cores} cores.\n", kernel.trim());
    for control in ["cubic", "bbr"] {
        if groups.iter().any(|group| group.ratio(control).is_some()) {
            text.push_str(&summary(&groups, control));
            text.push_str(&goodputs(&groups, control));
            text.push_str(&times(&groups, control));
            let plot = ratios(&groups, control);
            fs::write(folder.join(format!("grid-{control}.svg")), plot.svg())?;
        }
    }
    text.push_str(&shared(&groups));
    if let Some(plot) = stacks(&groups) {
        text.push_str("\n### Other stacks\n\n![goodput of each stack, cell by cell](grid-stacks.svg)\n");
        text.push_str(&others(&groups));
        fs::write(folder.join("grid-stacks.svg"), plot.svg())?;
    }
    fs::write(&path, format!("{before}{BEGIN}\n{text}\n{END}{after}"))
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
    let pairs = ["linux>linux", "sockeye>sockeye", "sockeye>linux", "linux>sockeye"]
        .map(|pair| format!("{pair}:{control}"));
    let [linux, sockeye, ..] = &pairs;
    let mut table = "\n| goodput, Mbit/s | L→L | S→S | S/L | S→L | L→S | again L | again S | for nothing L | for nothing S | RTO L | RTO S |\n\
                     |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for group in groups.iter().filter(|group| group.ratio(control).is_some()) {
        let [ll, ss, sl, ls] = pairs.each_ref().map(|pair| told(group.goodput(pair), 2));
        let both = |number: &dyn Fn(&Record) -> u64| {
            [linux, sockeye]
                .map(|pair| told(group.median(pair, |record| Some(number(record) as f64)), 0))
                .join(" | ")
        };
        writeln!(
            table,
            "| {} | {ll} | {ss} | {} | {sl} | {ls} | {} | {} | {} |",
            group.cell,
            told(group.ratio(control), 2),
            both(&|record| record.needed + record.spurious),
            both(&|record| record.spurious),
            both(&|record| record.timeouts),
        )
        .ok();
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

/// Paths that several flows share.
fn shared(groups: &[Group<'_>]) -> String {
    let mut table = "\n### Shared paths\n\n| cell | pair | Mbit/s | Jain | least flow | ours of all |\n\
                     |---|---|--:|--:|--:|--:|\n"
        .to_owned();
    for group in groups.iter().filter(|group| group.cell.contains("flows=")) {
        let mut pairs: Vec<&str> = group.records.iter().map(|record| record.pair.as_str()).collect();
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs {
            writeln!(
                table,
                "| {} | {} | {} | {} | {} | {} |",
                group.cell,
                pair.replace('>', "→"),
                told(group.goodput(pair), 2),
                told(group.median(pair, |record| Some(record.jain)), 3),
                told(group.median(pair, |record| Some(record.least_share)), 2),
                told(group.median(pair, |record| record.our_share), 2),
            )
            .ok();
        }
    }
    table
}

/// The pairs with other stacks, those with a kernel behind them.
const OTHERS: [(&str, &str); 5] = [
    ("Linux", "linux>linux:cubic"),
    ("Sockeye", "sockeye>sockeye:cubic"),
    ("smoltcp", "smoltcp>linux:own"),
    ("lwIP", "lwip>linux:own"),
    ("ipstack", "ipstack>linux:own"),
];

fn has_others(group: &Group<'_>) -> bool {
    OTHERS.iter().skip(2).any(|(_, pair)| group.goodput(pair).is_some())
}

fn others(groups: &[Group<'_>]) -> String {
    let mut table =
        "\n| goodput, Mbit/s | Linux | Sockeye | smoltcp | lwIP | ipstack |\n|---|--:|--:|--:|--:|--:|\n"
            .to_owned();
    for group in groups.iter().filter(|group| has_others(group)) {
        let row = OTHERS.map(|(_, pair)| told(group.goodput(pair), 2)).join(" | ");
        writeln!(table, "| {} | {row} |", group.cell).ok();
    }
    table
}

fn ratios(groups: &[Group<'_>], control: &str) -> DotPlot {
    let rows = groups.iter().filter_map(|group| {
        Some(Row { name: group.cell.to_owned(), values: vec![Some(group.ratio(control)?)] })
    });
    DotPlot {
        title: format!("Sockeye's goodput as a share of Linux's, {control}"),
        scale: "share of Linux's goodput, medians".to_owned(),
        range: (0.25, 4.0),
        ticks: vec![0.25, 0.5, 0.9, 1.0, 2.0, 4.0],
        strong: 1.0,
        series: vec![format!("Sockeye / Linux, both {control}")],
        rows: rows.collect(),
    }
}

fn stacks(groups: &[Group<'_>]) -> Option<DotPlot> {
    let row = |group: &Group<'_>| {
        let rate = group.cell.parse::<Cell>().ok()?.rate.bits_per_second() as f64 / 1e6;
        let values = OTHERS.map(|(_, pair)| group.goodput(pair).map(|goodput| goodput / rate));
        Some(Row { name: group.cell.to_owned(), values: values.to_vec() })
    };
    let rows: Vec<Row> = groups.iter().filter(|group| has_others(group)).filter_map(row).collect();
    (!rows.is_empty()).then(|| DotPlot {
        title: "Goodput of each stack to a Linux receiver (Sockeye's to Sockeye)".to_owned(),
        scale: "share of the path's rate".to_owned(),
        range: (0.001, 1.0),
        ticks: vec![0.001, 0.01, 0.1, 1.0],
        strong: 1.0,
        series: OTHERS.map(|(name, _)| name.to_owned()).to_vec(),
        rows,
    })
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
        let groups = groups(&records);
        assert_eq!(groups.len(), 1);
        let text = summary(&groups, "cubic");
        assert!(text.contains("median 0.75, least 0.75 (loss=1%"), "{text}");
        assert!(text.contains("1 below 0.9") && text.contains("Linux 2, Sockeye 2"), "{text}");
        let table = goodputs(&groups, "cubic");
        assert!(table.contains("| 4.00 | 3.00 | 0.75 | – | – | 12 | 12 | 2 | 2 | 0 | 0 |"), "{table}");
        assert!(times(&groups, "cubic").contains("| 80 | 80 | – | – |"));
    }
}
