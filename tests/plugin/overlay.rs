//! The region in the viewer.

use crate::support::*;
use rna::atlas::Analysis;
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

/// A corner is dragged on a frame where it is wrong, shapes are drawn there, and the next Analyze takes them in.
#[test]
fn corrections_are_drawn_and_taken_in() {
    let bundle = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let mut script = vec![create()];
    script.extend(drawn(&SAMPLE, dir.path()));
    script.extend([press("analyze"), set("tool", 1), set("within", 0.0)]);
    run(&mut host, &script);
    let plain = text(&host, "analysis");
    assert!(plain.ends_with(".rna"), "{}", text(&host, "status"));

    let frame = SAMPLE.last() - 2.0;
    let found = loops(&mut host, frame);
    // The outline found, then a handle for each of its corners.
    assert_eq!(found.len(), 5, "{found:?}");
    let middle = |square: &Vec<[f64; 2]>| [0, 1].map(|c| square.iter().map(|p| p[c]).sum::<f64>() / 4.0);
    let corner = middle(&found[1]);
    let wanted = [corner[0] + 5.0, corner[1] - 4.0];
    let drag = |from: [f64; 2], to: [f64; 2]| {
        [(Pen::Down, from), (Pen::Motion, to), (Pen::Up, to)].map(|(pen, at)| Command::Pen { pen, at })
    };
    assert_eq!(run(&mut host, &drag(corner, wanted))[0], Outcome::Taken(true));
    let keyed = loops(&mut host, frame);
    let near = |p: [f64; 2], q: [f64; 2]| (p[0] - q[0]).hypot(p[1] - q[1]) < 1e-3;
    assert!(near(keyed[0][0], wanted) && near(keyed[0][1], middle(&found[2])), "{:?}", keyed[0]);

    run(&mut host, &[press("analyze")]);
    let status = text(&host, "status");
    let mended = text(&host, "analysis");
    assert!(mended != plain && status.contains("1 corrections taken in"), "{status}");
    let open = rna::store::open(mended.as_ref()).unwrap();
    let index = (frame - SAMPLE.first) as usize;
    let on = open.header().roi.polygons[0][0].map(|v| v as f32);
    let at = open.layer(0, index).unwrap().locate(on, open.header().map_step).unwrap();
    let height = SAMPLE.picture(0).height() as f64;
    let canonical = [f64::from(at[0]) + 0.5, height - (f64::from(at[1]) + 0.5)];
    assert!((canonical[0] - wanted[0]).hypot(canonical[1] - wanted[1]) < 0.3, "{canonical:?} {wanted:?}");

    // A shape around something in front, then all of it taken back: the plain analysis is found again.
    run(&mut host, &[set("tool", 2)]);
    let centre = [corner[0].midpoint(middle(&found[3])[0]), corner[1].midpoint(middle(&found[3])[1])];
    for [x, y] in [[-8.0, -8.0], [8.0, -8.0], [0.0, 9.0]] {
        let at = [centre[0] + x, centre[1] + y];
        assert_eq!(run(&mut host, &drag(at, at))[0], Outcome::Taken(true));
    }
    run(&mut host, &[press("analyze")]);
    let hidden = rna::store::open(text(&host, "analysis").as_ref()).unwrap();
    assert_eq!(hidden.header().corrections.rotos.len(), 1, "{}", text(&host, "status"));
    let pixel = [centre[0] as usize, (height - centre[1]) as usize];
    assert_eq!(hidden.layer(0, index).unwrap().mask[(pixel[0], pixel[1])], 0);
    // What is wrong with a key is told before frames are read: it lies outside the range.
    let far = r#"{"keys":[{"frame":7,"region":0,"corners":[[0,[0.5,0.5]]]}]}"#;
    let kept = text(&host, "corrections");
    run(&mut host, &[set("corrections", far), press("analyze")]);
    assert!(text(&host, "status").contains("the key on frame 7"), "{}", text(&host, "status"));
    run(&mut host, &[set("corrections", kept)]);
    run(&mut host, &[press("clear_frame"), press("analyze")]);
    assert_eq!((text(&host, "analysis"), text(&host, "corrections")), (plain, String::new()));
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}
