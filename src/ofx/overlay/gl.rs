//! The six functions of OpenGL that a line needs, looked up in what the host has loaded: linking to OpenGL would keep
//! the plugin from loading where there is none.

use libloading::Library;
use std::sync::OnceLock;

/// Plain OpenGL.
pub(in crate::ofx) struct Gl {
    begin: unsafe extern "C" fn(u32),
    end: unsafe extern "C" fn(),
    vertex: unsafe extern "C" fn(f64, f64),
    colour: unsafe extern "C" fn(f32, f32, f32, f32),
    width: unsafe extern "C" fn(f32),
    push: unsafe extern "C" fn(u32),
    pop: unsafe extern "C" fn(),
    /// Keeps the functions where they are.
    _library: Library,
}

const LINE_LOOP: u32 = 0x0002;
/// Colour and line state: what is changed is put back.
const CURRENT_AND_LINE: u32 = 0x0001 | 0x0004;

#[cfg(target_os = "linux")]
const NAMES: &[&str] = &["libGL.so.1"];
#[cfg(target_os = "macos")]
const NAMES: &[&str] = &["/System/Library/Frameworks/OpenGL.framework/OpenGL"];
#[cfg(target_os = "windows")]
const NAMES: &[&str] = &["opengl32.dll"];
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
const NAMES: &[&str] = &[];

impl Gl {
    /// The functions, looked up once; `None` where the system has no OpenGL.
    pub(super) fn get() -> Option<&'static Gl> {
        static GL: OnceLock<Option<Gl>> = OnceLock::new();
        GL.get_or_init(|| NAMES.iter().find_map(|name| Gl::load(name))).as_ref()
    }

    fn load(name: &str) -> Option<Gl> {
        // SAFETY: a host that calls for a drawing has this library loaded; loading it again runs nothing.
        let library = unsafe { Library::new(name) }.ok()?;
        // SAFETY: these are the types OpenGL 1.1 gives these functions; the library is kept with them.
        unsafe {
            Some(Gl {
                begin: *library.get(b"glBegin\0").ok()?,
                end: *library.get(b"glEnd\0").ok()?,
                vertex: *library.get(b"glVertex2d\0").ok()?,
                colour: *library.get(b"glColor4f\0").ok()?,
                width: *library.get(b"glLineWidth\0").ok()?,
                push: *library.get(b"glPushAttrib\0").ok()?,
                pop: *library.get(b"glPopAttrib\0").ok()?,
                _library: library,
            })
        }
    }

    /// A closed line.
    pub(super) fn closed(&self, points: &[[f64; 2]], [r, g, b, a]: [f32; 4], width: f32) {
        // SAFETY: called from a draw action, in which the host has a context current; begin and end, push and pop
        // are paired.
        unsafe {
            (self.push)(CURRENT_AND_LINE);
            (self.colour)(r, g, b, a);
            (self.width)(width);
            (self.begin)(LINE_LOOP);
            points.iter().for_each(|&[x, y]| (self.vertex)(x, y));
            (self.end)();
            (self.pop)();
        }
    }
}
