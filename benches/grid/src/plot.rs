//! Dot plots as SVG: a row for each cell, and a mark for each stack.

use std::fmt::Write;

/// One plot.
pub(crate) struct DotPlot {
    pub(crate) title: String,
    /// What the scale is of.
    pub(crate) scale: String,
    pub(crate) spacing: Spacing,
    /// The ends of the scale; what lies beyond is drawn at the end.
    pub(crate) range: (f64, f64),
    /// Places on the scale that get a line and a number.
    pub(crate) ticks: Vec<f64>,
    /// The tick that is drawn strongly.
    pub(crate) strong: f64,
    pub(crate) series: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// What is the same distance on a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// The same difference.
    Linear,
    /// The same ratio.
    Logarithmic,
}

/// One row: its name, and a value for each series that has one.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) values: Vec<Option<f64>>,
}

/// Colours that people tell apart who see few (Okabe and Ito's), on light ground and on dark; shapes tell the rest.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// The reader's own choice of light or dark.
const STYLE: &str = "<style>\
    .ground{fill:#fff}.text{fill:#222}.faint{fill:#555}.row{stroke:#f0f0f0}.tick{stroke:#d8d8d8}.strong{stroke:#666}\
    @media(prefers-color-scheme:dark){.ground{fill:#16191d}.text{fill:#e4e4e4}.faint{fill:#a8a8a8}\
    .row{stroke:#24282d}.tick{stroke:#3a3f45}.strong{stroke:#b0b0b0}}</style>\n";
const NAMES: f64 = 395.0;
const SCALE: f64 = 460.0;
const ROW: f64 = 15.0;
const TOP: f64 = 62.0;
const WIDTH: f64 = NAMES + SCALE + 40.0;

impl DotPlot {
    /// The drawing.
    pub(crate) fn svg(&self) -> String {
        let height = TOP + self.rows.len() as f64 * ROW + 40.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\" role=\"img\">\n\
             {STYLE}<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n"
        );
        text(
            &mut svg,
            (12.0, 20.0),
            "start",
            "class=\"text\" font-size=\"14\" font-weight=\"bold\"",
            &self.title,
        );
        let mut x = 12.0;
        for (number, series) in self.series.iter().enumerate() {
            mark(&mut svg, (x + 4.0, 38.0), number);
            text(&mut svg, (x + 13.0, 42.0), "start", "class=\"text\"", series);
            x += 32.0 + 6.2 * series.chars().count() as f64;
        }
        let bottom = TOP + self.rows.len() as f64 * ROW;
        for (number, row) in self.rows.iter().enumerate() {
            let y = TOP + (number as f64 + 0.5) * ROW;
            text(&mut svg, (NAMES - 10.0, y + 4.0), "end", "class=\"text\"", &row.name);
            line(&mut svg, (NAMES, y), (NAMES + SCALE, y), "row");
        }
        for tick in &self.ticks {
            let x = self.x(*tick);
            line(&mut svg, (x, TOP - 6.0), (x, bottom), if *tick == self.strong { "strong" } else { "tick" });
            text(&mut svg, (x, bottom + 14.0), "middle", "class=\"faint\"", &tick.to_string());
        }
        text(&mut svg, (NAMES + SCALE / 2.0, bottom + 31.0), "middle", "class=\"faint\"", &self.scale);
        for (number, row) in self.rows.iter().enumerate() {
            let y = TOP + (number as f64 + 0.5) * ROW;
            for (series, value) in row.values.iter().enumerate() {
                if let Some(value) = value {
                    mark(&mut svg, (self.x(*value), y), series);
                }
            }
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn x(&self, value: f64) -> f64 {
        let (least, most) = self.range;
        let value = value.clamp(least, most);
        let share = match self.spacing {
            Spacing::Linear => (value - least) / (most - least),
            Spacing::Logarithmic => (value / least).ln() / (most / least).ln(),
        };
        NAMES + SCALE * share
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, style: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // Writing into a string does not fail.
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{words}</text>").ok();
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
    writeln!(svg, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>")
        .ok();
}

/// The mark of a series, by its number.
fn mark(svg: &mut String, (x, y): (f64, f64), series: usize) {
    let colour = COLOURS.get(series % COLOURS.len()).unwrap_or(&"gray");
    let corners: &[(f64, f64)] = match series % 4 {
        0 => &[],
        1 => &[(-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)],
        2 => &[(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)],
        _ => &[(0.0, -4.8), (4.8, 3.6), (-4.8, 3.6)],
    };
    let shape = match corners {
        [] => format!("circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\""),
        corners => {
            let place = |(dx, dy): &(f64, f64)| format!("{:.1},{:.1}", x + dx, y + dy);
            format!("polygon points=\"{}\"", corners.iter().map(place).collect::<Vec<_>>().join(" "))
        }
    };
    writeln!(svg, "<{shape} fill=\"{colour}\" fill-opacity=\"0.85\"/>").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_where_their_values_are() {
        let plot = DotPlot {
            title: "a < b".to_owned(),
            scale: "share".to_owned(),
            spacing: Spacing::Logarithmic,
            range: (0.25, 4.0),
            ticks: vec![0.25, 1.0, 4.0],
            strong: 1.0,
            series: vec!["one".to_owned(), "other".to_owned()],
            rows: vec![Row { name: "cell".to_owned(), values: vec![Some(1.0), None] }],
        };
        let middle = format!("cx=\"{:.1}\"", NAMES + SCALE / 2.0);
        let svg = plot.svg();
        assert!(svg.contains(&middle) && svg.contains("a &lt; b"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2, "one in the legend and one in the row");
        assert_eq!(svg.matches("<polygon").count(), 1, "the other's is in the legend only");
        assert_eq!((plot.x(0.01), plot.x(99.0)), (NAMES, NAMES + SCALE));
        let linear = DotPlot { spacing: Spacing::Linear, range: (0.0, 2.0), ..plot };
        assert_eq!(linear.x(0.5), NAMES + SCALE / 4.0);
    }
}
