//! What is to run: a program, the modules it is linked with, the regions they
//! share, and what each may do. Said by options, or by a manifest (`manifest.rs`).

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use clap::ValueHint;
use orcavm::sandbox::SharedRegion;
use orcavm::vm::{Access, Capabilities, Permissions, Region};
use orcavm::wasi::{DirPerms, WasiCtx, WasiCtxBuilder};

use super::libraries::{Libraries, LibraryOptions, LinkOptions};
use super::manifest::Manifest;
use super::rights::Rights;
use super::units;

/// The name of the program among the modules.
pub(crate) const MAIN: &str = "main";

/// Options that say what runs, and what it may do.
#[derive(clap::Args)]
// Another group of options has that name.
#[group(skip)]
pub(crate) struct Options {
    /// Give the program a directory, by another name or its own; with ::ro to read only
    #[arg(long = "dir", value_name = "HOST[::GUEST][::ro]", value_hint = ValueHint::DirPath, value_parser = directory)]
    dirs: Vec<Directory>,
    /// Set an environment variable, or with NAME alone pass on orcavm's own
    #[arg(long = "env", value_name = "NAME[=VALUE]", value_parser = variable)]
    vars: Vec<Variable>,
    /// Instantiate FILE first; its exports satisfy imports from module NAME
    #[arg(
        long = "link",
        visible_alias = "module",
        value_name = "NAME=FILE",
        value_hint = ValueHint::FilePath,
        value_parser = link
    )]
    links: Vec<Link>,
    #[command(flatten)]
    libraries: LibraryOptions,
    #[command(flatten)]
    link_as: LinkOptions,
    #[command(flatten)]
    rights: Rights,
    /// Let the module NAME, or main, do no more than this, such as stdout,dir=/data:ro,memory=16MiB or
    /// inherit,-clock
    #[arg(long = "permit", value_name = "NAME=PERMISSIONS", value_parser = permit)]
    permits: Vec<Permit>,
    /// Let the module NAME do all that the program may; it does without
    #[arg(long = "inherit", value_name = "NAME")]
    inherits: Vec<String>,
    /// Let the module NAME do all that the program may, but for this
    #[arg(long = "drop", value_name = "NAME=PERMISSION,...", value_parser = dropped)]
    drops: Vec<Permit>,
    /// Make a region of pages that modules can share, of a size or of a file's contents; with ::ro to
    /// read only
    #[arg(long = "region", value_name = "NAME=SIZE|FILE[::ro]", value_hint = ValueHint::FilePath, value_parser = region)]
    regions: Vec<RegionSource>,
    /// Let the module MODULE, or main, open the region NAME
    #[arg(long = "share", value_name = "NAME:MODULE:ro|rw", value_parser = share)]
    shares: Vec<Share>,
}

/// A directory the program may use.
#[derive(Clone)]
pub(crate) struct Directory {
    host: PathBuf,
    pub(crate) guest: String,
    perms: DirPerms,
}

pub(crate) fn directory(text: &str) -> Result<Directory> {
    let (text, perms) = match text.strip_suffix("::ro") {
        Some(text) => (text, DirPerms::ReadOnly),
        None => (text, DirPerms::ReadWrite),
    };
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() || guest.contains("::") {
        bail!("it is not HOST, HOST::GUEST or HOST::GUEST::ro");
    }
    Ok(Directory {
        host: host.into(),
        guest: guest.to_owned(),
        perms,
    })
}

/// An environment variable; without a value it is passed on.
#[derive(Clone)]
pub(crate) struct Variable {
    name: String,
    value: Option<String>,
}

pub(crate) fn variable(text: &str) -> Result<Variable> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        bail!("the variable's name is missing");
    }
    Ok(Variable {
        name: name.to_owned(),
        value,
    })
}

/// A module whose exports satisfy imports.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) file: OsString,
}

fn link(text: &str) -> Result<Link> {
    match text.split_once('=') {
        Some((name, file)) if !file.is_empty() => Ok(Link {
            name: name.to_owned(),
            file: file.into(),
        }),
        _ => bail!("it is not NAME=FILE"),
    }
}

/// What a module may do at most.
#[derive(Clone)]
pub(crate) struct Permit {
    pub(crate) module: String,
    pub(crate) permissions: Permissions,
}

fn permit(text: &str) -> Result<Permit> {
    let (module, permissions) = text.split_once('=').context("it is not NAME=PERMISSIONS")?;
    Ok(Permit {
        module: module.to_owned(),
        permissions: permissions.parse()?,
    })
}

fn dropped(text: &str) -> Result<Permit> {
    let (module, names) = text.split_once('=').context("it is not NAME=PERMISSION,...")?;
    let names = names.split(',').map(str::parse).collect::<Result<Capabilities, _>>()?;
    Ok(Permit {
        module: module.to_owned(),
        permissions: Permissions::all().drop(names),
    })
}

/// A region, and what it is made of.
#[derive(Clone)]
pub(crate) struct RegionSource {
    pub(crate) name: String,
    contents: Contents,
}

#[derive(Clone)]
enum Contents {
    Zeros(u64),
    File(PathBuf, Access),
}

fn region(text: &str) -> Result<RegionSource> {
    let (name, contents) = text.split_once('=').context("it is not NAME=SIZE or NAME=FILE")?;
    region_of(name, contents)
}

/// A region of a size, or of a file's contents.
pub(crate) fn region_of(name: &str, contents: &str) -> Result<RegionSource> {
    if name.is_empty() || contents.is_empty() {
        bail!("it is not NAME=SIZE or NAME=FILE");
    }
    let contents = match (units::bytes(contents), contents.strip_suffix("::ro")) {
        (Ok(size), _) => Contents::Zeros(size as u64),
        (Err(_), Some(file)) => Contents::File(file.into(), Access::Read),
        (Err(_), None) => Contents::File(contents.into(), Access::ReadWrite),
    };
    Ok(RegionSource {
        name: name.to_owned(),
        contents,
    })
}

impl RegionSource {
    /// The region.
    fn make(&self) -> Result<SharedRegion> {
        let region = match &self.contents {
            Contents::Zeros(size) => Region::new(*size),
            Contents::File(path, access) => Region::adopt(self.open(path, *access)?),
        };
        Ok(SharedRegion::new(
            region.with_context(|| format!("the region {}", self.name))?,
        ))
    }

    fn open(&self, path: &Path, access: Access) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::ReadWrite);
        let opened = options.open(path);
        opened.with_context(|| format!("the region {}: cannot open {}", self.name, path.display()))
    }

    /// What it is made of, for people.
    pub(crate) fn describe(&self) -> String {
        match &self.contents {
            Contents::Zeros(size) => format!("{size} bytes"),
            Contents::File(path, Access::Read) => format!("{}, read-only", path.display()),
            Contents::File(path, Access::ReadWrite) => path.display().to_string(),
        }
    }

    /// Finds its file from another directory.
    pub(crate) fn relative_to(&mut self, base: &Path) {
        if let Contents::File(path, _) = &mut self.contents {
            *path = base.join(&*path);
        }
    }
}

/// Who may open a region, and for what.
#[derive(Clone)]
pub(crate) struct Share {
    pub(crate) region: String,
    pub(crate) module: String,
    pub(crate) access: Access,
}

fn share(text: &str) -> Result<Share> {
    let mut parts = text.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(region), Some(module), Some(access), None) => Ok(Share {
            region: region.to_owned(),
            module: module.to_owned(),
            access: access_of(access)?,
        }),
        _ => bail!("it is not NAME:MODULE:ro or NAME:MODULE:rw"),
    }
}

/// `ro` or `rw`.
pub(crate) fn access_of(text: &str) -> Result<Access> {
    match text {
        "ro" => Ok(Access::Read),
        "rw" => Ok(Access::ReadWrite),
        _ => bail!("{text:?} is neither ro nor rw"),
    }
}

/// What is to run.
pub(crate) struct Setup {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    /// What the program may do.
    pub(crate) permissions: Permissions,
    pub(crate) dirs: Vec<Directory>,
    vars: Vec<Variable>,
    /// Modules to instantiate before it, in order.
    pub(crate) modules: Vec<Module>,
    pub(crate) libraries: Libraries,
    pub(crate) regions: Vec<RegionSource>,
    pub(crate) shares: Vec<Share>,
}

/// A module beside the program.
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) file: OsString,
    /// What it may do at most; as much as the program if that is not said.
    pub(crate) permissions: Option<Permissions>,
}

impl Setup {
    /// What options and the manifest say, if `program` is one.
    ///
    /// # Errors
    ///
    /// If the manifest cannot be used, or something named is not there.
    pub(crate) fn new(options: &Options, program: &OsStr, args: &[OsString]) -> Result<Setup> {
        let (mut setup, rights) = Setup::read(program)?;
        setup.args.extend_from_slice(args);
        setup.dirs.extend_from_slice(&options.dirs);
        setup.vars.extend_from_slice(&options.vars);
        setup.regions.extend_from_slice(&options.regions);
        setup.shares.extend_from_slice(&options.shares);
        let links = options.links.iter().map(|Link { name, file }| Module {
            name: name.clone(),
            file: file.clone(),
            permissions: None,
        });
        setup.modules.extend(links);
        setup.libraries.extend(&options.libraries);
        setup.libraries.link_as(&options.link_as);
        let rights = rights.and(options.rights).capabilities();
        setup.permissions = setup.permissions.keep(rights.iter());
        for (option, permits) in [("permit", &options.permits), ("drop", &options.drops)] {
            for Permit { module, permissions } in permits {
                let permitted = setup.permit(module, permissions);
                permitted.with_context(|| format!("--{option} {module}"))?;
            }
        }
        for module in &options.inherits {
            let module = setup.module(module).with_context(|| format!("--inherit {module}"))?;
            if module.permissions.is_some() {
                bail!("--inherit {}: it was told not to inherit all", module.name);
            }
        }
        setup.check_quotas()?;
        setup.check_shares()?;
        Ok(setup)
    }

    /// What the manifest says, if `program` is one, and what the program may do.
    ///
    /// # Errors
    ///
    /// If the manifest cannot be used.
    pub(crate) fn read(program: &OsStr) -> Result<(Setup, Rights)> {
        let path = Path::new(program);
        if path.extension().is_some_and(|extension| extension == "toml") {
            return Manifest::read(path)?.setup();
        }
        Ok((Setup::of(program.to_owned()), Rights::default()))
    }

    /// A program alone.
    pub(crate) fn of(program: OsString) -> Setup {
        Setup {
            program,
            args: Vec::new(),
            permissions: Permissions::all(),
            dirs: Vec::new(),
            vars: Vec::new(),
            modules: Vec::new(),
            libraries: Libraries::default(),
            regions: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Adds to the environment.
    pub(crate) fn add_variable(&mut self, variable: Variable) {
        self.vars.push(variable);
    }

    fn module(&mut self, name: &str) -> Result<&mut Module> {
        let known = self
            .modules
            .iter()
            .map(|module| module.name.clone())
            .collect::<Vec<_>>();
        match self.modules.iter_mut().find(|module| module.name == name) {
            Some(module) => Ok(module),
            None if known.is_empty() => bail!("there is no module {name:?}; --module {name}=FILE makes one"),
            None => bail!("there is no module {name:?}; there are {}", known.join(", ")),
        }
    }

    /// Lets a module do no more than this.
    fn permit(&mut self, name: &str, permissions: &Permissions) -> Result<()> {
        if name == MAIN {
            self.permissions = self.permissions.intersection(permissions);
            return Ok(());
        }
        let module = self.module(name)?;
        let narrowed = match &module.permissions {
            Some(own) => own.intersection(permissions),
            None => permissions.clone(),
        };
        module.permissions = Some(narrowed);
        Ok(())
    }

    /// Checks that no module has a quota of what all modules of a program use
    /// together.
    fn check_quotas(&self) -> Result<()> {
        for Module { name, permissions, .. } in &self.modules {
            let quotas = permissions.as_ref().map(Permissions::quotas).unwrap_or_default();
            if quotas.fuel.is_some() || quotas.depth.is_some() {
                bail!(
                    "the module {name} cannot have fuel or a depth of its own: it runs on the program's; give them to main"
                );
            }
        }
        Ok(())
    }

    /// Checks that all that is shared, and all that share, are there.
    fn check_shares(&mut self) -> Result<()> {
        for Share { region, module, .. } in self.shares.clone() {
            if !self.regions.iter().any(|known| known.name == region) {
                bail!("there is no region {region:?} to share; --region {region}=SIZE makes one");
            }
            if module != MAIN {
                self.module(&module)?;
            }
        }
        Ok(())
    }

    /// The regions that there are, by name.
    ///
    /// # Errors
    ///
    /// If one of them cannot be made, or two have one name.
    pub(crate) fn make_regions(&self) -> Result<Vec<(String, SharedRegion)>> {
        let mut made: Vec<(String, SharedRegion)> = Vec::new();
        for source in &self.regions {
            if made.iter().any(|(name, _)| *name == source.name) {
                bail!("there are two regions {:?}", source.name);
            }
            made.push((source.name.clone(), source.make()?));
        }
        Ok(made)
    }

    /// The regions that a module may open, and for what.
    pub(crate) fn shared_with<'s>(&'s self, module: &'s str) -> impl Iterator<Item = (&'s str, Access)> {
        let shares = self.shares.iter().filter(move |share| share.module == module);
        shares.map(|share| (share.region.as_str(), share.access))
    }

    /// What the program sees of the system.
    ///
    /// # Errors
    ///
    /// If a directory is not there.
    pub(crate) fn wasi(&self, args: &[OsString], interrupt: Option<&Arc<AtomicBool>>) -> Result<WasiCtx> {
        let mut builder = WasiCtxBuilder::new();
        builder.inherit_stdio();
        let file = Path::new(&self.program);
        builder.arg(file.file_name().unwrap_or(&self.program)).args(args);
        for Variable { name, value } in &self.vars {
            match value {
                Some(value) => {
                    builder.env(name, value);
                }
                // One that is not set here is not set there.
                None => {
                    if let Some(value) = env::var_os(name) {
                        builder.env(name, value);
                    }
                }
            }
        }
        for Directory { host, guest, perms } in &self.dirs {
            builder.preopened_dir(host, guest, *perms);
        }
        if let Some(flag) = interrupt {
            builder.interrupt_flag(Arc::clone(flag));
        }
        Ok(builder.build()?)
    }
}

impl Directory {
    /// Where it is for the host.
    pub(crate) fn host(&self) -> &Path {
        &self.host
    }

    /// What may be done in it.
    pub(crate) fn access(&self) -> Access {
        match self.perms {
            DirPerms::ReadOnly => Access::Read,
            DirPerms::ReadWrite => Access::ReadWrite,
        }
    }

    /// Finds it from another directory.
    pub(crate) fn relative_to(&mut self, base: &Path) {
        self.host = base.join(&self.host);
    }
}
