//! Builds the part of the headless host that stable Rust cannot express; see `src/host/variadic.c`.

fn main() {
    #[cfg(feature = "host")]
    {
        println!("cargo:rerun-if-changed=src/host/variadic.c");
        cc::Build::new().file("src/host/variadic.c").warnings(true).compile("rna_host_variadic");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
