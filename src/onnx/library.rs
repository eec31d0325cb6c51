//! What ONNX Runtime's library is called. The packer includes this file too: one name for who packs and who looks.

/// The file as this system calls it.
pub(super) const LIBRARY: &str = if cfg!(target_os = "windows") {
    "onnxruntime.dll"
} else if cfg!(target_os = "macos") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};
