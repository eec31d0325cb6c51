//! What goes wrong around the plugin: files gone, clips exchanged, workers and hosts killed.

use crate::support::*;
use rna::frame::{Image, Rgba};
use rna::host::{Command, Faults, Profile, Session};
use std::sync::Arc;

fn passes_through(host: &mut Session, at: f64, sample: &Sample, words: &[&str]) {
    let outcomes = run(host, &[render(at, at)]);
    let picture = frames(&outcomes)[0].picture.as_ref().unwrap();
    assert!(*picture == *sample.picture((at - sample.first) as usize), "frame {at} is not as it came");
    let standing = host.report().standing.unwrap_or_else(|| panic!("no message for {words:?}"));
    for word in words {
        assert!(standing.text.contains(word), "'{word}' is not in: {}", standing.text);
    }
}

#[test]
fn what_cannot_be_shown_passes_through_with_one_message_that_goes_again() {
    let bundle = bundle!();
    let made = &*ANALYSED;
    let longer = Arc::new(Sample::new((256, 144), 16, 1001.0));
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &longer);
    let edited = set("edited", made.edited.to_str().unwrap());
    run(&mut host, &[create(), set("analysis", made.path.to_str().unwrap()), edited.clone()]);
    passes_through(&mut host, 1015.0, &longer, &["1015", "1001 to 1012", "Analyze"]);
    passes_through(&mut host, 1016.0, &longer, &["1016"]);
    let outcomes = run(&mut host, &[render(1003.0, 1003.0)]);
    assert!(frames(&outcomes)[0].picture.as_ref().unwrap() != longer.picture(2));
    assert!(host.report().standing.is_none(), "the message stays though its cause is gone");

    run(&mut host, &[set("edited", "/nowhere/edited.png")]);
    passes_through(&mut host, 1003.0, &longer, &["cannot read", "/nowhere/edited.png"]);
    passes_through(&mut host, 1004.0, &longer, &["/nowhere/edited.png"]);
    let posted = host.report().messages.iter().filter(|m| m.text.contains("nowhere")).count();
    assert_eq!(posted, 1, "the same message is posted once");
    run(&mut host, &[set("analysis", made.edited.to_str().unwrap()), edited]);
    passes_through(&mut host, 1003.0, &longer, &["as an analysis"]);
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn another_clip_is_noticed() {
    let bundle = bundle!();
    let other = Arc::new(Sample::new((320, 240), 12, 1001.0));
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &other);
    run(
        &mut host,
        &[
            create(),
            set("analysis", ANALYSED.path.to_str().unwrap()),
            set("edited", ANALYSED.edited.to_str().unwrap()),
        ],
    );
    passes_through(&mut host, 1003.0, &other, &["320×240", "256×144"]);
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn another_clip_of_the_same_size_is_noticed() {
    let bundle = bundle!();
    let other = Arc::new(Sample::of_seed(99));
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &other);
    run(
        &mut host,
        &[
            create(),
            set("analysis", ANALYSED.path.to_str().unwrap()),
            set("edited", ANALYSED.edited.to_str().unwrap()),
        ],
    );
    passes_through(&mut host, 1003.0, &other, &["does not look like"]);
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn wrong_wishes_are_answered_before_frames_are_read() {
    let bundle = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let mut script = vec![create()];
    script.extend(drawn(&SAMPLE, dir.path()));
    run(&mut host, &script);
    let mut refused = |commands: &[Command], words: &[&str]| {
        run(&mut host, commands);
        run(&mut host, &[press("analyze")]);
        let status = text(&host, "status");
        assert!(words.iter().all(|w| status.contains(w)), "{words:?} in: {status}");
    };
    refused(&[set("reference", 7)], &["7", "1001 to 1012", "Use current frame"]);
    refused(
        &[
            Command::Time { time: 1004.0 },
            press("use_current"),
            set("range", 1),
            set("first", 990),
            set("last", 1005),
        ],
        &["990 to 1005", "1001 to 1012"],
    );
    refused(&[set("range", 0), set("preset", 1), set("shape", 2)], &["ROI input"]);
    refused(&[set("shape", 1)], &["no region is drawn"]);
    run(&mut host, &[press("export_atlas")]);
    assert!(text(&host, "status").contains("press Analyze first"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_network_that_is_not_there_is_said_and_what_did_the_work() {
    let bundle = bundle!();
    let (dir, models) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let mut script = vec![create()];
    script.extend(drawn(&SAMPLE, dir.path()));
    script.extend([set("models", models.path().to_str().unwrap()), set("flow", 2), press("analyze")]);
    run(&mut host, &script);
    let status = text(&host, "status");
    assert!(status.contains("setting flow") && status.contains("no model for optical flow"), "{status}");
    run(&mut host, &[set("flow", 1), set("matting", 1), press("analyze")]);
    let status = text(&host, "status");
    assert!(status.contains("flow builtin, matting builtin"), "{status}");
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn proxies_show_the_edit_smaller() {
    let bundle = bundle!();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let at = SAMPLE.reference() + 1.0;
    let outcomes = run(
        &mut host,
        &[
            create(),
            set("analysis", ANALYSED.path.to_str().unwrap()),
            set("edited", ANALYSED.edited.to_str().unwrap()),
            render(at, at),
            Command::Scale { x: 0.5, y: 0.5 },
            render(at, at),
        ],
    );
    let full = outcomes[3].frames()[0].picture.clone().unwrap();
    let half = outcomes[5].frames()[0].picture.clone().unwrap();
    assert_eq!(half.size(), (128, 72));
    let mean = |x: usize, y: usize| -> Rgba {
        std::array::from_fn(|c| {
            [(0, 0), (1, 0), (0, 1), (1, 1)].iter().map(|(i, j)| full[(2 * x + i, 2 * y + j)][c]).sum::<f32>()
                / 4.0
        })
    };
    let reduced = Image::from_fn(128, 72, mean);
    let off = reduced.zip(&half, |a, b| (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f32>() / 3.0);
    let off = (off.pixels().iter().sum::<f32>() / off.pixels().len() as f32).sqrt();
    assert!(off < 0.03, "root mean square {off}");
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

fn stir(param: &str, values: &[f64]) -> Command {
    let values = values.iter().map(|v| serde_json::json!(v)).collect();
    Command::Stir { param: param.into(), values }
}

/// Renders on eight threads that share everything, while parameters change under them and from range to range: a
/// thousand, or with `RNA_LONG` ten thousand.
#[test]
fn many_renders_at_once_do_no_harm() {
    let bundle = bundle!();
    let made = &*ANALYSED;
    let rounds = if std::env::var_os("RNA_LONG").is_some() { 210 } else { 21 };
    let mut host = session(bundle, Profile::NUKE, Faults::default(), &SAMPLE);
    run(
        &mut host,
        &[
            create(),
            Command::Threads { count: 8 },
            set("analysis", made.path.to_str().unwrap()),
            set("edited", made.edited.to_str().unwrap()),
            stir("opacity", &[0.1, 0.9, 0.5]),
            stir("soften", &[0.0, 3.0]),
            stir("grow", &[-2.0, 0.0, 2.0]),
        ],
    );
    for round in 0..rounds {
        let outcomes =
            run(&mut host, &[set("view", round % 3), press("reload"), render(SAMPLE.first, SAMPLE.last())]);
        assert!(frames(&outcomes).iter().all(|f| f.picture.is_some()));
    }
    let calls = host.report().called("OfxImageEffectActionRender");
    println!("{calls} renders");
    assert!(calls >= 1000);
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

/// The worker of an analysis going into `folder`, found by its command line.
#[cfg(target_os = "linux")]
fn worker_in(folder: &std::path::Path) -> Option<u32> {
    let wanted = folder.to_str().unwrap().as_bytes();
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let has = |part: &[u8]| line.windows(part.len()).any(|w| w == part);
        (has(b"--job") && has(wanted)).then_some(pid)
    })
}

#[cfg(target_os = "linux")]
fn kill(pid: u32) {
    // By the shell, which every machine has; a process that is gone already needs no killing.
    let line = format!("kill -9 {pid} 2>/dev/null");
    let _ = std::process::Command::new("sh").args(["-c", &line]).status();
}

/// The worker is killed at twenty moments; every time there is a message, and the next press goes on to the end.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_worker_loses_nothing() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;
    let bundle = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let mut script = vec![create()];
    script.extend(drawn(&SAMPLE, dir.path()));
    run(&mut host, &script);
    let mut killed = 0;
    for moment in 0..20u64 {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let killer = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    if let Some(pid) = worker_in(dir.path()) {
                        // Spread over the work, in no order.
                        std::thread::sleep(Duration::from_millis((moment * 37) % 20 * 40));
                        kill(pid);
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
            run(&mut host, &[press("analyze")]);
            over.store(true, Ordering::Relaxed);
            killer.join().unwrap();
        });
        let status = text(&host, "status");
        if status.starts_with("analysed") {
            // It was through before the kill: start anew, elsewhere.
            std::fs::remove_file(text(&host, "analysis")).unwrap();
        } else {
            assert!(status.contains("stopped before it was through") && status.contains("log"), "{status}");
            killed += 1;
        }
    }
    assert!(killed >= 10, "only {killed} kills hit");
    run(&mut host, &[press("analyze")]);
    assert!(text(&host, "status").starts_with("analysed"), "{}", text(&host, "status"));
    rna::store::open(text(&host, "analysis").as_ref()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the analysis alone is left");
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

/// The host is killed while it captures and while it takes the analysis over; the next one finishes the job.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_host_loses_nothing() {
    use std::process::{Command as Program, Stdio};
    let _ = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let clip = dir.path().join("frames");
    SAMPLE.write(&clip);
    let analyses = dir.path().join("analyses");
    let mut script = vec![
        serde_json::json!({"do": "create"}),
        serde_json::json!({"do": "set", "param": "reference", "value": SAMPLE.scene.roi().reference_frame}),
        serde_json::json!({"do": "set", "param": "preset", "value": 1}),
        serde_json::json!({"do": "set", "param": "folder", "value": analyses}),
    ];
    for (i, p) in SAMPLE.corners().iter().enumerate() {
        script.push(serde_json::json!({"do": "set", "param": format!("corner{}", i + 1), "value": p}));
    }
    script.push(serde_json::json!({"do": "press", "param": "analyze"}));
    let file = dir.path().join("script.json");
    std::fs::write(&file, serde_json::to_string(&script).unwrap()).unwrap();
    let start = || {
        let mut host = Program::new(env!("CARGO_BIN_EXE_rna"));
        host.arg("host").arg(&file).arg("--bundle").arg(std::env::var_os("RNA_BUNDLE").unwrap());
        host.arg("--clip").arg(&clip).stdout(Stdio::null()).stderr(Stdio::null());
        host.spawn().unwrap()
    };
    let made = || {
        let entries = std::fs::read_dir(&analyses).into_iter().flatten().flatten();
        entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "rna")).collect::<Vec<_>>()
    };
    // In the capture, around the worker's start, in its work, and about when its result is taken over.
    for milliseconds in [20, 60, 120, 250, 500, 1000, 1500, 2000, 2500] {
        let mut host = start();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        let _ = host.kill();
        host.wait().unwrap();
        // Whatever is there under its final name is whole.
        made().iter().for_each(|p| drop(rna::store::open(p).unwrap()));
        // A worker left alone finishes by itself; one that still writes is waited for, as a user would.
        while worker_in(dir.path()).is_some() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    assert!(start().wait().unwrap().success());
    let made = made();
    assert_eq!(made.len(), 1, "the same work has the same name: {made:?}");
    rna::store::open(&made[0]).unwrap();
}
