//! The standard collections, iterators, traits and formatting, and 128-bit
//! arithmetic.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::fmt::{self, Display};
use std::rc::Rc;

#[derive(Debug, Clone, PartialEq)]
enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(value) => write!(f, "{value}"),
            Json::Text(value) => write!(f, "{value:?}"),
            Json::List(values) => {
                f.write_str("[")?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Json::Object(fields) => {
                f.write_str("{")?;
                for (i, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name:?}:{value}", if i > 0 { "," } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

fn maps() {
    let text = "it was the best of times it was the worst of times";
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in text.split(' ') {
        *counts.entry(word).or_default() += 1;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    println!("{sorted:?}");

    let squares: HashSet<u64> = (1..2000u64).map(|n| n * n % 1009).collect();
    println!("{} quadratic residues", squares.len());
    let tree: BTreeSet<char> = text.chars().filter(|c| c.is_alphabetic()).collect();
    println!("{}", tree.iter().rev().collect::<String>());

    let mut heap = BinaryHeap::new();
    let mut queue = VecDeque::from([1u32]);
    while let Some(n) = queue.pop_front() {
        heap.push(n);
        queue.extend([2 * n, 3 * n + 1].into_iter().filter(|&m| m < 60));
    }
    println!("{:?}", heap.into_sorted_vec());
}

fn formatting() {
    println!("[{:>8}] [{:<8}] [{:^8}] [{:*^9}] [{:+}] [{:#010x}] [{:#b}]", "ab", "cd", "ef", "gh", 5, 255, 5);
    println!("{:?} {:?} {:?} {:?}", 0.1 + 0.2, 1e21, f32::MAX, f64::MIN_POSITIVE);
    println!("{:.3} {:e} {:08.2} {:?} {:?}", 2.0 / 3.0, 123456.0, -1.5, f64::NAN, -0.0);
    println!("{:?}", "tab\t quote\" é \u{1F40B} \u{7f}");
    println!("{:#?}", ("nested", [Some(1), None]));
    let parsed: Vec<Result<i8, String>> =
        ["12", "-128", "128", "x", ""].iter().map(|s| s.parse::<i8>().map_err(|e| e.to_string())).collect();
    println!("{parsed:?}");
    let document = Json::Object(BTreeMap::from([
        ("name".to_owned(), Json::Text("orca \"killer\" whale".to_owned())),
        ("lengths".to_owned(), Json::List(vec![Json::Number(6.5), Json::Number(1e-7), Json::Null])),
        ("mammal".to_owned(), Json::Bool(true)),
    ]));
    println!("{document}");
    println!("{}", document.clone() == document);
}

fn wide() {
    let mut product: u128 = 1;
    for n in 1..=34u128 {
        product *= n;
    }
    println!("34! = {product}");
    println!("{} {}", product / 10u128.pow(30), product % 1_000_000_007);
    println!("{:?} {:?}", u128::MAX.checked_add(1), u128::MAX.overflowing_mul(3));
    println!("{} {}", i128::MIN, (i128::MIN + 7) / -1_000_000_000_000_000_000_000);
    println!("{} {:x}", (product as f64), product >> 60 ^ product << 3);
    let (mut a, mut b) = (0u128, 1u128);
    for _ in 0..186 {
        (a, b) = (b, a + b);
    }
    println!("fib(186) = {a}");
    println!("{} {} {}", 300.7f32 as u8, -1.0f64 as u32, f64::NAN as i64);
}

trait Animal {
    fn name(&self) -> String;
    fn sound(&self) -> &'static str;
}

struct Dog;
struct Loud<A>(A, u32);

impl Animal for Dog {
    fn name(&self) -> String {
        "dog".to_owned()
    }
    fn sound(&self) -> &'static str {
        "woof"
    }
}

impl<A: Animal> Animal for Loud<A> {
    fn name(&self) -> String {
        format!("loud×{} {}", self.1, self.0.name())
    }
    fn sound(&self) -> &'static str {
        self.0.sound()
    }
}

fn objects() {
    let animals: Vec<Rc<dyn Animal>> = vec![Rc::new(Dog), Rc::new(Loud(Dog, 2)), Rc::new(Loud(Loud(Dog, 3), 4))];
    for animal in &animals {
        println!("{} says {}", animal.name(), animal.sound().to_uppercase());
    }
    let compose = |fs: Vec<Box<dyn Fn(i64) -> i64>>| move |x| fs.iter().fold(x, |acc, f| f(acc));
    let all = compose(vec![Box::new(|x| x + 1), Box::new(|x| x * x), Box::new(move |x| x - animals.len() as i64)]);
    println!("{}", (0..5).map(&all).map(|n| n.to_string()).collect::<Vec<_>>().join(" "));
}

fn main() {
    maps();
    formatting();
    wide();
    objects();
}
