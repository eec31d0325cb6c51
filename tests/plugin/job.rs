//! The whole job: region, capture, Analyze, export, edit, render.

use crate::support::*;
use rna::atlas::Analysis;
use rna::host::{Faults, Profile};

#[test]
fn the_whole_job_gives_what_the_command_line_gives() {
    let bundle = bundle!();
    let dir = tempfile::tempdir().unwrap();
    let sample = &*SAMPLE;
    let mut host = session(bundle, Profile::STRICT, Faults::default(), sample);
    let mut script = vec![
        rna::host::Command::Depth { depth: rna::host::Depth::Byte, components: rna::host::Components::Rgba },
        create(),
    ];
    script.extend(drawn(sample, dir.path()));
    script.push(press("analyze"));
    run(&mut host, &script);
    let path = text(&host, "analysis");
    assert!(!path.is_empty(), "{}\n{}", text(&host, "status"), host.report());
    assert!(text(&host, "status").starts_with("analysed 12 frames"), "{}", text(&host, "status"));

    // Nothing but the analysis is left in the folder.
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");

    // The same frames from files, with the same region, give the same analysis.
    let made = rna::store::open(path.as_ref()).unwrap();
    assert_eq!(made.header().first_frame, 1001);
    let files = dir.path().join("files");
    sample.write(&files);
    let job = rna::engine::Job {
        clip: files,
        roi: made.header().roi.clone(),
        output: dir.path().join("own.rna"),
        settings: rna::param::AnalysisSettings::from_values(&made.header().settings).unwrap(),
        first_frame: 1001,
    };
    rna::engine::analyze(&job, &rna::progress::Progress::silent()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&job.output).unwrap());

    // Export, paint, link: the frames are the renderer's own, bit for bit.
    let atlas = dir.path().join("atlas.png");
    let edited = dir.path().join("edited.png");
    run(&mut host, &[set("atlas_file", atlas.to_str().unwrap()), press("export_atlas")]);
    assert!(atlas.exists() && atlas.with_extension("json").exists(), "{}", text(&host, "status"));
    paint(path.as_ref(), &edited);
    let outcomes = run(&mut host, &[set("edited", edited.to_str().unwrap()), render(1001.0, sample.last())]);
    let open = std::sync::Arc::new(made);
    let edit = rna::render::read_edit(open.as_ref(), &edited, rna::render::EditKind::Auto, None).unwrap();
    let settings = rna::param::RenderSettings::from_values(&Default::default()).unwrap();
    let renderer = rna::render::Renderer::new(open, Some(edit.into()), settings).unwrap();
    let shown = frames(&outcomes);
    assert_eq!(shown.len(), sample.len());
    for (i, frame) in shown.iter().enumerate() {
        let input = sample.picture(i);
        let wanted = renderer.frame(i, input, input.bounds()).unwrap();
        let wanted = wanted.map(|p| p.map(|v| (v.clamp(0.0, 1.0) * 255.0).round() / 255.0));
        let picture = frame.picture.as_ref().unwrap_or_else(|| panic!("{}", frame.status));
        assert!(*picture == wanted, "frame {i} differs");
        assert!(*picture != *input, "frame {i} shows no edit");
    }
    let report = host.finish();
    assert!(report.is_clean(), "{report}");
}
