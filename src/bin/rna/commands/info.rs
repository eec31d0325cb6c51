//! `rna info`: what an analysis holds and how well it fits.

use super::path;
use crate::console::Console;
use clap::ArgMatches;
use rna::atlas::{Analysis, Header, Quality, Surface};
use rna::correction::Corrections;
use rna::{Error, Result, store};
use serde_json::json;
use std::fmt::Write;

/// Prints the header in words, or whole with `--json`.
pub(crate) fn run(matches: &ArgMatches, console: &Console) -> Result<()> {
    let file = path(matches, "analysis");
    let analysis = store::open(file)?;
    let (header, surfaces) = (analysis.header(), analysis.surfaces());
    let mut value = serde_json::to_value(header).map_err(|e| Error::store(file, e.to_string()))?;
    value["surfaces"] = surfaces.iter().map(|s| json!(s.placement)).collect();
    console.result(&value, &describe(header, surfaces));
    Ok(())
}

fn describe(header: &Header, surfaces: &[Surface]) -> String {
    let ([w, h], [ww, wh]) = (header.size, header.working_size);
    let mut text = format!(
        "clip      {w}×{h} pixels, {} frames, the first numbered {}, worked at {ww}×{wh}\n\
         reference frame {}\nmade by   {}\n",
        header.frames, header.first_frame, header.roi.reference_frame, header.made_by
    );
    let settings = header.settings.iter().filter(|(_, v)| !v.is_empty());
    let settings: Vec<_> = settings.map(|(k, v)| format!("{k} {v}")).collect();
    let _ = writeln!(text, "settings  {}", settings.join(", "));
    let engines: Vec<_> = header.engines.iter().map(|(k, v)| format!("{k} {v}")).collect();
    let _ = writeln!(text, "engines   {}", engines.join(", "));
    let _ = writeln!(text, "camera    {}", camera(header));
    if !header.corrections.is_empty() {
        let _ = writeln!(text, "corrected {}", corrected(&header.corrections));
    }
    for (k, surface) in surfaces.iter().enumerate() {
        let (p, quality) = (&surface.placement, header.quality.get(k).map_or(&[][..], Vec::as_slice));
        let _ = writeln!(
            text,
            "region {}  atlas {}×{} pixels, {:.2} to a pixel of the reference frame",
            k + 1,
            p.size[0],
            p.size[1],
            p.scale
        );
        let _ = writeln!(text, "  fit     {}", fit(quality));
    }
    text
}

fn camera(header: &Header) -> String {
    let mut text = match header.shutter {
        0.0 => "no motion blur".to_owned(),
        open => format!("shutter open for {open:.2} of a frame"),
    };
    let short: Vec<_> = header.short_exposures.keys().map(usize::to_string).collect();
    if !short.is_empty() {
        let _ = write!(text, ", shorter in frames {}", short.join(", "));
    }
    if header.pixel_aperture < 1.0 {
        let _ = write!(text, "; pixels average {:.2} of their side", header.pixel_aperture);
    }
    if header.grain > 0.0 {
        let _ = write!(text, "; grain of {:.1} levels of 255", 255.0 * header.grain);
    }
    if let Some(ceiling) = header.ceiling {
        let _ = write!(text, "; nothing brighter than {ceiling}");
    }
    text
}

fn corrected(corrections: &Corrections) -> String {
    let keys =
        corrections.keys.iter().map(|k| format!("key on frame {} for region {}", k.frame, k.region + 1));
    let rotos =
        corrections.rotos.iter().map(|r| format!("drawn on frames {} to {}", r.frames[0], r.frames[1]));
    keys.chain(rotos).collect::<Vec<_>>().join(", ")
}

fn fit(quality: &[Quality]) -> String {
    let seen: Vec<f32> = quality.iter().map(|q| q.psnr).filter(|p| *p > 0.0).collect();
    let mean = seen.iter().sum::<f32>() / seen.len().max(1) as f32;
    let least = seen.iter().copied().fold(f32::INFINITY, f32::min);
    let mut text = if seen.is_empty() {
        "the surface is seen in no frame".to_string()
    } else {
        format!("{mean:.1} dB in the mean, {least:.1} dB at worst")
    };
    let doubtful: Vec<_> =
        (0..quality.len()).filter(|&i| quality[i].is_doubtful()).map(|i| i.to_string()).collect();
    if !doubtful.is_empty() {
        let _ = write!(text, "; look at frames {}", doubtful.join(", "));
    }
    text
}
