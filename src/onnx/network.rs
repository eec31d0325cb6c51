//! One model, opened and checked, and run.

use super::catalog::{Model, Port, Side};
use super::runtime::Runtime;
use crate::error::{Error, Result};
use ort::session::builder::SessionBuilder;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, TensorElementType, ValueType};
use parking_lot::Mutex;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Largest file taken for a model, in bytes; the largest known has a hundredth.
const LARGEST: u64 = 2 << 30;

/// Numbers on a grid: batch, channels, rows, columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Lengths of the sides.
    pub shape: [usize; 4],
    /// Row by row, the last side fastest.
    pub values: Vec<f32>,
}

impl Tensor {
    /// One channel of one picture of the batch.
    pub fn plane(&self, picture: usize, channel: usize) -> &[f32] {
        let [_, channels, rows, columns] = self.shape;
        &self.values[(picture * channels + channel) * rows * columns..][..rows * columns]
    }
}

/// A model ready to run.
pub struct Network {
    model: &'static Model,
    path: PathBuf,
    provider: &'static str,
    version: String,
    /// The library runs one request at a time a session, each on all cores.
    session: Mutex<Session>,
}

impl Network {
    /// Opens the file of a model on the first of the runtime's accelerators that takes it, else (and always with
    /// `processor_only`) on the processor.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is no model or another one.
    pub fn open(runtime: &Runtime, model: &'static Model, path: &Path, processor_only: bool) -> Result<Self> {
        let length = std::fs::metadata(path).map_err(Error::io("read", path))?.len();
        if length > LARGEST {
            let reason = format!("it has {} MB, which no {} has", length >> 20, model.id);
            return Err(wrong(path, model, &reason));
        }
        let (provider, session) = Self::started(runtime, path, processor_only)
            .map_err(|e| wrong(path, model, &format!("ONNX Runtime does not take it ({})", brief(&e))))?;
        fits(&model.inputs, session.inputs(), "input").map_err(|reason| wrong(path, model, &reason))?;
        fits(&model.outputs, session.outputs(), "output").map_err(|reason| wrong(path, model, &reason))?;
        let version = runtime.version().to_string();
        Ok(Self { model, path: path.to_path_buf(), provider, version, session: Mutex::new(session) })
    }

    fn started(runtime: &Runtime, path: &Path, processor_only: bool) -> ort::Result<(&'static str, Session)> {
        let builder = || -> ort::Result<SessionBuilder> {
            // Same input, same numbers.
            Ok(Session::builder(&runtime.environment)?.with_deterministic_compute(true)?)
        };
        if !processor_only {
            for (name, provider) in runtime.accelerators() {
                let taken = builder()
                    .and_then(|b| Ok(b.with_execution_providers([provider])?))
                    .and_then(|mut b| b.commit_from_file(path));
                if let Ok(session) = taken {
                    return Ok((name, session));
                }
            }
        }
        Ok(("CPU", builder()?.commit_from_file(path)?))
    }

    /// Which model it is.
    pub fn model(&self) -> &'static Model {
        self.model
    }

    /// What is run where: for the record and the user.
    pub fn account(&self) -> String {
        format!("{} on {} (ONNX Runtime {})", self.model.id, self.provider, self.version)
    }

    /// Runs it on its inputs, in the catalogue's order; the first output.
    ///
    /// # Errors
    /// [`Error::Model`] if it fails, as for want of memory, or returns something other than finite numbers on a grid.
    pub fn run(&self, inputs: Vec<Tensor>) -> Result<Tensor> {
        let failed = |reason: String| Error::Model { path: self.path.clone(), reason };
        let ran = |e: ort::Error| failed(format!("it failed while it ran ({})", brief(&e)));
        let sizes: Vec<[usize; 4]> = inputs.iter().map(|t| t.shape).collect();
        let mut named: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::new();
        for (port, Tensor { shape, values }) in self.model.inputs.iter().zip(inputs) {
            let value = ort::value::Tensor::from_array((shape, values)).map_err(ran)?;
            named.push((Cow::Borrowed(port.name.as_str()), value.into()));
        }
        let mut session = self.session.lock();
        let outputs = session.run(named).map_err(ran)?;
        let port = &self.model.outputs[0];
        let output = outputs.get(&port.name).ok_or_else(|| failed(format!("it gave no '{}'", port.name)))?;
        let (shape, values) = output.try_extract_tensor::<f32>().map_err(ran)?;
        let shape: Vec<usize> = shape.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect();
        let shape: [usize; 4] =
            shape.try_into().map_err(|s| failed(format!("it returned numbers of shape {s:?}")))?;
        self.check(&sizes, shape).map_err(failed)?;
        if !values.iter().all(|v| v.is_finite()) {
            return Err(failed("it returned values that are not numbers".into()));
        }
        Ok(Tensor { shape, values: values.to_vec() })
    }

    /// Whether an output has the shape that the inputs ask for.
    fn check(&self, inputs: &[[usize; 4]], found: [usize; 4]) -> Result<(), String> {
        let Some([batch, _, rows, columns]) = inputs.first() else { return Ok(()) };
        let stride = self.model.stride;
        let channels = self.model.outputs[0].channels().unwrap_or(found[1]);
        let asked = [*batch, channels, rows / stride, columns / stride];
        if found == asked && channels > 0 {
            return Ok(());
        }
        Err(format!("it returned numbers of shape {found:?} where {asked:?} were asked for"))
    }
}

/// A file that is not the model it is called.
fn wrong(path: &Path, model: &Model, reason: &str) -> Error {
    let reason = format!("{reason}; {} is expected, made by `{}`", model.id, model.obtain);
    Error::Model { path: path.to_path_buf(), reason }
}

/// What the library says, without its own source's file and line.
fn brief(error: &ort::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.chars().take(200).collect()
}

/// Whether a model has the inputs (or outputs) that are expected of it.
fn fits(expected: &[Port], found: &[Outlet], kind: &str) -> Result<(), String> {
    if found.len() != expected.len() {
        let names: Vec<&str> = found.iter().map(Outlet::name).collect();
        return Err(format!("it has {} {kind}s ({})", found.len(), names.join(", ")));
    }
    for port in expected {
        let Some(outlet) = found.iter().find(|o| o.name() == port.name) else {
            return Err(format!("it has no {kind} '{}'", port.name));
        };
        let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = outlet.dtype() else {
            return Err(format!("its {kind} '{}' is not made of 32-bit floats", port.name));
        };
        // The library gives -1 for a side that is free.
        let agrees = |(side, n): (&Side, &i64)| match side {
            Side::Fixed(length) => *n < 0 || usize::try_from(*n) == Ok(*length),
            Side::Free(_) => *n < 0 || kind == "output",
        };
        if shape.len() != 4 || !port.shape.iter().zip(shape.iter()).all(agrees) {
            return Err(format!("its {kind} '{}' has the shape {:?}", port.name, shape.to_vec()));
        }
    }
    Ok(())
}
