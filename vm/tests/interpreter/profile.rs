//! Profiles of guests: what they say, and that guests run as they do without.

#![allow(
    clippy::drop_non_drop,
    reason = "where there are no profiles, a profiler has nothing to drop"
)]

use std::cell::Cell;
use std::time::Duration;

use vm::{AsContextMut, Caller, Error, Extern, Instance, Profile, Profiler, Store, Trap};

use crate::common::{instance, linked, run, trap};

/// Where there are profiles.
const SUPPORTED: bool = cfg!(all(target_os = "linux", target_arch = "x86_64", not(orcavm_portable)));

/// Calls an export again and again for so much CPU time, and says where the time went.
fn profile<T: 'static>(store: &mut Store<T>, instance: Instance, time: Duration) -> Profile {
    let func = instance.get_typed_func::<(), ()>(&mut *store, "run").expect("exported");
    let profiler = Profiler::start(store).expect("there are profiles here");
    let start = cpu_time();
    while cpu_time() - start < time {
        // Most ticks come when the system is asked for the time, which is outside.
        for _ in 0..3 {
            func.call(&mut *store, ()).expect("it returns");
        }
    }
    let profile = profiler.finish(store);
    check(&profile);
    profile
}

const LONG: Duration = Duration::from_millis(250);
const SHORT: Duration = Duration::from_millis(150);

/// CPU time of the calling thread, in steps of 10 ms: other work of the machine
/// is not to take from the samples.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux has it");
    // After the name in parentheses: utime and stime are the 12th and 13th.
    let (_, fields) = stat.rsplit_once(')').expect("the name ends");
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks = ticks
        .map(|number| number.parse::<u64>().expect("a number"))
        .sum::<u64>();
    Duration::from_millis(ticks * 10)
}

/// What is true of every profile.
fn check(profile: &Profile) {
    let functions = profile.functions();
    let samples = profile.samples();
    assert_eq!(functions.iter().map(|f| f.self_samples()).sum::<u64>(), samples);
    assert_eq!(profile.ops().iter().map(|op| op.samples()).sum::<u64>(), samples);
    assert_eq!(
        profile.stacks().iter().map(|stack| stack.samples()).sum::<u64>(),
        samples
    );
    assert!(functions.is_sorted_by(|a, b| a.self_samples() >= b.self_samples()));
    assert!(profile.ops().is_sorted_by(|a, b| a.samples() >= b.samples()));
    for function in functions {
        assert!(function.self_samples() <= function.total_samples() && function.total_samples() <= samples);
    }
    let unknown = functions.iter().find(|f| f.name() == "(unknown)");
    let unknown = unknown.map_or(0, |f| f.self_samples());
    assert!(
        nearly_all(samples - unknown, samples),
        "{unknown} of {samples} samples are unknown"
    );
    let folded = profile.folded().to_string();
    let counts = folded.lines().map(|line| {
        let (stack, count) = line.rsplit_once(' ').expect("a stack and a number");
        assert!(stack.split(';').all(|frame| !frame.is_empty()), "{line}");
        count.parse::<u64>().expect("a number")
    });
    assert_eq!(counts.sum::<u64>(), samples);
}

/// Whether samples are all, but for those that may be taken in the few
/// instructions where a frame is made or left.
fn nearly_all(found: u64, samples: u64) -> bool {
    found + samples / 10 + 3 >= samples
}

/// Samples of a function: its own, and with those it called.
fn samples(profile: &Profile, name: &str) -> (u64, u64) {
    let found = profile.functions().iter().find(|f| f.name() == name);
    found.map_or((0, 0), |f| (f.self_samples(), f.total_samples()))
}

/// A function that counts down from its parameter in some steps.
const SPIN: &str = "(func $spin (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))";

#[test]
fn there_are_profiles_or_an_error_that_says_why_not() {
    let (store, _) = instance("(module)");
    let started = Profiler::start(&store);
    assert_eq!(started.is_ok(), SUPPORTED);
    match started {
        Ok(profiler) => assert_eq!(profiler.finish(&store).samples(), 0),
        Err(error) => {
            assert!(matches!(error, Error::Resource(_)));
            assert!(error.to_string().contains("x86-64 Linux only"), "{error}");
        }
    }
}

#[test]
fn the_hotter_function_is_first() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = instance(
        r#"(module $app
            (func $mild (param i32) (result i32) (local i32)
                (loop (local.set 1 (i32.mul (i32.add (local.get 1) (local.get 0)) (i32.const 7)))
                    (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get 1))
            (func $hot (param i32) (result i32) (local i32)
                (loop (local.set 1 (i32.mul (i32.add (local.get 1) (local.get 0)) (i32.const 7)))
                    (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get 1))
            (func $work (drop (call $mild (i32.const 10000))) (drop (call $hot (i32.const 40000))))
            (func (export "run") (call $work)))"#,
    );
    let profile = profile(&mut store, app, 3 * LONG);
    let names: Vec<_> = profile.functions().iter().take(2).map(|f| f.name()).collect();
    assert_eq!(names, ["hot", "mild"], "{profile:?}");
    let ((hot, _), (mild, _)) = (samples(&profile, "hot"), samples(&profile, "mild"));
    assert!(hot > 2 * mild && hot < 8 * mild, "{hot} {mild}");
    assert!(nearly_all(samples(&profile, "run").1, profile.samples()), "{profile:?}");
    assert!(
        nearly_all(samples(&profile, "work").1, profile.samples()),
        "{profile:?}"
    );
    let hottest = profile.functions()[0].frame();
    assert_eq!((hottest.module_name(), hottest.func_index()), (Some("app"), Some(1)));
    assert_eq!(profile.label(hottest), "hot");
    let folded = profile.folded().to_string();
    let known = |line: &str| line.starts_with("run;") || line.starts_with("run ") || line.starts_with('(');
    assert!(folded.lines().all(known), "{folded}");
    assert!(
        folded.contains("run;work;hot ") && folded.contains("run;work;mild "),
        "{folded}"
    );
    assert!(
        profile.ops().iter().any(|op| op.name().contains("i32.mul")),
        "{:?}",
        profile.ops()
    );
    assert!(profile.cpu_time() > LONG / 2 && profile.interval().is_some());
}

#[test]
fn deep_stacks_are_cut() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = instance(&format!(
        r#"(module {SPIN}
            (func $down (param i32)
                (if (i32.eqz (local.get 0)) (then (call $spin (i32.const 2000000)) (return)))
                (call $down (i32.sub (local.get 0) (i32.const 1))))
            (func $shallow (call $down (i32.const 20)))
            (func (export "run") (call $down (i32.const 20000)) (call $shallow)))"#
    ));
    let profile = profile(&mut store, app, LONG);
    let (own, total) = samples(&profile, "spin");
    assert!(own > 0 && own == total);
    assert!(samples(&profile, "down").1 >= own);
    let deepest = profile.stacks().iter().map(|stack| stack.frames().len()).max();
    assert!((100..200).contains(&deepest.unwrap()), "{deepest:?}");
    let whole = profile.stacks().iter().filter(|stack| match stack.is_cut() {
        true => stack.frames().len() > 100,
        false => stack.frames().len() <= 100 && stack.frames()[0].name() == "run",
    });
    let whole = whole.map(|stack| stack.samples());
    assert!(nearly_all(whole.sum(), profile.samples()), "{profile:?}");
    assert!(profile.folded().to_string().contains("(cut);down;down;"));
    assert!(profile.folded().to_string().contains("run;shallow;down;"));
}

#[test]
fn time_in_host_functions_is_theirs() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = linked(
        r#"(module
            (import "host" "slow" (func $slow (param i32) (result i32)))
            (import "host" "table" (func $by_table))
            (table funcref (elem $by_table))
            (func $caller (drop (call $slow (i32.const 3))))
            (func $indirect (call_indirect (i32.const 0)))
            (func (export "run") (call $caller) (call $indirect)))"#,
        (),
        |linker| {
            let work = |times: u32| (0..times).for_each(|i| _ = std::hint::black_box(i));
            linker.func_wrap("host", "slow", move |x: i32| {
                work(30_000);
                x
            })?;
            linker.func_wrap("host", "table", move || work(10_000))?;
            Ok(())
        },
    );
    let profile = profile(&mut store, app, LONG);
    let (own, total) = samples(&profile, "host.slow");
    assert!(own == total && own * 2 > profile.samples(), "{profile:?}");
    assert_eq!(profile.functions()[0].name(), "host.slow");
    assert_eq!(profile.functions()[0].frame().func_index(), None);
    assert!(samples(&profile, "(host function)").0 > 0, "{profile:?}");
    assert_eq!(profile.ops()[0].name(), "(host functions)");
    let folded = profile.folded().to_string();
    assert!(
        folded.contains("run;caller;host.slow ") && folded.contains("run;indirect;(host function) "),
        "{folded}"
    );
}

#[test]
fn functions_that_return_at_once_are_not_taken_for_translation() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = instance(
        r#"(module (table funcref (elem $short))
            (func $short (param i32) (result i32) (i32.add (local.get 0) (i32.const -1)))
            (func (export "run") (local i32)
                (local.set 0 (i32.const 20000))
                (loop (br_if 0 (local.tee 0 (call $short (local.get 0)))))
                (local.set 0 (i32.const 20000))
                (loop (br_if 0 (local.tee 0
                    (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))))))"#,
    );
    let profile = profile(&mut store, app, LONG);
    let (short, run) = (samples(&profile, "short"), samples(&profile, "run"));
    assert!(short.0 > 0 && run.0 > 0, "{profile:?}");
    assert!(nearly_all(short.0 + run.0, profile.samples()), "{profile:?}");
}

#[test]
fn many_short_host_calls() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = linked(
        r#"(module (import "host" "f" (func $f (param i32) (result i32)))
            (func (export "run") (local i32)
                (local.set 0 (i32.const 20000))
                (loop (br_if 0 (local.tee 0 (call $f (local.get 0)))))))"#,
        (),
        |linker| {
            linker.func_wrap("host", "f", |x: i32| x - 1)?;
            Ok(())
        },
    );
    let profile = profile(&mut store, app, LONG);
    let (host, run) = (samples(&profile, "host.f"), samples(&profile, "run"));
    assert!(host.0 > 0 && run.0 > 0, "{profile:?}");
    assert!(nearly_all(host.0 + run.0, profile.samples()), "{profile:?}");
}

#[test]
fn guests_called_by_host_functions() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = linked(
        &format!(
            r#"(module (import "host" "back" (func $back)) {SPIN}
                (func $inner (export "inner") (call $spin (i32.const 100000)))
                (func $outer (call $back))
                (func (export "run") (call $outer)))"#
        ),
        (),
        |linker| {
            linker.func_wrap("host", "back", |mut caller: Caller<'_, ()>| -> Result<(), Error> {
                let inner = caller
                    .get_export("inner")
                    .and_then(Extern::into_func)
                    .expect("exported");
                inner.call(caller.as_context_mut(), &[], &mut [])
            })?;
            Ok(())
        },
    );
    let profile = profile(&mut store, app, LONG);
    let folded = profile.folded().to_string();
    assert!(folded.contains("run;outer;host.back;inner;spin "), "{folded}");
    assert!(nearly_all(samples(&profile, "run").1, profile.samples()), "{folded}");
}

#[test]
fn functions_of_several_modules() {
    if !SUPPORTED {
        return;
    }
    let (mut store, library) = instance(&format!(
        r#"(module $library {SPIN} (func $f (export "f") (param i32) (call $spin (local.get 0))))"#
    ));
    let f = library.get_func(&mut store, "f").expect("exported");
    let engine = store.engine().clone();
    let text = r#"(module $app (import "" "f" (func $g (param i32))) (table funcref (elem $g))
        (func (export "run") (call $g (i32.const 40000)) (call_indirect (param i32) (i32.const 40000) (i32.const 0))))"#;
    let module = vm::Module::new(&engine, text).expect("valid");
    let app = Instance::new(&mut store, &module, &[f.into()]).expect("nothing is missing");
    let profile = profile(&mut store, app, LONG);
    assert_eq!(profile.label(profile.functions()[0].frame()), "library!spin");
    let folded = profile.folded().to_string();
    assert!(folded.contains("app!run;library!f;library!spin "), "{folded}");
    assert!(!folded.lines().any(|line| line.starts_with("library")), "{folded}");
}

#[test]
fn instructions_of_recursive_calls_have_names() {
    if !SUPPORTED {
        return;
    }
    // A return that computes its value has no `ip` for a while.
    let (mut store, app) = instance(
        r#"(module (func $fib (param i32) (result i32)
                (if (i32.lt_u (local.get 0) (i32.const 2)) (then (return (local.get 0))))
                (i32.add
                    (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2)))))
            (func (export "run") (drop (call $fib (i32.const 20)))))"#,
    );
    let profile = profile(&mut store, app, LONG);
    let unknown = profile.ops().iter().find(|op| op.name() == "(unknown)");
    let named = profile.samples() - unknown.map_or(0, |op| op.samples());
    assert!(nearly_all(named, profile.samples()), "{:?}", profile.ops());
}

#[test]
fn operators_on_whole_memories() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = instance(
        r#"(module (memory 10) (func $copy (memory.copy (i32.const 0) (i32.const 9) (i32.const 500000)))
            (func (export "run") (call $copy)))"#,
    );
    let profile = profile(&mut store, app, SHORT);
    assert_eq!(profile.functions()[0].name(), "copy");
    assert_eq!(profile.ops()[0].name(), "memory.copy");
}

#[test]
fn traps_by_faults_are_still_traps() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = instance(&format!(
        r#"(module (memory 1) {SPIN}
            (func $outside (result i32) (i32.load (i32.const 65536)))
            (func (export "run") (call $spin (i32.const 1000)) (drop (call $outside)))
            (func $forever (export "forever") (call $forever)))"#
    ));
    let profiler = Profiler::start(&store).expect("there are profiles here");
    let start = cpu_time();
    while cpu_time() - start < SHORT {
        assert_eq!(trap(&mut store, app, "run"), Some(Trap::MemoryOutOfBounds));
        assert_eq!(trap(&mut store, app, "forever"), Some(Trap::StackOverflow));
    }
    let error = run(&mut store, app, "run").expect_err("it traps");
    assert_eq!(error.backtrace().map(|backtrace| backtrace.frames().len()), Some(2));
    let profile = profiler.finish(&store);
    check(&profile);
    assert!(samples(&profile, "forever").1 > 0, "{profile:?}");
}

#[test]
fn interruptions_are_not_lost() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) =
        instance(r#"(module (func (export "run") (local i32) (loop (local.set 0 (i32.const 1)) (br 0))))"#);
    let handle = store.interrupt_handle();
    let profiler = Profiler::start(&store).expect("there are profiles here");
    let rounds = 200;
    let (started, start) = std::sync::mpsc::channel::<()>();
    let interrupter = std::thread::spawn(move || {
        for round in 0..rounds {
            start.recv().expect("the guest is started");
            std::thread::sleep(Duration::from_micros(round * 37 % 5000));
            handle.interrupt();
        }
    });
    for _ in 0..rounds {
        started.send(()).expect("it listens");
        assert_eq!(trap(&mut store, app, "run"), Some(Trap::Interrupt));
    }
    interrupter.join().expect("it does not panic");
    let profile = profiler.finish(&store);
    check(&profile);
    assert!(samples(&profile, "run").0 > 0);
}

#[test]
fn threads_have_profiles_of_their_own() {
    if !SUPPORTED {
        return;
    }
    let spin = |name: &str| {
        instance(&format!(
            r#"(module (func $run (export "run") (call ${name})) (func ${name} (local i32)
                (local.set 0 (i32.const 100000))
                (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#
        ))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|name| {
                scope.spawn(move || {
                    let (mut store, instance) = spin(name);
                    let profile = profile(&mut store, instance, LONG);
                    assert_eq!(profile.functions()[0].name(), name);
                    assert!(nearly_all(samples(&profile, "run").1, profile.samples()));
                })
            })
            .collect();
        // And one that has none.
        let (mut store, instance) = spin("d");
        let start = cpu_time();
        while cpu_time() - start < LONG {
            run(&mut store, instance, "run").expect("it returns");
        }
        for thread in threads {
            thread.join().expect("it does not panic");
        }
    });
}

#[test]
fn one_profiler_a_thread() {
    if !SUPPORTED {
        return;
    }
    let (store, _) = instance("(module)");
    let profiler = Profiler::start(&store).expect("there are profiles here");
    assert!(matches!(Profiler::start(&store), Err(Error::Resource(_))));
    drop(profiler);
    drop(Profiler::start(&store).expect("the last one is gone"));
}

#[test]
#[should_panic(expected = "its own store")]
fn a_profiler_is_its_store_s() {
    let (store, _) = instance("(module)");
    let (other, _) = instance("(module)");
    match Profiler::start(&store) {
        Ok(profiler) => drop(profiler.finish(&other)),
        Err(_) => panic!("there are no profiles, not even of its own store"),
    }
}

#[test]
fn a_profiler_outlives_its_store() {
    if !SUPPORTED {
        return;
    }
    let text = format!(r#"(module {SPIN} (func (export "run") (call $spin (i32.const 100000))))"#);
    let (mut store, app) = instance(&text);
    run(&mut store, app, "run").expect("it returns");
    let profiler = Profiler::start(&store).expect("there are profiles here");
    drop(store);
    let start = cpu_time();
    while cpu_time() - start < SHORT {
        // A store of the same size, and so perhaps at the same address.
        let (mut store, app) = instance(&text);
        run(&mut store, app, "run").expect("it returns");
    }
    drop(profiler);
}

#[test]
fn names_cannot_be_taken_for_anything_else() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = instance(
        r#"(module (func (@name "a;b 7\n\1b[2J c") (param i32)
                (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
            (func (export "run") (call 0 (i32.const 100000))))"#,
    );
    let profile = profile(&mut store, app, SHORT);
    let folded = profile.folded().to_string();
    assert!(folded.contains("run;a:b 7\\u{a}\\u{1b}[2J c "), "{folded}");
    let known = |line: &str| line.starts_with("run;") || line.starts_with("run ") || line.starts_with('(');
    assert!(folded.lines().all(known), "{folded}");
}

#[test]
fn guests_that_look_like_addresses() {
    if !SUPPORTED {
        return;
    }
    // Fills locals with numbers that could be addresses, and so hides frames.
    let locals = "i64 ".repeat(400);
    let sets: String = (1..=400)
        .map(|i| format!("(local.set {i} (i64.add (local.get 0) (i64.const {})))", i * 8))
        .collect();
    let (mut store, app) = instance(&format!(
        r#"(module {SPIN} (func $liar (param i64) (local {locals}) {sets} (call $spin (i32.const 100000)))
            (func (export "run") (call $liar (i64.const 0x7f0000001000))))"#
    ));
    let profile = profile(&mut store, app, SHORT);
    assert_eq!(profile.functions()[0].name(), "spin");
    let addresses = Cell::new(0);
    for stack in profile.stacks() {
        addresses.set(addresses.get() + u64::from(stack.is_cut()) * stack.samples());
    }
    assert!(addresses.get() > 0);
}

#[test]
fn frames_that_tail_calls_left_are_those_of_the_callees() {
    if !SUPPORTED {
        return;
    }
    let (mut store, app) = linked(
        &format!(
            r#"(module
            (import "host" "slow" (func $slow (param i32) (result i32)))
            (import "host" "again" (func $again (param i64 i64 i64)))
            {SPIN}
            (table funcref (elem $spin))
            (type $spin (func (param i32)))
            (func $step (param i64 i64 i64 i32) (return_call $spin (local.get 3)))
            (func $cycle (param i32 i32)
                (if (i32.eqz (local.get 0)) (then (return_call $last (i64.const 1) (local.get 1))))
                (return_call $cycle (i32.sub (local.get 0) (i32.const 1)) (local.get 1)))
            (func $last (param i64 i32) (return_call_indirect (type $spin) (local.get 1) (i32.const 0)))
            (func $tail (param i32) (result i32) (return_call $slow (local.get 0)))
            (func $nest (return_call $again (i64.const 1) (i64.const 2) (i64.const 3)))
            (func (export "inner") (call $step (i64.const 1) (i64.const 2) (i64.const 3) (i32.const 200000)))
            (func $work
                (call $step (i64.const 1) (i64.const 2) (i64.const 3) (i32.const 200000))
                (call $cycle (i32.const 100000) (i32.const 100000))
                (drop (call $tail (i32.const 9))) (call $nest))
            (func (export "run") (call $work)))"#
        ),
        (),
        |linker| {
            linker.func_wrap("host", "slow", |x: i32| {
                (0..300_000).for_each(|i| _ = std::hint::black_box(i));
                x
            })?;
            linker.func_wrap("host", "again", |mut caller: Caller<'_, ()>, _: i64, _: i64, _: i64| {
                let inner = caller
                    .get_export("inner")
                    .and_then(Extern::into_func)
                    .expect("exported");
                inner.typed::<(), ()>(&caller)?.call(caller.as_context_mut(), ())
            })?;
            Ok(())
        },
    );
    let profile = profile(&mut store, app, 3 * LONG);
    let all = profile.samples();
    assert!(nearly_all(samples(&profile, "work").1, all), "{profile:?}");
    assert!(samples(&profile, "spin").0 > all / 5, "{profile:?}");
    assert!(samples(&profile, "cycle").0 > all / 20, "{profile:?}");
    let folded = profile.folded().to_string();
    for stack in [
        "run;work;spin ",
        "run;work;cycle ",
        "run;work;(host function) ",
        "run;work;(host function);inner;spin ",
    ] {
        assert!(folded.contains(stack), "{stack} is not in {folded}");
    }
}
