//! The job in hosts as they are, and with things going wrong.

use crate::support::*;
use rna::host::{Buttons, Command, Faults, Kind, Profile, Session};
use std::path::Path;

/// Draws and presses Analyze, with a capture while rendering where the host needs it.
fn analyse(host: &mut Session, profile: &Profile, folder: &Path) {
    let sample = &*SAMPLE;
    let mut script = vec![create(), Command::Time { time: sample.reference() }];
    script.extend(drawn(sample, folder));
    script.push(press("analyze"));
    run(host, &script);
    if profile.buttons == Buttons::Current {
        assert_eq!(text(host, "analysis"), "", "{}", text(host, "status"));
        assert!(text(host, "status").starts_with("captured 0 of 12"), "{}", text(host, "status"));
        // Half of it, in no order, is not enough; nothing is lost by asking.
        run(host, &[render(1005.0, 1009.0), press("analyze")]);
        assert!(text(host, "status").starts_with("captured 5 of 12"), "{}", text(host, "status"));
        run(host, &[render(1001.0, sample.last()), press("analyze")]);
    }
    assert!(text(host, "status").starts_with("analysed 12"), "{}\n{}", text(host, "status"), host.report());
    assert!(Path::new(&text(host, "analysis")).is_file());
}

/// Renders with an edit and looks that it shows; gives the frames' pictures.
fn edited(host: &mut Session, analysis: &str) -> Vec<rna::frame::Image<rna::frame::Rgba>> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("edited.png");
    paint(analysis.as_ref(), &file);
    let script = [set("edited", file.to_str().unwrap()), render(SAMPLE.first, SAMPLE.last())];
    let outcomes = run(host, &script);
    let shown = frames(&outcomes);
    assert_eq!(shown.len(), SAMPLE.len());
    let picture = |f: &rna::host::Rendered| f.picture.clone().unwrap_or_else(|| panic!("{}", f.status));
    shown.iter().map(picture).collect()
}

fn whole_job(profile: Profile) {
    let bundle = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let mut host = session(bundle, profile.clone(), Faults::default(), &SAMPLE);
    analyse(&mut host, &profile, dir.path());
    let analysis = text(&host, "analysis");
    for (i, picture) in edited(&mut host, &analysis).iter().enumerate() {
        let changed = picture.zip(SAMPLE.picture(i), |a, b| (0..3).any(|c| (a[c] - b[c]).abs() > 0.02));
        let share = changed.pixels().iter().filter(|c| **c).count() as f64 / changed.pixels().len() as f64;
        assert!((0.01..0.5).contains(&share), "frame {i}: {share} of the pixels changed");
    }
    // The project is closed and opened again: it shows the same.
    let before = edited(&mut host, &analysis);
    run(&mut host, &[Command::Save { file: None }, Command::Restore { file: None }]);
    assert_eq!(text(&host, "analysis"), analysis);
    assert!(before == edited(&mut host, &analysis));
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn resolve() {
    whole_job(Profile::RESOLVE);
}

#[test]
fn nuke() {
    whole_job(Profile::NUKE);
}

#[test]
fn natron() {
    whole_job(Profile::NATRON);
}

#[test]
fn flame() {
    whole_job(Profile::FLAME);
}

#[test]
fn mlt_plays_back() {
    let bundle = bundle!();
    let mut host = session(bundle, Profile::MLT, Faults::default(), &SAMPLE);
    let made = &*ANALYSED;
    run(&mut host, &[create(), set("analysis", made.path.to_str().unwrap())]);
    let pictures = edited(&mut host, made.path.to_str().unwrap());
    assert!(pictures.iter().zip(0..).all(|(p, i)| p != SAMPLE.picture(i)));
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn everything_optional_may_be_absent() {
    let bundle = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let missing = [
        "OfxMessageSuite",
        "OfxProgressSuite",
        "OfxTimeLineSuite",
        "OfxInteractSuite",
        "OfxDrawSuite",
        "OfxMemorySuite",
        "OfxMultiThreadSuite",
    ];
    let faults = Faults { missing_suites: missing.map(String::from).into(), ..Faults::default() };
    let mut host = session(bundle, Profile::STRICT, faults, &SAMPLE);
    let mut script = vec![create()];
    script.extend(drawn(&SAMPLE, dir.path()));
    script.push(press("analyze"));
    run(&mut host, &script);
    // Without a bar the worker goes on behind the host's back; a second press is refused while it does.
    let mut refused = false;
    for _ in 0..600 {
        run(&mut host, &[press("analyze")]);
        let status = text(&host, "status");
        refused |= status.starts_with("already analysing");
        if status.starts_with("analysed") {
            break;
        }
        assert!(status.starts_with("already analysing"), "{status}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(refused && !text(&host, "analysis").is_empty());
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn the_users_cancel_stops_it_and_the_next_press_goes_on() {
    let bundle = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults { cancel_at: Some(0.3), ..Faults::default() };
    let mut host = session(bundle, Profile::STRICT, faults, &SAMPLE);
    let mut script = vec![create()];
    script.extend(drawn(&SAMPLE, dir.path()));
    script.push(press("analyze"));
    run(&mut host, &script);
    assert!(text(&host, "status").starts_with("cancelled"), "{}", text(&host, "status"));
    assert_eq!(text(&host, "analysis"), "");
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    run(&mut host, &script);
    assert!(text(&host, "status").starts_with("analysed"), "{}", text(&host, "status"));
}

#[test]
fn disorder_and_aborts_do_no_harm() {
    let bundle = bundle!();
    let made = &*ANALYSED;
    for seed in 0..6 {
        let faults = Faults { abort: Some(seed), disorder: Some(seed), ..Faults::default() };
        let mut host = session(bundle, Profile::NUKE, faults, &SAMPLE);
        run(
            &mut host,
            &[
                create(),
                set("analysis", made.path.to_str().unwrap()),
                set("edited", made.edited.to_str().unwrap()),
                render(SAMPLE.first, SAMPLE.last()),
            ],
        );
        let report = host.finish();
        assert!(report.is_clean(), "{report}");
    }
    for at in 0..12 {
        let faults = Faults { allocation_fails_at: Some(at), ..Faults::default() };
        let Ok(mut host) = try_session(bundle, faults) else { continue };
        // It may fail, but not fall.
        let _ = host.run(&[create(), set("analysis", made.path.to_str().unwrap()), render(1003.0, 1006.0)]);
        let report = host.finish();
        for kind in [Kind::UnreleasedImage, Kind::ReleasedTwice, Kind::GuardOverwritten, Kind::Memory] {
            assert_eq!(report.count(kind), 0, "{report}");
        }
    }
}
