//! The headless host: it renders the same in every layout, notices every misdeed of a plugin made for that, and each
//! profile forbids what its host does.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, helpers included")]

use rna::frame::{Image, Rgba};
use rna::host::*;
use serde_json::json;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::{Arc, OnceLock};

/// A plugin that inverts, and does wrong when it is told to; built for these tests from `examples/`.
fn fixture() -> Bundle {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        // A run of all tests has built it already, beside this program.
        let program = std::env::current_exe().unwrap();
        let profile = program.parent().and_then(Path::parent).unwrap();
        let name = format!("{DLL_PREFIX}fixture_plugin{DLL_SUFFIX}");
        let built = profile.join("examples").join(name);
        if built.is_file() {
            return built;
        }
        let mut build = vec!["build", "--quiet", "--example", "fixture_plugin", "--message-format", "json"];
        // The same profile, so that nothing else has to be built for it.
        build.extend(profile.ends_with("release").then_some("--release"));
        let folder = env!("CARGO_MANIFEST_DIR");
        let out = Process::new(env!("CARGO")).args(build).current_dir(folder).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let messages = String::from_utf8(out.stdout).unwrap();
        let artifacts = messages.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
        let of = |m: serde_json::Value| {
            (m["target"]["name"] == "fixture_plugin")
                .then(|| PathBuf::from(m["filenames"][0].as_str().unwrap_or_default()))
        };
        artifacts.filter_map(of).next_back().unwrap()
    });
    Bundle::load(file).unwrap()
}

const SIZE: (usize, usize) = (19, 13);

fn source() -> Stamped {
    Stamped { clip: 1, size: SIZE, range: (0.0, 9.0) }
}

fn open(profile: Profile, faults: Faults) -> Session {
    let mut clips = Clips::new();
    clips.insert("Source".to_string(), Arc::new(source()));
    Session::new(&fixture(), profile, faults, clips).unwrap()
}

fn strict() -> Session {
    open(Profile::STRICT, Faults::default())
}

fn script(text: serde_json::Value) -> Vec<Command> {
    serde_json::from_value(text).unwrap()
}

/// The whole report of a short script.
fn report_of(profile: Profile, commands: serde_json::Value) -> Report {
    let mut session = open(profile, Faults::default());
    session.run(&script(commands)).unwrap();
    session.finish()
}

fn inverted(time: f64) -> Image<Rgba> {
    source().frame(time).unwrap().map(|p| p.map(|v| 1.0 - v))
}

fn distance(a: &Image<Rgba>, b: &Image<Rgba>, channels: &[usize]) -> f32 {
    assert_eq!(a.size(), b.size());
    let pairs = a.pixels().iter().zip(b.pixels());
    let far = |(a, b): (&Rgba, &Rgba)| channels.iter().map(|&c| (a[c] - b[c]).abs()).fold(0.0, f32::max);
    pairs.map(far).fold(0.0, f32::max)
}

#[test]
fn every_layout_gives_the_same_picture() {
    let mut session = strict();
    session.run(&[Command::Create { instance: String::new() }]).unwrap();
    for (depth, tolerance) in [("byte", 0.0), ("short", 0.0), ("half", 6e-4), ("float", 0.0)] {
        for (components, channels) in [("rgba", &[0, 1, 2, 3][..]), ("rgb", &[0, 1, 2]), ("alpha", &[3])] {
            let mut first: Option<Image<Rgba>> = None;
            for (negative, padding, tiles) in
                [(false, 0, [1, 1]), (true, 0, [3, 2]), (false, 16, [2, 4]), (true, 48, [1, 1])]
            {
                let outcomes = session.run(&script(json!([
                    {"do": "depth", "depth": depth, "components": components},
                    {"do": "rows", "negative": negative, "padding": padding},
                    {"do": "tiles", "columns": tiles[0], "rows": tiles[1]},
                    {"do": "threads", "count": 3},
                    {"do": "render", "first": 4}
                ])));
                let frame = outcomes.unwrap()[4].frames()[0].clone();
                let picture = frame.picture.unwrap();
                let what = format!("{depth} {components} {negative} {padding} {tiles:?}");
                assert!(distance(&picture, &inverted(4.0), channels) <= tolerance + 2e-6, "{what}");
                assert_eq!(frame.bytes.len(), SIZE.0 * SIZE.1 * frame.format.bytes(), "{what}");
                assert_eq!(first.get_or_insert(picture.clone()), &picture, "{what}");
            }
        }
    }
    let report = session.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn stamps_tell_which_frame_was_pulled() {
    let mut session = strict();
    let outcomes =
        session.run(&script(json!([{"do": "create"}, {"do": "render", "first": 2, "last": 6, "step": 2}])));
    for (frame, time) in outcomes.unwrap()[1].frames().iter().zip([2, 4, 6]) {
        let pixel = frame.picture.as_ref().unwrap()[(5, 5)].map(|v| 1.0 - v);
        assert_eq!(stamp(pixel), (1, time));
        assert_eq!(frame.time, f64::from(time));
    }
    let times: Vec<f64> =
        session.report().fetches.iter().filter(|f| f.clip == "Source").map(|f| f.time).collect();
    assert_eq!(times, [2.0, 4.0, 6.0]);
}

#[test]
fn every_misdeed_is_noticed() {
    for (misdeed, kind) in [
        ("leak", Kind::UnreleasedImage),
        ("release twice", Kind::ReleasedTwice),
        ("write outside", Kind::GuardOverwritten),
        ("write padding", Kind::GuardOverwritten),
        ("write window", Kind::GuardOverwritten),
        ("write source", Kind::SourceWritten),
        ("unknown property", Kind::UnknownProperty),
        ("wrong type", Kind::WrongType),
        ("read only", Kind::ReadOnly),
        ("far frame", Kind::UndeclaredFetch),
        ("stale handle", Kind::BadHandle),
        ("leak memory", Kind::Memory),
        ("lock twice", Kind::Mutex),
        ("nested threads", Kind::Threads),
    ] {
        let report = report_of(
            Profile::STRICT,
            json!([
                {"do": "create"},
                {"do": "rows", "negative": misdeed == "write outside", "padding": 16},
                {"do": "tiles", "columns": 1, "rows": 2},
                {"do": "set", "param": "misdeed", "value": misdeed},
                {"do": "render", "first": 0, "last": 1}
            ]),
        );
        assert!(report.count(kind) > 0, "{misdeed}: {report}");
        assert!(report.issues.iter().all(|i| i.kind == kind), "{misdeed}: {report}");
    }
}

#[test]
fn a_failed_render_has_no_picture() {
    let mut session = strict();
    let outcomes = session
        .run(&script(json!([
            {"do": "create"},
            {"do": "set", "param": "misdeed", "value": "fail"},
            {"do": "render", "first": 0}
        ])))
        .unwrap();
    let frame = &outcomes[2].frames()[0];
    assert_eq!((frame.status.as_str(), &frame.picture), ("kOfxStatFailed", &None));
}

#[test]
fn values_keys_and_projects() {
    let mut session = strict();
    session
        .run(&script(json!([
            {"do": "create"},
            {"do": "set", "param": "note", "value": "a \"quoted\" note"},
            {"do": "set", "param": "place", "value": [3, 4.5]},
            {"do": "key", "param": "gain", "time": 0, "value": 0},
            {"do": "key", "param": "gain", "time": 8, "value": 2},
            {"do": "save"},
            {"do": "set", "param": "note", "value": "lost"}
        ])))
        .unwrap();
    assert_eq!(session.value("gain", 2.0).unwrap(), Value::Doubles(vec![0.5]));
    let outcomes = session.run(&script(json!([{"do": "restore"}, {"do": "render", "first": 2}]))).unwrap();
    assert_eq!(session.value("note", 0.0).unwrap(), Value::Text("a \"quoted\" note".to_string()));
    assert_eq!(session.value("place", 0.0).unwrap(), Value::Doubles(vec![3.0, 4.5]));
    let halved = inverted(2.0).map(|p| p.map(|v| v * 0.5));
    assert!(distance(outcomes[1].frames()[0].picture.as_ref().unwrap(), &halved, &[0, 1, 2, 3]) < 1e-6);
    let wrong = session.run(&script(json!([{"do": "set", "param": "gain", "value": "loud"}])));
    assert!(wrong.unwrap_err().to_string().contains("gain"));
    let absent = session.run(&script(json!([{"do": "set", "param": "volume", "value": 1}])));
    assert!(absent.unwrap_err().to_string().contains("misdeed"));
    assert!(session.finish().is_clean());
}

#[test]
fn projects_are_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("project.json");
    let mut session = strict();
    session
        .run(&script(json!([
            {"do": "create", "instance": "one"},
            {"do": "set", "param": "count", "value": 5},
            {"do": "save", "file": file},
            {"do": "create", "instance": "two"},
            {"do": "restore", "file": file}
        ])))
        .unwrap();
    assert_eq!(session.value("count", 0.0).unwrap(), Value::Ints(vec![5]));
    session.run(&script(json!([{"do": "destroy"}, {"do": "select", "instance": "one"}]))).unwrap();
    assert!(session.params().unwrap().contains(&"place".to_string()));
}

#[test]
fn buttons_get_the_frames_their_host_gives() {
    for (profile, count) in [
        (Profile::STRICT, 10),
        (Profile::NATRON, 10),
        // Times beyond the range are clamped to it.
        (Profile::FLAME, 12),
        // Only the frame under the playhead.
        (Profile::RESOLVE, 1),
        (Profile::NUKE, 1),
        // A button is never told of.
        (Profile::MLT, 0),
    ] {
        let name = profile.name;
        let mut session = open(profile, Faults::default());
        session
            .run(&script(
                json!([{"do": "create"}, {"do": "time", "time": 3}, {"do": "press", "param": "collect"}]),
            ))
            .unwrap();
        assert_eq!(session.value("count", 0.0).unwrap(), Value::Ints(vec![count]), "{name}");
        let report = session.finish();
        assert!(report.is_clean(), "{name}: {report}");
        let told = report.messages.iter().any(|m| m.text == format!("{count} frames of Source, 0.5"));
        assert_eq!(told, name != "mlt", "{name}: {:?}", report.messages);
    }
}

#[test]
fn nuke_refuses_writes_where_it_does() {
    let writing = json!([
        {"do": "create"},
        {"do": "set", "param": "misdeed", "value": "write param"},
        {"do": "render", "first": 0}
    ]);
    assert_eq!(report_of(Profile::STRICT, writing.clone()).count(Kind::ForbiddenWrite), 0);
    assert!(report_of(Profile::NUKE, writing).count(Kind::ForbiddenWrite) > 0);
    let creating = json!([
        {"do": "create"},
        {"do": "set", "param": "in_create", "value": "write"},
        {"do": "save"},
        {"do": "restore"}
    ]);
    assert!(report_of(Profile::STRICT, creating.clone()).is_clean());
    assert_eq!(report_of(Profile::NUKE, creating).count(Kind::ForbiddenWrite), 1);
}

#[test]
fn nothing_is_fetched_while_an_instance_is_made() {
    for profile in Profile::EACH {
        let report = report_of(
            profile,
            json!([
                {"do": "create"}, {"do": "set", "param": "in_create", "value": "fetch"},
                {"do": "save"}, {"do": "restore"}
            ]),
        );
        assert_eq!(report.count(Kind::ForbiddenFetch), 1, "{report}");
        assert!(!report.fetches[0].given);
    }
}

#[test]
fn nuke_keeps_looks_and_resolve_copies_nothing() {
    for (profile, count) in [(Profile::STRICT, 0), (Profile::NUKE, 1)] {
        let relabel = json!([
            {"do": "create"}, {"do": "tiles", "columns": 1, "rows": 1},
            {"do": "set", "param": "misdeed", "value": "relabel"}, {"do": "render", "first": 0}
        ]);
        assert_eq!(report_of(profile, relabel).count(Kind::ReadOnly), count);
    }
    for (profile, copied) in [(Profile::STRICT, 6), (Profile::RESOLVE, 0)] {
        let mut session = open(profile, Faults::default());
        let copy = json!([
            {"do": "create"}, {"do": "set", "param": "count", "value": 6}, {"do": "press", "param": "copy"}
        ]);
        session.run(&script(copy)).unwrap();
        assert_eq!(session.value("copied", 0.0).unwrap(), Value::Ints(vec![copied]));
    }
}

#[test]
fn the_command_runs_scripts_and_fails_on_misdeeds() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = fixture();
    let rna = |arguments: &[&str]| {
        let mut process = Process::new(env!("CARGO_BIN_EXE_rna"));
        process.current_dir(folder.path()).args(arguments).output().unwrap()
    };
    assert!(rna(&["sample", "clip", "--frames", "3", "--size", "64x64"]).status.success());
    let bundle = plugin.path().to_str().unwrap();
    let host = ["host", "--bundle", bundle, "--clip", "clip/frames", "--profile", "nuke"];
    let out = rna(
        &[&host[..], &["--set", "note=hello", "--press", "collect", "--render", "out/%03d.png"]].concat()
    );
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success() && said.contains("1 frames of Source"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path().join("out")).unwrap().count(), 3);
    let script = r#"[{"do": "create"}, {"do": "set", "param": "misdeed", "value": "leak"}, {"do": "render", "first": 1}]"#;
    std::fs::write(folder.path().join("leak.json"), script).unwrap();
    let out = rna(&[&host[..], &["leak.json"]].concat());
    let (said, failed) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert_eq!(out.status.code(), Some(1));
    assert!(said.contains("never released") && failed.contains("no plugin may"), "{said}{failed}");
}

#[test]
fn resolve_claims_clips_it_has_not() {
    for (profile, asked) in [(Profile::STRICT, 0), (Profile::RESOLVE, 1)] {
        let mut session = open(profile, Faults::default());
        let outcomes = session.run(&script(json!([
            {"do": "create"}, {"do": "set", "param": "misdeed", "value": "use mask"},
            {"do": "render", "first": 0}
        ])));
        assert!(outcomes.unwrap()[2].frames()[0].picture.is_some());
        let report = session.finish();
        assert!(report.is_clean(), "{report}");
        let masks: Vec<_> = report.fetches.iter().filter(|f| f.clip == "Mask").collect();
        assert_eq!(masks.len(), asked);
        assert!(masks.iter().all(|f| !f.given));
    }
}

#[test]
fn properties_of_parameters_can_be_looked_at() {
    let mut session = open(Profile::NUKE, Faults::default());
    session.run(&[Command::Create { instance: String::new() }]).unwrap();
    let options = session.property("in_create", "OfxParamPropChoiceOption").unwrap();
    assert_eq!(options, ["nothing", "write", "fetch"]);
    assert!(session.is_shown("gain").unwrap());
}

#[test]
fn each_profile_renders_in_its_way() {
    for profile in Profile::EACH {
        let (name, linear) = (profile.name, profile.encoding == rna::frame::Encoding::Linear);
        let mut session = open(profile, Faults::default());
        let outcomes =
            session.run(&script(json!([{"do": "create"}, {"do": "render", "first": 1, "last": 3}]))).unwrap();
        for frame in outcomes[1].frames() {
            let picture = frame.picture.as_ref().unwrap_or_else(|| panic!("{name}: {}", frame.status));
            // Alpha knows no curve.
            let channels: &[usize] = if linear { &[3] } else { &[0, 1, 2, 3] };
            assert!(distance(picture, &inverted(frame.time), channels) < 1e-3, "{name}");
        }
        let report = session.finish();
        assert!(report.is_clean(), "{name}: {report}");
        let loads = if name == "mlt" { 4 } else { 1 };
        assert_eq!(report.called("OfxActionLoad"), loads, "{name}");
        let creates = [("mlt", 4), ("flame", 2)].iter().find(|(n, _)| *n == name).map_or(1, |(_, c)| *c);
        assert_eq!(report.called("OfxActionCreateInstance"), creates, "{name}");
        let asks = report.called("OfxImageEffectActionGetRegionOfDefinition");
        assert_eq!(asks > 0, name != "resolve", "{name}");
    }
}

#[test]
fn unconnected_clips() {
    let missing = Session::new(&fixture(), Profile::STRICT, Faults::default(), Clips::new())
        .and_then(|mut s| s.run(&[Command::Create { instance: String::new() }]));
    assert!(missing.unwrap_err().to_string().contains("Source"));
    let mut session = strict();
    session.run(&script(json!([{"do": "create"}, {"do": "connect", "clip": "Source"}]))).unwrap();
    let outcomes = session.run(&script(json!([{"do": "render", "first": 0}]))).unwrap();
    assert_eq!(outcomes[0].frames()[0].picture, None);
}

#[test]
fn faults_on_purpose() {
    let rendering = script(json!([{"do": "create"}, {"do": "render", "first": 0, "last": 9}]));
    let mut session = open(Profile::STRICT, Faults { disorder: Some(5), ..Faults::default() });
    let outcomes = session.run(&rendering).unwrap();
    let times: Vec<f64> = outcomes[1].frames().iter().map(|f| f.time).collect();
    assert!(!times.is_sorted(), "{times:?}");
    drop(session);

    let mut session = open(Profile::STRICT, Faults { abort: Some(1), ..Faults::default() });
    let outcomes = session.run(&rendering).unwrap();
    let whole =
        |f: &&Rendered| f.picture.as_ref().is_some_and(|p| distance(p, &inverted(f.time), &[0]) < 0.1);
    let complete = outcomes[1].frames().iter().filter(whole).count();
    assert!((1..10).contains(&complete), "{complete} of 10 frames were not aborted");
    assert!(session.finish().is_clean());

    let faults = Faults { missing_suites: vec!["OfxMessageSuite".to_string()], ..Faults::default() };
    let mut session = open(Profile::STRICT, faults);
    session.run(&script(json!([{"do": "create"}, {"do": "press", "param": "collect"}]))).unwrap();
    assert!(session.finish().messages.is_empty());

    let mut session = open(Profile::STRICT, Faults { allocation_fails_at: Some(1), ..Faults::default() });
    let outcomes = session.run(&rendering).unwrap();
    let good = outcomes[1].frames().iter().filter(|f| f.picture.is_some()).count();
    assert_eq!(good, 1);
}

#[test]
fn overlays() {
    let mut session = strict();
    let outcomes = session
        .run(&script(json!([
            {"do": "create"}, {"do": "draw"},
            {"do": "pen", "pen": "down", "at": [12, 13.5]},
            {"do": "pen", "pen": "down", "at": [1, 1]},
            {"do": "strike", "symbol": 65535}
        ])))
        .unwrap();
    let frame = Draw::Shape { primitive: 3, points: vec![[10.0, 10.0], [20.0, 20.0]] };
    assert_eq!(outcomes[1], Outcome::Drawing(vec![frame]));
    assert_eq!(outcomes[2..], [true, false, false].map(Outcome::Taken));
    assert_eq!(session.value("place", 0.0).unwrap(), Value::Doubles(vec![12.0, 13.5]));
    assert!(session.finish().is_clean());
    let mut session = open(Profile::RESOLVE, Faults::default());
    assert!(session.run(&script(json!([{"do": "create"}, {"do": "draw"}]))).is_err());
}

#[test]
fn proxies_and_one_session_at_a_time() {
    let mut session = strict();
    let outcomes = session.run(&script(
        json!([{"do": "create"}, {"do": "scale", "x": 0.5, "y": 0.5}, {"do": "render", "first": 0}]),
    ));
    assert_eq!(outcomes.unwrap()[2].frames()[0].picture.as_ref().unwrap().size(), (10, 7));
    let second = Session::new(&fixture(), Profile::STRICT, Faults::default(), Clips::new());
    assert!(second.err().unwrap().to_string().contains("session"));
}
