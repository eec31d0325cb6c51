//! Plugin libraries: from a bundle on disk to the entry points in it.

use super::context::{Entry, Shared};
use crate::error::{Error, Result};
use crate::openfx::{self, OfxHost, OfxPlugin, OfxStatus, Status};
use libloading::Library;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::ThreadId;

/// A bundle, or a bare library, that has been loaded.
#[derive(Debug, Clone)]
pub struct Bundle {
    path: PathBuf,
    library: Arc<Library>,
}

impl Bundle {
    /// Loads `NAME.ofx.bundle`, or a library outside any bundle.
    ///
    /// # Errors
    /// When there is none, or it is no OpenFX plugin. Loading runs the library's own start-up code: a host trusts its
    /// plugins.
    pub fn load(path: &Path) -> Result<Bundle> {
        let file = if path.is_dir() { library_of(path)? } else { path.to_path_buf() };
        if !file.is_file() {
            return Err(unusable(path, format!("there is no library {}", file.display())));
        }
        // SAFETY: as every host, we trust what start-up code the user's plugin runs.
        let library = unsafe { Library::new(&file) };
        let library = library.map_err(|e| unusable(path, format!("it cannot be loaded: {e}")))?;
        let path = std::fs::canonicalize(path).map_err(Error::io("find", path))?;
        let bundle = Bundle { path, library: Arc::new(library) };
        bundle.symbol::<unsafe extern "C" fn() -> c_int>(c"OfxGetNumberOfPlugins")?;
        bundle.symbol::<unsafe extern "C" fn(c_int) -> *mut OfxPlugin>(c"OfxGetPlugin")?;
        Ok(bundle)
    }

    /// The bundle's folder, or the library.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn symbol<T: Copy>(&self, name: &CStr) -> Result<T> {
        // SAFETY: the callers give each of the standard's functions the type the standard gives it.
        let symbol = unsafe { self.library.get::<T>(name.to_bytes_with_nul()) };
        symbol.map(|s| *s).map_err(|_| {
            unusable(&self.path, format!("it has no {}; it is no OpenFX plugin", name.to_string_lossy()))
        })
    }

    /// The plugin of that identifier, or the first image effect, after telling the library who its host is.
    pub(super) fn plugin(&self, identifier: Option<&str>, host: &OfxHost) -> Result<Plugin> {
        type SetHost = unsafe extern "C" fn(*const OfxHost) -> OfxStatus;
        if let Ok(set_host) = self.symbol::<SetHost>(c"OfxSetHost") {
            // SAFETY: the host structure outlives the session, as its owner sees to.
            let status = Status(unsafe { set_host(host) });
            if status != Status::OK {
                return Err(unusable(&self.path, format!("it refuses this host ({})", status.name())));
            }
        }
        let count = self.symbol::<unsafe extern "C" fn() -> c_int>(c"OfxGetNumberOfPlugins")?;
        let get = self.symbol::<unsafe extern "C" fn(c_int) -> *mut OfxPlugin>(c"OfxGetPlugin")?;
        // SAFETY: a function of the standard without arguments.
        let count = unsafe { count() };
        // SAFETY: the index is below the number of plugins, as the standard asks.
        let plugins = (0..count).map(|index| unsafe { get(index) });
        let mut names = Vec::new();
        for plugin in plugins.filter(|p| !p.is_null()) {
            // SAFETY: not null; the standard has the structure live as long as the library.
            let plugin = Plugin::read(unsafe { &*plugin }, self)?;
            if plugin.is_effect && identifier.is_none_or(|id| id == plugin.identifier) {
                plugin.set_host(host);
                return Ok(plugin);
            }
            names.push(plugin.identifier);
        }
        let wanted = identifier.unwrap_or("for images");
        Err(unusable(&self.path, format!("it has no plugin {wanted}, only [{}]", names.join(", "))))
    }
}

/// One plugin of a library.
pub(super) struct Plugin {
    pub(super) identifier: String,
    pub(super) bundle: PathBuf,
    pub(super) entry: Entry,
    set_host: Option<unsafe extern "C" fn(*mut OfxHost)>,
    is_effect: bool,
    /// The code must stay as long as its entry point.
    _library: Arc<Library>,
}

impl Plugin {
    fn read(plugin: &OfxPlugin, bundle: &Bundle) -> Result<Plugin> {
        let missing = |what: &str| unusable(&bundle.path, format!("a plugin of it has no {what}"));
        let entry = plugin.mainEntry.ok_or_else(|| missing("entry point"))?;
        let api = text(plugin.pluginApi).ok_or_else(|| missing("interface"))?;
        let identifier = text(plugin.pluginIdentifier).ok_or_else(|| missing("identifier"))?;
        let effect = openfx::name(openfx::kOfxImageEffectPluginApi);
        Ok(Plugin {
            identifier,
            bundle: bundle.path.clone(),
            entry,
            set_host: plugin.setHost,
            is_effect: api.as_bytes() == effect.to_bytes() && plugin.apiVersion == 1,
            _library: Arc::clone(&bundle.library),
        })
    }

    fn set_host(&self, host: &OfxHost) {
        if let Some(set_host) = self.set_host {
            // SAFETY: the host structure outlives the session; the standard's type lacks a `const`, nothing writes it.
            unsafe { set_host(std::ptr::from_ref(host).cast_mut()) };
        }
    }

    /// An error about this plugin.
    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        unusable(&self.bundle, reason.into())
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.identifier, self.bundle.display())
    }
}

fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null; the standard has these be texts that live as long as the library.
    unsafe { CStr::from_ptr(text) }.to_str().ok().map(str::to_string)
}

fn unusable(path: &Path, reason: String) -> Error {
    Error::Plugin { path: path.to_path_buf(), reason }
}

/// The library of a bundle: the one `Info.plist` names, else the one called as the bundle.
fn library_of(bundle: &Path) -> Result<PathBuf> {
    let named = openfx::library_in(bundle);
    let plist = bundle.join("Contents").join("Info.plist");
    let Ok(text) = std::fs::read_to_string(&plist) else { return Ok(named) };
    let executable = executable_in(&text).ok_or_else(|| {
        unusable(bundle, "its Info.plist names no CFBundleExecutable; name the library there".to_string())
    })?;
    Ok(named.with_file_name(executable))
}

/// The text of `<string>` after `<key>CFBundleExecutable</key>`.
fn executable_in(plist: &str) -> Option<&str> {
    let (_, rest) = plist.split_once("<key>CFBundleExecutable</key>")?;
    let (value, _) = rest.trim_start().strip_prefix("<string>")?.split_once("</string>")?;
    Some(value.trim())
}

static IN_USE: Mutex<BTreeMap<PathBuf, ThreadId>> = Mutex::new(BTreeMap::new());
static FREED: Condvar = Condvar::new();

/// The sole use of a library: a plugin keeps its host in a global, so two sessions at a time would disturb each other.
#[derive(Debug)]
pub(super) struct Claim(PathBuf);

impl Claim {
    /// Waits until no other thread has a session with this library.
    pub(super) fn wait(bundle: &Bundle) -> Result<Claim> {
        let (mut in_use, me) = (IN_USE.lock(), std::thread::current().id());
        while let Some(owner) = in_use.get(&bundle.path) {
            if *owner == me {
                let reason = "a session with it is open on this thread; close that one first";
                return Err(unusable(&bundle.path, reason.to_string()));
            }
            FREED.wait(&mut in_use);
        }
        in_use.insert(bundle.path.clone(), me);
        Ok(Claim(bundle.path.clone()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        IN_USE.lock().remove(&self.0);
        FREED.notify_all();
    }
}

/// Keeps one session's host structure where plugins may point to.
pub(super) struct HostStruct {
    pub(super) raw: Box<OfxHost>,
    /// The properties its handle stands for.
    pub(super) _properties: Arc<super::property::PropertySet>,
}

impl HostStruct {
    /// A host with the properties its profile gives it.
    pub(super) fn new(shared: &Shared) -> HostStruct {
        use crate::openfx::*;
        let profile = &shared.profile;
        let list = |names: Vec<&'static str>| names.into_iter().map(str::to_string).collect::<Vec<_>>();
        let properties = super::property::PropertySet::new("the host", &[super::tables::HOST]);
        let mut depths: Vec<_> = profile.formats.iter().map(|f| f.depth.name()).collect();
        depths.dedup();
        let contexts = profile.contexts.iter().map(|c| super::tables::text_of(c)).collect();
        let components: [&'static [u8]; 3] =
            [kOfxImageComponentRGBA, kOfxImageComponentRGB, kOfxImageComponentAlpha];
        let components = components.map(super::tables::text_of);
        properties
            .put(kOfxPropName, profile.identity)
            .put(kOfxPropLabel, profile.name)
            .put(kOfxPropAPIVersion, profile.api)
            .put(kOfxImageEffectPropSupportsOverlays, i32::from(profile.overlays))
            .put(kOfxImageEffectPropSupportsTiles, i32::from(profile.tiles))
            .put(kOfxImageEffectPropSupportedComponents, list(components.to_vec()))
            .put(kOfxImageEffectPropSupportedPixelDepths, list(depths))
            .put(kOfxImageEffectPropSupportedContexts, list(contexts));
        let raw = OfxHost { host: properties.handle.raw(), fetchSuite: Some(super::suites::fetch_suite) };
        HostStruct { raw: Box::new(raw), _properties: properties }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_name_their_library() {
        let plist = "<dict>\n<key>CFBundleExecutable</key>\n  <string>a.ofx</string></dict>";
        assert_eq!(executable_in(plist), Some("a.ofx"));
        assert_eq!(executable_in("<key>CFBundleName</key><string>x</string>"), None);
    }

    #[test]
    fn what_is_no_plugin_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("x.ofx.bundle");
        std::fs::create_dir_all(&bundle).unwrap();
        assert!(Bundle::load(&bundle).unwrap_err().to_string().contains("no library"));
        let file = folder.path().join("x.ofx");
        std::fs::write(&file, "text").unwrap();
        assert!(Bundle::load(&file).unwrap_err().to_string().contains("cannot be loaded"));
    }
}
