//! A function of a module and a closure's caller, in Rust.
#![no_std]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

mod numbers {
    #[inline(never)]
    pub fn apply<F: Fn(u32) -> u32>(function: F, number: u32) -> u32 {
        function(number) + 1
    }

    #[inline(always)]
    pub fn check(number: u32) -> u32 {
        if number > 9 {
            core::arch::wasm32::unreachable()
        }
        number
    }
}

#[no_mangle]
pub extern "C" fn run(number: u32) -> u32 {
    numbers::apply(|number| numbers::check(number) * 2, number)
}
