//! The optional inputs: a region as a picture, and the edited atlas as another effect's picture.

use crate::support::*;
use rna::Result;
use rna::frame::{Image, Rect, Rgba};
use rna::host::{Clips, Command, Faults, Frames, Profile, Session};
use rna::roi::coverage;
use std::sync::Arc;

/// One picture at all times.
struct Still(Image<Rgba>, (f64, f64));

impl Frames for Still {
    fn size(&self) -> (usize, usize) {
        self.0.size()
    }

    fn range(&self) -> (f64, f64) {
        self.1
    }

    fn frame(&self, _time: f64) -> Result<Image<Rgba>> {
        Ok(self.0.clone())
    }
}

/// A host in which the named input is plugged in too.
fn with_input(bundle: &rna::host::Bundle, name: &str, picture: Image<Rgba>) -> Session {
    let source: Arc<dyn Frames> = Arc::<Sample>::clone(&SAMPLE);
    let still: Arc<dyn Frames> = Arc::new(Still(picture, SAMPLE.range()));
    let clips = Clips::from([("Source".to_string(), source), (name.to_string(), still)]);
    Session::new(bundle, Profile::STRICT, Faults::default(), clips).unwrap()
}

#[test]
fn a_matte_is_the_region() {
    use rna::atlas::Analysis;
    let bundle = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let polygon = SAMPLE.scene.roi().polygons[0].clone();
    let (w, h) = SAMPLE.size();
    let window = Rect::new(0, 0, w as i32, h as i32);
    let matte = coverage(&polygon, window);
    // Opaque: brightness says what the region is; else alpha does.
    for picture in [matte.map(|k| [*k, *k, *k, 1.0]), matte.map(|k| [0.5, 0.2, 0.1, *k])] {
        let mut host = with_input(bundle, "ROI", picture);
        let mut script = vec![create()];
        script.extend(drawn(&SAMPLE, dir.path()));
        // The corners are elsewhere and must not matter.
        script.extend((1..=4).map(|i| set(&format!("corner{i}"), vec![1.0, 1.0])));
        script.extend([set("shape", 2), press("analyze")]);
        run(&mut host, &script);
        let status = text(&host, "status");
        assert!(status.starts_with("analysed"), "{status}\n{}", host.report());
        let made = rna::store::open(text(&host, "analysis").as_ref()).unwrap();
        let again = coverage(&made.header().roi.polygons[0], window);
        let off: f32 = matte.zip(&again, |a, b| (a - b).abs()).pixels().iter().sum();
        let area: f32 = matte.pixels().iter().sum();
        assert!(off < 0.02 * area, "{off} of {area} pixels differ");
        let report = host.finish();
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn a_picture_from_another_effect_is_the_edit() {
    let bundle = bundle!();
    let made = &*ANALYSED;
    let edited = rna::frame::io::read_picture(&made.edited).unwrap().pixels;
    let mut host = with_input(bundle, "Atlas", edited);
    let script = [
        create(),
        Command::Depth { depth: rna::host::Depth::Float, components: rna::host::Components::Rgba },
        set("analysis", made.path.to_str().unwrap()),
        render(SAMPLE.first, SAMPLE.last()),
        Command::Connect { clip: "Atlas".into(), source: None },
        set("edited", made.edited.to_str().unwrap()),
        render(SAMPLE.first, SAMPLE.last()),
    ];
    let outcomes = run(&mut host, &script);
    for (a, b) in outcomes[3].frames().iter().zip(outcomes[6].frames()) {
        let (a, b) = (a.picture.as_ref().unwrap(), b.picture.as_ref().unwrap());
        let off = a.zip(b, |a, b| (0..3).map(|c| (a[c] - b[c]).abs()).fold(0.0, f32::max));
        let worst = off.pixels().iter().copied().fold(0.0, f32::max);
        assert!(worst < 1e-3, "the input and the file differ by {worst}");
    }
    assert!(outcomes[3].frames()[3].picture.as_ref().unwrap() != SAMPLE.picture(3));
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn the_matte_goes_into_alpha() {
    let bundle = bundle!();
    let mut host = session(bundle, Profile::STRICT, Faults::default(), &SAMPLE);
    let at = SAMPLE.reference();
    let outcomes = run(
        &mut host,
        &[
            create(),
            set("analysis", ANALYSED.path.to_str().unwrap()),
            set("matte_alpha", true),
            render(at, at),
        ],
    );
    let picture = outcomes[3].frames()[0].picture.as_ref().unwrap();
    let polygon = &SAMPLE.scene.roi().polygons[0];
    let (w, h) = picture.size();
    let inside = coverage(polygon, Rect::new(0, 0, w as i32, h as i32));
    let (mut shown, mut beyond) = (0.0f32, 0.0f32);
    for (p, k) in picture.pixels().iter().zip(inside.pixels()) {
        shown += p[3] * k;
        beyond = if *k == 0.0 { beyond.max(p[3]) } else { beyond };
    }
    assert!(shown > 0.8 * inside.pixels().iter().sum::<f32>(), "{shown}");
    assert!(beyond < 0.6, "{beyond}");
    let plain = picture.zip(SAMPLE.picture(SAMPLE.scene.roi().reference_frame), |a, b| a[..3] == b[..3]);
    assert!(plain.pixels().iter().all(|same| *same), "colours changed");
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}
