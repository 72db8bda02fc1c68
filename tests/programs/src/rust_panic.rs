//! Ends the way its argument says: a panic (a trap, since panics abort here), an
//! exit code, or an error from `main`.

use std::collections::HashMap;

#[derive(Debug)]
struct Failure(u32);

mod deep {
    /// A generic function, so that its name in a backtrace has something to demangle.
    #[inline(never)]
    pub fn pick<T: Copy>(items: &[T], at: usize) -> T {
        items[at]
    }

    pub struct Ledger {
        pub total: i32,
    }

    impl Ledger {
        #[inline(never)]
        pub fn divide(&self, by: i32) -> i32 {
            self.total / by
        }
    }
}

fn main() -> Result<(), Failure> {
    let kind = std::env::args().nth(1).unwrap_or_default();
    println!("ends with {kind:?}");
    match kind.as_str() {
        "panic" => panic!("the guest said {}", kind.len()),
        "index" => println!("{}", deep::pick(&[1, 2, 3], kind.len() + 2)),
        "unwrap" => println!("{}", HashMap::<u8, u8>::new().get(&1).unwrap()),
        "divide" => println!("{}", deep::Ledger { total: 10 }.divide(kind.len() as i32 - 6)),
        "exit" => std::process::exit(37),
        "error" => return Err(Failure(12)),
        _ => {}
    }
    Ok(())
}
