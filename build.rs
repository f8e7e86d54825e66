//! Tells the linker and the loader where libtorch is, for the binary, the tests and the benches, and the program which
//! libtorch it was built with.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB").unwrap_or_default();
    if !lib.is_empty() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
    let version = std::fs::read_to_string(Path::new(&lib).join("../build-version")).unwrap_or_default();
    let version = if version.trim().is_empty() { "unknown" } else { version.trim() };
    println!("cargo:rustc-env=LIBTORCH_LIB={lib}");
    println!("cargo:rustc-env=LIBTORCH_VERSION={version}");
}
