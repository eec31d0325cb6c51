//! A Markdown table, and a file of sections of which one is replaced.

/// Lines of a table with a heading row; numbers are right-aligned by the column's colon.
pub(crate) fn markdown(heads: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(|h| (*h).to_string()).collect();
    let rule: String = (0..heads.len()).map(|i| if i == 0 { "|---" } else { "|---:" }).collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{rule}|\n{body}", line(&heads))
}

/// A number with so many digits behind the point, or a dash where there is none.
pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_string(), |v| format!("{v:.digits$}"))
}

/// `text` with the section of this heading replaced, or added at the end.
pub(crate) fn with_section(text: &str, heading: &str, body: &str) -> String {
    let mark = format!("## {heading}\n");
    let (before, after) = match text.find(&mark) {
        Some(start) => {
            let rest = &text[start + mark.len()..];
            (&text[..start], rest.find("\n## ").map_or("", |end| &rest[end + 1..]))
        }
        None => (text, ""),
    };
    let gap = if after.is_empty() { "" } else { "\n" };
    format!("{}\n\n{mark}\n{}\n{gap}{after}", before.trim_end(), body.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_replaced_in_place() {
        let text = with_section("# Scores\n", "standard", "one");
        let text = with_section(&text, "draft", "two");
        assert_eq!(text, "# Scores\n\n## standard\n\none\n\n## draft\n\ntwo\n");
        assert_eq!(
            with_section(&text, "standard", "new"),
            "# Scores\n\n## standard\n\nnew\n\n## draft\n\ntwo\n"
        );
        assert_eq!(
            with_section(&text, "draft", "new"),
            "# Scores\n\n## standard\n\none\n\n## draft\n\nnew\n"
        );
    }

    #[test]
    fn tables() {
        let rows = [vec!["truck".to_string(), number(Some(34.567), 1)], vec!["cars".into(), number(None, 1)]];
        let expected = "| clip | dB |\n|---|---:|\n| truck | 34.6 |\n| cars | – |\n";
        assert_eq!(markdown(&["clip", "dB"], &rows), expected);
    }
}
