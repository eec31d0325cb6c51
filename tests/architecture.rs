//! The house rules, enforced: who may use whom, which crate lives where, and how large things may grow.
//!
//! The table below is the one in `ARCHITECTURE.md`. A module may use those in its row and nothing else of ours, so the
//! arrows cannot bend into a circle, a renderer never drags in the solver, and a reader can take the modules in order.
//! Code under `#[cfg(test)]` may look anywhere.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, helpers included")]

use std::fs;
use std::path::Path;

/// Module, and those of ours it may use. A row names only modules of rows above it.
const MODULES: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("frame", &["error"]),
    ("progress", &["error"]),
    ("param", &["error"]),
    ("roi", &["error", "frame"]),
    ("correction", &["error", "frame", "roi"]),
    ("clip", &["error", "frame", "progress", "roi"]),
    ("onnx", &["error", "frame"]),
    ("flow", &["error", "frame", "onnx"]),
    ("linear", &[]),
    ("light", &["frame", "linear"]),
    ("track", &["clip", "error", "flow", "frame", "light", "linear", "progress", "roi"]),
    ("mask", &["clip", "error", "frame", "track"]),
    ("matte", &["error", "flow", "frame", "linear", "mask", "onnx"]),
    ("fit", &["clip", "error", "flow", "frame", "light", "param", "progress", "track"]),
    ("atlas", &["correction", "error", "frame", "param", "roi"]),
    ("store", &["atlas", "clip", "correction", "error", "frame", "param", "roi"]),
    ("render", &["atlas", "error", "frame", "param", "roi"]),
    (
        "engine",
        &[
            "atlas",
            "clip",
            "correction",
            "error",
            "fit",
            "flow",
            "frame",
            "light",
            "mask",
            "matte",
            "onnx",
            "param",
            "progress",
            "render",
            "roi",
            "store",
            "track",
        ],
    ),
    ("openfx", &[]),
    ("ofx", &["atlas", "clip", "correction", "error", "frame", "openfx", "param", "render", "roi", "store"]),
    ("host", &["error", "frame", "openfx"]),
    (
        "bin",
        &[
            "atlas",
            "clip",
            "correction",
            "engine",
            "error",
            "fit",
            "flow",
            "frame",
            "host",
            "light",
            "mask",
            "matte",
            "onnx",
            "param",
            "progress",
            "render",
            "roi",
            "store",
            "track",
        ],
    ),
];

/// Crate, and where alone it may be named: what is fenced can be replaced in one place.
const FENCES: &[(&str, &[&str])] = &[
    ("clap", &["bin"]),
    ("indicatif", &["bin"]),
    ("ctrlc", &["bin"]),
    ("mimalloc", &["bin"]),
    ("safetensors", &["store"]),
    ("openfx_sys", &["openfx"]),
    ("libloading", &["host", "ofx"]),
    ("exr", &["frame::io"]),
    ("image", &["frame::io"]),
    ("mozjpeg", &["frame::io"]),
    ("burn", &["fit"]),
    ("ort", &["onnx"]),
    ("fastrand", &["fit"]),
    ("fast_image_resize", &["frame"]),
    ("wide", &["render"]),
];

/// Modules that speak C and may therefore hold `unsafe`.
const UNSAFE_MODULES: &[&str] = &["ofx", "host"];
const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 100;

/// One file of ours: its path below the root, with `/` between parts, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_string(), text: text.to_string() }
    }

    /// Modules from the crate root down: `src/frame/io/png.rs` is `frame`, `io`, `png`. None for the root itself.
    fn modules(&self) -> Vec<&str> {
        let inner = self.path.strip_prefix("src/").unwrap_or_default();
        let stem = inner.strip_suffix("/mod.rs").or(inner.strip_suffix(".rs")).unwrap_or_default();
        if stem == "lib" { Vec::new() } else { stem.split('/').filter(|s| !s.is_empty()).collect() }
    }

    fn is_in(&self, module: &str) -> bool {
        let path = self.modules().join("::");
        path == module || path.starts_with(&format!("{module}::"))
    }
}

/// A word or sign of the language, and its line from 1.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// Cuts a source into words and signs, without comments, strings and characters.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let (bytes, mut out, mut at, mut line) = (text.as_bytes(), Vec::new(), 0, 1);
    while at < bytes.len() {
        let rest = &text[at..];
        let length = match bytes[at] {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => block_comment(rest),
            b'"' => string(rest),
            b'\'' => character(rest),
            c if is_word(c) => {
                let word = bytes[at..].iter().take_while(|&&c| is_word(c)).count();
                match raw_string(&rest[..word], &rest[word..]) {
                    Some(quoted) => word + quoted,
                    None => {
                        out.push(Token { text: &rest[..word], line });
                        word
                    }
                }
            }
            c if c.is_ascii_whitespace() => 1,
            _ => {
                let sign =
                    if rest.starts_with("::") { 2 } else { rest.chars().next().map_or(1, char::len_utf8) };
                out.push(Token { text: &rest[..sign], line });
                sign
            }
        };
        line += bytes[at..at + length].iter().filter(|&&c| c == b'\n').count();
        at += length;
    }
    out
}

fn is_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_'
}

/// Bytes of a block comment at the start of `text`; they nest.
fn block_comment(text: &str) -> usize {
    let (bytes, mut at, mut depth) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        match &bytes[at..bytes.len().min(at + 2)] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|c| {
        let ends = c == b'"' && !escaped;
        escaped = c == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |p| p + 2)
}

/// Bytes of a raw string after its prefix; `None` when `word` is no prefix of one.
fn raw_string(word: &str, rest: &str) -> Option<usize> {
    let hashes = rest.bytes().take_while(|&c| c == b'#').count();
    if !["r", "br", "cr"].contains(&word) || rest.as_bytes().get(hashes) != Some(&b'"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest[hashes + 1..].find(&end).map_or(rest.len(), |p| hashes + 1 + p + end.len()))
}

/// Bytes of a character, or of a lifetime's name.
fn character(text: &str) -> usize {
    let mut chars = text[1..].chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), Some(c)) => {
            let escape = 2 + c.len_utf8();
            text[escape..].find('\'').map_or(text.len(), |p| escape + p + 1)
        }
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1 + text.bytes().skip(1).take_while(|&c| is_word(c)).count(),
    }
}

/// The tokens without what is compiled for tests only.
fn without_tests<'a>(all: &[Token<'a>]) -> Vec<Token<'a>> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < all.len() {
        let is = |texts: &[&str]| texts.iter().enumerate().all(|(i, t)| word(all, at + i) == *t);
        if is(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = item_end(all, at + 7);
        } else {
            out.push(all[at]);
            at += 1;
        }
    }
    out
}

fn word<'a>(all: &[Token<'a>], at: usize) -> &'a str {
    all.get(at).map_or("", |t| t.text)
}

/// The token after an item that starts at `at`: its closing brace, or its semicolon.
fn item_end(all: &[Token], at: usize) -> usize {
    let mut depth = 0i32;
    for (i, t) in all.iter().enumerate().skip(at) {
        match t.text {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" if depth == 1 => return i + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
    }
    all.len()
}

/// First names after a path prefix that ends before token `at`: `a` of `a::b`, `a` and `c` of `{a::b, c}`.
fn heads<'a>(all: &[Token<'a>], at: usize) -> Vec<Token<'a>> {
    if word(all, at) != "{" {
        return all.get(at).copied().into_iter().collect();
    }
    let (mut depth, mut out) = (0, Vec::new());
    for (i, t) in all.iter().enumerate().skip(at) {
        match t.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && ["{", ","].contains(&word(all, i - 1)) => out.push(*t),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    out
}

/// Names taken from the library's root: through `crate::`, through as many `super::` as lead there, in the executable
/// through `rna::`.
fn root_names<'a>(source: &Source, all: &[Token<'a>]) -> Vec<Token<'a>> {
    let (depth, is_bin) = (source.modules().len(), source.is_in("bin"));
    let mut out = Vec::new();
    for (i, t) in all.iter().enumerate() {
        if word(all, i + 1) != "::" || (i > 0 && word(all, i - 1) == "::") {
            continue;
        }
        let supers = (0..).take_while(|k| word(all, i + 2 * k) == "super").count();
        if t.text == if is_bin { "rna" } else { "crate" } {
            out.extend(heads(all, i + 2));
        } else if supers > 0 && supers >= depth && !is_bin {
            out.extend(heads(all, i + 2 * supers));
        }
    }
    out
}

/// Breaches of the table of modules.
fn edges(source: &Source, all: &[Token], found: &mut Vec<String>) {
    let modules = source.modules();
    let Some(&from) = modules.first() else { return };
    let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == from) else {
        found.push(format!("{}: module `{from}` is not in the table of modules", source.path));
        return;
    };
    for name in root_names(source, all) {
        let to = match name.text {
            "Error" | "Result" => "error",
            "self" => continue,
            other => other,
        };
        if to != from && !allowed.contains(&to) {
            found.push(format!("{}:{}: `{from}` may not use `{to}`", source.path, name.line));
        }
    }
}

/// Breaches of the fences around other people's crates.
fn fences(source: &Source, all: &[Token], found: &mut Vec<String>) {
    for (name, homes) in FENCES {
        if homes.iter().any(|home| source.is_in(home)) {
            continue;
        }
        // A module of that name declared here is what the name means here.
        let declares = all.windows(2).any(|t| t[0].text == "mod" && t[1].text == *name);
        for (i, t) in all.iter().enumerate() {
            let is_path = word(all, i + 1) == "::" && (i == 0 || word(all, i - 1) != "::");
            if t.text == *name && is_path && !declares {
                let homes = homes.join("`, `");
                found.push(format!("{}:{}: crate `{name}` lives in `{homes}` alone", source.path, t.line));
            }
        }
    }
}

/// Breaches of sizes and of the rule on `unsafe`.
fn sizes(source: &Source, all: &[Token], found: &mut Vec<String>) {
    let lines = source.text.lines().count();
    if lines > LONGEST_FILE {
        found.push(format!("{}: {lines} lines, {LONGEST_FILE} are allowed; split it", source.path));
    }
    for (i, t) in all.iter().enumerate() {
        if t.text == "unsafe" && !UNSAFE_MODULES.iter().any(|m| source.is_in(m)) {
            found.push(format!("{}:{}: `unsafe` outside {UNSAFE_MODULES:?}", source.path, t.line));
        }
        if t.text == "fn" && word(all, i + 1) != "(" {
            let end = all[item_end(all, i) - 1].line;
            if end - t.line >= LONGEST_FUNCTION {
                let (name, length) = (word(all, i + 1), end - t.line + 1);
                found.push(format!("{}:{}: `{name}` has {length} lines; split it", source.path, t.line));
            }
        }
    }
}

fn breaches(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let all = tokens(&source.text);
        sizes(source, &all, &mut found);
        if source.path.starts_with("src/") {
            let product = without_tests(&all);
            edges(source, &product, &mut found);
            fences(source, &product, &mut found);
        }
    }
    found
}

fn collect(folder: &Path, out: &mut Vec<Source>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten().map(Result::unwrap) {
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.to_string_lossy().replace('\\', "/");
            out.push(Source::new(&name, &fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

#[test]
fn the_house_rules_hold() {
    let mut sources = Vec::new();
    for folder in ["src", "xtask/src", "tests", "benches"] {
        collect(Path::new(folder), &mut sources);
    }
    assert!(sources.iter().any(|s| s.path == "src/lib.rs"), "the sources were not found");
    let found = breaches(&sources);
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_table_has_no_circle() {
    for (i, (name, allowed)) in MODULES.iter().enumerate() {
        for used in *allowed {
            let above = MODULES[..i].iter().any(|(earlier, _)| earlier == used);
            assert!(above, "`{name}` uses `{used}`, which is not above it");
        }
    }
}

#[test]
fn the_page_shows_this_table() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    for (name, allowed) in MODULES.iter().filter(|(_, allowed)| allowed.len() < 10) {
        let uses = if allowed.is_empty() { "–".to_string() } else { allowed.join(", ") };
        let shown = page
            .lines()
            .any(|l| l.starts_with(&format!("| `{name}` |")) && l.ends_with(&format!("| {uses} |")));
        assert!(shown, "ARCHITECTURE.md should have a row `{name}` that ends in | {uses} |");
    }
}

#[test]
fn breaches_are_found() {
    let caught = |path: &str, text: &str| breaches(&[Source::new(path, text)]);
    for (path, text, word) in [
        ("src/frame/image.rs", "use crate::store::open;", "`frame` may not use `store`"),
        ("src/frame/io/png.rs", "use super::super::super::clip::Clip;", "`frame` may not use `clip`"),
        ("src/roi.rs", "use crate::{error::{Error, Result}, engine};", "`roi` may not use `engine`"),
        ("src/render/mod.rs", "fn f() -> Vec<crate::track::Map> { Vec::new() }", "`track`"),
        ("src/error.rs", "use super::frame::Image;", "`error` may not use `frame`"),
        ("src/light/mod.rs", "use crate::*;", "may not use `*`"),
        ("src/cache/mod.rs", "", "not in the table"),
        ("src/engine/mod.rs", "use clap::Command;", "crate `clap`"),
        ("src/clip/sequence.rs", "let i = image::open(p);", "crate `image`"),
        ("src/flow/dis.rs", "fn f() { unsafe { g() } }", "`unsafe`"),
        ("src/bin/rna/main.rs", "use rna::ofx::Plugin;", "`bin` may not use `ofx`"),
    ] {
        let found = caught(path, text);
        assert!(found.len() == 1 && found[0].contains(word), "{path}: {found:?}");
    }
    let long = format!("fn long() {{\n{}}}", "    step();\n".repeat(LONGEST_FUNCTION));
    assert!(caught("xtask/src/main.rs", &long)[0].contains("`long` has 102 lines"));
    assert!(caught("tests/a.rs", &"\n".repeat(LONGEST_FILE + 1))[0].contains("501 lines"));
}

#[test]
fn what_is_allowed_passes() {
    let text = r##"
        //! See [`crate::engine`]; unsafe is not used.
        use crate::error::{Error, Result};
        use super::error::Result as Outcome;
        mod image;
        pub use image::Pixel;
        const QUOTE: char = '"';
        const TEXT: &str = "use crate::store; unsafe";
        const RAW: &str = r#"crate::store "unsafe" "#;
        fn keep<'a>(x: &'a crate::Result<u8>) -> &'a crate::Result<u8> { x }
        #[cfg(test)]
        mod tests { use crate::store::open; fn f() { let _ = image::open("x"); } }
    "##;
    let found = breaches(&[Source::new("src/frame/mod.rs", text)]);
    assert!(found.is_empty(), "{found:?}");
}
