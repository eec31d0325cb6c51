//! The same picture whatever pixels, rows, tiles and threads the host uses.

use crate::support::*;
use rna::frame::{Image, Rgba};
use rna::host::{Command, Components, Depth, Faults, Profile};

/// An instance that shows the edit.
fn editing() -> Vec<Command> {
    let made = &*ANALYSED;
    vec![create(), set("analysis", made.path.to_str().unwrap()), set("edited", made.edited.to_str().unwrap())]
}

fn worst(a: &Image<Rgba>, b: &Image<Rgba>, channels: std::ops::Range<usize>) -> f32 {
    let off = a.zip(b, |a, b| channels.clone().map(|c| (a[c] - b[c]).abs()).fold(0.0, f32::max));
    off.pixels().iter().copied().fold(0.0, f32::max)
}

#[test]
fn every_depth_layout_and_tiling_gives_the_same_picture() {
    let bundle = bundle!();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let at = SAMPLE.reference() + 2.0;
    run(&mut host, &editing());
    let outcomes = run(
        &mut host,
        &[Command::Depth { depth: Depth::Float, components: Components::Rgba }, render(at, at)],
    );
    // Integers end at white.
    let white = |p: &Rgba| p.map(|v| v.clamp(0.0, 1.0));
    let wanted = frames(&outcomes)[0].picture.as_ref().unwrap().map(white);
    for (depth, step) in
        [(Depth::Byte, 255.0), (Depth::Short, 65535.0), (Depth::Half, 1024.0), (Depth::Float, 1e6)]
    {
        for components in [Components::Rgba, Components::Rgb] {
            for (negative, padding) in [(false, 0), (true, 48)] {
                for (columns, rows) in [(1, 1), (3, 4)] {
                    let outcomes = run(
                        &mut host,
                        &[
                            Command::Depth { depth, components },
                            Command::Rows { negative, padding },
                            Command::Tiles { columns, rows },
                            Command::Threads { count: if rows > 1 { 4 } else { 1 } },
                            render(at, at),
                        ],
                    );
                    let frame = &frames(&outcomes)[0];
                    let picture = frame.picture.as_ref().unwrap_or_else(|| panic!("{}", frame.status));
                    let off = worst(&picture.map(white), &wanted, 0..3);
                    assert!(
                        off <= 0.51 / step,
                        "{depth:?} {components:?} {negative} {columns}×{rows}: {off}"
                    );
                }
            }
        }
    }
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn without_an_edit_nothing_is_touched() {
    let bundle = bundle!();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let at = SAMPLE.reference();
    let outcomes =
        run(&mut host, &[create(), set("analysis", ANALYSED.path.to_str().unwrap()), render(at, at)]);
    assert_eq!(frames(&outcomes)[0].identity, Some(("Source".to_string(), at)));
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}
