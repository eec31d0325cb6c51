//! The region in the viewer.

use crate::support::*;
use rna::host::{Command, Draw, Faults, Outcome, Pen, Profile, Session};

fn loops(host: &mut Session, time: f64) -> Vec<Vec<[f64; 2]>> {
    let outcomes = run(host, &[Command::Time { time }, Command::Draw]);
    let Some(Outcome::Drawing(draws)) = outcomes.last() else { panic!("nothing drawn") };
    let shape = |d: &Draw| match d {
        Draw::Shape { primitive: 2, points } => Some(points.clone()),
        _ => None,
    };
    let mut all: Vec<_> = draws.iter().filter_map(shape).collect();
    // Every line is drawn twice: dark beneath, coloured above.
    all.dedup();
    all
}

#[test]
fn corners_are_drawn_and_followed() {
    let bundle = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let mut script = vec![create()];
    script.extend(drawn(&SAMPLE, dir.path()));
    run(&mut host, &script);
    let reference = SAMPLE.reference();
    let corners = SAMPLE.corners();
    let drawn = loops(&mut host, reference);
    assert_eq!(drawn.len(), 1);
    let near = |p: &[f64; 2], q: &[f64; 2]| (p[0] - q[0]).hypot(p[1] - q[1]) < 1e-6;
    assert!(corners.iter().all(|c| drawn[0].iter().any(|p| near(p, c))), "{:?}", drawn[0]);

    run(&mut host, &[set("analysis", ANALYSED.path.to_str().unwrap())]);
    let followed = loops(&mut host, SAMPLE.first);
    assert_eq!(followed.len(), 1);
    // Its corners lie where the sample's truth has them.
    let truth = SAMPLE.scene.truth(0);
    let height = SAMPLE.picture(0).height() as f64;
    let mut found = 0;
    for c in &corners {
        let wanted = [c[0] - 0.5, height - c[1] - 0.5];
        let at = nearest(&truth.map, wanted);
        let canonical = [at[0] + 0.5, height - (at[1] + 0.5)];
        found +=
            usize::from(followed[0].iter().any(|p| (p[0] - canonical[0]).hypot(p[1] - canonical[1]) < 1.5));
    }
    assert_eq!(found, 4, "{:?}", followed[0]);
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

/// The pixel whose position on the reference frame is nearest.
fn nearest(positions: &rna::frame::Image<rna::frame::Vec2>, wanted: [f64; 2]) -> [f64; 2] {
    let mut best = ([0.0; 2], f64::INFINITY);
    for y in 0..positions.height() {
        for (x, p) in positions.row(y).iter().enumerate() {
            let off = (f64::from(p[0]) - wanted[0]).hypot(f64::from(p[1]) - wanted[1]);
            if off < best.1 {
                best = ([x as f64, y as f64], off);
            }
        }
    }
    best.0
}

#[test]
fn polygons_are_drawn_with_the_pen() {
    let bundle = bundle!();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let reference = SAMPLE.reference();
    run(
        &mut host,
        &[create(), set("reference", reference as i64), set("shape", 1), Command::Time { time: reference }],
    );
    let click = |at: [f64; 2]| [Command::Pen { pen: Pen::Down, at }, Command::Pen { pen: Pen::Up, at }];
    for at in [[60.0, 40.0], [180.0, 44.0], [170.0, 110.0], [66.0, 104.0]] {
        let outcomes = run(&mut host, &click(at));
        assert_eq!(outcomes[0], Outcome::Taken(true));
    }
    let polygon =
        |host: &Session| -> Vec<Vec<[f64; 2]>> { serde_json::from_str(&text(host, "polygons")).unwrap() };
    assert_eq!(polygon(&host)[0].len(), 4);
    // A point is dragged; what is dragged elsewhere than on the reference frame is left to the host.
    run(
        &mut host,
        &[
            Command::Pen { pen: Pen::Down, at: [181.0, 45.0] },
            Command::Pen { pen: Pen::Motion, at: [200.0, 50.0] },
            Command::Pen { pen: Pen::Up, at: [200.0, 50.0] },
        ],
    );
    let moved = polygon(&host)[0][1];
    assert!((moved[0] * 256.0 - 200.0).abs() < 1e-6 && (moved[1] * 144.0 - 50.0).abs() < 1e-6, "{moved:?}");
    let elsewhere = [Command::Time { time: SAMPLE.first }, Command::Pen { pen: Pen::Down, at: [60.0, 40.0] }];
    assert_eq!(run(&mut host, &elsewhere)[1], Outcome::Taken(false));
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}
