//! Prints the prime factors of its arguments, or of the numbers on standard
//! input: whole numbers below 2^64.
//!
//! Miller-Rabin decides whether a number is prime (with bases that make it
//! exact below 2^64), Pollard's rho splits the others; both multiply in 128
//! bits.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::num::ParseIntError;
use std::process::ExitCode;

fn mul_mod(a: u64, b: u64, modulus: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(modulus)) as u64
}

fn pow_mod(mut base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let mut result = 1 % modulus;
    base %= modulus;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = mul_mod(result, base, modulus);
        }
        base = mul_mod(base, base, modulus);
        exponent >>= 1;
    }
    result
}

fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 {
        return false;
    }
    if let Some(&small) = BASES.iter().find(|&&p| n % p == 0) {
        return n == small;
    }
    let twos = (n - 1).trailing_zeros();
    let odd = (n - 1) >> twos;
    BASES.iter().all(|&base| {
        let mut x = pow_mod(base, odd, n);
        if x == 1 || x == n - 1 {
            return true;
        }
        for _ in 1..twos {
            x = mul_mod(x, x, n);
            if x == n - 1 {
                return true;
            }
        }
        false
    })
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A proper divisor of a composite number.
fn divisor(n: u64) -> u64 {
    if n % 2 == 0 {
        return 2;
    }
    for step in 1.. {
        let next = |x: u64| ((u128::from(mul_mod(x, x, n)) + step) % u128::from(n)) as u64;
        let (mut slow, mut fast, mut found) = (2, 2, 1);
        while found == 1 {
            slow = next(slow);
            fast = next(next(fast));
            found = gcd(slow.abs_diff(fast), n);
        }
        if found != n {
            return found;
        }
    }
    unreachable!("a composite number has a divisor")
}

/// The prime factorisation of a number: primes and their powers.
#[derive(Default)]
struct Factors(BTreeMap<u64, u32>);

impl Factors {
    fn of(n: u64) -> Self {
        let mut factors = Factors::default();
        let mut rest = vec![n];
        while let Some(n) = rest.pop() {
            if n < 2 {
                continue;
            }
            if is_prime(n) {
                *factors.0.entry(n).or_default() += 1;
            } else {
                let d = divisor(n);
                rest.extend([d, n / d]);
            }
        }
        factors
    }
}

impl fmt::Display for Factors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no prime factors");
        }
        for (i, (prime, power)) in self.0.iter().enumerate() {
            let dot = if i == 0 { "" } else { " · " };
            match power {
                1 => write!(f, "{dot}{prime}")?,
                _ => write!(f, "{dot}{prime}^{power}")?,
            }
        }
        Ok(())
    }
}

fn factor(word: &str) -> Result<(u64, Factors), ParseIntError> {
    let n = word.parse()?;
    Ok((n, Factors::of(n)))
}

fn main() -> io::Result<ExitCode> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        let mut input = String::new();
        io::stdin().read_to_string(&mut input)?;
        words = input.split_whitespace().map(String::from).collect();
    }
    let mut out = io::stdout().lock();
    let mut code = ExitCode::SUCCESS;
    for word in &words {
        match factor(word) {
            Ok((n, factors)) => writeln!(out, "{n} = {factors}")?,
            Err(error) => {
                eprintln!("factor: {word:?}: {error}");
                code = ExitCode::from(1);
            }
        }
    }
    Ok(code)
}
