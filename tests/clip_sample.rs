//! The generated clip: its truth must explain its frames.

use rna::clip::sample::{self, Occluder, Scene, SceneOptions};
use rna::progress::Progress;

#[test]
#[ignore = "writes the full sample for looking at: SAMPLE_DIR=… cargo test -- --ignored"]
fn write_for_looking() {
    let dir = std::env::var("SAMPLE_DIR").expect("SAMPLE_DIR");
    let start = std::time::Instant::now();
    let scene = Scene::new(SceneOptions { cloth: 0.0, occluder: Occluder::Both, ..SceneOptions::default() });
    println!("painted in {:?}, reference {}", start.elapsed(), scene.roi().reference_frame);
    sample::write(std::path::Path::new(&dir), &scene, &Progress::silent()).unwrap();
    println!("written in {:?}", start.elapsed());
}
