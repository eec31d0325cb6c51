//! The README's table of parameters is the program's, and its links lead somewhere.

use rna::param::{Group, Kind, TABLE};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str =
    "<!-- parameters: made from param::TABLE; RNA_BLESS=1 cargo test --test cli writes it -->\n";
const END: &str = "<!-- end of parameters -->";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn parameter_table() -> String {
    let mut text = String::from(
        "\n| parameter | of | values (default first or in brackets) | what it does |\n|---|---|---|---|\n",
    );
    for p in TABLE.iter().filter(|p| p.group != Group::Plugin) {
        let of = match p.group {
            Group::Analyze => "analyze",
            Group::Render | Group::Plugin => "render",
        };
        let values = match p.kind {
            Kind::Choice { options } => {
                options.iter().map(|o| format!("`{}`", o.0)).collect::<Vec<_>>().join(" ")
            }
            Kind::Int { min, max, default } => format!("{min} to {max} [{default}]"),
            Kind::Double { min, max, default } => format!("{min} to {max} [{default}]"),
            ref other => other.allowed(),
        };
        writeln!(text, "| `--{}` | {of} | {values} | {} |", p.id, p.hint).unwrap();
    }
    text + "\n"
}

#[test]
fn parameters_are_those_of_the_program() {
    let text = fs::read_to_string(file()).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("README.md has the mark where parameters begin");
    let (shown, after) = rest.split_once(END).expect("README.md has the mark where parameters end");
    let expected = parameter_table();
    if std::env::var_os("RNA_BLESS").is_some() {
        fs::write(file(), format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(shown, expected, "README.md is out of date: RNA_BLESS=1 cargo test --test cli writes it");
}

#[test]
fn it_is_short() {
    let lines = fs::read_to_string(file()).unwrap().lines().count();
    assert!(lines <= 200, "{lines} lines");
}
