//! Copies and fills of a few bytes of memory 0 with guard pages, without a call.
//!
//! All bytes are read before any is written, so the ranges may overlap. The
//! highest address is written first: where the range does not lie in the
//! memory as a whole, that write faults, and nothing has been written. Around
//! mapped regions, bytes above a page that refuses may be (`docs/regions.md`). As in
//! `access`, `ip`, `fp` and `cx` are inputs in their own registers, where the
//! fault handler finds the machine's state.

use std::arch::asm;

use super::dispatch::Regs;

/// The most bytes that are copied or filled here.
pub(super) const MOST: u64 = 64;

/// One block of inline assembly with the machine's state in its registers.
macro_rules! block {
    ($s:ident, [$($asm:literal),+], $($operands:tt)*) => {
        // SAFETY: reads and writes what the caller vouches for; a fault leaves
        // the handler for good.
        unsafe {
            asm!(
                $($asm),+,
                $($operands)*
                in("rdi") $s.ip, in("rsi") $s.fp, in("rcx") $s.cx,
                options(nostack),
            );
        }
    };
}

/// Copies `len` bytes, 1 to [`MOST`].
///
/// # Safety
/// `s` are the registers of a running handler, and both addresses are in memory
/// 0's reservation, which has guard pages, with room for [`MOST`] bytes.
#[inline(always)]
pub(super) unsafe fn copy(s: &Regs, to: *mut u8, from: *const u8, len: u64) {
    if len > 32 {
        block!(
            s,
            [
                "movups {a}, [{from}]",
                "movups {b}, [{from} + 16]",
                "movups {c}, [{from} + {len} - 32]",
                "movups {d}, [{from} + {len} - 16]",
                "movups [{to} + {len} - 16], {d}",
                "movups [{to} + {len} - 32], {c}",
                "movups [{to} + 16], {b}",
                "movups [{to}], {a}"
            ],
            to = in(reg) to, from = in(reg) from, len = in(reg) len,
            a = out(xmm_reg) _, b = out(xmm_reg) _, c = out(xmm_reg) _, d = out(xmm_reg) _,
        );
    } else if len >= 16 {
        block!(
            s,
            [
                "movups {a}, [{from}]",
                "movups {b}, [{from} + {len} - 16]",
                "movups [{to} + {len} - 16], {b}",
                "movups [{to}], {a}"
            ],
            to = in(reg) to, from = in(reg) from, len = in(reg) len, a = out(xmm_reg) _, b = out(xmm_reg) _,
        );
    } else if len >= 8 {
        block!(
            s,
            [
                "movq {a}, qword ptr [{from}]",
                "movq {b}, qword ptr [{from} + {len} - 8]",
                "movq qword ptr [{to} + {len} - 8], {b}",
                "movq qword ptr [{to}], {a}"
            ],
            to = in(reg) to, from = in(reg) from, len = in(reg) len, a = out(xmm_reg) _, b = out(xmm_reg) _,
        );
    } else if len >= 4 {
        block!(
            s,
            [
                "movd {a}, dword ptr [{from}]",
                "movd {b}, dword ptr [{from} + {len} - 4]",
                "movd dword ptr [{to} + {len} - 4], {b}",
                "movd dword ptr [{to}], {a}"
            ],
            to = in(reg) to, from = in(reg) from, len = in(reg) len, a = out(xmm_reg) _, b = out(xmm_reg) _,
        );
    } else if len >= 2 {
        // `from` becomes what it leads to.
        block!(
            s,
            [
                "pinsrw {a}, word ptr [{from}], 0",
                "movzx {from:e}, word ptr [{from} + {len} - 2]",
                "mov word ptr [{to} + {len} - 2], {from:x}",
                "movd {from:e}, {a}",
                "mov word ptr [{to}], {from:x}"
            ],
            to = in(reg) to, from = inout(reg) from => _, len = in(reg) len, a = out(xmm_reg) _,
        );
    } else {
        block!(
            s,
            ["movzx {from:e}, byte ptr [{from}]", "mov byte ptr [{to}], {from:l}"],
            to = in(reg) to, from = inout(reg) from => _,
        );
    }
}

/// Sets `len` bytes, 1 to [`MOST`], to `value`.
///
/// # Safety
/// As for [`copy`].
#[inline(always)]
pub(super) unsafe fn fill(s: &Regs, to: *mut u8, value: u8, len: u64) {
    // The value's register becomes four of it, or none.
    let value = u32::from(value);
    if len >= 16 {
        // `value` and `len` become where the bytes between the first and the
        // last 16 begin, or the first ones if there are none between.
        block!(
            s,
            [
                "movd {a}, {value:e}",
                "punpcklbw {a}, {a}",
                "punpcklwd {a}, {a}",
                "pshufd {a}, {a}, 0",
                "movups [{to} + {len} - 16], {a}",
                "xor {value:e}, {value:e}",
                "sub {len}, 32",
                "cmovb {len}, {value}",
                "movups [{to} + {len}], {a}",
                "shr {len}, 1",
                "movups [{to} + {len}], {a}",
                "movups [{to}], {a}"
            ],
            to = in(reg) to, len = inout(reg) len => _, value = inout(reg) u64::from(value) => _, a = out(xmm_reg) _,
        );
    } else if len >= 8 {
        block!(
            s,
            [
                "movd {a}, {value:e}",
                "punpcklbw {a}, {a}",
                "punpcklwd {a}, {a}",
                "pshufd {a}, {a}, 0",
                "movq qword ptr [{to} + {len} - 8], {a}",
                "movq qword ptr [{to}], {a}"
            ],
            to = in(reg) to, len = in(reg) len, value = in(reg) value, a = out(xmm_reg) _,
        );
    } else if len >= 4 {
        block!(
            s,
            [
                "imul {value:e}, {value:e}, 0x1010101",
                "mov dword ptr [{to} + {len} - 4], {value:e}",
                "mov dword ptr [{to}], {value:e}"
            ],
            to = in(reg) to, len = in(reg) len, value = inout(reg) value => _,
        );
    } else if len >= 2 {
        block!(
            s,
            [
                "imul {value:e}, {value:e}, 0x101",
                "mov word ptr [{to} + {len} - 2], {value:x}",
                "mov word ptr [{to}], {value:x}"
            ],
            to = in(reg) to, len = in(reg) len, value = inout(reg) value => _,
        );
    } else {
        block!(s, ["mov byte ptr [{to}], {value:l}"], to = in(reg) to, value = in(reg) value,);
    }
}
