//! Tells the program which version of Silverfir-nano it has, as the lock file
//! says.

fn main() {
    println!("cargo::rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string("Cargo.lock").expect("cargo has written the lock file");
    let package = lock
        .split("[[package]]")
        .find(|package| package.contains("name = \"sf-nano-core\""));
    let version = package
        .and_then(|package| package.split("version = \"").nth(1)?.split('"').next())
        .expect("sf-nano-core is a dependency");
    println!("cargo::rustc-env=SF_NANO_CORE_VERSION={version}");
}
