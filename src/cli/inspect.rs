//! `orcavm inspect`: shows what is in a module.
//!
//! The module is read, not validated, so that what is there can be seen of any
//! module, whatever it needs.

use std::ffi::OsString;
use std::io::{self, Write};

use anyhow::{Result, anyhow, bail};
use clap::ValueHint;
use orcavm::loader::{Dylink, DylinkError, Symbol};
use orcavm::vm::Engine;
use wasmparser::{
    CustomSectionReader, ExternalKind, GlobalType, KnownCustom, MemoryType, Name, Parser, Payload, SubType, TableType,
    TypeRef,
};

use super::setup::{self, Setup};
use super::source::Source;
use super::tree;
use super::types::{self, Typed};

/// Options of `orcavm inspect`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Module, binary or text; `-` for standard input. With --permissions also a manifest
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: OsString,
    /// Show the interpreter's code of a function instead, given by its index or name
    #[arg(long, value_name = "FUNC")]
    code: Option<String>,
    /// Show what the program and its modules may do instead, and which pages they share
    #[arg(long, conflicts_with = "code")]
    permissions: bool,
    #[command(flatten, next_help_heading = "Options of run, with --permissions")]
    setup: setup::Options,
}

/// Prints a module's parts.
///
/// # Errors
///
/// If it cannot be read or decoded, or standard output not be written.
pub(crate) fn run(options: &Options) -> Result<u8> {
    if options.permissions {
        let setup = Setup::new(&options.setup, &options.file, &[])?;
        let mut out = io::stdout().lock();
        tree::print(&mut out, &setup)?;
        out.flush()?;
        return Ok(0);
    }
    let source = Source::read(&options.file)?;
    let contents = Contents::read(source.bytes())
        .map_err(|error| anyhow!("{}: {} (at byte {:#x})", source.name(), error.message(), error.offset()))?;
    let mut out = io::stdout().lock();
    match &options.code {
        Some(function) => contents.print_code(&mut out, &source, function)?,
        None => contents.print(&mut out, &source)?,
    }
    out.flush()?;
    Ok(0)
}

/// A section: its name, where its contents start, their size in bytes, and what
/// they are.
struct Section {
    name: &'static str,
    start: u64,
    size: u64,
    items: String,
}

/// An index space: the members a module imports come first, then its own.
struct Space<T> {
    members: Vec<T>,
    imported: usize,
}

// Derived, it would ask for `T: Default`.
impl<T> Default for Space<T> {
    fn default() -> Space<T> {
        Space {
            members: Vec::new(),
            imported: 0,
        }
    }
}

impl<T> Space<T> {
    fn import(&mut self, member: T) -> usize {
        self.imported += 1;
        self.members.push(member);
        self.members.len() - 1
    }

    fn get(&self, index: u32) -> Option<&T> {
        self.members.get(usize::try_from(index).ok()?)
    }

    /// The members with their indexes and what to say of imported ones.
    fn rows(&self) -> impl Iterator<Item = (usize, &T, &'static str)> {
        self.members
            .iter()
            .enumerate()
            .map(|(index, member)| (index, member, if index < self.imported { "imported" } else { "" }))
    }
}

/// What a module holds.
#[derive(Default)]
struct Contents<'b> {
    sections: Vec<Section>,
    types: Vec<SubType>,
    /// Kind and index, names, type.
    imports: Vec<(String, &'b str, &'b str, TypeRef)>,
    exports: Vec<(&'b str, ExternalKind, u32)>,
    /// Indexes of their types.
    funcs: Space<u32>,
    tables: Space<TableType>,
    memories: Space<MemoryType>,
    globals: Space<GlobalType>,
    /// Indexes of their types.
    tags: Space<u32>,
    start: Option<u32>,
    /// Name and size in bytes.
    customs: Vec<(&'b str, usize)>,
    /// What it says to dynamic linkers; once, if it is as it should be.
    dylinks: Vec<Result<Dylink, DylinkError>>,
    module_name: Option<&'b str>,
    /// What the name section has names of, and how many.
    names: Vec<(&'static str, usize)>,
    /// Functions' indexes and names in the name section.
    func_names: Vec<(u32, &'b str)>,
}

impl<'b> Contents<'b> {
    /// Decodes a binary module.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be decoded.
    fn read(bytes: &'b [u8]) -> wasmparser::Result<Contents<'b>> {
        let mut contents = Contents::default();
        for payload in Parser::new(0).parse_all(bytes) {
            contents.add(payload?)?;
        }
        Ok(contents)
    }

    fn add(&mut self, payload: Payload<'b>) -> wasmparser::Result<()> {
        let range = payload.as_section().map(|(_, range)| range);
        let (name, items) = match payload {
            Payload::TypeSection(reader) => {
                for group in reader {
                    self.types.extend(group?.into_types());
                }
                ("type", count(self.types.len(), "type"))
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    let import = import?;
                    let place = match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => format!("func {}", self.funcs.import(ty)),
                        TypeRef::Table(ty) => format!("table {}", self.tables.import(ty)),
                        TypeRef::Memory(ty) => format!("memory {}", self.memories.import(ty)),
                        TypeRef::Global(ty) => format!("global {}", self.globals.import(ty)),
                        TypeRef::Tag(ty) => format!("tag {}", self.tags.import(ty.func_type_idx)),
                    };
                    self.imports.push((place, import.module, import.name, import.ty));
                }
                ("import", count(self.imports.len(), "import"))
            }
            Payload::FunctionSection(reader) => {
                let number = reader.count();
                for ty in reader {
                    self.funcs.members.push(ty?);
                }
                ("function", count(number, "function"))
            }
            Payload::TableSection(reader) => {
                let number = reader.count();
                for table in reader {
                    self.tables.members.push(table?.ty);
                }
                ("table", count(number, "table"))
            }
            Payload::MemorySection(reader) => {
                let number = reader.count();
                for memory in reader {
                    self.memories.members.push(memory?);
                }
                (
                    "memory",
                    if number == 1 {
                        "1 memory".to_owned()
                    } else {
                        format!("{number} memories")
                    },
                )
            }
            Payload::TagSection(reader) => {
                let number = reader.count();
                for tag in reader {
                    self.tags.members.push(tag?.func_type_idx);
                }
                ("tag", count(number, "tag"))
            }
            Payload::GlobalSection(reader) => {
                let number = reader.count();
                for global in reader {
                    self.globals.members.push(global?.ty);
                }
                ("global", count(number, "global"))
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export?;
                    self.exports.push((export.name, export.kind, export.index));
                }
                ("export", count(self.exports.len(), "export"))
            }
            Payload::StartSection { func, .. } => {
                self.start = Some(func);
                ("start", format!("func {func}"))
            }
            Payload::ElementSection(reader) => ("elem", count(reader.count(), "segment")),
            Payload::DataCountSection { count: number, .. } => ("data count", count(number, "segment")),
            Payload::CodeSectionStart { count: number, .. } => {
                ("code", count(number, "body").replace("bodys", "bodies"))
            }
            Payload::DataSection(reader) => ("data", count(reader.count(), "segment")),
            Payload::CustomSection(reader) => {
                self.customs.push((reader.name(), reader.data().len()));
                self.add_custom(&reader);
                ("custom", format!("{:?}", reader.name()))
            }
            Payload::UnknownSection { id, .. } => ("unknown", format!("id {id}")),
            _ => return Ok(()),
        };
        if let Some(range) = range {
            self.sections.push(Section {
                name,
                start: range.start,
                size: range.end - range.start,
                items,
            });
        }
        Ok(())
    }

    /// Looks into the custom sections that are known. What is wrong with one
    /// does not make the module less readable: reading it ends there.
    fn add_custom(&mut self, reader: &CustomSectionReader<'b>) {
        match reader.as_known() {
            KnownCustom::Name(reader) => {
                for name in reader.into_iter().map_while(Result::ok) {
                    let (what, number) = match name {
                        Name::Module { name, .. } => {
                            self.module_name = Some(name);
                            continue;
                        }
                        Name::Function(map) => {
                            let number = map.clone().count();
                            let namings = map.into_iter().map_while(Result::ok);
                            self.func_names
                                .extend(namings.map(|naming| (naming.index, naming.name)));
                            ("functions", number)
                        }
                        Name::Local(map) => ("functions' locals", map.count()),
                        Name::Label(map) => ("functions' labels", map.count()),
                        Name::Type(map) => ("types", map.count()),
                        Name::Table(map) => ("tables", map.count()),
                        Name::Memory(map) => ("memories", map.count()),
                        Name::Global(map) => ("globals", map.count()),
                        Name::Element(map) => ("element segments", map.count()),
                        Name::Data(map) => ("data segments", map.count()),
                        Name::Field(map) => ("types' fields", map.count()),
                        Name::Tag(map) => ("tags", map.count()),
                        _ => continue,
                    };
                    self.names.push((what, number));
                }
            }
            _ => {
                if let Some(dylink) = Dylink::read_section(reader.name(), reader.data()).transpose() {
                    self.dylinks.push(dylink);
                }
            }
        }
    }

    /// The kind, index and type of an export.
    fn export(&self, kind: ExternalKind, index: u32) -> (String, String) {
        let unknown = || "unknown".to_owned();
        let typed = |kind, ty: Option<&u32>| {
            ty.map_or_else(unknown, |&index| {
                Typed {
                    kind,
                    types: &self.types,
                    index,
                }
                .to_string()
            })
        };
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                (format!("func {index}"), typed("func", self.funcs.get(index)))
            }
            ExternalKind::Tag => (format!("tag {index}"), typed("tag", self.tags.get(index))),
            ExternalKind::Table => {
                let ty = self.tables.get(index).map(|ty| types::Table(ty).to_string());
                (format!("table {index}"), ty.unwrap_or_else(unknown))
            }
            ExternalKind::Memory => {
                let ty = self.memories.get(index).map(|ty| types::Memory(ty).to_string());
                (format!("memory {index}"), ty.unwrap_or_else(unknown))
            }
            ExternalKind::Global => {
                let ty = self.globals.get(index).map(|ty| types::Global(ty).to_string());
                (format!("global {index}"), ty.unwrap_or_else(unknown))
            }
        }
    }

    /// The functions with this index or name.
    fn functions(&self, function: &str) -> Vec<u32> {
        if let Ok(index) = function.parse() {
            return vec![index];
        }
        let named = self.func_names.iter().filter(|(_, name)| *name == function);
        let exported = self.exports.iter().filter_map(|(name, kind, index)| {
            let is_func = matches!(kind, ExternalKind::Func | ExternalKind::FuncExact);
            (is_func && *name == function).then_some(*index)
        });
        let mut indexes: Vec<u32> = named.map(|(index, _)| *index).chain(exported).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }

    /// Prints the code of the functions with an index or a name, of which there
    /// may be several.
    ///
    /// # Errors
    ///
    /// If there is none, or the module is not valid.
    fn print_code(&self, out: &mut impl Write, source: &Source, function: &str) -> Result<()> {
        let module = source.module(&Engine::default())?;
        let indexes = self.functions(function);
        let mut listings = Vec::new();
        for index in &indexes {
            let listing = module.code_listing(*index).map_err(|error| source.refused(&error))?;
            listings.extend(listing.map(|listing| (*index, listing)));
        }
        if listings.is_empty() {
            let is_import = indexes.iter().any(|index| self.funcs.get(*index).is_some());
            let reason = if is_import { "is imported" } else { "is not there" };
            bail!("{}: function {function} {reason}", source.name());
        }
        for (i, (index, listing)) in listings.iter().enumerate() {
            if listings.len() > 1 {
                writeln!(out, "{}func {index}:", if i == 0 { "" } else { "\n" })?;
            }
            write!(out, "{listing}")?;
        }
        Ok(())
    }

    fn print(&self, out: &mut impl Write, source: &Source) -> io::Result<()> {
        writeln!(
            out,
            "{}: WebAssembly module, {}",
            source.name(),
            count(source.bytes().len(), "byte")
        )?;
        if let Some(name) = self.module_name {
            writeln!(out, "named {name:?}")?;
        }
        let rows = self.sections.iter().map(
            |Section {
                 name,
                 start,
                 size,
                 items,
             }| {
                [
                    (*name).to_owned(),
                    format!("{start:#010x}"),
                    count(*size, "byte"),
                    items.clone(),
                ]
            },
        );
        table(
            out,
            "sections",
            [Align::Left, Align::Left, Align::Right, Align::Left],
            rows,
        )?;
        let rows = self.imports.iter().map(|(place, module, name, ty)| {
            [
                place.clone(),
                format!("{module:?}"),
                format!("{name:?}"),
                types::import(&self.types, ty),
            ]
        });
        table(out, "imports", [Align::Left; 4], rows)?;
        let rows = self.exports.iter().map(|(name, kind, index)| {
            let (place, ty) = self.export(*kind, *index);
            [place, format!("{name:?}"), ty]
        });
        table(out, "exports", [Align::Left; 3], rows)?;
        let rows = self
            .memories
            .rows()
            .map(|(index, ty, note)| row(index, types::Memory(ty), note));
        table(out, "memories", INDEXED, rows)?;
        let rows = self
            .tables
            .rows()
            .map(|(index, ty, note)| row(index, types::Table(ty), note));
        table(out, "tables", INDEXED, rows)?;
        let rows = self
            .globals
            .rows()
            .map(|(index, ty, note)| row(index, types::Global(ty), note));
        table(out, "globals", INDEXED, rows)?;
        let rows = self.tags.rows().map(|(index, ty, note)| {
            row(
                index,
                Typed {
                    kind: "tag",
                    types: &self.types,
                    index: *ty,
                },
                note,
            )
        });
        table(out, "tags", INDEXED, rows)?;
        table(
            out,
            "start",
            [Align::Left],
            self.start.iter().map(|func| [format!("func {func}")]),
        )?;
        for dylink in &self.dylinks {
            print_dylink(out, dylink)?;
        }
        let rows = self
            .customs
            .iter()
            .map(|(name, size)| [format!("{name:?}"), count(*size, "byte")]);
        table(out, "custom sections", [Align::Left, Align::Right], rows)?;
        let rows = self
            .names
            .iter()
            .map(|(what, number)| [number.to_string(), (*what).to_owned()]);
        table(out, "names of", [Align::Right, Align::Left], rows)
    }
}

/// Prints what a module says to dynamic linkers.
fn print_dylink(out: &mut impl Write, dylink: &Result<Dylink, DylinkError>) -> io::Result<()> {
    let dylink = match dylink {
        Ok(dylink) => dylink,
        Err(error) => return writeln!(out, "\nlinking: {error}"),
    };
    let room = [
        ("memory", count(dylink.memory_size, "byte"), dylink.memory_alignment),
        ("table", count(dylink.table_size, "element"), dylink.table_alignment),
    ];
    let rows = room
        .into_iter()
        .map(|(what, size, alignment)| [what.to_owned(), size, format!("aligned to {alignment}")]);
    table(out, "linking", [Align::Left, Align::Right, Align::Left], rows)?;
    let target = dylink.target.iter().map(|target| [format!("{target:?}")]);
    table(out, "target", [Align::Left], target)?;
    let quoted = |names: &[Box<str>]| names.iter().map(|name| [format!("{name:?}")]).collect::<Vec<_>>();
    table(
        out,
        "needed libraries",
        [Align::Left],
        quoted(&dylink.needed).into_iter(),
    )?;
    table(
        out,
        "runtime path",
        [Align::Left],
        quoted(&dylink.runtime_path).into_iter(),
    )?;
    let exports = dylink.exports();
    let rows = exports.map(|(name, symbol)| [format!("{name:?}"), flags(symbol)]);
    table(out, "flags of exports", [Align::Left; 2], rows)?;
    let imports = dylink.imports();
    let rows = imports.map(|(module, name, symbol)| [format!("{module:?}"), format!("{name:?}"), flags(symbol)]);
    table(out, "flags of imports", [Align::Left; 3], rows)
}

/// What is said of a symbol.
fn flags(symbol: Symbol) -> String {
    let all = [
        (symbol.is_weak, "weak"),
        (symbol.is_tls, "thread-local"),
        (symbol.is_absolute, "absolute"),
    ];
    let set: Vec<&str> = all.into_iter().filter_map(|(is, what)| is.then_some(what)).collect();
    set.join(", ")
}

/// `1 type`, `2 types`.
fn count(number: impl TryInto<u64>, what: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

/// A row of an index space.
fn row(index: usize, ty: impl std::fmt::Display, note: &str) -> [String; 3] {
    [index.to_string(), ty.to_string(), note.to_owned()]
}

/// Where a column's cells stand.
#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

/// The columns of index spaces.
const INDEXED: [Align; 3] = [Align::Right, Align::Left, Align::Left];

/// Prints a heading and rows in columns, or nothing if there are no rows.
fn table<const N: usize>(
    out: &mut impl Write,
    heading: &str,
    align: [Align; N],
    rows: impl Iterator<Item = [String; N]>,
) -> io::Result<()> {
    let rows: Vec<[String; N]> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{heading}:")?;
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), align) in row.iter().zip(widths).zip(align) {
            let cell = match align {
                Align::Left => format!("  {cell:width$}"),
                Align::Right => format!("  {cell:>width$}"),
            };
            line += &cell;
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
