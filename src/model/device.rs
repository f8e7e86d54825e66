//! Names of devices and of number formats, and CUDA where there is one.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

use crate::{Error, Result};

/// A number format to compute or to store in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floats.
    #[default]
    F32,
    /// bfloat16.
    Bf16,
    /// 16-bit floats.
    F16,
}

impl Dtype {
    /// Its name in a config.json.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
        }
    }

    /// The libtorch kind.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
            Self::F16 => Kind::Half,
        }
    }
}

/// The devices that a list like `cpu`, `cuda:1` or `cuda:0,cuda:1` names; `auto` is every CUDA device, or the CPU.
///
/// # Errors
/// An unknown name, or CUDA where there is none.
pub fn devices(list: &str) -> Result<Vec<Device>> {
    if list == "auto" {
        let count = cuda().unwrap_or(0);
        return Ok(if count == 0 { vec![Device::Cpu] } else { (0..count).map(Device::Cuda).collect() });
    }
    list.split(',').map(|name| device(name.trim())).collect()
}

fn device(name: &str) -> Result<Device> {
    if name == "cpu" {
        return Ok(Device::Cpu);
    }
    let index = name.strip_prefix("cuda").map(|rest| match rest {
        "" => Some(0),
        rest => rest.strip_prefix(':').and_then(|index| index.parse::<usize>().ok()),
    });
    let Some(Some(index)) = index else {
        return Err(Error::input(format!("device {name:?}"), "is not known")
            .hint("write cpu, cuda:0, several like cuda:0,cuda:1, or auto"));
    };
    let wrong = |why: String, hint: &str| Error::input(format!("device {name:?}"), why).hint(hint);
    match cuda() {
        Err(why) => Err(wrong(
            format!("CUDA is not here: {why}"),
            "put torch/lib of a torch 2.11.0 with CUDA on LD_LIBRARY_PATH, see that nvidia-smi names a device, or use \
             --device cpu",
        )),
        Ok(count) if index >= count => {
            Err(wrong(format!("there are {count} CUDA devices"), "see nvidia-smi and CUDA_VISIBLE_DEVICES"))
        }
        Ok(_) => Ok(Device::Cuda(index)),
    }
}

/// The number of CUDA devices, after opening libtorch's CUDA part, or why that cannot be.
///
/// The program is linked with the CPU part alone. The CUDA kernels register themselves when their library is opened,
/// which has to come before libtorch is first asked about CUDA: it remembers the answer.
fn cuda() -> std::result::Result<usize, String> {
    static OPENED: OnceLock<std::result::Result<usize, String>> = OnceLock::new();
    OPENED
        .get_or_init(|| {
            // A program that was linked with the CUDA part has it open already, and opening it again does nothing.
            open_library(&beside_libtorch().join("libtorch_cuda.so"))
                .or_else(|_| open_library(Path::new("libtorch_cuda.so")))?;
            match usize::try_from(tch::Cuda::device_count()) {
                Ok(count) if count > 0 => Ok(count),
                _ => Err("libtorch_cuda.so was opened but sees no device".to_string()),
            }
        })
        .clone()
}

/// The folder of the libtorch that this program runs with.
fn beside_libtorch() -> PathBuf {
    PathBuf::from(env!("LIBTORCH_LIB"))
}

/// Opens a library for good, its symbols visible to all.
fn open_library(path: &Path) -> std::result::Result<(), String> {
    let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: the name is a C string that outlives the call. The library's initialisers are libtorch's own.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if !handle.is_null() {
        return Ok(());
    }
    // SAFETY: dlerror returns null or a C string that stays valid until the next call on this thread.
    let why = unsafe {
        let said = libc::dlerror();
        if said.is_null() {
            None
        } else {
            Some(std::ffi::CStr::from_ptr(said).to_string_lossy().into_owned())
        }
    };
    Err(why.unwrap_or_else(|| "the library cannot be opened".to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_devices_are_read_and_unknown_names_refused() {
        assert_eq!(devices("cpu").ok(), Some(vec![Device::Cpu]));
        assert_eq!(devices("cpu, cpu").ok(), Some(vec![Device::Cpu; 2]));
        assert!(!devices("auto").expect("always something").is_empty());
        for unknown in ["", "gpu", "cuda:", "cuda:x", "cpu,", "cuda0"] {
            assert!(devices(unknown).is_err(), "{unknown:?}");
        }
    }
}
