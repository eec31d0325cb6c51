//! Frames out: numbered pictures, or a video through the `ffmpeg` program.

use super::ffmpeg::{Pipe, Process, file_argument};
use super::pattern::Pattern;
use crate::error::{Error, Result};
use crate::frame::io::{self, Kind};
use crate::frame::{Channels, Depth, Image, Rgba};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use tempfile::TempPath;

/// Takes frames in order and stores them; made by [`FrameWriter::create`], ended by [`FrameWriter::finish`].
pub struct FrameWriter {
    path: PathBuf,
    size: (usize, usize),
    depth: Depth,
    channels: Channels,
    written: usize,
    target: Target,
}

enum Target {
    Pictures(Pattern),
    Video {
        process: Process,
        input: Option<ChildStdin>,
        /// Renamed to the real name at the end; removed when dropped before.
        temporary: TempPath,
    },
    /// A video whose program ended early.
    Broken,
}

impl FrameWriter {
    /// Begins writing to `path`: a pattern such as `out/%05d.png` (numbered from 0), or a video (`.mp4`, `.mov`, `.mkv`).
    ///
    /// Missing folders are made. `depth` and `channels` are stored as far as the format holds them (see
    /// [`io::write_picture`]); a video is H.264, 8 bits, 4:2:0, constant quality 12, Rec. 709, at `fps` frames a second,
    /// and an odd size is made even by repeating the last column or row.
    pub fn create(
        path: &Path,
        size: (usize, usize),
        depth: Depth,
        channels: Channels,
        fps: f64,
    ) -> Result<FrameWriter> {
        let pattern = Pattern::parse(path)?.filter(|_| Kind::of_name(path).is_some());
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
        let video = matches!(ending.as_str(), "mp4" | "mov" | "mkv" | "m4v");
        if pattern.is_none() && !video {
            return Err(Error::clip(
                path,
                "name the frames by a pattern such as out/%05d.png (png, jpg, tif or exr), or a video such as out.mp4 \
                 (mp4, mov or mkv)",
            ));
        }
        if size.0 == 0 || size.1 == 0 {
            return Err(Error::clip(path, "frames without pixels cannot be written"));
        }
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let target = match pattern {
            Some(pattern) => Target::Pictures(pattern),
            None => start_video(path, &ending, size, fps)?,
        };
        Ok(FrameWriter { path: path.to_path_buf(), size, depth, channels, written: 0, target })
    }

    /// Stores the next frame. Fails when its size is not the one announced.
    pub fn write(&mut self, frame: &Image<Rgba>) -> Result<()> {
        if frame.size() != self.size {
            let ((w, h), (a, b)) = (frame.size(), self.size);
            return Err(Error::frame(
                &self.path,
                self.written,
                format!("it is {w}×{h} pixels, but {a}×{b} was announced"),
            ));
        }
        match &mut self.target {
            Target::Pictures(pattern) => {
                let file = pattern.file(self.written as u64);
                io::write_picture(&file, frame, self.depth, self.channels)?;
            }
            Target::Video { input, .. } => {
                let raw = even_rgb(frame);
                let sent = input.as_mut().map(|pipe| pipe.write_all(&raw));
                if !matches!(sent, Some(Ok(()))) {
                    // The program has ended and says why when it is waited for.
                    *input = None;
                    return self.stop();
                }
            }
            Target::Broken => return self.stop(),
        }
        self.written += 1;
        Ok(())
    }

    /// Completes the output; only now does a video appear under its name. Dropped instead, it leaves no file.
    pub fn finish(self) -> Result<()> {
        let (process, input, temporary) = match self.target {
            Target::Pictures(_) => return Ok(()),
            Target::Video { process, input, temporary } => (process, input, temporary),
            Target::Broken => return Err(stopped(&self.path)),
        };
        drop(input);
        process.finish(&format!("{} cannot be written", self.path.display()))?;
        temporary.persist(&self.path).map_err(|e| Error::io("write", &self.path)(e.error))
    }

    /// The error of a video program that stopped taking frames.
    fn stop(&mut self) -> Result<()> {
        if let Target::Video { process, .. } = std::mem::replace(&mut self.target, Target::Broken) {
            process.finish(&format!("{} cannot be written", self.path.display()))?;
        }
        Err(stopped(&self.path))
    }
}

fn stopped(path: &Path) -> Error {
    Error::clip(path, "ffmpeg stopped before all frames were written")
}

fn start_video(path: &Path, ending: &str, (w, h): (usize, usize), fps: f64) -> Result<Target> {
    if !(fps.is_finite() && fps > 0.0 && fps <= 1000.0) {
        return Err(Error::clip(
            path,
            format!("{fps} frames a second cannot be written; give a rate such as 25"),
        ));
    }
    let temporary = io::temporary_beside(path, &format!(".{ending}"))?.into_temp_path();
    let size = format!("{}x{}", w.next_multiple_of(2), h.next_multiple_of(2));
    let rate = format!("{fps:.6}");
    let container = match ending {
        "mkv" => "matroska",
        "mov" => "mov",
        _ => "mp4",
    };
    let mut arguments: Vec<OsString> = [
        "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-r", &rate, "-i", "pipe:0",
    ]
    .map(OsString::from)
    .to_vec();
    let filter = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int";
    let codec = ["-vf", filter, "-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p"];
    arguments.extend(codec.map(OsString::from));
    let meaning =
        ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"];
    arguments.extend(meaning.map(OsString::from));
    arguments.extend(["-movflags", "+faststart", "-f", container].map(OsString::from));
    arguments.push(file_argument(&temporary));
    let mut process = Process::start("ffmpeg", &arguments, Pipe::ToIt)?;
    let input = process.take_input();
    Ok(Target::Video { process, input, temporary })
}

/// The frame as 8-bit RGB of even width and height, the last column and row repeated where needed.
fn even_rgb(frame: &Image<Rgba>) -> Vec<u8> {
    let (w, h) = frame.size();
    let (even_w, even_h) = (w.next_multiple_of(2), h.next_multiple_of(2));
    let mut raw = Vec::with_capacity(even_w * even_h * 3);
    for y in 0..even_h {
        let row = frame.row(y.min(h - 1));
        for x in 0..even_w {
            let p = row[x.min(w - 1)];
            raw.extend([p[0], p[1], p[2]].map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8));
        }
    }
    raw
}
