//! `orcavm inspect --permissions`: what each module of an application may do, and
//! which pages they share.

use std::ffi::OsStr;
use std::io::{self, Write};

use orcavm::vm::{Access, Capabilities, Domain, Permissions};

use super::setup::{MAIN, Setup};

/// Prints the tree of modules and the regions.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn print(out: &mut impl Write, setup: &Setup) -> io::Result<()> {
    let main = Domain::new(MAIN, setup.permissions.clone());
    let given: Vec<String> = setup
        .dirs
        .iter()
        .map(|dir| format!("{} {}", dir.guest, words(dir.access())))
        .collect();
    let program = Module {
        name: MAIN,
        file: &setup.program,
        indent: "",
    };
    program.print(out, setup, &main.permissions(), &given)?;
    let libraries = &setup.libraries;
    for (what, paths) in [
        ("libraries in", &libraries.directories),
        ("preloaded", &libraries.preloads),
    ] {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        if !paths.is_empty() {
            writeln!(out, "  {what}: {}", paths.join(", "))?;
        }
    }
    for module in &setup.modules {
        let permissions = module.permissions.clone().unwrap_or_else(Permissions::all);
        let linked = Module {
            name: &module.name,
            file: &module.file,
            indent: "  ",
        };
        linked.print(out, setup, &main.child(&module.name, permissions).permissions(), &given)?;
    }
    if !setup.regions.is_empty() {
        writeln!(out, "regions")?;
    }
    for region in &setup.regions {
        let shares = setup.shares.iter().filter(|share| share.region == region.name);
        let users: Vec<String> = shares
            .map(|share| format!("{} {}", share.module, words(share.access)))
            .collect();
        let users = if users.is_empty() {
            "nobody".to_owned()
        } else {
            users.join(", ")
        };
        writeln!(out, "  {} ({}): {users}", region.name, region.describe())?;
    }
    Ok(())
}

fn words(access: Access) -> &'static str {
    match access {
        Access::Read => "read-only",
        Access::ReadWrite => "read and write",
    }
}

/// A module in the tree.
struct Module<'a> {
    name: &'a str,
    file: &'a OsStr,
    indent: &'static str,
}

impl Module<'_> {
    fn print(
        &self,
        out: &mut impl Write,
        setup: &Setup,
        permissions: &Permissions,
        given: &[String],
    ) -> io::Result<()> {
        let Self { name, file, indent } = self;
        writeln!(out, "{indent}{name} ({})", file.to_string_lossy())?;
        let mut line = |what: &str, items: String| match items.is_empty() {
            true => Ok(()),
            false => writeln!(out, "{indent}  {what}: {items}"),
        };
        let may = permissions.capabilities();
        let list = |set: Capabilities| match set == Capabilities::none() {
            true => "nothing but compute".to_owned(),
            false => set.to_string(),
        };
        line("may", list(may))?;
        line("may not", Capabilities::all().difference(may).to_string())?;
        let directories = match permissions.directories() {
            None => given.to_vec(),
            Some(scopes) => {
                let scopes = scopes.iter();
                scopes
                    .map(|scope| format!("{} {}", scope.path(), words(scope.access())))
                    .collect()
            }
        };
        line("directories", directories.join(", "))?;
        if let Some(variables) = permissions.variables() {
            line("variables", variables.collect::<Vec<_>>().join(", "))?;
        }
        let quotas = permissions.quotas();
        let amounts = [
            (quotas.memory, "bytes of memory"),
            (quotas.table_elements, "table elements"),
            (quotas.instances, "instances"),
            (quotas.fuel, "units of fuel"),
            (quotas.depth.map(u64::from), "nested calls"),
        ];
        let amounts = amounts
            .iter()
            .filter_map(|(amount, what)| Some(format!("{} {what}", (*amount)?)));
        line("at most", amounts.collect::<Vec<_>>().join(", "))?;
        let shared = setup
            .shared_with(name)
            .map(|(region, access)| format!("{region} {}", words(access)));
        line("regions", shared.collect::<Vec<_>>().join(", "))
    }
}
