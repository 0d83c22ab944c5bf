//! Rows drawn for people: two ends, an arrow between them, the states beside it.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Side;
use super::row::{ConnectionRow, Ends, FrameRow, RecoveryRow, Row, StateRow};

/// The signs that arrows and marks are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyphs {
    /// Where the locale is UTF-8.
    Unicode,
    /// Everywhere else.
    Ascii,
}

impl Glyphs {
    /// What the locale of the environment can show; `variable` reads the environment.
    pub(crate) fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name).filter(|v| !v.is_empty()));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Glyphs::Unicode } else { Glyphs::Ascii }
    }

    fn line(self) -> &'static str {
        match self {
            Glyphs::Unicode => "─",
            Glyphs::Ascii => "-",
        }
    }

    fn head(self, to: Side) -> &'static str {
        match (self, to) {
            (Glyphs::Unicode, Side::Right) => "▶",
            (Glyphs::Unicode, Side::Left) => "◀",
            (Glyphs::Ascii, Side::Right) => ">",
            (Glyphs::Ascii, Side::Left) => "<",
        }
    }

    fn cross(self) -> &'static str {
        match self {
            Glyphs::Unicode => "✗",
            Glyphs::Ascii => "X",
        }
    }

    fn again(self) -> &'static str {
        match self {
            Glyphs::Unicode => "↻ again",
            Glyphs::Ascii => "again",
        }
    }
}

/// Columns for a state: the longest name is ESTABLISHED, and one with a blank is SYN-RECEIVED.
const STATE: usize = 12;
/// What stands left of the arrow: time, connection, state, and the blanks between.
const BEFORE: usize = 10 + 1 + 4 + 1 + STATE + 1;
/// A payload that does not fit beside the words takes so many lines at most.
const PAYLOAD_LINES: usize = 4;

/// Draws rows.
pub(crate) struct Drawing {
    glyphs: Glyphs,
    /// Columns between the two ends.
    width: usize,
}

/// Something that stands in an arrow, or under it.
struct Piece {
    text: String,
    style: Style,
}

impl Drawing {
    /// A drawing on a terminal with so many columns.
    pub(crate) fn new(glyphs: Glyphs, columns: usize) -> Self {
        Drawing { glyphs, width: columns.saturating_sub(BEFORE + 1 + STATE).clamp(44, 96) }
    }

    /// The line that names the two ends, above everything.
    fn head(&self, Ends { left, right }: &Ends) -> String {
        let gap = self.width + 2 + STATE - left.width().min(self.width);
        let column = BEFORE - STATE - 1;
        format!("{:>10}{:column$}{left}{:gap$}{right}", "time", "", "", column = column - 10)
    }

    /// A row, in one or more lines.
    pub(crate) fn draw(&self, row: &Row) -> String {
        match row {
            Row::Start(ends) => self.head(ends),
            Row::Connection(row) => self.connection(row),
            Row::Frame(row) => self.frame(row),
            Row::State(row) => self.state(row),
            Row::Recovery(row) => self.recovery(row),
            Row::Missing { count } => {
                let style = AnsiColor::Red.on_default();
                format!(
                    "{style}{:>10} {count} events are missing here: there were too many to show{style:#}",
                    ""
                )
            }
        }
    }

    fn connection(&self, row: &ConnectionRow) -> String {
        let between = match self.glyphs {
            Glyphs::Unicode => "⇄",
            Glyphs::Ascii => "<->",
        };
        let style = Style::new().bold();
        let number = format!("#{}", row.connection);
        format!("{:>10.6} {number:<4} {style}{} {between} {}{style:#}", row.time, row.left, row.right)
    }

    fn state(&self, row: &StateRow) -> String {
        let number = format!("#{}", row.connection);
        let dim = Style::new().dimmed();
        let told = format!("({})", row.cause);
        match row.side {
            Side::Left => {
                format!("{:>10.6} {number:<4} {:<STATE$} {dim}{told}{dim:#}", row.time, row.state)
            }
            Side::Right => {
                let width = BEFORE - 16 + self.width;
                format!("{:>10.6} {number:<4} {dim}{told:>width$}{dim:#} {}", row.time, row.state)
            }
        }
    }

    /// What a sender does about losses stands at its side: the state is not changed by it.
    fn recovery(&self, row: &RecoveryRow) -> String {
        let number = format!("#{}", row.connection);
        let style = AnsiColor::Yellow.on_default();
        let arrow = match self.glyphs {
            Glyphs::Unicode => "→",
            Glyphs::Ascii => "->",
        };
        let mut told = format!("cwnd {}", row.cwnd);
        if let Some(ssthresh) = row.ssthresh {
            told.push_str(&format!(", ssthresh {ssthresh}"));
        }
        told.push_str(&format!(" ({})", row.reason));
        if row.before != row.recovery {
            told = format!("{} {arrow} {}: {told}", row.before, row.recovery);
        }
        if row.undone {
            told.push_str(", undone: nothing was lost");
        }
        let width = match row.side {
            Side::Left => 0,
            Side::Right => BEFORE - 16 + self.width,
        };
        format!("{:>10.6} {number:<4} {style}{told:>width$}{style:#}", row.time)
    }

    fn frame(&self, row: &FrameRow) -> String {
        let mut pieces = self.pieces(row).into_iter();
        // The line itself takes two signs before the words, at least two behind them, and its end.
        let (end, end_style) = match &row.fate.lost {
            Some(why) => (format!("{} {why}", self.glyphs.cross()), AnsiColor::Red.on_default()),
            None => (self.glyphs.head(row.from.other()).to_owned(), Style::new()),
        };
        let room = self.width.saturating_sub(6 + end.width());
        let mut inside: Vec<Piece> = Vec::new();
        let mut used = 0;
        let mut below: Vec<Piece> = Vec::new();
        for piece in pieces.by_ref() {
            let width = piece.text.width() + if inside.is_empty() { 0 } else { 2 };
            if below.is_empty() && used + width <= room {
                used += width;
                inside.push(piece);
            } else {
                below.push(piece);
            }
        }
        let line = self.glyphs.line();
        let arrow = match row.from {
            Side::Left => AnsiColor::Cyan.on_default(),
            Side::Right => AnsiColor::Green.on_default(),
        };
        let words = inside
            .iter()
            .map(|Piece { text, style }| format!("{style}{text}{style:#}"))
            .collect::<Vec<_>>()
            .join("  ");
        let rest = line.repeat(self.width.saturating_sub(used + 4 + end.width()));
        let (start, words) = if inside.is_empty() {
            (line.repeat(4), String::new())
        } else {
            (line.repeat(2), format!(" {words} "))
        };
        let drawn = match row.from {
            Side::Left => {
                format!("{arrow}{start}{arrow:#}{words}{arrow}{rest}{arrow:#}{end_style}{end}{end_style:#}")
            }
            Side::Right if row.fate.lost.is_some() => {
                let cross = self.glyphs.cross();
                let why = row.fate.lost.as_deref().unwrap_or_default();
                format!(
                    "{end_style}{why} {cross}{end_style:#}{arrow}{rest}{arrow:#}{words}{arrow}{start}{arrow:#}"
                )
            }
            Side::Right => format!("{arrow}{end}{rest}{arrow:#}{words}{arrow}{start}{arrow:#}"),
        };
        let number = row.connection.map(|number| format!("#{number}")).unwrap_or_default();
        let [left, right] =
            [&row.left_state, &row.right_state].map(|state| state.as_deref().unwrap_or_default());
        let mut text = format!("{:>10.6} {number:<4} {left:<STATE$} {drawn} {right}", row.time);
        text.truncate(text.trim_end().len());
        for Piece { text: below, style } in below {
            for part in wrapped(&below, self.width.saturating_sub(3), PAYLOAD_LINES) {
                text.push_str(&format!("\n{:BEFORE$}   {style}{part}{style:#}", ""));
            }
        }
        text
    }

    /// Everything to be said about a frame, the words first.
    fn pieces(&self, row: &FrameRow) -> Vec<Piece> {
        let mut pieces = vec![Piece { text: row.words.clone(), style: Style::new() }];
        if let Some(first) = row.first_sent {
            let why = row.again.map(|cause| format!(" ({cause})")).unwrap_or_default();
            let text = format!("{}{why}, first sent at {first:.6}", self.glyphs.again());
            pieces.push(Piece { text, style: AnsiColor::Yellow.on_default() });
        }
        if let Some(payload) = &row.payload {
            let text = match self.glyphs {
                Glyphs::Unicode => payload.clone(),
                Glyphs::Ascii => in_ascii(payload),
            };
            pieces.push(Piece { text, style: Style::new().bold() });
        }
        let marks = [
            (row.fate.corrupted, "one bit flipped"),
            (row.fate.duplicated, "arrives twice"),
            (row.fate.held_back, "held back"),
        ];
        for (_, mark) in marks.into_iter().filter(|(applies, _)| *applies) {
            pieces.push(Piece { text: mark.to_owned(), style: AnsiColor::Magenta.on_default() });
        }
        pieces
    }
}

/// What is not ASCII, by its numbers.
fn in_ascii(text: &str) -> String {
    text.chars()
        .flat_map(|letter| if letter.is_ascii() { vec![letter] } else { letter.escape_unicode().collect() })
        .collect()
}

/// Text in lines of so many columns, at most `lines` of them.
fn wrapped(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let mut wrapped = vec![String::new()];
    let mut used = 0;
    for letter in text.chars() {
        let width = letter.width().unwrap_or(0);
        if used + width > columns {
            if wrapped.len() == lines {
                if let Some(last) = wrapped.last_mut() {
                    last.push_str("...");
                }
                break;
            }
            wrapped.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(last) = wrapped.last_mut() {
            last.push(letter);
        }
    }
    wrapped
}
