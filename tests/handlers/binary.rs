//! What the `orcavm` command's file says about its functions.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use addr2line::gimli;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};

use crate::scan::Target;

/// The command's file, or as much of it as the scan wants to know.
pub struct Binary {
    /// Machine code by address.
    pub functions: BTreeMap<u64, Function>,
    /// Addresses that the loader writes, by the place where it does.
    cells: HashMap<u64, Cell>,
}

/// A function. Where LLVM has made one of several that are alike, it has
/// several names.
pub struct Function {
    /// Paths without parameters: `vm::exec::control::br_if`.
    pub names: Vec<String>,
    /// Its name with parameters, if the debug information has one:
    /// `br_if<vm::exec::operand::S>`.
    pub variant: Option<String>,
    /// Its machine code.
    pub code: Vec<u8>,
}

enum Cell {
    Address(u64),
    Import(String),
}

impl Binary {
    /// Reads the ELF file at `path`.
    ///
    /// # Panics
    /// If it cannot be read or is none.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("the command's file");
        let file = object::File::parse(&*bytes).expect("an object file");
        let mut functions = BTreeMap::new();
        for symbol in file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        {
            let (Ok(name), Some(index)) = (symbol.name(), symbol.section_index()) else {
                continue;
            };
            let code = || {
                let section = file.section_by_index(index).ok()?;
                Some(section.data_range(symbol.address(), symbol.size()).ok()??.to_vec())
            };
            let function = functions.entry(symbol.address()).or_insert_with(|| Function {
                names: Vec::new(),
                variant: None,
                code: code().unwrap_or_default(),
            });
            function.names.push(format!("{:#}", rustc_demangle::demangle(name)));
        }
        name_variants(&file, &mut functions);
        Self {
            functions,
            cells: cells(&file),
        }
    }

    /// The address of the function that a jump or a call goes to.
    pub fn address(&self, target: Target) -> Option<u64> {
        match target {
            Target::Address(at) => Some(at),
            Target::Cell(at) => match self.cells.get(&at)? {
                Cell::Address(at) => Some(*at),
                Cell::Import(_) => None,
            },
            Target::Computed => None,
        }
    }

    /// The name of the function that a jump or a call goes to.
    pub fn name(&self, target: Target) -> String {
        if let Target::Cell(at) = target
            && let Some(Cell::Import(name)) = self.cells.get(&at)
        {
            return name.clone();
        }
        match self.address(target) {
            Some(at) => self
                .functions
                .get(&at)
                .map_or_else(|| format!("{at:#x}"), |function| function.names[0].clone()),
            None => "an address it computes".to_owned(),
        }
    }
}

/// Adds the names that the line tables have for functions and what is inlined
/// in them; those come with their parameters.
fn name_variants(file: &object::File<'_>, functions: &mut BTreeMap<u64, Function>) {
    let section = |id: gimli::SectionId| -> Result<_, gimli::Error> {
        let section = file.section_by_name(id.name()).and_then(|section| section.data().ok());
        Ok(gimli::EndianSlice::new(
            section.unwrap_or_default(),
            gimli::LittleEndian,
        ))
    };
    let dwarf = gimli::Dwarf::load(section).expect("sections are slices");
    let context = addr2line::Context::from_dwarf(dwarf).expect("readable debug information");
    for (at, function) in functions.iter_mut() {
        if !function.names.iter().any(|name| name.starts_with("vm::exec::")) {
            continue;
        }
        let Ok(mut frames) = context.find_frames(*at).skip_all_loads() else {
            continue;
        };
        while let Ok(Some(frame)) = frames.next() {
            function.variant = frame
                .function
                .and_then(|function| Some(function.raw_name().ok()?.into_owned()));
        }
    }
}

fn cells(file: &object::File<'_>) -> HashMap<u64, Cell> {
    let imports = file.dynamic_symbol_table();
    let cell = |relocation: &object::Relocation| match relocation.target() {
        RelocationTarget::Symbol(index) => {
            use object::ObjectSymbolTable;
            let symbol = imports.as_ref()?.symbol_by_index(index).ok()?;
            Some(Cell::Import(symbol.name().ok()?.to_owned()))
        }
        _ => Some(Cell::Address(relocation.addend() as u64)),
    };
    file.dynamic_relocations()
        .into_iter()
        .flatten()
        .filter_map(|(at, relocation)| Some((at, cell(&relocation)?)))
        .collect()
}
