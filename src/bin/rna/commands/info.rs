//! `rna info`: what an analysis holds and how well it fits.

use super::path;
use crate::console::Console;
use clap::ArgMatches;
use rna::atlas::{Analysis, Header, Quality};
use rna::{Result, store};
use std::fmt::Write;

/// Prints the header in words, or whole with `--json`.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let analysis = store::open(path(matches, "analysis"))?;
    console.result(analysis.header(), &text(&analysis));
    Ok(())
}

fn text(analysis: &dyn Analysis) -> String {
    let h = analysis.header();
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "made by      {}", h.made_by);
    let _ = writeln!(out, "clip         {}×{}, {} frames", h.size[0], h.size[1], h.frames);
    let _ = writeln!(out, "reference    frame {}", h.roi.reference_frame);
    let _ = writeln!(out, "worked at    {}×{}", h.working_size[0], h.working_size[1]);
    let _ = writeln!(out, "shutter      {}", h.shutter);
    for (id, value) in &h.settings {
        let _ = writeln!(out, "{id:<12} {value}");
    }
    for (k, surface) in analysis.surfaces().iter().enumerate() {
        let p = &surface.placement;
        let _ = writeln!(
            out,
            "\nregion {}: atlas {}×{}, {:.2} pixels to a reference pixel",
            k + 1,
            p.size[0],
            p.size[1],
            p.scale
        );
        let _ = writeln!(out, "frame  visible    PSNR  confidence");
        for (t, q) in h.quality[k].iter().enumerate() {
            let _ = writeln!(out, "{t:5}  {:6.1}%  {:6.1}  {:.2}", 100.0 * q.visible, q.psnr, q.confidence);
        }
        let _ = writeln!(out, "{}", means(h, &h.quality[k]));
    }
    out
}

/// The two figures of the region's fit: on the reference frame, and over the visible pixels of all frames.
fn means(header: &Header, quality: &[Quality]) -> String {
    let error = |q: &Quality| 10f64.powf(-f64::from(q.psnr) / 10.0);
    let seen = quality.iter().filter(|q| q.psnr > 0.0);
    let (sum, weight) = seen.fold((0.0, 0.0), |(s, w), q| {
        let v = f64::from(q.visible);
        (s + v * error(q), w + v)
    });
    let all = if weight > 0.0 { -10.0 * (sum / weight).log10() } else { 0.0 };
    let reference = quality.get(header.roi.reference_frame).map_or(0.0, |q| q.psnr);
    format!(
        "PSNR of light × atlas: {reference:.1} dB on the reference frame, {all:.1} dB over visible pixels of all"
    )
}
