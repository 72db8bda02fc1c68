//! Stores that use fuel in common.

use std::thread;

use vm::{Config, Engine, Error, Instance, Module, Store, Trap, TypedFunc};

const MODULE: &str = r#"(module
    (func (export "run") (param $times i32)
        (loop (br_if 0 (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))))"#;

fn store(engine: &Engine, module: &Module) -> Result<(Store<()>, TypedFunc<i32, ()>), Error> {
    let mut store = Store::new(engine, ());
    let run = Instance::new(&mut store, module, &[])?.get_typed_func(&mut store, "run")?;
    Ok((store, run))
}

/// Together they use what one would, and have what is left.
#[test]
fn nothing_is_lost_or_won() -> Result<(), Error> {
    const ALL: u64 = 10_000_000;
    let engine = Engine::new(Config::new().consume_fuel(true))?;
    let module = Module::new(&engine, MODULE)?;
    let (mut first, run) = store(&engine, &module)?;
    first.set_fuel(ALL)?;
    run.call(&mut first, 30_000)?;
    let used = ALL - first.get_fuel()?;

    first.set_fuel(ALL)?;
    let pool = first.fuel_pool()?;
    assert_eq!(first.get_fuel()?, ALL);
    thread::scope(|scope| {
        for _ in 0..4 {
            let (mut other, run) = store(&engine, &module).expect("it has no imports");
            other.set_fuel(7).expect("it is counted");
            other.set_fuel_pool(&pool).expect("it is counted");
            scope.spawn(move || {
                (0..3)
                    .try_for_each(|_| run.call(&mut other, 30_000))
                    .expect("there is enough")
            });
        }
    });
    run.call(&mut first, 30_000)?;
    assert_eq!(first.get_fuel()?, ALL + 4 * 7 - 13 * used);
    Ok(())
}

#[test]
fn no_store_has_more_than_there_is() -> Result<(), Error> {
    let engine = Engine::new(Config::new().consume_fuel(true))?;
    let module = Module::new(&engine, MODULE)?;
    let (mut first, run) = store(&engine, &module)?;
    first.set_fuel(100_000)?;
    let (mut second, run_second) = store(&engine, &module)?;
    second.set_fuel_pool(&first.fuel_pool()?)?;
    let trap = run_second.call(&mut second, 0).expect_err("2^32 times").trap();
    assert_eq!(trap, Some(Trap::OutOfFuel));
    let trap = run.call(&mut first, 1000).expect_err("nothing is left").trap();
    assert_eq!(trap, Some(Trap::OutOfFuel));
    // Setting it is for all of them.
    second.set_fuel(50_000)?;
    run.call(&mut first, 1000)?;
    let uncounted = Engine::default();
    assert!(Store::new(&uncounted, ()).fuel_pool().is_err());
    Ok(())
}
