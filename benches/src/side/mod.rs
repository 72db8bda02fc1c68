//! The host's half of the benches, for either engine: `super` has the engine as
//! `engine`, and the functions whose form differs.

mod call;
mod instantiate;
mod load;
mod pic;
mod preview1;
mod program;
mod translate;
mod trap;

pub use self::call::{counted_loop, first_call, from_host, guest_loop};
pub use self::instantiate::instantiate;
pub use self::load::load;
pub use self::pic::run_kernel;
pub use self::program::run_program;
pub use self::translate::translate;
pub use self::trap::trap;
