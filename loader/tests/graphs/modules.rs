//! Random modules: what they need, give and ask for, and their text.

use std::fmt::Write;

use proptest::prelude::*;

/// Names of functions (`f0`…) and of data (`d0`…).
pub const SYMBOLS: usize = 4;

/// Something that a module has or asks for, and whether that is weak.
pub type Mark = Option<bool>;

#[derive(Clone, Debug)]
pub struct ModuleSpec {
    /// Numbers of libraries, from 1 on.
    pub needs: Vec<usize>,
    pub functions: [Mark; SYMBOLS],
    pub data: [Mark; SYMBOLS],
    /// Functions that it calls.
    pub calls: [Mark; SYMBOLS],
    /// Functions whose address it takes.
    pub function_addresses: [Mark; SYMBOLS],
    /// Data whose address it takes.
    pub data_addresses: [Mark; SYMBOLS],
}

/// What a module's function or datum of a symbol is: each has its own.
pub fn value(module: usize, symbol: usize) -> i32 {
    i32::try_from(100 + 10 * module + symbol).expect("small")
}

impl ModuleSpec {
    /// What is said of a function that is called holds for its address.
    pub fn address_is_weak(&self, symbol: usize) -> Option<bool> {
        Some(self.function_addresses[symbol]? || self.calls[symbol] == Some(true))
    }

    /// As text, if it is the module of a number. `main` is what a program has besides.
    pub fn text(&self, number: usize, main: &str) -> String {
        let section = format!(
            "(mem-info (memory {} 4) (table 1 0))",
            if main.is_empty() { 64 } else { 8192 }
        );
        let (mut imports, mut own) = (String::new(), String::new());
        let names: String = self.needs.iter().map(|need| format!(" \"m{need}\"")).collect();
        let needed = if names.is_empty() {
            names
        } else {
            format!("(needed{names})")
        };
        // The text's neighbours of one kind become one part, which there is one of.
        let (mut of_exports, mut of_imports) = (String::new(), String::new());
        let weak = |said: &mut String, kind: &str, name: String, mark: bool| {
            if mark {
                let _ = write!(said, "({kind} {name} binding-weak)");
            }
        };
        for k in 0..SYMBOLS {
            let n = value(number, k);
            let at = 4 * k;
            if let Some(is_weak) = self.functions[k] {
                weak(&mut of_exports, "export-info", format!("\"f{k}\""), is_weak);
                let _ = write!(own, "(func (export \"f{k}\") (result i32) (i32.const {n}))");
            }
            if let Some(is_weak) = self.data[k] {
                weak(&mut of_exports, "export-info", format!("\"d{k}\""), is_weak);
                let _ = write!(own, "(global (export \"d{k}\") i32 (i32.const {at}))");
                let _ = write!(
                    own,
                    "(data (i32.add (global.get $base) (i32.const {at})) \"\\{n:02x}\\00\\00\\00\")"
                );
            }
            if let Some(is_weak) = self.calls[k] {
                weak(&mut of_imports, "import-info", format!("\"env\" \"f{k}\""), is_weak);
                let _ = write!(imports, "(import \"env\" \"f{k}\" (func $f{k} (result i32)))");
                let _ = write!(own, "(func (export \"call{k}\") (result i32) (call $f{k}))");
            }
            if let Some(is_weak) = self.function_addresses[k] {
                weak(
                    &mut of_imports,
                    "import-info",
                    format!("\"GOT.func\" \"f{k}\""),
                    is_weak,
                );
                let _ = write!(imports, "(import \"GOT.func\" \"f{k}\" (global $g{k} (mut i32)))");
                let _ = write!(own, "(func (export \"func{k}\") (result i32) (global.get $g{k}))");
            }
            if let Some(is_weak) = self.data_addresses[k] {
                weak(&mut of_imports, "import-info", format!("\"GOT.mem\" \"d{k}\""), is_weak);
                let _ = write!(imports, "(import \"GOT.mem\" \"d{k}\" (global $d{k} (mut i32)))");
                let _ = write!(own, "(func (export \"mem{k}\") (result i32) (global.get $d{k}))");
            }
        }
        let (made, gone) = (number, 100 + number);
        format!(
            r#"(module (@dylink.0 {section} {needed} {of_exports} {of_imports})
            (import "env" "memory" (memory 1))
            (import "env" "__indirect_function_table" (table 0 funcref))
            (import "env" "__memory_base" (global $base i32))
            (import "env" "__table_base" (global $table i32))
            (import "env" "note" (func $note (param i32)))
            (import "env" "__cxa_atexit" (func $atexit (param i32 i32 i32) (result i32)))
            {main_imports} {imports} {own} {main_own}
            (elem (global.get $table) $end)
            (func $end (param i32) (call $note (i32.const {gone})))
            (func (export "__wasm_call_ctors")
                (call $note (i32.const {made}))
                (drop (call $atexit (global.get $table) (i32.const 0) (i32.const 0)))))"#,
            main_imports = main.split("----").next().unwrap_or_default(),
            main_own = main.split("----").nth(1).unwrap_or_default(),
        )
    }
}

/// A program, which is the first module, and its libraries.
#[derive(Clone, Debug)]
pub struct Graph {
    pub modules: Vec<ModuleSpec>,
    pub preloads: Vec<usize>,
    pub is_now: bool,
}

/// What is done with a program.
#[derive(Clone, Debug)]
pub enum Step {
    Open {
        library: usize,
        flags: u32,
        by_guest: bool,
    },
    /// One of those that are open, in some order.
    Close {
        open: usize,
    },
    /// A symbol of one that is open, or by the guest of all that it sees.
    Sym {
        open: Option<usize>,
        symbol: usize,
        is_data: bool,
    },
    /// Calls of an imported function, in one of those that are loaded.
    Call {
        object: usize,
        symbol: usize,
    },
}

fn marks(common: u32) -> impl Strategy<Value = [Mark; SYMBOLS]> {
    prop::array::uniform4(prop_oneof![
        10 => Just(None),
        common => any::<bool>().prop_map(Some),
    ])
}

fn strong(common: u32) -> impl Strategy<Value = [Mark; SYMBOLS]> {
    prop::array::uniform4(prop_oneof![
        20 => Just(None),
        common => Just(Some(true)),
        1 => Just(Some(false)),
    ])
}

fn module(libraries: usize) -> impl Strategy<Value = ModuleSpec> {
    let needs = prop::collection::vec(1..=libraries, 0..3);
    (needs, marks(8), marks(8), strong(8), strong(8), strong(8)).prop_map(
        |(needs, functions, data, calls, function_addresses, data_addresses)| ModuleSpec {
            needs,
            functions,
            data,
            calls,
            function_addresses,
            data_addresses,
        },
    )
}

fn step(libraries: usize) -> impl Strategy<Value = Step> {
    let flags = prop::sample::select(vec![
        1, 2, 0x101, 0x102, 0x101, 0x102, 9, 0x10a, 5, 0x105, 0x1002, 0x1101,
    ]);
    prop_oneof![
        5 => (1..=libraries, flags, any::<bool>())
            .prop_map(|(library, flags, by_guest)| Step::Open { library, flags, by_guest }),
        3 => any::<usize>().prop_map(|open| Step::Close { open }),
        2 => (any::<Option<usize>>(), 0..SYMBOLS, any::<bool>())
            .prop_map(|(open, symbol, is_data)| Step::Sym { open, symbol, is_data }),
        4 => (any::<usize>(), 0..SYMBOLS).prop_map(|(object, symbol)| Step::Call { object, symbol }),
    ]
}

/// A program and what is done with it.
pub fn story() -> impl Strategy<Value = (Graph, Vec<Step>)> {
    (1..7_usize).prop_flat_map(|libraries| {
        let modules = prop::collection::vec(module(libraries), libraries + 1);
        let preloads = prop::collection::vec(1..=libraries, 0..2);
        let graph = (modules, preloads, any::<bool>()).prop_map(|(modules, preloads, is_now)| Graph {
            modules,
            preloads,
            is_now,
        });
        (graph, prop::collection::vec(step(libraries), 0..24))
    })
}
