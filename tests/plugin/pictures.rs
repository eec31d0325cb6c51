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

/// A picture of alpha alone has no colour to paint on: it passes through to the bit, whatever is painted, and takes the
/// matte where that is asked for, the same matte as a picture with colours.
#[test]
fn a_picture_of_alpha_alone_passes_through_or_takes_the_matte() {
    let bundle = bundle!();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let at = SAMPLE.reference() + 2.0;
    run(&mut host, &editing());
    let whole = [
        Command::Depth { depth: Depth::Float, components: Components::Rgba },
        set("matte_alpha", 1),
        render(at, at),
    ];
    let matte = frames(&run(&mut host, &whole))[0].picture.clone().unwrap();
    let alphas = |p: &Image<Rgba>| p.pixels().iter().map(|p| p[3].to_bits()).collect::<Vec<_>>();
    assert!(matte.pixels().iter().any(|p| p[3] <= 0.0) && matte.pixels().iter().any(|p| p[3] >= 1.0));
    for (depth, step) in
        [(Depth::Byte, 255.0), (Depth::Short, 65535.0), (Depth::Half, 1024.0), (Depth::Float, 1e6)]
    {
        for (negative, padding, columns, rows) in [(false, 0, 1, 1), (true, 48, 3, 4)] {
            let layout = [
                Command::Depth { depth, components: Components::Alpha },
                Command::Rows { negative, padding },
                Command::Tiles { columns, rows },
            ];
            run(&mut host, &layout);
            let picture = |host: &mut _, settings: &[Command]| {
                let commands = [settings, &[render(at, at)]].concat();
                frames(&run(host, &commands))[0].picture.clone().unwrap()
            };
            let painted = picture(&mut host, &[set("matte_alpha", 0), set("opacity", 1.0)]);
            let plain = picture(&mut host, &[set("opacity", 0.0)]);
            assert_eq!(alphas(&painted), alphas(&plain), "{depth:?} {negative}");
            let got = picture(&mut host, &[set("matte_alpha", 1)]);
            let off = worst(&got, &matte, 3..4);
            assert!(off <= 0.51 / step, "{depth:?} {negative}: {off}");
        }
    }
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

/// The footage's noise lies on the paint, or not, as the user likes.
#[test]
fn grain_lies_on_the_edit_as_the_user_likes() {
    let bundle = bundle!();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let at = SAMPLE.reference() + 2.0;
    run(&mut host, &editing());
    let mut picture = |grain: f64| {
        frames(&run(&mut host, &[set("grain", grain), render(at, at)]))[0].picture.clone().unwrap()
    };
    let (clean, grainy) = (picture(0.0), picture(1.0));
    let off = worst(&clean, &grainy, 0..3);
    assert!(off > 1.5 / 255.0 && off < 0.1, "{off}");
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
