//! `orca.toml`: an application of several modules.
//!
//! It says what the options of `orcavm run` say. Paths are relative to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use orcavm::vm::Permissions;
use serde::Deserialize;
use wasmparser::{Parser, Payload};

use super::libraries::{self, Libraries};
use super::rights::Rights;
use super::setup::{self, Module, Setup, Share};
use super::source::Source;

/// A manifest as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Text {
    program: PathBuf,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    dirs: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
    permissions: Option<String>,
    #[serde(default)]
    library_path: Vec<PathBuf>,
    #[serde(default)]
    preload: Vec<PathBuf>,
    #[serde(default)]
    bind_now: bool,
    stack_size: Option<String>,
    #[serde(default)]
    modules: BTreeMap<String, TextModule>,
    #[serde(default)]
    regions: BTreeMap<String, String>,
    #[serde(default)]
    share: BTreeMap<String, BTreeMap<String, String>>,
}

/// A module in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextModule {
    file: PathBuf,
    permissions: Option<String>,
}

/// A manifest that was read.
pub(crate) struct Manifest {
    name: String,
    base: PathBuf,
    text: Text,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or says something else than a manifest can.
    pub(crate) fn read(path: &Path) -> Result<Manifest> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        // toml shows the place in lines of their own.
        let text = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let at = before.matches('\n').count() + 1;
            anyhow::anyhow!("{name}:{at}: {}", error.message())
        })?;
        Ok(Manifest {
            name,
            base: path.parent().unwrap_or(Path::new("")).to_owned(),
            text,
        })
    }

    /// What it says is to run, and what the program may do.
    ///
    /// # Errors
    ///
    /// If something in it means nothing, or modules import from each other.
    pub(crate) fn setup(self) -> Result<(Setup, Rights)> {
        let name = self.name.clone();
        self.into_setup().context(name)
    }

    fn into_setup(self) -> Result<(Setup, Rights)> {
        let Manifest { base, text, .. } = self;
        let mut setup = Setup::of(base.join(&text.program).into());
        setup.args = text.args.into_iter().map(Into::into).collect();
        for dir in &text.dirs {
            let mut dir = setup::directory(dir).with_context(|| format!("dirs: {dir:?}"))?;
            dir.relative_to(&base);
            setup.dirs.push(dir);
        }
        for variable in &text.env {
            setup.add_variable(setup::variable(variable).with_context(|| format!("env: {variable:?}"))?);
        }
        if let Some(text) = &text.permissions {
            setup.permissions = permissions(text).context("permissions")?;
        }
        setup.libraries = Libraries {
            directories: text.library_path,
            preloads: text.preload,
            bind_now: text.bind_now,
            stack_size: match &text.stack_size {
                Some(size) => Some(libraries::stack_size(size).with_context(|| format!("stack-size: {size:?}"))?),
                None => None,
            },
        };
        setup.libraries.relative_to(&base);
        let mut modules = Vec::new();
        for (
            name,
            TextModule {
                file,
                permissions: text,
            },
        ) in text.modules
        {
            let own = text.map(|text| permissions(&text)).transpose();
            modules.push(Module {
                file: base.join(file).into(),
                permissions: own.with_context(|| format!("modules.{name}.permissions"))?,
                name,
            });
        }
        setup.modules = in_order(modules)?;
        for (name, contents) in &text.regions {
            let mut region = setup::region_of(name, contents).with_context(|| format!("regions.{name}"))?;
            region.relative_to(&base);
            setup.regions.push(region);
        }
        for (region, modules) in &text.share {
            for (module, access) in modules {
                setup.shares.push(Share {
                    region: region.clone(),
                    module: module.clone(),
                    access: setup::access_of(access).with_context(|| format!("share.{region}.{module}"))?,
                });
            }
        }
        let rights = Rights::of(&text.allow, &text.deny)?;
        Ok((setup, rights))
    }
}

fn permissions(text: &str) -> Result<Permissions> {
    Ok(text.parse()?)
}

/// The modules, each after those it imports from.
fn in_order(mut modules: Vec<Module>) -> Result<Vec<Module>> {
    let mut imports: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for module in &modules {
        let source = Source::read(&module.file)?;
        imports.insert(module.name.clone(), imported_modules(&source));
    }
    let mut ordered: Vec<Module> = Vec::new();
    while !modules.is_empty() {
        let is_ready = |module: &Module| {
            let needed = imports.get(&module.name).into_iter().flatten();
            needed.clone().all(|name| {
                *name == module.name || !imports.contains_key(name) || ordered.iter().any(|done| done.name == *name)
            })
        };
        let Some(ready) = modules.iter().position(is_ready) else {
            let names: Vec<&str> = modules.iter().map(|module| module.name.as_str()).collect();
            bail!("modules import from each other in a circle: {}", names.join(", "));
        };
        ordered.push(modules.remove(ready));
    }
    Ok(ordered)
}

/// The names of the modules that a module imports from. What is wrong with it is
/// told when it is loaded.
fn imported_modules(source: &Source) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(source.bytes()) {
        if let Ok(Payload::ImportSection(section)) = payload {
            let imports = section.into_imports().flatten();
            names.extend(imports.map(|import| import.module.to_owned()));
        }
    }
    names
}
