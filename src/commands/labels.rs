//! `jeroboam labels`: the labels that drivers understand, as tables or as one JSON list.

use std::fmt::Write;

use anyhow::bail;
use drivers::{Driver, Label, LabelKind};
use serde_json::{Value, json};

/// Widths of the columns of the two tables; with gaps of two, lines have at most 118 characters.
const IN_USE: [(&str, usize); 4] = [("LABEL", 34), ("VALUES", 26), ("DEFAULT", 14), ("MEANING", 39)];
const OBSOLETE: [(&str, usize); 2] = [("LABEL", 37), ("INSTEAD", 79)];

/// Prints the labels of the driver of that name, or of all.
///
/// # Errors
/// A name that no driver has.
pub(crate) fn run(name: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let installed = drivers::installed();
    let chosen: Vec<_> =
        installed.iter().copied().filter(|driver| name.is_none_or(|name| driver.name() == name)).collect();
    if let (Some(name), true) = (name, chosen.is_empty()) {
        let names: Vec<_> = installed.iter().map(|driver| driver.name()).collect();
        bail!("driver is {name:?}; allowed: {}", names.join(", "));
    }
    let text = if as_json {
        let all: Vec<_> =
            chosen.iter().flat_map(|driver| driver.labels().iter().map(|label| object(*driver, label))).collect();
        format!("{:#}\n", Value::from(all))
    } else {
        chosen.iter().map(|driver| tables(*driver)).collect::<Vec<_>>().join("\n")
    };
    super::say(&mut std::io::stdout(), &text);
    Ok(())
}

/// Everything that is known of a label.
fn object(driver: &dyn Driver, label: &Label) -> Value {
    let instead = match label.kind {
        LabelKind::Obsolete { instead } => Some(instead),
        _ => None,
    };
    json!({
        "driver": driver.name(),
        "key": label.key,
        "kind": label.kind,
        "allowed": label.kind.to_string(),
        "default": label.default,
        "meaning": label.meaning,
        "since": label.since,
        "obsolete": instead,
        "conflicts": label.conflicts,
    })
}

fn tables(driver: &dyn Driver) -> String {
    let obsolete = |label: &&Label| matches!(label.kind, LabelKind::Obsolete { .. });
    let (gone, used): (Vec<&Label>, Vec<&Label>) = driver.labels().iter().partition(obsolete);
    let first = used.first().map_or("", |label| label.since);
    let used_rows = used.iter().map(|label| {
        let conflicts = label.conflicts.iter().map(|conflict| format!(" {}.", sentence(&conflict.to_string())));
        let since = if label.since == first { String::new() } else { format!(" Since {}.", label.since) };
        let meaning = format!("{}{}{since}", label.meaning, conflicts.collect::<String>());
        [label.key.to_owned(), label.kind.to_string(), label.default.to_owned(), meaning]
    });
    let mut text = format!(
        "{}: {} labels, there since {first} unless said otherwise. An empty value counts as none.\n\n",
        driver.name(),
        used.len()
    );
    text += &table(IN_USE, used_rows);
    if !gone.is_empty() {
        let rows = gone.iter().map(|label| match label.kind {
            LabelKind::Obsolete { instead } => [label.key.to_owned(), instead.to_owned()],
            _ => [label.key.to_owned(), String::new()],
        });
        let _whole =
            write!(text, "\n{}: {} labels that are accepted and have no effect.\n\n", driver.name(), gone.len());
        text += &table(OBSOLETE, rows);
    }
    text
}

/// Rows below a heading; what is longer than its column goes on in the next line.
fn table<const N: usize>(columns: [(&str, usize); N], rows: impl Iterator<Item = [String; N]>) -> String {
    let heading = columns.map(|(title, _)| title.to_owned());
    let mut text = String::new();
    for row in std::iter::once(heading).chain(rows) {
        let cells: Vec<Vec<String>> = row.iter().zip(columns).map(|(cell, (_, width))| wrapped(cell, width)).collect();
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let parts = cells
                .iter()
                .zip(columns)
                .map(|(cell, (_, width))| format!("{:width$}", cell.get(line).map_or("", String::as_str)));
            text += parts.collect::<Vec<_>>().join("  ").trim_end();
            text.push('\n');
        }
    }
    text
}

/// The text with a capital letter in front.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + characters.as_str())
}

/// The text in lines of that width, broken at blanks, else behind commas, else behind underscores, else anywhere.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut add = |part: &str| {
        let length = part.trim_end().chars().count();
        match lines.last_mut() {
            Some(line) if line.is_empty() || line.chars().count() + length <= width => line.push_str(part),
            _ => lines.push(part.to_owned()),
        }
    };
    for word in text.split_inclusive([' ', ',']) {
        if word.trim_end().chars().count() <= width {
            add(word);
            continue;
        }
        for part in word.split_inclusive('_') {
            let characters: Vec<char> = part.chars().collect();
            characters.chunks(width).for_each(|chunk| add(&chunk.iter().collect::<String>()));
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{table, wrapped};

    #[test]
    fn lines_break_at_blanks_and_behind_commas_first() {
        assert_eq!(wrapped("one of a, b", 6), ["one of", "a, b"]);
        assert_eq!(wrapped("AAAA,BBBB,CC", 8), ["AAAA,", "BBBB,CC"]);
        assert_eq!(wrapped("x,AB_CD_EF", 6), ["x,AB_", "CD_EF"]);
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("", 3), [""]);
    }

    #[test]
    fn cells_go_on_below_themselves() {
        let rows = [["a".to_owned(), "one two".to_owned()], ["b".to_owned(), String::new()]];
        assert_eq!(table([("K", 2), ("TEXT", 4)], rows.into_iter()), "K   TEXT\na   one\n    two\nb\n");
    }
}
