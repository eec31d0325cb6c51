//! The device a fit runs on, chosen when it starts.

use crate::error::{Error, Result};
use crate::param::DeviceChoice;
use burn::tensor::Device;

/// A device and its name.
pub struct Chosen {
    /// With gradients.
    pub device: Device,
    /// Without.
    pub plain: Device,
    /// What to call it.
    pub name: String,
}

impl Chosen {
    fn new(plain: Device, name: String) -> Self {
        Self { device: plain.clone().autodiff(), plain, name }
    }

    /// The processor.
    pub fn processor() -> Self {
        Self::new(Device::flex(), "CPU".into())
    }
}

/// Opens the device asked for; `Auto` is a GPU where there is one, else the processor.
///
/// # Errors
/// [`Error::Setting`] when a GPU was asked for and there is none.
pub fn open(choice: DeviceChoice) -> Result<Chosen> {
    match choice {
        DeviceChoice::Cpu => Ok(Chosen::processor()),
        DeviceChoice::Auto => Ok(gpu(false).unwrap_or_else(Chosen::processor)),
        DeviceChoice::Gpu => gpu(true).ok_or_else(|| Error::setting("device", NO_GPU)),
    }
}

#[cfg(feature = "gpu")]
const NO_GPU: &str = "no GPU with a Vulkan, Metal or DirectX 12 driver was found; use cpu";
#[cfg(not(feature = "gpu"))]
const NO_GPU: &str = "this build has no GPU support; use cpu";

/// The first GPU; `emulated` also takes a driver that computes on the processor.
#[cfg(feature = "gpu")]
fn gpu(emulated: bool) -> Option<Chosen> {
    // A system without any graphics driver may make the search itself fail.
    let all = std::panic::catch_unwind(|| Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec());
    let mut all: Vec<(Device, String)> =
        all.unwrap_or_default().into_iter().map(|d| (d.clone(), format!("{d:?}"))).collect();
    // Cards first; the name of a kind is all that tells it.
    let rank =
        |kind: &str| ["Discrete", "Integrated", "Virtual", "Cpu"].iter().position(|k| kind.contains(k));
    all.sort_by_key(|(_, kind)| rank(kind));
    let (device, _) = all.into_iter().find(|(_, kind)| emulated || !kind.contains("Cpu"))?;
    let name = device.identity().map_or_else(|| "GPU".into(), |identity| identity.name);
    Some(Chosen::new(device, name))
}

#[cfg(not(feature = "gpu"))]
fn gpu(_: bool) -> Option<Chosen> {
    None
}
