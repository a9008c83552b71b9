//! Text in columns, as kubectl's tables have it; on a terminal that is too narrow for it, the last column is broken between words.

use super::output;

/// What stands between columns.
const GAP: &str = "   ";

/// How narrow the last column becomes before its text stands below the line instead.
const LEAST: usize = 30;

/// How far in is what stands below a line.
const INDENT: usize = 4;

/// Columns that further lines may follow in, as wide as they have been so far.
pub(super) struct Columns {
    widths: Vec<usize>,
    paint: fn(&str) -> Option<&'static str>,
    /// How many characters a line may have.
    room: Option<usize>,
}

impl Columns {
    /// Columns, whose cells have the colours of a terminal that `paint` gives them.
    pub(super) fn new(paint: fn(&str) -> Option<&'static str>) -> Self {
        Self { widths: Vec::new(), paint, room: None }
    }

    /// The same as wide as standard output, if that is a terminal.
    pub(super) fn on_terminal(self) -> Self {
        Self { room: output::width(), ..self }
    }

    /// Whether the last column of these lines would have some width beside the others.
    pub(super) fn has_room_for(&self, rows: &[Vec<String>]) -> bool {
        self.room.is_none_or(|room| before_last(&widths(&[], rows)) + LEAST <= room)
    }

    /// The next lines.
    pub(super) fn lines(&mut self, rows: &[Vec<String>]) -> String {
        self.widths = widths(&self.widths, rows);
        rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &[String]) -> String {
        let start = before_last(&self.widths);
        let (last, first) = match row.split_last() {
            Some((last, first)) if row.len() == self.widths.len() => (last.as_str(), first),
            _ => ("", row),
        };
        let cells: Vec<String> = first.iter().zip(&self.widths).map(|(cell, width)| self.cell(cell, *width)).collect();
        let cells = cells.join(GAP);
        let fits = self.room.is_none_or(|room| start + last.chars().count() <= room);
        let (beside, below, indent) = match self.room.filter(|_| !fits) {
            None => (self.cell(last, 0), Vec::new(), 0),
            Some(room) if start + LEAST <= room => {
                let mut pieces = broken(last, room - start).into_iter();
                (pieces.next().unwrap_or_default(), pieces.collect(), start)
            }
            Some(room) => (String::new(), broken(last, room.saturating_sub(INDENT)), INDENT),
        };
        let line = if first.is_empty() { beside } else { format!("{cells}{GAP}{beside}") };
        let branches = branches(row.first().map_or("", String::as_str));
        let below = below.iter().map(|piece| format!("{branches:indent$}{piece}"));
        let lines: Vec<String> = std::iter::once(line.trim_end().to_owned()).chain(below).collect();
        lines.join("\n") + "\n"
    }

    fn cell(&self, cell: &str, width: usize) -> String {
        match (self.paint)(cell) {
            None => format!("{cell:width$}"),
            Some(code) => format!("\u{1b}[{code}m{cell}\u{1b}[0m{:1$}", "", width.saturating_sub(cell.chars().count())),
        }
    }
}

/// The widths of all columns, which were at least so wide before.
fn widths(before: &[usize], rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = before.to_vec();
    widths.resize(rows.iter().map(Vec::len).max().unwrap_or(0).max(before.len()), 0);
    for row in rows {
        row.iter().zip(&mut widths).for_each(|(cell, width)| *width = cell.chars().count().max(*width));
    }
    widths
}

/// Where the last column begins.
fn before_last(widths: &[usize]) -> usize {
    widths.split_last().map_or(0, |(_, first)| first.iter().sum::<usize>() + first.len() * GAP.len())
}

/// The branches of a tree that go on below a line which begins so.
fn branches(line: &str) -> String {
    let drawn = line.chars().take_while(|letter| matches!(letter, '│' | '├' | '└' | '─' | ' '));
    drawn.map(|letter| if matches!(letter, '│' | '├') { '│' } else { ' ' }).collect()
}

/// A text in lines of so many characters, broken between words. A word that is longer stays whole.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= width) {
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_on_terminals() {
        let rows = |texts: &[&str]| texts.iter().map(|text| text.split('|').map(ToOwned::to_owned).collect()).collect::<Vec<Vec<String>>>();
        let message = "it can't be made, since there is no capacity";
        let table = rows(&["NAME|READY|MESSAGE", &format!("phi|False|{message}"), "other|True|"]);
        let tree = rows(&["OBJECT|MESSAGE", "├── a|", &format!("│   └── b|{message}"), &format!("└── c|{message}")]);
        // How wide the terminal is; the lines; what is printed.
        let cases = [
            (None, &table, "NAME    READY   MESSAGE\nphi     False   it can't be made, since there is no capacity\nother   True\n"),
            (Some(60), &table, "NAME    READY   MESSAGE\nphi     False   it can't be made, since there is no capacity\nother   True\n"),
            (
                Some(50),
                &table,
                "NAME    READY   MESSAGE\nphi     False   it can't be made, since there is\n                no capacity\nother   True\n",
            ),
            (
                Some(30),
                &table,
                "NAME    READY   MESSAGE\nphi     False\n    it can't be made, since\n    there is no capacity\nother   True\n",
            ),
            (
                Some(44),
                &tree,
                "OBJECT      MESSAGE\n├── a\n│   └── b   it can't be made, since there is\n│           no capacity\n└── c       it can't be made, since there is\n            no capacity\n",
            ),
        ];
        for (room, rows, want) in cases {
            let mut columns = Columns { room, ..Columns::new(|_| None) };
            assert_eq!(columns.lines(rows), want, "{room:?}");
            assert_eq!(columns.has_room_for(rows), room != Some(30), "{room:?}");
        }
    }
}
