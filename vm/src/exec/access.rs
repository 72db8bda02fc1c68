//! Reads and writes of guest memory by handlers.
//!
//! On x86-64 an access is one instruction of inline assembly. The compiler
//! assumes nothing about it, so it may fault; and since `ip`, `fp` and `cx`
//! are inputs in their own registers, the fault handler finds the machine's
//! state there.

use super::dispatch::Regs;

/// The address of an access, as a base and an index. The instruction adds
/// them, so that neither waits for a sum with the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// An address.
    pub(crate) base: *mut u8,
    /// Bytes from there.
    pub(crate) index: usize,
}

impl Place {
    /// The sum.
    #[inline(always)]
    pub(crate) fn address(self) -> *mut u8 {
        self.base.wrapping_add(self.index)
    }
}

/// A memory representation that a load turns into a value of type `V`.
pub(crate) trait LoadAs<V> {
    /// Bytes accessed.
    const BYTES: usize;
    /// Reads from `at`, extending to `V`.
    ///
    /// # Safety
    /// `at` is inside an accessible memory, or inside a guarded reservation
    /// while the run is set up to turn faults into traps.
    unsafe fn load(s: &Regs, at: Place) -> V;
}

/// A memory representation that a store makes of a value of type `V`.
pub(crate) trait StoreAs<V> {
    /// Bytes accessed.
    const BYTES: usize;
    /// Writes the low bytes of `value` at `at`.
    ///
    /// # Safety
    /// As for [`LoadAs::load`].
    unsafe fn store(s: &Regs, at: Place, value: V);
}

macro_rules! loads {
    ($($mem:ident -> $value:ident, $bytes:literal, $class:ident, $asm:literal;)*) => {$(
        impl LoadAs<$value> for $mem {
            const BYTES: usize = $bytes;
            #[cfg(target_arch = "x86_64")]
            #[inline(always)]
            unsafe fn load(s: &Regs, at: Place) -> $value {
                let value: $value;
                // SAFETY: one read of `at`, which the caller vouches for;
                // a fault leaves the handler for good.
                unsafe {
                    std::arch::asm!(
                        $asm,
                        out = lateout($class) value,
                        base = in(reg) at.base, index = in(reg) at.index,
                        in("rdi") s.ip, in("rsi") s.fp, in("rcx") s.cx,
                        options(nostack, preserves_flags, readonly),
                    );
                }
                value
            }
            #[cfg(not(target_arch = "x86_64"))]
            #[inline(always)]
            unsafe fn load(_: &Regs, at: Place) -> $value {
                // SAFETY: the caller's promise; any bytes are a value.
                (unsafe { at.address().cast::<$mem>().read_unaligned() }) as $value
            }
        }
    )*};
}

loads! {
    u32 -> u32, 4, reg, "mov {out:e}, dword ptr [{base} + {index}]";
    u64 -> u64, 8, reg, "mov {out}, qword ptr [{base} + {index}]";
    f32 -> f32, 4, xmm_reg, "movss {out}, dword ptr [{base} + {index}]";
    f64 -> f64, 8, xmm_reg, "movsd {out}, qword ptr [{base} + {index}]";
    i8 -> i32, 1, reg, "movsx {out:e}, byte ptr [{base} + {index}]";
    u8 -> u32, 1, reg, "movzx {out:e}, byte ptr [{base} + {index}]";
    i16 -> i32, 2, reg, "movsx {out:e}, word ptr [{base} + {index}]";
    u16 -> u32, 2, reg, "movzx {out:e}, word ptr [{base} + {index}]";
    i8 -> i64, 1, reg, "movsx {out}, byte ptr [{base} + {index}]";
    u8 -> u64, 1, reg, "movzx {out:e}, byte ptr [{base} + {index}]";
    i16 -> i64, 2, reg, "movsx {out}, word ptr [{base} + {index}]";
    u16 -> u64, 2, reg, "movzx {out:e}, word ptr [{base} + {index}]";
    i32 -> i64, 4, reg, "movsxd {out}, dword ptr [{base} + {index}]";
    u32 -> u64, 4, reg, "mov {out:e}, dword ptr [{base} + {index}]";
}

macro_rules! stores {
    ($($value:ident -> $mem:ident, $bytes:literal, $class:ident, $asm:literal;)*) => {$(
        impl StoreAs<$value> for $mem {
            const BYTES: usize = $bytes;
            #[cfg(target_arch = "x86_64")]
            #[inline(always)]
            unsafe fn store(s: &Regs, at: Place, value: $value) {
                // SAFETY: one write to `at`, which the caller vouches for;
                // a fault leaves the handler for good.
                unsafe {
                    std::arch::asm!(
                        $asm,
                        value = in($class) value,
                        base = in(reg) at.base, index = in(reg) at.index,
                        in("rdi") s.ip, in("rsi") s.fp, in("rcx") s.cx,
                        options(nostack, preserves_flags),
                    );
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            #[inline(always)]
            unsafe fn store(_: &Regs, at: Place, value: $value) {
                // SAFETY: the caller's promise.
                unsafe { at.address().cast::<$mem>().write_unaligned(value as $mem) }
            }
        }
    )*};
}

stores! {
    u32 -> u32, 4, reg, "mov dword ptr [{base} + {index}], {value:e}";
    u64 -> u64, 8, reg, "mov qword ptr [{base} + {index}], {value}";
    f32 -> f32, 4, xmm_reg, "movss dword ptr [{base} + {index}], {value}";
    f64 -> f64, 8, xmm_reg, "movsd qword ptr [{base} + {index}], {value}";
    u32 -> u8, 1, reg, "mov byte ptr [{base} + {index}], {value:l}";
    u32 -> u16, 2, reg, "mov word ptr [{base} + {index}], {value:x}";
    u64 -> u8, 1, reg, "mov byte ptr [{base} + {index}], {value:l}";
    u64 -> u16, 2, reg, "mov word ptr [{base} + {index}], {value:x}";
    u64 -> u32, 4, reg, "mov dword ptr [{base} + {index}], {value:e}";
}

/// Reads a slot of the frame for nothing but the access, so that an
/// interruption, which takes the frame's access rights, is noticed.
///
/// # Safety
/// `s.fp` is a frame of the running value stack.
#[inline(always)]
pub(crate) unsafe fn touch_frame(s: &Regs) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads what the caller vouches for; a fault leaves the handler.
    unsafe {
        std::arch::asm!(
            "test byte ptr [rsi], al",
            in("rdi") s.ip, in("rsi") s.fp, in("rcx") s.cx,
            options(nostack, readonly),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = s;
}
