//! A clip that is a video file, decoded by the `ffmpeg` program through a pipe.
//!
//! Decoding runs forward. A jump backwards starts the program anew some frames before the one asked for and keeps
//! those, so that walking a clip backwards costs one start per batch and not per frame.

use super::ffmpeg::{Pipe, Process, file_argument};
use super::{Clip, ClipInfo, no_such_frame};
use crate::error::{Error, Result};
use crate::frame::io::{LONGEST_SIDE, MOST_PIXELS};
use crate::frame::{Channels, Depth, Encoding, Image, Rgba};
use serde_json::Value;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::ChildStdout;
use std::sync::{Mutex, PoisonError};

/// Memory for raw frames behind the decoder, bytes, and the most frames kept whatever their size.
const KEPT_BYTES: usize = 96 << 20;
const KEPT_FRAMES: usize = 24;
/// A jump forward of up to this many frames is decoded through; a longer one is sought.
const DECODED_THROUGH: usize = 48;

/// A video file.
pub(super) struct Video {
    info: ClipInfo,
    /// Time to seek to for each frame, seconds; `None` where the file's times cannot be trusted for seeking.
    times: Option<Vec<f64>>,
    /// Whether colours of unstated meaning are taken as Rec. 709, as every editor does for HD.
    assume_709: bool,
    decoder: Mutex<Decoder>,
}

#[derive(Default)]
struct Decoder {
    running: Option<(Process, ChildStdout)>,
    /// Frame the pipe gives next.
    next: usize,
    /// Raw frames lately decoded, with their index.
    kept: VecDeque<(usize, Vec<u8>)>,
}

impl Video {
    /// Asks `ffprobe` for size, format and the times of all frames.
    pub(super) fn open(path: &Path) -> Result<Video> {
        let told = probe(path)?;
        let stream = &told["streams"][0];
        if stream.is_null() {
            return Err(Error::clip(path, "it is not a video, nor a folder or pattern of pictures"));
        }
        let number = |key: &str| stream[key].as_u64().unwrap_or(0) as usize;
        let mut size = (number("width"), number("height"));
        if is_turned(stream) {
            size = (size.1, size.0);
        }
        if size.0 == 0 || size.1 == 0 || size.0.max(size.1) > LONGEST_SIDE || size.0 * size.1 > MOST_PIXELS {
            return Err(Error::clip(
                path,
                format!("its size is {}×{} pixels, which cannot be used", size.0, size.1),
            ));
        }
        let (frames, times) = frame_times(&told);
        if frames == 0 {
            return Err(Error::clip(path, "the video holds no frames"));
        }
        let (depth, channels) = pixel_format(stream["pix_fmt"].as_str().unwrap_or(""));
        let info =
            ClipInfo { path: path.to_path_buf(), size, frames, depth, channels, encoding: Encoding::Display };
        let assume_709 = stream["color_space"].as_str().is_none_or(|s| s == "unknown") && size.1 >= 720;
        Ok(Video { info, times, assume_709, decoder: Mutex::default() })
    }

    fn frame_bytes(&self) -> usize {
        let channels = if self.info.channels == Channels::Rgba { 4 } else { 3 };
        let bytes = if self.info.depth == Depth::U16 { 2 } else { 1 };
        self.info.size.0 * self.info.size.1 * channels * bytes
    }

    fn kept_frames(&self) -> usize {
        (KEPT_BYTES / self.frame_bytes()).clamp(1, KEPT_FRAMES)
    }

    /// Starts decoding such that `frame`, or one before it, comes next.
    fn start(&self, decoder: &mut Decoder, frame: usize) -> Result<()> {
        decoder.running = None;
        let mut arguments: Vec<OsString> = ["-v", "error", "-nostdin"].map(OsString::from).to_vec();
        decoder.next = 0;
        if let Some(times) = self.times.as_ref().filter(|_| frame > 0) {
            decoder.next = frame;
            arguments.extend(["-ss".into(), format!("{:.6}", times[frame]).into()]);
        }
        arguments.extend(["-i".into(), file_argument(&self.info.path)]);
        let format = match (self.info.depth, self.info.channels) {
            (Depth::U16, Channels::Rgba) => "rgba64le",
            (Depth::U16, _) => "rgb48le",
            (_, Channels::Rgba) => "rgba",
            _ => "rgb24",
        };
        let matrix = if self.assume_709 { "in_color_matrix=bt709:" } else { "" };
        let filter = format!("scale={matrix}flags=bicubic+accurate_rnd+full_chroma_int,format={format}");
        // One output frame for each that is stored: none dropped or doubled to even out the rate.
        let rest = ["-map", "0:v:0", "-an", "-sn", "-fps_mode", "passthrough", "-vf", &filter];
        arguments.extend(rest.map(OsString::from));
        arguments.extend(["-pix_fmt", format, "-f", "rawvideo", "pipe:1"].map(OsString::from));
        let mut process = Process::start("ffmpeg", &arguments, Pipe::FromIt)?;
        decoder.running = process.take_output().map(|out| (process, out));
        Ok(())
    }

    /// The next raw frame of the pipe.
    fn decode(&self, decoder: &mut Decoder) -> Result<Vec<u8>> {
        let index = decoder.next;
        let Some((_, out)) = decoder.running.as_mut() else {
            return Err(Error::frame(&self.info.path, index, "the decoder is not running"));
        };
        let mut raw = vec![0; self.frame_bytes()];
        if let Err(error) = out.read_exact(&mut raw) {
            if let Some((process, out)) = decoder.running.take() {
                drop(out);
                process
                    .finish(&format!("frame {index} of {} cannot be decoded", self.info.path.display()))?;
            }
            let reason = if error.kind() == std::io::ErrorKind::UnexpectedEof {
                format!("the video ends before it, though it announces {} frames", self.info.frames)
            } else {
                format!("it cannot be read from ffmpeg: {error}")
            };
            return Err(Error::frame(&self.info.path, index, reason));
        }
        decoder.next += 1;
        Ok(raw)
    }

    fn raw_frame(&self, decoder: &mut Decoder, index: usize) -> Result<Vec<u8>> {
        if let Some((_, raw)) = decoder.kept.iter().find(|(i, _)| *i == index) {
            return Ok(raw.clone());
        }
        let behind = decoder.running.is_none() || index < decoder.next;
        let far = index > decoder.next + DECODED_THROUGH && self.times.is_some();
        if behind || far {
            decoder.kept.clear();
            // After a jump backwards the frames before are likely to be asked for next.
            let back = if index < decoder.next { self.kept_frames() - 1 } else { 0 };
            self.start(decoder, index.saturating_sub(back))?;
        }
        loop {
            let at = decoder.next;
            let raw = self.decode(decoder)?;
            if at == index {
                decoder.kept.push_back((at, raw.clone()));
            } else if at + self.kept_frames() > index {
                decoder.kept.push_back((at, raw));
                continue;
            } else {
                continue;
            }
            while decoder.kept.len() > self.kept_frames() {
                decoder.kept.pop_front();
            }
            return Ok(raw);
        }
    }
}

impl Clip for Video {
    fn info(&self) -> &ClipInfo {
        &self.info
    }

    fn frame(&self, index: usize) -> Result<Image<Rgba>> {
        if index >= self.info.frames {
            return Err(no_such_frame(&self.info, index));
        }
        let raw = {
            // A panic elsewhere leaves the decoder at worst without a process, which the next call starts.
            let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
            self.raw_frame(&mut decoder, index)?
        };
        let value = |i: usize| {
            if self.info.depth == Depth::U16 {
                f32::from(u16::from_le_bytes([raw[2 * i], raw[2 * i + 1]])) / 65535.0
            } else {
                f32::from(raw[i]) / 255.0
            }
        };
        let alpha = self.info.channels == Channels::Rgba;
        let stride = if alpha { 4 } else { 3 };
        let (w, h) = self.info.size;
        Ok(Image::from_fn(w, h, |x, y| {
            let at = (y * w + x) * stride;
            [value(at), value(at + 1), value(at + 2), if alpha { value(at + 3) } else { 1.0 }]
        }))
    }
}

/// What `ffprobe` says of the first video stream and of its packets.
fn probe(path: &Path) -> Result<Value> {
    let entries = "stream=width,height,pix_fmt,color_space:stream_side_data=rotation:stream_tags=rotate:\
                   packet=pts_time,flags:format=start_time";
    let mut arguments: Vec<OsString> =
        ["-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "json"]
            .map(OsString::from)
            .to_vec();
    arguments.push(file_argument(path));
    // Whatever the file is, it is named: without the program nothing else would tell of it.
    let without = |e: Error| match e {
        Error::Program { program, reason } => Error::clip(path, format!("{program}: {reason}")),
        other => other,
    };
    let mut process = Process::start("ffprobe", &arguments, Pipe::FromIt).map_err(without)?;
    let mut text = Vec::new();
    if let Some(mut out) = process.take_output() {
        out.read_to_end(&mut text).map_err(Error::io("read", path))?;
    }
    process.finish("it is not a video").map_err(|e| match e {
        Error::Program { reason, .. } => Error::clip(path, reason),
        other => other,
    })?;
    serde_json::from_slice(&text)
        .map_err(|e| Error::clip(path, format!("ffprobe's answer is not understood ({e})")))
}

/// Whether the picture is shown turned by a quarter, as phones store upright takes; `ffmpeg` turns it for us.
fn is_turned(stream: &Value) -> bool {
    let side = stream["side_data_list"].as_array().into_iter().flatten();
    let angle = side.filter_map(|d| d["rotation"].as_f64()).next();
    let tag = || stream["tags"]["rotate"].as_str().and_then(|t| t.parse().ok());
    let turns = angle.or_else(tag).unwrap_or(0.0) / 90.0;
    (turns.round() as i64).rem_euclid(2) == 1
}

/// Number of frames shown, and for each a time that lies between it and the one before.
///
/// Times are given only where every packet is one shown frame with a time of its own; else frames are counted from the
/// start, which is slow but never wrong.
fn frame_times(told: &Value) -> (usize, Option<Vec<f64>>) {
    let none = Vec::new();
    let packets = told["packets"].as_array().unwrap_or(&none);
    let hidden = |p: &&Value| p["flags"].as_str().is_some_and(|f| f.contains('D'));
    let frames = packets.iter().filter(|p| !hidden(p)).count();
    let number = |v: &Value| v.as_str().and_then(|t| t.parse::<f64>().ok());
    let mut times: Vec<f64> = packets.iter().filter_map(|p| number(&p["pts_time"])).collect();
    times.sort_by(f64::total_cmp);
    let gap = times.windows(2).map(|t| t[1] - t[0]).fold(f64::INFINITY, f64::min);
    let trusted = times.len() == packets.len() && frames == packets.len() && gap > 1e-3;
    let start = number(&told["format"]["start_time"]).unwrap_or(0.0);
    // ffmpeg seeks relative to the start of the file and drops what lies before: aim half a frame early.
    let aim = |t: &f64| (t - start - gap.min(1.0) / 2.0).max(0.0);
    (frames, trusted.then(|| times.iter().map(aim).collect()))
}

/// Depth and channels to decode to, from `ffmpeg`'s name of the stored format.
fn pixel_format(name: &str) -> (Depth, Channels) {
    // Formats of more than 8 bits name their byte order; so do three packed ones of less.
    let deep = (name.ends_with("le") || name.ends_with("be"))
        && !["565", "555", "444"]
            .iter()
            .any(|n| name.ends_with(&format!("{n}le")) || name.ends_with(&format!("{n}be")));
    let alpha = ["yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "ayuv", "pal8"]
        .iter()
        .any(|start| name.starts_with(start));
    (if deep { Depth::U16 } else { Depth::U8 }, if alpha { Channels::Rgba } else { Channels::Rgb })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_name() {
        for (name, depth, channels) in [
            ("yuv420p", Depth::U8, Channels::Rgb),
            ("yuv410p", Depth::U8, Channels::Rgb),
            ("nv12", Depth::U8, Channels::Rgb),
            ("rgb565le", Depth::U8, Channels::Rgb),
            ("bgra", Depth::U8, Channels::Rgba),
            ("yuv422p10le", Depth::U16, Channels::Rgb),
            ("yuva444p12le", Depth::U16, Channels::Rgba),
            ("p010le", Depth::U16, Channels::Rgb),
            ("gbrap16be", Depth::U16, Channels::Rgba),
        ] {
            assert_eq!(pixel_format(name), (depth, channels), "{name}");
        }
    }

    #[test]
    fn times_only_where_they_can_be_trusted() {
        let packet = |time: &str, flags: &str| serde_json::json!({"pts_time": time, "flags": flags});
        let told =
            |packets: Vec<Value>| serde_json::json!({"packets": packets, "format": {"start_time": "1.0"}});
        // Stored out of order, as B-frames are.
        let (n, times) =
            frame_times(&told(vec![packet("1.0", "K_"), packet("1.2", "__"), packet("1.1", "__")]));
        assert_eq!(n, 3);
        let times = times.unwrap();
        assert!(
            times[0] == 0.0 && (times[1] - 0.05).abs() < 1e-9 && (times[2] - 0.15).abs() < 1e-9,
            "{times:?}"
        );
        let (n, times) = frame_times(&told(vec![packet("1.0", "KD"), packet("1.1", "__")]));
        assert_eq!((n, times), (1, None));
        let (n, times) = frame_times(&told(vec![packet("1.0", "K_"), packet("N/A", "__")]));
        assert_eq!((n, times), (2, None));
    }
}
