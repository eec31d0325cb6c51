//! The OpenFX C interface as both sides of it use it: types and names from `openfx-sys`, the status codes it lacks, and
//! where a bundle keeps its library.
//!
//! Names are kept as the standard spells them, so that its manual can be searched for them.

mod bundle;

pub use bundle::{ARCHITECTURE, library_in};
pub use openfx_sys::*;

use std::ffi::CStr;

/// One of the standard's names as a C string: `name(kOfxPropName)`. It lives as long as the program, as hosts need.
///
/// # Panics
///
/// Panics on bytes that do not end in NUL; all names of `openfx-sys` do, and tests call it for each name we use.
pub const fn name(bytes: &'static [u8]) -> &'static CStr {
    match CStr::from_bytes_with_nul(bytes) {
        Ok(name) => name,
        Err(_) => panic!("a name ends in NUL"),
    }
}

/// What a call across the interface returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub struct Status(pub OfxStatus);

macro_rules! statuses {
    ($($(#[$doc:meta])* $rust:ident = $ofx:ident = $value:expr;)*) => {
        impl Status {
            $($(#[$doc])* pub const $rust: Status = Status($value);)*

            /// Its name in the standard, or "unknown status".
            pub fn name(self) -> &'static str {
                match self {
                    $(Status::$rust => stringify!($ofx),)*
                    _ => "unknown status",
                }
            }
        }
    };
}

statuses! {
    /// Done.
    OK = kOfxStatOK = 0;
    /// It did not work, for a reason of its own.
    FAILED = kOfxStatFailed = 1;
    /// It will never work again; the plugin should be unloaded.
    ERR_FATAL = kOfxStatErrFatal = 2;
    /// No such property, parameter or suite.
    ERR_UNKNOWN = kOfxStatErrUnknown = 3;
    /// Something asked for is not there.
    ERR_MISSING_HOST_FEATURE = kOfxStatErrMissingHostFeature = 4;
    /// Not supported here.
    ERR_UNSUPPORTED = kOfxStatErrUnsupported = 5;
    /// It exists already.
    ERR_EXISTS = kOfxStatErrExists = 6;
    /// Wrong format or type.
    ERR_FORMAT = kOfxStatErrFormat = 7;
    /// Out of memory.
    ERR_MEMORY = kOfxStatErrMemory = 8;
    /// A handle that is none.
    ERR_BAD_HANDLE = kOfxStatErrBadHandle = 9;
    /// An index beyond the end.
    ERR_BAD_INDEX = kOfxStatErrBadIndex = 10;
    /// A value out of range.
    ERR_VALUE = kOfxStatErrValue = 11;
    /// The user said yes.
    REPLY_YES = kOfxStatReplyYes = 12;
    /// The user said no.
    REPLY_NO = kOfxStatReplyNo = 13;
    /// The action was not trapped; do the default.
    REPLY_DEFAULT = kOfxStatReplyDefault = 14;
    /// The image was not of the expected kind.
    ERR_IMAGE_FORMAT = kOfxStatErrImageFormat = 1000;
}

impl Status {
    /// `Ok` for [`Status::OK`] alone.
    pub fn ok(self) -> Result<(), Status> {
        if self == Status::OK { Ok(()) } else { Err(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_the_standards_numbers_and_names() {
        assert_eq!(Status::OK.0, kOfxStatOK as OfxStatus);
        assert_eq!(Status::REPLY_DEFAULT.name(), "kOfxStatReplyDefault");
        assert_eq!(Status(77).name(), "unknown status");
        assert_eq!(Status::ERR_VALUE.ok(), Err(Status(11)));
    }

    #[test]
    fn names_are_c_strings() {
        assert_eq!(name(kOfxPropName).to_str(), Ok("OfxPropName"));
    }
}
