//! Threads of Rust's standard library: locks, channels, scopes, panics.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::Duration;

fn main() {
    let counter = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..8)
        .map(|i| {
            let counter = Arc::clone(&counter);
            thread::spawn(move || {
                (0..1000).for_each(|_| *counter.lock().unwrap() += 1);
                i * i
            })
        })
        .collect();
    let sum: i32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("counted to {}, squares {sum}", counter.lock().unwrap());

    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for i in 0..10 {
            send.send(i).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
    });
    println!("received {:?}", receive.iter().collect::<Vec<i32>>());

    let words = RwLock::new(HashMap::new());
    let barrier = Barrier::new(4);
    let arrived = AtomicUsize::new(0);
    thread::scope(|scope| {
        for word in ["whale", "orca", "dolphin", "seal"] {
            let (words, barrier, arrived) = (&words, &barrier, &arrived);
            scope.spawn(move || {
                words.write().unwrap().insert(word, word.len());
                barrier.wait();
                arrived.fetch_add(words.read().unwrap().len(), Ordering::Relaxed);
            });
        }
    });
    println!("saw {} words in all", arrived.into_inner());

    let pair = (Mutex::new(false), Condvar::new());
    let over = pair.1.wait_timeout(pair.0.lock().unwrap(), Duration::from_millis(5)).unwrap().1.timed_out();
    println!("nobody came: {over}");

    thread_local!(static OWN: std::cell::Cell<u32> = const { std::cell::Cell::new(1) });
    OWN.set(5);
    let other = thread::spawn(|| OWN.replace(2)).join().unwrap();
    println!("own {} other {other}", OWN.get());

    if std::env::args().any(|argument| argument == "panic") {
        let _ = thread::spawn(|| panic!("in a thread")).join();
    }
}
