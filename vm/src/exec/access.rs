//! Reads and writes of guest memory by handlers.
//!
//! On x86-64 an access is one instruction of inline assembly. The compiler
//! assumes nothing about it, so it may fault; and since `ip`, `fp` and `cx`
//! are inputs in their own registers, the fault handler finds the machine's
//! state there.

use super::dispatch::Regs;

/// A memory representation that a load turns into a value of type `V`.
pub(crate) trait LoadAs<V> {
    /// Bytes accessed.
    const BYTES: usize;
    /// Reads from `at`, extending to `V`.
    ///
    /// # Safety
    /// `at` is inside an accessible memory, or inside a guarded reservation
    /// while the run is set up to turn faults into traps.
    unsafe fn load(s: &Regs, at: *const u8) -> V;
}

/// A memory representation that a store makes of a value of type `V`.
pub(crate) trait StoreAs<V> {
    /// Bytes accessed.
    const BYTES: usize;
    /// Writes the low bytes of `value` at `at`.
    ///
    /// # Safety
    /// As for [`LoadAs::load`].
    unsafe fn store(s: &Regs, at: *mut u8, value: V);
}

macro_rules! loads {
    ($($mem:ident -> $value:ident, $bytes:literal, $class:ident, $asm:literal;)*) => {$(
        impl LoadAs<$value> for $mem {
            const BYTES: usize = $bytes;
            #[cfg(target_arch = "x86_64")]
            #[inline(always)]
            unsafe fn load(s: &Regs, at: *const u8) -> $value {
                let value: $value;
                // SAFETY: one read of `at`, which the caller vouches for;
                // a fault leaves the handler for good.
                unsafe {
                    std::arch::asm!(
                        $asm,
                        out = lateout($class) value,
                        at = in(reg) at,
                        in("rdi") s.ip, in("rsi") s.fp, in("rcx") s.cx,
                        options(nostack, preserves_flags, readonly),
                    );
                }
                value
            }
            #[cfg(not(target_arch = "x86_64"))]
            #[inline(always)]
            unsafe fn load(_: &Regs, at: *const u8) -> $value {
                // SAFETY: the caller's promise; any bytes are a value.
                (unsafe { at.cast::<$mem>().read_unaligned() }) as $value
            }
        }
    )*};
}

loads! {
    u32 -> u32, 4, reg, "mov {out:e}, dword ptr [{at}]";
    u64 -> u64, 8, reg, "mov {out}, qword ptr [{at}]";
    f32 -> f32, 4, xmm_reg, "movss {out}, dword ptr [{at}]";
    f64 -> f64, 8, xmm_reg, "movsd {out}, qword ptr [{at}]";
    i8 -> i32, 1, reg, "movsx {out:e}, byte ptr [{at}]";
    u8 -> u32, 1, reg, "movzx {out:e}, byte ptr [{at}]";
    i16 -> i32, 2, reg, "movsx {out:e}, word ptr [{at}]";
    u16 -> u32, 2, reg, "movzx {out:e}, word ptr [{at}]";
    i8 -> i64, 1, reg, "movsx {out}, byte ptr [{at}]";
    u8 -> u64, 1, reg, "movzx {out:e}, byte ptr [{at}]";
    i16 -> i64, 2, reg, "movsx {out}, word ptr [{at}]";
    u16 -> u64, 2, reg, "movzx {out:e}, word ptr [{at}]";
    i32 -> i64, 4, reg, "movsxd {out}, dword ptr [{at}]";
    u32 -> u64, 4, reg, "mov {out:e}, dword ptr [{at}]";
}

macro_rules! stores {
    ($($value:ident -> $mem:ident, $bytes:literal, $class:ident, $asm:literal;)*) => {$(
        impl StoreAs<$value> for $mem {
            const BYTES: usize = $bytes;
            #[cfg(target_arch = "x86_64")]
            #[inline(always)]
            unsafe fn store(s: &Regs, at: *mut u8, value: $value) {
                // SAFETY: one write to `at`, which the caller vouches for;
                // a fault leaves the handler for good.
                unsafe {
                    std::arch::asm!(
                        $asm,
                        value = in($class) value,
                        at = in(reg) at,
                        in("rdi") s.ip, in("rsi") s.fp, in("rcx") s.cx,
                        options(nostack, preserves_flags),
                    );
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            #[inline(always)]
            unsafe fn store(_: &Regs, at: *mut u8, value: $value) {
                // SAFETY: the caller's promise.
                unsafe { at.cast::<$mem>().write_unaligned(value as $mem) }
            }
        }
    )*};
}

stores! {
    u32 -> u32, 4, reg, "mov dword ptr [{at}], {value:e}";
    u64 -> u64, 8, reg, "mov qword ptr [{at}], {value}";
    f32 -> f32, 4, xmm_reg, "movss dword ptr [{at}], {value}";
    f64 -> f64, 8, xmm_reg, "movsd qword ptr [{at}], {value}";
    u32 -> u8, 1, reg, "mov byte ptr [{at}], {value:l}";
    u32 -> u16, 2, reg, "mov word ptr [{at}], {value:x}";
    u64 -> u8, 1, reg, "mov byte ptr [{at}], {value:l}";
    u64 -> u16, 2, reg, "mov word ptr [{at}], {value:x}";
    u64 -> u32, 4, reg, "mov dword ptr [{at}], {value:e}";
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
