//! The functions as guests import them: [`add_to_linker`].

use vm::{Caller, Capability, DomainId, Error, Linker, Requirement, Val};

use crate::SandboxCtx;
use crate::guest::{Guest, Refusal};
use crate::host::HostOf;
use orcavm_wasi::Errno;

/// The requirement of a function that gives an error number where it is refused.
fn refusing(capability: Capability) -> Requirement {
    Requirement::new(capability).or_return(Val::I32(-i32::from(Errno::NotCapable.number())))
}

/// As [`refusing`], for functions that give an `i64`.
fn refusing_long(capability: Capability) -> Requirement {
    Requirement::new(capability).or_return(Val::I64(-i64::from(Errno::NotCapable.number())))
}

/// Defines functions that give a number: each from its parameters and what it
/// calls.
macro_rules! define {
    ($linker:ident, $get:ident, $module:literal; $(
        $name:literal($($arg:ident: $type:ident),*) -> $result:ident $([$needs:expr])? = $method:ident;
    )*) => {
        $(define!(@one [$linker, $module, $name] [$($needs)?]
            {
                // Not a closure, whose type would depend on the store's.
                #[allow(clippy::too_many_arguments, reason = "the interface's parameters")]
                fn $method(mut guest: Guest<'_>, $($arg: $type),*) -> $result {
                    let result: Result<$result, Refusal> = guest.$method($($arg),*);
                    guest.answer(result)
                }
                move |mut caller: Caller<'_, T>, $($arg: $type),*| -> $result {
                    $method(Guest::new(&mut HostOf::calling(&mut caller, $get)), $($arg),*)
                }
            }
        );)*
    };
    (@one [$linker:ident, $module:literal, $name:literal] [] $func:expr) => {
        $linker.func_wrap($module, $name, $func)?
    };
    (@one [$linker:ident, $module:literal, $name:literal] [$needs:expr] $func:expr) => {
        $linker.func_wrap_requiring($module, $name, $needs, $func)?
    };
}

/// Defines functions that load and store a number of another memory.
macro_rules! define_accesses {
    ($linker:ident, $get:ident; $($load:literal $store:literal $type:ident as $bytes:ident;)*) => {
        $(
            $linker.func_wrap("orca_access", $load, move |mut caller: Caller<'_, T>, handle: i32, at: u32| {
                let bytes = Guest::new(&mut HostOf::calling(&mut caller, $get)).access_load(handle, at)?;
                Ok(<$type>::from($bytes::from_le_bytes(bytes)))
            })?;
            $linker.func_wrap(
                "orca_access",
                $store,
                move |mut caller: Caller<'_, T>, handle: i32, at: u32, value: $type| {
                    let value = value & $type::from($bytes::MAX);
                    let value = $bytes::try_from(value).unwrap_or_default();
                    Guest::new(&mut HostOf::calling(&mut caller, $get)).access_store(handle, at, value.to_le_bytes())
                },
            )?;
        )*
    };
}

/// Defines WASI, `orca_region`, `orca_module` and `orca_access` in `linker`. `get` finds what the
/// calling instance has in the store's data: by the instance's domain, where a store
/// has several.
///
/// Every function gives a negative number if it fails: an error number of WASI,
/// negated, or -1000 where a child trapped and -1001 where it exited. Nothing
/// has changed then, but for what a child did before it trapped. What went
/// wrong can be asked for as text.
///
/// # Errors
/// An import of one of the names is defined already.
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx + Send + Sync + Copy + 'static,
) -> Result<(), Error> {
    orcavm_wasi::add_to_linker_by_domain(linker, move |data, domain| &mut get(data, domain).wasi)?;
    let (create, map) = (Capability::CreateRegions, Capability::MapRegions);
    define! { linker, get, "orca_region";
        "create"(bytes: i64) -> i32 [refusing(create)] = region_create;
        "open"(name: u32, len: u32) -> i32 = region_open;
        "close"(region: i32) -> i32 = region_close;
        "size"(region: i32) -> i64 = region_size;
        "access"(region: i32) -> i32 = region_access;
        "map"(region: i32, offset: i64, len: i64, address: i64, access: i32) -> i64 [refusing_long(map)] = region_map;
        "unmap"(address: i64, len: i64) -> i32 = region_unmap;
        "protect"(address: i64, len: i64, access: i32) -> i32 [refusing(map)] = region_protect;
    }
    linker.func_wrap("orca_region", "page_size", || vm::Region::page_size() as u32)?;
    let (load, instantiate) = (Capability::LoadModules, Capability::Instantiate);
    define! { linker, get, "orca_module";
        "load"(bytes: u32, len: u32) -> i32 [refusing(load)] = module_load;
        "load_path"(path: u32, len: u32) -> i32 [refusing(load)] = module_load_path;
        "unload"(module: i32) -> i32 = module_unload;
        "create"(module: i32, permissions: u32, len: u32) -> i32 [refusing(instantiate)] = child_create;
        "share"(child: i32, region: i32, name: u32, len: u32, access: i32) -> i32 = child_share;
        "offer"(child: i32, module: u32, module_len: u32, name: u32, name_len: u32, index: u32, gate: i32) -> i32
            = child_offer;
        "offer_as"(child: i32, module: u32, module_len: u32, name: u32, name_len: u32, index: u32, gate: i32,
            signature: u32, signature_len: u32) -> i32 = child_offer_as;
        "find"(child: i32, name: u32, len: u32) -> i32 = child_find;
        "declare"(child: i32, func: i32, signature: u32, len: u32) -> i32 = child_declare;
        "symbol"(child: i32, name: u32, len: u32, signature: u32, signature_len: u32) -> i32 = pointer_symbol;
        "pass"(child: i32, place: u32, signature: u32, len: u32) -> i32 = pointer_pass;
        "take"(child: i32, place: u32, signature: u32, len: u32) -> i32 = pointer_take;
        "withdraw"(child: i32, place: u32) -> i32 = pointer_withdraw;
        "release"(place: u32) -> i32 = pointer_release;
        "lend"(child: i32, at: u32, len: u32, access: i32) -> i32 = memory_lend;
        "reclaim"(child: i32, at: u32) -> i32 = memory_reclaim;
        "signature"(child: i32, func: i32, text: u32, room: u32) -> i32 = child_signature;
        "exit_code"(child: i32) -> i32 = child_exit_code;
        "read"(child: i32, from: u32, to: u32, len: u32) -> i32 = child_read;
        "write"(child: i32, to: u32, from: u32, len: u32) -> i32 = child_write;
        "permissions"(child: i32, text: u32, room: u32) -> i32 = child_permissions;
        "own_permissions"(text: u32, room: u32) -> i32 = own_permissions;
        "give_up"(capabilities: u32, len: u32) -> i32 = give_up;
        "drop"(child: i32) -> i32 = child_drop;
        "error"(text: u32, room: u32) -> i32 = last_error;
    }
    define! { linker, get, "orca_access";
        "size"(handle: i32, at: u32) -> i64 = access_size;
        "length"(handle: i32, at: u32, most: u32) -> i32 = access_length;
        "copy_from"(handle: i32, from: u32, to: u32, len: u32) -> i32 = access_copy_from;
        "copy_to"(handle: i32, to: u32, from: u32, len: u32) -> i32 = access_copy_to;
        "fill"(handle: i32, at: u32, byte: i32, len: u32) -> i32 = access_fill;
    }
    define_accesses! { linker, get;
        "load8" "store8" u32 as u8;
        "load16" "store16" u32 as u16;
        "load32" "store32" u32 as u32;
        "load64" "store64" u64 as u64;
    }
    linker.func_wrap_requiring(
        "orca_module",
        "start",
        refusing(instantiate),
        move |mut caller: Caller<'_, T>, child: i32| {
            Guest::new(&mut HostOf::calling(&mut caller, get)).child_start(child)
        },
    )?;
    linker.func_wrap(
        "orca_module",
        "call",
        move |mut caller: Caller<'_, T>, child: i32, func: i32, args: u32, results: u32| {
            Guest::new(&mut HostOf::calling(&mut caller, get)).child_call(child, func, args, results)
        },
    )?;
    Ok(())
}
