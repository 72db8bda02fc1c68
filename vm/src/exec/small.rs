//! Copies and fills of a few bytes of memory 0 with guard pages, without a call.
//!
//! All bytes are read before any is written, so the ranges may overlap. The
//! highest address is written first: where the range does not lie in the
//! memory as a whole, that write faults, and nothing has been written. As in
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
/// `s` are the registers of a running handler, and both addresses are at most
/// 4 GiB into memory 0's reservation, which has guard pages.
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
    // Eight of them.
    let values = u64::from(value).wrapping_mul(0x0101_0101_0101_0101);
    if len >= 16 {
        // `values` becomes where the second last 16 bytes begin, or the first
        // ones if there are no more than 32.
        block!(
            s,
            [
                "movq {a}, {values}",
                "punpcklqdq {a}, {a}",
                "movups [{to} + {len} - 16], {a}",
                "xor {values:e}, {values:e}",
                "sub {len}, 32",
                "cmovb {len}, {values}",
                "movups [{to} + {len}], {a}",
                "shr {len}, 1",
                "movups [{to} + {len}], {a}",
                "movups [{to}], {a}"
            ],
            to = in(reg) to, len = inout(reg) len => _, values = inout(reg) values => _, a = out(xmm_reg) _,
        );
    } else if len >= 8 {
        block!(
            s,
            ["mov qword ptr [{to} + {len} - 8], {values}", "mov qword ptr [{to}], {values}"],
            to = in(reg) to, len = in(reg) len, values = in(reg) values,
        );
    } else if len >= 4 {
        block!(
            s,
            ["mov dword ptr [{to} + {len} - 4], {values:e}", "mov dword ptr [{to}], {values:e}"],
            to = in(reg) to, len = in(reg) len, values = in(reg) values,
        );
    } else if len >= 2 {
        block!(
            s,
            ["mov word ptr [{to} + {len} - 2], {values:x}", "mov word ptr [{to}], {values:x}"],
            to = in(reg) to, len = in(reg) len, values = in(reg) values,
        );
    } else {
        block!(s, ["mov byte ptr [{to}], {values:l}"], to = in(reg) to, values = in(reg) values,);
    }
}
