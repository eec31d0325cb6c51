//! Hosts as they are: what each forbids and breaks, and faults to bring about on purpose.

use super::image::{Components, Depth, Format};
use crate::error::{Error, Result};
use crate::frame::Encoding;
use crate::openfx::*;
use serde::{Deserialize, Serialize};

/// Which frames a button's action may fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buttons {
    /// Any frame.
    All,
    /// The frame the playhead is on; of others there is none.
    Current,
}

/// What a frame beyond the clip's range is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// There is none.
    Nothing,
    /// The nearest one there is.
    Nearest,
    /// The frame being rendered, whatever time is asked for, inside the range too.
    Current,
}

/// When a render happens in an instance of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    /// Never: the instance the user works with renders.
    Never,
    /// For every range: another process made it from saved values.
    Range,
    /// For every frame, the plugin loaded anew each time.
    Frame,
}

/// How a host behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name here.
    pub name: &'static str,
    /// What it calls itself to the plugin.
    pub identity: &'static str,
    /// Version of the interface it claims.
    pub api: [i32; 2],
    /// Contexts, the preferred first.
    pub contexts: &'static [&'static [u8]],
    /// Pixel formats, the preferred first.
    pub formats: &'static [Format],
    /// How it hands colours over; what a plugin renders is turned back.
    pub encoding: Encoding,
    /// Rows stored top down, so that the stride is negative.
    pub negative_rows: bool,
    /// Bytes after each row.
    pub padding: usize,
    /// Whether it renders in tiles.
    pub tiles: bool,
    /// Threads that render at once, and that the multi-thread suite has.
    pub threads: u32,
    /// Which frames a button's action may fetch.
    pub buttons: Buttons,
    /// What a frame beyond the range is.
    pub beyond: Beyond,
    /// Whether it asks for the region of definition.
    pub asks_definition: bool,
    /// Whether it tells of changed parameters.
    pub tells_changes: bool,
    /// Whether `paramCopy` does anything.
    pub copies: bool,
    /// Unconnected clips claim to be connected, and give null images with a good status.
    pub claims_connected: bool,
    /// Whether a plugin may write parameters while it renders.
    pub writes_in_render: bool,
    /// Whether a plugin may write parameters while it is created.
    pub writes_in_create: bool,
    /// Menus, labels and what was described secret stay as described.
    pub fixed_looks: bool,
    /// When a render happens in an instance of its own.
    pub fresh: Fresh,
    /// Whether it shows overlays.
    pub overlays: bool,
    /// Whether overlays may draw through the draw suite.
    pub draws: bool,
}

const FLOAT: Format = Format { depth: Depth::Float, components: Components::Rgba };
const HALF: Format = Format { depth: Depth::Half, components: Components::Rgba };
const BYTE: Format = Format { depth: Depth::Byte, components: Components::Rgba };
const SHORT: Format = Format { depth: Depth::Short, components: Components::Rgba };
const ALL: &[Format] = &[FLOAT, HALF, SHORT, BYTE];

const FILTER_FIRST: &[&[u8]] = &[kOfxImageEffectContextFilter, kOfxImageEffectContextGeneral];
const GENERAL_FIRST: &[&[u8]] = &[kOfxImageEffectContextGeneral, kOfxImageEffectContextFilter];

impl Profile {
    /// The standard to the letter, with everything allowed that it allows.
    pub const STRICT: Profile = Profile {
        name: "strict",
        identity: "rna.host",
        api: [1, 4],
        contexts: GENERAL_FIRST,
        formats: ALL,
        encoding: Encoding::Display,
        negative_rows: false,
        padding: 0,
        tiles: true,
        threads: 1,
        buttons: Buttons::All,
        beyond: Beyond::Nothing,
        asks_definition: true,
        tells_changes: true,
        copies: true,
        claims_connected: false,
        writes_in_render: true,
        writes_in_create: true,
        fixed_looks: false,
        fresh: Fresh::Never,
        overlays: true,
        draws: true,
    };

    /// DaVinci Resolve's Edit and Color pages.
    pub const RESOLVE: Profile = Profile {
        name: "resolve",
        identity: "DaVinciResolve",
        contexts: FILTER_FIRST,
        formats: &[FLOAT],
        tiles: false,
        buttons: Buttons::Current,
        asks_definition: false,
        copies: false,
        claims_connected: true,
        draws: false,
        ..Profile::STRICT
    };

    /// Nuke.
    pub const NUKE: Profile = Profile {
        name: "nuke",
        identity: "uk.co.thefoundry.nuke",
        formats: &[FLOAT, HALF],
        encoding: Encoding::Linear,
        padding: 64,
        threads: 4,
        buttons: Buttons::Current,
        writes_in_render: false,
        writes_in_create: false,
        fixed_looks: true,
        draws: false,
        ..Profile::STRICT
    };

    /// Natron.
    pub const NATRON: Profile = Profile {
        name: "natron",
        identity: "fr.inria.Natron",
        encoding: Encoding::Linear,
        padding: 32,
        threads: 2,
        draws: false,
        ..Profile::STRICT
    };

    /// Flame.
    pub const FLAME: Profile = Profile {
        name: "flame",
        identity: "com.autodesk.flame",
        formats: &[HALF, FLOAT, BYTE],
        tiles: false,
        beyond: Beyond::Nearest,
        fresh: Fresh::Range,
        ..Profile::STRICT
    };

    /// The editors built on MLT: Kdenlive and Shotcut.
    pub const MLT: Profile = Profile {
        name: "mlt",
        identity: "MLT",
        contexts: FILTER_FIRST,
        formats: &[BYTE, SHORT, FLOAT],
        negative_rows: true,
        tiles: false,
        beyond: Beyond::Current,
        tells_changes: false,
        fresh: Fresh::Frame,
        overlays: false,
        draws: false,
        ..Profile::STRICT
    };

    /// All of them.
    pub const EACH: [Profile; 6] =
        [Self::STRICT, Self::RESOLVE, Self::NUKE, Self::NATRON, Self::FLAME, Self::MLT];

    /// The one of that name.
    pub fn named(name: &str) -> Result<Profile> {
        Self::EACH.into_iter().find(|p| p.name == name).ok_or_else(|| {
            let names = Self::EACH.map(|p| p.name).join(", ");
            Error::setting("profile", format!("'{name}' is none; there are {names}"))
        })
    }
}

/// How frames are rendered and handed over, until a script says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Settings {
    /// Columns and rows a frame is cut into.
    pub(super) tiles: [usize; 2],
    pub(super) threads: u32,
    pub(super) scale: [f64; 2],
    /// The format wished for; the plugin may have another.
    pub(super) format: Option<Format>,
    pub(super) negative_rows: bool,
    pub(super) padding: usize,
}

impl Settings {
    pub(super) fn of(profile: &Profile) -> Self {
        Self {
            // A host with several threads cuts a frame into as many stripes.
            tiles: [1, if profile.tiles { profile.threads as usize } else { 1 }],
            threads: profile.threads,
            scale: [1.0; 2],
            format: None,
            negative_rows: profile.negative_rows,
            padding: profile.padding,
        }
    }
}

/// Things that go wrong on purpose. By default none does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Suites that are not there, by their names in the standard.
    pub missing_suites: Vec<String>,
    /// Allocations fail from this one on, counted from 0.
    pub allocation_fails_at: Option<u64>,
    /// Renders are aborted at a moment drawn from this seed.
    pub abort: Option<u64>,
    /// Frames come out of order, some twice, some not at all, drawn from this seed.
    pub disorder: Option<u64>,
    /// The user presses Cancel when progress has come this far, 0…1.
    pub cancel_at: Option<f64>,
}

/// A small generator of numbers that look random (SplitMix64): same seed, same faults.
#[derive(Debug, Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number below `limit`; 0 when that is 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).checked_rem(limit).unwrap_or(0)
    }
}

/// Frames as a host under a user's hands asks for them: shuffled, an eighth missing, a quarter twice.
pub(super) fn disordered(times: &[f64], seed: u64) -> Vec<f64> {
    let mut dice = Dice(seed);
    let mut out = Vec::new();
    for &time in times {
        match dice.below(8) {
            0 if times.len() > 1 => {}
            1 | 2 => out.extend([time, time]),
            _ => out.push(time),
        }
    }
    for i in (1..out.len()).rev() {
        out.swap(i, dice.below(i as u64 + 1) as usize);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_names() {
        for profile in Profile::EACH {
            assert_eq!(Profile::named(profile.name).unwrap(), profile);
        }
        assert!(Profile::named("premiere").unwrap_err().to_string().contains("resolve"));
    }

    #[test]
    fn disorder_repeats_and_leaves_out() {
        let times: Vec<f64> = (0..40).map(f64::from).collect();
        let out = disordered(&times, 3);
        assert_eq!(out, disordered(&times, 3));
        assert!(!out.is_sorted());
        assert!(times.iter().any(|t| !out.contains(t)));
        assert!(times.iter().any(|t| out.iter().filter(|o| *o == t).count() == 2));
    }
}
