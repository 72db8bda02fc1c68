//! Lists the folders named as arguments, recursively, with sizes and first
//! lines, tries to write /data/new.txt, and exits with the number of arguments that
//! could not be read.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process;

fn first_line(path: &Path) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(fs::File::open(path)?).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn walk(path: &Path, depth: usize) -> io::Result<u64> {
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut total = 0;
    for entry in entries {
        let (kind, name) = (entry.file_type()?, entry.file_name());
        let name = name.to_string_lossy();
        if kind.is_dir() {
            println!("{:indent$}{name}/", "", indent = 2 * depth);
            total += walk(&entry.path(), depth + 1)?;
        } else {
            let size = entry.metadata()?.len();
            println!("{:indent$}{name} {size} {:?}", "", first_line(&entry.path())?, indent = 2 * depth);
            total += size;
        }
    }
    Ok(total)
}

fn main() {
    let mut failures = 0;
    for argument in std::env::args().skip(1) {
        println!("{argument}:");
        match walk(Path::new(&argument), 1) {
            Ok(total) => println!("  {total} bytes"),
            Err(error) => {
                println!("  {:?}", error.kind());
                failures += 1;
            }
        }
    }
    match fs::write("/data/new.txt", "text") {
        Ok(()) => println!("a file was written"),
        Err(_) => println!("no file was written"),
    }
    process::exit(failures);
}
